//! Where the wire meets the words of the domain: facts to messages and back, faults to statuses and back. The one
//! place that does; services and SDK both stand on it.

mod asks;
mod check;
mod deliveries;
mod facts;
mod life;
mod mask;
mod matters;
mod rolls;
mod status;

pub use asks::Asks;
pub use check::check;
pub use deliveries::{
    channel_from, channel_to, copy_to, delivery_state_from, delivery_state_to, delivery_to,
    disclosure_request_to, scope_to,
};
pub use facts::{
    classify, doubt_from, doubts_to, facts_from, facts_to, repair_from, repair_to, span_from, span_to,
};
pub use life::{
    class_from, class_to, disclosure_to, life_to, mark_from, mark_to, quorum_from, quorum_to, ruling_from,
    ruling_to, secrecy_from, secrecy_to, sign_off_from, sign_off_to, stage_from, stage_to, standing_to,
};
pub use mask::Mask;
pub use matters::{
    date_from, light_up, list_to, matter_summary, matter_to, required_date, rows_from, rules_from, rules_to,
    state_from, state_to, words_of,
};
pub use rolls::{
    holder_to, instant_from, items_from, meeting_to, member_to, quorum_result_to, rate_to, roll_finding_to,
    roll_rules_from, roll_rules_to, row_error_to, seat_from, seat_to, tenure_to, unit_from, unit_to,
};
pub use status::{Received, from_status, to_status};

/// Most things that one call may bring: what is decided in the writer holds up all others.
pub const MOST_AT_ONCE: usize = 500;

/// Checks how many things a list of a request brings.
///
/// # Errors
/// `FIELD_INVALID` for more than [`MOST_AT_ONCE`].
pub fn check_count<T>(list: &[T], field: &str) -> jiyao_fault::Result<()> {
    if list.len() <= MOST_AT_ONCE {
        return Ok(());
    }
    Err(jiyao_fault::Fault::invalid(field, format!("{} of them, more than {MOST_AT_ONCE}", list.len())))
}

/// Whether a token may be sent to an address: over TLS, or to this machine.
#[must_use]
pub fn may_carry_token(url: &str) -> bool {
    let Ok(uri) = url.parse::<tonic::codegen::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    uri.scheme_str() == Some("https") || is_here
}

/// Header of local mode: who acts. Percent-encoded UTF-8.
pub const AS: &str = "jiyao-as";
/// Header of local mode: the unit that one acts for. Percent-encoded UTF-8.
pub const UNIT: &str = "jiyao-unit";

/// Descriptors of google.rpc's error details, for reflection.
pub const ERROR_DESCRIPTORS: &[u8] = tonic_types::pb::FILE_DESCRIPTOR_SET;

/// An instant as the wire has it.
#[must_use]
pub fn timestamp(milliseconds: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: milliseconds.div_euclid(1000),
        nanos: i32::try_from(milliseconds.rem_euclid(1000) * 1_000_000).unwrap_or(0),
    }
}
