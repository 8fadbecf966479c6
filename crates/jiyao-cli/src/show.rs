//! Minutes, rolls and lists as a person wants to see them.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use jiyao_client::{DistributionList, Minutes, MinutesSummary, Presence, Roll};
use jiyao_reader::{Attendee, Doubt, Fact, Facts, Imprint, Reading, Repair};

use crate::words::Speaker;

fn table(speaker: &Speaker, heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(speaker.width());
    table.set_header(heads.iter().map(|head| speaker.say(head)));
    table
}

fn value(fact: Option<&Fact>) -> &str {
    fact.map_or("", |fact| fact.value.as_str())
}

fn values(facts: &[Fact]) -> String {
    facts.iter().map(|fact| fact.value.as_str()).collect::<Vec<_>>().join("；")
}

fn line(out: &mut String, speaker: &Speaker, label: &str, text: &str) {
    if !text.is_empty() {
        out.push_str(&format!("{}: {text}\n", speaker.say(label)));
    }
}

fn header(facts: &Facts, speaker: &Speaker) -> String {
    let meeting = &facts.meeting;
    let ordinal = meeting.ordinal.as_ref().map(|ordinal| ordinal.value.to_string());
    let ordinal = ordinal.map(|ordinal| speaker.say_with("meeting-ordinal", &[("ordinal", &ordinal)]));
    let mut out = String::new();
    line(&mut out, speaker, "word-issuer", value(facts.issuer.as_ref()));
    line(&mut out, speaker, "word-number", value(facts.document_number.as_ref()));
    let held = [value(meeting.kind.as_ref()), ordinal.as_deref().unwrap_or_default()].join(" ");
    line(&mut out, speaker, "word-meeting", held.trim());
    let when = [value(meeting.date.as_ref()), value(meeting.session.as_ref())].join(" ");
    line(&mut out, speaker, "word-date", when.trim());
    line(&mut out, speaker, "word-chair", value(meeting.chair.as_ref()));
    out
}

fn decisions(facts: &Facts, speaker: &Speaker) -> String {
    let mut rows = table(
        speaker,
        &["word-item", "word-subject", "word-verdict", "word-lead", "word-next", "word-effective"],
    );
    for item in &facts.items {
        let number = value(item.no.as_ref());
        if item.decisions.is_empty() {
            rows.add_row([number, value(item.heading.as_ref()), "", "", "", ""]);
        }
        for decision in &item.decisions {
            rows.add_row([
                number,
                &values(&decision.subjects),
                &decision.outcome.value,
                &values(&decision.lead_units),
                value(decision.next_step.as_ref()),
                value(decision.effective_date.as_ref()),
            ]);
        }
    }
    format!("\n{}\n{rows}\n", speaker.say("word-decisions"))
}

fn closing(facts: &Facts, speaker: &Speaker) -> String {
    let mut out = String::new();
    let imprint = |imprint: &Option<Imprint>| {
        let imprint = imprint.clone().unwrap_or_default();
        [value(imprint.by.as_ref()), value(imprint.date.as_ref())].join(" ").trim().to_owned()
    };
    line(&mut out, speaker, "word-compiled", &imprint(&facts.compiled));
    line(&mut out, speaker, "word-disclosure", value(facts.disclosure.as_ref()));
    line(&mut out, speaker, "word-printed", &imprint(&facts.printed));
    out
}

/// Each doubt: what, the text in question, and the candidates.
fn doubts(doubts: &[Doubt], text: Option<&str>, speaker: &Speaker) -> String {
    let mut out = format!("\n{}: ", speaker.say("word-doubts"));
    if doubts.is_empty() {
        return out + &speaker.say("no-doubts") + "\n";
    }
    out.push_str(&format!("{}\n", doubts.len()));
    for doubt in doubts {
        let what = speaker.say(&format!("doubt-{}", doubt.code.as_str()));
        let quoted: Vec<String> = doubt
            .spans
            .iter()
            .map(|span| match text {
                Some(text) => format!("「{}」", span.of(text).split_whitespace().collect::<String>()),
                None => format!("{}–{}", span.start, span.end),
            })
            .collect();
        out.push_str(&format!("  - {} {what}", quoted.join(" ")));
        if !doubt.candidates.is_empty() {
            out.push_str(&format!(" ({}: {})", speaker.say("candidates"), doubt.candidates.join(", ")));
        }
        out.push('\n');
    }
    out
}

fn repairs(repairs: &[Repair], speaker: &Speaker) -> String {
    let mut out = String::new();
    line(&mut out, speaker, "word-repairs", &repairs.len().to_string());
    out
}

fn people(entries: impl Iterator<Item = (String, String)>) -> String {
    entries
        .map(|(unit, person)| {
            format!("{unit}{}{person}", if unit.is_empty() || person.is_empty() { "" } else { " " })
        })
        .collect::<Vec<_>>()
        .join("、")
}

fn roll_table(speaker: &Speaker, rows: [(&str, usize, String); 4]) -> String {
    let mut out = format!("\n{}\n", speaker.say("word-roll"));
    let mut table = table(speaker, &["word-kind", "word-count", "word-name"]);
    for (label, count, names) in rows {
        if count > 0 {
            let count = speaker.say_with("people", &[("count", &count.to_string())]);
            table.add_row([speaker.say(label), count, names]);
        }
    }
    out.push_str(&format!("{table}\n"));
    out
}

/// A reading that was not recorded.
pub(crate) fn reading(reading: &Reading, text: &str, speaker: &Speaker) -> String {
    let facts = &reading.facts;
    let listed = |list: &[Attendee]| {
        let entry = |a: &Attendee| (value(a.unit.as_ref()).to_owned(), value(a.name.as_ref()).to_owned());
        people(list.iter().map(entry))
    };
    let attendance = &facts.attendance;
    let roll = roll_table(
        speaker,
        [
            ("word-present", attendance.present.len(), listed(&attendance.present)),
            ("word-observers", attendance.observers.len(), listed(&attendance.observers)),
            ("word-absent", attendance.absent.len(), listed(&attendance.absent)),
            ("word-recorders", attendance.recorders.len(), values(&attendance.recorders)),
        ],
    );
    let mut list = format!("\n{}\n", speaker.say("word-list"));
    list.extend(facts.distribution.iter().map(|recipient| format!("  - {}\n", recipient.value)));
    [
        header(facts, speaker),
        decisions(facts, speaker),
        roll,
        list,
        closing(facts, speaker),
        doubts(&reading.doubts, Some(text), speaker),
        repairs(&reading.repairs, speaker),
    ]
    .concat()
}

/// Recorded minutes: header, decisions, doubts.
pub(crate) fn minutes(minutes: &Minutes, speaker: &Speaker) -> String {
    let mut out = String::new();
    line(&mut out, speaker, "word-minutes", &minutes.name);
    out.push_str(&header(&minutes.facts, speaker));
    out.push_str(&decisions(&minutes.facts, speaker));
    out.push_str(&closing(&minutes.facts, speaker));
    out.push_str(&doubts(&minutes.doubts, None, speaker));
    out
}

/// A roll.
pub(crate) fn roll(roll: &Roll, speaker: &Speaker) -> String {
    let of = |presence: Presence| roll.entries.iter().filter(move |entry| entry.presence == presence);
    let row = |label, presence| {
        let names = people(of(presence).map(|entry| (entry.unit.clone(), entry.person.clone())));
        (label, of(presence).count(), names)
    };
    roll_table(
        speaker,
        [
            row("word-present", Presence::Present),
            row("word-observers", Presence::Observer),
            row("word-absent", Presence::Absent),
            row("word-recorders", Presence::Recorder),
        ],
    )
}

/// A distribution list.
pub(crate) fn distribution(list: &DistributionList, speaker: &Speaker) -> String {
    let mut rows = table(speaker, &["word-recipient", "word-kind"]);
    for recipient in &list.recipients {
        let kind = if recipient.is_class { "word-class" } else { "word-unit" };
        rows.add_row([recipient.title.clone(), speaker.say(kind)]);
    }
    format!("\n{}\n{rows}\n", speaker.say("word-list"))
}

/// Minutes in short. Names stand on lines of their own: they are long, and there to be copied.
pub(crate) fn list(all: &[MinutesSummary], speaker: &Speaker) -> String {
    if all.is_empty() {
        return speaker.say("list-empty") + "\n";
    }
    let mut out = String::new();
    for minutes in all {
        let counted = |label, count: u32| format!("{} {count}", speaker.say(label));
        let parts = [
            minutes.meeting_date.clone(),
            minutes.issuer.clone(),
            minutes.document_number.clone(),
            counted("word-decisions", minutes.decisions),
            counted("word-doubts", minutes.doubts),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        out.push_str(&format!("{}\n  {}\n", parts.join("  "), minutes.name));
    }
    out + &speaker.say_with("list-end", &[("count", &all.len().to_string())]) + "\n"
}
