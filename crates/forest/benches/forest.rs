//! How long the forest takes for what it is asked most: `cargo bench -p forest`. Beside other packages: `bench/forest/speed.py`.

#![expect(clippy::unwrap_used, reason = "everything in this file measures or helps to")]

use divan::{Bencher, black_box, counter::ItemsCount};
use forest::{Contamination, Forest, Matrix, Params};

const ROWS: usize = 100_000;

fn main() {
    divan::main();
}

/// Sums of three even numbers, which are nearly normal, without a pattern that matters.
fn table(columns: usize) -> Vec<f64> {
    let mut state = 1_u64;
    let mut unit = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..ROWS * columns).map(|_| unit() + unit() + unit() - 1.5).collect()
}

fn fitted(values: &[f64], columns: usize, extension: usize) -> Forest {
    let params = Params {
        contamination: Contamination::Auto,
        extension,
        ..Params::default()
    };
    Forest::fit(&params.check().unwrap(), Matrix::new(values, columns).unwrap(), 1).unwrap()
}

/// A hundred trees of 256 rows.
#[divan::bench(args = [5, 50])]
fn fit(bencher: Bencher<'_, '_>, columns: usize) {
    let values = table(columns);
    bencher.bench_local(|| fitted(black_box(&values), columns, 0));
}

/// As `fit`, on hyperplanes over two columns.
#[divan::bench]
fn fit_extended(bencher: Bencher<'_, '_>) {
    let values = table(5);
    bencher.bench_local(|| fitted(black_box(&values), 5, 1));
}

/// A table of five columns over threads.
#[divan::bench(args = [1, 2])]
fn score_table(bencher: Bencher<'_, '_>, threads: usize) {
    let values = table(5);
    let forest = fitted(&values, 5, 0);
    let mut scores = vec![0.0; ROWS];
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        let table = Matrix::new(black_box(&values), 5).unwrap();
        forest.score(table, threads, &mut scores).unwrap();
    });
}

/// A thousand different rows, one call each.
fn each_row<T>(bencher: Bencher<'_, '_>, columns: usize, extension: usize, ask: impl Fn(&Forest, &[f64]) -> T) {
    let values = table(columns);
    let forest = fitted(&values, columns, extension);
    bencher.counter(ItemsCount::new(1_000_usize)).bench_local(|| {
        for row in values.chunks_exact(columns).take(1_000) {
            black_box(ask(&forest, black_box(row)));
        }
    });
}

#[divan::bench(args = [1, 5, 12, 32, 50])]
fn score_a_thousand_rows(bencher: Bencher<'_, '_>, columns: usize) {
    each_row(bencher, columns, 0, |forest, row| forest.score_row(row).unwrap());
}

#[divan::bench]
fn score_a_thousand_rows_extended(bencher: Bencher<'_, '_>) {
    each_row(bencher, 5, 1, |forest, row| forest.score_row(row).unwrap());
}

#[divan::bench(args = [5, 12])]
fn explain_a_thousand_rows(bencher: Bencher<'_, '_>, columns: usize) {
    each_row(bencher, columns, 0, |forest, row| forest.explain(row).unwrap());
}

#[divan::bench(args = [5, 12])]
fn normal_ranges_of_a_thousand_rows(bencher: Bencher<'_, '_>, columns: usize) {
    each_row(bencher, columns, 0, |forest, row| {
        forest.normal_range(row, 0, 0.5).unwrap()
    });
}
