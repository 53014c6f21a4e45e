//! ONNX out and in: a forest for other runtimes, and forests that `skl2onnx` exported from scikit-learn.
//!
//! The messages are declared by hand, so that no protobuf compiler is needed to build the crate.

mod export;
mod import;
mod proto;

use crate::names::NamesError;

/// What the key of a column's name begins with; its number follows.
const NAME_KEY: &str = "column.";

/// A forest that cannot be written as ONNX, or ONNX that is no forest.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OnnxError {
    /// Tree operators of ONNX compare single columns.
    #[error("a forest of hyperplanes cannot be written as onnx trees")]
    Planes,
    /// The bytes are no protobuf message of this kind.
    #[error("failed to decode the onnx model")]
    Decode(#[from] prost::DecodeError),
    /// A model, but not that of an isolation forest.
    #[error("the onnx model is not an isolation forest: {0}")]
    NotAForest(&'static str),
    /// The names of its columns cannot be kept.
    #[error("the names in the onnx model are not usable")]
    Names(#[from] NamesError),
    /// One of its trees is not one.
    #[error("tree {index} of the onnx model is not usable: {cause}")]
    Tree {
        /// Its number, from 0.
        index: usize,
        /// What is wrong with it.
        cause: String,
    },
}
