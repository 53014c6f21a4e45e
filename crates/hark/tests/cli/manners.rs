//! What every command has in common: what it says when it is told too little, when there is nothing yet, and to whom it
//! says it.

use std::fmt::Write as _;

use super::Folder;
use super::help::COMMANDS;

/// Commands that go on until they are stopped, or do their work, when they are told nothing more.
const WORKING: [&str; 13] = [
    "",
    "up",
    "simulate",
    "consume",
    "train",
    "serve",
    "dashboard",
    "config init",
    "config check",
    "config schema",
    "config show",
    "openapi",
    "setup",
];

/// Commands that read and print.
const READS: [&[&str]; 10] = [
    &["models", "list"],
    &["incidents", "list"],
    &["dead-letters", "list"],
    &["maintenance", "list"],
    &["labels", "list"],
    &["labels", "stats"],
    &["config", "show"],
    &["config", "check"],
    &["db", "check"],
    &["doctor"],
];

#[test]
fn a_command_that_is_told_too_little_or_finds_nothing_says_so() {
    let folder = Folder::new();
    let mut told = String::new();
    for command in COMMANDS {
        let name = command.join(" ");
        // What there is to say of these is in the other tests.
        if WORKING.contains(&name.as_str()) || name == "doctor" || name == "health" || name == "report" {
            continue;
        }
        writeln!(told, "$ hark {name}\n{}", folder.run(command)).unwrap();
    }
    insta::assert_snapshot!("told-too-little", told);
}

#[test]
fn a_mistyped_flag_is_refused_by_every_command() {
    let folder = Folder::new();
    for command in COMMANDS {
        let run = folder.run(&[command, &["--no-such-flag"]].concat());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{command:?}\n{run}");
        assert!(run.stderr.contains("--no-such-flag"), "{command:?}\n{run}");
    }
}

#[test]
fn every_read_speaks_to_programs_on_stdout_alone() {
    let folder = Folder::new();
    folder.write(
        "readings.csv",
        "device_id,timestamp,temperature\na,2025-08-06T10:00:00Z,20\na,soon,20\n",
    );
    assert_eq!(folder.run(&["import", "readings.csv"]).code, 1);
    for command in READS {
        for format in ["json", "ndjson", "csv"] {
            let run = folder.run(&[command, &["--format", format]].concat());
            assert!([0, 1].contains(&run.code), "{command:?}\n{run}");
            match format {
                "json" => drop(
                    serde_json::from_str::<serde_json::Value>(&run.stdout)
                        .unwrap_or_else(|cause| panic!("{command:?}: {cause}\n{run}")),
                ),
                "ndjson" => run.stdout.lines().for_each(|it| {
                    serde_json::from_str::<serde_json::Value>(it)
                        .unwrap_or_else(|cause| panic!("{command:?}: {cause}\n{run}"));
                }),
                _ => drop(
                    csv::Reader::from_reader(run.stdout.as_bytes())
                        .into_records()
                        .collect::<Result<Vec<_>, _>>()
                        .unwrap(),
                ),
            }
        }
    }
}

#[test]
fn json_is_short_for_its_format() {
    let folder = Folder::new();
    folder.write(
        "readings.csv",
        "device_id,timestamp,temperature\na,2025-08-06T10:00:00Z,20\n",
    );
    let tally = folder.ok(&["import", "readings.csv", "--json"]);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&tally).unwrap()[0]["stored"],
        1
    );
    for command in READS.iter().filter(|it| **it != ["doctor"]) {
        let short = folder.ok(&[command, &["--json"][..]].concat());
        assert_eq!(
            short,
            folder.ok(&[command, &["--format", "json"][..]].concat()),
            "{command:?}"
        );
    }
    let report = folder.ok(&["report", "--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&report).unwrap()[0]["title"].is_string());
}

#[test]
fn colours_are_as_they_were_asked_for() {
    let folder = Folder::new();
    let is_coloured = |args: &[&str], no_color: &str| {
        let mut command = folder.command(args);
        let output = command.env("NO_COLOR", no_color).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        told.contains(&0x1b)
    };
    for args in [
        &["doctor"][..],
        &["models", "show"],
        &["train"],
        &["up", "--nonsense"],
        &["--help"],
    ] {
        let with = |choice| [args, &["--color", choice]].concat();
        assert!(is_coloured(&with("always"), "1"), "{args:?}");
        assert!(!is_coloured(&with("never"), ""), "{args:?}");
        assert!(!is_coloured(&with("auto"), ""), "{args:?}");
    }
    // What programs read is never coloured.
    assert!(!is_coloured(&["doctor", "--json", "--color", "always"], ""));
}

#[test]
fn nothing_is_coloured_where_no_person_watches_and_quiet_is_quiet() {
    let folder = Folder::new();
    for command in READS {
        let run = folder.run(&[command, &["--quiet"]].concat());
        assert!(
            !format!("{}{}", run.stdout, run.stderr).contains('\u{1b}'),
            "{command:?}\n{run}"
        );
        assert!(run.code != 0 || run.stderr.is_empty(), "{command:?}\n{run}");
    }
}
