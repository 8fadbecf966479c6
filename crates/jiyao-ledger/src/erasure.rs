//! Erasing the content of minutes: two persons, a basis that stays on record, and nothing left of it on this disk.
//!
//! Each record that has any of it is written anew with what remains, in its place; its header stays, so the chain and
//! every other record verify as before. What remains is a whole record of the same form, so replay and followers read
//! it as any other. The erasure is itself a record: it names those records and what remains of each by its hash, which
//! their headers cannot vouch for. It is the commit point: whatever is interrupted after it is finished at the next
//! start.

use std::collections::{BTreeMap, BTreeSet};

use jiyao_calendar::Timestamp;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::{EraseError, Hash, Journal, Log};
use jiyao_proto::journal::v1::MinutesErased;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::stored::v1::{ErasedRecord, Erasure, Event, Record};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::domain::{Context, Decided, Domain, decode_event, event};
use crate::ledger::{OpenError, damaged, decode_record};
use crate::lookup::Lookup as _;
use crate::overlay::Overlay;
use crate::writer::timestamp;

const ASKED: &str = "erasure.asked";
const CARRIED_OUT: &str = "erasure.carried_out";
/// Keys of the ledger begin with 0: under this erasures are kept by id.
pub(crate) const KEPT: &[u8] = b"\0erasure/";
/// Longest basis in bytes.
const LONGEST_BASIS: usize = 2000;
/// The journal says this was called when another service's erasure was carried out here.
pub(crate) const FOLLOWED: &str = "follow erasure";

/// What is being erased, as a domain is asked about one record after the other.
#[derive(Debug)]
pub struct Erasing {
    /// Name of the minutes.
    pub minutes: String,
    /// When.
    pub time: Timestamp,
    /// Names of what was made of them, such as matters: a domain adds those that it meets.
    pub names: BTreeSet<String>,
    /// SHA-256 of bytes that went: a domain adds those that it meets, and removes files of them in [`Domain::sweep`].
    pub digests: BTreeSet<Hash>,
}

/// Whether the content of minutes should go.
#[derive(Clone, Debug)]
pub struct AskErasure {
    /// Name of the minutes.
    pub minutes: String,
    /// The law or decision that says so.
    pub basis: String,
}

/// Which erasure is to be carried out.
#[derive(Clone, Debug)]
pub enum CarryOut {
    /// One that was asked for here.
    Confirmed {
        /// Its id.
        id: String,
        /// Who has it carried out: another than who asked.
        principal: String,
        /// Full method.
        method: &'static str,
    },
    /// One that another service's journal tells of.
    Followed(MinutesErased),
}

/// What a domain says to an event while minutes are erased, with what came of a whole journal.
pub(crate) struct Plan {
    pub(crate) erasing: Erasing,
    /// What remains of records, by sequence.
    pub(crate) remains: BTreeMap<u64, Vec<u8>>,
}

pub(crate) fn key(id: &str) -> Vec<u8> {
    [KEPT, id.as_bytes()].concat()
}

/// Where it stands that the content of minutes was erased.
pub(crate) fn erased_key(minutes: &str) -> Vec<u8> {
    [b"\0erased/", minutes.as_bytes()].concat()
}

pub(crate) fn find(view: &Overlay<'_>, id: &str) -> Result<Option<Erasure>> {
    let found = view.get(&key(id))?;
    found.map(|found| Erasure::decode(found.as_slice()).map_err(Fault::internal)).transpose()
}

fn is_of_the_ledger(event: &Event) -> bool {
    event.version == 1 && [ASKED, CARRIED_OUT].contains(&event.r#type.as_str()) || clock::is_accepted(event)
}

/// Shows an event of the ledger itself. False: it is the domain's.
pub(crate) fn apply(view: &mut Overlay<'_>, event: &Event) -> Result<bool> {
    if !is_of_the_ledger(event) {
        return Ok(false);
    }
    if clock::is_accepted(event) {
        return Ok(true);
    }
    let erasure: Erasure = decode_event(event)?;
    view.put(key(&erasure.id), erasure.encode_to_vec());
    if event.r#type == CARRIED_OUT {
        view.put(erased_key(&erasure.minutes), erasure.id.into_bytes());
    }
    Ok(true)
}

/// The event that followers get of one of the ledger itself. None: it is the domain's.
pub(crate) fn public(event: &Event) -> Result<Option<Vec<Kind>>> {
    if !is_of_the_ledger(event) {
        return Ok(None);
    }
    if clock::is_accepted(event) {
        return Ok(Some(Vec::new()));
    }
    let erasure: Erasure = decode_event(event)?;
    if event.r#type == ASKED || erasure.followed {
        return Ok(Some(Vec::new()));
    }
    let Erasure { id, minutes, basis, asked_by, ask_time, confirmed_by, erase_time, .. } = erasure;
    let erased = MinutesErased { id, minutes, basis, asked_by, ask_time, confirmed_by, erase_time };
    Ok(Some(vec![Kind::MinutesErased(erased)]))
}

/// The erasures that a record carried out: for each record that they name, the hash of what remains of it.
///
/// # Errors
/// `INTERNAL` where it cannot be decoded.
pub fn carried_out(payload: &[u8]) -> Result<Vec<Erasure>> {
    let record = decode_record(payload)?;
    let is_one = |event: &&Event| is_of_the_ledger(event) && event.r#type == CARRIED_OUT;
    record.events.iter().filter(is_one).map(decode_event).collect()
}

pub(crate) fn ask<D: Domain>(
    domain: &D,
    view: &Overlay<'_>,
    ask: &AskErasure,
    context: &mut Context<'_>,
) -> Result<Decided> {
    if ask.basis.trim().is_empty() {
        return Err(Fault::required("basis"));
    }
    if ask.basis.len() > LONGEST_BASIS {
        return Err(Fault::invalid("basis", format!("{} bytes, more than {LONGEST_BASIS}", ask.basis.len())));
    }
    domain.may_erase(view, &ask.minutes)?;
    let erasure = Erasure {
        id: context.new_id().to_string(),
        minutes: ask.minutes.clone(),
        basis: ask.basis.clone(),
        asked_by: context.principal.to_owned(),
        ask_time: Some(timestamp(context.now.as_millisecond())),
        ..Erasure::default()
    };
    Ok(Decided { events: vec![event(ASKED, 1, &erasure)], answer: erasure.encode_to_vec() })
}

/// The erasure as it will be on record, but for the records; None where it was carried out before.
pub(crate) fn begin(view: &Overlay<'_>, order: &CarryOut, time_ms: i64) -> Result<(Erasure, bool)> {
    let erasure = match order {
        CarryOut::Confirmed { id, principal, .. } => {
            let missing = || Fault::new(Reason::ErasureNotFound).at("id").with("erasure", id);
            let asked = find(view, id)?.ok_or_else(missing)?;
            if asked.erase_time.is_none() && asked.asked_by == *principal {
                return Err(Fault::new(Reason::SamePerson)
                    .with("principal", principal)
                    .with("role", "applicant"));
            }
            // It may have been asked for twice: what remains of the minutes tells of the one that was carried out.
            if asked.erase_time.is_none() && view.is_erased(&asked.minutes)? {
                return Err(Fault::new(Reason::MinutesErased).with("minutes", &asked.minutes));
            }
            asked
        }
        CarryOut::Followed(told) => match find(view, &told.id)? {
            Some(known) => known,
            None => Erasure {
                id: told.id.clone(),
                minutes: told.minutes.clone(),
                basis: told.basis.clone(),
                asked_by: told.asked_by.clone(),
                ask_time: told.ask_time,
                confirmed_by: told.confirmed_by.clone(),
                followed: true,
                ..Erasure::default()
            },
        },
    };
    if erasure.erase_time.is_some() {
        return Ok((erasure, true));
    }
    let confirmed_by = match order {
        CarryOut::Confirmed { principal, .. } => principal.clone(),
        CarryOut::Followed(told) => told.confirmed_by.clone(),
    };
    Ok((Erasure { confirmed_by, erase_time: Some(timestamp(time_ms)), ..erasure }, false))
}

/// The record that an erasure becomes.
pub(crate) fn record(erasure: &Erasure, order: &CarryOut) -> Record {
    let (method, principal) = match order {
        CarryOut::Confirmed { method, principal, .. } => (*method, principal.as_str()),
        CarryOut::Followed(_) => (FOLLOWED, "follower"),
    };
    Record {
        method: method.to_owned(),
        principal: principal.to_owned(),
        events: vec![event(CARRIED_OUT, 1, erasure)],
        ..Record::default()
    }
}

fn erasing_of(erasure: &Erasure) -> Erasing {
    let time = erasure.erase_time.unwrap_or_default();
    let ms = time.seconds * 1000 + i64::from(time.nanos) / 1_000_000;
    Erasing {
        minutes: erasure.minutes.clone(),
        time: Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH),
        names: BTreeSet::new(),
        digests: BTreeSet::new(),
    }
}

/// What remains of a record; None: all of it.
fn remains<D: Domain>(domain: &D, payload: &[u8], erasing: &mut Erasing) -> Result<Option<Vec<u8>>> {
    let record = decode_record(payload)?;
    let (mut events, mut is_touched) = (Vec::new(), false);
    for event in record.events {
        let left = if is_of_the_ledger(&event) { None } else { domain.erased(&event, erasing)? };
        is_touched |= left.is_some();
        events.extend(left.unwrap_or_else(|| vec![event]));
    }
    // The answer and the digest of the request are made of what goes. That the request was there stays.
    let left = Record { events, answer: Vec::new(), request_digest: Vec::new(), ..record };
    Ok(is_touched.then(|| left.encode_to_vec()))
}

/// Goes through the journal and says what remains of which records.
pub(crate) fn plan<D: Domain>(domain: &D, log: &Log, erasure: &Erasure) -> Result<Plan> {
    let mut plan = Plan { erasing: erasing_of(erasure), remains: BTreeMap::new() };
    let (mut next, head) = (1, log.head().sequence);
    while next <= head {
        for record in log.read_some(next, head).map_err(damaged)? {
            if let Some(payload) = &record.payload
                && let Some(left) = remains(domain, payload, &mut plan.erasing)?
            {
                plan.remains.insert(record.sequence, left);
            }
            next = record.sequence + 1;
        }
    }
    Ok(plan)
}

/// What a record of the journal says of a plan.
pub(crate) fn named(plan: &Plan) -> Vec<ErasedRecord> {
    let one = |(sequence, left): (&u64, &Vec<u8>)| ErasedRecord {
        sequence: *sequence,
        remains: Sha256::digest(left).to_vec(),
    };
    plan.remains.iter().map(one).collect()
}

/// The erasures that are on record behind a sequence, in their order.
pub(crate) fn recorded_since(log: &Log, sequence: u64) -> Result<Vec<Erasure>, OpenError> {
    let (mut next, head) = (sequence + 1, log.head().sequence);
    let mut found = Vec::new();
    while next <= head {
        for record in log.read_some(next, head)? {
            if let Some(payload) = &record.payload {
                let unknown = |fault| OpenError::Unknown { sequence: next, fault };
                found.extend(carried_out(payload).map_err(unknown)?);
            }
            next += 1;
        }
    }
    Ok(found)
}

/// What is left to do of the first of some erasures that are on record. None: nothing of the minutes is left in any
/// record that it names. What one of them left of a record is left as it is, though this program might keep less or more.
fn unfinished<D: Domain>(domain: &D, log: &Log, erasures: &[Erasure]) -> Result<Option<Plan>, OpenError> {
    let Some(erasure) = erasures.first() else { return Ok(None) };
    let mut plan = Plan { erasing: erasing_of(erasure), remains: BTreeMap::new() };
    for named in &erasure.records {
        let unknown = |fault| OpenError::Unknown { sequence: named.sequence, fault };
        let record = log.read(named.sequence)?;
        // One that is erased already is asked too: it may name what was made of the minutes.
        let Some(payload) = &record.payload else { continue };
        let left = remains(domain, payload, &mut plan.erasing).map_err(unknown)?;
        let is_done = record.is_erased && {
            let (sequence, remains) = (named.sequence, Sha256::digest(payload).to_vec());
            let proof = ErasedRecord { sequence, remains };
            erasures.iter().any(|erasure| erasure.records.contains(&proof))
        };
        if let Some(left) = left.filter(|left| !is_done && left != payload) {
            if Sha256::digest(&left).as_slice() != named.remains {
                let other = Fault::internal("something else remains of it than its erasure says");
                return Err(unknown(other));
            }
            plan.remains.insert(named.sequence, left);
        }
    }
    Ok((!plan.remains.is_empty()).then_some(plan))
}

/// Finishes what is on record of erasures, in their order, and not done in the records that they name.
///
/// A journal may hold two erasures of the same minutes, for older programs carried out both where both were asked for: what
/// remains tells of the last.
///
/// # Errors
/// A record that cannot be read, or of which something else remains than its erasure says; those of writing.
pub(crate) fn finish<D: Domain>(
    domain: &D,
    journal: &mut Journal,
    erasures: &[Erasure],
) -> Result<(), OpenError> {
    for (at, erasure) in erasures.iter().enumerate() {
        let is_last = erasures[at + 1..].iter().all(|later| later.minutes != erasure.minutes);
        if is_last && let Some(plan) = unfinished(domain, &journal.log(), &erasures[at..])? {
            carry_out(domain, journal, &plan)?;
        }
    }
    Ok(())
}

/// Removes files of what goes, then writes the records of a plan anew: as long as those are not, a start finds the
/// erasure unfinished and does both.
pub(crate) fn carry_out<D: Domain>(domain: &D, journal: &mut Journal, plan: &Plan) -> Result<(), EraseError> {
    domain.sweep(&plan.erasing)?;
    journal.erase(&plan.remains)
}
