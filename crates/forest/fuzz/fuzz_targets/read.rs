//! Whatever the bytes are, the readers refuse them or give a forest whose scores are in range.

#![no_main]

use forest::Forest;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

fn check(forest: &Forest) {
    let columns = forest.columns();
    for value in [0.0, 1e300, f64::NAN] {
        let score = forest.score_row(&vec![value; columns]).expect("the row is as wide as the forest");
        assert!(score > 0.0 && score <= 1.0);
    }
}

fuzz_target!(|bytes: &[u8]| {
    // The checksum is made right, else nothing behind it would be reached.
    let mut sealed = bytes.to_vec();
    sealed.extend_from_slice(&Sha256::digest(bytes));
    if let Ok(forest) = Forest::from_bytes(&sealed) {
        assert_eq!(forest.to_bytes(), sealed);
        check(&forest);
    }
    if let Ok(forest) = Forest::from_onnx(bytes) {
        check(&forest);
    }
});
