//! What lies on the disk is changed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use jiyao_client::ListMinutes;
use jiyao_testkit::{Dice, Process, binary};
use tempfile::TempDir;

use super::{Kind, PLANTED, copy, files, kinds, planted, records, rounds};

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

/// All that a service answers of what [`filled`] wrote.
async fn answers(kind: Kind, address: &str) -> Result<Vec<String>> {
    let client = kind.client(address)?;
    let mut answers = Vec::new();
    match kind {
        Kind::Records => {
            for summary in client.all_minutes(ListMinutes::of("organs/-")).await? {
                answers.push(format!("{summary:?}"));
                answers.push(format!("{:?}", client.minutes(&summary.name, None).await?));
            }
            answers.push(format!("{:?}", client.list_organs(None, None).await?));
            answers.push(format!("{:?}", client.list_decisions("organs/-", None).await?));
        }
        Kind::Attendance => {
            for meeting in client.list_meetings("organs/linlan", None).await?.entries {
                answers.push(format!("{meeting:?}"));
                answers.push(format!("{:?}", client.meeting(&meeting.name).await?));
                answers.push(format!("{:?}", client.list_seats(&meeting.name, None).await?));
            }
            answers.push(format!("{:?}", client.roll_rules("organs/linlan").await?));
        }
        Kind::Distribution => {
            let day = "2025-04-02";
            for request in client.list_disclosure_requests("organs/linlan", false, day, None).await?.entries {
                answers.push(format!("{request:?}"));
                answers.push(format!("{:?}", client.disclosure_request(&request.name, day).await?));
            }
        }
    }
    Ok(answers)
}

/// A folder of a service with some writes, closed in order: what was written, and all that it answers.
async fn filled(kind: Kind, program: &Path, folder: &Path) -> Result<(BTreeMap<String, usize>, Vec<String>)> {
    let service = records(program, folder)?;
    let client = kind.client(&service.address)?;
    kind.begin(&client).await?;
    let mut texts = BTreeMap::new();
    for n in 0..25 {
        texts.insert(kind.write(&client, n).await?, n);
    }
    let answered = answers(kind, &service.address).await?;
    assert!(answered.len() >= 50, "all of it is asked for: {answered:?}");
    assert!(service.stop()?.success());
    Ok((texts, answered))
}

/// Breaks the state of a folder with writes again and again: what is then not answered as before, and how often the
/// state was set aside. Ends with the first that is not where that is asked for.
async fn mutated(
    kind: Kind,
    program: &Path,
    start: impl Fn(&Path) -> Result<Process>,
    mutations: usize,
    until_wrong: bool,
) -> Result<(Vec<String>, BTreeMap<String, usize>)> {
    let folder = TempDir::new()?;
    let whole = folder.path().join("whole");
    let (_, expected) = filled(kind, program, &whole).await?;
    let mut dice = Dice::new("broken states");
    let (mut wrong, mut ways) = (Vec::new(), BTreeMap::<String, usize>::new());
    for round in 0..mutations {
        let broken = folder.path().join(format!("broken-{round}"));
        copy(&whole, &broken)?;
        let how = break_state(&broken.join("state"), &mut dice)?;
        match start(&broken) {
            Ok(service) => {
                if !answers(kind, &service.address).await.is_ok_and(|answers| answers == expected) {
                    wrong.push(how);
                }
                service.kill()?;
            }
            Err(e) => wrong.push(format!("{how}: {e:#}")),
        }
        if until_wrong && !wrong.is_empty() {
            break;
        }
        let names = fs_err::read_dir(&broken)?.filter_map(|entry| Some(entry.ok()?.file_name()));
        let aside = names.into_iter().any(|name| name.to_string_lossy().contains("aside"));
        *ways
            .entry(if aside { "set aside".to_owned() } else { "kept or made anew".to_owned() })
            .or_default() += 1;
        fs_err::remove_dir_all(&broken)?;
    }
    Ok((wrong, ways))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_state_gives_the_same_answers_and_a_planted_blind_trust_is_found() -> Result<()> {
    let mutations = rounds(100, 300);
    for kind in kinds() {
        let program = binary(kind.package(), kind.package(), None)?;
        let start = |folder: &Path| records(&program, folder);
        let (wrong, ways) = mutated(*kind, &program, start, mutations, false).await?;
        println!(
            "{kind:?}, {mutations} mutations of the state's folder: {} other answers ({ways:?})",
            wrong.len()
        );
        assert_eq!(wrong, Vec::<String>::new());
    }

    let program = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let trusts = |folder: &Path| planted(&program, folder, "trust-state=return;no-replay=return");
    let (wrong, _) = mutated(Kind::Records, &program, trusts, 100, true).await?;
    println!("with a state that is trusted: {wrong:?}");
    assert!(!wrong.is_empty(), "the harness does not see a state that nobody verifies");
    Ok(())
}

/// Flips a bit among the used bytes of a file of a folder. Says which.
fn flip(folder: &Path, dice: &mut Dice) -> Result<String> {
    // Some are there for their names alone: there is nothing to flip in them.
    let mut all = files(folder)?;
    all.retain(|file| file.metadata().is_ok_and(|of| of.len() > 0));
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

/// What came of flipped bits.
#[derive(Debug, Default)]
struct Flipped {
    /// Starts refused by name of the record.
    refused: usize,
    /// Without effect on any answer.
    harmless: usize,
    /// Texts of minutes, which lie in the journal alone, refused as damaged.
    lost_data: usize,
    /// Answers that are not as before, and refusals that do not say what is damaged.
    wrong: Vec<String>,
}

/// Flips bits of a folder with writes. Ends with the first that nobody finds where that is asked for.
async fn flipped(
    kind: Kind,
    program: &Path,
    start: impl Fn(&Path) -> Result<Process>,
    flips: usize,
    until_wrong: bool,
) -> Result<Flipped> {
    let folder = TempDir::new()?;
    let whole = folder.path().join("whole");
    let (texts, expected) = filled(kind, program, &whole).await?;
    let (mut dice, mut found) = (Dice::new("flipped bits"), Flipped::default());
    for round in 0..flips {
        if until_wrong && !found.wrong.is_empty() {
            break;
        }
        let broken = folder.path().join("broken");
        copy(&whole, &broken)?;
        let while_it_runs = round % 4 == 3;
        let place = broken.join(if dice.below(2) == 0 { "journal" } else { "state" });
        let mut how = String::new();
        if !while_it_runs {
            how = flip(&place, &mut dice)?;
        }
        match start(&broken) {
            Err(e) => {
                let told = format!("{e:#}");
                if told.contains(".segment") && told.contains("record") {
                    found.refused += 1;
                } else {
                    found.wrong.push(format!("{how}: {told}"));
                }
            }
            Ok(service) => {
                if while_it_runs {
                    how = flip(&place, &mut dice)?;
                }
                let client = kind.client(&service.address)?;
                let answered = answers(kind, &service.address).await;
                let mut is_whole = answered.is_ok_and(|answers| answers == expected);
                for (name, n) in &texts {
                    if kind.is_as_written(&client, name, *n).await {
                        continue;
                    }
                    match client.minutes_text(name).await {
                        Err(e) if e.reason() == Some(jiyao_fault::Reason::RecordDamaged) => {
                            found.lost_data += 1;
                        }
                        _ => is_whole = false,
                    }
                }
                if is_whole {
                    found.harmless += 1;
                } else {
                    found.wrong.push(how);
                }
                service.kill()?;
            }
        }
        fs_err::remove_dir_all(&broken)?;
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_bit_is_found_or_means_nothing_and_a_planted_blindness_is_found() -> Result<()> {
    let flips = rounds(60, 1000);
    for kind in kinds() {
        let program = binary(kind.package(), kind.package(), None)?;
        let start = |folder: &Path| records(&program, folder);
        let found = flipped(*kind, &program, start, flips, false).await?;
        println!("{kind:?}, {flips} flipped bits: {found:?}");
        assert_eq!(found.wrong, Vec::<String>::new());
        let is_text_hit = found.lost_data > 0 || !matches!(kind, Kind::Records);
        assert!(found.refused > 0 && is_text_hit, "the harness hits what matters");
    }

    let program = binary("jiyao-records", "jiyao-records", Some(PLANTED))?;
    let blind = |folder: &Path| planted(&program, folder, "no-checks=return");
    let found = flipped(Kind::Records, &program, blind, 60, true).await?;
    println!("with sums that nobody checks: {found:?}");
    assert!(!found.wrong.is_empty(), "the harness does not see sums that nobody checks");
    Ok(())
}
