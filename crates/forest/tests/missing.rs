//! Missing values: both sides weighted by rows, in scoring; a side drawn with the odds of the others, in fitting.

#![expect(clippy::unwrap_used, reason = "everything in this file is a test or helps one")]

use forest::{Contamination, Forest, Matrix, Params};

fn fit(values: &[f64], columns: usize) -> Forest {
    let params = Params {
        contamination: Contamination::Auto,
        ..Params::default()
    };
    Forest::fit(&params.check().unwrap(), Matrix::new(values, columns).unwrap(), 1).unwrap()
}

fn cluster(rows: usize) -> Vec<f64> {
    (1..=rows * 3)
        .map(|i| (f64::from(i as u32) * 0.618_033_988_749_895).fract() + (f64::from(i as u32).sqrt()).fract())
        .collect()
}

#[test]
fn a_row_without_any_value_scores_as_the_mean_path_of_the_training_rows() {
    let forest = fit(&cluster(800), 3);
    let blank = forest.score_row(&[f64::NAN; 3]).unwrap();
    let baseline = forest.explain(&[1.0, 1.0, 1.0]).unwrap().baseline;
    assert!((blank - baseline).abs() < 1e-6, "{blank} for {baseline}");
}

#[test]
fn a_missing_value_neither_hides_nor_makes_an_anomaly() {
    let forest = fit(&cluster(800), 3);
    let odd = forest.score_row(&[9.0, 1.0, -7.0]).unwrap();
    let odd_in_part = forest.score_row(&[9.0, f64::NAN, -7.0]).unwrap();
    let usual_in_part = forest.score_row(&[1.0, f64::NAN, 1.0]).unwrap();
    assert!(odd_in_part > usual_in_part + 0.1, "{odd_in_part}, {usual_in_part}");
    assert!((odd - odd_in_part).abs() < 0.1, "{odd}, {odd_in_part}");
}

#[test]
fn a_table_with_gaps_trains_and_a_column_without_values_is_ignored() {
    let mut values = cluster(800);
    for row in values.chunks_exact_mut(3) {
        row[2] = f64::NAN;
    }
    values.iter_mut().step_by(7).for_each(|it| *it = f64::NAN);
    let forest = fit(&values, 3);
    let usual = forest.score_row(&[1.0, 1.0, f64::NAN]).unwrap();
    assert!(forest.score_row(&[8.0, 8.0, f64::NAN]).unwrap() > usual);
    assert_eq!(
        forest.score_row(&[1.0, 1.0, 5e9]).unwrap(),
        usual,
        "no tree asks for the empty column"
    );
}

#[test]
fn rows_with_gaps_score_the_same_in_a_table_as_alone() {
    let forest = fit(&cluster(800), 3);
    let mut values = cluster(700);
    values.iter_mut().step_by(11).for_each(|it| *it = f64::NAN);
    let mut scores = vec![0.0; 700];
    forest.score(Matrix::new(&values, 3).unwrap(), 2, &mut scores).unwrap();
    for (row, score) in values.chunks_exact(3).zip(scores) {
        assert_eq!(forest.score_row(row), Ok(score));
    }
}

#[test]
fn hyperplanes_find_what_lies_off_a_diagonal() {
    // Both values are usual, the pair is not: axis-parallel splits see less of it.
    let values: Vec<f64> = cluster(900)
        .into_iter()
        .flat_map(|it| [it, it + 0.02 * (it * 50.0).sin()])
        .collect();
    let contrast = |extension: usize| {
        let params = Params {
            extension,
            ..Params::default()
        };
        let forest = Forest::fit(&params.check().unwrap(), Matrix::new(&values, 2).unwrap(), 1).unwrap();
        forest.score_row(&[1.4, 0.6]).unwrap() - forest.score_row(&[1.0, 1.0]).unwrap()
    };
    assert!(contrast(1) > contrast(0), "{} and {}", contrast(1), contrast(0));
}
