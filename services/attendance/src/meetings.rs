//! Meetings over gRPC.

use jiyao_calendar::{Clock as _, SystemClock};
use jiyao_fault::{Fault, Result};
use jiyao_ledger::{Committed, Reading};
use jiyao_names::{Meeting as MeetingName, Minutes, Organ, Seat as SeatName};
use jiyao_proto::attendance::v1::{self as api};
use jiyao_proto::journal::v1::Cursor;
use jiyao_proto::server::attendance::v1::meetings_service_server::MeetingsService;
use jiyao_rolls::{Meeting, MeetingAct, RatesOf, Seat, SeatAct, Stage, rates};
use jiyao_serve::{Asked, CLEARED, Caller, Page, Principal, Role, cursor_to, page_size, service, wait_for};
use jiyao_wire::{Asks, instant_from};
use prost::Message as _;

use crate::api::Api;
use crate::documents::View as _;
use crate::domain::Command;
use crate::keys;

/// Whoever may answer for a seat.
#[derive(Clone)]
pub(crate) struct MeetingsApi(pub(crate) Api);

/// Most meetings of one day that are held against another.
const MOST_OF_A_DAY: usize = 100;

fn shown(
    view: &Reading<'_>,
    principal: &Principal,
    name: &MeetingName,
    meeting: &Meeting,
) -> Result<api::Meeting> {
    let seats: Vec<Seat> = view.seats(name, &keys::seats(name))?.into_iter().map(|(_, seat)| seat).collect();
    let rules = view.rules(&name.organ)?;
    let mut findings = meeting.room_findings(&seats, &rules);
    if meeting.stage != Stage::Held {
        let directory = view.part(&name.organ, &meeting.looked_up(&rules))?;
        findings.extend(meeting.member_changes(&seats, &directory));
    }
    findings.extend(twins(view, principal, name, meeting)?.into_iter().map(|twin| ("MEETING_TWICE", twin)));
    Ok(meeting_for(principal, jiyao_wire::meeting_to(meeting, &findings)))
}

/// Meetings of the same kind, day and title that somebody may see: one may have been planned twice.
fn twins(
    view: &Reading<'_>,
    principal: &Principal,
    name: &MeetingName,
    meeting: &Meeting,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for pair in view.scan(&keys::on_day(&name.organ, &meeting.date.to_string()), &[]).take(MOST_OF_A_DAY) {
        let other = String::from_utf8(pair?.1).map_err(Fault::internal)?;
        if other == meeting.name {
            continue;
        }
        let of_day = view.meeting(&MeetingName::parse(&other, "name")?, "name")?;
        let is_twin = (&of_day.kind, &of_day.title) == (&meeting.kind, &meeting.title);
        if is_twin && view.sees_meeting(principal, &of_day)? {
            found.push(other);
        }
    }
    Ok(found)
}

/// A meeting as somebody may see it: who took no part in what is for those who see the record of discussion.
fn meeting_for(principal: &Principal, mut meeting: api::Meeting) -> api::Meeting {
    meeting.quorum = meeting.quorum.map(|quorum| quorum_for(principal, quorum));
    meeting
}

fn quorum_for(principal: &Principal, mut quorum: api::QuorumResult) -> api::QuorumResult {
    if !principal.is_any(CLEARED) {
        quorum.items.iter_mut().for_each(|item| item.recused.clear());
    }
    quorum
}

/// A seat as somebody may see it.
fn seat_for(principal: &Principal, name: &SeatName, seat: &Seat) -> api::Seat {
    shown_to(principal, jiyao_wire::seat_to(&name.to_string(), seat))
}

fn shown_to(principal: &Principal, mut seat: api::Seat) -> api::Seat {
    if !principal.is_any(CLEARED) {
        seat.recusals.clear();
    }
    seat
}

/// Where a seat stands in the printed order.
fn place_of(name: &SeatName, seat: &Seat) -> Vec<u8> {
    [&[seat.capacity as u8][..], &seat.order.to_be_bytes(), &name.number.to_be_bytes()].concat()
}

impl MeetingsApi {
    /// The meeting that an answer of the journal names, as its record left it.
    async fn made(&self, caller: &Caller, committed: &Committed) -> Result<api::Meeting> {
        let stub = api::Meeting::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        let (name, principal) = (MeetingName::parse(&stub.name, "name")?, caller.principal.clone());
        let read = move |view: &Reading<'_>| shown(view, &principal, &name, &view.meeting(&name, "name")?);
        self.0.ledger.read_much_at(committed, read).await
    }

    async fn meet<R: Asks<Act = MeetingAct>>(
        &self,
        caller: Caller,
        mut request: R,
    ) -> Result<(api::Meeting, Cursor)> {
        let asked = Asked::of(&mut request)?;
        let (name, etag) = request.about();
        let meeting = MeetingName::parse(name, "name")?;
        let command = Command::Meet { meeting, etag, act: Box::new(request.act()?) };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        Ok((self.made(&caller, &committed).await?, cursor_to(&committed.cursor)))
    }

    async fn sit<R: Asks<Act = SeatAct>>(
        &self,
        caller: Caller,
        mut request: R,
    ) -> Result<(api::Seat, Cursor)> {
        let asked = Asked::of(&mut request)?;
        let (name, etag) = request.about();
        let seat = SeatName::parse(name, "name")?;
        let principal = &caller.principal;
        let is_office = principal.unit.is_empty() && principal.roles.contains(&Role::Clerk);
        let (unit, act) = (principal.unit.clone(), Box::new(request.act()?));
        let command = Command::Sit { seat: seat.clone(), etag, unit, is_office, act };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        let read =
            |view: &Reading<'_>| Ok(jiyao_wire::seat_to(&seat.to_string(), &view.seat(&seat, "name")?.0));
        let now = match &committed.told {
            Some(told) => api::Seat::decode(told.as_slice()).map_err(Fault::internal)?,
            None => self.0.ledger.read_at(&committed, read).await?,
        };
        Ok((shown_to(&caller.principal, now), cursor_to(&committed.cursor)))
    }

    async fn create_meeting(
        &self,
        caller: Caller,
        mut request: api::CreateMeetingRequest,
    ) -> Result<api::CreateMeetingResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let asked = Asked::of(&mut request)?;
        let wanted = request.meeting.ok_or_else(|| Fault::required("meeting"))?;
        let meeting = Box::new(Meeting {
            kind: wanted.kind,
            title: wanted.title,
            date: jiyao_wire::required_date(&wanted.date, "meeting.date")?,
            place: wanted.place,
            chair: wanted.chair,
            items: jiyao_wire::items_from(wanted.items).map_err(|fault| fault.below("meeting"))?,
            ..Meeting::default()
        });
        let command = Command::Create { organ, meeting };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        let meeting = Some(self.made(&caller, &committed).await?);
        Ok(api::CreateMeetingResponse { meeting, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn get_meeting(
        &self,
        caller: Caller,
        request: api::GetMeetingRequest,
    ) -> Result<api::GetMeetingResponse> {
        let name = MeetingName::parse(&request.name, "name")?;
        self.wait(request.read_after.as_ref()).await?;
        let read = move |view: &Reading<'_>| {
            let meeting = view.seen_meeting(&caller.principal, &name, "name")?;
            shown(view, &caller.principal, &name, &meeting)
        };
        let (meeting, sequence) = self.0.ledger.read_much(read).await?;
        Ok(api::GetMeetingResponse { meeting: Some(meeting), sequence })
    }

    async fn wait(&self, read_after: Option<&Cursor>) -> Result<()> {
        wait_for(self.0.ledger.get()?, Some(&self.0.followed), read_after).await
    }

    async fn list_meetings(
        &self,
        caller: Caller,
        request: api::ListMeetingsRequest,
    ) -> Result<api::ListMeetingsResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let size = page_size(request.page_size)?;
        let query = caller.query(&["ListMeetings", &request.parent])?;
        let after = query.after(&request.page_token)?;
        let (page, sequence) = self.0.ledger.get()?.read(|view| {
            Page::of(view, &keys::by_day(&organ), &after, size, |name| {
                let name = String::from_utf8(name).map_err(Fault::internal)?;
                let mut meeting = view.meeting(&MeetingName::parse(&name, "name")?, "name")?;
                if !view.sees_meeting(&caller.principal, &meeting)? {
                    return Ok(None);
                }
                meeting.items.clear();
                meeting.history.clear();
                Ok(Some(meeting_for(&caller.principal, jiyao_wire::meeting_to(&meeting, &[]))))
            })
        })?;
        let next_page_token = query.token(page.next)?;
        Ok(api::ListMeetingsResponse { meetings: page.found, next_page_token, sequence })
    }

    async fn add_seats(
        &self,
        caller: Caller,
        mut request: api::AddSeatsRequest,
    ) -> Result<api::AddSeatsResponse> {
        let meeting = MeetingName::parse(&request.parent, "parent")?;
        jiyao_wire::check_count(&request.seats, "seats")?;
        let asked = Asked::of(&mut request)?;
        let seats = request.seats.into_iter().enumerate();
        let seats = seats
            .map(|(at, seat)| jiyao_wire::seat_from(seat, &format!("seats[{at}]")))
            .collect::<Result<_>>()?;
        let command = Command::AddSeats { meeting, seats };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        let made = committed.told.as_ref().unwrap_or(&committed.answer);
        let made = api::AddSeatsRequest::decode(made.as_slice()).map_err(Fault::internal)?.seats;
        let seats = match committed.told {
            Some(_) => made.into_iter().map(|seat| shown_to(&caller.principal, seat)).collect(),
            None => {
                let principal = caller.principal.clone();
                let read = move |view: &Reading<'_>| {
                    let seat = |stub: &api::Seat| {
                        let name = SeatName::parse(&stub.name, "name")?;
                        Ok(seat_for(&principal, &name, &view.seat(&name, "name")?.0))
                    };
                    made.iter().map(seat).collect::<Result<Vec<_>>>()
                };
                self.0.ledger.read_much_at(&committed, read).await?
            }
        };
        Ok(api::AddSeatsResponse { seats, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn list_seats(
        &self,
        caller: Caller,
        request: api::ListSeatsRequest,
    ) -> Result<api::ListSeatsResponse> {
        let name = MeetingName::parse(&request.parent, "parent")?;
        let size = page_size(request.page_size)?;
        let query = caller.query(&["ListSeats", &request.parent])?;
        let after = query.after(&request.page_token)?;
        let principal = caller.principal.clone();
        let read = move |view: &Reading<'_>| {
            view.seen_meeting(&principal, &name, "parent")?;
            let seats = view.seats(&name, &keys::seats(&name))?.into_iter();
            let places = seats.map(|(name, seat)| (place_of(&name, &seat), name, seat));
            let page = places.filter(|(place, ..)| place[..] > after[..]).take(size + 1);
            Ok(page.collect::<Vec<_>>())
        };
        let (mut page, sequence) = self.0.ledger.read_much(read).await?;
        let is_more = page.len() > size;
        page.truncate(size);
        let last = page.last().filter(|_| is_more);
        let next_page_token = query.token(last.map(|(place, ..)| place))?;
        let seats = page.iter().map(|(_, name, seat)| seat_for(&caller.principal, name, seat)).collect();
        Ok(api::ListSeatsResponse { seats, next_page_token, sequence })
    }

    async fn get_quorum(
        &self,
        caller: Caller,
        request: api::GetQuorumRequest,
    ) -> Result<api::GetQuorumResponse> {
        let name = MeetingName::parse(&request.name, "name")?;
        let asked = instant_from(request.at.as_ref(), "at")?;
        self.wait(request.read_after.as_ref()).await?;
        let now = SystemClock.now();
        let at = asked.unwrap_or(now).as_millisecond();
        let ((result, stored), sequence) = self.0.ledger.get()?.read(|view| {
            let meeting = view.seen_meeting(&caller.principal, &name, "name")?;
            if let Some(stored) = meeting.quorum.as_ref().filter(|_| asked.is_none()) {
                return Ok((jiyao_wire::quorum_result_to(stored), true));
            }
            let rules = view.rules(&name.organ)?;
            let seats: Vec<Seat> =
                view.seats(&name, &keys::member_seats(&name))?.into_iter().map(|(_, seat)| seat).collect();
            let counted = meeting.count(rules.quorum(&meeting.kind), &seats, at, now.as_millisecond());
            Ok((jiyao_wire::quorum_result_to(&counted), false))
        })?;
        let result = Some(quorum_for(&caller.principal, result));
        Ok(api::GetQuorumResponse { result, stored, sequence })
    }

    async fn list_present(
        &self,
        caller: Caller,
        request: api::ListPresentRequest,
    ) -> Result<api::ListPresentResponse> {
        let name = MeetingName::parse(&request.name, "name")?;
        let now = SystemClock.now().as_millisecond();
        let read = move |view: &Reading<'_>| {
            let meeting = view.seen_meeting(&caller.principal, &name, "name")?;
            if request.item_index as usize >= meeting.items.len() {
                return Err(Fault::invalid("item_index", request.item_index));
            }
            let seats = view.seats(&name, &keys::seats(&name))?;
            let there =
                seats.iter().filter(|(_, seat)| seat.was_there_for(request.item_index, &meeting, now));
            Ok(there.map(|(name, seat)| seat_for(&caller.principal, name, seat)).collect())
        };
        let (seats, sequence) = self.0.ledger.read_much(read).await?;
        Ok(api::ListPresentResponse { seats, sequence })
    }

    async fn list_recusals(
        &self,
        _: Caller,
        request: api::ListRecusalsRequest,
    ) -> Result<api::ListRecusalsResponse> {
        let name = MeetingName::parse(&request.name, "name")?;
        let read = move |view: &Reading<'_>| {
            let meeting = view.meeting(&name, "name")?;
            let seats = view.seats(&name, &keys::member_seats(&name))?;
            let recused = seats.iter().flat_map(|(name, seat)| {
                let shown = jiyao_wire::seat_to(&name.to_string(), seat);
                shown.recusals.into_iter().map(|recusal| api::MemberRecusal {
                    person: seat.person.clone(),
                    post: seat.post.clone(),
                    item: meeting
                        .items
                        .get(recusal.item_index as usize)
                        .map(|item| item.title.clone())
                        .unwrap_or_default(),
                    recusal: Some(recusal),
                })
            });
            Ok(recused.collect())
        };
        let (recusals, sequence) = self.0.ledger.read_much(read).await?;
        Ok(api::ListRecusalsResponse { recusals, sequence })
    }

    async fn check_roll(
        &self,
        caller: Caller,
        request: api::CheckRollRequest,
    ) -> Result<api::CheckRollResponse> {
        let minutes = Minutes::parse(&request.minutes, "minutes")?;
        self.wait(request.read_after.as_ref()).await?;
        let read = move |view: &Reading<'_>| {
            let roll = view.seen_roll(&caller.principal, &minutes, "minutes")?;
            view.checked(&minutes, &roll)
        };
        let (found, sequence) = self.0.ledger.read_much(read).await?;
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let finding = |finding: &jiyao_rolls::Finding| {
            jiyao_wire::roll_finding_to(finding, found.decisions.get(&finding.key()))
        };
        Ok(api::CheckRollResponse {
            agreeing: count(found.agreement.agreeing),
            entries: count(found.entries),
            findings: found.agreement.findings.iter().map(finding).collect(),
            meeting: found.meeting,
            sequence,
        })
    }

    async fn decide_roll_finding(
        &self,
        caller: Caller,
        mut request: api::DecideRollFindingRequest,
    ) -> Result<api::DecideRollFindingResponse> {
        let minutes = Minutes::parse(&request.minutes, "minutes")?;
        let asked = Asked::of(&mut request)?;
        let command = Command::DecideFinding { minutes, finding: request.finding, reason: request.reason };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        let finding = api::RollFinding::decode(committed.answer.as_slice()).map_err(Fault::internal)?;
        let finding = Some(finding);
        Ok(api::DecideRollFindingResponse { finding, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn hold_meeting(
        &self,
        caller: Caller,
        mut request: api::HoldMeetingRequest,
    ) -> Result<api::HoldMeetingResponse> {
        let asked = Asked::of(&mut request)?;
        let overridden = match (request.override_by.trim(), request.override_reason.trim()) {
            ("", "") => None,
            (_, "") => return Err(Fault::required("override_reason")),
            ("", _) => return Err(Fault::required("override_by")),
            (by, reason) => Some((by.to_owned(), reason.to_owned())),
        };
        let command = Command::Hold {
            meeting: MeetingName::parse(&request.name, "name")?,
            etag: request.etag,
            at: instant_from(request.at.as_ref(), "at")?.map(jiyao_calendar::Timestamp::as_millisecond),
            overridden,
        };
        let committed = self.0.ledger.submit(&caller, asked, command).await?;
        let meeting = Some(self.made(&caller, &committed).await?);
        Ok(api::HoldMeetingResponse { meeting, position: Some(cursor_to(&committed.cursor)) })
    }

    async fn get_attendance_report(
        &self,
        caller: Caller,
        request: api::GetAttendanceReportRequest,
    ) -> Result<api::GetAttendanceReportResponse> {
        let organ = Organ::parse(&request.parent, "parent")?;
        let from = jiyao_wire::required_date(&request.from, "from")?;
        let until = jiyao_wire::required_date(&request.until, "until")?;
        if until < from {
            return Err(Fault::invalid("until", until));
        }
        let read = move |view: &Reading<'_>| {
            let mut answer = api::GetAttendanceReportResponse::default();
            let mut all = Vec::new();
            for pair in view.scan(&keys::by_day(&organ), &[]) {
                let name = String::from_utf8(pair?.1).map_err(Fault::internal)?;
                let name = MeetingName::parse(&name, "name")?;
                let meeting = view.meeting(&name, "name")?;
                if meeting.date < from {
                    break;
                }
                let is_seen = view.sees_meeting(&caller.principal, &meeting)?;
                if meeting.date > until || meeting.stage != Stage::Held || !is_seen {
                    continue;
                }
                answer.meetings += 1;
                for (_, seat) in view.seats(&name, &keys::seats(&name))? {
                    if seat.is_absent_without_leave() {
                        let who = format!("{} {} {}{}", meeting.date, meeting.title, seat.unit, seat.person);
                        answer.absent_without_leave.push(who);
                    }
                    all.push(seat);
                }
            }
            let of = if request.by_unit { RatesOf::Units } else { RatesOf::People };
            answer.rates = rates(&all, of).iter().map(jiyao_wire::rate_to).collect();
            Ok(answer)
        };
        Ok(self.0.ledger.read_much(read).await?.0)
    }
}

service! {
    MeetingsService for MeetingsApi;
    acts meet -> meeting {
        notify_meeting: NotifyMeetingRequest => NotifyMeetingResponse;
        set_agenda: SetAgendaRequest => SetAgendaResponse;
        refresh_members: RefreshMembersRequest => RefreshMembersResponse;
        keep_item: KeepItemRequest => KeepItemResponse;
        start_item: StartItemRequest => StartItemResponse;
        end_item: EndItemRequest => EndItemResponse;
        time_item: TimeItemRequest => TimeItemResponse;
        link_minutes: LinkMinutesRequest => LinkMinutesResponse;
    }
    acts sit -> seat {
        answer_notice: AnswerNoticeRequest => AnswerNoticeResponse;
        decide_leave: DecideLeaveRequest => DecideLeaveResponse;
        decide_substitute: DecideSubstituteRequest => DecideSubstituteResponse;
        sign_in: SignInRequest => SignInResponse;
        sign_out: SignOutRequest => SignOutResponse;
        record_stay: RecordStayRequest => RecordStayResponse;
        recuse_member: RecuseMemberRequest => RecuseMemberResponse;
        move_seat: MoveSeatRequest => MoveSeatResponse;
    }
    calls {
        create_meeting: CreateMeetingRequest => CreateMeetingResponse;
        get_meeting: GetMeetingRequest => GetMeetingResponse;
        list_meetings: ListMeetingsRequest => ListMeetingsResponse;
        add_seats: AddSeatsRequest => AddSeatsResponse;
        list_seats: ListSeatsRequest => ListSeatsResponse;
        get_quorum: GetQuorumRequest => GetQuorumResponse;
        list_present: ListPresentRequest => ListPresentResponse;
        list_recusals: ListRecusalsRequest => ListRecusalsResponse;
        check_roll: CheckRollRequest => CheckRollResponse;
        decide_roll_finding: DecideRollFindingRequest => DecideRollFindingResponse;
        hold_meeting: HoldMeetingRequest => HoldMeetingResponse;
        get_attendance_report: GetAttendanceReportRequest => GetAttendanceReportResponse;
    }
}
