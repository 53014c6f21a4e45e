//! One value of a message: a number, a text, or what is neither.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::rejection::{Rejection, RejectionCode as Code};

pub(super) fn number(raw: &RawValue, path: &impl Fn() -> String) -> Result<f64, Rejection> {
    let text = raw.get();
    if !text.starts_with(|it: char| it == '-' || it.is_ascii_digit()) {
        let hint = if text == "null" {
            "; leave it out when there is no value"
        } else {
            ""
        };
        let detail = format!("{} must be a number, got {}{hint}", path(), kind(raw));
        return Err(Rejection::field(Code::WrongType, path(), detail));
    }
    // The parser has made sure that it is a JSON number, which is a subset of what `f64` reads, exactly rounded.
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => {
            let detail = format!("{} is {}, too large for a number", path(), cut(text));
            Err(Rejection::field(Code::OutOfRange, path(), detail))
        }
    }
}

/// A text, a number as its digits, or nothing for null: floors come as `"Floor 3"` and as `3`.
pub(super) fn optional(raw: &RawValue, path: &str) -> Result<Option<String>, Rejection> {
    match raw.get().as_bytes() {
        b"null" => Ok(None),
        [b'"', ..] => text(raw, path).map(Some),
        [b'-' | b'0'..=b'9', ..] if raw.get().len() <= MAX_TEXT_BYTES => Ok(Some(raw.get().to_owned())),
        _ => Err(Rejection::field(
            Code::WrongType,
            path,
            format!("{path} must be text, got {}", kind(raw)),
        )),
    }
}

/// The longest text taken for a place or kind, in bytes.
const MAX_TEXT_BYTES: usize = 256;

pub(super) fn text(raw: &RawValue, path: &str) -> Result<String, Rejection> {
    let text: String = read(raw, path, "text")?;
    if text.len() > MAX_TEXT_BYTES {
        let code = if path == "device_id" {
            Code::BadDeviceId
        } else {
            Code::TooLarge
        };
        let detail = format!("{path} has {} bytes, at most {MAX_TEXT_BYTES} are taken", text.len());
        return Err(Rejection::field(code, path, detail));
    }
    Ok(text)
}

pub(super) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, path: &str, wanted: &str) -> Result<T, Rejection> {
    serde_json::from_str(raw.get()).map_err(|_| {
        Rejection::field(
            Code::WrongType,
            path,
            format!("{path} must be {wanted}, got {}", kind(raw)),
        )
    })
}

/// What a JSON value is, shortened, for an error message.
pub(super) fn kind(raw: &RawValue) -> String {
    match raw.get().as_bytes().first() {
        Some(b'{') => "an object".to_owned(),
        Some(b'[') => "a list".to_owned(),
        Some(b'"') => format!("the text {}", cut(raw.get())),
        _ => cut(raw.get()),
    }
}

pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
