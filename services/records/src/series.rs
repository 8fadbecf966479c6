//! Which numbers of a series are taken, as far as the next one hangs on it.

use jiyao_fault::{Fault, Result};
use jiyao_ledger::{Lookup, Overlay};
use jiyao_names::Organ;

use crate::keys;

/// So many of the highest numbers are known one by one. Where more than these were withdrawn one after the other, the
/// series goes on above them: a number is never given twice.
const KNOWN: usize = 32;

/// The highest numbers that are taken. One that minutes had who should never have been recorded is free again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The highest of those that are not known one by one; 0 where all are.
    below: u32,
    /// The lowest first; as often as it was taken.
    known: Vec<u32>,
}

impl Taken {
    pub(crate) fn of(view: &(impl Lookup + ?Sized), organ: &Organ, series: &str) -> Result<Self> {
        let Some(kept) = view.value(&keys::counter(organ, series))? else { return Ok(Self::default()) };
        let (numbers, rest) = kept.as_chunks();
        match numbers {
            [below, known @ ..] if rest.is_empty() => Ok(Self {
                below: u32::from_be_bytes(*below),
                known: known.iter().copied().map(u32::from_be_bytes).collect(),
            }),
            _ => Err(Fault::internal("the numbers of a series are cut short")),
        }
    }

    /// All up to a number, none of which is given back.
    pub(crate) fn up_to(number: u32) -> Self {
        Self { below: number, known: Vec::new() }
    }

    /// The highest number; 0 before the first.
    pub(crate) fn last(&self) -> u32 {
        self.known.last().copied().unwrap_or(self.below).max(self.below)
    }

    pub(crate) fn add(&mut self, number: u32) {
        let at = self.known.partition_point(|known| *known <= number);
        self.known.insert(at, number);
        if self.known.len() > KNOWN {
            self.below = self.below.max(self.known.remove(0));
        }
    }

    pub(crate) fn remove(&mut self, number: u32) {
        if let Ok(at) = self.known.binary_search(&number) {
            self.known.remove(at);
        }
    }

    pub(crate) fn keep(&self, view: &mut Overlay<'_>, organ: &Organ, series: &str) {
        let numbers = std::iter::once(&self.below).chain(&self.known);
        view.put(keys::counter(organ, series), numbers.flat_map(|number| number.to_be_bytes()).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_given_back_is_the_next_one_again() {
        let mut taken = Taken::default();
        assert_eq!(taken.last(), 0);
        for number in [3, 7, 7, 5] {
            taken.add(number);
        }
        taken.remove(7);
        assert_eq!(taken.last(), 7, "other minutes have it too");
        taken.remove(7);
        assert_eq!(taken.last(), 5);
        taken.remove(6);
        taken.remove(5);
        taken.remove(3);
        assert_eq!(taken, Taken::default());
    }

    #[test]
    fn where_too_many_are_given_back_the_series_goes_on_above_them() {
        let mut taken = Taken::default();
        (1..=100).for_each(|number| taken.add(number));
        (1..=100).rev().for_each(|number| taken.remove(number));
        assert_eq!(taken.last(), 68);
    }
}
