//! What is newer than sled, as one version after the other: each is a few layers that hide what lies below them.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Applied, Writes};

/// Most layers of a version: each costs every read a look.
const LAYERS: usize = 8;
/// Beside the bytes of a pair, what the map takes for it.
const PER_PAIR: usize = 64;

/// What whole groups put, one upon the other: the newest value of each key, None where it was removed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layer {
    pub(crate) writes: Writes,
    /// What they take in memory.
    pub(crate) bytes: usize,
    /// Number of the version that it ends with.
    pub(crate) through: u64,
    /// The place in the journal that is reached with it.
    pub(crate) applied: Applied,
}

fn size(writes: &Writes) -> usize {
    writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len) + PER_PAIR).sum()
}

impl Layer {
    fn add(&mut self, writes: Writes, through: u64, applied: Applied) {
        self.bytes += size(&writes);
        if self.writes.is_empty() {
            self.writes = writes;
        } else {
            self.writes.extend(writes);
        }
        (self.through, self.applied) = (through, applied);
    }

    /// Both in one; what the newer has hides what the older has.
    fn under(&self, newer: &Self) -> Self {
        let mut writes = self.writes.clone();
        writes.extend(newer.writes.iter().map(|(key, value)| (key.clone(), value.clone())));
        let bytes = size(&writes);
        Self { writes, bytes, through: newer.through, applied: newer.applied }
    }

    /// Its pairs under a prefix, from a key on.
    pub(crate) fn range(
        &self,
        prefix: Arc<[u8]>,
        from: &[u8],
    ) -> impl Iterator<Item = (&Vec<u8>, &Option<Bytes>)> + use<'_> {
        let from = (Bound::Included(from), Bound::Unbounded);
        self.writes.range::<[u8], _>(from).take_while(move |(key, _)| key.starts_with(&prefix))
    }
}

/// All that sled did not have at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Version {
    /// Grows with each batch.
    pub(crate) number: u64,
    pub(crate) applied: Applied,
    /// The oldest first.
    layers: Vec<Arc<Layer>>,
}

impl Version {
    pub(crate) fn of(applied: Applied) -> Self {
        Self { applied, ..Self::default() }
    }

    /// What it has of a key; None: sled has it.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Option<Bytes>> {
        self.layers.iter().rev().find_map(|layer| layer.writes.get(key))
    }

    /// The newest first.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().rev().map(Arc::as_ref)
    }

    /// Makes the next version of this one, with a batch in a layer of its own or in the last. Whoever has the last layer
    /// keeps it as it was.
    pub(crate) fn add(&mut self, writes: Writes, applied: Applied, is_open: bool) {
        self.number += 1;
        self.applied = applied;
        if !is_open || self.layers.is_empty() {
            self.layers.push(Arc::default());
        }
        if let Some(last) = self.layers.last_mut() {
            Arc::make_mut(last).add(writes, self.number, applied);
        }
        while self.layers.len() > LAYERS {
            self.merge();
        }
    }

    /// The last layer.
    pub(crate) fn last(&self) -> Option<&Arc<Layer>> {
        self.layers.last()
    }

    /// Makes one of the two neighbours that take the least, the last layer aside: it still grows.
    fn merge(&mut self) {
        let both = |at: &usize| self.layers[*at].bytes + self.layers[*at + 1].bytes;
        let Some(at) = (0..self.layers.len().saturating_sub(2)).min_by_key(both) else { return };
        let newer = self.layers.remove(at + 1);
        self.layers[at] = Arc::new(self.layers[at].under(&newer));
    }

    /// Leaves out what sled has: all up to a version.
    pub(crate) fn drop_through(&mut self, number: u64) -> Vec<Arc<Layer>> {
        let kept = self.layers.partition_point(|layer| layer.through <= number);
        self.layers.drain(..kept).collect()
    }
}
