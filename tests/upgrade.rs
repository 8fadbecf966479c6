//! Data that earlier programs wrote opens with this one and says the same. `fixtures/format-N` holds backups of the three
//! services, the states that lay beside their journals, and what they answered; `JIYAO_FIXTURE=format-N` writes one, once
//! for each released format, and never again. Until the first release there is one, of today's format.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiyao_client::{
    AgendaItem, Client, ListMinutes, MeetingAct, NewMeeting, SeatAct, Service, verify_receipt,
};
use jiyao_testkit::{Local, until};
use tempfile::TempDir;

use crate::between::caught_up;
use crate::distribution::{House, UNIT, of, sign};
use crate::faults::copy;

const SERVICES: [(Service, &str); 3] = [
    (Service::Records, "records"),
    (Service::Attendance, "attendance"),
    (Service::Distribution, "distribution"),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// What the services say of everything, in lines that do not depend on how a type is printed.
async fn told(client: &Client) -> Result<String> {
    let mut all = String::new();
    let organ = "organs/linlan";
    for minutes in client.list_minutes(ListMinutes::of(organ)).await?.entries {
        let name = &minutes.name;
        let whole = client.minutes(name, None).await?;
        writeln!(all, "{name} {} {:?} {}", minutes.meeting_date, whole.life.stage, whole.life.number)?;
        writeln!(all, "  {} bytes, {} doubts", client.minutes_text(name).await?.len(), minutes.doubts)?;
        for decision in client.list_decisions(name, None).await?.entries {
            let leads: Vec<_> = decision.decision.lead_units.iter().map(|unit| unit.value.as_str()).collect();
            writeln!(all, "  {} {}", decision.item_number, leads.join("、"))?;
        }
        let roll = client.roll(name, None).await?;
        writeln!(all, "  roll {} {} {}", roll.present, roll.observers, roll.absent)?;
        let keys = client.public_keys("receipt").await?;
        for delivery in client.list_deliveries(name, false, None).await?.entries {
            writeln!(all, "  {} {} {}", delivery.title, delivery.state.as_str(), delivery.signer)?;
            for receipt in client.receipts(&delivery.name).await? {
                let said = verify_receipt(&receipt, &keys)?;
                writeln!(all, "    {} {} {}", said.kind.as_str(), said.recipient, said.time)?;
            }
        }
    }
    for matter in client.list_matters(organ, None, false, None).await?.entries {
        writeln!(all, "{} {} {:?} {}", matter.number, matter.lead, matter.state, matter.due)?;
    }
    for meeting in client.list_meetings(organ, None).await?.entries {
        let counted = client.quorum(&meeting.name, None).await?;
        writeln!(all, "{} {} {} {}", meeting.date, meeting.title, meeting.stage, counted.outcome)?;
        for seat in client.list_seats(&meeting.name, None).await?.entries {
            writeln!(all, "  {} {} {}", seat.order, seat.person, seat.shown)?;
        }
    }
    for unit in client.list_units(organ, "", "", "", None).await?.entries {
        writeln!(all, "{} {}", unit.id, unit.title)?;
    }
    Ok(all)
}

async fn write(folder: &Path) -> Result<()> {
    let house = House::new().await?;
    let client = &house.client;
    let (minutes, deliveries) = house.issued().await?;
    let mine = of(&deliveries, UNIT);
    house.as_unit(UNIT)?.deliver(&mine.name, sign(mine), None).await?;
    client.pick_matters(&minutes).await?;
    let items = vec![AgendaItem { title: "供水价格".into(), ..AgendaItem::default() }];
    let new = NewMeeting {
        kind: "常务会议".into(),
        title: "市政府第42次常务会议".into(),
        date: "2025-04-15".into(),
        items,
        ..NewMeeting::default()
    };
    let meeting = client.create_meeting(&house.organ, new).await?.name;
    for seat in client.list_seats(&meeting, None).await?.entries.iter().skip(1) {
        let sign_in = SeatAct::SignIn { terminal: "东门".into(), person: String::new() };
        client.sit(&seat.name, sign_in, None).await?;
    }
    client.hold_meeting(&meeting, None, None).await?;
    client.meet(&meeting, MeetingAct::LinkMinutes { minutes }, None).await?;
    fs_err::create_dir_all(folder)?;
    // A third may hear of one what that heard of another: the states are those of the backups.
    let heads = async || {
        let mut heads = Vec::new();
        for (service, _) in SERVICES {
            heads.push(client.status(service).await?.head);
        }
        anyhow::Ok(heads)
    };
    until("nothing is under way", async || {
        let before = heads().await?;
        caught_up(client).await?;
        Ok((heads().await? == before).then_some(()))
    })
    .await?;
    for (service, name) in SERVICES {
        client.backup(service, fs_err::File::create(folder.join(name).with_extension("tar"))?).await?;
    }
    fs_err::write(folder.join("told.txt"), told(client).await?)?;
    house.services.stop().await?;
    for (_, name) in SERVICES {
        keep_state(&house.folder.path().join(name).join("state"), &folder.join(format!("{name}-state")))?;
    }
    Ok(())
}

/// Keeps the state of a stopped service without the zeros at the end of its file.
fn keep_state(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs_err::remove_dir_all(to)?;
    }
    copy(from, to)?;
    let path = to.join("db");
    let bytes = fs_err::read(&path)?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok(fs_err::write(path, &bytes[..end])?)
}

/// Puts the state of an earlier program where it was. The zeros at the end of its file are not kept; its seal says how
/// long that was.
fn put_state(from: &Path, to: &Path) -> Result<()> {
    copy(from, to)?;
    let seal = fs_err::read_to_string(from.join("seal"))?;
    let line = seal.lines().find_map(|line| line.strip_suffix(" db")).context("the seal names the file")?;
    let length = line.split(' ').next_back().unwrap_or_default().parse()?;
    fs_err::OpenOptions::new().write(true).open(to.join("db"))?.set_len(length)?;
    // A checkout gives files other modes than the service does.
    fs_err::set_permissions(to, Permissions::from_mode(0o700))?;
    for entry in fs_err::read_dir(to)? {
        fs_err::set_permissions(entry?.path(), Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// The formats of a backup and of the segments in it, by the version byte behind their magic.
fn formats(backup: &[u8]) -> Result<BTreeSet<(u32, u8)>> {
    let of_backup = jiyao_backup::check(backup)?.format;
    let magic = b"JIYAOJL";
    let headers = backup.windows(magic.len() + 1).filter(|window| window.starts_with(magic));
    Ok(headers.map(|header| (of_backup, header[magic.len()])).collect())
}

#[tokio::test]
async fn what_is_written_today_has_a_fixture_of_its_format() -> Result<()> {
    let mut known = BTreeSet::new();
    for format in fs_err::read_dir(fixtures())? {
        known.extend(formats(&fs_err::read(format?.path().join("records.tar"))?)?);
    }
    let house = House::new().await?;
    let mut backup = Vec::new();
    house.client.backup(Service::Records, &mut backup).await?;
    let today = formats(&backup)?;
    assert!(
        !today.is_empty() && today.is_subset(&known),
        "{today:?}: write a fixture, see above; there are {known:?}"
    );
    house.services.stop().await
}

#[tokio::test]
async fn data_of_every_released_format_opens_and_says_the_same() -> Result<()> {
    if let Some(format) = std::env::var_os("JIYAO_FIXTURE") {
        write(&fixtures().join(format)).await?;
    }
    let mut formats = 0;
    for format in fs_err::read_dir(fixtures())? {
        let format = format?.path();
        // As a backup brings it, and as the program left it behind when it stopped.
        for has_state in [false, true] {
            opens_and_says_the_same(&format, has_state).await?;
        }
        formats += 1;
    }
    assert!(formats > 0, "there are fixtures");
    Ok(())
}

async fn opens_and_says_the_same(format: &Path, has_state: bool) -> Result<()> {
    let folder = TempDir::new()?;
    for (_, name) in SERVICES {
        let archive = fs_err::File::open(format.join(name).with_extension("tar"))?;
        let data = folder.path().join(name);
        jiyao_backup::restore(archive, &data)?;
        if has_state {
            put_state(&format.join(format!("{name}-state")), &data.join("state"))?;
        }
    }
    let services = Local::start_joined(folder.path(), |_| {}).await?;
    let client = services.client()?;
    let expected = fs_err::read_to_string(format.join("told.txt"))?;
    let told = until("all of it", async || Ok(told(&client).await.ok())).await?;
    assert_eq!(told, expected, "{}", format.display());
    for (service, _) in SERVICES {
        assert!(client.verify_journal(service, |_| {}).await?.damaged.is_empty());
    }
    services.stop().await
}
