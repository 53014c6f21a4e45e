//! What the adapters of Google Cloud have in common: how their clients find a service or an emulator, and what they say of
//! the things that they make.
//!
//! It knows no service. Nothing but the adapters uses it.

#[cfg(feature = "clients")]
use google_cloud_auth::credentials::{Credentials, anonymous};
#[cfg(feature = "clients")]
use google_cloud_gax::client_builder;
#[cfg(feature = "clients")]
use google_cloud_gax::error::{CredentialsError, Error};

/// What became of one thing that must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Made {
    /// It was made.
    Created,
    /// It was there, and something it lacked was added.
    Mended,
    /// It was there.
    Existed,
    /// It is missing or lacks something, and was left so because nothing was to be changed.
    Missing,
}

/// One thing that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its whole name, such as `projects/p/topics/t`.
    pub name: String,
    /// What became of it.
    pub made: Made,
    /// What a person should know of it; empty when all is as it should be.
    pub note: String,
}

impl Step {
    /// A thing of which there is nothing more to say.
    #[must_use]
    pub fn new(name: String, made: Made) -> Self {
        Self {
            name,
            made,
            note: String::new(),
        }
    }
}

/// Whether nobody is asked for credentials at this address. Google's own, regional ones too, are never plain.
#[must_use]
pub fn is_emulator(endpoint: &str) -> bool {
    endpoint.starts_with("http://")
}

/// Nobody's credentials: an emulator knows none.
#[cfg(feature = "clients")]
#[must_use]
pub fn nobody() -> Credentials {
    anonymous::Builder::new().build()
}

/// How a person gets credentials.
#[cfg(feature = "clients")]
pub const LOG_IN: &str = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the key file \
                          of a service account";

/// Whether a request failed for want of credentials, before it was sent. What was tried again until the time was up says
/// so in its causes alone.
#[cfg(feature = "clients")]
#[must_use]
pub fn lacks_credentials(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(it) = cause {
        if it.is::<CredentialsError>() || it.downcast_ref().is_some_and(Error::is_authentication) {
            return true;
        }
        cause = it.source();
    }
    false
}

/// Why a client of a service could not be made, for a person.
#[cfg(feature = "clients")]
#[must_use]
pub fn unbuilt(service: &str, cause: &client_builder::Error) -> String {
    if cause.is_default_credentials() {
        advised(
            "there are no Google credentials on this machine",
            Some(LOG_IN.to_owned()),
        )
    } else {
        format!("failed to make a client of {service}")
    }
}

/// A message with advice behind it, if there is any.
#[must_use]
pub fn advised(message: &str, hint: Option<String>) -> String {
    match hint {
        Some(hint) => format!("{message}\nhint: {hint}"),
        None => message.to_owned(),
    }
}

/// Builds a client at an address, or at Google's own where there is none. The builders of the clients share no trait.
#[macro_export]
macro_rules! client_at {
    ($builder:expr, $endpoint:expr) => {{
        let mut builder = $builder;
        if let Some(endpoint) = $endpoint {
            builder = builder.with_endpoint(endpoint);
            if $crate::is_emulator(endpoint) {
                builder = builder.with_credentials($crate::nobody());
            }
        }
        builder.build().await
    }};
}
