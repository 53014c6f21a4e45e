//! Forests on plain tables: fit, score, explain, export, import.

use std::fmt::Write;

use super::{Folder, Run};

/// A cluster of 300 rows, the last of which lies far out in `b`; `label` says so. No generator: the digits are those of
/// multiples of irrational numbers.
fn table() -> String {
    let mut csv = "a,note,b,label\n".to_owned();
    for row in 1..300 {
        let at = f64::from(row);
        let (a, b) = ((at * 2.0_f64.sqrt()).fract(), (at * 3.0_f64.sqrt()).fract());
        writeln!(csv, "{a:.4},ok,{b:.4},0").unwrap();
    }
    csv + "0.5,odd,9.5,1\n"
}

fn fitted(folder: &Folder) -> Run {
    folder.write("t.csv", &table());
    let run = folder.run(&[
        "forest", "fit", "--input", "t.csv", "--ignore", "label", "--output", "t.forest",
    ]);
    assert_eq!(run.code, 0, "{run}");
    run
}

fn score(folder: &Folder, forest: &str) -> String {
    folder.ok(&["forest", "score", forest, "--input", "t.csv", "--ignore", "label"])
}

/// The numbers of a column of CSV.
fn column(csv: &str, name: &str) -> Vec<f64> {
    let mut lines = csv.lines().map(|it| it.split(',').collect::<Vec<_>>());
    let at = lines.next().unwrap().iter().position(|it| *it == name).unwrap();
    lines.map(|it| it[at].parse().unwrap()).collect()
}

/// What is refused, with which code, and what is said then.
#[track_caller]
fn check(folder: &Folder, args: &[&str], code: i32, said: &[&str]) {
    let run = folder.run(args);
    assert_eq!(run.code, code, "{args:?}\n{run}");
    for part in said {
        assert!(run.stderr.contains(part), "{args:?} does not say `{part}`\n{run}");
    }
    assert!(run.stderr.contains("hint: "), "{args:?} has no advice\n{run}");
}

#[test]
fn a_forest_flags_the_share_it_was_told_and_ranks_the_odd_row_first() {
    let folder = Folder::new();
    let run = fitted(&folder);
    assert!(
        run.stderr
            .contains("100 trees of 256 rows, grown from 300 rows of a, b"),
        "{run}"
    );
    let csv = score(&folder, "t.forest");
    let (scores, decisions) = (column(&csv, "score"), column(&csv, "decision"));
    assert_eq!(scores.len(), 300);
    assert!(scores.iter().all(|it| *it > 0.0 && *it <= 1.0), "{csv}");
    assert!(scores[..299].iter().all(|it| *it < scores[299]), "{csv}");
    let flagged: Vec<bool> = column(&csv, "flag").iter().map(|it| *it == 1.0).collect();
    assert_eq!(flagged, decisions.iter().map(|it| *it < 0.0).collect::<Vec<_>>());
    assert_eq!(flagged.iter().filter(|it| **it).count(), 30, "{csv}");
}

#[test]
fn the_same_seed_gives_the_same_file_and_another_does_not() {
    let folder = Folder::new();
    fitted(&folder);
    let fit = |seed: &str| {
        let args = [
            "forest", "fit", "--input", "t.csv", "--ignore", "label", "--output", "u.forest",
        ];
        folder.ok(&[&args[..], &["--seed", seed]].concat());
        std::fs::read(folder.path("u.forest")).unwrap()
    };
    let first = std::fs::read(folder.path("t.forest")).unwrap();
    assert_eq!(first, fit("42"));
    assert_ne!(first, fit("43"));
}

#[test]
fn columns_are_found_by_name_in_any_order_and_others_are_told() {
    let folder = Folder::new();
    fitted(&folder);
    let mut shuffled = "label,b,note,a\n".to_owned();
    for line in table().lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        writeln!(shuffled, "{},{},{},{}", cells[3], cells[2], cells[1], cells[0]).unwrap();
    }
    folder.write("shuffled.csv", &shuffled);
    for command in ["score", "explain"] {
        let of = |input: &str| folder.run(&["forest", command, "t.forest", "--input", input]);
        let (straight, shuffled) = (of("t.csv"), of("shuffled.csv"));
        assert_eq!(straight.stdout, shuffled.stdout);
        assert!(
            shuffled.stderr.contains("does not know them: label, note"),
            "{shuffled}"
        );
    }
    // Names travel with the forest through ONNX.
    folder.ok(&["forest", "export", "t.forest", "--onnx", "t.onnx"]);
    folder.ok(&["forest", "import", "t.onnx", "--output", "back.forest"]);
    folder.ok(&["forest", "score", "back.forest", "--input", "shuffled.csv"]);
}

#[test]
fn a_forest_without_names_takes_the_columns_as_they_stand() {
    let folder = Folder::new();
    // The forest that version 1 of the file was released with: three columns without names.
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../forest/tests/golden/v1.forest");
    folder.write("three.csv", "x,y,z\n0.1,0.2,0.3\n");
    let csv = folder.ok(&["forest", "score", golden, "--input", "three.csv"]);
    assert_eq!(column(&csv, "score").len(), 1);
    folder.write("four.csv", "x,y,z,w\n0.1,0.2,0.3,0.4\n");
    check(
        &folder,
        &["forest", "score", golden, "--input", "four.csv"],
        1,
        &[
            "the forest expects 3 columns of numbers, `four.csv` has 4: x, y, z, w",
            "--ignore",
        ],
    );
}

#[test]
fn an_explanation_adds_up_and_names_the_column() {
    let folder = Folder::new();
    fitted(&folder);
    let csv = folder.ok(&["forest", "explain", "t.forest", "--input", "t.csv", "--ignore", "label"]);
    let of = |name: &str| column(&csv, name);
    let (scores, baselines) = (of("score"), of("baseline"));
    let added = of("a_contribution").into_iter().zip(of("b_contribution"));
    for ((score, baseline), (a, b)) in scores.iter().zip(baselines).zip(added) {
        assert!((a + b - (score - baseline)).abs() < 1e-6, "{score}");
    }
    let last: Vec<&str> = csv.lines().last().unwrap().split(',').collect();
    assert_eq!((last[2], last[4]), ("1", "b"), "{csv}");
    assert!(last[6].parse::<f64>().unwrap() < 9.5, "{csv}");
}

#[test]
fn a_forest_comes_back_from_onnx_with_its_scores() {
    let folder = Folder::new();
    fitted(&folder);
    folder.ok(&["forest", "export", "t.forest", "--onnx", "t.onnx"]);
    folder.ok(&["forest", "import", "t.onnx", "--output", "back.forest"]);
    let (ours, back) = (score(&folder, "t.forest"), score(&folder, "back.forest"));
    assert_eq!(column(&ours, "flag"), column(&back, "flag"));
    for (ours, back) in column(&ours, "score").iter().zip(column(&back, "score")) {
        assert!((ours - back).abs() < 1e-5, "{ours} and {back}");
    }
}

#[test]
fn a_forest_is_readable_as_json() {
    let folder = Folder::new();
    fitted(&folder);
    let json = folder.ok(&["forest", "export", "t.forest", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["trees"].as_array().unwrap().len(), 100);
    folder.ok(&["forest", "export", "t.forest", "--json", "t.json"]);
    assert_eq!(folder.read("t.json"), json);
}

#[test]
fn tables_come_by_stdin_and_as_ndjson() {
    let folder = Folder::new();
    fitted(&folder);
    let by_csv = score(&folder, "t.forest");
    let args = ["forest", "score", "t.forest", "--input", "-", "--ignore", "label"];
    let run = folder.run_with(&[&args[..], &["--input-format", "csv"]].concat(), &table());
    assert_eq!(run.stdout, by_csv, "{run}");
    let mut ndjson = String::new();
    for line in table().lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        writeln!(
            ndjson,
            "{{\"a\":{},\"b\":{},\"label\":{}}}",
            cells[0], cells[2], cells[3]
        )
        .unwrap();
    }
    assert_eq!(folder.run_with(&args, &ndjson).stdout, by_csv);
}

#[test]
fn constant_columns_are_no_anomaly_and_empty_cells_are_missing_values() {
    let folder = Folder::new();
    folder.write("same.csv", &format!("a,b\n{}", "1,2\n".repeat(50)));
    folder.ok(&["forest", "fit", "--input", "same.csv", "--output", "same.forest"]);
    let csv = folder.ok(&["forest", "score", "same.forest", "--input", "same.csv"]);
    assert!(column(&csv, "flag").iter().all(|it| *it == 0.0), "{csv}");

    fitted(&folder);
    folder.write("gaps.csv", "a,b\n0.5,0.5\n,9.5\n0.5,\n,\n");
    let gaps = folder.ok(&["forest", "explain", "t.forest", "--input", "gaps.csv"]);
    let (scores, baselines) = (column(&gaps, "score"), column(&gaps, "baseline"));
    assert!(scores[1] > scores[0] && scores[1] > scores[2], "{gaps}");
    assert!((scores[3] - baselines[3]).abs() < 1e-6, "{gaps}");
}

#[test]
fn hyperplanes_score_and_do_not_travel_to_onnx() {
    let folder = Folder::new();
    folder.write("t.csv", &table());
    let fit = [
        "forest",
        "fit",
        "--input",
        "t.csv",
        "--ignore",
        "label",
        "--output",
        "t.forest",
        "--extension",
    ];
    folder.ok(&[&fit[..], &["1"]].concat());
    let scores = column(&score(&folder, "t.forest"), "score");
    assert!(scores[..299].iter().all(|it| *it < scores[299]));
    check(
        &folder,
        &["forest", "export", "t.forest", "--onnx", "t.onnx"],
        1,
        &[
            "a forest of hyperplanes cannot be written as onnx trees",
            "--extension 0",
        ],
    );
    check(
        &folder,
        &[&fit[..], &["2"]].concat(),
        2,
        &["the extension must be below the number of columns, 2, not 2"],
    );
}

#[test]
fn tables_that_cannot_be_used_are_told() {
    let folder = Folder::new();
    fitted(&folder);
    let score = ["forest", "score", "t.forest", "--input"];
    folder.write("half.csv", "b,note\n1,x\n");
    check(
        &folder,
        &[&score[..], &["half.csv"]].concat(),
        1,
        &[
            "`half.csv` lacks columns that the forest was fitted on: a",
            "hint: it has b, note",
        ],
    );
    folder.write("twice.csv", "a,b,a\n1,2,3\n");
    check(
        &folder,
        &[&score[..], &["twice.csv"]].concat(),
        1,
        &["`twice.csv` has two columns named `a`"],
    );
    check(
        &folder,
        &["forest", "fit", "--input", "twice.csv", "--output", "w.forest"],
        1,
        &["`twice.csv` has two columns named `a`"],
    );
    check(
        &folder,
        &[&score[..], &["t.csv", "--ignore", "a"]].concat(),
        2,
        &["the forest needs the column `a`, it cannot be ignored"],
    );
}

#[test]
fn tables_without_numbers_to_use_are_told() {
    let folder = Folder::new();
    fitted(&folder);
    let score = ["forest", "score", "t.forest", "--input"];
    folder.write("empty.csv", "a,b\n");
    check(
        &folder,
        &[&score[..], &["empty.csv"]].concat(),
        1,
        &["`empty.csv` has no rows"],
    );
    folder.write("words.csv", "a,b\nx,y\n");
    check(
        &folder,
        &["forest", "fit", "--input", "words.csv", "--output", "w.forest"],
        1,
        &["`words.csv` has no column of numbers"],
    );
    folder.write("endless.csv", "a,b\n1,2\n3,inf\n");
    check(
        &folder,
        &[&score[..], &["endless.csv"]].concat(),
        1,
        &["has an infinite b in row 2"],
    );
    check(
        &folder,
        &[&score[..], &["t.csv", "--ignore", "lable"]].concat(),
        2,
        &["the table has no column `lable`", "did you mean `label`?"],
    );
    check(
        &folder,
        &[&score[..], &["t.csv", "--ignore", "label", "--output", "t.csv"]].concat(),
        2,
        &["`t.csv` is read"],
    );
    assert_eq!(folder.read("t.csv"), table());
}

#[test]
fn forests_that_cannot_be_had_are_told() {
    let folder = Folder::new();
    folder.write("t.csv", &table());
    let fit = ["forest", "fit", "--input", "t.csv", "--output", "t.forest"];
    let refused = |more: [&str; 2], said: &str| check(&folder, &[&fit[..], &more].concat(), 2, &[said]);
    refused(
        ["--contamination", "0.7"],
        "the contamination must be above 0 and at most 0.5, not 0.7",
    );
    refused(
        ["--contamination", "0"],
        "the contamination must be above 0 and at most 0.5, not 0",
    );
    refused(["--trees", "0"], "the number of trees must lie in 1..=10000, not 0");
    refused(
        ["--subsample", "40000"],
        "the subsample must lie in 1..=32768, not 40000",
    );
    assert!(!folder.path("t.forest").exists());
    folder.ok(&[&fit[..], &["--contamination", "auto"]].concat());

    let mut bytes = std::fs::read(folder.path("t.forest")).unwrap();
    bytes[100] ^= 1;
    std::fs::write(folder.path("t.forest"), bytes).unwrap();
    let args = ["forest", "score", "t.forest", "--input", "t.csv"];
    check(
        &folder,
        &args,
        1,
        &["`t.forest` cannot be read as a forest", "its checksum differs"],
    );
    check(
        &folder,
        &["forest", "import", "t.csv", "--output", "u.forest"],
        1,
        &["`t.csv` cannot be taken as a forest"],
    );
}

#[test]
fn what_is_not_looked_at_is_told() {
    let folder = Folder::new();
    let run = fitted(&folder);
    let said = "not learned from, as they hold no numbers or also something else: note\n";
    assert!(run.stderr.contains(said), "{run}");
    let mut lines = "{\"b\":0.5}\n".repeat(1_001);
    lines += "{\"a\":0.5,\"b\":0.5}\n";
    folder.write("late.ndjson", &lines);
    let run = folder.run(&["forest", "fit", "--input", "late.ndjson", "--output", "b.forest"]);
    assert!(run.stderr.contains("no row of the first 1,000 has it: a"), "{run}");
    // To score, a column that the forest knows may come late, or never.
    let csv = folder.ok(&["forest", "score", "t.forest", "--input", "late.ndjson"]);
    let scores = column(&csv, "score");
    assert!(scores.len() == 1_002 && scores[0] != scores[1_001], "{csv}");
    folder.write("b.ndjson", "{\"b\":0.5}\n");
    let run = folder.run(&["forest", "score", "t.forest", "--input", "b.ndjson"]);
    assert!(
        run.stderr.contains("taken as missing, as no row has a value: a"),
        "{run}"
    );
}

#[test]
fn missing_values_are_written_in_many_ways() {
    let folder = Folder::new();
    fitted(&folder);
    folder.write("m.csv", "a,b\n0.5,\n0.5,NA\n0.5,null\n0.5,n/a\n0.5,NaN\n");
    let csv = folder.ok(&["forest", "score", "t.forest", "--input", "m.csv"]);
    let scores = column(&csv, "score");
    assert!(scores.len() == 5 && scores.iter().all(|it| *it == scores[0]), "{csv}");
}

#[test]
fn the_rows_before_a_broken_one_are_scored() {
    let folder = Folder::new();
    fitted(&folder);
    folder.write("t.csv", "a,b\n0.1,0.2\n0.3,0.4\n0.5,0.6,0.7\n");
    let args = ["forest", "score", "t.forest", "--input", "t.csv", "--output", "s.csv"];
    let run = folder.run(&args);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.stderr.contains("row 3 is broken"), "{run}");
    assert_eq!(column(&folder.read("s.csv"), "score").len(), 2);
    let run = folder.run_with(&["forest", "score", "t.forest", "--input", "-"], "a,b\n1,2\n");
    assert!(
        run.stderr.contains("line 1 is broken") && run.stderr.contains("--input-format csv"),
        "{run}"
    );
}

#[test]
fn answers_come_as_objects_where_that_is_asked_for() {
    let folder = Folder::new();
    fitted(&folder);
    let args = [
        "--format", "ndjson", "forest", "explain", "t.forest", "--input", "t.csv", "--ignore", "label",
    ];
    let lines = folder.ok(&args);
    let last: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["flag"], &last["main_column"]), (&1.into(), &"b".into()));
    assert!(last["b_contribution"].as_f64() > last["a_contribution"].as_f64());
    let list = folder.ok(&[
        "--format", "json", "forest", "score", "t.forest", "--input", "t.csv", "--ignore", "label",
    ]);
    assert_eq!(
        serde_json::from_str::<Vec<serde_json::Value>>(&list).unwrap().len(),
        300
    );
}
