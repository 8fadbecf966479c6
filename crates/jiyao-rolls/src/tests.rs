use jiyao_calendar::{Date, Timestamp, parse_iso};
use jiyao_fault::Reason;

use super::*;

fn day(text: &str) -> Date {
    parse_iso(text).unwrap()
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millisecond(1_591_056_000_000 + minute * 60_000).unwrap()
}

const TABLE: &str = "\
type,id,title,short,aliases,kind,classes,unit,rank,member_of,person,post,from,until,successors
unit,gov,临岚市人民政府,市政府,,GOVERNMENT,,,,,,,2010-01-01,,
unit,edu,临岚市教育局,市教育局,市教委,DEPARTMENT,市各有关部门和单位,,,,,,2010-01-01,,
unit,plan,临岚市规划局,市规划局,,DEPARTMENT,市各有关部门和单位,,,,,,2010-01-01,2019-12-31,land
unit,land,临岚市自然资源和规划局,市自然资源局,,DEPARTMENT,市各有关部门和单位,,,,,,2020-01-01,,
unit,east,东湖县人民政府,,,LOCAL_GOVERNMENT,各县、区人民政府,,,,,,2010-01-01,,
person,p1,方知远,,,,,,,,,,,,
person,p2,贺兰舟,,,,,,,,,,,,
person,p3,章树声,,,,,,,,,,,,
person,p4,阮微,,,,,,,,,,,,
post,mayor,市长,,,,,gov,HEAD,常务会议,,,,,
post,vice,副市长,,,,,gov,DEPUTY,常务会议,,,,,
post,sg,秘书长,,,,,gov,SECRETARY_GENERAL,常务会议,,,,,
post,aide,市长助理,,,,,gov,OTHER,,,,,,
tenure,,,,,,,,,,p1,mayor,2018-01-01,,
tenure,,,,,,,,,,p2,vice,2018-01-01,2020-06-30,
tenure,,,,,,,,,,p3,sg,2018-01-01,,
tenure,,,,,,,,,,p4,vice,2020-07-01,,
";

fn directory() -> Directory {
    let preview = preview(TABLE, &Directory::default()).unwrap();
    assert_eq!(preview.errors, []);
    let mut directory = Directory::default();
    preview.entries.into_iter().for_each(|entry| directory.put(entry));
    directory
}

fn meeting(items: Vec<Item>) -> Meeting {
    Meeting {
        name: "organs/linlan/meetings/1".into(),
        kind: "常务会议".into(),
        date: day("2020-06-02"),
        items,
        ..Meeting::default()
    }
}

fn seat(order: u32, person: &str) -> Seat {
    Seat { order, person: person.into(), unit: "市教育局".into(), ..Seat::default() }
}

fn member(person: &str, rank: Rank) -> Seat {
    Seat { capacity: Capacity::Member, person: person.into(), rank, ..Seat::default() }
}

fn did(seat: &mut Seat, act: SeatAct, meeting: &Meeting, minute: i64) -> Result<(), Reason> {
    let (rules, actor) = (RollRules::default(), Actor { name: "会务".into(), unit: String::new() });
    let context = SeatContext { actor: &actor, now: at(minute), meeting, rules: &rules };
    let entry = seat.decide(act, &context).map_err(|fault| fault.reason())?;
    seat.apply(entry);
    Ok(())
}

fn sign_in(person: &str) -> SeatAct {
    SeatAct::SignIn { terminal: "一号门".into(), person: person.into() }
}

fn sign_out() -> SeatAct {
    SeatAct::SignOut { terminal: "二号门".into() }
}

#[test]
fn a_table_is_taken_whole_or_not_at_all_and_says_what_is_wrong_where() {
    let again = preview(TABLE, &directory()).unwrap();
    assert_eq!((again.entries.len(), again.added, again.changed, again.unchanged), (0, 0, 0, 17));
    let wrong = "type,id,title,from,until,successors,rank,person,post\n\
        unit,a,甲局,2020-02-30,,,,,\n\
        unit,b,乙局,2020-02-02,2020-02-01,,,,\n\
        unit,b,丙局,,,,,,\n\
        unit,c,,,,zz,,,\n\
        unit,d,丁局,,,e,,,\n\
        unit,e,戊局,,,d,,,\n\
        unit,f,丁局,,,,,,\n\
        team,g,己,,,,,,\n\
        post,h,主任,,,,BOSS,,\n\
        tenure,,,,,,,nobody,h\n\
        unit,ä,庚局,,,,,,\n";
    let found = preview(wrong, &Directory::default()).unwrap();
    let short: Vec<_> =
        found.errors.iter().map(|error| (error.line, error.column, error.code.as_str())).collect();
    assert_eq!(
        short,
        [
            (2, "from", "DATE_INVALID"),
            (3, "until", "DATES_REVERSED"),
            (4, "id", "DUPLICATE"),
            (5, "title", "EMPTY"),
            (5, "successors", "MISSING"),
            (6, "successors", "CYCLE"),
            (7, "successors", "CYCLE"),
            (8, "title", "NAME_TAKEN"),
            (9, "type", "UNKNOWN"),
            (10, "rank", "UNKNOWN"),
            (11, "person", "MISSING"),
            (12, "id", "UNKNOWN"),
        ]
    );
    for no_table in ["", "id,title\n", "type,type\n", "type,colour\n", "type,id\nunit,a,b\n"] {
        let fault = preview(no_table, &Directory::default());
        let is_empty = no_table.is_empty();
        assert_eq!(fault.unwrap_err().fields(), ["table"], "{no_table:?} {is_empty}");
    }
}

#[test]
fn req_21_the_baseline_of_members_is_the_laws_and_more_is_a_finding() {
    let mut directory = directory();
    let meeting = meeting(Vec::new());
    let (seats, findings) = meeting.members_of(&directory, &RollRules::default());
    assert_eq!(
        seats.iter().map(|seat| seat.person.as_str()).collect::<Vec<_>>(),
        ["方知远", "贺兰舟", "章树声"]
    );
    assert_eq!(findings, Vec::<String>::new());
    let county = RollRules { level: Level::County, ..RollRules::default() };
    assert_eq!(meeting.members_of(&directory, &county).1, ["MEMBER_BEYOND_LAW 章树声（秘书长）"]);
    let aide = Post { member_of: vec!["常务会议".into()], ..directory.posts["aide"].clone() };
    directory.put(Entry::Post(aide));
    directory.put(Entry::Tenure(Tenure { post: "aide".into(), person: "p4".into(), span: Span::default() }));
    let (seats, findings) = meeting.members_of(&directory, &RollRules::default());
    assert_eq!(
        (seats.len(), findings.as_slice()),
        (4, ["MEMBER_BEYOND_LAW 阮微（市长助理）".to_owned()].as_slice())
    );
    let nobody = Meeting { kind: "专题会议".into(), ..meeting };
    let (seats, findings) = nobody.members_of(&directory, &RollRules::default());
    assert_eq!((seats.len(), findings.len()), (0, 3), "every rank of the law lacks");
}

#[test]
fn req_22_the_list_is_that_of_the_meetings_day() {
    let directory = directory();
    let names = |text: &str| -> Vec<String> {
        directory.members_on("常务会议", day(text)).iter().map(|(person, _)| person.name.clone()).collect()
    };
    assert_eq!(names("2020-06-30"), ["方知远", "贺兰舟", "章树声"]);
    assert_eq!(names("2020-07-01"), ["方知远", "阮微", "章树声"]);
    assert_eq!(names("2017-12-31"), Vec::<String>::new());
    assert_eq!(directory.units_called("市教委", day("2020-06-02"))[0].id, "edu");
    assert_eq!(directory.units_called("市规划局", day("2020-06-02")).len(), 0);
    assert_eq!(directory.standing_for("plan", day("2019-06-02"))[0].id, "plan");
    assert_eq!(directory.standing_for("plan", day("2020-06-02"))[0].id, "land");
    assert_eq!(directory.units_of("各县区人民政府", day("2020-06-02"))[0].id, "east");
}

fn rule(comparison: Comparison) -> QuorumRule {
    QuorumRule { comparison, text: "规则".into(), ..QuorumRule::default() }
}

#[test]
fn req_23_half_is_enough_for_one_rule_and_not_for_the_other() {
    let here = [Interval { from: 0, until: None }];
    for (present, half, more, thirds) in
        [(5, false, false, false), (6, true, false, false), (7, true, true, false), (8, true, true, true)]
    {
        let members: Vec<_> = (0..12)
            .map(|n| Member {
                rank: Rank::Other,
                intervals: if n < present { &here } else { &[] },
                recused: &[],
            })
            .collect();
        let met = |comparison| rule(comparison).at(&members, 5, None).is_met();
        assert_eq!(met(Comparison::AtLeastHalf), half, "{present}");
        assert_eq!(met(Comparison::MoreThanHalf), more, "{present}");
        assert_eq!(met(Comparison::AtLeastTwoThirds), thirds, "{present}");
    }
    let deputies = QuorumRule { base: Base::Deputies, ..rule(Comparison::AtLeastHalf) };
    let members = [
        Member { rank: Rank::Head, intervals: &here, recused: &[] },
        Member { rank: Rank::Deputy, intervals: &[], recused: &[] },
    ];
    assert_eq!(deputies.at(&members, 5, None).present, 0, "the head is no deputy");
    let with_head = QuorumRule { needs: vec![Rank::Head], ..rule(Comparison::AtLeastHalf) };
    assert!(with_head.at(&members, 5, None).is_met());
    assert_eq!(with_head.at(&members, -1, None).lacking, [Rank::Head]);
    assert!(!rule(Comparison::AtLeastHalf).at(&[], 0, None).is_met(), "nobody is no quorum of nobody");
}

/// A generator of numbers: the same seed, the same numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

#[test]
fn req_23_counts_over_intervals_are_those_of_a_minute_by_minute_oracle() {
    const MINUTES: i64 = 40;
    const CASES: u64 = 100_000;
    for seed in 0..CASES {
        let mut dice = Dice(seed);
        let mut rolled = |below: u64| dice.roll(below);
        let count = rolled(9) as usize;
        let mut people = Vec::new();
        for _ in 0..count {
            let mut intervals = Vec::new();
            let mut from = rolled(20) as i64 - 3;
            for _ in 0..rolled(4) {
                let until = from + 1 + rolled(15) as i64;
                let is_open = rolled(8) == 0;
                intervals.push(Interval { from, until: (!is_open).then_some(until) });
                if is_open {
                    break;
                }
                from = until + rolled(6) as i64;
            }
            let rank = [Rank::Head, Rank::Deputy, Rank::Deputy, Rank::SecretaryGeneral][rolled(4) as usize];
            let recused: Vec<u32> = if rolled(4) == 0 { vec![0] } else { Vec::new() };
            people.push((rank, intervals, recused));
        }
        let comparison = [Comparison::AtLeastHalf, Comparison::MoreThanHalf, Comparison::AtLeastTwoThirds]
            [rolled(3) as usize];
        let rule = QuorumRule {
            base: if rolled(4) == 0 { Base::Deputies } else { Base::Members },
            needs: if rolled(3) == 0 { vec![Rank::Head] } else { Vec::new() },
            ..rule(comparison)
        };
        let item = (rolled(2) == 0).then_some(0);
        let from = rolled(20) as i64;
        let until = from + 1 + rolled((MINUTES - from) as u64) as i64;
        let members: Vec<_> = people
            .iter()
            .map(|(rank, intervals, recused)| Member { rank: *rank, intervals, recused })
            .collect();

        // The oracle walks the minutes and counts heads.
        let (mut lowest, mut gaps) = (None::<(bool, usize)>, Vec::<(i64, i64)>::new());
        for minute in from..until {
            let there: Vec<Rank> = people
                .iter()
                .filter(|(_, intervals, recused)| {
                    (item.is_none() || recused.is_empty())
                        && intervals
                            .iter()
                            .any(|stay| stay.from <= minute && stay.until.is_none_or(|until| until > minute))
                })
                .map(|(rank, ..)| *rank)
                .collect();
            let counts = |rank: &Rank| rule.base == Base::Members || *rank == Rank::Deputy;
            let base = people.iter().filter(|(rank, ..)| counts(rank)).count();
            let present = there.iter().filter(|rank| counts(rank)).count();
            let enough = match comparison {
                Comparison::AtLeastHalf => 2 * present >= base,
                Comparison::MoreThanHalf => 2 * present > base,
                Comparison::AtLeastTwoThirds => 3 * present >= 2 * base,
            };
            let is_met = base > 0 && enough && rule.needs.iter().all(|rank| there.contains(rank));
            let counted = rule.at(&members, minute, item);
            assert_eq!(
                (counted.base, counted.present, counted.is_met()),
                (base, present, is_met),
                "seed {seed}, minute {minute}"
            );
            lowest = Some(lowest.map_or((is_met, present), |lowest| lowest.min((is_met, present))));
            if !is_met {
                match gaps.last_mut().filter(|(_, end)| *end == minute) {
                    Some((_, end)) => *end = minute + 1,
                    None => gaps.push((minute, minute + 1)),
                }
            }
        }
        let sweep = rule.over(&members, from, until, item);
        assert_eq!(Some((sweep.lowest.is_met(), sweep.lowest.present)), lowest, "seed {seed}");
        assert_eq!(sweep.gaps, gaps, "seed {seed}");
    }
}

#[test]
fn req_24_a_meeting_without_a_quorum_is_not_held_but_by_an_override_with_author_and_reason() {
    let mut meeting = meeting(Vec::new());
    let seats = vec![member("甲", Rank::Head), member("乙", Rank::Deputy), member("丙", Rank::Deputy)];
    let rules = RollRules::default();
    let result = meeting.count(rules.quorum(&meeting.kind), &seats, at(0).as_millisecond());
    assert_eq!((result.outcome(), result.count.base, result.count.needed), ("NOT_MET", 3, 2));
    let hold = |result: QuorumResult| MeetingAct::Hold { result };
    assert_eq!(meeting.decide(hold(result.clone()), "会务", at(0)).unwrap_err().reason(), Reason::QuorumOpen);
    let by = Some(("市长".to_owned(), "防汛紧急".to_owned()));
    let entry =
        meeting.decide(hold(QuorumResult { overridden: by, ..result.clone() }), "会务", at(0)).unwrap();
    meeting.apply(entry);
    let stored = meeting.quorum.clone().unwrap();
    assert_eq!((stored.outcome(), stored.rule.as_str()), ("OVERRIDDEN", "半数以上组成人员到会"));
    let again = meeting.decide(hold(result), "会务", at(1)).unwrap_err();
    assert_eq!(again.reason(), Reason::StateForbids, "what is stored stays");
    let none = meeting.count(None, &seats, 0);
    assert_eq!(none.outcome(), "NO_RULE");
}

#[test]
fn req_25_only_members_are_present_and_observers_never_count() {
    let meeting = meeting(Vec::new());
    let mut observer = seat(2, "章树声");
    did(&mut observer, sign_in(""), &meeting, 0).unwrap();
    assert_eq!(observer.shown(), Shown::Observer);
    let mut member = member("方知远", Rank::Head);
    assert_eq!(member.shown(), Shown::Absent);
    did(&mut member, sign_in("方知远"), &meeting, 0).unwrap();
    assert_eq!(member.shown(), Shown::Present);
    let result = meeting.count(RollRules::default().quorum(""), &[member, observer], at(1).as_millisecond());
    assert_eq!((result.count.base, result.count.present), (1, 1));
    for (capacity, shown) in [(Capacity::Recorder, Shown::Recorder), (Capacity::Staff, Shown::Staff)] {
        assert_eq!(Seat { capacity, ..Seat::default() }.shown(), shown);
    }
}

fn item(title: &str, units: &[&str]) -> Item {
    Item {
        title: title.into(),
        units: units.iter().map(|unit| (*unit).to_owned()).collect(),
        ..Item::default()
    }
}

#[test]
fn req_26_who_was_in_the_room_for_an_item() {
    let mut meeting = meeting(vec![item("一", &[]), item("二", &[])]);
    let mut fixed = seat(1, "甲");
    let mut by_item = Seat { observer: ObserverKind::ByItem, items: vec![1], ..seat(2, "乙") };
    did(&mut fixed, sign_in(""), &meeting, 0).unwrap();
    did(&mut by_item, sign_in(""), &meeting, 20).unwrap();
    // Without times: the named items.
    assert!(fixed.was_there_for(0, &meeting) && !by_item.was_there_for(0, &meeting));
    assert!(by_item.was_there_for(1, &meeting) && !by_item.was_there_for(9, &meeting));
    // With times: who was there then.
    for (index, from, until) in [(0, 5, 15), (1, 15, 25)] {
        let act = MeetingAct::TimeItem {
            item: index,
            from: at(from).as_millisecond(),
            until: at(until).as_millisecond(),
        };
        let entry = meeting.decide(act, "会务", at(60)).unwrap();
        meeting.apply(entry);
    }
    did(&mut fixed, sign_out(), &meeting, 15).unwrap();
    assert!(fixed.was_there_for(0, &meeting) && !fixed.was_there_for(1, &meeting), "gone when it began");
    assert!(!by_item.was_there_for(0, &meeting) && by_item.was_there_for(1, &meeting));
    let nameless = Seat { observer: ObserverKind::ByItem, ..seat(3, "丙") };
    assert_eq!(meeting.admits(&nameless).unwrap_err().fields(), ["items"]);
}

#[test]
fn req_27_an_item_of_personnel_admits_members_and_its_units_alone() {
    let meeting = meeting(vec![Item { is_personnel: true, ..item("人事", &["市人社局"]) }]);
    let of = |unit: &str, capacity| Seat { unit: unit.into(), capacity, items: vec![0], ..seat(1, "甲") };
    assert_eq!(
        meeting.admits(&of("市教育局", Capacity::Observer)).unwrap_err().reason(),
        Reason::ObserverRefused
    );
    assert!(meeting.admits(&of("市人社局", Capacity::Observer)).is_ok());
    assert!(meeting.admits(&of("市教育局", Capacity::Member)).is_ok());
}

fn notified(items: Vec<Item>) -> Meeting {
    let mut meeting = meeting(items);
    let entry = meeting.decide(MeetingAct::Notify { reply_by: Some(at(100)) }, "会务", at(-10)).unwrap();
    meeting.apply(entry);
    meeting
}

fn leave() -> SeatAct {
    SeatAct::Answer { reply: Reply::Leave { reason: "出差".into() } }
}

#[test]
fn req_28_leave_has_an_authority_and_a_substitute_is_approved() {
    let meeting = notified(Vec::new());
    let mut member = member("方知远", Rank::Head);
    did(&mut member, leave(), &meeting, 0).unwrap();
    assert_eq!(member.shown(), Shown::Absent, "asking is not yet leave");
    let decide = |post: &str| SeatAct::DecideLeave { post: post.into(), grant: true };
    assert_eq!(
        did(&mut member, decide("秘书长"), &meeting, 1),
        Err(Reason::PostForbids),
        "a member asks the head"
    );
    did(&mut member, decide("市长"), &meeting, 1).unwrap();
    assert_eq!(member.shown(), Shown::OnLeave);
    assert_eq!(did(&mut member, decide("市长"), &meeting, 2), Err(Reason::StateForbids), "once");

    let mut observer = seat(2, "章树声");
    did(&mut observer, SeatAct::Answer { reply: Reply::Sends { person: "阮微".into() } }, &meeting, 0)
        .unwrap();
    did(&mut observer, sign_in("阮微"), &meeting, 5).unwrap();
    assert_eq!(
        (observer.shown(), observer.unapproved()),
        (Shown::Absent, vec!["阮微"]),
        "nobody approved it"
    );
    let approve = SeatAct::DecideSubstitute { post: "秘书长".into(), approve: true };
    did(&mut observer, approve, &meeting, 6).unwrap();
    assert_eq!(
        (observer.shown(), observer.observed_as(), observer.who()),
        (Shown::Observer, ObserverKind::Substitute, "阮微")
    );
    assert_eq!(observer.unapproved(), Vec::<&str>::new());
    let stranger = Seat { stays: Vec::new(), substitute: None, ..observer };
    let mut stranger = stranger;
    did(&mut stranger, sign_in("路人"), &meeting, 7).unwrap();
    let found = meeting.room_findings(&[stranger], &RollRules::default());
    assert!(found.contains(&("SUBSTITUTE_UNAPPROVED", "路人".to_owned())), "{found:?}");
}

#[test]
fn req_29_an_item_whose_deputy_is_on_leave_needs_consent() {
    let mut meeting = notified(vec![Item { deputy: "贺兰舟".into(), ..item("一", &[]) }]);
    let mut deputy = member("贺兰舟", Rank::Deputy);
    let rules = RollRules::default();
    did(&mut deputy, leave(), &meeting, 0).unwrap();
    did(&mut deputy, SeatAct::DecideLeave { post: "市长".into(), grant: true }, &meeting, 1).unwrap();
    let seats = [deputy];
    assert!(meeting.room_findings(&seats, &rules).contains(&("DEPUTY_ABSENT", "1 贺兰舟".to_owned())));
    let keep = |by: &str| MeetingAct::KeepItem { item: 0, by: by.into() };
    assert_eq!(meeting.decide(keep(" "), "会务", at(2)).unwrap_err().fields(), ["by"]);
    let entry = meeting.decide(keep("市长同意，已有书面意见"), "会务", at(2)).unwrap();
    meeting.apply(entry);
    assert!(!meeting.room_findings(&seats, &rules).iter().any(|(code, _)| *code == "DEPUTY_ABSENT"));
}

#[test]
fn req_30_a_seat_is_a_unit_and_name_a_name_or_a_unit_alone() {
    let meeting = meeting(Vec::new());
    for (unit, person, is_form) in
        [("市教育局", "章树声", true), ("", "章树声", true), ("市法院", "", true), ("", " ", false)]
    {
        let seat = Seat { unit: unit.into(), person: person.into(), ..Seat::default() };
        assert_eq!(meeting.admits(&seat).is_ok(), is_form, "{unit}{person}");
    }
}

#[test]
fn req_33_a_recused_member_does_not_count_for_that_item_alone() {
    let mut meeting = meeting(vec![item("一", &[]), item("二", &[])]);
    let mut seats = vec![member("甲", Rank::Head), member("乙", Rank::Deputy)];
    for seat in &mut seats {
        did(seat, sign_in(""), &meeting, 0).unwrap();
    }
    let recuse = |item| SeatAct::Recuse {
        item,
        ground: Ground::Relative,
        reason: "配偶任职于申请企业".into(),
        decided_by: "市长".into(),
    };
    assert_eq!(did(&mut seats[1], recuse(7), &meeting, 1), Err(Reason::FieldInvalid));
    did(&mut seats[1], recuse(0), &meeting, 1).unwrap();
    for (index, from, until) in [(0, 1, 5), (1, 5, 9)] {
        let act = MeetingAct::TimeItem {
            item: index,
            from: at(from).as_millisecond(),
            until: at(until).as_millisecond(),
        };
        let entry = meeting.decide(act, "会务", at(60)).unwrap();
        meeting.apply(entry);
    }
    let more = rule(Comparison::MoreThanHalf);
    let result = meeting.count(Some(&more), &seats, at(3).as_millisecond());
    assert_eq!((result.outcome(), result.items[0].is_met, result.items[1].is_met), ("MET", false, true));
    assert_eq!(result.items[0].recused, ["乙"]);
    let mut observer = seat(3, "丙");
    assert_eq!(
        did(&mut observer, recuse(0), &meeting, 1),
        Err(Reason::StateForbids),
        "nothing to recuse from"
    );
}

#[test]
fn req_34_notices_are_answered_in_time_and_silence_shows() {
    let meeting = notified(Vec::new());
    let mut asked = seat(1, "章树声");
    let comes = || SeatAct::Answer { reply: Reply::Comes };
    let rules = RollRules::default();
    assert!(
        meeting
            .room_findings(std::slice::from_ref(&asked), &rules)
            .contains(&("NO_REPLY", "市教育局章树声".to_owned()))
    );
    let foreign = Actor { name: "人".into(), unit: "市财政局".into() };
    let context = SeatContext { actor: &foreign, now: at(0), meeting: &meeting, rules: &rules };
    assert_eq!(asked.decide(comes(), &context).unwrap_err().reason(), Reason::UnitForeign);
    assert_eq!(did(&mut asked, comes(), &meeting, 101), Err(Reason::TooLate));
    did(&mut asked, comes(), &meeting, 99).unwrap();
    assert_eq!(meeting.room_findings(&[asked], &rules), []);
    let planned = self::meeting(Vec::new());
    assert_eq!(did(&mut seat(1, "甲"), comes(), &planned, 0), Err(Reason::StateForbids));
}

#[test]
fn req_35_more_assistants_than_allowed_are_a_finding() {
    let meeting = meeting(vec![item("一", &["市教育局"])]);
    let brings = |unit: &str| Seat {
        observer: ObserverKind::Assistant,
        items: vec![0],
        unit: unit.into(),
        ..seat(1, "助理")
    };
    let rules = RollRules::default();
    assert_eq!(meeting.room_findings(&[brings("市教育局")], &rules), []);
    let two = [brings("市教育局"), brings("市教育局"), brings("市财政局")];
    assert_eq!(
        meeting.room_findings(&two, &rules),
        [("ASSISTANTS", "1 市教育局 2".to_owned()), ("ASSISTANTS", "1 市财政局 1".to_owned())]
    );
}

#[test]
fn two_terminals_cannot_let_the_same_person_in_twice() {
    let meeting = meeting(Vec::new());
    let mut seat = seat(1, "甲");
    assert_eq!(did(&mut seat, sign_out(), &meeting, 0), Err(Reason::NotIn));
    did(&mut seat, sign_in(""), &meeting, 0).unwrap();
    assert_eq!(did(&mut seat, sign_in(""), &meeting, 0), Err(Reason::AlreadyIn));
    did(&mut seat, sign_out(), &meeting, 0).unwrap();
    assert_eq!(
        seat.stays[0].interval.until,
        Some(at(0).as_millisecond() + 1),
        "in and out in one moment was there"
    );
    did(&mut seat, sign_in(""), &meeting, 9).unwrap();
    let by_hand = |from, until| SeatAct::RecordStay {
        from: at(from).as_millisecond(),
        until: at(until).as_millisecond(),
        person: String::new(),
    };
    assert_eq!(did(&mut seat, by_hand(8, 10), &meeting, 11), Err(Reason::AlreadyIn));
    assert_eq!(did(&mut seat, by_hand(5, 4), &meeting, 11), Err(Reason::FieldInvalid));
    assert_eq!(did(&mut seat, by_hand(5, 12), &meeting, 11), Err(Reason::FieldInvalid), "not in advance");
    did(&mut seat, by_hand(5, 9), &meeting, 11).unwrap();
    assert_eq!(seat.stays.iter().map(|stay| stay.interval.from).collect::<Vec<_>>().len(), 3);
    assert!(seat.stays.is_sorted_by_key(|stay| stay.interval.from));
}

#[test]
fn a_stated_roll_is_held_against_directory_and_room() {
    let directory = directory();
    let mut meeting = meeting(Vec::new());
    meeting.stage = Stage::Planned;
    let (mut seats, _) = meeting.members_of(&directory, &RollRules::default());
    seats.push(seat(4, "章树声"));
    seats.push(Seat { unit: "市财政局".into(), ..seat(5, "未列名") });
    for at in [0, 3, 4] {
        did(&mut seats[at], sign_in(""), &meeting, 0).unwrap();
    }
    let stated =
        |presence, unit: &str, person: &str| Stated { presence, unit: unit.into(), person: person.into() };
    let roll = [
        stated(Presence::Present, "", "方知远"),
        stated(Presence::Present, "", "阮微"),
        stated(Presence::Present, "", "无名氏"),
        stated(Presence::Observer, "市教育局", "章树声"),
        stated(Presence::Observer, "市规划局", "某人"),
        stated(Presence::Absent, "", "贺兰舟"),
    ];
    let found = check(&roll, "常务会议", Some(meeting.date), &directory, Some((&meeting, &seats)));
    let short: Vec<_> = found
        .findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.entry, finding.about.as_str()))
        .collect();
    assert_eq!(
        short,
        [
            ("NOT_A_MEMBER", 2, "阮微"),
            ("NOT_SIGNED_IN", 2, "阮微"),
            ("PERSON_UNKNOWN", 3, "无名氏"),
            ("NOT_SIGNED_IN", 3, "无名氏"),
            ("UNIT_UNKNOWN", 5, "市规划局某人"),
            ("NOT_SIGNED_IN", 5, "市规划局某人"),
            ("NOT_STATED", 0, "市财政局未列名"),
        ]
    );
    assert_eq!(found.agreeing, 3);
    let alone = check(&roll[..1], "常务会议", Some(meeting.date), &directory, None);
    assert_eq!(
        alone.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(),
        [FindingCode::MemberUnmentioned; 2]
    );
}

#[test]
fn rates_count_who_came_who_had_leave_and_who_did_not() {
    let meeting = notified(Vec::new());
    let mut came = seat(1, "甲");
    did(&mut came, sign_in(""), &meeting, 0).unwrap();
    let seats = [came.clone(), seat(1, "甲"), came, seat(2, "")];
    let rates = rates(&seats, |seat| seat.person.clone());
    assert_eq!(rates.len(), 1);
    assert_eq!((rates[0].asked, rates[0].came, rates[0].absent, rates[0].percent()), (3, 2, 1, 67));
}

#[test]
fn lives_of_seats_and_meetings_survive_their_stored_form() {
    let meeting = notified(vec![item("一", &["市教育局"])]);
    let mut one = seat(1, "甲");
    did(&mut one, leave(), &meeting, 0).unwrap();
    did(&mut one, sign_in("乙"), &meeting, 1).unwrap();
    let read: Seat = serde_json::from_slice(&serde_json::to_vec(&one).unwrap()).unwrap();
    assert_eq!(read, one);
    let read: Meeting = serde_json::from_slice(&serde_json::to_vec(&meeting).unwrap()).unwrap();
    assert_eq!(read, meeting);
}
