//! The help of every command, as it reads.

use super::Folder;

const COMMANDS: [&[&str]; 41] = [
    &[],
    &["up"],
    &["simulate"],
    &["consume"],
    &["train"],
    &["serve"],
    &["dashboard"],
    &["backtest"],
    &["forest"],
    &["forest", "fit"],
    &["forest", "score"],
    &["forest", "explain"],
    &["forest", "export"],
    &["forest", "import"],
    &["models"],
    &["models", "list"],
    &["models", "show"],
    &["models", "promote"],
    &["models", "rollback"],
    &["models", "export"],
    &["models", "import"],
    &["import"],
    &["export"],
    &["dead-letters"],
    &["dead-letters", "list"],
    &["dead-letters", "show"],
    &["dead-letters", "replay"],
    &["dead-letters", "purge"],
    &["incidents"],
    &["incidents", "list"],
    &["incidents", "show"],
    &["maintenance"],
    &["maintenance", "list"],
    &["maintenance", "add"],
    &["maintenance", "end"],
    &["config"],
    &["config", "init"],
    &["config", "check"],
    &["config", "show"],
    &["doctor"],
    &["completions"],
];

#[test]
fn the_help_of_each_command_reads_well() {
    let folder = Folder::new();
    for command in COMMANDS {
        let mut args = command.to_vec();
        args.push(if command.is_empty() { "--help" } else { "-h" });
        let name = if command.is_empty() {
            "hark".to_owned()
        } else {
            command.join("-")
        };
        insta::assert_snapshot!(format!("help-{name}"), folder.ok(&args));
    }
}

#[test]
fn every_flag_says_what_it_does() {
    let folder = Folder::new();
    for command in COMMANDS {
        let mut args = command.to_vec();
        args.push("-h");
        let help = folder.ok(&args);
        for line in help.lines().filter(|it| it.starts_with("      --")) {
            let flag = line.trim();
            assert!(flag.contains("  "), "{command:?}: `{flag}` says nothing");
        }
    }
}

#[test]
fn completions_name_the_commands() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(folder.ok(&["completions", shell]).contains("dead-letters"), "{shell}");
    }
}
