//! The one error value that may leave a service.
//!
//! A [`Fault`] says *what* went wrong as a [`Reason`] from a closed catalogue (`jiyao.fault.v1.Reason` on the wire),
//! *where* as field paths, and the particulars as metadata. It holds no sentence: the words for a person come from
//! `jiyao-phrases` by reason and metadata, in the reader's language. The private source goes to the log alone.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The class of a fault, one to one with the gRPC codes that services send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong whatever the state.
    InvalidArgument,
    /// What the request names does not exist, or the caller may not know of it.
    NotFound,
    /// What the request would make exists.
    AlreadyExists,
    /// The request is right, the state does not allow it.
    FailedPrecondition,
    /// Somebody else was faster: read again.
    Aborted,
    /// Some store or queue is full: repeat later.
    ResourceExhausted,
    /// The service cannot answer now: repeat.
    Unavailable,
    /// Who asks is not known.
    Unauthenticated,
    /// Who asks may not.
    PermissionDenied,
    /// Stored bytes do not verify.
    DataLoss,
    /// A fault of the service.
    Internal,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident;)*) => {
        /// Why a call is refused. Names, metadata keys and meaning: `proto/jiyao/fault/v1/reason.proto`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $(#[doc = $text] $name,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)*];

            /// Its name on the wire: the proto enum value without `REASON_`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }

            /// Its class.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self { $(Reason::$name => Kind::$kind,)* }
            }
        }
    };
}

reasons! {
    FieldRequired = "FIELD_REQUIRED", InvalidArgument;
    FieldInvalid = "FIELD_INVALID", InvalidArgument;
    SourceEmpty = "SOURCE_EMPTY", InvalidArgument;
    SourceTooLarge = "SOURCE_TOO_LARGE", InvalidArgument;
    SourceUndecodable = "SOURCE_UNDECODABLE", InvalidArgument;
    NoFactFound = "NO_FACT_FOUND", InvalidArgument;
    IdentityTaken = "IDENTITY_TAKEN", AlreadyExists;
    OrganExists = "ORGAN_EXISTS", AlreadyExists;
    OrganNotFound = "ORGAN_NOT_FOUND", NotFound;
    MinutesNotFound = "MINUTES_NOT_FOUND", NotFound;
    SourceNotFound = "SOURCE_NOT_FOUND", NotFound;
    PageTokenInvalid = "PAGE_TOKEN_INVALID", InvalidArgument;
    CursorForeign = "CURSOR_FOREIGN", InvalidArgument;
    JournalForked = "JOURNAL_FORKED", FailedPrecondition;
    RequestIdReused = "REQUEST_ID_REUSED", AlreadyExists;
    DiskFull = "DISK_FULL", ResourceExhausted;
    Busy = "BUSY", ResourceExhausted;
    Starting = "STARTING", Unavailable;
    StateUnavailable = "STATE_UNAVAILABLE", Unavailable;
    NotCaughtUp = "NOT_CAUGHT_UP", Unavailable;
    TokenMissing = "TOKEN_MISSING", Unauthenticated;
    TokenInvalid = "TOKEN_INVALID", Unauthenticated;
    RoleMissing = "ROLE_MISSING", PermissionDenied;
    NotStated = "NOT_STATED", NotFound;
    RecordDamaged = "RECORD_DAMAGED", DataLoss;
    Internal = "INTERNAL", Internal;
    SourceNoText = "SOURCE_NO_TEXT", InvalidArgument;
    SourceUnreadable = "SOURCE_UNREADABLE", InvalidArgument;
    DoubtNotFound = "DOUBT_NOT_FOUND", NotFound;
    RevisionNotFound = "REVISION_NOT_FOUND", NotFound;
    MatterNotFound = "MATTER_NOT_FOUND", NotFound;
    StateForbids = "STATE_FORBIDS", FailedPrecondition;
    EtagStale = "ETAG_STALE", Aborted;
    UnitForeign = "UNIT_FOREIGN", PermissionDenied;
    SamePerson = "SAME_PERSON", FailedPrecondition;
    NextActOpen = "NEXT_ACT_OPEN", FailedPrecondition;
    EvidenceMissing = "EVIDENCE_MISSING", FailedPrecondition;
    TooLate = "TOO_LATE", FailedPrecondition;
    SlipEarly = "SLIP_EARLY", FailedPrecondition;
    HolidaysUnknown = "HOLIDAYS_UNKNOWN", FailedPrecondition;
    ListIncomplete = "LIST_INCOMPLETE", FailedPrecondition;
    ListFinal = "LIST_FINAL", FailedPrecondition;
    NotIssued = "NOT_ISSUED", FailedPrecondition;
    PostForbids = "POST_FORBIDS", PermissionDenied;
    DelegationMissing = "DELEGATION_MISSING", FailedPrecondition;
    DateMismatch = "DATE_MISMATCH", FailedPrecondition;
    DisclosureMissing = "DISCLOSURE_MISSING", FailedPrecondition;
    QuorumOpen = "QUORUM_OPEN", FailedPrecondition;
    SecretRefused = "SECRET_REFUSED", FailedPrecondition;
    NumberMismatch = "NUMBER_MISMATCH", FailedPrecondition;
    ReviewMissing = "REVIEW_MISSING", FailedPrecondition;
    ProceedingsClosed = "PROCEEDINGS_CLOSED", PermissionDenied;
    MeetingNotFound = "MEETING_NOT_FOUND", NotFound;
    SeatNotFound = "SEAT_NOT_FOUND", NotFound;
    UnitNotFound = "UNIT_NOT_FOUND", NotFound;
    TableRefused = "TABLE_REFUSED", InvalidArgument;
    AlreadyIn = "ALREADY_IN", FailedPrecondition;
    NotIn = "NOT_IN", FailedPrecondition;
    ObserverRefused = "OBSERVER_REFUSED", FailedPrecondition;
    ClassEmpty = "CLASS_EMPTY", FailedPrecondition;
    ScopeNotFrozen = "SCOPE_NOT_FROZEN", FailedPrecondition;
    ScopeFrozen = "SCOPE_FROZEN", FailedPrecondition;
    OutOfScope = "OUT_OF_SCOPE", FailedPrecondition;
    DeliveryNotFound = "DELIVERY_NOT_FOUND", NotFound;
    HashMismatch = "HASH_MISMATCH", FailedPrecondition;
    AttemptStale = "ATTEMPT_STALE", Aborted;
    ChannelForbidden = "CHANNEL_FORBIDDEN", FailedPrecondition;
    TargetForbidden = "TARGET_FORBIDDEN", InvalidArgument;
    PassageWithheld = "PASSAGE_WITHHELD", FailedPrecondition;
    AddressMissing = "ADDRESS_MISSING", FailedPrecondition;
    RequestNotFound = "REQUEST_NOT_FOUND", NotFound;
    CopyNotFound = "COPY_NOT_FOUND", NotFound;
    MinutesErased = "MINUTES_ERASED", NotFound;
    ErasureNotFound = "ERASURE_NOT_FOUND", NotFound;
    DisclosureMismatch = "DISCLOSURE_MISMATCH", FailedPrecondition;
    MessageUnreadable = "MESSAGE_UNREADABLE", InvalidArgument;
    ClockJumped = "CLOCK_JUMPED", FailedPrecondition;
    ContentChanged = "CONTENT_CHANGED", FailedPrecondition;
    ReadTooLong = "READ_TOO_LONG", ResourceExhausted;
    MessageTooLarge = "MESSAGE_TOO_LARGE", InvalidArgument;
    MinutesReplaced = "MINUTES_REPLACED", FailedPrecondition;
}

impl Reason {
    /// The reason of this wire name, if it is one.
    #[must_use]
    pub fn from_wire(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong, ready to leave the service. Cheap to move: one pointer.
#[derive(Clone, Debug)]
pub struct Fault(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    reason: Reason,
    metadata: BTreeMap<&'static str, String>,
    fields: Vec<String>,
    others: Vec<Fault>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The result of anything that may be refused.
pub type Result<T, E = Fault> = std::result::Result<T, E>;

impl Fault {
    /// A fault for this reason, without particulars.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self(Box::new(Inner {
            reason,
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            others: Vec::new(),
            source: None,
        }))
    }

    /// A required field is empty.
    #[must_use]
    pub fn required(field: &str) -> Self {
        Self::new(Reason::FieldRequired).at(field).with("field", field)
    }

    /// A field is not of its form.
    #[must_use]
    pub fn invalid(field: &str, value: impl fmt::Display) -> Self {
        Self::new(Reason::FieldInvalid).at(field).with("field", field).with("value", value)
    }

    /// A field is not of its form, which the refusal shows, e.g. `organs/{organ}`.
    #[must_use]
    pub fn malformed(field: &str, value: impl fmt::Display, form: &str) -> Self {
        Self::invalid(field, value).with("form", form)
    }

    /// A fault of the service itself; `source` is for the log only.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Reason::Internal).because(source)
    }

    /// Adds a particular; the keys of each reason stand in the proto catalogue. Values are public.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.metadata.insert(key, value.to_string());
        self
    }

    /// Names a field of the request that is at fault, as a path (`source.content`).
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.0.fields.push(field.into());
        self
    }

    /// Puts the fields that are at fault below a field whose message was looked at alone: of `name`, `below("before")`
    /// makes `before.name`.
    #[must_use]
    pub fn below(mut self, field: &str) -> Self {
        let longer = |path: &mut String| *path = format!("{field}.{path}");
        self.0.fields.iter_mut().for_each(longer);
        self.0.metadata.get_mut("field").into_iter().for_each(longer);
        self
    }

    /// Adds another fault of the same request. Reason and particulars stay those of the first.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.others.push(other);
        self
    }

    /// Keeps the cause for the log. It never leaves the service.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// Whether what was asked is refused as it stands, so that the same again is refused again. Otherwise it was not
    /// decided: somebody must repeat it, or look.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        let undecided = [Kind::Unavailable, Kind::ResourceExhausted, Kind::Internal, Kind::DataLoss];
        !undecided.contains(&self.reason().kind()) && self.reason() != Reason::ClockJumped
    }

    /// Public particulars.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<&'static str, String> {
        &self.0.metadata
    }

    /// Paths of the request's fields that are at fault.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        &self.0.fields
    }

    /// This fault and those that were added to it.
    pub fn violations(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.0.others)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.reason)?;
        for (key, value) in &self.0.metadata {
            write!(f, " {key}={value:?}")?;
        }
        Ok(())
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// Prints an error and its causes on one line: `read header: permission denied`. Some say their cause themselves: it is
/// not said twice.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Said(&'static str, Option<Box<Said>>);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Said {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as &(dyn Error + 'static))
        }
    }

    #[test]
    fn a_chain_says_each_cause_once() {
        let said = |words: &[&'static str]| {
            let all = words.iter().rev().fold(None, |cause, words| Some(Box::new(Said(words, cause))));
            chain(all.as_deref().unwrap())
        };
        assert_eq!(said(&["open", "read: denied", "denied"]), "open: read: denied");
        assert_eq!(said(&["connect", "connect", "refused"]), "connect: refused");
    }

    #[test]
    fn wire_names_read_back_and_are_unique() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_wire(reason.as_str()), Some(*reason));
        }
        assert_eq!(Reason::from_wire("UNSPECIFIED"), None);
    }

    #[test]
    fn display_shows_particulars_and_chain_shows_causes() {
        let fault = Fault::invalid("page_size", -1).because(std::io::Error::other("cause"));
        assert_eq!(fault.to_string(), r#"FIELD_INVALID field="page_size" value="-1""#);
        assert_eq!(chain(&fault), r#"FIELD_INVALID field="page_size" value="-1": cause"#);
        assert_eq!(fault.fields(), ["page_size"]);
        let below = fault.below("list");
        assert_eq!(
            (below.fields(), &below.metadata()["field"]),
            (&["list.page_size".to_owned()][..], &"list.page_size".to_owned())
        );
    }
}
