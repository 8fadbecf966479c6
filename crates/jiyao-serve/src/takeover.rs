//! Taking over what another service has recorded: the other half of following its journal.

use std::future::Future;

use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::{Cursor, is_planted};
use jiyao_ledger::{CarryOut, Domain, Ledger, Overlay, Submission};
use jiyao_proto::attendance::v1::{GetDirectoryChangeRequest, GetDirectoryChangeResponse};
use jiyao_proto::client::attendance::v1::directory_service_client::DirectoryServiceClient;
use jiyao_proto::client::records::v1::records_service_client::RecordsServiceClient;
use jiyao_proto::journal::v1 as wire;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::records::v1::{GetMinutesRequest, Minutes};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::follower::{Absorb, Link, Setback, Source, Step, follow};
use crate::journal_service::{cursor_from, cursor_to};
use crate::server::{RESPONSE_LIMIT, Ready};

/// Principal of what a service does of itself.
const FOLLOWER: &str = "follower";

fn key(source: &str) -> Vec<u8> {
    [b"s/", source.as_bytes()].concat()
}

/// Whether a stretch of a source's journal up to this cursor was not taken over yet.
///
/// # Errors
/// `JOURNAL_FORKED` where it is of another journal than what was taken over before.
pub fn is_new(view: &Overlay<'_>, source: &str, through: &wire::Cursor) -> Result<bool> {
    let Some(known) = view.get(&key(source))?.filter(|_| !is_planted("takes-again")) else { return Ok(true) };
    let known = wire::Cursor::decode(known.as_slice()).map_err(Fault::internal)?;
    if known.journal != through.journal {
        return Err(Fault::new(Reason::JournalForked)
            .with("journal", source)
            .with("sequence", through.sequence)
            .with("head", known.sequence));
    }
    Ok(through.sequence > known.sequence)
}

/// Notes in the state how far a source has been taken over, with the effect itself.
pub fn keep(view: &mut Overlay<'_>, source: &str, through: &wire::Cursor) {
    view.put(key(source), through.encode_to_vec());
}

/// What a domain makes of another service's journal.
pub trait Intake<D: Domain>: Send + Sync + 'static {
    /// Name of the source: its cursor is kept under it.
    const SOURCE: &'static str;
    /// What the journal says was called.
    const METHOD: &'static str;
    /// Whether the source is the home of minutes: only what is erased there is erased here.
    const ERASES: bool = false;

    /// The commands that events become, with all that they name fetched over the link; none where nothing of them
    /// matters here. The last one must keep the cursor with its effect; those before it may come once more.
    ///
    /// # Errors
    /// After a passing setback the same stretch is tried again, after a lasting one following ends.
    fn commands(
        &self,
        link: &Link,
        events: Vec<wire::Event>,
        through: wire::Cursor,
    ) -> impl Future<Output = Result<Vec<D::Command>, Setback>> + Send;
}

/// An event of a kind that a follower does not know: from a newer program, or of another service.
#[must_use]
pub fn unknown_kind(event: &wire::Event) -> Setback {
    Setback::Lasting(Fault::internal(format!("event {} is of a kind not known here", event.sequence)))
}

/// How many fetches of one stretch are under way at once: each alone takes as long as the way there and back.
pub const FETCHED_AT_ONCE: usize = 16;

/// Fetches the revision of minutes that an event names.
///
/// # Errors
/// Lasting where it has other bytes than the event says.
pub async fn fetch_minutes(
    link: &Link,
    sequence: u64,
    recorded: &wire::MinutesRecorded,
) -> Result<Minutes, Setback> {
    let minutes = fetch_revision(link, &recorded.minutes, recorded.revision).await?;
    if minutes.digest != recorded.digest {
        let damaged = Fault::new(Reason::RecordDamaged).with("sequence", sequence);
        return Err(Setback::Lasting(damaged.because("the minutes are not those that the journal names")));
    }
    Ok(minutes)
}

/// Fetches minutes as they stand now: later steps of their life come with events of their own.
///
/// # Errors
/// Those of records.
pub async fn fetch_newest(link: &Link, minutes: &str) -> Result<Minutes, Setback> {
    fetch_revision(link, minutes, 0).await
}

async fn fetch_revision(link: &Link, name: &str, revision: u64) -> Result<Minutes, Setback> {
    let request = GetMinutesRequest { name: name.to_owned(), revision, ..GetMinutesRequest::default() };
    let mut records = RecordsServiceClient::new(link.clone()).max_decoding_message_size(RESPONSE_LIMIT);
    let answer = records.get_minutes(request).await.map_err(Fault::internal)?;
    Ok(answer.into_inner().minutes.unwrap_or_default())
}

/// A version of a directory as attendance tells of it, page by page.
///
/// # Errors
/// Those of attendance.
pub async fn directory_change(
    link: &Link,
    organ: &str,
    version: u64,
) -> Result<Vec<GetDirectoryChangeResponse>, Setback> {
    let mut directory = DirectoryServiceClient::new(link.clone()).max_decoding_message_size(RESPONSE_LIMIT);
    let mut pages: Vec<GetDirectoryChangeResponse> = Vec::new();
    loop {
        let page_token = pages.last().map(|page| page.next_page_token.clone()).unwrap_or_default();
        let request = GetDirectoryChangeRequest { parent: organ.to_owned(), version, page_token };
        let answer = directory.get_directory_change(request).await.map_err(Fault::internal)?;
        pages.push(answer.into_inner());
        if pages.last().is_none_or(|page| page.next_page_token.is_empty()) {
            return Ok(pages);
        }
    }
}

pub(crate) struct Takeover<D: Domain, I> {
    pub(crate) ledger: Ledger<D>,
    pub(crate) intake: I,
}

impl<D: Domain, I: Intake<D>> Absorb for Takeover<D, I> {
    fn cursor(&self) -> Result<Option<Cursor>> {
        let (known, _) = self.ledger.read(|view| view.get(&key(I::SOURCE)))?;
        let Some(known) = known.filter(|_| !is_planted("takes-again")) else { return Ok(None) };
        cursor_from(Some(&wire::Cursor::decode(known.as_slice()).map_err(Fault::internal)?), "cursor")
    }

    async fn absorb(&self, link: &Link, through: Cursor, events: Vec<wire::Event>) -> Result<(), Setback> {
        let (erased, mut events): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| matches!(event.kind, Some(Kind::MinutesErased(_))));
        // Before the cursor moves on: a repeat finds it done.
        for event in erased {
            if let Some(Kind::MinutesErased(erased)) = event.kind
                && I::ERASES
            {
                info!(minutes = %erased.minutes, "the content of minutes is erased, as the other service says");
                self.ledger.erase(CarryOut::Followed(erased)).await?;
            }
        }
        if is_planted("misses") {
            events.pop();
        }
        if events.is_empty() {
            return Ok(());
        }
        for command in self.intake.commands(link, events, cursor_to(&through)).await? {
            match self.ledger.submit(Submission::own(FOLLOWER, I::METHOD, command)).await {
                Ok(_) => {}
                Err(fault) if fault.reason() == Reason::JournalForked => return Err(Setback::Lasting(fault)),
                Err(fault) => return Err(Setback::Passing(fault)),
            }
        }
        Ok(())
    }
}

/// Follows a source into a ledger until `stop`, in the background.
pub fn take_over<D: Domain, I: Intake<D>>(
    source: Source,
    ledger: Ledger<D>,
    intake: I,
    step: Step,
    ready: Ready,
    stop: CancellationToken,
) {
    tokio::spawn(follow(source, Takeover { ledger, intake }, step, ready, stop));
}
