//! Looking through, backing up, putting back.

use serde_json::Value;

use super::{Folder, Run};

/// Readings, a refused one, a maintenance window and a configuration.
fn filled() -> Folder {
    let folder = Folder::new();
    folder.write("hark.toml", "[simulator]\ndevices = 3\n");
    let mut readings = folder.ok(&["simulate", "--start", "2025-08-06T10:00:00Z", "--duration", "10m"]);
    readings.push_str("not json\n");
    let run = folder.run_with(&["consume"], &readings);
    assert_eq!(run.code, 0, "{run}");
    folder.ok(&["maintenance", "add", "--for", "1h", "--reason", "a belt"]);
    folder
}

/// The rows of each table of a check.
fn rows(checked: &str) -> Vec<(String, u64)> {
    let parts: Vec<Value> = serde_json::from_str(checked).unwrap();
    let of = |it: &Value| Some((it["part"].as_str()?.to_owned(), it["rows"].as_u64()?));
    parts.iter().filter_map(of).collect()
}

fn refused(run: &Run, code: i32, why: &str) {
    assert_eq!(run.code, code, "{run}");
    assert!(run.stderr.contains(why), "{run}");
}

#[test]
fn what_is_backed_up_comes_back_as_it_was() {
    let folder = filled();
    let there = folder.ok(&["db", "check", "--json"]);
    assert!(rows(&there).contains(&("sensor_readings".to_owned(), 180)), "{there}");
    assert!(rows(&there).contains(&("dead_letters".to_owned(), 1)), "{there}");
    let exported = folder.ok(&["export"]);

    let wrote = folder.ok(&["db", "backup", "--output", "kept", "--json"]);
    for name in ["hark.db", "hark.toml", "maintenance.json"] {
        assert!(wrote.contains(&format!("\"path\": \"{name}\"")), "{name}: {wrote}");
    }
    folder.ok(&["db", "backup", "--output", "kept.tar"]);
    assert!(folder.path("hark-data/last-backup").exists());
    for backup in ["kept", "kept.tar"] {
        assert_eq!(
            rows(&folder.ok(&["db", "check", backup, "--json"])),
            rows(&there),
            "{backup}"
        );
        let tried = folder.run(&["--data-dir", "elsewhere", "db", "restore", backup, "--dry-run"]);
        refused(&tried, 0, "nothing was changed");
        assert!(!folder.path("elsewhere").exists());
        folder.ok(&["--data-dir", "elsewhere", "db", "restore", backup]);
        assert_eq!(folder.ok(&["--data-dir", "elsewhere", "export"]), exported, "{backup}");
        let windows = folder.ok(&["--data-dir", "elsewhere", "maintenance", "list"]);
        assert!(windows.contains("a belt"), "{windows}");
        std::fs::remove_dir_all(folder.path("elsewhere")).unwrap();
    }
}

#[test]
fn a_backup_goes_through_pipes() {
    let folder = filled();
    let backup = folder.command(&["db", "backup", "--output", "-"]).output().unwrap();
    assert!(backup.status.success());
    let restored = assert_cmd::Command::from_std(folder.command(&["--data-dir", "there", "db", "restore", "-"]))
        .write_stdin(backup.stdout)
        .output()
        .unwrap();
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    assert_eq!(folder.ok(&["--data-dir", "there", "export"]), folder.ok(&["export"]));
}

#[test]
fn what_is_there_is_replaced_only_when_told_and_never_lost() {
    let folder = filled();
    let exported = folder.ok(&["export"]);
    folder.ok(&["db", "backup", "--output", "kept"]);
    folder.write(
        "more.csv",
        "device_id,timestamp,temperature\nb,2025-08-07T10:00:00Z,20\n",
    );
    folder.ok(&["import", "more.csv"]);
    refused(&folder.run(&["db", "restore", "kept"]), 2, "hint: say --yes");
    folder.ok(&["db", "restore", "kept", "--yes"]);
    assert_eq!(folder.ok(&["export"]), exported);
    let aside = std::fs::read_dir(folder.path("hark-data"))
        .unwrap()
        .map(|it| it.unwrap().path())
        .find(|it| it.file_name().unwrap().to_str().unwrap().starts_with("replaced-"))
        .unwrap();
    assert!(
        folder
            .ok(&["--data-dir", aside.to_str().unwrap(), "export"])
            .contains("\"b\"")
    );
}

#[test]
fn a_damaged_backup_is_found_out_before_anything_is_moved() {
    let folder = filled();
    folder.ok(&["db", "backup", "--output", "kept"]);
    let before = folder.ok(&["export"]);
    let mut bytes = std::fs::read(folder.path("kept/hark.db")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(folder.path("kept/hark.db"), bytes).unwrap();
    refused(
        &folder.run(&["db", "restore", "kept", "--yes"]),
        1,
        "`hark.db` of the backup is damaged",
    );
    refused(
        &folder.run(&["db", "check", "kept"]),
        1,
        "`hark.db` of the backup is damaged",
    );
    assert_eq!(folder.ok(&["export"]), before);
}

#[test]
fn a_folder_that_a_process_holds_is_backed_up_and_not_replaced() {
    let folder = filled();
    let lock = warehouse::embedded::DataDirLock::acquire(&folder.path("hark-data")).unwrap();
    folder.ok(&["db", "backup", "--output", "kept"]);
    folder.ok(&["db", "check"]);
    refused(
        &folder.run(&["db", "restore", "kept", "--yes"]),
        1,
        "is in use by process",
    );
    drop(lock);
}

#[test]
fn damage_is_named_part_by_part() {
    let folder = filled();
    std::fs::create_dir_all(folder.path("hark-data/models/m-0001")).unwrap();
    folder.write("hark-data/models/m-0001/model.hark", "this is no model");
    folder.write("hark-data/models/live", "m-0009\n");
    folder.write("hark-data/maintenance.json", "{");
    let run = folder.run(&["db", "check", "--json"]);
    refused(&run, 1, "3 parts are damaged");
    let parts: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    let damaged: Vec<&Value> = parts
        .iter()
        .filter(|it| it["state"] == "damaged")
        .map(|it| &it["part"])
        .collect();
    assert_eq!(damaged, ["models/m-0001", "models/live", "maintenance.json"]);
    folder.write("hark-data/hark.db", "this is no database");
    refused(&folder.run(&["db", "check"]), 1, "4 parts are damaged");
}
