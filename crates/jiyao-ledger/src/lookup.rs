use jiyao_calendar::Timestamp;
use jiyao_fault::{Fault, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Overlay, Reading, erasure};

/// Whatever has values by key: the state as a decision sees it, which has what its group adds, or as a read does. A
/// service puts its own documents on top as a trait of its own.
pub trait Lookup {
    /// The value of a key.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// All pairs whose key begins with a prefix, in key order.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    fn under(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;

    /// Whether the content of minutes was erased here: nothing of it may come in again.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    fn is_erased(&self, minutes: &str) -> Result<bool> {
        Ok(self.value(&erasure::erased_key(minutes))?.is_some())
    }
}

impl Lookup for Overlay<'_> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.get(key)
    }

    fn under(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.scan_prefix(prefix)
    }
}

impl Lookup for Reading<'_> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.get(key)
    }

    fn under(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.scan(prefix, &[]).collect()
    }
}

/// A value of a pure crate as events keep it: JSON, which later versions of the value can read for ever.
///
/// # Errors
/// `INTERNAL`.
pub fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(Fault::internal)
}

/// The way back.
///
/// # Errors
/// `INTERNAL` for bytes that are no such value.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(Fault::internal)
}

/// A value of a pure crate as the state may keep what is read and written often: its fields in their order and no more.
/// Only programs of the same [`crate::Domain::PROJECTION`] read it: where fields come or go, that changes too.
///
/// # Errors
/// `INTERNAL`.
pub fn pack(value: &impl Serialize) -> Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(Fault::internal)
}

/// The way back.
///
/// # Errors
/// `INTERNAL` for bytes that are no such value.
pub fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(Fault::internal)
}

fn is_time(text: &str) -> bool {
    jiyao_calendar::parse_iso(text).is_some() || text.parse::<Timestamp>().is_ok()
}

/// A value as [`to_json`] keeps it, without its words: days and instants stay, and texts at the paths that are named,
/// such as `act.*.mark`, where `*` is any one key and places in lists count for nothing; all others are empty.
///
/// # Errors
/// `INTERNAL` for bytes that are no JSON.
pub fn blank_json(bytes: &[u8], kept: &[&str]) -> Result<Vec<u8>> {
    fn blank(value: &mut Value, kept: &[Vec<&str>]) {
        match value {
            Value::String(text) if !kept.iter().any(Vec::is_empty) && !is_time(text) => text.clear(),
            Value::Array(values) => values.iter_mut().for_each(|value| blank(value, kept)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    let below = kept.iter().filter_map(|path| match path.split_first() {
                        Some((first, rest)) if *first == "*" || first == key => Some(rest.to_vec()),
                        _ => None,
                    });
                    blank(value, &below.collect::<Vec<_>>());
                }
            }
            _ => {}
        }
    }
    let mut value = from_json(bytes)?;
    blank(&mut value, &kept.iter().map(|path| path.split('.').collect()).collect::<Vec<_>>());
    to_json(&value)
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_go_and_what_is_named_stays() {
        let value = r#"{"act":{"ANSWER":{"to":"某人","on":"某时","day":"2026-01-01"}},"to":"CLOSED","of":["某","乙"],"n":7,"no":null}"#;
        let left = super::blank_json(value.as_bytes(), &["act.*.on", "to", "act", "of.x"]).unwrap();
        let left = String::from_utf8(left).unwrap();
        let expected = r#"{"act":{"ANSWER":{"day":"2026-01-01","on":"某时","to":""}},"n":7,"no":null,"of":["",""],"to":"CLOSED"}"#;
        assert_eq!(left, expected);
    }
}
