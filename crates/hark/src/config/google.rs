//! What is configured of Google Cloud, checked.

use super::check::Checker;
use super::raw::{RawBigQuery, RawGoogle, RawPubsub};
use super::values::{BigQuery, Bus, BusKind, Delivery, Google, Pubsub, Warehouse, WarehouseKind};

/// The shortest and the longest lease, in seconds.
const LEASES: std::ops::RangeInclusive<u64> = 10..=600;

/// The project, which whatever is used of Google needs; and a build that can use it.
pub(super) fn google(
    it: &mut Checker<'_>,
    raw: RawGoogle,
    bus: Option<&Bus>,
    warehouse: Option<&Warehouse>,
) -> Option<Google> {
    let pubsub = bus
        .is_some_and(|it| it.kind == BusKind::Pubsub)
        .then_some(("bus.kind", "pubsub"));
    let bigquery = warehouse.is_some_and(|it| it.kind == WarehouseKind::BigQuery);
    let bigquery = bigquery.then_some(("warehouse.kind", "bigquery"));
    let Some((key, word)) = pubsub.or(bigquery) else {
        return Some(Google { project: raw.project });
    };
    if !cfg!(feature = "gcp") {
        return it.hinted(
            key,
            format!("`{key}` is {word:?}, which this build was made without"),
            "use an official build, or build with `--features gcp`",
        );
    }
    if raw.project.is_empty() {
        return it.hinted(
            "google.project",
            format!("`google.project` is empty, and `{key}` = {word:?} needs it"),
            "name the Google Cloud project, or set PROJECT_ID",
        );
    }
    Some(Google { project: raw.project })
}

/// What belongs to Pub/Sub.
pub(super) fn pubsub(it: &mut Checker<'_>, raw: &RawPubsub) -> Option<Pubsub> {
    let topic = resource(it, "bus.pubsub.topic", &raw.topic);
    let subscription = resource(it, "bus.pubsub.subscription", &raw.subscription);
    let dead_letter_topic = match raw.dead_letter_topic.as_str() {
        "" => Some(format!("{}-dead-letters", raw.topic)),
        name => resource(it, "bus.pubsub.dead_letter_topic", name),
    };
    let streams = it.within("bus.pubsub.streams", raw.streams, 1, 64);
    let lease = it.span("bus.pubsub.lease", &raw.lease).and_then(|lease| {
        if LEASES.contains(&lease.as_secs()) {
            return Some(lease);
        }
        it.hinted(
            "bus.pubsub.lease",
            format!("`bus.pubsub.lease` is {:?}", raw.lease),
            "it must lie between 10s and 10m",
        )
    });
    let endpoint = endpoint(it, "bus.pubsub.endpoint", &raw.endpoint);
    Some(Pubsub {
        topic: topic?,
        subscription: subscription?,
        dead_letter_topic: dead_letter_topic?,
        ordering: raw.ordering,
        exactly_once: raw.exactly_once,
        streams: streams?,
        lease: lease?,
        endpoint: endpoint?,
    })
}

/// What belongs to BigQuery.
pub(super) fn bigquery(it: &mut Checker<'_>, raw: &RawBigQuery) -> Option<BigQuery> {
    let dataset = &raw.dataset;
    let is_name = !dataset.is_empty() && dataset.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    let dataset = if is_name {
        Some(dataset.clone())
    } else {
        it.hinted(
            "warehouse.bigquery.dataset",
            format!("`warehouse.bigquery.dataset` is {dataset:?}"),
            "write letters, digits and _, without the project",
        )
    };
    let location = &raw.location;
    let is_place = !location.is_empty() && location.chars().all(|it| it.is_ascii_alphanumeric() || it == '-');
    let location = if is_place {
        Some(location.clone())
    } else {
        it.hinted(
            "warehouse.bigquery.location",
            format!("`warehouse.bigquery.location` is {location:?}"),
            "write it as US, EU or europe-west3",
        )
    };
    let deliveries = [
        ("exactly-once", Delivery::ExactlyOnce),
        ("at-least-once", Delivery::AtLeastOnce),
    ];
    let delivery = it.word("warehouse.bigquery.delivery", &raw.delivery, &deliveries);
    let rest_endpoint = endpoint(it, "warehouse.bigquery.rest_endpoint", &raw.rest_endpoint);
    let grpc_endpoint = endpoint(it, "warehouse.bigquery.grpc_endpoint", &raw.grpc_endpoint);
    Some(BigQuery {
        dataset: dataset?,
        location: location?,
        delivery: delivery?,
        rest_endpoint: rest_endpoint?,
        grpc_endpoint: grpc_endpoint?,
    })
}

/// A name as Pub/Sub takes it, without the project before it.
fn resource(it: &mut Checker<'_>, key: &str, name: &str) -> Option<String> {
    let fits = (3..=255).contains(&name.len())
        && name.starts_with(|it: char| it.is_ascii_alphabetic())
        && !name.starts_with("goog")
        && name
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || "-_.~+%".contains(it));
    if fits {
        return Some(name.to_owned());
    }
    it.hinted(
        key,
        format!("`{key}` is {name:?}"),
        "write a letter and then letters, digits or -_.~+%, 3 to 255 in all, without the project",
    )
}

/// The address of an emulator; empty is none.
pub(super) fn endpoint(it: &mut Checker<'_>, key: &str, text: &str) -> Option<Option<String>> {
    if text.is_empty() {
        return Some(None);
    }
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if host.is_some_and(|it| !it.is_empty() && !it.starts_with('/') && !it.contains(char::is_whitespace)) {
        return Some(Some(text.trim_end_matches('/').to_owned()));
    }
    it.hinted(
        key,
        format!("`{key}` is {text:?}, which is no address"),
        "write it as http://127.0.0.1:8085, or leave it empty for Google's service",
    )
}
