//! Files of segments, opened when they are read: few are open at the same time, however many there are.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use fs_err::File;

use crate::is_planted;

/// Segments that stay open for reading.
const OPEN: usize = 16;

/// Files that were read last, by the first sequence of their segment, the newest behind.
#[derive(Default)]
pub(crate) struct Files(Mutex<Vec<(u64, Arc<File>)>>);

impl Files {
    /// The file of a segment.
    pub(crate) fn get(&self, first: u64, path: &Path) -> io::Result<Arc<File>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match open.iter().position(|(of, _)| *of == first) {
            Some(at) => open.remove(at),
            // Opened under the lock: a file that is replaced meanwhile is forgotten after it was put here.
            None => (first, Arc::new(File::open(path)?)),
        };
        let file = Arc::clone(&found.1);
        open.push(found);
        if open.len() > OPEN && !is_planted("no-closing") {
            open.remove(0);
        }
        Ok(file)
    }

    /// Opens the file of a segment anew when it is read next: another has taken its place.
    pub(crate) fn forget(&self, first: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _)| *of != first);
    }
}
