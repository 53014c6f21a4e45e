//! Numbers to bytes and back, for the stored state of a device. All numbers are little-endian.

use crate::features::StateError;

/// Writes numbers.
pub(crate) struct Writer<'a>(pub(crate) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(crate) fn byte(&mut self, it: u8) {
        self.0.push(it);
    }

    pub(crate) fn count(&mut self, it: u32) {
        self.0.extend(it.to_le_bytes());
    }

    pub(crate) fn long(&mut self, it: u64) {
        self.0.extend(it.to_le_bytes());
    }

    pub(crate) fn single(&mut self, it: f32) {
        self.0.extend(it.to_le_bytes());
    }

    pub(crate) fn double(&mut self, it: f64) {
        self.0.extend(it.to_le_bytes());
    }
}

/// Reads what a [`Writer`] wrote, and refuses what is no finite number.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(StateError::Damaged)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, StateError> {
        Ok(self.take::<1>()?[0])
    }

    pub(crate) fn count(&mut self) -> Result<u32, StateError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    pub(crate) fn long(&mut self) -> Result<u64, StateError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    pub(crate) fn single(&mut self) -> Result<f32, StateError> {
        let it = f32::from_le_bytes(self.take()?);
        if it.is_finite() {
            Ok(it)
        } else {
            Err(StateError::Damaged)
        }
    }

    pub(crate) fn double(&mut self) -> Result<f64, StateError> {
        let it = f64::from_le_bytes(self.take()?);
        if it.is_finite() {
            Ok(it)
        } else {
            Err(StateError::Damaged)
        }
    }
}
