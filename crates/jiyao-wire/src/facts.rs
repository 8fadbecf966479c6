use jiyao_minutes::{ItemKind, Verdict};
use jiyao_proto::records::v1 as wire;
use jiyao_reader as reader;

/// The place of something in the text as a message.
#[must_use]
pub fn span_to(span: reader::Span) -> wire::Span {
    wire::Span { start: span.start, end: span.end }
}

/// The place in a text that a message names.
#[must_use]
pub fn span_from(span: &wire::Span) -> reader::Span {
    reader::Span { start: span.start, end: span.end }
}

fn spans_to(spans: &[reader::Span]) -> Vec<wire::Span> {
    spans.iter().copied().map(span_to).collect()
}

fn spans_from(spans: &[wire::Span]) -> reader::Spans {
    spans.iter().map(span_from).collect()
}

fn fact_to<T: ToString>(fact: &reader::Fact<T>) -> wire::Fact {
    wire::Fact { value: fact.value.to_string(), spans: spans_to(&fact.spans), reader_value: None }
}

fn fact_from(fact: &wire::Fact) -> reader::Fact {
    reader::Fact { value: fact.value.as_str().into(), spans: spans_from(&fact.spans) }
}

fn number_from(fact: &wire::Fact) -> Option<reader::Fact<u32>> {
    Some(reader::Fact { value: fact.value.parse().ok()?, spans: spans_from(&fact.spans) })
}

fn list_to(facts: &[reader::Fact]) -> Vec<wire::Fact> {
    facts.iter().map(fact_to).collect()
}

fn list_from(facts: &[wire::Fact]) -> Vec<reader::Fact> {
    facts.iter().map(fact_from).collect()
}

/// Facts as a message.
#[must_use]
pub fn facts_to(facts: &reader::Facts) -> wire::Facts {
    let meeting = &facts.meeting;
    let attendee = |entry: &reader::Attendee| wire::Attendee {
        unit: entry.unit.as_ref().map(fact_to),
        name: entry.name.as_ref().map(fact_to),
    };
    let imprint = |imprint: &reader::Imprint| wire::Imprint {
        by: imprint.by.as_ref().map(fact_to),
        date: imprint.date.as_ref().map(fact_to),
    };
    let item = |item: &reader::Item| wire::Item {
        number: item.no.as_ref().map(fact_to),
        heading: item.heading.as_ref().map(fact_to),
        documents: list_to(&item.documents),
        decisions: item.decisions.iter().map(decision_to).collect(),
        kinds: Vec::new(),
    };
    let mut facts = wire::Facts {
        issuer: facts.issuer.as_ref().map(fact_to),
        document_number: facts.document_number.as_ref().map(fact_to),
        meeting: Some(wire::Meeting {
            kind: meeting.kind.as_ref().map(fact_to),
            ordinal: meeting.ordinal.as_ref().map(fact_to),
            term: meeting.term.as_ref().map(fact_to),
            date: meeting.date.as_ref().map(fact_to),
            session: meeting.session.as_ref().map(fact_to),
            chair: meeting.chair.as_ref().map(fact_to),
        }),
        items: facts.items.iter().map(item).collect(),
        present: facts.attendance.present.iter().map(attendee).collect(),
        observers: facts.attendance.observers.iter().map(attendee).collect(),
        absent: facts.attendance.absent.iter().map(attendee).collect(),
        recorders: list_to(&facts.attendance.recorders),
        compiled: facts.compiled.as_ref().map(imprint),
        disclosure: facts.disclosure.as_ref().map(fact_to),
        distribution: list_to(&facts.distribution),
        printed: facts.printed.as_ref().map(imprint),
    };
    classify(&mut facts);
    facts
}

/// Facts of a message. Numbers that are none are left out.
#[must_use]
pub fn facts_from(facts: &wire::Facts) -> reader::Facts {
    let meeting = facts.meeting.clone().unwrap_or_default();
    let attendee = |entry: &wire::Attendee| reader::Attendee {
        unit: entry.unit.as_ref().map(fact_from),
        name: entry.name.as_ref().map(fact_from),
    };
    let imprint = |imprint: &wire::Imprint| reader::Imprint {
        by: imprint.by.as_ref().map(fact_from),
        date: imprint.date.as_ref().map(fact_from),
    };
    let item = |item: &wire::Item| reader::Item {
        no: item.number.as_ref().map(fact_from),
        heading: item.heading.as_ref().map(fact_from),
        documents: list_from(&item.documents),
        decisions: item.decisions.iter().map(decision_from).collect(),
    };
    reader::Facts {
        issuer: facts.issuer.as_ref().map(fact_from),
        document_number: facts.document_number.as_ref().map(fact_from),
        meeting: reader::Meeting {
            kind: meeting.kind.as_ref().map(fact_from),
            ordinal: meeting.ordinal.as_ref().and_then(number_from),
            term: meeting.term.as_ref().and_then(number_from),
            date: meeting.date.as_ref().map(fact_from),
            session: meeting.session.as_ref().map(fact_from),
            chair: meeting.chair.as_ref().map(fact_from),
        },
        items: facts.items.iter().map(item).collect(),
        attendance: reader::Attendance {
            present: facts.present.iter().map(attendee).collect(),
            observers: facts.observers.iter().map(attendee).collect(),
            absent: facts.absent.iter().map(attendee).collect(),
            recorders: list_from(&facts.recorders),
        },
        compiled: facts.compiled.as_ref().map(imprint),
        disclosure: facts.disclosure.as_ref().map(fact_from),
        distribution: list_from(&facts.distribution),
        printed: facts.printed.as_ref().map(imprint),
    }
}

fn decision_to(decision: &reader::Decision) -> wire::Decision {
    wire::Decision {
        outcome: Some(fact_to(&decision.outcome)),
        subjects: list_to(&decision.subjects),
        lead_units: list_to(&decision.lead_units),
        support_units: list_to(&decision.support_units),
        next_step: decision.next_step.as_ref().map(fact_to),
        next_body: decision.next_body.as_ref().map(fact_to),
        effective_date: decision.effective_date.as_ref().map(fact_to),
        deadlines: list_to(&decision.deadlines),
        verdict: wire::Verdict::Unspecified.into(),
    }
}

/// Says what items and verdicts are, by their words as they are now.
pub fn classify(facts: &mut wire::Facts) {
    for item in &mut facts.items {
        let heading = item.heading.as_ref().map_or("", |heading| heading.value.as_str());
        item.kinds = ItemKind::of(heading).into_iter().map(|kind| kind_to(kind).into()).collect();
        for decision in &mut item.decisions {
            let outcome = decision.outcome.as_ref().map_or("", |outcome| outcome.value.as_str());
            decision.verdict = verdict_to(Verdict::of(outcome)).into();
        }
    }
}

fn kind_to(kind: ItemKind) -> wire::ItemKind {
    match kind {
        ItemKind::Deliberate => wire::ItemKind::Deliberate,
        ItemKind::Hear => wire::ItemKind::Hear,
        ItemKind::Convey => wire::ItemKind::Convey,
        ItemKind::Study => wire::ItemKind::Study,
        ItemKind::Inform => wire::ItemKind::Inform,
    }
}

fn verdict_to(verdict: Verdict) -> wire::Verdict {
    match verdict {
        Verdict::Agreed => wire::Verdict::Agreed,
        Verdict::InPrinciple => wire::Verdict::InPrinciple,
        Verdict::Refused => wire::Verdict::Refused,
        Verdict::Other => wire::Verdict::Other,
    }
}

fn decision_from(decision: &wire::Decision) -> reader::Decision {
    reader::Decision {
        outcome: fact_from(&decision.outcome.clone().unwrap_or_default()),
        subjects: list_from(&decision.subjects),
        lead_units: list_from(&decision.lead_units),
        support_units: list_from(&decision.support_units),
        next_step: decision.next_step.as_ref().map(fact_from),
        next_body: decision.next_body.as_ref().map(fact_from),
        effective_date: decision.effective_date.as_ref().map(fact_from),
        deadlines: list_from(&decision.deadlines),
    }
}

/// The doubts of a reading as messages: numbered from 1, each with the facts that it touches.
#[must_use]
pub fn doubts_to(facts: &reader::Facts, doubts: &[reader::Doubt]) -> Vec<wire::Doubt> {
    let paths = facts.in_doubt(doubts);
    (1..)
        .zip(doubts.iter().zip(paths))
        .map(|(number, (doubt, paths))| wire::Doubt {
            code: doubt.code.as_str().to_owned(),
            spans: spans_to(&doubt.spans),
            candidates: doubt.candidates.clone(),
            number,
            paths,
        })
        .collect()
}

/// The doubt of a message; None where this program does not know its code.
#[must_use]
pub fn doubt_from(doubt: &wire::Doubt) -> Option<reader::Doubt> {
    let code = reader::DoubtCode::ALL.into_iter().find(|code| code.as_str() == doubt.code)?;
    Some(reader::Doubt { code, spans: spans_from(&doubt.spans), candidates: doubt.candidates.clone() })
}

/// A repair as a message.
#[must_use]
pub fn repair_to(repair: &reader::Repair) -> wire::Repair {
    use wire::repair::Kind;
    let kind = match repair.kind {
        reader::RepairKind::LineWrap => Kind::LineWrap,
        reader::RepairKind::PageBreak => Kind::PageBreak,
        reader::RepairKind::Blank => Kind::Blank,
    };
    wire::Repair { kind: kind.into(), span: Some(span_to(repair.span)) }
}

/// The repair of a message; None where this program does not know its kind.
#[must_use]
pub fn repair_from(repair: &wire::Repair) -> Option<reader::Repair> {
    use wire::repair::Kind;
    let kind = match repair.kind() {
        Kind::LineWrap => reader::RepairKind::LineWrap,
        Kind::PageBreak => reader::RepairKind::PageBreak,
        Kind::Blank => reader::RepairKind::Blank,
        Kind::Unspecified => return None,
    };
    Some(reader::Repair { span: span_from(repair.span.as_ref()?), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_comes_back_from_the_wire_as_it_was() {
        let text = include_str!("../../jiyao-cli/sample/minutes.txt").replace("市发改委杜衡", "新设机构乙甲");
        let reading = reader::read(&text, &reader::Words::default());
        assert_eq!(facts_from(&facts_to(&reading.facts)), reading.facts);
        let doubts: Vec<_> =
            doubts_to(&reading.facts, &reading.doubts).iter().filter_map(doubt_from).collect();
        assert_eq!(doubts, reading.doubts);
        let repairs: Vec<_> = reading.repairs.iter().map(repair_to).filter_map(|r| repair_from(&r)).collect();
        assert_eq!(repairs, reading.repairs);
        assert_eq!((doubts.is_empty(), repairs.is_empty()), (false, false));
    }
}
