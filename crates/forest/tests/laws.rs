//! What must hold for every forest: laws over random tables, and scikit-learn's own list of properties.

#![expect(clippy::unwrap_used, reason = "everything in this file is a test or helps one")]

use forest::{Contamination, FitError, Forest, Matrix, Params, ShapeError, average_path_length};
use proptest::prelude::*;

fn fit(values: &[f64], columns: usize, params: Params) -> Forest {
    Forest::fit(&params.check().unwrap(), Matrix::new(values, columns).unwrap(), 1).unwrap()
}

fn small(seed: u64) -> Params {
    Params {
        trees: 20,
        subsample: 64,
        seed,
        ..Params::default()
    }
}

/// A table with a cluster around zero, made without a generator: the fractional parts of multiples of irrational numbers.
fn cluster(rows: usize, columns: usize) -> Vec<f64> {
    (0..rows * columns)
        .map(|i| ((i + 1) as f64 * 0.618_033_988_749_895 + (i % columns) as f64 * 0.3).fract() - 0.5)
        .collect()
}

fn scores(forest: &Forest, values: &[f64], threads: usize) -> Vec<f64> {
    let table = Matrix::new(values, forest.columns()).unwrap();
    let mut scores = vec![0.0; table.rows()];
    forest.score(table, threads, &mut scores).unwrap();
    scores
}

#[track_caller]
fn check_average_path_length(count: u32, expected: f64) {
    assert!(
        (average_path_length(count) - expected).abs() < 1e-9,
        "c({count}) = {}",
        average_path_length(count)
    );
}

#[test]
fn average_path_lengths_are_those_of_scikit_learn() {
    check_average_path_length(0, 0.0);
    check_average_path_length(1, 0.0);
    check_average_path_length(2, 1.0);
    check_average_path_length(5, 2.0 * (4.0_f64.ln() + 0.577_215_664_901_532_9) - 8.0 / 5.0);
    check_average_path_length(
        999,
        2.0 * (998.0_f64.ln() + 0.577_215_664_901_532_9) - 2.0 * 998.0 / 999.0,
    );
}

#[test]
fn the_average_path_length_grows_with_the_number_of_points() {
    assert!((2..2000).all(|count| average_path_length(count) < average_path_length(count + 1)));
}

#[test]
fn constant_tables_hold_no_anomaly() {
    for share in [Contamination::Auto, Contamination::Share(0.1)] {
        let forest = fit(
            &[7.0; 300],
            3,
            Params {
                contamination: share,
                ..small(1)
            },
        );
        let score = forest.score_row(&[7.0, 7.0, 7.0]).unwrap();
        assert!(forest.decision(score) >= 0.0, "{score} with {share:?}");
    }
}

#[test]
fn planted_outliers_rank_first() {
    let mut values = cluster(500, 2);
    values.extend([6.0, 6.0, -5.0, 7.0]);
    let forest = fit(&values, 2, Params::default());
    let scores = scores(&forest, &values, 1);
    let best_usual = scores[..500].iter().copied().fold(0.0, f64::max);
    assert!(scores[500] > best_usual && scores[501] > best_usual);
}

#[test]
fn the_share_of_training_rows_below_zero_is_the_contamination() {
    let values = cluster(1000, 3);
    let forest = fit(
        &values,
        3,
        Params {
            contamination: Contamination::Share(0.05),
            ..small(3)
        },
    );
    let flagged = scores(&forest, &values, 1)
        .into_iter()
        .filter(|&score| forest.decision(score) < 0.0)
        .count();
    assert!((48..=50).contains(&flagged), "{flagged} of 1000");
}

#[test]
fn a_row_of_another_width_is_refused() {
    let forest = fit(&cluster(100, 3), 3, small(4));
    assert_eq!(
        forest.score_row(&[1.0, 2.0]).unwrap_err().to_string(),
        "the forest has 3 columns, the row has 2"
    );
    let table = [0.0; 8];
    let mut scores = [0.0; 4];
    assert!(forest.score(Matrix::new(&table, 2).unwrap(), 1, &mut scores).is_err());
    let table = [0.0; 9];
    assert!(
        forest.score(Matrix::new(&table, 3).unwrap(), 1, &mut scores).is_err(),
        "four places for three scores"
    );
}

#[test]
fn tables_that_are_none_are_refused() {
    assert_eq!(
        Matrix::new(&[1.0, 2.0, 3.0], 2).unwrap_err(),
        ShapeError::Ragged { values: 3, columns: 2 }
    );
    assert_eq!(Matrix::new(&[], 0).unwrap_err(), ShapeError::Columns(0));
    let values = [1.0, 2.0, f64::NAN, f64::NEG_INFINITY];
    assert_eq!(
        Matrix::new(&values, 2).unwrap_err(),
        ShapeError::Infinite { row: 1, column: 1 }
    );
    let empty = Forest::fit(&Params::default().check().unwrap(), Matrix::new(&[], 2).unwrap(), 1);
    assert_eq!(empty.unwrap_err(), FitError::NoRows);
}

#[test]
fn parameters_out_of_range_are_refused() {
    let defaults = Params::default();
    assert!(Params { trees: 0, ..defaults }.check().is_err());
    assert!(
        Params {
            subsample: 0,
            ..defaults
        }
        .check()
        .is_err()
    );
    for share in [0.0, -0.1, 0.51, f64::NAN] {
        assert!(
            Params {
                contamination: Contamination::Share(share),
                ..defaults
            }
            .check()
            .is_err(),
            "{share}"
        );
    }
}

#[test]
fn one_row_and_two_rows_make_a_forest() {
    let single = fit(&[3.0, 4.0], 2, small(5));
    assert_eq!(single.score_row(&[3.0, 4.0]), Ok(0.5));
    let double = fit(&[3.0, 4.0, 5.0, 6.0], 2, small(5));
    assert_eq!(double.score_row(&[3.0, 4.0]), Ok(0.5));
}

fn params() -> impl Strategy<Value = Params> {
    (1_usize..30, 1_usize..300, any::<u64>(), 0_usize..3).prop_map(|(trees, subsample, seed, extension)| Params {
        trees,
        subsample,
        seed,
        extension,
        contamination: Contamination::Auto,
    })
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        8 => -1e3..1e3_f64,
        2 => (-3_i32..3).prop_map(f64::from),
        1 => any::<f64>().prop_filter("tables hold no infinity", |value| !value.is_infinite()),
        1 => Just(f64::NAN),
    ];
    proptest::collection::vec(value, 3..900).prop_map(|mut values| {
        values.truncate(values.len() / 3 * 3);
        values
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scores_lie_above_zero_and_up_to_one(params in params(), train in values(), probe in values()) {
        let forest = fit(&train, 3, params);
        for score in scores(&forest, &probe, 1) {
            prop_assert!(score > 0.0 && score <= 1.0, "{score}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_bytes_on_one_and_two_threads(params in params(), train in values()) {
        let table = Matrix::new(&train, 3).unwrap();
        let checked = params.check().unwrap();
        let one = Forest::fit(&checked, table, 1).unwrap();
        let two = Forest::fit(&checked, table, 2).unwrap();
        prop_assert_eq!(one.to_bytes(), two.to_bytes());
    }

    #[test]
    fn a_table_scores_as_its_rows_do_on_any_number_of_threads(params in params(), train in values(), probe in values()) {
        let forest = fit(&train, 3, params);
        let probe = probe.repeat(20);
        let one = scores(&forest, &probe, 1);
        prop_assert_eq!(&one, &scores(&forest, &probe, 2));
        for (row, score) in probe.chunks_exact(3).zip(&one) {
            prop_assert_eq!(forest.score_row(row).unwrap().to_bits(), score.to_bits());
        }
    }

    #[test]
    fn reading_what_was_written_gives_the_same_forest(params in params(), train in values()) {
        let forest = fit(&train, 3, params);
        prop_assert_eq!(Forest::from_bytes(&forest.to_bytes()), Ok(forest));
    }
}
