//! Topic, subscription and what belongs to them, made where they are missing.

use google::{Made, Step};
use google_cloud_gax::error::rpc::Code;
use google_cloud_pubsub::Error;
use google_cloud_pubsub::client::{SubscriptionAdmin, TopicAdmin};
use google_cloud_pubsub::model::{DeadLetterPolicy, ExpirationPolicy, RetryPolicy, Subscription};
use google_cloud_wkt::{Duration, FieldMask};

use super::{Options, connect};
use crate::BusError;

/// Deliveries after which a message goes to the dead-letter topic.
const MAX_ATTEMPTS: i32 = 5;

/// Makes the topic, the dead-letter topic, a subscription to each, and what an older subscription lacks. Doing it
/// again changes nothing. With `dry_run` nothing is changed at all.
///
/// # Errors
/// When something cannot be made; what was made before that stays.
pub async fn setup(options: &Options, dry_run: bool) -> Result<Vec<Step>, BusError> {
    let work = Setup {
        options,
        topics: connect::topics(options).await?,
        subscriptions: connect::subscriptions(options).await?,
        dry_run,
    };
    Ok(vec![
        work.topic(options.topic_path()).await?,
        work.topic(options.dead_letter_topic_path()).await?,
        work.subscription(work.dead_letter_subscription()).await?,
        work.subscription(work.main_subscription()).await?,
    ])
}

struct Setup<'a> {
    options: &'a Options,
    topics: TopicAdmin,
    subscriptions: SubscriptionAdmin,
    dry_run: bool,
}

impl Setup<'_> {
    /// Kept for the whole week that the service allows, and never given up for want of consumers.
    fn dead_letter_subscription(&self) -> Subscription {
        Subscription::new()
            .set_name(self.options.dead_letter_subscription_path())
            .set_topic(self.options.dead_letter_topic_path())
            .set_ack_deadline_seconds(60)
            .set_message_retention_duration(Duration::clamp(7 * 86_400, 0))
            .set_expiration_policy(ExpirationPolicy::new())
    }

    fn main_subscription(&self) -> Subscription {
        Subscription::new()
            .set_name(self.options.subscription_path())
            .set_topic(self.options.topic_path())
            .set_ack_deadline_seconds(60)
            .set_enable_message_ordering(self.options.ordering)
            .set_enable_exactly_once_delivery(self.options.exactly_once)
            .set_message_retention_duration(Duration::clamp(7 * 86_400, 0))
            .set_expiration_policy(ExpirationPolicy::new())
            .set_dead_letter_policy(self.dead_letter_policy())
            .set_retry_policy(retry_policy())
    }

    fn dead_letter_policy(&self) -> DeadLetterPolicy {
        DeadLetterPolicy::new()
            .set_dead_letter_topic(self.options.dead_letter_topic_path())
            .set_max_delivery_attempts(MAX_ATTEMPTS)
    }

    async fn topic(&self, name: String) -> Result<Step, BusError> {
        match self.topics.get_topic().set_topic(&name).send().await {
            Ok(_) => return Ok(Step::new(name, Made::Existed)),
            Err(error) if connect::code(&error) == Some(Code::NotFound) => {}
            Err(error) => return Err(self.failed("look for", &name, &error)),
        }
        if self.dry_run {
            return Ok(Step::new(name, Made::Missing));
        }
        match self.topics.create_topic().set_name(&name).send().await {
            Ok(_) => Ok(Step::new(name, Made::Created)),
            // Somebody else was quicker.
            Err(error) if connect::code(&error) == Some(Code::AlreadyExists) => Ok(Step::new(name, Made::Existed)),
            Err(error) => Err(self.failed("make", &name, &error)),
        }
    }

    async fn subscription(&self, wanted: Subscription) -> Result<Step, BusError> {
        let name = wanted.name.clone();
        match self
            .subscriptions
            .get_subscription()
            .set_subscription(&name)
            .send()
            .await
        {
            Ok(found) => return self.compared(&wanted, found).await,
            Err(error) if connect::code(&error) == Some(Code::NotFound) => {}
            Err(error) => return Err(self.failed("look for", &name, &error)),
        }
        if self.dry_run {
            return Ok(Step::new(name, Made::Missing));
        }
        let request = self.subscriptions.create_subscription().with_request(wanted);
        match request.send().await {
            Ok(_) => Ok(Step::new(name, Made::Created)),
            Err(error) if connect::code(&error) == Some(Code::AlreadyExists) => Ok(Step::new(name, Made::Existed)),
            Err(error) => Err(self.failed("make", &name, &error)),
        }
    }

    /// Adds the policies that a subscription made by another hand lacks, and names what cannot be changed.
    async fn compared(&self, wanted: &Subscription, found: Subscription) -> Result<Step, BusError> {
        let note = differences(wanted, &found).join("; ");
        let lacks = wanted.dead_letter_policy.is_some() && found.dead_letter_policy.is_none();
        let name = found.name.clone();
        if !lacks {
            return Ok(Step {
                note,
                ..Step::new(name, Made::Existed)
            });
        }
        if self.dry_run {
            return Ok(Step {
                note: "it has no dead-letter policy".to_owned(),
                ..Step::new(name, Made::Missing)
            });
        }
        let mended = found
            .set_dead_letter_policy(self.dead_letter_policy())
            .set_retry_policy(retry_policy());
        let mask = FieldMask::default().set_paths(["dead_letter_policy", "retry_policy"]);
        let request = self.subscriptions.update_subscription().set_subscription(mended);
        match request.set_update_mask(mask).send().await {
            Ok(_) => Ok(Step {
                note,
                ..Step::new(name, Made::Mended)
            }),
            Err(error) => Err(self.failed("change", &name, &error)),
        }
    }

    fn failed(&self, verb: &str, name: &str, error: &Error) -> BusError {
        connect::failure(format!("failed to {verb} `{name}`"), self.options, error)
    }
}

/// How long the service waits before it delivers again what was given back.
fn retry_policy() -> RetryPolicy {
    RetryPolicy::new()
        .set_minimum_backoff(Duration::clamp(1, 0))
        .set_maximum_backoff(Duration::clamp(60, 0))
}

/// What a subscription has otherwise than wanted, in words.
pub(super) fn differences(wanted: &Subscription, found: &Subscription) -> Vec<String> {
    let mut notes = Vec::new();
    if found.topic != wanted.topic {
        notes.push(format!("it belongs to `{}`, not to `{}`", found.topic, wanted.topic));
    }
    if found.enable_message_ordering != wanted.enable_message_ordering {
        let state = if found.enable_message_ordering { "on" } else { "off" };
        notes.push(format!("message ordering is {state}, which cannot be changed any more"));
    }
    if found.enable_exactly_once_delivery != wanted.enable_exactly_once_delivery {
        let state = if found.enable_exactly_once_delivery {
            "on"
        } else {
            "off"
        };
        notes.push(format!("exactly-once delivery is {state}"));
    }
    if found.detached {
        notes.push("it is detached from its topic and gets nothing".to_owned());
    }
    notes
}

/// The subscription as it should be, for comparing.
pub(super) fn wanted(options: &Options) -> Subscription {
    Subscription::new()
        .set_name(options.subscription_path())
        .set_topic(options.topic_path())
        .set_enable_message_ordering(options.ordering)
        .set_enable_exactly_once_delivery(options.exactly_once)
}
