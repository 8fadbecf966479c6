//! What distribution decides, and what its state shows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiyao_calendar::{Date, Holidays, Timestamp, civil_date};
use jiyao_deliveries::{
    Act, Channel, Copies, Copy, CopyEnd, Delivery, Entry, Recipient, RecipientKind, Request, RequestAct,
    RequestEntry, Scope, State, Target, copy_number, expand,
};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{
    Context, Decided, Domain, Erasing, Lookup as _, Overlay, decode_event, event, from_json, to_json,
};
use jiyao_minutes::{Level, Stage};
use jiyao_names::{Delivery as DeliveryName, DisclosureRequest, Minutes, Organ, unhex};
use jiyao_proto::distribution::v1::DistributionList;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{Cursor, DeliveryMoved, DeliverySigned, ListStated, ScopeFrozen};
use jiyao_proto::stored::v1::{Event, ListsStated, Noted};
use jiyao_receipts::{Key, PublicKey};
use jiyao_rolls::Unit;
use jiyao_serve::{document_of, is_new, keep, put_listed};
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::documents::{Address, Known, PublicEntry, Task, View as _};
use crate::keys;

/// The journals that are followed, by name.
pub(crate) const RECORDS: &str = "records";
pub(crate) const ATTENDANCE: &str = "attendance";
const LISTS_STATED: &str = "lists.stated";
const UNITS_KNOWN: &str = "units.known";
const MINUTES_KNOWN: &str = "minutes.known";
const CONTENT_TAKEN: &str = "content.taken";
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
const KINDS: [&str; 13] = [
    UNITS_KNOWN,
    MINUTES_KNOWN,
    CONTENT_TAKEN,
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
];
/// Deliveries made in one commit.
const SLICE: usize = 200;
/// Most copies for each recipient.
const MOST_COPIES: u32 = 1000;
/// 份号 have six digits.
const MOST_NUMBERED: usize = 999_999;

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
    /// Take over organisations of a version of a directory.
    Units {
        changes: Vec<(Organ, u64, Vec<Unit>)>,
        source: Cursor,
    },
    Freeze(Box<Freeze>),
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

/// A scope to freeze.
pub(crate) struct Freeze {
    pub(crate) minutes: Minutes,
    pub(crate) date: Date,
    pub(crate) copies: u32,
    pub(crate) is_paper: bool,
    pub(crate) extra: Vec<String>,
}

/// Body of an act on a delivery, with what followers are told.
#[derive(Serialize, Deserialize)]
struct Acted {
    entry: Entry,
    minutes: String,
    unit: String,
    title: String,
    /// Whatever else the unit is called.
    #[serde(default)]
    names: Vec<String>,
    day: Date,
}

fn noted(kind: &str, of: &impl ToString, version: u64, body: Vec<u8>, parts: Vec<Vec<u8>>) -> Event {
    event(kind, 1, &Noted { of: of.to_string(), version, body, parts, ..Noted::default() })
}

fn from_source(kind: &str, body: Vec<u8>, source: &str, through: &Cursor) -> Event {
    let through = Some(through.clone());
    event(kind, 1, &Noted { body, source: source.to_owned(), through, ..Noted::default() })
}

fn check_etag(etag: u64, newest: u64) -> Result<()> {
    if [0, newest].contains(&etag) {
        return Ok(());
    }
    Err(Fault::new(Reason::EtagStale).at("etag").with("etag", etag).with("newest", newest))
}

fn answer(name: &impl ToString) -> Vec<u8> {
    name.to_string().into_bytes()
}

impl DistributionDomain {
    fn today(&self, now: Timestamp) -> Date {
        civil_date(now, &self.time_zone)
    }

    /// Whether minutes go on paper alone (requirement 43).
    fn is_paper_only(&self, known: &Known) -> bool {
        known.secrecy.is_some_and(|level| level >= self.paper_from)
    }

    fn freeze(&self, view: &Overlay<'_>, freeze: &Freeze, now: Timestamp) -> Result<(Vec<Event>, Vec<u8>)> {
        let name = &freeze.minutes;
        let (list, known) = (view.list(name, "minutes")?, view.known(name, "minutes")?);
        if freeze.date < self.today(now) && !known.is_foreign {
            return Err(Fault::invalid("date", freeze.date));
        }
        let is_issued_here = known.stage.is_issued() && !known.is_foreign;
        if view.number(&keys::count_made(name))? > 0 || view.task(name)?.deliver.is_some() || is_issued_here {
            return Err(Fault::new(Reason::ScopeFrozen).with("minutes", name));
        }
        if known.is_void {
            return Err(Fault::new(Reason::NotIssued).with("minutes", name));
        }
        // Scope and copies are fixed at 登记 (requirement 37): before, the text may still change.
        if known.stage < Stage::Registered {
            return Err(Fault::new(Reason::StateForbids)
                .with("state", known.stage.as_str())
                .with("act", "FREEZE_SCOPE"));
        }
        if self.is_paper_only(&known) && !freeze.is_paper {
            return Err(Fault::new(Reason::ChannelForbidden)
                .at("paper")
                .with("channel", "INBOX")
                .with("level", level_name(known.secrecy)));
        }
        if freeze.copies > MOST_COPIES {
            return Err(Fault::invalid("copies", freeze.copies));
        }
        let directory = view.directory(&name.organ)?;
        let listed = list.recipients.iter().map(|recipient| Recipient {
            title: recipient.title.clone(),
            kind: if recipient.kind() == jiyao_proto::distribution::v1::RecipientKind::Class {
                RecipientKind::Class
            } else {
                RecipientKind::Unit
            },
        });
        let extra =
            freeze.extra.iter().map(|title| Recipient { title: title.clone(), kind: RecipientKind::Unit });
        let lines: Vec<Recipient> = listed.chain(extra).collect();
        let mut targets = expand(&lines, &list.attending_units, &directory, freeze.date)?;
        // Whoever holds what this corrects gets the correction, and must sign for it (requirement 15).
        if let Ok(old) = Minutes::parse(&known.corrects, "corrects") {
            for (_, held) in view.scan_prefix(&keys::by_minutes(&old))? {
                let held = view.named(&held)?;
                let holds = matches!(held.state, State::Sent | State::Received | State::Signed);
                if holds && !targets.iter().any(|target| target.unit == held.unit) {
                    targets.push(Target { unit: held.unit, title: held.title, via: known.corrects.clone() });
                }
            }
        }
        if targets.is_empty() {
            return Err(Fault::new(Reason::ClassEmpty).with("class", ""));
        }
        let copies = freeze.copies.max(1);
        if targets.len() * copies as usize > MOST_NUMBERED {
            return Err(Fault::invalid("copies", freeze.copies));
        }
        let mut scope = Scope {
            minutes: name.to_string(),
            revision: known.revision,
            sha256: known.sha256,
            date: freeze.date,
            directory: view.directory_version(&name.organ)?,
            lines: lines.into_iter().map(|line| line.title).collect(),
            targets: u32::try_from(targets.len()).map_err(Fault::internal)?,
            copies,
            is_paper: freeze.is_paper,
            hash: String::new(),
        };
        scope.hash = scope.hash_with(&targets);
        let parts = targets.iter().map(to_json).collect::<Result<_>>()?;
        Ok((vec![noted(SCOPE_FROZEN, name, 0, to_json(&scope)?, parts)], answer(name)))
    }

    /// A delivery of a scope, and the recall of what it takes the place of.
    fn made(
        &self,
        view: &Overlay<'_>,
        (name, known, scope): (&Minutes, &Known, &Scope),
        (index, target): (u32, Target),
        context: &mut Context<'_>,
    ) -> Result<(Delivery, Option<Event>)> {
        let address = view.address(&name.organ, &target.unit)?;
        let channel = match address.channel {
            _ if scope.is_paper || self.is_paper_only(known) => Channel::Paper,
            channel if !address.reaches(channel) => Channel::Inbox,
            channel => channel,
        };
        let copies = if known.secrecy.is_some() {
            (0..scope.copies).map(|copy| copy_number(index * scope.copies + copy + 1)).collect()
        } else {
            Vec::new()
        };
        let id = DeliveryName { organ: name.organ.clone(), id: context.new_id() };
        let mut delivery = Delivery {
            name: id.to_string(),
            minutes: name.to_string(),
            revision: scope.revision,
            sha256: scope.sha256.clone(),
            unit: target.unit,
            title: target.title,
            index,
            channel,
            copies,
            ..Delivery::default()
        };
        delivery.goes_again(context.now);
        let mut recalled = None;
        if let Ok(old) = Minutes::parse(&known.corrects, "corrects")
            && let Some(held) = view.value(&keys::by_unit(&old, &delivery.unit))?
        {
            let held = view.named(&held)?;
            delivery.replaces.clone_from(&held.name);
            if held.state != State::Recalled {
                let reason = format!("更正重印件 {name}");
                let of = DeliveryName::parse(&held.name, "replaces")?;
                recalled = Some(self.system(view, &of, &held, Act::Recall { reason }, context)?);
            }
        }
        Ok((delivery, recalled))
    }

    fn make(
        &self,
        view: &Overlay<'_>,
        name: &Minutes,
        context: &mut Context<'_>,
    ) -> Result<(Vec<Event>, Vec<u8>)> {
        let Some(from) = view.task(name)?.deliver else { return Ok((Vec::new(), Vec::new())) };
        let known = view.known(name, "minutes")?;
        let not_frozen = || Fault::new(Reason::ScopeNotFrozen).with("minutes", name);
        let scope = view.scope(name)?.ok_or_else(not_frozen)?;
        let (mut parts, mut events) = (Vec::new(), Vec::new());
        let until = scope.targets.min(from + u32::try_from(SLICE).map_err(Fault::internal)?);
        for index in from..until {
            let target = view.value(&keys::target(name, index))?.ok_or_else(not_frozen)?;
            let (delivery, recalled) =
                self.made(view, (name, &known, &scope), (index, from_json(&target)?), context)?;
            parts.push(to_json(&delivery)?);
            events.extend(recalled);
        }
        let is_last = until >= scope.targets;
        let mut made = until;
        if is_last {
            for held in self.left_out(view, name, &known)? {
                if held.state == State::Pending || held.state == State::Failed {
                    let reason = format!("更正重印件 {name}");
                    let of = DeliveryName::parse(&held.name, "replaces")?;
                    events.push(self.system(view, &of, &held, Act::Recall { reason }, context)?);
                    continue;
                }
                let target = Target { unit: held.unit, title: held.title, via: known.corrects.clone() };
                let (delivery, recalled) =
                    self.made(view, (name, &known, &scope), (made, target), context)?;
                parts.push(to_json(&delivery)?);
                events.extend(recalled);
                made += 1;
            }
        }
        events.insert(0, noted(DELIVERIES_MADE, name, u64::from(is_last), to_json(&made)?, parts));
        Ok((events, Vec::new()))
    }

    /// Deliveries of what minutes correct, to units that are not in their scope: what went out after the scope was
    /// frozen, or never arrived. Whoever holds the old text gets the new one (requirement 15), nobody else the old.
    fn left_out(&self, view: &Overlay<'_>, name: &Minutes, known: &Known) -> Result<Vec<Delivery>> {
        let Ok(old) = Minutes::parse(&known.corrects, "corrects") else { return Ok(Vec::new()) };
        let in_scope = view.scan_prefix(&keys::targets(name))?.into_iter();
        let in_scope: BTreeSet<String> =
            in_scope.map(|(_, target)| Ok(from_json::<Target>(&target)?.unit)).collect::<Result<_>>()?;
        let mut found = Vec::new();
        for (_, held) in view.scan_prefix(&keys::by_minutes(&old))? {
            let held = view.named(&held)?;
            let goes_on = !matches!(held.state, State::Returned | State::Recalled);
            if goes_on && !in_scope.contains(&held.unit) {
                found.push(held);
            }
        }
        Ok(found)
    }

    /// An act of the service itself on a delivery.
    fn system(
        &self,
        view: &Overlay<'_>,
        name: &DeliveryName,
        delivery: &Delivery,
        act: Act,
        context: &Context<'_>,
    ) -> Result<Event> {
        let (event, _) = self.acted(view, name, delivery, act, ("", true), context)?;
        event.ok_or_else(|| Fault::new(Reason::StateForbids).with("state", "REPEAT").with("act", "SYSTEM"))
    }

    /// An act on a delivery: its event, unless nothing changes, and the entry.
    fn acted(
        &self,
        view: &Overlay<'_>,
        name: &DeliveryName,
        delivery: &Delivery,
        act: Act,
        (unit, is_system): (&str, bool),
        context: &Context<'_>,
    ) -> Result<(Option<Event>, Entry)> {
        let day = self.today(context.now);
        let recipients = view.acting_for(&name.organ, &delivery.unit, day)?;
        if let Act::Redirect { channel, .. } = &act {
            self.check_redirect(view, name, delivery, *channel)?;
        }
        let address = view.address(&name.organ, &delivery.unit)?;
        let key = if address.key.is_empty() { None } else { PublicKey::parse(&address.key).ok() };
        let known = jiyao_deliveries::Context {
            actor: context.principal,
            unit,
            recipients: &recipients,
            is_system,
            now: context.now,
            key: key.as_ref(),
        };
        let entry = delivery.decide(act, &known)?;
        if entry.is_repeat {
            return Ok((None, entry));
        }
        let receipt = delivery.statement(&entry, key.as_ref()).map(|statement| self.key.sign(&statement));
        let names = match view.value(&keys::unit(&name.organ, &delivery.unit))? {
            Some(unit) => from_json::<Unit>(&unit)?.names().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let body = Acted {
            entry: entry.clone(),
            minutes: delivery.minutes.clone(),
            unit: delivery.unit.clone(),
            title: delivery.title.clone(),
            names,
            day,
        };
        let parts = receipt.map(String::into_bytes).into_iter().collect();
        Ok((Some(noted(DELIVERY_ACTED, name, delivery.version + 1, to_json(&body)?, parts)), entry))
    }

    fn check_redirect(
        &self,
        view: &Overlay<'_>,
        name: &DeliveryName,
        delivery: &Delivery,
        channel: Channel,
    ) -> Result<()> {
        let address = view.address(&name.organ, &delivery.unit)?;
        if !address.reaches(channel) {
            return Err(Fault::new(Reason::AddressMissing)
                .at("channel")
                .with("unit", &delivery.title)
                .with("channel", channel.as_str()));
        }
        let known = view.known(&Minutes::parse(&delivery.minutes, "minutes")?, "minutes")?;
        if channel != Channel::Paper && self.is_paper_only(&known) {
            return Err(Fault::new(Reason::ChannelForbidden)
                .at("channel")
                .with("channel", channel.as_str())
                .with("level", level_name(known.secrecy)));
        }
        Ok(())
    }

    fn act(
        &self,
        view: &Overlay<'_>,
        name: &DeliveryName,
        (etag, unit, is_system): (u64, &str, bool),
        act: Act,
        context: &Context<'_>,
    ) -> Result<(Vec<Event>, Vec<u8>)> {
        let delivery = view.delivery(name, "name")?;
        check_etag(etag, delivery.version)?;
        let (event, _) = self.acted(view, name, &delivery, act, (unit, is_system), context)?;
        Ok((event.into_iter().collect(), answer(name)))
    }

    fn add(
        &self,
        view: &Overlay<'_>,
        name: &Minutes,
        (unit, approved_by): (&str, &str),
        context: &mut Context<'_>,
    ) -> Result<(Vec<Event>, Vec<u8>)> {
        let known = view.known(name, "minutes")?;
        let scope = view.scope(name)?;
        let scope = scope.ok_or_else(|| Fault::new(Reason::ScopeNotFrozen).with("minutes", name))?;
        if !known.is_in_force() {
            return Err(Fault::new(Reason::NotIssued).with("minutes", name));
        }
        // One more comes behind those of the scope, which must be there.
        let made = view.number(&keys::count_made(name))?;
        if made < scope.targets {
            return Err(Fault::new(Reason::StateForbids)
                .with("state", "NOT_DELIVERED")
                .with("act", "ADD_RECIPIENT"));
        }
        let found = view.unit(&name.organ, unit, "unit")?;
        if view.value(&keys::by_unit(name, unit))?.is_some() {
            return Err(Fault::invalid("unit", unit));
        }
        let index = made;
        let target = Target { unit: unit.to_owned(), title: found.called().to_owned(), via: String::new() };
        let (mut delivery, recalled) = self.made(view, (name, &known, &scope), (index, target), context)?;
        delivery.approved_by = approved_by.to_owned();
        let made = delivery.name.clone();
        let body = to_json(&(index + 1))?;
        let mut events = vec![noted(DELIVERIES_MADE, name, 2, body, vec![to_json(&delivery)?])];
        events.extend(recalled);
        Ok((events, answer(&made)))
    }
}

fn level_name(level: Option<Level>) -> &'static str {
    match level {
        None => "",
        Some(Level::Secret) => "SECRET",
        Some(Level::Confidential) => "CONFIDENTIAL",
        Some(Level::TopSecret) => "TOP_SECRET",
    }
}

impl Domain for DistributionDomain {
    type Command = Command;
    const PROJECTION: u32 = 4;

    fn decide(&self, view: &Overlay<'_>, command: &Command, context: &mut Context<'_>) -> Result<Decided> {
        let (events, answer) = match command {
            Command::Know { lists, known, source } => {
                if !is_new(view, RECORDS, source)? {
                    return Ok(Decided::default());
                }
                let create_time = Some(jiyao_wire::timestamp(context.now.as_millisecond()));
                let lists =
                    lists.iter().map(|list| DistributionList { create_time, ..list.clone() }).collect();
                let stated = event(LISTS_STATED, 1, &ListsStated { lists, source: Some(source.clone()) });
                (vec![from_source(MINUTES_KNOWN, to_json(known)?, RECORDS, source), stated], Vec::new())
            }
            Command::Units { changes, source } => {
                if !is_new(view, ATTENDANCE, source)? {
                    return Ok(Decided::default());
                }
                let changes: Vec<_> = changes
                    .iter()
                    .map(|(organ, version, units)| (organ.to_string(), version, units))
                    .collect();
                (vec![from_source(UNITS_KNOWN, to_json(&changes)?, ATTENDANCE, source)], Vec::new())
            }
            Command::Freeze(freeze) => self.freeze(view, freeze, context.now)?,
            Command::Dispatch { minutes } => {
                let known = view.known(minutes, "minutes")?;
                if view.scope(minutes)?.is_none() {
                    return Err(Fault::new(Reason::ScopeNotFrozen).with("minutes", minutes));
                }
                if !known.is_in_force() {
                    return Err(Fault::new(Reason::NotIssued).with("minutes", minutes));
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
            Command::Make { minutes } => self.make(view, minutes, context)?,
            Command::Publish { minutes, text } => {
                check_content(view, minutes)?;
                let known = view.known(minutes, "minutes")?;
                if !view.task(minutes)?.publish || known.is_void {
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
            Command::Act { delivery, etag, unit, is_system, act } => {
                self.act(view, delivery, (*etag, unit, *is_system), (**act).clone(), context)?
            }
            Command::Failed { delivery, attempt, why, is_final } => {
                let before = view.delivery(delivery, "name")?.earlier_attempts;
                let made = attempt.saturating_sub(before).saturating_sub(1) as usize;
                let pause = self.pauses.get(made).filter(|_| !is_final);
                let retry = pause.and_then(|pause| context.now.checked_add(*pause).ok());
                let act = Act::Fail { attempt: *attempt, why: why.clone(), retry };
                self.act(view, delivery, (0, "", true), act, context)?
            }
            Command::Add { minutes, unit, approved_by, reason } => {
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
            CONTENT_TAKEN => {
                let sha256 = String::from_utf8(body).map_err(Fault::internal)?;
                view.put(
                    keys::content(&Minutes::parse(&of, "of")?, &sha256),
                    sequence.to_be_bytes().to_vec(),
                );
            }
            SCOPE_FROZEN => {
                let name = Minutes::parse(&of, "of")?;
                let scope: Scope = from_json(&body)?;
                let targets = parts.iter().map(|part| from_json(part)).collect::<Result<Vec<Target>>>()?;
                view.put(keys::frozen(&name, &scope.hash), to_json(&(&scope, &targets))?);
                show_scope(view, &name, &scope, &targets)?;
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
                let DistributionList { name, minutes, revision, meeting_date, create_time, .. } =
                    std::mem::take(list);
                *list = DistributionList {
                    name,
                    minutes,
                    revision,
                    meeting_date,
                    create_time,
                    ..DistributionList::default()
                };
            }
            return Ok(Some(vec![event(LISTS_STATED, 1, &ListsStated { lists, source })]));
        }
        let noted = known_event(of)?;
        let left = match of.r#type.as_str() {
            MINUTES_KNOWN => {
                let mut known = from_json::<Vec<(Known, Move)>>(&noted.body)?;
                if !known.iter().any(|(known, _)| is_one(&known.minutes)) {
                    return Ok(None);
                }
                for (known, _) in known.iter_mut().filter(|(known, _)| is_one(&known.minutes)) {
                    known.passages.clear();
                }
                Noted { body: to_json(&known)?, ..noted }
            }
            CONTENT_TAKEN | PUBLISHED if is_one(&noted.of) => Noted { parts: Vec::new(), ..noted },
            _ => return Ok(None),
        };
        Ok(Some(vec![event(&of.r#type, 1, &left)]))
    }
}

/// The body of an event that is known here.
fn known_event(event: &Event) -> Result<Noted> {
    if event.version == 1 && KINDS.contains(&event.r#type.as_str()) {
        return decode_event(event);
    }
    Err(Fault::internal(format!("event {} version {} is not known", event.r#type, event.version)))
}

fn show_lists(view: &mut Overlay<'_>, event: &Event) -> Result<()> {
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

fn show_units(view: &mut Overlay<'_>, changes: Vec<(String, u64, Vec<Unit>)>) -> Result<()> {
    for (organ, version, units) in changes {
        let organ = Organ::parse(&organ, "organ")?;
        for unit in units {
            if let Some(before) = view.get(&keys::unit(&organ, &unit.id))? {
                for name in from_json::<Unit>(&before)?.names() {
                    view.remove([keys::called(&organ, name), unit.id.clone().into_bytes()].concat());
                }
            }
            for name in unit.names() {
                view.put([keys::called(&organ, name), unit.id.clone().into_bytes()].concat(), Vec::new());
            }
            view.put(keys::unit(&organ, &unit.id), to_json(&unit)?);
        }
        view.put(keys::directory_version(&organ), version.to_be_bytes().to_vec());
    }
    Ok(())
}

fn show_known(view: &mut Overlay<'_>, known: &Known, moved: Move) -> Result<()> {
    let name = Minutes::parse(&known.minutes, "minutes")?;
    let mut task = view.task(&name)?;
    if moved == Move::Issued && view.number(&keys::count_made(&name))? == 0 {
        // Whatever was frozen since: those get it whom it was issued to.
        if let Some((scope, targets)) = view.frozen(&name, &known.frozen)? {
            show_scope(view, &name, &scope, &targets)?;
        }
        if view.scope(&name)?.is_some() {
            task.deliver.get_or_insert(0);
        }
    }
    task.publish |= moved == Move::Published;
    if known.is_void {
        task = Task::default();
    }
    show_task(view, &name, task)?;
    view.put(keys::known(&name), to_json(known)?);
    // What is void or no longer open is no longer public.
    if known.is_void {
        let Some(entry) = view.get(&keys::published_at(&name))? else { return Ok(()) };
        for place in keys::published_places(&name, &from_json::<PublicEntry>(&entry)?.published) {
            view.remove(place);
        }
        view.remove(keys::published_at(&name));
    }
    Ok(())
}

/// Shows a scope as the one that goes.
fn show_scope(view: &mut Overlay<'_>, name: &Minutes, scope: &Scope, targets: &[Target]) -> Result<()> {
    for (key, _) in view.scan_prefix(&keys::targets(name))? {
        view.remove(key);
    }
    for (index, target) in (0..).zip(targets) {
        view.put(keys::target(name, index), to_json(target)?);
    }
    view.put(keys::scope(name), to_json(scope)?);
    Ok(())
}

/// What was erased does not come in again.
fn check_content(view: &Overlay<'_>, minutes: &Minutes) -> Result<()> {
    if view.is_erased(&minutes.to_string())? {
        return Err(Fault::new(Reason::MinutesErased).with("minutes", minutes));
    }
    Ok(())
}

fn show_task(view: &mut Overlay<'_>, name: &Minutes, task: Task) -> Result<()> {
    if task.is_done() {
        view.remove(keys::task(name));
    } else {
        view.put(keys::task(name), to_json(&task)?);
    }
    Ok(())
}

fn show_made(
    view: &mut Overlay<'_>,
    name: &Minutes,
    end: u64,
    until: u32,
    parts: Vec<Vec<u8>>,
) -> Result<()> {
    for part in parts {
        let delivery: Delivery = from_json(&part)?;
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
        let task = Task { deliver, ..view.task(name)? };
        show_task(view, name, task)?;
    }
    Ok(())
}

/// Keeps a delivery and its places in the lists.
fn show_delivery(
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
