//! Our side of the comparisons in `bench/forest`: fits and scores tables of raw numbers (little-endian doubles, row by row).
//!
//! ```text
//! peer time ROWS COLUMNS                     one line of JSON with the seconds of each task
//! peer fit ROWS COLUMNS SEED EXTENSION OUT   fits with scikit-learn's defaults, writes the scores
//! peer score FOREST ROWS OUT                 scores with a forest from a file
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the answer of a command-line tool"
)]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use forest::{Contamination, Forest, Matrix, Params};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["time", rows, columns] => time(&read(rows)?, columns.parse()?),
        ["fit", rows, columns, seed, extension, out] => {
            let params = Params {
                seed: seed.parse()?,
                extension: extension.parse()?,
                contamination: Contamination::Auto,
                ..Params::default()
            };
            let values = read(rows)?;
            let table = Matrix::new(&values, columns.parse()?)?;
            let forest = Forest::fit(&params.check()?, table, 1)?;
            write_scores(&forest, table, out)
        }
        ["score", forest, rows, out] => {
            let forest = Forest::from_bytes(&std::fs::read(forest)?)?;
            let values = read(rows)?;
            write_scores(&forest, Matrix::new(&values, forest.columns())?, out)
        }
        _ => Err("usage: peer time|fit|score ..., see the source".into()),
    }
}

fn read(path: &str) -> Outcome<Vec<f64>> {
    let bytes = std::fs::read(path)?;
    Ok(bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|it| f64::from_le_bytes(*it))
        .collect())
}

fn write_scores(forest: &Forest, table: Matrix<'_>, out: &str) -> Outcome<()> {
    let mut scores = vec![0.0; table.rows()];
    forest.score(table, 1, &mut scores)?;
    let bytes: Vec<u8> = scores.iter().flat_map(|it| it.to_le_bytes()).collect();
    Ok(std::fs::write(out, bytes)?)
}

fn time(values: &[f64], columns: usize) -> Outcome<()> {
    let auto = Params {
        contamination: Contamination::Auto,
        ..Params::default()
    };
    let (auto, share) = (auto.check()?, Params::default().check()?);
    let mut scores = vec![0.0; values.len() / columns];
    let table = || Matrix::new(black_box(values), columns);
    let (fit, forest) = seconds(|| Ok(Forest::fit(&auto, table()?, 1)?))?;
    let (fit_share, _) = seconds(|| Ok(Forest::fit(&share, table()?, 1)?))?;
    let (score_1, ()) = seconds(|| Ok(forest.score(table()?, 1, &mut scores)?))?;
    let (score_2, ()) = seconds(|| Ok(forest.score(table()?, 2, &mut scores)?))?;
    let row = median_of_rows(values, columns, |row| {
        forest.score_row(row).map(|score| forest.decision(score))
    })?;
    let explain = median_of_rows(values, columns, |row| forest.explain(row))?;
    let range = median_of_rows(values, columns, |row| forest.normal_range(row, 0, 0.5))?;
    println!(
        "{{\"fit\":{fit},\"fit_share\":{fit_share},\"score_1\":{score_1},\"score_2\":{score_2},\"row\":{row},\"explain\":{explain},\"range\":{range}}}"
    );
    Ok(())
}

fn seconds<T>(task: impl FnOnce() -> Outcome<T>) -> Outcome<(f64, T)> {
    let start = Instant::now();
    let answer = task()?;
    Ok((start.elapsed().as_secs_f64(), answer))
}

/// Median seconds a row, over batches of 100 rows, so that reading the clock does not count.
fn median_of_rows<T, E: Error + 'static>(
    values: &[f64],
    columns: usize,
    ask: impl Fn(&[f64]) -> Result<T, E>,
) -> Outcome<f64> {
    let mut times = Vec::new();
    for batch in values.chunks_exact(columns * 100).take(200) {
        let start = Instant::now();
        for row in batch.chunks_exact(columns) {
            black_box(ask(black_box(row))?);
        }
        times.push(start.elapsed().as_secs_f64() / 100.0);
    }
    times.sort_unstable_by(f64::total_cmp);
    times
        .get(times.len() / 2)
        .copied()
        .ok_or_else(|| "fewer than 100 rows".into())
}
