//! The whole story with the SDK: one minutes, three services.

use anyhow::Result;
use jiyao_client::{Client, Import, ListMinutes, Position, Presence};
use jiyao_proto::client::records::v1::records_service_client::RecordsServiceClient;
use jiyao_proto::records::v1::{self as wire, GetMinutesRequest, Minutes};
use jiyao_reader::Facts;
use jiyao_testkit::{Local, SAMPLE, corpus, numbered};
use tempfile::TempDir;

/// Imports a text and holds what the three services say of it against what the reader finds.
async fn tell(client: &Client, text: &str) -> Result<(String, Position)> {
    let facts = jiyao_reader::read(text, &jiyao_reader::Words::default()).facts;
    let organ = client.create_organ(None, "某机关", &["机关"]).await?;
    let imported = client.import_minutes(Import::new(&organ.name, text.as_bytes().to_vec())).await?;
    let name = imported.minutes.name.clone();
    assert!(!imported.already_recorded);
    assert_eq!(imported.minutes.facts, facts);
    assert_eq!(client.minutes_text(&name).await?, text.as_bytes(), "byte for byte");

    let minutes = client.minutes(&name, Some(&imported.position)).await?;
    assert_eq!(minutes, imported.minutes);
    let listed = client.list_minutes(ListMinutes::of(&organ.name)).await?;
    assert_eq!(listed.entries.len(), 1);
    let number = facts.document_number.as_ref().map(|number| number.value.as_str());
    assert_eq!(listed.entries[0].document_number, number.unwrap_or_default());

    let decisions = client.list_decisions(&name, None).await?.entries;
    let expected: Vec<_> = facts.items.iter().flat_map(|item| item.decisions.clone()).collect();
    assert_eq!(decisions.into_iter().map(|entry| entry.decision).collect::<Vec<_>>(), expected);

    check_roll(client, &name, &imported.position, &facts).await?;
    let list = client.distribution_list(&name, Some(&imported.position)).await?;
    let titles: Vec<_> = list.recipients.iter().map(|recipient| &recipient.title).collect();
    assert_eq!(titles, facts.distribution.iter().map(|fact| &fact.value).collect::<Vec<_>>());
    let has_class = titles.iter().any(|title| title.contains('各'));
    assert_eq!(list.recipients.iter().any(|recipient| recipient.is_class), has_class);
    assert_eq!(list.disclosure, facts.disclosure.map(|note| note.value).unwrap_or_default());
    let lists = client.list_distribution_lists(&organ.name, None).await?.entries;
    assert_eq!(lists.iter().map(|list| &list.minutes).collect::<Vec<_>>(), [&name]);
    Ok((name, imported.position))
}

async fn check_roll(client: &Client, name: &str, position: &Position, facts: &Facts) -> Result<()> {
    let roll = client.roll(name, Some(position)).await?;
    let people = &facts.attendance;
    let of = |presence| roll.entries.iter().filter(|entry| entry.presence == presence).count();
    assert_eq!(of(Presence::Present), people.present.len());
    assert_eq!(of(Presence::Observer), people.observers.len());
    assert_eq!(of(Presence::Recorder), people.recorders.len());
    assert_eq!(
        (roll.present as usize, roll.observers as usize),
        (people.present.len(), people.observers.len())
    );
    let unnamed: Vec<_> = roll.entries.iter().filter(|entry| entry.person.is_empty()).collect();
    let meant = people.present.iter().chain(&people.observers).chain(&people.absent);
    assert_eq!(unnamed.len(), meant.filter(|entry| entry.name.is_none()).count(), "unnamed representatives");
    let short = client.list_rolls("organs/-", None).await?.entries;
    assert!(short.iter().any(|roll| roll.minutes == name && roll.entries.is_empty()));
    Ok(())
}

#[tokio::test]
async fn the_sample_is_told_by_three_services() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let (name, position) = tell(&services.client()?, SAMPLE).await?;
    services.stop().await?;

    // All of it is there again after a restart, and following goes on where it was.
    let again = Local::start(folder.path()).await?;
    let client = again.client()?;
    assert_eq!(client.minutes_text(&name).await?, SAMPLE.as_bytes());
    assert_eq!(client.roll(&name, Some(&position)).await?.present, 8);
    assert_eq!(client.list_rolls("organs/-", None).await?.entries.len(), 1);
    again.stop().await
}

#[tokio::test]
async fn a_read_mask_leaves_the_rest_out() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    let organ = client.create_organ(Some("linlan"), "某机关", &[]).await?.name;
    let name = client.import_minutes(Import::new(&organ, SAMPLE.as_bytes().to_vec())).await?.minutes.name;
    let mut records = RecordsServiceClient::connect(format!("http://{}", services.records)).await?;
    let mut get = async |paths: &[&str]| {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let read_mask = Some(prost_types::FieldMask { paths });
        let request = GetMinutesRequest { name: name.clone(), read_mask, ..Default::default() };
        anyhow::Ok(records.get_minutes(request).await?.into_inner().minutes.unwrap_or_default())
    };
    let whole = get(&[]).await?;
    assert_eq!(
        (whole.name.as_str(), whole.life.is_some(), whole.facts.is_some()),
        (name.as_str(), true, true)
    );
    let facts = whole.facts.clone().unwrap_or_default();
    let narrow = get(&["name", "facts.issuer"]).await?;
    let issuer = wire::Facts { issuer: facts.issuer, ..wire::Facts::default() };
    assert_eq!(narrow, Minutes { name: name.clone(), facts: Some(issuer), ..Minutes::default() });
    assert_eq!(get(&["life"]).await?, Minutes { life: whole.life.clone(), ..Minutes::default() });
    services.stop().await
}

#[tokio::test]
async fn real_minutes_that_are_read_whole_are_told_as_the_sample_is() -> Result<()> {
    let mut told = 0;
    for folder in corpus() {
        let text = fs_err::read_to_string(folder.join("minutes.txt"))?;
        if !crate::corpus::is_exact(&folder)? {
            continue;
        }
        let data = TempDir::new()?;
        let services = Local::start(data.path()).await?;
        tell(&services.client()?, &text).await?;
        services.stop().await?;
        told += 1;
    }
    if told == 0 {
        assert!(corpus().is_empty(), "no real minutes are read whole");
        println!("SKIPPED real minutes: the corpus is not beside the project");
    }
    Ok(())
}

#[tokio::test]
async fn watches_resume_through_a_restart_and_give_each_change_once() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let port = services.records;
    let client = services.client()?;
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    let mut names = Vec::new();
    for n in 0..3 {
        let imported = client.import_minutes(Import::new(&organ.name, numbered(n).into_bytes())).await?;
        names.push(imported.minutes.name);
    }
    let mut watch = client.watch_minutes(&organ.name, None);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.extend(watch.next().await?.changes.into_iter().map(|change| change.minutes.name));
    }
    let mut elsewhere = client.watch_minutes("organs/nobody", None);
    assert_eq!(elsewhere.next().await?.changes, []);
    services.stop().await?;

    let again = Local::start_with(folder.path(), |config| config.serve.listen = port.to_string()).await?;
    // The services came back on other ports: this watch is handed over by its position.
    let position = {
        let mut fresh = again.client()?.watch_minutes("organs/-", None);
        fresh.next().await?.position
    };
    assert_eq!(Position::parse(&position.to_string()), Some(position.clone()));
    let mut resumed = again.client()?.watch_minutes(&organ.name, Some(position));
    let imported = again.client()?.import_minutes(Import::new(&organ.name, numbered(3).into_bytes())).await?;
    names.push(imported.minutes.name);
    while seen.len() < 4 {
        seen.extend(resumed.next().await?.changes.into_iter().map(|change| change.minutes.name));
    }
    assert_eq!(seen, names);
    let mut rolls = again.client()?.watch_rolls("organs/-", None);
    let mut stated = Vec::new();
    while stated.len() < 4 {
        stated.extend(rolls.next().await?.changes.into_iter().map(|roll| roll.minutes));
    }
    assert_eq!(stated, names);
    again.stop().await
}

#[tokio::test]
async fn lists_are_paged_filtered_and_scoped() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &["市政府"]).await?;
    let other = client.create_organ(Some("other"), "另一机关", &[]).await?;
    for n in 0..60 {
        client.import_minutes(Import::new(&organ.name, numbered(n).into_bytes())).await?;
    }
    let last = client.import_minutes(Import::new(&other.name, numbered(3000).into_bytes())).await?;

    let mut all = Vec::new();
    let mut query = ListMinutes { page_size: 7, ..ListMinutes::of("organs/-") };
    loop {
        let page = client.list_minutes(query.clone()).await?;
        assert!(page.entries.len() <= 7);
        all.extend(page.entries);
        query.page = page.next;
        if query.page.is_none() {
            break;
        }
    }
    assert_eq!(all.len(), 61);
    assert_eq!(all[0].name, last.minutes.name, "the newest meeting comes first");
    let dates: Vec<_> = all.iter().map(|minutes| minutes.meeting_date.clone()).collect();
    let mut sorted = dates.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!(dates, sorted);

    let count = async |change: fn(&mut ListMinutes)| {
        let mut query = ListMinutes { page_size: 200, ..ListMinutes::of("organs/-") };
        change(&mut query);
        client.list_minutes(query).await.map(|page| page.entries.len())
    };
    assert_eq!(count(|query| query.parent = "organs/linlan".to_owned()).await?, 60);
    assert_eq!(count(|query| query.year = Some(2027)).await?, 1);
    assert_eq!(count(|query| query.document_number = Some("〔2026〕5号".to_owned())).await?, 1);
    assert_eq!(count(|query| query.date_from = Some("2026-02-01".to_owned())).await?, 33);
    assert_eq!(count(|query| query.date_to = Some("2026-01-31".to_owned())).await?, 28);
    assert_eq!(client.list_organs(Some("市政府"), None).await?.entries, [organ]);
    assert_eq!(client.list_organs(None, None).await?.entries.len(), 2);
    let decisions = client.list_decisions("organs/other", None).await?.entries;
    assert_eq!(decisions.len(), 5);
    services.stop().await
}

#[tokio::test]
async fn words_are_found_wherever_they_stand_and_drafts_too() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    // More than one page looks through, and only the oldest has the words.
    let marked = numbered(0)
        .replace("（一）原则同意《临岚市城市更新", "（一）研究了渡口搬迁，原则同意《临岚市城市更新");
    let wanted = client.import_minutes(Import::new(&organ, marked.into_bytes())).await?.minutes.name;
    for n in 1..=210 {
        client.import_minutes(Import::new(&organ, numbered(n).into_bytes())).await?;
    }
    let page = client.search_minutes("organs/-", "渡口\n 搬迁", None).await?;
    assert_eq!(page.entries.len(), 1);
    let (minutes, excerpt) = &page.entries[0];
    assert!(minutes.name == wanted && excerpt.contains("研究了渡口搬迁"), "{excerpt}");
    let none = client.search_minutes(&organ, "没有这几个字", None).await?;
    assert!(none.entries.is_empty() && none.next.is_none());
    let refused = client.search_minutes(&organ, "一", None).await.unwrap_err();
    assert_eq!(
        (refused.reason().unwrap().as_str(), refused.fields()),
        ("FIELD_REQUIRED", &["query".to_owned()][..])
    );
    assert!(client.search_minutes("organs/nowhere", "渡口", None).await.is_err());
    services.stop().await
}
