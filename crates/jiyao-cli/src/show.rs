//! Minutes, rolls and lists as a person wants to see them.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, ContentArrangement, Table};
use jiyao_client::{
    Clock, DeliveryState, DistributionList, Erasure, Error, Minutes, MinutesSummary, OpenDoubt, Presence,
    Roll, RollEntry, Service, Status, Verified,
};
use jiyao_extract::Extracted;
use jiyao_reader::{Attendee, Decision, Doubt, Fact, Facts, Imprint, Reading, Repair, RepairKind, Span};
use unicode_width::UnicodeWidthStr as _;

use crate::terminal::Colour;
use crate::words::Speaker;

/// Erasures, a row each.
pub(crate) fn erasures(all: &[Erasure], speaker: &Speaker) -> String {
    if all.is_empty() {
        return speaker.say("erase-none") + "\n";
    }
    let heads = ["head-erasure", "head-minutes", "head-asked-by", "head-confirmed-by", "head-basis"];
    let mut rows = table(speaker, &heads);
    for one in all {
        let waits = speaker.say("erase-waits");
        let by = if one.confirmed_by.is_empty() { &waits } else { &one.confirmed_by };
        rows.add_row([&one.id, &one.minutes, &one.asked_by, by, &one.basis]);
    }
    drawn(&rows)
}

/// Where the services stand.
pub(crate) fn statuses(all: &[(Service, Result<Status, Error>)], speaker: &Speaker) -> String {
    let heads = [
        "head-service",
        "head-version",
        "head-records",
        "head-following",
        "head-disk",
        "head-backup",
        "head-clock",
    ];
    let mut rows = table(speaker, &heads);
    let mebibytes = |bytes: u64| format!("{} MiB", bytes.div_ceil(1 << 20));
    for (service, status) in all {
        let status = match status {
            Ok(status) => status,
            Err(e) => {
                rows.add_row([service.as_str(), "", "", &e.to_string(), "", "", ""]);
                continue;
            }
        };
        let following: Vec<String> = status
            .following
            .iter()
            .map(|one| match (one.stopped.as_str(), one.is_away) {
                ("", false) => {
                    let lag = one.lag.to_string();
                    speaker.say_with("status-lag", &[("url", one.url.as_str()), ("lag", &lag)])
                }
                ("", true) => speaker.say_with("status-away", &[("url", one.url.as_str())]),
                (why, _) => speaker.say_with("status-stopped", &[("url", one.url.as_str()), ("why", why)]),
            })
            .collect();
        let (journal, state, free) =
            (mebibytes(status.journal_bytes), mebibytes(status.state_bytes), mebibytes(status.free_bytes));
        let disk = [("journal", journal.as_str()), ("state", &state), ("free", &free)];
        let backup = match status.last_backup.as_str() {
            "" => speaker.say("status-no-backup"),
            time => {
                let behind = status.head.saturating_sub(status.last_backup_sequence).to_string();
                speaker.say_with("status-backup", &[("time", time), ("behind", &behind)])
            }
        };
        rows.add_row([
            service.as_str(),
            &status.version,
            &status.head.to_string(),
            &following.join("\n"),
            &speaker.say_with("status-disk", &disk),
            &backup,
            &clock(&status.clock, speaker),
        ]);
    }
    drawn(&rows)
}

fn clock(clock: &Clock, speaker: &Speaker) -> String {
    let Clock { time, expected, refused } = clock;
    let arguments = [("time", time.as_str()), ("expected", expected)];
    match refused.as_str() {
        "" => speaker.say("clock-trusted"),
        why => speaker.say_with(&format!("clock-{why}"), &arguments),
    }
}

/// What a verification found.
pub(crate) fn verified(service: Service, found: &Verified, speaker: &Speaker) -> String {
    let (records, erased) = (found.records.to_string(), found.erased.to_string());
    let counts = [("service", service.as_str()), ("records", &records), ("erased", &erased)];
    if found.damaged.is_empty() {
        return speaker.say_with("verify-sound", &counts);
    }
    let damaged: Vec<String> = found.damaged.iter().map(u64::to_string).collect();
    speaker.say_with("verify-damaged", &[("service", service.as_str()), ("damaged", &damaged.join(", "))])
}

fn table(speaker: &Speaker, heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    // Elsewhere than on a terminal nothing is folded: other programs read the lines.
    table.set_content_arrangement(ContentArrangement::Disabled);
    if let Some(width) = crate::terminal::width() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(heads.iter().map(|head| speaker.say(head)));
    table
}

/// A table as it is printed. A name is never folded, for people copy it: where the terminal is too narrow for the whole
/// table, names stand below it, each behind the first cell of its row.
fn drawn(table: &Table) -> String {
    let widths = table.column_max_content_widths();
    let natural = widths.iter().map(|width| usize::from(*width) + 3).sum::<usize>() + 1;
    if table.width().is_none_or(|width| natural <= usize::from(width)) {
        return format!("{table}\n");
    }
    let (table, names) = without_names(table);
    names.into_iter().fold(format!("{table}\n"), |out, name| out + &name + "\n")
}

/// The table without the names of resources in its cells, and a line for each of them.
fn without_names(table: &Table) -> (Table, Vec<String>) {
    let (mut rows, mut names) = (Vec::new(), Vec::new());
    for row in table.row_iter() {
        let mut cells: Vec<String> = row.cell_iter().map(Cell::content).collect();
        let first = cells.first().filter(|first| !first.contains(NAME)).cloned().unwrap_or_default();
        for cell in &mut cells {
            let is_name = |word: &&str| word.starts_with(NAME);
            names.extend(cell.split_whitespace().filter(is_name).map(|name| format!("  {first} {name}")));
            if cell.contains(NAME) {
                let rest: Vec<&str> = cell.split_whitespace().filter(|word| !is_name(word)).collect();
                *cell = rest.join(" ").trim_end_matches([':', '：']).to_owned();
            }
        }
        rows.push(cells);
    }
    let heads: Vec<String> =
        table.header().into_iter().flat_map(|row| row.cell_iter().map(Cell::content)).collect();
    let is_kept = |at: &usize| rows.iter().any(|row| row.get(*at).is_some_and(|cell| !cell.is_empty()));
    let kept: Vec<usize> = (0..heads.len()).filter(is_kept).collect();
    let of = |cells: &[String]| {
        kept.iter().map(|at| cells.get(*at).cloned().unwrap_or_default()).collect::<Vec<_>>()
    };
    let mut narrow = Table::new();
    narrow.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(width) = table.width() {
        narrow.set_width(width);
    }
    narrow.set_header(of(&heads));
    narrow.add_rows(rows.iter().map(|cells| of(cells)));
    (narrow, names)
}

/// The beginning of every name of a resource.
const NAME: &str = "organs/";

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
        &["word-item", "word-subject", "word-verdict", "word-lead", "word-support", "word-next", "word-when"],
    );
    for item in &facts.items {
        let number = value(item.no.as_ref());
        if item.decisions.is_empty() {
            rows.add_row([number, value(item.heading.as_ref()), "", "", "", "", ""]);
        }
        for decision in &item.decisions {
            rows.add_row([
                number,
                &values(&decision.subjects),
                &decision.outcome.value,
                &values(&decision.lead_units),
                &values(&decision.support_units),
                value(decision.next_step.as_ref()),
                &when(decision),
            ]);
        }
    }
    format!("\n{}\n{}", speaker.say("word-decisions"), drawn(&rows))
}

/// Deadlines, and when it takes effect.
fn when(decision: &Decision) -> String {
    let effective = decision.effective_date.iter().map(|date| date.value.as_str());
    decision
        .deadlines
        .iter()
        .map(|deadline| deadline.value.as_str())
        .chain(effective)
        .collect::<Vec<_>>()
        .join("；")
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

/// Characters shown before and behind a place in a long line.
const AROUND: usize = 24;

/// A place in a text as an editor counts it, its line, and where in the line it lies.
struct Place<'t> {
    line: usize,
    column: usize,
    text: &'t str,
    within: std::ops::Range<usize>,
}

fn place<'t>(text: &'t str, span: &Span) -> Place<'t> {
    let start = span.start as usize;
    let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    Place {
        line: text[..start].matches('\n').count() + 1,
        column: text[begin..start].chars().count() + 1,
        text: text[begin..end].trim_end_matches('\r'),
        within: start - begin..(span.end as usize).min(end) - begin,
    }
}

/// The line of a place with a caret under each column of it; of a long line only what is near.
fn quoted(place: &Place<'_>, speaker: &Speaker) -> String {
    let Place { line, text, within, .. } = place;
    let from = text[..within.start].char_indices().rev().nth(AROUND).map_or(0, |(at, _)| at);
    let to = text[within.end..].char_indices().nth(AROUND).map_or(text.len(), |(at, _)| within.end + at);
    let (before, under, after) = (&text[from..within.start], &text[within.clone()], &text[within.end..to]);
    let cut = |is_cut: bool| if is_cut { "…" } else { "" };
    let (left, right) = (cut(from > 0), cut(to < text.len()));
    let indent = " ".repeat(left.width() + before.width());
    let carets = speaker.bright(&"^".repeat(under.width().max(1)));
    let gutter = line.to_string();
    let blank = " ".repeat(gutter.len());
    format!("    {gutter} | {left}{before}{under}{after}{right}\n    {blank} | {indent}{carets}\n")
}

/// That nothing is doubted is said only where no verdict word was left out of decisions and doubts.
fn doubts_head(count: usize, uncovered: usize, speaker: &Speaker) -> String {
    let said = match (count, uncovered) {
        (0, 0) => speaker.say("no-doubts"),
        _ => count.to_string(),
    };
    let mut out = format!("\n{}: {said}\n", speaker.say("word-doubts"));
    if uncovered > 0 {
        out.push_str(&speaker.say_with("uncovered", &[("count", &uncovered.to_string())]));
        out.push('\n');
    }
    out
}

fn candidates(doubt: &Doubt, speaker: &Speaker) -> String {
    if doubt.candidates.is_empty() {
        return String::new();
    }
    format!("      {}: {}\n", speaker.say("candidates"), doubt.candidates.join(", "))
}

/// Each doubt: what, the source line with a caret under the place, and the candidates.
fn doubts(doubts: &[Doubt], uncovered: &[Span], text: &str, speaker: &Speaker) -> String {
    let mut out = doubts_head(doubts.len(), uncovered.len(), speaker);
    out.extend(uncovered.iter().map(|span| quoted(&place(text, span), speaker)));
    for (number, doubt) in (1..).zip(doubts) {
        let what = speaker.say(&format!("doubt-{}", doubt.code.as_str()));
        out.push_str(&format!("  {number}. {}\n", speaker.bright(&what)));
        out.extend(doubt.spans.iter().map(|span| quoted(&place(text, span), speaker)));
        out.push_str(&candidates(doubt, speaker));
    }
    out
}

/// Doubts of recorded minutes that nobody has settled.
fn open_doubts(doubts: &[OpenDoubt], uncovered: &[Span], speaker: &Speaker) -> String {
    let mut out = doubts_head(doubts.len(), uncovered.len(), speaker);
    for open in doubts {
        let what = speaker.say(&format!("doubt-{}", open.doubt.code.as_str()));
        out.push_str(&format!("  {}. {what} {}\n", open.number, open.paths.join(" ")));
        out.push_str(&candidates(&open.doubt, speaker));
    }
    out
}

/// Each repair: where, what, and what stands on both sides of it.
fn repairs(repairs: &[Repair], text: &str, speaker: &Speaker) -> String {
    let mut out = String::new();
    line(&mut out, speaker, "word-repairs", &repairs.len().to_string());
    for repair in repairs {
        let kind = speaker.say(match repair.kind {
            RepairKind::LineWrap => "repair-line-wrap",
            RepairKind::PageBreak => "repair-page-break",
            RepairKind::Blank => "repair-blank",
        });
        let Place { line, column, .. } = place(text, &repair.span);
        let before = text[..repair.span.start as usize].chars().rev().take(4).collect::<Vec<_>>();
        let before: String = before.into_iter().rev().filter(|c| !c.is_control()).collect();
        let after: String =
            text[repair.span.end as usize..].chars().take(4).filter(|c| !c.is_control()).collect();
        out.push_str(&format!("  {line}:{column} {kind} {before}|{after}\n"));
    }
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
    out.push_str(&drawn(&table));
    out
}

/// A reading that was not recorded.
pub(crate) fn reading(reading: &Reading, extracted: &Extracted, speaker: &Speaker) -> String {
    let text = extracted.text.as_str();
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
    let mut format = String::new();
    line(&mut format, speaker, "word-format", extracted.format.as_str());
    [
        format,
        header(facts, speaker),
        decisions(facts, speaker),
        roll,
        list,
        closing(facts, speaker),
        doubts(&reading.doubts, &reading.uncovered, text, speaker),
        repairs(&reading.repairs, text, speaker),
    ]
    .concat()
}

/// Recorded minutes: header, decisions, doubts.
pub(crate) fn minutes(minutes: &Minutes, speaker: &Speaker) -> String {
    let mut out = String::new();
    line(&mut out, speaker, "word-minutes", &minutes.name);
    if !minutes.erased.is_empty() {
        line(&mut out, speaker, "word-erased", &minutes.erased);
    }
    line(&mut out, speaker, "word-stage", &speaker.say(&format!("stage-{}", minutes.life.stage.as_str())));
    if minutes.facts.document_number.is_none() {
        line(&mut out, speaker, "word-number", &minutes.life.number);
    }
    out.push_str(&header(&minutes.facts, speaker));
    out.push_str(&decisions(&minutes.facts, speaker));
    out.push_str(&closing(&minutes.facts, speaker));
    out.push_str(&open_doubts(&minutes.doubts, &minutes.uncovered, speaker));
    for settled in &minutes.settlements {
        let what = if settled.path.is_empty() { settled.doubt.to_string() } else { settled.path.clone() };
        let arguments = [
            ("what", what.as_str()),
            ("value", settled.value.as_str()),
            ("before", settled.before.as_str()),
            ("principal", settled.principal.as_str()),
            ("reason", settled.reason.as_str()),
        ];
        out.push_str(&(speaker.say_with("settled", &arguments) + "\n"));
    }
    out
}

/// A roll.
pub(crate) fn roll(roll: &Roll, speaker: &Speaker) -> String {
    let of = |presence: Presence| roll.entries.iter().filter(move |entry| entry.presence == presence);
    let row = |label, presence| {
        let mark = |entry: &RollEntry| if entry.is_doubted { "？" } else { "" };
        let names = people(
            of(presence).map(|entry| (entry.unit.clone(), format!("{}{}", entry.person, mark(entry)))),
        );
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
    format!("\n{}\n{}", speaker.say("word-list"), drawn(&rows))
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
            minutes.stage.map(|stage| speaker.say(&format!("stage-{}", stage.as_str()))).unwrap_or_default(),
            counted("word-decisions", minutes.decisions),
            counted("word-doubts", minutes.doubts),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        out.push_str(&format!("{}\n  {}\n", parts.join("  "), minutes.name));
    }
    out + &speaker.say_with("list-end", &[("count", &all.len().to_string())]) + "\n"
}

/// A light in its colour, where a person looks at a terminal. Names of settings keep their word.
fn lit(light: &str, speaker: &Speaker) -> String {
    let word = if ["red", "yellow", "green"].contains(&light) {
        speaker.say(&format!("light-{light}"))
    } else {
        light.to_owned()
    };
    match light {
        "red" | "红" => speaker.in_colour(&word, Colour::Red),
        "yellow" | "黄" => speaker.in_colour(&word, Colour::Yellow),
        "green" | "绿" => speaker.in_colour(&word, Colour::Green),
        "blue" | "蓝" => speaker.in_colour(&word, Colour::Blue),
        _ => word,
    }
}

fn state(state: jiyao_client::State, speaker: &Speaker) -> String {
    speaker.say(&format!("state-{}", state.as_str()))
}

/// Matters, one a row.
pub(crate) fn matters(matters: &[jiyao_client::MatterSummary], speaker: &Speaker) -> String {
    let mut rows = table(
        speaker,
        &[
            "word-number",
            "word-item",
            "word-subject",
            "word-lead",
            "word-next",
            "word-state",
            "word-due",
            "word-light",
        ],
    );
    for matter in matters {
        rows.add_row([
            matter.number.clone(),
            matter.item_number.clone(),
            matter.content.clone(),
            matter.lead.clone(),
            matter.next.clone(),
            state(matter.state, speaker),
            matter.due.clone(),
            lit(&matter.light, speaker),
        ]);
    }
    let names: Vec<_> = matters.iter().map(|matter| format!("{} {}", matter.number, matter.name)).collect();
    format!("{}{}\n", drawn(&rows), names.join("\n"))
}

/// One matter with what has been done.
pub(crate) fn matter(matter: &jiyao_client::Matter, speaker: &Speaker) -> String {
    let mut out = matters(std::slice::from_ref(&matter.summary), speaker);
    line(&mut out, speaker, "word-support", &matter.helpers.join("；"));
    line(&mut out, speaker, "word-paragraph", &matter.text);
    if !matter.history.is_empty() {
        let mut rows = table(speaker, &["word-time", "word-act", "word-who", "word-state", "word-words"]);
        for entry in &matter.history {
            let who = [entry.actor.as_str(), entry.unit.as_str()].join(" ");
            rows.add_row([
                speaker.instant(entry.time),
                speaker.say(&format!("act-{}", entry.act)),
                who.trim().to_owned(),
                state(entry.to, speaker),
                entry.words.clone(),
            ]);
        }
        out.push_str(&drawn(&rows));
    }
    for (code, day, about) in &matter.findings {
        let said = speaker.say_with(&format!("finding-{code}"), &[("day", day), ("about", about)]);
        out.push_str(&format!("{}\n", speaker.bright(&said)));
    }
    out
}

/// What became of a decision.
pub(crate) fn became(became: &jiyao_client::Became, speaker: &Speaker) -> String {
    let mut out = String::new();
    let last = [became.last_evidence_date.as_str(), became.last_evidence.as_str()].join(" ");
    for (label, text) in [
        ("word-verdict", became.verdict.as_str()),
        ("word-lead", &became.matter.lead),
        ("word-state", &state(became.matter.state, speaker)),
        ("word-next", &became.matter.next),
        ("word-last", last.trim()),
        ("word-next-day", &became.next_date),
        ("word-light", &lit(&became.matter.light, speaker)),
    ] {
        line(&mut out, speaker, label, text);
    }
    out
}

/// Counts, one row a unit, meeting or month, and all of them below.
pub(crate) fn board(board: &jiyao_client::Board, speaker: &Speaker) -> String {
    let mut rows =
        table(speaker, &["word-of", "word-total", "word-open", "word-closed", "word-light", "word-state"]);
    let total = jiyao_client::BoardRow { of: speaker.say("word-all"), ..board.total.clone() };
    for row in board.rows.iter().chain([&total]) {
        let closed: u64 = row.states.iter().filter(|(state, _)| state.is_end()).map(|(_, count)| count).sum();
        let lights = row.lights.iter().map(|(light, count)| format!("{} {count}", lit(light, speaker)));
        let states = row.states.iter().map(|(of, count)| format!("{} {count}", state(*of, speaker)));
        rows.add_row([
            row.of.clone(),
            row.total.to_string(),
            (row.total - closed).to_string(),
            closed.to_string(),
            lights.collect::<Vec<_>>().join("  "),
            states.collect::<Vec<_>>().join("  "),
        ]);
    }
    format!("{}\n{}", speaker.say_with("board-title", &[("day", &board.as_of)]), drawn(&rows))
}

/// How far minutes are, with their processing sheet.
pub(crate) fn life(minutes: &Minutes, speaker: &Speaker) -> String {
    let life = &minutes.life;
    let mut out = String::new();
    line(&mut out, speaker, "word-minutes", &minutes.name);
    line(&mut out, speaker, "word-stage", &speaker.say(&format!("stage-{}", life.stage.as_str())));
    line(&mut out, speaker, "word-number", &life.number);
    line(&mut out, speaker, "word-signed", &life.signed_date);
    line(&mut out, speaker, "word-issued", &life.issued_date);
    line(&mut out, speaker, "word-published", &life.published_date);
    line(&mut out, speaker, "word-replaced", &life.replaced_by);
    if life.history.is_empty() {
        return out;
    }
    let mut rows =
        table(speaker, &["word-time", "word-act", "word-who", "word-post", "word-stage", "word-words"]);
    for entry in &life.history {
        let opinion = match entry.mark {
            jiyao_client::Mark::Words => entry.opinion.clone(),
            jiyao_client::Mark::Circle => speaker.say("mark-circle"),
            jiyao_client::Mark::Name => speaker.say("mark-name"),
        };
        let delegated = if entry.delegated_by.is_empty() {
            String::new()
        } else {
            speaker.say_with("signed-for", &[("document", &entry.delegated_by)])
        };
        rows.add_row([
            speaker.instant(entry.time),
            speaker.say(&format!("step-{}", entry.act)),
            entry.actor.clone(),
            entry.post.clone(),
            speaker.say(&format!("stage-{}", entry.to.as_str())),
            [opinion, delegated].join(" ").trim().to_owned(),
        ]);
    }
    out.push_str(&drawn(&rows));
    out
}

/// Changed clauses side by side, what went in red and what came in green.
pub(crate) fn changes(changes: &[jiyao_client::ClauseChange], speaker: &Speaker) -> String {
    if changes.is_empty() {
        return speaker.say("compare-same") + "\n";
    }
    let mut rows = table(speaker, &["word-before", "word-after"]);
    for change in changes {
        rows.add_row([
            speaker.in_colour(&change.before, Colour::Red),
            speaker.in_colour(&change.after, Colour::Green),
        ]);
    }
    drawn(&rows)
}

pub(crate) fn directory_import(done: &jiyao_client::DirectoryImport, speaker: &Speaker) -> String {
    let count = |count: u32| count.to_string();
    let arguments = [
        ("version", done.version.to_string()),
        ("added", count(done.added)),
        ("changed", count(done.changed)),
        ("unchanged", count(done.unchanged)),
        ("errors", done.errors.len().to_string()),
    ];
    let arguments: Vec<_> = arguments.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let mut out = speaker.say_with("directory-imported", &arguments) + "\n";
    for (line, column, code, value) in &done.errors {
        let why = speaker.say(&format!("row-{code}"));
        out.push_str(&format!("{line}: {column}: {why} {value}\n"));
    }
    out
}

pub(crate) fn units(units: &[jiyao_client::Unit], speaker: &Speaker) -> String {
    let mut rows = table(speaker, &["word-id", "word-unit", "word-aliases", "word-classes", "word-until"]);
    for unit in units {
        let until = unit.span.until.map(|day| day.to_string()).unwrap_or_default();
        rows.add_row([
            unit.id.as_str(),
            unit.called(),
            &unit.aliases.join("；"),
            &unit.classes.join("；"),
            &until,
        ]);
    }
    drawn(&rows)
}

pub(crate) fn tenures(tenures: &[jiyao_client::Tenure], speaker: &Speaker) -> String {
    let mut rows = table(speaker, &["word-person", "word-post", "word-unit", "word-since", "word-until"]);
    for of in tenures {
        rows.add_row([&of.person, &of.post, &of.unit, &of.from, &of.until]);
    }
    drawn(&rows)
}

pub(crate) fn meeting(meeting: &jiyao_client::Meeting, speaker: &Speaker) -> String {
    let mut out = format!("{} {} {} {}\n", meeting.name, meeting.date, meeting.stage, meeting.title);
    for (at, item) in (1..).zip(&meeting.items) {
        out.push_str(&format!("  {at}. {item}\n"));
    }
    if let Some(counted) = &meeting.quorum {
        out.push_str(&quorum(counted, speaker));
    }
    for (code, about) in &meeting.findings {
        out.push_str(&format!("! {}: {about}\n", speaker.say(&format!("room-{code}"))));
    }
    out
}

pub(crate) fn seats(seats: &[jiyao_client::Seat], speaker: &Speaker) -> String {
    let mut rows = table(speaker, &["word-order", "word-unit", "word-person", "word-shown", "word-name"]);
    for seat in seats {
        let shown = speaker.say(&format!("shown-{}", seat.shown));
        let unit = if seat.unit.is_empty() { &seat.post } else { &seat.unit };
        // Whoever came is named, with whom they came for.
        let person = match seat.came.as_str() {
            "" => seat.person.clone(),
            came if came == seat.person || seat.person.is_empty() => came.to_owned(),
            came => format!("{came}（{}）", seat.person),
        };
        rows.add_row([&seat.order.to_string(), unit, &person, &shown, &seat.name]);
    }
    drawn(&rows)
}

pub(crate) fn quorum(counted: &jiyao_client::QuorumCount, speaker: &Speaker) -> String {
    let arguments = [
        ("base", counted.base.to_string()),
        ("present", counted.present.to_string()),
        ("needed", counted.needed.to_string()),
        ("rule", counted.rule.clone()),
    ];
    let arguments: Vec<_> = arguments.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let outcome = speaker.say(&format!("quorum-{}", counted.outcome));
    let mut out = format!("{outcome}: {}\n", speaker.say_with("quorum-count", &arguments));
    for rank in &counted.lacking {
        out.push_str(&format!("  {}\n", speaker.say_with("quorum-lacking", &[("rank", rank)])));
    }
    if let Some((by, reason)) = &counted.overridden {
        out.push_str(&format!("  {by}: {reason}\n"));
    }
    for (item, lowest, is_met, recused) in &counted.items {
        let outcome = speaker.say(if *is_met { "quorum-MET" } else { "quorum-NOT_MET" });
        out.push_str(&format!(
            "  {}. {outcome} {lowest}/{} {}\n",
            item + 1,
            counted.base,
            recused.join("、")
        ));
    }
    out
}

pub(crate) fn roll_check(check: &jiyao_client::RollCheck, speaker: &Speaker) -> String {
    let arguments = [("agreeing", check.agreeing.to_string()), ("entries", check.entries.to_string())];
    let arguments: Vec<_> = arguments.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let mut out = format!("{} {}\n", speaker.say_with("roll-agrees", &arguments), check.meeting);
    for finding in &check.findings {
        let what = speaker.say(&format!("roll-{}", finding.code));
        out.push_str(&format!("! {} {what} {} [{}]\n", finding.about, finding.other, finding.key));
        if !finding.decision.is_empty() {
            out.push_str(&format!("    {}\n", finding.decision));
        }
    }
    out
}

pub(crate) fn rates(rates: &[jiyao_client::AttendanceRate], absent: &[String], speaker: &Speaker) -> String {
    let heads = ["word-of", "word-asked", "word-came", "word-on-leave", "shown-ABSENT", "word-percent"];
    let mut rows = table(speaker, &heads);
    for rate in rates {
        let [asked, came, on_leave, gone] = rate.counts.map(|count| count.to_string());
        rows.add_row([&rate.of, &asked, &came, &on_leave, &gone, &format!("{}%", rate.percent)]);
    }
    let mut out = drawn(&rows);
    for line in absent {
        out.push_str(&format!("! {}: {line}\n", speaker.say("room-ABSENT_WITHOUT_LEAVE")));
    }
    out
}

pub(crate) fn scope(scope: &jiyao_client::FrozenScope, speaker: &Speaker) -> String {
    let arguments =
        [("total", scope.total.to_string()), ("date", scope.date.clone()), ("hash", scope.hash.clone())];
    let arguments: Vec<_> = arguments.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let mut rows = table(speaker, &["word-unit", "word-via"]);
    for (title, via) in &scope.targets {
        rows.add_row([title, via]);
    }
    format!("{}\n{}", speaker.say_with("scope-frozen", &arguments), drawn(&rows))
}

/// One delivery in a line: as it goes by on a watch.
pub(crate) fn delivery_line(delivery: &jiyao_client::Delivery, speaker: &Speaker) -> String {
    let state = speaker.say(&format!("delivery-{}", delivery.state.as_str()));
    format!("{} {state}{} {}\n", delivery.name, why(delivery), delivery.title)
}

/// Why it is where it is: of a return its codes, else the last failure.
fn why(delivery: &jiyao_client::Delivery) -> String {
    match (&delivery.returned, delivery.failures.last()) {
        (Some((codes, text)), _) => format!(" {} {text}", codes.join(" ")).trim_end().to_owned(),
        (None, Some((_, why))) if delivery.state != DeliveryState::Signed => format!(" {why}"),
        _ => String::new(),
    }
}

/// All of a delivery.
pub(crate) fn delivery(delivery: &jiyao_client::Delivery, speaker: &Speaker) -> String {
    let mut lines = deliveries(std::slice::from_ref(delivery), speaker);
    let mut line = |word: &str, said: &str| {
        if !said.is_empty() {
            lines += &format!("{}: {said}\n", speaker.say(word));
        }
    };
    line("word-minutes", &delivery.minutes);
    line("word-sha256", &delivery.sha256);
    for (word, time) in ["word-sent", "word-received", "word-signed-for"].into_iter().zip(delivery.times) {
        line(word, &time.map(|time| speaker.instant(time)).unwrap_or_default());
    }
    line("word-next-try", &delivery.next_try.map(|time| speaker.instant(time)).unwrap_or_default());
    line("word-transit", &delivery.transit);
    line("word-copies", &delivery.copies.join(" "));
    line("word-replaces", &delivery.replaces);
    line("word-added-by", &delivery.approved_by);
    delivery.reminders.iter().for_each(|reminder| line("word-reminder", reminder));
    delivery.failures.iter().for_each(|(attempt, why)| line("word-failure", &format!("{attempt}: {why}")));
    line("word-given-up", &delivery.closed);
    lines
}

pub(crate) fn deliveries(deliveries: &[jiyao_client::Delivery], speaker: &Speaker) -> String {
    let heads = ["word-unit", "word-state", "word-way", "word-attempt", "word-signer", "word-name"];
    let mut rows = table(speaker, &heads);
    for delivery in deliveries {
        let state = speaker.say(&format!("delivery-{}", delivery.state.as_str()));
        rows.add_row([
            delivery.title.as_str(),
            &(state + &why(delivery)),
            delivery.channel.as_str(),
            &delivery.attempt.to_string(),
            &delivery.signer,
            &delivery.name,
        ]);
    }
    drawn(&rows)
}

pub(crate) fn bulletin(of: &jiyao_client::Bulletin, speaker: &Speaker) -> String {
    let (total, closed, open) = (of.total.to_string(), of.closed.to_string(), of.open.to_string());
    let (closed_percent, open_percent) = (of.closed_percent.to_string(), of.open_percent.to_string());
    let arguments = [
        ("total", total.as_str()),
        ("closed", &closed),
        ("open", &open),
        ("closed_percent", &closed_percent),
        ("open_percent", &open_percent),
    ];
    let mut out = speaker.say_with("bulletin", &arguments) + "\n";
    for (unit, overdue) in &of.laggards {
        let overdue = overdue.to_string();
        out += &(speaker.say_with("bulletin-late", &[("unit", unit), ("overdue", &overdue)]) + "\n");
    }
    out
}

/// Paper that is handed over: one line a recipient, with room for a signature.
pub(crate) fn hand_over_sheet<'d>(
    deliveries: impl Iterator<Item = &'d jiyao_client::Delivery>,
    speaker: &Speaker,
) -> String {
    let heads = ["word-unit", "word-copies", "word-state", "word-signer", "word-date"];
    let mut rows = table(speaker, &heads);
    for of in deliveries {
        let state = speaker.say(&format!("delivery-{}", of.state.as_str()));
        rows.add_row([&of.title, &of.copies.join(" "), &state, &of.signer, ""]);
    }
    drawn(&rows)
}
