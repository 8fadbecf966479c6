use std::sync::LazyLock;

use jiyao_calendar::{Date, Holidays, Timestamp, parse_iso};
use jiyao_fault::Reason;
use proptest::prelude::*;

use super::*;

fn day(text: &str) -> Date {
    parse_iso(text).unwrap()
}

fn now() -> Timestamp {
    "2020-06-16T02:00:00Z".parse().unwrap()
}

fn matter() -> Matter {
    Matter {
        name: "organs/linlan/matters/1".into(),
        number: "督〔2020〕1号".into(),
        source: Source { text: "原则同意《甲办法》。".into(), ..Source::default() },
        content: "甲办法".into(),
        lead: "市司法局".into(),
        helpers: vec!["市财政局".into()],
        due: Some(day("2020-07-31")),
        original_due: Some(day("2020-07-31")),
        printed_due: "7月底前".into(),
        decided: Some(day("2020-06-02")),
        issued: Some(day("2020-06-16")),
        established: now(),
        ..Matter::default()
    }
}

/// Who acts in a test: the unit's person, the office, or anybody.
fn actor(act: &Act) -> Actor {
    let (name, unit) = if act.is_of_the_unit() { ("单位张", "市司法局") } else { ("督查李", "") };
    Actor { name: name.into(), unit: unit.into() }
}

struct World {
    matter: Matter,
    today: Date,
    rules: Rules,
}

impl World {
    fn new(matter: Matter) -> Self {
        Self { matter, today: day("2020-06-16"), rules: Rules::default() }
    }

    fn on(mut self, today: &str) -> Self {
        self.today = day(today);
        self
    }

    fn decide(&self, act: Act, actor: &Actor) -> jiyao_fault::Result<Entry> {
        let context = Context {
            actor,
            now: now(),
            today: self.today,
            rules: &self.rules,
            holidays: Holidays::shipped(),
        };
        self.matter.decide(act, &context)
    }

    fn by(&mut self, name: &str, unit: &str, act: Act) -> jiyao_fault::Result<()> {
        let entry = self.decide(act, &Actor { name: name.into(), unit: unit.into() })?;
        self.matter.apply(entry);
        Ok(())
    }

    fn does(mut self, acts: impl IntoIterator<Item = Act>) -> Self {
        for act in acts {
            let entry = self.decide(act.clone(), &actor(&act));
            self.matter.apply(entry.unwrap_or_else(|e| panic!("{act:?} in {:?}: {e}", self.matter.state)));
        }
        self
    }

    fn refuses(&self, act: Act) -> Reason {
        let who = actor(&act);
        self.decide(act, &who).map(|entry| panic!("{entry:?}")).unwrap_err().reason()
    }

    fn finds(&self) -> Vec<FindingCode> {
        let found = self.rules.findings(&self.matter, self.today, Holidays::shipped(), true);
        found.into_iter().map(|finding| finding.code).collect()
    }
}

fn approve() -> Act {
    Act::Approve { opinion: "同意".into() }
}
fn notify() -> Act {
    Act::Notify { notice: "督查通知1号".into() }
}
fn progress() -> Act {
    Act::Progress { text: "正在起草".into() }
}
fn report() -> Act {
    Act::Report { text: "已办结".into(), approver: "王局长".into() }
}
fn review(accept: bool) -> Act {
    Act::Review { accept, reason: "理由".into() }
}
fn evidence(n: u8) -> Vec<Evidence> {
    vec![Evidence { title: "验收单".into(), sha256: format!("{n:02x}").repeat(32) }]
}
fn strike_off() -> Act {
    Act::StrikeOff { evidence: evidence(1), reason: "验收合格".into() }
}
fn ask(due: &str) -> Act {
    Act::AskExtension { due: day(due), reason: "材料不齐".into(), progress: "过半".into() }
}
fn decide_extension(grant: bool) -> Act {
    Act::DecideExtension { grant, reason: "核实".into() }
}
fn suspend() -> Act {
    Act::Suspend { decision: "organs/linlan/minutes/2".into(), reason: "复议".into() }
}
fn slip(level: u32, due: &str, grave: bool) -> Act {
    Act::SendSlip { level, requirement: "限期".into(), due: day(due), grave }
}
fn reopen() -> Act {
    Act::Reopen { reason: "反弹".into() }
}
fn listing(deadline: &str) -> Act {
    Act::ListPublicly { level: "市级".into(), deadline: day(deadline), notice: "门户网站".into() }
}
fn to_accepted() -> [Act; 3] {
    [approve(), notify(), Act::Accept]
}
fn to_end() -> Vec<Act> {
    [to_accepted().to_vec(), vec![report(), review(true), strike_off()]].concat()
}

/// A matter in each state, reached by allowed acts.
fn in_state(state: State) -> World {
    let mut acts = to_accepted().to_vec();
    let mut made = matter();
    made.milestones = vec![Milestone { what: "初稿".into(), due: day("2020-06-30"), reached: None }];
    match state {
        State::Established => acts.truncate(0),
        State::Assigned => acts.truncate(2),
        State::Accepted => {}
        State::Underway => acts.push(progress()),
        State::UnderReview => acts.push(report()),
        State::Returned => acts.extend([report(), review(false)]),
        State::Finished => acts.extend([report(), review(true)]),
        State::StruckOff => acts = to_end(),
        State::ExtensionAsked => acts.push(ask("2020-08-31")),
        State::AwaitingBody => {
            made.next = Next::Submit { body: "市委常委会".into() };
            acts.push(Act::Dispatch { paper: "请示1号".into() });
        }
        State::Suspended => acts.push(suspend()),
    }
    let world = World::new(made).does(acts);
    assert_eq!(world.matter.state, state);
    world
}

fn every_act() -> Vec<Act> {
    vec![
        approve(),
        notify(),
        Act::Accept,
        progress(),
        Act::Revise { title: "修改稿".into() },
        Act::Dispatch { paper: "请示1号".into() },
        Act::RecordOutcome { text: "同意".into(), approved: true, document: String::new() },
        Act::RecordIssued { number: "临政发〔2020〕8号".into(), date: day("2020-06-15") },
        Act::Reach { milestone: 0, text: "完成".into() },
        report(),
        review(true),
        ask("2020-09-30"),
        decide_extension(true),
        suspend(),
        Act::Resume { reason: "恢复".into() },
        strike_off(),
        reopen(),
        listing("2020-12-31"),
        Act::ExtendListing { deadline: day("2021-03-31"), reason: "难度大".into() },
        Act::Delist { notice: "门户网站".into() },
        slip(1, "2020-06-20", false),
        Act::AnswerSlip { text: "已整改".into(), excused: true },
        Act::Object { text: "不服".into() },
        Act::DecideObjection { upheld: false, reason: "维持".into() },
        Act::Answer { to: "李市民".into(), text: "已办".into() },
    ]
}

static EVERY_ACT: LazyLock<Vec<Act>> = LazyLock::new(every_act);

/// What the rules of the house allow in each state, for a matter whose next act is the one of the state's making:
/// written down a second time, by hand.
fn allowed(state: State) -> &'static [&'static str] {
    match state {
        State::Established => &["APPROVE", "LIST_PUBLICLY", "ANSWER"],
        State::Assigned => &["ACCEPT", "SUSPEND", "LIST_PUBLICLY", "SEND_SLIP", "ANSWER"],
        State::Accepted | State::Underway => &[
            "PROGRESS",
            "REPORT",
            "ASK_EXTENSION",
            "SUSPEND",
            "LIST_PUBLICLY",
            "SEND_SLIP",
            "REACH",
            "ANSWER",
        ],
        State::Returned => &[
            "PROGRESS",
            "REPORT",
            "ASK_EXTENSION",
            "SUSPEND",
            "LIST_PUBLICLY",
            "SEND_SLIP",
            "REACH",
            "OBJECT",
            "ANSWER",
        ],
        State::UnderReview => &["REVIEW", "LIST_PUBLICLY", "SEND_SLIP", "ANSWER"],
        State::ExtensionAsked => &["DECIDE_EXTENSION", "LIST_PUBLICLY", "SEND_SLIP", "ANSWER"],
        State::AwaitingBody => &["RECORD_OUTCOME", "SUSPEND", "LIST_PUBLICLY", "SEND_SLIP", "ANSWER"],
        State::Suspended => &["RESUME", "LIST_PUBLICLY", "SEND_SLIP", "ANSWER"],
        State::Finished => &["STRIKE_OFF", "REOPEN", "OBJECT", "ANSWER"],
        State::StruckOff => &["REOPEN", "OBJECT", "ANSWER"],
    }
}

#[test]
fn req_54_every_act_in_every_state_is_allowed_or_refused_as_the_table_says() {
    for state in State::ALL {
        for act in every_act() {
            let world = in_state(state);
            let before = world.matter.clone();
            match world.decide(act.clone(), &actor(&act)) {
                Ok(entry) => {
                    assert!(allowed(state).contains(&act.name()), "{state:?} allows {}", act.name());
                    assert_eq!((entry.from, &entry.act), (state, &act));
                    let mut after = before.clone();
                    after.apply(entry.clone());
                    assert_eq!((after.state, after.version), (entry.to, before.version + 1));
                    assert_eq!(after.history[..before.history.len()], before.history[..], "append-only");
                }
                Err(fault) => {
                    assert!(
                        !allowed(state).contains(&act.name()),
                        "{state:?} refuses {}: {fault}",
                        act.name()
                    );
                    let by_state = matches!(fault.reason(), Reason::StateForbids);
                    // Not approved yet is a rule besides the state.
                    let by_rule = fault.reason() == Reason::NextActOpen && act.name() == "NOTIFY";
                    assert!(by_state || by_rule, "{fault}");
                    assert_eq!(
                        fault.metadata().get("state").map(String::as_str),
                        by_state.then(|| state.as_str())
                    );
                }
            }
            assert_eq!(world.matter, before);
        }
    }
}

#[test]
fn empty_words_are_refused_by_field() {
    let world = in_state(State::UnderReview);
    let fault =
        world.decide(Act::Review { accept: false, reason: " ".into() }, &Actor::default()).unwrap_err();
    assert_eq!((fault.reason(), fault.fields()), (Reason::FieldRequired, &["reason".to_owned()][..]));
    let long = Act::Progress { text: "长".repeat(3000) };
    assert_eq!(in_state(State::Accepted).refuses(long), Reason::FieldInvalid);
}

#[test]
fn req_51_the_notice_waits_for_approval_and_is_due_within_three_working_days_of_issue() {
    let mut world = World::new(matter());
    assert_eq!(world.refuses(notify()), Reason::NextActOpen);
    world.rules.needs_approval = false;
    assert!(world.decide(notify(), &Actor::default()).is_ok(), "a setting");
    let world = World::new(matter());
    assert!(!world.on("2020-06-19").finds().contains(&FindingCode::NoticeLate));
    assert!(World::new(matter()).on("2020-06-20").finds().contains(&FindingCode::NoticeLate));
}

#[test]
fn req_55_sent_to_another_body_is_not_done_until_that_body_has_decided() {
    let mut made = matter();
    made.next = Next::Submit { body: "市委常委会".into() };
    made.to_revise = true;
    let world = World::new(made).does(to_accepted());
    let dispatch = || Act::Dispatch { paper: "请示1号".into() };
    assert_eq!(world.refuses(dispatch()), Reason::NextActOpen, "the revision comes first");
    let world = world.does([Act::Revise { title: "修改稿".into() }, dispatch()]);
    assert_eq!(world.matter.state, State::AwaitingBody);
    assert_eq!(world.refuses(report()), Reason::StateForbids);
    let refused =
        Act::RecordOutcome { text: "退回修改".into(), approved: false, document: String::new() };
    let world = world.does([refused]);
    assert_eq!((world.matter.state, world.refuses(report())), (State::Returned, Reason::NextActOpen));
    let agreed =
        Act::RecordOutcome { text: "同意".into(), approved: true, document: "会议纪要3号".into() };
    let world = world.does([dispatch(), agreed, report(), review(true), strike_off()]);
    assert_eq!(world.matter.state, State::StruckOff);
}

#[test]
fn req_56_an_issue_is_closed_with_the_documents_number_and_date() {
    let mut made = matter();
    made.next = Next::Issue;
    let world = World::new(made).does(to_accepted());
    assert_eq!(world.refuses(report()), Reason::NextActOpen);
    let issued = |number: &str, date: &str| Act::RecordIssued { number: number.into(), date: day(date) };
    for (number, date) in [
        ("临政发[2020]8号", "2020-06-15"),
        ("临政发〔2020〕08号", "2020-06-15"),
        ("临政发〔2020〕8号", "2020-06-17"),
        ("临政发〔2020〕8号", "2020-06-01"),
    ] {
        assert_eq!(world.refuses(issued(number, date)), Reason::FieldInvalid, "{number} {date}");
    }
    let world = world.does([issued("临政发〔2020〕8号", "2020-06-15"), report()]);
    assert_eq!(world.matter.document.as_ref().unwrap().number, "临政发〔2020〕8号");
}

#[test]
fn req_57_an_open_matter_is_found_on_the_day_its_decision_takes_effect() {
    let mut made = matter();
    made.effective = Some(day("2020-07-01"));
    let world = World::new(made).does(to_accepted());
    assert!(!world.finds().contains(&FindingCode::EffectiveOpen));
    let mut world = world.on("2020-07-01");
    assert!(world.finds().contains(&FindingCode::EffectiveOpen));
    world = world.does([report(), review(true)]);
    assert!(!world.finds().contains(&FindingCode::EffectiveOpen));
}

#[test]
fn req_58_feedback_is_late_from_the_next_working_days_on() {
    // The notice of 16 June: five working days end on the 23rd, before the Dragon Boat Festival.
    let world = World::new(matter()).does(to_accepted());
    let due = world.rules.feedback_due(&world.matter, Holidays::shipped());
    assert_eq!(due, Some(day("2020-06-23")));
    assert!(!World::new(world.matter.clone()).on("2020-06-23").finds().contains(&FindingCode::FeedbackLate));
    let late = World::new(world.matter.clone()).on("2020-06-24");
    assert!(late.finds().contains(&FindingCode::FeedbackLate));
    let answered = late.does([progress()]);
    assert!(answered.finds().contains(&FindingCode::FeedbackLate), "late stays late");
    let mut world = world;
    world.rules.feedback_from_decision = true;
    assert_eq!(
        world.rules.feedback_due(&world.matter, Holidays::shipped()),
        Some(day("2020-06-09")),
        "a setting"
    );
    let mut world = world.does([]);
    let report = Act::Report { text: "已办结".into(), approver: " ".into() };
    assert_eq!(world.by("单位张", "市司法局", report).unwrap_err().fields(), ["approver"]);
}

#[test]
fn req_59_an_extension_is_asked_before_the_day_and_keeps_the_first_one() {
    let world = World::new(matter()).does(to_accepted());
    assert_eq!(world.refuses(ask("2020-07-31")), Reason::FieldInvalid, "no later day");
    let mut world = world.does([ask("2020-08-31")]);
    let own = world.by("单位张", "", decide_extension(true)).unwrap_err();
    assert_eq!(own.reason(), Reason::SamePerson);
    let world = world.does([decide_extension(true)]);
    let dates = (world.matter.due, world.matter.original_due, world.matter.state);
    assert_eq!(dates, (Some(day("2020-08-31")), Some(day("2020-07-31")), State::Accepted));
    let refused = World::new(matter()).does(to_accepted()).does([ask("2020-08-31"), decide_extension(false)]);
    assert_eq!(refused.matter.due, Some(day("2020-07-31")));
    assert_eq!(refused.on("2020-08-01").refuses(ask("2020-08-31")), Reason::TooLate);
}

#[test]
fn req_60_the_light_hangs_on_days_and_state_alone() {
    let rules = Rules::default();
    let matter = World::new(matter()).does(to_accepted()).matter;
    let light = |today: &str| rules.light(&matter, day(today)).unwrap();
    assert_eq!(
        [light("2020-07-27"), light("2020-07-28"), light("2020-07-31"), light("2020-08-01")],
        ["green", "yellow", "yellow", "red"]
    );
    let own: Rules = serde_json::from_str(
        r#"{"lights":[{"days_left":-1,"colour":"红"},{"days_left":10,"colour":"橙"},{"days_left":20,"colour":"蓝"}],"calm":"无"}"#,
    )
    .unwrap();
    let colours = ["2020-07-10", "2020-07-11", "2020-07-21", "2020-08-01"]
        .map(|today| own.light(&matter, day(today)).unwrap());
    assert_eq!(colours, ["无", "蓝", "橙", "红"]);
    assert_eq!(
        rules.light(&World::new(matter).does([report(), review(true)]).matter, day("2021-01-01")),
        None
    );
}

#[test]
fn req_61_slips_rise_when_the_last_one_lapsed_or_the_matter_is_grave() {
    let world = World::new(matter()).does([approve(), notify()]);
    for beyond in [10, u32::MAX] {
        assert_eq!(world.refuses(slip(beyond, "2020-06-20", true)), Reason::FieldInvalid);
    }
    assert_eq!(world.refuses(slip(2, "2020-06-20", false)), Reason::SlipEarly);
    let world = world.does([slip(1, "2020-06-20", false)]);
    assert_eq!(world.refuses(slip(2, "2020-06-30", false)), Reason::SlipEarly, "it has not lapsed");
    let lapsed = World::new(world.matter.clone()).on("2020-06-21");
    assert_eq!(lapsed.refuses(slip(1, "2020-06-30", false)), Reason::SlipEarly);
    assert!(lapsed.decide(slip(2, "2020-06-30", false), &Actor::default()).is_ok());
    let excused =
        World::new(world.matter.clone()).does([Act::AnswerSlip { text: "汛情".into(), excused: true }]);
    assert_eq!(excused.on("2020-06-21").refuses(slip(2, "2020-06-30", false)), Reason::SlipEarly);
    assert!(world.decide(slip(3, "2020-06-30", true), &Actor::default()).is_ok(), "grave");
}

#[test]
fn req_62_the_reviewer_is_never_the_reporter() {
    let mut world = World::new(matter()).does(to_accepted());
    world.by("王五", "市司法局", report()).unwrap();
    assert_eq!(world.by("王五", "", review(true)).unwrap_err().reason(), Reason::SamePerson);
    assert_eq!(world.matter.state, State::UnderReview);
    world.by("赵六", "", review(false)).unwrap();
    assert_eq!(world.matter.state, State::Returned);
}

#[test]
fn req_63_striking_off_needs_evidence_and_a_second_person_and_can_be_undone() {
    let mut world = World::new(matter()).does(to_accepted()).does([report(), review(true)]);
    let nothing = Act::StrikeOff { evidence: Vec::new(), reason: "x".into() };
    assert_eq!(world.refuses(nothing), Reason::EvidenceMissing);
    let bad = Act::StrikeOff {
        evidence: vec![Evidence { title: "x".into(), sha256: "zz".into() }],
        reason: "x".into(),
    };
    assert_eq!(world.decide(bad, &Actor::default()).unwrap_err().fields(), ["evidence[0].sha256"]);
    assert_eq!(world.by("单位张", "", strike_off()).unwrap_err().reason(), Reason::SamePerson);
    let world = world.on("2020-06-20").does([strike_off()]).on("2020-07-01").does([reopen(), progress()]);
    assert_eq!(
        (world.matter.struck_off.clone(), world.matter.reopened.clone()),
        (vec![day("2020-06-20")], vec![day("2020-07-01")])
    );
    let world = world.does([report(), review(true), strike_off()]);
    assert_eq!(world.matter.struck_off.len(), 2, "both dates stay");
    let mut entry = in_state(State::Finished).decide(strike_off(), &Actor::default()).unwrap();
    entry.same_evidence = vec!["organs/linlan/matters/9".into()];
    let mut repeated = in_state(State::Finished);
    repeated.matter.apply(entry);
    assert!(repeated.finds().contains(&FindingCode::EvidenceRepeated));
}

#[test]
fn req_64_a_public_listing_lasts_a_year_at_most_and_ends_after_acceptance() {
    let world = World::new(matter()).does(to_accepted());
    assert_eq!(world.refuses(listing("2021-06-18")), Reason::FieldInvalid);
    let world = world.does([listing("2020-12-31")]);
    let later = || Act::ExtendListing { deadline: day("2021-03-31"), reason: "难".into() };
    assert_eq!(World::new(world.matter.clone()).on("2020-12-04").refuses(later()), Reason::TooLate);
    let asked = World::new(world.matter.clone()).on("2020-12-03").does([later()]);
    assert_eq!(asked.matter.listing.as_ref().unwrap().deadline, day("2021-03-31"));
    assert_eq!(world.refuses(Act::Delist { notice: "x".into() }), Reason::StateForbids);
    assert!(World::new(world.matter.clone()).on("2021-01-01").finds().contains(&FindingCode::ListingLate));
    let ended = world.does([report(), review(true), Act::Delist { notice: "门户网站".into() }]);
    assert_eq!(ended.matter.listing.unwrap().delisted, Some(day("2020-06-16")));
}

#[test]
fn req_65_a_list_has_one_measure_owner_and_day_a_row_and_its_totals_add_up() {
    let row = |problem: &str, owner: &str| Row {
        problem: problem.into(),
        measure: "整改".into(),
        owner: owner.into(),
        due: Some(day("2020-07-01")),
        ..Row::default()
    };
    let list = MeasureList { matter: "m".into(), ..MeasureList::default() };
    let draft = list.next(vec![row("一", ""), row("二", "市统计局")], false).unwrap();
    let fault = draft.next(draft.rows.clone(), true).unwrap_err();
    assert_eq!((fault.reason(), fault.fields()), (Reason::ListIncomplete, &["rows[0].owner".to_owned()][..]));
    let two = draft.next(vec![row("一", "市统计局、市财政局")], true).unwrap_err();
    assert_eq!(two.reason(), Reason::ListIncomplete, "exactly one owner");
    let last = draft.next(vec![row("一", "市财政局"), row("二", "市统计局")], true).unwrap();
    assert_eq!((last.version, last.is_final), (2, true));
    assert_eq!(last.next(vec![row("一", "市财政局")], true).unwrap_err().reason(), Reason::ListFinal);
    let mut rows = last.rows.clone();
    rows[0].is_done = true;
    let done = last.next(rows, true).unwrap();
    for today in ["2020-06-01", "2020-07-01", "2020-07-02"] {
        assert_eq!(done.totals(day(today)).iter().sum::<usize>(), 2, "{today}");
    }
    assert_eq!(done.totals(day("2020-07-02")), [1, 1, 0]);
}

#[test]
fn req_66_whoever_raised_it_has_an_answer() {
    let mut made = matter();
    made.raised_by = "李市民".into();
    let world = World::new(made).does(to_end());
    assert!(world.finds().contains(&FindingCode::Unanswered));
    let other = Act::Answer { to: "别人".into(), text: "已办".into() };
    let world = world.does([other]);
    assert!(world.finds().contains(&FindingCode::Unanswered));
    let world = world.does([Act::Answer { to: "李市民".into(), text: "已办".into() }]);
    assert!(!world.finds().contains(&FindingCode::Unanswered));
    let list = MeasureList {
        rows: vec![Row { is_done: true, raised_by: "李市民".into(), ..Row::default() }, Row::default()],
        ..MeasureList::default()
    };
    assert_eq!(list.unanswered(), [0]);
}

#[test]
fn req_67_a_bulletin_counts_in_whole_per_cent_and_names_who_is_late() {
    let (open, closed) = (matter(), World::new(matter()).does(to_end()).matter);
    let matters: Vec<_> = (0..22).map(|n| if n < 6 { closed.clone() } else { open.clone() }).collect();
    let late = |matter: &Matter| matter.days_left(day("2020-08-01")).is_some_and(|left| left < 0);
    let found = bulletin(matters.iter(), late);
    assert_eq!((found.total, found.closed, found.open), (22, 6, 16));
    assert_eq!((found.closed_percent, found.open_percent), (27, 73));
    assert_eq!(found.laggards, [("市司法局".to_owned(), 16)]);
    assert_eq!((percent(1, 2), percent(0, 0), percent(1, 200)), (50, 0, 1), "half up");
}

#[test]
fn req_68_only_a_named_new_decision_stops_a_matter() {
    let world = World::new(matter()).does(to_accepted());
    let nameless = Act::Suspend { decision: String::new(), reason: "算了".into() };
    assert_eq!(world.decide(nameless, &Actor::default()).unwrap_err().fields(), ["decision"]);
    let world = world.does([suspend()]);
    assert_eq!(world.rules.light(&world.matter, world.today), None);
    let content = world.matter.content.clone();
    let world = world.does([Act::Resume { reason: "恢复".into() }]);
    assert_eq!((world.matter.state, world.matter.content), (State::Accepted, content));
}

#[test]
fn req_69_an_objection_has_thirty_days_and_another_judge() {
    let world = World::new(matter()).does(to_accepted()).does([report(), review(false)]);
    let object = || Act::Object { text: "已经办好".into() };
    assert_eq!(World::new(world.matter.clone()).on("2020-07-17").refuses(object()), Reason::TooLate);
    let mut world = world.on("2020-07-16").does([object()]);
    assert_eq!(world.refuses(object()), Reason::StateForbids, "one at a time");
    let decide = || Act::DecideObjection { upheld: true, reason: "属实".into() };
    assert_eq!(world.by("督查李", "", decide()).unwrap_err().reason(), Reason::SamePerson);
    assert_eq!(world.by("单位张", "", decide()).unwrap_err().reason(), Reason::SamePerson);
    world.by("复核钱", "", decide()).unwrap();
    assert_eq!(world.matter.objections[0].upheld, Some(true));
}

#[test]
fn req_53_only_the_lead_unit_acts_for_itself() {
    let mut world = World::new(matter()).does([approve(), notify()]);
    let fault = world.by("外人", "市财政局", Act::Accept).unwrap_err();
    assert_eq!(fault.reason(), Reason::UnitForeign);
    world.by("单位张", "市司法局", Act::Accept).unwrap();
    assert_eq!(world.matter.history.last().unwrap().unit, "市司法局");
    let mut staged = matter();
    staged.class = Class::Staged;
    staged.milestones = vec![Milestone { what: "初稿".into(), due: day("2020-06-30"), reached: None }];
    let world = World::new(staged).does(to_accepted()).on("2020-07-01");
    assert!(world.finds().contains(&FindingCode::MilestoneLate));
    let reach = |n| Act::Reach { milestone: n, text: "完成".into() };
    assert_eq!(world.refuses(reach(1)), Reason::FieldInvalid);
    let world = world.does([reach(0)]);
    assert_eq!(
        (world.matter.milestones[0].reached, world.refuses(reach(0))),
        (Some(day("2020-07-01")), Reason::FieldInvalid)
    );
}

/// What no sequence of acts may bring about.
fn check_sound(matter: &Matter) {
    let ends = |entry: &&Entry| entry.to == State::StruckOff && entry.from != State::StruckOff;
    for struck in matter.history.iter().filter(ends) {
        assert!(matches!(&struck.act, Act::StrikeOff { evidence, .. } if !evidence.is_empty()));
    }
    let mut state = State::Established;
    let mut reporter = String::new();
    for entry in &matter.history {
        assert_eq!(entry.from, state, "the history has no gap");
        state = entry.to;
        match &entry.act {
            Act::Report { .. } => reporter.clone_from(&entry.actor),
            Act::Review { .. } | Act::StrikeOff { .. } => assert_ne!(entry.actor, reporter),
            _ => {}
        }
    }
    assert_eq!(state, matter.state);
    if matter.state == State::StruckOff {
        assert!(!matter.to_revise || matter.revised.is_some());
        match matter.next {
            Next::Carry => {}
            Next::Issue => assert!(matter.document.is_some()),
            Next::Submit { .. } => assert!(matter.outcome.as_ref().is_some_and(|outcome| outcome.approved)),
        }
    }
    assert_eq!(matter.original_due, Some(day("2020-07-31")));
    assert_eq!(matter.version as usize, matter.history.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random acts by random people on random days never reach a forbidden state, and the history replays to the same
    /// matter, bit for bit.
    #[test]
    fn req_54_random_acts_keep_a_matter_sound(
        kind in 0..3_usize, to_revise: bool,
        steps in proptest::collection::vec((0..25_usize, 0..3_usize, 0..4_i64, any::<bool>()), 50),
    ) {
        let mut made = matter();
        made.next = [Next::Carry, Next::Issue, Next::Submit { body: "市委常委会".into() }][kind].clone();
        made.to_revise = to_revise;
        let fresh = made.clone();
        let mut world = World::new(made);
        for (act, who, days, yes) in steps {
            world.today = jiyao_calendar::days_later(world.today, days);
            let act = match EVERY_ACT[act].clone() {
                Act::Review { reason, .. } => Act::Review { accept: yes, reason },
                Act::RecordOutcome { text, document, .. } => Act::RecordOutcome { text, approved: yes, document },
                Act::DecideExtension { reason, .. } => Act::DecideExtension { grant: yes, reason },
                Act::AskExtension { reason, progress, .. } => {
                    Act::AskExtension { due: jiyao_calendar::days_later(world.today, 30), reason, progress }
                }
                act => act,
            };
            let who = ["甲", "乙", "丙"][who];
            if world.by(who, "", act).is_ok() {
                check_sound(&world.matter);
            }
        }
        let mut replayed = fresh;
        for entry in world.matter.history.clone() {
            replayed.apply(entry);
        }
        prop_assert_eq!(serde_json::to_vec(&replayed).unwrap(), serde_json::to_vec(&world.matter).unwrap());
    }
}
