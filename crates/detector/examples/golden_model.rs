//! Writes the small model that the golden file of this format version holds:
//! `cargo run -p detector --example golden_model > crates/detector/golden/model-3.hark`.

use std::io::Write;

use detector::{BaselinePass, FeaturePass, Kind, Plan};
use domain::{Signals, Timestamp};
use forest::Params;
use simulator::{Fleet, FleetParams};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let readings: Vec<_> = Fleet::new(
        FleetParams {
            devices: 2,
            ..FleetParams::default()
        }
        .check()?,
    )
    .take(2_000)
    .collect();
    let forest = Params {
        trees: 5,
        subsample: 32,
        ..Params::default()
    };
    let plan = Plan {
        kind: Kind::IsolationForest,
        forest,
        ..Plan::default()
    }
    .check()?;
    let mut baselines = BaselinePass::new(&Signals::default());
    readings.iter().for_each(|it| baselines.push(it));
    let mut pass = FeaturePass::new(plan, Signals::default(), baselines.finish());
    readings.iter().for_each(|it| pass.push(it));
    let (model, _) = pass.fit("m-0001".into(), Timestamp::from_secs(1_750_000_000), 1)?;
    std::io::stdout().write_all(&model.to_bytes())?;
    Ok(())
}
