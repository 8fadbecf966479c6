//! Calls of the SDK by the messages of the services.

use std::time::Duration;

use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiyao_client::messages::attendance::ListUnitsRequest;
use jiyao_client::messages::journal::FollowRequest;
use jiyao_client::messages::operations::GetStatusRequest;
use jiyao_client::messages::records::{
    CreateOrganRequest, GetMinutesRequest, GetMinutesTextRequest, GetOrganRequest, ImportMinutesRequest,
    ListOrgansRequest, Organ, Source, UpdateOrganRequest, WatchMinutesRequest, source,
};
use jiyao_client::{ErrorKind, Lang, Service};
use jiyao_fault::Reason;
use jiyao_testkit::{Local, SAMPLE};
use tempfile::TempDir;
use uuid::Uuid;

#[tokio::test]
async fn any_method_is_called_by_its_message() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    let organ = Organ { display_name: "临岚市人民政府".to_owned(), ..Default::default() };
    let create =
        CreateOrganRequest { organ_id: "linlan".to_owned(), organ: Some(organ), ..Default::default() };
    let id = Uuid::now_v7().to_string();
    let made = client.call(create.clone()).request_id(&id).await?;
    // The same id is the same call; without one it is another, which finds the organ there.
    assert_eq!(client.call(create.clone()).request_id(&id).await?, made);
    let again = client.call(create.clone()).lang(Lang::Zh).await.unwrap_err();
    assert_eq!((again.reason(), again.kind()), (Some(Reason::OrganExists), ErrorKind::Refused));
    assert!(again.to_string().starts_with("CreateOrgan at http://"), "{again}");
    assert!(again.message().contains('。') || again.message().contains('：'), "{again}");
    let other = Organ { display_name: "临岚市委".to_owned(), ..Default::default() };
    let other = CreateOrganRequest { organ: Some(other), ..create };
    let reused = client.call(other).request_id(&id).await.unwrap_err();
    assert_eq!(reused.reason(), Some(Reason::RequestIdReused));
    // The message comes back whole: nothing of it is left out on the way.
    let import = ImportMinutesRequest {
        parent: "organs/linlan".to_owned(),
        source: Some(Source { from: Some(source::From::Text(SAMPLE.to_owned())) }),
        ..Default::default()
    };
    let imported = client.call(import).within(Duration::from_secs(60)).await?;
    let minutes = imported.minutes.clone().unwrap_or_default();
    let read = GetMinutesRequest {
        name: minutes.name.clone(),
        read_after: imported.position.clone(),
        ..Default::default()
    };
    assert_eq!(client.call(read).await?.minutes, imported.minutes);
    assert!(minutes.facts.is_some_and(|facts| !facts.items.is_empty()));
    assert_eq!(client.call(ListOrgansRequest::default()).await?.organs, [made.organ.unwrap_or_default()]);
    // Each service is operated: which one is said.
    for service in Service::ALL {
        assert_eq!(
            client.call_at(service, GetStatusRequest {}).await?.service,
            format!("jiyao-{}", service.as_str())
        );
    }
    services.stop().await?;
    // A service that does not answer is asked again for as long as the call may take.
    let late =
        client.call(ListOrgansRequest::default()).within(Duration::from_millis(200)).await.unwrap_err();
    assert!(late.is_unavailable(), "{late}");
    Ok(())
}

/// An organ gets another name: what it gives up is free, what another has is not, and who looked at an older state is told.
#[tokio::test]
async fn an_organ_changes_what_it_is_called() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    let organ = |display_name: &str, aliases: &[&str]| {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        Organ { display_name: display_name.to_owned(), aliases, ..Default::default() }
    };
    let create = |id: &str, organ| CreateOrganRequest {
        organ_id: id.to_owned(),
        organ: Some(organ),
        ..Default::default()
    };
    let made = client
        .call(create("linlan", organ("临岚市人民政府", &["临岚市政府"])))
        .await?
        .organ
        .unwrap_or_default();
    client.call(create("yunxi", organ("云溪市人民政府", &[]))).await?;
    let update = |organ, etag| UpdateOrganRequest {
        name: "organs/linlan".to_owned(),
        organ: Some(organ),
        etag,
        ..Default::default()
    };
    let reason = |refused: jiyao_client::Error| (refused.reason(), refused.fields().to_vec());
    let taken = client.call(update(organ("临岚市人民政府", &["云溪市人民政府"]), 0)).await.unwrap_err();
    assert_eq!(reason(taken), (Some(Reason::OrganExists), vec!["organ.aliases[0]".to_owned()]));
    let id = Uuid::now_v7().to_string();
    let renamed = update(organ("临岚区人民政府", &["临岚区政府", "临岚市政府"]), made.version);
    let after = client.call(renamed.clone()).request_id(&id).await?;
    let now = after.organ.clone().unwrap_or_default();
    assert_eq!((now.version, now.display_name.as_str()), (made.version + 1, "临岚区人民政府"));
    assert_eq!((now.create_time, now.time_zone), (made.create_time, "Asia/Shanghai".to_owned()));
    assert_eq!(client.call(renamed.clone()).request_id(&id).await?, after, "a repeat has the first answer");
    let stale = client.call(renamed).await.unwrap_err();
    assert_eq!(reason(stale), (Some(Reason::EtagStale), vec!["etag".to_owned()]));
    let get = GetOrganRequest { name: "organs/linlan".to_owned(), read_after: after.position };
    assert_eq!(client.call(get).await?.organ, after.organ);
    let called = async |name: &str| {
        let request = ListOrgansRequest { called: name.to_owned(), ..Default::default() };
        client.call(request).await.map(|answer| answer.organs.len())
    };
    assert_eq!((called("临岚市人民政府").await?, called("临岚市政府").await?), (0, 1));
    assert!(client.call(create("linlan-2", organ("临岚市人民政府", &[]))).await.is_ok(), "the name is free");
    let missing = UpdateOrganRequest { name: "organs/nobody".to_owned(), ..update(organ("无", &[]), 0) };
    assert_eq!(client.call(missing).await.unwrap_err().reason(), Some(Reason::OrganNotFound));
    let empty = client.call(UpdateOrganRequest::default()).await.unwrap_err();
    assert_eq!(reason(empty), (Some(Reason::FieldRequired), vec!["name".to_owned(), "organ".to_owned()]));
    services.stop().await
}

/// Each method but the one that takes pieces is called by its message; the generated code counts them.
#[test]
fn no_method_is_missing() {
    let code = include_str!("../crates/jiyao-proto/src/generated/calls.rs");
    let of = |kind: &str| code.matches(&format!("\nimpl {kind} for ")).count();
    assert_eq!(of("Call") + of("Watch") + 1, jiyao_proto::METHODS.len());
    let streams = ["WatchMinutes", "WatchMatters", "WatchRolls", "WatchInbox", "WatchDeliveries", "Follow"];
    assert_eq!(of("Resumes"), streams.len());
    for stream in streams {
        assert!(code.contains(&format!("::{stream}Request {{\n    fn after")), "{stream} resumes");
    }
}

/// A list comes page by page, a stream goes on where it was, a large file goes up first.
#[tokio::test]
async fn lists_streams_and_uploads_are_called_too() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    for n in 0..7 {
        client.create_organ(Some(&format!("o-{n}")), &format!("第{n}市人民政府"), &[]).await?;
    }
    let list = ListOrgansRequest { page_size: 3, ..Default::default() };
    let pages: Vec<_> = client.pages(list).try_collect().await?;
    assert_eq!(pages.iter().map(|page| page.organs.len()).collect::<Vec<_>>(), [3, 3, 1]);
    let names: Vec<_> = pages.iter().flat_map(|page| &page.organs).map(|organ| organ.name.clone()).collect();
    assert_eq!(names, (0..7).map(|n| format!("organs/o-{n}")).collect::<Vec<_>>());
    // A token is of its query and its service, and nobody can make one.
    let token = &pages[0].next_page_token;
    let (mut forged, of_units) =
        (token.clone(), ListUnitsRequest { parent: "organs/o-1".to_owned(), ..Default::default() });
    let other = if forged.ends_with('A') { "B" } else { "A" };
    forged.replace_range(20..21, if &forged[20..21] == other { "C" } else { other });
    for (page_token, called) in
        [("x", ""), ("AAAA", ""), (forged.as_str(), ""), (token.as_str(), "第1市人民政府")]
    {
        let (page_token, called) = (page_token.to_owned(), called.to_owned());
        let wrong = ListOrgansRequest { page_token, called, ..Default::default() };
        let refused: Result<Vec<_>, _> = client.pages(wrong).try_collect().await;
        assert_eq!(refused.unwrap_err().reason(), Some(Reason::PageTokenInvalid));
    }
    let foreign = client.call(ListUnitsRequest { page_token: token.clone(), ..of_units }).await.unwrap_err();
    assert_eq!(
        (foreign.reason(), foreign.fields()),
        (Some(Reason::PageTokenInvalid), &["page_token".to_owned()][..])
    );
    // Blanks behind the text make it too large for a message.
    let large = SAMPLE.to_owned() + &"\n".repeat(900 << 10);
    let uploaded = client.upload_source(large.as_bytes()).await?;
    let import = |source| ImportMinutesRequest {
        parent: "organs/o-1".to_owned(),
        source: Some(Source { from: Some(source) }),
        ..Default::default()
    };
    let first = client.call(import(source::From::Uploaded(uploaded))).await?.minutes.unwrap_or_default();
    let watch = WatchMinutesRequest { parent: "organs/-".to_owned(), ..Default::default() };
    let mut watching = client.watch(watch.clone());
    let seen = loop {
        let answer = watching.next().await?;
        if let [change] = answer.changes.as_slice() {
            break (change.minutes.clone().unwrap_or_default().name, answer.through);
        }
    };
    assert_eq!(seen.0, first.name);
    // Another one goes on from there: the first is not told again.
    let other = SAMPLE.replace("〔2025〕9号", "〔2025〕10号").replace("第42次", "第43次");
    let second = client.call(import(source::From::Text(other))).await?.minutes.unwrap_or_default();
    let later = client.watch(WatchMinutesRequest { after: seen.1, ..watch }).into_stream();
    let told = later.try_filter_map(async |answer| Ok(answer.changes.into_iter().next()));
    let told = Box::pin(told).next().await.transpose()?.and_then(|change| change.minutes);
    assert_eq!(told.unwrap_or_default().name, second.name);
    // A text comes in pieces and ends.
    let text = GetMinutesTextRequest { name: first.name.clone(), extracted: false };
    let pieces: Vec<_> = client.stream_at(Service::Records, text.clone()).await?.try_collect().await?;
    assert_eq!(pieces.iter().map(|piece| piece.chunk.len()).sum::<usize>(), large.len());
    let nobody = GetMinutesTextRequest { name: first.name.replace("o-1", "o-2"), ..text };
    let refused = match client.stream_at(Service::Records, nobody).await {
        Ok(pieces) => pieces.try_collect::<Vec<_>>().await.unwrap_err(),
        Err(refused) => refused,
    };
    assert_eq!(refused.reason(), Some(Reason::MinutesNotFound));
    // A watch that was refused is refused again, and does not end the program.
    let foreign = jiyao_client::Position::parse(&format!("{}@1:{}", Uuid::new_v4(), "0".repeat(64)));
    let mut refused = client.watch_minutes("organs/-", foreign);
    for _ in 0..3 {
        assert_eq!(refused.next().await.unwrap_err().reason(), Some(Reason::CursorForeign));
    }
    let mut journal = client.watch_at(Service::Records, FollowRequest::default());
    assert!(!journal.next().await?.events.is_empty());
    services.stop().await
}
