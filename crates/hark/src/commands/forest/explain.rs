//! `hark forest explain`.

use anyhow::Context;
use forest::{Forest, NormalRange};

use super::score::{Tally, open};
use crate::cli::ForestScoreArgs;
use crate::output::harmless;
use crate::progress::Progress;

/// Takes the score of each row apart, row by row.
pub(super) fn run(args: &ForestScoreArgs) -> anyhow::Result<()> {
    let (forest, mut numbers) = open(args)?;
    let writing = || format!("failed to write `{}`", args.output);
    let mut csv = csv::Writer::from_writer(args.output.writer()?);
    let names = numbers.names().to_vec();
    csv.write_record(header(&names)).with_context(writing)?;
    let progress = Progress::counting("explaining");
    let mut tally = Tally::default();
    loop {
        let values = numbers.block()?;
        if values.is_empty() {
            break;
        }
        for row in values.chunks_exact(forest.columns()) {
            csv.write_record(record(&forest, row, &names, &mut tally)?)
                .with_context(writing)?;
        }
        progress.count(tally.rows);
    }
    csv.flush().with_context(writing)?;
    progress.done();
    tally.tell();
    Ok(())
}

fn header(names: &[String]) -> Vec<String> {
    let fixed = [
        "score",
        "decision",
        "flag",
        "baseline",
        "main_column",
        "normal_low",
        "normal_high",
    ];
    let mut header = fixed.map(str::to_owned).to_vec();
    header.extend(
        names
            .iter()
            .map(|it| harmless(&format!("{it}_contribution")).into_owned()),
    );
    header
}

/// The main column and its range are told of flagged rows only: a usual row needs no reason.
fn record(forest: &Forest, row: &[f64], names: &[String], tally: &mut Tally) -> anyhow::Result<Vec<String>> {
    let explanation = forest.explain(row)?;
    let decision = forest.decision(explanation.score);
    let flag = tally.count(decision);
    let main = explanation.main_column().filter(|_| decision < 0.0);
    let range = match main {
        Some(column) => forest.normal_range(row, column, -forest.offset())?,
        None => None,
    };
    let end = |of: fn(NormalRange) -> f64| range.map(|it| of(it).to_string()).unwrap_or_default();
    let mut record = vec![
        explanation.score.to_string(),
        decision.to_string(),
        flag.to_owned(),
        explanation.baseline.to_string(),
        main.map(|it| harmless(&names[it]).into_owned()).unwrap_or_default(),
        end(|it| it.low),
        end(|it| it.high),
    ];
    record.extend(explanation.contributions.iter().map(f64::to_string));
    Ok(record)
}
