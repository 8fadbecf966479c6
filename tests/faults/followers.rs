//! Followers are killed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiyao_client::{Client, Import, Page, Service};
use jiyao_proto::client::journal::v1::journal_service_client::JournalServiceClient;
use jiyao_proto::journal::v1::FollowRequest;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_testkit::{Dice, Process, binary, numbered, until};
use tempfile::TempDir;

use super::kills::OF_AN_ERASURE;
use super::{PLANTED, create_organ, is_long, records};
use crate::erasure::found;

/// A follower of records, on a port that stays the same through its deaths.
struct Follower {
    program: PathBuf,
    arguments: Vec<String>,
    bug: String,
    process: Option<Process>,
}

impl Follower {
    /// `bug`: what is planted.
    fn start(package: &str, folder: &Path, records: &str, bug: Option<&str>) -> Result<Self> {
        let program = binary(package, package, bug.map(|_| PLANTED))?;
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
        let mut follower =
            Self { program, arguments, bug: bug.unwrap_or_default().to_owned(), process: None };
        follower.restart()?;
        follower.arguments[1] = follower.address();
        Ok(follower)
    }

    fn restart(&mut self) -> Result<()> {
        if let Some(process) = self.process.take() {
            process.kill()?;
        }
        let mut all = vec![format!("FAILPOINTS={}", self.bug), self.program.display().to_string()];
        all.extend(self.arguments.iter().cloned());
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.process = Some(Process::start(Path::new("/usr/bin/env"), &all)?);
        Ok(())
    }

    fn address(&self) -> String {
        self.process.as_ref().map(|process| process.address.clone()).unwrap_or_default()
    }
}

/// Minutes imported while their followers are killed.
const IMPORTS: usize = 200;

/// How many rolls and lists there are in the end, how many different ones, and how many different ones among the first
/// as many that the journals of attendance and distribution state: not only the view has each once.
async fn killed_followers(bug: Option<&str>) -> Result<[usize; 6]> {
    let folder = TempDir::new()?;
    let source = records(&binary("jiyao-records", "jiyao-records", None)?, &folder.path().join("records"))?;
    let mut followers = [
        Follower::start("jiyao-attendance", folder.path(), &source.address, bug)?,
        Follower::start("jiyao-distribution", folder.path(), &source.address, bug)?,
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
        for n in 0..IMPORTS {
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

    client.roll(&last.minutes.name, Some(&last.position)).await?;
    client.distribution_list(&last.minutes.name, Some(&last.position)).await?;
    let rolls = Page::all(async |page| client.list_rolls("organs/-", page).await).await?;
    let rolls: Vec<_> = rolls.into_iter().map(|roll| roll.minutes).collect();
    let lists = Page::all(async |page| client.list_distribution_lists("organs/-", page).await).await?;
    let lists: Vec<_> = lists.into_iter().map(|list| list.minutes).collect();
    let unique = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len();
    let mut watch = client.watch_rolls("organs/-", None);
    let mut stated = Vec::new();
    while stated.len() < IMPORTS {
        stated.extend(watch.next().await?.changes.into_iter().map(|roll| roll.minutes));
    }
    stated.truncate(IMPORTS);
    let mut journal = JournalServiceClient::connect(format!("http://{}", followers[1].address())).await?;
    let mut followed = journal.follow(FollowRequest { after: None }).await?.into_inner();
    let mut listed = Vec::new();
    while listed.len() < IMPORTS {
        let events = followed.message().await?.map(|stretch| stretch.events).unwrap_or_default();
        listed.extend(events.into_iter().filter_map(|event| match event.kind {
            Some(Kind::ListStated(list)) => Some(list.minutes),
            _ => None,
        }));
    }
    listed.truncate(IMPORTS);
    Ok([rolls.len(), unique(&rolls), lists.len(), unique(&lists), unique(&stated), unique(&listed)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_that_are_killed_end_with_everything_once_and_a_planted_repetition_is_found() -> Result<()>
{
    let found = killed_followers(None).await?;
    println!("20 kills of followers during {IMPORTS} imports: {found:?}");
    assert_eq!(found, [IMPORTS; 6]);
    let found = killed_followers(Some("takes-again=return")).await?;
    println!("with a follower that begins again each time: {found:?}");
    assert_ne!(found, [IMPORTS; 6], "the harness does not see what is taken over twice");
    Ok(())
}

/// What records erases a follower erases too, whatever it is killed at: it ends with nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_killed_in_an_erasure_finishes_it() -> Result<()> {
    let canary = "金丝雀局";
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let followers =
        [("jiyao-attendance", Service::Attendance), ("jiyao-distribution", Service::Distribution)];
    for (package, service) in followers.into_iter().take(if is_long() { 2 } else { 1 }) {
        for point in OF_AN_ERASURE {
            let folder = TempDir::new()?;
            let source = records(&program, &folder.path().join("records"))?;
            create_organ(&source.address).await?;
            let bug = format!("{point}=return");
            let mut follower = Follower::start(package, folder.path(), &source.address, Some(&bug))?;
            let client = |name: &str| {
                let follower = format!("http://{}", follower.address());
                Client::builder()
                    .records(format!("http://{}", source.address))
                    .attendance(&follower)
                    .distribution(&follower)
                    .acting_as(name, "")
                    .build()
            };
            let (first, second) = (client("甲")?, client("乙")?);
            let text = numbered(99).replace("住建局", canary);
            let import = Import::new("organs/linlan", text.into_bytes());
            let minutes = first.import_minutes(import).await?.minutes.name;
            let data = folder.path().join(package);
            until("the follower to have it", async || {
                let is_behind = first.status(service).await?.following.iter().any(|one| one.lag > 0);
                Ok((!is_behind && !found(&data, canary.as_bytes())?.is_empty()).then_some(()))
            })
            .await?;
            let asked = first.ask_erasure(&minutes, "某法第九条").await?;
            second.confirm_erasure(&asked.id).await?;
            let killed = follower.process.take().context("it runs")?;
            let ended = tokio::task::spawn_blocking(|| killed.ended()).await??;
            assert!(!ended.success(), "{package}: {point} is passed");
            follower.bug.clear();
            follower.restart()?;
            let at = format!("{package}, killed at {point}");
            until("the erasure", async || {
                let erasures = second.erasures(service).await?;
                Ok(erasures.iter().any(|one| one.id == asked.id && !one.erased.is_empty()).then_some(()))
            })
            .await
            .context(at.clone())?;
            assert_eq!(found(&data, canary.as_bytes())?, Vec::<String>::new(), "{at}");
            let verified = second.verify_journal(service, |_| {}).await?;
            assert!(verified.damaged.is_empty() && verified.erased == 1, "{at}: {verified:?}");
        }
    }
    Ok(())
}
