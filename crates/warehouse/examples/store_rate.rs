//! Measures how many readings a second the embedded warehouse stores durably, and how long the questions of a first
//! screen take: `cargo run --release -p warehouse --example store_rate`.
//!
//! The file lies in a fresh folder under `target`, so on the disk that is to be measured, and is removed at the end.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use domain::{
    DeviceId, Judged, Judgement, Location, Measurement, Reading, Signals, Span, TimeRange, Timestamp, Values, Verdict,
};
use warehouse::embedded::{EmbeddedWarehouse, Options};
use warehouse::{BucketQuery, Commit, DeviceUpdate, ReadingQuery, Warehouse};

const RUNS: usize = 5;
const READINGS: usize = 200_000;
const STATE_BYTES: usize = 600;
const QUESTIONS: [&str; 6] = [
    "100 readings of a device",
    "a device's day in 288 buckets",
    "activity of the day",
    "scores of the day",
    "all devices",
    "scan of the day",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "devices  readings a commit  readings/s: least, median, most of {RUNS} runs of {READINGS}"
    )?;
    for n_devices in [50, 1_000] {
        for n_readings in [1_000, 5_000] {
            let mut rates = Vec::new();
            let mut costs = Vec::new();
            for _ in 0..RUNS {
                let (rate, cost) = store_rate(n_devices, n_readings).await?;
                rates.push(rate);
                costs.push(cost);
            }
            rates.sort_by(f64::total_cmp);
            costs.sort_by(f64::total_cmp);
            let (least, median, most) = (rates[0], rates[RUNS / 2], rates[RUNS - 1]);
            let cost = costs[0];
            writeln!(
                out,
                "{n_devices:>7}  {n_readings:>17}  {least:>11.0} {median:>9.0} {most:>9.0} {cost:>14.2}"
            )?;
        }
    }
    questions(&mut out).await
}

/// Readings a second, and processor microseconds a reading.
async fn store_rate(n_devices: usize, n_readings: usize) -> Result<(f64, f64), Box<dyn Error>> {
    let dir = fresh_dir()?;
    let warehouse = EmbeddedWarehouse::open(dir.path(), Signals::default(), &Options::default())?;
    let devices = devices(n_devices)?;
    let commits: Vec<Commit> = (0..READINGS / n_readings)
        .map(|nth| commit(&devices, nth * n_readings, n_readings))
        .collect::<Result<_, _>>()?;
    let (began, used) = (Instant::now(), processor_seconds());
    for commit in commits {
        warehouse.store(commit).await?;
    }
    let rate = READINGS as f64 / began.elapsed().as_secs_f64();
    Ok((rate, (processor_seconds() - used) / READINGS as f64 * 1e6))
}

/// The processor time of this process, which a busy machine distorts less than the clock. Told by Linux only.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    // A tick is a hundredth of a second.
    ticks.filter_map(|it| it.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Fifty devices, a reading each every ten seconds, one day.
async fn questions(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let dir = fresh_dir()?;
    let warehouse = EmbeddedWarehouse::open(dir.path(), Signals::default(), &Options::default())?;
    let devices = devices(50)?;
    let n_readings = 432_000;
    for first in (0..n_readings).step_by(4_000) {
        warehouse.store(commit(&devices, first, 4_000)?).await?;
    }
    let bytes = std::fs::metadata(dir.path().join("hark.db"))?.len();
    writeln!(
        out,
        "\n{n_readings} readings of 50 devices, about {} bytes each",
        bytes / n_readings as u64
    )?;
    let of_device = ReadingQuery {
        device_id: Some(devices[7].clone()),
        range: TimeRange::ALL,
        anomalies_only: false,
        newest_first: true,
        limit: 100,
        after: None,
    };
    let buckets = BucketQuery {
        device_id: Some(devices[7].clone()),
        range: TimeRange::ALL,
        width: Duration::from_secs(300),
    };
    let mut times = [const { Vec::new() }; 6];
    for _ in 0..RUNS {
        let mut lap = Instant::now();
        let mut took = |nth: usize| {
            times[nth].push(lap.elapsed());
            lap = Instant::now();
        };
        warehouse.readings(of_device.clone()).await?;
        took(0);
        warehouse.buckets(buckets.clone()).await?;
        took(1);
        warehouse.activity(TimeRange::ALL).await?;
        took(2);
        warehouse.scores(TimeRange::ALL, 0.02).await?;
        took(3);
        warehouse.devices().await?;
        took(4);
        let mut scan = warehouse.scan(TimeRange::ALL);
        while scan.next().await?.is_some() {}
        took(5);
    }
    for (name, mut times) in QUESTIONS.into_iter().zip(times) {
        times.sort();
        writeln!(out, "{name:<32} {:>9.1} ms", times[RUNS / 2].as_secs_f64() * 1e3)?;
    }
    Ok(())
}

fn fresh_dir() -> std::io::Result<tempfile::TempDir> {
    std::fs::create_dir_all("target")?;
    tempfile::tempdir_in("target")
}

fn devices(n_devices: usize) -> Result<Vec<DeviceId>, Box<dyn Error>> {
    let names = (0..n_devices).map(|it| DeviceId::new(&format!("sensor_{it:04}")));
    Ok(names.collect::<Result<_, _>>()?)
}

/// Readings of all devices in turn, ten seconds a round, and an update of each device among them.
fn commit(devices: &[DeviceId], first: usize, n_readings: usize) -> Result<Commit, Box<dyn Error>> {
    let readings: Vec<Judged> = (first..first + n_readings)
        .map(|nth| judged(devices, nth))
        .collect::<Result<_, _>>()?;
    let update = |device_id: &DeviceId| DeviceUpdate {
        device_id: device_id.clone(),
        location: None,
        device_type: None,
        received_at: Timestamp::EPOCH,
        state: vec![1; STATE_BYTES],
    };
    Ok(Commit {
        devices: devices.iter().take(n_readings).map(update).collect(),
        readings,
        ..Commit::default()
    })
}

fn judged(devices: &[DeviceId], nth: usize) -> Result<Judged, Box<dyn Error>> {
    let round = nth / devices.len();
    let timestamp = Timestamp::from_secs(1_754_474_400 + 10 * round as i64).plus_micros((nth % devices.len()) as i64);
    let temperature = 20.0 + (nth * 7_919 % 1_000) as f64 / 97.0;
    let vibration = 1.0 + (nth * 104_729 % 1_000) as f64 / 997.0;
    let score = 0.05 + (nth * 31 % 100) as f64 / 1_234.0;
    let judgement = Some(Judgement {
        score,
        is_anomaly: false,
        expected: Some(Span {
            low: 18.123,
            high: 31.987,
        }),
    });
    let reading = Reading {
        device_id: devices[nth % devices.len()].clone(),
        timestamp,
        values: Values::new(vec![
            Some(Measurement::new(temperature, "temperature")?),
            Some(Measurement::new(vibration, "vibration")?),
        ]),
        location: Some(
            Location {
                building: Some("Building A".to_owned()),
                floor: Some("Floor 3".to_owned()),
                room: Some("Room 12".to_owned()),
            }
            .into(),
        ),
        device_type: Some("temp_vibration_sensor".into()),
        truth: None,
    };
    Ok(Judged {
        reading,
        received_at: timestamp,
        verdict: Some(Verdict {
            model_version: "m-0001".into(),
            score,
            is_anomaly: false,
            signals: vec![judgement, judgement],
            reasons: Vec::new(),
        }),
        late: false,
        clock_suspect: false,
    })
}
