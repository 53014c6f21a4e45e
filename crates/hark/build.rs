//! Tells the program which commit it was built from, and when that was made: the same sources give the same bytes.
//!
//! Outside of a git repository `HARK_COMMIT` and `SOURCE_DATE_EPOCH` say it, or it stays unknown. Builds for development
//! leave it out, so that a commit alone builds nothing anew.

use std::process::Command;

const UNKNOWN: &str = "unknown";
const DAY: i64 = 86_400;

fn main() {
    println!("cargo::rerun-if-env-changed=HARK_COMMIT");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=build.rs");
    let said = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    let (commit, seconds) = if said("PROFILE").as_deref() == Some("release") {
        follow_repository();
        (
            said("HARK_COMMIT").or_else(commit),
            said("SOURCE_DATE_EPOCH").or_else(|| git(&["log", "-1", "--format=%ct"])),
        )
    } else {
        (Some("development".to_owned()), said("SOURCE_DATE_EPOCH"))
    };
    let commit = commit.unwrap_or_else(|| UNKNOWN.to_owned());
    let date = seconds.and_then(|it| Some(date(it.parse::<i64>().ok()?.div_euclid(DAY))));
    let version = env!("CARGO_PKG_VERSION");
    let long = match date {
        Some(date) => format!("{version} ({commit} {date})"),
        None => format!("{version} ({commit})"),
    };
    println!("cargo::rustc-env=HARK_COMMIT={commit}");
    println!("cargo::rustc-env=HARK_VERSION={long}");
}

/// Another commit, or other sources, ask again.
fn follow_repository() {
    println!("cargo::rerun-if-changed=../../crates");
    println!("cargo::rerun-if-changed=../../Cargo.lock");
    let Some(head) = git(&["rev-parse", "--git-path", "HEAD"]) else {
        return;
    };
    println!("cargo::rerun-if-changed={head}");
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    if let Some(path) = branch.and_then(|it| git(&["rev-parse", "--git-path", &it])) {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// The commit's short name, marked when the sources are not quite those of the commit.
fn commit() -> Option<String> {
    let name = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some();
    Some(if changed { format!("{name}, changed") } else { name })
}

/// What git says, if it says anything.
fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let told = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !told.is_empty()).then_some(told)
}

/// The date of a day since 1970, in the Gregorian calendar with years that begin in March.
fn date(day: i64) -> String {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (of_month, month) = (
        of_year - (153 * month + 2) / 5 + 1,
        month + if month < 10 { 3 } else { -9 },
    );
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{of_month:02}")
}
