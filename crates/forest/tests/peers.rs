//! Against scikit-learn and onnxruntime themselves. `HARK_PYTHON` names an interpreter that has the packages of
//! `bench/requirements.txt`; without it these tests say that they were skipped.

#![cfg(feature = "onnx")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "everything in this file is a test or helps one"
)]

use std::path::Path;
use std::process::Command;

use forest::{Forest, Matrix, Params};

/// Runs a script of `tests/python`; `None` when there is no interpreter to run it.
fn run_python(script: &str, arguments: &[&Path]) -> Option<String> {
    let Some(python) = std::env::var_os("HARK_PYTHON") else {
        eprintln!("SKIPPED: HARK_PYTHON is not set, so nothing was compared with {script}");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let output = Command::new(python)
        .arg("-B")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn numbers(path: &Path) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|it| f64::from_le_bytes(*it))
        .collect()
}

fn write_numbers(path: &Path, numbers: &[f64]) {
    let bytes: Vec<u8> = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
    std::fs::write(path, bytes).unwrap();
}

#[track_caller]
fn check_answers(forest: &Forest, case: &Path) {
    let rows = numbers(&case.with_extension("rows"));
    let answers = numbers(&case.with_extension("answers"));
    let table = Matrix::new(&rows, forest.columns()).unwrap();
    let mut scores = vec![0.0; table.rows()];
    forest.score(table, 2, &mut scores).unwrap();
    let (answers, rest) = answers.as_chunks::<3>();
    assert!(rest.is_empty() && answers.len() == scores.len() && !scores.is_empty());
    for (row, (score, [told_score, told_decision, told_label])) in scores.iter().zip(answers).enumerate() {
        let decision = forest.decision(*score);
        assert!(
            (-score - told_score).abs() < 1e-6,
            "{}, row {row}: {score} for {told_score}",
            case.display()
        );
        assert!(
            (decision - told_decision).abs() < 1e-6,
            "{}, row {row}: {decision}",
            case.display()
        );
        // On the line itself the sixth digit decides.
        let label = if decision < 0.0 { -1.0 } else { 1.0 };
        assert!(
            label == *told_label || decision.abs() < 1e-6,
            "{}, row {row}: {label}",
            case.display()
        );
    }
}

#[test]
fn trees_of_scikit_learn_score_as_scikit_learn_says() {
    let folder = tempfile::tempdir().unwrap();
    if run_python("make_cases.py", &[folder.path()]).is_none() {
        return;
    }
    let mut n_cases = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        match path.extension().and_then(|it| it.to_str()) {
            Some("forest") => check_answers(&Forest::from_bytes(&bytes).unwrap(), &path),
            Some("onnx") => check_answers(&Forest::from_onnx(&bytes).unwrap(), &path),
            _ => continue,
        }
        n_cases += 1;
    }
    assert_eq!(
        n_cases,
        8 * 3 * 3 * 2 + 8 + 2,
        "tables, seeds, sizes and shares, a model for each table, and both of rows drawn more than once"
    );
}

#[test]
fn onnxruntime_gives_our_scores() {
    let values: Vec<f64> = (0..50_000)
        .map(|i| (f64::from(i) * 0.618_033_988_749_895).fract() * f64::from(i % 7))
        .collect();
    let table = Matrix::new(&values, 5).unwrap();
    let forest = Forest::fit(&Params::default().check().unwrap(), table, 2).unwrap();
    let mut scores = vec![0.0; table.rows()];
    forest.score(table, 2, &mut scores).unwrap();
    let answers: Vec<f64> = scores
        .iter()
        .flat_map(|score| [*score, forest.decision(*score)])
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let [model, rows, expected] = ["ours.onnx", "rows", "scores"].map(|name| folder.path().join(name));
    std::fs::write(&model, forest.to_onnx().unwrap()).unwrap();
    write_numbers(&rows, &values);
    write_numbers(&expected, &answers);
    let Some(output) = run_python("run_onnx.py", &[&model, &rows, Path::new("5"), &expected]) else {
        return;
    };
    let told: Vec<f64> = output.split_whitespace().map(|it| it.parse().unwrap()).collect();
    assert_eq!(told[0] as usize, 10_000);
    assert!(
        told[1] < 1e-5 && told[2] < 1e-5,
        "scores differ by {}, decisions by {}",
        told[1],
        told[2]
    );
}
