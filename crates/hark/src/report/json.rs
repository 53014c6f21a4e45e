//! A report for programs: a list of its parts.

use serde_json::{Map, Value, json};

use super::block::Block;

/// One JSON list.
pub(super) fn list(blocks: &[Block]) -> serde_json::Result<String> {
    let parts: Vec<Value> = blocks.iter().map(part).collect();
    Ok(serde_json::to_string_pretty(&parts)? + "\n")
}

/// A JSON object a line.
pub(super) fn lines(blocks: &[Block]) -> serde_json::Result<String> {
    let line = |it: &Block| Ok(serde_json::to_string(&part(it))? + "\n");
    blocks.iter().map(line).collect()
}

fn part(block: &Block) -> Value {
    match block {
        Block::Title(text) => json!({ "title": text }),
        Block::Heading(text) => json!({ "heading": text }),
        Block::Text(text) => json!({ "text": text }),
        Block::Table { columns, rows } => {
            let row = |cells: &Vec<String>| -> Value {
                let named = columns.iter().zip(cells);
                let named: Map<String, Value> = named.map(|(it, cell)| ((*it).to_owned(), json!(cell))).collect();
                named.into()
            };
            json!({ "table": rows.iter().map(row).collect::<Vec<_>>() })
        }
        Block::Bars { title, bars } => {
            let bar = |it: &super::block::Bar| json!({ "label": it.label, "value": it.value });
            json!({ "chart": title, "bars": bars.iter().map(bar).collect::<Vec<_>>() })
        }
    }
}
