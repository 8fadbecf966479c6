//! Followers are killed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use jiyao_client::{Client, Import};
use jiyao_testkit::{Dice, Process, binary, numbered};
use tempfile::TempDir;

use super::{create_organ, records};

/// A follower of records, on a port that stays the same through its deaths.
struct Follower {
    program: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl Follower {
    fn start(package: &str, folder: &Path, records: &str) -> Result<Self> {
        let program = binary(package, package, None)?;
        let records = format!("records=http://{records}");
        let folder = folder.join(package).display().to_string();
        let arguments = [
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            &folder,
            "--set",
            &records,
            "--set",
            "log=off",
            "--set",
            "reserve_mb=1",
        ]
        .map(str::to_owned)
        .to_vec();
        let mut follower = Self { program, arguments, process: None };
        follower.restart()?;
        follower.arguments[1] = follower.address();
        Ok(follower)
    }

    fn restart(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.kill()?;
        }
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.process = Some(Process::start(&self.program, &arguments)?);
        Ok(())
    }

    fn address(&self) -> String {
        self.process.as_ref().map(|process| process.address.clone()).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_that_are_killed_end_with_everything_once() -> Result<()> {
    let folder = TempDir::new()?;
    let source = records(&binary("jiyao-records", "jiyao-records", None)?, &folder.path().join("records"))?;
    let mut followers = [
        Follower::start("jiyao-attendance", folder.path(), &source.address)?,
        Follower::start("jiyao-distribution", folder.path(), &source.address)?,
    ];
    let client = Client::builder()
        .records(format!("http://{}", source.address))
        .attendance(format!("http://{}", followers[0].address()))
        .distribution(format!("http://{}", followers[1].address()))
        .build()?;
    create_organ(&source.address).await?;

    let importer = client.clone();
    let importing = tokio::spawn(async move {
        let mut last = None;
        for n in 0..200 {
            let import = Import::new("organs/linlan", numbered(n).into_bytes());
            last = Some(importer.import_minutes(import).await?);
            tokio::time::sleep(Duration::from_millis(12)).await;
        }
        anyhow::Ok(last)
    });
    let mut dice = Dice::new("killed followers");
    for _ in 0..20 {
        tokio::time::sleep(dice.milliseconds(20, 150)).await;
        followers[dice.below(2) as usize].restart()?;
    }
    let last = importing.await??.unwrap();

    let names = async |parent: &str| {
        let (mut rolls, mut lists) = (Vec::new(), Vec::new());
        let mut page = None;
        loop {
            let found = client.list_rolls(parent, page.as_deref()).await?;
            rolls.extend(found.entries.into_iter().map(|roll| roll.minutes));
            page = found.next;
            if page.is_none() {
                break;
            }
        }
        loop {
            let found = client.list_distribution_lists(parent, page.as_deref()).await?;
            lists.extend(found.entries.into_iter().map(|list| list.minutes));
            page = found.next;
            if page.is_none() {
                break;
            }
        }
        anyhow::Ok((rolls, lists))
    };
    client.roll(&last.minutes.name, Some(&last.position)).await?;
    client.distribution_list(&last.minutes.name, Some(&last.position)).await?;
    let (rolls, lists) = names("organs/-").await?;
    let unique = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len();
    assert_eq!((rolls.len(), unique(&rolls)), (200, 200));
    assert_eq!((lists.len(), unique(&lists)), (200, 200));
    // Not only the view: the journal itself has each roll once.
    let mut watch = client.watch_rolls("organs/-", None);
    let mut stated = Vec::new();
    while stated.len() < 200 {
        stated.extend(watch.next().await?.changes.into_iter().map(|roll| roll.minutes));
    }
    assert_eq!((stated.len(), unique(&stated)), (200, 200));
    println!("20 kills of followers during 200 imports: each roll and each list once");
    Ok(())
}
