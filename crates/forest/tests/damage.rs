//! The native file: golden files of each version, and damage of every kind.

#![expect(clippy::unwrap_used, reason = "everything in this file is a test or helps one")]

use forest::{Contamination, Forest, FormatError, Matrix, NamesError, Params};

const GOLDEN: &[u8] = include_bytes!("golden/v1.forest");
const GOLDEN_2: &[u8] = include_bytes!("golden/v2.forest");

fn small() -> Forest {
    let values: Vec<f64> = (0..600).map(|i| f64::from(i) * 0.618 % 1.0).collect();
    let params = Params {
        trees: 5,
        subsample: 32,
        contamination: Contamination::Auto,
        seed: 7,
        extension: 0,
    };
    Forest::fit(&params.check().unwrap(), Matrix::new(&values, 3).unwrap(), 1).unwrap()
}

fn texts(names: [&str; 3]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn named() -> Forest {
    small().with_names(texts(["temperature", "größe", ""])).unwrap()
}

/// Positions without a generator: multiples of a large prime.
fn positions(count: usize, bound: usize) -> impl Iterator<Item = usize> {
    (1..=count).map(move |i| i * 1_000_003 % bound)
}

#[test]
fn the_golden_file_of_version_1_still_loads() {
    let forest = Forest::from_bytes(GOLDEN).unwrap();
    assert_eq!((forest.columns(), forest.trees(), forest.subsample()), (3, 5, 32));
    assert_eq!(forest.to_bytes(), GOLDEN);
}

#[test]
fn a_seed_gives_the_forest_it_gave_when_version_1_was_released() {
    assert_eq!(small().to_bytes(), GOLDEN);
}

#[test]
fn the_golden_file_of_version_2_still_loads() {
    let forest = Forest::from_bytes(GOLDEN_2).unwrap();
    assert_eq!(forest, named());
    assert_eq!(forest.names(), texts(["temperature", "größe", ""]));
    assert_eq!(forest.to_bytes(), GOLDEN_2);
}

#[test]
fn names_that_do_not_name_the_columns_are_refused() {
    let refused = |names: Vec<String>| small().with_names(names).unwrap_err();
    assert_eq!(refused(vec![]), NamesError::Count { columns: 3, names: 0 });
    assert_eq!(refused(texts(["a", "b", "a"])), NamesError::Twice("a".to_owned()));
    assert_eq!(refused(texts(["a", &"b".repeat(4097), "c"])), NamesError::Long(1));
}

#[test]
fn names_stand_in_json_as_they_are() {
    let forest = small().with_names(texts(["a", "\"b\"\\\n", "größe"])).unwrap();
    let json = forest.to_json();
    assert!(
        json.contains(r#""names":["a","\"b\"\\\u000a","größe"],"trees":["#),
        "{json}"
    );
}

#[test]
fn five_hundred_flipped_bits_are_all_refused() {
    let bytes = named().to_bytes();
    for bit in positions(500, bytes.len() * 8) {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Forest::from_bytes(&damaged).is_err(), "bit {bit}");
    }
}

#[test]
fn two_hundred_truncations_are_all_refused() {
    let bytes = named().to_bytes();
    for length in positions(200, bytes.len()) {
        assert!(Forest::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = small().to_bytes();
    bytes.push(0);
    assert_eq!(Forest::from_bytes(&bytes), Err(FormatError::Digest));
}

#[test]
fn another_version_is_named() {
    let mut bytes = small().to_bytes();
    bytes[8] = 9;
    assert_eq!(Forest::from_bytes(&bytes), Err(FormatError::Version(9)));
}

/// Replaces the checksum, as someone would who means harm.
fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(&body);
    body.extend_from_slice(&digest);
    body
}

#[test]
fn damage_under_a_valid_checksum_is_refused_or_harmless() {
    let bytes = named().to_bytes();
    let body = &bytes[..bytes.len() - 32];
    let probe = [0.3, f64::NAN, 0.9];
    for bit in positions(4000, body.len() * 8) {
        let mut damaged = body.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(forest) = Forest::from_bytes(&sealed(damaged)) {
            let score = forest.score_row(&probe[..forest.columns().min(3)]);
            assert!(
                score.is_err() || score.is_ok_and(|it| it > 0.0 && it <= 1.0),
                "bit {bit}: {score:?}"
            );
        }
    }
}

#[test]
fn a_count_that_promises_more_than_there_is_is_refused() {
    let mut body = small().to_bytes();
    body.truncate(body.len() - 32);
    // The number of nodes of the first tree follows the head of 28 bytes.
    body[28..32].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Forest::from_bytes(&sealed(body)), Err(FormatError::Truncated));
}
