//! What is refused: with a reason, the field, and nothing written.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use jiyao_client::{Client, Error, Import, ListMinutes, Position};
use jiyao_fault::Reason;
use jiyao_proto::client::journal::v1::journal_service_client::JournalServiceClient;
use jiyao_proto::client::records::v1::lifecycle_service_client::LifecycleServiceClient;
use jiyao_proto::client::records::v1::records_service_client::RecordsServiceClient;
use jiyao_proto::journal::v1::GetHeadRequest;
use jiyao_proto::records::v1::{self as api, CreateOrganRequest, GetMinutesRequest};
use jiyao_proto::records::v1::{
    ImportMinutesRequest, ListMinutesRequest, Organ, ReadMinutesRequest, Source, UploadSourceRequest, source,
};
use jiyao_testkit::{Dice, FullDisk, Local, SAMPLE, may_mount, numbered, skip};
use tempfile::TempDir;
use tonic::transport::Channel;
use uuid::Uuid;

struct Bench {
    services: Local,
    client: Client,
    _folder: TempDir,
}

impl Bench {
    async fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        let services = Local::start(folder.path()).await?;
        let client = services.client()?;
        client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
        Ok(Self { services, client, _folder: folder })
    }

    async fn channel(&self) -> Result<Channel> {
        Ok(Channel::from_shared(format!("http://{}", self.services.records))?.connect().await?)
    }

    async fn head(&self) -> Result<u64> {
        let head = JournalServiceClient::new(self.channel().await?).get_head(GetHeadRequest {}).await?;
        Ok(head.into_inner().head.unwrap().sequence)
    }

    async fn import(&self, bytes: &[u8]) -> Result<jiyao_client::Imported, Error> {
        self.client.import_minutes(Import::new("organs/linlan", bytes.to_vec())).await
    }
}

fn said<T: std::fmt::Debug>(result: Result<T, Error>) -> (Option<Reason>, Vec<String>) {
    let error = result.unwrap_err();
    assert!(!error.message().is_empty(), "{error}");
    (error.reason(), error.fields().to_vec())
}

fn refusal(reason: Reason, field: &str) -> (Option<Reason>, Vec<String>) {
    (Some(reason), vec![field.to_owned()])
}

fn of_status(status: &tonic::Status) -> (Option<Reason>, Vec<String>) {
    let received = jiyao_wire::from_status(status);
    (received.reason, received.fields)
}

#[tokio::test]
async fn sources_that_are_no_minutes() -> Result<()> {
    let bench = Bench::new().await?;
    let before = bench.head().await?;
    assert_eq!(said(bench.import(b"").await), refusal(Reason::SourceEmpty, "source.content"));
    assert_eq!(said(bench.import(" \n　".as_bytes()).await), refusal(Reason::SourceEmpty, "source.content"));
    let undecodable = bench.import(b"\xff\xfe\x00\x01").await.unwrap_err();
    assert_eq!(undecodable.reason(), Some(Reason::SourceUndecodable));
    assert_eq!(undecodable.metadata()["offset"], "0");
    assert_eq!(
        said(bench.import("今天天气很好。".as_bytes()).await),
        refusal(Reason::NoFactFound, "source.content")
    );
    assert_eq!(
        said(bench.client.read_minutes(b"hello".to_vec()).await),
        refusal(Reason::NoFactFound, "source.content")
    );
    // A text over the limit, but within that of uploads.
    let long = "长".repeat(400_000);
    assert_eq!(said(bench.import(long.as_bytes()).await), refusal(Reason::SourceTooLarge, "source.uploaded"));
    // A file of 50 MB.
    let huge = vec![b'a'; 50 << 20];
    let refused = bench.import(&huge).await.unwrap_err();
    assert_eq!(
        (refused.reason(), refused.fields()),
        (Some(Reason::SourceTooLarge), &["chunk".to_owned()][..])
    );
    assert_eq!(refused.metadata()["limit"], (32 << 20).to_string());
    let kept = Import {
        keep_anyway: true,
        ..Import::new("organs/linlan", "今天天气很好。".as_bytes().to_vec())
    };
    assert_eq!(bench.head().await?, before, "nothing was written for any of them");
    assert!(bench.client.import_minutes(kept).await.is_ok());
    bench.services.stop().await
}

#[tokio::test]
async fn the_same_minutes_twice() -> Result<()> {
    let bench = Bench::new().await?;
    let first = bench.import(SAMPLE.as_bytes()).await?;
    let head = bench.head().await?;
    let again = bench.import(SAMPLE.as_bytes()).await?;
    assert_eq!((again.already_recorded, &again.minutes), (true, &first.minutes));
    assert_eq!(bench.head().await?, head, "the same bytes are the same record");

    let changed = SAMPLE.replace("不搞大拆大建", "不搞大拆大改");
    let refused = bench.import(changed.as_bytes()).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::IdentityTaken));
    assert_eq!(refused.metadata()["existing"], first.minutes.name);
    assert_ne!(refused.metadata()["digest"], refused.metadata()["existing_digest"]);
    assert_eq!(bench.head().await?, head);

    let import = Import::new("organs/linlan", changed.into_bytes());
    let nowhere = Some("organs/linlan/minutes/018f2f6e-7c1c-7aaa-8bbb-0123456789ab".to_owned());
    let missing = Import { corrects: nowhere, ..import.clone() };
    assert_eq!(
        said(bench.client.import_minutes(missing).await),
        refusal(Reason::MinutesNotFound, "corrects")
    );
    let other = bench.import(numbered(7).as_bytes()).await?;
    let wrong = Import { rendition_of: Some(other.minutes.name), ..import.clone() };
    assert_eq!(said(bench.client.import_minutes(wrong).await), refusal(Reason::FieldInvalid, "rendition_of"));
    let right = Import { corrects: Some(first.minutes.name.clone()), ..import };
    let corrected = bench.client.import_minutes(right).await?;
    assert_ne!(corrected.minutes.name, first.minutes.name);
    bench.services.stop().await
}

#[tokio::test]
async fn names_that_are_none_or_of_nothing() -> Result<()> {
    let bench = Bench::new().await?;
    let import = |organ: &str| bench.client.import_minutes(Import::new(organ, SAMPLE.as_bytes().to_vec()));
    assert_eq!(said(import("organs/nobody").await), refusal(Reason::OrganNotFound, "parent"));
    assert_eq!(said(import("").await), refusal(Reason::FieldRequired, "parent"));
    assert_eq!(said(import("organs/-").await), refusal(Reason::FieldInvalid, "parent"));
    let nowhere = "organs/linlan/minutes/018f2f6e-7c1c-7aaa-8bbb-0123456789ab";
    assert_eq!(said(bench.client.minutes(nowhere, None).await), refusal(Reason::MinutesNotFound, "name"));
    assert_eq!(said(bench.client.minutes_text(nowhere).await), refusal(Reason::MinutesNotFound, "name"));
    assert_eq!(said(bench.client.minutes("minutes/1", None).await), refusal(Reason::FieldInvalid, "name"));
    assert_eq!(said(bench.client.roll(nowhere, None).await), refusal(Reason::NotStated, "name"));
    assert_eq!(said(bench.client.distribution_list(nowhere, None).await), refusal(Reason::NotStated, "name"));
    assert_eq!(said(bench.client.roll("organs/x", None).await), refusal(Reason::FieldInvalid, "name"));
    let list = |parent: &str| bench.client.list_minutes(ListMinutes::of(parent));
    assert_eq!(said(list("organs/nobody").await), refusal(Reason::OrganNotFound, "parent"));
    let create = |id, name, aliases| bench.client.create_organ(id, name, aliases);
    assert_eq!(said(create(Some("linlan"), "别的", &[]).await), refusal(Reason::OrganExists, "organ_id"));
    assert_eq!(
        said(create(None, "临岚市人民政府", &[]).await),
        refusal(Reason::OrganExists, "organ.display_name")
    );
    assert_eq!(
        said(create(None, "新", &["临岚市人民政府"]).await),
        refusal(Reason::OrganExists, "organ.aliases[0]")
    );
    assert_eq!(said(create(Some("A"), "新", &[]).await), refusal(Reason::FieldInvalid, "organ_id"));
    assert_eq!(said(create(None, "", &[]).await), refusal(Reason::FieldRequired, "organ.display_name"));
    assert_eq!(
        said(create(None, "甲\u{202e}\n乙", &[]).await),
        refusal(Reason::FieldInvalid, "organ.display_name")
    );
    let mut records = RecordsServiceClient::new(bench.channel().await?);
    let zone =
        Organ { display_name: "新".to_owned(), time_zone: "Mars/Base".to_owned(), ..Organ::default() };
    let request = CreateOrganRequest { organ: Some(zone), ..CreateOrganRequest::default() };
    let status = records.create_organ(request).await.unwrap_err();
    assert_eq!(of_status(&status), refusal(Reason::FieldInvalid, "organ.time_zone"));
    let uploaded = |name: &str| ReadMinutesRequest {
        source: Some(Source { from: Some(source::From::Uploaded(name.to_owned())) }),
    };
    let missing = records.read_minutes(uploaded(&format!("sources/{}", "00".repeat(32)))).await.unwrap_err();
    assert_eq!(of_status(&missing), refusal(Reason::SourceNotFound, "source.uploaded"));
    let status = records.read_minutes(uploaded("sources/../../etc/passwd")).await.unwrap_err();
    assert_eq!(of_status(&status), refusal(Reason::FieldInvalid, "source.uploaded"));
    let status = records.read_minutes(ReadMinutesRequest { source: None }).await.unwrap_err();
    assert_eq!(of_status(&status), refusal(Reason::FieldRequired, "source"));
    let empty = tokio_stream::iter([UploadSourceRequest { chunk: Vec::new() }]);
    let status = records.upload_source(empty).await.unwrap_err();
    assert_eq!(of_status(&status), refusal(Reason::SourceEmpty, "chunk"));
    bench.services.stop().await
}

#[tokio::test]
async fn pages_dates_and_sizes_of_another_form() -> Result<()> {
    let bench = Bench::new().await?;
    for n in 0..3 {
        bench.import(numbered(n).as_bytes()).await?;
    }
    let mut records = RecordsServiceClient::new(bench.channel().await?);
    let list =
        ListMinutesRequest { parent: "organs/-".to_owned(), page_size: 1, ..ListMinutesRequest::default() };
    let token = records.list_minutes(list.clone()).await?.into_inner().next_page_token;
    let asked = [
        (
            ListMinutesRequest { page_token: token.clone(), year: 2026, ..list.clone() },
            Reason::PageTokenInvalid,
            "page_token",
        ),
        (
            ListMinutesRequest { page_token: "rubbish!".to_owned(), ..list.clone() },
            Reason::PageTokenInvalid,
            "page_token",
        ),
        (ListMinutesRequest { page_size: -1, ..list.clone() }, Reason::FieldInvalid, "page_size"),
        (
            ListMinutesRequest { date_from: "2026-02-30".to_owned(), ..list.clone() },
            Reason::FieldInvalid,
            "date_from",
        ),
        (ListMinutesRequest { date_to: "昨天".to_owned(), ..list.clone() }, Reason::FieldInvalid, "date_to"),
    ];
    for (request, reason, field) in asked {
        let status = records.list_minutes(request).await.unwrap_err();
        assert_eq!(of_status(&status), refusal(reason, field));
    }
    let right = ListMinutesRequest { page_token: token, ..list };
    assert_eq!(records.list_minutes(right).await?.into_inner().minutes.len(), 1);
    bench.services.stop().await
}

#[tokio::test]
async fn a_request_id_serves_one_request() -> Result<()> {
    let bench = Bench::new().await?;
    let id = Uuid::new_v4().to_string();
    let import = |n: usize| Import {
        request_id: Some(id.clone()),
        ..Import::new("organs/linlan", numbered(n).into_bytes())
    };
    let first = bench.client.import_minutes(import(1)).await?;
    let repeat = bench.client.import_minutes(import(1)).await?;
    assert_eq!(repeat, first, "a repeat gets the first answer");
    assert_eq!(
        said(bench.client.import_minutes(import(2)).await),
        refusal(Reason::RequestIdReused, "request_id")
    );
    let wrong = Import { request_id: Some("seven".to_owned()), ..import(3) };
    assert_eq!(said(bench.client.import_minutes(wrong).await), refusal(Reason::FieldInvalid, "request_id"));

    // 64 at once with one id: one effect.
    let id = Uuid::new_v4().to_string();
    let before = bench.head().await?;
    let twins: Vec<_> = (0..64)
        .map(|_| {
            let import = Import {
                request_id: Some(id.clone()),
                ..Import::new("organs/linlan", numbered(9).into_bytes())
            };
            let client = bench.client.clone();
            tokio::spawn(async move { client.import_minutes(import).await })
        })
        .collect();
    let mut names = std::collections::BTreeSet::new();
    for twin in twins {
        names.insert(twin.await??.minutes.name);
    }
    assert_eq!((names.len(), bench.head().await?), (1, before + 1));
    bench.services.stop().await
}

#[tokio::test]
async fn cursors_of_another_journal_or_of_a_future() -> Result<()> {
    let bench = Bench::new().await?;
    let position = bench.import(SAMPLE.as_bytes()).await?.position;
    let text = position.to_string();
    let foreign = Position::parse(&text.replace(&position.journal, &Uuid::new_v4().to_string())).unwrap();
    let read =
        bench.client.minutes("organs/linlan/minutes/018f2f6e-7c1c-7aaa-8bbb-0123456789ab", Some(&foreign));
    assert_eq!(said(read.await), refusal(Reason::CursorForeign, "read_after.journal"));
    let mut watch = bench.client.watch_minutes("organs/-", Some(foreign));
    assert_eq!(said(watch.next().await), refusal(Reason::CursorForeign, "after.journal"));
    let ahead = text.replace(&format!("@{}:", position.sequence), "@999:");
    let mut watch = bench.client.watch_minutes("organs/-", Position::parse(&ahead));
    assert_eq!(watch.next().await.unwrap_err().reason(), Some(Reason::JournalForked));
    let client = Client::builder()
        .records(format!("http://{}", bench.services.records))
        .timeout(Duration::from_secs(8))
        .build()?;
    let name = "organs/linlan/minutes/018f2f6e-7c1c-7aaa-8bbb-0123456789ab";
    let late = client.minutes(name, Position::parse(&ahead).as_ref()).await.unwrap_err();
    assert_eq!((late.reason(), late.metadata()["wanted"].as_str()), (Some(Reason::NotCaughtUp), "999"));
    let mut records = RecordsServiceClient::new(bench.channel().await?);
    let half = jiyao_proto::journal::v1::Cursor { journal: "x".to_owned(), sequence: 1, hash: vec![1] };
    let request = GetMinutesRequest { name: name.to_owned(), read_after: Some(half), ..Default::default() };
    let status = records.get_minutes(request).await.unwrap_err();
    let both = vec!["read_after.journal".to_owned(), "read_after.hash".to_owned()];
    assert_eq!(of_status(&status), (Some(Reason::FieldInvalid), both));
    let read_mask = Some(prost_types::FieldMask { paths: vec!["facts.nothing".to_owned()] });
    let request = GetMinutesRequest { name: name.to_owned(), read_mask, ..Default::default() };
    let status = records.get_minutes(request).await.unwrap_err();
    assert_eq!(of_status(&status), refusal(Reason::FieldInvalid, "read_mask.paths[0]"));
    bench.services.stop().await
}

/// A form that is wrong in many places is refused with all of them, and with what each must look like.
#[tokio::test]
async fn every_field_that_is_wrong_is_refused_at_once() -> Result<()> {
    use jiyao_client::messages::records::{CreateMatterRequest, Milestone, ReviewMinutesRequest};
    let bench = Bench::new().await?;
    let before = bench.head().await?;
    let request = CreateMatterRequest {
        minutes: "organs/linlan/minutes/七".to_owned(),
        content: "修缮".to_owned(),
        lead: " ".to_owned(),
        due: "2025年6月".to_owned(),
        milestones: vec![Milestone {
            what: "开工".to_owned(),
            due: "六月底".to_owned(),
            ..Default::default()
        }],
        next_act: 42,
        ..Default::default()
    };
    let wrong = bench.client.call(request.clone()).request_id("一").await.unwrap_err();
    let paths = ["minutes", "text", "lead", "due", "milestones[0].due", "next_act", "request_id"];
    assert_eq!((wrong.reason(), wrong.fields()), (Some(Reason::FieldInvalid), &paths.map(str::to_owned)[..]));
    for said in ["organs/{organ}/minutes/{minutes}", "YYYY-MM-DD", "text is empty", "lead is empty"] {
        assert!(wrong.message().contains(said), "{said} is not in {}", wrong.message());
    }
    let wrong = bench.client.call(request).lang(jiyao_client::Lang::Zh).await.unwrap_err();
    assert_eq!(wrong.message().lines().count(), 5, "{}", wrong.message());
    assert!(wrong.message().contains("YYYY-MM-DD"), "{}", wrong.message());
    // An answer that nobody knows is none, and one that was not given is not a no.
    let name = "organs/linlan/minutes/018f2f6e-7c1c-7aaa-8bbb-0123456789ab".to_owned();
    let review = |decision, mark| {
        let post = "秘书长".to_owned();
        ReviewMinutesRequest { name: name.clone(), post, decision, mark, ..Default::default() }
    };
    let unset = bench.client.call(review(0, 0)).await;
    assert_eq!(said(unset.map(drop)), refusal(Reason::FieldRequired, "decision"));
    let unknown = bench.client.call(review(7, -3)).await;
    let both = vec!["mark".to_owned(), "decision".to_owned()];
    assert_eq!(said(unknown.map(drop)), (Some(Reason::FieldInvalid), both));
    assert_eq!(bench.head().await?, before, "nothing was recorded");
    bench.services.stop().await
}

/// What is there and what is not are told apart: an organ, minutes, a revision of them.
#[tokio::test]
async fn a_text_is_handed_in_as_it_is_and_a_missing_revision_is_named() -> Result<()> {
    let bench = Bench::new().await?;
    let mut records = RecordsServiceClient::new(bench.channel().await?);
    let source = |from| Some(Source { from: Some(from) });
    let import =
        |source| ImportMinutesRequest { parent: "organs/linlan".to_owned(), source, ..Default::default() };
    let of_text = import(source(source::From::Text(SAMPLE.to_owned())));
    let made = records.import_minutes(of_text).await?.into_inner().minutes.unwrap_or_default();
    assert_eq!(bench.client.minutes_text(&made.name).await?, SAMPLE.as_bytes(), "byte for byte");
    // The same bytes are the same minutes.
    let of_bytes = import(source(source::From::Content(SAMPLE.into())));
    assert!(records.import_minutes(of_bytes).await?.into_inner().already_recorded);
    let nothing = import(source(source::From::Text(String::new())));
    let refused = records.import_minutes(nothing).await.unwrap_err();
    assert_eq!(of_status(&refused), refusal(Reason::SourceEmpty, "source.text"));

    let revision = |revision| GetMinutesRequest { name: made.name.clone(), revision, ..Default::default() };
    assert!(records.get_minutes(revision(1)).await.is_ok());
    let missing = records.get_minutes(revision(99)).await.unwrap_err();
    assert_eq!(of_status(&missing), refusal(Reason::RevisionNotFound, "revision"));
    let told = jiyao_wire::from_status(&missing);
    assert_eq!((told.metadata["revision"].as_str(), told.metadata["newest"].as_str()), ("99", "1"));
    let side = |revision| {
        let of = api::RevisionName { name: made.name.clone(), revision };
        Some(api::Side { of: Some(api::side::Of::Revision(of)) })
    };
    let compare = api::CompareVersionsRequest { before: side(1), after: side(7) };
    let mut life = LifecycleServiceClient::new(bench.channel().await?);
    let missing = life.compare_versions(compare).await.unwrap_err();
    assert_eq!(jiyao_wire::from_status(&missing).reason, Some(Reason::RevisionNotFound), "{missing}");

    assert_eq!(bench.client.organ("organs/linlan").await?.name, "organs/linlan");
    let missing = bench.client.organ("organs/nowhere").await;
    assert_eq!(said(missing), refusal(Reason::OrganNotFound, "name"));
    assert_eq!(said(bench.client.organ("linlan").await), refusal(Reason::FieldInvalid, "name"));
    bench.services.stop().await
}

#[tokio::test]
async fn messages_over_the_limit_are_refused_and_the_service_goes_on() -> Result<()> {
    let bench = Bench::new().await?;
    let mut records = RecordsServiceClient::new(bench.channel().await?);
    let source = Some(Source { from: Some(source::From::Content(vec![b'a'; 2 << 20])) });
    let request = ImportMinutesRequest { parent: "organs/linlan".to_owned(), source, ..Default::default() };
    let status = records.import_minutes(request).await.unwrap_err();
    assert_eq!(of_status(&status), (Some(Reason::MessageTooLarge), Vec::new()), "{status}");
    assert!(status.message().contains("UploadSource"), "{status}");
    let chunk = tokio_stream::iter([UploadSourceRequest { chunk: vec![b'a'; 100 << 10] }]);
    let status = records.upload_source(chunk).await.unwrap_err();
    assert_eq!(of_status(&status), refusal(Reason::SourceTooLarge, "chunk"));
    bench.import(SAMPLE.as_bytes()).await?;
    bench.services.stop().await
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_comes_back() -> Result<()> {
    if let Err(why) = may_mount() {
        skip("a full disk", &format!("{why:#}"));
        return Ok(());
    }
    let folder = TempDir::new()?;
    let disk = FullDisk::new(folder.path(), 96)?;
    let services = Local::start_with(folder.path(), |config| config.serve.reserve_mb = 8).await?;
    let client = services.client()?;
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    let first = client.import_minutes(Import::new(&organ, numbered(0).into_bytes())).await?;

    // Something else fills the disk.
    let ballast = disk.fill()?;
    let refused = client.import_minutes(Import::new(&organ, numbered(1).into_bytes())).await.unwrap_err();
    assert_eq!(
        (refused.reason(), refused.kind()),
        (Some(Reason::DiskFull), jiyao_client::ErrorKind::Exhausted)
    );
    let upload = client.read_minutes(vec![b'a'; 700 << 10]).await.unwrap_err();
    assert_eq!(upload.reason(), Some(Reason::DiskFull));
    assert_eq!(client.minutes_text(&first.minutes.name).await?, numbered(0).as_bytes(), "reads go on");
    assert_eq!(client.list_minutes(ListMinutes::of(&organ)).await?.entries.len(), 1);

    fs_err::remove_file(&ballast)?;
    for n in 1..5 {
        client.import_minutes(Import::new(&organ, numbered(n).into_bytes())).await?;
    }
    assert_eq!(client.list_minutes(ListMinutes::of(&organ)).await?.entries.len(), 5, "without a restart");
    services.stop().await?;
    let again = Local::start_with(folder.path(), |config| config.serve.reserve_mb = 1).await?;
    assert_eq!(again.client()?.list_minutes(ListMinutes::of(&organ)).await?.entries.len(), 5);
    again.stop().await
}

#[tokio::test]
async fn a_damaged_record_is_said_to_be_one_and_never_served() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    let name =
        client.import_minutes(Import::new("organs/linlan", SAMPLE.as_bytes().to_vec())).await?.minutes.name;
    let segment = folder.path().join("records/journal/00000000000000000001.segment");
    let mut bytes = fs_err::read(&segment)?;
    let words = "不搞大拆大建".as_bytes();
    let at = bytes.windows(words.len()).position(|window| window == words).unwrap();
    bytes[at] ^= 1;
    // In place, as a disk does it: the service has the file open.
    fs_err::OpenOptions::new().write(true).open(&segment)?.write_all(&bytes)?;
    let refused = client.minutes_text(&name).await.unwrap_err();
    assert_eq!(
        (refused.reason(), refused.metadata()["sequence"].as_str()),
        (Some(Reason::RecordDamaged), "2")
    );
    assert!(client.minutes(&name, None).await.is_ok(), "the view still answers");
    services.stop().await
}

#[tokio::test]
async fn calls_over_the_limit_are_shed() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start_with(folder.path(), |config| config.serve.calls = 2).await?;
    let client = services.client()?;
    let position = {
        let mut watch = client.watch_minutes("organs/-", None);
        watch.next().await?.position
    };
    let ahead = Position::parse(&position.to_string().replace("@0:", "@9:")).unwrap();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let (client, ahead) = (client.clone(), ahead.clone());
            let list = ListMinutes { read_after: Some(ahead), ..ListMinutes::of("organs/-") };
            tokio::spawn(async move { client.list_minutes(list).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let shed = client.list_minutes(ListMinutes::of("organs/-")).await.unwrap_err();
    assert_eq!((shed.reason(), shed.kind()), (Some(Reason::Busy), jiyao_client::ErrorKind::Exhausted));
    for call in waiting {
        assert_eq!(call.await?.unwrap_err().reason(), Some(Reason::NotCaughtUp));
    }
    assert!(client.list_minutes(ListMinutes::of("organs/-")).await.is_ok());
    services.stop().await
}

/// A caller that gives up leaves nothing half done, and finds out what was done by its request_id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_was_done_whole_or_not_at_all() -> Result<()> {
    let bench = Bench::new().await?;
    let before = bench.head().await?;
    let mut records = RecordsServiceClient::new(bench.channel().await?);
    let (mut dice, mut done) = (Dice::new("given up"), 0);
    const CALLS: u64 = 60;
    for n in 0..CALLS {
        let request = ImportMinutesRequest {
            parent: "organs/linlan".to_owned(),
            source: Some(Source { from: Some(source::From::Content(numbered(n as usize).into_bytes())) }),
            request_id: Uuid::new_v4().to_string(),
            ..ImportMinutesRequest::default()
        };
        let head = bench.head().await?;
        let given_up =
            tokio::time::timeout(dice.milliseconds(0, 25), records.import_minutes(request.clone()));
        let is_answered = given_up.await.is_ok();
        let answer = records.import_minutes(request).await?.into_inner();
        assert!(!answer.already_recorded, "{n}: a repeat gets the first answer");
        assert_eq!(bench.head().await?, head + 1, "{n}: once");
        done += u64::from(is_answered);
    }
    assert!(done < CALLS, "some were given up");
    assert_eq!(bench.head().await?, before + CALLS);
    bench.services.stop().await
}
