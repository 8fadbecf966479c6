//! The life of minutes on the command line.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use jiyao_client::{
    Client, Disclosure, DisclosureClass, Level, LifeAct, Mark, Passage, Quorum, Recusal, Secrecy, Side,
};

use crate::patience::Patience;
use crate::room::index;
use crate::words::Speaker;
use crate::{print, show};

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Class {
    Public,
    OnRequest,
    Withheld,
}

impl Class {
    fn of(self) -> DisclosureClass {
        match self {
            Self::Public => DisclosureClass::Public,
            Self::OnRequest => DisclosureClass::OnRequest,
            Self::Withheld => DisclosureClass::Withheld,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Grade {
    None,
    Secret,
    Confidential,
    TopSecret,
}

impl Grade {
    fn level(self) -> Option<Level> {
        match self {
            Self::None => None,
            Self::Secret => Some(Level::Secret),
            Self::Confidential => Some(Level::Confidential),
            Self::TopSecret => Some(Level::TopSecret),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Outcome {
    Met,
    NotMet,
    Overridden,
    NoRule,
}

/// How somebody agrees: in words, or by a circle or the name alone.
#[derive(Debug, Args)]
pub(crate) struct Consent {
    #[arg(long, default_value = "")]
    opinion: String,
    #[arg(long, conflicts_with = "name_only")]
    circle: bool,
    #[arg(long)]
    name_only: bool,
}

impl Consent {
    fn mark(&self) -> Mark {
        match (self.circle, self.name_only) {
            (true, _) => Mark::Circle,
            (_, true) => Mark::Name,
            _ => Mark::Words,
        }
    }
}

/// The record of discussion (会议记录).
#[derive(Debug, Subcommand)]
pub(crate) enum ProceedingsCommand {
    Keep {
        minutes: String,
        file: PathBuf,
        #[arg(long, value_name = "N:PERSON:WORDS")]
        dissent: Vec<String>,
        #[arg(long, value_name = "PRINCIPAL")]
        reader: Vec<String>,
    },
    Show {
        minutes: String,
    },
}

impl ProceedingsCommand {
    pub(crate) async fn run(self, client: &Client) -> Result<()> {
        match self {
            Self::Keep { minutes, file, dissent, reader } => {
                let said = |text: &String| -> Result<(u32, String, String)> {
                    let mut parts = text.splitn(3, ':').map(str::to_owned);
                    let mut part = || parts.next().with_context(|| format!("{text}: N:PERSON:WORDS"));
                    let (item, person, words) = (part()?.parse::<u32>()?, part()?, part()?);
                    Ok((index(item)?, person, words))
                };
                let dissents = dissent.iter().map(said).collect::<Result<_>>()?;
                let text = fs_err::read_to_string(file)?;
                let version = client.keep_proceedings(&minutes, &text, dissents, reader).await?;
                print(&format!("{version}\n"));
            }
            Self::Show { minutes } => {
                let kept = client.proceedings(&minutes).await?;
                print(&format!("{}\n", kept.text.trim_end()));
                for (item, person, words) in kept.dissents {
                    print(&format!("{}. {person}: {words}\n", item + 1));
                }
                for Recusal { item: (item, title), person, ground: (_, reason), decided_by } in kept.recusals
                {
                    print(&format!("{}. {title} {person} {reason} {decided_by}\n", item + 1));
                }
            }
        }
        Ok(())
    }
}

/// What to do with minutes.
#[derive(Debug, Subcommand)]
pub(crate) enum LifeCommand {
    Submit {
        name: String,
        #[arg(default_value = "")]
        opinion: String,
    },
    Review {
        name: String,
        #[arg(long, default_value = "秘书长")]
        post: String,
        #[arg(long)]
        send_back: bool,
        #[command(flatten)]
        consent: Consent,
    },
    Sign {
        name: String,
        #[arg(long, default_value = "市长")]
        post: String,
        #[arg(long, value_enum)]
        class: Class,
        #[arg(long, default_value = "")]
        reason: String,
        #[arg(long, default_value = "")]
        article: String,
        #[command(flatten)]
        consent: Consent,
    },
    Proofread {
        name: String,
        #[arg(default_value = "")]
        opinion: String,
    },
    Register {
        name: String,
        #[arg(long, default_value = "")]
        series: String,
        #[arg(long, default_value_t = 1)]
        copies: u32,
        #[arg(long)]
        scope: String,
    },
    Print {
        name: String,
        #[arg(long, default_value_t = 1)]
        copies: u32,
    },
    RecordQuorum {
        name: String,
        #[arg(value_enum)]
        outcome: Outcome,
        reason: String,
    },
    Issue {
        name: String,
        #[command(flatten)]
        patience: Patience,
    },
    Publish {
        name: String,
        place: String,
        #[arg(long)]
        separable: bool,
    },
    Mark {
        name: String,
        quote: String,
        #[arg(long, value_enum, default_value = "withheld")]
        class: Class,
        #[arg(long)]
        reason: String,
    },
    Archive {
        name: String,
        file: String,
    },
    Update {
        name: String,
        file: PathBuf,
        #[arg(long)]
        note: String,
        #[arg(long)]
        formatting: bool,
    },
    Secrecy {
        name: String,
        #[arg(value_enum)]
        level: Grade,
        #[arg(long, default_value_t = 0)]
        years: u32,
        #[arg(long, default_value = "")]
        condition: String,
        #[arg(long)]
        reason: String,
    },
    Declassify {
        name: String,
        #[arg(long)]
        document: String,
        #[arg(long)]
        reason: String,
    },
    Reclassify {
        name: String,
        #[arg(value_enum)]
        class: Class,
        #[arg(long, default_value = "")]
        article: String,
        #[arg(long)]
        reason: String,
    },
    Revoke {
        name: String,
        #[arg(long)]
        document: String,
        #[arg(long)]
        reason: String,
    },
    Repeal {
        name: String,
        #[arg(long, value_name = "DATE")]
        from: String,
        #[arg(long)]
        document: String,
        #[arg(long)]
        reason: String,
    },
    Void {
        name: String,
        #[arg(long)]
        reason: String,
    },
    Standing {
        name: String,
        #[arg(long, value_name = "DATE")]
        on: Option<String>,
    },
    Compare {
        before: String,
        after: String,
    },
}

/// `organs/…/minutes/…`, with `@2` for a revision, or a file.
fn side(text: &str) -> Result<Side> {
    if !text.starts_with("organs/") {
        return Ok(Side::Text(fs_err::read_to_string(text)?));
    }
    Ok(match text.split_once('@') {
        Some((name, revision)) => {
            Side::Revision(name.to_owned(), revision.parse().with_context(|| format!("{revision:?}"))?)
        }
        None => Side::Revision(text.to_owned(), 0),
    })
}

impl LifeCommand {
    pub(crate) async fn run(self, client: &Client, speaker: &Speaker) -> Result<()> {
        let (name, act) = match self {
            Self::Submit { name, opinion } => (name, LifeAct::Submit { opinion }),
            Self::Review { name, post, send_back, consent } => {
                let mark = consent.mark();
                (name, LifeAct::Review { post, mark, opinion: consent.opinion, approve: !send_back })
            }
            Self::Sign { name, post, class, reason, article, consent } => {
                let disclosure = Some(Disclosure { class: class.of(), reason, article });
                let mark = consent.mark();
                (name, LifeAct::Sign { post, mark, opinion: consent.opinion, date: None, disclosure })
            }
            Self::Proofread { name, opinion } => (name, LifeAct::Proofread { opinion }),
            Self::Register { name, series, copies, scope } => {
                (name, LifeAct::Register { series, number: String::new(), copies, scope })
            }
            Self::Print { name, copies } => (name, LifeAct::Print { copies }),
            Self::RecordQuorum { name, outcome, reason } => {
                let outcome = match outcome {
                    Outcome::Met => Quorum::Met,
                    Outcome::NotMet => Quorum::NotMet,
                    Outcome::Overridden => Quorum::Overridden,
                    Outcome::NoRule => Quorum::NoRule,
                };
                (name, LifeAct::RecordQuorum { outcome, reason })
            }
            Self::Issue { name, patience } => {
                let issue = async || client.step(&name, LifeAct::Issue, None).await;
                let minutes = patience.until(issue, |_| true).await?;
                speaker.in_zone_of(client, &name).await;
                print(&show::life(&minutes, speaker));
                return Ok(());
            }
            Self::Publish { name, place, separable } => (name, LifeAct::Publish { place, separable }),
            Self::Mark { name, quote, class, reason } => {
                let passage = Passage { quote, class: class.of(), reason };
                (name, LifeAct::MarkPassage { passage })
            }
            Self::Archive { name, file } => (name, LifeAct::Archive { file }),
            Self::Secrecy { name, level, years, condition, reason } => {
                let secrecy = level.level().map(|level| Secrecy { level, years, condition });
                (name, LifeAct::SetSecrecy { secrecy, reason })
            }
            Self::Declassify { name, document, reason } => (name, LifeAct::Declassify { document, reason }),
            Self::Reclassify { name, class, article, reason } => {
                let disclosure = Disclosure { class: class.of(), reason: reason.clone(), article };
                (name, LifeAct::Reclassify { disclosure, reason })
            }
            Self::Revoke { name, document, reason } => (name, LifeAct::Revoke { document, reason }),
            Self::Repeal { name, from, document, reason } => {
                let from =
                    jiyao_calendar::parse_iso(&from).with_context(|| format!("{from:?}: YYYY-MM-DD"))?;
                (name, LifeAct::Repeal { from, document, reason })
            }
            Self::Void { name, reason } => (name, LifeAct::Void { reason }),
            Self::Update { name, file, note, formatting } => {
                let minutes =
                    client.update_draft(&name, fs_err::read(file)?, formatting, &note, None).await?;
                speaker.in_zone_of(client, &name).await;
                print(&show::life(&minutes, speaker));
                return Ok(());
            }
            Self::Standing { name, on } => {
                let (standing, replaced_by) = client.standing(&name, on.as_deref()).await?;
                print(&format!("{} {replaced_by}\n", speaker.say(&format!("standing-{standing}"))));
                return Ok(());
            }
            Self::Compare { before, after } => {
                let changes = client.compare(side(&before)?, side(&after)?).await?;
                print(&show::changes(&changes, speaker));
                return Ok(());
            }
        };
        let minutes = client.step(&name, act, None).await?;
        speaker.in_zone_of(client, &name).await;
        print(&show::life(&minutes, speaker));
        Ok(())
    }
}
