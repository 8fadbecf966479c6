//! Follow-through over gRPC.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use jiyao_calendar::{Clock as _, Date, Holidays, SystemClock, civil_date};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Committed, Ledger, Reading, from_json};
use jiyao_matters::{Matter, Milestone, Next, Rules, State, bulletin};
use jiyao_names::{Matter as Name, Minutes, Organ, Scope};
use jiyao_proto::journal::v1::Cursor;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::records::v1::{self as api, get_board_request::By};
use jiyao_proto::server::records::v1::matters_service_server::MattersService;
use jiyao_serve::{
    Answers, Asked, Caller, Late, Page, Principal, cursor_from, cursor_to, list_of, page_size, service,
    wait_for,
};
use jiyao_wire::{Asks, check_count, light_up, required_date};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::api::Api;
use crate::board::board;
use crate::documents::{View as _, no_matter, no_minutes};
use crate::domain::{Command, RecordsDomain};
use crate::follow_up::{AskPick, ByHand, FollowUp, Place};
use crate::keys;
use crate::pages::Pages;
use crate::sight::{self, MatterSight};

/// Most matters of each kind that a check of closure names.
const MOST_FOUND: usize = 200;

#[derive(Clone)]
pub(crate) struct MattersApi {
    records: Api,
    ledger: Late<Ledger<RecordsDomain>>,
    holidays: Arc<Holidays>,
    boards: Pages<api::GetBoardResponse>,
    stop: CancellationToken,
}

/// Most boards that are kept: of 2,500 units some 500 KB each.
const MOST_BOARDS: usize = 16;
/// Days begin with a quarter of an hour in every time zone.
const QUARTER: i64 = 900;

/// What a read needs to know of an organ.
pub(crate) struct House {
    pub(crate) rules: Rules,
    pub(crate) today: Date,
}

pub(crate) fn house(view: &Reading<'_>, organ: &Organ, as_of: &str) -> Result<House> {
    let zone = view.organ(organ, "parent")?.time_zone;
    let today = jiyao_wire::date_from(as_of, "as_of")?;
    let today = today.unwrap_or_else(|| civil_date(SystemClock.now(), &zone));
    Ok(House { rules: view.rules(organ)?, today })
}

/// A matter that a list points to, in short and lit.
fn listed(view: &Reading<'_>, place: &[u8], house: &House) -> Result<api::MatterSummary> {
    let mut summary = view.pointed_to(place)?;
    light_up(&mut summary, &house.rules, house.today);
    Ok(summary)
}

/// Those of a list, lit.
pub(crate) fn summaries(view: &Reading<'_>, prefix: &[u8], house: &House) -> Result<Vec<api::MatterSummary>> {
    view.scan(prefix, &[]).map(|pair| listed(view, &pair?.1, house)).collect()
}

fn trimmed(value: &str) -> String {
    value.trim().to_owned()
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// For each decision the words of its paragraph: from its verdict to the end of the last sentence that a fact of it
/// stands in.
fn paragraphs(minutes: &api::Minutes, text: &str) -> BTreeMap<Place, String> {
    let facts = jiyao_wire::facts_from(&minutes.facts.clone().unwrap_or_default());
    let mut found = BTreeMap::new();
    for (item_index, item) in (0..).zip(&facts.items) {
        for (index, decision) in (0..).zip(&item.decisions) {
            let one = [&decision.next_step, &decision.next_body, &decision.effective_date];
            let many =
                [&decision.subjects, &decision.lead_units, &decision.support_units, &decision.deadlines];
            let facts = std::iter::once(&decision.outcome)
                .chain(one.into_iter().flatten())
                .chain(many.into_iter().flatten());
            let spans: Vec<_> = facts.flat_map(|fact| &fact.spans).collect();
            let start = decision.outcome.spans.first().map_or(0, |span| span.start as usize);
            let end = spans.iter().map(|span| span.end as usize).max().unwrap_or(start);
            let rest = text.get(end..).unwrap_or_default();
            let stop = rest.find(['。', '\n']).map_or(text.len(), |at| end + at);
            let stop = stop
                + text.get(stop..).and_then(|rest| rest.strip_prefix('。')).map_or(0, |_| '。'.len_utf8());
            let words = without_blanks(text.get(start..stop).unwrap_or_default());
            found.insert((item_index, index), words);
        }
    }
    found
}

/// The place that a page token of decisions names; the first for an empty one.
fn place_of(place: &[u8]) -> Result<Place> {
    if place.is_empty() {
        return Ok((0, 0));
    }
    let place = std::str::from_utf8(place).unwrap_or_default();
    let place =
        place.split_once('/').and_then(|(item, index)| Some((item.parse().ok()?, index.parse().ok()?)));
    place.ok_or_else(|| Fault::new(Reason::PageTokenInvalid).at("page_token"))
}

impl MattersApi {
    pub(crate) fn new(records: Api, holidays: Arc<Holidays>, stop: CancellationToken) -> Self {
        let boards = Pages::new(MOST_BOARDS);
        Self { ledger: records.ledger.clone(), records, holidays, boards, stop }
    }

    /// The matters that an answer of the journal names, as its record left them.
    async fn made(&self, answers: &[Vec<u8>], committed: &Committed) -> Result<Vec<api::Matter>> {
        let read = |view: &Reading<'_>| {
            let made = |answer: &Vec<u8>| {
                let stub = api::Matter::decode(answer.as_slice()).map_err(Fault::internal)?;
                let name = Name::parse(&stub.summary.unwrap_or_default().name, "name")?;
                self.shown(view, &name, &view.matter(&name, "name")?, "")
            };
            answers.iter().map(made).collect()
        };
        self.ledger.read_at(committed, read).await
    }

    /// A matter, to show to somebody.
    fn matter(&self, name: &Name, as_of: &str, seen_by: &Principal) -> Result<(api::Matter, u64)> {
        self.ledger.get()?.read(|view| {
            let matter = view.matter(name, "name")?;
            sight::check_matter(view, seen_by, (name, &matter), "name")?;
            self.shown(view, name, &matter, as_of)
        })
    }

    fn shown(&self, view: &Reading<'_>, name: &Name, matter: &Matter, as_of: &str) -> Result<api::Matter> {
        let house = house(view, &name.organ, as_of)?;
        let is_lead_known = view.may_be_unit(&name.organ, &matter.lead)?;
        Ok(jiyao_wire::matter_to(matter, &house.rules, house.today, &self.holidays, is_lead_known))
    }

    /// Refuses a matter that somebody may not see, as if it were not there.
    fn check_seen(&self, caller: &Caller, name: &Name, field: &str) -> Result<()> {
        let principal = &caller.principal;
        if sight::sees_all_matters(principal) {
            return Ok(());
        }
        let read = |view: &Reading<'_>| {
            sight::check_matter(view, principal, (name, &view.matter(name, field)?), field)
        };
        self.ledger.get()?.read(read).map(drop)
    }

    async fn act<R: Asks<Act = jiyao_matters::Act>>(
        &self,
        caller: Caller,
        mut request: R,
    ) -> Result<(api::Matter, Cursor)> {
        let asked = Asked::of(&mut request)?;
        let (name, etag) = request.about();
        let matter = Name::parse(name, "name")?;
        self.check_seen(&caller, &matter, "name")?;
        let (unit, act) = (caller.principal.unit.clone(), Box::new(request.act()?));
        let command = FollowUp::Act { matter, etag, unit, act };
        let committed = self.ledger.submit(&caller, asked, Command::FollowUp(command)).await?;
        let matter = match &committed.told {
            Some(told) => api::Matter::decode(told.as_slice()).map_err(Fault::internal)?,
            None => {
                let made = self.made(std::slice::from_ref(&committed.answer), &committed).await?;
                made.into_iter().next().unwrap_or_default()
            }
        };
        Ok((matter, cursor_to(&committed.cursor)))
    }

    /// Text and facts of minutes that somebody may see.
    async fn text(&self, caller: &Caller, name: &Minutes) -> Result<(api::Minutes, String)> {
        let (document, _) = self.ledger.get()?.read(|view| {
            sight::check(view, &caller.principal, name, "minutes")?;
            view.document(name, "minutes")
        })?;
        let minutes = document.minutes.unwrap_or_default();
        let text = self.records.text_of(name, minutes.revision).await?;
        Ok((minutes, text))
    }

    async fn get_matter(
        &self,
        caller: Caller,
        request: api::GetMatterRequest,
    ) -> Result<api::GetMatterResponse> {
        let name = Name::parse(&request.name, "name")?;
        wait_for(self.ledger.get()?, None, request.read_after.as_ref()).await?;
        let (matter, sequence) = self.matter(&name, &request.as_of, &caller.principal)?;
        Ok(api::GetMatterResponse { matter: Some(matter), sequence })
    }

    async fn get_follow_up_rules(
        &self,
        _: Caller,
        request: api::GetFollowUpRulesRequest,
    ) -> Result<api::GetFollowUpRulesResponse> {
        let organ = Organ::parse(&request.organ, "organ")?;
        let (house, _) = self.ledger.get()?.read(|view| house(view, &organ, ""))?;
        Ok(api::GetFollowUpRulesResponse { rules: Some(jiyao_wire::rules_to(&house.rules)) })
    }

    async fn pick_matters(
        &self,
        caller: Caller,
        mut request: api::PickMattersRequest,
    ) -> Result<api::PickMattersResponse> {
        let name = Minutes::parse(&request.minutes, "minutes")?;
        let asked = Asked::of(&mut request)?;
        let (minutes, text) = self.text(&caller, &name).await?;
        let paragraphs = tokio::task::spawn_blocking(move || paragraphs(&minutes, &text))
            .await
            .map_err(Fault::internal)?;
        let query = caller.query(&["PickMatters", &name.to_string()])?;
        let from = place_of(&query.after(&request.page_token)?)?;
        let command = FollowUp::Pick(AskPick { minutes: name, paragraphs, from });
        let committed = self.ledger.submit(&caller, asked, Command::FollowUp(command)).await?;
        let mut response =
            api::PickMattersResponse::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        let stubs: Vec<Vec<u8>> = response.matters.iter().map(prost::Message::encode_to_vec).collect();
        response.matters = self.made(&stubs, &committed).await?;
        let next = Some(response.next_page_token).filter(|next| !next.is_empty());
        response.next_page_token = query.token(next)?;
        response.position = Some(cursor_to(&committed.cursor));
        Ok(response)
    }

    async fn create_matter(
        &self,
        caller: Caller,
        mut request: api::CreateMatterRequest,
    ) -> Result<api::CreateMatterResponse> {
        let name = Minutes::parse(&request.minutes, "minutes")?;
        let asked = Asked::of(&mut request)?;
        let lead = trimmed(&request.lead);
        if lead.contains(['、', '，', ',', '；', ';']) {
            return Err(Fault::invalid("lead", lead));
        }
        check_count(&request.helpers, "helpers")?;
        check_count(&request.milestones, "milestones")?;
        let due = required_date(&request.due, "due")?;
        let milestone = |(at, milestone): (usize, &api::Milestone)| {
            Ok(Milestone {
                what: trimmed(&milestone.what),
                due: required_date(&milestone.due, &format!("milestones[{at}].due"))?,
                reached: None,
            })
        };
        let next = match api::NextAct::try_from(request.next_act) {
            Ok(api::NextAct::Unspecified | api::NextAct::Carry) => Next::Carry,
            Ok(api::NextAct::Issue) => Next::Issue,
            Ok(api::NextAct::Submit) if request.next_body.trim().is_empty() => {
                return Err(Fault::required("next_body"));
            }
            Ok(api::NextAct::Submit) => Next::Submit { body: trimmed(&request.next_body) },
            Err(_) => return Err(Fault::invalid("next_act", request.next_act)),
        };
        let by_hand = ByHand {
            minutes: name.clone(),
            item: request.item_index,
            text: trimmed(&request.text),
            content: trimmed(&request.content),
            lead,
            helpers: request.helpers.clone(),
            leader: request.leader.clone(),
            contact: request.contact.clone(),
            due,
            milestones: request.milestones.iter().enumerate().map(milestone).collect::<Result<_>>()?,
            raised_by: request.raised_by.clone(),
            next,
        };
        let (_, text) = self.text(&caller, &name).await?;
        let words = by_hand.text.clone();
        let contains = move || without_blanks(&text).contains(&without_blanks(&words));
        if !tokio::task::spawn_blocking(contains).await.map_err(Fault::internal)? {
            return Err(Fault::invalid("text", &by_hand.text));
        }
        let command = FollowUp::Create(Box::new(by_hand));
        let committed = self.ledger.submit(&caller, asked, Command::FollowUp(command)).await?;
        let made = self.made(std::slice::from_ref(&committed.answer), &committed).await?;
        let matter = made.into_iter().next();
        Ok(api::CreateMatterResponse { matter, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn list_matters(
        &self,
        caller: Caller,
        request: api::ListMattersRequest,
    ) -> Result<api::ListMattersResponse> {
        let size = page_size(request.page_size)?;
        let flags = format!("{}{}", request.state, request.overdue);
        let query = caller.query(&["ListMatters", &request.parent, &request.lead, &flags, &request.as_of])?;
        let after = query.after(&request.page_token)?;
        wait_for(self.ledger.get()?, None, request.read_after.as_ref()).await?;
        let read = move |view: &Reading<'_>| {
            let sight = MatterSight::of(view, &caller.principal)?;
            let (organ, minutes) = parent(view, &request.parent, &sight)?;
            let lead = Some(request.lead.as_str()).filter(|lead| !lead.is_empty());
            let of_minutes = minutes.is_some();
            let prefix = minutes.map_or_else(|| keys::by_due(&organ, lead), |name| keys::by_minutes(&name));
            let house = house(view, &organ, &request.as_of)?;
            let today = house.today.to_string();
            let row = |pair: Result<(Vec<u8>, Vec<u8>)>| {
                let (key, place) = pair?;
                let summary = listed(view, &place, &house)?;
                let is_end = jiyao_wire::state_from(summary.state).is_some_and(State::is_end);
                let is_late = !is_end && !summary.due.is_empty() && summary.due < today;
                Ok((key, (summary, is_late)))
            };
            // The list of an organ is in the order of the days: behind one that is not overdue there is none.
            let goes_on = |row: &Result<(_, (_, bool))>| {
                !request.overdue || of_minutes || row.as_ref().map_or(true, |(_, (_, is_late))| *is_late)
            };
            let take = |(summary, is_late): (api::MatterSummary, bool)| {
                let is_wanted = (is_late || !request.overdue)
                    && (request.state == 0 || request.state == summary.state)
                    && (request.lead.is_empty() || request.lead == summary.lead)
                    && sight.sees(view, &summary)?;
                Ok(is_wanted.then_some(summary))
            };
            Page::of_rows(view.scan(&prefix, &after).map(row).take_while(goes_on), size, take)
        };
        let (page, sequence) = self.ledger.read_much(read).await?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListMattersResponse { matters: page.found, next_page_token, sequence })
    }

    async fn get_board(
        &self,
        caller: Caller,
        request: api::GetBoardRequest,
    ) -> Result<api::GetBoardResponse> {
        let ledger = self.ledger.get()?;
        wait_for(ledger, None, request.read_after.as_ref()).await?;
        let by = By::try_from(request.by).map_err(|_| Fault::invalid("by", request.by))?;
        // A unit has other boards than those who see all matters, and a day other lights than the day before.
        let quarter = SystemClock.now().as_second().div_euclid(QUARTER);
        let who = (sight::sees_all_matters(&caller.principal), caller.principal.unit.len());
        let mut question = format!("{quarter} {who:?} {}", caller.principal.unit).into_bytes();
        question.extend(api::GetBoardRequest { read_after: None, ..request.clone() }.encode_to_vec());
        let ((), now) = ledger.read(|_| Ok(()))?;
        if let Some(board) = self.boards.of(now, &question) {
            return Ok(board);
        }
        let (board, sequence) =
            self.ledger.read_much(move |view| board(view, &caller.principal, &request, by)).await?;
        let board = api::GetBoardResponse { sequence, ..board };
        self.boards.keep(sequence, question, &board);
        Ok(board)
    }

    async fn what_became_of(
        &self,
        caller: Caller,
        request: api::WhatBecameOfRequest,
    ) -> Result<api::WhatBecameOfResponse> {
        wait_for(self.ledger.get()?, None, request.read_after.as_ref()).await?;
        let name = Minutes::parse(&request.minutes, "minutes")?;
        let (found, sequence) = self.ledger.get()?.read(|view| {
            let sight = MatterSight::of(view, &caller.principal)?;
            let list = keys::by_decision(&name, request.item_index, Some(request.decision_index));
            let found = view.scan(&list, &[]).next().transpose()?;
            let Some((_, place)) = found else {
                sight.check_minutes(view, &name, "minutes")?;
                view.document(&name, "minutes")?;
                return Err(Fault::new(Reason::MatterNotFound)
                    .at("decision_index")
                    .with("matter", format!("{name} {}.{}", request.item_index, request.decision_index)));
            };
            let house = house(view, &name.organ, &request.as_of)?;
            let summary = listed(view, &place, &house)?;
            if !sight.sees(view, &summary)? {
                return Err(no_minutes(&name, "minutes"));
            }
            let matter = view.matter(&Name::parse(&summary.name, "name")?, "name")?;
            let last = matter.history.last();
            let days = matter.milestones.iter().filter(|m| m.reached.is_none()).map(|m| m.due);
            let days = days.chain(matter.effective.filter(|day| *day >= house.today)).chain(matter.due);
            let next = days.min().filter(|_| !matter.state.is_end());
            Ok(api::WhatBecameOfResponse {
                verdict: summary.verdict.clone(),
                last_evidence: last.map(|entry| jiyao_wire::words_of(&entry.act)).unwrap_or_default(),
                last_evidence_date: last.map(|entry| entry.day.to_string()).unwrap_or_default(),
                next_date: next.map(|day| day.to_string()).unwrap_or_default(),
                matter: Some(summary),
                sequence: 0,
            })
        })?;
        Ok(api::WhatBecameOfResponse { sequence, ..found })
    }

    async fn get_bulletin(
        &self,
        caller: Caller,
        request: api::GetBulletinRequest,
    ) -> Result<api::GetBulletinResponse> {
        let name = Minutes::parse(&request.minutes, "minutes")?;
        let read = move |view: &Reading<'_>| {
            MatterSight::of(view, &caller.principal)?.check_minutes(view, &name, "minutes")?;
            view.document(&name, "minutes")?;
            let house = house(view, &name.organ, &request.as_of)?;
            let mut matters = Vec::new();
            for summary in summaries(view, &keys::by_minutes(&name), &house)? {
                matters.push(view.matter(&Name::parse(&summary.name, "name")?, "name")?);
            }
            Ok(bulletin(matters.iter(), |matter| matter.days_left(house.today).is_some_and(|left| left < 0)))
        };
        let (counted, _) = self.ledger.read_much(read).await?;
        let laggards =
            counted.laggards.into_iter().map(|(unit, overdue)| api::Laggard { unit, overdue }).collect();
        Ok(api::GetBulletinResponse {
            total: counted.total,
            closed: counted.closed,
            open: counted.open,
            closed_percent: counted.closed_percent,
            open_percent: counted.open_percent,
            laggards,
        })
    }

    async fn list_last_meeting_matters(
        &self,
        caller: Caller,
        request: api::ListLastMeetingMattersRequest,
    ) -> Result<api::ListLastMeetingMattersResponse> {
        let read = move |view: &Reading<'_>| {
            let sight = MatterSight::of(view, &caller.principal)?;
            let (organ, _) = parent(view, &request.parent, &sight)?;
            let house = house(view, &organ, "")?;
            let before = jiyao_wire::date_from(&request.before, "before")?.unwrap_or(house.today).to_string();
            for pair in view.scan(&list_of(&Scope::One(organ)), &[]) {
                let summary = api::MinutesSummary::decode(pair?.1.as_slice()).map_err(Fault::internal)?;
                let is_kind = request.meeting_kind.is_empty() || summary.meeting_kind == request.meeting_kind;
                let is_seen = sight.sees_all_of(view, &summary.name)?;
                if is_kind && is_seen && !summary.meeting_date.is_empty() && summary.meeting_date < before {
                    let name = Minutes::parse(&summary.name, "name")?;
                    let matters = summaries(view, &keys::by_minutes(&name), &house)?;
                    return Ok(api::ListLastMeetingMattersResponse { minutes: summary.name, matters });
                }
            }
            Ok(api::ListLastMeetingMattersResponse::default())
        };
        Ok(self.ledger.read_much(read).await?.0)
    }

    async fn check_closure(
        &self,
        caller: Caller,
        request: api::CheckClosureRequest,
    ) -> Result<api::CheckClosureResponse> {
        let read = move |view: &Reading<'_>| {
            let sight = MatterSight::of(view, &caller.principal)?;
            let (organ, minutes) = parent(view, &request.parent, &sight)?;
            let house = house(view, &organ, &request.as_of)?;
            match minutes {
                Some(name) => closure_of_minutes(view, &name, &house),
                None => closure_of_organ(view, &organ, &house, &sight),
            }
        };
        Ok(self.ledger.read_much(read).await?.0)
    }

    async fn update_measure_list(
        &self,
        caller: Caller,
        mut request: api::UpdateMeasureListRequest,
    ) -> Result<api::UpdateMeasureListResponse> {
        let asked = Asked::of(&mut request)?;
        let matter = Name::parse(&request.matter, "matter")?;
        self.check_seen(&caller, &matter, "matter")?;
        let command = FollowUp::List {
            matter,
            etag: request.etag,
            unit: caller.principal.unit.clone(),
            rows: jiyao_wire::rows_from(&request.rows)?,
            is_final: request.r#final,
        };
        let committed = self.ledger.submit(&caller, asked, Command::FollowUp(command)).await?;
        let list = api::MeasureList::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        Ok(api::UpdateMeasureListResponse { list: Some(list), position: Some(cursor_to(&committed.cursor)) })
    }

    async fn get_measure_list(
        &self,
        caller: Caller,
        request: api::GetMeasureListRequest,
    ) -> Result<api::GetMeasureListResponse> {
        let name = Name::parse(&request.matter, "matter")?;
        let (answer, _) = self.ledger.get()?.read(|view| {
            let matter = view.matter(&name, "matter")?;
            sight::check_matter(view, &caller.principal, (&name, &matter), "matter")?;
            let house = house(view, &name.organ, &request.as_of)?;
            let list = match request.version {
                0 => view.measures(&name)?,
                version => {
                    let found = view.get(&keys::measures(&name, version))?;
                    from_json(&found.ok_or_else(|| no_matter(&name, "version"))?)?
                }
            };
            let [done, late, in_time] =
                list.totals(house.today).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            Ok(api::GetMeasureListResponse { list: Some(jiyao_wire::list_to(&list)), done, late, in_time })
        })?;
        Ok(answer)
    }

    async fn set_follow_up_rules(
        &self,
        caller: Caller,
        mut request: api::SetFollowUpRulesRequest,
    ) -> Result<api::SetFollowUpRulesResponse> {
        let asked = Asked::of(&mut request)?;
        let organ = Organ::parse(&request.organ, "organ")?;
        let rules = jiyao_wire::rules_from(request.rules.as_ref().ok_or_else(|| Fault::required("rules"))?)?;
        let command = FollowUp::Rules { organ, rules: Box::new(rules) };
        let committed = self.ledger.submit(&caller, asked, Command::FollowUp(command)).await?;
        Ok(api::SetFollowUpRulesResponse {
            rules: request.rules,
            position: Some(cursor_to(&committed.cursor)),
        })
    }
}

/// The organ of a parent, `organs/-` where there is only one; and the minutes, where it names some.
pub(crate) fn parent(
    view: &Reading<'_>,
    parent: &str,
    sight: &MatterSight,
) -> Result<(Organ, Option<Minutes>)> {
    if parent.contains("/minutes/") {
        let name = Minutes::parse(parent, "parent")?;
        sight.check_minutes(view, &name, "parent")?;
        view.document(&name, "parent")?;
        return Ok((name.organ.clone(), Some(name)));
    }
    match Scope::parse(parent, "parent")? {
        Scope::One(organ) => Ok((organ, None)),
        Scope::All => Ok((only_organ(view)?, None)),
    }
}

fn only_organ(view: &Reading<'_>) -> Result<Organ> {
    let found: Vec<_> = view.scan(keys::ORGANS, &[]).take(2).collect::<Result<_>>()?;
    match found.as_slice() {
        [(_, organ)] => {
            let organ = api::Organ::decode(organ.as_slice()).map_err(Fault::internal)?;
            Organ::parse(&organ.name, "parent")
        }
        _ => Err(Fault::invalid("parent", "organs/-")),
    }
}

/// Every matter of minutes must be closed, and whoever raised one must be answered.
fn closure_of_minutes(
    view: &Reading<'_>,
    name: &Minutes,
    house: &House,
) -> Result<api::CheckClosureResponse> {
    let mut answer = api::CheckClosureResponse::default();
    for summary in summaries(view, &keys::by_minutes(name), house)? {
        let matter = Name::parse(&summary.name, "name")?;
        if !jiyao_wire::state_from(summary.state).is_some_and(State::is_end) {
            answer.unclosed.push(summary);
        } else if view.get(&keys::unanswered(&matter))?.is_some() {
            answer.unanswered.push(summary);
        }
    }
    Ok(answer)
}

/// No matter of an organ must be overdue, and whoever raised a closed one must be answered.
fn closure_of_organ(
    view: &Reading<'_>,
    organ: &Organ,
    house: &House,
    sight: &MatterSight,
) -> Result<api::CheckClosureResponse> {
    let mut answer = api::CheckClosureResponse::default();
    let today = house.today.to_string();
    // Open matters come first, in the order of their days.
    for pair in view.scan(&keys::by_due(organ, None), &[]).take(MOST_FOUND) {
        let summary = listed(view, &pair?.1, house)?;
        let is_open = !jiyao_wire::state_from(summary.state).is_some_and(State::is_end);
        if !is_open || summary.due.is_empty() || summary.due >= today {
            break;
        }
        if sight.sees(view, &summary)? {
            answer.unclosed.push(summary);
        }
    }
    for pair in view.scan(&keys::unanswered_of(organ), &[]).take(MOST_FOUND) {
        let name = String::from_utf8(pair?.1).map_err(Fault::internal)?;
        let matter = view.matter(&Name::parse(&name, "name")?, "name")?;
        let mut summary = jiyao_wire::matter_summary(&matter);
        light_up(&mut summary, &house.rules, house.today);
        if sight.sees(view, &summary)? {
            answer.unanswered.push(summary);
        }
    }
    Ok(answer)
}

service! {
    MattersService for MattersApi;
    acts act -> matter {
        approve_matter: ApproveMatterRequest => ApproveMatterResponse;
        notify_matter: NotifyMatterRequest => NotifyMatterResponse;
        accept_matter: AcceptMatterRequest => AcceptMatterResponse;
        record_progress: RecordProgressRequest => RecordProgressResponse;
        record_revision: RecordRevisionRequest => RecordRevisionResponse;
        dispatch_matter: DispatchMatterRequest => DispatchMatterResponse;
        record_outcome: RecordOutcomeRequest => RecordOutcomeResponse;
        record_issued_document: RecordIssuedDocumentRequest => RecordIssuedDocumentResponse;
        reach_milestone: ReachMilestoneRequest => ReachMilestoneResponse;
        report_matter: ReportMatterRequest => ReportMatterResponse;
        review_matter: ReviewMatterRequest => ReviewMatterResponse;
        ask_extension: AskExtensionRequest => AskExtensionResponse;
        decide_extension: DecideExtensionRequest => DecideExtensionResponse;
        suspend_matter: SuspendMatterRequest => SuspendMatterResponse;
        resume_matter: ResumeMatterRequest => ResumeMatterResponse;
        strike_off_matter: StrikeOffMatterRequest => StrikeOffMatterResponse;
        reopen_matter: ReopenMatterRequest => ReopenMatterResponse;
        list_matter_publicly: ListMatterPubliclyRequest => ListMatterPubliclyResponse;
        extend_listing: ExtendListingRequest => ExtendListingResponse;
        delist_matter: DelistMatterRequest => DelistMatterResponse;
        send_slip: SendSlipRequest => SendSlipResponse;
        answer_slip: AnswerSlipRequest => AnswerSlipResponse;
        object_to_conclusion: ObjectToConclusionRequest => ObjectToConclusionResponse;
        decide_objection: DecideObjectionRequest => DecideObjectionResponse;
        answer_raiser: AnswerRaiserRequest => AnswerRaiserResponse;
    }
    calls {
        pick_matters: PickMattersRequest => PickMattersResponse;
        create_matter: CreateMatterRequest => CreateMatterResponse;
        get_matter: GetMatterRequest => GetMatterResponse;
        list_matters: ListMattersRequest => ListMattersResponse;
        get_board: GetBoardRequest => GetBoardResponse;
        what_became_of: WhatBecameOfRequest => WhatBecameOfResponse;
        get_bulletin: GetBulletinRequest => GetBulletinResponse;
        list_last_meeting_matters: ListLastMeetingMattersRequest => ListLastMeetingMattersResponse;
        check_closure: CheckClosureRequest => CheckClosureResponse;
        update_measure_list: UpdateMeasureListRequest => UpdateMeasureListResponse;
        get_measure_list: GetMeasureListRequest => GetMeasureListResponse;
        set_follow_up_rules: SetFollowUpRulesRequest => SetFollowUpRulesResponse;
        get_follow_up_rules: GetFollowUpRulesRequest => GetFollowUpRulesResponse;
    }
    others {
        type WatchMattersStream = Answers<api::WatchMattersResponse>;

        async fn watch_matters(
            &self,
            request: Request<api::WatchMattersRequest>,
        ) -> Result<Response<Self::WatchMattersStream>, Status> {
            jiyao_serve::stream(request, &self.stop, async |caller, request| {
                let scope = Scope::parse(&request.parent, "parent")?;
                let stretches = self.ledger.get()?.follow(cursor_from(request.after.as_ref(), "after")?)?;
                let this = self.clone();
                Ok(stretches.map(move |stretch| {
                    let stretch = stretch?;
                    let events = stretch.events()?;
                    let mut names: Vec<&str> = Vec::new();
                    for event in &events {
                        if let Some(Kind::MatterChanged(changed)) = &event.kind
                            && !names.contains(&changed.matter.as_str())
                        {
                            names.push(&changed.matter);
                        }
                    }
                    let mut matters = Vec::new();
                    for name in names {
                        let name = Name::parse(name, "matter")?;
                        if !scope.has(&name.organ) {
                            continue;
                        }
                        match this.matter(&name, "", &caller.principal) {
                            Ok((matter, _)) => matters.push(matter.summary.unwrap_or_default()),
                            Err(fault) if fault.reason() == Reason::MatterNotFound => {}
                            Err(fault) => return Err(fault),
                        }
                    }
                    Ok(api::WatchMattersResponse { matters, through: Some(cursor_to(&stretch.through)) })
                }))
            })
            .await
        }
    }
}
