//! What judging costs: nanoseconds of the processor a reading and bytes a device, by the number of signals and the kind.

use std::io::Write;

use detector::{BaselinePass, DeviceState, FeaturePass, Kind, Pace, Plan};
use domain::{DeviceId, Measurement, Reading, Signal, Signals, Timestamp, Values};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds that this program has had of the processor.
fn spent() -> i64 {
    let it = clock_gettime(ClockId::ProcessCPUTime);
    it.tv_sec * 1_000_000_000 + it.tv_nsec
}

fn noise(at: u64) -> f64 {
    let mixed = (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "signals,kind,ns_a_reading,bytes_a_device")?;
    for n_signals in [1, 2, 3, 8, 16] {
        let signals = Signals::new((0..n_signals).map(|it| Signal::new(&format!("s{it}"), "1")).collect())?;
        let of = |at: u64| -> Result<Reading, Box<dyn std::error::Error>> {
            let value = |it| Measurement::new(20.0 + noise(at * 64 + it), "s").map(Some);
            Ok(Reading {
                device_id: DeviceId::new("a")?,
                timestamp: Timestamp::from_secs(at.cast_signed() * 10),
                values: Values::new((0..n_signals).map(value).collect::<Result<_, _>>()?),
                location: None,
                device_type: None,
                truth: None,
            })
        };
        let readings = (0..100_000).map(of).collect::<Result<Vec<_>, _>>()?;
        let mut state = DeviceState::new(&signals);
        let begun = spent();
        for reading in &readings {
            state.step(reading, &Pace::default());
        }
        let heads = (spent() - begun) / 100_000;
        let bytes = state.to_bytes(&signals).len();
        writeln!(out, "{n_signals},the heads alone,{heads},{bytes}")?;
        for kind in [Kind::Statistical, Kind::Hybrid, Kind::IsolationForest] {
            let plan = Plan {
                kind,
                ..Plan::default()
            };
            let mut baselines = BaselinePass::new(&signals);
            readings[..10_000].iter().for_each(|it| baselines.push(it));
            let mut pass = FeaturePass::new(plan.check()?, signals.clone(), baselines.finish());
            readings[..10_000].iter().for_each(|it| pass.push(it));
            let (model, mut states) = pass.fit("cost".into(), Timestamp::EPOCH, 1)?;
            let state = states.values_mut().next().ok_or("no state")?;
            let begun = spent();
            for reading in &readings[10_000..40_000] {
                model.step(state, reading);
            }
            let each = (spent() - begun) / 30_000;
            writeln!(
                out,
                "{n_signals},{},{each},{}",
                kind.as_str(),
                state.to_bytes(&signals).len()
            )?;
        }
    }
    Ok(())
}
