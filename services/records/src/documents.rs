//! What lies in the state, decoded: the same for a decision, which sees what its group has added, and for a read.

use std::collections::BTreeSet;

use jiyao_calendar::{Date, parse_iso};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Lookup, from_json, pack, unpack};
use jiyao_matters::{Matter, MeasureList, Rules};
use jiyao_minutes::{Life, SignOff};
use jiyao_names::{Matter as MatterName, Minutes, Organ};
use jiyao_proto::attendance::v1::PostHolder;
use jiyao_proto::records::v1 as api;
use jiyao_proto::stored::v1::{EncodedDocument, MinutesDocument, MinutesOrigin};
use jiyao_serve::document_of;
use prost::Message;
use prost::bytes::Bytes;

use crate::keys;
use crate::series::Taken;

fn from_proto<T: Message + Default>(bytes: &[u8]) -> Result<T> {
    T::decode(bytes).map_err(Fault::internal)
}

fn origin(minutes: &Bytes) -> Result<MinutesOrigin> {
    MinutesOrigin::decode(minutes.clone()).map_err(Fault::internal)
}

/// No such minutes, to blame on a field.
pub(crate) fn no_minutes(name: &Minutes, field: &str) -> Fault {
    Fault::new(Reason::MinutesNotFound).at(field).with("minutes", name)
}

/// The refusal where the minutes are there and such a revision of them is not.
fn no_revision(name: &Minutes, revision: u64, newest: u64) -> Fault {
    let fault = Fault::new(Reason::RevisionNotFound).at("revision");
    fault.with("minutes", name).with("revision", revision).with("newest", newest)
}

/// Minutes whose content was erased.
pub(crate) fn no_content(name: &Minutes) -> Fault {
    Fault::new(Reason::MinutesErased).with("minutes", name)
}

/// No such matter, to blame on a field.
pub(crate) fn no_matter(name: &MatterName, field: &str) -> Fault {
    Fault::new(Reason::MatterNotFound).at(field).with("matter", name)
}

/// A matter as the state keeps it: in short, as lists show it, and behind that whole. So an act writes it once.
pub(crate) fn kept(matter: &Matter) -> Result<Vec<u8>> {
    let mut kept = jiyao_wire::matter_summary(matter).encode_length_delimited_to_vec();
    kept.extend(pack(matter)?);
    Ok(kept)
}

/// The life with which minutes come in.
pub(crate) fn life_at_first(standing: i32, importer: &str) -> Life {
    let is_draft = standing == i32::from(api::Standing::Draft);
    if is_draft { Life::draft(importer) } else { Life::issued_elsewhere() }
}

/// The documents of this service.
pub(crate) trait View: Lookup {
    /// An organ; without it the field is blamed.
    fn organ(&self, name: &Organ, field: &str) -> Result<api::Organ> {
        let missing = || Fault::new(Reason::OrganNotFound).at(field).with("organ", name);
        from_proto(&self.value(&keys::organ(name))?.ok_or_else(missing)?)
    }

    /// The newest revision of minutes, with where its original lies.
    fn document(&self, name: &Minutes, field: &str) -> Result<MinutesDocument> {
        from_proto(&self.value(&document_of(name))?.ok_or_else(|| no_minutes(name, field))?)
    }

    /// A revision, 0 the newest.
    fn revision(&self, name: &Minutes, revision: u64) -> Result<MinutesDocument> {
        let newest = self.document(name, "name")?;
        let of_newest = newest.minutes.as_ref().map_or(0, |minutes| minutes.revision);
        if revision == 0 || of_newest == revision {
            return Ok(newest);
        }
        let found = self.value(&keys::revision(name, revision))?;
        from_proto(&found.ok_or_else(|| no_revision(name, revision, of_newest))?)
    }

    /// A revision, 0 the newest, as it is encoded.
    fn encoded(&self, name: &Minutes, revision: u64) -> Result<Bytes> {
        let decoded = |found: Vec<u8>| {
            let document = EncodedDocument::decode(Bytes::from(found));
            document.map(|document| document.minutes).map_err(Fault::internal)
        };
        let newest = decoded(self.value(&document_of(name))?.ok_or_else(|| no_minutes(name, "name"))?)?;
        let of_newest = origin(&newest)?.revision;
        if revision == 0 || of_newest == revision {
            return Ok(newest);
        }
        let found = self.value(&keys::revision(name, revision))?;
        decoded(found.ok_or_else(|| no_revision(name, revision, of_newest))?)
    }

    /// The life of minutes: kept, or that with which they came in.
    fn life(&self, name: &Minutes, minutes: &api::Minutes) -> Result<Life> {
        self.life_or(name, || Ok((minutes.standing, minutes.importer.clone())))
    }

    /// The same of encoded minutes.
    fn life_of_encoded(&self, name: &Minutes, minutes: &Bytes) -> Result<Life> {
        self.life_or(name, || origin(minutes).map(|origin| (origin.standing, origin.importer)))
    }

    /// The life that is kept, or that of a standing and an importer.
    fn life_or(&self, name: &Minutes, origin: impl FnOnce() -> Result<(i32, String)>) -> Result<Life> {
        if let Some(kept) = self.value(&keys::life(name))? {
            return from_json(&kept);
        }
        let (standing, importer) = origin()?;
        Ok(life_at_first(standing, &importer))
    }

    /// Whether a unit is called so, or the directory that could tell is not known.
    fn may_be_unit(&self, organ: &Organ, name: &str) -> Result<bool> {
        let is_unit = self.value(&keys::unit_called(organ, name))?.is_some();
        Ok(is_unit || self.value(&keys::units(organ))?.is_none())
    }

    /// Chains, posts and delegations of an organ, or the usual ones.
    fn sign_off(&self, organ: &Organ) -> Result<SignOff> {
        self.value(&keys::sign_off(organ))?.map_or_else(|| Ok(SignOff::default()), |kept| from_json(&kept))
    }

    /// The same, as of a day: whom the directory has for a post that names no holders of its own.
    fn sign_off_on(&self, organ: &Organ, day: Date) -> Result<SignOff> {
        let mut sign_off = self.sign_off(organ)?;
        let of_chains =
            sign_off.chains.iter().flat_map(|chain| chain.reviewers.iter().chain([&chain.signer]));
        let delegates = sign_off.delegations.iter().map(|delegation| &delegation.to);
        let posts: BTreeSet<String> = of_chains.chain(delegates).cloned().collect();
        for post in posts {
            if sign_off.holders.get(&post).is_none_or(Vec::is_empty) {
                let held = self.holders(organ, &post, day)?;
                sign_off.holders.insert(post, held);
            }
        }
        Ok(sign_off)
    }

    /// Principals that hold a post on a day, as the directory says.
    fn holders(&self, organ: &Organ, post: &str, day: Date) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (_, kept) in self.under(&keys::holders(organ, post))? {
            let holder = PostHolder::decode(kept.as_slice()).map_err(Fault::internal)?;
            let (from, until) = (parse_iso(&holder.from), parse_iso(&holder.until));
            if from.is_none_or(|from| from <= day) && until.is_none_or(|until| day <= until) {
                found.extend(holder.principals);
            }
        }
        Ok(found)
    }

    /// Rules of follow-through of an organ, or the usual ones.
    fn rules(&self, organ: &Organ) -> Result<Rules> {
        self.value(&keys::rules(organ))?.map_or_else(|| Ok(Rules::default()), |kept| from_json(&kept))
    }

    /// A matter; without it the field is blamed.
    fn matter(&self, name: &MatterName, field: &str) -> Result<Matter> {
        let kept = self.value(&keys::matter(name))?.ok_or_else(|| no_matter(name, field))?;
        let mut whole = kept.as_slice();
        let in_short = prost::decode_length_delimiter(&mut whole).map_err(Fault::internal)?;
        unpack(whole.get(in_short..).unwrap_or_default())
    }

    /// A matter that a list points to, in short.
    fn pointed_to(&self, place: &[u8]) -> Result<api::MatterSummary> {
        let lost = || Fault::internal("a list points to a matter that is not there");
        let kept = self.value(place)?.ok_or_else(lost)?;
        api::MatterSummary::decode_length_delimited(kept.as_slice()).map_err(Fault::internal)
    }

    /// The newest version of a matter's list of measures; an empty one before the first.
    fn measures(&self, name: &MatterName) -> Result<MeasureList> {
        let kept = self.value(&keys::measures(name, u64::MAX))?;
        let none = || MeasureList { matter: name.to_string(), ..MeasureList::default() };
        kept.map_or_else(|| Ok(none()), |kept| from_json(&kept))
    }

    /// The last number that was given out in a series of an organ; 0 before the first.
    fn last_number(&self, organ: &Organ, series: &str) -> Result<u32> {
        Ok(Taken::of(self, organ, series)?.last())
    }
}

impl<L: Lookup> View for L {}
