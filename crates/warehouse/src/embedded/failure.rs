//! From what SQLite says to what a caller acts on.

use std::path::Path;

use rusqlite::ffi;
use rusqlite::{Error, ErrorCode};

use crate::{WarehouseError, WarehouseErrorKind};

/// What can go wrong while the file is used, before the file is named.
#[derive(Debug)]
pub(super) enum Trouble {
    /// SQLite refused.
    Sqlite(Error),
    /// A stored value is not what this program writes.
    Damage(String),
    /// The question makes no sense.
    BadQuery(String),
}

pub(super) type Found<T> = Result<T, Trouble>;

impl From<Error> for Trouble {
    fn from(cause: Error) -> Self {
        Self::Sqlite(cause)
    }
}

impl Trouble {
    pub(super) fn in_file(self, file: &Path, what: &str) -> WarehouseError {
        let file = file.display();
        match self {
            Self::Sqlite(cause) => {
                let kind = kind(&cause);
                let hint = match kind {
                    WarehouseErrorKind::Corrupt => {
                        "\nhint: the file is damaged; `hark db restore` puts a backup in its place, or move it away to begin a new one"
                    }
                    _ => "",
                };
                WarehouseError::new(kind, format!("failed to {what} `{file}`{hint}")).caused_by(cause)
            }
            Self::Damage(problem) => {
                WarehouseError::new(WarehouseErrorKind::Corrupt, format!("`{file}` is damaged: {problem}"))
            }
            Self::BadQuery(problem) => WarehouseError::bad_query(problem),
        }
    }

    /// Whether the disk failed in a way after which what was written last cannot be known.
    pub(super) fn is_disk_failure(&self) -> bool {
        matches!(self, Self::Sqlite(cause) if cause.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
            && kind(cause) == WarehouseErrorKind::Fatal)
    }
}

fn kind(cause: &Error) -> WarehouseErrorKind {
    match cause {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed => WarehouseErrorKind::Retryable,
            // The shared-memory file could not grow: the disk is full.
            ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
                WarehouseErrorKind::Retryable
            }
            // A read that ends too soon is a file that was cut.
            ErrorCode::SystemIoFailure
                if failure.extended_code == ffi::SQLITE_IOERR_SHORT_READ
                    || failure.extended_code == ffi::SQLITE_IOERR_CORRUPTFS =>
            {
                WarehouseErrorKind::Corrupt
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => WarehouseErrorKind::Corrupt,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => WarehouseErrorKind::Denied,
            _ => WarehouseErrorKind::Fatal,
        },
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => WarehouseErrorKind::Corrupt,
        _ => WarehouseErrorKind::Fatal,
    }
}
