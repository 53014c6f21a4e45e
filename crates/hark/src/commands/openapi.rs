//! `hark openapi`: what the API takes and answers, for generators of clients.

use std::io::{self, Write};

use crate::http;

/// Writes the description to stdout.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut document = http::openapi().to_pretty_json()?;
    document.push('\n');
    io::stdout().lock().write_all(document.as_bytes())?;
    Ok(())
}
