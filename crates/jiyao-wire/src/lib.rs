//! Where the wire meets the words of the domain: facts to messages and back, faults to statuses and back. The one
//! place that does; services and SDK both stand on it.

mod asks;
mod deliveries;
mod facts;
mod life;
mod mask;
mod matters;
mod rolls;
mod status;

pub use asks::Asks;
pub use deliveries::{
    channel_from, channel_to, copy_to, delivery_state_from, delivery_state_to, delivery_to,
    disclosure_request_to, scope_to,
};
pub use facts::{classify, doubt_from, doubts_to, facts_from, facts_to, repair_from, repair_to};
pub use life::{
    class_from, class_to, disclosure_to, life_to, mark_from, mark_to, quorum_from, quorum_to, secrecy_from,
    secrecy_to, sign_off_from, sign_off_to, stage_from, stage_to, standing_to,
};
pub use mask::Mask;
pub use matters::{
    date_from, light_up, list_to, matter_summary, matter_to, required_date, rows_from, rules_from, rules_to,
    state_from, state_to, words_of,
};
pub use rolls::{
    instant_from, items_from, meeting_to, member_to, quorum_result_to, rate_to, roll_finding_to,
    roll_rules_from, roll_rules_to, row_error_to, seat_from, seat_to, tenure_to, unit_from, unit_to,
};
pub use status::{Received, from_status, to_status};

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
