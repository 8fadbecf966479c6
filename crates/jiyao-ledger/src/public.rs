//! What is public of the journal, kept apart in blocks of the state. A follower that comes from far behind is sent what
//! lies there: it is read, verified and decoded once, when it is written, and not for each follower anew.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jiyao_fault::{Fault, Result};
use jiyao_journal::Log;
use jiyao_proto::journal::v1::{Event, FollowResponse};
use jiyao_proto::stored::v1::Record;
use prost::Message as _;

use crate::domain::Domain;
use crate::erasure;
use crate::ledger::{Slot, damaged, decode_record};
use crate::overlay::Overlay;
use crate::writer::timestamp;

/// Records of a block. Tests come to the end of many.
const BLOCK: u64 = if cfg!(any(test, shuttle)) { 4 } else { 128 };

/// With so many bytes of events a reply is full: gRPC clients take 4 MiB, and one record more is far from that.
const LARGEST: usize = if cfg!(any(test, shuttle)) { 256 } else { 1 << 20 };

/// The last record of the block that the record behind `from` stands in.
pub(crate) fn end_of_block(from: u64) -> u64 {
    from - from % BLOCK + BLOCK
}

fn key(last: u64) -> Vec<u8> {
    [b"\0public/", &last.to_be_bytes()[..]].concat()
}

/// Adds the public events of a record, as a [`FollowResponse`] has them: encoded replies that stand one behind the other
/// are one that has the events of all.
fn add<D: Domain>(
    to: &mut Vec<u8>,
    domain: &D,
    record: &Record,
    (sequence, time_ms): (u64, i64),
) -> Result<()> {
    let record_time = Some(timestamp(time_ms));
    let mut reply = FollowResponse::default();
    for event in &record.events {
        let kinds = match erasure::public(event)? {
            Some(kinds) => kinds,
            None => domain.public(event)?,
        };
        reply.events.extend(kinds.into_iter().map(|kind| Event { sequence, record_time, kind: Some(kind) }));
    }
    reply.encode(to).map_err(Fault::internal)
}

/// Public events of the records in (`from`, `through`], out of the journal, or of as many as a reply takes; and the last
/// record that it has those of.
pub(crate) fn read<D: Domain>(domain: &D, log: &Log, from: u64, through: u64) -> Result<(Vec<u8>, u64)> {
    let (mut events, mut at) = (Vec::new(), from);
    while at < through {
        for record in log.read_some(at + 1, through).map_err(damaged)? {
            if events.len() >= LARGEST {
                return Ok((events, at));
            }
            at = record.sequence;
            if let Some(payload) = record.payload {
                add(&mut events, domain, &decode_record(&payload)?, (at, record.time_ms))?;
            }
        }
    }
    Ok((events, at))
}

/// Those of a whole block out of the state; None where it does not have it or fails: the journal has it too.
pub(crate) fn kept(slot: &Slot, from: u64, through: u64) -> Option<Vec<u8>> {
    if !from.is_multiple_of(BLOCK) || through != end_of_block(from) {
        return None;
    }
    let state = slot.get()?;
    // sled may panic on damaged pages that it reads late.
    catch_unwind(AssertUnwindSafe(|| state.pin()?.get(&key(through)))).ok()?.ok()?
}

/// The block that is not full yet, as far as it goes.
#[derive(Default)]
pub(crate) struct Blocks {
    through: u64,
    events: Vec<u8>,
    /// It has more than a reply takes, and is not kept.
    is_too_large: bool,
}

impl Blocks {
    /// Takes the next record that is shown; nothing of it where it was erased. Where the last one taken was not the one
    /// before it, that is made good from the journal.
    pub(crate) fn take<D: Domain>(
        &mut self,
        domain: &D,
        log: &Log,
        overlay: &mut Overlay<'_>,
        (sequence, time_ms, record): (u64, i64, Option<&Record>),
    ) -> Result<()> {
        let before = sequence.checked_sub(1).ok_or_else(|| Fault::internal("records begin with 1"))?;
        if self.through != before {
            let (events, read) = read(domain, log, before - before % BLOCK, before)?;
            (self.events, self.is_too_large) = (events, read < before);
        }
        if let Some(record) = record.filter(|_| !self.is_too_large) {
            self.is_too_large = self.events.len() >= LARGEST;
            add(&mut self.events, domain, record, (sequence, time_ms))?;
        }
        self.through = sequence;
        if sequence.is_multiple_of(BLOCK) {
            let events = std::mem::take(&mut self.events);
            if !std::mem::take(&mut self.is_too_large) {
                overlay.put(key(sequence), events);
            }
        }
        Ok(())
    }
}
