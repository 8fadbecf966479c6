use jiyao_fault::{Fault, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Overlay, Reading};

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

/// A value of a pure crate as it is kept: JSON.
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
