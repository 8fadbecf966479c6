use std::collections::{BTreeMap, HashMap};

use jiyao_fault::{Fault, Kind, Reason};
use jiyao_phrases::{Lang, say_fault};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// A status travels in headers, of which clients take some 16 KB: longer values are cut, and of many fields the first
/// are named.
const LONGEST_VALUE: usize = 200;
const LONGEST_PATH: usize = 60;
const MOST_FIELDS: usize = 20;
/// The first faults of one request are said in full, with shorter values where there are several.
const MOST_SAID: usize = 5;
const LONGEST_OF_SEVERAL: usize = 40;

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

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
    let mut details = ErrorDetails::new();
    let owned: HashMap<String, String> =
        metadata(fault, LONGEST_VALUE).into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    details.set_error_info(reason.as_str(), DOMAIN, owned);
    let longest = if fault.violations().nth(1).is_some() { LONGEST_OF_SEVERAL } else { LONGEST_VALUE };
    let said = |violation: &Fault, lang| {
        let values = metadata(violation, longest);
        say_fault(lang, violation.reason().as_str(), values.iter().map(|(key, value)| (*key, value.as_str())))
    };
    let fields = fault.violations().enumerate().flat_map(|(nth, violation)| {
        let fields = violation.fields().iter().enumerate();
        fields.map(move |(at, field)| (violation, at == 0 && nth < MOST_SAID, field))
    });
    for (violation, in_full, field) in fields.take(MOST_FIELDS) {
        let said = if in_full { said(violation, Lang::En) } else { violation.reason().as_str().to_owned() };
        details.add_bad_request_violation(cut(field, LONGEST_PATH), said);
    }
    let in_lang = |lang| {
        let sentences = fault.violations().take(MOST_SAID).map(|violation| said(violation, lang));
        sentences.collect::<Vec<_>>().join("\n")
    };
    details.set_localized_message(lang.tag(), in_lang(lang));
    Status::with_error_details(code(reason.kind()), in_lang(Lang::En), details)
}

/// Particulars; what somebody sent is cut shorter than the rest.
fn metadata(fault: &Fault, longest: usize) -> BTreeMap<&str, String> {
    let most = |key: &str| match key {
        "value" => longest,
        "field" => longest.max(LONGEST_PATH),
        _ => LONGEST_VALUE,
    };
    fault.metadata().iter().map(|(key, value)| (*key, cut(value, most(key)))).collect()
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
    fn a_fault_of_many_fields_and_long_values_fits_the_headers() {
        let long = "长".repeat(100_000);
        let fault = (0..500).fold(Fault::new(Reason::TableRefused).with("errors", 500), |fault, line| {
            fault.at(format!("table[{line}].{long}"))
        });
        let status = to_status(&fault.with("first", &long), Lang::Zh);
        let size = status.details().len() * 4 / 3 + status.message().len() * 3;
        assert!(size < 12_000, "{size}");
        assert_eq!(from_status(&status).fields.len(), MOST_FIELDS);
        let wrong = |n: usize| Fault::malformed(&format!("milestones[{n}].due"), &long, "YYYY-MM-DD");
        let many = (1..100).fold(wrong(0), |fault, n| fault.and(wrong(n)));
        let status = to_status(&many, Lang::Zh);
        let size = status.details().len() * 4 / 3 + status.message().len() * 3;
        assert!(size < 12_000, "{size}");
        assert_eq!(from_status(&status).fields.len(), MOST_FIELDS);
        let usual = (0..500)
            .fold(Fault::new(Reason::TableRefused), |fault, line| fault.at(format!("table[{line}].from")));
        let status = to_status(&usual.with("errors", 500).with("first", &long), Lang::Zh);
        assert!(status.details().len() * 4 / 3 + status.message().len() * 3 < 12_000);
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
