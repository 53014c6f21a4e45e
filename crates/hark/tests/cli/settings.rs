//! The configuration file and where values come from.

use super::Folder;

#[test]
fn the_written_file_is_sound_and_explains_itself() {
    let folder = Folder::new();
    folder.ok(&["config", "init"]);
    assert_eq!(folder.read("hark.toml"), include_str!("../../../../config/hark.toml"));
    let run = folder.run(&["config", "check"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains("`hark.toml` is sound"), "{run}");
    folder.ok(&["config", "init", "--force"]);
}

/// As a program with all features shows it.
#[cfg(all(feature = "gcp", feature = "redis", feature = "otel"))]
#[test]
fn each_value_is_shown_with_where_it_came_from() {
    let folder = Folder::new();
    folder.write(
        "hark.toml",
        "[simulator]\ndevices = 7\n[[signals]]\nname = \"pressure\"\nunit = \"bar\"\n",
    );
    let mut command = folder.command(&["config", "show", "--origin", "--data-dir", "elsewhere"]);
    command.env("HARK__TRAIN__HOLDOUT", "0.3").env("PUBLISH_INTERVAL", "30");
    let output = command.output().unwrap();
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}
