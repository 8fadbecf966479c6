//! Keeping the services: status, backups under load, restoring elsewhere, verification, holding services against each
//! other.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use jiyao_client::{
    Client, Difference, DisclosureClass, Import, LifeAct, ListMinutes, MeetingAct, NewMeeting, Service,
};
use jiyao_fault::Reason;
use jiyao_proto::client::journal::v1::journal_service_client::JournalServiceClient;
use jiyao_proto::client::records::v1::records_service_client::RecordsServiceClient;
use jiyao_proto::journal::v1::FollowRequest;
use jiyao_proto::records::v1::GetMinutesRequest;
use jiyao_testkit::{DIRECTORY, Local, Process, binary, hold_posts, numbered, spoil, until};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use tempfile::TempDir;
use tonic::{Request, Response, Status};

use crate::distribution::{House, draft, drafted, freeze, frozen, issue};
use crate::faults::{Kind, copy};

fn start(package: &str, listen: &str, folder: &Path, source: &str) -> Result<Process> {
    let folder = folder.display().to_string();
    let mut arguments =
        vec!["--listen", listen, "--data-dir", &folder, "--set", "log=error", "--set", "reserve_mb=1"];
    if !source.is_empty() {
        arguments.extend(["--set", source]);
    }
    Process::start(&binary(package, package, None)?, &arguments)
}

fn records_client(address: &str) -> Result<Client> {
    Ok(Client::builder().records(format!("http://{address}")).timeout(Duration::from_secs(5)).build()?)
}

async fn import(client: &Client, n: usize) -> Result<String> {
    let import = Import::new("organs/linlan", numbered(n).into_bytes());
    Ok(client.import_minutes(import).await?.minutes.name)
}

/// All texts that a records service has, by name.
async fn texts(client: &Client) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for summary in client.all_minutes(ListMinutes::of("organs/-")).await? {
        let text = client.minutes_text(&summary.name).await?;
        found.push((summary.name, text));
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_the_same_elsewhere() -> Result<()> {
    for kind in Kind::ALL {
        backed_up(kind).await?;
    }
    Ok(())
}

async fn backed_up(kind: Kind) -> Result<()> {
    const BEFORE: usize = 20;
    let folder = TempDir::new()?;
    let service = start(kind.package(), "127.0.0.1:0", &folder.path().join("here"), "")?;
    let client = kind.client(&service.address)?;
    kind.begin(&client).await?;
    let mut written = Vec::new();
    for n in 0..BEFORE {
        written.push(kind.write(&client, n).await?);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (writer, stopped) = (client.clone(), Arc::clone(&stop));
    let load = tokio::spawn(async move {
        while !stopped.load(Ordering::SeqCst) {
            written.push(kind.write(&writer, written.len()).await?);
        }
        anyhow::Ok(written)
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut archive = Vec::new();
    let position = client.backup(kind.service(), &mut archive).await?;
    // What comes after it is not in it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    stop.store(true, Ordering::SeqCst);
    let written = load.await??;
    let status = client.status(kind.service()).await?;
    assert!(
        !status.last_backup.is_empty() && status.last_backup_sequence > BEFORE as u64,
        "{kind:?}: {status:?}"
    );
    assert!(status.head > status.last_backup_sequence, "{kind:?}: there was load meanwhile");
    assert!(status.journal_bytes > 0 && status.free_bytes > status.reserve_bytes, "{status:?}");

    let elsewhere = folder.path().join("elsewhere");
    let manifest = jiyao_backup::restore(archive.as_slice(), &elsewhere)?;
    assert_eq!((manifest.service.as_str(), manifest.sequence), (kind.package(), status.last_backup_sequence));
    let restored = start(kind.package(), "127.0.0.1:0", &elsewhere, "")?;
    let other = kind.client(&restored.address)?;
    let there = other.status(kind.service()).await?;
    assert_eq!(there.position, position.to_string(), "{kind:?}: the same head, hash and all");
    let mut copied = 0;
    for (n, name) in written.iter().enumerate() {
        // One record each, in this order.
        let is_there = kind.is_as_written(&other, name, n).await;
        assert!(!is_there || copied == n, "{kind:?}: {n} is there, and one before it is not");
        copied += usize::from(is_there);
    }
    assert!(copied >= BEFORE && copied < written.len(), "{kind:?}: {copied} of {}", written.len());
    let besides = there.head as usize - copied;
    assert!(
        besides <= 1,
        "{kind:?}: but for an organ or a key all records are of what was written: {besides}"
    );
    let verified = other.verify_journal(kind.service(), |_| {}).await?;
    assert_eq!((verified.records, verified.damaged), (there.head, Vec::new()), "{kind:?}");
    kind.write(&other, 9999).await?;
    Ok(())
}

/// services/README.md, "To move a service to another host": the folders are copied, and every address is another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_move_to_another_host_go_on_where_they_were() -> Result<()> {
    let (here, there) = (TempDir::new()?, TempDir::new()?);
    let house = House::around(Local::start_joined(here.path(), |_| {}).await?, TempDir::new()?).await?;
    let (minutes, deliveries) = house.issued().await?;
    let before = texts(&house.client).await?;
    house.services.stop().await?;
    copy(here.path(), there.path())?;
    drop(here);

    let services = Local::start_joined(there.path(), |_| {}).await?;
    let client = services.client()?;
    assert_eq!(texts(&client).await?, before);
    assert_eq!(client.list_deliveries(&minutes, false, None).await?.entries.len(), deliveries.len());
    let another = client.import_minutes(Import::new("organs/linlan", numbered(1).into_bytes())).await?;
    assert_eq!(client.roll(&another.minutes.name, Some(&another.position)).await?.present, 8);
    until("agreement", async || Ok(client.reconcile("organs/-").await?.is_empty().then_some(()))).await?;
    for service in Service::ALL {
        let following = client.status(service).await?.following;
        assert!(following.iter().all(|one| one.stopped.is_empty()), "{following:?}");
    }
    services.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_backup_under_living_followers_is_caught() -> Result<()> {
    let folder = TempDir::new()?;
    let records = start("jiyao-records", "127.0.0.1:0", &folder.path().join("records"), "")?;
    let address = records.address.clone();
    let source = format!("records=http://{address}");
    let attendance = start("jiyao-attendance", "127.0.0.1:0", &folder.path().join("attendance"), &source)?;
    let distribution =
        start("jiyao-distribution", "127.0.0.1:0", &folder.path().join("distribution"), &source)?;
    let client = Client::builder()
        .records(format!("http://{address}"))
        .attendance(format!("http://{}", attendance.address))
        .distribution(format!("http://{}", distribution.address))
        .build()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    import(&client, 1).await?;
    let mut archive = Vec::new();
    client.backup(Service::Records, &mut archive).await?;
    import(&client, 2).await?;
    let followers = [Service::Attendance, Service::Distribution];
    for service in followers {
        let caught_up = async || {
            let following = client.status(service).await?.following;
            Ok(following.iter().any(|one| one.lag == 0 && one.through == 3).then_some(()))
        };
        until("the follower has all of it", caught_up).await?;
    }

    assert!(records.stop()?.success());
    let older = folder.path().join("older");
    jiyao_backup::restore(archive.as_slice(), &older)?;
    let restored = start("jiyao-records", &address, &older, "")?;
    // Another story begins where the backup ends.
    import(&client, 3).await?;
    for service in followers {
        let caught = async || {
            let following = client.status(service).await?.following;
            Ok(following.iter().any(|one| !one.stopped.is_empty()).then_some(()))
        };
        until("the follower stops", caught).await?;
    }
    // It still answers what it knows, and holding both against each other says what does not fit.
    let roll = client.list_rolls("organs/-", None).await?.entries;
    assert_eq!(roll.len(), 2);
    let found = client.reconcile("organs/-").await?;
    for service in ["attendance", "distribution"] {
        let says = |one: &Difference| one.name == service && one.what.contains("until an operator");
        assert!(found.iter().any(says), "{service} has stopped: {found:?}");
    }
    drop(restored);
    Ok(())
}

/// Records waits for nothing that never comes: it says that distribution went back, not that a scope is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issue_that_waits_for_an_older_copy_of_distribution_names_the_fork() -> Result<()> {
    let folder = TempDir::new()?;
    let free = || std::net::TcpListener::bind("127.0.0.1:0")?.local_addr();
    let [records, attendance, distribution] = [free()?, free()?, free()?].map(|at| at.to_string());
    let data = |name: &str| folder.path().join(name);
    let (to_records, to_distribution) =
        (format!("records=http://{records}"), format!("distribution=http://{distribution}"));
    let _records = start("jiyao-records", &records, &data("records"), &to_distribution)?;
    let _attendance = start("jiyao-attendance", &attendance, &data("attendance"), &to_records)?;
    // It needs the directory of attendance.
    let both = format!("attendance=http://{attendance}");
    let begin = |at: &Path| {
        let at = at.display().to_string();
        let arguments =
            ["--listen", &distribution, "--data-dir", &at, "--set", "log=error", "--set", "reserve_mb=1"];
        let settings = ["--set", &to_records, "--set", &both];
        Process::start(
            &binary("jiyao-distribution", "jiyao-distribution", None)?,
            &[&arguments[..], &settings].concat(),
        )
    };
    let first = begin(&data("distribution"))?;
    let client = Client::builder()
        .records(format!("http://{records}"))
        .attendance(format!("http://{attendance}"))
        .distribution(format!("http://{distribution}"))
        .build()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    hold_posts(&records, "organs/linlan", "local", None).await?;
    client.import_directory("organs/linlan", DIRECTORY.as_bytes().to_vec(), false).await?;
    let minutes = async |n: usize| {
        let text = draft().replace("第42次", &format!("第{n}次"));
        let name = drafted(&client, &text, DisclosureClass::Public).await?;
        frozen(&client, freeze(&name)).await?;
        anyhow::Ok(name)
    };
    issue(&client, &minutes(51).await?).await?;
    let mut archive = Vec::new();
    client.backup(Service::Distribution, &mut archive).await?;
    issue(&client, &minutes(52).await?).await?;

    assert!(first.stop()?.success());
    jiyao_backup::restore(archive.as_slice(), &data("older"))?;
    let _older = begin(&data("older"))?;
    // Another story begins where the backup ends; records has heard the end of the first.
    let waiting = minutes(53).await?;
    until("records stops following", async || {
        let following = client.status(Service::Records).await?.following;
        Ok(following.iter().any(|one| !one.stopped.is_empty()).then_some(()))
    })
    .await?;
    let refused = client.step(&waiting, LifeAct::Issue, None).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::JournalForked), "{refused}");
    assert!(refused.message().contains(&distribution), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_planted_mismatch_between_services_is_found() -> Result<()> {
    let (one, two) = (TempDir::new()?, TempDir::new()?);
    let (one, two) = (Local::start(one.path()).await?, Local::start(two.path()).await?);
    let (client, other) = (one.client()?, two.client()?);
    for client in [&client, &other] {
        client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    }
    let name = import(&client, 1).await?;
    let planted = import(&other, 2).await?;
    until("agreement", async || Ok(client.reconcile("organs/-").await?.is_empty().then_some(()))).await?;
    // The records of one, the attendance of the other.
    let mixed = Client::builder()
        .records(format!("http://{}", one.records))
        .attendance(format!("http://{}", two.attendance))
        .distribution(format!("http://{}", one.distribution))
        .build()?;
    let names = async || {
        let found = mixed.reconcile("organs/-").await?;
        Ok::<_, anyhow::Error>(found.into_iter().map(|difference| difference.name).collect::<Vec<_>>())
    };
    until("both are found", async || Ok((names().await? == [name.clone(), planted.clone()]).then_some(())))
        .await?;
    one.stop().await?;
    two.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_and_recipients_that_do_not_agree_are_found() -> Result<()> {
    let house = House::new().await?;
    let (minutes, _) = house.issued().await?;
    let client = &house.client;
    assert_eq!(client.reconcile("organs/-").await?, [], "as it should be");
    // By hand it was said that they could decide, and then they were issued; attendance counted nobody.
    let meeting = NewMeeting {
        kind: "常务会议".into(),
        title: "某次会议".into(),
        date: "2025-04-15".into(),
        ..NewMeeting::default()
    };
    let meeting = client.create_meeting(&house.organ, meeting).await?.name;
    client.hold_meeting(&meeting, None, Some(("市长".into(), "急".into()))).await?;
    client.meet(&meeting, MeetingAct::LinkMinutes { minutes: minutes.clone() }, None).await?;
    let found = client.reconcile("organs/-").await?;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].name, minutes);
    assert!(found[0].what.contains("Records says of the quorum"), "{found:?}");
    // The distribution of another house never heard of their recipients.
    let folder = TempDir::new()?;
    let other = Local::start(folder.path()).await?;
    let mixed = Client::builder()
        .records(format!("http://{}", house.services.records))
        .attendance(format!("http://{}", house.services.attendance))
        .distribution(format!("http://{}", other.distribution))
        .build()?;
    let found = mixed.reconcile("organs/-").await?;
    assert!(found.iter().any(|one| one.what.starts_with("Records issued to frozen recipients")), "{found:?}");
    other.stop().await?;
    house.services.stop().await
}

#[tokio::test]
async fn metrics_are_there_for_prometheus_without_a_word_of_content() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("records").display().to_string();
    let free = || anyhow::Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string());
    let at = free()?;
    let metrics = format!("metrics={at}");
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "log=error", "--set", &metrics];
    let service = Process::start(&binary("jiyao-records", "jiyao-records", None)?, &arguments)?;
    let client = records_client(&service.address)?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    import(&client, 1).await?;
    // What a stream meets after it has begun stands behind it, and counts all the same.
    spoil(&folder.path().join("records/journal"), "城市更新")?;
    let mut follow = JournalServiceClient::connect(format!("http://{}", service.address)).await?;
    let mut followed = follow.follow(FollowRequest { after: None }).await?.into_inner();
    let ended = loop {
        match followed.message().await {
            Ok(Some(_)) => {}
            ended => break ended.unwrap_err().code(),
        }
    };
    assert_eq!(ended, tonic::Code::DataLoss);
    drop(followed);
    assert!(client.minutes("organs/linlan/minutes/nonsense", None).await.is_err());
    // Paths that anybody may make up become no series.
    let channel =
        tonic::transport::Channel::from_shared(format!("http://{}", service.address))?.connect().await?;
    let mut raw = tonic::client::Grpc::new(channel);
    raw.ready().await?;
    let path = "/grpc.health.v1.Health/MadeUp".parse()?;
    let codec = tonic_prost::ProstCodec::<GetMinutesRequest, GetMinutesRequest>::default();
    let made_up = raw.unary(Request::new(GetMinutesRequest::default()), path, codec).await.unwrap_err();
    assert_eq!(made_up.code(), tonic::Code::Unimplemented);
    until("metrics of the whole", async || {
        Ok(http::get(&at).await?.contains("jiyao_disk_free_bytes").then_some(()))
    })
    .await?;
    let answer = http::get(&at).await?;
    for line in [
        "jiyao_calls_total{method=\"/jiyao.records.v1.RecordsService/ImportMinutes\",code=\"0\"} 1",
        "jiyao_calls_total{method=\"/jiyao.records.v1.RecordsService/GetMinutes\",code=\"3\"} 1",
        "jiyao_calls_total{method=\"/jiyao.journal.v1.JournalService/Follow\",code=\"15\"} 1",
        "jiyao_journal_append_seconds_count 2",
        "jiyao_state_apply_seconds_bucket{le=\"0.5\"} 2",
        "jiyao_call_seconds_count{method=\"/jiyao.records.v1.RecordsService/ImportMinutes\"} 1",
        "jiyao_journal_group_records_count 2",
        "jiyao_head_sequence ",
        "jiyao_journal_bytes ",
        "jiyao_state_bytes ",
        "jiyao_disk_free_bytes ",
        "jiyao_last_backup_seconds 0",
    ] {
        assert!(answer.contains(line), "{answer}\nlacks {line}");
    }
    assert!(
        !answer.contains("linlan") && !answer.contains("nonsense") && !answer.contains("MadeUp"),
        "{answer}"
    );

    let source = format!("http://{}", service.address);
    let (follower_at, follows) = (free()?, format!("records={source}"));
    let (follower_data, metrics) =
        (folder.path().join("attendance").display().to_string(), format!("metrics={follower_at}"));
    let arguments =
        ["--listen", "127.0.0.1:0", "--data-dir", &follower_data, "--set", &follows, "--set", &metrics];
    let _follower = Process::start(&binary("jiyao-attendance", "jiyao-attendance", None)?, &arguments)?;
    // It cannot read on: as far behind as that is, and still trying.
    let behind = [
        format!("jiyao_following_lag_records{{source=\"{source}\"}} 2\n"),
        format!("jiyao_following_stopped{{source=\"{source}\"}} 0\n"),
    ];
    until("how far a follower is behind", async || {
        let told = http::get(&follower_at).await.unwrap_or_default();
        Ok(behind.iter().all(|line| told.contains(line)).then_some(()))
    })
    .await?;
    Ok(())
}

/// A plain HTTP GET.
mod http {
    use anyhow::Result;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    pub(super) async fn get(at: &str) -> Result<String> {
        let mut socket = tokio::net::TcpStream::connect(at).await?;
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

#[test]
fn the_units_for_systemd_are_sound() -> Result<()> {
    let folder = TempDir::new()?;
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../services/systemd");
    for service in ["records", "attendance", "distribution"] {
        let name = format!("jiyao-{service}.service");
        let unit = fs_err::read_to_string(units.join(&name))?;
        assert!(unit.contains(&format!("JIYAO_{}_DATA_DIR", service.to_uppercase())), "{unit}");
        // Where the programs are installed is not here.
        let unit = unit.replace(&format!("/usr/local/bin/jiyao-{service}"), "/bin/true");
        fs_err::write(folder.path().join(&name), unit)?;
        let verified = std::process::Command::new("systemd-analyze")
            .args(["verify", &folder.path().join(&name).display().to_string()])
            .output();
        let Ok(verified) = verified else {
            jiyao_testkit::skip("systemd units", "systemd-analyze is not installed");
            return Ok(());
        };
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success() && said.is_empty(), "{name}: {said}");
    }
    Ok(())
}

/// A collector that keeps the spans it is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let scopes = request.into_inner().resource_spans.into_iter().flat_map(|of| of.scope_spans);
        self.0.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test]
async fn each_call_is_a_span_of_the_trace_that_the_caller_names() -> Result<()> {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let traces = format!("traces=http://{}", listener.local_addr()?);
    let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(collector.clone()));
    tokio::spawn(server.serve_with_incoming(tokio_stream::wrappers::TcpListenerStream::new(listener)));
    let folder = TempDir::new()?;
    let data = folder.path().display().to_string();
    let binary = binary("jiyao-records", "jiyao-records", None)?;
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", &traces];
    let process = Process::start(&binary, &arguments)?;
    let mut records = RecordsServiceClient::connect(format!("http://{}", process.address)).await?;
    let mut request = Request::new(GetMinutesRequest { name: "organs/秘".into(), ..Default::default() });
    let trace = "0af7651916cd43dd8448eb211c80319c";
    request.metadata_mut().insert("traceparent", format!("00-{trace}-b7ad6b7169203331-01").parse()?);
    assert!(records.get_minutes(request).await.is_err());
    drop(records);
    let stopped = tokio::task::spawn_blocking(move || process.stop()).await??;
    assert!(stopped.success());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let spans = collector.0.lock().unwrap();
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(span.name, "jiyao.records.v1.RecordsService/GetMinutes");
    assert_eq!(hex(&span.trace_id), trace);
    assert_eq!(hex(&span.parent_span_id), "b7ad6b7169203331");
    let said = format!("{span:?}");
    assert!(said.contains("rpc.grpc.status_code") && said.contains("\"3\""), "{said}");
    assert!(!said.contains("秘"), "nothing of the request is in it");
    Ok(())
}
