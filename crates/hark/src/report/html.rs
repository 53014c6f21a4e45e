//! A report as one page of HTML that asks for nothing else: no script, no font, no picture from elsewhere.

use std::fmt::Write as _;

use super::block::{Bar, Block, tallest};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
h1{font-size:1.5rem}h2{margin-top:2rem;border-bottom:1px solid #bbb}table{border-collapse:collapse;margin:1rem 0;width:100%}\
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}figure{margin:1rem 0}\
figcaption{font-weight:600}rect{fill:#0072b2}text{font-size:11px;fill:#333}\
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#15181c}text{fill:#ccc}rect{fill:#56b4e9}th,td{border-color:#444}}\
@media print{h2{break-after:avoid}table,figure{break-inside:avoid}}";

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 150.0;
/// Room for the labels below and the values above.
const BELOW: f64 = 20.0;
const ABOVE: f64 = 16.0;

/// So many labels have room beside each other.
const LABELS: usize = 12;

/// The whole page.
pub(super) fn written(blocks: &[Block]) -> String {
    let title = blocks.iter().find_map(|it| match it {
        Block::Title(text) => Some(escaped(text)),
        _ => None,
    });
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        title.unwrap_or_default()
    );
    blocks.iter().for_each(|it| page.push_str(&block(it)));
    page + "</body>\n</html>\n"
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(text) => format!("<h1>{}</h1>\n", escaped(text)),
        Block::Heading(text) => format!("<h2>{text}</h2>\n"),
        Block::Text(text) => format!("<p>{}</p>\n", escaped(text)),
        Block::Table { columns, rows } => table(columns, rows),
        Block::Bars { title, bars } => chart(title, bars),
    }
}

fn table(columns: &[&str], rows: &[Vec<String>]) -> String {
    let row = |cells: &mut dyn Iterator<Item = String>, tag: &str| {
        let cells: String = cells.map(|it| format!("<{tag}>{it}</{tag}>")).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head =
        row(&mut columns.iter().map(|it| escaped(it)), "th scope=\"col\"").replace("</th scope=\"col\">", "</th>");
    let body: String = rows
        .iter()
        .map(|it| row(&mut it.iter().map(|it| escaped(it)), "td"))
        .collect();
    format!("<table>\n<thead>{head}</thead>\n<tbody>\n{body}</tbody>\n</table>\n")
}

/// Columns that also say their values, to pointers and to screen readers.
fn chart(title: &str, bars: &[Bar]) -> String {
    let tallest = tallest(bars);
    let step = WIDTH / bars.len().max(1) as f64;
    let nth_label = bars.len().div_ceil(LABELS).max(1);
    let base = HEIGHT - BELOW;
    let mut drawn = String::new();
    for (at, bar) in bars.iter().enumerate() {
        let height = (base - ABOVE) * bar.value / tallest;
        let (left, top) = (at as f64 * step, base - height);
        let value = (bar.value * 100.0).round() / 100.0;
        let label = escaped(&bar.label);
        write!(
            drawn,
            "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\"><title>{label}: {value}</title></rect>",
            left + step * 0.1,
            step * 0.8
        )
        .expect("a text takes every line");
        if at.is_multiple_of(nth_label) {
            let middle = left + step / 2.0;
            write!(
                drawn,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                HEIGHT - 5.0
            )
            .expect("a text takes every line");
            write!(
                drawn,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{value}</text>",
                top - 4.0
            )
            .expect("a text takes every line");
        }
    }
    format!(
        "<figure>\n<figcaption>{}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"100%\">{drawn}</svg>\n</figure>\n",
        escaped(title)
    )
}

/// What devices and people wrote must not become markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}
