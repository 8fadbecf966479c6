//! What remains of minutes in this journal when their content is erased: what a register of documents says of them, and
//! that and when what was done.

use std::sync::LazyLock;

use jiyao_fault::{Fault, Result};
use jiyao_ledger::{Erasing, blank_json, decode_event, from_json};
use jiyao_proto::records::v1 as api;
use jiyao_proto::stored::v1::{self as stored, Event};
use jiyao_wire::Mask;
use prost::Message as _;
use prost::bytes::Bytes;
use prost_types::FieldMask;

use crate::domain::{MINUTES_IMPORTED, MINUTES_SETTLED};
use crate::follow_up::{MATTER_ACTED, MATTER_ESTABLISHED, MATTER_LISTED};
use crate::intake::RECUSALS_KNOWN;
use crate::life::{MINUTES_ACTED, MINUTES_AMENDED, PROCEEDINGS_KEPT};

/// The facts that a register says of minutes.
const FACTS: [&str; 7] = [
    "issuer",
    "document_number",
    "meeting.kind",
    "meeting.ordinal",
    "meeting.date",
    "printed.date",
    "compiled.date",
];

/// What a register says of minutes.
static REGISTER: LazyLock<Option<Mask>> = LazyLock::new(|| {
    let fields = [
        "name",
        "revision",
        "standing",
        "identity",
        "digest",
        "size",
        "rendition_of",
        "corrects",
        "create_time",
        "importer",
        "format",
        "document_kind",
    ];
    let facts = FACTS.iter().map(|fact| format!("facts.{fact}"));
    let mask = FieldMask { paths: fields.map(str::to_owned).into_iter().chain(facts).collect() };
    Mask::of(Some(&mask), ".jiyao.records.v1.Minutes").ok()
});

/// Texts that stay in acts, matters and lists of measures besides days and instants: who, which, how far, but nothing
/// in words. Units and posts are no content of the minutes: boards and rights go by them.
const KEPT: [&str; 28] = [
    "act",
    "act.*.by",
    "act.*.delivery",
    "act.*.disclosure.class",
    "act.*.mark",
    "act.*.number",
    "act.*.outcome",
    "act.*.passage.class",
    "act.*.post",
    "act.*.scope.hash",
    "act.*.secrecy.level",
    "act.*.series",
    "act.*.was",
    "actor",
    "class",
    "from",
    "helpers",
    "lead",
    "matter",
    "name",
    "next",
    "number",
    "same_evidence",
    "source.minutes",
    "source.item_number",
    "state",
    "to",
    "unit",
];

fn shell(minutes: &[u8], erasing: &mut Erasing) -> Result<Bytes> {
    let register =
        REGISTER.as_ref().ok_or_else(|| Fault::internal("the register names a field that is none"))?;
    let mut shell = register.keep(minutes)?;
    let decoded = api::Minutes::decode(shell.as_slice()).map_err(Fault::internal)?;
    erasing.digests.extend(<[u8; 32]>::try_from(decoded.digest.as_slice()));
    let erase_time = Some(jiyao_wire::timestamp(erasing.time.as_millisecond()));
    // Encoded messages in a row are one message with the fields of both.
    api::Minutes { erase_time, ..api::Minutes::default() }.encode(&mut shell).map_err(Fault::internal)?;
    Ok(shell.into())
}

fn is_of(minutes: &[u8], erasing: &Erasing) -> Result<bool> {
    let identity = stored::MinutesIdentity::decode(minutes).map_err(Fault::internal)?;
    Ok(identity.name == erasing.minutes)
}

/// What remains of an event; None: all of it.
pub(crate) fn remains(of: &Event, erasing: &mut Erasing) -> Result<Option<Vec<Event>>> {
    let left = match of.r#type.as_str() {
        MINUTES_IMPORTED => {
            let body: stored::EncodedMinutesImported = decode_event(of)?;
            if !is_of(&body.minutes, erasing)? {
                return Ok(None);
            }
            let minutes = shell(&body.minutes, erasing)?;
            stored::EncodedMinutesImported { minutes, ..Default::default() }.encode_to_vec()
        }
        MINUTES_AMENDED => {
            let body: stored::MinutesAmended = decode_event(of)?;
            let minutes = body.minutes.unwrap_or_default().encode_to_vec();
            if !is_of(&minutes, erasing)? {
                return Ok(None);
            }
            let minutes = api::Minutes::decode(shell(&minutes, erasing)?).map_err(Fault::internal)?;
            let entry = blank_json(&body.entry, &KEPT)?;
            stored::MinutesAmended { minutes: Some(minutes), entry, ..Default::default() }.encode_to_vec()
        }
        MINUTES_SETTLED => {
            let body: stored::MinutesSettled = decode_event(of)?;
            if body.minutes != erasing.minutes {
                return Ok(None);
            }
            let api::Settlement { principal, time, revision, path, value, .. } =
                body.settlement.unwrap_or_default();
            let left = api::Settlement { principal, time, revision, ..Default::default() };
            // What a person corrected in the register stays corrected.
            let settlement =
                if FACTS.contains(&path.as_str()) { api::Settlement { path, value, ..left } } else { left };
            stored::MinutesSettled { settlement: Some(settlement), ..body }.encode_to_vec()
        }
        MINUTES_ACTED => {
            let body: stored::MinutesActed = decode_event(of)?;
            if body.minutes != erasing.minutes {
                return Ok(None);
            }
            let entry = blank_json(&body.entry, &KEPT)?;
            stored::MinutesActed { entry, ..body }.encode_to_vec()
        }
        PROCEEDINGS_KEPT => {
            let kept = decode_event::<stored::ProceedingsKept>(of)?.proceedings.unwrap_or_default();
            if kept.minutes != erasing.minutes {
                return Ok(None);
            }
            let api::Proceedings { minutes, keeper, version, .. } = kept;
            let proceedings = Some(api::Proceedings { minutes, keeper, version, ..Default::default() });
            stored::ProceedingsKept { proceedings }.encode_to_vec()
        }
        RECUSALS_KNOWN => {
            let known: stored::RecusalsKnown = decode_event(of)?;
            if known.minutes != erasing.minutes {
                return Ok(None);
            }
            stored::RecusalsKnown { recusals: Vec::new(), ..known }.encode_to_vec()
        }
        MATTER_ESTABLISHED => {
            let body: stored::MatterEstablished = decode_event(of)?;
            let matter: jiyao_matters::Matter = from_json(&body.matter)?;
            if matter.source.minutes != erasing.minutes {
                return Ok(None);
            }
            erasing.names.insert(matter.name);
            stored::MatterEstablished { matter: blank_json(&body.matter, &KEPT)? }.encode_to_vec()
        }
        MATTER_ACTED => {
            let body: stored::MatterActed = decode_event(of)?;
            if !erasing.names.contains(&body.matter) {
                return Ok(None);
            }
            let entry = blank_json(&body.entry, &KEPT)?;
            stored::MatterActed { entry, ..body }.encode_to_vec()
        }
        MATTER_LISTED => {
            let body: stored::MatterListed = decode_event(of)?;
            if !erasing.names.contains(&body.matter) {
                return Ok(None);
            }
            let list = blank_json(&body.list, &KEPT)?;
            stored::MatterListed { list, ..body }.encode_to_vec()
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![Event { body: left, ..of.clone() }]))
}

#[cfg(test)]
mod tests {
    use jiyao_calendar::Timestamp;
    use jiyao_ledger::{from_json, to_json};
    use jiyao_matters as matters;
    use jiyao_minutes as minutes;

    use super::*;

    const DAY: &str = "2026-01-05";

    fn left<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> String {
        let blank = blank_json(&to_json(value).unwrap(), &KEPT).unwrap();
        // What is left must be read again as what it was.
        from_json::<T>(&blank).unwrap_or_else(|e| panic!("{}: {e}", String::from_utf8_lossy(&blank)));
        String::from_utf8(blank).unwrap()
    }

    fn entry(act: &serde_json::Value, from: &str, to: &str) -> serde_json::Value {
        serde_json::json!({
            "act": act, "actor": "clerk", "unit": "市教育局", "time": Timestamp::UNIX_EPOCH, "day": DAY,
            "from": from, "to": to, "revision": 1, "delegated_by": "词",
        })
    }

    /// Every act that a person puts into words, in the form in which it is kept.
    #[test]
    fn of_any_act_no_word_is_left_and_it_is_read_again() {
        use serde_json::json;
        let secrecy = json!({"level": "SECRET", "years": 3, "condition": "词"});
        let major = json!({"item": 1, "review": "词", "review_date": DAY, "differs": true, "reason": "词"});
        let disclosure = json!({"class": "PUBLIC", "reason": "词", "article": "词"});
        let acts = [
            json!({"SUBMIT": {"opinion": "词"}}),
            json!({"REVIEW": {"post": "市长", "mark": "WORDS", "opinion": "词", "approve": true}}),
            json!({"SIGN": {"post": "市长", "mark": "CIRCLE", "opinion": "词", "date": DAY, "disclosure": disclosure}}),
            json!({"PROOFREAD": {"opinion": "词"}}),
            json!({"AMEND": {"formatting": false, "from_revision": 1, "to_revision": 2, "note": "词"}}),
            json!({"REGISTER": {"series": "府纪要", "number": "府纪要〔2026〕1号", "copies": 9, "scope": "词"}}),
            json!({"PRINT": {"copies": 9}}),
            json!("ISSUE"),
            json!({"RECORD_SCOPE": {"scope": {"revision": 1, "date": DAY, "hash": "00ff"}}}),
            json!({"MARK_PASSAGE": {"passage": {"quote": "词", "class": "WITHHELD", "reason": "词"}}}),
            json!({"PUBLISH": {"place": "词", "separable": true}}),
            json!({"ARCHIVE": {"file": "词"}}),
            json!({"RECORD_QUORUM": {"outcome": "MET", "reason": "词"}}),
            json!({"PROPOSE_DISCLOSURE": {"disclosure": disclosure}}),
            json!({"SET_SECRECY": {"secrecy": secrecy, "reason": "词"}}),
            json!({"SET_SECRECY": {"secrecy": null, "reason": "词"}}),
            json!({"DECLASSIFY": {"document": "词", "reason": "词"}}),
            json!({"RECLASSIFY": {"disclosure": disclosure, "reason": "词"}}),
            json!({"FLAG_MAJOR": {"major": major}}),
            json!({"REPLACE": {"by": "organs/a/minutes/b"}}),
            json!({"REINSTATE": {"was": "organs/a/minutes/b"}}),
            json!({"REVOKE": {"document": "词", "reason": "词"}}),
            json!({"REPEAL": {"from": DAY, "document": "词", "reason": "词"}}),
            json!({"VOID": {"reason": "词"}}),
        ];
        for act in &acts {
            let value: minutes::Entry = from_json(&to_json(&entry(act, "DRAFT", "REVIEW")).unwrap()).unwrap();
            let left = left(&value);
            assert!(!left.contains('词'), "{left}");
        }
        let evidence = json!([{"title": "词", "sha256": "00".repeat(32)}]);
        let acts = [
            json!({"APPROVE": {"opinion": "词"}}),
            json!({"NOTIFY": {"notice": "词"}}),
            json!("ACCEPT"),
            json!({"SIGN_FOR": {"delivery": "organs/a/deliveries/b", "day": DAY}}),
            json!({"PROGRESS": {"text": "词"}}),
            json!({"REVISE": {"title": "词"}}),
            json!({"DISPATCH": {"paper": "词"}}),
            json!({"RECORD_OUTCOME": {"text": "词", "approved": true, "document": "词"}}),
            json!({"RECORD_ISSUED": {"number": "府发〔2026〕1号", "date": DAY}}),
            json!({"REACH": {"milestone": 0, "text": "词"}}),
            json!({"REPORT": {"text": "词", "approver": "词"}}),
            json!({"REVIEW": {"accept": false, "reason": "词"}}),
            json!({"ASK_EXTENSION": {"due": DAY, "reason": "词", "progress": "词"}}),
            json!({"DECIDE_EXTENSION": {"grant": true, "reason": "词"}}),
            json!({"SUSPEND": {"decision": "词", "reason": "词"}}),
            json!({"RESUME": {"reason": "词"}}),
            json!({"STRIKE_OFF": {"evidence": evidence, "reason": "词"}}),
            json!({"REOPEN": {"reason": "词"}}),
            json!({"LIST_PUBLICLY": {"level": "词", "deadline": DAY, "notice": "词"}}),
            json!({"EXTEND_LISTING": {"deadline": DAY, "reason": "词"}}),
            json!({"DELIST": {"notice": "词"}}),
            json!({"SEND_SLIP": {"level": 1, "requirement": "词", "due": DAY, "grave": false}}),
            json!({"ANSWER_SLIP": {"text": "词", "excused": true}}),
            json!({"OBJECT": {"text": "词"}}),
            json!({"DECIDE_OBJECTION": {"upheld": true, "reason": "词"}}),
            json!({"ANSWER": {"to": "词", "text": "词"}}),
        ];
        for act in &acts {
            let value: matters::Entry =
                from_json(&to_json(&entry(act, "UNDERWAY", "UNDER_REVIEW")).unwrap()).unwrap();
            let left = left(&value);
            assert!(!left.contains('词'), "{left}");
        }
    }

    #[test]
    fn of_a_matter_and_its_measures_no_word_is_left() {
        let day = jiyao_calendar::parse_iso(DAY);
        let milestone = matters::Milestone { what: "词".into(), due: day.unwrap(), reached: day };
        let matter = matters::Matter {
            name: "organs/a/matters/b".into(),
            number: "督〔2026〕1号".into(),
            source: matters::Source {
                minutes: "organs/a/minutes/b".into(),
                verdict: "词".into(),
                text: "词".into(),
                ..matters::Source::default()
            },
            content: "词".into(),
            lead: "市教育局".into(),
            leader: "词".into(),
            contact: "词".into(),
            class: matters::Class::Staged,
            milestones: vec![milestone],
            next: matters::Next::Submit { body: "词".into() },
            raised_by: "词".into(),
            due: day,
            original_due: day,
            printed_due: "词".into(),
            effective: day,
            decided: day,
            issued: day,
            received: day,
            ..matters::Matter::default()
        };
        let found = left(&matter);
        assert!(!found.contains('词') && found.contains("市教育局") && found.contains("1号"), "{found}");
        let row = matters::Row {
            problem: "词".into(),
            measure: "词".into(),
            owner: "词".into(),
            due: day,
            reply: "词".into(),
            ..matters::Row::default()
        };
        let list = matters::MeasureList { matter: matter.name, version: 1, is_final: true, rows: vec![row] };
        assert!(!left(&list).contains('词'));
    }
}
