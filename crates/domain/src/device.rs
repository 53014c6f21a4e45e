//! Who sent a reading, and where it stands.

use std::fmt;
use std::sync::Arc;

use crate::rejection::{Rejection, RejectionCode};

/// The longest device id that is taken, in bytes of UTF-8.
pub const MAX_DEVICE_ID_BYTES: usize = 256;

/// The name of one device: 1 to [`MAX_DEVICE_ID_BYTES`] bytes of visible text.
///
/// Any letters, digits, spaces inside and punctuation are taken as they are and escaped wherever they are shown.
/// Control characters, invisible formatting characters (zero-width, bidirectional overrides) and white space at
/// either end are refused, since two names that look the same would be two devices.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceId(Arc<str>);

impl DeviceId {
    /// Checks a name.
    ///
    /// # Errors
    /// [`RejectionCode::BadDeviceId`] with the rule that the name breaks.
    pub fn new(name: &str) -> Result<Self, Rejection> {
        let problem = if name.is_empty() {
            "device_id is empty".to_owned()
        } else if name.len() > MAX_DEVICE_ID_BYTES {
            format!(
                "device_id has {} bytes, at most {MAX_DEVICE_ID_BYTES} are taken",
                name.len()
            )
        } else if let Some(odd) = name.chars().find(|&it| is_invisible(it)) {
            format!("device_id holds the invisible character U+{:04X}", u32::from(odd))
        } else if name.trim() != name {
            "device_id begins or ends with white space".to_owned()
        } else {
            return Ok(Self(name.into()));
        };
        Err(Rejection::field(RejectionCode::BadDeviceId, "device_id", problem))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for DeviceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn is_invisible(it: char) -> bool {
    it.is_control()
        || matches!(
            it,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        )
        || matches!(it, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        || matches!(it, '\u{E0000}'..='\u{E007F}')
}

/// Where a device stands. Any part may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// The building, "Building A".
    pub building: Option<String>,
    /// The floor, "Floor 3" or "3".
    pub floor: Option<String>,
    /// The room, "Room 12".
    pub room: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, taken: bool) {
        assert_eq!(DeviceId::new(name).is_ok(), taken, "{name:?}");
    }

    #[test]
    fn visible_names_are_taken_as_they_are() {
        check("sensor_001", true);
        check("../../etc/passwd", true);
        check("'; DROP TABLE devices", true);
        check("<img src=x onerror=alert(1)>", true);
        check("pump 🔧 Süd", true);
        check(&"x".repeat(MAX_DEVICE_ID_BYTES), true);
    }

    #[test]
    fn empty_endless_and_invisible_names_are_refused() {
        check("", false);
        check(" a", false);
        check("a\r\nSet-Cookie: x", false);
        check("a\u{0}", false);
        check("a\u{200B}b", false);
        check("a\u{202E}b", false);
        check(&"x".repeat(MAX_DEVICE_ID_BYTES + 1), false);
    }
}
