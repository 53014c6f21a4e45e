//! Devices replayed as the consumer takes them: judged, watched for incidents, measured.

use std::collections::HashMap;

use detector::{DeviceState, Evaluation, IncidentRules, Kind, Model, Report};
use domain::{DeviceId, Incident, IncidentId, Reading, Timestamp, Verdict};

use crate::runtime::judging::Judging;
use crate::runtime::watching::{Change, Telling, Watched};

/// One judged row.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// Whether a new event of this device begins here: by the heads where they judge, else by a run of flags.
    pub(super) alert: bool,
    /// The incident that is open, unless it opened in the training.
    pub(super) incident: Option<IncidentId>,
}

/// Devices that forget nothing between rows, as in the consumer.
pub(crate) struct Replay<'a> {
    model: &'a Model,
    judging: &'a Judging,
    rules: IncidentRules,
    devices: HashMap<DeviceId, Device>,
    incidents: Vec<Told>,
    evaluation: Evaluation,
}

struct Device {
    state: DeviceState,
    watched: Watched,
    was_anomalous: bool,
    /// Where the incident that is open stands among all, unless it opened in the training.
    open: Option<usize>,
    /// The newest reading that is labelled as anomalous.
    labelled: Option<Timestamp>,
}

/// An incident, as it was in the end.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) incident: Incident,
    /// Whether a row in it is labelled as anomalous.
    pub(super) has_anomaly: bool,
}

/// What was measured on the rows after the training.
pub(super) struct Measured {
    pub(super) report: Report,
    /// The incidents that opened in them, by when they did.
    pub(super) incidents: Vec<Told>,
}

impl<'a> Replay<'a> {
    /// No device was heard yet.
    pub(crate) fn new(model: &'a Model, judging: &'a Judging, rules: IncidentRules) -> Self {
        Self {
            model,
            judging,
            rules,
            devices: HashMap::new(),
            incidents: Vec::new(),
            evaluation: Evaluation::default(),
        }
    }

    /// Judges a reading and takes it in; it `counts` when the verdict is to be measured.
    pub(crate) fn judge(&mut self, reading: &Reading, counts: bool) -> Judged {
        let mut device = self.devices.remove(&reading.device_id).unwrap_or_else(|| Device {
            state: DeviceState::new(&self.model.signals),
            watched: Watched::default(),
            was_anomalous: false,
            open: None,
            labelled: None,
        });
        let judged = self.judge_of(&mut device, reading, counts);
        self.devices.insert(reading.device_id.clone(), device);
        judged
    }

    fn judge_of(&mut self, device: &mut Device, reading: &Reading, counts: bool) -> Judged {
        let is_taken = device.state.accepts(reading.timestamp);
        if is_taken {
            let doubts = self.judging.doubts(&device.state, reading, Timestamp::MAX);
            device.watched.doubts.hear(reading, doubts);
        }
        let assessment = self.judging.assess(Some(self.model), &mut device.state, reading);
        if reading.truth.as_ref().is_some_and(|it| it.is_anomaly) {
            device.labelled = device.labelled.max(Some(reading.timestamp));
        }
        if is_taken {
            let telling = Telling {
                rules: self.rules,
                threshold: 0.0,
                is_beyond_limit: self.judging.is_beyond(reading),
            };
            let signals = &self.model.signals;
            let told = device.watched.step(reading, assessment.as_ref(), signals, &telling);
            self.tell(device, told, counts);
        }
        let verdict = assessment.expect("a model judges every reading").verdict;
        let alert = match self.model.kind {
            Kind::IsolationForest => verdict.is_anomaly && !device.was_anomalous,
            Kind::Hybrid | Kind::Statistical => is_taken && device.state.has_alerted(),
        };
        device.was_anomalous = verdict.is_anomaly;
        if counts {
            self.evaluation.push(reading, &verdict);
        }
        Judged {
            verdict,
            alert,
            incident: device.open.map(|it| self.incidents[it].incident.id.clone()),
        }
    }

    /// Keeps what a reading did to the incidents of its device.
    fn tell(&mut self, device: &mut Device, told: Option<(Change, Incident)>, counts: bool) {
        let Some((change, incident)) = told else { return };
        let has_anomaly = device
            .labelled
            .is_some_and(|it| it >= incident.began && it <= incident.last);
        let closes = change == Change::Closed;
        match device.open {
            Some(at) => {
                let known = &mut self.incidents[at];
                known.has_anomaly |= has_anomaly;
                known.incident = incident;
            }
            None if change == Change::Opened && counts => {
                device.open = Some(self.incidents.len());
                self.incidents.push(Told { incident, has_anomaly });
            }
            None => {}
        }
        device.open = device.open.filter(|_| !closes);
    }

    /// What was measured.
    pub(super) fn measured(self) -> Measured {
        let names: Vec<&str> = self.model.signals.iter().map(|it| it.name.as_str()).collect();
        Measured {
            report: self.evaluation.report(&names),
            incidents: self.incidents,
        }
    }
}
