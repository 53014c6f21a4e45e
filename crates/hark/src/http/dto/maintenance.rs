//! Maintenance windows.

use domain::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::runtime::maintenance::Window;

/// All windows, the newest first.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Windows {
    pub(crate) windows: Vec<WindowDto>,
}

/// A time in which nothing is learned from a device and nobody told.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct WindowDto {
    pub(crate) id: u64,
    /// None for the whole fleet.
    pub(crate) device_id: Option<String>,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) reason: String,
    pub(crate) who: String,
    /// Whether it is on now.
    pub(crate) active: bool,
}

impl WindowDto {
    pub(crate) fn new(it: &Window, now: Timestamp) -> Self {
        Self {
            id: it.id,
            device_id: it.device_id.clone(),
            from: it.from.to_string(),
            to: it.to.to_string(),
            reason: it.reason.clone(),
            who: it.who.clone(),
            active: it.range().contains(now),
        }
    }
}

/// Makes a window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddWindow {
    /// Left out for the whole fleet.
    pub(crate) device_id: Option<String>,
    /// Now without.
    pub(crate) from: Option<String>,
    /// An RFC 3339 instant; or say `for`.
    pub(crate) to: Option<String>,
    /// A span such as `2h`.
    #[serde(rename = "for")]
    pub(crate) span: Option<String>,
    pub(crate) reason: String,
    pub(crate) who: Option<String>,
}
