//! What lies on the disk is changed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use jiyao_client::ListMinutes;
use jiyao_testkit::{Dice, binary};
use tempfile::TempDir;

use super::{Kind, copy, create_organ, files, records, rounds};

/// Breaks the state's folder in one of the ways that disks and crashes know. Says how.
fn break_state(state: &Path, dice: &mut Dice) -> Result<String> {
    let all = files(state)?;
    if all.is_empty() {
        bail!("the state has no files");
    }
    let file = &all[dice.below(all.len() as u64) as usize];
    let mut bytes = fs_err::read(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(match dice.below(8) {
        0 => {
            fs_err::remove_dir_all(state)?;
            "folder deleted".to_owned()
        }
        1 => {
            fs_err::remove_file(file)?;
            format!("{name} deleted")
        }
        2 => {
            let length = dice.below(bytes.len() as u64 + 1);
            fs_err::write(file, &bytes[..length as usize])?;
            format!("{name} truncated to {length}")
        }
        3 => {
            fs_err::write(state.join("snap.0000000000000001.generating"), b"half")?;
            "a half snapshot".to_owned()
        }
        4 if bytes.len() > 4096 => {
            let page = dice.below(bytes.len() as u64 / 4096) as usize * 4096;
            bytes[page..page + 4096].fill(0);
            fs_err::write(file, &bytes)?;
            format!("{name}: page at {page} zeroed")
        }
        _ => {
            // The written part of a file is at its beginning.
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
            let at = dice.below(used as u64) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
            fs_err::write(file, &bytes)?;
            format!("{name}: a bit at {at} flipped")
        }
    })
}

/// All that records answers.
async fn answers(address: &str) -> Result<Vec<String>> {
    let client = Kind::Records.client(address)?;
    let mut answers = Vec::new();
    let mut query = ListMinutes { page_size: 200, ..ListMinutes::of("organs/-") };
    loop {
        let page = client.list_minutes(query.clone()).await?;
        for summary in &page.entries {
            answers.push(format!("{summary:?}"));
            answers.push(format!("{:?}", client.minutes(&summary.name, None).await?));
        }
        query.page = page.next;
        if query.page.is_none() {
            break;
        }
    }
    answers.push(format!("{:?}", client.list_organs(None, None).await?));
    answers.push(format!("{:?}", client.list_decisions("organs/-", None).await?));
    Ok(answers)
}

/// A folder of records with some minutes, closed in order: what was written, and all that it answers.
async fn filled(program: &Path, folder: &Path) -> Result<(BTreeMap<String, usize>, Vec<String>)> {
    let service = records(program, folder)?;
    create_organ(&service.address).await?;
    let importer = Kind::Records.client(&service.address)?;
    let mut texts = BTreeMap::new();
    for n in 0..25 {
        texts.insert(Kind::Records.write(&importer, n).await?, n);
    }
    let answered = answers(&service.address).await?;
    assert!(service.stop()?.success());
    Ok((texts, answered))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_state_gives_the_same_answers_after_start() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let folder = TempDir::new()?;
    let whole = folder.path().join("whole");
    let (_, expected) = filled(&program, &whole).await?;

    let mut dice = Dice::new("broken states");
    let mutations = rounds(100, 300);
    let mut ways = BTreeMap::<String, usize>::new();
    for round in 0..mutations {
        let broken = folder.path().join(format!("broken-{round}"));
        copy(&whole, &broken)?;
        let how = break_state(&broken.join("state"), &mut dice)?;
        let service = records(&program, &broken)?;
        assert_eq!(answers(&service.address).await?, expected, "mutation {round}: {how}");
        service.kill()?;
        let names = fs_err::read_dir(&broken)?.filter_map(|entry| Some(entry.ok()?.file_name()));
        let aside = names.into_iter().any(|name| name.to_string_lossy().contains("aside"));
        *ways
            .entry(if aside { "set aside".to_owned() } else { "kept or made anew".to_owned() })
            .or_default() += 1;
        fs_err::remove_dir_all(&broken)?;
    }
    println!("{mutations} mutations of the state's folder: the same answers each time ({ways:?})");
    Ok(())
}

/// Flips a bit among the used bytes of a file of a folder. Says which.
fn flip(folder: &Path, dice: &mut Dice) -> Result<String> {
    // The lock is empty: there is nothing to flip in it.
    let all: Vec<_> = files(folder)?.into_iter().filter(|file| !file.ends_with("lock")).collect();
    let file = &all[dice.below(all.len() as u64) as usize];
    let mut bytes = fs_err::read(file)?;
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    let at = dice.below(used as u64) as usize;
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << dice.below(8);
    }
    // In place, as a disk does it: who has the file open sees it.
    let mut file = fs_err::OpenOptions::new().write(true).open(file)?;
    std::io::Write::write_all(&mut file, &bytes)?;
    Ok(format!("{}: a bit at {at}", file.path().display()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_found_or_means_nothing() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let folder = TempDir::new()?;
    let whole = folder.path().join("whole");
    let (texts, expected) = filled(&program, &whole).await?;

    let mut dice = Dice::new("flipped bits");
    let flips = rounds(60, 1000);
    let (mut refused, mut harmless, mut lost_data, mut wrong) = (0, 0, 0, Vec::new());
    for round in 0..flips {
        let broken = folder.path().join("broken");
        copy(&whole, &broken)?;
        let while_it_runs = round % 4 == 3;
        let place = broken.join(if while_it_runs || dice.below(2) == 0 { "journal" } else { "state" });
        let mut how = String::new();
        if !while_it_runs {
            how = flip(&place, &mut dice)?;
        }
        match records(&program, &broken) {
            Err(e) => {
                let told = format!("{e:#}");
                assert!(told.contains(".segment") && told.contains("record"), "{how}: {told}");
                refused += 1;
            }
            Ok(service) => {
                if while_it_runs {
                    how = flip(&place, &mut dice)?;
                }
                let client = Kind::Records.client(&service.address)?;
                let mut is_whole = answers(&service.address).await? == expected;
                for (name, n) in &texts {
                    match client.minutes_text(name).await {
                        Ok(bytes) if bytes == Kind::Records.text(*n).as_bytes() => {}
                        Ok(_) => is_whole = false,
                        Err(e) => {
                            assert_eq!(e.reason(), Some(jiyao_fault::Reason::RecordDamaged), "{how}: {e}");
                            lost_data += 1;
                        }
                    }
                }
                if is_whole {
                    harmless += 1;
                } else {
                    wrong.push(how);
                }
                service.kill()?;
            }
        }
        fs_err::remove_dir_all(&broken)?;
    }
    println!(
        "{flips} flipped bits: {refused} starts refused by name of the record, {harmless} without effect on any \
         answer, {lost_data} texts refused as damaged, {} wrong answers",
        wrong.len()
    );
    assert_eq!(wrong, Vec::<String>::new());
    assert!(refused > 0 && lost_data > 0, "the harness hits what matters");
    Ok(())
}
