//! Taking over what the records service has recorded: the other half of following its journal.

use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::Cursor;
use jiyao_ledger::{Domain, Ledger, Overlay, Submission};
use jiyao_proto::journal::v1 as wire;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::records::v1::records_service_client::RecordsServiceClient;
use jiyao_proto::records::v1::{GetMinutesRequest, Minutes};
use prost::Message as _;

use crate::follower::{Absorb, Link, Setback};
use crate::journal_service::{cursor_from, cursor_to};
use crate::server::RESPONSE_LIMIT;

const CURSOR_KEY: &[u8] = b"s/records";
/// Principal of what a service does of itself.
const FOLLOWER: &str = "follower";

/// Whether a stretch up to this cursor was not taken over yet.
///
/// # Errors
/// `JOURNAL_FORKED` where it is of another journal than what was taken over before.
pub fn is_new(view: &Overlay<'_>, source: &wire::Cursor) -> Result<bool> {
    let Some(known) = view.get(CURSOR_KEY)? else { return Ok(true) };
    let known = wire::Cursor::decode(known.as_slice()).map_err(Fault::internal)?;
    if known.journal != source.journal {
        return Err(Fault::new(Reason::JournalForked)
            .with("sequence", source.sequence)
            .with("head", known.sequence));
    }
    Ok(source.sequence > known.sequence)
}

/// Notes in the state how far the source has been taken over, with the effect itself.
pub fn keep(view: &mut Overlay<'_>, source: &wire::Cursor) {
    view.put(CURSOR_KEY.to_vec(), source.encode_to_vec());
}

/// Takes over minutes as commands of a ledger.
pub(crate) struct Takeover<D: Domain> {
    /// What takes them over.
    pub ledger: Ledger<D>,
    /// What the journal says was called.
    pub method: &'static str,
    /// The command: whole minutes in the order of their journal, taken over through the cursor.
    pub command: fn(Vec<Minutes>, wire::Cursor) -> D::Command,
}

impl<D: Domain> Absorb for Takeover<D> {
    fn cursor(&self) -> Result<Option<Cursor>> {
        let (known, _) = self.ledger.read(|view| view.get(CURSOR_KEY))?;
        let Some(known) = known else { return Ok(None) };
        cursor_from(Some(&wire::Cursor::decode(known.as_slice()).map_err(Fault::internal)?), "cursor")
    }

    async fn absorb(&self, link: &Link, through: Cursor, events: Vec<wire::Event>) -> Result<(), Setback> {
        let mut records = RecordsServiceClient::new(link.clone()).max_decoding_message_size(RESPONSE_LIMIT);
        let mut taken = Vec::new();
        for event in events {
            match event.kind {
                Some(Kind::MinutesRecorded(recorded)) => {
                    let request = GetMinutesRequest {
                        name: recorded.minutes.clone(),
                        revision: recorded.revision,
                        read_after: None,
                    };
                    let answer = records.get_minutes(request).await.map_err(Fault::internal)?;
                    let minutes = answer.into_inner().minutes.unwrap_or_default();
                    if minutes.digest != recorded.digest {
                        let damaged = Fault::new(Reason::RecordDamaged).with("sequence", event.sequence);
                        let what = "the minutes are not those that the journal names";
                        return Err(Setback::Lasting(damaged.because(what)));
                    }
                    taken.push(minutes);
                }
                Some(Kind::OrganCreated(_) | Kind::MatterChanged(_) | Kind::MinutesMoved(_)) => {}
                Some(Kind::RollStated(_) | Kind::ListStated(_)) | None => {
                    // From a newer program, or of another service.
                    let what = format!("event {} is of a kind not known here", event.sequence);
                    return Err(Setback::Lasting(Fault::internal(what)));
                }
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        let submission = Submission {
            principal: FOLLOWER.to_owned(),
            method: self.method,
            request_id: String::new(),
            digest: [0; 32],
            command: (self.command)(taken, cursor_to(&through)),
        };
        match self.ledger.submit(submission).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.reason() == Reason::JournalForked => Err(Setback::Lasting(fault)),
            Err(fault) => Err(Setback::Passing(fault)),
        }
    }
}
