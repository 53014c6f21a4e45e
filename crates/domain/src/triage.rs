//! What people do about an incident: a state, and the actions that move it.

use crate::Timestamp;

/// The longest note, name or comment, in bytes.
pub const MAX_NOTE_BYTES: usize = 2_000;

/// The longest name of a person, in bytes.
pub const MAX_NAME_BYTES: usize = 100;

/// Where an incident stands with the people who watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nobody has looked at it.
    Open,
    /// Somebody looks at it.
    Acknowledged,
    /// Nobody wants to hear of it before this instant.
    Snoozed(Timestamp),
    /// Done with.
    Resolved,
}

/// A phase without its particulars, to filter and to count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// [`Phase::Open`].
    Open,
    /// [`Phase::Acknowledged`].
    Acknowledged,
    /// [`Phase::Snoozed`].
    Snoozed,
    /// [`Phase::Resolved`].
    Resolved,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Acknowledged, Self::Snoozed, Self::Resolved];

    /// The stable name, `acknowledged`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
        }
    }

    /// The standing of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

impl Phase {
    /// The phase without its particulars.
    #[must_use]
    pub fn standing(self) -> Standing {
        match self {
            Self::Open => Standing::Open,
            Self::Acknowledged => Standing::Acknowledged,
            Self::Snoozed(_) => Standing::Snoozed,
            Self::Resolved => Standing::Resolved,
        }
    }

    /// The phase as it is at an instant: a snooze that is over is open again.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Snoozed(until) if until <= now => Self::Open,
            other => other,
        }
    }
}

/// A person's word on an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// Something was wrong with the machine.
    True,
    /// Nothing was wrong.
    FalseAlarm,
    /// It was unusual and known to come, such as maintenance.
    Expected,
    /// Something was wrong with the sensor.
    SensorFault,
}

impl Label {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::True, Self::FalseAlarm, Self::Expected, Self::SensorFault];

    /// The stable name, `false_alarm`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::FalseAlarm => "false_alarm",
            Self::Expected => "expected",
            Self::SensorFault => "sensor_fault",
        }
    }

    /// The label of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// A label with who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// The word.
    pub label: Label,
    /// Who.
    pub who: String,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Why.
    pub note: Option<String>,
}

/// What people have made of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Triage {
    /// Where it stands.
    pub phase: Phase,
    /// Who sees to it.
    pub assignee: Option<String>,
    /// What it was.
    pub label: Option<Labelled>,
}

impl Triage {
    /// An incident that was just told.
    pub const NEW: Self = Self {
        phase: Phase::Open,
        assignee: None,
        label: None,
    };
}

/// What a person does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Looks at it, and lets this person see to it; the one who acts if nobody is named.
    Acknowledge(Option<String>),
    /// Does not want to hear of it before this instant.
    Snooze(Timestamp),
    /// Is done with it.
    Resolve,
    /// Says what it was.
    Label(Label),
    /// Says something about it.
    Comment,
    /// Takes back the last action.
    Undo,
}

impl Act {
    /// The name of what was done, for the audit trail.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Acknowledge(_) => "acknowledged",
            Self::Snooze(_) => "snoozed",
            Self::Resolve => "resolved",
            Self::Label(_) => "labelled",
            Self::Comment => "commented",
            Self::Undo => "undone",
        }
    }

    /// What the audit trail says beside the name: who sees to it, until when, which label.
    #[must_use]
    pub fn detail(&self, after: &Triage) -> Option<String> {
        match self {
            Self::Acknowledge(_) => after.assignee.clone(),
            Self::Snooze(until) => Some(until.to_string()),
            Self::Label(label) => Some(label.as_str().to_owned()),
            Self::Resolve | Self::Comment | Self::Undo => None,
        }
    }
}

/// Something that a person does, with who, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub act: Act,
    /// Who.
    pub who: String,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// Why.
    pub note: Option<String>,
}

/// Why an action cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The incident's state does not allow it.
    #[error("an incident that is {from} cannot be {to}")]
    Transition {
        /// Where it stands.
        from: &'static str,
        /// What was asked for.
        to: &'static str,
    },
    /// A snooze or a comment without a word.
    #[error("a {0} needs a note")]
    NoteMissing(&'static str),
    /// A snooze that would be over already.
    #[error("the snooze would be over already at {0}")]
    Over(Timestamp),
    /// A name or note that is too long or invisible.
    #[error("{field} {problem}")]
    BadText {
        /// `who` or `note`.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// There is nothing that could be taken back.
    #[error("there is no action of the last {0} seconds that could be taken back")]
    NothingToUndo(u64),
}

impl Action {
    /// Checks what does not depend on the incident.
    ///
    /// # Errors
    /// When a note is missing, a text is too long, or a snooze is over.
    pub fn check(&self) -> Result<(), Refusal> {
        check_text("who", Some(&self.who), MAX_NAME_BYTES)?;
        check_text("note", self.note.as_deref(), MAX_NOTE_BYTES)?;
        match &self.act {
            Act::Snooze(until) if *until <= self.at => Err(Refusal::Over(*until)),
            Act::Snooze(_) if self.note.is_none() => Err(Refusal::NoteMissing("snooze")),
            Act::Comment if self.note.is_none() => Err(Refusal::NoteMissing("comment")),
            Act::Acknowledge(assignee) => check_text("assignee", assignee.as_deref(), MAX_NAME_BYTES),
            _ => Ok(()),
        }
    }
}

/// Checks a text that a person wrote about something.
///
/// # Errors
/// When it is empty, too long or holds control characters.
pub fn check_text(field: &'static str, text: Option<&str>, max: usize) -> Result<(), Refusal> {
    let Some(text) = text else { return Ok(()) };
    let problem = if text.trim().is_empty() {
        "is empty".to_owned()
    } else if text.len() > max {
        format!("has {} bytes, at most {max} are taken", text.len())
    } else if text.chars().any(|it| it.is_control() && it != '\n' && it != '\t') {
        "holds control characters".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::BadText { field, problem })
}

impl Triage {
    /// The triage after an action. Taking back is not decided here: it needs the state before.
    ///
    /// # Errors
    /// When the state does not allow the action; nothing is changed.
    pub fn after(&self, action: &Action) -> Result<Self, Refusal> {
        action.check()?;
        let phase = self.phase.at(action.at);
        let refused = || Refusal::Transition {
            from: phase.standing().as_str(),
            to: action.act.as_str(),
        };
        let mut next = Self { phase, ..self.clone() };
        match (&action.act, phase) {
            (Act::Acknowledge(assignee), Phase::Open | Phase::Snoozed(_)) => {
                next.phase = Phase::Acknowledged;
                next.assignee = Some(assignee.clone().unwrap_or_else(|| action.who.clone()));
            }
            (Act::Acknowledge(Some(assignee)), Phase::Acknowledged) if self.assignee.as_ref() != Some(assignee) => {
                next.assignee = Some(assignee.clone());
            }
            (Act::Snooze(until), Phase::Open | Phase::Acknowledged | Phase::Snoozed(_)) => {
                next.phase = Phase::Snoozed(*until);
            }
            (Act::Resolve, Phase::Open | Phase::Acknowledged | Phase::Snoozed(_)) => next.phase = Phase::Resolved,
            (Act::Label(label), _) => {
                next.label = Some(Labelled {
                    label: *label,
                    who: action.who.clone(),
                    at: action.at,
                    note: action.note.clone(),
                });
            }
            (Act::Comment, _) => {}
            _ => return Err(refused()),
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(act: Act) -> Action {
        Action {
            act,
            who: "kim".to_owned(),
            at: Timestamp::from_secs(100),
            note: Some("why".to_owned()),
        }
    }

    fn standing(phase: Phase) -> Triage {
        Triage { phase, ..Triage::NEW }
    }

    /// From a phase by an action to a phase; none where it is refused.
    #[track_caller]
    fn check(from: Phase, act: Act, to: Option<Phase>) {
        let after = standing(from).after(&action(act.clone()));
        assert_eq!(after.ok().map(|it| it.phase), to, "{from:?} {act:?}");
    }

    #[test]
    fn only_sensible_steps_are_taken() {
        let (soon, past) = (Timestamp::from_secs(200), Timestamp::from_secs(50));
        let phases = [Phase::Open, Phase::Acknowledged, Phase::Snoozed(soon), Phase::Resolved];
        let acknowledged = Some(Phase::Acknowledged);
        let outcomes = [
            (Act::Acknowledge(None), [acknowledged, None, acknowledged, None]),
            (
                Act::Snooze(soon),
                [
                    Some(Phase::Snoozed(soon)),
                    Some(Phase::Snoozed(soon)),
                    Some(Phase::Snoozed(soon)),
                    None,
                ],
            ),
            (Act::Snooze(past), [None; 4]),
            (
                Act::Resolve,
                [
                    Some(Phase::Resolved),
                    Some(Phase::Resolved),
                    Some(Phase::Resolved),
                    None,
                ],
            ),
            (Act::Label(Label::True), phases.map(Some)),
            (Act::Comment, phases.map(Some)),
            (Act::Undo, [None; 4]),
        ];
        for (act, to) in outcomes {
            for (from, to) in phases.into_iter().zip(to) {
                check(from, act.clone(), to);
            }
        }
        check(Phase::Snoozed(past), Act::Comment, Some(Phase::Open));
        check(
            Phase::Acknowledged,
            Act::Acknowledge(Some("lee".to_owned())),
            acknowledged,
        );
    }

    #[test]
    fn a_snooze_and_a_comment_need_a_word() {
        for act in [Act::Snooze(Timestamp::from_secs(200)), Act::Comment] {
            let silent = Action {
                note: None,
                ..action(act)
            };
            assert!(matches!(Triage::NEW.after(&silent), Err(Refusal::NoteMissing(_))));
        }
        let long = Action {
            note: Some("x".repeat(MAX_NOTE_BYTES + 1)),
            ..action(Act::Comment)
        };
        assert!(matches!(
            Triage::NEW.after(&long),
            Err(Refusal::BadText { field: "note", .. })
        ));
    }

    #[test]
    fn who_acknowledges_sees_to_it() {
        let mine = Triage::NEW.after(&action(Act::Acknowledge(None))).unwrap();
        assert_eq!(mine.assignee.as_deref(), Some("kim"));
        let theirs = Triage::NEW
            .after(&action(Act::Acknowledge(Some("lee".to_owned()))))
            .unwrap();
        assert_eq!(theirs.assignee.as_deref(), Some("lee"));
    }
}
