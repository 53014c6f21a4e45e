//! The fitted forest and what can be asked of it cheaply.

use std::sync::OnceLock;

use crate::batch::Batch;
#[cfg(target_arch = "x86_64")]
use crate::blocks::Blocks;
use crate::path::Scale;
use crate::tree::Tree;
use crate::walk::Walk;

/// A fitted isolation forest.
#[derive(Debug, Clone)]
pub struct Forest {
    pub(crate) trees: Vec<Tree>,
    pub(crate) scale: Scale,
    /// The layout for one row, unless there are hyperplanes or blocks.
    pub(crate) walk: Option<Walk>,
    /// The faster one, where the processor has what it needs.
    #[cfg(target_arch = "x86_64")]
    pub(crate) blocks: Option<Blocks>,
    /// One for each column, or none at all.
    pub(crate) names: Vec<String>,
    columns: usize,
    subsample: u32,
    offset: f64,
    /// The layout for many rows, made when it is first needed.
    batch: OnceLock<Option<Batch>>,
}

impl PartialEq for Forest {
    fn eq(&self, other: &Self) -> bool {
        self.trees == other.trees
            && self.names == other.names
            && self.columns == other.columns
            && self.subsample == other.subsample
            && self.offset == other.offset
    }
}

impl Forest {
    pub(crate) fn from_trees(trees: Vec<Tree>, columns: usize, subsample: u32, offset: f64) -> Self {
        #[cfg(target_arch = "x86_64")]
        let blocks = Blocks::new(&trees, columns);
        #[cfg(target_arch = "x86_64")]
        let needs_walk = blocks.is_none();
        #[cfg(not(target_arch = "x86_64"))]
        let needs_walk = true;
        Self {
            scale: Scale::new(trees.len(), subsample),
            walk: if needs_walk { Walk::new(&trees) } else { None },
            #[cfg(target_arch = "x86_64")]
            blocks,
            trees,
            names: Vec::new(),
            columns,
            subsample,
            offset,
            batch: OnceLock::new(),
        }
    }

    pub(crate) fn batch(&self) -> Option<&Batch> {
        self.batch
            .get_or_init(|| Batch::new(&self.trees, self.columns))
            .as_ref()
    }

    /// Number of columns a row must have.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of trees.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Rows each tree was grown from.
    #[must_use]
    pub fn subsample(&self) -> usize {
        self.subsample as usize
    }

    /// scikit-learn's `offset_`: negative, and its negation is the score at which a row becomes anomalous.
    #[must_use]
    pub fn offset(&self) -> f64 {
        self.offset
    }

    pub(crate) fn set_offset(&mut self, offset: f64) {
        self.offset = offset;
    }

    /// scikit-learn's `decision_function` for a score: below 0 is anomalous.
    #[must_use]
    pub fn decision(&self, score: f64) -> f64 {
        -score - self.offset
    }

    pub(crate) fn check_width(&self, given: usize) -> Result<(), WidthError> {
        if given == self.columns {
            return Ok(());
        }
        Err(WidthError {
            expected: self.columns,
            given,
        })
    }
}

/// A row or table of the wrong width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the forest has {expected} columns, the row has {given}")]
pub struct WidthError {
    /// Columns of the forest.
    pub expected: usize,
    /// Columns given.
    pub given: usize,
}
