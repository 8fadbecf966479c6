use std::time::Duration;

use jiyao_calendar::{Date, Holidays, Timestamp, parse_iso};
use jiyao_fault::Reason;
use jiyao_minutes::{DisclosureClass, Passage};
use jiyao_rolls::{Directory, Entry as Row, Span, Unit};

use super::*;

fn day(text: &str) -> Date {
    parse_iso(text).unwrap()
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millisecond(1_592_272_800_000 + minute * 60_000).unwrap()
}

fn unit(id: &str, title: &str, classes: &[&str]) -> Row {
    let classes = classes.iter().map(|class| (*class).to_owned()).collect();
    Row::Unit(Unit { id: id.into(), title: title.into(), classes, ..Unit::default() })
}

fn directory() -> Directory {
    let mut directory = Directory::default();
    directory.put(unit("east", "东湖县人民政府", &["各县、区人民政府"]));
    directory.put(unit("west", "西山区人民政府", &["各县、区人民政府"]));
    directory.put(unit("edu", "市教育局", &[]));
    let span = Span { from: None, until: Some(day("2019-12-31")) };
    let old = Unit {
        id: "plan".into(),
        title: "市规划局".into(),
        span,
        successors: vec!["land".into()],
        ..Unit::default()
    };
    directory.put(Row::Unit(old));
    directory.put(unit("land", "市自然资源局", &[]));
    directory
}

fn line(title: &str, kind: RecipientKind) -> Recipient {
    Recipient { title: title.into(), kind }
}

#[test]
fn req_36_classes_expand_as_of_the_day_and_the_expansion_has_a_hash() {
    use RecipientKind::{Class, Unit};
    let lines = [
        line("各县、区人民政府", Class),
        line("市教育局", Unit),
        line("与会各单位", Class),
        line("东湖县人民政府", Unit),
    ];
    let targets =
        expand(&lines, &["市规划局".into(), "市教育局".into()], &directory(), day("2020-06-16")).unwrap();
    let short: Vec<_> = targets.iter().map(|target| (target.title.as_str(), target.via.as_str())).collect();
    assert_eq!(
        short,
        [
            ("东湖县人民政府", "各县、区人民政府"),
            ("西山区人民政府", "各县、区人民政府"),
            ("市教育局", "市教育局"),
            ("市自然资源局", "与会各单位"),
        ]
    );
    let scope = Scope {
        minutes: "m".into(),
        revision: 1,
        sha256: "0f".into(),
        date: day("2020-06-16"),
        directory: 3,
        lines: lines.iter().map(|line| line.title.clone()).collect(),
        targets: 4,
        copies: 1,
        is_paper: false,
        hash: String::new(),
    };
    let hash = scope.hash_with(&targets);
    assert_eq!(hash, scope.hash_with(&targets));
    assert_ne!(hash, scope.hash_with(&targets[..3]));
    assert_ne!(hash, Scope { date: day("2020-06-17"), ..scope.clone() }.hash_with(&targets));
    assert_ne!(hash, Scope { revision: 2, ..scope }.hash_with(&targets));
}

#[test]
fn req_36_a_class_of_nobody_and_a_body_that_nobody_knows_are_refused_by_name() {
    let refused = |title: &str, kind| {
        expand(&[line(title, kind)], &[], &directory(), day("2020-06-16")).unwrap_err().reason()
    };
    assert_eq!(refused("各乡镇", RecipientKind::Class), Reason::ClassEmpty);
    assert_eq!(refused("与会各单位", RecipientKind::Class), Reason::ClassEmpty);
    assert_eq!(refused("市畜牧局", RecipientKind::Unit), Reason::UnitNotFound);
}

fn delivery(channel: Channel) -> Delivery {
    let mut delivery = Delivery {
        name: "organs/linlan/deliveries/1".into(),
        title: "市教育局".into(),
        sha256: "0f".repeat(32),
        channel,
        ..Delivery::default()
    };
    delivery.goes_again(at(0));
    delivery
}

fn does(delivery: &mut Delivery, act: Act, unit: &str, minute: i64) -> Result<Entry, Reason> {
    let recipients = [delivery.title.clone()];
    let context = Context {
        actor: "人",
        unit,
        recipients: &recipients,
        is_system: unit == "系统",
        now: at(minute),
        key: None,
    };
    let entry = delivery.decide(act, &context).map_err(|fault| fault.reason())?;
    if !entry.is_repeat {
        delivery.apply(entry.clone());
    }
    Ok(entry)
}

fn sign(attempt: u32, byte: &str) -> Act {
    Act::Sign { attempt, sha256: byte.repeat(32), signer: "章树声".into(), claim_signature: String::new() }
}

#[test]
fn req_39_states_and_times_are_set_by_the_system() {
    let mut inbox = delivery(Channel::Inbox);
    assert_eq!((inbox.state, inbox.attempt, inbox.sent), (State::Sent, 1, Some(at(0))));
    does(&mut inbox, Act::Open { attempt: 1 }, "市教育局", 5).unwrap();
    assert_eq!((inbox.state, inbox.received), (State::Received, Some(at(5))));
    does(&mut inbox, sign(1, "0f"), "市教育局", 9).unwrap();
    assert_eq!((inbox.state, inbox.signed.as_ref().map(|signed| signed.time)), (State::Signed, Some(at(9))));
    assert_eq!(
        does(&mut inbox, Act::Remind { text: "请".into() }, "", 10).unwrap_err(),
        Reason::StateForbids
    );

    let mut mail = delivery(Channel::Email);
    assert_eq!((mail.state, mail.sent, mail.next_try), (State::Pending, None, Some(at(0))));
    assert_eq!(does(&mut mail, Act::Send { attempt: 2 }, "系统", 1).unwrap_err(), Reason::AttemptStale);
    does(&mut mail, Act::Send { attempt: 1 }, "系统", 1).unwrap();
    assert!(mail.next_try > Some(at(1)), "an attempt without an answer is not forgotten");
    for (action, shown) in
        [("accepted", "accepted"), ("delayed", "delayed"), ("relayed", "relayed"), ("accepted", "relayed")]
    {
        does(&mut mail, Act::Transit { attempt: 1, action: action.into() }, "系统", 2).unwrap();
        assert_eq!((mail.state, mail.transit.as_str()), (State::Sent, shown), "no receipt");
        assert_eq!(mail.next_try, None, "the mail system has it");
    }
    let fail = |retry| Act::Fail { attempt: 1, why: "550".into(), retry };
    does(&mut mail, fail(Some(at(9))), "系统", 3).unwrap();
    assert_eq!((mail.state, mail.next_try), (State::Pending, Some(at(9))));
    does(&mut mail, Act::Send { attempt: 2 }, "系统", 9).unwrap();
    assert_eq!(does(&mut mail, fail(None), "系统", 10).unwrap_err(), Reason::AttemptStale, "a late report");
    does(&mut mail, Act::Fail { attempt: 2, why: "550".into(), retry: None }, "系统", 10).unwrap();
    assert_eq!(mail.state, State::Failed, "parked");
    does(&mut mail, Act::Redirect { channel: Channel::Paper, reason: "邮箱停用".into() }, "", 11).unwrap();
    assert_eq!((mail.state, mail.channel), (State::Pending, Channel::Paper));
    does(&mut mail, Act::HandOver { signer: "章树声".into(), note: "收发室".into() }, "", 12).unwrap();
    assert_eq!(mail.state, State::Signed);
}

#[test]
fn what_failed_together_does_not_come_back_together_and_nobody_is_called_before_they_asked() {
    let pause = Duration::from_secs(100);
    let wait = |asked, attempt: u32, name: &str| {
        retry_time(at(0), pause, asked, name, attempt).unwrap().as_second() - at(0).as_second()
    };
    let waits: Vec<i64> = (0..50).map(|n| wait(None, 1, &format!("organs/linlan/deliveries/{n}"))).collect();
    assert!(waits.iter().all(|wait| (100..=120).contains(wait)), "{waits:?}");
    let spread: std::collections::BTreeSet<_> = waits.iter().collect();
    assert!(spread.len() > 10, "{waits:?}");
    assert_eq!(waits[0], wait(None, 1, "organs/linlan/deliveries/0"), "the same each time");
    assert_eq!(wait(Some(Duration::from_secs(3600)), 1, "d"), 3600);
    assert_eq!(wait(Some(Duration::MAX), 1, "d"), 24 * 3600, "a day at most");
    assert!(wait(Some(Duration::ZERO), 1, "d") >= 100);
}

#[test]
fn req_42_a_reminder_goes_out_once_and_a_newer_one_after_it() {
    let remind = || Act::Remind { text: "请".into() };
    let mut hook = delivery(Channel::Webhook);
    does(&mut hook, Act::Send { attempt: 1 }, "系统", 1).unwrap();
    does(&mut hook, remind(), "", 2).unwrap();
    assert!(!hook.is_reminding, "it is on its way itself");
    does(&mut hook, Act::Receive { attempt: 1 }, "市教育局", 3).unwrap();
    does(&mut hook, remind(), "", 4).unwrap();
    assert_eq!((hook.is_reminding, hook.next_try), (true, Some(at(4))));
    does(&mut hook, Act::Reminding, "系统", 5).unwrap();
    assert!(hook.next_try > Some(at(5)), "nobody sends it a second time meanwhile");
    // Whoever takes it opens the delivery; a newer one comes before the answer.
    does(&mut hook, Act::Open { attempt: 1 }, "市教育局", 6).unwrap();
    does(&mut hook, remind(), "", 7).unwrap();
    let reminded = |number| Act::Reminded { number, failure: String::new() };
    assert_eq!(does(&mut hook, reminded(2), "系统", 8).unwrap_err(), Reason::StateForbids);
    assert_eq!(hook.next_try, Some(at(7)), "the newer one goes out");
    does(&mut hook, Act::Reminding, "系统", 8).unwrap();
    does(&mut hook, reminded(3), "系统", 9).unwrap();
    assert_eq!((hook.is_reminding, hook.next_try, hook.state), (false, None, State::Received));
    assert_eq!(does(&mut hook, Act::Reminding, "系统", 9).unwrap_err(), Reason::StateForbids);

    let mut mail = delivery(Channel::Email);
    does(&mut mail, Act::Send { attempt: 1 }, "系统", 1).unwrap();
    let transit = |action: &str| Act::Transit { attempt: 1, action: action.into() };
    does(&mut mail, transit("accepted"), "系统", 2).unwrap();
    does(&mut mail, remind(), "", 3).unwrap();
    does(&mut mail, transit("delayed"), "系统", 4).unwrap();
    assert_eq!((mail.is_reminding, mail.next_try), (true, Some(at(3))), "a report does not swallow it");
    does(&mut mail, sign(1, "0f"), "市教育局", 5).unwrap();
    assert_eq!((mail.is_reminding, mail.next_try), (false, None), "signed for: nothing to remind of");
    // What earlier programs wrote does not go out when it is replayed.
    let old = r#"{"act":{"REMIND":{"text":"请"}},"actor":"","unit":"","time":"2020-06-16T02:00:00Z"}"#;
    let mut again = delivery(Channel::Email);
    does(&mut again, Act::Send { attempt: 1 }, "系统", 1).unwrap();
    does(&mut again, transit("accepted"), "系统", 2).unwrap();
    again.apply(serde_json::from_str(old).unwrap());
    assert_eq!((again.is_reminding, again.reminders.len()), (false, 1));
}

#[test]
fn req_39_what_arrived_is_not_taken_back_by_an_answer_that_did_not() {
    let fail = |attempt, retry| Act::Fail { attempt, why: "503".into(), retry };
    let mut hook = delivery(Channel::Webhook);
    assert!(!hook.is_out(), "nothing went out");
    does(&mut hook, Act::Send { attempt: 1 }, "系统", 1).unwrap();
    does(&mut hook, fail(1, Some(at(60))), "系统", 2).unwrap();
    assert!(hook.state == State::Pending && hook.is_out(), "the call may have arrived");
    does(&mut hook, Act::Open { attempt: 1 }, "市教育局", 3).unwrap();
    assert_eq!((hook.state, hook.next_try), (State::Received, None), "and is not sent again");
    does(
        &mut hook,
        Act::Sign {
            attempt: 1,
            sha256: "0f".repeat(32),
            signer: "人".into(),
            claim_signature: String::new(),
        },
        "市教育局",
        4,
    )
    .unwrap();

    let mut hook = delivery(Channel::Webhook);
    does(&mut hook, Act::Send { attempt: 1 }, "系统", 1).unwrap();
    does(&mut hook, Act::Open { attempt: 1 }, "市教育局", 2).unwrap();
    does(&mut hook, fail(1, Some(at(60))), "系统", 3).unwrap();
    assert_eq!((hook.state, hook.failures.len()), (State::Received, 1));

    // Redirected while a call is under way: its answer concerns nobody any more.
    let mut hook = delivery(Channel::Webhook);
    does(&mut hook, Act::Send { attempt: 1 }, "系统", 1).unwrap();
    does(&mut hook, Act::Redirect { channel: Channel::Paper, reason: "停机".into() }, "", 2).unwrap();
    assert_eq!(does(&mut hook, fail(1, None), "系统", 3).unwrap_err(), Reason::StateForbids);
    assert!(!hook.is_out() && hook.state == State::Pending);
    assert_eq!(does(&mut hook, Act::Open { attempt: 1 }, "市教育局", 3).unwrap_err(), Reason::StateForbids);
}

#[test]
fn req_43_paper_is_handed_over_and_nothing_else() {
    let mut paper = delivery(Channel::Paper);
    does(&mut paper, Act::HandOver { signer: "章树声".into(), note: String::new() }, "", 1).unwrap();
    for act in [Act::Open { attempt: 1 }, Act::Receive { attempt: 1 }] {
        assert_eq!(does(&mut paper, act, "市教育局", 2).unwrap_err(), Reason::StateForbids);
    }
}

#[test]
fn req_42_what_goes_again_is_waited_for_anew() {
    let mut inbox = delivery(Channel::Inbox);
    assert!(inbox.is_unreceived_since(at(0)) && !inbox.is_unreceived_since(at(-1)));
    does(&mut inbox, Act::Open { attempt: 1 }, "市教育局", 5).unwrap();
    assert!(!inbox.is_unreceived_since(at(99)));
    let back = Act::Return { attempt: 1, codes: vec!["13".into()], text: String::new() };
    does(&mut inbox, back, "市教育局", 6).unwrap();
    does(&mut inbox, Act::Resend { reason: "已换".into() }, "", 100).unwrap();
    assert_eq!((inbox.sent, inbox.received, inbox.earlier_attempts), (Some(at(100)), None, 1));
    assert!(inbox.is_unreceived_since(at(100)) && !inbox.is_unreceived_since(at(99)));
    assert!(delivery(Channel::Paper).is_unreceived_since(at(0)), "paper that nobody handed over");
    // One that was given up and goes again may be given up again.
    let mut mail = delivery(Channel::Email);
    for attempt in [1, 2] {
        does(&mut mail, Act::Send { attempt }, "系统", 1).unwrap();
        does(&mut mail, Act::Fail { attempt, why: "550".into(), retry: None }, "系统", 2).unwrap();
        does(&mut mail, Act::Close { reason: "停用".into() }, "", 3).unwrap();
        does(&mut mail, Act::Resend { reason: "启用".into() }, "", 4).unwrap();
    }
    assert_eq!(mail.earlier_attempts, 2, "its pauses begin anew");
}

#[test]
fn req_40_signing_names_the_bytes_is_idempotent_and_is_the_units_own() {
    let mut inbox = delivery(Channel::Inbox);
    assert_eq!(does(&mut inbox, sign(1, "0f"), "市财政局", 1).unwrap_err(), Reason::UnitForeign);
    assert_eq!(does(&mut inbox, sign(1, "0f"), "", 1).unwrap_err(), Reason::UnitForeign);
    assert_eq!(does(&mut inbox, sign(1, "aa"), "市教育局", 1).unwrap_err(), Reason::HashMismatch);
    assert_eq!(does(&mut inbox, sign(7, "0f"), "市教育局", 1).unwrap_err(), Reason::AttemptStale);
    let nameless =
        Act::Sign { attempt: 1, sha256: "0f".repeat(32), signer: " ".into(), claim_signature: String::new() };
    assert_eq!(does(&mut inbox, nameless, "市教育局", 1).unwrap_err(), Reason::FieldRequired);
    assert!(!does(&mut inbox, sign(1, "0f"), "市教育局", 2).unwrap().is_repeat);
    let before = inbox.clone();
    assert!(does(&mut inbox, sign(1, "0f"), "市教育局", 3).unwrap().is_repeat);
    assert_eq!(inbox, before, "twice is once");
    assert_eq!(does(&mut inbox, sign(1, "aa"), "市教育局", 3).unwrap_err(), Reason::HashMismatch);
    let back = Act::Return { attempt: 1, codes: vec!["11".into()], text: String::new() };
    assert_eq!(does(&mut inbox, back, "市教育局", 4).unwrap_err(), Reason::StateForbids);
}

#[test]
fn req_41_a_return_has_codes_and_text_only_for_other() {
    let back = |codes: &[&str], text: &str| Act::Return {
        attempt: 1,
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        text: text.into(),
    };
    let refused = |act| does(&mut delivery(Channel::Inbox), act, "市教育局", 1).unwrap_err();
    assert_eq!(refused(back(&[], "")), Reason::FieldRequired);
    assert_eq!(refused(back(&["77"], "")), Reason::FieldInvalid);
    assert_eq!(refused(back(&["11", "11"], "")), Reason::FieldInvalid);
    assert_eq!(refused(back(&["99"], " ")), Reason::FieldRequired);
    assert_eq!(refused(back(&["11"], "不清楚")), Reason::FieldInvalid);
    assert_eq!(refused(back(&["99"], &"长".repeat(201))), Reason::FieldInvalid);
    let mut inbox = delivery(Channel::Inbox);
    does(&mut inbox, back(&["11", "99"], "缺页"), "市教育局", 1).unwrap();
    assert_eq!(inbox.state, State::Returned);
    does(&mut inbox, Act::Resend { reason: "已补".into() }, "", 2).unwrap();
    assert_eq!((inbox.state, inbox.attempt, inbox.returned.is_none()), (State::Sent, 2, true));
    assert_eq!(does(&mut inbox, sign(1, "0f"), "市教育局", 3).unwrap_err(), Reason::AttemptStale);
    does(&mut inbox, sign(2, "0f"), "市教育局", 3).unwrap();
}

/// What a table written apart from the code allows.
#[test]
fn req_39_every_act_in_every_state() {
    use State::{Failed, Pending, Received, Returned, Sent, Signed};
    let hash = "0f".repeat(32);
    let acts: [(Act, &[State]); 14] = [
        (Act::Send { attempt: 2 }, &[Pending, Sent]),
        (Act::Fail { attempt: 1, why: "x".into(), retry: None }, &[Sent, Received]),
        // No mail carried it.
        (Act::Transit { attempt: 1, action: "relayed".into() }, &[]),
        (Act::ReportDelivered { attempt: 1 }, &[]),
        (Act::Receive { attempt: 1 }, &[Sent, Received, Signed]),
        (Act::Open { attempt: 1 }, &[Sent, Received, Signed]),
        (
            Act::Sign { attempt: 1, sha256: hash, signer: "人".into(), claim_signature: String::new() },
            &[Sent, Received],
        ),
        (Act::HandOver { signer: "人".into(), note: String::new() }, &[]),
        (Act::Return { attempt: 1, codes: vec!["11".into()], text: String::new() }, &[Sent, Received]),
        (Act::Remind { text: "请".into() }, &[Pending, Sent, Received]),
        (Act::Recall { reason: "错".into() }, &[Pending, Sent, Received, Signed, Returned, Failed]),
        (Act::Resend { reason: "错".into() }, &[Failed, Returned]),
        (Act::Redirect { channel: Channel::Paper, reason: "错".into() }, &[Pending, Sent, Failed, Returned]),
        (Act::Close { reason: "错".into() }, &[Failed]),
    ];
    for state in State::ALL {
        for (act, allowed) in &acts {
            let mut one = Delivery { state, ..delivery(Channel::Inbox) };
            let outcome =
                does(&mut one, act.clone(), if act.name() == "SEND" { "系统" } else { "市教育局" }, 1);
            let expected = allowed.contains(&state);
            assert_eq!(outcome.is_ok(), expected, "{} in {}", act.name(), state.as_str());
            if !expected {
                assert_eq!(outcome.unwrap_err(), Reason::StateForbids);
            }
        }
    }
}

#[test]
fn mail_systems_report_of_mail_alone_and_the_receipt_says_that_they_did() {
    let reports =
        [Act::Transit { attempt: 1, action: "relayed".into() }, Act::ReportDelivered { attempt: 1 }];
    for channel in [Channel::Inbox, Channel::Webhook, Channel::Paper, Channel::Email] {
        for report in reports.clone() {
            let mut one = Delivery { state: State::Sent, attempt: 1, ..delivery(channel) };
            let outcome = does(&mut one, report, "系统", 1);
            assert_eq!(outcome.is_ok(), channel == Channel::Email, "{channel:?}");
        }
    }
    let one = Delivery { state: State::Sent, attempt: 1, ..delivery(Channel::Email) };
    let context =
        Context { actor: "服务", unit: "", recipients: &[], is_system: true, now: at(1), key: None };
    let entry = one.decide(Act::ReportDelivered { attempt: 1 }, &context).unwrap();
    assert_eq!(one.statement(&entry, None).unwrap().kind, jiyao_receipts::Kind::MailReported);
}

#[test]
fn receipts_state_what_happened_to_which_bytes_in_which_attempt() {
    let mut inbox = delivery(Channel::Inbox);
    let opened = does(&mut inbox, Act::Open { attempt: 1 }, "市教育局", 1).unwrap();
    let signed = does(&mut inbox, sign(1, "0f"), "市教育局", 2).unwrap();
    let statement = inbox.statement(&signed, None).unwrap();
    assert_eq!(
        (statement.kind, statement.attempt, statement.signer.as_str()),
        (jiyao_receipts::Kind::SignedFor, 1, "章树声")
    );
    assert_eq!(
        (statement.sha256.as_str(), statement.time.as_str()),
        ("0f".repeat(32).as_str(), "2020-06-16T02:02:00Z")
    );
    assert_eq!(inbox.statement(&opened, None).unwrap().kind, jiyao_receipts::Kind::Opened);
}

#[test]
fn a_units_own_key_signs_the_claim() {
    let key = jiyao_receipts::Key::from_seed(&[5; 32]);
    let inbox = delivery(Channel::Inbox);
    let claim =
        jiyao_receipts::Claim { delivery: inbox.name.clone(), sha256: inbox.sha256.clone(), attempt: 1 };
    let recipients = ["市教育局".to_owned()];
    let public = key.public();
    let context = Context {
        actor: "人",
        unit: "市教育局",
        recipients: &recipients,
        is_system: false,
        now: at(1),
        key: Some(&public),
    };
    let with = |claim_signature: String| Act::Sign {
        attempt: 1,
        sha256: "0f".repeat(32),
        signer: "章树声".into(),
        claim_signature,
    };
    assert_eq!(inbox.decide(with(String::new()), &context).unwrap_err().fields(), ["claim_signature"]);
    let entry = inbox.decide(with(key.sign_claim(&claim)), &context).unwrap();
    assert_eq!(inbox.statement(&entry, Some(&public)).unwrap().claim_key, public.id());
    let unregistered = Context { key: None, ..context };
    let fault = inbox.decide(with(key.sign_claim(&claim)), &unregistered).unwrap_err();
    assert_eq!(fault.fields(), ["claim_signature"]);
}

#[test]
fn req_38_copies_are_numbered_and_end_once() {
    assert_eq!(copy_number(7), "000007");
    let mut copy =
        Copy { number: copy_number(1), unit: "市教育局".into(), delivery: String::new(), end: None };
    let destroyed = |by: &str, witnesses: &[&str]| CopyEnd::Destroyed {
        approved_by: by.into(),
        witnesses: witnesses.iter().map(|name| (*name).to_owned()).collect(),
    };
    assert_eq!(Copies::check(&copy, &destroyed("", &["甲", "乙"])).unwrap_err().fields(), ["approved_by"]);
    assert_eq!(Copies::check(&copy, &destroyed("秘书长", &["甲", " "])).unwrap_err().fields(), ["witnesses"]);
    assert_eq!(
        Copies::check(&copy, &destroyed("秘书长", &["甲", "甲 "])).unwrap_err().fields(),
        ["witnesses"]
    );
    assert!(Copies::check(&copy, &destroyed("秘书长", &["甲", "乙"])).is_ok());
    copy.end = Some((CopyEnd::Returned, "人".into(), at(0)));
    assert_eq!(Copies::check(&copy, &CopyEnd::Returned).unwrap_err().reason(), Reason::StateForbids);
}

fn publication(class: DisclosureClass) -> Publication {
    Publication {
        minutes: "m".into(),
        class: Some(class),
        signed: Some(day("2020-06-12")),
        issued: Some(day("2020-06-16")),
        ..Publication::default()
    }
}

#[test]
fn req_47_twenty_working_days_from_the_signature_by_the_holiday_table() {
    let (rules, holidays) = (DueRules::default(), Holidays::shipped());
    let public = publication(DisclosureClass::Public);
    assert_eq!(public.due(rules, holidays).unwrap(), Some(day("2020-07-13")));
    let from_issue = DueRules { from_issue: true, ..rules };
    assert_eq!(public.due(from_issue, holidays).unwrap(), Some(day("2020-07-15")));
    assert_eq!(public.standing(rules, holidays, day("2020-07-13")), Some(Standing::Due));
    assert_eq!(public.standing(rules, holidays, day("2020-07-14")), Some(Standing::Overdue));
    let out = Publication { published: Some(day("2020-07-10")), ..public.clone() };
    assert_eq!(out.standing(rules, holidays, day("2020-07-14")), Some(Standing::Published));
    // What became public later is due from that day on.
    let changed = Publication { reclassified: Some(day("2020-08-03")), ..public.clone() };
    assert_eq!(changed.due(rules, holidays).unwrap(), Some(day("2020-08-31")));
    let early = Publication { reclassified: Some(day("2020-06-01")), ..public.clone() };
    assert_eq!(early.due(rules, holidays).unwrap(), Some(day("2020-07-13")), "not before it was signed");
    let far = Publication { signed: Some(day("2099-01-05")), ..public };
    assert_eq!(
        far.standing(rules, holidays, day("2099-01-06")),
        Some(Standing::HolidaysUnknown),
        "never a silent count"
    );
}

#[test]
fn req_48_withheld_minutes_are_looked_at_again() {
    let (rules, holidays) = (DueRules::default(), Holidays::shipped());
    let withheld =
        Publication { reassess: Some(day("2021-06-12")), ..publication(DisclosureClass::Withheld) };
    assert_eq!(withheld.standing(rules, holidays, day("2021-06-11")), Some(Standing::Withheld));
    assert_eq!(withheld.standing(rules, holidays, day("2021-06-12")), Some(Standing::ToReassess));
    assert_eq!(
        publication(DisclosureClass::OnRequest).standing(rules, holidays, day("2021-06-12")),
        Some(Standing::OnRequest)
    );
}

#[test]
fn req_45_the_separable_part_leaves_the_withheld_passages_out() {
    let passage = |quote: &str, class| Passage { quote: quote.into(), class, reason: "第十五条".into() };
    let text = "一、同意。\n二、某企业报价三亿元。\n三、通过。";
    let passages =
        [passage("报价三亿元", DisclosureClass::Withheld), passage("通过", DisclosureClass::Public)];
    assert_eq!(public_part(text, &passages), "一、同意。\n二、某企业［此处依法不予公开］。\n三、通过。");
    // What belongs to any of several passages goes, in whatever order they were marked.
    let text = "甲。某企业报价三亿元，分两年付清。乙。报价三亿元。";
    let overlapping = ["报价三亿元", "三亿元，分两年付清", "三亿", "企业报价"];
    for turn in 0..overlapping.len() {
        let mut quotes = overlapping;
        quotes.rotate_left(turn);
        let passages = quotes.map(|quote| passage(quote, DisclosureClass::Withheld));
        let expected = "甲。某［此处依法不予公开］。乙。［此处依法不予公开］。";
        assert_eq!(public_part(text, &passages), expected, "{quotes:?}");
    }
    let whole = [passage("一二", DisclosureClass::OnRequest), passage("二三", DisclosureClass::Withheld)];
    assert_eq!(public_part("一二三", &whole), "［此处依法不予公开］");
    let itself = [passage("ＡＡ", DisclosureClass::Withheld)];
    assert_eq!(public_part("ＡＡＡ。", &itself), "［此处依法不予公开］。", "a passage that overlaps itself");
}

fn request() -> Request {
    Request {
        name: "organs/linlan/disclosureRequests/1".into(),
        applicant: "某人".into(),
        subject: "第7次常务会议纪要".into(),
        minutes: String::new(),
        received: day("2020-06-15"),
        since: day("2020-06-15"),
        state: RequestState::Open,
        version: 0,
        extended: 0,
        stood_still: 0,
        asked: None,
        history: Vec::new(),
    }
}

fn asks(request: &mut Request, act: RequestAct, today: &str) -> Result<(), Reason> {
    let holidays = Holidays::shipped();
    let entry = request.decide(act, "公开办", day(today), holidays).map_err(|fault| fault.reason())?;
    request.apply(entry);
    Ok(())
}

#[test]
fn req_49_requests_are_answered_in_time_and_third_parties_do_not_count() {
    let holidays = Holidays::shipped();
    let due = |request: &Request, today: &str| request.due(day(today), holidays).unwrap().to_string();
    let mut one = request();
    assert_eq!(due(&one, "2020-06-16"), "2020-07-14");
    let extend = |working_days| RequestAct::Extend { working_days, reason: "需检索".into() };
    assert_eq!(asks(&mut one, extend(21), "2020-06-16"), Err(Reason::FieldInvalid));
    assert_eq!(asks(&mut one, extend(20), "2020-07-15"), Err(Reason::TooLate));
    asks(&mut one, extend(20), "2020-07-14").unwrap();
    assert_eq!(due(&one, "2020-07-14"), "2020-08-11");
    assert_eq!(asks(&mut one, extend(20), "2020-07-14"), Err(Reason::StateForbids), "once");
    asks(&mut one, RequestAct::AskThirdParty { party: "某企业".into() }, "2020-07-15").unwrap();
    let answer = |kind: &str| RequestAct::Answer { kind: kind.into(), text: "予以公开".into() };
    assert_eq!(asks(&mut one, answer("GIVEN"), "2020-07-16"), Err(Reason::StateForbids));
    assert_eq!(due(&one, "2020-07-17"), "2020-08-13", "it stands still while they are asked");
    let hear = || RequestAct::HearThirdParty { text: "不同意".into() };
    let unknown = one.decide(hear(), "公开办", day("2099-01-04"), holidays).unwrap_err();
    assert_eq!(unknown.reason(), Reason::HolidaysUnknown, "how long it stood still is decided, not guessed");
    asks(&mut one, hear(), "2020-07-17").unwrap();
    assert_eq!(due(&one, "2020-07-30"), "2020-08-13");
    assert_eq!(asks(&mut one, answer("PERHAPS"), "2020-07-30"), Err(Reason::FieldInvalid));
    assert!(
        one.is_late(day("2020-08-14"), holidays).unwrap()
            && !one.is_late(day("2020-08-13"), holidays).unwrap()
    );
    for kind in ANSWERS {
        asks(&mut one.clone(), answer(kind), "2020-07-30").unwrap();
    }
    let mut two = request();
    assert_eq!(
        asks(&mut two, RequestAct::AskCompletion { what: "期限".into() }, "2020-06-29"),
        Err(Reason::TooLate)
    );
    asks(&mut two, RequestAct::AskCompletion { what: "期限".into() }, "2020-06-24").unwrap();
    asks(&mut two, RequestAct::Complete, "2020-07-01").unwrap();
    assert_eq!(due(&two, "2020-07-02"), "2020-07-29", "the clock starts anew");
    let mut three = request();
    asks(&mut three, RequestAct::AskThirdParty { party: "某企业".into() }, "2020-06-17").unwrap();
    asks(&mut three, hear(), "2020-06-19").unwrap();
    asks(&mut three, RequestAct::AskCompletion { what: "期限".into() }, "2020-06-24").unwrap();
    asks(&mut three, RequestAct::Complete, "2020-07-01").unwrap();
    assert_eq!(due(&three, "2020-07-02"), "2020-07-29", "what stood still before does not count again");
}
