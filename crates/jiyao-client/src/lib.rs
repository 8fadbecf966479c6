//! The SDK: records, attendance and distribution as plain Rust.
//!
//! ```no_run
//! # async fn example() -> Result<(), jiyao_client::Error> {
//! use jiyao_client::{Client, Import, ListMinutes};
//!
//! let client = Client::builder().build()?;
//! let organ = client.create_organ(None, "临岚市人民政府", &[]).await?;
//! let bytes = "〔2025〕9号 …".as_bytes().to_vec();
//! let imported = client.import_minutes(Import::new(&organ.name, bytes)).await?;
//! // Attendance follows records: this waits until it has come that far.
//! let roll = client.roll(&imported.minutes.name, Some(&imported.position)).await?;
//! println!("{} present", roll.present);
//! for minutes in client.list_minutes(ListMinutes::of(&organ.name)).await?.entries {
//!     println!("{} {}", minutes.document_number, minutes.name);
//! }
//! # Ok(()) }
//! ```
//!
//! - Calls that change something carry a `request_id`, made here unless given, so a repeat has no second effect. What
//!   answers UNAVAILABLE is repeated, with growing pauses, within the deadline; nothing else is.
//! - Every call sends a deadline.
//! - A watch resumes by itself behind the last change that it gave out; [`Client::pages`] goes through a list.
//! - An [`Error`] says what was called, where, and why, with the chain of causes.
//! - [`Client::call`] makes any call by the message that asks for it, of [`messages`]; the other methods are for what is
//!   called most, in the words of the domain.
//! - No type of tonic or http is in this API.

mod attendance;
mod call;
mod connection;
mod deliveries;
mod directory;
mod disclosure;
mod distribution;
mod error;
mod lifecycle;
mod matters;
mod meetings;
mod operations;
mod reconcile;
mod records;
mod types;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use call::Calling;
use connection::Connection;
pub use deliveries::{Delivery, DeliveryAddress, FreezeScope, FrozenScope, NumberedCopy};
pub use directory::{DirectoryImport, Member, Tenure};
pub use disclosure::{DisclosureRequest, Publication, Published};
pub use error::{Error, ErrorKind};
pub use jiyao_deliveries::{Act as DeliveryAct, Channel, RETURN_CODES, RequestAct, State as DeliveryState};
pub use jiyao_fault::Reason;
pub use jiyao_matters::{Act, Bulletin, Evidence, State};
pub use jiyao_minutes::{
    Act as LifeAct, Disclosure, DisclosureClass, Level, Major, Mark, Passage, Quorum, Secrecy, Stage,
};
pub use jiyao_phrases::Lang;
pub use jiyao_proto::calls::{Call, Homed, Paged, Resumes, Watch as WatchRequest};
pub use jiyao_reader::{Decision, Doubt, Fact, Facts, Repair, Span};
pub use jiyao_receipts::{
    Claim, Key, Kind as ReceiptKind, PublicKey, Rejected, Statement, WebhookRejected, check_webhook,
    verify as verify_receipt,
};
pub use jiyao_rolls::{
    Capacity, Ground, Item as AgendaItem, MeetingAct, ObserverKind, Reply as NoticeReply, RollRules, SeatAct,
    Unit, UnitKind,
};
pub use lifecycle::{ClauseChange, Life, LifeEntry, Proceedings, Side};
pub use matters::{
    Became, Board, BoardBy, BoardRow, Closure, Matter, MatterEntry, MatterSummary, NewMatter, Picked,
};
pub use meetings::{
    AttendanceRate, Meeting, NewMeeting, NewSeat, Quorum as QuorumCount, Recusal, RollCheck, RollFinding,
    Seat,
};
pub use operations::{Clock, Erasure, Following, Service, Status, Verified};
pub use reconcile::Difference;
pub use records::{Import, Imported, ListMinutes, Settle, Settled};
pub use types::{
    DecisionEntry, DistributionList, Minutes, MinutesChange, MinutesSummary, OpenDoubt, Organ, Page,
    Position, Presence, ReadMinutes, Recipient, Roll, RollEntry, Settlement, Standing,
};
pub use watch::{Watch, Watched, Watching};

/// The messages of every call, as the services have them: what each field means stands with it.
pub mod messages {
    pub use jiyao_proto::attendance::v1 as attendance;
    pub use jiyao_proto::distribution::v1 as distribution;
    pub use jiyao_proto::journal::v1 as journal;
    pub use jiyao_proto::operations::v1 as operations;
    pub use jiyao_proto::records::v1 as records;
}

/// Address of records, unless said otherwise.
pub const RECORDS: &str = "http://127.0.0.1:7101";
/// Address of attendance, unless said otherwise.
pub const ATTENDANCE: &str = "http://127.0.0.1:7102";
/// Address of distribution, unless said otherwise.
pub const DISTRIBUTION: &str = "http://127.0.0.1:7103";

/// A client of the three services. Clones are cheap and share connections.
#[derive(Clone, Debug)]
pub struct Client {
    records: Connection,
    attendance: Connection,
    distribution: Connection,
}

/// Settings of a client.
#[derive(Clone, Debug)]
pub struct Builder {
    records: String,
    attendance: String,
    distribution: String,
    ca: Option<PathBuf>,
    token: Option<String>,
    acting: (String, String),
    lang: Lang,
    timeout: Duration,
}

impl Client {
    /// Settings to begin with: the services on this machine, English, 30 seconds for a call.
    #[must_use]
    pub fn builder() -> Builder {
        Builder {
            records: RECORDS.to_owned(),
            attendance: ATTENDANCE.to_owned(),
            distribution: DISTRIBUTION.to_owned(),
            ca: None,
            token: None,
            acting: Default::default(),
            lang: Lang::En,
            timeout: Duration::from_secs(30),
        }
    }
}

impl Builder {
    /// Address of records, `http://…` or `https://…`.
    #[must_use]
    pub fn records(mut self, url: impl Into<String>) -> Self {
        self.records = url.into();
        self
    }

    /// Address of attendance.
    #[must_use]
    pub fn attendance(mut self, url: impl Into<String>) -> Self {
        self.attendance = url.into();
        self
    }

    /// Address of distribution.
    #[must_use]
    pub fn distribution(mut self, url: impl Into<String>) -> Self {
        self.distribution = url.into();
        self
    }

    /// PEM file of the authority that signed the services' certificates, where it is not a public one.
    #[must_use]
    pub fn ca(mut self, file: Option<PathBuf>) -> Self {
        self.ca = file;
        self
    }

    /// Bearer token.
    #[must_use]
    pub fn token(mut self, token: Option<String>) -> Self {
        self.token = token;
        self
    }

    /// Who acts, and for which unit (empty: for none), where the services run in local mode; otherwise the token says
    /// that.
    #[must_use]
    pub fn acting_as(mut self, principal: impl Into<String>, unit: impl Into<String>) -> Self {
        self.acting = (principal.into(), unit.into());
        self
    }

    /// Language of the messages in errors.
    #[must_use]
    pub fn lang(mut self, lang: Lang) -> Self {
        self.lang = lang;
        self
    }

    /// Longest time of a call, its repeats included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The client. Connects when first used.
    ///
    /// # Errors
    /// An address that is none, a file that cannot be read, a token that cannot be sent. Must be called inside a tokio
    /// runtime.
    pub fn build(self) -> Result<Client, Error> {
        let ca = match &self.ca {
            Some(path) => {
                Some(fs_err::read(path).map_err(|e| Error::settings("read the authority's certificate", e))?)
            }
            None => None,
        };
        let settings = Arc::new(connection::Settings {
            ca,
            token: self.token,
            acting: self.acting,
            lang: self.lang,
            timeout: self.timeout,
        });
        Ok(Client {
            records: Connection::new(self.records, &settings)?,
            attendance: Connection::new(self.attendance, &settings)?,
            distribution: Connection::new(self.distribution, &settings)?,
        })
    }
}
