//! The fields of a message, each unread.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::value::cut;
use crate::rejection::{Rejection, RejectionCode as Code};

pub(super) fn malformed(cause: serde_json::Error) -> Rejection {
    let text = cause.to_string();
    if let Some(name) = text.strip_prefix(DUPLICATE) {
        let name = name.split('`').nth(1).unwrap_or_default();
        return Rejection::field(Code::DuplicateField, name, format!("field `{name}` stands twice"));
    }
    Rejection::whole(Code::MalformedJson, format!("not a JSON object: {text}"))
}

const DUPLICATE: &str = "duplicate field ";

/// The fields of an object in order, values unread. Skipping a value takes no stack, however deep it nests.
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(8);
                while let Some(Key(name)) = map.next_key()? {
                    if fields.len() >= MAX_FIELDS {
                        return Err(A::Error::custom(format!("more than {MAX_FIELDS} fields")));
                    }
                    if fields.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format!("{DUPLICATE}`{}`", cut(&name))));
                    }
                    fields.push((name, map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// More fields than the declared signals and the known names can need.
const MAX_FIELDS: usize = 256;

/// A key, borrowed where it holds no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
