//! Running the services: settings, exit codes, signals, health, reflection, locks, damage.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiyao_client::{Client, FreezeScope, Import, ListMinutes};
use jiyao_proto::DESCRIPTORS;
use jiyao_testkit::{DIRECTORY, Local, Process, SAMPLE, Tokens, binary, spoil, until};
use prost::Message as _;
use prost_types::FileDescriptorProto;
use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const PACKAGES: [&str; 3] = ["jiyao-records", "jiyao-attendance", "jiyao-distribution"];

fn program(package: &str) -> Result<PathBuf> {
    binary(package, package, None)
}

fn run(program: &Path, arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(program).args(arguments).output()?)
}

fn refused(output: &Output, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains(words), "{said:?} does not say {words:?}");
}

#[test]
fn wrong_settings_end_with_64_and_the_reason() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data").display().to_string();
    let file = folder.path().join("settings.toml");
    for package in PACKAGES {
        let program = program(package)?;
        let with = |arguments: &[&str]| run(&program, &[&["--data-dir", &data], arguments].concat());
        refused(&with(&["--set", "lissen=1"])?, "unknown setting lissen");
        refused(&with(&["--set", "traces=collector:4317"])?, "traces = \"collector:4317\" is no address");
        refused(&with(&["--listen", "127.0.0.1:99999"])?, "listen");
        refused(&with(&["--listen", "nowhere"])?, "listen");
        refused(&with(&["--listen", "0.0.0.0:0"])?, "not loopback");
        refused(&with(&["--set", "streams=many"])?, "must be a number");
        refused(&with(&["--set", "segment_mb=1"])?, "segment_mb");
        refused(&with(&["--set", "as="])?, "nobody could call");
        refused(&with(&["--set", "tls_cert=x.pem"])?, "belong together");
        refused(&with(&["--set", "tokens=/nowhere/tokens.toml"])?, "/nowhere/tokens.toml");
        refused(&with(&["--config", "/nowhere/settings.toml"])?, "/nowhere/settings.toml");
        refused(&with(&["--set", "log=jiyao=loud"])?, "log = \"jiyao=loud\"");
        refused(&with(&["--check-config", "--set", "log=jiyao=loud"])?, "log = \"jiyao=loud\"");
        fs_err::write(&file, "[[token]]\nsha256 = \"ab\"\nprincipal = \"chen\"\nroles = []\n")?;
        let tokens = format!("tokens={}", file.display());
        refused(&with(&["--check-config", "--set", &tokens])?, "line 1: sha256");
        refused(&with(&["--nonsense"])?, "--nonsense");
        fs_err::write(&file, "listen = \"127.0.0.1:0\"\ncolour = \"red\"\n")?;
        refused(&with(&["--config", &file.display().to_string()])?, "unknown setting colour");
        refused(&run(&program, &["--data-dir", "/proc/nowhere"])?, "/proc/nowhere");
        let misspelt = format!("{}_STREAM", package.replace('-', "_").to_uppercase());
        let output = Command::new(&program).args(["--data-dir", &data]).env(&misspelt, "1").output()?;
        refused(&output, &misspelt);
    }
    let follower = program("jiyao-attendance")?;
    refused(&run(&follower, &["--data-dir", &data, "--set", "records=not an address"])?, "no address");
    Ok(())
}

#[test]
fn a_token_file_that_is_wrong_is_blamed_by_its_line_alone() -> Result<()> {
    let folder = TempDir::new()?;
    let (data, file) = (folder.path().join("data"), folder.path().join("tokens.toml"));
    fs_err::write(&file, "[[token]]\nprincipal = \"陈\"\nsha256 = a-token-by-mistake\n")?;
    let set = format!("tokens={}", file.display());
    let output =
        run(&program("jiyao-records")?, &["--data-dir", &data.display().to_string(), "--set", &set])?;
    refused(&output, "tokens.toml, line 3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("a-token-by-mistake"), "{said}");
    Ok(())
}

#[test]
fn a_service_takes_as_many_open_files_as_the_system_allows_it() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data").display().to_string();
    let program = program("jiyao-records")?.display().to_string();
    let start =
        format!("ulimit -Sn 256; exec {program} --listen 127.0.0.1:0 --data-dir {data} --set reserve_mb=1");
    let service = Process::start(Path::new("/bin/sh"), &["-c", &start])?;
    let limits = fs_err::read_to_string(format!("/proc/{}/limits", service.id()))?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[3], words[4], "{line}");
    Ok(())
}

/// What is said at the log level of every day, through imports, refusals, sign-ins, deliveries and faults.
#[tokio::test]
async fn the_log_has_no_word_of_minutes_no_name_out_of_them_and_no_token() -> Result<()> {
    let folder = TempDir::new()?;
    let tokens = Tokens::new(&folder.path().join("tokens.toml"), &[])?;
    tokens.write_units(&[
        ("canary-of-a-clerk", "文书甲", "clerk", ""),
        ("canary-of-a-service", "jiyao", "service", ""),
        ("canary-of-a-unit", "联络员乙", "unit", "市住建局"),
    ])?;
    let shown = folder.path().join("service.token");
    jiyao_testkit::secret(&shown, "canary-of-a-service")?;
    let (keyed, shown) = (format!("tokens={}", tokens.path().display()), shown.display().to_string());
    let start = |package: &str, sources: &[String]| {
        let data = folder.path().join(package).display().to_string();
        let mut arguments = vec!["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", &keyed];
        for pair in sources {
            arguments.extend(["--set", pair]);
        }
        Process::start(&program(package)?, &[&arguments[..], &["--set", "reserve_mb=1"]].concat())
    };
    let records = start("jiyao-records", &[])?;
    let from = [format!("records=http://{}", records.address), format!("records_token={shown}")];
    let attendance = start("jiyao-attendance", &from)?;
    let from_both = [
        from[0].clone(),
        from[1].clone(),
        format!("attendance=http://{}", attendance.address),
        format!("attendance_token={shown}"),
    ];
    let distribution = start("jiyao-distribution", &from_both)?;
    let as_of = |token: &str| {
        Client::builder()
            .records(format!("http://{}", records.address))
            .attendance(format!("http://{}", attendance.address))
            .distribution(format!("http://{}", distribution.address))
            .token(Some(token.to_owned()))
            .build()
    };
    let (clerk, unit) = (as_of("canary-of-a-clerk")?, as_of("canary-of-a-unit")?);
    let organ = clerk.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    clerk.import_directory(&organ, DIRECTORY.as_bytes().to_vec(), false).await?;
    let text = SAMPLE.replace("章树声", "闻人鹤");
    let minutes = clerk.import_minutes(Import::new(&organ, text.into_bytes())).await?.minutes.name;
    until("the roll", async || Ok(clerk.roll(&minutes, None).await.ok())).await?;
    let freeze =
        FreezeScope { minutes: minutes.clone(), date: "2025-04-27".into(), ..FreezeScope::default() };
    until("frozen", async || Ok(clerk.freeze_scope(freeze.clone()).await.ok())).await?;
    clerk.dispatch_minutes(&minutes).await?;
    let inbox = until("the inbox", async || {
        Ok(unit.inbox(&organ, "市住建局", None).await?.entries.into_iter().next())
    });
    unit.open_delivery(&inbox.await?.name).await?;
    assert!(unit.import_minutes(Import::new(&organ, SAMPLE.as_bytes().to_vec())).await.is_err(), "no clerk");
    assert!(as_of("canary-of-nobody")?.list_minutes(ListMinutes::of(&organ)).await.is_err());
    assert!(clerk.import_minutes(Import::new("organs/闻人鹤", b"x".to_vec())).await.is_err());
    // Damage on the disk is met by whoever follows.
    spoil(&folder.path().join("jiyao-records/journal"), "闻人鹤")?;
    let lost = clerk.minutes_text(&minutes).await.unwrap_err();
    assert_eq!(lost.reason().map(|reason| reason.to_string()).as_deref(), Some("RECORD_DAMAGED"), "{lost}");
    // A log comes through a pipe, a little later than the answer.
    let said = until("the logs of all, with what was refused and what failed", async || {
        let logs = [&records, &attendance, &distribution].map(|service| service.logged());
        let is_there = |log: &String| log.contains("listening") || log.contains("up to date");
        let (all, said) = (logs.iter().all(is_there), logs.concat());
        Ok((all && said.contains("a call failed") && said.contains("the role is missing")).then_some(said))
    })
    .await?;
    // SHA-256 of 联络员乙 begins so.
    assert!(said.contains("04a4a720"), "who was refused: {said}");
    for word in ["闻人鹤", "城市更新", "canary-of-", "文书甲", "联络员乙"] {
        assert!(!said.contains(word), "{word} in {said}");
    }
    Ok(())
}

#[test]
fn settings_are_checked_and_printed_with_the_usual_precedence() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("settings.toml");
    fs_err::write(&file, "streams = 1\ncalls = 1\nconnections = 1\n")?;
    let data = folder.path().join("data").display().to_string();
    for package in PACKAGES {
        let prefix = package.replace('-', "_").to_uppercase();
        let mut command = Command::new(program(package)?);
        command.args([
            "--config",
            &file.display().to_string(),
            "--data-dir",
            &data,
            "--set",
            "connections=3",
        ]);
        command.env(format!("{prefix}_CALLS"), "2").env(format!("{prefix}_CONNECTIONS"), "2");
        let checked = command.arg("--check-config").output()?;
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        let dumped = command.arg("--dump-config").output()?;
        let text = String::from_utf8(dumped.stdout)?;
        for line in ["streams = 1", "calls = 2", "connections = 3", "drain_seconds = 10"] {
            assert!(text.lines().any(|l| l == line), "{text} lacks {line}");
        }
        fs_err::write(folder.path().join("dumped.toml"), &text)?;
        let dumped = folder.path().join("dumped.toml").display().to_string();
        let again = run(&program(package)?, &["--config", &dumped, "--dump-config"])?;
        assert_eq!(String::from_utf8(again.stdout)?, text);
    }
    Ok(())
}

#[test]
fn a_second_process_on_the_same_folder_is_kept_out_also_after_a_kill() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().display().to_string();
    let program = program("jiyao-records")?;
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "reserve_mb=1"];
    let first = Process::start(&program, &arguments)?;
    let second = run(&program, &arguments)?;
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another process is using this data directory"), "{said}");
    first.kill()?;
    assert!(Process::start(&program, &arguments)?.stop()?.success());
    Ok(())
}

#[test]
fn a_damaged_journal_is_refused_by_name_and_offset() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().display().to_string();
    let program = program("jiyao-records")?;
    let arguments = ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "reserve_mb=1"];
    let service = Process::start(&program, &arguments)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = Client::builder().records(format!("http://{}", service.address)).build()?;
        client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
        client.import_minutes(Import::new("organs/linlan", SAMPLE.as_bytes().to_vec())).await?;
        anyhow::Ok(())
    })?;
    service.kill()?;
    let segment = folder.path().join("journal/00000000000000000001.segment");
    let mut bytes = fs_err::read(&segment)?;
    bytes[700] ^= 1;
    fs_err::write(&segment, &bytes)?;
    let output = run(&program, &arguments)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("00000000000000000001.segment at offset 512"), "{said}");
    assert_eq!(fs_err::read(&segment)?, bytes, "nothing was changed");
    Ok(())
}

#[tokio::test]
async fn sigterm_drains_within_its_time_even_with_open_streams() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().display().to_string();
    let arguments =
        ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "reserve_mb=1", "--set", "drain_seconds=3"];
    let service = Process::start(&program("jiyao-records")?, &arguments)?;
    let client = Client::builder().records(format!("http://{}", service.address)).build()?;
    let mut watch = client.watch_minutes("organs/-", None);
    watch.next().await?;
    // A connection that says nothing would hold a shutdown for ever.
    let _silent = tokio::net::TcpStream::connect(&service.address).await?;
    let began = Instant::now();
    let ended = tokio::task::spawn_blocking(|| service.stop()).await??;
    assert!(ended.success());
    assert!(began.elapsed() < Duration::from_secs(20), "the drain has a limit");
    Ok(())
}

#[tokio::test]
async fn health_is_told_for_the_whole_and_for_each_service() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    for (address, service) in [
        (services.records, "jiyao.records.v1.RecordsService"),
        (services.attendance, "jiyao.attendance.v1.AttendanceService"),
        (services.distribution, "jiyao.distribution.v1.DistributionService"),
    ] {
        let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
        let mut health = HealthClient::new(channel);
        for name in ["", service, "jiyao.journal.v1.JournalService"] {
            let answer = health.check(HealthCheckRequest { service: name.to_owned() }).await?.into_inner();
            assert_eq!(answer.status().as_str_name(), "SERVING", "{name}");
        }
        let unknown = health.check(HealthCheckRequest { service: "nothing".to_owned() }).await.unwrap_err();
        assert_eq!(unknown.code(), tonic::Code::NotFound);
    }
    services.stop().await
}

/// What reflection answers in a version.
macro_rules! reflected {
    ($version:ident, $channel:expr, $message:ident($asked:expr) => $answer:ident) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let message_request = Some(MessageRequest::$message($asked.to_owned()));
        let ask = ServerReflectionRequest { host: String::new(), message_request };
        let mut answers = ServerReflectionClient::new($channel.clone())
            .server_reflection_info(tokio_stream::once(ask))
            .await?
            .into_inner();
        match answers.next().await.unwrap()?.message_response.unwrap() {
            MessageResponse::$answer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }};
}

#[tokio::test]
async fn reflection_lists_what_each_service_serves_in_both_versions() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let channel = Channel::from_shared(format!("http://{}", services.attendance))?.connect().await?;
    let expected = [
        "grpc.health.v1.Health",
        "jiyao.attendance.v1.AttendanceService",
        "jiyao.attendance.v1.DirectoryService",
        "jiyao.attendance.v1.MeetingsService",
        "jiyao.journal.v1.JournalService",
        "jiyao.operations.v1.OperationsService",
    ];
    let v1 = reflected!(v1, channel, ListServices("") => ListServicesResponse).service;
    let v1alpha = reflected!(v1alpha, channel, ListServices("") => ListServicesResponse).service;
    let sorted = |names: Vec<String>| BTreeSet::from_iter(names).into_iter().collect::<Vec<_>>();
    assert_eq!(sorted(v1.into_iter().map(|service| service.name).collect()), expected);
    assert_eq!(sorted(v1alpha.into_iter().map(|service| service.name).collect()), expected);
    services.stop().await
}

/// Whoever has nothing but the address is told what a method does, what its fields mean, and what it leaves behind.
#[tokio::test]
async fn reflection_explains_methods_and_fields_in_both_versions() -> Result<()> {
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let channel = Channel::from_shared(format!("http://{}", services.records))?.connect().await?;
    let symbol = "jiyao.records.v1.LifecycleService.SignMinutes";
    let v1 = reflected!(v1, channel, FileContainingSymbol(symbol) => FileDescriptorResponse);
    let v1alpha = reflected!(v1alpha, channel, FileContainingSymbol(symbol) => FileDescriptorResponse);
    assert_eq!(v1.file_descriptor_proto, v1alpha.file_descriptor_proto);
    let file = FileDescriptorProto::decode(v1.file_descriptor_proto[0].as_slice())?;
    let at = |found: Option<usize>| found.and_then(|at| i32::try_from(at).ok()).unwrap();
    let method = at(file.service[0].method.iter().position(|method| method.name() == "SignMinutes"));
    let message = file.message_type.iter().position(|message| message.name() == "SignMinutesRequest");
    let fields = &file.message_type[message.unwrap()].field;
    let field = at(fields.iter().position(|field| field.name() == "mark"));
    let said = file.source_code_info.unwrap().location;
    let comment = |path: &[i32]| {
        let found = said.iter().find(|location| location.path == path);
        found.map(|location| location.leading_comments().trim().to_owned()).unwrap_or_default()
    };
    assert!(comment(&[6, 0, 2, method]).contains("签发"), "{}", comment(&[6, 0, 2, method]));
    assert!(!comment(&[4, at(message), 2, field]).is_empty());

    // The options are there too, for whoever has what declares them.
    let imported =
        reflected!(v1, channel, FileContainingSymbol("jiyao.options.v1.Method") => FileDescriptorResponse);
    assert!(!imported.file_descriptor_proto.is_empty());
    let pool = prost_reflect::DescriptorPool::decode(DESCRIPTORS)?;
    let served = pool.get_file_by_name(file.name.as_deref().unwrap_or_default()).unwrap();
    assert_eq!(served.encode_to_vec(), v1.file_descriptor_proto[0], "as it was parsed, options and all");
    services.stop().await
}

#[tokio::test]
async fn import_works_while_the_followers_are_down_and_they_catch_up() -> Result<()> {
    let folder = TempDir::new()?;
    let data = |name: &str| folder.path().join(name).display().to_string();
    let records = Process::start(
        &program("jiyao-records")?,
        &["--listen", "127.0.0.1:0", "--data-dir", &data("records"), "--set", "reserve_mb=1"],
    )?;
    let client = Client::builder().records(format!("http://{}", records.address)).build()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    let imported = client.import_minutes(Import::new("organs/linlan", SAMPLE.as_bytes().to_vec())).await?;

    let source = format!("records=http://{}", records.address);
    let follower = |package: &str| -> Result<Process> {
        let folder = data(package);
        let arguments =
            ["--listen", "127.0.0.1:0", "--data-dir", &folder, "--set", &source, "--set", "reserve_mb=1"];
        Process::start(&program(package)?, &arguments)
    };
    let attendance = follower("jiyao-attendance")?;
    let client = Client::builder()
        .records(format!("http://{}", records.address))
        .attendance(format!("http://{}", attendance.address))
        .build()?;
    assert_eq!(client.roll(&imported.minutes.name, Some(&imported.position)).await?.present, 8);
    // Without records it still answers what it knows, also after a restart.
    records.kill()?;
    attendance.kill()?;
    let alone = follower("jiyao-attendance")?;
    let client = Client::builder().attendance(format!("http://{}", alone.address)).build()?;
    assert_eq!(client.roll(&imported.minutes.name, Some(&imported.position)).await?.present, 8);
    Ok(())
}

#[tokio::test]
async fn a_follower_of_an_older_copy_stops_and_is_not_ready() -> Result<()> {
    let folder = TempDir::new()?;
    let (data, older) = (folder.path().join("records"), folder.path().join("older"));
    let records = || -> Result<Process> {
        let data = data.display().to_string();
        let arguments = ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "reserve_mb=1"];
        Process::start(&program("jiyao-records")?, &arguments)
    };
    let follower = |records: &Process| -> Result<Process> {
        let source = format!("records=http://{}", records.address);
        let data = folder.path().join("attendance").display().to_string();
        let arguments =
            ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", &source, "--set", "reserve_mb=1"];
        Process::start(&program("jiyao-attendance")?, &arguments)
    };
    let service = records()?;
    let client = Client::builder().records(format!("http://{}", service.address)).build()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    assert!(service.stop()?.success());
    crate::faults::copy(&data, &older)?;

    let service = records()?;
    let client = Client::builder().records(format!("http://{}", service.address)).build()?;
    let imported = client.import_minutes(Import::new("organs/linlan", SAMPLE.as_bytes().to_vec())).await?;
    let attendance = follower(&service)?;
    let client = Client::builder().attendance(format!("http://{}", attendance.address)).build()?;
    client.roll(&imported.minutes.name, Some(&imported.position)).await?;
    attendance.kill()?;
    service.kill()?;

    fs_err::remove_dir_all(&data)?;
    crate::faults::copy(&older, &data)?;
    let service = records()?;
    let attendance = follower(&service)?;
    let mut health =
        HealthClient::new(Channel::from_shared(format!("http://{}", attendance.address))?.connect().await?);
    let mut status = String::new();
    for _ in 0..200 {
        let answer = health.check(HealthCheckRequest { service: String::new() }).await?.into_inner();
        status = answer.status().as_str_name().to_owned();
        if status == "NOT_SERVING" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status, "NOT_SERVING", "a person must reconcile");
    // What it knows it still answers.
    let client = Client::builder().attendance(format!("http://{}", attendance.address)).build()?;
    assert_eq!(client.roll(&imported.minutes.name, None).await?.present, 8);
    Ok(())
}
