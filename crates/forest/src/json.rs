//! The forest as JSON, for people to read.

use std::fmt::Write;

use crate::forest::Forest;
use crate::path::UNITS;
use crate::tree::{PLANE, Tree};

impl Forest {
    /// The forest as JSON: one object, a line for each node. A row goes to `left` when its value is at most `at_most`; leaves
    /// tell the path length they stand for.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        let head = format!(
            "{{\"format\":\"isolation forest\",\"version\":1,\"columns\":{},\"subsample\":{},\"offset\":{}",
            self.columns(),
            self.subsample(),
            self.offset()
        );
        out.push_str(&head);
        for (column, name) in self.names().iter().enumerate() {
            out.push_str(if column == 0 { ",\"names\":[" } else { "," });
            write_text(name, &mut out);
        }
        out.push_str(if self.names().is_empty() { "" } else { "]" });
        out.push_str(",\"trees\":[");
        for (index, tree) in self.trees.iter().enumerate() {
            out.push_str(if index == 0 { "\n[" } else { ",\n[" });
            write_tree(tree, &mut out).expect("writing to a string does not fail");
            out.push(']');
        }
        out.push_str("]}\n");
        out
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if character.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn write_tree(tree: &Tree, out: &mut String) -> std::fmt::Result {
    for (index, (node, rows)) in tree.nodes.iter().zip(&tree.counts).enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        write!(out, "{{\"node\":{index},\"rows\":{rows},")?;
        if node.is_leaf(index) {
            write!(out, "\"path\":{}}}", f64::from(tree.units[index]) / UNITS)?;
            continue;
        }
        if node.feature & PLANE == 0 {
            write!(out, "\"column\":{},", node.feature)?;
        } else {
            let terms = &tree.planes[usize::from(node.feature & !PLANE)].terms;
            let columns: Vec<String> = terms
                .iter()
                .map(|it| format!("[{},{}]", it.column, it.weight))
                .collect();
            write!(out, "\"plane\":[{}],", columns.join(","))?;
        }
        write!(
            out,
            "\"at_most\":{},\"left\":{},\"right\":{}}}",
            node.threshold,
            node.left,
            node.left + 1
        )?;
    }
    Ok(())
}
