//! The power goes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::Result;
use jiyao_client::ListMinutes;
use jiyao_testkit::{Dice, LoopDisk, Process, binary, may_mount, skip};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{Acknowledged, Found, Kind, Load, PLANTED, records, records_until, rounds};

/// Power cuts of a service under load, until something is lost where that is asked for.
async fn power_cuts(
    kind: Kind,
    start: impl Fn(&Path) -> Result<Process>,
    cuts: usize,
    until_loss: bool,
) -> Result<Found> {
    let (folder, copies) = (TempDir::new()?, TempDir::new()?);
    let disk = LoopDisk::new(folder.path(), 512)?;
    let mut dice = Dice::new("power cuts");
    let (next, acknowledged) = (Arc::new(AtomicUsize::new(0)), Acknowledged::default());
    let mut found = Found::default();
    for cut in 0..cuts {
        // Every third time a fresh store: the first segments are where folders matter.
        let data = disk.folder().join(format!("data-{}", cut / 3));
        if cut % 3 == 0 {
            acknowledged.lock().unwrap().clear();
            if cut > 0 {
                fs_err::remove_dir_all(disk.folder().join(format!("data-{}", cut / 3 - 1)))?;
            }
        }
        let service = start(&data)?;
        if cut % 3 == 0 {
            kind.begin(&kind.client(&service.address)?).await?;
        }
        let load = Load::start(kind, &service.address, &next, &acknowledged).await?;
        tokio::time::sleep(dice.milliseconds(20, 500)).await;
        service.signal(Signal::STOP)?;
        let all = load.acknowledged();
        let after = disk.cut(copies.path())?;
        service.kill()?;
        load.end().await;
        found.acknowledged += all.len();
        found.look(kind, || start(&after.folder().join(format!("data-{}", cut / 3))), &all).await?;
        drop(after);
        if until_loss && !found.is_clean() {
            break;
        }
    }
    Ok(found)
}

/// A process is killed between writing and syncing, another one starts and shows what it finds; then the power goes.
/// How much of what it showed was lost, and how often it did not open.
async fn kills_then_cuts(start: impl Fn(&Path) -> Result<Process>, rounds: usize) -> Result<Found> {
    let kind = Kind::Records;
    let planted = binary(kind.package(), kind.package(), Some(PLANTED))?;
    let (folder, copies) = (TempDir::new()?, TempDir::new()?);
    let disk = LoopDisk::new(folder.path(), 512)?;
    let (next, mut found) = (Arc::new(AtomicUsize::new(0)), Found::default());
    for round in 0..rounds {
        let data = disk.folder().join(format!("data-{round}"));
        let service = records(&planted, &data)?;
        kind.begin(&kind.client(&service.address)?).await?;
        service.kill()?;
        let service = records_until(&planted, &data, "group-written", 3)?;
        let load = Load::start(kind, &service.address, &next, &Acknowledged::default()).await?;
        tokio::task::spawn_blocking(|| service.ended()).await??;
        load.end().await;

        let service = start(&data)?;
        let shown = kind.client(&service.address)?.list_minutes(ListMinutes::of("organs/-")).await?.entries;
        service.signal(Signal::STOP)?;
        let after = disk.cut(copies.path())?;
        service.kill()?;
        found.acknowledged += shown.len();
        match records(&planted, &after.folder().join(format!("data-{round}"))) {
            Ok(service) => {
                let client = kind.client(&service.address)?;
                for minutes in shown {
                    found.lost += usize::from(client.minutes(&minutes.name, None).await.is_err());
                }
            }
            Err(e) => {
                println!("round {round}: {e:#}");
                found.refused += 1;
            }
        }
        drop(after);
        fs_err::remove_dir_all(&data)?;
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_start_shows_outlives_the_power_and_a_planted_missing_sync_is_found() -> Result<()> {
    if let Err(why) = may_mount() {
        skip("kills before power cuts", &format!("{why:#}"));
        return Ok(());
    }
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let found = kills_then_cuts(|data| records(&program, data), rounds(5, 50)).await?;
    println!("kills before power cuts: {found:?}");
    assert!(found.is_clean() && found.acknowledged > 0);
    let planted = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let found = kills_then_cuts(|data| records_until(&planted, data, "no-sync", 0), 5).await?;
    println!("kills before power cuts, without fdatasync: {found:?}");
    assert!(!found.is_clean(), "the harness does not see a missing fdatasync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_cuts_lose_nothing_and_a_planted_missing_sync_is_found() -> Result<()> {
    if let Err(why) = may_mount() {
        skip("power cuts", &format!("{why:#}"));
        return Ok(());
    }
    for kind in Kind::ALL {
        let program = binary(kind.package(), kind.package(), None)?;
        let cuts = rounds(12, 200);
        let found = power_cuts(kind, |data| records(&program, data), cuts, false).await?;
        println!("{kind:?}, {cuts} power cuts: {found:?}");
        assert!(found.is_clean());
        assert!(found.acknowledged > cuts);
    }
    let planted = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let without_sync = |data: &Path| records_until(&planted, data, "no-sync", 0);
    let found = power_cuts(Kind::Records, without_sync, 20, true).await?;
    println!("power cuts without fdatasync: {found:?}");
    assert!(!found.is_clean(), "the harness does not see a missing fdatasync");
    Ok(())
}
