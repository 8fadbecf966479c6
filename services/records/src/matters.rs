//! Follow-through over gRPC.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt as _};
use jiyao_calendar::{Clock as _, Date, Holidays, SystemClock, civil_date};
use jiyao_fault::{Fault, Reason, Result};
use jiyao_ledger::{Committed, Ledger, Reading, Submission};
use jiyao_matters::{MeasureList, Milestone, Next, Rules, State, bulletin};
use jiyao_names::{Matter as Name, Minutes, Organ, Scope};
use jiyao_proto::journal::v1::Cursor;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::records::v1::matters_service_server::MattersService;
use jiyao_proto::records::v1::{self as api, get_board_request::By};
use jiyao_proto::stored::v1 as stored;
use jiyao_serve::{
    CLERKS, Caller, LEADERS, Late, PageQuery, READERS, Right, Role, SUPERVISORS, UNITS, answer, caller,
    check_request_id, cursor_from, cursor_to, document_of, failed, list_of, page_size, request_digest,
    wait_for,
};
use jiyao_wire::{AsksAct, light_up, required_date};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::api::Api;
use crate::domain::{Command, RecordsDomain};
use crate::follow_up::{self, BY_DAY, BY_MEETING, BY_MONTH, BY_UNIT, ByHand, FollowUp, PART, from_json};
use crate::keys;

macro_rules! path {
    ($method:literal) => {
        concat!("/jiyao.records.v1.MattersService/", $method)
    };
}

/// Whoever may say what another body decided, or what was issued.
const ALL_WHO_ACT: &[Role] = &[Role::Clerk, Role::Unit, Role::Supervisor];
const THOSE_WHO_PICK: &[Role] = &[Role::Clerk, Role::Supervisor];

/// Who may call what.
pub(crate) const RIGHTS: &[Right] = &[
    Right { method: path!("PickMatters"), roles: THOSE_WHO_PICK },
    Right { method: path!("CreateMatter"), roles: THOSE_WHO_PICK },
    Right { method: path!("GetMatter"), roles: READERS },
    Right { method: path!("ListMatters"), roles: READERS },
    Right { method: path!("GetBoard"), roles: READERS },
    Right { method: path!("WhatBecameOf"), roles: READERS },
    Right { method: path!("GetBulletin"), roles: READERS },
    Right { method: path!("ListLastMeetingMatters"), roles: READERS },
    Right { method: path!("CheckClosure"), roles: READERS },
    Right { method: path!("WatchMatters"), roles: READERS },
    Right { method: path!("UpdateMeasureList"), roles: ALL_WHO_ACT },
    Right { method: path!("GetMeasureList"), roles: READERS },
    Right { method: path!("SetFollowUpRules"), roles: CLERKS },
    Right { method: path!("GetFollowUpRules"), roles: READERS },
    Right { method: path!("ApproveMatter"), roles: LEADERS },
    Right { method: path!("NotifyMatter"), roles: SUPERVISORS },
    Right { method: path!("AcceptMatter"), roles: UNITS },
    Right { method: path!("RecordProgress"), roles: UNITS },
    Right { method: path!("RecordRevision"), roles: UNITS },
    Right { method: path!("DispatchMatter"), roles: UNITS },
    Right { method: path!("RecordOutcome"), roles: ALL_WHO_ACT },
    Right { method: path!("RecordIssuedDocument"), roles: ALL_WHO_ACT },
    Right { method: path!("ReachMilestone"), roles: UNITS },
    Right { method: path!("ReportMatter"), roles: UNITS },
    Right { method: path!("ReviewMatter"), roles: SUPERVISORS },
    Right { method: path!("AskExtension"), roles: UNITS },
    Right { method: path!("DecideExtension"), roles: LEADERS },
    Right { method: path!("SuspendMatter"), roles: LEADERS },
    Right { method: path!("ResumeMatter"), roles: LEADERS },
    Right { method: path!("StrikeOffMatter"), roles: SUPERVISORS },
    Right { method: path!("ReopenMatter"), roles: SUPERVISORS },
    Right { method: path!("ListMatterPublicly"), roles: SUPERVISORS },
    Right { method: path!("ExtendListing"), roles: SUPERVISORS },
    Right { method: path!("DelistMatter"), roles: SUPERVISORS },
    Right { method: path!("SendSlip"), roles: SUPERVISORS },
    Right { method: path!("AnswerSlip"), roles: UNITS },
    Right { method: path!("ObjectToConclusion"), roles: UNITS },
    Right { method: path!("DecideObjection"), roles: LEADERS },
    Right { method: path!("AnswerRaiser"), roles: SUPERVISORS },
];

/// Longest text of a matter, in bytes.
const LONGEST_WORDS: usize = 8000;
/// Most meetings of a board.
const MOST_MEETINGS: usize = 200;

type Answers<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

#[derive(Clone)]
pub(crate) struct MattersApi {
    records: Api,
    ledger: Late<Ledger<RecordsDomain>>,
    holidays: Arc<Holidays>,
    stop: CancellationToken,
}

/// What a read needs to know of an organ.
struct House {
    rules: Rules,
    today: Date,
}

fn house(view: &Reading<'_>, organ: &Organ, as_of: &str) -> Result<House> {
    let missing = || Fault::new(Reason::OrganNotFound).at("parent").with("organ", organ);
    let found = view.get(&keys::organ(organ))?.ok_or_else(missing)?;
    let zone = api::Organ::decode(found.as_slice()).map_err(Fault::internal)?.time_zone;
    let rules = view.get(&keys::rules(organ))?;
    let rules = rules.map_or_else(|| Ok(Rules::default()), |rules| from_json(&rules))?;
    let today = jiyao_wire::date_from(as_of, "as_of")?;
    Ok(House { rules, today: today.unwrap_or_else(|| civil_date(SystemClock.now(), &zone)) })
}

fn matter(view: &Reading<'_>, name: &Name) -> Result<jiyao_matters::Matter> {
    from_json(&view.get(&keys::matter(name))?.ok_or_else(|| follow_up::not_found(name))?)
}

fn minutes(view: &Reading<'_>, name: &Minutes) -> Result<api::Minutes> {
    let missing = || Fault::new(Reason::MinutesNotFound).at("minutes").with("minutes", name);
    let found = view.get(&document_of(name))?.ok_or_else(missing)?;
    let document = stored::MinutesDocument::decode(found.as_slice()).map_err(Fault::internal)?;
    Ok(document.minutes.unwrap_or_default())
}

/// Summaries under a prefix, lit.
fn summaries(view: &Reading<'_>, prefix: &[u8], house: &House) -> Result<Vec<api::MatterSummary>> {
    view.scan(prefix, &[])
        .map(|pair| {
            let mut summary = api::MatterSummary::decode(pair?.1.as_slice()).map_err(Fault::internal)?;
            light_up(&mut summary, &house.rules, house.today);
            Ok(summary)
        })
        .collect()
}

fn words(value: &str, field: &str) -> Result<String> {
    match value.trim() {
        "" => Err(Fault::required(field)),
        value if value.len() > LONGEST_WORDS => Err(Fault::invalid(field, format!("{} bytes", value.len()))),
        value => Ok(value.to_owned()),
    }
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// For each decision the words of its paragraph: from its verdict to the end of the last sentence that a fact of it
/// stands in.
fn paragraphs(minutes: &api::Minutes, text: &str) -> Vec<(u32, u32, String)> {
    let facts = jiyao_wire::facts_from(&minutes.facts.clone().unwrap_or_default());
    let mut found = Vec::new();
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
            found.push((item_index, index, without_blanks(text.get(start..stop).unwrap_or_default())));
        }
    }
    found
}

impl MattersApi {
    pub(crate) fn new(records: Api, holidays: Arc<Holidays>, stop: CancellationToken) -> Self {
        Self { ledger: records.ledger.clone(), records, holidays, stop }
    }

    async fn submit(
        &self,
        caller: &Caller,
        method: &'static str,
        request_id: &str,
        digest: [u8; 32],
        command: FollowUp,
    ) -> Result<Committed> {
        check_request_id(request_id)?;
        let (principal, request_id) = (caller.principal.name.clone(), request_id.to_owned());
        let command = Command::FollowUp(command);
        self.ledger.get()?.submit(Submission { principal, method, request_id, digest, command }).await
    }

    /// The matter that an answer of the journal names, as it is now.
    fn now(&self, answer: &[u8]) -> Result<api::Matter> {
        let stub = api::Matter::decode(answer).map_err(Fault::internal)?;
        self.matter(&Name::parse(&stub.summary.unwrap_or_default().name, "name")?, "")
            .map(|(matter, _)| matter)
    }

    fn matter(&self, name: &Name, as_of: &str) -> Result<(api::Matter, u64)> {
        self.ledger.get()?.read(|view| {
            let matter = matter(view, name)?;
            let house = house(view, &name.organ, as_of)?;
            Ok(jiyao_wire::matter_to(&matter, &house.rules, house.today, &self.holidays))
        })
    }

    async fn act<R: AsksAct>(
        &self,
        caller: Caller,
        method: &'static str,
        request: R,
    ) -> Result<(api::Matter, Cursor)> {
        let (name, etag, request_id) = request.about();
        let matter = Name::parse(name, "name")?;
        let digest = request_digest(&request.without_id());
        let (unit, act) = (caller.principal.unit.clone(), Box::new(request.act()?));
        let command = FollowUp::Act { matter, etag, unit, act };
        let committed = self.submit(&caller, method, request_id, digest, command).await?;
        Ok((self.now(&committed.answer)?, cursor_to(&committed.cursor)))
    }

    /// Text and facts of minutes.
    async fn text(&self, name: &Minutes) -> Result<(api::Minutes, String)> {
        let (minutes, _) = self.ledger.get()?.read(|view| minutes(view, name))?;
        let text = self.records.text_of(name, minutes.revision).await?;
        Ok((minutes, text))
    }

    async fn pick(
        &self,
        caller: Caller,
        request: api::PickMattersRequest,
    ) -> Result<api::PickMattersResponse> {
        let name = Minutes::parse(&request.minutes, "minutes")?;
        let digest =
            request_digest(&api::PickMattersRequest { request_id: String::new(), ..request.clone() });
        let (minutes, text) = self.text(&name).await?;
        let command = FollowUp::Pick { minutes: name, paragraphs: paragraphs(&minutes, &text) };
        let committed =
            self.submit(&caller, path!("PickMatters"), &request.request_id, digest, command).await?;
        let mut response =
            api::PickMattersResponse::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        for made in &mut response.matters {
            *made = self.now(&made.encode_to_vec())?;
        }
        response.position = Some(cursor_to(&committed.cursor));
        Ok(response)
    }

    async fn create(
        &self,
        caller: Caller,
        request: api::CreateMatterRequest,
    ) -> Result<api::CreateMatterResponse> {
        let name = Minutes::parse(&request.minutes, "minutes")?;
        let digest =
            request_digest(&api::CreateMatterRequest { request_id: String::new(), ..request.clone() });
        let lead = words(&request.lead, "lead")?;
        if lead.contains(['、', '，', ',', '；', ';']) {
            return Err(Fault::invalid("lead", lead));
        }
        let due = required_date(&request.due, "due")?;
        let milestone = |(at, milestone): (usize, &api::Milestone)| {
            Ok(Milestone {
                what: words(&milestone.what, &format!("milestones[{at}].what"))?,
                due: required_date(&milestone.due, &format!("milestones[{at}].due"))?,
                reached: None,
            })
        };
        let next = match api::NextAct::try_from(request.next_act) {
            Ok(api::NextAct::Unspecified | api::NextAct::Carry) => Next::Carry,
            Ok(api::NextAct::Issue) => Next::Issue,
            Ok(api::NextAct::Submit) => Next::Submit { body: words(&request.next_body, "next_body")? },
            Err(_) => return Err(Fault::invalid("next_act", request.next_act)),
        };
        let by_hand = ByHand {
            minutes: name.clone(),
            item: request.item_index,
            text: words(&request.text, "text")?,
            content: words(&request.content, "content")?,
            lead,
            helpers: request.helpers.clone(),
            leader: request.leader.clone(),
            contact: request.contact.clone(),
            due,
            milestones: request.milestones.iter().enumerate().map(milestone).collect::<Result<_>>()?,
            raised_by: request.raised_by.clone(),
            next,
        };
        let (_, text) = self.text(&name).await?;
        if !without_blanks(&text).contains(&without_blanks(&by_hand.text)) {
            return Err(Fault::invalid("text", &by_hand.text));
        }
        let command = FollowUp::Create(Box::new(by_hand));
        let committed =
            self.submit(&caller, path!("CreateMatter"), &request.request_id, digest, command).await?;
        let matter = self.now(&committed.answer)?;
        Ok(api::CreateMatterResponse { matter: Some(matter), position: Some(cursor_to(&committed.cursor)) })
    }

    async fn list(&self, request: api::ListMattersRequest) -> Result<api::ListMattersResponse> {
        let size = page_size(request.page_size)?;
        let flags = format!("{}{}", request.state, request.overdue);
        let query = PageQuery::of(&["ListMatters", &request.parent, &request.lead, &flags, &request.as_of]);
        let after = query.after(&request.page_token)?;
        wait_for(self.ledger.get()?, None, request.read_after.as_ref()).await?;
        let of_minutes = request.parent.contains("/minutes/");
        let (organ, prefix) = if of_minutes {
            let name = Minutes::parse(&request.parent, "parent")?;
            let prefix = keys::by_minutes(&name);
            (name.organ, prefix)
        } else {
            let organ = Organ::parse(&request.parent, "parent")?;
            let lead = Some(request.lead.as_str()).filter(|lead| !lead.is_empty());
            let prefix = keys::by_due(&organ, lead);
            (organ, prefix)
        };
        let ((matters, next), sequence) = self.ledger.get()?.read(|view| {
            let house = house(view, &organ, &request.as_of)?;
            let today = house.today.to_string();
            let (mut found, mut last) = (Vec::new(), Vec::new());
            for pair in view.scan(&prefix, &after) {
                let (key, value) = pair?;
                let mut summary = api::MatterSummary::decode(value.as_slice()).map_err(Fault::internal)?;
                let is_end = jiyao_wire::state_from(summary.state).is_some_and(State::is_end);
                let is_late = !is_end && !summary.due.is_empty() && summary.due < today;
                if request.overdue && !is_late && !of_minutes {
                    // The list is in the order of the days: no later one is overdue.
                    break;
                }
                if (request.overdue && !is_late)
                    || (request.state != 0 && request.state != summary.state)
                    || (!request.lead.is_empty() && request.lead != summary.lead)
                {
                    continue;
                }
                if found.len() == size {
                    return Ok((found, Some(last)));
                }
                light_up(&mut summary, &house.rules, house.today);
                found.push(summary);
                last = key;
            }
            Ok((found, None))
        })?;
        let next_page_token = next.map(|key: Vec<u8>| query.token(&key)).unwrap_or_default();
        Ok(api::ListMattersResponse { matters, next_page_token, sequence })
    }

    async fn board(&self, request: api::GetBoardRequest) -> Result<api::GetBoardResponse> {
        wait_for(self.ledger.get()?, None, request.read_after.as_ref()).await?;
        let by = By::try_from(request.by).map_err(|_| Fault::invalid("by", request.by))?;
        let (board, sequence) = self.ledger.get()?.read(|view| {
            let organ = match Scope::parse(&request.parent, "parent")? {
                Scope::One(organ) => organ,
                Scope::All => only_organ(view)?,
            };
            let house = house(view, &organ, &request.as_of)?;
            let units = rows(view, &organ, BY_UNIT)?;
            let mut unit_rows: Vec<api::BoardRow> = units
                .into_iter()
                .map(|row| row.into_message(|key| Ok(key.to_owned())))
                .collect::<Result<_>>()?;
            light_units(view, &organ, &house, &mut unit_rows)?;
            let total = sum(&unit_rows);
            let rows = match by {
                By::Unspecified | By::Unit => unit_rows,
                By::Month => rows(view, &organ, BY_MONTH)?
                    .into_iter()
                    .map(|row| {
                        row.into_bytes_message(|key| {
                            String::from_utf8(inverted(key)).map_err(Fault::internal)
                        })
                    })
                    .collect::<Result<_>>()?,
                By::Meeting => {
                    let mut found = Vec::new();
                    for row in rows(view, &organ, BY_MEETING)?.into_iter().take(MOST_MEETINGS) {
                        let mut row = row.into_bytes_message(|key| meeting_name(&organ, key))?;
                        let prefix = keys::by_minutes(&Minutes::parse(&row.of, "minutes")?);
                        for summary in summaries(view, &prefix, &house)? {
                            add_light(&mut row.lights, &summary.light, 1);
                        }
                        found.push(row);
                    }
                    found
                }
            };
            Ok(api::GetBoardResponse {
                rows,
                total: Some(total),
                as_of: house.today.to_string(),
                sequence: 0,
            })
        })?;
        Ok(api::GetBoardResponse { sequence, ..board })
    }

    async fn became(&self, request: api::WhatBecameOfRequest) -> Result<api::WhatBecameOfResponse> {
        wait_for(self.ledger.get()?, None, request.read_after.as_ref()).await?;
        let name = Minutes::parse(&request.minutes, "minutes")?;
        let (found, sequence) = self.ledger.get()?.read(|view| {
            let place = keys::by_decision(&name, request.item_index, Some(request.decision_index));
            let found = view.scan(&place, &[]).next().transpose()?;
            let Some((_, summary)) = found else {
                minutes(view, &name)?;
                return Err(Fault::new(Reason::MatterNotFound)
                    .at("decision_index")
                    .with("matter", format!("{name} {}.{}", request.item_index, request.decision_index)));
            };
            let mut summary = api::MatterSummary::decode(summary.as_slice()).map_err(Fault::internal)?;
            let house = house(view, &name.organ, &request.as_of)?;
            light_up(&mut summary, &house.rules, house.today);
            let matter = matter(view, &Name::parse(&summary.name, "name")?)?;
            let message = jiyao_wire::matter_to(&matter, &house.rules, house.today, &self.holidays);
            let last = message.history.last();
            let days = matter.milestones.iter().filter(|m| m.reached.is_none()).map(|m| m.due);
            let days = days.chain(matter.effective.filter(|day| *day >= house.today)).chain(matter.due);
            let next = days.min().filter(|_| !matter.state.is_end());
            Ok(api::WhatBecameOfResponse {
                verdict: summary.verdict.clone(),
                last_evidence: last.map(|entry| entry.words.clone()).unwrap_or_default(),
                last_evidence_date: matter
                    .history
                    .last()
                    .map(|entry| entry.day.to_string())
                    .unwrap_or_default(),
                next_date: next.map(|day| day.to_string()).unwrap_or_default(),
                matter: Some(summary),
                sequence: 0,
            })
        })?;
        Ok(api::WhatBecameOfResponse { sequence, ..found })
    }

    fn bulletin(&self, request: &api::GetBulletinRequest) -> Result<api::GetBulletinResponse> {
        let name = Minutes::parse(&request.minutes, "minutes")?;
        let (counted, _) = self.ledger.get()?.read(|view| {
            minutes(view, &name)?;
            let house = house(view, &name.organ, &request.as_of)?;
            let mut matters = Vec::new();
            for summary in summaries(view, &keys::by_minutes(&name), &house)? {
                matters.push(matter(view, &Name::parse(&summary.name, "name")?)?);
            }
            Ok(bulletin(matters.iter(), |matter| matter.days_left(house.today).is_some_and(|left| left < 0)))
        })?;
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

    fn last_meeting(
        &self,
        request: &api::ListLastMeetingMattersRequest,
    ) -> Result<api::ListLastMeetingMattersResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let (found, _) = self.ledger.get()?.read(|view| {
            let house = house(view, &organ, "")?;
            let before = jiyao_wire::date_from(&request.before, "before")?.unwrap_or(house.today).to_string();
            for pair in view.scan(&list_of(&Scope::One(organ.clone())), &[]) {
                let summary = api::MinutesSummary::decode(pair?.1.as_slice()).map_err(Fault::internal)?;
                let is_kind = request.meeting_kind.is_empty() || summary.meeting_kind == request.meeting_kind;
                if is_kind && !summary.meeting_date.is_empty() && summary.meeting_date < before {
                    let name = Minutes::parse(&summary.name, "name")?;
                    let matters = summaries(view, &keys::by_minutes(&name), &house)?;
                    return Ok(api::ListLastMeetingMattersResponse { minutes: summary.name, matters });
                }
            }
            Ok(api::ListLastMeetingMattersResponse::default())
        })?;
        Ok(found)
    }

    fn closure(&self, request: &api::CheckClosureRequest) -> Result<api::CheckClosureResponse> {
        let (found, _) = self.ledger.get()?.read(|view| {
            let (organ, prefix, of_minutes) = if request.parent.contains("/minutes/") {
                let name = Minutes::parse(&request.parent, "parent")?;
                minutes(view, &name)?;
                let prefix = keys::by_minutes(&name);
                (name.organ, prefix, true)
            } else {
                let organ = Organ::parse(&request.parent, "parent")?;
                let prefix = keys::by_due(&organ, None);
                (organ, prefix, false)
            };
            let house = house(view, &organ, &request.as_of)?;
            let mut answer = api::CheckClosureResponse::default();
            for summary in summaries(view, &prefix, &house)? {
                let name = Name::parse(&summary.name, "name")?;
                let matter = matter(view, &name)?;
                let is_late = matter.days_left(house.today).is_some_and(|left| left < 0);
                if !matter.state.is_end() {
                    if of_minutes || is_late {
                        answer.unclosed.push(summary);
                    }
                    continue;
                }
                let waits = !matter.raised_by.is_empty()
                    && !matter.replies.iter().any(|reply| reply.to == matter.raised_by);
                let list = view.get(&keys::measures(&name, u64::MAX))?;
                let list = list.map_or_else(|| Ok(MeasureList::default()), |list| from_json(&list))?;
                if waits || !list.unanswered().is_empty() {
                    answer.unanswered.push(summary);
                }
            }
            Ok(answer)
        })?;
        Ok(found)
    }

    async fn update_list(
        &self,
        caller: Caller,
        request: api::UpdateMeasureListRequest,
    ) -> Result<api::UpdateMeasureListResponse> {
        let digest =
            request_digest(&api::UpdateMeasureListRequest { request_id: String::new(), ..request.clone() });
        let command = FollowUp::List {
            matter: Name::parse(&request.matter, "matter")?,
            etag: request.etag,
            rows: jiyao_wire::rows_from(&request.rows)?,
            is_final: request.r#final,
        };
        let committed =
            self.submit(&caller, path!("UpdateMeasureList"), &request.request_id, digest, command).await?;
        let list = api::MeasureList::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        Ok(api::UpdateMeasureListResponse { list: Some(list), position: Some(cursor_to(&committed.cursor)) })
    }

    fn measure_list(&self, request: &api::GetMeasureListRequest) -> Result<api::GetMeasureListResponse> {
        let name = Name::parse(&request.matter, "matter")?;
        let (answer, _) = self.ledger.get()?.read(|view| {
            matter(view, &name)?;
            let house = house(view, &name.organ, &request.as_of)?;
            let version = if request.version == 0 { u64::MAX } else { request.version };
            let found = view.get(&keys::measures(&name, version))?;
            let list: MeasureList = match found {
                Some(found) => from_json(&found)?,
                None if request.version == 0 => {
                    MeasureList { matter: name.to_string(), ..MeasureList::default() }
                }
                None => return Err(follow_up::not_found(&name).at("version")),
            };
            let [done, late, in_time] =
                list.totals(house.today).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
            Ok(api::GetMeasureListResponse { list: Some(jiyao_wire::list_to(&list)), done, late, in_time })
        })?;
        Ok(answer)
    }

    async fn set_rules(
        &self,
        caller: Caller,
        request: api::SetFollowUpRulesRequest,
    ) -> Result<api::SetFollowUpRulesResponse> {
        let digest =
            request_digest(&api::SetFollowUpRulesRequest { request_id: String::new(), ..request.clone() });
        let organ = Organ::parse(&request.organ, "organ")?;
        let rules = jiyao_wire::rules_from(request.rules.as_ref().ok_or_else(|| Fault::required("rules"))?)?;
        let command = FollowUp::Rules { organ, rules: Box::new(rules) };
        let committed =
            self.submit(&caller, path!("SetFollowUpRules"), &request.request_id, digest, command).await?;
        Ok(api::SetFollowUpRulesResponse {
            rules: request.rules,
            position: Some(cursor_to(&committed.cursor)),
        })
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

fn inverted(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| 0xff - byte).collect()
}

/// Name of the minutes of a row by meeting.
fn meeting_name(organ: &Organ, key: &[u8]) -> Result<String> {
    let id = key.get(10..).and_then(|id| id.try_into().ok()).map(uuid::Uuid::from_bytes);
    let id = id.ok_or_else(|| Fault::internal("a counter's key is cut"))?;
    Ok(Minutes { organ: organ.clone(), id }.to_string())
}

/// Counters of one row by state.
struct Counted {
    key: Vec<u8>,
    states: Vec<(State, u64)>,
}

impl Counted {
    fn into_message(self, name: impl Fn(&str) -> Result<String>) -> Result<api::BoardRow> {
        self.into_bytes_message(|key| name(std::str::from_utf8(key).map_err(Fault::internal)?))
    }

    fn into_bytes_message(self, name: impl Fn(&[u8]) -> Result<String>) -> Result<api::BoardRow> {
        let states = self
            .states
            .iter()
            .map(|(state, count)| api::StateCount {
                state: jiyao_wire::state_to(*state).into(),
                count: *count,
            })
            .collect();
        Ok(api::BoardRow {
            of: name(&self.key)?,
            total: self.states.iter().map(|(_, count)| count).sum(),
            states,
            lights: Vec::new(),
        })
    }
}

fn count_of(value: &[u8]) -> u64 {
    value.try_into().map_or(0, |bytes| u64::try_from(i64::from_be_bytes(bytes)).unwrap_or(0))
}

/// Rows of a kind, in the order of their keys.
fn rows(view: &Reading<'_>, organ: &Organ, kind: u8) -> Result<Vec<Counted>> {
    let prefix = keys::counts(organ, kind);
    let mut found: Vec<Counted> = Vec::new();
    for pair in view.scan(&prefix, &[]) {
        let (key, value) = pair?;
        let Some((state, row)) = key[prefix.len()..].split_last() else { continue };
        let Some(row) = row.strip_suffix(&[PART]) else { continue };
        let Some(state) = State::ALL.get(usize::from(*state)) else { continue };
        match found.last_mut().filter(|last| last.key == row) {
            Some(last) => last.states.push((*state, count_of(&value))),
            None => found.push(Counted { key: row.to_vec(), states: vec![(*state, count_of(&value))] }),
        }
    }
    Ok(found)
}

fn add_light(lights: &mut Vec<api::LightCount>, light: &str, count: u64) {
    if light.is_empty() || count == 0 {
        return;
    }
    match lights.iter_mut().find(|known| known.light == light) {
        Some(known) => known.count += count,
        None => lights.push(api::LightCount { light: light.to_owned(), count }),
    }
}

/// Lights of units: the days up to the widest threshold are looked at one by one, what is due later is calm.
fn light_units(view: &Reading<'_>, organ: &Organ, house: &House, units: &mut [api::BoardRow]) -> Result<()> {
    let prefix = keys::counts(organ, BY_DAY);
    let widest = house.rules.lights.last().map_or(-1, |light| light.days_left);
    let until = jiyao_calendar::days_later(house.today, widest).to_string();
    for pair in view.scan(&prefix, &[]) {
        let (key, value) = pair?;
        let Some((day, unit)) = key[prefix.len()..].split_at_checked(10) else { continue };
        if day > until.as_bytes() {
            break;
        }
        let day = std::str::from_utf8(day).ok().and_then(jiyao_calendar::parse_iso);
        let light = house.rules.light_of(State::Underway, day, house.today).unwrap_or_default();
        let unit = unit.get(1..).unwrap_or_default();
        if let Ok(at) = units.binary_search_by(|row| row.of.as_bytes().cmp(unit)) {
            add_light(&mut units[at].lights, &light, count_of(&value));
        }
    }
    for row in units {
        let is_open = |count: &&api::StateCount| {
            jiyao_wire::state_from(count.state)
                .is_some_and(|state| !state.is_end() && state != State::Suspended)
        };
        let open: u64 = row.states.iter().filter(is_open).map(|count| count.count).sum();
        let lit: u64 = row.lights.iter().map(|light| light.count).sum();
        add_light(&mut row.lights, &house.rules.calm, open.saturating_sub(lit));
    }
    Ok(())
}

fn sum(rows: &[api::BoardRow]) -> api::BoardRow {
    let mut total = api::BoardRow::default();
    for row in rows {
        total.total += row.total;
        for count in &row.states {
            match total.states.iter_mut().find(|known| known.state == count.state) {
                Some(known) => known.count += count.count,
                None => total.states.push(*count),
            }
        }
        for light in &row.lights {
            add_light(&mut total.lights, &light.light, light.count);
        }
    }
    total.states.sort_by_key(|count| count.state);
    total
}

/// The methods that are acts, all alike, and the others.
macro_rules! service {
    ($($method:ident: $request:ident => $response:ident, $path:expr;)* { $($other:item)* }) => {
        #[tonic::async_trait]
        impl MattersService for MattersApi {
            $(async fn $method(
                &self,
                request: Request<api::$request>,
            ) -> Result<Response<api::$response>, Status> {
                answer(request, async |caller, request: api::$request| {
                    let (matter, position) = self.act(caller, $path, request).await?;
                    Ok(api::$response { matter: Some(matter), position: Some(position) })
                })
                .await
            })*
            $($other)*
        }
    };
}

service! {
    approve_matter: ApproveMatterRequest => ApproveMatterResponse, path!("ApproveMatter");
    notify_matter: NotifyMatterRequest => NotifyMatterResponse, path!("NotifyMatter");
    accept_matter: AcceptMatterRequest => AcceptMatterResponse, path!("AcceptMatter");
    record_progress: RecordProgressRequest => RecordProgressResponse, path!("RecordProgress");
    record_revision: RecordRevisionRequest => RecordRevisionResponse, path!("RecordRevision");
    dispatch_matter: DispatchMatterRequest => DispatchMatterResponse, path!("DispatchMatter");
    record_outcome: RecordOutcomeRequest => RecordOutcomeResponse, path!("RecordOutcome");
    record_issued_document: RecordIssuedDocumentRequest => RecordIssuedDocumentResponse, path!("RecordIssuedDocument");
    reach_milestone: ReachMilestoneRequest => ReachMilestoneResponse, path!("ReachMilestone");
    report_matter: ReportMatterRequest => ReportMatterResponse, path!("ReportMatter");
    review_matter: ReviewMatterRequest => ReviewMatterResponse, path!("ReviewMatter");
    ask_extension: AskExtensionRequest => AskExtensionResponse, path!("AskExtension");
    decide_extension: DecideExtensionRequest => DecideExtensionResponse, path!("DecideExtension");
    suspend_matter: SuspendMatterRequest => SuspendMatterResponse, path!("SuspendMatter");
    resume_matter: ResumeMatterRequest => ResumeMatterResponse, path!("ResumeMatter");
    strike_off_matter: StrikeOffMatterRequest => StrikeOffMatterResponse, path!("StrikeOffMatter");
    reopen_matter: ReopenMatterRequest => ReopenMatterResponse, path!("ReopenMatter");
    list_matter_publicly: ListMatterPubliclyRequest => ListMatterPubliclyResponse, path!("ListMatterPublicly");
    extend_listing: ExtendListingRequest => ExtendListingResponse, path!("ExtendListing");
    delist_matter: DelistMatterRequest => DelistMatterResponse, path!("DelistMatter");
    send_slip: SendSlipRequest => SendSlipResponse, path!("SendSlip");
    answer_slip: AnswerSlipRequest => AnswerSlipResponse, path!("AnswerSlip");
    object_to_conclusion: ObjectToConclusionRequest => ObjectToConclusionResponse, path!("ObjectToConclusion");
    decide_objection: DecideObjectionRequest => DecideObjectionResponse, path!("DecideObjection");
    answer_raiser: AnswerRaiserRequest => AnswerRaiserResponse, path!("AnswerRaiser");
    {
        async fn pick_matters(
            &self,
            request: Request<api::PickMattersRequest>,
        ) -> Result<Response<api::PickMattersResponse>, Status> {
            answer(request, |caller, request| self.pick(caller, request)).await
        }

        async fn create_matter(
            &self,
            request: Request<api::CreateMatterRequest>,
        ) -> Result<Response<api::CreateMatterResponse>, Status> {
            answer(request, |caller, request| self.create(caller, request)).await
        }

        async fn get_matter(
            &self,
            request: Request<api::GetMatterRequest>,
        ) -> Result<Response<api::GetMatterResponse>, Status> {
            answer(request, async |_, request: api::GetMatterRequest| {
                let name = Name::parse(&request.name, "name")?;
                wait_for(self.ledger.get()?, None, request.read_after.as_ref()).await?;
                let (matter, sequence) = self.matter(&name, &request.as_of)?;
                Ok(api::GetMatterResponse { matter: Some(matter), sequence })
            })
            .await
        }

        async fn list_matters(
            &self,
            request: Request<api::ListMattersRequest>,
        ) -> Result<Response<api::ListMattersResponse>, Status> {
            answer(request, |_, request| self.list(request)).await
        }

        async fn get_board(
            &self,
            request: Request<api::GetBoardRequest>,
        ) -> Result<Response<api::GetBoardResponse>, Status> {
            answer(request, |_, request| self.board(request)).await
        }

        async fn what_became_of(
            &self,
            request: Request<api::WhatBecameOfRequest>,
        ) -> Result<Response<api::WhatBecameOfResponse>, Status> {
            answer(request, |_, request| self.became(request)).await
        }

        async fn get_bulletin(
            &self,
            request: Request<api::GetBulletinRequest>,
        ) -> Result<Response<api::GetBulletinResponse>, Status> {
            answer(request, async |_, request: api::GetBulletinRequest| self.bulletin(&request)).await
        }

        async fn list_last_meeting_matters(
            &self,
            request: Request<api::ListLastMeetingMattersRequest>,
        ) -> Result<Response<api::ListLastMeetingMattersResponse>, Status> {
            answer(request, async |_, request: api::ListLastMeetingMattersRequest| self.last_meeting(&request)).await
        }

        async fn check_closure(
            &self,
            request: Request<api::CheckClosureRequest>,
        ) -> Result<Response<api::CheckClosureResponse>, Status> {
            answer(request, async |_, request: api::CheckClosureRequest| self.closure(&request)).await
        }

        type WatchMattersStream = Answers<api::WatchMattersResponse>;

        async fn watch_matters(
            &self,
            request: Request<api::WatchMattersRequest>,
        ) -> Result<Response<Self::WatchMattersStream>, Status> {
            let lang = caller(&request).lang;
            let begin = || {
                let scope = Scope::parse(&request.get_ref().parent, "parent")?;
                let ledger = self.ledger.get()?.clone();
                let stretches = ledger.follow(cursor_from(request.get_ref().after.as_ref(), "after")?)?;
                Ok((scope, stretches))
            };
            let (scope, stretches) = begin().map_err(|fault| failed(fault, lang))?;
            let this = self.clone();
            let replies = stretches.map(move |stretch| {
                let stretch = stretch?;
                let mut names: Vec<&str> = Vec::new();
                for event in &stretch.events {
                    if let Some(Kind::MatterChanged(changed)) = &event.kind
                        && !names.contains(&changed.matter.as_str())
                    {
                        names.push(&changed.matter);
                    }
                }
                let mut matters = Vec::new();
                for name in names {
                    let name = Name::parse(name, "matter")?;
                    if matches!(&scope, Scope::One(organ) if *organ != name.organ) {
                        continue;
                    }
                    matters.push(this.matter(&name, "")?.0.summary.unwrap_or_default());
                }
                Ok(api::WatchMattersResponse { matters, through: Some(cursor_to(&stretch.through)) })
            });
            Ok(Response::new(jiyao_serve::stream(lang, self.stop.clone(), replies)))
        }

        async fn update_measure_list(
            &self,
            request: Request<api::UpdateMeasureListRequest>,
        ) -> Result<Response<api::UpdateMeasureListResponse>, Status> {
            answer(request, |caller, request| self.update_list(caller, request)).await
        }

        async fn get_measure_list(
            &self,
            request: Request<api::GetMeasureListRequest>,
        ) -> Result<Response<api::GetMeasureListResponse>, Status> {
            answer(request, async |_, request: api::GetMeasureListRequest| self.measure_list(&request)).await
        }

        async fn set_follow_up_rules(
            &self,
            request: Request<api::SetFollowUpRulesRequest>,
        ) -> Result<Response<api::SetFollowUpRulesResponse>, Status> {
            answer(request, |caller, request| self.set_rules(caller, request)).await
        }

        async fn get_follow_up_rules(
            &self,
            request: Request<api::GetFollowUpRulesRequest>,
        ) -> Result<Response<api::GetFollowUpRulesResponse>, Status> {
            answer(request, async |_, request: api::GetFollowUpRulesRequest| {
                let organ = Organ::parse(&request.organ, "organ")?;
                let (house, _) = self.ledger.get()?.read(|view| house(view, &organ, ""))?;
                Ok(api::GetFollowUpRulesResponse { rules: Some(jiyao_wire::rules_to(&house.rules)) })
            })
            .await
        }
    }
}
