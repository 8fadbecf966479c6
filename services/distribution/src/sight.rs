//! Who sees where minutes with a 密级 went: those who make, decide on, keep and send them, and a recipient its own
//! delivery. To everybody else they look as if nothing was known of them.

use jiyao_calendar::Date;
use jiyao_deliveries::Delivery;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::Lookup;
use jiyao_names::{Delivery as DeliveryName, Minutes};
use jiyao_serve::{CLEARED, Principal, SUPERVISORS};

use crate::documents::View as _;

/// Refuses minutes whose recipients somebody may not see.
///
/// # Errors
/// `NOT_STATED`.
pub(crate) fn check(view: &impl Lookup, principal: &Principal, minutes: &Minutes, field: &str) -> Result<()> {
    if is_seen(view, principal, minutes)? {
        return Ok(());
    }
    Err(Fault::new(Reason::NotStated).at(field).with("minutes", minutes))
}

/// Whether somebody may see the recipients of minutes.
pub(crate) fn is_seen(view: &impl Lookup, principal: &Principal, minutes: &Minutes) -> Result<bool> {
    if principal.is_any(CLEARED) || principal.is_any(SUPERVISORS) {
        return Ok(true);
    }
    match view.known(minutes, "minutes") {
        Ok(known) => Ok(known.secrecy.is_none()),
        // Nothing says that they have a level; what is asked for will not be there either.
        Err(fault) if fault.reason() == Reason::NotStated => Ok(true),
        Err(fault) => Err(fault),
    }
}

/// Refuses a delivery that somebody may not see on a day.
///
/// # Errors
/// `DELIVERY_NOT_FOUND`.
pub(crate) fn check_delivery(
    view: &impl Lookup,
    principal: &Principal,
    (name, delivery): (&DeliveryName, &Delivery),
    day: Date,
) -> Result<()> {
    let unit = &principal.unit;
    let is_own = || Ok::<_, Fault>(view.acting_for(&name.organ, &delivery.unit, day)?.contains(unit));
    let minutes = Minutes::parse(&delivery.minutes, "minutes")?;
    if is_seen(view, principal, &minutes)? || (!unit.is_empty() && is_own()?) {
        return Ok(());
    }
    Err(Fault::new(Reason::DeliveryNotFound).at("name").with("delivery", name))
}
