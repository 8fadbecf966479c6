//! Directory, meetings, rolls and quorum on the command line.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Subcommand, ValueEnum};
use jiyao_calendar::Timestamp;
use jiyao_client::{
    AgendaItem, Client, Ground, MeetingAct, NewMeeting, NewSeat, NoticeReply, ObserverKind, Page, Recusal,
    SeatAct,
};

use crate::words::Speaker;
use crate::{print, show};

/// The directory.
#[derive(Debug, Subcommand)]
pub(crate) enum DirectoryCommand {
    Import {
        file: PathBuf,
        #[arg(long)]
        organ: String,
        #[arg(long)]
        preview: bool,
    },
    Units {
        #[arg(long)]
        organ: String,
        #[arg(long, default_value = "", value_name = "DATE")]
        on: String,
        #[arg(long, default_value = "")]
        class: String,
        #[arg(long, default_value = "")]
        called: String,
    },
    Members {
        kind: String,
        #[arg(long)]
        organ: String,
        #[arg(long, value_name = "DATE")]
        on: String,
    },
    Holders {
        #[arg(long)]
        organ: String,
        #[arg(long, default_value = "", value_name = "DATE")]
        on: String,
        #[arg(long, default_value = "", value_name = "NAME")]
        person: String,
        #[arg(long, default_value = "", value_name = "TITLE")]
        post: String,
    },
    Standing {
        unit: String,
        #[arg(long)]
        organ: String,
        #[arg(long, value_name = "DATE")]
        on: String,
    },
    Export {
        #[arg(long)]
        organ: String,
    },
    Rules {
        #[arg(long)]
        organ: String,
        #[arg(long, value_name = "FILE")]
        set: Option<PathBuf>,
    },
}

impl DirectoryCommand {
    pub(crate) async fn run(self, client: &Client, speaker: &Speaker) -> Result<bool> {
        match self {
            Self::Import { file, organ, preview } => {
                let done = client.import_directory(&organ, fs_err::read(file)?, preview).await?;
                print(&show::directory_import(&done, speaker));
                return Ok(done.errors.is_empty());
            }
            Self::Units { organ, on, class, called } => {
                print(&show::units(&units(client, &organ, &on, &class, &called).await?, speaker));
            }
            Self::Members { kind, organ, on } => {
                for member in client.list_members(&organ, &kind, &on).await? {
                    print(&format!("{} {}\n", member.post, member.person));
                }
            }
            Self::Holders { organ, on, person, post } => {
                let read =
                    async |page: Option<&str>| client.list_tenures(&organ, &on, &person, &post, page).await;
                print(&show::tenures(&Page::all(read).await?, speaker));
            }
            Self::Standing { unit, organ, on } => {
                print(&show::units(&client.standing_units(&organ, &unit, &on).await?, speaker));
            }
            Self::Rules { organ, set } => {
                if let Some(file) = set {
                    let text = fs_err::read_to_string(&file)?;
                    let rules = serde_json::from_str(&text).with_context(|| file.display().to_string())?;
                    client.set_roll_rules(&organ, &rules).await?;
                }
                let rules = client.roll_rules(&organ).await?;
                print(&(serde_json::to_string_pretty(&rules)? + "\n"));
            }
            // One a line: what `read --units` takes.
            Self::Export { organ } => {
                for unit in units(client, &organ, "", "", "").await? {
                    unit.names().for_each(|name| print(&format!("{name}\n")));
                }
            }
        }
        Ok(true)
    }
}

async fn units(
    client: &Client,
    organ: &str,
    on: &str,
    class: &str,
    called: &str,
) -> Result<Vec<jiyao_client::Unit>> {
    Ok(Page::all(async |page| client.list_units(organ, on, class, called, page).await).await?)
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Observer {
    Fixed,
    ByItem,
    Invited,
    Public,
    Assistant,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RecusedFor {
    OwnInterest,
    Relative,
    Other,
}

/// Meetings.
#[derive(Debug, Subcommand)]
pub(crate) enum MeetingCommand {
    Plan {
        kind: String,
        #[arg(long)]
        organ: String,
        #[arg(long, value_name = "DATE")]
        on: String,
        #[arg(long, default_value = "")]
        title: String,
        #[arg(long, value_name = "TITLE")]
        item: Vec<String>,
        #[arg(short, long)]
        quiet: bool,
    },
    List {
        #[arg(long)]
        organ: String,
    },
    Show {
        name: String,
    },
    Add {
        name: String,
        #[arg(long, default_value = "")]
        of: String,
        #[arg(long, default_value = "")]
        person: String,
        #[arg(long, value_enum, default_value = "fixed")]
        observer: Observer,
        #[arg(long, value_name = "N")]
        item: Vec<u32>,
    },
    Notify {
        name: String,
        #[arg(long, value_name = "TIME")]
        reply_by: Option<Timestamp>,
    },
    Agenda {
        name: String,
        #[arg(long, value_name = "TITLE", required = true)]
        item: Vec<String>,
        #[arg(long, value_name = "N")]
        personnel: Vec<u32>,
        #[arg(long, value_name = "N:NAME")]
        deputy: Vec<String>,
        #[arg(long, value_name = "N:UNIT")]
        of: Vec<String>,
    },
    Members {
        name: String,
    },
    Keep {
        name: String,
        item: u32,
        #[arg(long)]
        by: String,
    },
    Time {
        name: String,
        item: u32,
        from: Timestamp,
        until: Timestamp,
    },
    Stay {
        seat: String,
        from: Timestamp,
        until: Timestamp,
        #[arg(long, default_value = "")]
        person: String,
    },
    Recuse {
        seat: String,
        item: u32,
        #[arg(long, value_enum)]
        ground: RecusedFor,
        #[arg(long)]
        reason: String,
        #[arg(long)]
        decided_by: String,
    },
    Recusals {
        name: String,
    },
    Move {
        seat: String,
        order: u32,
    },
    Answer {
        seat: String,
        #[arg(long, conflicts_with = "leave")]
        sends: Option<String>,
        #[arg(long, value_name = "REASON")]
        leave: Option<String>,
    },
    DecideLeave {
        seat: String,
        #[arg(long)]
        post: String,
        #[arg(long)]
        refuse: bool,
    },
    DecideSubstitute {
        seat: String,
        #[arg(long)]
        post: String,
        #[arg(long)]
        refuse: bool,
    },
    SignIn {
        seat: String,
        #[arg(long)]
        terminal: String,
        #[arg(long, default_value = "")]
        person: String,
    },
    SignOut {
        seat: String,
        #[arg(long)]
        terminal: String,
    },
    Start {
        name: String,
        item: u32,
    },
    End {
        name: String,
        item: u32,
    },
    Present {
        name: String,
        item: u32,
    },
    Hold {
        name: String,
        #[arg(long, requires = "reason")]
        override_by: Option<String>,
        #[arg(long, requires = "override_by")]
        reason: Option<String>,
    },
    Link {
        name: String,
        minutes: String,
    },
    Report {
        #[arg(long)]
        organ: String,
        #[arg(long, value_name = "DATE")]
        from: String,
        #[arg(long, value_name = "DATE")]
        to: String,
        #[arg(long)]
        by_unit: bool,
    },
}

/// All seats of a meeting.
async fn seats(client: &Client, name: &str) -> Result<Vec<jiyao_client::Seat>> {
    Ok(Page::all(async |page| client.list_seats(name, page).await).await?)
}

/// People count items from 1.
pub(crate) fn index(item: u32) -> Result<u32> {
    item.checked_sub(1).context("0 is none: the first is 1")
}

/// An agenda as it is typed: titles in order, and what belongs to which of them as `N:…`.
fn agenda(
    titles: Vec<String>,
    personnel: Vec<u32>,
    deputies: &[String],
    units: &[String],
) -> Result<Vec<AgendaItem>> {
    let mut items: Vec<_> =
        titles.into_iter().map(|title| AgendaItem { title, ..AgendaItem::default() }).collect();
    let count = items.len();
    let place = |item: u32| {
        let at = index(item)? as usize;
        (at < count).then_some(at).with_context(|| format!("{item}: 1 … {count}"))
    };
    let parted = |text: &str| -> Result<(usize, String)> {
        let (item, value) = text.split_once(':').with_context(|| format!("{text}: N:…"))?;
        Ok((place(item.parse()?)?, value.to_owned()))
    };
    for item in personnel {
        items[place(item)?].is_personnel = true;
    }
    for text in deputies {
        let (at, name) = parted(text)?;
        items[at].deputy = name;
    }
    for text in units {
        let (at, unit) = parted(text)?;
        items[at].units.push(unit);
    }
    Ok(items)
}

impl MeetingCommand {
    pub(crate) async fn run(self, client: &Client, speaker: &Speaker) -> Result<()> {
        let shown = |meeting: &jiyao_client::Meeting| print(&show::meeting(meeting, speaker));
        let seat_act = match self {
            Self::Plan { kind, organ, on, title, item, quiet } => {
                let items =
                    item.into_iter().map(|title| AgendaItem { title, ..AgendaItem::default() }).collect();
                let new = NewMeeting { kind, title, date: on, items, ..NewMeeting::default() };
                let meeting = client.create_meeting(&organ, new).await?;
                if quiet {
                    print(&format!("{}\n", meeting.name));
                    return Ok(());
                }
                shown(&meeting);
                print(&show::seats(&seats(client, &meeting.name).await?, speaker));
                return Ok(());
            }
            Self::List { organ } => {
                for meeting in Page::all(async |page| client.list_meetings(&organ, page).await).await? {
                    print(&format!(
                        "{} {} {} {}\n",
                        meeting.name, meeting.date, meeting.stage, meeting.title
                    ));
                }
                return Ok(());
            }
            Self::Show { name } => {
                shown(&client.meeting(&name).await?);
                print(&show::seats(&seats(client, &name).await?, speaker));
                return Ok(());
            }
            Self::Add { name, of, person, observer, item } => {
                let observer = match observer {
                    Observer::Fixed => ObserverKind::Fixed,
                    Observer::ByItem => ObserverKind::ByItem,
                    Observer::Invited => ObserverKind::Invited,
                    Observer::Public => ObserverKind::Public,
                    Observer::Assistant => ObserverKind::Assistant,
                };
                let items = item.into_iter().map(index).collect::<Result<_>>()?;
                let new = NewSeat { unit: of, person, observer, items, ..NewSeat::default() };
                print(&show::seats(&client.add_seats(&name, vec![new]).await?, speaker));
                return Ok(());
            }
            Self::Notify { name, reply_by } => {
                shown(&client.meet(&name, MeetingAct::Notify { reply_by }, None).await?);
                return Ok(());
            }
            Self::Agenda { name, item, personnel, deputy, of } => {
                let items = agenda(item, personnel, &deputy, &of)?;
                shown(&client.meet(&name, MeetingAct::SetAgenda { items }, None).await?);
                return Ok(());
            }
            Self::Members { name } => {
                shown(&client.meet(&name, MeetingAct::refresh_members(), None).await?);
                return Ok(());
            }
            Self::Keep { name, item, by } => {
                shown(&client.meet(&name, MeetingAct::KeepItem { item: index(item)?, by }, None).await?);
                return Ok(());
            }
            Self::Time { name, item, from, until } => {
                let (from, until) = (from.as_millisecond(), until.as_millisecond());
                let act = MeetingAct::TimeItem { item: index(item)?, from, until };
                shown(&client.meet(&name, act, None).await?);
                return Ok(());
            }
            Self::Recusals { name } => {
                for Recusal { item: (item, title), person, ground: (ground, reason), decided_by } in
                    client.recusals(&name).await?
                {
                    print(&format!("{}. {title} {person} {ground} {reason} {decided_by}\n", item + 1));
                }
                return Ok(());
            }
            Self::Start { name, item } => {
                shown(&client.meet(&name, MeetingAct::StartItem { item: index(item)? }, None).await?);
                return Ok(());
            }
            Self::End { name, item } => {
                shown(&client.meet(&name, MeetingAct::EndItem { item: index(item)? }, None).await?);
                return Ok(());
            }
            Self::Link { name, minutes } => {
                shown(&client.meet(&name, MeetingAct::LinkMinutes { minutes }, None).await?);
                return Ok(());
            }
            Self::Hold { name, override_by, reason } => {
                shown(&client.hold_meeting(&name, None, override_by.zip(reason)).await?);
                return Ok(());
            }
            Self::Present { name, item } => {
                print(&show::seats(&client.present_for(&name, index(item)?).await?, speaker));
                return Ok(());
            }
            Self::Report { organ, from, to, by_unit } => {
                let (rates, absent) = client.attendance_report(&organ, &from, &to, by_unit).await?;
                print(&show::rates(&rates, &absent, speaker));
                return Ok(());
            }
            Self::Answer { seat, sends, leave } => {
                let reply = match (sends, leave) {
                    (Some(person), _) => NoticeReply::Sends { person },
                    (_, Some(reason)) => NoticeReply::Leave { reason },
                    _ => NoticeReply::Comes,
                };
                (seat, SeatAct::Answer { reply })
            }
            Self::DecideLeave { seat, post, refuse } => (seat, SeatAct::DecideLeave { post, grant: !refuse }),
            Self::DecideSubstitute { seat, post, refuse } => {
                (seat, SeatAct::DecideSubstitute { post, approve: !refuse })
            }
            Self::SignIn { seat, terminal, person } => (seat, SeatAct::SignIn { terminal, person }),
            Self::SignOut { seat, terminal } => (seat, SeatAct::SignOut { terminal }),
            Self::Stay { seat, from, until, person } => {
                let (from, until) = (from.as_millisecond(), until.as_millisecond());
                (seat, SeatAct::RecordStay { from, until, person })
            }
            Self::Recuse { seat, item, ground, reason, decided_by } => {
                let ground = match ground {
                    RecusedFor::OwnInterest => Ground::OwnInterest,
                    RecusedFor::Relative => Ground::Relative,
                    RecusedFor::Other => Ground::Other,
                };
                (seat, SeatAct::Recuse { item: index(item)?, ground, reason, decided_by })
            }
            Self::Move { seat, order } => (seat, SeatAct::Move { order }),
        };
        let (seat, act) = seat_act;
        print(&show::seats(&[client.sit(&seat, act, None).await?], speaker));
        Ok(())
    }
}

/// Holds the stated roll of minutes against directory and room; with a finding and a reason, decides it.
pub(crate) async fn roll(
    client: &Client,
    speaker: &Speaker,
    minutes: &str,
    decide: Option<(String, String)>,
) -> Result<()> {
    if let Some((finding, reason)) = decide {
        client.decide_roll_finding(minutes, &finding, &reason).await?;
    }
    print(&show::roll_check(&client.check_roll(minutes, None).await?, speaker));
    Ok(())
}

/// The quorum of a meeting.
pub(crate) async fn quorum(
    client: &Client,
    speaker: &Speaker,
    meeting: &str,
    at: Option<Timestamp>,
) -> Result<()> {
    let at = at.map(Timestamp::as_millisecond);
    print(&show::quorum(&client.quorum(meeting, at).await?, speaker));
    Ok(())
}
