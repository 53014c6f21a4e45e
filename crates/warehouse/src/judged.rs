//! What adapters have in common: which readings can be stored, and the text forms of reasons and shares.

use domain::{Direction, Judged, Reason, SignalShare, Signals};
use serde::{Deserialize, Serialize};

use crate::{WarehouseError, WarehouseErrorKind};

/// Refuses a reading that does not fit the declared signals or holds numbers that no table gives back.
pub(crate) fn check(judged: &Judged, signals: &Signals) -> Result<(), WarehouseError> {
    let refused = |problem: String| {
        let reading = &judged.reading;
        let context = format!(
            "the reading of {} at {} {problem}",
            reading.device_id, reading.timestamp
        );
        Err(WarehouseError::new(WarehouseErrorKind::Fatal, context))
    };
    if judged.reading.values.len() != signals.len() {
        let n_values = judged.reading.values.len();
        return refused(format!("has {n_values} values for {} signals", signals.len()));
    }
    let Some(verdict) = &judged.verdict else {
        return Ok(());
    };
    if verdict.signals.len() != signals.len() {
        let n_judgements = verdict.signals.len();
        return refused(format!("has {n_judgements} judgements for {} signals", signals.len()));
    }
    if !verdict.score.is_finite() {
        return refused(format!("has the score {}", verdict.score));
    }
    for (judgement, signal) in verdict.signals.iter().zip(signals.iter()) {
        let Some(judgement) = judgement else { continue };
        if !judgement.score.is_finite() {
            return refused(format!("has the {} score {}", signal.name, judgement.score));
        }
        if let Some(span) = judgement.expected
            && !(span.low.is_finite() && span.high.is_finite())
        {
            return refused(format!("expects {} from {} to {}", signal.name, span.low, span.high));
        }
    }
    Ok(())
}

/// A reason as the column `reasons` has it.
#[derive(Serialize, Deserialize)]
struct ReasonRow {
    signal: String,
    direction: String,
    /// What was stored before shares were has 0 and no name.
    #[serde(default)]
    share: f64,
    #[serde(default)]
    feature: String,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    once_in_days: Option<f64>,
}

/// The reasons as the text of a column.
pub(crate) fn reasons_to_json(reasons: &[Reason]) -> String {
    let rows: Vec<ReasonRow> = reasons
        .iter()
        .map(|it| ReasonRow {
            signal: it.signal.clone(),
            direction: it.direction.as_str().to_owned(),
            share: it.share,
            feature: it.feature.clone(),
            text: it.text.clone(),
            once_in_days: it.once_in_days,
        })
        .collect();
    serde_json::to_string(&rows).expect("texts and finite numbers have a form in JSON")
}

/// The reasons of such a text, or what is wrong with it.
pub(crate) fn reasons_from_json(json: &str) -> Result<Vec<Reason>, String> {
    let damage = |problem: String| format!("the reasons of a verdict cannot be read: {problem}");
    let rows: Vec<ReasonRow> = serde_json::from_str(json).map_err(|it| damage(it.to_string()))?;
    let reason = |row: ReasonRow| {
        Ok(Reason {
            direction: Direction::from_name(&row.direction)
                .ok_or_else(|| damage(format!("unknown direction `{}`", row.direction)))?,
            signal: row.signal,
            share: row.share,
            feature: row.feature,
            text: row.text,
            once_in_days: row.once_in_days,
        })
    };
    rows.into_iter().map(reason).collect()
}

/// A signal's share as the column `signals` has it.
#[derive(Serialize, Deserialize)]
struct ShareRow {
    signal: String,
    share: f64,
    direction: String,
}

/// The shares as the text of a column.
pub(crate) fn shares_to_json(shares: &[SignalShare]) -> String {
    let rows: Vec<ShareRow> = shares
        .iter()
        .map(|it| ShareRow {
            signal: it.signal.clone(),
            share: it.share,
            direction: it.direction.as_str().to_owned(),
        })
        .collect();
    serde_json::to_string(&rows).expect("texts and numbers have a form in JSON")
}

/// The shares of such a text, where it is one.
pub(crate) fn shares_from_json(json: &str) -> Option<Vec<SignalShare>> {
    let rows: Vec<ShareRow> = serde_json::from_str(json).ok()?;
    let share = |row: ShareRow| {
        Some(SignalShare {
            direction: Direction::from_name(&row.direction)?,
            signal: row.signal,
            share: row.share,
        })
    };
    rows.into_iter().map(share).collect()
}
