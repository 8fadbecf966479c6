//! The life of minutes: what is decided about it, and where the state shows it.

use jiyao_calendar::{Date, civil_date, parse_iso};
use jiyao_docnum::DocumentNumber;
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Context, Decided, Overlay, check_etag, event, from_json, to_json};
use jiyao_minutes::{Act, Difference, DisclosureClass, Entry, Life, SignOff};
use jiyao_names::{Minutes, Organ};
use jiyao_proto::records::v1 as api;
use jiyao_proto::stored::v1 as stored;
use prost::Message as _;

use crate::documents::{View as _, no_content};
use crate::intake::unless_refused;
use crate::keys;
use crate::series::Taken;
use crate::sight;

pub(crate) const MINUTES_ACTED: &str = "minutes.acted";
pub(crate) const MINUTES_AMENDED: &str = "minutes.amended";
pub(crate) const SIGN_OFF_SET: &str = "sign_off.set";
pub(crate) const PROCEEDINGS_KEPT: &str = "proceedings.kept";

/// What can be asked about the life of minutes.
pub(crate) enum Step {
    /// Something is done with them.
    Act { minutes: Minutes, etag: u64, act: Box<Act> },
    /// New content of a draft.
    Amend(Box<Amend>),
    /// The record of discussion.
    Keep(Box<api::Proceedings>),
    /// Chains, posts and delegations of an organ.
    SignOff { organ: Organ, sign_off: Box<SignOff> },
}

/// A draft read again.
pub(crate) struct Amend {
    pub(crate) minutes: Minutes,
    /// The revision that was looked at; 0: the newest, whichever it is.
    pub(crate) etag: u64,
    pub(crate) formatting: bool,
    pub(crate) note: String,
    pub(crate) original: Vec<u8>,
    pub(crate) text: String,
    /// What the reading gave; name, revision, identity and time stay or are decided.
    pub(crate) read: api::Minutes,
    /// The revision, of formatting alone, that it was held against, and what differs.
    pub(crate) held: Option<(u64, Option<Difference>)>,
}

impl Amend {
    /// Refuses formatting that changes content of the revision that it must leave as it is.
    fn check_content(&self, must_stay: u64) -> Result<()> {
        let Some((revision, difference)) = self.held.as_ref().filter(|(of, _)| *of == must_stay) else {
            // Somebody signed or changed it meanwhile: it is to be held against that.
            return Err(Fault::new(Reason::EtagStale)
                .at("etag")
                .with("etag", self.etag)
                .with("newest", must_stay));
        };
        let Some(Difference { what, before, after }) = difference else { return Ok(()) };
        let short = |text: &str| text.chars().take(LONGEST_QUOTE).collect::<String>();
        Err(Fault::new(Reason::ContentChanged)
            .at("source")
            .with("what", what)
            .with("before", short(before))
            .with("after", short(after))
            .with("revision", revision))
    }
}

/// Characters of a difference that a refusal quotes.
const LONGEST_QUOTE: usize = 200;

/// What a deployment takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// State secrets.
    pub(crate) takes: bool,
    /// 绝密.
    pub(crate) top: bool,
    /// An issue needs recipients that distribution froze: it is followed.
    pub(crate) needs_scope: bool,
}

/// A date that the facts say.
pub(crate) fn said(fact: Option<&api::Fact>) -> Option<Date> {
    fact.and_then(|fact| parse_iso(&fact.value))
}

fn printed_number(minutes: &api::Minutes) -> Option<DocumentNumber> {
    let number = minutes.facts.as_ref()?.document_number.as_ref()?;
    DocumentNumber::parse(&number.value)
}

/// 公开属性 as the text prints it.
fn printed_class(minutes: &api::Minutes) -> Option<DisclosureClass> {
    DisclosureClass::of_note(&minutes.facts.as_ref()?.disclosure.as_ref()?.value)
}

pub(crate) fn number_series(series: &str, year: i16) -> String {
    format!("minutes/{series}/{year}")
}

/// One decision about a life: what it is decided against, gathered.
pub(crate) struct Case<'c> {
    view: &'c Overlay<'c>,
    name: &'c Minutes,
    minutes: api::Minutes,
    pub(crate) life: Life,
    today: Date,
}

impl<'c> Case<'c> {
    pub(crate) fn of(
        view: &'c Overlay<'c>,
        name: &'c Minutes,
        field: &str,
        context: &Context<'_>,
    ) -> Result<Self> {
        let minutes = view.document(name, field)?.minutes.unwrap_or_default();
        let life = view.life(name, &minutes)?;
        let zone = view.organ(&name.organ, field)?.time_zone;
        Ok(Self { view, name, minutes, life, today: civil_date(context.now, &zone) })
    }

    /// Refuses what needs what the minutes said, once it was erased: nothing of it comes in again.
    fn check_content(&self) -> Result<()> {
        if self.minutes.erase_time.is_some() { Err(no_content(self.name)) } else { Ok(()) }
    }

    pub(crate) fn decide(&self, act: Act, context: &Context<'_>, policy: Policy) -> Result<Entry> {
        let sign_off = self.view.sign_off_on(&self.name.organ, self.today)?;
        let facts = self.minutes.facts.clone().unwrap_or_default();
        let meeting = facts.meeting.unwrap_or_default();
        let kind = meeting.kind.map(|kind| kind.value).unwrap_or_default();
        let number = printed_number(&self.minutes).map(|number| number.to_string());
        let known = jiyao_minutes::Context {
            actor: context.principal,
            now: context.now,
            today: self.today,
            sign_off: &sign_off,
            meeting_kind: &kind,
            meeting_date: said(meeting.date.as_ref()),
            printed_date: said(facts.compiled.unwrap_or_default().date.as_ref()),
            printed_number: number.as_deref(),
            items: u32::try_from(facts.items.len()).unwrap_or(u32::MAX),
            takes_secrets: policy.takes,
            may_top_secret: policy.top,
            revision: self.minutes.revision,
            needs_scope: policy.needs_scope,
            printed_class: printed_class(&self.minutes),
        };
        self.life.decide(act, &known)
    }

    /// A registration with the number that it gets: the one that it had, or the next of its series.
    fn numbered(&self, act: Act) -> Result<Act> {
        let Act::Register { series, copies, scope, .. } = act else { return Ok(act) };
        let number = if self.life.number.is_empty() {
            let year = self.today.year();
            let number = self.view.last_number(&self.name.organ, &number_series(&series, year))? + 1;
            let year = u16::try_from(year).map_err(Fault::internal)?;
            DocumentNumber { series: series.clone(), year, number }.to_string()
        } else {
            self.life.number.clone()
        };
        Ok(Act::Register { series, number, copies, scope })
    }

    pub(crate) fn event(&self, entry: &Entry) -> Result<stored::Event> {
        let version = self.life.version + 1;
        let body = stored::MinutesActed { minutes: self.name.to_string(), entry: to_json(entry)?, version };
        Ok(event(MINUTES_ACTED, 1, &body))
    }
}

/// Marks the minutes that a correction takes the place of.
pub(crate) fn replace(
    view: &Overlay<'_>,
    old: &Minutes,
    by: &str,
    context: &Context<'_>,
    policy: Policy,
) -> Result<stored::Event> {
    let case = Case::of(view, old, "corrects", context)?;
    let entry = case.decide(Act::Replace { by: by.to_owned() }, context, policy)?;
    case.event(&entry)
}

/// Marks the minutes whose correction is void as in force again. None where another correction has taken the place of
/// this one; where what it corrected is void too, what that corrected is meant.
fn reinstate(case: &Case<'_>, context: &Context<'_>, policy: Policy) -> Result<Option<stored::Event>> {
    if !case.life.replaced_by.is_empty() {
        return Ok(None);
    }
    let (mut gone, mut corrects) = (case.minutes.name.clone(), case.minutes.corrects.clone());
    while !corrects.is_empty() {
        let old = Minutes::parse(&corrects, "corrects")?;
        let before = Case::of(case.view, &old, "corrects", context)?;
        if before.life.revoked.is_none() && before.life.voided.is_none() {
            let entry = unless_refused(before.decide(Act::Reinstate { was: gone }, context, policy))?;
            return entry.map(|entry| before.event(&entry)).transpose();
        }
        (gone, corrects) = (before.minutes.name.clone(), before.minutes.corrects.clone());
    }
    Ok(None)
}

pub(crate) fn decide(
    view: &Overlay<'_>,
    step: &Step,
    context: &mut Context<'_>,
    policy: Policy,
) -> Result<Decided> {
    match step {
        Step::Act { minutes, etag, act } => {
            let case = Case::of(view, minutes, "name", context)?;
            check_etag(*etag, case.life.version)?;
            if act.needs_content() {
                case.check_content()?;
            }
            let entry = case.decide(case.numbered((**act).clone())?, context, policy)?;
            let mut events = vec![case.event(&entry)?];
            if entry.act == Act::Issue && !case.minutes.corrects.is_empty() {
                let old = Minutes::parse(&case.minutes.corrects, "corrects")?;
                events.push(replace(view, &old, &case.minutes.name, context, policy)?);
            }
            if matches!(entry.act, Act::Revoke { .. } | Act::Void { .. }) && !case.minutes.corrects.is_empty()
            {
                events.extend(reinstate(&case, context, policy)?);
            }
            let answer = api::Minutes { name: minutes.to_string(), ..api::Minutes::default() };
            Ok(Decided { events, answer: answer.encode_to_vec() })
        }
        Step::Amend(amend) => {
            let case = Case::of(view, &amend.minutes, "name", context)?;
            let newest = case.minutes.revision;
            check_etag(amend.etag, newest)?;
            case.check_content()?;
            let act = Act::Amend {
                formatting: amend.formatting,
                from_revision: newest,
                to_revision: newest + 1,
                note: amend.note.clone(),
            };
            let entry = case.decide(act, context, policy)?;
            if amend.formatting {
                amend.check_content(formatted_revision(&case.life, &case.minutes))?;
            }
            let minutes = api::Minutes {
                name: case.minutes.name.clone(),
                revision: newest + 1,
                standing: case.minutes.standing,
                identity: case.minutes.identity.clone(),
                rendition_of: case.minutes.rendition_of.clone(),
                corrects: case.minutes.corrects.clone(),
                create_time: case.minutes.create_time,
                importer: case.minutes.importer,
                ..amend.read.clone()
            };
            let answer =
                api::Minutes { name: minutes.name.clone(), revision: minutes.revision, ..Default::default() };
            let body = stored::MinutesAmended {
                minutes: Some(minutes),
                original: amend.original.clone(),
                text: amend.text.clone(),
                entry: to_json(&entry)?,
            };
            Ok(Decided { events: vec![event(MINUTES_AMENDED, 1, &body)], answer: answer.encode_to_vec() })
        }
        Step::Keep(proceedings) => {
            let name = Minutes::parse(&proceedings.minutes, "minutes")?;
            let case = Case::of(view, &name, "minutes", context)?;
            case.check_content()?;
            let items = case.minutes.facts.unwrap_or_default().items.len();
            let outside = |dissent: &&api::Dissent| dissent.item_index as usize >= items;
            if let Some(dissent) = proceedings.dissents.iter().find(outside) {
                return Err(Fault::invalid("dissents.item_index", dissent.item_index));
            }
            let known = view.get(&keys::proceedings(&name))?.unwrap_or_default();
            let known = api::Proceedings::decode(known.as_slice()).map_err(Fault::internal)?;
            let kept = api::Proceedings {
                keeper: context.principal.to_owned(),
                version: known.version + 1,
                ..(**proceedings).clone()
            };
            let answer = api::RecordProceedingsResponse { version: kept.version, position: None };
            let body = stored::ProceedingsKept { proceedings: Some(kept) };
            Ok(Decided { events: vec![event(PROCEEDINGS_KEPT, 1, &body)], answer: answer.encode_to_vec() })
        }
        Step::SignOff { organ, sign_off } => {
            view.organ(organ, "organ")?;
            let body = stored::SignOffSet { organ: organ.to_string(), sign_off: to_json(&**sign_off)? };
            Ok(Decided { events: vec![event(SIGN_OFF_SET, 1, &body)], answer: Vec::new() })
        }
    }
}

/// The revision that formatting must leave as it is: the one that was signed, else the newest.
pub(crate) fn formatted_revision(life: &Life, minutes: &api::Minutes) -> u64 {
    life.signed_revision.unwrap_or(minutes.revision)
}

/// Shows an act on minutes.
pub(crate) fn show_acted(view: &mut Overlay<'_>, name: &str, entry: &[u8]) -> Result<()> {
    let name = Minutes::parse(name, "minutes")?;
    let minutes = view.document(&name, "minutes")?.minutes.unwrap_or_default();
    let mut life = view.life(&name, &minutes)?;
    let entry: Entry = from_json(entry)?;
    if let Act::Register { number, .. } = &entry.act {
        let identity = keys::by_identity(&name.organ, &format!("number:{number}"));
        view.put(identity, name.to_string().into_bytes());
        if let Some(number) = DocumentNumber::parse(number) {
            count_up(view, &name, &number)?;
        }
    }
    let has_level = life.secrecy.is_some();
    // A number that was registered here is used up; one that somebody typed is not.
    let is_void_import = matches!(entry.act, Act::Void { .. })
        && life.number.is_empty()
        && minutes.standing == i32::from(api::Standing::IssuedElsewhere);
    life.apply(entry);
    if is_void_import && let Some(number) = printed_number(&minutes) {
        count_down(view, &name, &number)?;
    }
    if has_level != life.secrecy.is_some() {
        sight::show(view, &name, &life);
    }
    view.put(keys::life(&name), to_json(&life)?);
    crate::domain::put_summary(view, &name, None, &minutes, &life);
    Ok(())
}

fn series_of(number: &DocumentNumber) -> String {
    number_series(&number.series, i16::try_from(number.year).unwrap_or(0))
}

/// A number is taken: its series goes on above it.
fn count_up(view: &mut Overlay<'_>, name: &Minutes, number: &DocumentNumber) -> Result<()> {
    let (organ, series) = (&name.organ, series_of(number));
    let mut taken = Taken::of(view, organ, &series)?;
    taken.add(number.number);
    taken.keep(view, organ, &series);
    Ok(())
}

/// The number of minutes that should never have been recorded counts no more.
fn count_down(view: &mut Overlay<'_>, name: &Minutes, number: &DocumentNumber) -> Result<()> {
    let (organ, series) = (&name.organ, series_of(number));
    let mut taken = Taken::of(view, organ, &series)?;
    taken.remove(number.number);
    taken.keep(view, organ, &series);
    Ok(())
}

/// The number that imported minutes no longer have, once it was set right, counts no more.
pub(crate) fn uncount_imported(view: &mut Overlay<'_>, name: &Minutes, before: &api::Minutes) -> Result<()> {
    let life = view.life(name, before)?;
    if !counts(before, &life) {
        return Ok(());
    }
    printed_number(before).map_or(Ok(()), |number| count_down(view, name, &number))
}

/// Whether the number that minutes came in with counts: once they were withdrawn it may be others'.
fn counts(minutes: &api::Minutes, life: &Life) -> bool {
    minutes.standing == i32::from(api::Standing::IssuedElsewhere) && life.voided.is_none()
}

/// The number that minutes came in with counts too: the system goes on above it.
pub(crate) fn count_imported(
    view: &mut Overlay<'_>,
    name: &Minutes,
    minutes: &api::Minutes,
    life: &Life,
) -> Result<()> {
    if !counts(minutes, life) {
        return Ok(());
    }
    printed_number(minutes).map_or(Ok(()), |number| count_up(view, name, &number))
}

pub(crate) fn show_proceedings(view: &mut Overlay<'_>, kept: stored::ProceedingsKept) -> Result<()> {
    let proceedings = kept.proceedings.unwrap_or_default();
    let name = Minutes::parse(&proceedings.minutes, "minutes")?;
    view.put(keys::proceedings(&name), proceedings.encode_to_vec());
    Ok(())
}

pub(crate) fn show_sign_off(view: &mut Overlay<'_>, set: &stored::SignOffSet) -> Result<()> {
    view.put(keys::sign_off(&Organ::parse(&set.organ, "organ")?), set.sign_off.clone());
    Ok(())
}
