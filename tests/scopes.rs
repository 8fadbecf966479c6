//! Scopes of many recipients: worked out beside the writer, staged in pages, frozen whole.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiyao_client::{Client, DeliveryAct, DeliveryState, DisclosureClass, FreezeScope, Import, Standing};
use jiyao_journal::{Journal, Options};
use jiyao_proto::client::distribution::v1::deliveries_service_client::DeliveriesServiceClient;
use jiyao_proto::distribution::v1 as wire;
use jiyao_proto::stored::v1::{Noted, Record};
use jiyao_testkit::until;
use prost::Message as _;

use crate::distribution::{House, UNIT, draft, freeze, frozen, of, to_registered};

/// Units besides those of the directory that all tests have.
const MANY: usize = 1250;
const PUBLIC: DisclosureClass = DisclosureClass::Public;
const CLASS: &str = "市各有关部门和单位";
/// Most things that one command brings.
const AT_ONCE: usize = 500;

/// A table of more units of a class.
fn units(numbers: std::ops::Range<usize>) -> Vec<u8> {
    let rows: String = numbers.map(|n| format!("unit,m{n:05},第{n}所,{CLASS}\n")).collect();
    ("type,id,title,classes\n".to_owned() + &rows).into_bytes()
}

/// Freezes, once distribution has heard of the minutes; answers how many get them.
async fn total(client: &Client, minutes: &str) -> Result<u32> {
    Ok(frozen(client, freeze(minutes)).await?.total)
}

/// How many deliveries minutes have.
async fn count(client: &Client, minutes: &str) -> Result<usize> {
    Ok(client.delivery_counts(minutes).await?.iter().map(|(_, count)| *count as usize).sum())
}

async fn all_titles(client: &Client, minutes: &str) -> Result<BTreeSet<String>> {
    let (mut titles, mut page) = (BTreeSet::new(), None);
    loop {
        let some = client.list_deliveries(minutes, false, page.as_deref()).await?;
        assert!(some.entries.iter().all(|one| titles.insert(one.title.clone())), "a unit twice");
        page = some.next;
        if page.is_none() {
            return Ok(titles);
        }
    }
}

/// Events of a kind in a journal of a service that has stopped, with what they are of.
fn events(journal: &Path, kind: &str) -> Result<Vec<Noted>> {
    let options = Options { reserve: 0, ..Options::default() };
    let journal = Journal::open(journal, options)?.journal;
    let mut found = Vec::new();
    for sequence in 1..=journal.log().head().sequence {
        let payload = journal.log().read(sequence)?.payload.context("a whole record")?;
        for event in Record::decode(payload.as_slice())?.events {
            if event.r#type == kind {
                found.push(Noted::decode(event.body.as_slice())?);
            }
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_of_many_is_staged_in_pages_and_delivered_whole() -> Result<()> {
    let house = House::new().await?;
    let client = &house.client;
    let few = total(client, &house.drafted(&draft(), PUBLIC).await?).await?;
    client.import_directory(&house.organ, units(0..MANY), false).await?;
    let all = few as usize + MANY;

    // Calls that are given up leave pages; the next one goes on behind them.
    let text = draft().replace("第42次", "第43次");
    let minutes = house.drafted(&text, PUBLIC).await?;
    until("distribution knows all of them", async || {
        Ok((total(client, &minutes).await? as usize == all).then_some(()))
    })
    .await?;
    for round in 0..12 {
        let other_day = FreezeScope { copies: round + 2, ..freeze(&minutes) };
        let call = client.freeze_scope(other_day.clone());
        let _ = tokio::time::timeout(Duration::from_millis(u64::from(round) * 8), call).await;
        assert_eq!(client.freeze_scope(other_day).await?.total as usize, all);
    }
    // Calls at the same time that want the same, and others.
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..6 {
        let (client, scope) = (client.clone(), FreezeScope { copies: 1 + n % 2, ..freeze(&minutes) });
        calls.spawn(async move { (scope.copies, client.freeze_scope(scope).await) });
    }
    let mut hashes = [BTreeSet::new(), BTreeSet::new()];
    for (copies, frozen) in calls.join_all().await {
        let frozen = frozen?;
        assert_eq!(frozen.total as usize, all);
        hashes[copies as usize - 1].insert(frozen.hash);
    }
    assert!(
        hashes.iter().all(|of| of.len() == 1) && hashes[0] != hashes[1],
        "each is told its own: {hashes:?}"
    );
    // A repeat is told what it froze, whatever was frozen since.
    let mut raw = DeliveriesServiceClient::connect(format!("http://{}", house.services.distribution)).await?;
    let request = wire::FreezeScopeRequest {
        minutes: minutes.clone(),
        date: freeze(&minutes).date,
        copies: 7,
        request_id: "6f1f3c4e-7c0e-4f6e-9d0a-3f6b0a7c1d12".to_owned(),
        ..wire::FreezeScopeRequest::default()
    };
    let first = raw.freeze_scope(request.clone()).await?.into_inner();
    let scope = client.freeze_scope(freeze(&minutes)).await?;
    let repeated = raw.freeze_scope(request).await?.into_inner();
    assert_eq!(repeated, first);
    assert_ne!(first.scope.map(|scope| scope.hash), Some(scope.hash.clone()));
    assert_eq!((scope.total as usize, scope.targets.len()), (all, 200));
    assert_eq!(client.frozen_scope(&minutes).await?.hash, scope.hash);
    house.issue(&minutes).await?;
    until("all are delivered", async || Ok((count(client, &minutes).await? == all).then_some(()))).await?;
    let named = all_titles(client, &minutes).await?;
    assert_eq!(named.len(), all);
    assert!((0..MANY).all(|n| named.contains(&format!("第{n}所"))));

    let House { services, folder, .. } = house;
    services.stop().await?;
    let journal = folder.path().join("distribution/journal");
    let staged = events(&journal, "scope.staged")?;
    let mut places = BTreeSet::new();
    for Noted { version, body, parts, .. } in &staged {
        assert!((1..=AT_ONCE).contains(&parts.len()), "{} targets in one record", parts.len());
        assert!(places.insert((body.clone(), *version)), "a page twice");
    }
    assert!(staged.len() >= 3, "{} pages", staged.len());
    for kind in ["scope.frozen", "deliveries.made"] {
        let most = events(&journal, kind)?.iter().map(|noted| noted.parts.len()).max();
        assert!(most.is_some_and(|most| most <= AT_ONCE), "{kind}: {most:?} in one record");
    }
    // What was staged and frozen is so after a start that makes the state from the journal.
    fs_err::remove_dir_all(folder.path().join("distribution/state"))?;
    let services = jiyao_testkit::Local::start_joined(folder.path(), |_| {}).await?;
    let client = services.client()?;
    let again = until("the state is made", async || Ok(client.frozen_scope(&minutes).await.ok())).await?;
    assert_eq!((again.hash, again.targets), (scope.hash, scope.targets));
    assert_eq!(all_titles(&client, &minutes).await?, named);
    services.stop().await
}

/// A directory that changes while scopes are worked out: each scope is of one version of it, never of half of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_is_of_one_version_of_the_directory() -> Result<()> {
    let house = House::new().await?;
    let client = &house.client;
    let minutes = house.drafted(&draft(), PUBLIC).await?;
    let few = total(client, &minutes).await? as usize;
    let changing = {
        let (client, organ) = (client.clone(), house.organ.clone());
        tokio::spawn(async move {
            for n in 0..12 {
                client.import_directory(&organ, units(n * 100..(n + 1) * 100), false).await?;
            }
            anyhow::Ok(())
        })
    };
    let mut seen = BTreeSet::new();
    loop {
        let is_done = changing.is_finished();
        match client.freeze_scope(freeze(&minutes)).await {
            Ok(scope) => {
                let more = scope.total as usize - few;
                assert_eq!(more % 100, 0, "{more} of a table of 100");
                seen.insert(more / 100);
            }
            // It is told to come again where the directory changes too often, or is being taken over.
            Err(error) => {
                let reason = error.reason().map(|reason| reason.to_string()).unwrap_or_default();
                assert!(["BUSY", "NOT_CAUGHT_UP"].contains(&reason.as_str()), "{error}");
            }
        }
        if is_done {
            break;
        }
    }
    changing.await??;
    until("the last one counts", async || {
        Ok((total(client, &minutes).await? == 1200 + few as u32).then_some(()))
    })
    .await?;
    assert!(!seen.is_empty());
    house.services.stop().await
}

/// More than one commit takes hold the old text after the scope of its correction was frozen: all of them get it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn req_15_all_that_got_the_old_text_since_the_freeze_get_the_correction() -> Result<()> {
    const LATE: usize = 450;
    let house = House::new().await?;
    let client = &house.client;
    let rows: String = (0..LATE).map(|n| format!("unit,l{n:05},后增第{n}所,其他\n")).collect();
    let rows = rows + "unit,extra,后增机构,其他\nunit,late,迟来机构,其他\n";
    let table = format!("type,id,title,classes\n{rows}");
    client.import_directory(&house.organ, table.into_bytes(), false).await?;
    let (old, deliveries) = house.issued().await?;
    let import = Import {
        standing: Standing::Draft,
        corrects: Some(old.clone()),
        ..Import::new(&house.organ, draft().replace("各县、区人民政府，", "").into_bytes())
    };
    let new = client.import_minutes(import).await?.minutes.name;
    for act in to_registered(PUBLIC) {
        client.step(&new, act, None).await?;
    }
    let scope = house.frozen(house.freeze(&new)).await?;
    assert_eq!(scope.total as usize, deliveries.len());
    for n in 0..LATE {
        client.add_recipient(&old, &format!("l{n:05}"), "市长", "补送").await?;
    }
    // One of them is told that it was sent by mistake, another gave it back: they get nothing more.
    let back = until("the last is out", async || {
        let (mut page, mut found) = (None, None);
        loop {
            let some = client.list_deliveries(&old, false, page.as_deref()).await?;
            found = some.entries.into_iter().find(|one| one.title == "后增第7所").or(found);
            page = some.next;
            if page.is_none() {
                return Ok(found);
            }
        }
    })
    .await?;
    client.deliver(&back.name, DeliveryAct::Recall { reason: "误发".into() }, None).await?;
    let returned = client.add_recipient(&old, "extra", "市长", "补送").await?;
    let codes = vec!["99".to_owned()];
    let give_back = DeliveryAct::Return { attempt: returned.attempt, codes, text: "非我单位".into() };
    house.as_unit("后增机构")?.deliver(&returned.name, give_back, None).await?;
    house.issue(&new).await?;
    let expected = deliveries.len() + LATE - 1;
    until("all of them get it", async || Ok((count(client, &new).await? == expected).then_some(()))).await?;
    // The old text goes to nobody any more.
    let reason =
        |error: jiyao_client::Error| error.reason().map(|reason| reason.to_string()).unwrap_or_default();
    assert_eq!(client.delivery(&returned.name).await?.state, DeliveryState::Recalled);
    let again = DeliveryAct::Resend { reason: "再送".into() };
    let refused = client.deliver(&returned.name, again, None).await.unwrap_err();
    assert_eq!(reason(refused), "MINUTES_REPLACED");
    assert_eq!(
        reason(client.add_recipient(&old, "late", "市长", "补送").await.unwrap_err()),
        "MINUTES_REPLACED"
    );
    assert_eq!(reason(client.freeze_scope(house.freeze(&old)).await.unwrap_err()), "SCOPE_FROZEN");
    // And somebody more behind them, by approval, at a place of its own.
    let made = client.add_recipient(&new, "l00007", "市长", "仍需").await?;
    let titles = all_titles(client, &new).await?;
    assert_eq!((titles.len(), made.title.as_str()), (expected + 1, "后增第7所"));
    assert!((0..LATE).all(|n| titles.contains(&format!("后增第{n}所"))));
    assert!(titles.contains(&of(&deliveries, UNIT).title));
    house.services.stop().await
}
