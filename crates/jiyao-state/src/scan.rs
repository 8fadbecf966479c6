//! Pairs in key order out of the layers of a version and what sled has.

use std::iter::Peekable;
use std::sync::Arc;

use bytes::Bytes;

use crate::StateError;
use crate::layers::{Layer, Version};
use crate::store::Store;

pub(crate) type Pair = (Vec<u8>, Vec<u8>);

type Layered<'s> = Box<dyn Iterator<Item = (&'s Vec<u8>, &'s Option<Bytes>)> + 's>;
type Stored<'s> = Box<dyn Iterator<Item = Result<Pair, StateError>> + 's>;

/// The layers stand still, and what goes to sled meanwhile lies in one of them: so what they have hides what sled has,
/// whichever it is.
pub(crate) struct Scan<'s> {
    /// The newest first.
    layers: Vec<Peekable<Layered<'s>>>,
    /// The first key that one of them has.
    layered: Option<&'s Vec<u8>>,
    stored: Peekable<Stored<'s>>,
}

impl<'s> Scan<'s> {
    /// Pairs under `prefix` behind the key `after`; from the first on where that is empty.
    pub(crate) fn new(store: &'s Store, version: &'s Version, prefix: &[u8], after: &[u8]) -> Self {
        let from = if after.is_empty() { prefix.to_vec() } else { [after, &[0]].concat() };
        let prefix: Arc<[u8]> = prefix.into();
        let layered = |layer: &'s Layer| {
            let range: Layered<'s> = Box::new(layer.range(Arc::clone(&prefix), &from));
            range.peekable()
        };
        let within = Arc::clone(&prefix);
        let is_within = move |pair: &Result<Pair, StateError>| {
            pair.as_ref().map_or(true, |(key, _)| key.starts_with(&within))
        };
        let stored: Stored<'s> = Box::new(store.scan(&from).take_while(is_within));
        let layers = version.layers().map(layered).collect();
        let mut scan = Self { layers, layered: None, stored: stored.peekable() };
        scan.look();
        scan
    }

    fn look(&mut self) {
        self.layers.retain_mut(|layer| layer.peek().is_some());
        self.layered = self.layers.iter_mut().filter_map(|layer| layer.peek().map(|(key, _)| *key)).min();
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Pair, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Most pairs are sled's: only what a layer has is looked for in all of them.
            let key = match (self.layered, self.stored.peek()) {
                (Some(layered), Some(Ok((stored, _)))) if stored < layered => return self.stored.next(),
                (None, _) | (_, Some(Err(_))) => return self.stored.next(),
                (Some(layered), _) => layered,
            };
            let mut newest = None;
            for layer in &mut self.layers {
                if let Some((_, value)) = layer.next_if(|(at, _)| *at == key) {
                    newest = newest.or(Some(value));
                }
            }
            self.look();
            self.stored.next_if(|pair| pair.as_ref().is_ok_and(|(stored, _)| stored == key));
            if let Some(Some(value)) = newest {
                return Some(Ok((key.clone(), value.to_vec())));
            }
        }
    }
}
