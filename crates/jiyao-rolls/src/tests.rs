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
    let preview = Table::parse(TABLE).unwrap().against(&Directory::default());
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
    let office = Actor { name: "会务".into(), unit: String::new(), is_office: true };
    did_as(&office, seat, act, meeting, minute)
}

fn did_as(
    actor: &Actor,
    seat: &mut Seat,
    act: SeatAct,
    meeting: &Meeting,
    minute: i64,
) -> Result<(), Reason> {
    let rules = RollRules::default();
    let context = SeatContext { actor, now: at(minute), meeting, rules: &rules };
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
    let again = Table::parse(TABLE).unwrap().against(&directory());
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
    let found = Table::parse(wrong).unwrap().against(&Directory::default());
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
        let fault = Table::parse(no_table);
        let is_empty = no_table.is_empty();
        assert_eq!(fault.unwrap_err().fields(), ["table"], "{no_table:?} {is_empty}");
    }
}

#[test]
fn successors_that_lead_in_a_circle_are_those_of_the_circle_alone() {
    let table = "type,id,title,successors\n\
        unit,into,甲局,a\n\
        unit,a,乙局,b\n\
        unit,b,丙局,c；out\n\
        unit,c,丁局,a\n\
        unit,out,戊局,end\n\
        unit,end,己局,\n\
        unit,self,庚局,self\n";
    let errors = Table::parse(table).unwrap().against(&Directory::default()).errors;
    let told: Vec<_> = errors.iter().map(|error| (error.line, error.code.as_str())).collect();
    assert_eq!(told, [(3, "CYCLE"), (4, "CYCLE"), (5, "CYCLE"), (8, "CYCLE")]);
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
    let aide = Post {
        member_of: vec!["常务会议".into()],
        ..directory.entries_of("aide").next().unwrap().clone()
    };
    directory.put(Entry::Post(aide));
    directory.put(Entry::Tenure(Tenure {
        post: "aide".into(),
        person: "p4".into(),
        span: Span::default(),
        principals: Vec::new(),
    }));
    let (seats, findings) = meeting.members_of(&directory, &RollRules::default());
    assert_eq!(
        (seats.len(), findings.as_slice()),
        (4, ["MEMBER_BEYOND_LAW 阮微（市长助理）".to_owned()].as_slice())
    );
    // A second deputy whom the local list leaves out.
    let post = |id: &str, member_of: &[&str]| Post {
        id: id.into(),
        title: "副市长".into(),
        rank: Rank::Deputy,
        member_of: member_of.iter().map(|of| (*of).to_owned()).collect(),
        ..Post::default()
    };
    directory.put(Entry::Post(post("dm9", &[])));
    directory.put(Entry::Person(Person { id: "p9".into(), name: "祝连山".into() }));
    directory.put(Entry::Tenure(Tenure {
        post: "dm9".into(),
        person: "p9".into(),
        span: Span::default(),
        principals: Vec::new(),
    }));
    let (_, findings) = meeting.members_of(&directory, &RollRules::default());
    assert!(findings.contains(&"MEMBER_LACKING 祝连山（副市长）".to_owned()), "{findings:?}");
    let nobody = Meeting { kind: "专题会议".into(), ..meeting.clone() };
    let (seats, findings) = nobody.members_of(&directory, &RollRules::default());
    assert_eq!((seats.len(), findings.len()), (0, 3 + 4), "every rank of the law lacks, and who holds it");
    // To a plenary belong more than the law lists for the executive meeting.
    let plenary = Meeting { kind: "全体会议".into(), ..meeting };
    assert_eq!(plenary.members_of(&directory, &RollRules::default()).1, Vec::<String>::new());
}

#[test]
fn req_22_membership_is_that_of_the_day_whatever_the_directory_says_of_other_days() {
    let mut directory = directory();
    let span = |from: &str, until: &str| Span { from: day_or_open(from), until: day_or_open(until) };
    let aide = directory.entries_of("aide").next().unwrap().clone();
    let from_2021 =
        Post { member_of: vec!["常务会议".into()], span: span("2021-01-01", ""), ..aide.clone() };
    directory.put(Entry::Post(Post { span: span("", "2020-12-31"), ..aide }));
    directory.put(Entry::Post(from_2021));
    directory.put(Entry::Tenure(Tenure {
        post: "aide".into(),
        person: "p5".into(),
        span: Span::default(),
        principals: Vec::new(),
    }));
    directory.put(Entry::Person(Person { id: "p5".into(), name: "柳依".into() }));
    let names = |on: &str| {
        let members = directory.members_on("常务会议", day(on));
        members.iter().map(|(person, _)| person.name.clone()).collect::<Vec<_>>()
    };
    assert!(!names("2020-12-31").contains(&"柳依".to_owned()));
    assert!(names("2021-01-01").contains(&"柳依".to_owned()));
    // A post that is two things on one day is refused, with the row.
    let table = "type,id,title,rank,from,until\npost,aide,市长助理,OTHER,2022-01-01,\n";
    let refused = Table::parse(table).unwrap().against(&directory).errors;
    let told: Vec<_> = refused.iter().map(|e| (e.line, e.column, e.code.as_str())).collect();
    assert_eq!(told, [(2, "from", "OVERLAP")]);
    // What changed between planning and the day shows.
    let meeting = meeting(Vec::new());
    let (mut seats, _) = meeting.members_of(&directory, &RollRules::default());
    assert_eq!(meeting.member_changes(&seats, &directory), []);
    let gone = seats.remove(0);
    seats.push(Seat { person_id: "p77".into(), ..member("旧人", Rank::Deputy) });
    assert_eq!(
        meeting.member_changes(&seats, &directory),
        [("MEMBER_GONE", "旧人".to_owned()), ("MEMBER_NEW", gone.person)]
    );
}

fn day_or_open(text: &str) -> Option<Date> {
    jiyao_calendar::parse_iso(text)
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
    let result =
        meeting.count(rules.quorum(&meeting.kind), &seats, at(0).as_millisecond(), at(0).as_millisecond());
    assert_eq!((result.outcome(), result.count.base, result.count.needed), ("NOT_MET", 3, 2));
    let hold = |result: QuorumResult| MeetingAct::Hold { result, findings: Vec::new() };
    assert_eq!(meeting.decide(hold(result.clone()), "会务", at(0)).unwrap_err().reason(), Reason::QuorumOpen);
    let by = Some(("市长".to_owned(), "防汛紧急".to_owned()));
    let entry =
        meeting.decide(hold(QuorumResult { overridden: by, ..result.clone() }), "会务", at(0)).unwrap();
    meeting.apply(entry);
    let stored = meeting.quorum.clone().unwrap();
    assert_eq!((stored.outcome(), stored.rule.as_str()), ("OVERRIDDEN", "半数以上组成人员到会"));
    let again = meeting.decide(hold(result), "会务", at(1)).unwrap_err();
    assert_eq!(again.reason(), Reason::StateForbids, "what is stored stays");
    let none = meeting.count(None, &seats, 0, 0);
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
    let result = meeting.count(
        RollRules::default().quorum(""),
        &[member, observer],
        at(1).as_millisecond(),
        at(1).as_millisecond(),
    );
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
    assert!(fixed.was_there_for(0, &meeting, 0) && !by_item.was_there_for(0, &meeting, 0));
    assert!(by_item.was_there_for(1, &meeting, 0) && !by_item.was_there_for(9, &meeting, 0));
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
    assert!(
        fixed.was_there_for(0, &meeting, 0) && !fixed.was_there_for(1, &meeting, 0),
        "gone when it began"
    );
    assert!(!by_item.was_there_for(0, &meeting, 0) && by_item.was_there_for(1, &meeting, 0));
    let nameless = Seat { observer: ObserverKind::ByItem, ..seat(3, "丙") };
    assert_eq!(meeting.admits(&nameless, "seats[4]").unwrap_err().fields(), ["seats[4].items"]);
    let beyond = Seat { observer: ObserverKind::ByItem, items: vec![1, 7], ..seat(3, "丙") };
    assert_eq!(meeting.admits(&beyond, "seats[4]").unwrap_err().fields(), ["seats[4].items[1]"]);
}

#[test]
fn req_26_an_item_that_is_still_being_taken_knows_who_is_there() {
    let mut meeting = meeting(vec![item("一", &[]), item("二", &[])]);
    let (mut went, mut stays) = (seat(1, "甲"), seat(2, "乙"));
    for one in [&mut went, &mut stays] {
        did(one, sign_in(""), &meeting, 0).unwrap();
    }
    did(&mut went, sign_out(), &meeting, 10).unwrap();
    let entry = meeting.decide(MeetingAct::StartItem { item: 1 }, "会务", at(20)).unwrap();
    meeting.apply(entry);
    let now = at(30).as_millisecond();
    assert!(!went.was_there_for(1, &meeting, now), "gone before it began");
    assert!(stays.was_there_for(1, &meeting, now));
    // An assistant is there for the items that they were brought for.
    let mut assistant = Seat { observer: ObserverKind::Assistant, items: vec![1], ..seat(3, "助理") };
    did(&mut assistant, sign_in(""), &meeting, 21).unwrap();
    assert!(!assistant.was_there_for(0, &meeting, now) && assistant.was_there_for(1, &meeting, now));
    // It counts to now, and ends with the meeting.
    let members = [Seat { stays: stays.stays, ..member("乙", Rank::Head) }, member("丙", Rank::Deputy)];
    let rule = rule(Comparison::MoreThanHalf);
    let result = meeting.count(Some(&rule), &members, at(5).as_millisecond(), now);
    assert_eq!((result.items.len(), result.items[0].item, result.items[0].is_met), (1, 1, false));
    let overridden = Some(("市长".to_owned(), "急".to_owned()));
    let hold = MeetingAct::Hold { result: QuorumResult { overridden, ..result }, findings: Vec::new() };
    let entry = meeting.decide(hold, "会务", at(40)).unwrap();
    meeting.apply(entry);
    assert_eq!(meeting.items[1].until, Some(at(40).as_millisecond()));
    let found = meeting.room_findings(&members, &RollRules::default());
    assert!(found.contains(&("ITEM_NOT_MET", "2 1/2".to_owned())), "{found:?}");
}

#[test]
fn req_27_an_item_of_personnel_admits_members_and_its_units_alone() {
    let personnel = || Item { is_personnel: true, ..item("人事", &["市人社局"]) };
    let mut meeting = meeting(vec![personnel(), item("二", &[])]);
    let of = |unit: &str, capacity, items: &[u32]| Seat {
        unit: unit.into(),
        capacity,
        items: items.to_vec(),
        ..seat(1, "甲")
    };
    let refused = |meeting: &Meeting, seat: &Seat| {
        meeting.admits(seat, "seats[0]").map_err(|fault| (fault.reason(), fault.fields().to_vec()))
    };
    let outsider = of("市教育局", Capacity::Observer, &[0]);
    let no = Err((Reason::ObserverRefused, vec!["seats[0].unit".to_owned()]));
    assert_eq!(refused(&meeting, &outsider), no);
    assert!(refused(&meeting, &of("市人社局", Capacity::Observer, &[0])).is_ok());
    assert!(refused(&meeting, &of("市教育局", Capacity::Member, &[0])).is_ok());
    // Whoever comes for the whole meeting comes for its other items; to a meeting without others not at all.
    let mut fixed = of("市教育局", Capacity::Observer, &[]);
    assert!(refused(&meeting, &fixed).is_ok());
    let only = Meeting { items: vec![personnel()], ..meeting.clone() };
    assert_eq!(refused(&only, &fixed), no);
    // While the item is taken they do not come in, and if they stayed that shows.
    did(&mut fixed, sign_in(""), &meeting, 0).unwrap();
    let mut late = of("市教育局", Capacity::Observer, &[]);
    for act in [MeetingAct::StartItem { item: 0 }, MeetingAct::EndItem { item: 0 }] {
        let minute = if act.name() == "START_ITEM" { 5 } else { 9 };
        let entry = meeting.decide(act, "会务", at(minute)).unwrap();
        meeting.apply(entry);
        let expected = if minute == 5 { Err(Reason::ObserverRefused) } else { Ok(()) };
        assert_eq!(did(&mut late, sign_in(""), &meeting, minute), expected);
    }
    let found = meeting.room_findings(&[fixed.clone(), late], &RollRules::default());
    let stayed = |(code, _): &&(&str, String)| *code == "OBSERVER_AT_PERSONNEL";
    assert_eq!(found.iter().filter(stayed).map(|(_, of)| of.as_str()).collect::<Vec<_>>(), ["1 市教育局甲"]);
    assert!(!fixed.was_there_for(0, &only, 0), "without times nobody is said to have been there who may not");
    // Another agenda admits those who were asked, and leaves the items where they are that somebody is asked for.
    let by_item = Seat { observer: ObserverKind::ByItem, ..of("市教育局", Capacity::Observer, &[1]) };
    let agenda = |items: Vec<Item>| {
        let planned = Meeting { items: vec![item("一", &[]), item("二", &[])], ..Meeting::default() };
        planned.check_agenda(&items, std::slice::from_ref(&by_item)).map_err(|fault| fault.reason())
    };
    assert_eq!(agenda(vec![personnel(), item("二", &[]), item("三", &[])]), Ok(()));
    assert_eq!(agenda(vec![item("新", &[]), item("一", &[]), item("二", &[])]), Err(Reason::StateForbids));
    let now_personnel = Item { is_personnel: true, ..item("二", &[]) };
    assert_eq!(agenda(vec![item("一", &[]), now_personnel]), Err(Reason::ObserverRefused));
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
    assert_eq!(did(&mut member, leave(), &meeting, 3), Err(Reason::StateForbids), "it is granted already");
    did(&mut member, SeatAct::Answer { reply: Reply::Comes }, &meeting, 4).unwrap();
    assert_eq!(
        (member.shown(), member.leave.is_none()),
        (Shown::Absent, true),
        "who comes after all has no leave"
    );
    let mut refused = self::member("甲", Rank::Deputy);
    did(&mut refused, leave(), &meeting, 0).unwrap();
    did(&mut refused, SeatAct::DecideLeave { post: "市长".into(), grant: false }, &meeting, 1).unwrap();
    assert!(refused.is_absent_without_leave() && !refused.is_away());
    // The office takes what comes too late, or before the notice.
    let mut ill = seat(7, "乙");
    did(&mut ill, leave(), &meeting, 101).unwrap();
    did(&mut ill, SeatAct::DecideLeave { post: "秘书长".into(), grant: true }, &meeting, 102).unwrap();
    assert_eq!(ill.shown(), Shown::OnLeave, "an observer asks the secretary-general");

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
    let mut came_too = observer.clone();
    did(&mut came_too, sign_out(), &meeting, 7).unwrap();
    did(&mut came_too, sign_in(" 章树声"), &meeting, 8).unwrap();
    assert_eq!(
        (came_too.who(), came_too.observed_as()),
        ("章树声", ObserverKind::Fixed),
        "blanks are no other name"
    );
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
    // Whoever sends somebody is away as well, and a name that has no seat is not overlooked.
    let meeting = notified(vec![Item { deputy: "贺兰舟".into(), ..item("一", &[]) }]);
    let mut deputy = member("贺兰舟", Rank::Deputy);
    did(&mut deputy, SeatAct::Answer { reply: Reply::Sends { person: "阮微".into() } }, &meeting, 0).unwrap();
    let codes = |seats: &[Seat]| {
        let found = meeting.room_findings(seats, &rules).into_iter();
        found.map(|(code, _)| code).filter(|code| code.starts_with("DEPUTY")).collect::<Vec<_>>()
    };
    assert_eq!(codes(&[deputy]), ["DEPUTY_ABSENT"]);
    assert_eq!(codes(&[member("方知远", Rank::Head)]), ["DEPUTY_UNKNOWN"]);
}

#[test]
fn req_30_a_seat_is_a_unit_and_name_a_name_or_a_unit_alone() {
    let meeting = meeting(Vec::new());
    for (unit, person, is_form) in
        [("市教育局", "章树声", true), ("", "章树声", true), ("市法院", "", true), ("", " ", false)]
    {
        let seat = Seat { unit: unit.into(), person: person.into(), ..Seat::default() };
        assert_eq!(meeting.admits(&seat, "seats[0]").is_ok(), is_form, "{unit}{person}");
    }
    // Whoever a unit sends that named nobody is its representative.
    let mut court = Seat { unit: "市法院".into(), ..seat(1, "") };
    did(&mut court, sign_in("李某"), &meeting, 0).unwrap();
    assert_eq!((court.shown(), court.who(), court.unapproved().len()), (Shown::Observer, "李某", 0));
    let long = Seat { person: "长".repeat(1000), ..Seat::default() };
    assert_eq!(meeting.admits(&long, "seats[0]").unwrap_err().fields(), ["seats[0].person"]);
    let titled = |title: &str| Meeting {
        kind: "常务会议".into(),
        items: vec![item(title, &[])],
        ..Meeting::default()
    };
    assert_eq!(titled(" ").check().unwrap_err().fields(), ["meeting.items[0].title"]);
    assert_eq!(titled(&"长".repeat(1000)).check().unwrap_err().fields(), ["meeting.items[0].title"]);
}

#[test]
fn req_32_a_seat_that_is_moved_makes_others_give_way() {
    let list = |names: &[&str]| -> Vec<(u32, Seat)> {
        (1..).zip(names).map(|(number, name)| (number, seat(number + 10, name))).collect()
    };
    let moved_to = |number: u32, to: u32| {
        let mut seats = list(&["甲", "乙", "丙", "丁"]);
        seats.push((5, member("市长", Rank::Head)));
        for (number, order) in moved(&seats, number, to) {
            seats.iter_mut().find(|(known, _)| *known == number).unwrap().1.order = order;
        }
        let orders: std::collections::BTreeSet<u32> = seats.iter().map(|(_, seat)| seat.order).collect();
        assert_eq!(orders.len(), 5, "no two share a place");
        seats.retain(|(_, seat)| seat.capacity == Capacity::Observer);
        seats.sort_by_key(|(_, seat)| seat.order);
        seats.iter().map(|(_, seat)| seat.person.clone()).collect::<String>()
    };
    assert_eq!(moved_to(1, 12), "乙甲丙丁");
    assert_eq!(moved_to(1, 14), "乙丙丁甲");
    assert_eq!(moved_to(1, 99), "乙丙丁甲");
    assert_eq!(moved_to(4, 12), "甲丁乙丙");
    assert_eq!(moved_to(4, 1), "丁甲乙丙");
    assert_eq!(moved_to(2, 12), "甲乙丙丁");
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
    let result = meeting.count(Some(&more), &seats, at(3).as_millisecond(), at(3).as_millisecond());
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
    let of = |unit: &str| Actor { name: "人".into(), unit: unit.into(), is_office: false };
    for nobody in ["市财政局", ""] {
        assert_eq!(
            did_as(&of(nobody), &mut asked, comes(), &meeting, 0),
            Err(Reason::UnitForeign),
            "{nobody}"
        );
    }
    let own = of("市教育局");
    assert_eq!(did_as(&own, &mut asked, comes(), &meeting, 101), Err(Reason::TooLate));
    did_as(&own, &mut asked, comes(), &meeting, 99).unwrap();
    assert_eq!(meeting.room_findings(&[asked], &rules), []);
    let planned = self::meeting(Vec::new());
    assert_eq!(did_as(&own, &mut seat(1, "甲"), comes(), &planned, 0), Err(Reason::StateForbids));
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
        // By an alias of the unit.
        stated(Presence::Observer, "市教委", "章树声"),
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
            // The observer of that name is somebody else.
            ("MEMBER_UNMENTIONED", 0, "章树声"),
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
    let people = rates(&seats, RatesOf::People);
    assert_eq!(people.len(), 1);
    assert_eq!((people[0].asked, people[0].came, people[0].absent, people[0].percent()), (3, 2, 1, 67));
    let units = rates(&seats, RatesOf::Units);
    assert_eq!(units.len(), 1);
    assert_eq!((units[0].of.as_str(), units[0].asked, units[0].came), ("市教育局", 4, 2));
    // Two of a name are two, and whoever sent somebody did not come.
    let namesake = |id: &str| Seat { person_id: id.into(), ..member("王伟", Rank::Deputy) };
    assert_eq!(rates(&[namesake("p1"), namesake("p2")], RatesOf::People).len(), 2);
    let mut sent = seat(3, "丙");
    did(&mut sent, SeatAct::Answer { reply: Reply::Sends { person: "丁".into() } }, &meeting, 0).unwrap();
    did(&mut sent, SeatAct::DecideSubstitute { post: "秘书长".into(), approve: true }, &meeting, 1).unwrap();
    did(&mut sent, sign_in("丁"), &meeting, 2).unwrap();
    let of = |which| {
        let rate = rates([&sent], which).remove(0);
        (rate.came, rate.sent)
    };
    assert_eq!((of(RatesOf::People), of(RatesOf::Units)), ((0, 1), (1, 0)));
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
