//! What distribution decides, and what its state shows.

use std::sync::Arc;
use std::time::Duration;

use jiyao_calendar::{Date, Holidays, Timestamp, civil_date};
use jiyao_deliveries::{
    Act, Channel, Copies, Copy, CopyEnd, Delivery, Request, RequestAct, RequestEntry, Scope, retry_time,
};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{
    Context, Decided, Domain, Erasing, Lookup as _, Overlay, blank_json, check_etag, decode_event, event,
    from_json, noted, to_json, unknown_event,
};
use jiyao_minutes::Level;
use jiyao_names::{Delivery as DeliveryName, DisclosureRequest, Minutes, Organ, unhex};
use jiyao_proto::distribution::v1::DistributionList;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, DeliveryMoved, DeliverySigned, ListStated, ScopeFrozen};
use jiyao_proto::stored::v1::{Event, ListsStated, Noted};
use jiyao_receipts::Key;
use jiyao_rolls::Unit;
use jiyao_serve::{is_new, keep};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::documents::{Address, Known, PublicEntry, Task, View as _};
use crate::freezing::{Found, Freeze};
use crate::keys;
use acts::Acted;
pub(crate) use scope::STAGE;
use show::{show_delivery, show_known, show_lists, show_made, show_targets, show_task, show_units, withdraw};

mod acts;
mod scope;
mod show;

/// The journals that are followed, by name.
pub(crate) const RECORDS: &str = "records";
pub(crate) const ATTENDANCE: &str = "attendance";
const LISTS_STATED: &str = "lists.stated";
const UNITS_KNOWN: &str = "units.known";
const MINUTES_KNOWN: &str = "minutes.known";
const CONTENT_TAKEN: &str = "content.taken";
const SCOPE_STAGED: &str = "scope.staged";
const SCOPE_FROZEN: &str = "scope.frozen";
const DISPATCHED: &str = "minutes.dispatched";
const DELIVERIES_MADE: &str = "deliveries.made";
const DELIVERY_ACTED: &str = "delivery.acted";
const PUBLISHED: &str = "minutes.published";
const ADDRESS_SET: &str = "address.set";
const COPY_ENDED: &str = "copy.ended";
const REASSESSMENT_SET: &str = "reassessment.set";
const REQUEST_MADE: &str = "disclosure_request.made";
const REQUEST_ACTED: &str = "disclosure_request.acted";
const RECEIPT_KEY_USED: &str = "receipt_key.used";
const KINDS: [&str; 15] = [
    UNITS_KNOWN,
    MINUTES_KNOWN,
    CONTENT_TAKEN,
    SCOPE_STAGED,
    SCOPE_FROZEN,
    DISPATCHED,
    DELIVERIES_MADE,
    DELIVERY_ACTED,
    PUBLISHED,
    ADDRESS_SET,
    COPY_ENDED,
    REASSESSMENT_SET,
    REQUEST_MADE,
    REQUEST_ACTED,
    RECEIPT_KEY_USED,
];

pub(crate) struct DistributionDomain {
    pub(crate) holidays: Arc<Holidays>,
    /// Signs receipts.
    pub(crate) key: Key,
    pub(crate) time_zone: String,
    /// From this level on only paper goes.
    pub(crate) paper_from: Level,
    /// Pauses before the attempts after the first.
    pub(crate) pauses: Vec<Duration>,
}

pub(crate) enum Command {
    /// Take over what records says of minutes.
    Know {
        lists: Vec<DistributionList>,
        known: Vec<(Known, Move)>,
        source: Cursor,
    },
    /// Take over organisations of a version of a directory; without a version or a cursor, others of it are to come.
    Units {
        changes: Vec<(Organ, Option<u64>, Vec<Unit>)>,
        source: Option<Cursor>,
    },
    /// Freeze a scope as it was found. The answer is its hash; empty where it is not so any more; [`STAGE`] where its
    /// targets are to be staged first.
    Freeze {
        freeze: Arc<Freeze>,
        found: Option<Arc<Found>>,
    },
    /// Some of the targets of a scope that is to be frozen, from a place on.
    StageScope {
        minutes: Minutes,
        hash: String,
        from: u32,
        targets: Vec<Vec<u8>>,
    },
    /// Deliver minutes that were issued elsewhere.
    Dispatch {
        minutes: Minutes,
    },
    /// The bytes and the text of a revision.
    Take {
        minutes: Minutes,
        sha256: String,
        content: Vec<u8>,
        text: Vec<u8>,
    },
    /// The next deliveries of a scope.
    Make {
        minutes: Minutes,
    },
    /// The public text.
    Publish {
        minutes: Minutes,
        text: String,
    },
    /// The service signs receipts by its key from now on; those before it stay verifiable.
    UseKey,
    Act {
        delivery: DeliveryName,
        etag: u64,
        unit: String,
        is_system: bool,
        act: Box<Act>,
    },
    /// An attempt failed, and is tried again if there are attempts left and it is not in vain.
    Failed {
        delivery: DeliveryName,
        attempt: u32,
        why: String,
        is_final: bool,
        /// How long the recipient's system asked to be left alone.
        asked: Option<Duration>,
        /// A mail system says so.
        is_reported: bool,
    },
    Add {
        minutes: Minutes,
        unit: String,
        approved_by: String,
        reason: String,
    },
    SetAddress {
        organ: Organ,
        address: Box<Address>,
    },
    EndCopy {
        minutes: Minutes,
        number: String,
        end: CopyEnd,
    },
    Reassess {
        minutes: Minutes,
        date: Date,
    },
    Register {
        organ: Organ,
        request: Box<Request>,
    },
    ActRequest {
        request: DisclosureRequest,
        etag: u64,
        act: Box<RequestAct>,
    },
}

/// What was done with minutes, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Move {
    Other,
    Issued,
    Published,
}

fn from_source(kind: &str, body: Vec<u8>, source: &str, through: &Cursor) -> Event {
    let through = Some(through.clone());
    event(kind, 1, &Noted { body, source: source.to_owned(), through, ..Noted::default() })
}

fn answer(name: &impl ToString) -> Vec<u8> {
    name.to_string().into_bytes()
}

impl DistributionDomain {
    fn today(&self, now: Timestamp) -> Date {
        civil_date(now, &self.time_zone)
    }
}

impl Domain for DistributionDomain {
    type Command = Command;
    const PROJECTION: u32 = 11;

    fn decide(&self, view: &Overlay<'_>, command: &Command, context: &mut Context<'_>) -> Result<Decided> {
        let (events, answer) = match command {
            Command::Know { lists, known, source } => {
                if !is_new(view, RECORDS, source)? {
                    return Ok(Decided::default());
                }
                let create_time = Some(jiyao_wire::timestamp(context.now.as_millisecond()));
                // What was erased does not come in again.
                let (mut lists, mut known) = (lists.clone(), known.clone());
                for list in &mut lists {
                    list.create_time = create_time;
                    if view.is_erased(&list.minutes)? {
                        *list = without_content(std::mem::take(list));
                    }
                }
                for (known, _) in &mut known {
                    if view.is_erased(&known.minutes)? {
                        known.passages.clear();
                    }
                }
                let stated = event(LISTS_STATED, 1, &ListsStated { lists, source: Some(source.clone()) });
                (vec![from_source(MINUTES_KNOWN, to_json(&known)?, RECORDS, source), stated], Vec::new())
            }
            Command::Units { changes, source } => {
                if let Some(source) = source
                    && !is_new(view, ATTENDANCE, source)?
                {
                    return Ok(Decided::default());
                }
                let changes: Vec<_> = changes
                    .iter()
                    .map(|(organ, version, units)| (organ.to_string(), version, units))
                    .collect();
                let body = to_json(&changes)?;
                let known = match source {
                    Some(source) => from_source(UNITS_KNOWN, body, ATTENDANCE, source),
                    None => event(UNITS_KNOWN, 1, &Noted { body, ..Noted::default() }),
                };
                (vec![known], Vec::new())
            }
            Command::Freeze { freeze, found } => {
                self.freeze(view, (freeze, found.as_deref()), context.now)?
            }
            Command::StageScope { minutes, hash, from, targets } => {
                check_content(view, minutes)?;
                (Self::stage(view, minutes, hash, (*from, targets))?, Vec::new())
            }
            Command::Dispatch { minutes } => {
                check_content(view, minutes)?;
                let known = view.known(minutes, "minutes")?;
                if view.scope(minutes)?.is_none() {
                    return Err(Fault::new(Reason::ScopeNotFrozen).with("minutes", minutes));
                }
                known.check_deliverable()?;
                if view.number(&keys::count_made(minutes))? > 0 {
                    return Ok(Decided { events: Vec::new(), answer: answer(minutes) });
                }
                (vec![noted(DISPATCHED, minutes, 0, Vec::new(), Vec::new())], answer(minutes))
            }
            Command::Take { minutes, sha256, content, text } => {
                check_content(view, minutes)?;
                if view.value(&keys::content(minutes, sha256))?.is_some() {
                    return Ok(Decided::default());
                }
                let parts = vec![content.clone(), text.clone()];
                (vec![noted(CONTENT_TAKEN, minutes, 0, sha256.clone().into_bytes(), parts)], Vec::new())
            }
            Command::Make { minutes } => {
                check_content(view, minutes)?;
                self.make(view, minutes, context)?
            }
            Command::Publish { minutes, text } => {
                check_content(view, minutes)?;
                let known = view.known(minutes, "minutes")?;
                if !view.task(minutes)?.publish || !known.may_be_published() {
                    return Ok(Decided::default());
                }
                let is_separable = known
                    .passages
                    .iter()
                    .any(|passage| passage.class != jiyao_minutes::DisclosureClass::Public);
                let entry = PublicEntry {
                    minutes: minutes.to_string(),
                    title: known.title,
                    number: known.number,
                    published: known.published.map(|day| day.to_string()).unwrap_or_default(),
                    issuer: known.issuer,
                    note: jiyao_minutes::DisclosureClass::Public.note().to_owned(),
                    is_separable,
                    sequence: 0,
                };
                let parts = vec![text.clone().into_bytes()];
                (vec![noted(PUBLISHED, minutes, 0, to_json(&entry)?, parts)], Vec::new())
            }
            Command::UseKey => {
                let key = self.key.public();
                if view.value(&keys::receipt_key(&key.id()))?.is_some() {
                    return Ok(Decided::default());
                }
                let body = key.bytes().to_vec();
                (vec![noted(RECEIPT_KEY_USED, &key.id(), 0, body, Vec::new())], Vec::new())
            }
            Command::Act { delivery, etag, unit, is_system, act } => {
                self.act(view, delivery, (*etag, unit, *is_system), (**act).clone(), context)?
            }
            Command::Failed { delivery, attempt, why, is_final, asked, is_reported } => {
                let known = view.delivery(delivery, "name")?;
                if *is_reported && known.channel != Channel::Email {
                    return Err(Fault::new(Reason::StateForbids)
                        .with("state", known.channel.as_str())
                        .with("act", "FAIL"));
                }
                let before = known.earlier_attempts;
                let made = attempt.saturating_sub(before).saturating_sub(1) as usize;
                let pause = self.pauses.get(made).filter(|_| !is_final);
                let retry = pause.and_then(|pause| {
                    retry_time(context.now, *pause, *asked, &delivery.to_string(), *attempt)
                });
                let act = Act::Fail { attempt: *attempt, why: why.clone(), retry };
                self.act(view, delivery, (0, "", true), act, context)?
            }
            Command::Add { minutes, unit, approved_by, reason } => {
                check_content(view, minutes)?;
                self.add(view, minutes, (unit, &format!("{approved_by}: {reason}")), context)?
            }
            Command::SetAddress { organ, address } => {
                view.unit(organ, &address.unit, "address.unit")?;
                (vec![noted(ADDRESS_SET, organ, 0, to_json(&**address)?, Vec::new())], Vec::new())
            }
            Command::EndCopy { minutes, number, end } => {
                let missing = || Fault::new(Reason::CopyNotFound).at("number").with("copy", number);
                let kept = view.value(&keys::copy(minutes, number))?.ok_or_else(missing)?;
                let mut copy: Copy = from_json(&kept)?;
                Copies::check(&copy, end)?;
                copy.end = Some((end.clone(), context.principal.to_owned(), context.now));
                (vec![noted(COPY_ENDED, minutes, 0, to_json(&copy)?, Vec::new())], Vec::new())
            }
            Command::Reassess { minutes, date } => {
                let known = view.known(minutes, "minutes")?;
                if known.class != Some(jiyao_minutes::DisclosureClass::Withheld) {
                    return Err(Fault::new(Reason::StateForbids)
                        .with("state", "NOT_WITHHELD")
                        .with("act", "SET_REASSESSMENT"));
                }
                (vec![noted(REASSESSMENT_SET, minutes, 0, to_json(date)?, Vec::new())], Vec::new())
            }
            Command::Register { organ, request } => {
                let name = DisclosureRequest { organ: organ.clone(), id: context.new_id() };
                let request = Request { name: name.to_string(), ..(**request).clone() };
                if request.received > self.today(context.now) {
                    return Err(Fault::invalid("received", request.received));
                }
                (vec![noted(REQUEST_MADE, &name, 0, to_json(&request)?, Vec::new())], answer(&name))
            }
            Command::ActRequest { request: name, etag, act } => {
                let request = view.request(name, "name")?;
                check_etag(*etag, request.version)?;
                let today = self.today(context.now);
                let entry = request.decide((**act).clone(), context.principal, today, &self.holidays)?;
                let happened = noted(REQUEST_ACTED, name, request.version + 1, to_json(&entry)?, Vec::new());
                (vec![happened], answer(name))
            }
        };
        Ok(Decided { events, answer })
    }

    fn apply(&self, view: &mut Overlay<'_>, event: &Event, sequence: u64) -> Result<()> {
        if event.r#type == LISTS_STATED {
            return show_lists(view, event);
        }
        let noted = known_event(event)?;
        if let Some(through) = &noted.through {
            keep(view, &noted.source, through);
        }
        let Noted { of, version, body, parts, .. } = noted;
        match event.r#type.as_str() {
            UNITS_KNOWN => show_units(view, from_json(&body)?)?,
            MINUTES_KNOWN => {
                for (known, moved) in from_json::<Vec<(Known, Move)>>(&body)? {
                    show_known(view, &known, moved)?;
                }
            }
            RECEIPT_KEY_USED => view.put(keys::receipt_key(&of), body),
            CONTENT_TAKEN => {
                let sha256 = String::from_utf8(body).map_err(Fault::internal)?;
                view.put(
                    keys::content(&Minutes::parse(&of, "of")?, &sha256),
                    sequence.to_be_bytes().to_vec(),
                );
            }
            SCOPE_STAGED => {
                let name = Minutes::parse(&of, "of")?;
                let hash = String::from_utf8(body).map_err(Fault::internal)?;
                let from = u32::try_from(version).map_err(Fault::internal)?;
                let until = show_targets(view, &name, &hash, (from, parts));
                view.put(keys::staged(&name, &hash), until.to_be_bytes().to_vec());
            }
            SCOPE_FROZEN => {
                let name = Minutes::parse(&of, "of")?;
                let scope: Scope = from_json(&body)?;
                show_targets(view, &name, &scope.hash, (0, parts));
                view.put(keys::frozen(&name, &scope.hash), body.clone());
                view.put(keys::scope(&name), body);
            }
            DISPATCHED => {
                let name = Minutes::parse(&of, "of")?;
                if view.number(&keys::count_made(&name))? == 0 {
                    let task = Task { deliver: Some(0), ..view.task(&name)? };
                    view.put(keys::task(&name), to_json(&task)?);
                }
            }
            DELIVERIES_MADE => {
                show_made(view, &Minutes::parse(&of, "of")?, version, from_json(&body)?, parts)?;
            }
            DELIVERY_ACTED => {
                let name = DeliveryName::parse(&of, "of")?;
                let before = view.delivery(&name, "of")?;
                let mut after = before.clone();
                after.apply(from_json::<Acted>(&body)?.entry);
                show_delivery(view, &name, Some(&before), &after)?;
                if let Some(receipt) = parts.into_iter().next() {
                    view.put(keys::receipt(&name, version), receipt);
                }
            }
            PUBLISHED => {
                let name = Minutes::parse(&of, "of")?;
                let entry = PublicEntry { sequence, ..from_json::<PublicEntry>(&body)? };
                withdraw(view, &name)?;
                // Without its text, which was erased, it is no longer public.
                if !parts.is_empty() {
                    let value = to_json(&entry)?;
                    for place in keys::published_places(&name, &entry.published) {
                        view.put(place, value.clone());
                    }
                    view.put(keys::published_at(&name), value);
                }
                let task = Task { publish: false, ..view.task(&name)? };
                show_task(view, &name, task)?;
            }
            ADDRESS_SET => {
                let address: Address = from_json(&body)?;
                view.put(keys::address(&Organ::parse(&of, "of")?, &address.unit), body);
            }
            COPY_ENDED => {
                let copy: Copy = from_json(&body)?;
                view.put(keys::copy(&Minutes::parse(&of, "of")?, &copy.number), body);
            }
            REASSESSMENT_SET => view.put(keys::reassess(&Minutes::parse(&of, "of")?), body),
            REQUEST_MADE => view.put(keys::request(&DisclosureRequest::parse(&of, "of")?), body),
            _ => {
                let name = DisclosureRequest::parse(&of, "of")?;
                let mut request = view.request(&name, "of")?;
                request.apply(from_json::<RequestEntry>(&body)?);
                view.put(keys::request(&name), to_json(&request)?);
            }
        }
        Ok(())
    }

    fn public(&self, event: &Event) -> Result<Vec<Kind>> {
        if event.r#type == LISTS_STATED {
            let lists = decode_event::<ListsStated>(event)?.lists.into_iter();
            let stated =
                |list: DistributionList| ListStated { minutes: list.minutes, revision: list.revision };
            return Ok(lists.map(stated).map(Kind::ListStated).collect());
        }
        let Noted { of, body, parts, .. } = known_event(event)?;
        Ok(match event.r#type.as_str() {
            SCOPE_FROZEN => {
                let scope: Scope = from_json(&body)?;
                vec![Kind::ScopeFrozen(ScopeFrozen {
                    minutes: of,
                    revision: scope.revision,
                    date: scope.date.to_string(),
                    hash: unhex(&scope.hash).unwrap_or_default().to_vec(),
                })]
            }
            DELIVERIES_MADE => {
                let moved = |part: Vec<u8>| {
                    let delivery: Delivery = from_json(&part)?;
                    let act = "MAKE".to_owned();
                    let moved = DeliveryMoved { delivery: delivery.name, unit: delivery.unit, act };
                    Ok(Kind::DeliveryMoved(moved))
                };
                parts.into_iter().map(moved).collect::<Result<_>>()?
            }
            DELIVERY_ACTED => {
                let acted: Acted = from_json(&body)?;
                let act = acted.entry.act.name();
                let moved = DeliveryMoved { delivery: of.clone(), unit: acted.unit, act: act.to_owned() };
                let mut kinds = vec![Kind::DeliveryMoved(moved)];
                if matches!(acted.entry.act, Act::Sign { .. } | Act::HandOver { .. }) {
                    kinds.push(Kind::DeliverySigned(DeliverySigned {
                        delivery: of,
                        minutes: acted.minutes,
                        unit: acted.title,
                        date: acted.day.to_string(),
                        names: acted.names,
                    }));
                }
                kinds
            }
            _ => Vec::new(),
        })
    }

    fn may_erase(&self, view: &Overlay<'_>, minutes: &str) -> Result<()> {
        view.known(&Minutes::parse(minutes, "minutes")?, "minutes").map(drop)
    }

    /// That they were delivered, to whom, and the receipts remain; the text and its withheld passages go.
    fn erased(&self, of: &Event, erasing: &mut Erasing) -> Result<Option<Vec<Event>>> {
        let is_one = |minutes: &str| minutes == erasing.minutes;
        if of.r#type == LISTS_STATED {
            let ListsStated { mut lists, source } = decode_event(of)?;
            if !lists.iter().any(|list| is_one(&list.minutes)) {
                return Ok(None);
            }
            for list in lists.iter_mut().filter(|list| is_one(&list.minutes)) {
                *list = without_content(std::mem::take(list));
            }
            return Ok(Some(vec![event(LISTS_STATED, 1, &ListsStated { lists, source })]));
        }
        let noted = known_event(of)?;
        let left = match of.r#type.as_str() {
            MINUTES_KNOWN => {
                // As it was written: a newer form of it might be longer than its record.
                let mut known = from_json::<Vec<(Value, Move)>>(&noted.body)?;
                let mut is_any = false;
                for (known, _) in &mut known {
                    if known["minutes"] == erasing.minutes.as_str() {
                        is_any = true;
                        known["passages"] = Value::Array(Vec::new());
                    }
                }
                if !is_any {
                    return Ok(None);
                }
                Noted { body: to_json(&known)?, ..noted }
            }
            CONTENT_TAKEN | PUBLISHED if is_one(&noted.of) => Noted { parts: Vec::new(), ..noted },
            // That it was delivered, to whom, and what was signed for stays; the words that people added go.
            DELIVERY_ACTED if is_one(&from_json::<Acted>(&noted.body)?.minutes) => {
                Noted { body: blank_json(&noted.body, KEPT_OF_ACTS)?, ..noted }
            }
            DELIVERIES_MADE if is_one(&noted.of) => {
                let parts = noted.parts.iter().map(|part| {
                    let mut made: Value = from_json(part)?;
                    // Who approved it stays, and why goes.
                    if let Some(Value::String(by)) = made.get_mut("approved_by")
                        && let Some(at) = by.find(": ")
                    {
                        by.truncate(at);
                    }
                    to_json(&made)
                });
                Noted { parts: parts.collect::<Result<_>>()?, ..noted }
            }
            _ => return Ok(None),
        };
        Ok(Some(vec![event(&of.r#type, 1, &left)]))
    }
}

/// Of a list that it was stated, and by minutes of when.
fn without_content(list: DistributionList) -> DistributionList {
    let DistributionList { name, minutes, revision, meeting_date, create_time, .. } = list;
    DistributionList { name, minutes, revision, meeting_date, create_time, ..DistributionList::default() }
}

/// What remains of an act on a delivery whose minutes were erased.
const KEPT_OF_ACTS: &[&str] = &[
    "entry.act",
    "entry.act.*.action",
    "entry.act.*.channel",
    "entry.act.*.claim_signature",
    "entry.act.*.codes",
    "entry.act.*.sha256",
    "entry.act.*.signer",
    "entry.actor",
    "entry.unit",
    "minutes",
    "names",
    "title",
    "unit",
];

/// The body of an event that is known here.
fn known_event(event: &Event) -> Result<Noted> {
    if event.version == 1 && KINDS.contains(&event.r#type.as_str()) {
        return decode_event(event);
    }
    Err(unknown_event(event))
}

/// What was erased does not come in again, and does not go out.
fn check_content(view: &Overlay<'_>, minutes: &Minutes) -> Result<()> {
    if view.is_erased(&minutes.to_string())? {
        return Err(Fault::new(Reason::MinutesErased).with("minutes", minutes));
    }
    Ok(())
}
