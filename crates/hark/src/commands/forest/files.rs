//! Forests as files: ours, ONNX, JSON.

use std::io::{Read, Write};

use anyhow::Context;
use forest::{Forest, OnnxError};

use super::numbers::check_places;
use crate::cli::{ForestExportArgs, ForestImportArgs};
use crate::exit::Fault;
use crate::output::say;
use crate::table::Place;

/// The most bytes that are read of a forest; the forest refuses so many as too long.
const MAX_BYTES: u64 = (1 << 30) + 1;

/// Writes a forest for other tools.
pub(super) fn export(args: &ForestExportArgs) -> anyhow::Result<()> {
    let write_as = |output: &Place, written: fn(&Forest) -> Result<Vec<u8>, OnnxError>| {
        check_places(&[&args.forest], output)?;
        let forest = read(&args.forest)?;
        let bytes = written(&forest)
            .map_err(|error| Fault::new(error.to_string(), "export it with --json, or fit it with --extension 0"))?;
        write(output, &bytes)
    };
    if let Some(output) = &args.into.onnx {
        write_as(output, Forest::to_onnx)?;
    }
    if let Some(output) = &args.into.json {
        write_as(output, |forest| Ok(forest.to_json().into_bytes()))?;
    }
    Ok(())
}

/// Takes a forest from ONNX.
pub(super) fn import(args: &ForestImportArgs) -> anyhow::Result<()> {
    check_places(&[&args.input], &args.output)?;
    let bytes = bytes_of(&args.input)?;
    let forest = Forest::from_onnx(&bytes).with_context(|| {
        Fault::new(
            format!("`{}` cannot be taken as a forest", args.input),
            "ONNX models of isolation forests are, as skl2onnx or `hark forest export --onnx` write them",
        )
    })?;
    write(&args.output, &forest.to_bytes())?;
    say(format_args!(
        "{} trees of {} rows over {} columns; flagged from a score of {:.4} on",
        forest.trees(),
        forest.subsample(),
        forest.columns(),
        -forest.offset()
    ));
    Ok(())
}

/// Reads a forest of ours.
pub(super) fn read(place: &Place) -> anyhow::Result<Forest> {
    Forest::from_bytes(&bytes_of(place)?).with_context(|| {
        Fault::new(
            format!("`{place}` cannot be read as a forest"),
            "`hark forest fit` writes forests, `hark forest import` takes them from ONNX",
        )
    })
}

/// Writes bytes to a file made anew, or to stdout.
pub(super) fn write(place: &Place, bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = place.writer()?;
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .with_context(|| format!("failed to write `{place}`"))
}

fn bytes_of(place: &Place) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    place
        .reader()?
        .take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("failed to read `{place}`"))?;
    Ok(bytes)
}
