//! What people would have been told, as CSV: a row for each incident, in the order in which they opened.

use super::input::Input;
use super::replay::Told;
use crate::table::Place;

/// Writes the incidents.
pub(super) fn write(place: &Place, input: &Input, incidents: &[Told]) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(place.writer()?);
    let columns = [
        "incident", "severity", "kind", "began", "opened", "last", "peak", "score", "closed", "readings", "signals",
        "shares", "reason",
    ];
    csv.write_field(&input.device_column)?;
    csv.write_record(columns)?;
    for Told { incident: it, .. } in incidents {
        let names: Vec<&str> = it.signals.iter().map(|it| it.signal.as_str()).collect();
        let shares: Vec<String> = it.signals.iter().map(|it| format!("{:.3}", it.share)).collect();
        csv.write_record([
            it.device_id.as_str(),
            it.id.as_str(),
            it.severity.as_str(),
            it.kind.as_str(),
            &it.began.to_string(),
            &it.opened_at.to_string(),
            &it.last.to_string(),
            &it.peak_at.to_string(),
            &(-it.peak_score).to_string(),
            &it.closed_at.map(|it| it.to_string()).unwrap_or_default(),
            &it.readings.to_string(),
            &names.join(" "),
            &shares.join(" "),
            &it.reason,
        ])?;
    }
    csv.flush()?;
    Ok(())
}
