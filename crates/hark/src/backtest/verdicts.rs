//! A verdict for each row, as CSV: in the order of the input, under its device and time columns.

use std::io::Write;

use super::input::{Entry, Input};
use super::replay::Judged;
use crate::table::Place;

/// Writes the rows.
pub(super) struct Writer {
    csv: csv::Writer<Box<dyn Write + Send>>,
    n_signals: usize,
}

impl Writer {
    /// Begins with the header.
    pub(super) fn create(place: &Place, input: &Input) -> anyhow::Result<Self> {
        let mut csv = csv::Writer::from_writer(place.writer()?);
        let mut header = vec![input.device_column.clone(), input.time_column.clone()];
        header.extend(["score", "flag", "alert"].map(str::to_owned));
        for signal in input.signals.iter() {
            header.push(format!("{}_score", signal.name));
            header.push(format!("{}_flag", signal.name));
        }
        header.extend(["reason", "incident"].map(str::to_owned));
        csv.write_record(&header)?;
        Ok(Self {
            csv,
            n_signals: input.signals.len(),
        })
    }

    /// Writes a row. Scores are turned round: larger is more anomalous, above 0 is flagged. A row that could not be
    /// taken has no score, is not flagged, and says why.
    pub(super) fn row(&mut self, entry: &Entry, judged: Option<&Judged>) -> anyhow::Result<()> {
        let bit = |it: bool| if it { "1" } else { "0" };
        let mut record = csv::StringRecord::new();
        record.push_field(&entry.device);
        record.push_field(&entry.time);
        let Some(judged) = judged else {
            ["", "0", "0"].iter().for_each(|it| record.push_field(it));
            (0..self.n_signals).for_each(|_| ["", "0"].iter().for_each(|it| record.push_field(it)));
            record.push_field(
                &entry
                    .reading
                    .as_ref()
                    .err()
                    .map_or_else(String::new, |it| format!("refused: {it}")),
            );
            record.push_field("");
            self.csv.write_record(&record)?;
            return Ok(());
        };
        let verdict = &judged.verdict;
        record.push_field(&(-verdict.score).to_string());
        record.push_field(bit(verdict.is_anomaly));
        record.push_field(bit(judged.alert));
        for judgement in &verdict.signals {
            record.push_field(&judgement.map(|it| (-it.score).to_string()).unwrap_or_default());
            record.push_field(bit(judgement.is_some_and(|it| it.is_anomaly)));
        }
        record.push_field(
            &verdict
                .reasons
                .iter()
                .map(|it| it.text.as_str())
                .collect::<Vec<_>>()
                .join("; "),
        );
        record.push_field(judged.incident.as_ref().map_or("", |it| it.as_str()));
        self.csv.write_record(&record)?;
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.csv.flush()?;
        Ok(())
    }
}
