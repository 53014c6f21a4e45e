//! A circuit breaker: who failed several times in a row is left alone for a while, and then tried once.

use std::time::Duration;

/// So many failures in a row open it.
const FAILURES: u32 = 3;

/// How long it stays open at first; that doubles with each failed trial, up to the longest.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(10);

/// What it is; instants are counted from any beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaker {
    /// Everybody may ask.
    Closed { failures: u32 },
    /// Nobody may ask before this instant. Who asks first after it tries, and the others wait on.
    Open { until: Duration, wait: Duration },
}

/// A change that somebody should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Opened,
    Closed,
}

impl Breaker {
    pub(super) const NEW: Self = Self::Closed { failures: 0 };

    /// Whether one may ask now.
    pub(super) fn ask(self, now: Duration) -> (Self, bool) {
        match self {
            Self::Closed { .. } => (self, true),
            Self::Open { until, .. } if now < until => (self, false),
            Self::Open { wait, .. } => (
                Self::Open {
                    until: now + wait,
                    wait,
                },
                true,
            ),
        }
    }

    /// An answer came in time.
    pub(super) fn succeed(self) -> (Self, Option<Turn>) {
        match self {
            Self::Closed { .. } => (Self::NEW, None),
            Self::Open { .. } => (Self::NEW, Some(Turn::Closed)),
        }
    }

    /// No answer came in time, or one that means nothing.
    pub(super) fn fail(self, now: Duration) -> (Self, Option<Turn>) {
        match self {
            Self::Closed { failures } if failures + 1 < FAILURES => (Self::Closed { failures: failures + 1 }, None),
            Self::Closed { .. } => {
                let open = Self::Open {
                    until: now + FIRST,
                    wait: FIRST,
                };
                (open, Some(Turn::Opened))
            }
            Self::Open { wait, .. } => {
                let wait = (wait * 2).min(LONGEST);
                let open = Self::Open {
                    until: now + wait,
                    wait,
                };
                (open, None)
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
            (it, turn) = it.fail(at(nth));
            assert_eq!(turn.is_some(), nth == 2, "failure {nth}");
        }
        assert!(!it.ask(at(400)).1);
        let (trying, may) = it.ask(at(502));
        assert!(may && !trying.ask(at(503)).1, "one trial at a time");
        let (again, turn) = trying.fail(at(510));
        assert!(turn.is_none() && !again.ask(at(1_400)).1 && again.ask(at(1_510)).1);
        assert_eq!(again.succeed(), (Breaker::NEW, Some(Turn::Closed)));
    }

    #[test]
    fn a_success_forgets_the_failures_before_it() {
        let (it, _) = Breaker::NEW.fail(Duration::ZERO);
        let (it, _) = it.fail(Duration::ZERO);
        let (it, turn) = it.succeed();
        assert_eq!((it, turn), (Breaker::NEW, None));
    }
}
