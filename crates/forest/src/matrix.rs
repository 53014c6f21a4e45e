//! A borrowed table of numbers: row after row, a fixed number of columns, NaN where a value is missing.

/// The most columns a table may have.
pub(crate) const MAX_COLUMNS: usize = 32_767;

/// A row-major table that borrows its values. It holds no infinity; NaN stands for a missing value.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f64],
    columns: usize,
}

impl<'a> Matrix<'a> {
    /// Checks that the values fill whole rows and that none is infinite.
    ///
    /// # Errors
    /// Names what does not fit.
    pub fn new(values: &'a [f64], columns: usize) -> Result<Self, ShapeError> {
        if !(1..=MAX_COLUMNS).contains(&columns) {
            return Err(ShapeError::Columns(columns));
        }
        if !values.len().is_multiple_of(columns) {
            return Err(ShapeError::Ragged {
                values: values.len(),
                columns,
            });
        }
        if holds_infinity(values) {
            let at = values.iter().position(|it| it.is_infinite()).unwrap_or_default();
            return Err(ShapeError::Infinite {
                row: at / columns,
                column: at % columns,
            });
        }
        Ok(Self { values, columns })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values of one row.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn row(&self, index: usize) -> &'a [f64] {
        &self.values[index * self.columns..(index + 1) * self.columns]
    }

    /// Asks for a row from memory, so that it is near when it is read.
    pub(crate) fn fetch(&self, index: usize) {
        fetch(self.row(index));
    }

    pub(crate) fn values(&self) -> &'a [f64] {
        self.values
    }
}

/// So many parts of a table are read side by side: memory serves several streams faster than one.
const STREAMS: usize = 4;

/// Values of each stream that are looked at together.
const BLOCK: usize = 2_048;

/// Values that fill wide registers.
const LANES: usize = 8;

/// What is odd about values that are not all finite is told apart value by value: NaN is none.
fn holds_infinity(values: &[f64]) -> bool {
    let part = values.len() / STREAMS / BLOCK * BLOCK;
    let streams: [&[f64]; STREAMS] = std::array::from_fn(|at| &values[at * part..(at + 1) * part]);
    let is_odd = |block: usize| {
        let blocks = streams.map(|it| &it[block * BLOCK..(block + 1) * BLOCK]);
        !are_finite(blocks) && blocks.iter().any(|it| it.iter().any(|it| it.is_infinite()))
    };
    (0..part / BLOCK).any(is_odd) || values[STREAMS * part..].iter().any(|it| it.is_infinite())
}

/// Zero times a finite value is zero, and times any other not a number. Sums in lanes.
fn are_finite(blocks: [&[f64]; STREAMS]) -> bool {
    let lanes = blocks.map(|it| it.as_chunks::<LANES>().0);
    let mut sums = [[0.0; LANES]; STREAMS];
    for at in 0..BLOCK / LANES {
        for (sums, lanes) in sums.iter_mut().zip(&lanes) {
            for (sum, value) in sums.iter_mut().zip(&lanes[at]) {
                *sum += value * 0.0;
            }
        }
    }
    sums.iter().flatten().sum::<f64>() == 0.0
}

/// Asks for the first and the last value from memory, which is all of a short row. It is only advice: nothing is read.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "the processor's advice to itself has no safe name")]
fn fetch(values: &[f64]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for value in values.first().into_iter().chain(values.last()) {
        // SAFETY: a prefetch reads and writes nothing that a program can see, and the address is that of a value.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
}

/// Other processors find their way alone.
#[cfg(not(target_arch = "x86_64"))]
fn fetch(_values: &[f64]) {}

/// Brings a value to the precision trees compare in. What single precision cannot hold becomes its largest value; NaN stays.
pub(crate) fn narrow(value: f64) -> f32 {
    // `clamp` keeps NaN, and the bounds are exact in both precisions.
    value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
}

/// A table that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// No column, or too many.
    #[error("the number of columns must lie in 1..={MAX_COLUMNS}, not {0}")]
    Columns(usize),
    /// The last row is not full.
    #[error("{values} values do not fill rows of {columns}")]
    Ragged {
        /// Values given.
        values: usize,
        /// Columns asked for.
        columns: usize,
    },
    /// An infinite value.
    #[error("the value in row {row}, column {column} is infinite")]
    Infinite {
        /// Row of the first such value, from 0.
        row: usize,
        /// Column of the first such value, from 0.
        column: usize,
    },
}
