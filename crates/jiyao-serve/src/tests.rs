use std::collections::BTreeMap;

use jiyao_fault::Reason;
use jiyao_ledger::{Context, Decided, Domain, Erasing, Ledger, Overlay, Places};
use jiyao_proto::client::journal::v1::journal_service_client::JournalServiceClient;
use jiyao_proto::journal::v1::event::Kind;
use jiyao_proto::journal::v1::{GetHeadRequest, OrganCreated};
use jiyao_proto::server::journal::v1::journal_service_server::JournalServiceServer;
use jiyao_proto::stored::v1::{ErasedRecord, Erasure, Event, Record};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::config::ServeConfig;
use crate::follower::{Absorb as _, Link, Setback, Source};
use crate::journal_service::JournalApi;
use crate::operations::verify;
use crate::server::{Late, Parts, Server};
use crate::takeover::{Intake, Takeover, fetch_minutes, unknown_kind};

/// A domain in which nothing happens.
struct Nothing;

impl Domain for Nothing {
    type Command = ();
    const PROJECTION: u32 = 1;

    fn decide(&self, _: &Overlay<'_>, (): &(), _: &mut Context<'_>) -> jiyao_fault::Result<Decided> {
        Ok(Decided::default())
    }

    fn apply(&self, _: &mut Overlay<'_>, _: &Event, _: u64) -> jiyao_fault::Result<()> {
        Ok(())
    }

    fn public(&self, _: &Event) -> jiyao_fault::Result<Vec<Kind>> {
        Ok(Vec::new())
    }

    fn may_erase(&self, _: &Overlay<'_>, _: &str) -> jiyao_fault::Result<()> {
        Ok(())
    }

    fn erased(&self, _: &Event, _: &mut Erasing) -> jiyao_fault::Result<Option<Vec<Event>>> {
        Ok(None)
    }
}

async fn parts(folder: &tempfile::TempDir, stop: &CancellationToken) -> Parts {
    let config = ServeConfig {
        listen: "127.0.0.1:0".to_owned(),
        data_dir: folder.path().join("data").display().to_string(),
        ..ServeConfig::default()
    };
    Parts {
        name: "jiyao-test",
        config,
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        stop: stop.clone(),
    }
}

#[tokio::test]
async fn health_is_not_serving_and_calls_are_told_so_until_the_start_has_ended() {
    let (folder, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
    let parts = parts(&folder, &stop).await;
    let address = parts.listener.local_addr().unwrap();
    let journal = JournalApi::<Nothing>::new(Late::default(), stop.clone());
    let server = Server::new(parts).unwrap().with(JournalServiceServer::new(journal));
    let (release, released) = oneshot::channel::<()>();
    let start = async move |_| {
        released.await.unwrap();
        Ok(())
    };
    let (tell, told) = oneshot::channel();
    let serving = tokio::spawn(server.run(start, |address| tell.send(address).unwrap()));

    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel.clone());
    let mut status = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        health.check(request).await.unwrap().into_inner().status()
    };
    for service in ["", "jiyao.journal.v1.JournalService"] {
        assert_eq!(status(service).await, ServingStatus::NotServing);
    }
    let early = JournalServiceClient::new(channel).get_head(GetHeadRequest {}).await.unwrap_err();
    assert_eq!(jiyao_wire::from_status(&early).reason, Some(Reason::Starting));
    release.send(()).unwrap();
    assert_eq!(told.await.unwrap(), address);
    for service in ["", "jiyao.journal.v1.JournalService"] {
        assert_eq!(status(service).await, ServingStatus::Serving);
    }
    drop(health);
    stop.cancel();
    serving.await.unwrap().unwrap();
}

/// The record of an erasure stands behind the head that was to be verified: what it took is no damage.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_while_a_journal_is_verified_is_not_found_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let options = jiyao_journal::Options { segment_size: 1 << 20, reserve: 0 };
    let mut journal = jiyao_journal::Journal::open(folder.path(), options).unwrap().journal;
    let entry = |payload| jiyao_journal::Entry { time_ms: 7, payload };
    for _ in 0..30 {
        journal.append(&[entry(vec![0; 100])]).unwrap();
    }
    let (send, mut reports) = tokio::sync::mpsc::channel(1);
    let log = journal.log();
    let verifying = tokio::task::spawn_blocking(move || verify(&log, &send).unwrap());
    // It has begun, and waits until its reports are taken.
    assert_eq!(reports.recv().await.unwrap().unwrap().records, 4);
    let taken = ErasedRecord { sequence: 25, remains: Sha256::digest(b"").to_vec() };
    let erasure = Erasure { records: vec![taken], ..Erasure::default() };
    let carried_out =
        Event { r#type: "erasure.carried_out".to_owned(), version: 1, body: erasure.encode_to_vec() };
    let record = Record { events: vec![carried_out], ..Record::default() };
    journal.append(&[entry(record.encode_to_vec())]).unwrap();
    journal.erase(&BTreeMap::from([(25, Vec::new())])).unwrap();
    let mut last = None;
    while let Some(report) = reports.recv().await {
        last = Some(report.unwrap());
    }
    verifying.await.unwrap();
    let last = last.unwrap();
    assert_eq!((last.records, last.erased, last.damaged), (30, 1, Vec::new()));
}

/// Takes over minutes, and does nothing with them.
struct Minutes;

impl Intake<Nothing> for Minutes {
    const SOURCE: &'static str = "records";
    const METHOD: &'static str = "follow";

    async fn commands(
        &self,
        link: &Link,
        events: Vec<jiyao_proto::journal::v1::Event>,
        _: jiyao_proto::journal::v1::Cursor,
    ) -> Result<Vec<()>, Setback> {
        for event in events {
            match &event.kind {
                Some(Kind::MinutesRecorded(recorded)) => {
                    fetch_minutes(link, event.sequence, recorded).await?;
                }
                Some(_) => {}
                None => return Err(unknown_kind(&event)),
            }
        }
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn an_event_that_is_not_known_stops_following_and_is_never_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let options = jiyao_journal::Options { segment_size: 1 << 20, reserve: 0 };
    let clock = jiyao_calendar::SystemClock;
    let ids = Box::new(|_| uuid::Uuid::nil());
    let ledger = Ledger::open(&Places::in_folder(folder.path()), options, Nothing, clock, ids).unwrap();
    let takeover = Takeover { ledger: ledger.clone(), intake: Minutes };
    let link = Source { url: "http://127.0.0.1:1".to_owned(), ca: None, token: None }.link().unwrap();
    let event = |kind| jiyao_proto::journal::v1::Event { sequence: 7, record_time: None, kind };
    let known = event(Some(Kind::OrganCreated(OrganCreated::default())));
    let through = ledger.head();
    assert!(takeover.absorb(&link, through, vec![known.clone()]).await.is_ok());
    let met = takeover.absorb(&link, through, vec![known, event(None)]).await.unwrap_err();
    assert!(
        matches!(&met, Setback::Lasting(fault) if jiyao_fault::chain(fault as &dyn std::error::Error).contains("event 7")),
        "{met:?}"
    );
    let recorded = event(Some(Kind::MinutesRecorded(jiyao_proto::journal::v1::MinutesRecorded::default())));
    let met = takeover.absorb(&link, through, vec![recorded]).await.unwrap_err();
    assert!(matches!(met, Setback::Passing(_)), "records is away: {met:?}");
}
