//! Both ways of writing, and what must not get through.

use super::block::{Bar, Block};
use super::{html, markdown};

fn blocks() -> Vec<Block> {
    vec![
        Block::Title("A <week> & more".to_owned()),
        Block::Heading("Devices"),
        Block::Table {
            columns: vec!["device", "why"],
            rows: vec![vec!["<img src=x onerror=alert(1)>".to_owned(), "a|b `c`\nd".to_owned()]],
        },
        Block::Bars {
            title: "Readings",
            bars: vec![
                Bar {
                    label: "2025-08-06".to_owned(),
                    value: 50.0,
                },
                Bar {
                    label: "2025-08-07".to_owned(),
                    value: 100.0,
                },
            ],
        },
    ]
}

#[test]
fn markdown_keeps_what_others_wrote_from_becoming_markup() {
    insta::assert_snapshot!(markdown::written(&blocks()));
}

#[test]
fn html_keeps_what_others_wrote_from_becoming_markup_and_asks_for_nothing_else() {
    let page = html::written(&blocks());
    assert!(!page.contains("<img") && !page.contains("<script"), "{page}");
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"), "{page}");
    assert!(!page.contains("http:") && !page.contains("https:"), "{page}");
    assert_eq!(page.matches("<rect").count(), 2);
    assert!(page.contains("<title>2025-08-07: 100</title>"), "{page}");
}

#[test]
fn a_chart_without_values_is_drawn_without_any() {
    let empty = [Block::Bars {
        title: "Readings",
        bars: vec![],
    }];
    assert!(html::written(&empty).contains("</svg>"));
    assert!(markdown::written(&empty).contains("Readings"));
}
