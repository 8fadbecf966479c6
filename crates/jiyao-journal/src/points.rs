//! Places where a test ends the process, or plants a bug: only with the feature `planted-failpoints`, which no default
//! build has. `FAILPOINTS="group-synced=9*off->return"` ends it at the tenth pass of that point.

use std::sync::Once;

/// Whether this point is to act now.
fn is_hit(name: &str) -> bool {
    static READ: Once = Once::new();
    // What the environment says holds for the life of the process.
    READ.call_once(|| std::mem::forget(fail::FailScenario::setup()));
    fail::fail_point!(name, |_| true);
    false
}

/// Ends the process as a kill does, where this point is told to.
pub fn kill_point(name: &str) {
    if is_hit(name) {
        std::process::abort();
    }
}

/// Whether a bug is planted here.
pub fn is_planted(name: &str) -> bool {
    is_hit(name)
}
