//! What goes wrong most often, and what is said then.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use super::Folder;

#[track_caller]
fn check(name: &str, folder: &Folder, args: &[&str]) {
    insta::assert_snapshot!(format!("error-{name}"), folder.run(args));
}

#[test]
fn a_mistyped_command_or_flag_is_told_with_the_likely_one() {
    let folder = Folder::new();
    check("command", &folder, &["simulat"]);
    check("flag", &folder, &["up", "--no-simulater"]);
    check("span", &folder, &["simulate", "--history", "2 weeks ago"]);
    check("time", &folder, &["train", "--since", "yesterday"]);
}

#[test]
fn everything_that_is_wrong_with_a_configuration_is_told() {
    let folder = Folder::new();
    folder.write(
        "hark.toml",
        "[api]\nlisten = \"here\"\n[forest]\ntrees = 0\n[bus]\nkind = \"embeded\"\n[warehouse]\nretention = \"0s\"\n",
    );
    check("config-values", &folder, &["config", "check"]);
    folder.write(
        "hark.toml",
        "[api]\nlisen = \"x\"\n[detecter]\n[forest]\ntrees = \"many\"\n",
    );
    check("config-keys", &folder, &["doctor"]);
    folder.write(
        "hark.toml",
        "[api]\nlisen = \"x\"\nlisten = \"here\"\n[train]\nholdout = 2.0\n[[signals]]\nname = \"t\"\nhihg = 3\n",
    );
    check("config-all", &folder, &["config", "check"]);
    check("config-all-json", &folder, &["config", "check", "--json"]);
    folder.write("hark.toml", "[api\n");
    check("config-syntax", &folder, &["config", "show"]);
    check(
        "config-missing",
        &folder,
        &["--config", "other.toml", "config", "check"],
    );
}

#[test]
fn a_format_that_means_nothing_there_is_refused() {
    let folder = Folder::new();
    check("format-of-none", &folder, &["up", "--format", "json"]);
    check("format-of-few", &folder, &["export", "--format", "table"]);
}

#[test]
fn what_cannot_be_backed_up_or_restored_is_told() {
    let folder = Folder::new();
    check("no-data-to-check", &folder, &["db", "check"]);
    check("no-data-to-back-up", &folder, &["db", "backup", "--output", "b"]);
    check("no-backup", &folder, &["db", "restore", "no-such-folder"]);
    folder.write("t.csv", "device_id,timestamp,temperature\na,2025-08-06T10:00:00Z,20\n");
    check("no-backup-in-it", &folder, &["db", "restore", "."]);
    check("backup-is-no-tar", &folder, &["db", "check", "t.csv"]);
    folder.ok(&["import", "t.csv"]);
    check("backup-is-there", &folder, &["db", "backup", "--output", "hark-data"]);
    check("labels-of-no-column", &folder, &["labels", "import", "t.csv"]);
    folder.write("labels.csv", "incident_id,label\nx,true\n");
    check("labels-of-no-incident", &folder, &["labels", "import", "labels.csv"]);
}

#[test]
fn a_server_for_everybody_needs_an_explicit_word() {
    let folder = Folder::new();
    check("insecure", &folder, &["up", "--listen", "0.0.0.0:8000"]);
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let folder = Folder::new();
    check("no-file", &folder, &["import", "no-such.csv"]);
    folder.write("table.txt", "a,b\n1,2\n");
    check("unknown-format", &folder, &["import", "table.txt"]);
    folder.write("pumps.csv", "pump,at,t1\na,2025-08-06T10:00:00Z,20\n");
    check("no-column", &folder, &["import", "pumps.csv"]);
    check(
        "no-signal",
        &folder,
        &["import", "pumps.csv", "--device-column", "pump", "--time-column", "at"],
    );
    folder.write("hark.toml", "");
    check("init-twice", &folder, &["config", "init"]);
    check("nothing-to-export", &folder, &["export"]);
}

#[test]
fn a_version_or_kind_that_is_not_there_is_told() {
    let folder = Folder::new();
    check("no-model", &folder, &["models", "promote", "m-0007"]);
    check("nothing-to-roll-back", &folder, &["models", "rollback"]);
    check("no-kind", &folder, &["dead-letters", "list", "--code", "malformed"]);
}

#[test]
fn a_data_folder_in_use_is_told_with_the_way_round_it() {
    let folder = Folder::new();
    folder.write("t.csv", "device_id,timestamp,temperature\na,2025-08-06T10:00:00Z,20\n");
    let lock = warehouse::embedded::DataDirLock::acquire(&folder.path("hark-data")).unwrap();
    let run = folder.run(&["import", "t.csv"]);
    drop(lock);
    assert_eq!(run.code, 1, "{run}");
    assert!(
        run.stderr
            .contains(&format!("is in use by process {}", std::process::id())),
        "{run}"
    );
    assert!(run.stderr.contains("--to http://127.0.0.1:8000"), "{run}");
}

#[test]
fn a_hark_that_is_away_ends_with_the_code_for_it() {
    let folder = Folder::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{free}");
    let run = folder.run(&["simulate", "--history", "1m", "--to", &url]);
    assert_eq!(run.code, 4, "{run}");
    assert!(
        run.stderr.contains("cannot be reached") && run.stderr.contains("hint: start it"),
        "{run}"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    let mut child = folder
        .command(&["simulate", "--history", "30d"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(line.starts_with('{'), "{line}");
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn metrics_for_everybody_need_an_explicit_word() {
    let folder = Folder::new();
    check(
        "insecure-metrics",
        &folder,
        &["consume", "--metrics-listen", "0.0.0.0:9464"],
    );
}
