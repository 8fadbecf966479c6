//! Pairs in key order out of what waits and what sled has.

use std::iter::Peekable;
use std::vec::IntoIter;

use crate::StateError;
use crate::recent::{Recent, Write};
use crate::store::Store;

/// Pairs that wait are fetched so many at a time, then twice as many, up to the most.
const FIRST_STRETCH: usize = 8;
const LONGEST_STRETCH: usize = 256;

type Pair = (Vec<u8>, Vec<u8>);

/// Goes by stretches: what waits is looked at first and then, up to the last key of it, sled. So a batch that reaches
/// sled in between is met at least once, and what waits hides what sled has.
pub(crate) struct Scan<'s> {
    store: &'s Store,
    recent: &'s Recent,
    prefix: Vec<u8>,
    /// Where the next stretch begins; None: there is none.
    next: Option<Vec<u8>>,
    many: usize,
    waiting: Peekable<IntoIter<Write>>,
    stored: Peekable<Box<dyn Iterator<Item = Result<Pair, StateError>> + 's>>,
}

impl<'s> Scan<'s> {
    pub(crate) fn new(store: &'s Store, recent: &'s Recent, prefix: &[u8], after: &[u8]) -> Self {
        let from = if after.is_empty() { prefix.to_vec() } else { [after, &[0]].concat() };
        let nothing: Box<dyn Iterator<Item = _> + 's> = Box::new(std::iter::empty());
        Self {
            store,
            recent,
            prefix: prefix.to_vec(),
            next: Some(from),
            many: FIRST_STRETCH,
            waiting: Vec::new().into_iter().peekable(),
            stored: nothing.peekable(),
        }
    }

    fn stretch(&mut self, from: &[u8]) -> Result<(), StateError> {
        let waiting = self.recent.first(&self.prefix, from, self.many)?;
        let last = (waiting.len() == self.many).then(|| waiting.last().map(|(key, _)| key.clone())).flatten();
        self.many = LONGEST_STRETCH.min(self.many * 2);
        self.next = last.as_ref().map(|last| [last.as_slice(), &[0]].concat());
        self.waiting = waiting.into_iter().peekable();
        let prefix = self.prefix.clone();
        let is_within =
            move |key: &Vec<u8>| key.starts_with(&prefix) && last.as_ref().is_none_or(|last| key <= last);
        let stored = self
            .store
            .scan(from)
            .take_while(move |pair| pair.as_ref().map_or(true, |(key, _)| is_within(key)));
        let stored: Box<dyn Iterator<Item = _> + 's> = Box::new(stored);
        self.stored = stored.peekable();
        Ok(())
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Pair, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let is_waiting_next = match (self.waiting.peek(), self.stored.peek()) {
                (None, None) => {
                    let from = self.next.take()?;
                    if let Err(e) = self.stretch(&from) {
                        return Some(Err(e));
                    }
                    continue;
                }
                (Some((waiting, _)), Some(Ok((stored, _)))) => {
                    if waiting == stored {
                        self.stored.next();
                        continue;
                    }
                    waiting < stored
                }
                (waiting, Some(_)) => waiting.is_some(),
                (Some(_), None) => true,
            };
            if !is_waiting_next {
                return self.stored.next();
            }
            if let Some((key, Some(value))) = self.waiting.next() {
                return Some(Ok((key, value)));
            }
        }
    }
}
