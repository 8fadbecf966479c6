//! Matters of follow-through on the command line.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use jiyao_client::{Act, BoardBy, Client, Evidence, Matter, MatterSummary, NewMatter, Page};
use sha2::{Digest as _, Sha256};

use crate::room::index;
use crate::words::Speaker;
use crate::{print, show, terminal};

/// What to count, and whether to go on.
#[derive(Debug, Args)]
pub(crate) struct BoardOf {
    #[arg(long, default_value = "organs/-")]
    organ: String,
    #[arg(long, value_enum, default_value_t)]
    by: By,
    #[arg(long)]
    watch: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum By {
    #[default]
    Unit,
    Meeting,
    Month,
}

impl BoardOf {
    pub(crate) async fn run(self, client: &Client, speaker: &Speaker) -> Result<()> {
        let by = match self.by {
            By::Unit => BoardBy::Unit,
            By::Meeting => BoardBy::Meeting,
            By::Month => BoardBy::Month,
        };
        let mut changes = client.watch_matters(&self.organ, None);
        loop {
            let board = client.board(&self.organ, by).await?;
            if self.watch {
                terminal::clear();
            }
            print(&show::board(&board, speaker));
            if !self.watch {
                return Ok(());
            }
            // Checkpoints say that nothing happened: then nothing is drawn.
            while changes.next().await?.changes.is_empty() {}
        }
    }
}

/// What to do with matters.
#[derive(Debug, Subcommand)]
pub(crate) enum MatterCommand {
    Pick {
        minutes: String,
    },
    Create {
        minutes: String,
        #[arg(long)]
        item: u32,
        #[arg(long)]
        text: String,
        #[arg(long)]
        content: String,
        #[arg(long)]
        lead: String,
        #[arg(long)]
        helper: Vec<String>,
        #[arg(long, value_name = "DATE")]
        due: String,
        #[arg(long, default_value = "")]
        raised_by: String,
        #[arg(short, long)]
        quiet: bool,
    },
    List {
        #[arg(default_value = "organs/-")]
        parent: String,
        #[arg(long)]
        lead: Option<String>,
        #[arg(long)]
        overdue: bool,
    },
    Last {
        organ: String,
        #[arg(long, value_name = "DATE")]
        before: Option<String>,
    },
    Show {
        name: String,
    },
    Bulletin {
        minutes: String,
    },
    Closure {
        parent: String,
    },
    Became {
        minutes: String,
        item: u32,
        decision: u32,
    },
    Approve {
        name: String,
        #[arg(default_value = "同意")]
        opinion: String,
    },
    Notify {
        name: String,
        notice: String,
    },
    Accept {
        name: String,
    },
    Progress {
        name: String,
        text: String,
    },
    Revise {
        name: String,
        title: String,
    },
    Dispatch {
        name: String,
        paper: String,
    },
    Outcome {
        name: String,
        text: String,
        #[arg(long)]
        refused: bool,
        #[arg(long, default_value = "")]
        document: String,
    },
    Issued {
        name: String,
        number: String,
        date: String,
    },
    Report {
        name: String,
        text: String,
        #[arg(long)]
        approver: String,
    },
    Review {
        name: String,
        #[arg(default_value = "")]
        reason: String,
        #[arg(long, conflicts_with = "send_back")]
        accept: bool,
        #[arg(long)]
        send_back: bool,
    },
    Extend {
        name: String,
        due: String,
        #[arg(long)]
        reason: String,
        #[arg(long)]
        progress: String,
    },
    Decide {
        name: String,
        reason: String,
        #[arg(long)]
        refuse: bool,
    },
    Close {
        name: String,
        reason: String,
        #[arg(long, value_name = "FILE", required = true)]
        evidence: Vec<PathBuf>,
    },
    Reopen {
        name: String,
        reason: String,
    },
}

/// A file as evidence: its name and its hash.
fn evidence(file: &PathBuf) -> Result<Evidence> {
    let bytes = fs_err::read(file)?;
    let title = file.file_name().context("the evidence has no file name")?.to_string_lossy().into_owned();
    let sha256 = jiyao_names::hex(&Sha256::digest(&bytes));
    Ok(Evidence { title, sha256 })
}

async fn all(client: &Client, parent: &str, lead: Option<&str>, overdue: bool) -> Result<Vec<MatterSummary>> {
    Ok(Page::all(async |page| client.list_matters(parent, lead, overdue, page).await).await?)
}

impl MatterCommand {
    pub(crate) async fn run(self, client: &Client, speaker: &Speaker) -> Result<()> {
        let (name, act) = match self {
            Self::Pick { minutes } => {
                let picked = client.pick_matters(&minutes).await?;
                let matters: Vec<_> = picked.matters.into_iter().map(|matter| matter.summary).collect();
                print(&show::matters(&matters, speaker));
                for (item, decision, code) in picked.left_out {
                    let place = [("item", (item + 1).to_string()), ("decision", (decision + 1).to_string())];
                    let arguments =
                        place.iter().map(|(key, value)| (*key, value.as_str())).collect::<Vec<_>>();
                    print(&format!("{}\n", speaker.say_with(&format!("left-out-{code}"), &arguments)));
                }
                return Ok(());
            }
            Self::Create { minutes, item, text, content, lead, helper, due, raised_by, quiet } => {
                let item = index(item)?;
                let new = NewMatter { minutes, item, text, content, lead, helpers: helper, due, raised_by };
                let matter = client.create_matter(new).await?;
                if quiet {
                    print(&format!("{}\n", matter.summary.name));
                    return Ok(());
                }
                return shown(client, &matter, speaker).await;
            }
            Self::List { parent, lead, overdue } => {
                print(&show::matters(&all(client, &parent, lead.as_deref(), overdue).await?, speaker));
                return Ok(());
            }
            Self::Last { organ, before } => {
                let (minutes, matters) = client.last_meeting(&organ, before.as_deref()).await?;
                print(&format!("{minutes}\n{}", show::matters(&matters, speaker)));
                return Ok(());
            }
            Self::Bulletin { minutes } => {
                print(&show::bulletin(&client.bulletin(&minutes).await?, speaker));
                return Ok(());
            }
            Self::Closure { parent } => {
                let closure = client.closure(&parent).await?;
                for (heading, matters) in
                    [("closure-unclosed", &closure.unclosed), ("closure-unanswered", &closure.unanswered)]
                {
                    if !matters.is_empty() {
                        print(&format!("{}\n{}", speaker.say(heading), show::matters(matters, speaker)));
                    }
                }
                return Ok(());
            }
            Self::Show { name } => return shown(client, &client.matter(&name).await?, speaker).await,
            Self::Became { minutes, item, decision } => {
                let (item, decision) = (index(item)?, index(decision)?);
                let became = client.what_became_of(&minutes, item, decision).await?;
                print(&show::became(&became, speaker));
                return Ok(());
            }
            Self::Approve { name, opinion } => (name, Act::Approve { opinion }),
            Self::Notify { name, notice } => (name, Act::Notify { notice }),
            Self::Accept { name } => (name, Act::Accept),
            Self::Progress { name, text } => (name, Act::Progress { text }),
            Self::Revise { name, title } => (name, Act::Revise { title }),
            Self::Dispatch { name, paper } => (name, Act::Dispatch { paper }),
            Self::Outcome { name, text, refused, document } => {
                (name, Act::RecordOutcome { text, approved: !refused, document })
            }
            Self::Issued { name, number, date } => (name, Act::RecordIssued { number, date: day(&date)? }),
            Self::Report { name, text, approver } => (name, Act::Report { text, approver }),
            Self::Review { name, reason, accept, send_back } => {
                anyhow::ensure!(accept != send_back, "{}", speaker.say("review-which"));
                (name, Act::Review { accept, reason })
            }
            Self::Extend { name, due, reason, progress } => {
                (name, Act::AskExtension { due: day(&due)?, reason, progress })
            }
            Self::Decide { name, reason, refuse } => (name, Act::DecideExtension { grant: !refuse, reason }),
            Self::Close { name, reason, evidence: files } => {
                let evidence = files.iter().map(evidence).collect::<Result<_>>()?;
                (name, Act::StrikeOff { evidence, reason })
            }
            Self::Reopen { name, reason } => (name, Act::Reopen { reason }),
        };
        shown(client, &client.act(&name, act, None).await?, speaker).await
    }
}

fn day(text: &str) -> Result<jiyao_calendar::Date> {
    jiyao_calendar::parse_iso(text).with_context(|| format!("{text:?}: YYYY-MM-DD"))
}

async fn shown(client: &Client, matter: &Matter, speaker: &Speaker) -> Result<()> {
    speaker.in_zone_of(client, &matter.summary.name).await;
    print(&show::matter(matter, speaker));
    Ok(())
}
