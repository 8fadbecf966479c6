//! What records decides, and what its state shows.

use std::io;
use std::sync::{Arc, LazyLock};

use jiyao_calendar::Holidays;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_journal::Attachments;
use jiyao_ledger::{
    Context, Decided, Domain, Erasing, Overlay, check_etag, decode_event, event, from_json, unknown_event,
};
use jiyao_minutes::{Identity, Life};
use jiyao_names::{Minutes, Organ};
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{MatterChanged, MinutesMoved, MinutesRecorded, OrganCreated};
use jiyao_proto::records::v1 as api;
use jiyao_proto::stored::v1::{self as stored, Event};
use jiyao_serve::{document_of, put_listed};
use jiyao_wire::Mask;
use prost::Message as _;
use prost::bytes::Bytes;
use prost_types::FieldMask;

use crate::documents::{View as _, life_at_first, no_content, no_minutes};
use crate::erasure;
use crate::follow_up::{self, Desk, FollowUp, MATTER_ACTED, MATTER_ESTABLISHED, MATTER_LISTED, RULES_SET};
use crate::intake::{self, Followed, HOLDERS_KNOWN, RECUSALS_KNOWN, SOURCE_FOLLOWED, UNITS_KNOWN};
use crate::keys;
use crate::life::{self, MINUTES_ACTED, MINUTES_AMENDED, PROCEEDINGS_KEPT, Policy, SIGN_OFF_SET, Step};
use crate::settling::settle;

const ORGAN_CREATED: &str = "organ.created";
const ORGAN_UPDATED: &str = "organ.updated";
pub(crate) const MINUTES_IMPORTED: &str = "minutes.imported";
pub(crate) const MINUTES_SETTLED: &str = "minutes.settled";
/// Facts, doubts and repairs together: more comes of no real minutes, and would not fit an answer.
const READING_LIMIT: usize = 2 << 20;

pub(crate) struct RecordsDomain {
    /// Working days.
    pub(crate) holidays: Arc<Holidays>,
    /// What this deployment takes.
    pub(crate) policy: Policy,
    /// Files that were sent ahead of an import.
    pub(crate) uploads: Attachments,
}

pub(crate) enum Command {
    CreateOrgan { id: Option<Organ>, organ: api::Organ },
    UpdateOrgan { name: Organ, etag: u64, organ: api::Organ },
    Import(Box<Import>),
    Settle(Settle),
    FollowUp(FollowUp),
    Step(Step),
    Followed(Followed),
}

/// What a person decided of minutes; revision, time, principal and the value before are decided here.
pub(crate) struct Settle {
    pub(crate) minutes: Minutes,
    /// The revision that was looked at; 0: any.
    pub(crate) etag: u64,
    pub(crate) settlement: api::Settlement,
}

/// Minutes read and ready to be recorded.
pub(crate) struct Import {
    pub(crate) organ: Organ,
    pub(crate) original: Vec<u8>,
    /// The text taken out of the original; empty where it is the original.
    pub(crate) text: String,
    pub(crate) digest: [u8; 32],
    pub(crate) identity: Identity,
    pub(crate) standing: api::Standing,
    /// All that the reading gave, encoded; name, revision and time are decided.
    pub(crate) minutes: Vec<u8>,
    pub(crate) rendition_of: Option<Minutes>,
    pub(crate) corrects: Option<Minutes>,
}

impl Domain for RecordsDomain {
    type Command = Command;
    const PROJECTION: u32 = 11;

    fn decide(&self, view: &Overlay<'_>, command: &Command, context: &mut Context<'_>) -> Result<Decided> {
        match command {
            Command::CreateOrgan { id, organ } => create_organ(view, id.as_ref(), organ, context),
            Command::UpdateOrgan { name, etag, organ } => update_organ(view, name, *etag, organ),
            Command::Import(import) => record(view, import, context, self.policy),
            Command::Step(step) => life::decide(view, step, context, self.policy),
            Command::Settle(command) => settled(view, command, context),
            Command::Followed(command) => {
                let desk = Desk { view, holidays: &self.holidays };
                intake::decide(view, &desk, command, context, self.policy)
            }
            Command::FollowUp(command) => Desk { view, holidays: &self.holidays }.decide(command, context),
        }
    }

    fn apply(&self, view: &mut Overlay<'_>, event: &Event, sequence: u64) -> Result<()> {
        match (event.r#type.as_str(), event.version) {
            (ORGAN_CREATED, 1) => {
                show_organ(view, &decode_event::<stored::OrganCreated>(event)?.organ.unwrap_or_default())
            }
            (ORGAN_UPDATED, 1) => {
                let organ = decode_event::<stored::OrganUpdated>(event)?.organ.unwrap_or_default();
                let before = view.organ(&Organ::parse(&organ.name, "organ.name")?, "organ.name")?;
                for called in names_of(&before) {
                    view.remove(keys::called(called));
                }
                show_organ(view, &organ)
            }
            (MINUTES_IMPORTED, 1) => {
                show(view, decode_event::<stored::EncodedMinutesImported>(event)?.minutes, sequence)
            }
            (MINUTES_SETTLED, 1) => {
                let stored::MinutesSettled { minutes, settlement, .. } = decode_event(event)?;
                let name = Minutes::parse(&minutes, "minutes")?;
                let before = view.document(&name, "minutes")?;
                let mut minutes = before.minutes.clone().unwrap_or_default();
                let mut settlement = settlement.unwrap_or_default();
                // Of erased minutes the register's facts stay corrected.
                if minutes.erase_time.is_some() && settlement.path.is_empty() {
                    minutes.revision = settlement.revision;
                } else {
                    settle(&mut minutes, &mut settlement)?;
                }
                let old = before.minutes.as_ref().map_or(0, |minutes| minutes.revision);
                view.put(keys::revision(&name, old), before.encode_to_vec());
                life::uncount_imported(view, &name, &before.minutes.clone().unwrap_or_default())?;
                show(view, minutes.encode_to_vec().into(), before.original_sequence)
            }
            (MINUTES_ACTED, 1) => {
                let body = decode_event::<stored::MinutesActed>(event)?;
                life::show_acted(view, &body.minutes, &body.entry)
            }
            (MINUTES_AMENDED, 1) => {
                let body = decode_event::<stored::MinutesAmended>(event)?;
                let minutes = body.minutes.unwrap_or_default();
                let name = Minutes::parse(&minutes.name, "minutes")?;
                let before = view.document(&name, "minutes")?;
                let old = before.minutes.clone().unwrap_or_default();
                view.put(keys::revision(&name, old.revision), before.encode_to_vec());
                // Bytes that are no longer its content may come in again.
                if let Ok(digest) = old.digest.as_slice().try_into() {
                    view.remove(keys::by_digest(&name.organ, digest));
                }
                show(view, minutes.encode_to_vec().into(), sequence)?;
                life::show_acted(view, &name.to_string(), &body.entry)
            }
            (SOURCE_FOLLOWED, 1) => intake::show(view, &decode_event(event)?),
            (RECUSALS_KNOWN, 1) => intake::show_recusals(view, &decode_event(event)?),
            (UNITS_KNOWN, 1) => intake::show_units(view, &decode_event(event)?),
            (HOLDERS_KNOWN, 1) => intake::show_holders(view, decode_event(event)?),
            (SIGN_OFF_SET, 1) => life::show_sign_off(view, &decode_event(event)?),
            (PROCEEDINGS_KEPT, 1) => life::show_proceedings(view, decode_event(event)?),
            (MATTER_ESTABLISHED, 1) => {
                let body = decode_event::<stored::MatterEstablished>(event)?;
                follow_up::show_new(view, &from_json(&body.matter)?)
            }
            (MATTER_ACTED, 1) => follow_up::show_acted(view, &decode_event(event)?),
            (MATTER_LISTED, 1) => follow_up::show_list(view, &decode_event(event)?),
            (RULES_SET, 1) => follow_up::show_rules(view, &decode_event(event)?),
            _ => Err(unknown_event(event)),
        }
    }

    fn public(&self, event: &Event) -> Result<Vec<Kind>> {
        match (event.r#type.as_str(), event.version) {
            (ORGAN_CREATED, 1) => {
                let organ = decode_event::<stored::OrganCreated>(event)?.organ.unwrap_or_default().name;
                Ok(vec![Kind::OrganCreated(OrganCreated { organ })])
            }
            (MINUTES_IMPORTED | MINUTES_AMENDED, 1) => {
                let of = decode_event::<stored::MinutesAnnounced>(event)?.minutes.unwrap_or_default();
                let stored::MinutesIdentity { name: minutes, revision, digest } = of;
                Ok(vec![Kind::MinutesRecorded(MinutesRecorded { minutes, revision, digest })])
            }
            (MINUTES_SETTLED, 1) => {
                let stored::MinutesSettled { minutes, settlement, digest } = decode_event(event)?;
                let revision = settlement.unwrap_or_default().revision;
                Ok(vec![Kind::MinutesRecorded(MinutesRecorded { minutes, revision, digest })])
            }
            (MATTER_ESTABLISHED, 1) => {
                let body = decode_event::<stored::MatterEstablished>(event)?;
                let matter: jiyao_matters::Matter = from_json(&body.matter)?;
                Ok(vec![Kind::MatterChanged(MatterChanged { matter: matter.name, version: 0 })])
            }
            (MATTER_ACTED, 1) => {
                let stored::MatterActed { matter, version, .. } = decode_event(event)?;
                Ok(vec![Kind::MatterChanged(MatterChanged { matter, version })])
            }
            (MINUTES_ACTED, 1) => {
                let stored::MinutesActed { minutes, entry, version } = decode_event(event)?;
                let entry: jiyao_minutes::Entry = from_json(&entry)?;
                let act = entry.act.name().to_owned();
                Ok(vec![Kind::MinutesMoved(MinutesMoved { minutes, act, version })])
            }
            (
                ORGAN_UPDATED | MATTER_LISTED | RULES_SET | SIGN_OFF_SET | PROCEEDINGS_KEPT | SOURCE_FOLLOWED
                | RECUSALS_KNOWN | HOLDERS_KNOWN | UNITS_KNOWN,
                1,
            ) => Ok(Vec::new()),
            _ => Err(unknown_event(event)),
        }
    }

    fn may_erase(&self, view: &Overlay<'_>, minutes: &str) -> Result<()> {
        let name = Minutes::parse(minutes, "minutes")?;
        let minutes = view.document(&name, "minutes")?.minutes.unwrap_or_default();
        if minutes.erase_time.is_some() { Err(no_content(&name)) } else { Ok(()) }
    }

    fn erased(&self, event: &Event, erasing: &mut Erasing) -> Result<Option<Vec<Event>>> {
        erasure::remains(event, erasing)
    }

    fn sweep(&self, erasing: &Erasing) -> io::Result<()> {
        erasing.digests.iter().try_for_each(|digest| self.uploads.remove(digest))
    }
}

fn create_organ(
    view: &Overlay<'_>,
    id: Option<&Organ>,
    organ: &api::Organ,
    context: &mut Context<'_>,
) -> Result<Decided> {
    let name = id.cloned().unwrap_or_else(|| Organ::from_uuid(context.new_id()));
    if view.get(&keys::organ(&name))?.is_some() {
        return Err(Fault::new(Reason::OrganExists).with("existing", &name).at("organ_id"));
    }
    check_names(view, &name, organ)?;
    let created = api::Organ {
        name: name.to_string(),
        create_time: Some(jiyao_wire::timestamp(context.now.as_millisecond())),
        version: 1,
        ..organ.clone()
    };
    let answer = api::CreateOrganResponse { organ: Some(created.clone()), position: None };
    let happened = event(ORGAN_CREATED, 1, &stored::OrganCreated { organ: Some(created) });
    Ok(Decided { events: vec![happened], answer: answer.encode_to_vec() })
}

/// All names of an organ.
fn names_of(organ: &api::Organ) -> impl Iterator<Item = &String> {
    std::iter::once(&organ.display_name).chain(&organ.aliases)
}

/// Refuses names that another organ has.
fn check_names(view: &Overlay<'_>, name: &Organ, organ: &api::Organ) -> Result<()> {
    for (at, called) in names_of(organ).enumerate() {
        let taken = view.get(&keys::called(called))?;
        if let Some(taken) = taken.filter(|taken| *taken != name.to_string().into_bytes()) {
            let field = match at.checked_sub(1) {
                Some(alias) => format!("organ.aliases[{alias}]"),
                None => "organ.display_name".to_owned(),
            };
            let existing = String::from_utf8_lossy(&taken).into_owned();
            return Err(Fault::new(Reason::OrganExists).with("existing", existing).at(field));
        }
    }
    Ok(())
}

fn update_organ(view: &Overlay<'_>, name: &Organ, etag: u64, organ: &api::Organ) -> Result<Decided> {
    let before = view.organ(name, "name")?;
    check_etag(etag, before.version)?;
    check_names(view, name, organ)?;
    let version = before.version + 1;
    let updated = api::Organ { name: before.name, create_time: before.create_time, version, ..organ.clone() };
    let answer = api::UpdateOrganResponse { organ: Some(updated.clone()), position: None };
    let happened = event(ORGAN_UPDATED, 1, &stored::OrganUpdated { organ: Some(updated) });
    Ok(Decided { events: vec![happened], answer: answer.encode_to_vec() })
}

fn show_organ(view: &mut Overlay<'_>, organ: &api::Organ) -> Result<()> {
    let name = Organ::parse(&organ.name, "organ.name")?;
    for called in names_of(organ) {
        view.put(keys::called(called), name.to_string().into_bytes());
    }
    view.put(keys::organ(&name), organ.encode_to_vec());
    Ok(())
}

/// The revision that an import makes.
const FIRST: u64 = 1;

/// The answer to an import: which minutes, and the revision that it made, 0 where it made none. What they hold is read
/// from the state, so the journal has it once.
fn imported(name: String, revision: u64) -> Vec<u8> {
    let minutes = Some(api::Minutes { name, revision, ..api::Minutes::default() });
    let already_recorded = revision == 0;
    api::ImportMinutesResponse { minutes, already_recorded, position: None }.encode_to_vec()
}

fn record(view: &Overlay<'_>, import: &Import, context: &mut Context<'_>, policy: Policy) -> Result<Decided> {
    let organ = &import.organ;
    view.organ(organ, "parent")?;
    if let Some(name) = view.get(&keys::by_digest(organ, &import.digest))? {
        let name = String::from_utf8(name).map_err(Fault::internal)?;
        return Ok(Decided { events: Vec::new(), answer: imported(name, 0) });
    }
    let identity = import.identity.to_string();
    let related = [(&import.rendition_of, "rendition_of"), (&import.corrects, "corrects")];
    let mut is_related = false;
    for (other, field) in related {
        let Some(other) = other else { continue };
        if other.organ != *organ {
            return Err(no_minutes(other, field));
        }
        if view.document(other, field)?.minutes.unwrap_or_default().identity != identity {
            return Err(Fault::invalid(field, other));
        }
        is_related = true;
    }
    if let Some(existing) = view.get(&keys::by_identity(organ, &identity))?.filter(|_| !is_related) {
        let existing = String::from_utf8(existing).map_err(Fault::internal)?;
        let document = view.document(&Minutes::parse(&existing, "existing")?, "existing")?;
        let existing_digest = document.minutes.unwrap_or_default().digest;
        return Err(Fault::new(Reason::IdentityTaken)
            .at("source")
            .with("existing", existing)
            .with("identity", &identity)
            .with("digest", jiyao_names::hex(&import.digest))
            .with("existing_digest", jiyao_names::hex(&existing_digest)));
    }
    let name = Minutes { organ: organ.clone(), id: context.new_id() };
    let decided = api::Minutes {
        name: name.to_string(),
        revision: FIRST,
        identity,
        create_time: Some(jiyao_wire::timestamp(context.now.as_millisecond())),
        importer: context.principal.to_owned(),
        ..api::Minutes::default()
    };
    // Encoded messages in a row are one message with the fields of both.
    let minutes = [import.minutes.as_slice(), &decided.encode_to_vec()].concat();
    if minutes.len() > READING_LIMIT {
        return Err(jiyao_extract::too_large(READING_LIMIT, "source"));
    }
    let is_issued = import.standing == api::Standing::IssuedElsewhere;
    let body = stored::EncodedMinutesImported {
        minutes: minutes.into(),
        original: import.original.clone(),
        text: import.text.clone(),
    };
    let mut events = vec![event(MINUTES_IMPORTED, 1, &body)];
    // A correction that was issued elsewhere takes the other's place at once, a draft when it is issued.
    if let Some(old) = import.corrects.as_ref().filter(|_| is_issued) {
        events.push(life::replace(view, old, &name.to_string(), context, policy)?);
    }
    Ok(Decided { events, answer: imported(name.to_string(), FIRST) })
}

fn settled(view: &Overlay<'_>, command: &Settle, context: &mut Context<'_>) -> Result<Decided> {
    let mut minutes = view.document(&command.minutes, "name")?.minutes.unwrap_or_default();
    check_etag(command.etag, minutes.revision)?;
    if minutes.erase_time.is_some() {
        return Err(no_content(&command.minutes));
    }
    let mut settlement = api::Settlement {
        principal: context.principal.to_owned(),
        time: Some(jiyao_wire::timestamp(context.now.as_millisecond())),
        revision: minutes.revision + 1,
        ..command.settlement.clone()
    };
    settle(&mut minutes, &mut settlement)?;
    let (name, digest) = (minutes.name.clone(), minutes.digest);
    let body = stored::MinutesSettled { minutes: name, settlement: Some(settlement), digest };
    // Whoever repeats the call reads this revision, whatever came after it.
    let answer = api::Minutes { name: minutes.name, revision: minutes.revision, ..api::Minutes::default() };
    Ok(Decided { events: vec![event(MINUTES_SETTLED, 1, &body)], answer: answer.encode_to_vec() })
}

/// What lists and indexes are made of: the rolls, most of minutes, are not.
static OUTLINE: LazyLock<Mask> = LazyLock::new(|| {
    let paths = [
        "name",
        "standing",
        "identity",
        "digest",
        "doubts",
        "facts.issuer",
        "facts.document_number",
        "facts.meeting",
        "facts.items",
    ];
    let mask = FieldMask { paths: paths.map(str::to_owned).to_vec() };
    // Should a field ever be renamed, the outline is all there is.
    Mask::of(Some(&mask), ".jiyao.records.v1.Minutes").unwrap_or_default()
});

fn show(view: &mut Overlay<'_>, encoded: Bytes, sequence: u64) -> Result<()> {
    let minutes = api::Minutes::decode(&OUTLINE.keep(&encoded)?[..]).map_err(Fault::internal)?;
    let name = Minutes::parse(&minutes.name, "minutes.name")?;
    let digest: [u8; 32] = minutes.digest.as_slice().try_into().map_err(Fault::internal)?;
    let before = view.get(&document_of(&name))?;
    let before = before
        .map(|found| stored::MinutesDocument::decode(found.as_slice()))
        .transpose()
        .map_err(Fault::internal)?;
    let before = before.and_then(|before| before.minutes).map(|minutes| meeting_date(&minutes));
    // What has come in just now has no life yet.
    let life = if before.is_some() {
        view.life(&name, &minutes)?
    } else {
        life_at_first(minutes.standing, &minutes.importer)
    };
    put_summary(view, &name, before.as_deref(), &minutes, &life);
    view.put(keys::by_digest(&name.organ, &digest), minutes.name.clone().into_bytes());
    life::count_imported(view, &name, &minutes, &life)?;
    // The first of an identity keeps it: renditions and corrections point to it.
    let identity = keys::by_identity(&name.organ, &minutes.identity);
    if view.get(&identity)?.is_none() {
        view.put(identity, minutes.name.into_bytes());
    }
    let document = stored::EncodedDocument { minutes: encoded, original_sequence: sequence };
    view.put(document_of(&name), document.encode_to_vec());
    Ok(())
}

/// The meeting's day as read; empty where there is none.
fn meeting_date(minutes: &api::Minutes) -> String {
    let meeting = minutes.facts.as_ref().and_then(|facts| facts.meeting.as_ref());
    let date = meeting.and_then(|meeting| meeting.date.as_ref());
    date.map(|date| date.value.clone()).unwrap_or_default()
}

/// Lists minutes by their meeting's day, and where an earlier revision had another, there no more.
pub(crate) fn put_summary(
    view: &mut Overlay<'_>,
    name: &Minutes,
    before: Option<&str>,
    minutes: &api::Minutes,
    life: &Life,
) {
    let summary = summary(minutes, life);
    put_listed(view, name, before, &summary.meeting_date, &summary.encode_to_vec());
}

fn summary(minutes: &api::Minutes, life: &Life) -> api::MinutesSummary {
    let (no_facts, no_meeting) = (api::Facts::default(), api::Meeting::default());
    let facts = minutes.facts.as_ref().unwrap_or(&no_facts);
    let meeting = facts.meeting.as_ref().unwrap_or(&no_meeting);
    let value = |fact: &Option<api::Fact>| fact.as_ref().map(|fact| fact.value.clone()).unwrap_or_default();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    api::MinutesSummary {
        name: minutes.name.clone(),
        issuer: value(&facts.issuer),
        // The number that was given here stands before one that the text prints.
        document_number: match life.number.as_str() {
            "" => value(&facts.document_number),
            given => given.to_owned(),
        },
        stage: jiyao_wire::stage_to(life.stage).into(),
        meeting_kind: value(&meeting.kind),
        ordinal: value(&meeting.ordinal).parse().unwrap_or(0),
        meeting_date: value(&meeting.date),
        decisions: count(facts.items.iter().map(|item| item.decisions.len()).sum()),
        items: count(facts.items.len()),
        doubts: count(minutes.doubts.len()),
        standing: minutes.standing,
    }
}
