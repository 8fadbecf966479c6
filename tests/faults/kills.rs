//! Killed at random, and at named points.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use jiyao_client::{Client, Import, NewMatter, Page, Service};
use jiyao_testkit::{Dice, Process, binary, numbered};
use tempfile::TempDir;

use super::{
    Acknowledged, Found, Kind, Load, PLANTED, create_organ, kinds, lost, planted, records, records_until,
    rounds,
};

/// Kills a service under load again and again, until something is lost or as often as asked.
async fn random_kills(kind: Kind, start: impl Fn() -> Result<Process>, kills: usize) -> Result<Found> {
    let mut dice = Dice::new("kills");
    let (next, acknowledged) = (Arc::new(AtomicUsize::new(0)), Acknowledged::default());
    let (mut service, mut found) = (start()?, Found::default());
    kind.begin(&kind.client(&service.address)?).await?;
    for _ in 0..kills {
        let load = Load::start(kind, &service.address, &next, &acknowledged).await?;
        tokio::time::sleep(dice.milliseconds(0, 120)).await;
        service.kill()?;
        load.end().await;
        let all = acknowledged.lock().unwrap().clone();
        found.acknowledged = all.len();
        // Each round its own; all of them at the end.
        let newest = all.into_iter().rev().take(40).collect();
        match found.look(kind, &start, &newest).await? {
            Some(again) if found.is_clean() => service = again,
            _ => return Ok(found),
        }
    }
    let all = acknowledged.lock().unwrap().clone();
    found.lost += lost(kind, &service.address, &all).await?;
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_lose_nothing_and_a_planted_lost_write_is_found() -> Result<()> {
    let kills = rounds(100, 500);
    for kind in kinds() {
        let (program, folder) = (binary(kind.package(), kind.package(), None)?, TempDir::new()?);
        let found = random_kills(*kind, || records(&program, folder.path()), kills).await?;
        println!("{kind:?}, {kills} kills: {found:?}");
        assert!(found.is_clean());
        assert!(found.acknowledged > kills / 4, "there was load");
    }
    let (program, folder) = (binary("jiyao-records", "jiyao-records", Some(PLANTED))?, TempDir::new()?);
    // Each process writes a few groups, and then only says so.
    let forgets = || records_until(&program, folder.path(), "no-write", 3);
    let found = random_kills(Kind::Records, forgets, 20).await?;
    println!("with writes that are only said to be done: {found:?}");
    assert!(!found.is_clean(), "the harness does not see a lost write");
    Ok(())
}

/// Points that every group of writes passes, and those that only a new segment does.
const OF_A_GROUP: [&str; 5] = ["group-decided", "group-written", "group-synced", "state-applied", "answered"];
const OF_A_SEGMENT: [&str; 2] = ["segment-made", "segment-named"];
/// Points of an erasure, in their order.
pub(super) const OF_AN_ERASURE: [&str; 7] = [
    "erasure-rehearsed",
    "erasure-recorded",
    "segment-rewritten",
    "segment-replaced",
    "erasure-written",
    "erasure-shown",
    "state-replaced",
];

/// Kills a service at each point that a write passes, after so many passes of it; `bug`: what else is planted.
async fn kills_at_points(kind: Kind, program: &Path, passes: usize, bug: &str) -> Result<(usize, Found)> {
    let folder = TempDir::new()?;
    // Before there is anything: the journal itself is on its way.
    for point in OF_A_SEGMENT {
        let is_passed = records_until(program, folder.path(), point, 0).is_err();
        assert!(is_passed, "{point} is not passed at the start");
    }
    let (next, acknowledged) = (Arc::new(AtomicUsize::new(0)), Acknowledged::default());
    let service = records(program, folder.path())?;
    kind.begin(&kind.client(&service.address)?).await?;
    service.kill()?;
    let (mut kills, mut found) = (0, Found::default());
    let all = OF_A_GROUP.iter().map(|point| (*point, passes)).chain(OF_A_SEGMENT.map(|point| (point, 1)));
    for (point, passes) in all {
        for after in 0..passes {
            let points = format!("{point}={after}*off->return;{bug}");
            let service = planted(program, folder.path(), &points)?;
            let load = Load::start(kind, &service.address, &next, &acknowledged).await?;
            let ended = tokio::task::spawn_blocking(|| service.ended()).await??;
            assert!(!ended.success(), "{point} is passed");
            load.end().await;
            kills += 1;
            let all = acknowledged.lock().unwrap().clone();
            found.acknowledged = all.len();
            let newest = all.into_iter().rev().take(40).collect();
            match found.look(kind, || records(program, folder.path()), &newest).await? {
                Some(service) if found.is_clean() => service.kill()?,
                _ => return Ok((kills, found)),
            }
        }
    }
    let all = acknowledged.lock().unwrap().clone();
    found.look(kind, || records(program, folder.path()), &all).await?;
    Ok((kills, found))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_each_point_of_a_write_lose_nothing_and_a_planted_lost_write_is_found() -> Result<()> {
    for kind in Kind::ALL {
        let program = binary(kind.package(), kind.package(), Some(PLANTED))?;
        let (kills, found) = kills_at_points(kind, &program, rounds(3, 40), "").await?;
        println!("{kind:?}, {kills} kills at named points: {found:?}");
        assert!(found.is_clean() && found.acknowledged > 0);
    }
    let program = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let (kills, found) = kills_at_points(Kind::Records, &program, 3, "no-write=return").await?;
    println!("with writes that are only said to be done, {kills} kills: {found:?}");
    assert!(!found.is_clean(), "the harness does not see a lost write");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_killed_at_any_point_is_whole_or_not_at_all() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    // A unit that has to do something stands in the journal and in the state.
    let canary = "金丝雀局";
    // Where the state is broken too it is set aside, with all that is in its files.
    for (point, is_broken) in OF_AN_ERASURE.into_iter().flat_map(|point| [(point, false), (point, true)]) {
        let folder = TempDir::new()?;
        let service = records(&program, folder.path())?;
        create_organ(&service.address).await?;
        let client = |address: &str, name: &str| {
            Client::builder().records(format!("http://{address}")).acting_as(name, "").build()
        };
        let first = client(&service.address, "甲")?;
        let mut others = BTreeMap::new();
        for n in 0..3 {
            others.insert(Kind::Records.write(&first, n).await?, n);
        }
        let text = numbered(99).replace("住建局", canary);
        let name = first.import_minutes(Import::new("organs/linlan", text.into_bytes())).await?.minutes.name;
        let id = first.ask_erasure(&name, "某法第九条").await?.id;
        service.stop()?;
        assert!(
            !crate::erasure::found(&folder.path().join("state"), canary.as_bytes())?.is_empty(),
            "nothing to erase in the state's files"
        );

        let service = records_until(&program, folder.path(), point, 0)?;
        let outcome = client(&service.address, "乙")?.confirm_erasure(&id).await;
        assert!(outcome.is_err(), "{point} is passed");
        assert!(!service.ended()?.success());
        let state = folder.path().join("state");
        if is_broken && state.exists() {
            fs_err::write(state.join("snap.0000000000000001.generating"), b"half")?;
        }
        let service = records(&program, folder.path())?;
        let second = client(&service.address, "乙")?;
        let at = format!("{point}{}", if is_broken { ", the state broken" } else { "" });
        let is_done = !second.erasures(Service::Records).await?[0].erased.is_empty();
        assert_eq!(is_done, point != OF_AN_ERASURE[0], "{at}: it is done once it is on record");
        let found = crate::erasure::found(folder.path(), canary.as_bytes())?;
        assert_eq!(found.is_empty(), is_done, "{at}: {found:?}");
        second.confirm_erasure(&id).await?;
        assert_eq!(crate::erasure::found(folder.path(), canary.as_bytes())?, Vec::<String>::new(), "{at}");
        assert_eq!(lost(Kind::Records, &service.address, &others).await?, 0);
        let verified = second.verify_journal(Service::Records, |_| {}).await?;
        assert!(verified.damaged.is_empty() && verified.erased == 1, "{at}: {verified:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_erasure_that_leaves_the_bytes_is_found() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let (folder, canary) = (TempDir::new()?, "金丝雀之言");
    let service = planted(&program, folder.path(), "no-erasing=return")?;
    create_organ(&service.address).await?;
    let client = |name: &str| {
        Client::builder().records(format!("http://{}", service.address)).acting_as(name, "").build()
    };
    let text = numbered(99) + canary;
    let first = client("甲")?;
    let name = first.import_minutes(Import::new("organs/linlan", text.into_bytes())).await?.minutes.name;
    let id = first.ask_erasure(&name, "某法第九条").await?.id;
    client("乙")?.confirm_erasure(&id).await?;
    let found = crate::erasure::found(folder.path(), canary.as_bytes())?;
    assert!(!found.is_empty(), "the search for what was erased finds nothing that is left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn req_03_kills_leave_no_gap_and_no_double_in_numbers() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let folder = TempDir::new()?;
    let mut dice = Dice::new("numbers");
    let mut service = records(&program, folder.path())?;
    create_organ(&service.address).await?;
    let import = Import::new("organs/linlan", jiyao_testkit::SAMPLE.as_bytes().to_vec());
    let minutes = Kind::Records.client(&service.address)?.import_minutes(import).await?.minutes.name;
    let given: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let kills = rounds(20, 100);
    for _ in 0..kills {
        let mut tasks = Vec::new();
        for _ in 0..32 {
            let (client, given) = (Kind::Records.client(&service.address)?, Arc::clone(&given));
            let new = NewMatter {
                minutes: minutes.clone(),
                text: "每季度向市政府报告一次进度".into(),
                content: "按季报告进度".into(),
                lead: "市住建局".into(),
                due: "2099-12-31".into(),
                ..NewMatter::default()
            };
            tasks.push(tokio::spawn(async move {
                while let Ok(made) = client.create_matter(new.clone()).await {
                    assert!(given.lock().unwrap().insert(made.summary.number), "a number was given twice");
                }
            }));
        }
        tokio::time::sleep(dice.milliseconds(50, 200)).await;
        service.kill()?;
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        for task in tasks {
            assert!(!task.await.is_err_and(|ended| ended.is_panic()), "a number was given twice");
        }
        service = records(&program, folder.path())?;
    }
    let (client, mut numbers) = (Kind::Records.client(&service.address)?, BTreeSet::new());
    let matters = async |page: Option<&str>| client.list_matters("organs/linlan", None, false, page).await;
    for matter in Page::all(matters).await? {
        assert!(numbers.insert(matter.number.clone()), "{} twice", matter.number);
    }
    let year = numbers.first().and_then(|number| number.get(..10)).unwrap_or_default().to_owned();
    let expected: BTreeSet<_> = (1..=numbers.len()).map(|n| format!("{year}〕{n}号")).collect();
    assert_eq!(numbers, expected, "no gap");
    let given = given.lock().unwrap();
    assert!(given.is_subset(&numbers), "nothing acknowledged is lost");
    println!(
        "{kills} kills, 32 at once: {} numbers acknowledged, {} there, no gap, no double",
        given.len(),
        numbers.len()
    );
    assert!(given.len() > kills, "there was load");
    Ok(())
}
