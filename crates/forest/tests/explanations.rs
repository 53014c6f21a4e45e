//! Explanations: contributions add up, treat columns alike and name the culprit; ranges hold what they promise.

#![expect(clippy::unwrap_used, reason = "everything in this file is a test or helps one")]

use std::sync::LazyLock;

use forest::{Forest, Matrix, Params, RangeError};
use proptest::prelude::*;

const COLUMNS: usize = 4;

/// Rows around zero, without a generator: sums of fractional parts of multiples of irrational numbers, per column.
fn cluster(rows: usize) -> Vec<f64> {
    let roots = [2.0_f64.sqrt(), 3.0_f64.sqrt(), 5.0_f64.sqrt(), 7.0_f64.sqrt()];
    let value = |row: usize, column: usize| {
        let at = (row + 1) as f64;
        (at * roots[column]).fract() + (at * at * roots[column]).fract() + (at * 1.7 * roots[column]).fract() - 1.5
    };
    (0..rows * COLUMNS).map(|i| value(i / COLUMNS, i % COLUMNS)).collect()
}

fn fit(values: &[f64], extension: usize) -> Forest {
    let params = Params {
        extension,
        ..Params::default()
    };
    Forest::fit(&params.check().unwrap(), Matrix::new(values, COLUMNS).unwrap(), 1).unwrap()
}

#[track_caller]
fn check_additive(forest: &Forest, row: &[f64]) {
    let explanation = forest.explain(row).unwrap();
    let sum: f64 = explanation.contributions.iter().sum();
    let distance = explanation.score - explanation.baseline;
    assert_eq!(explanation.score, forest.score_row(row).unwrap());
    // Path lengths are kept in units of 2^-20, and inner nodes round to them.
    assert!((sum - distance).abs() < 1e-7, "{sum} is not {distance} for {row:?}");
}

#[test]
fn contributions_add_up_to_the_distance_from_the_baseline() {
    let values = cluster(1000);
    for extension in 0..3 {
        let forest = fit(&values, extension);
        for row in values.chunks_exact(COLUMNS).take(200) {
            check_additive(&forest, row);
        }
        check_additive(&forest, &[9.0, 0.0, -9.0, f64::NAN]);
        check_additive(&forest, &[f64::NAN; COLUMNS]);
    }
}

#[test]
fn a_column_the_row_lacks_is_not_blamed() {
    let explanation = fit(&cluster(1000), 0).explain(&[8.0, f64::NAN, 0.0, 0.0]).unwrap();
    assert!(explanation.contributions[1].abs() < 1e-6, "{explanation:?}");
}

#[test]
fn columns_that_trade_places_trade_contributions() {
    // The mean over many seeds is what the exchange of two columns must keep; one forest draws its columns in an order.
    let values = cluster(600);
    let traded: Vec<f64> = values
        .chunks_exact(COLUMNS)
        .flat_map(|row| [row[1], row[0], row[2], row[3]])
        .collect();
    let mean = |values: &[f64], row: &[f64], column: usize| {
        let forests = (0..40).map(|seed| {
            let params = Params {
                seed,
                ..Params::default()
            };
            Forest::fit(&params.check().unwrap(), Matrix::new(values, COLUMNS).unwrap(), 1).unwrap()
        });
        forests
            .map(|forest| forest.explain(row).unwrap().contributions[column])
            .sum::<f64>()
            / 40.0
    };
    let straight = mean(&values, &[2.0, 0.5, 0.0, 0.0], 0);
    let exchanged = mean(&traded, &[0.5, 2.0, 0.0, 0.0], 1);
    assert!((straight - exchanged).abs() < 0.01, "{straight} and {exchanged}");
}

#[test]
fn a_deviation_planted_on_a_column_is_put_down_to_it_whatever_the_extension() {
    (0..COLUMNS).for_each(check_planted);
}

#[track_caller]
fn check_planted(extension: usize) {
    let values = cluster(2000);
    let forest = fit(&values, extension);
    let is_usual = |row: &[f64]| forest.decision(forest.score_row(row).unwrap()) >= 0.0;
    let (mut n_planted, mut n_named) = (0, 0);
    // The protocol: every row that the forest does not flag gets one value far outside its column, six where values end at 1.5.
    // A row that was flagged before has two reasons, and either may come first; ADR 0011 has the figures with those rows.
    for (index, row) in values
        .chunks_exact(COLUMNS)
        .enumerate()
        .filter(|(_, row)| is_usual(row))
    {
        let column = index % COLUMNS;
        let mut row = row.to_vec();
        row[column] = if index % 3 == 0 { 6.0 } else { -6.0 };
        n_planted += 1;
        n_named += usize::from(forest.explain(&row).unwrap().main_column() == Some(column));
    }
    assert!(
        n_named * 100 >= n_planted * 99,
        "extension {extension}: {n_named} of {n_planted}"
    );
}

#[test]
fn a_planted_deviation_has_a_range_that_makes_it_normal() {
    let forest = fit(&cluster(2000), 0);
    let row = [0.1, 7.0, -0.1, 0.2];
    let usual = forest.score_row(&[0.1, 0.0, -0.1, 0.2]).unwrap();
    let line = f64::midpoint(forest.score_row(&row).unwrap(), usual);
    let range = forest.normal_range(&row, 1, line).unwrap().unwrap();
    assert!(range.contains(0.0) && !range.contains(7.0), "{range:?}");
    assert!(range.high < 2.0, "{range:?}");
}

#[test]
fn a_row_beyond_help_has_no_range() {
    let forest = fit(&cluster(2000), 0);
    let row = [9.0, 9.0, 9.0, 9.0];
    assert_eq!(forest.normal_range(&row, 0, -forest.offset()), Ok(None));
}

#[test]
fn a_column_that_is_not_there_is_refused() {
    let forest = fit(&cluster(300), 0);
    let refused = forest.normal_range(&[0.0; COLUMNS], 4, 0.5).unwrap_err();
    assert_eq!(refused, RangeError::Column { column: 4, columns: 4 });
    assert!(forest.explain(&[0.0; 3]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn within_its_range_a_row_is_normal_and_just_beyond_it_is_not(
        row in proptest::collection::vec(prop_oneof![9 => -3.0..3.0_f64, 1 => Just(f64::NAN)], COLUMNS),
        column in 0..COLUMNS,
        threshold in 0.4..0.6_f64,
        part in 0.0..1.0_f64,
    ) {
        static FOREST: LazyLock<Forest> = LazyLock::new(|| fit(&cluster(400), 0));
        let forest = &*FOREST;
        let score_at = |value: f64| {
            let mut row = row.clone();
            row[column] = value;
            forest.score_row(&row).unwrap()
        };
        // Where another value is missing, means of two sides are rounded once more on the way.
        let slack = 1e-6;
        if let Some(range) = forest.normal_range(&row, column, threshold).unwrap() {
            let (low, high) = (range.low.max(-10.0), range.high.min(10.0));
            for value in [low, high, low + part * (high - low)] {
                prop_assert!(score_at(value) <= threshold + slack, "{value} in {range:?}");
            }
            for beyond in [(range.low as f32).next_down(), (range.high as f32).next_up()] {
                prop_assert!(beyond.is_infinite() || score_at(f64::from(beyond)) > threshold - slack, "{beyond} beyond {range:?}");
            }
        } else if !row[column].is_nan() {
            prop_assert!(score_at(row[column]) > threshold - slack);
        }
    }
}
