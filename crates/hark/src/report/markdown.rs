//! A report as Markdown, which reads well as it stands too.

use std::fmt::Write as _;

use super::block::{Bar, Block, tallest};

/// The longest bar, in letters.
const WIDTH: f64 = 40.0;

/// The whole text.
pub(super) fn written(blocks: &[Block]) -> String {
    let parts: Vec<String> = blocks.iter().map(block).collect();
    parts.join("\n")
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(text) => format!("# {}\n", plain(text)),
        Block::Heading(text) => format!("## {text}\n"),
        Block::Text(text) => format!("{}\n", plain(text)),
        Block::Table { columns, rows } => table(columns, rows),
        Block::Bars { title, bars } => chart(title, bars),
    }
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|it| plain(it)).collect();
        line(&mut text, &format!("| {} |", cells.join(" | ")));
    }
    text
}

fn chart(title: &str, bars: &[Bar]) -> String {
    let mut text = format!("{title}:\n\n```text\n");
    let label = bars.iter().map(|it| it.label.chars().count()).max().unwrap_or_default();
    let tallest = tallest(bars);
    for bar in bars {
        let length = (WIDTH * bar.value / tallest).round();
        // At most `WIDTH`, so the number of letters is small and not negative.
        let drawn = "█".repeat(length as usize);
        let value = (bar.value * 100.0).round() / 100.0;
        line(&mut text, format!("{:>label$}  {drawn} {value}", bar.label).trim_end());
    }
    text + "```\n"
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a text takes every line");
}

/// What devices and people wrote must not become markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => plain.push(' '),
            '<' => plain.push_str("&lt;"),
            '&' => plain.push_str("&amp;"),
            '|' | '`' | '*' | '[' | ']' | '\\' | '_' | '#' => plain.extend(['\\', letter]),
            _ => plain.push(letter),
        }
    }
    plain
}
