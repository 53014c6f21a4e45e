//! Answers that are kept are those that would be computed, with a Redis in whatever state.

use super::support::{Answer, Running, reading};

/// What `/detect` says, and what `/detect/batch` does, which computes everything anew.
async fn both(running: &Running, question: &str) -> (String, String) {
    let single = running.post_json("/detect", question).await;
    let batch = running.post_json("/detect/batch", format!("[{question}]")).await;
    assert!(
        single.status.is_success() && batch.status.is_success(),
        "{single:?} {batch:?}"
    );
    let computed = text(&batch).trim_start_matches('[').trim_end_matches(']').to_owned();
    (text(&single), computed)
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_given_again_until_the_device_is_heard_again() {
    let running = Running::trained().await;
    let question = reading("pump-1", 1_000, 23.0);
    let (first, computed) = both(&running, &question).await;
    assert_eq!(first, computed);
    assert_eq!(both(&running, &question).await.0, first);
    let heard = running
        .post_json("/api/v1/readings", reading("pump-1", 900, 21.0))
        .await;
    assert!(heard.status.is_success(), "{heard:?}");
    let (after, computed) = both(&running, &question).await;
    assert_eq!(after, computed);
    assert_ne!(after, first, "its history is longer by a reading");
}

#[cfg(feature = "redis")]
#[tokio::test(flavor = "multi_thread")]
async fn a_redis_away_hung_empty_or_spoilt_changes_no_answer_and_fails_no_request() {
    use std::time::Instant;

    use crate::runtime::shared::tests::Server;

    const EACH: u32 = 300;
    let Some(server) = Server::start() else { return };
    let running = Running::trained_with(|config| config.redis = server.config()).await;
    let mut asked = 0;
    let mut phase = async |what: &str| {
        let mut took = Vec::new();
        for _ in 0..EACH {
            asked += 1;
            let question = reading(&format!("pump-{}", asked % 4), 1_000 + i64::from(asked % 250), 22.5);
            let begun = Instant::now();
            let single = running.post_json("/detect", question.as_str()).await;
            took.push(begun.elapsed());
            assert!(single.status.is_success(), "{what}: {single:?}");
            let (again, computed) = both(&running, &question).await;
            assert_eq!((text(&single), again), (computed.clone(), computed), "{what}");
            // The first question waits in vain, and after it none does.
            let left_alone = running.app.shared.as_ref().map(|it| it.leaves_answers_alone());
            assert!(left_alone == Some(true) || !matches!(what, "hung" | "gone"), "{what}");
        }
        took.sort();
        let (median, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        #[expect(clippy::print_stderr, reason = "the figures are told")]
        {
            eprintln!("redis {what}: median {median:?}, 99 of 100 within {p99:?}");
        }
    };
    phase("well").await;
    server.cli(&["FLUSHALL"]);
    phase("emptied").await;
    server.spoil();
    phase("spoilt").await;
    server.signal("-STOP");
    phase("hung").await;
    server.signal("-CONT");
    phase("well again").await;
    drop(server);
    phase("gone").await;
}
