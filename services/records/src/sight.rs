//! Who sees minutes with a 密级: those who make them, decide on them and keep them. The level that a drafter proposes
//! counts from the draft on (requirement 20). To everybody else they look as if they were not there.

use std::collections::BTreeSet;

use jiyao_fault::Result;
use jiyao_ledger::{Lookup, Overlay, Reading};
use jiyao_minutes::Life;
use jiyao_names::Minutes;
use jiyao_serve::{CLEARED, Principal};

use crate::documents::no_minutes;
use crate::keys;

fn is_cleared(principal: &Principal) -> bool {
    principal.roles.iter().any(|role| CLEARED.contains(role))
}

/// Shows whether minutes have a level.
pub(crate) fn show(view: &mut Overlay<'_>, name: &Minutes, life: &Life) {
    match life.secrecy {
        Some(_) => view.put(keys::secret(name), name.to_string().into_bytes()),
        None => view.remove(keys::secret(name)),
    }
}

/// Refuses minutes that somebody may not see, as if they were not there.
///
/// # Errors
/// `MINUTES_NOT_FOUND`.
pub(crate) fn check(view: &impl Lookup, principal: &Principal, name: &Minutes, field: &str) -> Result<()> {
    if !is_cleared(principal) && view.value(&keys::secret(name))?.is_some() {
        return Err(no_minutes(name, field));
    }
    Ok(())
}

/// Names of all minutes that somebody may not see.
pub(crate) fn hidden(view: &Reading<'_>, principal: &Principal) -> Result<BTreeSet<String>> {
    if is_cleared(principal) {
        return Ok(BTreeSet::new());
    }
    let name = |pair: Result<(Vec<u8>, Vec<u8>)>| Ok(String::from_utf8_lossy(&pair?.1).into_owned());
    view.scan(keys::SECRETS, &[]).map(name).collect()
}
