use std::collections::{BTreeMap, HashMap};

use jiyao_fault::{Fault, Kind, Reason};
use jiyao_phrases::{Lang, say_fault};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The domain of every ErrorInfo.
const DOMAIN: &str = "jiyao";

fn code(kind: Kind) -> Code {
    match kind {
        Kind::InvalidArgument => Code::InvalidArgument,
        Kind::NotFound => Code::NotFound,
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::FailedPrecondition => Code::FailedPrecondition,
        Kind::ResourceExhausted => Code::ResourceExhausted,
        Kind::Unavailable => Code::Unavailable,
        Kind::Unauthenticated => Code::Unauthenticated,
        Kind::PermissionDenied => Code::PermissionDenied,
        Kind::DataLoss => Code::DataLoss,
        Kind::Aborted => Code::Aborted,
        Kind::Internal => Code::Internal,
    }
}

/// A fault as a status: ErrorInfo with reason and metadata, BadRequest with field paths, LocalizedMessage in the
/// caller's language. The private source stays behind.
#[must_use]
pub fn to_status(fault: &Fault, lang: Lang) -> Status {
    let reason = fault.reason();
    let metadata = || fault.metadata().iter().map(|(key, value)| (*key, value.as_str()));
    let mut details = ErrorDetails::new();
    let owned: HashMap<String, String> = metadata().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    details.set_error_info(reason.as_str(), DOMAIN, owned);
    let message = say_fault(Lang::En, reason.as_str(), metadata());
    for field in fault.fields() {
        details.add_bad_request_violation(field.as_str(), message.as_str());
    }
    details.set_localized_message(lang.tag(), say_fault(lang, reason.as_str(), metadata()));
    Status::with_error_details(code(reason.kind()), message, details)
}

/// What a status says to those who received it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Why, where the status is of one of our services.
    pub reason: Option<Reason>,
    /// Particulars.
    pub metadata: BTreeMap<String, String>,
    /// Paths of the request's fields that are at fault.
    pub fields: Vec<String>,
    /// For people, in their language; the plain message where none was sent.
    pub message: String,
}

/// Takes a status apart.
#[must_use]
pub fn from_status(status: &Status) -> Received {
    let details = status.get_error_details();
    let info = details.error_info().filter(|info| info.domain == DOMAIN);
    Received {
        reason: info.and_then(|info| Reason::from_wire(&info.reason)),
        metadata: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
        fields: details
            .bad_request()
            .map(|bad| bad.field_violations.iter().map(|violation| violation.field.clone()).collect())
            .unwrap_or_default(),
        message: details
            .localized_message()
            .map_or_else(|| status.message().to_owned(), |localized| localized.message.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogues_of_wire_and_code_are_one() {
        use jiyao_proto::fault::v1::Reason as Wire;
        let wire: Vec<String> = (1..)
            .map_while(|number| Wire::try_from(number).ok())
            .map(|reason| reason.as_str_name().trim_start_matches("REASON_").to_owned())
            .collect();
        let code: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(wire, code);
    }

    #[test]
    fn a_fault_arrives_whole_but_for_its_source() {
        let fault = Fault::invalid("page_size", -1).because(std::io::Error::other("private canary"));
        let status = to_status(&fault, Lang::Zh);
        assert_eq!(status.code(), Code::InvalidArgument);
        let received = from_status(&status);
        assert_eq!(received.reason, Some(Reason::FieldInvalid));
        assert_eq!(received.fields, ["page_size"]);
        assert_eq!(received.metadata["value"], "-1");
        assert!(received.message.contains("格式"), "{}", received.message);
        assert!(!format!("{status:?}").contains("canary"));
        assert_eq!(from_status(&Status::unavailable("down")).message, "down");
    }
}
