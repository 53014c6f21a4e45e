//! A seeded, labelled fleet of devices with physical faults.
//!
//! [`Fleet`] is an iterator of readings in time order. It never sleeps, reads no clock and does no I/O: the caller
//! decides whether two days of history are made at once or readings are released as their time comes.
//!
//! The plant is a function, not a process: what device *k* measures at tick *t* follows from (seed, *k*, *t*) alone,
//! with time counted from 1970. A fleet that starts later, after a restart for instance, therefore goes on with
//! exactly the readings that an uninterrupted one would have given, faults in progress included.
//!
//! Every reading carries its [`domain::Truth`]. Two things make one anomalous: a [`AnomalyKind`] that lasts a single
//! reading, and a [`FaultKind`] with onset, course and end, from where it stands out of the device's own noise.
//!
//! ```
//! use std::time::Duration;
//!
//! use domain::Timestamp;
//! use simulator::{FaultKind, Fleet, FleetParams, PlantedFault};
//!
//! let start = Timestamp::parse("2026-03-02T00:00:00Z").unwrap();
//! let hour = Duration::from_secs(3_600);
//! let params = FleetParams {
//!     devices: 3,
//!     start,
//!     end: Some(start.after(12 * hour)),
//!     anomaly_rate: 0.0,
//!     faults_per_device_week: 0.0,
//!     planted: vec![PlantedFault {
//!         device: 2,
//!         kind: FaultKind::BearingWear,
//!         onset: start.after(2 * hour),
//!         duration: 8 * hour,
//!     }],
//!     ..FleetParams::default()
//! };
//! let fleet = Fleet::new(params.check()?);
//! let odd: Vec<_> = fleet.filter(|it| it.truth.as_ref().is_some_and(|it| it.is_anomaly)).collect();
//! assert!(odd.iter().all(|it| it.device_id.as_str() == "sensor_002"));
//! assert!(odd.len() > 1_000);
//! # Ok::<(), simulator::ParamsError>(())
//! ```

mod anomaly;
mod chance;
mod device;
mod fault;
mod fleet;
mod params;
mod plan;

pub use anomaly::AnomalyKind;
pub use fault::{FaultKind, PlannedFault, PlantedFault};
pub use fleet::Fleet;
pub use params::{CheckedParams, FleetParams, MAX_DEVICES, MAX_FAULTS_PER_DEVICE_WEEK, ParamsError};
