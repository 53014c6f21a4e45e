//! A round trip through the topic, for `hark doctor`.

use std::time::Duration;

use bytes::Bytes;
use domain::Timestamp;
use google_cloud_gax::error::rpc::Code;
use google_cloud_pubsub::client::SubscriptionAdmin;
use google_cloud_pubsub::model::{ExpirationPolicy, Subscription};
use google_cloud_wkt as wkt;
use tokio::time;

use super::publisher::PubsubPublisher;
use super::{Options, PROBE, connect, setup};
use crate::{BusError, BusErrorKind, Message, Publisher};

/// How long a message may be on its way.
const ROUND_TRIP: Duration = Duration::from_secs(20);

/// What a round trip showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is odd about the subscription, in words; empty when it is as configured.
    pub subscription: String,
    /// When the service took the message, by its clock; none when the account may not make a trial subscription and
    /// so could not receive it.
    pub taken_at: Option<Timestamp>,
}

/// Looks at the subscription, publishes a message that is no reading, and receives it through a subscription of its
/// own, which is taken away afterwards. `nonce` tells this trial from others.
///
/// # Errors
/// What is wrong, with a hint on how to mend it.
pub async fn probe(options: &Options, nonce: &str) -> Result<Probe, BusError> {
    let subscriptions = connect::subscriptions(options).await?;
    let subscription = looked_at(options, &subscriptions).await?;
    let name = format!("projects/{}/subscriptions/hark-doctor-{nonce}", options.project);
    let trial = Subscription::new()
        .set_name(&name)
        .set_topic(options.topic_path())
        .set_filter(format!("attributes.{PROBE} = \"{nonce}\""))
        .set_message_retention_duration(wkt::Duration::clamp(600, 0))
        .set_expiration_policy(ExpirationPolicy::new().set_ttl(wkt::Duration::clamp(86_400, 0)));
    match subscriptions.create_subscription().with_request(trial).send().await {
        Ok(_) => {}
        Err(error) if connect::code(&error) == Some(Code::PermissionDenied) => {
            publish(options, nonce).await?;
            return Ok(Probe {
                subscription,
                taken_at: None,
            });
        }
        Err(error) => {
            let what = format!("failed to make a trial subscription to `{}`", options.topic_path());
            return Err(connect::failure(what, options, &error));
        }
    }
    let taken_at = round_trip(options, &name, nonce).await;
    let removed = subscriptions.delete_subscription().set_subscription(&name).send().await;
    let taken_at = taken_at?;
    removed.map_err(|error| connect::failure(format!("failed to take away `{name}`"), options, &error))?;
    Ok(Probe {
        subscription,
        taken_at: Some(taken_at),
    })
}

async fn looked_at(options: &Options, subscriptions: &SubscriptionAdmin) -> Result<String, BusError> {
    let path = options.subscription_path();
    match subscriptions.get_subscription().set_subscription(&path).send().await {
        Ok(found) => {
            let mut notes = setup::differences(&setup::wanted(options), &found);
            if found.dead_letter_policy.is_none() {
                notes.push("it has no dead-letter policy".to_owned());
            }
            Ok(notes.join("; "))
        }
        Err(error) if connect::code(&error) == Some(Code::PermissionDenied) => Ok(String::new()),
        Err(error) => Err(connect::failure(format!("failed to look at `{path}`"), options, &error)),
    }
}

async fn publish(options: &Options, nonce: &str) -> Result<(), BusError> {
    let mut message = Message::new(Bytes::from_static(b"a trial of hark doctor, no reading"), "pubsub");
    message.attributes.insert(PROBE.to_owned(), nonce.to_owned());
    PubsubPublisher::open(options.clone())
        .await?
        .publish(vec![message])
        .await?;
    Ok(())
}

async fn round_trip(options: &Options, subscription: &str, nonce: &str) -> Result<Timestamp, BusError> {
    let mut stream = connect::subscribers(options).await?.subscribe(subscription).build();
    publish(options, nonce).await?;
    let receiving = async {
        while let Some(arrival) = stream.next().await {
            let (message, handler) = arrival
                .map_err(|error| connect::failure(format!("failed to pull from `{subscription}`"), options, &error))?;
            handler.ack();
            if message.attributes.get(PROBE).is_some_and(|it| it == nonce) {
                let taken = message.publish_time.unwrap_or_default();
                return Ok(Timestamp::from_secs(taken.seconds()).plus_micros(i64::from(taken.nanos() / 1_000)));
            }
        }
        Err(BusError::new(BusErrorKind::Unavailable, "the trial subscription ended"))
    };
    let taken = time::timeout(ROUND_TRIP, receiving).await.unwrap_or_else(|_| {
        let context = format!(
            "a message to `{}` did not come back within {ROUND_TRIP:?}",
            options.topic_path()
        );
        Err(BusError::new(BusErrorKind::Unavailable, context))
    });
    stream.shutdown_token().shutdown().await;
    taken
}
