use jiyao_calendar::Timestamp;
use jiyao_proto::attendance::v1 as wire;
use jiyao_rolls::{MeetingAct, Reply, SeatAct};

use crate::types::Position;
use crate::{Client, Error, Page};

/// A meeting to plan.
#[derive(Clone, Debug, Default)]
pub struct NewMeeting {
    /// E.g. 常务会议.
    pub kind: String,
    /// E.g. 市政府第99次常务会议.
    pub title: String,
    /// The day, ISO.
    pub date: String,
    /// Where.
    pub place: String,
    /// Who presides.
    pub chair: String,
    /// The agenda.
    pub items: Vec<jiyao_rolls::Item>,
}

/// A meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meeting {
    /// `organs/{organ}/meetings/{meeting}`.
    pub name: String,
    /// E.g. 常务会议.
    pub kind: String,
    /// E.g. 市政府第99次常务会议.
    pub title: String,
    /// The day, ISO.
    pub date: String,
    /// PLANNED, NOTIFIED or HELD.
    pub stage: String,
    /// Counts acts: what `etag` compares with.
    pub version: u64,
    /// Titles of the agenda.
    pub items: Vec<String>,
    /// Whether it could decide; once it was held.
    pub quorum: Option<Quorum>,
    /// Its minutes; empty until they are linked.
    pub minutes: String,
    /// What is to be looked at: code, whom or what it concerns.
    pub findings: Vec<(String, String)>,
}

/// A count of a quorum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quorum {
    /// MET, NOT_MET, OVERRIDDEN or NO_RULE.
    pub outcome: String,
    /// How many there are to count.
    pub base: u32,
    /// How many of them were there.
    pub present: u32,
    /// How many are enough.
    pub needed: u32,
    /// Ranks of which somebody had to be there and nobody was, e.g. HEAD.
    pub lacking: Vec<String>,
    /// The rule's words.
    pub rule: String,
    /// Who overrode it, and why.
    pub overridden: Option<(String, String)>,
    /// Item from 0, lowest present, met all the time, names recused.
    pub items: Vec<(u32, u32, bool, Vec<String>)>,
    /// It is what was stored when the meeting was held.
    pub is_stored: bool,
}

/// Somebody to ask to a meeting besides its members.
#[derive(Clone, Debug, Default)]
pub struct NewSeat {
    /// Unit as printed.
    pub unit: String,
    /// Name; empty for an unnamed representative.
    pub person: String,
    /// Observer, recorder or staff.
    pub capacity: jiyao_rolls::Capacity,
    /// Which kind of observer.
    pub observer: jiyao_rolls::ObserverKind,
    /// Items, from 0, that they come for.
    pub items: Vec<u32>,
}

/// A place at a meeting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// `organs/{organ}/meetings/{meeting}/seats/{seat}`.
    pub name: String,
    /// Place in the printed order, from 1.
    pub order: u32,
    /// Unit as printed.
    pub unit: String,
    /// Name of whoever was asked; empty for a unit's unnamed representative.
    pub person: String,
    /// Who came, as far as they may; empty: nobody yet.
    pub came: String,
    /// FIXED, BY_ITEM, INVITED, SUBSTITUTE, PUBLIC or ASSISTANT; of observers.
    pub observer: String,
    /// COMES, SENDS or LEAVE; empty: no answer to the notice yet.
    pub reply: String,
    /// Why leave was asked for, and GRANTED or REFUSED with the post that decided.
    pub leave: (String, String),
    /// Who was to come instead, and APPROVED or REFUSED with the post that decided.
    pub substitute: (String, String),
    /// Items, from 0, that they took no part in, and why.
    pub recusals: Vec<(u32, String)>,
    /// Post that a member is one by.
    pub post: String,
    /// PRESENT, OBSERVER, ON_LEAVE, ABSENT, RECORDER or STAFF.
    pub shown: String,
    /// Counts acts: what `etag` compares with.
    pub version: u64,
    /// Since when, until when (None: still there), in milliseconds since 1970.
    pub stays: Vec<(i64, Option<i64>)>,
}

/// The roll that minutes state, held against what is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollCheck {
    /// Entries that agree.
    pub agreeing: u32,
    /// All entries.
    pub entries: u32,
    /// The meeting; empty: none is linked.
    pub meeting: String,
    /// Differences.
    pub findings: Vec<RollFinding>,
}

/// A difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollFinding {
    /// What a decision on it names.
    pub key: String,
    /// E.g. `NOT_SIGNED_IN`.
    pub code: String,
    /// Place on the stated roll, from 1; 0 for what it does not state.
    pub entry: u32,
    /// Unit and person it concerns.
    pub about: String,
    /// What the other side says.
    pub other: String,
    /// What was decided on it; empty: nothing yet.
    pub decision: String,
}

/// How often somebody came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttendanceRate {
    /// Person or unit.
    pub of: String,
    /// Asked, came, on leave, absent.
    pub counts: [u64; 4],
    /// Sent somebody who was approved.
    pub sent: u64,
    /// Came, of those asked.
    pub percent: u64,
}

/// A member who took no part in an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recusal {
    /// Which item of the agenda, from 0, and its title.
    pub item: (u32, String),
    /// Who.
    pub person: String,
    /// OWN_INTEREST, RELATIVE or OTHER, and in words.
    pub ground: (String, String),
    /// Who decided it.
    pub decided_by: String,
}

fn instant(milliseconds: Option<i64>) -> Option<prost_types::Timestamp> {
    milliseconds.map(jiyao_wire::timestamp)
}

fn milliseconds(instant: &prost_types::Timestamp) -> i64 {
    instant.seconds.saturating_mul(1000).saturating_add(i64::from(instant.nanos) / 1_000_000)
}

fn short(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_owned()
}

fn quorum(of: wire::QuorumResult, is_stored: bool) -> Quorum {
    let count = of.count.unwrap_or_default();
    let item = |item: wire::ItemQuorum| {
        (item.item_index, item.lowest.unwrap_or_default().present, item.met, item.recused)
    };
    Quorum {
        outcome: of.outcome,
        base: count.base,
        present: count.present,
        needed: count.needed,
        lacking: count.lacking().map(|rank| short(rank.as_str_name(), "RANK_")).collect(),
        rule: of.rule,
        overridden: (!of.override_by.is_empty()).then_some((of.override_by, of.override_reason)),
        items: of.items.into_iter().map(item).collect(),
        is_stored,
    }
}

fn meeting(of: wire::Meeting) -> Meeting {
    Meeting {
        stage: short(of.stage().as_str_name(), "MEETING_STAGE_"),
        name: of.name,
        kind: of.kind,
        title: of.title,
        date: of.date,
        version: of.version,
        items: of.items.into_iter().map(|item| item.title).collect(),
        quorum: of.quorum.map(|result| quorum(result, true)),
        minutes: of.minutes,
        findings: of.findings.into_iter().map(|finding| (finding.code, finding.about)).collect(),
    }
}

fn seat(of: wire::Seat) -> Seat {
    let stay = |stay: &wire::Stay| {
        (stay.from.as_ref().map_or(0, milliseconds), stay.until.as_ref().map(milliseconds))
    };
    Seat {
        shown: short(of.shown().as_str_name(), "SHOWN_"),
        observer: match of.capacity() {
            wire::Capacity::Observer => short(of.observer().as_str_name(), "OBSERVER_KIND_"),
            _ => String::new(),
        },
        reply: match of.reply() {
            wire::ReplyKind::Unspecified => String::new(),
            reply => short(reply.as_str_name(), "REPLY_KIND_"),
        },
        came: of.came,
        leave: (of.leave_reason, of.leave_decision),
        substitute: (of.substitute, of.substitute_decision),
        recusals: of.recusals.into_iter().map(|recusal| (recusal.item_index, recusal.reason)).collect(),
        stays: of.stays.iter().map(stay).collect(),
        name: of.name,
        order: of.order,
        unit: of.unit,
        person: of.person,
        post: of.post,
        version: of.version,
    }
}

fn items_to(items: Vec<jiyao_rolls::Item>) -> Vec<wire::Item> {
    let item = |item: jiyao_rolls::Item| wire::Item {
        title: item.title,
        personnel: item.is_personnel,
        deputy: item.deputy,
        units: item.units,
        ..wire::Item::default()
    };
    items.into_iter().map(item).collect()
}

fn ground_to(ground: jiyao_rolls::Ground) -> i32 {
    match ground {
        jiyao_rolls::Ground::OwnInterest => wire::RecusalGround::OwnInterest,
        jiyao_rolls::Ground::Relative => wire::RecusalGround::Relative,
        jiyao_rolls::Ground::Other => wire::RecusalGround::Other,
    }
    .into()
}

fn new_seat_to(seat: NewSeat) -> wire::Seat {
    use jiyao_rolls::{Capacity, ObserverKind};
    let capacity = match seat.capacity {
        Capacity::Member => wire::Capacity::Member,
        Capacity::Observer => wire::Capacity::Observer,
        Capacity::Recorder => wire::Capacity::Recorder,
        Capacity::Staff => wire::Capacity::Staff,
    };
    let observer = match seat.observer {
        ObserverKind::Fixed => wire::ObserverKind::Fixed,
        ObserverKind::ByItem => wire::ObserverKind::ByItem,
        ObserverKind::Invited => wire::ObserverKind::Invited,
        ObserverKind::Substitute => wire::ObserverKind::Substitute,
        ObserverKind::Public => wire::ObserverKind::Public,
        ObserverKind::Assistant => wire::ObserverKind::Assistant,
    };
    wire::Seat {
        capacity: capacity.into(),
        observer: observer.into(),
        unit: seat.unit,
        person: seat.person,
        items: seat.items,
        ..wire::Seat::default()
    }
}

impl Client {
    /// Plans a meeting; its members are those of its day.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`, `DISK_FULL`.
    pub async fn create_meeting(&self, organ: &str, new: NewMeeting) -> Result<Meeting, Error> {
        let planned = wire::Meeting {
            kind: new.kind,
            title: new.title,
            date: new.date,
            place: new.place,
            chair: new.chair,
            items: items_to(new.items),
            ..wire::Meeting::default()
        };
        let request = wire::CreateMeetingRequest {
            parent: organ.to_owned(),
            meeting: Some(planned),
            request_id: String::new(),
        };
        let answer = self.attendance.call(request).await?;
        answer.meeting.map(meeting).ok_or_else(|| self.attendance.malformed("plan a meeting"))
    }

    /// One meeting with its findings.
    ///
    /// # Errors
    /// `MEETING_NOT_FOUND`.
    pub async fn meeting(&self, name: &str) -> Result<Meeting, Error> {
        let request = wire::GetMeetingRequest { name: name.to_owned(), read_after: None };
        let answer = self.attendance.call(request).await?;
        answer.meeting.map(meeting).ok_or_else(|| self.attendance.malformed("get a meeting"))
    }

    /// A page of meetings, the newest day first.
    ///
    /// # Errors
    /// `PAGE_TOKEN_INVALID`, `FIELD_INVALID`.
    pub async fn list_meetings(&self, organ: &str, page: Option<&str>) -> Result<Page<Meeting>, Error> {
        let page_token = page.unwrap_or_default().to_owned();
        let request = wire::ListMeetingsRequest { parent: organ.to_owned(), page_size: 0, page_token };
        let answer = self.attendance.call(request).await?;
        Ok(Page::of(answer.meetings, answer.next_page_token, |of| Some(meeting(of))))
    }

    /// Does something with a meeting: each act is the RPC of its name. `etag`: only if that is still its version.
    /// A `Hold` is [`Client::hold_meeting`], for attendance counts it: it is refused here, nothing is sent.
    ///
    /// # Errors
    /// `MEETING_NOT_FOUND`, `STATE_FORBIDS`, `ETAG_STALE`, and those of the act.
    pub async fn meet(&self, name: &str, act: MeetingAct, etag: Option<u64>) -> Result<Meeting, Error> {
        let (name, etag) = (name.to_owned(), etag.unwrap_or(0));
        let what = "act on a meeting";
        let done = match act {
            MeetingAct::Notify { reply_by } => {
                self.attendance
                    .call(wire::NotifyMeetingRequest {
                        name,
                        etag,
                        reply_by: instant(reply_by.map(Timestamp::as_millisecond)),
                        ..Default::default()
                    })
                    .await?
                    .meeting
            }
            MeetingAct::SetAgenda { items } => {
                self.attendance
                    .call(wire::SetAgendaRequest { name, etag, items: items_to(items), ..Default::default() })
                    .await?
                    .meeting
            }
            MeetingAct::RefreshMembers { .. } => {
                self.attendance
                    .call(wire::RefreshMembersRequest { name, etag, ..Default::default() })
                    .await?
                    .meeting
            }
            MeetingAct::KeepItem { item, by } => {
                self.attendance
                    .call(wire::KeepItemRequest { name, etag, item_index: item, by, ..Default::default() })
                    .await?
                    .meeting
            }
            MeetingAct::StartItem { item } => {
                self.attendance
                    .call(wire::StartItemRequest { name, etag, item_index: item, ..Default::default() })
                    .await?
                    .meeting
            }
            MeetingAct::EndItem { item } => {
                self.attendance
                    .call(wire::EndItemRequest { name, etag, item_index: item, ..Default::default() })
                    .await?
                    .meeting
            }
            MeetingAct::TimeItem { item, from, until } => {
                self.attendance
                    .call(wire::TimeItemRequest {
                        name,
                        etag,
                        item_index: item,
                        from: instant(Some(from)),
                        until: instant(Some(until)),
                        ..Default::default()
                    })
                    .await?
                    .meeting
            }
            MeetingAct::LinkMinutes { minutes } => {
                self.attendance
                    .call(wire::LinkMinutesRequest { name, etag, minutes, ..Default::default() })
                    .await?
                    .meeting
            }
            MeetingAct::Hold { .. } => {
                return Err(Error::settings(what, "attendance counts the quorum by itself"));
            }
        };
        done.map(meeting).ok_or_else(|| self.attendance.malformed(what))
    }

    /// The meeting was held: its quorum is counted at a moment (milliseconds since 1970; None: now), stored, and stays.
    /// `overridden`: who decided that it stands although too few were there, and why.
    ///
    /// # Errors
    /// `MEETING_NOT_FOUND`, `QUORUM_OPEN`, `STATE_FORBIDS`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn hold_meeting(
        &self,
        name: &str,
        at: Option<i64>,
        overridden: Option<(String, String)>,
    ) -> Result<Meeting, Error> {
        let (override_by, override_reason) = overridden.unwrap_or_default();
        let request = wire::HoldMeetingRequest {
            name: name.to_owned(),
            at: instant(at),
            override_by,
            override_reason,
            etag: 0,
            request_id: String::new(),
        };
        let answer = self.attendance.call(request).await?;
        answer.meeting.map(meeting).ok_or_else(|| self.attendance.malformed("hold a meeting"))
    }

    /// Asks people to a meeting besides its members, in the printed order.
    ///
    /// # Errors
    /// `MEETING_NOT_FOUND`, `OBSERVER_REFUSED`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn add_seats(&self, name: &str, seats: Vec<NewSeat>) -> Result<Vec<Seat>, Error> {
        let request = wire::AddSeatsRequest {
            parent: name.to_owned(),
            seats: seats.into_iter().map(new_seat_to).collect(),
            request_id: String::new(),
        };
        let answer = self.attendance.call(request).await?;
        Ok(answer.seats.into_iter().map(seat).collect())
    }

    /// A page of the seats of a meeting, members first.
    ///
    /// # Errors
    /// `MEETING_NOT_FOUND`, `PAGE_TOKEN_INVALID`.
    pub async fn list_seats(&self, name: &str, page: Option<&str>) -> Result<Page<Seat>, Error> {
        let page_token = page.unwrap_or_default().to_owned();
        let request = wire::ListSeatsRequest { parent: name.to_owned(), page_size: 200, page_token };
        let answer = self.attendance.call(request).await?;
        Ok(Page::of(answer.seats, answer.next_page_token, |of| Some(seat(of))))
    }

    /// Does something with a seat: each act is the RPC of its name. `etag`: only if that is still its version.
    ///
    /// # Errors
    /// `SEAT_NOT_FOUND`, `STATE_FORBIDS`, `ETAG_STALE`, and those of the act.
    pub async fn sit(&self, name: &str, act: SeatAct, etag: Option<u64>) -> Result<Seat, Error> {
        let (name, etag) = (name.to_owned(), etag.unwrap_or(0));
        let what = "act on a seat";
        let done = match act {
            SeatAct::Answer { reply: Reply::Comes } => {
                self.attendance
                    .call(wire::AnswerNoticeRequest {
                        name,
                        etag,
                        kind: wire::ReplyKind::Comes.into(),
                        substitute: String::new(),
                        reason: String::new(),
                        ..Default::default()
                    })
                    .await?
                    .seat
            }
            SeatAct::Answer { reply: Reply::Sends { person } } => {
                self.attendance
                    .call(wire::AnswerNoticeRequest {
                        name,
                        etag,
                        kind: wire::ReplyKind::Sends.into(),
                        substitute: person,
                        reason: String::new(),
                        ..Default::default()
                    })
                    .await?
                    .seat
            }
            SeatAct::Answer { reply: Reply::Leave { reason } } => {
                self.attendance
                    .call(wire::AnswerNoticeRequest {
                        name,
                        etag,
                        kind: wire::ReplyKind::Leave.into(),
                        substitute: String::new(),
                        reason,
                        ..Default::default()
                    })
                    .await?
                    .seat
            }
            SeatAct::DecideLeave { post, grant } => {
                self.attendance
                    .call(wire::DecideLeaveRequest {
                        name,
                        etag,
                        post,
                        decision: jiyao_wire::ruling_to(grant).into(),
                        ..Default::default()
                    })
                    .await?
                    .seat
            }
            SeatAct::DecideSubstitute { post, approve } => {
                self.attendance
                    .call(wire::DecideSubstituteRequest {
                        name,
                        etag,
                        post,
                        decision: jiyao_wire::ruling_to(approve).into(),
                        ..Default::default()
                    })
                    .await?
                    .seat
            }
            SeatAct::SignIn { terminal, person } => {
                self.attendance
                    .call(wire::SignInRequest { name, etag, terminal, person, ..Default::default() })
                    .await?
                    .seat
            }
            SeatAct::SignOut { terminal } => {
                self.attendance
                    .call(wire::SignOutRequest { name, etag, terminal, ..Default::default() })
                    .await?
                    .seat
            }
            SeatAct::RecordStay { from, until, person } => {
                self.attendance
                    .call(wire::RecordStayRequest {
                        name,
                        etag,
                        from: instant(Some(from)),
                        until: instant(Some(until)),
                        person,
                        ..Default::default()
                    })
                    .await?
                    .seat
            }
            SeatAct::Recuse { item, ground, reason, decided_by } => {
                self.attendance
                    .call(wire::RecuseMemberRequest {
                        name,
                        etag,
                        item_index: item,
                        ground: ground_to(ground),
                        reason,
                        decided_by,
                        ..Default::default()
                    })
                    .await?
                    .seat
            }
            SeatAct::Move { order } => {
                self.attendance
                    .call(wire::MoveSeatRequest { name, etag, order, ..Default::default() })
                    .await?
                    .seat
            }
        };
        done.map(seat).ok_or_else(|| self.attendance.malformed(what))
    }

    /// The quorum at a moment (milliseconds since 1970), or as it was stored, or now.
    ///
    /// # Errors
    /// `MEETING_NOT_FOUND`.
    pub async fn quorum(&self, name: &str, at: Option<i64>) -> Result<Quorum, Error> {
        let request = wire::GetQuorumRequest { name: name.to_owned(), at: instant(at), read_after: None };
        let answer = self.attendance.call(request).await?;
        let result = answer.result.ok_or_else(|| self.attendance.malformed("count a quorum"))?;
        Ok(quorum(result, answer.stored))
    }

    /// Who was in the room for an item, from 0.
    ///
    /// # Errors
    /// `MEETING_NOT_FOUND`, `FIELD_INVALID`.
    pub async fn present_for(&self, name: &str, item: u32) -> Result<Vec<Seat>, Error> {
        let request = wire::ListPresentRequest { name: name.to_owned(), item_index: item };
        let answer = self.attendance.call(request).await?;
        Ok(answer.seats.into_iter().map(seat).collect())
    }

    /// Who took no part in which item, and why.
    ///
    /// # Errors
    /// `MEETING_NOT_FOUND`.
    pub async fn recusals(&self, name: &str) -> Result<Vec<Recusal>, Error> {
        let request = wire::ListRecusalsRequest { name: name.to_owned() };
        let answer = self.attendance.call(request).await?;
        let recusal = |of: wire::MemberRecusal| {
            let recusal = of.recusal.unwrap_or_default();
            Recusal {
                item: (recusal.item_index, of.item),
                person: of.person,
                ground: (short(recusal.ground().as_str_name(), "RECUSAL_GROUND_"), recusal.reason),
                decided_by: recusal.decided_by,
            }
        };
        Ok(answer.recusals.into_iter().map(recusal).collect())
    }

    /// Holds the roll that minutes state against directory and sign-ins.
    ///
    /// # Errors
    /// `NOT_STATED`, `NOT_CAUGHT_UP`.
    pub async fn check_roll(&self, minutes: &str, read_after: Option<&Position>) -> Result<RollCheck, Error> {
        let read_after = read_after.map(Position::to_wire);
        let request = wire::CheckRollRequest { minutes: minutes.to_owned(), read_after };
        let answer = self.attendance.call(request).await?;
        let finding = |finding: wire::RollFinding| RollFinding {
            key: finding.key,
            code: finding.code,
            entry: finding.entry,
            about: finding.about,
            other: finding.other,
            decision: finding.decision,
        };
        Ok(RollCheck {
            agreeing: answer.agreeing,
            entries: answer.entries,
            meeting: answer.meeting,
            findings: answer.findings.into_iter().map(finding).collect(),
        })
    }

    /// Records what a person decided on a difference, by its key.
    ///
    /// # Errors
    /// `NOT_STATED`, `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn decide_roll_finding(&self, minutes: &str, finding: &str, reason: &str) -> Result<(), Error> {
        let request = wire::DecideRollFindingRequest {
            minutes: minutes.to_owned(),
            finding: finding.to_owned(),
            reason: reason.to_owned(),
            request_id: String::new(),
        };
        self.attendance.call(request).await.map(|_| ())
    }

    /// How often people (or units) came between two ISO dates, and each absence without leave.
    ///
    /// # Errors
    /// `FIELD_REQUIRED`, `FIELD_INVALID`.
    pub async fn attendance_report(
        &self,
        organ: &str,
        from: &str,
        until: &str,
        by_unit: bool,
    ) -> Result<(Vec<AttendanceRate>, Vec<String>), Error> {
        let request = wire::GetAttendanceReportRequest {
            parent: organ.to_owned(),
            from: from.to_owned(),
            until: until.to_owned(),
            by_unit,
        };
        let answer = self.attendance.call(request).await?;
        let rate = |rate: wire::AttendanceRate| AttendanceRate {
            of: rate.of,
            counts: [rate.asked, rate.came, rate.on_leave, rate.absent],
            sent: rate.sent,
            percent: rate.percent,
        };
        Ok((answer.rates.into_iter().map(rate).collect(), answer.absent_without_leave))
    }
}
