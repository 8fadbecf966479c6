use jiyao_fault::{Fault, Reason, Result};
use jiyao_state::{State, StateError, Writes};

/// The state as it will be once the group is written: what is stored, under what the group adds.
pub struct Overlay<'s> {
    state: &'s State,
    pub(crate) writes: Writes,
}

pub(crate) fn unavailable(e: StateError) -> Fault {
    Fault::new(Reason::StateUnavailable).because(e)
}

impl<'s> Overlay<'s> {
    pub(crate) fn new(state: &'s State) -> Self {
        Self { state, writes: Writes::new() }
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `STATE_UNAVAILABLE`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => self.state.get(key).map_err(unavailable),
        }
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
        for (key, value) in
            self.writes.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix))
        {
            found.insert(key.clone(), value.clone());
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
