//! `hark dead-letters`: what was refused.

use anyhow::Context;
use domain::RejectionCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use warehouse::{DeadLetterQuery, StoredDeadLetter, Warehouse};

use crate::app::{App, Tasks, open_warehouse, open_warehouse_to_read};
use crate::cli::{DeadLettersCommand, LetterChoice};
use crate::commands::target::{Tally, Target};
use crate::config::{Config, nearest};
use crate::exit::{Exit, Fault};
use crate::output::{Format, Sheet, agreed, say, tell_outcome};
use crate::shutdown;

/// Letters read or sent at a time.
const PAGE: usize = 1_000;

/// The longest part of a payload in a list.
const SHOWN: usize = 60;

/// Lists, shows, sends again or throws away.
pub(crate) async fn run(config: Config, command: DeadLettersCommand, said: Option<Format>) -> anyhow::Result<()> {
    let format = said.unwrap_or(Format::Table);
    match command {
        DeadLettersCommand::List { code, limit } => {
            let code = code.as_deref().map(parse_code).transpose()?;
            list(open_warehouse_to_read(&config).await?.as_ref(), code, limit, format).await
        }
        DeadLettersCommand::Show { id } => show(open_warehouse_to_read(&config).await?.as_ref(), id, format).await,
        DeadLettersCommand::Replay { choice, dry_run: true } => would(&config, &choice, "sent again", said).await,
        DeadLettersCommand::Replay { choice, dry_run: false } => replay(config, choice, said).await,
        DeadLettersCommand::Purge {
            choice, dry_run: true, ..
        } => would(&config, &choice, "thrown away", said).await,
        DeadLettersCommand::Purge { choice, yes, .. } => purge(&config, &choice, yes, said).await,
    }
}

fn parse_code(name: &str) -> anyhow::Result<RejectionCode> {
    RejectionCode::from_name(name).ok_or_else(|| {
        let known = RejectionCode::ALL.map(RejectionCode::as_str);
        let hint = match nearest(name, known) {
            Some(likely) => format!("did you mean {likely}?"),
            None => format!("the kinds are {}", known.join(", ")),
        };
        Fault::new(format!("there is no kind of refusal `{name}`"), hint)
            .exit(Exit::Usage)
            .into()
    })
}

async fn list(
    warehouse: &dyn Warehouse,
    code: Option<RejectionCode>,
    limit: usize,
    format: Format,
) -> anyhow::Result<()> {
    let mut sheet = Sheet::new(["id", "received_at", "source", "code", "detail", "payload"]);
    let query = DeadLetterQuery {
        code,
        limit,
        after: None,
    };
    let page = warehouse.dead_letters(query).await?;
    for StoredDeadLetter { id, letter } in &page.items {
        sheet.push(vec![
            json!(id),
            json!(letter.received_at.to_string()),
            json!(letter.source),
            json!(letter.rejection.code.as_str()),
            json!(letter.rejection.detail),
            json!(shown(&letter.payload, format)),
        ]);
    }
    if page.items.is_empty() {
        say("nothing was refused");
    } else if page.next.is_some() {
        say(format_args!("there are more than {limit}; --limit shows more of them"));
    }
    sheet.print(format)
}

/// The payload as text; for a person who looks at a list, its beginning.
fn shown(payload: &[u8], format: Format) -> String {
    let text = String::from_utf8_lossy(payload);
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) if format == Format::Table => format!("{}…", &text[..at]),
        _ => text.into_owned(),
    }
}

async fn show(warehouse: &dyn Warehouse, id: u64, format: Format) -> anyhow::Result<()> {
    let choice = LetterChoice {
        ids: vec![id],
        all: false,
        code: None,
    };
    let letters = chosen(warehouse, &choice).await?;
    let mut sheet = Sheet::new(["property", "value"]);
    for StoredDeadLetter { id, letter } in &letters {
        let text = std::str::from_utf8(&letter.payload).ok();
        let hex = |bytes: &[u8]| bytes.iter().map(|it| format!("{it:02x}")).collect::<String>();
        let payload = match text {
            Some(text) => ("payload", Value::from(text)),
            None => ("payload_hex", Value::from(hex(&letter.payload))),
        };
        let properties = [
            ("id", json!(id)),
            ("received_at", json!(letter.received_at.to_string())),
            ("source", json!(letter.source)),
            ("code", json!(letter.rejection.code.as_str())),
            ("field", json!(letter.rejection.field)),
            ("detail", json!(letter.rejection.detail)),
            ("bytes", json!(letter.payload.len())),
            payload,
        ];
        for (name, value) in properties {
            sheet.push(vec![json!(name), value]);
        }
    }
    sheet.print(format)
}

/// The letters of a choice, oldest first. A number that is not there is an error.
async fn chosen(warehouse: &dyn Warehouse, choice: &LetterChoice) -> anyhow::Result<Vec<StoredDeadLetter>> {
    let code = choice.code.as_deref().map(parse_code).transpose()?;
    let mut letters = Vec::new();
    let mut after = None;
    loop {
        let query = DeadLetterQuery {
            code,
            limit: PAGE,
            after,
        };
        let page = warehouse.dead_letters(query).await?;
        let wanted = |it: &StoredDeadLetter| choice.ids.is_empty() || choice.ids.contains(&it.id);
        letters.extend(page.items.into_iter().filter(wanted));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if let Some(missing) = choice.ids.iter().find(|id| !letters.iter().any(|it| it.id == **id)) {
        return Err(Fault::new(
            format!("there is no dead letter {missing}"),
            "`hark dead-letters list` shows all",
        )
        .into());
    }
    letters.reverse();
    Ok(letters)
}

/// Says what would become of the letters of a choice.
async fn would(config: &Config, choice: &LetterChoice, what: &str, said: Option<Format>) -> anyhow::Result<()> {
    let letters = chosen(open_warehouse_to_read(config).await?.as_ref(), choice).await?;
    let sentence = format!("{} dead letters would be {what}; nothing was changed", letters.len());
    let ids: Vec<u64> = letters.iter().map(|it| it.id).collect();
    tell_outcome(
        sentence,
        said,
        &[("dead_letters", json!(ids.len())), ("ids", json!(ids))],
    )
}

async fn replay(config: Config, choice: LetterChoice, said: Option<Format>) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signals(stop.clone())?;
    let (app, subscriber) = App::open(config.on_embedded_bus(), stop.clone()).await?;
    let mut tasks = Tasks::new();
    app.start(subscriber, &mut tasks);
    let until = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = until.cancelled() => Err(anyhow::anyhow!("stopped before the end; the rest stays where it is")),
            ended = send_again(&app, &choice, said) => ended,
        }
    });
    shutdown::join(tasks, stop).await
}

/// One that is refused again comes back into the list with today's reason, so the old one leaves it in any case.
async fn send_again(app: &App, choice: &LetterChoice, said: Option<Format>) -> anyhow::Result<()> {
    let letters = chosen(app.warehouse.as_ref(), choice).await?;
    let target = Target::Here(app.publisher.clone());
    let mut tally = Tally::default();
    for page in letters.chunks(PAGE) {
        let payloads = page.iter().map(|it| it.letter.payload.clone()).collect();
        tally.add(
            target
                .send(payloads, "replay")
                .await
                .context("failed to send the dead letters again")?,
        );
        app.warehouse
            .purge_dead_letters(page.iter().map(|it| it.id).collect())
            .await?;
    }
    tell_outcome(tally, said, &tally.values())
}

async fn purge(config: &Config, choice: &LetterChoice, yes: bool, said: Option<Format>) -> anyhow::Result<()> {
    let warehouse = open_warehouse(config).await?;
    let ids: Vec<u64> = chosen(warehouse.as_ref(), choice)
        .await?
        .iter()
        .map(|it| it.id)
        .collect();
    let agreed = || {
        let what = format!("{} dead letters would be thrown away for good", ids.len());
        agreed(&what, "throw them away?")
    };
    if !ids.is_empty() && !yes && !agreed()? {
        say("nothing was thrown away");
        return Ok(());
    }
    let mut purged = 0;
    for page in ids.chunks(PAGE) {
        purged += warehouse.purge_dead_letters(page.to_vec()).await?;
    }
    let sentence = format!("{purged} dead letters thrown away");
    tell_outcome(sentence, said, &[("dead_letters", json!(purged))])
}
