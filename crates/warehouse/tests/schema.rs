//! The file format stays as it was released.

use std::path::Path;

use domain::Signals;
use rusqlite::Connection;
use tempfile::TempDir;
use warehouse::conformance::{Sample, everything};
use warehouse::embedded::{EmbeddedWarehouse, Options};
use warehouse::{DeadLetterQuery, Warehouse};

fn open(dir: &Path) -> EmbeddedWarehouse {
    EmbeddedWarehouse::open(dir, Signals::default(), &Options::default()).expect("the folder is sound")
}

#[test]
fn the_schema_is_the_released_one() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()));
    let file = Connection::open(dir.path().join("hark.db")).unwrap();
    let number = |name: &str| file.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).unwrap();
    let mut schema = format!(
        "PRAGMA application_id = {};\nPRAGMA user_version = {};\n",
        number("application_id"),
        number("user_version")
    );
    let mut statement = file
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type = 'view', type = 'trigger', type DESC, name")
        .unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        schema += &format!("{};\n", row.get::<_, String>(0).unwrap());
    }
    assert_eq!(
        schema,
        include_str!("../golden/schema-1.sql"),
        "the schema is now:\n{schema}"
    );
}

#[tokio::test]
async fn a_database_of_version_1_is_read() {
    let dir = TempDir::new().unwrap();
    let file = Connection::open(dir.path().join("hark.db")).unwrap();
    file.execute_batch(include_str!("../golden/schema-1.sql")).unwrap();
    file.execute_batch(include_str!("../golden/rows-1.sql")).unwrap();
    file.close().unwrap();

    let warehouse = open(dir.path());
    let mut odd = Sample {
        score: Some(-0.5),
        ..Sample::new("sensor_001", 1_754_474_400)
    }
    .judged();
    for reason in odd.verdict.iter_mut().flat_map(|it| &mut it.reasons) {
        (reason.share, reason.feature, reason.once_in_days) = (0.0, String::new(), None);
    }
    let half = Sample {
        temperature: None,
        score: Some(0.125),
        ..Sample::new("Süd 🔧", 1_754_474_410)
    };
    let mut bare = Sample::new("sensor_001", 1_754_474_420).judged();
    bare.reading.location = None;
    bare.reading.device_type = None;
    bare.late = true;
    assert_eq!(everything(&warehouse).await, [odd.clone(), half.judged(), bare]);
    let devices = warehouse.devices().await.unwrap();
    assert_eq!((devices[1].readings, devices[1].last.clone()), (2, Some(odd)));
    assert_eq!(warehouse.device_states().await.unwrap()[0].1, [1, 2, 255]);
    let query = DeadLetterQuery {
        code: None,
        limit: 10,
        after: None,
    };
    let letters = warehouse.dead_letters(query).await.unwrap().items;
    assert_eq!(
        (letters[0].id, letters[0].letter.payload.as_slice()),
        (7, [0x7b, 0xff].as_slice())
    );
    assert_eq!(letters[0].letter.rejection.field.as_deref(), Some("temperature"));
}
