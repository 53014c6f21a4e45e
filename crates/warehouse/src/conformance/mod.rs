//! What every warehouse adapter must do, as checks that run on any of them.
//!
//! Each check takes a function that makes a fresh, empty warehouse for [`Signals::default`], and panics with what
//! went wrong.

mod incidents;
mod letters;
mod reads;
mod sample;
mod sums;
mod writes;

use std::sync::Arc;

use domain::Signals;

use crate::Warehouse;

pub use incidents::{
    actions_move_an_incident_and_are_all_written_down, an_event_that_outlasts_its_resolution_is_open_again,
    an_incident_goes_with_its_readings, an_incident_is_kept_once_and_moves_on, incident, incidents_can_be_filtered,
    incidents_come_newest_first_in_pages, the_last_action_can_be_taken_back,
};
pub use letters::{dead_letters_come_newest_first_in_pages, purged_dead_letters_are_gone};
pub use reads::{
    a_scan_tells_every_reading_once_and_in_order, a_scan_under_way_bears_newer_readings, a_strange_cursor_is_refused,
    pages_tell_every_reading_once_and_in_order, readings_can_be_filtered,
};
pub use sample::{Sample, commit_of, device, random};
pub use sums::{buckets_are_refused_without_a_sensible_width, sums_equal_brute_force};
pub use writes::{
    a_commit_is_stored_whole_or_not_at_all, a_device_keeps_what_is_known_of_it, a_device_without_an_update_is_known,
    everything, hostile_device_names_are_names, old_readings_are_dropped, suspect_clocks_do_not_move_the_last_reading,
    the_first_reading_wins, what_is_stored_is_read_back, what_is_stored_outlives_a_reopening,
};

/// The signals of the warehouses under test.
#[must_use]
pub fn signals() -> Signals {
    Signals::default()
}

/// Runs every check but the reopening, which needs a way to reopen.
pub async fn all(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    what_is_stored_is_read_back(make).await;
    the_first_reading_wins(make).await;
    a_commit_is_stored_whole_or_not_at_all(make).await;
    a_device_keeps_what_is_known_of_it(make).await;
    a_device_without_an_update_is_known(make).await;
    suspect_clocks_do_not_move_the_last_reading(make).await;
    hostile_device_names_are_names(make).await;
    old_readings_are_dropped(make).await;
    pages_tell_every_reading_once_and_in_order(make).await;
    a_strange_cursor_is_refused(make).await;
    readings_can_be_filtered(make).await;
    a_scan_tells_every_reading_once_and_in_order(make).await;
    a_scan_under_way_bears_newer_readings(make).await;
    buckets_are_refused_without_a_sensible_width(make).await;
    for seed in 0..4 {
        sums_equal_brute_force(make, seed).await;
    }
    dead_letters_come_newest_first_in_pages(make).await;
    purged_dead_letters_are_gone(make).await;
    an_incident_is_kept_once_and_moves_on(make).await;
    an_incident_goes_with_its_readings(make).await;
    actions_move_an_incident_and_are_all_written_down(make).await;
    the_last_action_can_be_taken_back(make).await;
    an_event_that_outlasts_its_resolution_is_open_again(make).await;
    incidents_can_be_filtered(make).await;
    incidents_come_newest_first_in_pages(make).await;
}
