use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Bound;

use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::is_planted;
use jiyao_state::{State, StateError, Writes};
use prost::bytes::Bytes;

/// Longest value that is kept when it was read: whole minutes would fill the memory, and few commands share them.
const SHORT: usize = 4 << 10;

/// The state as it will be once the group is written: what is stored, under what the group before puts while it is still
/// being synced, under what this one puts. Most commands of a group ask for the same organ, rules and counters: what is
/// short and was read once is kept, for nothing changes under it.
pub struct Overlay<'s> {
    state: &'s State,
    under: Writes,
    pub(crate) writes: Writes,
    read: RefCell<HashMap<Vec<u8>, Option<Vec<u8>>>>,
}

pub(crate) fn unavailable(e: StateError) -> Fault {
    let reason = match e {
        StateError::Revoked => Reason::ReadTooLong,
        _ => Reason::StateUnavailable,
    };
    Fault::new(reason).because(e)
}

impl<'s> Overlay<'s> {
    pub(crate) fn new(state: &'s State) -> Self {
        Self { state, under: Writes::new(), writes: Writes::new(), read: RefCell::default() }
    }

    /// What the group before puts.
    pub(crate) fn lay_upon(&mut self, under: Writes) {
        self.under = under;
    }

    /// The same, to go to the state now.
    pub(crate) fn settle(&mut self) -> Writes {
        std::mem::take(&mut self.under)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let under = || self.under.get(key).filter(|_| !is_planted("decide-apart"));
        if let Some(written) = self.writes.get(key).or_else(under) {
            return Ok(written.as_ref().map(|value| value.to_vec()));
        }
        if let Some(read) = self.read.borrow().get(key) {
            return Ok(read.clone());
        }
        let read = self.state.newest().and_then(|newest| newest.get(key)).map_err(unavailable)?;
        if read.as_ref().is_none_or(|value| value.len() <= SHORT) {
            self.read.borrow_mut().insert(key.to_vec(), read.clone());
        }
        Ok(read)
    }

    /// All pairs whose key begins with `prefix`, in key order.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub fn scan_prefix(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.scan_some(prefix, &[], usize::MAX)
    }

    /// At most so many of them, from the first key after `after` on; from the first of all where that is empty.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub fn scan_some(&self, prefix: &[u8], after: &[u8], most: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut fresh = Writes::new();
        for writes in [&self.under, &self.writes] {
            let from = if after.is_empty() { Bound::Included(prefix) } else { Bound::Excluded(after) };
            let of_prefix = writes
                .range::<[u8], _>((from, Bound::Unbounded))
                .take_while(|(key, _)| key.starts_with(prefix));
            fresh.extend(of_prefix.map(|(key, value)| (key.clone(), value.clone())));
        }
        let (mut fresh, mut found) = (fresh.into_iter().peekable(), Vec::new());
        let newest = self.state.newest().map_err(unavailable)?;
        for pair in newest.scan(prefix, after) {
            let (key, value) = pair.map_err(unavailable)?;
            while let Some((earlier, put)) = fresh.next_if(|(earlier, _)| *earlier < key) {
                found.extend(put.map(|put| (earlier, put.to_vec())));
            }
            if found.len() >= most {
                break;
            }
            match fresh.next_if(|(same, _)| *same == key) {
                Some((_, put)) => found.extend(put.map(|put| (key, put.to_vec()))),
                None => found.push((key, value)),
            }
        }
        found.extend(fresh.filter_map(|(key, put)| Some((key, put?.to_vec()))));
        found.truncate(most);
        Ok(found)
    }

    /// Puts a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Some(Bytes::from(value)));
    }

    /// Removes a key.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.writes.insert(key, None);
    }
}
