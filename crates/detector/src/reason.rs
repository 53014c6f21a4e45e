//! Why a reading is anomalous, in one plain sentence a signal.

use domain::{Direction, Reason, Signal, Span};

/// The reason for one flagged signal, with its share in the verdict and the feature that weighs most.
#[must_use]
pub fn reason(signal: &Signal, value: f64, expected: Option<Span>, share: f64, feature: String) -> Reason {
    let direction = match expected {
        Some(span) if value > span.high => Direction::Above,
        Some(span) if value < span.low => Direction::Below,
        _ => Direction::Within,
    };
    let unit = match signal.unit_symbol() {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    let what = format!("{} {}{unit}", signal.name, number(value));
    let text = match (expected, direction) {
        (Some(span), Direction::Within) => {
            let (low, high) = (number(span.low), number(span.high));
            format!("{what} lies within the usual {low} to {high}{unit}, yet its course or hour is unusual")
        }
        (Some(span), _) => {
            let (low, high) = (number(span.low), number(span.high));
            format!("{what} is {} the usual {low} to {high}{unit}", direction.as_str())
        }
        (None, _) => format!("{what} is unusual"),
    };
    Reason {
        signal: signal.name.clone(),
        direction,
        share,
        feature,
        text,
        once_in_days: None,
    }
}

/// What is odd about a signal of a device that is judged by its own past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Course {
    /// The value itself.
    Value,
    /// It has been higher of late than it was before.
    Rising,
    /// It has been lower of late.
    Falling,
    /// It moves more than it did.
    Restless,
    /// It moves less than it did.
    Still,
    /// It is unusual together with the other signals, or in this state of the machine.
    Together,
    /// It does not move at all.
    Stuck,
    /// It is beyond a limit that a person has set.
    Limit,
    /// It has moved over weeks, so slowly that no reading is odd.
    Worn,
}

impl Course {
    /// The stable name, `value`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::Restless => "restless",
            Self::Still => "still",
            Self::Together => "together",
            Self::Stuck => "stuck",
            Self::Limit => "limit",
            Self::Worn => "worn",
        }
    }

    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 9] = [
        Self::Value,
        Self::Rising,
        Self::Falling,
        Self::Restless,
        Self::Still,
        Self::Together,
        Self::Stuck,
        Self::Limit,
        Self::Worn,
    ];
}

/// A value that lies less than this share of the expected range to the side where it is said to have been is there no longer.
const PAST: f64 = 0.1;

/// What is told of a signal of a device that is judged by its own past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Told {
    pub(crate) value: f64,
    pub(crate) expected: Span,
    pub(crate) course: Course,
    /// The signal's share in the score.
    pub(crate) share: f64,
    /// For how many seconds the smoothed value has been to one side.
    pub(crate) lasting: f64,
    /// How seldom such a reading is for this device, where that is told.
    pub(crate) once_in_days: Option<f64>,
}

/// The reason for one flagged signal of a device that is judged by its own past.
#[must_use]
pub(crate) fn course_reason(signal: &Signal, told: &Told) -> Reason {
    let unit = match signal.unit_symbol() {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    let (value, expected) = (told.value, told.expected);
    let direction = match () {
        () if value > expected.high => Direction::Above,
        () if value < expected.low => Direction::Below,
        () => Direction::Within,
    };
    let what = format!("{} {}{unit}", signal.name, number(value));
    let usual = format!("{} to {}{unit}", number(expected.low), number(expected.high));
    let middle = f64::midpoint(expected.low, expected.high);
    let past = PAST * (expected.high - expected.low);
    let since = |course: &str, side: f64| match told.lasting {
        _ if side * (value - middle) < past => format!("; {course} until just now"),
        seconds if seconds >= 60.0 => format!("; {course} for {}", span_of(seconds)),
        _ => format!("; {course} of late than before"),
    };
    let course = match told.course {
        Course::Value | Course::Limit => String::new(),
        Course::Rising => since("higher", 1.0),
        Course::Falling => since("lower", -1.0),
        Course::Restless => "; moving more than before".to_owned(),
        Course::Still => "; moving less than before".to_owned(),
        Course::Together => "; unusual in this state of the device".to_owned(),
        Course::Stuck => "; the same value again and again".to_owned(),
        Course::Worn => "; moving one way for weeks".to_owned(),
    };
    let seldom = match told.once_in_days {
        Some(days) if days >= 365.0 => "; less than once a year for this device".to_owned(),
        Some(days) if days >= 1.0 => format!("; once in {} for this device", span_of(days * 86_400.0)),
        _ => String::new(),
    };
    Reason {
        signal: signal.name.clone(),
        direction,
        share: told.share,
        feature: told.course.as_str().to_owned(),
        text: format!("{what}, usually {usual} at this hour{course}{seldom}"),
        once_in_days: told.once_in_days,
    }
}

/// A span of time in the largest unit that gives it at least one: "3 h", "12 days".
pub(crate) fn span_of(seconds: f64) -> String {
    match seconds {
        it if it < 60.0 => format!("{it:.0} s"),
        it if it < 3_600.0 => format!("{:.0} min", it / 60.0),
        it if it < 2.0 * 86_400.0 => format!("{:.0} h", it / 3_600.0),
        it => format!("{:.0} days", it / 86_400.0),
    }
}

/// A number with as many digits as a person needs: three significant ones, or none after the point beyond 1,000.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    let digits = if size >= 1e9 || (size > 0.0 && size < 1e-3) {
        return format!("{value:.2e}");
    } else if size >= 1_000.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 || size == 0.0 {
        2
    } else {
        3
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use domain::Signals;

    use super::*;

    #[track_caller]
    fn check(value: f64, expected: Option<Span>, text: &str) {
        assert_eq!(
            reason(&Signals::default()[0], value, expected, 1.0, "value".to_owned()).text,
            text
        );
    }

    #[test]
    fn a_reason_is_a_sentence_a_person_reads() {
        let usual = Some(Span {
            low: 18.123,
            high: 24.26,
        });
        check(41.23, usual, "temperature 41.2 °C is above the usual 18.1 to 24.3 °C");
        check(9.5, usual, "temperature 9.50 °C is below the usual 18.1 to 24.3 °C");
        check(
            20.0,
            usual,
            "temperature 20.0 °C lies within the usual 18.1 to 24.3 °C, yet its course or hour is unusual",
        );
        check(-1e12, None, "temperature -1.00e12 °C is unusual");
    }

    #[test]
    fn a_course_is_told_after_the_value() {
        let usual = Span { low: 1.2, high: 1.9 };
        let of = |value, course| {
            let told = Told {
                value,
                expected: usual,
                course,
                share: 0.8,
                lasting: 10_800.0,
                once_in_days: (course == Course::Rising).then_some(12.3),
            };
            course_reason(&Signals::default()[1], &told)
        };
        let high = of(4.1, Course::Value);
        assert_eq!(high.text, "vibration 4.10 mm/s, usually 1.20 to 1.90 mm/s at this hour");
        assert_eq!(
            (high.direction, high.share, &*high.feature),
            (Direction::Above, 0.8, "value")
        );
        let still = of(1.5, Course::Still);
        assert_eq!(
            still.text,
            "vibration 1.50 mm/s, usually 1.20 to 1.90 mm/s at this hour; moving less than before"
        );
        assert_eq!(still.direction, Direction::Within);
        assert_eq!(
            of(1.8, Course::Rising).text,
            "vibration 1.80 mm/s, usually 1.20 to 1.90 mm/s at this hour; higher for 3 h; once in 12 days for this device"
        );
        assert_eq!(
            of(1.6, Course::Falling).text,
            "vibration 1.60 mm/s, usually 1.20 to 1.90 mm/s at this hour; lower until just now"
        );
    }
}
