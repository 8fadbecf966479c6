//! Who sees minutes with a 密级: those who make them, decide on them and keep them. The level that a drafter proposes
//! counts from the draft on (requirement 20). To everybody else they look as if they were not there. Matters that were
//! made of them are seen also by those who follow matters up, and by the units that act.

use jiyao_fault::Result;
use jiyao_ledger::{Lookup, Overlay, Reading};
use jiyao_matters::Matter;
use jiyao_minutes::Life;
use jiyao_names::{Matter as MatterName, Minutes};
use jiyao_proto::records::v1::MatterSummary;
use jiyao_serve::{CLEARED, Principal, SUPERVISORS};

use crate::documents::{no_matter, no_minutes};
use crate::keys;

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
    if !principal.is_any(CLEARED) && view.value(&keys::secret(name))?.is_some() {
        return Err(no_minutes(name, field));
    }
    Ok(())
}

/// Which minutes of lists somebody sees.
pub(crate) struct Sight {
    /// All of them: nothing is looked up.
    pub(crate) is_all: bool,
}

impl Sight {
    pub(crate) fn of(view: &Reading<'_>, principal: &Principal) -> Result<Self> {
        Self::unless(view, principal.is_any(CLEARED))
    }

    /// Whoever is cleared sees all; where there are no secrets, everybody does.
    fn unless(view: &Reading<'_>, is_cleared: bool) -> Result<Self> {
        let is_all = is_cleared || view.scan(keys::SECRETS, &[]).next().transpose()?.is_none();
        Ok(Self { is_all })
    }

    pub(crate) fn sees(&self, view: &Reading<'_>, minutes: &str) -> Result<bool> {
        if self.is_all {
            return Ok(true);
        }
        Ok(view.value(&keys::secret(&Minutes::parse(minutes, "minutes")?))?.is_none())
    }
}

/// Whether somebody sees every matter.
pub(crate) fn sees_all_matters(principal: &Principal) -> bool {
    principal.is_any(CLEARED) || principal.is_any(SUPERVISORS)
}

/// Refuses a matter that somebody does not see, as if it were not there. Units that lead or help see theirs.
///
/// # Errors
/// `MATTER_NOT_FOUND`.
pub(crate) fn check_matter(
    view: &impl Lookup,
    principal: &Principal,
    (name, matter): (&MatterName, &Matter),
    field: &str,
) -> Result<()> {
    let acts = !principal.unit.is_empty() && matter.is_of(&principal.unit);
    if sees_all_matters(principal) || acts {
        return Ok(());
    }
    let minutes = Minutes::parse(&matter.source.minutes, "minutes")?;
    if view.value(&keys::secret(&minutes))?.is_some() { Err(no_matter(name, field)) } else { Ok(()) }
}

/// What of lists of matters somebody sees.
pub(crate) struct MatterSight {
    sight: Sight,
    unit: String,
}

impl MatterSight {
    pub(crate) fn of(view: &Reading<'_>, principal: &Principal) -> Result<Self> {
        let sight = Sight::unless(view, sees_all_matters(principal))?;
        Ok(Self { sight, unit: principal.unit.clone() })
    }

    /// Whether all matters of minutes are seen.
    pub(crate) fn sees_all_of(&self, view: &Reading<'_>, minutes: &str) -> Result<bool> {
        self.sight.sees(view, minutes)
    }

    /// Refuses minutes whose matters are not all seen, as if they were not there.
    ///
    /// # Errors
    /// `MINUTES_NOT_FOUND`.
    pub(crate) fn check_minutes(&self, view: &Reading<'_>, name: &Minutes, field: &str) -> Result<()> {
        if self.sees_all_of(view, &name.to_string())? { Ok(()) } else { Err(no_minutes(name, field)) }
    }

    pub(crate) fn sees(&self, view: &Reading<'_>, matter: &MatterSummary) -> Result<bool> {
        let acts = !self.unit.is_empty() && matter.lead == self.unit;
        Ok(acts || self.sees_all_of(view, &matter.minutes)?)
    }
}
