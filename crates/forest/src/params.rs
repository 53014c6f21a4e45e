//! What a person may choose about a forest, and the check that turns wishes into [`CheckedParams`].

/// The most trees a forest may have.
pub const MAX_TREES: usize = 10_000;

/// The most rows a tree may be grown from: the nodes of one tree are numbered in sixteen bits.
pub const MAX_SUBSAMPLE: usize = 32_768;

/// How the line between usual and anomalous is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Contamination {
    /// The paper's line: a score above 0.5 is anomalous.
    Auto,
    /// The given share of the training rows, above 0 and up to 0.5, is called anomalous.
    Share(f64),
}

/// The wishes, unchecked. The defaults are 100 trees of 256 rows, a share of 0.1, seed 42, axis-parallel splits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Params {
    /// Number of trees, 1 to [`MAX_TREES`].
    pub trees: usize,
    /// Rows each tree is grown from, 1 to [`MAX_SUBSAMPLE`]; a smaller table is used whole.
    pub subsample: usize,
    /// Where the line between usual and anomalous lies.
    pub contamination: Contamination,
    /// Seed of every random choice.
    pub seed: u64,
    /// Extension level: 0 splits on one feature, `k` on a random hyperplane over `k + 1` features.
    pub extension: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            trees: 100,
            subsample: 256,
            contamination: Contamination::Share(0.1),
            seed: 42,
            extension: 0,
        }
    }
}

impl Params {
    /// Checks every range.
    ///
    /// # Errors
    /// Names the first parameter that is out of range.
    pub fn check(self) -> Result<CheckedParams, ParamsError> {
        if !(1..=MAX_TREES).contains(&self.trees) {
            return Err(ParamsError::Trees(self.trees));
        }
        if !(1..=MAX_SUBSAMPLE).contains(&self.subsample) {
            return Err(ParamsError::Subsample(self.subsample));
        }
        match self.contamination {
            Contamination::Share(share) if !(share > 0.0 && share <= 0.5) => Err(ParamsError::Contamination(share)),
            _ => Ok(CheckedParams(self)),
        }
    }
}

/// Parameters that are in range. [`Params::check`] is the only door.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CheckedParams(Params);

impl CheckedParams {
    /// The values as they were given.
    #[must_use]
    pub fn params(&self) -> Params {
        self.0
    }
}

/// A parameter out of range.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ParamsError {
    /// No tree, or more than [`MAX_TREES`].
    #[error("the number of trees must lie in 1..={MAX_TREES}, not {0}")]
    Trees(usize),
    /// No row, or more than [`MAX_SUBSAMPLE`].
    #[error("the subsample must lie in 1..={MAX_SUBSAMPLE}, not {0}")]
    Subsample(usize),
    /// A share that is not above 0 and up to 0.5.
    #[error("the contamination must be above 0 and at most 0.5, not {0}")]
    Contamination(f64),
}
