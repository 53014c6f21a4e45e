//! From which day on there can be incidents that are not resolved, so that what is asked every minute reads few days.
//!
//! All incidents are counted once a day. Until the next time those are left out that began a week before the oldest which
//! was not resolved then, or earlier: messages stay on a bus for a week at most, so what is told later began later. What
//! this process tells or does itself is never left out. What another one changes in older incidents, as when somebody
//! undoes a resolution, is counted after a day at the latest.

use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::Timestamp;

const DAY_MICROS: i64 = 86_400_000_000;

/// How much earlier than the oldest one others may have begun.
const MARGIN_MICROS: i64 = 8 * DAY_MICROS;

/// What began so long before it is told counts as old: a little less, since it is told before it is counted.
const OLD_MICROS: i64 = 7 * DAY_MICROS;

/// What is known of the incidents that are not resolved.
#[derive(Debug, Default)]
pub(super) struct LookBack(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    /// How often something old was changed here.
    changes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// Before it nothing is open.
    first: Timestamp,
    counted_at: Timestamp,
}

/// A count that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count {
    /// What began before this instant need not be counted.
    pub(super) first: Timestamp,
    changes: u64,
}

impl LookBack {
    /// Begins a count, or a list of what is not resolved.
    pub(super) fn begin(&self, now: Timestamp) -> Count {
        let state = self.state();
        let is_fresh = |it: &Known| now.as_micros().abs_diff(it.counted_at.as_micros()) < DAY_MICROS.unsigned_abs();
        Count {
            first: state.known.filter(is_fresh).map_or(Timestamp::MIN, |it| it.first),
            changes: state.changes,
        }
    }

    /// Ends a count: of what is not resolved this began first. Only a count of all says where the next may begin.
    pub(super) fn end(&self, count: Count, oldest: Option<Timestamp>, now: Timestamp) {
        let mut state = self.state();
        if count.first == Timestamp::MIN && count.changes == state.changes {
            let first = oldest.unwrap_or(now).min(now).plus_micros(-MARGIN_MICROS);
            state.known = Some(Known { first, counted_at: now });
        }
    }

    /// Something of an incident that began then is told or done here, at this time.
    pub(super) fn changed(&self, began: Timestamp, at: Timestamp) {
        let mut state = self.state();
        if let Some(known) = &mut state.known {
            known.first = known.first.min(began);
        }
        if began < at.plus_micros(-OLD_MICROS) {
            state.changes += 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No critical section leaves it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(nth: i64) -> Timestamp {
        Timestamp::from_micros(nth * DAY_MICROS)
    }

    #[test]
    fn after_a_count_of_all_only_the_days_since_the_oldest_are_read_for_a_day() {
        let look_back = LookBack::default();
        let count = look_back.begin(day(100));
        assert_eq!(count.first, Timestamp::MIN);
        look_back.end(count, Some(day(90)), day(100));
        let hour_later = day(100).plus_micros(DAY_MICROS / 24);
        let again = look_back.begin(hour_later);
        assert_eq!(again.first, day(82));
        look_back.end(again, None, hour_later);
        assert_eq!(look_back.begin(hour_later).first, day(82), "it was no count of all");
        assert_eq!(look_back.begin(day(101)).first, Timestamp::MIN);
    }

    #[test]
    fn what_is_changed_here_is_never_left_out() {
        let look_back = LookBack::default();
        look_back.end(look_back.begin(day(100)), None, day(100));
        look_back.changed(day(99), day(100));
        assert_eq!(look_back.begin(day(100)).first, day(92));
        look_back.changed(day(3), day(100));
        assert_eq!(look_back.begin(day(100)).first, day(3));
        let counting = look_back.begin(day(101));
        look_back.changed(day(2), day(101));
        look_back.end(counting, None, day(101));
        assert!(
            look_back.begin(day(101)).first <= day(2),
            "it was changed while it was counted"
        );
    }
}
