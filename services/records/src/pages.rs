//! Answers that were asked for since the last write: what is written seldom is looked at often, a board by everybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Answers of one state.
#[derive(Clone)]
pub(crate) struct Pages<A>(Arc<Mutex<Kept<A>>>);

struct Kept<A> {
    most: usize,
    sequence: u64,
    answers: HashMap<Vec<u8>, A>,
}

impl<A: Clone> Pages<A> {
    /// Keeps at most so many.
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(Kept { most, sequence: 0, answers: HashMap::new() })))
    }

    /// The answer to the same question, where the state is still that of `sequence`.
    pub(crate) fn of(&self, sequence: u64, question: &[u8]) -> Option<A> {
        let kept = self.lock();
        if kept.sequence == sequence { kept.answers.get(question).cloned() } else { None }
    }

    /// Keeps an answer of the state of `sequence`; those of an older state go.
    pub(crate) fn keep(&self, sequence: u64, question: Vec<u8>, answer: &A) {
        let mut kept = self.lock();
        if kept.sequence > sequence {
            return;
        }
        if kept.sequence < sequence || kept.answers.len() >= kept.most {
            kept.answers.clear();
            kept.sequence = sequence;
        }
        kept.answers.insert(question, answer.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Kept<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_state_still_says_is_answered_again() {
        let pages = Pages::new(8);
        pages.keep(7, b"q".to_vec(), &"a");
        assert_eq!(pages.of(7, b"q"), Some("a"));
        assert_eq!(pages.of(8, b"q"), None, "something was written");
        assert_eq!(pages.of(7, b"other"), None);
        pages.keep(8, b"q".to_vec(), &"b");
        pages.keep(7, b"late".to_vec(), &"c");
        assert_eq!(pages.of(8, b"q"), Some("b"));
        assert_eq!(pages.of(8, b"late"), None, "read before, kept after the write");
        for n in 0..=8_u64 {
            pages.keep(8, n.to_be_bytes().to_vec(), &"d");
        }
        assert!(pages.lock().answers.len() <= 8);
    }
}
