//! How many readings a second the simulator makes on one core: `cargo run --release -p simulator --example speed`.

#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::print_stdout, reason = "a figure for a person is all that it is for")]

use std::hint::black_box;
use std::time::Instant;

use simulator::{Fleet, FleetParams, ParamsError};

fn main() -> Result<(), ParamsError> {
    let readings = 3_000_000_u32;
    for devices in [50, 10_000] {
        let params = FleetParams {
            devices,
            ..FleetParams::default()
        };
        let fleet = Fleet::new(params.check()?);
        let begun = Instant::now();
        for reading in fleet.take(readings as usize) {
            black_box(reading);
        }
        let rate = f64::from(readings) / begun.elapsed().as_secs_f64();
        println!("{devices} devices: {rate:.0} readings/s");
    }
    Ok(())
}
