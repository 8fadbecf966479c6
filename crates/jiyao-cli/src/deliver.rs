//! Distribution on the command line: freezing, inbox, signing, receipts, and what the public reads.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use jiyao_client::{
    Channel, Claim, Client, Delivery, DeliveryAct, DeliveryAddress, DeliveryState, FreezeScope, Key, Page,
    PublicKey, ReceiptKind, Watched, verify_receipt,
};
use sha2::{Digest as _, Sha256};

use crate::patience::Patience;
use crate::words::Speaker;
use crate::{print, print_data, show};

/// Who gets minutes.
#[derive(Debug, Args)]
pub(crate) struct Freeze {
    minutes: String,
    #[arg(long, value_name = "DATE")]
    on: Option<String>,
    #[arg(long)]
    paper: bool,
    #[arg(long, default_value_t = 1)]
    copies: u32,
    #[arg(long = "with", value_name = "UNIT")]
    extra: Vec<String>,
    #[command(flatten)]
    patience: Patience,
}

impl Freeze {
    pub(crate) async fn run(self, client: &Client, speaker: &Speaker) -> Result<()> {
        let today = || {
            let now = jiyao_calendar::Clock::now(&jiyao_calendar::SystemClock);
            jiyao_calendar::civil_date(now, "Asia/Shanghai").to_string()
        };
        let freeze = FreezeScope {
            minutes: self.minutes,
            date: self.on.unwrap_or_else(today),
            copies: self.copies,
            is_paper: self.paper,
            extra: self.extra,
            read_after: None,
        };
        let frozen = async || client.freeze_scope(freeze.clone()).await;
        print(&show::scope(&self.patience.until(frozen, |_| true).await?, speaker));
        Ok(())
    }
}

/// What a unit has to sign for.
#[derive(Debug, Args)]
pub(crate) struct Inbox {
    unit: String,
    #[arg(long)]
    organ: String,
    #[arg(long)]
    watch: bool,
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    patience: Patience,
}

impl Inbox {
    pub(crate) async fn run(self, client: &Client, speaker: &Speaker) -> Result<()> {
        let open = async || Page::all(async |page| client.inbox(&self.organ, &self.unit, page).await).await;
        let found = self.patience.until(open, |found| !found.is_empty()).await?;
        if self.quiet {
            found.iter().for_each(|delivery| print(&format!("{}\n", delivery.name)));
        } else {
            print(&show::deliveries(&found, speaker));
        }
        if !self.watch {
            return Ok(());
        }
        let mut watch = client.watch_inbox(&self.organ, &self.unit, None);
        loop {
            let Watched { changes, .. } = watch.next().await?;
            for delivery in changes {
                print(&show::delivery_line(&delivery, speaker));
            }
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Way {
    Inbox,
    Email,
    Webhook,
    Paper,
}

impl Way {
    fn channel(self) -> Channel {
        match self {
            Self::Inbox => Channel::Inbox,
            Self::Email => Channel::Email,
            Self::Webhook => Channel::Webhook,
            Self::Paper => Channel::Paper,
        }
    }
}

/// Deliveries.
#[derive(Debug, Subcommand)]
pub(crate) enum DeliveryCommand {
    List {
        minutes: String,
        #[arg(long)]
        silent: bool,
    },
    Silent {
        #[arg(long)]
        organ: String,
        #[arg(long)]
        unreceived: bool,
    },
    Show {
        name: String,
    },
    Watch {
        #[arg(long)]
        organ: String,
        #[arg(long)]
        returned: bool,
    },
    Dispatch {
        minutes: String,
    },
    Add {
        minutes: String,
        unit: String,
        #[arg(long)]
        approved_by: String,
        #[arg(long)]
        reason: String,
    },
    Open {
        name: String,
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    Sign {
        name: String,
        file: PathBuf,
        #[arg(long)]
        signer: String,
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    Return {
        name: String,
        #[arg(long, required = true)]
        code: Vec<String>,
        #[arg(long, default_value = "")]
        text: String,
    },
    HandOver {
        name: String,
        #[arg(long)]
        signer: String,
        #[arg(long, default_value = "")]
        note: String,
    },
    Remind {
        name: String,
        text: String,
    },
    Recall {
        name: String,
        reason: String,
    },
    Resend {
        name: String,
        reason: String,
    },
    Redirect {
        name: String,
        #[arg(value_enum)]
        way: Way,
        reason: String,
    },
    Close {
        name: String,
        reason: String,
    },
    Receipts {
        name: String,
    },
    Verify {
        file: PathBuf,
        #[arg(long, value_name = "KEY")]
        key: Vec<String>,
        #[arg(long, value_name = "KEY")]
        unit_key: Vec<String>,
    },
    Keys,
    Address {
        unit: String,
        #[arg(value_enum)]
        way: Way,
        #[arg(long)]
        organ: String,
        #[arg(long, default_value = "")]
        email: String,
        #[arg(long, default_value = "")]
        url: String,
        #[arg(long, default_value = "", value_name = "HEX")]
        key: String,
    },
    Copies {
        minutes: String,
    },
    Sheet {
        minutes: String,
    },
    Scope {
        minutes: String,
    },
}

impl DeliveryCommand {
    pub(crate) async fn run(self, client: &Client, speaker: &Speaker) -> Result<()> {
        let (name, act) = match self {
            Self::List { minutes, silent } => {
                let found =
                    Page::all(async |page| client.list_deliveries(&minutes, silent, page).await).await?;
                print(&show::deliveries(&found, speaker));
                return Ok(());
            }
            Self::Silent { organ, unreceived } => {
                let found =
                    Page::all(async |page| client.list_silent(&organ, unreceived, page).await).await?;
                print(&show::deliveries(&found, speaker));
                return Ok(());
            }
            Self::Show { name } => {
                speaker.in_zone_of(client, &name).await;
                print(&show::delivery(&client.delivery(&name).await?, speaker));
                return Ok(());
            }
            Self::Watch { organ, returned } => {
                let state = returned.then_some(DeliveryState::Returned);
                let mut watch = client.watch_deliveries(&organ, state, None);
                loop {
                    for delivery in watch.next().await?.changes {
                        print(&show::delivery_line(&delivery, speaker));
                    }
                }
            }
            Self::Dispatch { minutes } => {
                client.dispatch_minutes(&minutes).await?;
                return Ok(());
            }
            Self::Add { minutes, unit, approved_by, reason } => {
                return shown(&client.add_recipient(&minutes, &unit, &approved_by, &reason).await?, speaker);
            }
            Self::Open { name, out } => {
                let (bytes, delivery) = client.open_delivery(&name).await?;
                fs_err::write(&out, bytes)?;
                return shown(&delivery, speaker);
            }
            Self::Sign { name, file, signer, key_file } => {
                // What is signed for is what is held: the file, not what the service says of it.
                let sha256 = jiyao_names::hex(&Sha256::digest(fs_err::read(file)?));
                let attempt = client.delivery(&name).await?.attempt;
                let claim_signature = match key_file {
                    Some(file) => {
                        let key = Key::parse(&fs_err::read_to_string(file)?)?;
                        key.sign_claim(&Claim { delivery: name.clone(), sha256: sha256.clone(), attempt })
                    }
                    None => String::new(),
                };
                (name, DeliveryAct::Sign { attempt, sha256, signer, claim_signature })
            }
            Self::Return { name, code, text } => {
                let attempt = client.delivery(&name).await?.attempt;
                (name, DeliveryAct::Return { attempt, codes: code, text })
            }
            Self::HandOver { name, signer, note } => (name, DeliveryAct::HandOver { signer, note }),
            Self::Remind { name, text } => (name, DeliveryAct::Remind { text }),
            Self::Recall { name, reason } => (name, DeliveryAct::Recall { reason }),
            Self::Resend { name, reason } => (name, DeliveryAct::Resend { reason }),
            Self::Redirect { name, way, reason } => {
                (name, DeliveryAct::Redirect { channel: way.channel(), reason })
            }
            Self::Close { name, reason } => (name, DeliveryAct::Close { reason }),
            Self::Receipts { name } => {
                client.receipts(&name).await?.iter().for_each(|receipt| {
                    print_data(format!("{receipt}\n").as_bytes());
                });
                return Ok(());
            }
            Self::Verify { file, key, unit_key } => {
                return verify(client, speaker, &file, &key, &unit_key).await;
            }
            Self::Keys => {
                for purpose in ["receipt", "webhook"] {
                    for key in client.public_keys(purpose).await? {
                        let text = match purpose {
                            "webhook" => key.webhook_text(),
                            _ => jiyao_names::hex(&key.bytes()),
                        };
                        print(&format!("{purpose} {} {text}\n", key.id()));
                    }
                }
                return Ok(());
            }
            Self::Address { unit, way, organ, email, url, key } => {
                let address = DeliveryAddress { unit, channel: way.channel(), email, url, key };
                client.set_address(&organ, address).await?;
                return Ok(());
            }
            Self::Copies { minutes } => {
                for copy in Page::all(async |page| client.list_copies(&minutes, page).await).await? {
                    print(&format!("{} {} {}\n", copy.number, copy.state, copy.unit));
                }
                return Ok(());
            }
            Self::Sheet { minutes } => {
                let found =
                    Page::all(async |page| client.list_deliveries(&minutes, false, page).await).await?;
                let on_paper = found.iter().filter(|delivery| delivery.channel == Channel::Paper);
                print(&show::hand_over_sheet(on_paper, speaker));
                return Ok(());
            }
            Self::Scope { minutes } => {
                print(&show::scope(&client.frozen_scope(&minutes).await?, speaker));
                return Ok(());
            }
        };
        shown(&client.deliver(&name, act, None).await?, speaker)
    }
}

fn shown(delivery: &Delivery, speaker: &Speaker) -> Result<()> {
    print(&show::deliveries(std::slice::from_ref(delivery), speaker));
    Ok(())
}

/// Verifies receipts, one a line, by the keys given; without any, by those of the service. With keys of units, those
/// must have signed for themselves.
async fn verify(
    client: &Client,
    speaker: &Speaker,
    file: &PathBuf,
    keys: &[String],
    unit_keys: &[String],
) -> Result<()> {
    let parsed =
        |keys: &[String]| keys.iter().map(|key| PublicKey::parse(key)).collect::<Result<Vec<_>, _>>();
    let keys = if keys.is_empty() { client.public_keys("receipt").await? } else { parsed(keys)? };
    let unit_keys = parsed(unit_keys)?;
    let text = fs_err::read_to_string(file)?;
    let mut is_all = true;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let said = verify_receipt(line, &keys).and_then(|said| {
            let is_claimed = said.kind == ReceiptKind::SignedFor && !unit_keys.is_empty();
            if is_claimed { said.check_claim(&unit_keys).map(|()| said) } else { Ok(said) }
        });
        match said {
            Ok(said) => print(&format!(
                "{} {} {} {} {} {}\n",
                said.kind.as_str(),
                said.recipient,
                said.signer,
                said.time,
                said.delivery,
                said.sha256
            )),
            Err(why) => {
                is_all = false;
                print(&format!("{}: {why}\n", speaker.say("receipt-rejected")));
            }
        }
    }
    if is_all { Ok(()) } else { bail!("{}", speaker.say("receipt-rejected")) }
}

/// What the public reads.
#[derive(Debug, Subcommand)]
pub(crate) enum PublicCommand {
    List {
        #[arg(long, default_value = "organs/-")]
        organ: String,
    },
    Show {
        name: String,
    },
    Search {
        words: String,
        #[arg(long, default_value = "organs/-")]
        organ: String,
    },
}

impl PublicCommand {
    pub(crate) async fn run(self, client: &Client) -> Result<()> {
        let line = |of: &jiyao_client::Published| {
            format!("{} {} {} {}\n", of.name, of.published, of.number, of.title)
        };
        match self {
            Self::List { organ } => {
                let found = Page::all(async |page| client.list_published(&organ, page).await).await?;
                found.iter().for_each(|one| print(&line(one)));
            }
            Self::Show { name } => {
                let (published, text) = client.published(&name).await?;
                print(&format!("{}{text}\n{}\n", line(&published), published.note));
            }
            Self::Search { words, organ } => {
                let found =
                    Page::all(async |page| client.search_published(&organ, &words, page).await).await?;
                for (published, excerpt) in found {
                    print(&format!("{}  … {excerpt} …\n", line(&published)));
                }
            }
        }
        Ok(())
    }
}
