//! What makes two minutes of one organ the same.

use std::fmt;

use jiyao_docnum::DocumentNumber;
use jiyao_reader::Facts;

/// What identifies minutes within their organ: the document number; else kind and ordinal of the meeting with its
/// term of office or year; else nothing but the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The number, in the standard form, so that `[2020] 17号` and `〔2020〕17号` are one.
    Number(String),
    /// The meeting.
    Meeting {
        /// E.g. 常务会议.
        kind: String,
        /// 第N次.
        ordinal: u32,
        /// The term (`t19`) where the text has one, else the year: ordinals restart with the term of office.
        scope: String,
    },
    /// SHA-256 of the bytes.
    Bytes([u8; 32]),
}

impl Identity {
    /// The identity of a text with these facts and this digest.
    #[must_use]
    pub fn of(facts: &Facts, digest: [u8; 32]) -> Self {
        if let Some(number) = &facts.document_number {
            let printed = DocumentNumber::parse(&number.value);
            return Self::Number(
                printed.map_or_else(|| number.value.to_string(), |number| number.to_string()),
            );
        }
        let meeting = &facts.meeting;
        let scope = match (&meeting.term, &meeting.date) {
            (Some(term), _) => Some(format!("t{}", term.value)),
            (None, Some(date)) => date.value.get(..4).map(str::to_owned),
            (None, None) => None,
        };
        match (&meeting.kind, &meeting.ordinal, scope) {
            (Some(kind), Some(ordinal), Some(scope)) => {
                Self::Meeting { kind: kind.value.to_string(), ordinal: ordinal.value, scope }
            }
            _ => Self::Bytes(digest),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "number:{number}"),
            Self::Meeting { kind, ordinal, scope } => write!(f, "meeting:{kind}/{scope}/{ordinal}"),
            Self::Bytes(digest) => write!(f, "bytes:{}", jiyao_names::hex(digest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(text: &str) -> String {
        let facts = jiyao_reader::read(text, &jiyao_reader::Words::default()).facts;
        Identity::of(&facts, [7; 32]).to_string()
    }

    #[test]
    fn the_number_comes_first_then_the_meeting_then_the_bytes() {
        let opening = "2025年4月15日下午，方知远市长主持召开市政府第42次常务会议，研究有关事项。\n";
        assert_eq!(identity(&format!("[2025] 9号\n{opening}")), "number:〔2025〕9号");
        assert_eq!(identity(opening), "meeting:常务会议/2025/42");
        assert_eq!(identity(&opening.replace("市政府", "十九届市政府")), "meeting:常务会议/t19/42");
        assert_eq!(identity("一、甲\n"), format!("bytes:{}", "07".repeat(32)));
    }
}
