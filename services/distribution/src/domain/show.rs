//! How events show in the state.

use jiyao_calendar::Timestamp;
use jiyao_deliveries::{Copy, Delivery, State};
use jiyao_fault::{Fault, Result};
use jiyao_ledger::{Overlay, decode_event, from_json, to_json};
use jiyao_names::{Delivery as DeliveryName, Minutes, Organ};
use jiyao_proto::distribution::v1::DistributionList;
use jiyao_proto::stored::v1::{Event, ListsStated};
use jiyao_rolls::{Entry, Unit};
use jiyao_serve::{document_of, keep, put_listed};
use prost::Message as _;

use super::scope::Made;
use super::{Move, RECORDS};
use crate::documents::{Known, PublicEntry, Task, View as _};
use crate::keys;

pub(super) fn show_lists(view: &mut Overlay<'_>, event: &Event) -> Result<()> {
    let ListsStated { lists, source } = decode_event(event)?;
    for list in lists {
        let minutes = Minutes::parse(&list.minutes, "list.minutes")?;
        let before = view.get(&document_of(&minutes))?;
        let before = before
            .map(|list| DistributionList::decode(list.as_slice()))
            .transpose()
            .map_err(Fault::internal)?;
        view.put(document_of(&minutes), list.encode_to_vec());
        let date = before.as_ref().map(|list| list.meeting_date.as_str());
        put_listed(view, &minutes, date, &list.meeting_date, &list.encode_to_vec());
    }
    keep(view, RECORDS, &source.unwrap_or_default());
    Ok(())
}

/// Organisations of a directory, and the version that it has with them; none while others of that version are to come.
pub(super) fn show_units(
    view: &mut Overlay<'_>,
    changes: Vec<(String, Option<u64>, Vec<Unit>)>,
) -> Result<()> {
    for (organ, version, units) in changes {
        let organ = Organ::parse(&organ, "organ")?;
        for unit in units {
            let at = |place: &String| [&keys::found_at(&organ, place)[..], unit.id.as_bytes()].concat();
            if let Some(before) = view.get(&keys::unit(&organ, &unit.id))? {
                for place in Entry::Unit(from_json(&before)?).found_by() {
                    view.remove(at(&place));
                }
            }
            for place in Entry::Unit(unit.clone()).found_by() {
                view.put(at(&place), Vec::new());
            }
            view.put(keys::unit(&organ, &unit.id), to_json(&unit)?);
        }
        match version {
            Some(version) => {
                view.put(keys::directory_version(&organ), version.to_be_bytes().to_vec());
                view.remove(keys::directory_partial(&organ));
            }
            None => view.put(keys::directory_partial(&organ), Vec::new()),
        }
    }
    Ok(())
}

pub(super) fn show_known(view: &mut Overlay<'_>, known: &Known, moved: Move) -> Result<()> {
    let name = Minutes::parse(&known.minutes, "minutes")?;
    let mut task = view.task(&name)?;
    if moved == Move::Issued && view.number(&keys::count_made(&name))? == 0 {
        // Whatever was frozen since: those get it whom it was issued to.
        if let Some(scope) = view.frozen(&name, &known.frozen)? {
            view.put(keys::scope(&name), to_json(&scope)?);
        }
        if view.scope(&name)?.is_some() {
            task.deliver.get_or_insert(0);
        }
    }
    task.publish |= moved == Move::Published;
    task.publish &= known.is_public();
    if known.is_void {
        task = Task::default();
    }
    show_task(view, &name, task)?;
    view.put(keys::known(&name), to_json(known)?);
    // What is void or no longer open is no longer public, nor what was withdrawn and is to be published anew.
    let Some(entry) = view.get(&keys::published_at(&name))? else { return Ok(()) };
    let published = known.published.map(|day| day.to_string()).unwrap_or_default();
    if !known.is_public() || from_json::<PublicEntry>(&entry)?.published != published {
        withdraw(view, &name)?;
    }
    Ok(())
}

/// Takes minutes out of the public listing.
pub(super) fn withdraw(view: &mut Overlay<'_>, name: &Minutes) -> Result<()> {
    let Some(entry) = view.get(&keys::published_at(name))? else { return Ok(()) };
    for place in keys::published_places(name, &from_json::<PublicEntry>(&entry)?.published) {
        view.remove(place);
    }
    view.remove(keys::published_at(name));
    Ok(())
}

/// Keeps targets of a scope, from a place on; answers the place behind them.
pub(super) fn show_targets(
    view: &mut Overlay<'_>,
    name: &Minutes,
    hash: &str,
    (from, targets): (u32, Vec<Vec<u8>>),
) -> u32 {
    let mut until = from;
    for target in targets {
        view.put(keys::target(name, hash, until), target);
        until += 1;
    }
    until
}

pub(super) fn show_task(view: &mut Overlay<'_>, name: &Minutes, task: Task) -> Result<()> {
    if task.is_done() {
        view.remove(keys::task(name));
    } else {
        view.put(keys::task(name), to_json(&task)?);
    }
    Ok(())
}

pub(super) fn show_made(
    view: &mut Overlay<'_>,
    name: &Minutes,
    end: u64,
    Made { until, held }: Made,
    parts: Vec<Vec<u8>>,
) -> Result<()> {
    for part in parts {
        let mut delivery: Delivery = from_json(&part)?;
        // Older programs did not say so.
        delivery.was_out |= delivery.state == State::Sent;
        let of = DeliveryName::parse(&delivery.name, "name")?;
        view.put(keys::in_minutes(name, delivery.index), delivery.name.clone().into_bytes());
        view.put(keys::by_unit(name, &delivery.unit), delivery.name.clone().into_bytes());
        for number in &delivery.copies {
            let copy = Copy {
                number: number.clone(),
                unit: delivery.title.clone(),
                delivery: delivery.name.clone(),
                end: None,
            };
            view.put(keys::copy(name, number), to_json(&copy)?);
        }
        show_delivery(view, &of, None, &delivery)?;
    }
    view.put(keys::count_made(name), until.to_be_bytes().to_vec());
    // 0: more of the scope follow, 1: these were the last, 2: one that was added later.
    if end < 2 {
        let deliver = (end == 0).then_some(until);
        let held = if end == 0 { held } else { 0 };
        let task = Task { deliver, held, ..view.task(name)? };
        show_task(view, name, task)?;
    }
    Ok(())
}

/// Keeps a delivery and its places in the lists.
pub(super) fn show_delivery(
    view: &mut Overlay<'_>,
    name: &DeliveryName,
    before: Option<&Delivery>,
    after: &Delivery,
) -> Result<()> {
    let minutes = Minutes::parse(&after.minutes, "minutes")?;
    let value = || after.name.clone().into_bytes();
    let mut place = |key: Vec<u8>, was: bool, is: bool| match (was, is) {
        (false, true) => view.put(key, value()),
        (true, false) => view.remove(key),
        _ => {}
    };
    let was_silent = before.is_some_and(|before| before.state.is_silent());
    place(keys::silent_in(&minutes, after.index), was_silent, after.state.is_silent());
    place(keys::silent_at(name), was_silent, after.state.is_silent());
    place(keys::in_inbox(name, &after.unit), before.is_some_and(Delivery::is_out), after.is_out());
    let due = |delivery: &Delivery| {
        delivery.next_try.filter(|_| delivery.channel.is_sent()).map(Timestamp::as_millisecond)
    };
    let (was, is) = (before.and_then(due), due(after));
    if was != is {
        if let Some(was) = was {
            view.remove(keys::due(was, name));
        }
        if let Some(is) = is {
            view.put(keys::due(is, name), value());
        }
    }
    let state = |state: State| u8::try_from(State::ALL.iter().position(|known| *known == state).unwrap_or(0));
    let was = before.map(|before| before.state);
    if was != Some(after.state) {
        if let Some(was) = was {
            let key = keys::count(&minutes, state(was).unwrap_or(0));
            let count = view.number(&key)?.saturating_sub(1);
            view.put(key, count.to_be_bytes().to_vec());
        }
        let key = keys::count(&minutes, state(after.state).unwrap_or(0));
        let count = view.number(&key)? + 1;
        view.put(key, count.to_be_bytes().to_vec());
    }
    view.put(keys::delivery(name), to_json(after)?);
    Ok(())
}
