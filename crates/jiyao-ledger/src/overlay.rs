use std::cell::RefCell;
use std::collections::HashMap;

use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::is_planted;
use jiyao_state::{State, StateError, Writes};

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
    Fault::new(Reason::StateUnavailable).because(e)
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
            return Ok(written.clone());
        }
        if let Some(read) = self.read.borrow().get(key) {
            return Ok(read.clone());
        }
        let read = self.state.get(key).map_err(unavailable)?;
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
        let mut found = Writes::new();
        for pair in self.state.scan(prefix, &[]) {
            let (key, value) = pair.map_err(unavailable)?;
            found.insert(key, Some(value));
        }
        for writes in [&self.under, &self.writes] {
            let fresh = writes.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix));
            found.extend(fresh.map(|(key, value)| (key.clone(), value.clone())));
        }
        Ok(found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
    }

    /// Puts a value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
    }

    /// Removes a key.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.writes.insert(key, None);
    }
}
