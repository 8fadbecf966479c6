//! Minutes with a level (密级), and what is made of them: to whom it is not secret, and to whom it is not there.

use anyhow::Result;
use jiyao_client::{
    Act, AgendaItem, BoardBy, Channel, Client, DeliveryAct, DeliveryState, DisclosureClass, FreezeScope,
    Ground, Import, Level, LifeAct, ListMinutes, MeetingAct, NewMeeting, Page, SeatAct, Secrecy, Side,
    Standing,
};
use jiyao_fault::Reason;
use jiyao_testkit::{DIRECTORY, Local, Process, SAMPLE, Tokens, binary, until};
use tempfile::TempDir;

use crate::distribution::{House, UNIT, disclosure, draft, noted, of, to_registered};

fn level(level: Option<Level>) -> LifeAct {
    LifeAct::SetSecrecy {
        secrecy: level.map(|level| Secrecy { level, years: 5, condition: String::new() }),
        reason: "拟定密级".into(),
    }
}

fn reason<T: std::fmt::Debug>(result: Result<T, jiyao_client::Error>) -> Option<Reason> {
    result.unwrap_err().reason()
}

#[tokio::test]
async fn req_20_minutes_with_a_level_are_not_there_for_readers_from_the_draft_on() -> Result<()> {
    let folder = TempDir::new()?;
    let tokens = Tokens::new(
        &folder.path().join("tokens.toml"),
        &[("clerk-token-of-a-test", "chen", "clerk"), ("reader-token-of-a-test", "li", "reader")],
    )?;
    let data = folder.path().join("records").display().to_string();
    let keyed = format!("tokens={}", tokens.path().display());
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", &data];
    let set = ["--set", &keyed, "--set", "state_secrets=true", "--set", "reserve_mb=1"];
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let records = Process::start(&program, &[&arguments[..], &set].concat())?;
    let as_of = |token: &str| {
        Client::builder().records(format!("http://{}", records.address)).token(Some(token.into())).build()
    };
    let (clerk, reader) = (as_of("clerk-token-of-a-test")?, as_of("reader-token-of-a-test")?);
    let organ = clerk.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    let open = clerk.import_minutes(Import::new(&organ, SAMPLE.as_bytes().to_vec())).await?.minutes.name;
    let text = SAMPLE.replace("第42次", "第43次").replace("〔2025〕9号", "〔2025〕10号");
    let import = Import { standing: Standing::Draft, ..Import::new(&organ, text.into_bytes()) };
    let name = clerk.import_minutes(import).await?.minutes.name;
    assert!(reader.minutes(&name, None).await.is_ok());
    clerk.step(&name, level(Some(Level::Secret)), None).await?;

    let none = Some(Reason::MinutesNotFound);
    assert_eq!(reason(reader.minutes(&name, None).await), none);
    assert_eq!(reason(reader.minutes_text(&name).await), none);
    assert_eq!(reason(reader.list_decisions(&name, None).await), none);
    assert_eq!(reason(reader.standing(&name, None).await), none);
    let versions = reader.compare(Side::Text("一".into()), Side::Revision(name.clone(), 1)).await;
    assert_eq!(reason(versions), none);
    for parent in [organ.as_str(), "organs/-"] {
        let listed = reader.list_minutes(ListMinutes::of(parent)).await?.entries;
        assert_eq!(listed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), [open.as_str()]);
        assert_eq!(reader.search_minutes(parent, "城市更新", None).await?.entries.len(), 1);
        let decisions = reader.list_decisions(parent, None).await?.entries;
        assert!(!decisions.is_empty() && decisions.iter().all(|one| one.minutes == open));
        assert_eq!(clerk.list_minutes(ListMinutes::of(parent)).await?.entries.len(), 2);
    }
    let mut watch = reader.watch_minutes(&organ, None);
    let mut seen = Vec::new();
    while seen.is_empty() {
        seen.extend(watch.next().await?.changes.into_iter().map(|change| change.minutes.name));
    }
    assert_eq!(seen, [open.as_str()]);
    assert!(clerk.minutes(&name, None).await.is_ok());
    clerk.step(&name, level(None), None).await?;
    seen.clear();
    while seen.is_empty() {
        seen.extend(watch.next().await?.changes.into_iter().map(|change| change.minutes.name));
    }
    assert_eq!(seen, [name.as_str()], "a level that ends is told");
    assert!(reader.minutes(&name, None).await.is_ok());
    drop(records);
    Ok(())
}

/// What a client sees of what was made of minutes: lists by what is in them, and single things by why they are not there.
#[derive(Debug, PartialEq)]
struct Seen {
    matters: usize,
    meetings: usize,
    rooms: usize,
    rolls: usize,
    lists: usize,
    publications: usize,
    single: Vec<Option<Reason>>,
}

async fn seen(
    client: &Client,
    organ: &str,
    minutes: &str,
    [matter, delivery, room]: [&str; 3],
) -> Result<Seen> {
    fn why<T>(result: Result<T, jiyao_client::Error>) -> Option<Reason> {
        result.err().and_then(|error| error.reason())
    }
    Ok(Seen {
        matters: client.list_matters(organ, None, false, None).await?.entries.len(),
        meetings: client.board(organ, BoardBy::Meeting).await?.rows.len(),
        rooms: client.list_meetings(organ, None).await?.entries.len(),
        rolls: client.list_rolls(organ, None).await?.entries.len(),
        lists: client.list_distribution_lists(organ, None).await?.entries.len(),
        publications: client.list_publications(organ, "", "", None).await?.entries.len(),
        single: vec![
            why(client.matter(matter).await),
            why(client.list_matters(minutes, None, false, None).await),
            why(client.what_became_of(minutes, 0, 0).await),
            why(client.bulletin(minutes).await),
            why(client.roll(minutes, None).await),
            why(client.check_roll(minutes, None).await),
            why(client.distribution_list(minutes, None).await),
            why(client.frozen_scope(minutes).await),
            why(client.list_deliveries(minutes, false, None).await),
            why(client.delivery_counts(minutes).await),
            why(client.delivery(delivery).await),
            why(client.receipts(delivery).await),
            why(client.meeting(room).await),
            why(client.list_seats(room, None).await),
            why(client.quorum(room, None).await),
            why(client.present_for(room, 0).await),
        ],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn req_20_what_is_made_of_minutes_with_a_level_is_there_for_those_who_need_it_alone() -> Result<()> {
    let folder = TempDir::new()?;
    let tokens = Tokens::new(&folder.path().join("tokens.toml"), &[])?;
    tokens.write_units(&[
        ("service-token-of-a-test", "jiyao", "service", ""),
        ("clerk-token-of-a-test", "陈", "clerk", ""),
        ("reader-token-of-a-test", "李", "reader", ""),
        ("office-token-of-a-test", "督查", "supervisor", ""),
        ("leader-token-of-a-test", "秘书长", "leader", ""),
        ("lead-token-of-a-test", "住建", "unit", "市住建局"),
        ("other-token-of-a-test", "教育", "unit", "市教育局"),
    ])?;
    let shown = folder.path().join("service.token");
    jiyao_testkit::secret(&shown, "service-token-of-a-test")?;
    let services = Local::start_keyed(folder.path(), tokens.path(), &shown).await?;
    let as_of = |token: &str| services.client_with(token);
    let (clerk, reader, office) =
        (as_of("clerk-token-of-a-test")?, as_of("reader-token-of-a-test")?, as_of("office-token-of-a-test")?);
    let (lead, other) = (as_of("lead-token-of-a-test")?, as_of("other-token-of-a-test")?);
    let organ = clerk.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    clerk.import_directory(&organ, DIRECTORY.as_bytes().to_vec(), false).await?;
    let minutes = clerk.import_minutes(Import::new(&organ, SAMPLE.as_bytes().to_vec())).await?.minutes.name;
    let matters = clerk.pick_matters(&minutes).await?.matters;
    let matter = &matters.iter().find(|one| one.summary.lead == "市住建局").unwrap().summary;
    let freeze =
        FreezeScope { minutes: minutes.clone(), date: "2025-04-27".into(), ..FreezeScope::default() };
    until("frozen", async || Ok(clerk.freeze_scope(freeze.clone()).await.ok())).await?;
    clerk.dispatch_minutes(&minutes).await?;
    let delivery = until("sent to the unit", async || {
        let listed = clerk.list_deliveries(&minutes, false, None).await?.entries;
        Ok(listed.into_iter().find(|one| one.title == "市住建局"))
    });
    let delivery = delivery.await?.name;
    let room = NewMeeting {
        kind: "常务会议".into(),
        title: "市政府第42次常务会议".into(),
        date: "2025-04-15".into(),
        items: vec![AgendaItem { title: "城市更新".into(), ..AgendaItem::default() }],
        ..NewMeeting::default()
    };
    let room = clerk.create_meeting(&organ, room).await?.name;
    let recusal = SeatAct::Recuse {
        item: 0,
        ground: Ground::Relative,
        reason: "配偶任职".into(),
        decided_by: "市长".into(),
    };
    clerk.sit(&format!("{room}/seats/1"), recusal, None).await?;
    clerk.meet(&room, MeetingAct::LinkMinutes { minutes: minutes.clone() }, None).await?;
    let seen_by =
        async |client: &Client| seen(client, &organ, &minutes, [&matter.name, &delivery, &room]).await;
    let recused = async |client: &Client| {
        let seats = client.list_seats(&room, None).await?.entries;
        Ok::<_, anyhow::Error>(seats.iter().map(|seat| seat.recusals.len()).sum::<usize>())
    };
    assert_eq!((recused(&clerk).await?, recused(&reader).await?, recused(&lead).await?), (1, 0, 0));

    let open = until("all of it", async || {
        let seen = seen_by(&reader).await?;
        Ok((seen.rolls == 1 && seen.lists == 1).then_some(seen))
    });
    let open = open.await?;
    assert_eq!((open.matters, open.meetings, open.rooms, open.publications), (matters.len(), 1, 1, 1));
    assert!(open.single.iter().all(Option::is_none), "{open:?}");

    clerk.step(&minutes, level(Some(Level::Secret)), None).await?;
    let none = Seen {
        matters: 0,
        meetings: 0,
        rooms: 0,
        rolls: 0,
        lists: 0,
        publications: 0,
        single: vec![
            Some(Reason::MatterNotFound),
            Some(Reason::MinutesNotFound),
            Some(Reason::MinutesNotFound),
            Some(Reason::MinutesNotFound),
            Some(Reason::NotStated),
            Some(Reason::NotStated),
            Some(Reason::NotStated),
            Some(Reason::NotStated),
            Some(Reason::NotStated),
            Some(Reason::NotStated),
            Some(Reason::DeliveryNotFound),
            Some(Reason::DeliveryNotFound),
            Some(Reason::MeetingNotFound),
            Some(Reason::MeetingNotFound),
            Some(Reason::MeetingNotFound),
            Some(Reason::MeetingNotFound),
        ],
    };
    until("hidden from a reader", async || Ok((seen_by(&reader).await? == none).then_some(()))).await?;
    assert_eq!(seen_by(&other).await?, none, "a unit that it does not concern");
    // Nor does it act on what it does not see, nor on what is another's.
    let outcome = || Act::RecordOutcome { text: "同意".into(), approved: true, document: String::new() };
    assert_eq!(reason(other.act(&matter.name, outcome(), None).await), Some(Reason::MatterNotFound));
    let cleared = seen_by(&clerk).await?;
    assert_eq!((cleared.matters, cleared.rolls, cleared.lists), (matters.len(), 1, 1));
    assert!(cleared.single.iter().all(Option::is_none), "{cleared:?}");
    // The office follows matters and deliveries up; the roll is not its business.
    let followed = seen_by(&office).await?;
    assert_eq!((followed.matters, followed.lists, followed.rolls), (matters.len(), 1, 0));
    // A unit has what it must do and what it was sent.
    let own = seen_by(&lead).await?;
    let mine = matters.iter().filter(|one| one.summary.lead == "市住建局").count();
    assert_eq!((own.matters, own.meetings, own.lists), (mine, 0, 0));
    assert_eq!((own.single[0], own.single[10], own.single[11]), (None, None, None));
    assert!(own.single[1..10].iter().enumerate().all(|(at, why)| why.is_some() || at == 1), "{own:?}");

    let lifted = LifeAct::Declassify { document: "解密通知1号".into(), reason: "期满".into() };
    as_of("leader-token-of-a-test")?.step(&minutes, lifted, None).await?;
    until("seen again", async || Ok(other.matter(&matter.name).await.ok())).await?;
    assert_eq!(reason(other.act(&matter.name, outcome(), None).await), Some(Reason::UnitForeign));
    until("there again", async || Ok((seen_by(&reader).await? == open).then_some(()))).await?;
    services.stop().await
}

#[tokio::test]
async fn req_37_38_43_classified_minutes_go_on_paper_in_numbered_copies() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start_secret(folder.path()).await?;
    let house = House::around(services, folder).await?;
    let client = &house.client;
    let text = noted(&draft(), DisclosureClass::Withheld);
    let import = Import { standing: Standing::Draft, ..Import::new(&house.organ, text.into_bytes()) };
    let minutes = client.import_minutes(import).await?.minutes.name;
    let secrecy = Secrecy { level: Level::Confidential, years: 10, condition: String::new() };
    let set = LifeAct::SetSecrecy { secrecy: Some(secrecy), reason: "涉及".into() };
    client.step(&minutes, set, None).await?;
    for mut act in to_registered(DisclosureClass::Withheld) {
        if let LifeAct::Register { copies, .. } = &mut act {
            // Two for each, and one more.
            *copies = 97;
        }
        client.step(&minutes, act, None).await?;
    }
    let refused = until("refusal of the ordinary way", async || {
        let refused = client.freeze_scope(house.freeze(&minutes)).await;
        let reason = refused.err().and_then(|error| error.reason());
        Ok(reason.filter(|reason| *reason == Reason::ChannelForbidden))
    });
    refused.await?;
    let freeze = FreezeScope { is_paper: true, copies: 2, ..house.freeze(&minutes) };
    let more = FreezeScope { copies: 9, ..freeze.clone() };
    let refused = client.freeze_scope(more).await.unwrap_err();
    assert_eq!(refused.fields(), ["copies"], "more than were registered: {refused}");
    let scope = house.frozen(freeze).await?;
    house.issue(&minutes).await?;
    let deliveries = house.deliveries(&minutes, scope.total as usize).await?;
    let mine = of(&deliveries, UNIT);
    assert_eq!((mine.channel, mine.state, mine.copies.len()), (Channel::Paper, DeliveryState::Pending, 2));
    let inbox = house.as_unit(UNIT)?.inbox(&house.organ, UNIT, None).await?.entries;
    assert_eq!(inbox, [], "nothing of it in the ordinary way");
    let electronic = DeliveryAct::Redirect { channel: Channel::Inbox, reason: "快".into() };
    assert_eq!(reason(client.deliver(&mine.name, electronic, None).await), Some(Reason::ChannelForbidden));
    let handed = DeliveryAct::HandOver { signer: "章树声".into(), note: "机要交换".into() };
    assert_eq!(client.deliver(&mine.name, handed, None).await?.state, DeliveryState::Signed);
    let copies = Page::all(async |page| client.list_copies(&minutes, page).await).await?;
    let mut numbers: Vec<_> = copies.iter().map(|copy| copy.number.clone()).collect();
    assert_eq!((numbers.len(), numbers[0].as_str()), (scope.total as usize * 2, "000001"));
    numbers.dedup();
    assert_eq!(numbers.len(), copies.len(), "each once");
    let ended = client.end_copy(&minutes, "000001", None).await?;
    assert_eq!(ended.state, "RETURNED");
    assert_eq!(reason(client.end_copy(&minutes, "000001", None).await), Some(Reason::StateForbids));
    let one = Some(("秘书长".to_owned(), vec!["甲".to_owned()]));
    assert_eq!(reason(client.end_copy(&minutes, "000002", one).await), Some(Reason::FieldRequired));
    let two = Some(("秘书长".to_owned(), vec!["甲".to_owned(), "乙".to_owned()]));
    assert_eq!(client.end_copy(&minutes, "000002", two).await?.state, "DESTROYED");
    assert_eq!(reason(client.end_copy(&minutes, "999999", None).await), Some(Reason::CopyNotFound));
    // What was given back or destroyed is not handed over afterwards.
    let other = deliveries
        .iter()
        .find(|delivery| {
            !delivery.copies.contains(&"000001".to_owned())
                && delivery.state == DeliveryState::Pending
                && delivery.name != mine.name
        })
        .unwrap();
    client.end_copy(&minutes, &other.copies[1], None).await?;
    let handed = DeliveryAct::HandOver { signer: "某".into(), note: String::new() };
    assert_eq!(reason(client.deliver(&other.name, handed, None).await), Some(Reason::StateForbids));

    // Nor does somebody added later get copies that were never registered.
    assert_eq!(scope.total, 48);
    let more = "type,id,title,classes\nunit,new,市数据局,\n";
    client.import_directory(&house.organ, more.as_bytes().to_vec(), false).await?;
    let refused = until("the new unit", async || {
        let refused = client.add_recipient(&minutes, "new", "市长", "新设").await.unwrap_err();
        let is_known = refused.reason().is_some_and(|reason| reason != Reason::UnitNotFound);
        Ok(is_known.then_some(refused))
    })
    .await?;
    assert_eq!(refused.fields(), ["unit"], "{refused}");
    assert!(refused.to_string().contains("97"), "{refused}");

    // Not public until it is declassified.
    let open = LifeAct::Reclassify {
        disclosure: disclosure(DisclosureClass::Public),
        reason: "定期评估".into(),
    };
    assert_eq!(reason(client.step(&minutes, open.clone(), None).await), Some(Reason::FieldInvalid));
    let declassify = LifeAct::Declassify { document: "解密通知".into(), reason: "期满".into() };
    assert_eq!(client.step(&minutes, declassify, None).await?.life.history.last().unwrap().act, "DECLASSIFY");
    client.step(&minutes, open, None).await?;
    let publish = LifeAct::Publish { place: "门户网站".into(), separable: false };
    client.step(&minutes, publish, None).await?;
    let listed = async || Ok::<_, anyhow::Error>(client.list_published("organs/-", None).await?.entries);
    let public = until("the public listing", async || Ok(listed().await?.into_iter().next())).await?;
    assert_eq!((public.name.as_str(), public.note.as_str()), (minutes.as_str(), "（此件公开发布）"));
    // What is no longer public leaves the listing.
    let close = LifeAct::Reclassify {
        disclosure: disclosure(DisclosureClass::OnRequest),
        reason: "含个人信息".into(),
    };
    client.step(&minutes, close, None).await?;
    until("an empty listing", async || Ok(listed().await?.is_empty().then_some(()))).await?;
    assert_eq!(reason(client.published(&minutes).await), Some(Reason::MinutesNotFound));
    assert_eq!(client.search_published("organs/-", "城市更新", None).await?.entries, []);
    house.services.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn req_43_what_gets_a_level_after_it_was_sent_is_opened_no_more() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start_secret(folder.path()).await?;
    let house = House::around(services, folder).await?;
    let (client, organ) = (&house.client, &house.organ);
    let minutes = client.import_minutes(Import::new(organ, SAMPLE.as_bytes().to_vec())).await?.minutes.name;
    let freeze =
        FreezeScope { minutes: minutes.clone(), date: "2025-04-27".into(), ..FreezeScope::default() };
    until("frozen", async || Ok(client.freeze_scope(freeze.clone()).await.ok())).await?;
    client.dispatch_minutes(&minutes).await?;
    let unit = house.as_unit("市住建局")?;
    let mine = until("the inbox", async || {
        Ok(unit.inbox(organ, "市住建局", None).await?.entries.into_iter().next())
    });
    let mine = mine.await?.name;
    unit.open_delivery(&mine).await?;
    client.step(&minutes, level(Some(Level::Confidential)), None).await?;
    let refused = until("the level is known", async || Ok(unit.open_delivery(&mine).await.err())).await?;
    assert_eq!(refused.reason(), Some(Reason::ChannelForbidden), "{refused}");
    house.services.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_after_an_erasure_keeps_its_level() -> Result<()> {
    let folder = TempDir::new()?;
    let tokens = Tokens::new(&folder.path().join("tokens.toml"), &[])?;
    tokens.write(&[
        ("service-token-of-a-test", "jiyao", "service"),
        ("clerk-token-of-a-test", "陈", "clerk"),
        ("reader-token-of-a-test", "李", "reader"),
        ("one-token-of-a-test", "甲", "operator"),
        ("two-token-of-a-test", "乙", "operator"),
    ])?;
    let shown = folder.path().join("service.token");
    jiyao_testkit::secret(&shown, "service-token-of-a-test")?;
    let services = Local::start_keyed(folder.path(), tokens.path(), &shown).await?;
    let as_of = |token: &str| services.client_with(token);
    let (clerk, reader) = (as_of("clerk-token-of-a-test")?, as_of("reader-token-of-a-test")?);
    let organ = clerk.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    let minutes = clerk.import_minutes(Import::new(&organ, SAMPLE.as_bytes().to_vec())).await?.minutes.name;
    clerk.step(&minutes, level(Some(Level::Secret)), None).await?;
    until("the roll", async || Ok(clerk.roll(&minutes, None).await.ok())).await?;
    let hidden = until("hidden", async || Ok(reader.roll(&minutes, None).await.err())).await?;
    assert_eq!(hidden.reason(), Some(Reason::NotStated), "{hidden}");
    let asked = as_of("one-token-of-a-test")?.ask_erasure(&minutes, "某法第九条").await?;
    as_of("two-token-of-a-test")?.confirm_erasure(&asked.id).await?;
    until("the erasure", async || {
        Ok(clerk.roll(&minutes, None).await.ok().filter(|roll| roll.entries.is_empty()))
    })
    .await?;
    assert_eq!(reason(reader.roll(&minutes, None).await), Some(Reason::NotStated), "hidden still");
    services.stop().await
}
