//! Guards of a service: files, tokens, requests that come from elsewhere, its clock and its descriptors.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use jiyao_client::{Client, Import, LifeAct, ListMinutes, Service, Standing};
use jiyao_fault::Reason;
use jiyao_journal::{Entry, Journal, Options};
use jiyao_testkit::{Process, SAMPLE, Tokens, binary, hold_posts, numbered, until};
use tempfile::TempDir;
use tokio::net::TcpStream;

const PACKAGES: [&str; 3] = ["jiyao-records", "jiyao-attendance", "jiyao-distribution"];

fn mode(path: &Path) -> Result<u32> {
    Ok(fs_err::metadata(path)?.permissions().mode() & 0o777)
}

/// Paths at or under one that others than its owner may use in any way.
fn open_to_others(path: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    if mode(path)? & 0o077 != 0 {
        found.push(format!("{:o} {}", mode(path)?, path.display()));
    }
    if path.is_dir() {
        for entry in fs_err::read_dir(path)? {
            found.extend(open_to_others(&entry?.path())?);
        }
    }
    Ok(found)
}

/// A program under a mask, as a shell starts it.
fn start_under(mask: &str, package: &str, data: &Path) -> Result<Process> {
    let (program, data) = (binary(package, package, None)?, data.display());
    let program = program.display();
    let shell = format!(
        "umask {mask}; exec {program} --listen 127.0.0.1:0 --data-dir {data} --set log=error --set reserve_mb=1"
    );
    Process::start(Path::new("/bin/sh"), &["-c", &shell])
}

#[tokio::test]
async fn what_a_service_keeps_is_for_its_user_alone_whatever_the_mask() -> Result<()> {
    for mask in ["000", "022"] {
        for package in PACKAGES {
            let folder = TempDir::new()?;
            let data = folder.path().join("deep/data");
            let service = start_under(mask, package, &data)?;
            let client = Client::builder()
                .records(format!("http://{}", service.address))
                .attendance(format!("http://{}", service.address))
                .distribution(format!("http://{}", service.address))
                .build()?;
            let mut archive = Vec::new();
            let kind = match package {
                "jiyao-records" => Service::Records,
                "jiyao-attendance" => Service::Attendance,
                _ => Service::Distribution,
            };
            if kind == Service::Records {
                client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
                client.import_minutes(Import::new("organs/linlan", SAMPLE.into())).await?;
            }
            client.backup(kind, &mut archive).await?;
            assert_eq!(open_to_others(&data)?, Vec::<String>::new(), "{package} under {mask}");
            assert!(service.stop()?.success());
            assert_eq!(open_to_others(&data)?, Vec::<String>::new(), "{package} under {mask}, stopped");

            let file = folder.path().join("copy.tar");
            fs_err::write(&file, &archive)?;
            let restored = folder.path().join("restored");
            let jiyao = binary("jiyao-cli", "jiyao", None)?;
            let line = format!(
                "umask {mask}; {} restore {} {}",
                jiyao.display(),
                file.display(),
                restored.display()
            );
            assert!(Command::new("/bin/sh").args(["-c", &line]).output()?.status.success());
            assert_eq!(open_to_others(&restored)?, Vec::<String>::new(), "{package} restored under {mask}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_that_others_can_look_into_is_refused_with_what_to_do() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("records");
    assert!(start_under("022", "jiyao-records", &data)?.stop()?.success());
    for (path, wide) in [(data.clone(), 0o755), (data.join("journal"), 0o750)] {
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(wide))?;
        let program = binary("jiyao-records", "jiyao-records", None)?;
        let refused = Command::new(program)
            .args(["--listen", "127.0.0.1:0", "--data-dir", &data.display().to_string()])
            .output()?;
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains("chmod"), "{said}");
        assert!(said.contains(&path.display().to_string()), "{said}");
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
    }
    assert!(start_under("022", "jiyao-records", &data)?.stop()?.success(), "once it is closed it starts");
    Ok(())
}

/// The status of the answer that a plain HTTP/2 client gets.
async fn status(to: &str, headers: &[(&str, &str)]) -> Result<u16> {
    let to: SocketAddr = to.parse()?;
    let (mut client, connection) = h2::client::handshake(TcpStream::connect(to).await?).await?;
    let connection = tokio::spawn(connection);
    let path = "/jiyao.records.v1.RecordsService/ListOrgans";
    let mut request = http::Request::post(format!("http://{to}{path}")).header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (answer, mut body) = client.send_request(request.body(())?, false)?;
    let _ = body.send_data(vec![0, 0, 0, 0, 0].into(), true);
    let status = answer.await?.status().as_u16();
    connection.abort();
    Ok(status)
}

#[tokio::test]
async fn only_grpc_is_answered_and_no_page_of_a_browser_is() -> Result<()> {
    let folder = TempDir::new()?;
    let service = start_under("022", "jiyao-records", &folder.path().join("records"))?;
    let at = service.address.as_str();
    for kind in ["application/grpc", "application/grpc+proto"] {
        assert_eq!(status(at, &[("content-type", kind)]).await?, 200, "{kind}");
        for origin in ["https://example.org", "null", "http://127.0.0.1:7101"] {
            assert_eq!(status(at, &[("content-type", kind), ("origin", origin)]).await?, 403, "{origin}");
        }
    }
    for kind in [
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpc+json",
        "application/grpcx",
        "application/json",
        "text/plain",
    ] {
        assert_eq!(status(at, &[("content-type", kind)]).await?, 415, "{kind}");
    }
    assert_eq!(status(at, &[]).await?, 415);
    Ok(())
}

#[tokio::test]
async fn no_token_goes_over_plain_http_to_another_machine() -> Result<()> {
    let folder = TempDir::new()?;
    let token = folder.path().join("service.token");
    jiyao_testkit::secret(&token, "attendance-token-of-a-test")?;
    let program = binary("jiyao-attendance", "jiyao-attendance", None)?;
    let data = folder.path().join("attendance").display().to_string();
    let shown = format!("records_token={}", token.display());
    let refused = Command::new(&program)
        .args(["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", &shown])
        .args(["--set", "records=http://records.example.org:7101"])
        .output()?;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(64), "{said}");
    assert!(said.contains("records.example.org") && said.contains("https"), "{said}");
    fs_err::set_permissions(&token, std::fs::Permissions::from_mode(0o644))?;
    let refused = Command::new(&program)
        .args(["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", &shown])
        .output()?;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(64) && said.contains("chmod"), "others can read it: {said}");
    for (url, is_taken) in [
        ("http://records.example.org:7101", false),
        ("http://10.0.0.7:7101", false),
        ("http://127.0.0.1:7101", true),
        ("http://[::1]:7101", true),
        ("https://records.example.org:7101", true),
    ] {
        let built = Client::builder().records(url).token(Some("clerk-token-of-a-test".into())).build();
        assert_eq!(built.is_ok(), is_taken, "{url}");
    }
    Ok(())
}

#[test]
fn token_files_that_say_too_little_are_refused_by_their_line() -> Result<()> {
    let folder = TempDir::new()?;
    let (data, file) = (folder.path().join("data").display().to_string(), folder.path().join("tokens.toml"));
    let set = format!("tokens={}", file.display());
    let hash = |digit: &str| digit.repeat(64);
    let line = |sha: &str, principal: &str, roles: &str, unit: &str| {
        format!(
            "[[token]]\nsha256 = \"{sha}\"\nprincipal = \"{principal}\"\nroles = [{roles}]\nunit = \"{unit}\"\n"
        )
    };
    let sound = line(&hash("a"), "chen", "\"clerk\"", "");
    // SHA-256 of nothing.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let wrong = [
        line(&hash("b"), "联络员", "\"unit\"", ""),
        line(&hash("b"), "", "\"clerk\"", ""),
        line(&hash("b"), "follower", "\"clerk\"", ""),
        line(&hash("b"), "a\\u0007b", "\"clerk\"", ""),
        line(&hash("b"), "li", "", ""),
        line(&hash("a"), "li", "\"clerk\"", ""),
        line(empty, "li", "\"clerk\"", ""),
    ];
    let start = |text: &str, mode: u32| -> Result<String> {
        fs_err::write(&file, text)?;
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(mode))?;
        let program = binary("jiyao-records", "jiyao-records", None)?;
        let output =
            Command::new(program).args(["--data-dir", &data, "--check-config", "--set", &set]).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), said.is_empty(), "{said}");
        Ok(said)
    };
    assert_eq!(start(&sound, 0o600)?, "");
    assert_eq!(start(&sound, 0o640)?, "");
    for text in &wrong {
        let said = start(&format!("{sound}{text}"), 0o600)?;
        assert!(said.contains("line 6"), "{text}: {said}");
    }
    for mode in [0o644, 0o604, 0o660] {
        let said = start(&sound, mode)?;
        assert!(said.contains("chmod") && said.contains("tokens.toml"), "{mode:o}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_short_token_is_refused_and_a_file_that_changed_is_noticed_by_its_content() -> Result<()> {
    let folder = TempDir::new()?;
    let path = folder.path().join("tokens.toml");
    let tokens = Tokens::new(&path, &[("short", "chen", "clerk"), ("clerk-token-of-a-test", "li", "clerk")])?;
    let data = folder.path().join("records").display().to_string();
    let keyed = format!("tokens={}", path.display());
    let service = Process::start(
        &binary("jiyao-records", "jiyao-records", None)?,
        &["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", &keyed, "--set", "reserve_mb=1"],
    )?;
    let list = async |token: &str| {
        let url = format!("http://{}", service.address);
        let client = Client::builder().records(url).token(Some(token.into())).build()?;
        match client.list_minutes(ListMinutes::of("organs/-")).await {
            Ok(_) => anyhow::Ok(None),
            Err(error) => Ok(error.reason()),
        }
    };
    assert_eq!(list("short").await?, Some(Reason::TokenInvalid), "guessed in no time");
    assert_eq!(list("clerk-token-of-a-test").await?, None);
    // Another text of the same length and date.
    let date = fs_err::metadata(&path)?.modified()?;
    let length = fs_err::metadata(&path)?.len();
    tokens.write(&[("short", "chen", "clerk"), ("other-token-of-a-test", "li", "clerk")])?;
    fs_err::OpenOptions::new().write(true).open(&path)?.into_parts().0.set_modified(date)?;
    assert_eq!((fs_err::metadata(&path)?.modified()?, fs_err::metadata(&path)?.len()), (date, length));
    until("it is noticed", async || {
        let is_out = list("clerk-token-of-a-test").await? == Some(Reason::TokenInvalid);
        Ok((is_out && list("other-token-of-a-test").await?.is_none()).then_some(()))
    })
    .await
}

/// The records of a journal as if the clock had been ahead while they were written.
fn ahead(from: &Path, to: &Path, by: Duration) -> Result<()> {
    let options = Options { segment_size: 8 << 20, reserve: 1 << 20 };
    let old = Journal::open(from, options)?.journal;
    let mut new = Journal::open(to, options)?.journal;
    let log = old.log();
    for sequence in 1..=log.head().sequence {
        let record = log.read(sequence)?;
        let time_ms = record.time_ms + i64::try_from(by.as_millis())?;
        new.append(&[Entry { time_ms, payload: record.payload.unwrap_or_default() }])?;
    }
    Ok(())
}

#[tokio::test]
async fn after_a_clock_that_was_ahead_nothing_is_dated_until_an_operator_says_so() -> Result<()> {
    let folder = TempDir::new()?;
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let service = start_under("022", "jiyao-records", &first)?;
    let client = Client::builder().records(format!("http://{}", service.address)).build()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    let name = client.import_minutes(Import::new("organs/linlan", SAMPLE.into())).await?.minutes.name;
    assert!(service.stop()?.success());
    jiyao_journal::make_folder(&second)?;
    ahead(&first.join("journal"), &second.join("journal"), Duration::from_secs(400 * 86_400))?;

    let at = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let data = second.display().to_string();
    let metrics = format!("metrics={at}");
    let arguments =
        ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "reserve_mb=1", "--set", &metrics];
    let service = Process::start(&binary("jiyao-records", "jiyao-records", None)?, &arguments)?;
    let client = Client::builder().records(format!("http://{}", service.address)).build()?;
    let import = async |n: usize| {
        let import = Import { standing: Standing::Draft, ..Import::new("organs/linlan", numbered(n).into()) };
        client.import_minutes(import).await
    };
    let refused = import(1).await.unwrap_err();
    assert_eq!(refused.reason(), Some(Reason::ClockJumped), "{refused}");
    assert_eq!(client.minutes(&name, None).await?.name, name, "reads go on");
    let clock = client.status(Service::Records).await?.clock;
    assert_eq!(clock.refused, "BEHIND_LAST_RECORD", "{clock:?}");
    until("the metric says so", async || {
        let Ok(mut stream) = TcpStream::connect(&at).await else { return Ok(None) };
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET /metrics HTTP/1.0\r\n\r\n").await?;
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text).await?;
        Ok(text.contains("jiyao_clock_refused 1").then_some(()))
    })
    .await?;
    let jiyao = binary("jiyao-cli", "jiyao", None)?;
    let run = |arguments: &[&str]| {
        let command = Command::new(&jiyao)
            .args(arguments)
            .env("JIYAO_RECORDS", format!("http://{}", service.address))
            .output()?;
        let said =
            String::from_utf8_lossy(&command.stdout).into_owned() + &String::from_utf8_lossy(&command.stderr);
        anyhow::Ok((command.status.success(), said))
    };
    let (is_well, said) = run(&["status"])?;
    assert!(!is_well && said.contains("behind the last record"), "{said}");
    let (is_done, said) = run(&["accept-clock", "records", "--reason", "时间服务器曾有误"])?;
    assert!(is_done, "{said}");

    // Dates from here on are those of the clock.
    let made = import(2).await?.minutes.name;
    hold_posts(&service.address, "organs/linlan", "local", None).await?;
    let submitted = client.step(&made, LifeAct::Submit { opinion: "请审".into() }, None).await?;
    let entry = submitted.life.history.last().unwrap();
    let now = jiyao_calendar::Clock::now(&jiyao_calendar::SystemClock).as_second();
    assert!((now - entry.time).abs() < 60, "{entry:?}");
    assert!(service.stop()?.success());
    // It is on record: the next start trusts the clock.
    let service = Process::start(&binary("jiyao-records", "jiyao-records", None)?, &arguments)?;
    let client = Client::builder().records(format!("http://{}", service.address)).build()?;
    assert_eq!(client.status(Service::Records).await?.clock.refused, "");
    assert_eq!(client.list_minutes(ListMinutes::of("organs/-")).await?.entries.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_64_files_and_200_idle_connections_a_service_goes_on_writing() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().join("records");
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let shell = format!(
        "ulimit -n 64; exec {} --listen 127.0.0.1:0 --data-dir {} --set reserve_mb=1 --set segment_mb=8",
        program.display(),
        data.display()
    );
    let service = Process::start(Path::new("/bin/sh"), &["-c", &shell])?;
    let client = Client::builder().records(format!("http://{}", service.address)).build()?;
    client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(TcpStream::connect(&service.address).await?);
    }
    // Each about as much as a call may hold: a segment is full after a dozen.
    let large = |n: usize| numbered(n) + &"各有关单位要认真抓好落实。\n".repeat(15_000);
    let mut names = Vec::new();
    let mut written = 0;
    while segments(&data)?.len() < 22 {
        assert!(written < 600, "{} segments after {written} imports", segments(&data)?.len());
        let import = Import::new("organs/linlan", large(written).into_bytes());
        let recorded = until("it is recorded", async || match client.import_minutes(import.clone()).await {
            Ok(imported) => Ok(Some(imported.minutes.name)),
            Err(error) if error.reason() == Some(Reason::Busy) || error.is_unavailable() => Ok(None),
            Err(error) => Err(error.into()),
        });
        names.push(recorded.await?);
        written += 1;
    }
    drop(idle);
    for name in names.iter().step_by(20) {
        until("what was acknowledged is there", async || Ok(client.minutes_text(name).await.ok())).await?;
    }
    let open = fs_err::read_dir(format!("/proc/{}/fd", service.id()))?.count();
    assert!(open < 64, "{open} files are open");
    assert!(service.stop()?.success());
    Ok(())
}

fn segments(data: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(data.join("journal"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "segment") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Killed a moment after it began a segment, whose records it acknowledged: without that file it does not start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newest_segment_that_is_gone_is_missed() -> Result<()> {
    let program = binary("jiyao-records", "jiyao-records", None)?;
    let rounds = if std::env::var("JIYAO_FAULTS").is_ok_and(|form| form == "long") { 100 } else { 4 };
    for round in 0..rounds {
        let folder = TempDir::new()?;
        let data = folder.path().join("records");
        let shown = data.display().to_string();
        let arguments =
            ["--listen", "127.0.0.1:0", "--data-dir", &shown, "--set", "log=error", "--set", "reserve_mb=1"];
        let service = Process::start(&program, &arguments)?;
        let client = Client::builder().records(format!("http://{}", service.address)).build()?;
        client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
        let line = "各有关单位要认真抓好落实。\n".repeat(17_000);
        let mut n = 0;
        while segments(&data)?.len() < 2 {
            client.import_minutes(Import::new("organs/linlan", (numbered(n) + &line).into_bytes())).await?;
            n += 1;
        }
        // None to a few records more are in it.
        for more in 0..round % 4 {
            client.import_minutes(Import::new("organs/linlan", numbered(900 + more).into_bytes())).await?;
        }
        service.kill()?;
        let newest = segments(&data)?.pop().unwrap();
        fs_err::remove_file(&newest)?;
        let refused = Command::new(&program).args(arguments).output()?;
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "round {round}: {said}");
        assert!(said.contains("segment"), "round {round}: {said}");
    }
    Ok(())
}
