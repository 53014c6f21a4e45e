//! Isolation Forest: fitted fast, scored exactly, explained.
//!
//! The algorithm is that of Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008), with the choices scikit-learn made, so that
//! scores can be compared number by number. Rows are compared in single precision, as scikit-learn does. A value that is NaN is
//! a missing value; see [`Forest::score_row`] for what happens then.
//!
//! ```
//! use forest::{Forest, Matrix, Params};
//!
//! let mut values: Vec<f64> = (0..200).map(|i| f64::from(i % 20)).collect();
//! values.extend([500.0, 500.0]);
//! let table = Matrix::new(&values, 2)?;
//! let forest = Forest::fit(&Params::default().check()?, table, 1)?;
//! let usual = forest.score_row(&[10.0, 11.0])?;
//! let odd = forest.score_row(&[500.0, 500.0])?;
//! assert!(odd > usual);
//! assert!(forest.decision(odd) < 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The crate does no input or output, reads no clock and keeps no global state: the seed is a parameter, and the same seed gives
//! the same bytes on any number of threads.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod batch;
#[cfg(target_arch = "x86_64")]
mod blocks;
mod explain;
mod fit;
mod forest;
mod format;
mod grow;
mod json;
mod lanes;
mod matrix;
mod names;
#[cfg(feature = "onnx")]
mod onnx;
mod params;
mod path;
mod random;
mod range;
mod ranks;
mod score;
mod tree;
mod walk;

pub use explain::Explanation;
pub use fit::FitError;
pub use forest::{Forest, WidthError};
pub use format::FormatError;
pub use matrix::{Matrix, ShapeError};
pub use names::NamesError;
#[cfg(feature = "onnx")]
pub use onnx::OnnxError;
pub use params::{CheckedParams, Contamination, MAX_SUBSAMPLE, MAX_TREES, Params, ParamsError};
pub use path::average_path_length;
pub use range::{NormalRange, RangeError};
pub use score::ScoreError;
