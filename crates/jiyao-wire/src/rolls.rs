//! The directory, meetings and seats to messages, and the requests of their acts to acts.

use jiyao_calendar::{Date, Timestamp};
use jiyao_fault::{Fault, Result};
use jiyao_proto::attendance::v1 as wire;
use jiyao_rolls::{self as domain, MeetingAct, SeatAct};

use crate::asks::asks;
use crate::date_from;
use crate::life::ruling_from;

/// Both ways between an enum of the wire and one of the domain. A value that was left open is the one behind `else`; where
/// there is none, one must be given.
macro_rules! pairs {
    (@open $domain:ident, $field:ident, $default:ident) => { Ok(domain::$domain::$default) };
    (@open $domain:ident, $field:ident,) => { Err(Fault::required($field)) };
    ($($to:ident, $from:ident: $wire:ident, $domain:ident { $($wired:ident = $pure:ident),* } $(else $default:ident)?;)*) => {
        $(
            fn $to(value: domain::$domain) -> i32 {
                match value { $(domain::$domain::$pure => wire::$wire::$wired,)* }.into()
            }

            fn $from(value: i32, field: &str) -> Result<domain::$domain> {
                match wire::$wire::try_from(value) {
                    $(Ok(wire::$wire::$wired) => Ok(domain::$domain::$pure),)*
                    #[allow(unreachable_patterns, reason = "the open value may be one of the named ones")]
                    Ok(_) => pairs!(@open $domain, field, $($default)?),
                    Err(_) => Err(Fault::invalid(field, value)),
                }
            }
        )*
    };
}

pairs! {
    rank_to, rank_from: Rank, Rank { Head = Head, Deputy = Deputy, SecretaryGeneral = SecretaryGeneral, Unspecified = Other } else Other;
    base_to, base_from: Base, Base { Members = Members, Deputies = Deputies };
    comparison_to, comparison_from: Comparison, Comparison { AtLeastHalf = AtLeastHalf, MoreThanHalf = MoreThanHalf, AtLeastTwoThirds = AtLeastTwoThirds };
    level_to, level_from: Level, Level { City = City, County = County, Other = Other };
    capacity_to, capacity_from: Capacity, Capacity { Observer = Observer, Member = Member, Recorder = Recorder, Staff = Staff } else Observer;
    observer_to, observer_from: ObserverKind, ObserverKind { Fixed = Fixed, ByItem = ByItem, Invited = Invited, Substitute = Substitute, Public = Public, Assistant = Assistant } else Fixed;
    ground_to, ground_from: RecusalGround, Ground { OwnInterest = OwnInterest, Relative = Relative, Other = Other };
    kind_to, unit_kind_from: UnitKind, UnitKind { Government = Government, Department = Department, LocalGovernment = LocalGovernment, Party = Party, Congress = Congress, Consultative = Consultative, Court = Court, Procuratorate = Procuratorate, Company = Company, TaskForce = TaskForce, Unspecified = Other } else Other;
}

fn date_to(date: Option<Date>) -> String {
    date.map(|date| date.to_string()).unwrap_or_default()
}

fn instant_to(milliseconds: i64) -> Option<prost_types::Timestamp> {
    Some(crate::timestamp(milliseconds))
}

/// An instant of a request; None where it is absent.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn instant_from(instant: Option<&prost_types::Timestamp>, field: &str) -> Result<Option<Timestamp>> {
    let Some(instant) = instant else { return Ok(None) };
    let bad = || Fault::invalid(field, format!("{}.{:09}", instant.seconds, instant.nanos));
    Timestamp::new(instant.seconds, instant.nanos).map(Some).map_err(|_| bad())
}

fn required_instant(instant: Option<&prost_types::Timestamp>, field: &str) -> Result<i64> {
    Ok(instant_from(instant, field)?.ok_or_else(|| Fault::required(field))?.as_millisecond())
}

/// An organisation as a message.
#[must_use]
pub fn unit_to(unit: &domain::Unit) -> wire::Unit {
    wire::Unit {
        id: unit.id.clone(),
        title: unit.title.clone(),
        short: unit.short.clone(),
        aliases: unit.aliases.clone(),
        kind: kind_to(unit.kind),
        classes: unit.classes.clone(),
        from: date_to(unit.span.from),
        until: date_to(unit.span.until),
        successors: unit.successors.clone(),
    }
}

/// The organisation of a message.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn unit_from(unit: wire::Unit) -> Result<domain::Unit> {
    let span = domain::Span { from: date_from(&unit.from, "from")?, until: date_from(&unit.until, "until")? };
    Ok(domain::Unit {
        kind: unit_kind_from(unit.kind, "kind")?,
        id: unit.id,
        title: unit.title,
        short: unit.short,
        aliases: unit.aliases,
        classes: unit.classes,
        span,
        successors: unit.successors,
    })
}

/// A member as a message.
#[must_use]
pub fn member_to((person, post): &domain::Membership<'_>) -> wire::Member {
    wire::Member {
        person_id: person.id.clone(),
        person: person.name.clone(),
        post: post.title.clone(),
        rank: rank_to(post.rank),
    }
}

/// The principals of a tenure as a message, with what its post is called.
#[must_use]
pub fn holder_to(tenure: &domain::Tenure, post: String) -> wire::PostHolder {
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    wire::PostHolder {
        post_id: tenure.post.clone(),
        person_id: tenure.person.clone(),
        post,
        principals: tenure.principals.clone(),
        from: day(tenure.span.from),
        until: day(tenure.span.until),
    }
}

/// A tenure with its person and post as a message.
#[must_use]
pub fn tenure_to(tenure: &domain::Tenure, person: &domain::Person, post: &domain::Post) -> wire::Tenure {
    wire::Tenure {
        person_id: person.id.clone(),
        person: person.name.clone(),
        post_id: post.id.clone(),
        post: post.title.clone(),
        unit: post.unit.clone(),
        rank: rank_to(post.rank),
        from: date_to(tenure.span.from),
        until: date_to(tenure.span.until),
    }
}

/// A refused row as a message.
#[must_use]
pub fn row_error_to(error: &domain::RowError) -> wire::RowError {
    wire::RowError {
        line: error.line,
        column: error.column.to_owned(),
        code: error.code.as_str().to_owned(),
        value: error.value.clone(),
    }
}

/// Rules of an organ as a message.
#[must_use]
pub fn roll_rules_to(rules: &domain::RollRules) -> wire::RollRules {
    let rule = |rule: &domain::QuorumRule| wire::QuorumRule {
        meeting_kind: rule.meeting_kind.clone(),
        base: base_to(rule.base),
        comparison: comparison_to(rule.comparison),
        needs: rule.needs.iter().map(|rank| rank_to(*rank)).collect(),
        text: rule.text.clone(),
    };
    wire::RollRules {
        level: level_to(rules.level),
        quorums: rules.quorums.iter().map(rule).collect(),
        members_ask: rules.members_ask.clone(),
        observers_ask: rules.observers_ask.clone(),
        assistants: rules.assistants,
    }
}

/// The rules of a message.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn roll_rules_from(rules: wire::RollRules) -> Result<domain::RollRules> {
    crate::check_count(&rules.quorums, "rules.quorums")?;
    crate::check_count(&rules.members_ask, "rules.members_ask")?;
    crate::check_count(&rules.observers_ask, "rules.observers_ask")?;
    let mut quorums = Vec::new();
    for (at, rule) in rules.quorums.into_iter().enumerate() {
        let field = |name: &str| format!("rules.quorums[{at}].{name}");
        if quorums.iter().any(|known: &domain::QuorumRule| known.meeting_kind == rule.meeting_kind) {
            return Err(Fault::invalid(&field("meeting_kind"), rule.meeting_kind));
        }
        quorums.push(domain::QuorumRule {
            base: base_from(rule.base, &field("base"))?,
            comparison: comparison_from(rule.comparison, &field("comparison"))?,
            needs: rule.needs.iter().map(|rank| rank_from(*rank, &field("needs"))).collect::<Result<_>>()?,
            meeting_kind: rule.meeting_kind,
            text: rule.text,
        });
    }
    Ok(domain::RollRules {
        level: level_from(rules.level, "rules.level")?,
        quorums,
        members_ask: rules.members_ask,
        observers_ask: rules.observers_ask,
        assistants: rules.assistants,
    })
}

fn item_to(item: &domain::Item) -> wire::Item {
    wire::Item {
        title: item.title.clone(),
        personnel: item.is_personnel,
        deputy: item.deputy.clone(),
        units: item.units.clone(),
        stays_by: item.stays_by.clone(),
        from: item.from.and_then(instant_to),
        until: item.until.and_then(instant_to),
    }
}

/// Items of a request; their times are recorded by acts, not here.
///
/// # Errors
/// `FIELD_INVALID` for too many.
pub fn items_from(items: Vec<wire::Item>) -> Result<Vec<domain::Item>> {
    crate::check_count(&items, "items")?;
    let item = |item: wire::Item| domain::Item {
        title: item.title,
        is_personnel: item.personnel,
        deputy: item.deputy,
        units: item.units,
        ..domain::Item::default()
    };
    Ok(items.into_iter().map(item).collect())
}

/// A meeting as a message; `findings` are those of the room.
#[must_use]
pub fn meeting_to(meeting: &domain::Meeting, findings: &[(&'static str, String)]) -> wire::Meeting {
    let stage = match meeting.stage {
        domain::Stage::Planned => wire::MeetingStage::Planned,
        domain::Stage::Notified => wire::MeetingStage::Notified,
        domain::Stage::Held => wire::MeetingStage::Held,
    };
    let of_law = meeting.findings.iter().map(|finding| {
        let (code, about) = finding.split_once(' ').unwrap_or((finding, ""));
        wire::MeetingFinding { code: code.to_owned(), about: about.to_owned() }
    });
    let of_room = findings
        .iter()
        .map(|(code, about)| wire::MeetingFinding { code: (*code).to_owned(), about: about.clone() });
    wire::Meeting {
        name: meeting.name.clone(),
        kind: meeting.kind.clone(),
        title: meeting.title.clone(),
        date: meeting.date.to_string(),
        place: meeting.place.clone(),
        chair: meeting.chair.clone(),
        items: meeting.items.iter().map(item_to).collect(),
        stage: stage.into(),
        version: meeting.version,
        reply_by: meeting.reply_by.map(|by| crate::timestamp(by.as_millisecond())),
        quorum: meeting.quorum.as_ref().map(quorum_result_to),
        minutes: meeting.minutes.clone(),
        findings: of_law.chain(of_room).collect(),
        history: meeting
            .history
            .iter()
            .map(|entry| wire::MeetingEntry {
                act: entry.act.name().to_owned(),
                actor: entry.actor.clone(),
                time: instant_to(entry.time.as_millisecond()),
            })
            .collect(),
    }
}

fn count_to(count: &domain::Count) -> wire::Count {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    wire::Count {
        base: number(count.base),
        present: number(count.present),
        needed: number(count.needed),
        lacking: count.lacking.iter().map(|rank| rank_to(*rank)).collect(),
        met: count.is_met(),
    }
}

/// The result of a quorum as a message.
#[must_use]
pub fn quorum_result_to(result: &domain::QuorumResult) -> wire::QuorumResult {
    let item = |item: &domain::ItemQuorum| wire::ItemQuorum {
        item_index: item.item,
        lowest: Some(count_to(&item.lowest)),
        at: instant_to(item.at),
        recused: item.recused.clone(),
        met: item.is_met,
    };
    let (by, reason) = result.overridden.clone().unwrap_or_default();
    wire::QuorumResult {
        outcome: result.outcome().to_owned(),
        at: instant_to(result.at),
        count: Some(count_to(&result.count)),
        rule: result.rule.clone(),
        override_by: by,
        override_reason: reason,
        items: result.items.iter().map(item).collect(),
        present: result.present.clone(),
    }
}

/// A seat as a message.
#[must_use]
pub fn seat_to(name: &str, seat: &domain::Seat) -> wire::Seat {
    let shown = match seat.shown() {
        domain::Shown::Present => wire::Shown::Present,
        domain::Shown::Observer => wire::Shown::Observer,
        domain::Shown::OnLeave => wire::Shown::OnLeave,
        domain::Shown::Absent => wire::Shown::Absent,
        domain::Shown::Recorder => wire::Shown::Recorder,
        domain::Shown::Staff => wire::Shown::Staff,
    };
    let reply = match &seat.reply {
        None => wire::ReplyKind::Unspecified,
        Some((domain::Reply::Comes, _)) => wire::ReplyKind::Comes,
        Some((domain::Reply::Sends { .. }, _)) => wire::ReplyKind::Sends,
        Some((domain::Reply::Leave { .. }, _)) => wire::ReplyKind::Leave,
    };
    let decision = |decided: Option<bool>, words: [&str; 2], post: Option<&str>| match decided {
        None => String::new(),
        Some(yes) => format!("{} {}", words[usize::from(!yes)], post.unwrap_or_default()).trim().to_owned(),
    };
    let stay = |stay: &domain::Stay| wire::Stay {
        from: instant_to(stay.interval.from),
        until: stay.interval.until.and_then(instant_to),
        by: stay.by.clone(),
        terminal_in: stay.terminals[0].clone(),
        terminal_out: stay.terminals[1].clone(),
    };
    let recusal = |recusal: &domain::Recusal| wire::Recusal {
        item_index: recusal.item,
        ground: ground_to(recusal.ground),
        reason: recusal.reason.clone(),
        decided_by: recusal.decided_by.clone(),
    };
    let (leave, substitute) = (seat.leave.as_ref(), seat.substitute.as_ref());
    let leave_post = leave.and_then(|leave| leave.decided.as_ref()).map(|(post, ..)| post.as_str());
    let substitute_post = substitute.and_then(|one| one.decided.as_ref()).map(|(post, _)| post.as_str());
    wire::Seat {
        name: name.to_owned(),
        order: seat.order,
        capacity: capacity_to(seat.capacity),
        observer: observer_to(seat.observed_as()),
        person_id: seat.person_id.clone(),
        person: seat.person.clone(),
        unit: seat.unit.clone(),
        post: seat.post.clone(),
        rank: rank_to(seat.rank),
        items: seat.items.clone(),
        shown: shown.into(),
        came: if seat.stays.is_empty() { String::new() } else { seat.who().to_owned() },
        version: seat.version,
        reply: reply.into(),
        leave_reason: leave.map(|leave| leave.reason.clone()).unwrap_or_default(),
        leave_decision: decision(leave.and_then(|leave| leave.granted), ["GRANTED", "REFUSED"], leave_post),
        substitute: substitute.map(|one| one.person.clone()).unwrap_or_default(),
        substitute_decision: decision(
            substitute.and_then(|one| one.approved),
            ["APPROVED", "REFUSED"],
            substitute_post,
        ),
        stays: seat.stays.iter().map(stay).collect(),
        recusals: seat.recusals.iter().map(recusal).collect(),
    }
}

/// A seat of a request: who is asked, in what capacity. Members come from the directory alone.
///
/// # Errors
/// `FIELD_INVALID`.
pub fn seat_from(seat: wire::Seat, field: &str) -> Result<domain::Seat> {
    let at = |name: &str| format!("{field}.{name}");
    let capacity = capacity_from(seat.capacity, &at("capacity"))?;
    if capacity == domain::Capacity::Member {
        return Err(Fault::invalid(&at("capacity"), "CAPACITY_MEMBER"));
    }
    let observer = observer_from(seat.observer, &at("observer"))?;
    if observer == domain::ObserverKind::Substitute {
        return Err(Fault::invalid(&at("observer"), "OBSERVER_KIND_SUBSTITUTE"));
    }
    Ok(domain::Seat {
        capacity,
        observer,
        person_id: seat.person_id,
        person: seat.person,
        unit: seat.unit,
        items: seat.items,
        ..domain::Seat::default()
    })
}

/// A finding of a roll as a message, with what was decided on it.
#[must_use]
pub fn roll_finding_to(finding: &domain::Finding, decision: Option<&domain::Decision>) -> wire::RollFinding {
    wire::RollFinding {
        key: finding.key(),
        code: finding.code.as_str().to_owned(),
        entry: finding.entry,
        about: finding.about.clone(),
        other: finding.other.clone(),
        decision: decision.map(|decision| decision.reason.clone()).unwrap_or_default(),
        decided_by: decision.map(|decision| decision.actor.clone()).unwrap_or_default(),
    }
}

/// A rate as a message.
#[must_use]
pub fn rate_to(rate: &domain::Rate) -> wire::AttendanceRate {
    wire::AttendanceRate {
        of: rate.of.clone(),
        asked: rate.asked,
        came: rate.came,
        sent: rate.sent,
        on_leave: rate.on_leave,
        absent: rate.absent,
        percent: rate.percent(),
    }
}

asks! { MeetingAct;
    RefreshMembersRequest => |_r| MeetingAct::refresh_members();
    NotifyMeetingRequest => |r| MeetingAct::Notify { reply_by: instant_from(r.reply_by.as_ref(), "reply_by")? };
    SetAgendaRequest => |r| MeetingAct::SetAgenda { items: items_from(r.items)? };
    KeepItemRequest => |r| MeetingAct::KeepItem { item: r.item_index, by: r.by };
    StartItemRequest => |r| MeetingAct::StartItem { item: r.item_index };
    EndItemRequest => |r| MeetingAct::EndItem { item: r.item_index };
    TimeItemRequest => |r| MeetingAct::TimeItem {
        item: r.item_index,
        from: required_instant(r.from.as_ref(), "from")?,
        until: required_instant(r.until.as_ref(), "until")?,
    };
    LinkMinutesRequest => |r| MeetingAct::LinkMinutes {
        minutes: jiyao_names::Minutes::parse(&r.minutes, "minutes")?.to_string(),
    };
}

asks! { SeatAct;
    AnswerNoticeRequest => |r| SeatAct::Answer {
        reply: match wire::ReplyKind::try_from(r.kind) {
            Ok(wire::ReplyKind::Comes) => domain::Reply::Comes,
            Ok(wire::ReplyKind::Sends) => domain::Reply::Sends { person: r.substitute },
            Ok(wire::ReplyKind::Leave) => domain::Reply::Leave { reason: r.reason },
            Ok(wire::ReplyKind::Unspecified) => return Err(Fault::required("kind")),
            Err(_) => return Err(Fault::invalid("kind", r.kind)),
        },
    };
    DecideLeaveRequest => |r| SeatAct::DecideLeave { post: r.post, grant: ruling_from(r.decision)? };
    DecideSubstituteRequest => |r| SeatAct::DecideSubstitute { post: r.post, approve: ruling_from(r.decision)? };
    SignInRequest => |r| SeatAct::SignIn { terminal: r.terminal, person: r.person };
    SignOutRequest => |r| SeatAct::SignOut { terminal: r.terminal };
    RecordStayRequest => |r| SeatAct::RecordStay {
        from: required_instant(r.from.as_ref(), "from")?,
        until: required_instant(r.until.as_ref(), "until")?,
        person: r.person,
    };
    RecuseMemberRequest => |r| SeatAct::Recuse {
        item: r.item_index,
        ground: ground_from(r.ground, "ground")?,
        reason: r.reason,
        decided_by: r.decided_by,
    };
    MoveSeatRequest => |r| SeatAct::Move { order: r.order };
}
