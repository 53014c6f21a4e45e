//! The JSON Schema of a configuration file, for editors: what the documented sample says, key by key.

use std::collections::BTreeMap;

use config::{Config as Tree, File, FileFormat, Value, ValueKind};
use serde_json::{Map, Value as Json, json};

use super::fit::{SIGNAL, join};
use super::layers::SAMPLE;

/// The schema of `hark.toml`.
pub(crate) fn schema() -> Json {
    let sample = Tree::builder().add_source(File::from_str(SAMPLE, FileFormat::Toml));
    let sample = sample.build().expect("the sample is TOML, as a test shows");
    let mut schema = of("", &sample.cache, &comments());
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("The configuration of Hark");
    schema["properties"]["signals"] = signals();
    schema
}

fn signals() -> Json {
    let properties = SIGNAL.map(|(name, kind)| (name.to_owned(), json!({ "type": kinds(&kind) })));
    let properties: Map<String, Json> = properties.into_iter().collect();
    json!({
        "type": "array",
        "description": "What the devices measure, in order",
        "items": { "type": "object", "properties": properties, "required": ["name"], "additionalProperties": false },
    })
}

fn of(key: &str, value: &Value, comments: &BTreeMap<String, String>) -> Json {
    let mut schema = json!({ "type": kinds(&value.kind) });
    if let Some(comment) = comments.get(key) {
        schema["description"] = json!(comment);
    }
    match &value.kind {
        ValueKind::Table(table) => {
            let property = |(name, it): (&String, &Value)| (name.clone(), of(&join(key, name), it, comments));
            schema["properties"] = table.iter().map(property).collect::<Map<String, Json>>().into();
            schema["additionalProperties"] = json!(false);
        }
        ValueKind::Array(_) => {}
        // What can be read from TOML can be written as JSON.
        _ => schema["default"] = value.clone().try_deserialize().unwrap_or_default(),
    }
    schema
}

/// The kinds that are taken where the sample has this one.
fn kinds(kind: &ValueKind) -> &'static [&'static str] {
    match kind {
        ValueKind::Boolean(_) => &["boolean"],
        ValueKind::Float(_) => &["number"],
        ValueKind::String(_) => &["string", "integer"],
        ValueKind::Table(_) => &["object"],
        ValueKind::Array(_) => &["array"],
        _ => &["integer"],
    }
}

/// What the sample says before each key.
fn comments() -> BTreeMap<String, String> {
    let (mut section, mut words, mut comments) = (String::new(), Vec::new(), BTreeMap::new());
    for line in SAMPLE.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            words.push(comment.trim());
        } else if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            words.clear();
        } else if let Some((key, _)) = line.split_once(" = ") {
            comments.insert(join(&section, key), words.join(" "));
            words.clear();
        } else {
            words.clear();
        }
    }
    comments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_there_with_its_kind_its_default_and_what_it_is() {
        let schema = schema();
        let listen = &schema["properties"]["api"]["properties"]["listen"];
        assert_eq!(listen["default"], "127.0.0.1:8000");
        assert!(
            listen["description"].as_str().unwrap().contains("--insecure"),
            "{listen}"
        );
        let streams = &schema["properties"]["bus"]["properties"]["pubsub"]["properties"]["streams"];
        assert_eq!(
            (&streams["type"][0], streams["default"].is_u64()),
            (&json!("integer"), true)
        );
        assert_eq!(schema["properties"]["signals"]["items"]["required"][0], "name");
        assert_eq!(schema["additionalProperties"], false);
    }
}
