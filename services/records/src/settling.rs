//! Settling what the reader left open: where a fact lies in minutes, and how a person's value takes its place.

use jiyao_fault::{Fault, Reason, Result};
use jiyao_proto::records::v1::{self as api, Fact, Settlement};

/// One step of a path: a field, and a place in it where it is a list.
struct Step<'p> {
    field: &'p str,
    at: Option<usize>,
}

/// `items[2].decisions[0].outcome` in its steps. None where it is no path.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    path.split('.')
        .map(|part| match part.strip_suffix(']') {
            None => Some(Step { field: part, at: None }),
            Some(part) => {
                let (field, at) = part.split_once('[')?;
                Some(Step { field, at: Some(at.parse().ok()?) })
            }
        })
        .collect()
}

/// What a path leads to.
enum Slot<'f> {
    One(&'f mut Option<Fact>),
    Of(&'f mut Vec<Fact>, usize),
}

fn slot<'f>(facts: &'f mut api::Facts, path: &str) -> Option<Slot<'f>> {
    let steps = steps(path)?;
    let plain = |steps: &[Step<'_>]| steps.iter().all(|step| step.at.is_none());
    let one = Slot::One;
    match steps.as_slice() {
        [only] => match (only.field, only.at) {
            ("issuer", None) => Some(one(&mut facts.issuer)),
            ("document_number", None) => Some(one(&mut facts.document_number)),
            ("disclosure", None) => Some(one(&mut facts.disclosure)),
            ("recorders", Some(at)) => Some(Slot::Of(&mut facts.recorders, at)),
            ("distribution", Some(at)) => Some(Slot::Of(&mut facts.distribution, at)),
            _ => None,
        },
        [first, last] if plain(&steps) => match (first.field, last.field) {
            ("meeting", field) => meeting(facts.meeting.get_or_insert_default(), field).map(one),
            ("compiled", field) => imprint(facts.compiled.get_or_insert_default(), field).map(one),
            ("printed", field) => imprint(facts.printed.get_or_insert_default(), field).map(one),
            _ => None,
        },
        [first, last] => match (first.field, first.at?) {
            ("items", at) => {
                let item = facts.items.get_mut(at)?;
                match (last.field, last.at) {
                    ("number", None) => Some(one(&mut item.number)),
                    ("heading", None) => Some(one(&mut item.heading)),
                    ("documents", Some(at)) => Some(Slot::Of(&mut item.documents, at)),
                    _ => None,
                }
            }
            ("present", at) => attendee(&mut facts.present, at, last).map(one),
            ("observers", at) => attendee(&mut facts.observers, at, last).map(one),
            ("absent", at) => attendee(&mut facts.absent, at, last).map(one),
            _ => None,
        },
        [first, second, last] if first.field == "items" && second.field == "decisions" => {
            let decision = facts.items.get_mut(first.at?)?.decisions.get_mut(second.at?)?;
            match (last.field, last.at) {
                ("outcome", None) => Some(one(&mut decision.outcome)),
                ("next_step", None) => Some(one(&mut decision.next_step)),
                ("next_body", None) => Some(one(&mut decision.next_body)),
                ("effective_date", None) => Some(one(&mut decision.effective_date)),
                ("subjects", Some(at)) => Some(Slot::Of(&mut decision.subjects, at)),
                ("lead_units", Some(at)) => Some(Slot::Of(&mut decision.lead_units, at)),
                ("support_units", Some(at)) => Some(Slot::Of(&mut decision.support_units, at)),
                ("deadlines", Some(at)) => Some(Slot::Of(&mut decision.deadlines, at)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn meeting<'f>(meeting: &'f mut api::Meeting, field: &str) -> Option<&'f mut Option<Fact>> {
    match field {
        "kind" => Some(&mut meeting.kind),
        "ordinal" => Some(&mut meeting.ordinal),
        "term" => Some(&mut meeting.term),
        "date" => Some(&mut meeting.date),
        "session" => Some(&mut meeting.session),
        "chair" => Some(&mut meeting.chair),
        _ => None,
    }
}

fn imprint<'f>(imprint: &'f mut api::Imprint, field: &str) -> Option<&'f mut Option<Fact>> {
    match field {
        "by" => Some(&mut imprint.by),
        "date" => Some(&mut imprint.date),
        _ => None,
    }
}

/// An entry of a list; one past the end is a new one.
fn attendee<'f>(
    list: &'f mut Vec<api::Attendee>,
    at: usize,
    last: &Step<'_>,
) -> Option<&'f mut Option<Fact>> {
    if at == list.len() && matches!(last.field, "unit" | "name") && last.at.is_none() {
        list.push(api::Attendee::default());
    }
    let entry = list.get_mut(at)?;
    match (last.field, last.at) {
        ("unit", None) => Some(&mut entry.unit),
        ("name", None) => Some(&mut entry.name),
        _ => None,
    }
}

/// What a value at this path must be.
fn is_of_form(path: &str, value: &str) -> bool {
    let field = path.rsplit('.').next().unwrap_or(path);
    match field {
        _ if value.is_empty() => true,
        "date" | "effective_date" => jiyao_calendar::parse_iso(value).is_some(),
        "ordinal" | "term" => value.parse::<u32>().is_ok_and(|number| number > 0),
        _ => value.trim() == value && !value.contains(char::is_control),
    }
}

/// Applies a settlement, and fills in what stood there before.
///
/// # Errors
/// `DOUBT_NOT_FOUND`; `FIELD_INVALID` for a path that leads nowhere, or a value that cannot stand there.
pub(crate) fn settle(minutes: &mut api::Minutes, settlement: &mut Settlement) -> Result<()> {
    if settlement.doubt > 0 {
        let at = minutes.doubts.iter().position(|doubt| doubt.number == settlement.doubt);
        let missing = || Fault::new(Reason::DoubtNotFound).at("doubt").with("doubt", settlement.doubt);
        minutes.doubts.remove(at.ok_or_else(missing)?);
    }
    if !settlement.path.is_empty() {
        let facts = minutes.facts.get_or_insert_default();
        settlement.before = set(facts, &settlement.path, &settlement.value)?;
        jiyao_wire::classify(facts);
    }
    minutes.revision = settlement.revision;
    minutes.settlements.push(settlement.clone());
    Ok(())
}

/// Sets a fact and answers its value before. What the reader found stays beside a new value.
fn set(facts: &mut api::Facts, path: &str, value: &str) -> Result<String> {
    if !is_of_form(path, value) || (value.is_empty() && path.ends_with(".outcome")) {
        return Err(Fault::invalid("value", value.escape_debug()));
    }
    let nowhere = || Fault::invalid("path", path.escape_debug());
    let corrected = |before: Option<&Fact>| Fact {
        value: value.to_owned(),
        spans: before.map(|fact| fact.spans.clone()).unwrap_or_default(),
        reader_value: Some(match before {
            Some(fact) => fact.reader_value.clone().unwrap_or_else(|| fact.value.clone()),
            None => String::new(),
        }),
    };
    let before = match slot(facts, path).ok_or_else(nowhere)? {
        Slot::One(fact) => {
            let before = fact.take();
            *fact = (!value.is_empty()).then(|| corrected(before.as_ref()));
            before
        }
        Slot::Of(list, at) if at < list.len() && value.is_empty() => Some(list.remove(at)),
        Slot::Of(list, at) if at < list.len() => {
            let new = corrected(list.get(at));
            Some(std::mem::replace(&mut list[at], new))
        }
        Slot::Of(list, at) if at == list.len() && !value.is_empty() => {
            list.push(corrected(None));
            None
        }
        Slot::Of(..) => return Err(nowhere()),
    };
    let is_someone = |entry: &api::Attendee| entry.unit.is_some() || entry.name.is_some();
    for list in [&mut facts.present, &mut facts.observers, &mut facts.absent] {
        list.retain(is_someone);
    }
    Ok(before.map(|fact| fact.value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes() -> api::Minutes {
        let text = "临岚市人民政府常务会议纪要\n一、审议《甲办法》\n（一）原则同意《甲办法》。由新设机构牵头。\n出席：王伟\n";
        let reading = jiyao_reader::read(text, &jiyao_reader::Words::default());
        api::Minutes {
            facts: Some(jiyao_wire::facts_to(&reading.facts)),
            doubts: vec![api::Doubt { number: 1, ..api::Doubt::default() }],
            ..api::Minutes::default()
        }
    }

    fn settled(path: &str, value: &str) -> Result<(api::Minutes, Settlement)> {
        let mut minutes = minutes();
        let mut settlement =
            Settlement { path: path.into(), value: value.into(), revision: 2, ..Settlement::default() };
        settle(&mut minutes, &mut settlement)?;
        Ok((minutes, settlement))
    }

    #[test]
    fn every_fact_has_a_path_that_leads_to_it() {
        let text = include_str!("../../../crates/jiyao-cli/sample/minutes.txt");
        let reading = jiyao_reader::read(text, &jiyao_reader::Words::default());
        let mut facts = jiyao_wire::facts_to(&reading.facts);
        for placed in reading.facts.all() {
            let found = match slot(&mut facts, &placed.path) {
                Some(Slot::One(fact)) => fact.clone(),
                Some(Slot::Of(list, at)) => list.get(at).cloned(),
                None => None,
            };
            assert_eq!(found.map(|fact| fact.value), Some(placed.fact.value.into()), "{}", placed.path);
        }
    }

    #[test]
    fn a_value_takes_the_place_of_the_readers_and_keeps_it() {
        let path = "items[0].decisions[0].lead_units[0]";
        let (mut minutes, settlement) = settled(path, "市新设局").unwrap();
        assert_eq!(settlement.before, "新设机构");
        let lead = |minutes: &api::Minutes| {
            minutes.facts.as_ref().unwrap().items[0].decisions[0].lead_units[0].clone()
        };
        assert_eq!(
            (lead(&minutes).value.as_str(), lead(&minutes).reader_value.as_deref()),
            ("市新设局", Some("新设机构"))
        );
        let mut again =
            Settlement { path: path.into(), value: "市新局".into(), revision: 3, ..Settlement::default() };
        settle(&mut minutes, &mut again).unwrap();
        assert_eq!(
            (again.before.as_str(), lead(&minutes).reader_value.as_deref()),
            ("市新设局", Some("新设机构"))
        );
        assert_eq!((minutes.revision, minutes.settlements.len()), (3, 2));
        let (added, _) = settled("present[1].name", "李明").unwrap();
        assert_eq!(added.facts.unwrap().present.len(), 2);
        let (gone, _) = settled("present[0].name", "").unwrap();
        assert_eq!(gone.facts.unwrap().present.len(), 0);
    }

    #[test]
    fn what_leads_nowhere_or_cannot_stand_there_is_refused() {
        for (path, value, field) in [
            ("nothing", "x", "path"),
            ("items[9].heading", "x", "path"),
            ("items[0].decisions[0].lead_units[5]", "x", "path"),
            ("items[x].heading", "x", "path"),
            ("present[7].name", "x", "path"),
            ("meeting.date", "2025年1月1日", "value"),
            ("meeting.ordinal", "零", "value"),
            ("issuer", "a\nb", "value"),
            ("items[0].decisions[0].outcome", "", "value"),
        ] {
            let fault = settled(path, value).unwrap_err();
            assert_eq!(
                (fault.reason(), fault.fields()),
                (Reason::FieldInvalid, &[field.to_owned()][..]),
                "{path}"
            );
        }
        let mut settlement = Settlement { doubt: 9, revision: 2, ..Settlement::default() };
        assert_eq!(settle(&mut minutes(), &mut settlement).unwrap_err().reason(), Reason::DoubtNotFound);
    }
}
