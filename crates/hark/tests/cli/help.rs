//! The help of every command, as it reads.

use super::Folder;

pub(super) const COMMANDS: [&[&str]; 56] = [
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
    &["labels"],
    &["labels", "list"],
    &["labels", "stats"],
    &["labels", "export"],
    &["labels", "import"],
    &["maintenance"],
    &["maintenance", "list"],
    &["maintenance", "add"],
    &["maintenance", "end"],
    &["report"],
    &["db"],
    &["db", "check"],
    &["db", "backup"],
    &["db", "restore"],
    &["config"],
    &["config", "init"],
    &["config", "check"],
    &["config", "schema"],
    &["config", "show"],
    &["setup"],
    &["doctor"],
    &["health"],
    &["completions"],
    &["man"],
    &["openapi"],
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
fn every_command_is_shown_in_use_by_itself_or_by_its_group() {
    let folder = Folder::new();
    let shows = |words: &[&str]| folder.ok(&[words, &["-h"]].concat()).contains("Examples:");
    for command in COMMANDS {
        assert!(shows(command) || shows(&command[..1]), "{command:?}");
    }
}

#[test]
fn examples_come_first() {
    let folder = Folder::new();
    for command in COMMANDS {
        for flag in ["-h", "--help"] {
            let help = folder.ok(&[command, &[flag]].concat());
            if let Some(examples) = help.find("Examples:") {
                assert!(examples < help.find("Usage:").unwrap(), "{command:?} {flag}");
            }
        }
    }
}

#[test]
fn completions_name_the_commands() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = folder.ok(&["completions", shell]);
        for word in ["dead-letters", "backup", "labels", "json"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn the_manual_has_a_page_for_every_command_with_its_flags() {
    let folder = Folder::new();
    folder.ok(&["man", "pages"]);
    for command in COMMANDS {
        let mut name = vec!["hark"];
        name.extend(command);
        let page = std::fs::read_to_string(folder.path(&format!("pages/{}.1", name.join("-")))).unwrap();
        assert!(page.contains(".SH NAME") && page.contains("hark"), "{command:?}");
    }
    let models = std::fs::read_to_string(folder.path("pages/hark-models.1")).unwrap();
    assert!(models.contains("hark models promote m\\-0002"), "{models}");
    let train = std::fs::read_to_string(folder.path("pages/hark-train.1")).unwrap();
    assert!(train.contains("\\-\\-metrics\\-listen"), "{train}");
}

#[test]
fn the_description_of_the_api_is_json_that_names_its_paths() {
    let folder = Folder::new();
    let document: serde_json::Value = serde_json::from_str(&folder.ok(&["openapi"])).unwrap();
    assert!(document["paths"]["/detect"]["post"].is_object());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
}
