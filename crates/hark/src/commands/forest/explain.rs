//! `hark forest explain`.

use forest::Forest;

use super::answers::{Answers, Cell};
use super::score::{Tally, open};
use crate::cli::ForestScoreArgs;
use crate::output::Format;
use crate::progress::Progress;

/// Takes the score of each row apart, row by row.
pub(super) fn run(args: &ForestScoreArgs, format: Format) -> anyhow::Result<()> {
    let (forest, mut numbers) = open(args)?;
    let names = numbers.names().to_vec();
    let mut answers = Answers::open(&args.output, format, header(&names))?;
    let progress = Progress::counting("explaining");
    let mut tally = Tally::default();
    loop {
        let values = numbers.block()?;
        if values.is_empty() {
            break;
        }
        for row in values.chunks_exact(forest.columns()) {
            answers.push(&record(&forest, row, &names, &mut tally)?)?;
        }
        progress.count(tally.rows);
    }
    answers.finish()?;
    progress.done();
    tally.tell();
    numbers.finish()
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
    header.extend(names.iter().map(|it| format!("{it}_contribution")));
    header
}

/// The main column and its range are told of flagged rows only: a usual row needs no reason.
fn record(forest: &Forest, row: &[f64], names: &[String], tally: &mut Tally) -> anyhow::Result<Vec<Cell>> {
    let explanation = forest.explain(row)?;
    let decision = forest.decision(explanation.score);
    let flag = tally.count(decision);
    let main = explanation.main_column().filter(|_| decision < 0.0);
    let range = match main {
        Some(column) => forest.normal_range(row, column, -forest.offset())?,
        None => None,
    };
    let mut record = vec![
        Cell::Number(explanation.score),
        Cell::Number(decision),
        flag,
        Cell::Number(explanation.baseline),
        main.map_or(Cell::Nothing, |it| Cell::Text(names[it].clone())),
        range.map_or(Cell::Nothing, |it| Cell::Number(it.low)),
        range.map_or(Cell::Nothing, |it| Cell::Number(it.high)),
    ];
    // A sum with zero has no negative zero.
    record.extend(explanation.contributions.iter().map(|it| Cell::Number(it + 0.0)));
    Ok(record)
}
