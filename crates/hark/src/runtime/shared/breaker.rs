//! A circuit breaker: who failed is left alone for a while, and then tried once.

use std::time::Duration;

/// How long it stays open at first; that doubles with each failed trial, up to the longest.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(10);

/// What it is; instants are counted from any beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaker {
    /// Everybody may ask.
    Closed { failures: u32 },
    /// Nobody may ask. Who comes first after this instant sets off a trial.
    Open { until: Duration, wait: Duration },
}

/// What somebody may do who has a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Ask.
    Ask,
    /// Have it tried whether there is an answer, and go on without one.
    Try,
    /// Go on without an answer.
    Pass,
}

/// A change that somebody should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Opened,
    Closed,
}

impl Breaker {
    pub(super) const NEW: Self = Self::Closed { failures: 0 };

    /// What one may do now.
    pub(super) fn ask(self, now: Duration) -> (Self, Leave) {
        match self {
            Self::Closed { .. } => (self, Leave::Ask),
            Self::Open { until, .. } if now < until => (self, Leave::Pass),
            Self::Open { wait, .. } => {
                let until = now + wait;
                (Self::Open { until, wait }, Leave::Try)
            }
        }
    }

    /// An answer came in time.
    pub(super) fn succeed(self) -> (Self, Option<Turn>) {
        match self {
            Self::Closed { .. } => (Self::NEW, None),
            Self::Open { .. } => (Self::NEW, Some(Turn::Closed)),
        }
    }

    /// No answer came in time, or one that means nothing. The last of `most` failures in a row opens it.
    pub(super) fn fail(self, now: Duration, most: u32) -> (Self, Option<Turn>) {
        match self {
            Self::Closed { failures } if failures + 1 < most => (Self::Closed { failures: failures + 1 }, None),
            Self::Closed { .. } => {
                let open = Self::Open {
                    until: now + FIRST,
                    wait: FIRST,
                };
                (open, Some(Turn::Opened))
            }
            // Of a question that was asked before it opened.
            Self::Open { .. } => (self, None),
        }
    }

    /// A trial failed.
    pub(super) fn fail_again(self, now: Duration) -> Self {
        match self {
            Self::Closed { .. } => self,
            Self::Open { wait, .. } => {
                let wait = (wait * 2).min(LONGEST);
                let until = now + wait;
                Self::Open { until, wait }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_three_times_is_left_alone_and_then_tried_once() {
        let at = Duration::from_millis;
        let mut it = Breaker::NEW;
        for nth in 0..3 {
            let turn;
            (it, turn) = it.fail(at(nth), 3);
            assert_eq!(turn.is_some(), nth == 2, "failure {nth}");
        }
        assert!(it.ask(at(400)).1 == Leave::Pass);
        let (trying, may) = it.ask(at(502));
        assert!(
            may == Leave::Try && trying.ask(at(503)).1 == Leave::Pass,
            "one trial at a time"
        );
        assert_eq!(trying.fail(at(505), 3), (trying, None), "asked before it opened");
        let again = trying.fail_again(at(510));
        assert!(again.ask(at(1_400)).1 == Leave::Pass && again.ask(at(1_510)).1 == Leave::Try);
        assert_eq!(again.succeed(), (Breaker::NEW, Some(Turn::Closed)));
    }

    #[test]
    fn a_success_forgets_the_failures_before_it() {
        let (it, _) = Breaker::NEW.fail(Duration::ZERO, 3);
        let (it, _) = it.fail(Duration::ZERO, 3);
        let (it, turn) = it.succeed();
        assert_eq!((it, turn), (Breaker::NEW, None));
    }
}
