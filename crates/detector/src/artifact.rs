//! A model as bytes: versioned, capped, hashed.
//!
//! ```text
//! 8  bytes  magic "HARKMODL"
//! 4  bytes  format version, little endian
//! 8  bytes  length of the header
//!           header, JSON: everything but the forests
//! 8  bytes  length of a forest, then the forest in its own format; once per signal that has one, then once for
//!           all signals together where there is one
//! 32 bytes  SHA-256 of all of the above
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::{DeviceId, MAX_SIGNALS, Signal, Signals, Timestamp};
use forest::{Contamination, Forest, Params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bar::Bar;
use crate::features::{Baseline, Extractor, FeatureSpec};
use crate::heads::{Pace, Tempo};
use crate::kind::Kind;
use crate::model::{Model, Provenance, SignalModel, WholeForest};
use crate::peers::Peers;
use crate::recurring::{Look, Recurring, Rhythm};
use crate::reference::{Reference, References};
use crate::shift::{Deciles, Trained};
use crate::threshold::ThresholdPolicy;

const MAGIC: &[u8; 8] = b"HARKMODL";
const VERSION: u32 = 3;
const HASH_BYTES: usize = 32;

/// The longest model file that is read.
pub const MAX_BYTES: usize = 256 << 20;

/// Bytes that are no model of this program.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Longer than [`MAX_BYTES`].
    #[error("it has {0} bytes, at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// Not a model file.
    #[error("it is not a Hark model file")]
    Foreign,
    /// A format that this program does not read.
    #[error("it has format version {0}, this program reads version {VERSION}")]
    Version(u32),
    /// The hash does not fit.
    #[error("it is damaged: the SHA-256 at its end does not fit its content")]
    Hash,
    /// The hash fits, the content makes no sense.
    #[error("its content is inconsistent: {0}")]
    Content(String),
    /// A forest in it.
    #[error("the forest of {signal} cannot be read")]
    Forest {
        /// The signal.
        signal: String,
        /// Why.
        #[source]
        cause: forest::FormatError,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: String,
    kind: Kind,
    tempo: Tempo,
    line: f64,
    bar: BarHeader,
    scores: Option<Deciles>,
    fleet: [f64; 3],
    devices: Vec<DeviceHeader>,
    whole: Option<WholeHeader>,
    /// What recurs; left out where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recurring: Option<RecurringHeader>,
    spec: FeatureSpec,
    peers: Peers,
    signals: Vec<SignalHeader>,
    provenance: ProvenanceHeader,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignalHeader {
    name: String,
    unit: String,
    short: String,
    baseline: Option<Baseline>,
    deciles: Option<Deciles>,
    /// Where there is one, a forest follows.
    threshold: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceHeader {
    id: String,
    learned: u64,
    banks: [f64; 3],
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BarHeader {
    start: f64,
    scale: f64,
    share: f64,
    upper: f64,
    weeks: f64,
    seen: f64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeHeader {
    columns: Vec<Option<usize>>,
    spread: f64,
    id: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecurringHeader {
    rhythms: Vec<Rhythm>,
    fleet: Vec<Look>,
    /// By name, in order, so that a model has the same bytes each time.
    devices: BTreeMap<String, Vec<Look>>,
    told: BTreeMap<String, Vec<Look>>,
    faults: BTreeMap<String, Vec<Look>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvenanceHeader {
    created_at_micros: i64,
    program: String,
    readings: u64,
    devices: u64,
    from_micros: i64,
    to_micros: i64,
    trees: usize,
    subsample: usize,
    contamination: Option<f64>,
    seed: u64,
    extension: usize,
    threshold: ThresholdPolicy,
}

impl Model {
    /// The model as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&header(self)).expect("a header has text keys and finite numbers");
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        section(&mut bytes, &header);
        for part in self.forests.iter().flatten() {
            section(&mut bytes, &part.forest.to_bytes());
        }
        if let Some(whole) = &self.whole {
            section(&mut bytes, &whole.forest.to_bytes());
        }
        let hash = Sha256::digest(&bytes);
        bytes.extend(hash);
        bytes
    }

    /// Reads what [`Model::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, of another version or no model at all. Nothing is allocated beyond their length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ArtifactError> {
        if bytes.len() > MAX_BYTES {
            return Err(ArtifactError::TooLong(bytes.len()));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(ArtifactError::Foreign)?;
        let (version, rest) = rest.split_first_chunk().ok_or(ArtifactError::Hash)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(ArtifactError::Version(version));
        }
        let body = rest.len().checked_sub(HASH_BYTES).ok_or(ArtifactError::Hash)?;
        let (mut body, hash) = rest.split_at(body);
        if Sha256::digest(&bytes[..bytes.len() - HASH_BYTES]).as_slice() != hash {
            return Err(ArtifactError::Hash);
        }
        let header: Header =
            serde_json::from_slice(take_section(&mut body)?).map_err(|it| ArtifactError::Content(it.to_string()))?;
        let mut forests = Vec::with_capacity(header.signals.len());
        for signal in &header.signals {
            forests.push(read_forest(signal, header.spec.len(), &mut body)?);
        }
        let whole = header
            .whole
            .as_ref()
            .map(|it| read_whole(it, header.signals.len(), &mut body))
            .transpose()?;
        if !body.is_empty() {
            return Err(ArtifactError::Content(format!(
                "{} bytes follow the last forest",
                body.len()
            )));
        }
        assemble(header, forests, whole)
    }
}

fn header(model: &Model) -> Header {
    let it = &model.provenance;
    let signals = model
        .signals
        .iter()
        .zip(model.extractor.baselines())
        .zip(&model.forests)
        .zip(&model.trained.signals);
    Header {
        version: model.version.to_string(),
        kind: model.kind,
        tempo: model.pace.tempo,
        line: model.line,
        bar: bar_header(&model.bar),
        scores: model.trained.scores,
        fleet: model.references.fleet,
        devices: device_headers(&model.references),
        whole: model.whole.as_ref().map(|it| WholeHeader {
            columns: it.columns.clone(),
            spread: it.spread,
            id: it.id,
        }),
        recurring: recurring_header(&model.recurring),
        spec: model.extractor.spec().clone(),
        peers: model.peers.clone(),
        signals: signals
            .map(|(((signal, baseline), part), deciles)| SignalHeader {
                name: signal.name.clone(),
                unit: signal.unit.clone(),
                short: signal.short.clone(),
                baseline: *baseline,
                deciles: *deciles,
                threshold: part.as_ref().map(|it| it.threshold),
            })
            .collect(),
        provenance: ProvenanceHeader {
            created_at_micros: it.created_at.as_micros(),
            program: it.program.clone(),
            readings: it.readings,
            devices: it.devices,
            from_micros: it.from.as_micros(),
            to_micros: it.to.as_micros(),
            trees: it.params.trees,
            subsample: it.params.subsample,
            contamination: match it.params.contamination {
                Contamination::Auto => None,
                Contamination::Share(share) => Some(share),
            },
            seed: it.params.seed,
            extension: it.params.extension,
            threshold: it.policy,
        },
    }
}

fn assemble(
    header: Header,
    forests: Vec<Option<SignalModel>>,
    whole: Option<WholeForest>,
) -> Result<Model, ArtifactError> {
    let references = references(&header)?;
    let bar = bar(&header.bar)?;
    let recurring = match header.recurring {
        Some(it) => recurring(it, header.signals.len())?,
        None => Recurring::default(),
    };
    let trained = Trained {
        signals: header.signals.iter().map(|it| it.deciles).collect(),
        scores: header.scores,
    };
    if !header.peers.have(header.signals.len()) {
        return Err(ArtifactError::Content("a type of devices has other signals".to_owned()));
    }
    let it = header.provenance;
    let signals = header.signals.iter().map(|it| Signal {
        name: it.name.clone(),
        unit: it.unit.clone(),
        short: it.short.clone(),
    });
    let signals = Signals::new(signals.collect()).map_err(|it| ArtifactError::Content(it.to_string()))?;
    let baselines = header.signals.iter().map(|it| it.baseline).collect();
    Ok(Model {
        version: Arc::from(header.version),
        signals,
        kind: header.kind,
        pace: Pace::new(header.tempo),
        references,
        whole,
        recurring,
        line: header.line,
        bar,
        trained,
        extractor: Extractor::new(header.spec, baselines),
        peers: header.peers,
        forests,
        provenance: Provenance {
            created_at: Timestamp::from_micros(it.created_at_micros),
            program: it.program,
            readings: it.readings,
            devices: it.devices,
            from: Timestamp::from_micros(it.from_micros),
            to: Timestamp::from_micros(it.to_micros),
            params: Params {
                trees: it.trees,
                subsample: it.subsample,
                contamination: it.contamination.map_or(Contamination::Auto, Contamination::Share),
                seed: it.seed,
                extension: it.extension,
            },
            policy: it.threshold,
        },
    })
}

fn bar_header(bar: &Bar) -> BarHeader {
    BarHeader {
        start: bar.start,
        scale: bar.scale,
        share: bar.share,
        upper: bar.upper,
        weeks: bar.weeks,
        seen: bar.seen,
    }
}

fn bar(header: &BarHeader) -> Result<Bar, ArtifactError> {
    let numbers = [
        header.start,
        header.scale,
        header.share,
        header.upper,
        header.weeks,
        header.seen,
    ];
    if !(numbers.iter().all(|it| it.is_finite()) && header.scale > 0.0 && header.seen > 0.0) {
        return Err(ArtifactError::Content("the bar has no scale".to_owned()));
    }
    Ok(Bar {
        start: header.start,
        scale: header.scale,
        share: header.share,
        upper: header.upper,
        weeks: header.weeks,
        seen: header.seen,
    })
}

fn recurring_header(recurring: &Recurring) -> Option<RecurringHeader> {
    let by_name = |looks: &HashMap<DeviceId, Vec<Look>>| {
        let looks = looks
            .iter()
            .map(|(device, looks)| (device.as_str().to_owned(), looks.clone()));
        looks.collect()
    };
    (*recurring != Recurring::default()).then(|| RecurringHeader {
        rhythms: recurring.rhythms.clone(),
        fleet: recurring.fleet.clone(),
        devices: by_name(&recurring.devices),
        told: by_name(&recurring.told),
        faults: by_name(&recurring.faults),
    })
}

fn recurring(header: RecurringHeader, n_signals: usize) -> Result<Recurring, ArtifactError> {
    let content = |problem: String| ArtifactError::Content(problem);
    let by_device = |looks: BTreeMap<String, Vec<Look>>| {
        let of = |(device, looks): (String, _)| {
            let device = DeviceId::new(&device).map_err(|cause| content(cause.to_string()))?;
            Ok((device, looks))
        };
        looks.into_iter().map(of).collect::<Result<_, ArtifactError>>()
    };
    let recurring = Recurring {
        rhythms: header.rhythms,
        fleet: header.fleet,
        devices: by_device(header.devices)?,
        told: by_device(header.told)?,
        faults: by_device(header.faults)?,
    };
    if !recurring.fits(n_signals) {
        return Err(content("what recurs has other signals".to_owned()));
    }
    Ok(recurring)
}

fn device_headers(references: &References) -> Vec<DeviceHeader> {
    let header = |(device, it): (&DeviceId, &Reference)| DeviceHeader {
        id: device.as_str().to_owned(),
        learned: it.learned,
        banks: it.banks,
    };
    let mut headers: Vec<DeviceHeader> = references.devices.iter().map(header).collect();
    headers.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    headers
}

fn references(header: &Header) -> Result<References, ArtifactError> {
    let content = |problem: String| ArtifactError::Content(problem);
    let mut devices = HashMap::with_capacity(header.devices.len());
    for it in &header.devices {
        let device = DeviceId::new(&it.id).map_err(|cause| content(cause.to_string()))?;
        devices.insert(
            device,
            Reference {
                learned: it.learned,
                banks: it.banks,
            },
        );
    }
    let positive = |banks: &[f64; 3]| banks.iter().all(|it| *it > 0.0);
    if !(positive(&header.fleet) && devices.values().all(|it| positive(&it.banks)) && header.line.is_finite()) {
        return Err(content("a reference is not above 0".to_owned()));
    }
    if let Some((name, value)) = header.tempo.fault() {
        return Err(content(format!("the half-life `{name}` is {value}")));
    }
    Ok(References {
        devices,
        fleet: header.fleet,
    })
}

fn read_whole(header: &WholeHeader, n_signals: usize, body: &mut &[u8]) -> Result<WholeForest, ArtifactError> {
    let signal = || "all signals".to_owned();
    let forest = Forest::from_bytes(take_section(body)?).map_err(|cause| ArtifactError::Forest {
        signal: signal(),
        cause,
    })?;
    let fits = forest.columns() == header.columns.len()
        && header.columns.len() <= MAX_SIGNALS
        && header.columns.iter().flatten().all(|it| *it < n_signals)
        && header.spread > 0.0;
    if !fits {
        return Err(ArtifactError::Content(
            "the forest of all signals does not fit the signals".to_owned(),
        ));
    }
    Ok(WholeForest {
        forest,
        columns: header.columns.clone(),
        spread: header.spread,
        id: header.id,
    })
}

fn read_forest(signal: &SignalHeader, columns: usize, body: &mut &[u8]) -> Result<Option<SignalModel>, ArtifactError> {
    let Some(threshold) = signal.threshold else {
        return Ok(None);
    };
    let forest = Forest::from_bytes(take_section(body)?).map_err(|cause| ArtifactError::Forest {
        signal: signal.name.clone(),
        cause,
    })?;
    if forest.columns() != columns {
        let problem = format!(
            "the forest of {} has {} columns, the spec {columns}",
            signal.name,
            forest.columns()
        );
        return Err(ArtifactError::Content(problem));
    }
    Ok(Some(SignalModel { forest, threshold }))
}

fn section(bytes: &mut Vec<u8>, content: &[u8]) {
    bytes.extend((content.len() as u64).to_le_bytes());
    bytes.extend(content);
}

fn take_section<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], ArtifactError> {
    let cut = || ArtifactError::Content("a part is longer than the file".to_owned());
    let (len, tail) = rest.split_first_chunk().ok_or_else(cut)?;
    let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| cut())?;
    let (content, tail) = tail.split_at_checked(len).ok_or_else(cut)?;
    *rest = tail;
    Ok(content)
}
