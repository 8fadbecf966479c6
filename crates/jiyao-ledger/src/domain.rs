use std::io;

use jiyao_calendar::Timestamp;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::stored::v1::{Event, Noted};
use prost::Message;
use uuid::Uuid;

use crate::{Erasing, Overlay};

/// What a service decides and shows. Its keys may begin with any byte but 0, which is the ledger's.
pub trait Domain: Send + Sync + 'static {
    /// What can be asked of it.
    type Command: Send + 'static;

    /// Version of what [`Domain::apply`] keeps: a change means that the state is rebuilt from the journal.
    const PROJECTION: u32;

    /// Decides a command against what is there. No side effects: all that happens is in the events.
    ///
    /// # Errors
    /// The refusal; nothing is written for it.
    fn decide(
        &self,
        view: &Overlay<'_>,
        command: &Self::Command,
        context: &mut Context<'_>,
    ) -> Result<Decided>;

    /// Brings the state up to date with one event. Deterministic: replay gives the same state, bit for bit.
    ///
    /// # Errors
    /// An event of a type or version that this program does not know, or that cannot be decoded.
    fn apply(&self, view: &mut Overlay<'_>, event: &Event, sequence: u64) -> Result<()>;

    /// What followers may know of an event; None where it is private altogether.
    ///
    /// # Errors
    /// As [`Domain::apply`].
    fn public(&self, event: &Event) -> Result<Vec<Kind>>;

    /// Whether the content of minutes can be erased here.
    ///
    /// # Errors
    /// The refusal, where nothing is known of them.
    fn may_erase(&self, view: &Overlay<'_>, minutes: &str) -> Result<()>;

    /// What remains of an event when the content of minutes is erased: None where it has nothing of it, none at all
    /// where all goes. Records come in their order, those that were erased before too; whatever remains must still
    /// apply, with the events before and behind it. The same again gives the same.
    ///
    /// # Errors
    /// As [`Domain::apply`].
    fn erased(&self, event: &Event, erasing: &mut Erasing) -> Result<Option<Vec<Event>>>;

    /// Removes files of erased content that are not the ledger's. May be repeated.
    ///
    /// # Errors
    /// Those of the file system.
    fn sweep(&self, _: &Erasing) -> io::Result<()> {
        Ok(())
    }
}

/// Makes ids that grow with the instant that they are given, which never goes back. An argument, so that tests and
/// replays are deterministic.
pub type Ids = Box<dyn FnMut(Timestamp) -> Uuid + Send>;

/// What a decision may know besides the state.
pub struct Context<'w> {
    /// Who asks.
    pub principal: &'w str,
    /// Time of the record to be: the clock's.
    pub now: Timestamp,
    /// Time of a new id: not before that of any record.
    pub(crate) id_time: Timestamp,
    pub(crate) ids: &'w mut Ids,
    pub(crate) told: Option<Vec<u8>>,
}

impl Context<'_> {
    /// A new id.
    pub fn new_id(&mut self) -> Uuid {
        (self.ids)(self.id_time)
    }

    /// Tells the caller what comes of it, encoded. The journal keeps nothing of this: whoever repeats the request gets
    /// the answer alone, and finds the rest in the state.
    pub fn tell(&mut self, what: Vec<u8>) {
        self.told = Some(what);
    }
}

/// A command's outcome. Without events nothing is written.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The encoded answer; a repeat of the request gets the same.
    pub answer: Vec<u8>,
}

/// A state event.
pub fn event(kind: &str, version: u32, body: &impl Message) -> Event {
    Event { r#type: kind.to_owned(), version, body: body.encode_to_vec() }
}

/// A state event about one thing, with a body and parts that are JSON as a rule.
pub fn noted(kind: &str, of: &impl ToString, version: u64, body: Vec<u8>, parts: Vec<Vec<u8>>) -> Event {
    event(kind, 1, &Noted { of: of.to_string(), version, body, parts, ..Noted::default() })
}

/// Of a state event that this program does not know.
#[must_use]
pub fn unknown_event(event: &Event) -> Fault {
    Fault::internal(format!("event {} version {} is not known", event.r#type, event.version))
}

/// Checks that what a command was given for is the newest version; 0 is whichever that is.
///
/// # Errors
/// `ETAG_STALE`.
pub fn check_etag(etag: u64, newest: u64) -> Result<()> {
    if [0, newest].contains(&etag) {
        return Ok(());
    }
    Err(Fault::new(Reason::EtagStale).at("etag").with("etag", etag).with("newest", newest))
}

/// The body of a state event.
///
/// # Errors
/// `INTERNAL` where it cannot be decoded.
pub fn decode_event<M: Message + Default>(event: &Event) -> Result<M> {
    M::decode(event.body.as_slice()).map_err(Fault::internal)
}
