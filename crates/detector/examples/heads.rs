//! What the heads say of each row of a table `series,timestamp,split,<signals…>` on stdin, as CSV on stdout: for laying
//! beside a prototype row by row.

use std::collections::HashMap;
use std::io::{BufRead, BufWriter, Write};

use detector::{DeviceState, Pace};
use domain::{DeviceId, Measurement, Reading, Signal, Signals, Timestamp, Values};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut lines = std::io::stdin().lock().lines();
    let header = lines.next().ok_or("no header")??;
    let names: Vec<&str> = header.split(',').skip(3).collect();
    let signals = Signals::new(names.iter().map(|it| Signal::new(it, "1")).collect())?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    writeln!(out, "series,timestamp,spike,smooth,rough,place,trust,surprise,alert")?;
    let (pace, mut states) = (Pace::default(), HashMap::new());
    for line in lines {
        let line = line?;
        let fields: Vec<&str> = line.split(',').collect();
        let (series, is_training) = (fields[0], fields[2] == "train");
        let values = fields[3..]
            .iter()
            .map(|it| it.parse().ok().and_then(|it| Measurement::new(it, "value").ok()));
        let reading = Reading {
            device_id: DeviceId::new(series)?,
            timestamp: Timestamp::parse_utc(fields[1])?,
            values: Values::new(values.collect()),
            location: None,
            device_type: None,
            truth: None,
        };
        let state = states
            .entry(series.to_owned())
            .or_insert_with(|| DeviceState::new(&signals));
        let mut late = state.clone();
        let state = if state.accepts(reading.timestamp) {
            state
        } else {
            &mut late
        };
        state.learn_until(if is_training { u64::MAX } else { 1 });
        let it = state.step(&reading, &pace);
        let [spike, smooth, rough] = it.banks;
        let alert = u8::from(it.is_alert);
        writeln!(
            out,
            "{series},{},{spike},{smooth},{rough},{},{},{},{alert}",
            fields[1], it.place, it.trust, it.surprise
        )?;
    }
    Ok(())
}
