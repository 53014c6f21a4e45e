//! The names of a forest's columns, which travel with it.

use std::collections::HashSet;

use crate::forest::Forest;

/// The longest name, in bytes.
const MAX_NAME: usize = 4096;

impl Forest {
    /// The forest with names for its columns, in order.
    ///
    /// # Errors
    /// When there is not one name for each column, or two are the same, or one is longer than 4,096 bytes.
    pub fn with_names(mut self, names: Vec<String>) -> Result<Self, NamesError> {
        if names.len() != self.columns() {
            return Err(NamesError::Count {
                columns: self.columns(),
                names: names.len(),
            });
        }
        let mut seen = HashSet::with_capacity(names.len());
        for (column, name) in names.iter().enumerate() {
            if name.len() > MAX_NAME {
                return Err(NamesError::Long(column));
            }
            if !seen.insert(name) {
                return Err(NamesError::Twice(name.clone()));
            }
        }
        self.names = names;
        Ok(self)
    }

    /// The names of the columns, in order; none when the forest was given none.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

/// Names that do not name the columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// Not one for each column.
    #[error("{columns} columns cannot have {names} names")]
    Count {
        /// Columns of the forest.
        columns: usize,
        /// Names given.
        names: usize,
    },
    /// A name that two columns have.
    #[error("two columns are named `{0}`")]
    Twice(String),
    /// A name longer than is kept, by the number of its column.
    #[error("the name of column {0} is longer than {MAX_NAME} bytes")]
    Long(usize),
}
