use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;

use jiyao_fault::{Reason, chain};
use tonic::{Code, Status};

/// The class of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client's own settings are wrong. Nothing was sent.
    Settings,
    /// The service refused the request as it is: change it.
    Refused,
    /// The service cannot be reached, or not in time: try later. A call that changes something may have had its
    /// effect; the same `request_id` finds out.
    Unavailable,
    /// The service is full for now.
    Exhausted,
    /// The service does not know who asks, or who asks may not.
    Forbidden,
    /// The service failed.
    Failed,
}

/// The failure of a call: why, where, and what to do. `Display` gives all of it; so does `Debug`, for a `main` that ends
/// with it prints that.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    call: &'static str,
    address: String,
    reason: Option<Reason>,
    metadata: BTreeMap<String, String>,
    fields: Vec<String>,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn settings(what: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Box::new(Inner {
            kind: ErrorKind::Settings,
            call: what,
            address: String::new(),
            reason: None,
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            message: String::new(),
            source: Some(source.into()),
        }))
    }

    pub(crate) fn of_status(call: &'static str, address: &str, status: &Status) -> Self {
        let received = jiyao_wire::from_status(status);
        let kind = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => ErrorKind::Unavailable,
            Code::ResourceExhausted => ErrorKind::Exhausted,
            Code::Unauthenticated | Code::PermissionDenied => ErrorKind::Forbidden,
            Code::Internal | Code::DataLoss | Code::Unknown | Code::Unimplemented => ErrorKind::Failed,
            _ => ErrorKind::Refused,
        };
        // A failed connection keeps its cause; a refusal of the service has none that we could see.
        let source = status.source().map(|source| chain(source).into());
        Self(Box::new(Inner {
            kind,
            call,
            address: address.to_owned(),
            reason: received.reason,
            metadata: received.metadata,
            fields: received.fields,
            message: received.message,
            source,
        }))
    }

    pub(crate) fn malformed(call: &'static str, address: &str, what: &'static str) -> Self {
        Self(Box::new(Inner {
            kind: ErrorKind::Failed,
            call,
            address: address.to_owned(),
            reason: None,
            metadata: BTreeMap::new(),
            fields: Vec::new(),
            message: what.to_owned(),
            source: None,
        }))
    }

    /// The class.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Why, where the service said so.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.0.reason
    }

    /// Particulars of the reason.
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// Paths of the request's fields that are at fault.
    #[must_use]
    pub fn fields(&self) -> &[String] {
        &self.0.fields
    }

    /// For people, in the client's language.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the service could not be reached or did not answer in time.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.0.kind == ErrorKind::Unavailable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.call)?;
        if !self.0.address.is_empty() {
            write!(f, " at {}", self.0.address)?;
        }
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        if let Some(reason) = self.0.reason {
            write!(f, " [{reason}]")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ": {}", chain(source.as_ref()))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {}
