//! What people said of incidents, and what follows for the threshold.

use std::collections::HashSet;

use detector::Kind;
use domain::Label;
use warehouse::{IncidentQuery, LabelFilter, StoredIncident, Warehouse};

use super::clock;
use super::registry::Registry;
use super::tuning::Labelled;

/// So many labelled incidents are looked at, the newest ones.
const MOST: usize = 10_000;

/// How many incidents have which label, and the scores of those that the present kind of model told.
pub(crate) struct Words {
    pub(crate) counts: [(Label, u64); Label::ALL.len()],
    pub(crate) labelled: Labelled,
    /// Their lowest scores, in order, each once.
    pub(crate) peaks: Vec<f64>,
}

impl Words {
    /// Asks for all of it. Without a model in force no scores can be compared.
    pub(crate) async fn ask(
        warehouse: &dyn Warehouse,
        registry: &Registry,
        live: Option<Kind>,
    ) -> anyhow::Result<Self> {
        let query = IncidentQuery {
            label: Some(LabelFilter::Any),
            ..IncidentQuery::all(clock::now(), MOST)
        };
        let all = warehouse.incidents(query).await?.items;
        let label = |it: &StoredIncident| it.triage.label.as_ref().map(|it| it.label);
        let count = |wanted: Label| all.iter().filter(|it| label(it) == Some(wanted)).count() as u64;
        let counts = Label::ALL.map(|it| (it, count(it)));
        let alike = tokio::task::block_in_place(|| alike(registry, live, &all));
        let mut labelled = Labelled::default();
        let mut peaks = Vec::new();
        for it in all.iter().filter(|it| alike.contains(&it.incident.model_version)) {
            if let Some(label) = label(it) {
                labelled.push(label, it.incident.peak_score);
                peaks.push(it.incident.peak_score.min(0.0));
            }
        }
        peaks.sort_by(f64::total_cmp);
        peaks.dedup();
        Ok(Self {
            counts,
            labelled,
            peaks,
        })
    }

    /// How many have this label.
    pub(crate) fn count(&self, wanted: Label) -> u64 {
        self.counts.iter().filter(|(it, _)| *it == wanted).map(|(_, n)| n).sum()
    }

    /// The share that was worth telling among all that were not expected; none without labels.
    pub(crate) fn precision(&self) -> Option<f64> {
        let right = self.count(Label::True) + self.count(Label::SensorFault);
        let told = right + self.count(Label::FalseAlarm);
        (told > 0).then(|| right as f64 / told as f64)
    }
}

/// The versions whose scores can be compared with those of the model in force. One that is gone or damaged cannot be.
fn alike(registry: &Registry, live: Option<Kind>, incidents: &[StoredIncident]) -> HashSet<String> {
    let Some(live) = live else { return HashSet::new() };
    let mut versions: HashSet<String> = incidents.iter().map(|it| it.incident.model_version.clone()).collect();
    versions.retain(|version| registry.load(version).is_ok_and(|it| it.kind == live));
    versions
}
