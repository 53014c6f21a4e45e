//! Trains on the `split = train` rows of a table `series,timestamp,split,<signals…>` on stdin, judges all its rows in
//! order, and writes `series,timestamp,score,flag,alert,incident,reason` (`incident` is 1 where one opens): what `hark backtest` does, without the program around
//! it. The argument is the kind: `hybrid` (default), `statistical`, `isolation-forest`; a second one is the
//! budget, and those after it set half-lives, such as `level=500`.

use std::collections::HashMap;
use std::io::{BufRead, BufWriter, Write};

use detector::{
    Bar, BaselinePass, DeviceState, FeaturePass, Happening, IncidentRules, Kind, Plan, Tempo, ThresholdPolicy, Unit,
    Watch,
};
use domain::{DeviceId, Measurement, Reading, Signal, Signals, Timestamp, Values};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut lines = std::io::stdin().lock().lines();
    let header = lines.next().ok_or("no header")??;
    let signals = Signals::new(header.split(',').skip(3).map(|it| Signal::new(it, "1")).collect())?;
    let rows = lines
        .map(|line| row(&line?))
        .collect::<Outcome<Vec<(Reading, bool)>>>()?;
    let plan = plan()?.check()?;
    let training = || rows.iter().filter(|it| it.1).map(|it| &it.0);
    let mut baselines = BaselinePass::new(&signals);
    training().for_each(|it| baselines.push(it));
    let mut pass = FeaturePass::new(plan, signals.clone(), baselines.finish());
    training().for_each(|it| pass.push(it));
    let model = pass.fit("judge".into(), Timestamp::EPOCH, 2)?.0;
    let mut out = BufWriter::new(std::io::stdout().lock());
    writeln!(out, "series,timestamp,score,flag,alert,incident,reason")?;
    let mut states: HashMap<DeviceId, (DeviceState, Watch, bool)> = HashMap::new();
    let rules = IncidentRules::default();
    for (reading, _) in &rows {
        let (state, watch, was_anomalous) = states
            .entry(reading.device_id.clone())
            .or_insert_with(|| (DeviceState::new(&signals), Watch::default(), false));
        let is_taken = state.accepts(reading.timestamp);
        let assessment = model.assess(state, reading);
        let happening = assessment.sign.and_then(|sign| {
            let (next, happening) = watch.step(&sign, &rules);
            *watch = next;
            happening
        });
        let incident = u8::from(matches!(happening, Some(Happening::Opened(_))));
        let it = assessment.verdict;
        let alert = u8::from(match model.kind {
            Kind::IsolationForest => it.is_anomaly && !*was_anomalous,
            Kind::Hybrid | Kind::Statistical => is_taken && state.has_alerted(),
        });
        *was_anomalous = it.is_anomaly;
        let reason = it.reasons.first().map_or("", |it| it.text.as_str());
        let (device, at, flag) = (&reading.device_id, reading.timestamp, u8::from(it.is_anomaly));
        writeln!(
            out,
            "{device},{at},{},{flag},{alert},{incident},\"{reason}\"",
            -it.score
        )?;
    }
    let intervals = states.values().filter_map(|it| it.0.interval());
    let most = Bar::most(median(intervals.collect()));
    writeln!(std::io::stderr(), "{},{most}", model.bar.resolves())?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(1.0)
}

fn plan() -> Outcome<Plan> {
    let mut arguments = std::env::args().skip(1);
    let kind = match arguments.next().as_deref() {
        None | Some("hybrid") => Kind::Hybrid,
        Some("statistical") => Kind::Statistical,
        Some("isolation-forest") => Kind::IsolationForest,
        Some(other) => return Err(format!("`{other}` is no kind").into()),
    };
    let policy = match arguments.next() {
        None => ThresholdPolicy::default(),
        Some(it) if it == "contamination" => ThresholdPolicy::Contamination,
        Some(budget) => ThresholdPolicy::Budget {
            false_alarms_per_device_week: budget.parse()?,
        },
    };
    let tempo = arguments.try_fold(Tempo::default(), |tempo, it| with(tempo, &it))?;
    Ok(Plan {
        kind,
        tempo,
        policy,
        ..Plan::default()
    })
}

/// The tempo with one half-life set.
fn with(mut tempo: Tempo, setting: &str) -> Outcome<Tempo> {
    let (name, value) = setting.split_once('=').ok_or("a half-life is set as `name=value`")?;
    let half_life = match name {
        "unit" => {
            tempo.unit = Unit::Seconds(value.parse()?);
            return Ok(tempo);
        }
        "level" => &mut tempo.level,
        "smooth" => &mut tempo.smooth,
        "rough" => &mut tempo.rough,
        "hold" => &mut tempo.hold,
        other => return Err(format!("`{other}` is no half-life that can be set").into()),
    };
    *half_life = value.parse()?;
    Ok(tempo)
}

fn row(line: &str) -> Outcome<(Reading, bool)> {
    let fields: Vec<&str> = line.split(',').collect();
    let values = fields[3..]
        .iter()
        .map(|it| it.parse().ok().and_then(|it| Measurement::new(it, "value").ok()));
    let reading = Reading {
        device_id: DeviceId::new(fields[0])?,
        timestamp: Timestamp::parse_utc(fields[1])?,
        values: Values::new(values.collect()),
        location: None,
        device_type: None,
        truth: None,
    };
    Ok((reading, fields[2] == "train"))
}
