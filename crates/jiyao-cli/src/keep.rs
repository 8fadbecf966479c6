//! Keeping the services: status, backups, restoring, verifying, holding them against each other.

use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use jiyao_client::{Client, Service};

use crate::words::Speaker;
use crate::{print, show};

/// A service, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Which {
    Records,
    Attendance,
    Distribution,
}

impl Which {
    fn all(which: Option<Self>) -> Vec<Service> {
        match which {
            None => Service::ALL.to_vec(),
            Some(Self::Records) => vec![Service::Records],
            Some(Self::Attendance) => vec![Service::Attendance],
            Some(Self::Distribution) => vec![Service::Distribution],
        }
    }
}

/// What an operator does.
#[derive(Debug, Subcommand)]
pub(crate) enum KeepCommand {
    Status,
    Backup(Backup),
    Restore {
        file: PathBuf,
        data_dir: PathBuf,
    },
    Verify {
        #[arg(conflicts_with = "service")]
        file: Option<PathBuf>,
        #[arg(long)]
        service: Option<Which>,
    },
    Reconcile {
        #[arg(long, default_value = "organs/-")]
        organ: String,
    },
    AcceptClock {
        service: Which,
        #[arg(long)]
        reason: String,
    },
    #[command(subcommand)]
    Erase(Erase),
}

/// What an operator does about content that must go.
#[derive(Debug, Subcommand)]
pub(crate) enum Erase {
    Ask {
        minutes: String,
        #[arg(long)]
        basis: String,
        #[arg(short, long)]
        quiet: bool,
    },
    Confirm {
        id: String,
    },
    List,
    Backup {
        file: PathBuf,
        #[arg(long, value_name = "FILE")]
        as_in: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[arg(long, default_value = ".", value_name = "DIR")]
    to: PathBuf,
    #[arg(long)]
    service: Option<Which>,
    #[arg(short, long)]
    quiet: bool,
}

fn code(is_well: bool) -> ExitCode {
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl KeepCommand {
    /// Does it. The code is a failure where something is not as it should be.
    pub(crate) async fn run(
        self,
        client: impl Fn() -> Result<Client>,
        speaker: &Speaker,
    ) -> Result<ExitCode> {
        match self {
            Self::Status => {
                let client = client()?;
                let mut all = Vec::new();
                for service in Service::ALL {
                    all.push((service, client.status(service).await));
                }
                let is_well = all.iter().all(|(_, status)| {
                    status.as_ref().is_ok_and(|status| {
                        status.clock.refused.is_empty()
                            && status.following.iter().all(|one| one.stopped.is_empty())
                    })
                });
                print(&show::statuses(&all, speaker));
                Ok(code(is_well))
            }
            Self::Backup(backup) => {
                let client = client()?;
                jiyao_journal::make_folder(&backup.to)?;
                for service in Which::all(backup.service) {
                    let (path, position) = back_up(&client, service, &backup.to).await?;
                    if backup.quiet {
                        print(&format!("{}\n", path.display()));
                        continue;
                    }
                    let size = fs_err::metadata(&path)?.len();
                    let (path, size) = (path.display().to_string(), size.to_string());
                    let arguments = [("file", path.as_str()), ("bytes", &size), ("position", &position)];
                    print(&(speaker.say_with("backup-done", &arguments) + "\n"));
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Restore { file, data_dir } => {
                let from = BufReader::new(fs_err::File::open(&file)?);
                let manifest = jiyao_backup::restore(from, &data_dir)
                    .with_context(|| format!("restore {}", file.display()))?;
                let into = data_dir.display().to_string();
                print(&(speaker.say_with("restore-done", &described(&manifest, &into)) + "\n"));
                Ok(ExitCode::SUCCESS)
            }
            Self::Verify { file: Some(file), .. } => {
                let from = BufReader::new(fs_err::File::open(&file)?);
                let manifest =
                    jiyao_backup::check(from).with_context(|| format!("verify {}", file.display()))?;
                let path = file.display().to_string();
                print(&(speaker.say_with("verify-file", &described(&manifest, &path)) + "\n"));
                Ok(ExitCode::SUCCESS)
            }
            Self::Verify { service, .. } => {
                let (client, mut is_well) = (client()?, true);
                for service in Which::all(service) {
                    let found = client.verify_journal(service, |_| {}).await?;
                    is_well &= found.damaged.is_empty();
                    print(&(show::verified(service, &found, speaker) + "\n"));
                }
                Ok(code(is_well))
            }
            Self::Reconcile { organ } => {
                let differences = client()?.reconcile(&organ).await?;
                for difference in &differences {
                    print(&format!("{}: {}\n", difference.name, difference.what));
                }
                if differences.is_empty() {
                    print(&(speaker.say("reconcile-none") + "\n"));
                }
                Ok(code(differences.is_empty()))
            }
            Self::AcceptClock { service, reason } => {
                let client = client()?;
                for service in Which::all(Some(service)) {
                    let (time, expected) = client.accept_clock(service, &reason).await?;
                    let arguments = [("time", time.as_str()), ("expected", &expected)];
                    print(&(speaker.say_with("clock-accepted", &arguments) + "\n"));
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Erase(erase) => erase.run(client, speaker).await,
        }
    }
}

/// How long followers are waited for.
const FOLLOWERS_MAY_TAKE: Duration = Duration::from_secs(120);

impl Erase {
    async fn run(self, client: impl Fn() -> Result<Client>, speaker: &Speaker) -> Result<ExitCode> {
        match self {
            Self::Ask { minutes, basis, quiet } => {
                let asked = client()?.ask_erasure(&minutes, &basis).await?;
                if quiet {
                    print(&format!("{}\n", asked.id));
                    return Ok(ExitCode::SUCCESS);
                }
                let arguments = [("id", asked.id.as_str()), ("minutes", &asked.minutes)];
                print(&(speaker.say_with("erase-asked", &arguments) + "\n"));
                Ok(ExitCode::SUCCESS)
            }
            Self::Confirm { id } => {
                let client = client()?;
                client.confirm_erasure(&id).await?;
                let until = Instant::now() + FOLLOWERS_MAY_TAKE;
                let mut is_well = true;
                for service in Service::ALL {
                    let done = loop {
                        let known = client.erasures(service).await?.into_iter();
                        let done = known.into_iter().find(|one| one.id == id && !one.erased.is_empty());
                        if done.is_some() || Instant::now() > until {
                            break done;
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    };
                    let words = if done.is_some() { "erase-done" } else { "erase-open" };
                    is_well &= done.is_some();
                    let records = done.map_or(0, |done| done.records).to_string();
                    let arguments = [("service", service.as_str()), ("records", &records)];
                    print(&(speaker.say_with(words, &arguments) + "\n"));
                }
                print(&(speaker.say("erase-elsewhere") + "\n"));
                Ok(code(is_well))
            }
            Self::List => {
                print(&show::erasures(&client()?.erasures(Service::Records).await?, speaker));
                Ok(ExitCode::SUCCESS)
            }
            Self::Backup { file, as_in } => {
                let part = file.with_extension("part");
                let (old, newer) = (fs_err::File::open(&file)?, fs_err::File::open(&as_in)?);
                let to = jiyao_journal::private().write(true).create_new(true).open(&part)?;
                let written =
                    jiyao_backup::erase(BufReader::new(old), BufReader::new(newer), BufWriter::new(to));
                let (_, erased) = match written {
                    Ok(written) => written,
                    Err(e) => {
                        fs_err::remove_file(&part)?;
                        return Err(e).with_context(|| format!("erase in {}", file.display()));
                    }
                };
                jiyao_backup::put_in_place(&part, &file)?;
                let (path, erased) = (file.display().to_string(), erased.to_string());
                let arguments = [("path", path.as_str()), ("records", &erased)];
                print(&(speaker.say_with("erase-backup-done", &arguments) + "\n"));
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

fn described<'m>(manifest: &'m jiyao_backup::Manifest, path: &'m str) -> [(&'m str, &'m str); 4] {
    [("service", &manifest.service), ("time", &manifest.time), ("hash", &manifest.hash), ("path", path)]
}

/// Takes a backup into a folder: under another name until it is whole, and for its owner alone.
async fn back_up(client: &Client, service: Service, folder: &Path) -> Result<(PathBuf, String)> {
    let now = jiyao_calendar::Clock::now(&jiyao_calendar::SystemClock);
    let time: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    let path = folder.join(format!("jiyao-{}-{time}.tar", service.as_str()));
    let part = path.with_extension("part");
    let file = jiyao_journal::private().write(true).create_new(true).open(&part)?;
    let taken = client.backup(service, BufWriter::new(file)).await;
    let position = match taken {
        Ok(position) => position,
        Err(e) => {
            fs_err::remove_file(&part)?;
            return Err(e.into());
        }
    };
    jiyao_backup::put_in_place(&part, &path)?;
    Ok((path, position.to_string()))
}
