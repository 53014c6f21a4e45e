//! What head A remembers of one signal, as bytes and back.

use super::SignalDrift;
use super::doubt::Doubt;
use crate::features::StateError;
use crate::heads::calm::Calm;
use crate::heads::codec::{Reader, Writer};
use crate::heads::former::Former;
use crate::heads::level::Level;
use crate::heads::profile::Profile;

impl SignalDrift {
    pub(super) fn write(&self, to: &mut Writer<'_>) {
        self.profile.write(to);
        self.level.write(to);
        let numbers = [
            self.variance,
            self.smooth,
            self.rough,
            self.last,
            self.age,
            self.long_mean,
            self.long_spread,
            self.center,
        ];
        numbers.iter().for_each(|it| to.double(*it));
        to.count(self.seen);
        self.parts.iter().for_each(|it| to.single(*it));
        to.single(self.scale);
        to.single(self.lasting);
        to.double(self.value);
        to.count(self.repeats);
        to.single(self.usual_repeats);
        to.single(self.longest_run);
        to.count(self.changes);
        to.byte(u8::from(self.is_signed));
        self.former.write(to);
        self.doubt.write(to);
        to.byte(u8::from(self.is_alone));
        self.calm.write(to);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, StateError> {
        let profile = Profile::read(from)?;
        let level = Level::read(from)?;
        let mut numbers = [0.0; 8];
        for number in &mut numbers {
            *number = from.double()?;
        }
        let [variance, smooth, rough, last, age, long_mean, long_spread, center] = numbers;
        let seen = from.count()?;
        Ok(Self {
            profile,
            level,
            variance,
            smooth,
            rough,
            last,
            age,
            seen,
            long_mean,
            long_spread,
            center,
            parts: [from.single()?, from.single()?, from.single()?],
            scale: from.single()?,
            lasting: from.single()?,
            value: from.double()?,
            repeats: from.count()?,
            usual_repeats: from.single()?,
            longest_run: from.single()?,
            changes: from.count()?,
            is_signed: from.byte()? != 0,
            former: Former::read(from)?,
            doubt: Doubt::read(from)?,
            is_alone: from.byte()? != 0,
            calm: Calm::read(from)?,
        })
    }
}
