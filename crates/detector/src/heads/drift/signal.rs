//! What head A remembers of one signal: a level, a scale and a time-of-day profile.

use super::doubt::Doubt;
use super::hold::Regime;
use crate::heads::calm::Calm;
use crate::heads::former::Former;
use crate::heads::level::Level;
use crate::heads::moment::Moment;
use crate::heads::profile::Profile;
use crate::heads::tempo::Weights;

/// Deviations are told apart up to so many scales.
const CLIP: f64 = 1_000.0;

/// Deviations beyond so many scales enter the smoothed ones as so many.
const SMOOTH_CLIP: f64 = 3.0;

/// A deviation beyond so many scales enters the smoothed ones only with a second right after it: a single reading is no
/// drift, and would look like one for as long as it is remembered.
const ALONE: f64 = 8.0;

/// While a device learns its scale, what came late counts more than what came early, before its level and the course of
/// its day were known: the weight of the `t`-th reading is this over `t` (polynomial-decay averaging, Shamir and Zhang 2013).
const LATER: f64 = 2.0;

/// While the course of the day is young, the weight of the `t`-th reading in scales and in the course's skill is this over
/// `t`, times that skill: what was learned before the course was known is soon forgotten.
const YOUNG: f64 = 4.0;

/// What one signal moves the level by is clipped at so many scales.
const LEVEL_CLIP: f64 = 5.0;

/// The same in what is remembered of all times, while a new level may be a fault's.
const NEW_CLIP: f64 = 3.0;

/// What enters the scale is clipped at so many scales.
const SCALE_CLIP: f64 = 3.0;

/// Makes up for the clipping of the values that the scale is learned from.
const SCALE_BIAS: f64 = 1.02;

/// No scale is smaller than this share of the deviation over all that was seen.
const RESTING: f64 = 0.2;

/// The standard deviation of Gaussian noise in units of its mean absolute deviation.
const NORMAL_SPREAD: f64 = 1.253_314_137_315_5;

/// Nor smaller than this share of the value, which no sensor resolves.
const RESOLUTION: f64 = 1e-5;

/// A smoothed deviation lies to one side from the first on, and until it falls below the second.
const ASIDE: (f64, f64) = (1.5, 0.75);

/// A value that comes again so often is stuck, unless values usually come again.
const STUCK: u32 = 5;

/// The weight of a run of equal values in how long they usually are, and the longest that counts.
const RUNS: f32 = 0.01;
const LONGEST_RUN: u32 = 50;

/// The longest run of equal values is remembered by so much of it with each value that is new.
const REMEMBERED: f32 = 0.999_99;

/// A value that stays the same for so many times as long as any did, and for so many readings, is frozen.
const LONGER: f64 = 3.0;
const FROZEN: u32 = 8;

/// While a device is new, what keeps its value is known from so many changes on.
const SETTLED: u32 = 200;

/// A value so many standard deviations from all that was seen is beyond all reason, once so many readings were seen: it counts
/// as that far out, so that one alone does not spoil what a new device learns.
const ABSURD: f64 = 100.0;
const FEW: u32 = 100;

/// A roughness beyond so many times the usual one is odd; steps with squares so many times below it are of another state.
const RESTLESS: f64 = 6.0;
const STILL: f64 = 4.0;

/// What head A remembers of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SignalDrift {
    pub(super) profile: Profile<24>,
    pub(super) level: Level,
    pub(super) variance: f64,
    pub(super) smooth: f64,
    pub(super) rough: f64,
    pub(super) last: f64,
    pub(super) age: f64,
    pub(super) seen: u32,
    /// The mean and the mean absolute deviation over all that was seen: slow to learn, not shrunk by what is rare.
    pub(super) long_mean: f64,
    pub(super) long_spread: f64,
    /// What was expected of the newest value, and the scale it was measured in.
    pub(crate) center: f64,
    pub(super) scale: f32,
    /// This signal's own part in each bank at the newest reading; negative below what is usual.
    pub(crate) parts: [f32; 3],
    /// For how many seconds the smoothed deviation has been to one side, negative below.
    pub(super) lasting: f32,
    /// The newest value as it came, how often it came before it, and how often a value usually does.
    pub(super) value: f64,
    pub(super) repeats: u32,
    pub(super) usual_repeats: f32,
    /// The longest run of a value of late, and how many values differed from the one before.
    pub(super) longest_run: f32,
    pub(super) changes: u32,
    /// Whether it was ever below 0.
    pub(crate) is_signed: bool,
    pub(super) former: Former,
    pub(crate) doubt: Doubt,
    /// Whether the newest value lies far off and the one before did not.
    pub(super) is_alone: bool,
    pub(super) calm: Calm,
}

impl SignalDrift {
    pub(crate) const EMPTY: Self = Self {
        profile: Profile::EMPTY,
        level: Level::EMPTY,
        variance: 0.0,
        smooth: 0.0,
        rough: 1.0,
        last: 0.0,
        age: 0.0,
        seen: 0,
        long_mean: 0.0,
        long_spread: 0.0,
        center: 0.0,
        scale: 0.0,
        parts: [0.0; 3],
        lasting: 0.0,
        value: 0.0,
        repeats: 0,
        usual_repeats: 0.0,
        longest_run: 0.0,
        changes: 0,
        is_signed: false,
        former: Former::EMPTY,
        doubt: Doubt::NONE,
        is_alone: false,
        calm: Calm::EMPTY,
    };

    /// Measures a value: how many scales it lies from what is expected.
    pub(super) fn observe(
        &mut self,
        value: f64,
        moment: &Moment<'_>,
        weights: &Weights,
        regime: Regime,
        usual_rough: f64,
    ) -> f64 {
        let units = weights.units;
        if self.seen == 0 {
            self.level.begin(value);
            self.long_mean = value;
        }
        self.repeat(value);
        self.age += units;
        if regime != Regime::Odd {
            self.remember(value, weights, moment.is_learning, regime);
        }
        for (hour, units) in moment.silence.pieces() {
            self.coast(hour, units, moment);
        }
        if regime == Regime::Odd {
            self.coast(moment.hour, moment.weights.units, moment);
        }
        let expected = self.profile.expect(moment.hour);
        let deviation = value - self.level.value;
        if regime != Regime::Odd {
            let reach = match moment.is_learning {
                true => f64::INFINITY,
                false => LEVEL_CLIP * self.variance.max(0.0).sqrt().max(self.least_scale()),
            };
            let felt = deviation.clamp(expected - reach, expected + reach);
            let early = if self.profile.is_young() { YOUNG } else { 1.0 };
            let early = (early * units / (self.age + units)).min(1.0);
            self.profile.take(felt, weights.profile.max(early));
        }
        let left = deviation - expected;
        self.center = self.level.value + expected;
        let scale = if self.seen > 5 {
            self.variance.max(0.0).sqrt().max(self.least_scale())
        } else {
            left.abs()
        } + 1e-9;
        self.scale = scale as f32;
        let z = (left / scale).clamp(-CLIP, CLIP);
        self.seen = self.seen.saturating_add(1);
        self.is_alone = z.abs() > ALONE && self.seen > 20 && !self.is_alone;
        if self.is_alone {
            return z;
        }
        self.smooth += weights.smooth * (z.clamp(-SMOOTH_CLIP, SMOOTH_CLIP) - self.smooth);
        let step = (z - self.last).abs().min(1.5 * SMOOTH_CLIP);
        self.rough += weights.rough.max(units / self.age) * (step * step - self.rough);
        self.last = z;
        self.calm(step * step, usual_rough, units);
        z
    }

    /// Where nothing is learned, while the device is silent and while it deviates, the level goes on as it does on other days:
    /// by the course of the day, which is told relative to it.
    fn coast(&mut self, hour: u8, units: f64, moment: &Moment<'_>) {
        if let Some(course) = self.profile.course(hour) {
            self.level.coast(course, moment.pace.level(), units);
        }
    }

    /// What was usual before the present level goes on with the course of the day, as the present one does.
    pub(super) fn keep_former(&mut self, moment: &Moment<'_>) {
        let now = (moment.hour, moment.weights.units);
        for (hour, units) in moment.silence.pieces().chain([now]) {
            self.former.level += units * moment.pace.level() * self.profile.swing(hour);
        }
    }

    /// Takes note of a reading that does not have the signal.
    pub(super) fn miss(&mut self, moment: &Moment<'_>) {
        for (hour, units) in moment.silence.pieces() {
            self.coast(hour, units, moment);
        }
        self.coast(moment.hour, moment.weights.units, moment);
    }

    /// Ends an odd roughness when the steps are usual again.
    fn calm(&mut self, square: f64, usual: f64, units: f64) {
        let is_usual = self.rough > RESTLESS * usual && square < self.rough / STILL;
        if let Some(mean) = self.calm.step(square, is_usual, units) {
            self.rough = mean.max(usual);
        }
    }

    /// Counts how often the value has come in a row.
    #[expect(
        clippy::float_cmp,
        reason = "a sensor that is stuck repeats its value to the last bit"
    )]
    fn repeat(&mut self, value: f64) {
        self.is_signed |= value < 0.0;
        if self.seen > 0 && value == self.value {
            self.repeats = self.repeats.saturating_add(1);
            return;
        }
        self.changes = self.changes.saturating_add(1);
        self.longest_run = (self.longest_run * REMEMBERED).max(self.repeats as f32);
        self.usual_repeats += RUNS * (self.repeats.min(LONGEST_RUN) as f32 - self.usual_repeats);
        self.repeats = 0;
        self.value = value;
    }

    /// Whether the value has come so often in a row as a sensor that works does not give it.
    pub(crate) fn is_stuck(&self) -> bool {
        self.repeats >= STUCK && f64::from(self.repeats) >= f64::from(STUCK) * f64::from(self.usual_repeats)
    }

    /// How many times as long as ever the value has stayed the same; 0 while that is not enough, and for a signal whose values
    /// usually come again.
    pub(crate) fn frozen(&self) -> f64 {
        let known = (LONGER * f64::from(self.longest_run)).max(f64::from(FROZEN));
        let ratio = f64::from(self.repeats) / known;
        let is_varied = self.changes >= FROZEN && self.changes >= self.seen.saturating_sub(self.repeats) / 2;
        if is_varied && ratio >= 1.0 { ratio } else { 0.0 }
    }

    /// Whether enough of its values differed to say how long one lasts.
    pub(super) fn is_settled(&self) -> bool {
        self.changes >= SETTLED
    }

    /// The value, or the farthest towards it that is not beyond all reason; with a second one right after it a value is not.
    pub(super) fn reached(&self, value: f64) -> f64 {
        if self.seen < FEW || self.long_spread == 0.0 || self.is_alone {
            return value;
        }
        let reach = ABSURD * self.long_scale();
        value.clamp(self.long_mean - reach, self.long_mean + reach)
    }

    /// Whether it would be stuck with this value.
    #[expect(
        clippy::float_cmp,
        reason = "a sensor that is stuck repeats its value to the last bit"
    )]
    pub(crate) fn is_stuck_at(&self, value: f64) -> bool {
        let mut next = *self;
        next.repeats = next.repeats.saturating_add(1);
        self.seen > 0 && value == self.value && next.is_stuck()
    }

    /// The scale that the newest value was measured in.
    pub(crate) fn scale(&self) -> f64 {
        f64::from(self.scale)
    }

    /// For how many seconds the smoothed deviation has been to one side, negative below.
    pub(crate) fn lasting(&self) -> f64 {
        f64::from(self.lasting)
    }

    /// The newest value.
    pub(crate) fn newest(&self) -> Option<f64> {
        (self.seen > 0).then_some(self.value)
    }

    /// Counts for how long the smoothed deviation has been to one side, when its part in the bank is this.
    pub(super) fn last_on(&mut self, part: f64, seconds: f64) {
        let lasting = self.lasting();
        let is_same = part * lasting >= 0.0;
        if part.abs() > ASIDE.1 && is_same || part.abs() > ASIDE.0 {
            let before = if is_same { lasting } else { 0.0 };
            self.lasting = (before + seconds.copysign(part)) as f32;
        } else {
            self.lasting = 0.0;
        }
    }

    fn remember(&mut self, value: f64, weights: &Weights, is_learning: bool, regime: Regime) {
        let weight = weights.scale.max(weights.units / self.age).min(1.0);
        let mut deviation = value - self.long_mean;
        if !is_learning {
            let clip = if regime == Regime::New { NEW_CLIP } else { LEVEL_CLIP };
            let reach = clip * self.long_scale();
            deviation = deviation.clamp(-reach, reach);
        }
        self.long_mean += weight * deviation;
        self.long_spread += weight * (deviation.abs() - self.long_spread);
    }

    /// The standard deviation over all that was seen, as its mean absolute deviation has it: seldom spikes count little.
    fn long_scale(&self) -> f64 {
        (NORMAL_SPREAD * self.long_spread).max(RESOLUTION * self.long_mean.abs())
    }

    /// A signal that mostly rests, as on a machine that switches on and off, has robust scales near zero. What it does
    /// over a day or a week keeps its scale from vanishing.
    pub(super) fn least_scale(&self) -> f64 {
        (RESTING * self.long_scale()).max(RESOLUTION * self.long_mean.abs())
    }

    /// The value in standard deviations of all that was seen.
    pub(crate) fn standing(&self, value: f64) -> f64 {
        ((value - self.long_mean) / (self.long_scale() + 1e-9)).clamp(-CLIP, CLIP)
    }

    /// Whether the smoothed deviation lies to one side.
    pub(super) fn is_aside(&self) -> bool {
        f64::from(self.parts[1]).abs() > ASIDE.0
    }

    /// Goes back to what was usual before the present level was taken for usual.
    pub(super) fn restore(&mut self) {
        (self.level.value, self.variance) = (self.former.level, f64::from(self.former.variance));
        (self.smooth, self.last) = (f64::from(self.former.mean), f64::from(self.former.mean));
    }

    /// The weight of a unit of time while the course of the day is young.
    pub(super) fn young(&self) -> f64 {
        YOUNG * self.profile.youth() / self.age.max(1.0)
    }

    /// Takes the newest value in. What was learned over `learned` units counts no less than what comes.
    pub(super) fn absorb(&mut self, value: f64, weights: &Weights, learned: Option<f64>) {
        let (early, late) = match learned {
            None => {
                let share = weights.units / self.age;
                (share, (LATER * share).min(1.0))
            }
            Some(learned) => {
                let doubtful = self.doubt.open() * self.doubt.open() / learned.max(1.0);
                (0.0, (doubtful.max(self.young()) * weights.units).min(1.0))
            }
        };
        let scale = self.variance.max(0.0).sqrt();
        let mut moved = value - self.level.value;
        let mut measured = moved;
        if self.seen > 20 {
            moved = moved.clamp(-LEVEL_CLIP * scale, LEVEL_CLIP * scale);
            measured = (value - self.center).clamp(-SCALE_CLIP * scale, SCALE_CLIP * scale);
        }
        self.variance += weights.scale.max(late) * (measured * measured * SCALE_BIAS - self.variance);
        self.level.follow(moved, weights, early);
    }

    /// Takes the newest value for part of a new level.
    pub(super) fn adopt(&mut self, value: f64, weights: &Weights, nth: u32) {
        self.level.adopt(value - self.center, weights, nth);
    }
}
