//! Follow-through: what is decided about matters, and where their state shows it.
//!
//! Counters of the board are kept by the things that do not change with the day: row and state, and for open matters
//! the due day. Lights are made of them when they are read.

use std::collections::BTreeMap;

use jiyao_calendar::{Date, Holidays, civil_date};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Context, Decided, Overlay, check_etag, event, from_json, to_json};
use jiyao_matters::{
    Act, Actor, Class, Entry, FindingCode, Matter, MeasureList, Milestone, Next, Pick, Row, Rules, Source,
    State,
};
use jiyao_minutes::{Life, Verdict};
use jiyao_names::{Matter as Name, Minutes, Organ};
use jiyao_proto::records::v1 as api;
use jiyao_proto::stored::v1 as stored;
use prost::Message as _;

use crate::documents::{View as _, kept};
use crate::intake::unless_refused;
use crate::keys;
use crate::series::Taken;

pub(crate) const MATTER_ESTABLISHED: &str = "matter.established";
pub(crate) const MATTER_ACTED: &str = "matter.acted";
pub(crate) const MATTER_LISTED: &str = "matter.listed";
pub(crate) const RULES_SET: &str = "follow_up_rules.set";

/// What can be asked about matters.
pub(crate) enum FollowUp {
    /// Matters of the decisions of issued minutes.
    Pick(AskPick),
    /// A matter by hand.
    Create(Box<ByHand>),
    /// Something is done with a matter.
    Act { matter: Name, etag: u64, unit: String, act: Box<Act> },
    /// A version of a list.
    List { matter: Name, etag: u64, unit: String, rows: Vec<Row>, is_final: bool },
    /// Rules of an organ.
    Rules { organ: Organ, rules: Box<Rules> },
}

/// Decisions that one command looks at, at most: it holds up all others.
const ITEMS_AT_ONCE: usize = 500;

/// Place of a decision: position of its item in the minutes, and in that item, both from 0.
pub(crate) type Place = (u32, u32);

/// Which decisions matters are made of.
pub(crate) struct AskPick {
    pub(crate) minutes: Minutes,
    /// The paragraph of each.
    pub(crate) paragraphs: BTreeMap<Place, String>,
    /// The first that is looked at.
    pub(crate) from: Place,
}

/// The parts that new matters of minutes have in common.
struct Origin {
    minutes: Minutes,
    year: u16,
    /// The last number that was given out.
    last: u32,
    decided: Option<Date>,
    issued: Option<Date>,
}

/// A matter that a person makes of a paragraph.
pub(crate) struct ByHand {
    pub(crate) minutes: Minutes,
    pub(crate) item: u32,
    pub(crate) text: String,
    pub(crate) content: String,
    pub(crate) lead: String,
    pub(crate) helpers: Vec<String>,
    pub(crate) leader: String,
    pub(crate) contact: String,
    pub(crate) due: Date,
    pub(crate) milestones: Vec<Milestone>,
    pub(crate) raised_by: String,
    pub(crate) next: Next,
}

/// What is decided on besides the state.
pub(crate) struct Desk<'d> {
    pub(crate) view: &'d Overlay<'d>,
    pub(crate) holidays: &'d Holidays,
}

impl Desk<'_> {
    pub(crate) fn decide(&self, command: &FollowUp, context: &mut Context<'_>) -> Result<Decided> {
        match command {
            FollowUp::Pick(ask) => self.pick(ask, context),
            FollowUp::Create(by_hand) => self.create(by_hand, context),
            FollowUp::Act { matter, etag, unit, act } => self.act(matter, *etag, unit, act, context),
            FollowUp::List { matter, etag, unit, rows, is_final } => {
                self.list(matter, *etag, unit, rows, *is_final)
            }
            FollowUp::Rules { organ, rules } => self.set_rules(organ, rules),
        }
    }

    /// When a unit signed for minutes.
    fn signed_for(&self, minutes: &Minutes, unit: &str) -> Result<Option<Date>> {
        let kept = self.view.get(&keys::signed_for(minutes, unit))?;
        Ok(kept.and_then(|day| String::from_utf8(day).ok()).and_then(|day| jiyao_calendar::parse_iso(&day)))
    }

    /// Minutes that matters may be made of.
    fn issued(&self, name: &Minutes) -> Result<(api::Minutes, Life)> {
        let minutes = self.view.document(name, "minutes")?.minutes.unwrap_or_default();
        let life = self.view.life(name, &minutes)?;
        if life.stage.is_issued() && life.voided.is_none() && life.revoked.is_none() {
            return Ok((minutes, life));
        }
        Err(Fault::new(Reason::NotIssued).at("minutes").with("minutes", name))
    }

    /// The parts that new matters of minutes have in common.
    fn origin_of(&self, minutes: &api::Minutes, life: &Life, context: &Context<'_>) -> Result<Origin> {
        let of = Minutes::parse(&minutes.name, "minutes")?;
        let organ = self.view.organ(&of.organ, "minutes")?;
        let year = civil_date(context.now, &organ.time_zone).year();
        let last = self.view.last_number(&of.organ, &series_of(year))?;
        let facts = minutes.facts.as_ref();
        let date = |fact: Option<&api::Fact>| fact.and_then(|fact| jiyao_calendar::parse_iso(&fact.value));
        let decided =
            facts.and_then(|facts| facts.meeting.as_ref()).and_then(|meeting| meeting.date.as_ref());
        let printed =
            facts.and_then(|facts| facts.printed.as_ref()).and_then(|printed| printed.date.as_ref());
        let issued = life.issued.or(date(printed));
        Ok(Origin {
            decided: date(decided),
            minutes: of,
            year: u16::try_from(year).unwrap_or(0),
            last,
            issued,
        })
    }

    /// A new matter, with the next number of its organ's year.
    fn establish(
        &self,
        of: &mut Origin,
        source: Source,
        pick: Pick,
        context: &mut Context<'_>,
    ) -> Result<Matter> {
        of.last += 1;
        let number =
            jiyao_docnum::DocumentNumber { series: "督".to_owned(), year: of.year, number: of.last };
        let name = Name { organ: of.minutes.organ.clone(), id: context.new_id() };
        let lead = pick.lead;
        Ok(Matter {
            name: name.to_string(),
            number: number.to_string(),
            source,
            content: pick.content,
            lead: lead.clone(),
            helpers: pick.helpers,
            next: pick.next,
            to_revise: pick.to_revise,
            due: pick.due,
            original_due: pick.due,
            printed_due: pick.printed_due,
            effective: pick.effective,
            decided: of.decided,
            issued: of.issued,
            established: context.now,
            received: self.signed_for(&of.minutes, &lead)?,
            ..Matter::default()
        })
    }

    /// One matter for each decision that has none and one unit that leads; the others are named with the reason. Of many
    /// decisions so many as one command takes, from a place on.
    fn pick(&self, ask: &AskPick, context: &mut Context<'_>) -> Result<Decided> {
        let name = &ask.minutes;
        let (minutes, life) = self.issued(name)?;
        let mut of = self.origin_of(&minutes, &life, context)?;
        let revision = minutes.revision;
        let facts = jiyao_wire::facts_from(&minutes.facts.unwrap_or_default());
        let mut answer = api::PickMattersResponse::default();
        let mut events = Vec::new();
        let all = (0..).zip(&facts.items).flat_map(|(item_index, item)| {
            (0..).zip(&item.decisions).map(move |(index, decision)| ((item_index, index), item, decision))
        });
        let behind = all.skip_while(|(place, ..)| *place < ask.from);
        for (looked, (place, item, decision)) in behind.enumerate() {
            let (item_index, index) = place;
            if looked == ITEMS_AT_ONCE {
                answer.next_page_token = format!("{item_index}/{index}");
                break;
            }
            if !self.view.scan_prefix(&keys::by_decision(name, item_index, Some(index)))?.is_empty() {
                continue;
            }
            let text = ask.paragraphs.get(&place).cloned().unwrap_or_default();
            let left_out = |code: FindingCode| api::LeftOut {
                item_index,
                decision_index: index,
                code: code.as_str().to_owned(),
            };
            let pick = match jiyao_matters::pick(decision, &text, of.decided, self.holidays) {
                Ok(pick) => pick,
                Err(code) => {
                    answer.left_out.push(left_out(code));
                    continue;
                }
            };
            if Verdict::of(&decision.outcome.value) == Verdict::InPrinciple && decision.next_step.is_none() {
                answer.left_out.push(left_out(FindingCode::NextMissing));
            }
            let source = Source {
                minutes: name.to_string(),
                revision,
                item: item_index,
                decision: Some(index),
                item_number: item.no.as_ref().map(|no| no.value.to_string()).unwrap_or_default(),
                verdict: decision.outcome.value.to_string(),
                text,
            };
            let matter = self.establish(&mut of, source, pick, context)?;
            answer.matters.push(stub(&matter));
            events.push(established(&matter)?);
        }
        Ok(Decided { events, answer: answer.encode_to_vec() })
    }

    fn create(&self, by_hand: &ByHand, context: &mut Context<'_>) -> Result<Decided> {
        let (minutes, life) = self.issued(&by_hand.minutes)?;
        let facts = minutes.facts.clone().unwrap_or_default();
        let item = facts.items.get(by_hand.item as usize);
        let item = item.ok_or_else(|| Fault::invalid("item_index", by_hand.item))?;
        let source = Source {
            minutes: minutes.name.clone(),
            revision: minutes.revision,
            item: by_hand.item,
            decision: None,
            item_number: item.number.as_ref().map(|number| number.value.clone()).unwrap_or_default(),
            verdict: String::new(),
            text: by_hand.text.clone(),
        };
        let pick = Pick {
            content: by_hand.content.clone(),
            lead: by_hand.lead.clone(),
            helpers: by_hand.helpers.clone(),
            next: by_hand.next.clone(),
            to_revise: false,
            due: Some(by_hand.due),
            printed_due: String::new(),
            effective: None,
        };
        let mut of = self.origin_of(&minutes, &life, context)?;
        let mut matter = self.establish(&mut of, source, pick, context)?;
        if let Some(decided) = matter.decided.filter(|decided| by_hand.due < *decided) {
            return Err(Fault::invalid("due", by_hand.due).with("meeting_date", decided));
        }
        matter.class = if by_hand.milestones.is_empty() { Class::Immediate } else { Class::Staged };
        matter.milestones.clone_from(&by_hand.milestones);
        matter.leader.clone_from(&by_hand.leader);
        matter.contact.clone_from(&by_hand.contact);
        matter.raised_by.clone_from(&by_hand.raised_by);
        let answer = stub(&matter).encode_to_vec();
        Ok(Decided { events: vec![established(&matter)?], answer })
    }

    /// What follows of itself: the matter after an act, and the event; no event where the state does not take it.
    pub(crate) fn of_itself(
        &self,
        name: &Name,
        mut matter: Matter,
        act: &Act,
        context: &Context<'_>,
    ) -> Result<(Matter, Option<stored::Event>)> {
        let house = self.house(&name.organ, context)?;
        let Some(entry) = unless_refused(self.entry(&house, &matter, "", act, context))? else {
            return Ok((matter, None));
        };
        let event = acted(name, matter.version + 1, &entry)?;
        matter.apply(entry);
        Ok((matter, Some(event)))
    }

    /// Rules of an organ, and its day.
    fn house(&self, organ: &Organ, context: &Context<'_>) -> Result<(Rules, Date)> {
        let zone = self.view.organ(organ, "name")?.time_zone;
        Ok((self.view.rules(organ)?, civil_date(context.now, &zone)))
    }

    fn entry(
        &self,
        (rules, today): &(Rules, Date),
        matter: &Matter,
        unit: &str,
        act: &Act,
        context: &Context<'_>,
    ) -> Result<Entry> {
        let actor = Actor { name: context.principal.to_owned(), unit: unit.to_owned() };
        let known = jiyao_matters::Context {
            actor: &actor,
            now: context.now,
            today: *today,
            rules,
            holidays: self.holidays,
        };
        matter.decide(act.clone(), &known)
    }

    fn act(
        &self,
        name: &Name,
        etag: u64,
        unit: &str,
        act: &Act,
        context: &mut Context<'_>,
    ) -> Result<Decided> {
        let mut matter = self.view.matter(name, "name")?;
        check_etag(etag, matter.version)?;
        let house = self.house(&name.organ, context)?;
        let mut entry = self.entry(&house, &matter, unit, act, context)?;
        if let Act::StrikeOff { evidence, .. } = &entry.act {
            for file in evidence {
                let others =
                    self.view.get(&keys::by_evidence(&name.organ, &file.sha256))?.unwrap_or_default();
                let others = String::from_utf8(others).map_err(Fault::internal)?;
                entry
                    .same_evidence
                    .extend(others.lines().filter(|other| *other != matter.name).map(str::to_owned));
            }
            entry.same_evidence.sort();
            entry.same_evidence.dedup();
        }
        let version = matter.version + 1;
        let happened = acted(name, version, &entry)?;
        matter.apply(entry);
        let (rules, today) = house;
        let is_lead_known = self.view.may_be_unit(&name.organ, &matter.lead)?;
        let told = jiyao_wire::matter_to(&matter, &rules, today, self.holidays, is_lead_known);
        context.tell(told.encode_to_vec());
        let answer = api::Matter {
            summary: Some(api::MatterSummary { name: name.to_string(), ..Default::default() }),
            version,
            ..api::Matter::default()
        };
        Ok(Decided { events: vec![happened], answer: answer.encode_to_vec() })
    }

    fn list(&self, name: &Name, etag: u64, unit: &str, rows: &[Row], is_final: bool) -> Result<Decided> {
        let matter = self.view.matter(name, "matter")?;
        if !matter.is_of(unit) {
            return Err(Fault::new(Reason::UnitForeign).with("unit", unit).with("lead", matter.lead));
        }
        let known = self.view.measures(name)?;
        check_etag(etag, known.version)?;
        let list = known.next(rows.to_vec(), is_final)?;
        let body = stored::MatterListed { matter: name.to_string(), list: to_json(&list)? };
        Ok(Decided {
            events: vec![event(MATTER_LISTED, 1, &body)],
            answer: jiyao_wire::list_to(&list).encode_to_vec(),
        })
    }

    fn set_rules(&self, organ: &Organ, rules: &Rules) -> Result<Decided> {
        self.view.organ(organ, "organ")?;
        let body = stored::FollowUpRulesSet { organ: organ.to_string(), rules: to_json(rules)? };
        Ok(Decided { events: vec![event(RULES_SET, 1, &body)], answer: Vec::new() })
    }
}

fn acted(name: &Name, version: u64, entry: &Entry) -> Result<stored::Event> {
    let body = stored::MatterActed { matter: name.to_string(), entry: to_json(entry)?, version };
    Ok(event(MATTER_ACTED, 1, &body))
}

fn series_of(year: i16) -> String {
    format!("matters/{year}")
}

/// The answer that the journal keeps: which matter. What it holds is read from the state.
fn stub(matter: &Matter) -> api::Matter {
    let summary = api::MatterSummary { name: matter.name.clone(), ..Default::default() };
    api::Matter { summary: Some(summary), ..api::Matter::default() }
}

fn established(matter: &Matter) -> Result<stored::Event> {
    Ok(event(MATTER_ESTABLISHED, 1, &stored::MatterEstablished { matter: to_json(matter)? }))
}

/// Shows a new matter.
pub(crate) fn show_new(view: &mut Overlay<'_>, matter: &Matter) -> Result<()> {
    let name = Name::parse(&matter.name, "matter")?;
    let number = jiyao_docnum::DocumentNumber::parse(&matter.number);
    let number = number.ok_or_else(|| Fault::internal(format!("{} is no number", matter.number)))?;
    let series = series_of(i16::try_from(number.year).map_err(Fault::internal)?);
    Taken::up_to(number.number).keep(view, &name.organ, &series);
    show(view, &name, Shown::default(), matter)
}

/// Shows a matter as an act leaves it.
pub(crate) fn show_acted(view: &mut Overlay<'_>, acted: &stored::MatterActed) -> Result<()> {
    let name = Name::parse(&acted.matter, "matter")?;
    let mut matter = view.matter(&name, "matter")?;
    let before = Shown::of(&name, &matter)?;
    matter.apply(from_json(&acted.entry)?);
    let used = matter.evidence.iter().filter(|_| matter.state == State::StruckOff);
    for file in used {
        let key = keys::by_evidence(&name.organ, &file.sha256);
        let mut names = view.get(&key)?.unwrap_or_default();
        if !names.split(|byte| *byte == b'\n').any(|known| known == matter.name.as_bytes()) {
            names.extend(matter.name.as_bytes());
            names.push(b'\n');
            view.put(key, names);
        }
    }
    show(view, &name, before, &matter)
}

/// Shows a version of a list.
pub(crate) fn show_list(view: &mut Overlay<'_>, listed: &stored::MatterListed) -> Result<()> {
    let name = Name::parse(&listed.matter, "matter")?;
    let list: MeasureList = from_json(&listed.list)?;
    view.put(keys::measures(&name, list.version), listed.list.clone());
    view.put(keys::measures(&name, u64::MAX), listed.list.clone());
    let matter = view.matter(&name, "matter")?;
    show_unanswered(view, &name, &matter)
}

/// Shows an organ's rules.
pub(crate) fn show_rules(view: &mut Overlay<'_>, set: &stored::FollowUpRulesSet) -> Result<()> {
    let organ = Organ::parse(&set.organ, "organ")?;
    view.put(keys::rules(&organ), set.rules.clone());
    Ok(())
}

/// Where a matter shows besides its own place.
#[derive(Default)]
struct Shown {
    lists: Vec<Vec<u8>>,
    counted: Vec<Vec<u8>>,
    may_wait: bool,
}

impl Shown {
    fn of(name: &Name, matter: &Matter) -> Result<Self> {
        let minutes = Minutes::parse(&matter.source.minutes, "minutes")?;
        let due = matter.due.map(|due| due.to_string()).unwrap_or_default();
        let [of_all, of_unit] = keys::due_places(name, &matter.lead, matter.state.is_end(), &due);
        let in_text = keys::place_in_text(name, &minutes, matter.source.item, matter.source.decision);
        Ok(Self {
            lists: vec![of_all, of_unit, in_text],
            counted: counted(name, &minutes, matter),
            may_wait: may_wait(matter),
        })
    }
}

/// Puts a matter and all that shows it; `before`: where it showed, nowhere where it is new.
fn show(view: &mut Overlay<'_>, name: &Name, before: Shown, matter: &Matter) -> Result<()> {
    let (place, after) = (keys::matter(name), Shown::of(name, matter)?);
    for old in before.lists.iter().filter(|old| !after.lists.contains(old)) {
        view.remove(old.clone());
    }
    for new in after.lists.into_iter().filter(|new| !before.lists.contains(new)) {
        view.put(new, place.clone());
    }
    let mut changes: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    for key in before.counted {
        *changes.entry(key).or_default() -= 1;
    }
    for key in after.counted {
        *changes.entry(key).or_default() += 1;
    }
    for (key, change) in changes.into_iter().filter(|(_, change)| *change != 0) {
        let count =
            view.get(&key)?.map_or(0, |bytes| bytes.try_into().map_or(0, i64::from_be_bytes)) + change;
        if count == 0 { view.remove(key) } else { view.put(key, count.to_be_bytes().to_vec()) }
    }
    view.put(place, kept(matter)?);
    if before.may_wait || after.may_wait { show_unanswered(view, name, matter) } else { Ok(()) }
}

/// Whether somebody may wait for an answer.
fn may_wait(matter: &Matter) -> bool {
    matter.owes_answer() || matter.state.is_end()
}

/// Notes whether somebody who raised the matter, or a row of its list, waits for an answer.
fn show_unanswered(view: &mut Overlay<'_>, name: &Name, matter: &Matter) -> Result<()> {
    let place = keys::unanswered(name);
    let waits =
        matter.owes_answer() || (matter.state.is_end() && !view.measures(name)?.unanswered().is_empty());
    if waits {
        view.put(place, name.to_string().into_bytes());
    } else {
        view.remove(place);
    }
    Ok(())
}

/// Rows by unit and state, by meeting and state, by month and state; and open matters by day and unit.
pub(crate) const BY_UNIT: u8 = b'u';
pub(crate) const BY_MEETING: u8 = b'm';
pub(crate) const BY_MONTH: u8 = b't';
pub(crate) const BY_DAY: u8 = b'd';
/// Between the parts of a counter's key: no name has it.
pub(crate) const PART: u8 = 0;

/// The counters that a matter stands in.
fn counted(name: &Name, minutes: &Minutes, matter: &Matter) -> Vec<Vec<u8>> {
    let state = [matter.state as u8];
    let key = |kind: u8, parts: &[&[u8]]| {
        let mut key = keys::counts(&name.organ, kind);
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                key.push(PART);
            }
            key.extend_from_slice(part);
        }
        key
    };
    let inverted = |text: &str| text.bytes().map(|byte| 0xff - byte).collect::<Vec<u8>>();
    let decided = matter.decided.map_or_else(|| "0000-00-00".to_owned(), |day| day.to_string());
    let meeting = [inverted(&decided), minutes.id.as_bytes().to_vec()].concat();
    let month = inverted(&matter.established.to_string()[..7]);
    let mut keys = vec![
        key(BY_UNIT, &[matter.lead.as_bytes(), &state]),
        key(BY_MEETING, &[&meeting, &state]),
        key(BY_MONTH, &[&month, &state]),
    ];
    if !matter.state.is_end() && matter.state != State::Suspended {
        let due = matter.due.map_or_else(|| "9999-99-99".to_owned(), |day| day.to_string());
        keys.push(key(BY_DAY, &[due.as_bytes(), matter.lead.as_bytes()]));
    }
    keys
}
