//! What lies in the state, decoded.

use jiyao_calendar::Date;
use jiyao_deliveries::{Channel, Delivery, Request, Scope};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Lookup, from_json};
use jiyao_minutes::{DisclosureClass, Level, Passage, Stage};
use jiyao_names::{Delivery as DeliveryName, DisclosureRequest, Minutes, Organ};
use jiyao_proto::distribution::v1::DistributionList;
use jiyao_rolls::{By, Unit};
use jiyao_serve::document_of;
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::keys;

/// What is known of minutes for delivery and publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    /// `organs/{organ}/minutes/{minutes}`.
    pub(crate) minutes: String,
    /// The newest revision.
    pub(crate) revision: u64,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub(crate) sha256: String,
    /// How far it is.
    pub(crate) stage: Stage,
    /// Hash of the scope that records goes by; empty: none yet.
    pub(crate) frozen: String,
    /// Came in as issued elsewhere.
    pub(crate) is_foreign: bool,
    /// Copies fixed at 登记; 0: elsewhere.
    pub(crate) copies: u32,
    /// Revoked or withdrawn.
    pub(crate) is_void: bool,
    /// Minutes that correct it, while they are in force; empty: none. Its text goes out no more (requirement 15).
    pub(crate) replaced_by: String,
    pub(crate) number: String,
    pub(crate) title: String,
    pub(crate) issuer: String,
    pub(crate) signed: Option<Date>,
    pub(crate) issued: Option<Date>,
    pub(crate) published: Option<Date>,
    /// When its class was changed after the signature.
    pub(crate) reclassified: Option<Date>,
    pub(crate) class: Option<DisclosureClass>,
    pub(crate) secrecy: Option<Level>,
    pub(crate) passages: Vec<Passage>,
    /// What it takes the place of.
    pub(crate) corrects: String,
}

impl Known {
    /// Goes on paper alone, where only paper goes from a level on (requirement 43).
    pub(crate) fn is_paper_only(&self, from: Level) -> bool {
        self.secrecy.is_some_and(|level| level >= from)
    }

    /// May be read by everybody, once it is published.
    pub(crate) fn is_public(&self) -> bool {
        self.class == Some(DisclosureClass::Public) && self.secrecy.is_none() && !self.is_void
    }

    /// May be made public: what is corrected no more, while what was public before stays so.
    pub(crate) fn may_be_published(&self) -> bool {
        self.published.is_some() && self.is_public() && self.replaced_by.is_empty()
    }

    /// 印发 or later, and not void since.
    pub(crate) fn is_in_force(&self) -> bool {
        self.stage.is_issued() && !self.is_void
    }

    /// Refuses to send what is void, or corrected by others that are in force.
    ///
    /// # Errors
    /// `NOT_ISSUED`, `MINUTES_REPLACED`.
    pub(crate) fn check_not_over(&self) -> Result<()> {
        if self.is_void {
            return Err(Fault::new(Reason::NotIssued).with("minutes", &self.minutes));
        }
        if !self.replaced_by.is_empty() {
            let fault = Fault::new(Reason::MinutesReplaced).with("minutes", &self.minutes);
            return Err(fault.with("by", &self.replaced_by));
        }
        Ok(())
    }

    /// Refuses to deliver what is not in force, or corrected.
    ///
    /// # Errors
    /// `NOT_ISSUED`, `MINUTES_REPLACED`.
    pub(crate) fn check_deliverable(&self) -> Result<()> {
        if self.stage.is_issued() {
            return self.check_not_over();
        }
        Err(Fault::new(Reason::NotIssued).with("minutes", &self.minutes))
    }
}

/// What is to be done with minutes in the background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Task {
    /// The next place of the scope to make a delivery for; None: nothing is to be delivered.
    pub(crate) deliver: Option<u32>,
    /// Behind the scope: the next place among the deliveries of what these minutes correct.
    pub(crate) held: u32,
    /// To be made public.
    pub(crate) publish: bool,
}

impl Task {
    pub(crate) fn is_done(self) -> bool {
        self.deliver.is_none() && !self.publish
    }
}

/// By what way a unit gets deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub(crate) unit: String,
    pub(crate) channel: Channel,
    pub(crate) email: String,
    pub(crate) url: String,
    /// The unit's own public key, in hexadecimal digits; empty: none.
    pub(crate) key: String,
}

impl Address {
    /// Whether it says where a channel leads.
    pub(crate) fn reaches(&self, channel: Channel) -> bool {
        match channel {
            Channel::Email => !self.email.is_empty(),
            Channel::Webhook => !self.url.is_empty(),
            Channel::Inbox | Channel::Paper => true,
        }
    }
}

/// Minutes that are public.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PublicEntry {
    pub(crate) minutes: String,
    pub(crate) title: String,
    pub(crate) number: String,
    pub(crate) published: String,
    pub(crate) issuer: String,
    pub(crate) note: String,
    pub(crate) is_separable: bool,
    /// Record that holds the public text.
    pub(crate) sequence: u64,
}

/// Whatever some organisations are called.
pub(crate) fn names_of(units: &[Unit]) -> Vec<String> {
    let mut names = Vec::new();
    for unit in units {
        names.extend(unit.names().map(str::to_owned));
    }
    names
}

/// The documents of this service.
pub(crate) trait View: Lookup {
    /// Ids of organisations that are found by something.
    fn found_by(&self, organ: &Organ, by: &By<'_>) -> Result<Vec<String>> {
        let place = keys::found_at(organ, &by.place());
        let id = |(key, _): (Vec<u8>, Vec<u8>)| {
            String::from_utf8(key[place.len()..].to_vec()).map_err(Fault::internal)
        };
        self.under(&place)?.into_iter().map(id).collect()
    }

    /// The version of a directory that is known here.
    ///
    /// # Errors
    /// `NOT_CAUGHT_UP` while it is being taken over.
    fn whole_directory_version(&self, organ: &Organ) -> Result<u64> {
        let version = self.directory_version(organ)?;
        if self.value(&keys::directory_partial(organ))?.is_some() {
            let wanted = version.saturating_add(1);
            return Err(Fault::new(Reason::NotCaughtUp).with("wanted", wanted).with("reached", version));
        }
        Ok(version)
    }

    fn directory_version(&self, organ: &Organ) -> Result<u64> {
        let kept = self.value(&keys::directory_version(organ))?;
        Ok(kept.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
    }

    /// An organisation by id.
    fn unit(&self, organ: &Organ, id: &str, field: &str) -> Result<Unit> {
        let missing = || Fault::new(Reason::UnitNotFound).at(field).with("unit", id);
        from_json(&self.value(&keys::unit(organ, id))?.ok_or_else(missing)?)
    }

    /// Names of those that may act for an organisation on a day.
    fn acting_for(&self, organ: &Organ, id: &str, day: Date) -> Result<Vec<String>> {
        Ok(names_of(&self.acting_units(organ, id, day)?))
    }

    /// Those that may act for an organisation on a day: it itself; once it is no more, what took its place.
    ///
    /// # Errors
    /// `NOT_CAUGHT_UP` while the directory is being taken over: who acts may be in what is still to come.
    fn acting_units(&self, organ: &Organ, id: &str, day: Date) -> Result<Vec<Unit>> {
        self.whole_directory_version(organ)?;
        let (mut acting, mut open, mut seen) = (Vec::new(), vec![id.to_owned()], Vec::new());
        while let Some(id) = open.pop() {
            if seen.contains(&id) {
                continue;
            }
            // Who may act hangs on it: only a body that is not there is passed over.
            let Some(unit) = self.value(&keys::unit(organ, &id))? else { continue };
            let unit: Unit = from_json(&unit)?;
            if unit.span.until.is_none_or(|until| day <= until) {
                acting.push(unit);
            } else {
                open.extend(unit.successors);
            }
            seen.push(id);
        }
        Ok(acting)
    }

    fn list(&self, minutes: &Minutes, field: &str) -> Result<DistributionList> {
        let not_stated = || Fault::new(Reason::NotStated).at(field).with("minutes", minutes);
        let found = self.value(&document_of(minutes))?.ok_or_else(not_stated)?;
        DistributionList::decode(found.as_slice()).map_err(Fault::internal)
    }

    fn known(&self, minutes: &Minutes, field: &str) -> Result<Known> {
        let missing = || Fault::new(Reason::NotStated).at(field).with("minutes", minutes);
        from_json(&self.value(&keys::known(minutes))?.ok_or_else(missing)?)
    }

    fn task(&self, minutes: &Minutes) -> Result<Task> {
        self.value(&keys::task(minutes))?.map_or_else(|| Ok(Task::default()), |kept| from_json(&kept))
    }

    /// A scope that was frozen, by its hash.
    fn frozen(&self, minutes: &Minutes, hash: &str) -> Result<Option<Scope>> {
        self.value(&keys::frozen(minutes, hash))?.map(|kept| from_json(&kept)).transpose()
    }

    /// The scope that goes: the one that was frozen last, after the issue the one that it was issued to.
    fn scope(&self, minutes: &Minutes) -> Result<Option<Scope>> {
        self.value(&keys::scope(minutes))?.map(|kept| from_json(&kept)).transpose()
    }

    fn delivery(&self, name: &DeliveryName, field: &str) -> Result<Delivery> {
        let missing = || Fault::new(Reason::DeliveryNotFound).at(field).with("delivery", name);
        from_json(&self.value(&keys::delivery(name))?.ok_or_else(missing)?)
    }

    /// The delivery that an index names.
    fn named(&self, name: &[u8]) -> Result<Delivery> {
        let name = std::str::from_utf8(name).map_err(Fault::internal)?;
        self.delivery(&DeliveryName::parse(name, "name")?, "name")
    }

    fn address(&self, organ: &Organ, unit: &str) -> Result<Address> {
        let none = || Address { unit: unit.to_owned(), ..Address::default() };
        self.value(&keys::address(organ, unit))?.map_or_else(|| Ok(none()), |kept| from_json(&kept))
    }

    fn request(&self, name: &DisclosureRequest, field: &str) -> Result<Request> {
        let missing = || Fault::new(Reason::RequestNotFound).at(field).with("request", name);
        from_json(&self.value(&keys::request(name))?.ok_or_else(missing)?)
    }

    fn number(&self, key: &[u8]) -> Result<u32> {
        Ok(self.value(key)?.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes))
    }
}

impl<L: Lookup> View for L {}
