//! A simulated fleet without faults as a table `series,timestamp,split,temperature,vibration` on stdout, the first third
//! of the days for training. The arguments are devices, days, seconds between readings, seed.

use std::io::{BufWriter, Write};
use std::time::Duration;

use simulator::{Fleet, FleetParams};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|it| it.parse::<u32>());
    let mut next = |otherwise| arguments.next().unwrap_or(Ok(otherwise));
    let (devices, days, seconds, seed) = (next(20)?, next(21)?, next(60)?, next(1)?);
    let start = FleetParams::default().start;
    let day = Duration::from_secs(86_400);
    let params = FleetParams {
        devices,
        interval: Duration::from_secs(u64::from(seconds)),
        seed: u64::from(seed),
        anomaly_rate: 0.0,
        faults_per_device_week: 0.0,
        start,
        end: Some(start.after(day * days)),
        planted: Vec::new(),
    };
    let trained = start.after(day * (days / 3).max(1));
    let mut out = BufWriter::new(std::io::stdout().lock());
    writeln!(out, "series,timestamp,split,temperature,vibration")?;
    for reading in Fleet::new(params.check()?) {
        let split = if reading.timestamp < trained { "train" } else { "test" };
        let values: Vec<String> = reading
            .values
            .iter()
            .map(|it| it.map_or(String::new(), |it| it.to_string()))
            .collect();
        writeln!(
            out,
            "{},{},{split},{}",
            reading.device_id,
            reading.timestamp,
            values.join(",")
        )?;
    }
    Ok(())
}
