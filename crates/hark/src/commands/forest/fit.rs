//! `hark forest fit`.

use anyhow::Context;
use forest::{Forest, Matrix, Params, ParamsError};

use super::files;
use super::numbers::{Numbers, check_places};
use crate::cli::ForestFitArgs;
use crate::exit::{Exit, Fault};
use crate::output::say;
use crate::progress::Progress;

/// Grows a forest and writes it. The table is held in memory.
pub(super) fn run(args: &ForestFitArgs) -> anyhow::Result<()> {
    let params = Params {
        trees: args.trees,
        subsample: args.subsample,
        contamination: args.contamination,
        seed: args.seed,
        extension: args.extension,
    };
    let checked = params.check().map_err(out_of_range)?;
    check_places(&[&args.numbers.input], &args.output)?;
    let mut numbers = Numbers::to_fit(&args.numbers)?;
    let columns = numbers.names().len();
    if args.extension >= columns {
        let message = format!(
            "the extension must be below the number of columns, {columns}, not {}",
            args.extension
        );
        let hint = format!("--extension {} splits on all of them together", columns - 1);
        return Err(Fault::new(message, hint).exit(Exit::Usage).into());
    }
    let progress = Progress::counting("reading the table");
    let mut values = Vec::new();
    loop {
        let block = numbers.block()?;
        if block.is_empty() {
            break;
        }
        values.extend(block);
        progress.count((values.len() / columns) as u64);
    }
    progress.done();
    numbers.finish()?;
    let table = Matrix::new(&values, columns)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let forest = Forest::fit(&checked, table, threads).context("failed to grow the forest")?;
    let forest = forest.with_names(numbers.names().to_vec())?;
    files::write(&args.output, &forest.to_bytes())?;
    say(format_args!(
        "{} trees of {} rows, grown from {} rows of {}; flagged from a score of {:.4} on",
        forest.trees(),
        forest.subsample(),
        table.rows(),
        numbers.names().join(", "),
        -forest.offset()
    ));
    Ok(())
}

fn out_of_range(error: ParamsError) -> anyhow::Error {
    let hint = match error {
        ParamsError::Trees(_) => "100 is usual; see --trees",
        ParamsError::Subsample(_) => "256 is usual; see --subsample",
        ParamsError::Contamination(_) => "it is a share of the rows: --contamination 0.1 flags one in ten",
    };
    Fault::new(error.to_string(), hint).exit(Exit::Usage).into()
}
