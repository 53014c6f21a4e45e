//! What was refused.

use std::sync::Arc;

use domain::{DeadLetter, Rejection, RejectionCode, Timestamp};

use super::writes::store;
use crate::{Commit, Cursor, DeadLetterQuery, StoredDeadLetter, Warehouse, WarehouseErrorKind};

fn letter(number: usize) -> DeadLetter {
    let code = RejectionCode::ALL[number % RejectionCode::ALL.len()];
    let rejection = match number % 2 {
        0 => Rejection::field(code, "sensor_data.temperature", format!("letter {number}")),
        _ => Rejection::whole(code, format!("letter {number}")),
    };
    DeadLetter {
        received_at: Timestamp::from_secs(number as i64),
        source: "http".to_owned(),
        // No UTF-8, and a NUL: the bytes are kept as they came.
        payload: vec![0xff, 0, number as u8],
        rejection,
    }
}

async fn filled(make: &impl AsyncFn() -> Arc<dyn Warehouse>) -> Arc<dyn Warehouse> {
    let warehouse = make().await;
    for commit in 0..3 {
        let letters = Commit {
            dead_letters: (0..10).map(|it| letter(commit * 10 + it)).collect(),
            ..Commit::default()
        };
        assert!(store(&*warehouse, letters).await.is_empty());
    }
    warehouse
}

async fn pages(warehouse: &dyn Warehouse, code: Option<RejectionCode>) -> Vec<StoredDeadLetter> {
    let mut query = DeadLetterQuery {
        code,
        limit: 4,
        after: None,
    };
    let mut all = Vec::new();
    loop {
        let page = warehouse
            .dead_letters(query.clone())
            .await
            .expect("dead letters can be read");
        all.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

/// Dead letters come back as they were, newest first, each once, all or of one kind.
pub async fn dead_letters_come_newest_first_in_pages(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = filled(make).await;
    let letters = |all: Vec<StoredDeadLetter>| all.into_iter().map(|it| it.letter).collect::<Vec<_>>();
    let expected: Vec<DeadLetter> = (0..30).rev().map(letter).collect();
    assert_eq!(letters(pages(&*warehouse, None).await), expected);
    let of_kind = letters(pages(&*warehouse, Some(RejectionCode::MissingField)).await);
    let kinds = RejectionCode::ALL.len();
    assert_eq!(of_kind, [2 * kinds + 1, kinds + 1, 1].map(letter));
    let strange = DeadLetterQuery {
        code: None,
        limit: 4,
        after: Some(Cursor("x".to_owned())),
    };
    let failure = warehouse.dead_letters(strange).await.expect_err("it is no cursor");
    assert_eq!(failure.kind, WarehouseErrorKind::BadQuery);
}

/// Purging takes what it names, says how many there were, and bears numbers that nobody has.
pub async fn purged_dead_letters_are_gone(make: &impl AsyncFn() -> Arc<dyn Warehouse>) {
    let warehouse = filled(make).await;
    let ids: Vec<u64> = pages(&*warehouse, None).await.iter().map(|it| it.id).collect();
    let mut purged = ids[..5].to_vec();
    purged.extend([ids[0], u64::MAX]);
    let n_purged = warehouse.purge_dead_letters(purged).await;
    assert_eq!(n_purged.expect("dead letters can be purged"), 5);
    let left: Vec<u64> = pages(&*warehouse, None).await.iter().map(|it| it.id).collect();
    assert_eq!(left, ids[5..]);
}
