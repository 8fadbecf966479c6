//! Directories of many units: tables that take effect at once, and meetings that are planned and read beside them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use jiyao_client::{Capacity, Client, NewMeeting, NewSeat, ObserverKind, SeatAct};
use jiyao_proto::attendance::v1 as wire;
use jiyao_proto::client::attendance::v1::directory_service_client::DirectoryServiceClient;
use jiyao_testkit::{Local, Process, binary, until};
use tempfile::TempDir;
use tonic::transport::Channel;

const ORGAN: &str = "organs/linlan";
const HEAD: &str = "type,id,title,rank,member_of,person,post,classes\n";

/// A table of units with these numbers, each called so.
fn units(numbers: std::ops::Range<usize>, called: &str) -> Vec<u8> {
    let rows: String = numbers.map(|n| format!("unit,u{n:05},{called}第{n}所,,,,,各所\n")).collect();
    (HEAD.to_owned() + &rows).into_bytes()
}

/// A table of ten members of the 常务会议.
fn members() -> Vec<u8> {
    let post = |n: usize| match n {
        0 => "post,o0,市长,HEAD,常务会议,,,\n".to_owned(),
        9 => "post,o9,秘书长,SECRETARY_GENERAL,常务会议,,,\n".to_owned(),
        n => format!("post,o{n},副市长,DEPUTY,常务会议,,,\n"),
    };
    let row = |n: usize| format!("person,p{n},成员{n},,,,,\ntenure,,,,,p{n},o{n},\n");
    (HEAD.to_owned() + &(0..10).map(|n| post(n) + &row(n)).collect::<String>()).into_bytes()
}

async fn directory(address: &impl ToString) -> Result<DirectoryServiceClient<Channel>> {
    let channel = Channel::from_shared(format!("http://{}", address.to_string()))?.connect().await?;
    Ok(DirectoryServiceClient::new(channel))
}

async fn is_there(client: &Client, name: &str) -> Result<bool> {
    Ok(!client.list_units(ORGAN, "", "", name, None).await?.entries.is_empty())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_table_takes_effect_whole_and_at_once() -> Result<()> {
    const MANY: usize = 1600;
    let folder = TempDir::new()?;
    let services = Local::start_joined(folder.path(), |_| {}).await?;
    let client = services.client()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    client.import_directory(ORGAN, members(), false).await?;

    // Whoever sees the first unit of a table sees the last one too.
    let importing = {
        let client = client.clone();
        tokio::spawn(async move { client.import_directory(ORGAN, units(0..MANY, "县"), false).await })
    };
    let mut saw_none = false;
    loop {
        let is_done = importing.is_finished();
        if is_there(&client, "县第0所").await? {
            assert!(is_there(&client, &format!("县第{}所", MANY - 1)).await?, "half of a table");
        } else {
            saw_none = true;
        }
        if is_done {
            break;
        }
    }
    assert!(saw_none, "it was not there at first");
    let made = importing.await??;
    assert_eq!((made.version, made.added, made.changed), (2, 1600, 0));
    assert_eq!(client.list_members(ORGAN, "常务会议", "2026-01-01").await?.len(), 10, "the others stay");

    // Few are changed in place, many at once again; what they were called before nobody is called any more.
    let few = client.import_directory(ORGAN, units(0..2, "区"), false).await?;
    assert_eq!((few.version, few.changed), (3, 2));
    assert!(is_there(&client, "区第1所").await? && !is_there(&client, "县第1所").await?);
    assert!(is_there(&client, "县第2所").await?);
    let again = client.import_directory(ORGAN, units(0..MANY, "市"), false).await?;
    assert_eq!((again.version, again.changed, again.unchanged), (4, 1600, 0));
    for (name, expected) in [("区第1所", false), ("县第2所", false), ("市第1所", true), ("市第1599所", true)]
    {
        assert_eq!(is_there(&client, name).await?, expected, "{name}");
    }
    let same = client.import_directory(ORGAN, units(0..MANY, "市"), false).await?;
    assert_eq!((same.version, same.unchanged), (4, 1600));
    let mut wrong = units(0..MANY, "省");
    wrong.extend(b"unit,u00000,\xe7\x94\xb2,,,,,\n");
    let refused = client.import_directory(ORGAN, wrong, false).await.unwrap_err();
    assert_eq!(refused.reason().map(|reason| reason.to_string()).as_deref(), Some("TABLE_REFUSED"));
    assert!(!is_there(&client, "省第1所").await?, "whole or not at all");

    // All pages of the list, and all of a class, each once.
    for (class, called) in [("", ""), ("各所", "")] {
        let (mut ids, mut page) = (BTreeSet::new(), None);
        loop {
            let some = client.list_units(ORGAN, "2026-01-01", class, called, page.as_deref()).await?;
            assert!(some.entries.iter().all(|unit| ids.insert(unit.id.clone())), "a unit twice");
            page = some.next;
            if page.is_none() {
                break;
            }
        }
        assert_eq!(ids.len(), MANY, "{class}");
    }

    // Those who follow get it page by page, and have all of it in the end.
    let mut raw = directory(&services.attendance).await?;
    let (mut told, mut page_token) = (0, String::new());
    loop {
        let parent = ORGAN.to_owned();
        let request = wire::GetDirectoryChangeRequest { parent, version: 4, page_token };
        let page = raw.get_directory_change(request).await?.into_inner();
        assert!(page.units.len() <= 500, "{}", page.units.len());
        told += page.units.len();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(told, MANY);
    until("distribution knows the last of them", async || {
        let inbox = client.inbox(ORGAN, "市第1599所", None).await;
        Ok(inbox.ok())
    })
    .await?;
    let old = client.inbox(ORGAN, "县第7所", None).await.unwrap_err();
    assert_eq!(old.reason().map(|reason| reason.to_string()).as_deref(), Some("UNIT_NOT_FOUND"));

    // A repeat is answered as the first time, whatever the directory has become.
    let request = wire::ImportDirectoryRequest {
        parent: ORGAN.to_owned(),
        table: units(0..700, "乡"),
        preview: false,
        request_id: "6f1f3c4e-7c0e-4f6e-9d0a-3f6b0a7c1d11".to_owned(),
    };
    let first = raw.import_directory(request.clone()).await?.into_inner();
    client.import_directory(ORGAN, units(0..5, "镇"), false).await?;
    assert_eq!(raw.import_directory(request).await?.into_inner(), first);
    assert!(is_there(&client, "镇第1所").await?, "and nothing is done twice");
    services.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_tables_at_the_same_time_are_all_taken() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    let imports = [(0..700, "甲"), (700..1400, "乙"), (1400..1410, "丙")].map(|(numbers, called)| {
        let client = client.clone();
        tokio::spawn(async move { client.import_directory(ORGAN, units(numbers, called), false).await })
    });
    let mut versions = BTreeSet::new();
    for import in imports {
        versions.insert(import.await??.version);
    }
    assert_eq!(versions, BTreeSet::from([1, 2, 3]), "one after the other");
    for name in ["甲第0所", "甲第699所", "乙第700所", "乙第1399所", "丙第1409所"] {
        assert!(is_there(&client, name).await?, "{name}");
    }
    services.stop().await
}

/// Killed at any time while a table is staged: none of it is seen, and the next one is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_a_kill_interrupts_leaves_nothing_behind() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("attendance").display().to_string();
    let arguments =
        ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "log=error", "--set", "reserve_mb=1"];
    let program = binary("jiyao-attendance", "jiyao-attendance", None)?;
    let mut seen = BTreeSet::new();
    for round in 0..6_u64 {
        let service = Process::start(&program, &arguments)?;
        let client = Client::builder().attendance(format!("http://{}", service.address)).build()?;
        let called = format!("轮{round}");
        let importing = {
            let (client, table) = (client.clone(), units(0..3000, &called));
            tokio::spawn(async move { client.import_directory(ORGAN, table, false).await })
        };
        tokio::time::sleep(Duration::from_millis(60 * round)).await;
        service.kill()?;
        importing.abort();
        let service = Process::start(&program, &arguments)?;
        let client = Client::builder().attendance(format!("http://{}", service.address)).build()?;
        let first = is_there(&client, &format!("{called}第0所")).await?;
        assert_eq!(is_there(&client, &format!("{called}第2999所")).await?, first, "half of a table");
        seen.insert(first);
        let after = client.import_directory(ORGAN, units(0..3000, &called), false).await?;
        assert_eq!(after.added + after.changed + after.unchanged, 3000);
        assert!(is_there(&client, &format!("{called}第2999所")).await?);
        service.stop()?;
    }
    assert!(seen.contains(&false), "no kill came in time");
    Ok(())
}

/// Eight terminals sign in without pause while meetings are planned and read: nobody is told that there is no room.
/// `JIYAO_UNITS=15000` makes it long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meetings_are_planned_and_read_while_terminals_sign_in() -> Result<()> {
    let many = std::env::var("JIYAO_UNITS").ok().and_then(|n| n.parse().ok()).unwrap_or(3000);
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    client.import_directory(ORGAN, members(), false).await?;
    client.import_directory(ORGAN, units(0..many, "县"), false).await?;
    let new = |n: usize| NewMeeting {
        kind: "常务会议".into(),
        title: format!("市政府第{n}次常务会议"),
        date: "2026-06-02".into(),
        ..NewMeeting::default()
    };
    let meeting = client.create_meeting(ORGAN, new(0)).await?.name;
    let guests = (0..400).map(|n| NewSeat {
        unit: "县第1所".into(),
        person: format!("来宾{n}"),
        capacity: Capacity::Observer,
        observer: ObserverKind::Invited,
        items: Vec::new(),
    });
    client.add_seats(&meeting, guests.collect()).await?;
    let mut terminals = tokio::task::JoinSet::new();
    for terminal in 0..8_usize {
        let (client, meeting) = (client.clone(), meeting.clone());
        terminals.spawn(async move {
            let mut signed = 0;
            for seat in (11..=410).filter(|seat| seat % 8 == terminal) {
                let seat = format!("{meeting}/seats/{seat}");
                for act in [
                    SeatAct::SignIn { terminal: format!("T{terminal}"), person: String::new() },
                    SeatAct::SignOut { terminal: format!("T{terminal}") },
                ] {
                    client.sit(&seat, act, None).await?;
                    signed += 1;
                }
            }
            anyhow::Ok(signed)
        });
    }
    let (mut took, mut planned) = (Vec::new(), 0);
    while !terminals.is_empty() {
        let began = Instant::now();
        client.meeting(&meeting).await?;
        took.push(began.elapsed());
        if took.len() % 20 == 0 {
            planned += 1;
            client.create_meeting(ORGAN, new(planned)).await?;
        }
        while let Some(ended) = terminals.try_join_next() {
            assert_eq!(ended??, 100);
        }
    }
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    println!(
        "{many} units, 8 terminals: {} reads of a meeting, median {:?}, p99 {:?}, {planned} meetings planned, 0 refused",
        took.len(),
        at(50),
        at(99)
    );
    services.stop().await
}
