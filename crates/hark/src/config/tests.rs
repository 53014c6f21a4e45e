//! The sample is the defaults; later layers win; everything wrong is told at once.

use std::time::Duration;

use detector::{Tempo, ThresholdPolicy, Unit};

use super::*;

fn load(toml: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Loaded, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hark.toml");
    std::fs::write(&path, toml).unwrap();
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let flags = Flags {
        file: Some(path),
        ..flags
    };
    Config::load_with(&flags, &Environment::of(variables))
}

fn setting(key: &'static str, value: &str) -> Flags {
    Flags {
        settings: vec![Setting {
            key,
            value: value.to_owned(),
            flag: "--flag",
        }],
        ..Flags::default()
    }
}

#[test]
fn the_sample_holds_the_documented_defaults() {
    for toml in ["", SAMPLE] {
        let config = load(toml, &[], Flags::default()).unwrap().config;
        assert_eq!(config.api.listen, "127.0.0.1:8000".parse().unwrap());
        assert_eq!(
            (config.api.max_request_bytes, config.api.max_batch_bytes),
            (1 << 20, 8 << 20)
        );
        assert_eq!(config.signals, domain::Signals::default());
        assert_eq!(config.forest, forest::Params::default());
        assert_eq!(config.detector.spec, detector::FeatureSpec::default());
        assert_eq!(config.detector.policy, ThresholdPolicy::default());
        assert_eq!(config.warehouse.retention, Some(Duration::from_secs(90 * 86_400)));
        assert_eq!((config.simulator.devices, config.simulator.seed), (50, 42));
    }
}

#[test]
fn flags_win_over_the_environment_which_wins_over_the_file() {
    let toml = "[simulator]\ndevices = 1\nseed = 7\ninterval = \"1s\"\n";
    let variables = [
        ("HARK__SIMULATOR__DEVICES", "2"),
        ("NUM_DEVICES", "9"),
        ("PUBLISH_INTERVAL", "30"),
        ("HARK__WAREHOUSE__RETENTION", "forever"),
        ("HARK__SIGNALS", "[{ name = \"pressure\", unit = \"bar\" }]"),
        ("PATH_OF_NO_CONCERN", "x"),
    ];
    let loaded = load(toml, &variables, setting("simulator.devices", "3")).unwrap();
    assert_eq!(loaded.config.simulator.devices, 3);
    assert_eq!(loaded.config.simulator.seed, 7);
    assert_eq!(loaded.config.simulator.interval, Duration::from_secs(30));
    assert_eq!(loaded.config.warehouse.retention, None);
    assert_eq!(loaded.config.signals[0].name, "pressure");

    let source = |key: &str| loaded.origins.iter().find(|it| it.key == key).unwrap().source.clone();
    assert_eq!(source("simulator.devices"), "flag --flag");
    assert_eq!(source("simulator.interval"), "environment PUBLISH_INTERVAL");
    assert_eq!(source("warehouse.retention"), "environment HARK__WAREHOUSE__RETENTION");
    assert!(source("simulator.seed").ends_with("hark.toml"));
    assert_eq!(source("bus.kind"), "default");
}

#[test]
fn a_secret_may_stand_in_a_file_and_is_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "redis://kim:word@127.0.0.1:6379\n").unwrap();
    for name in ["REDIS_URL_FILE", "HARK__REDIS__URL_FILE"] {
        let variables = [(name, path.to_str().unwrap()), ("HARK__REDIS__PREFIX", "a b")];
        // A build without Redis refuses it in any case: the prefix is wrong as well, and neither tells the password.
        let error = load("", &variables, Flags::default()).unwrap_err();
        assert!(!error.to_string().contains("word"), "{error}");
        assert!(error.problems.iter().all(|it| it.key.starts_with("redis.")), "{error}");
        let error = load("", &[(name, "no/such/file")], Flags::default()).unwrap_err();
        assert!(error.to_string().contains("`no/such/file`"), "{error}");
    }
}

#[test]
fn a_folder_may_be_called_like_a_number() {
    let config = load("", &[("HARK__DATA__DIR", "0017")], Flags::default())
        .unwrap()
        .config;
    assert_eq!(config.data.dir, std::path::Path::new("0017"));
}

#[track_caller]
fn check(toml: &str, expected: &[(&str, Option<&str>)]) {
    let error = load(toml, &[], Flags::default()).unwrap_err();
    let told: Vec<(String, Option<&str>)> = error
        .problems
        .iter()
        .map(|it| (without_folder(&it.message), it.hint.as_deref()))
        .collect();
    let told: Vec<(&str, Option<&str>)> = told.iter().map(|(message, hint)| (message.as_str(), *hint)).collect();
    assert_eq!(told, expected);
}

fn without_folder(message: &str) -> String {
    match message.split_once(" (") {
        Some((before, origin)) if origin.ends_with("hark.toml)") => before.to_owned(),
        _ => message.to_owned(),
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    check(
        "[api]\nlsten = \"x\"\n[forest]\ntrees = \"many\"\n[detctor]\nx = 1\n",
        &[
            ("there is no key `api.lsten`", Some("did you mean `api.listen`?")),
            ("there is no key `detctor`", Some("did you mean `detector`?")),
            (
                "`forest.trees` is text, a whole number is needed",
                Some("the default is 100"),
            ),
        ],
    );
    check(
        "[api]\nlisten = \"nowhere\"\n[bus]\nkind = \"kafka\"\n[train]\nholdout = 0.95\n[forest]\ntrees = 0\n",
        &[
            (
                "`api.listen` is \"nowhere\", which is not an address with a port",
                Some("write it as 127.0.0.1:8000 or [::1]:8000"),
            ),
            ("`forest`: the number of trees must lie in 1..=10000, not 0", None),
            (
                "`bus.kind` is \"kafka\", which does not exist",
                Some("this build knows \"embedded\" and \"pubsub\""),
            ),
            ("`train.holdout` is 0.95", Some("it must lie between 0 and 0.9")),
        ],
    );
}

#[test]
fn a_fault_in_a_section_hides_no_other_fault() {
    check(
        "[api]\nlisen = \"x\"\nlisten = \"nowhere\"\n[forest]\ntrees = -1\nsubsample = 0\n[detector]\nfeatures = [\"vale\"]\n\
         incident_quiet = \"soon\"\n[bus]\nqueue = 1\nkind = \"kafka\"\n[bus.pubsub]\ntopik = \"a\"\n",
        &[
            ("there is no key `api.lisen`", Some("did you mean `api.listen`?")),
            (
                "there is no key `bus.pubsub.topik`",
                Some("did you mean `bus.pubsub.topic`?"),
            ),
            ("there is no key `bus.queue`", Some("did you mean `bus.max_queued`?")),
            (
                "`forest.trees` is -1: invalid type: 64-bit integer `-1`, expected an unsigned 64 bit or less integer for key `trees`",
                Some("the default is 100"),
            ),
            (
                "`detector.features` is [\"vale\"]: enum Feature does not have variant constructor vale for key `features[0]`",
                Some(
                    "the default is [\"value\", \"hour\", \"day_of_week\", { moving_average = { window = 5 } }, \"z_score\"]",
                ),
            ),
            (
                "`api.listen` is \"nowhere\", which is not an address with a port",
                Some("write it as 127.0.0.1:8000 or [::1]:8000"),
            ),
            ("`forest`: the subsample must lie in 1..=32768, not 0", None),
            (
                "`detector.incident_quiet`: `soon` is not a length of time such as 30s, 5m, 2d or 1h30m",
                None,
            ),
            (
                "`bus.kind` is \"kafka\", which does not exist",
                Some("this build knows \"embedded\" and \"pubsub\""),
            ),
        ],
    );
    check(
        "[[signals]]\nname = \"v\"\nhihg = 3\nlow = \"x\"\n[train]\nholdout = 2.0\n",
        &[
            (
                "there is no key `signals.v.hihg`",
                Some("did you mean `signals.v.high`?"),
            ),
            ("`signals.v.low` is text, a number is needed", None),
            ("`train.holdout` is 2", Some("it must lie between 0 and 0.9")),
        ],
    );
}

#[test]
fn whole_numbers_are_not_rounded_and_lists_are_checked() {
    check(
        "[forest]\ntrees = 1.5\n",
        &[(
            "`forest.trees` is a number, a whole number is needed",
            Some("the default is 100"),
        )],
    );
    check(
        "[[signals]]\nname = \"device_id\"\n",
        &[("`signals`: signal name `device_id` is the name of another field", None)],
    );
}

#[test]
fn limits_that_make_no_sense_are_told() {
    check(
        "[[signals]]\nname = \"t\"\nlow = 30\nhigh = 18\n",
        &[("`signals`: low = 30 of t is not below its high = 18", None)],
    );
    check(
        "[[signals]]\nname = \"v\"\nsides = \"up\"\n",
        &[(
            "`signals.v.sides` is \"up\", which does not exist",
            Some("this build knows \"both\" and \"high\" and \"low\""),
        )],
    );
}

#[test]
fn half_lives_count_in_intervals_or_in_time() {
    let tempo = |toml| load(toml, &[], Flags::default()).unwrap().config.detector.tempo;
    assert_eq!(tempo(""), Tempo::default());
    let set = tempo("[detector.half_lives]\nunit = \"10s\"\nsmooth = 30\n");
    assert_eq!((set.unit, set.smooth, set.level), (Unit::Seconds(10.0), 30.0, 300.0));
    check(
        "[detector.half_lives]\nunit = \"often\"\n",
        &[(
            "`detector.half_lives.unit`: `often` is neither \"interval\" nor a length of time such as 10s",
            None,
        )],
    );
    check(
        "[detector.half_lives]\nlevel = 0\n",
        &[("`detector`: the half-life `level` must be above 0, not 0", None)],
    );
}

#[test]
fn only_loopback_addresses_are_safe_unless_said_otherwise() {
    let flags = |insecure| Flags {
        listeners: vec![Listener::Api],
        insecure,
        ..setting("api.listen", "0.0.0.0:8000")
    };
    let error = load("", &[], flags(false)).unwrap_err();
    assert!(error.problems[0].hint.as_ref().unwrap().contains("--insecure"));
    assert!(load("", &[], flags(true)).is_ok());
    assert!(
        load("", &[], setting("api.listen", "0.0.0.0:8000")).is_ok(),
        "nothing listens"
    );
    assert!(load("", &[], setting("api.listen", "localhost:1")).is_ok());
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_told() {
    let flags = Flags {
        file: Some("no/such.toml".into()),
        ..Flags::default()
    };
    let error = Config::load_with(&flags, &Environment::default()).unwrap_err();
    assert_eq!(error.to_string(), "there is no configuration file `no/such.toml`");
    let error = load("[api\n", &[], Flags::default()).unwrap_err();
    assert!(error.to_string().contains("is not valid TOML"), "{error}");
}

#[cfg(not(feature = "gcp"))]
#[test]
fn a_build_without_google_says_so() {
    check(
        "[bus]\nkind = \"pubsub\"\n",
        &[(
            "`bus.kind` is \"pubsub\", which this build was made without",
            Some("use an official build, or build with `--features gcp`"),
        )],
    );
}

#[cfg(feature = "gcp")]
#[test]
fn google_needs_a_project_and_fit_names() {
    check(
        "[warehouse]\nkind = \"bigquery\"\n",
        &[(
            "`google.project` is empty, and `warehouse.kind` = \"bigquery\" needs it",
            Some("name the Google Cloud project, or set PROJECT_ID"),
        )],
    );
    check(
        "[bus.pubsub]\ntopic = \"goog\"\nlease = \"1h\"\nendpoint = \"localhost:8085\"\n",
        &[
            (
                "`bus.pubsub.topic` is \"goog\"",
                Some("write a letter and then letters, digits or -_.~+%, 3 to 255 in all, without the project"),
            ),
            ("`bus.pubsub.lease` is \"1h\"", Some("it must lie between 10s and 10m")),
            (
                "`bus.pubsub.endpoint` is \"localhost:8085\", which is no address",
                Some("write it as http://127.0.0.1:8085, or leave it empty for Google's service"),
            ),
        ],
    );
}

#[test]
fn the_names_of_the_reference_are_honoured() {
    let variables = [
        ("PROJECT_ID", "plant"),
        ("TOPIC_NAME", "readings"),
        ("SUBSCRIPTION_NAME", "consumers"),
        ("PUBSUB_EMULATOR_HOST", "localhost:8085"),
    ];
    let loaded = load("", &variables, Flags::default()).unwrap();
    let value = |key: &str| loaded.origins.iter().find(|it| it.key == key).unwrap().value.clone();
    assert_eq!(value("google.project"), "\"plant\"");
    assert_eq!(value("bus.pubsub.topic"), "\"readings\"");
    assert_eq!(value("bus.pubsub.subscription"), "\"consumers\"");
    assert_eq!(value("bus.pubsub.endpoint"), "\"http://localhost:8085\"");
}
