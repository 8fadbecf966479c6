//! The ways of a delivery against real parts: a mail server, a receiver of webhooks, a service that is killed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiyao_calendar::{Clock as _, SystemClock};
use jiyao_client::{
    Channel, Client, Delivery, DeliveryAct, DeliveryAddress, DeliveryState, FreezeScope, Import, Page,
    PublicKey, ReceiptKind, check_webhook, verify_receipt,
};
use jiyao_testkit::{Dice, Local, Process, SAMPLE, binary, until};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Minutes whose list names these units, issued elsewhere, and a directory that knows them.
async fn issued_to(client: &Client, units: &[String]) -> Result<(String, String)> {
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    let mut table = "type,id,title,classes\n".to_owned();
    for (n, unit) in units.iter().enumerate() {
        table += &format!("unit,u{n},{unit},各测试单位\n");
    }
    client.import_directory(&organ, table.into_bytes(), false).await?;
    let text = SAMPLE.replace(
        "分送：各县、区人民政府，临岚高新区、青禾开发区管委会；市各\n有关部门和单位。",
        "分送：各测试单位。",
    );
    ensure!(text.contains("各测试单位"), "the sample has another list");
    let minutes = client.import_minutes(Import::new(&organ, text.into_bytes())).await?.minutes.name;
    Ok((organ, minutes))
}

async fn dispatched(client: &Client, minutes: &str, count: usize) -> Result<Vec<Delivery>> {
    let freeze =
        FreezeScope { minutes: minutes.to_owned(), date: "2025-04-27".into(), ..FreezeScope::default() };
    until("freeze", async || Ok(client.freeze_scope(freeze.clone()).await.ok())).await?;
    client.dispatch_minutes(minutes).await?;
    until("deliveries", async || {
        let found = Page::all(async |page| client.list_deliveries(minutes, false, page).await).await?;
        Ok((found.len() == count).then_some(found))
    })
    .await
}

/// One request of HTTP/1.1: path, headers, body.
async fn request(socket: &mut TcpStream) -> Result<(String, HashMap<String, String>, String)> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        ensure!(socket.read_buf(&mut bytes).await? > 0, "the head is cut");
    };
    let text = String::from_utf8(bytes[..head].to_vec())?;
    let mut lines = text.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(head + 4);
    while body.len() < length {
        ensure!(socket.read_buf(&mut body).await? > 0, "the body is cut");
    }
    Ok((path, headers, String::from_utf8(body)?))
}

async fn answered(socket: &mut TcpStream, status: &str, more: &str) -> Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n{more}\r\n");
    socket.write_all(answer.as_bytes()).await?;
    Ok(())
}

/// A webhook as it came.
#[derive(Clone, Debug)]
struct Call {
    path: String,
    id: String,
    time: i64,
    signature: String,
    body: String,
}

async fn call(socket: &mut TcpStream) -> Result<Call> {
    let (path, headers, body) = request(socket).await?;
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    let time = header("webhook-timestamp").parse().context("webhook-timestamp")?;
    Ok(Call { path, id: header("webhook-id"), time, signature: header("webhook-signature"), body })
}

fn check(call: &Call, keys: &[PublicKey]) -> Result<(String, u32)> {
    check_webhook((&call.id, call.time, &call.signature), &call.body, keys, SystemClock.now().as_second())?;
    ensure!(call.body.len() < 20_000, "a thin body");
    let said: serde_json::Value = serde_json::from_str(&call.body)?;
    let name = said["data"]["delivery"].as_str().unwrap_or_default().to_owned();
    let attempt = said["data"]["attempt"].as_u64().unwrap_or(0);
    Ok((name, u32::try_from(attempt)?))
}

#[tokio::test]
async fn webhooks_are_signed_thin_retried_and_never_redirected() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let folder = TempDir::new()?;
    let services = Local::start_joined(folder.path(), |config| {
        config.webhook_networks = format!("127.0.0.0/8:{port}");
        config.retries = "0,0".into();
    })
    .await?;
    let client = services.client()?;
    let units: Vec<String> =
        ["好局", "忙局", "转局", "停局", "坏局", "缓局"].iter().map(|name| (*name).to_owned()).collect();
    let (organ, minutes) = issued_to(&client, &units).await?;
    let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
    let taken = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let Ok(call) = call(&mut socket).await else { continue };
            let before = {
                let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                taken.push(call.clone());
                taken.iter().filter(|known| known.path == call.path).count() - 1
            };
            if call.body.contains("delivery.reminded") {
                // Nobody is called a second time while the first call is still being taken.
                tokio::time::sleep(Duration::from_millis(1500)).await;
            }
            let (status, more) = match call.path.as_str() {
                "/busy" if before == 0 => ("503 Busy", ""),
                "/redirect" => ("302 Found", "location: http://127.0.0.1:9/\r\n"),
                "/gone" => ("410 Gone", ""),
                "/broken" => ("500 Broken", ""),
                "/later" => ("429 Later", "retry-after: 3600\r\n"),
                _ => ("204 Taken", ""),
            };
            let _ = answered(&mut socket, status, more).await;
        }
    });
    let paths = ["good", "busy", "redirect", "gone", "broken", "later"];
    for (n, path) in paths.iter().enumerate() {
        let address = DeliveryAddress {
            unit: format!("u{n}"),
            channel: Channel::Webhook,
            url: format!("http://127.0.0.1:{port}/{path}"),
            ..DeliveryAddress::default()
        };
        until("an address", async || Ok(client.set_address(&organ, address.clone()).await.ok())).await?;
    }
    let forbidden = |url: &str| DeliveryAddress {
        unit: "u0".into(),
        channel: Channel::Webhook,
        url: url.into(),
        ..DeliveryAddress::default()
    };
    for url in
        ["http://127.0.0.1:1/", "https://10.0.0.1/", "https://[::1]/", "http://example.com/", "nonsense"]
    {
        let refused = client.set_address(&organ, forbidden(url)).await.unwrap_err();
        assert_eq!(
            refused.reason().map(|reason| reason.to_string()).as_deref(),
            Some("TARGET_FORBIDDEN"),
            "{url}"
        );
    }
    let deliveries = dispatched(&client, &minutes, 6).await?;
    let named = |unit: &str| deliveries.iter().find(|delivery| delivery.title == unit).unwrap().name.clone();
    let state = async |unit: &str, wanted: DeliveryState| {
        let name = named(unit);
        until(unit, async || {
            let delivery = client.delivery(&name).await?;
            Ok((delivery.state == wanted).then_some(delivery))
        })
        .await
    };
    assert_eq!(state("好局", DeliveryState::Received).await?.attempt, 1);
    assert_eq!(state("忙局", DeliveryState::Received).await?.attempt, 2);
    let turned = state("转局", DeliveryState::Failed).await?;
    assert_eq!(turned.attempt, 1, "a redirect is never followed, nor tried again");
    assert_eq!(state("停局", DeliveryState::Failed).await?.attempt, 1, "410: no more");
    let broken = state("坏局", DeliveryState::Failed).await?;
    assert_eq!((broken.attempt, broken.failures.len()), (3, 3), "parked after the last attempt");
    assert!(broken.failures[0].1.contains("500"), "{:?}", broken.failures);

    let name = named("缓局");
    let later = until("缓局", async || {
        let delivery = client.delivery(&name).await?;
        Ok((!delivery.failures.is_empty()).then_some(delivery))
    })
    .await?;
    let wait = later.next_try.context("it is tried again")? - SystemClock.now().as_second();
    assert!((3500..=3600).contains(&wait), "as long as it asked for: {wait} s");

    // A reminder goes the same way, once, and moves nothing.
    let good = named("好局");
    let remind = DeliveryAct::Remind { text: "请于今日签收".into() };
    client.deliver(&good, remind, None).await?;
    let heard = until("the reminder", async || {
        let seen = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of_good: Vec<_> = seen.into_iter().filter(|call| call.path == "/good").collect();
        Ok((of_good.len() == 2).then_some(of_good))
    })
    .await?;
    assert!(heard[1].body.contains("delivery.reminded") && !heard[1].body.contains("今日"), "thin too");
    assert_ne!(heard[0].id, heard[1].id, "it is another message");
    let after = until("the end of it", async || {
        let delivery = client.delivery(&good).await?;
        Ok(delivery.next_try.is_none().then_some(delivery))
    })
    .await?;
    assert_eq!((after.attempt, after.reminders.len(), after.state), (1, 1, DeliveryState::Received));
    let seen = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(seen.iter().filter(|call| call.path == "/good").count(), 2, "once");
    let none = state("坏局", DeliveryState::Failed).await?;
    let refused = client.deliver(&none.name, DeliveryAct::Remind { text: "请".into() }, None).await;
    assert!(refused.is_err(), "what did not arrive is not reminded of");

    // A person decides on what is parked.
    let again = client.deliver(&broken.name, DeliveryAct::Resend { reason: "已修复".into() }, None).await?;
    assert_eq!(again.state, DeliveryState::Pending);
    state("坏局", DeliveryState::Failed).await?;
    let paper = DeliveryAct::Redirect { channel: Channel::Paper, reason: "改纸质".into() };
    let redirected = client.deliver(&broken.name, paper, None).await?;
    assert_eq!((redirected.state, redirected.channel), (DeliveryState::Pending, Channel::Paper));
    let closed = client.deliver(&turned.name, DeliveryAct::Close { reason: "另行通知".into() }, None).await?;
    assert_eq!(closed.state, DeliveryState::Failed);
    let mail = DeliveryAct::Redirect { channel: Channel::Email, reason: "邮件".into() };
    let refused = client.deliver(&turned.name, mail, None).await.unwrap_err();
    assert_eq!(refused.reason().map(|reason| reason.to_string()).as_deref(), Some("ADDRESS_MISSING"));

    let keys = client.public_keys("webhook").await?;
    let seen = calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for call in &seen {
        check(call, &keys)?;
        assert!(!call.body.contains("城市更新"), "no content in a webhook");
        let altered = Call { body: call.body.replace("\"delivery\"", "\"delivered\""), ..call.clone() };
        assert!(check(&altered, &keys).is_err());
    }
    let ids: Vec<_> = seen.iter().filter(|call| call.path == "/busy").map(|call| &call.id).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "one id over all attempts");
    assert!(!ids[0].contains('.'), "dots part the id from the rest of what is signed");
    assert_ne!(keys, client.public_keys("receipt").await?, "each purpose has its own key");
    services.stop().await
}

/// A mail server of Debian, on a free port, with its own folder. Killed when dropped.
struct Exim {
    child: Child,
    folder: TempDir,
    port: u16,
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Exim {
    fn start() -> Result<Option<Self>> {
        let program = ["/usr/sbin/exim4", "/usr/sbin/exim"].iter().map(Path::new).find(|path| path.exists());
        // It gives up its rights to its own user, and needs them for that.
        let (Some(program), true) = (program, rustix::process::getuid().is_root()) else {
            ensure!(std::env::var_os("CI").is_none(), "no mail server is at hand, or not as root");
            eprintln!("skipped: no mail server is at hand, or this is not root");
            return Ok(None);
        };
        let folder = TempDir::new()?;
        // A second server beside it, as of another house, which makes no reports; and a third that is down.
        let (port, other, down) = (free_port()?, free_port()?, free_port()?);
        let at = folder.path().display();
        for name in ["spool", "log", "mail"] {
            fs_err::create_dir(folder.path().join(name))?;
        }
        let settings = format!(
            "primary_hostname = mail.example.org\nlocal_interfaces = 127.0.0.1\ndaemon_smtp_ports = {port} : {other}\n\
             spool_directory = {at}/spool\nlog_file_path = {at}/log/%slog\npid_file_path = {at}/exim.pid\n\
             dsn_advertise_hosts = ${{if eq{{$received_port}}{{{port}}}{{*}}{{}}}}\ndelay_warning = 1s\ntls_advertise_hosts =\nacl_smtp_rcpt = rcpt\nqualify_domain = example.org\n\
             deliver_drop_privilege\nkeep_environment =\n\
             begin acl\nrcpt:\n  deny local_parts = refused\n  accept\n\
             begin routers\n\
             gone:\n  driver = redirect\n  local_parts = gone\n  allow_fail\n  data = :fail: no such user\n\
             elsewhere:\n  driver = manualroute\n  local_parts = elsewhere\n  self = send\n  transport = smtp\n\
             \x20 condition = ${{if eq{{$received_port}}{{{port}}}}}\n  route_list = * 127.0.0.1::{other} byname\n\
             down:\n  driver = manualroute\n  local_parts = down\n  self = send\n  transport = smtp\n\
             \x20 route_list = * 127.0.0.2::{down} byname\n\
             office:\n  driver = accept\n  local_parts = office : elsewhere\n  transport = office\n\
             jiyao:\n  driver = accept\n  local_parts = jiyao\n  transport = jiyao\n\
             begin transports\nsmtp:\n  driver = smtp\n  allow_localhost\n  hosts_try_chunking =\n\
             office:\n  driver = appendfile\n  directory = {at}/mail/office\n  maildir_format\n  create_directory\n\
             jiyao:\n  driver = appendfile\n  directory = {at}/mail/jiyao\n  maildir_format\n  create_directory\n\
             begin retry\n* * F,1h,1s\n"
        );
        fs_err::write(folder.path().join("exim.conf"), settings)?;
        let status =
            Command::new("chown").args(["-R", "Debian-exim:Debian-exim"]).arg(folder.path()).status()?;
        ensure!(status.success(), "chown");
        let status = Command::new("chmod").args(["755"]).arg(folder.path()).status()?;
        ensure!(status.success(), "chmod");
        // Its own user reads the configuration, whatever the mask of this process is by now.
        let status = Command::new("chmod").args(["644"]).arg(folder.path().join("exim.conf")).status()?;
        ensure!(status.success(), "chmod");
        // A configuration that others could write is refused.
        let status = Command::new("chown").arg("root:root").arg(folder.path().join("exim.conf")).status()?;
        ensure!(status.success(), "chown");
        let child = Command::new(program)
            .arg("-C")
            .arg(folder.path().join("exim.conf"))
            .args(["-bdf", "-q1s"])
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        let exim = Self { child, folder, port };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(
                began.elapsed() < Duration::from_secs(20),
                "the mail server does not listen: {}",
                exim.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(Some(exim))
    }

    fn maildir(&self, of: &str) -> PathBuf {
        self.folder.path().join("mail").join(of)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log/mainlog")).unwrap_or_default()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn mail_is_received_only_where_a_report_says_delivered() -> Result<()> {
    let Some(exim) = Exim::start()? else { return Ok(()) };
    let folder = TempDir::new()?;
    let services = Local::start_joined(folder.path(), |config| {
        config.smtp = format!("127.0.0.1:{}", exim.port);
        config.mail_from = "jiyao@example.org".into();
        config.maildir = exim.maildir("jiyao").display().to_string();
        config.retries = "0".into();
    })
    .await?;
    let client = services.client()?;
    let units: Vec<String> =
        ["收件局", "无此局", "拒收局", "转递局", "停机局"].iter().map(|name| (*name).to_owned()).collect();
    let (organ, minutes) = issued_to(&client, &units).await?;
    for (n, user) in ["office", "gone", "refused", "elsewhere", "down"].iter().enumerate() {
        let address = DeliveryAddress {
            unit: format!("u{n}"),
            channel: Channel::Email,
            email: format!("{user}@example.org"),
            ..DeliveryAddress::default()
        };
        until("an address", async || Ok(client.set_address(&organ, address.clone()).await.ok())).await?;
    }
    let wrong = DeliveryAddress {
        unit: "u0".into(),
        channel: Channel::Email,
        email: "not an address".into(),
        ..DeliveryAddress::default()
    };
    let refused = client.set_address(&organ, wrong).await.unwrap_err();
    assert_eq!(refused.fields(), ["address.email"]);
    let deliveries = dispatched(&client, &minutes, 5).await?;
    let state = async |unit: &str, wanted: DeliveryState| {
        let name = deliveries.iter().find(|delivery| delivery.title == unit).unwrap().name.clone();
        let found = until(unit, async || {
            let delivery = client.delivery(&name).await?;
            Ok((delivery.state == wanted).then_some(delivery))
        })
        .await;
        found.with_context(|| exim.log())
    };
    let received = state("收件局", DeliveryState::Received).await?;
    assert_eq!((received.transit.as_str(), received.attempt), ("delivered", 1));
    let bounced = state("无此局", DeliveryState::Failed).await?;
    assert!(bounced.failures.iter().any(|(_, why)| why.contains("5.")), "{:?}", bounced.failures);
    let refused = state("拒收局", DeliveryState::Failed).await?;
    assert_eq!(refused.attempt, 2, "tried again, then parked");

    // Handed to a house that makes no reports, or still on its way: known, and neither is a receipt.
    let waiting = |deliveries: &[Delivery]| {
        deliveries.iter().find(|delivery| delivery.title == "停机局").unwrap().name.clone()
    };
    for (unit, transit) in [("转递局", "relayed"), ("停机局", "delayed")] {
        let name = deliveries.iter().find(|delivery| delivery.title == unit).unwrap().name.clone();
        let found = until(unit, async || {
            let delivery = client.delivery(&name).await?;
            Ok((delivery.transit == transit).then_some(delivery))
        });
        let found = found.await.with_context(|| exim.log())?;
        assert_eq!((found.state, found.times[1]), (DeliveryState::Sent, None), "{unit}");
        assert!(client.receipts(&name).await?.is_empty(), "{unit}");
    }

    // What lies in the mailbox are the exact bytes, and a receipt says so.
    let new = exim.maildir("office").join("new");
    let mails = fs_err::read_dir(&new)?
        .map(|mail| Ok(String::from_utf8_lossy(&fs_err::read(mail?.path())?).into_owned()))
        .collect::<Result<Vec<_>>>()?;
    let mail = mails.iter().find(|mail| mail.contains("office@example.org")).context("no mail")?;
    assert!(mail.contains(&received.sha256) && mail.contains("application/octet-stream"), "{mail}");
    let receipts = client.receipts(&received.name).await?;
    let keys = client.public_keys("receipt").await?;
    assert_eq!(verify_receipt(&receipts[0], &keys)?.kind, ReceiptKind::MailReported);

    // Anybody who knows a delivery can write a report of it, and send it to where reports go.
    let before = [client.delivery(&received.name).await?, client.delivery(&waiting(&deliveries)).await?];
    for (n, delivery) in before.iter().enumerate() {
        let id = delivery.name.trim_start_matches("organs/").replace("/deliveries/", ".");
        for (action, proof) in
            [("failed", ""), ("delivered", ""), ("failed", ".00112233445566778899aabbccddeeff")]
        {
            let report = format!(
                "From: MAILER-DAEMON@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; \
                 report-type=delivery-status; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: \
                 message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example.org\r\nOriginal-Envelope-Id: \
                 {id}.1{proof}\r\n\r\nFinal-Recipient: rfc822; office@example.org\r\nAction: {action}\r\n\
                 Status: 5.1.1\r\n\r\n--b--\r\n"
            );
            let file = format!("{n}{action}{}", proof.len());
            fs_err::write(exim.maildir("jiyao").join("new").join(&file), report)?;
            until("the forged report", async || {
                Ok((!exim.maildir("jiyao").join("new").join(&file).exists()).then_some(()))
            })
            .await?;
        }
        // True reports that it is still on its way go on coming meanwhile.
        let told = |of: &Delivery| (of.state, of.attempt, of.transit.clone(), of.failures.clone());
        let after = client.delivery(&delivery.name).await?;
        assert_eq!(told(&after), told(delivery), "a forged report changes nothing");
    }
    assert_eq!(client.receipts(&received.name).await?, receipts);
    client.deliver(&received.name, DeliveryAct::Remind { text: "请于今日签收".into() }, None).await?;
    until("the reminder", async || {
        let came = fs_err::read_dir(&new)?
            .map(|mail| Ok(String::from_utf8_lossy(&fs_err::read(mail?.path())?).into_owned()))
            .collect::<Result<Vec<_>>>()?;
        Ok((came.iter().filter(|mail| mail.contains("office@example.org")).count() == 2).then_some(()))
    })
    .await
    .with_context(|| exim.log())?;
    // Reports are put away once they are read.
    let read = fs_err::read_dir(exim.maildir("jiyao").join("cur"))?.count();
    assert!(read >= 4, "{read} reports are put away");
    services.stop().await
}

/// How long a storm lasts: short in a test run, as long as `JIYAO_STORM_SECONDS` says by hand.
fn storm() -> Duration {
    let asked = std::env::var("JIYAO_STORM_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(20))
}

/// A recipient's system that loses calls, answers late, takes some twice, and signs for each delivery once it has it.
async fn recipient(
    mut socket: TcpStream,
    client: Client,
    keys: Arc<Mutex<Vec<PublicKey>>>,
    dice: Arc<Mutex<Dice>>,
) -> Result<()> {
    let call = call(&mut socket).await?;
    let known = keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (name, _) = check(&call, &known)?;
    let roll = || dice.lock().unwrap_or_else(PoisonError::into_inner).below(100);
    let (lost, late, twice) = (roll(), roll(), roll());
    if lost < 15 {
        // Lost on the way here.
        return Ok(());
    }
    tokio::time::sleep(Duration::from_millis(late * 3)).await;
    for _ in 0..if twice < 10 { 2 } else { 1 } {
        let delivery = client.delivery(&name).await?;
        let act = DeliveryAct::Sign {
            attempt: delivery.attempt,
            sha256: delivery.sha256.clone(),
            signer: "系统".into(),
            claim_signature: String::new(),
        };
        let of_unit = Client::builder()
            .distribution(format!("http://{}", call.path.trim_start_matches('/')))
            .acting_as("系统", &delivery.title)
            .timeout(Duration::from_secs(5))
            .build()?;
        // What it could not sign for it did not take: the sender will call again.
        of_unit.deliver(&name, act, None).await?;
    }
    if lost < 30 {
        // Lost on the way back: it was signed for, and the sender does not know.
        return Ok(());
    }
    answered(&mut socket, "204 Taken", "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_storm_of_losses_doubles_and_kills_every_delivery_has_exactly_one_effect() -> Result<()> {
    const UNITS: usize = 200;
    let folder = TempDir::new()?;
    // Records and attendance stay; a distribution of its own is killed again and again.
    let services = Local::start(&folder.path().join("others")).await?;
    let hooks = TcpListener::bind("127.0.0.1:0").await?;
    let hook = hooks.local_addr()?;
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let program = binary("jiyao-distribution", "jiyao-distribution", None)?;
    let data = folder.path().join("storm").display().to_string();
    let settings = [
        format!("records=http://{}", services.records),
        format!("attendance=http://{}", services.attendance),
        format!("webhook_networks=127.0.0.0/8:{}", hook.port()),
        format!("retries={}", vec!["1"; 200].join(",")),
        "reserve_mb=1".to_owned(),
    ];
    let listen = free.to_string();
    let mut arguments = vec!["--listen", listen.as_str(), "--data-dir", data.as_str()];
    for setting in &settings {
        arguments.extend(["--set", setting]);
    }
    let mut distribution = Process::start(&program, &arguments)?;
    let client = Client::builder()
        .records(format!("http://{}", services.records))
        .attendance(format!("http://{}", services.attendance))
        .distribution(format!("http://{free}"))
        .timeout(Duration::from_secs(20))
        .build()?;
    let units: Vec<String> = (0..UNITS).map(|n| format!("第{n}局")).collect();
    let (organ, minutes) = issued_to(&client, &units).await?;
    for n in 0..UNITS {
        let address = DeliveryAddress {
            unit: format!("u{n}"),
            channel: Channel::Webhook,
            url: format!("http://{hook}/{free}"),
            ..DeliveryAddress::default()
        };
        until("an address", async || Ok(client.set_address(&organ, address.clone()).await.ok())).await?;
    }
    let keys = Arc::new(Mutex::new(client.public_keys("webhook").await?));
    let dice = Arc::new(Mutex::new(Dice::new("storm")));
    let (of_hooks, with_keys) = (client.clone(), Arc::clone(&keys));
    tokio::spawn(async move {
        while let Ok((socket, _)) = hooks.accept().await {
            tokio::spawn(recipient(socket, of_hooks.clone(), Arc::clone(&with_keys), Arc::clone(&dice)));
        }
    });
    let freeze =
        FreezeScope { minutes: minutes.clone(), date: "2025-04-27".into(), ..FreezeScope::default() };
    until("freeze", async || Ok(client.freeze_scope(freeze.clone()).await.ok())).await?;
    client.dispatch_minutes(&minutes).await?;
    let (began, mut kills) = (Instant::now(), 0);
    while began.elapsed() < storm() {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(distribution);
        kills += 1;
        distribution = Process::start(&program, &arguments)?;
    }
    // The storm is over: what is left goes out, and nobody is missing.
    let counts = async || {
        let counts = client.delivery_counts(&minutes).await?;
        let of = |state| counts.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count);
        Ok::<_, anyhow::Error>((
            of(DeliveryState::Signed),
            counts.iter().map(|(_, count)| count).sum::<u32>(),
        ))
    };
    let wanted = u32::try_from(UNITS)?;
    for _ in 0..1200 {
        if counts().await? == (wanted, wanted) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let states = client.delivery_counts(&minutes).await?;
    assert_eq!(counts().await?, (wanted, wanted), "after {kills} kills: {states:?}");
    let receipts = client.public_keys("receipt").await?;
    let mut signed = 0;
    for delivery in Page::all(async |page| client.list_deliveries(&minutes, false, page).await).await? {
        let kinds: Vec<_> = client
            .receipts(&delivery.name)
            .await?
            .iter()
            .map(|receipt| verify_receipt(receipt, &receipts).map(|said| said.kind))
            .collect::<Result<_, _>>()?;
        let effects = kinds.iter().filter(|kind| **kind == ReceiptKind::SignedFor).count();
        assert_eq!(effects, 1, "{}: {kinds:?}", delivery.title);
        signed += effects;
    }
    eprintln!("{signed} deliveries signed for once each over {kills} kills");
    drop(distribution);
    services.stop().await
}
