//! Pages that were asked for since the last write, as they are encoded: minutes are written seldom and looked at often.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiyao_proto::stored::v1::EncodedListMinutesResponse;

/// Most pages that are kept: with 200 summaries each, some 2 MB.
const MOST: usize = 64;

/// Pages of one state.
#[derive(Clone, Default)]
pub(crate) struct Pages(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    sequence: u64,
    pages: HashMap<Vec<u8>, EncodedListMinutesResponse>,
}

impl Pages {
    /// The page that was answered to the same question, where the state is still that of `sequence`.
    pub(crate) fn of(&self, sequence: u64, question: &[u8]) -> Option<EncodedListMinutesResponse> {
        let kept = self.lock();
        if kept.sequence == sequence { kept.pages.get(question).cloned() } else { None }
    }

    /// Keeps an answer; those of an older state go.
    pub(crate) fn keep(&self, question: Vec<u8>, answer: &EncodedListMinutesResponse) {
        let mut kept = self.lock();
        if kept.sequence > answer.sequence {
            return;
        }
        if kept.sequence < answer.sequence || kept.pages.len() >= MOST {
            kept.pages.clear();
            kept.sequence = answer.sequence;
        }
        kept.pages.insert(question, answer.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(sequence: u64, token: &str) -> EncodedListMinutesResponse {
        EncodedListMinutesResponse { sequence, next_page_token: token.to_owned(), ..Default::default() }
    }

    #[test]
    fn only_what_the_state_still_says_is_answered_again() {
        let pages = Pages::default();
        pages.keep(b"q".to_vec(), &answer(7, "a"));
        assert_eq!(pages.of(7, b"q"), Some(answer(7, "a")));
        assert_eq!(pages.of(8, b"q"), None, "something was written");
        assert_eq!(pages.of(7, b"other"), None);
        pages.keep(b"q".to_vec(), &answer(8, "b"));
        pages.keep(b"late".to_vec(), &answer(7, "c"));
        assert_eq!(pages.of(8, b"q"), Some(answer(8, "b")));
        assert_eq!(pages.of(8, b"late"), None, "read before, kept after the write");
        for n in 0..=MOST {
            pages.keep(n.to_be_bytes().to_vec(), &answer(8, "d"));
        }
        assert!(pages.lock().pages.len() <= MOST);
    }
}
