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
        if values.chunks(4096).any(holds_infinity) {
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

    pub(crate) fn values(&self) -> &'a [f64] {
        self.values
    }
}

/// Zero times a finite value is zero, and times an infinite one not a number, as it is times one that is not a number already. Sums
/// in lanes, which fill wide registers; what is odd about a block that holds NaN is then told apart value by value.
fn holds_infinity(values: &[f64]) -> bool {
    let (lanes, rest) = values.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for values in lanes {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value * 0.0;
        }
    }
    let is_clean = sums.iter().sum::<f64>() == 0.0 && rest.iter().all(|it| it.is_finite());
    !is_clean && values.iter().any(|it| it.is_infinite())
}

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
