//! The threads that work for long, by kind of work: a flood of one kind holds up no other.

use std::time::Duration;

use jiyao_serve::Workers;

/// How long a preview may take: whoever imports a file may wait for longer.
pub(crate) const LONGEST_PREVIEW: Duration = Duration::from_secs(5);
/// How long two versions are compared for the shortest difference; after that a longer one is answered.
pub(crate) const LONGEST_COMPARISON: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(crate) struct Lanes {
    /// Texts that are recorded.
    pub(crate) imports: Workers,
    /// Texts that are only looked at.
    pub(crate) previews: Workers,
    pub(crate) comparisons: Workers,
    pub(crate) searches: Workers,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        Self {
            imports: Workers::new("import", 2, 256),
            previews: Workers::new("preview", 1, 8),
            comparisons: Workers::new("compare", 1, 4),
            searches: Workers::new("search", 1, 16),
        }
    }
}
