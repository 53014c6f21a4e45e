//! ONNX without another runtime: what was written is read back, and damage is refused or harmless.

#![cfg(feature = "onnx")]
#![expect(clippy::unwrap_used, reason = "everything in this file is a test or helps one")]

use forest::{Forest, Matrix, OnnxError, Params};

fn fit(extension: usize) -> Forest {
    let values: Vec<f64> = (0..600).map(|i| f64::from(i) * 0.618 % 1.0).collect();
    let params = Params {
        trees: 6,
        subsample: 64,
        extension,
        ..Params::default()
    };
    Forest::fit(&params.check().unwrap(), Matrix::new(&values, 3).unwrap(), 1).unwrap()
}

#[test]
fn a_written_model_is_read_back_as_the_same_forest() {
    let forest = fit(0);
    let read = Forest::from_onnx(&forest.to_onnx().unwrap()).unwrap();
    assert_eq!((read.offset(), read.subsample()), (forest.offset(), forest.subsample()));
    for step in 0..100 {
        let row = [f64::from(step) * 0.01, 0.5, 1.0 - f64::from(step) * 0.02];
        assert_eq!(read.score_row(&row), forest.score_row(&row));
    }
}

#[test]
fn names_travel() {
    let names = ["a", "b, \"c\"", ""].map(str::to_owned).to_vec();
    let forest = fit(0).with_names(names.clone()).unwrap();
    let read = Forest::from_onnx(&forest.to_onnx().unwrap()).unwrap();
    assert_eq!(read.names(), names);
    assert!(fit(0).names().is_empty());
}

#[test]
fn hyperplanes_cannot_be_written() {
    assert_eq!(fit(1).to_onnx(), Err(OnnxError::Planes));
}

#[test]
fn what_is_no_model_is_refused() {
    assert!(Forest::from_onnx(&[]).is_err());
    assert!(Forest::from_onnx(b"not a model").is_err());
}

#[test]
fn damaged_models_are_refused_or_give_scores_in_range() {
    let bytes = fit(0).to_onnx().unwrap();
    for position in (1..2000).map(|i| i * 1_000_003 % (bytes.len() * 8)) {
        let mut damaged = bytes.clone();
        damaged[position / 8] ^= 1 << (position % 8);
        if let Ok(forest) = Forest::from_onnx(&damaged) {
            let score = forest.score_row(&vec![0.5; forest.columns()]).unwrap();
            assert!(score > 0.0 && score <= 1.0, "bit {position}: {score}");
        }
    }
    for length in (1..200).map(|i| i * 1_000_003 % bytes.len()) {
        assert!(Forest::from_onnx(&bytes[..length]).is_err(), "{length} bytes");
    }
}
