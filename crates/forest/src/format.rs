//! The native file: versioned, with caps on every length, closed by a SHA-256 of all that precedes it.
//!
//! All numbers are little-endian. `IFOREST` and a zero byte, version u16, columns u16, subsample u32, trees u32, offset f64; in
//! version 2 for each column its name, as length u16 and UTF-8; for each tree: nodes u32, planes u32, then for each node threshold f32, feature u16, left u16, then for each node its rows u32,
//! then for each plane its terms u16 and for each term column u16, weight f32, center f32; at the end 32 bytes of SHA-256.

use sha2::{Digest, Sha256};

use crate::forest::Forest;
use crate::matrix::MAX_COLUMNS;
use crate::names::NamesError;
use crate::params::{MAX_SUBSAMPLE, MAX_TREES};
use crate::tree::{Node, Plane, Term, Tree};

const MAGIC: &[u8; 8] = b"IFOREST\0";
/// A forest without names.
const NAMELESS: u16 = 1;
/// A forest with names, the newest version.
const NAMED: u16 = 2;
const DIGEST: usize = 32;

/// The largest file that is read.
const MAX_BYTES: usize = 1 << 30;

impl Forest {
    /// The forest as bytes, which [`Forest::from_bytes`] reads. Without names it is a file of version 1, as it always was.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(MAGIC);
        let version = if self.names().is_empty() { NAMELESS } else { NAMED };
        out.extend(version.to_le_bytes());
        out.extend((self.columns() as u16).to_le_bytes());
        out.extend((self.subsample() as u32).to_le_bytes());
        out.extend((self.trees() as u32).to_le_bytes());
        out.extend(self.offset().to_le_bytes());
        for name in self.names() {
            out.extend((name.len() as u16).to_le_bytes());
            out.extend_from_slice(name.as_bytes());
        }
        for tree in &self.trees {
            write_tree(tree, &mut out);
        }
        let digest = Sha256::digest(&out);
        out.extend_from_slice(&digest);
        out
    }

    /// Reads what [`Forest::to_bytes`] wrote. Nothing is allocated that the bytes do not hold.
    ///
    /// # Errors
    /// For any damage, another version, or numbers that make no forest.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() > MAX_BYTES {
            return Err(FormatError::TooLong(bytes.len()));
        }
        let Some((body, digest)) = bytes.split_last_chunk::<DIGEST>() else {
            return Err(FormatError::Truncated);
        };
        let mut reader = Reader(body);
        if reader.take::<8>()? != *MAGIC {
            return Err(FormatError::Magic);
        }
        let version = reader.u16()?;
        if !(NAMELESS..=NAMED).contains(&version) {
            return Err(FormatError::Version(version));
        }
        if Sha256::digest(body).as_slice() != digest {
            return Err(FormatError::Digest);
        }
        read_forest(&mut reader, version)
    }
}

fn read_forest(reader: &mut Reader<'_>, version: u16) -> Result<Forest, FormatError> {
    let columns = usize::from(reader.u16()?);
    let subsample = reader.u32()?;
    let trees = reader.u32()? as usize;
    let offset = f64::from_bits(u64::from_le_bytes(reader.take()?));
    let in_range = (1..=MAX_COLUMNS).contains(&columns)
        && (1..=MAX_SUBSAMPLE).contains(&(subsample as usize))
        && (1..=MAX_TREES).contains(&trees)
        && (-1.0..=0.0).contains(&offset);
    if !in_range {
        return Err(FormatError::Header);
    }
    let names = match version {
        NAMELESS => Vec::new(),
        _ => reader.many(columns, 2, Reader::text)?,
    };
    let trees = (0..trees)
        .map(|index| read_tree(reader, index, columns))
        .collect::<Result<_, _>>()?;
    if !reader.0.is_empty() {
        return Err(FormatError::Trailing(reader.0.len()));
    }
    let forest = Forest::from_trees(trees, columns, subsample, offset);
    match version {
        NAMELESS => Ok(forest),
        _ => Ok(forest.with_names(names)?),
    }
}

fn write_tree(tree: &Tree, out: &mut Vec<u8>) {
    out.extend((tree.nodes.len() as u32).to_le_bytes());
    out.extend((tree.planes.len() as u32).to_le_bytes());
    for node in &tree.nodes {
        out.extend(node.threshold.to_le_bytes());
        out.extend(node.feature.to_le_bytes());
        out.extend(node.left.to_le_bytes());
    }
    for count in &tree.counts {
        out.extend(count.to_le_bytes());
    }
    for plane in &tree.planes {
        out.extend((plane.terms.len() as u16).to_le_bytes());
        for term in &plane.terms {
            out.extend(term.column.to_le_bytes());
            out.extend(term.weight.to_le_bytes());
            out.extend(term.center.to_le_bytes());
        }
    }
}

fn read_tree(reader: &mut Reader<'_>, index: usize, columns: usize) -> Result<Tree, FormatError> {
    let n_nodes = reader.u32()? as usize;
    let n_planes = reader.u32()? as usize;
    let nodes = reader.many(n_nodes, 8, |it| {
        Ok(Node {
            threshold: it.f32()?,
            feature: it.u16()?,
            left: it.u16()?,
        })
    })?;
    let counts = reader.many(n_nodes, 4, Reader::u32)?;
    let planes = reader.many(n_planes, 2, |it| {
        let terms = usize::from(it.u16()?);
        let terms = it.many(terms, 10, |it| {
            Ok(Term {
                column: it.u16()?,
                weight: it.f32()?,
                center: it.f32()?,
            })
        })?;
        Ok(Plane { terms })
    })?;
    Tree::new(nodes, counts, planes, columns).map_err(|cause| FormatError::Tree {
        index,
        cause: cause.to_string(),
    })
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(FormatError::Truncated)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u16(&mut self) -> Result<u16, FormatError> {
        Ok(u16::from_le_bytes(self.take()?))
    }

    fn u32(&mut self) -> Result<u32, FormatError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    fn f32(&mut self) -> Result<f32, FormatError> {
        Ok(f32::from_le_bytes(self.take()?))
    }

    fn text(&mut self) -> Result<String, FormatError> {
        let length = usize::from(self.u16()?);
        let (text, rest) = self.0.split_at_checked(length).ok_or(FormatError::Truncated)?;
        self.0 = rest;
        Ok(std::str::from_utf8(text).map_err(|_| FormatError::Header)?.to_owned())
    }

    /// Reads `count` items of at least `size` bytes, after making sure that so many bytes are there.
    fn many<T>(
        &mut self,
        count: usize,
        size: usize,
        read: impl Fn(&mut Self) -> Result<T, FormatError>,
    ) -> Result<Vec<T>, FormatError> {
        if count > self.0.len() / size {
            return Err(FormatError::Truncated);
        }
        (0..count).map(|_| read(self)).collect()
    }
}

/// Bytes that are no forest of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The first bytes are not those of a forest.
    #[error("the file is not a forest")]
    Magic,
    /// A version this release does not know.
    #[error("the forest has format version {0}, this release reads {NAMELESS} to {NAMED}")]
    Version(u16),
    /// The bytes are not those that were written.
    #[error("the forest is damaged: its checksum differs")]
    Digest,
    /// The bytes end too early.
    #[error("the forest is cut short")]
    Truncated,
    /// Too large to be one.
    #[error("a forest of {0} bytes is larger than is read")]
    TooLong(usize),
    /// More bytes than there should be.
    #[error("{0} bytes follow the last tree")]
    Trailing(usize),
    /// A number in the head is out of range.
    #[error("the head of the forest is out of range")]
    Header,
    /// The names do not name the columns.
    #[error("the names in the forest are not usable")]
    Names(#[from] NamesError),
    /// A tree is not one.
    #[error("tree {index} is not usable: {cause}")]
    Tree {
        /// Its number, from 0.
        index: usize,
        /// What is wrong with it.
        cause: String,
    },
}
