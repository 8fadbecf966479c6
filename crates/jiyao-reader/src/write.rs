//! The way back: minutes text from facts, in the form in which most cities print them.

use std::fmt::Write as _;

use crate::facts::{Attendee, Decision, Facts, Imprint, Item};

/// Minutes that say these facts. Reading them gives the same facts again where the form can say them at all: a name
/// that no dictionary proves, or a heading that opens like another part, may be read otherwise. Whoever needs to be
/// sure reads the text and compares.
#[must_use]
pub fn write(facts: &Facts) -> String {
    let mut out = String::new();
    masthead(&mut out, facts);
    for item in &facts.items {
        self::item(&mut out, item);
    }
    let people = &facts.attendance;
    list(&mut out, "出席", &people.present);
    list(&mut out, "列席", &people.observers);
    list(&mut out, "请假", &people.absent);
    if !people.recorders.is_empty() {
        let names: Vec<_> = people.recorders.iter().map(|fact| fact.value.as_str()).collect();
        let _ = writeln!(out, "记录：{}\n", names.join(" "));
    }
    closing(&mut out, facts);
    out
}

fn says<T: std::fmt::Display>(fact: Option<&crate::Fact<T>>) -> String {
    fact.map(|fact| fact.value.to_string()).unwrap_or_default()
}

/// An ISO date as minutes print it.
fn printed_date(iso: &str) -> String {
    let mut parts = iso.split('-').map(|part| part.trim_start_matches('0'));
    match (parts.next(), parts.next(), parts.next()) {
        (Some(year), Some(month), Some(day)) => format!("{year}年{month}月{day}日"),
        _ => iso.to_owned(),
    }
}

fn masthead(out: &mut String, facts: &Facts) {
    let meeting = &facts.meeting;
    let kind = says(meeting.kind.as_ref());
    let _ = writeln!(out, "{}{kind}纪要\n", says(facts.issuer.as_ref()));
    if let Some(number) = &facts.document_number {
        let _ = writeln!(out, "{}\n", number.value);
    }
    let date = meeting.date.as_ref().map(|date| printed_date(&date.value)).unwrap_or_default();
    let when = date + &says(meeting.session.as_ref());
    let chair = meeting.chair.as_ref().map(|chair| format!("{}主持", chair.value)).unwrap_or_default();
    let term = meeting.term.as_ref().map(|term| format!("{}届", term.value)).unwrap_or_default();
    let ordinal =
        meeting.ordinal.as_ref().map(|ordinal| format!("第{}次", ordinal.value)).unwrap_or_default();
    let comma = if when.is_empty() { "" } else { "，" };
    let kind = if kind.is_empty() { "会议".to_owned() } else { kind };
    let _ = writeln!(out, "{when}{comma}{chair}召开{term}{ordinal}{kind}。\n\n会议议定以下意见：\n");
}

fn item(out: &mut String, item: &Item) {
    let number = item.no.as_ref().map(|no| format!("{}、", no.value)).unwrap_or_default();
    let heading = says(item.heading.as_ref());
    // An item without a number is a sentence, a heading none.
    let stop = if number.is_empty() { "。" } else { "" };
    let _ = writeln!(out, "{number}{heading}{stop}\n");
    for (at, decision) in item.decisions.iter().enumerate() {
        let numeral = "一二三四五六七八九十".chars().nth(at).unwrap_or('十');
        let _ = writeln!(out, "（{numeral}）{}\n", self::decision(decision, item));
    }
}

fn decision(decision: &Decision, item: &Item) -> String {
    let is_title = |subject: &str| item.documents.iter().any(|document| document.value.contains(subject));
    let subjects: Vec<_> = decision
        .subjects
        .iter()
        .map(|subject| {
            if is_title(&subject.value) {
                format!("《{}》", subject.value)
            } else {
                subject.value.to_string()
            }
        })
        .collect();
    let joint = if decision.subjects.iter().all(|subject| is_title(&subject.value)) { "和" } else { "、" };
    let mut out = format!("{}{}。", decision.outcome.value, subjects.join(joint));
    let names =
        |facts: &[crate::Fact]| facts.iter().map(|fact| fact.value.clone()).collect::<Vec<_>>().join("、");
    let step = decision.next_step.as_ref().map(|step| step.value.as_str());
    // What an office does stands for itself; any other act follows the work on the paper.
    let is_deed =
        |step: &&str| step.starts_with(['按', '依', '以', '报', '提', '印', '公', '呈', '上', '履']);
    let amended = step.filter(is_deed).map(|step| format!("根据会议讨论意见修改完善后{step}"));
    let mut clauses = Vec::new();
    if !decision.lead_units.is_empty() {
        clauses.push(format!("由{}牵头", names(&decision.lead_units)));
    }
    if !decision.support_units.is_empty() {
        clauses.push(format!("{}配合", names(&decision.support_units)));
    }
    clauses.extend(amended.or(step.map(str::to_owned)));
    clauses.extend(decision.deadlines.iter().map(|deadline| format!("于{}完成", deadline.value)));
    if let Some(date) = &decision.effective_date {
        clauses.push(format!("自{}起施行", printed_date(&date.value)));
    }
    if !clauses.is_empty() {
        out += &clauses.join("，");
        out.push('。');
    }
    out
}

fn list(out: &mut String, label: &str, entries: &[Attendee]) {
    if entries.is_empty() {
        return;
    }
    let entry = |entry: &Attendee| match (&entry.unit, &entry.name) {
        (Some(unit), None) => format!("{}的代表", unit.value),
        (unit, name) => says(unit.as_ref()) + &says(name.as_ref()),
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    let _ = writeln!(out, "{label}：{}\n", entries.join(" "));
}

fn closing(out: &mut String, facts: &Facts) {
    let line = |out: &mut String, imprint: &Imprint, by_tail: &str, date_tail: &str| {
        if let Some(by) = &imprint.by {
            let _ = writeln!(out, "{}{by_tail}", by.value);
        }
        if let Some(date) = &imprint.date {
            let _ = writeln!(out, "{}{date_tail}", printed_date(&date.value));
        }
        out.push('\n');
    };
    if let Some(compiled) = &facts.compiled {
        line(out, compiled, "整理", "");
    }
    if let Some(disclosure) = &facts.disclosure {
        let _ = writeln!(out, "（{}）\n", disclosure.value);
    }
    if !facts.distribution.is_empty() {
        let names: Vec<_> = facts.distribution.iter().map(|fact| fact.value.as_str()).collect();
        let _ = writeln!(out, "分送：{}。\n", names.join("，"));
    }
    if let Some(printed) = &facts.printed {
        line(out, printed, "", "印发");
    }
}
