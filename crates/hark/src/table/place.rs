//! Where rows come from or go to: a file, or stdin and stdout as `-`.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;

use crate::exit::Fault;

/// A file or a standard stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Stdin for reading, stdout for writing: `-`.
    Standard,
    /// A file.
    File(PathBuf),
}

impl FromStr for Place {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "-" => Self::Standard,
            path => Self::File(path.into()),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("-"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Place {
    /// The bytes to read, unpacked where they are gzip.
    pub(crate) fn reader(&self) -> anyhow::Result<Box<dyn BufRead + Send>> {
        let mut plain: Box<dyn BufRead + Send> = match self {
            Self::Standard => Box::new(BufReader::with_capacity(1 << 16, io::stdin())),
            Self::File(_) => Box::new(BufReader::with_capacity(1 << 16, self.file()?)),
        };
        let packed = plain
            .fill_buf()
            .with_context(|| format!("failed to read `{self}`"))?
            .starts_with(&[0x1f, 0x8b]);
        Ok(if packed {
            Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(plain)))
        } else {
            plain
        })
    }

    /// The opened file; only for [`Place::File`].
    pub(super) fn file(&self) -> anyhow::Result<File> {
        let Self::File(path) = self else {
            anyhow::bail!("a file is needed, not stdin");
        };
        match File::open(path) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Fault::new(
                format!("there is no file `{self}`"),
                "give its path relative to the working folder, or - for stdin",
            )
            .into()),
            Err(error) => Err(error).with_context(|| format!("failed to open `{self}`")),
        }
    }

    /// A writer that makes the file anew.
    pub(crate) fn writer(&self) -> anyhow::Result<Box<dyn Write + Send>> {
        Ok(match self {
            Self::Standard => Box::new(io::BufWriter::new(io::stdout())),
            Self::File(path) => {
                let file = File::create(path).with_context(|| format!("failed to write `{self}`"))?;
                Box::new(io::BufWriter::with_capacity(1 << 16, file))
            }
        })
    }
}
