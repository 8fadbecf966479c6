//! How fast people sign in, a quorum is counted, and 10,000 recipients get and sign for one issue; as ratios to a no-op
//! call and a plain append in the same run. `just bench deliveries`; `JIYAO_RECIPIENTS=1000` for fewer.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use jiyao_client::{
    Client, Delivery, DeliveryAct, DeliveryState, FreezeScope, Import, NewMeeting, NewSeat, Page, SeatAct,
};
use jiyao_testkit::{Local, Process, SAMPLE, binary};
use tempfile::TempDir;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const AT_ONCE: usize = 64;
const TERMINALS: usize = 50;
/// Deliveries of the one unit that signs over one connection.
const ONE_UNITS: usize = 1000;

fn percentiles(mut took: Vec<Duration>) -> (Duration, Duration) {
    took.sort_unstable();
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

async fn timed<F: Future<Output = Result<()>>>(
    calls: usize,
    call: impl Fn() -> F,
) -> Result<(Duration, Duration)> {
    for _ in 0..calls / 10 {
        call().await?;
    }
    let mut took = Vec::with_capacity(calls);
    for _ in 0..calls {
        let start = Instant::now();
        call().await?;
        took.push(start.elapsed());
    }
    Ok(percentiles(took))
}

/// Calls a second of the health service: nothing is decided, nothing is written.
async fn no_op(address: &str) -> Result<f64> {
    const CALLS: usize = 20_000;
    let channel = tonic::transport::Channel::from_shared(format!("http://{address}"))?.connect().await?;
    let start = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let mut health = HealthClient::new(channel.clone());
        running.spawn(async move {
            for _ in 0..CALLS / AT_ONCE {
                health.check(HealthCheckRequest { service: String::new() }).await?;
            }
            Ok::<_, tonic::Status>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(CALLS as f64 / start.elapsed().as_secs_f64())
}

/// Records of 600 bytes a second, each appended and synced by one of so many threads.
#[expect(
    clippy::disallowed_methods,
    reason = "the floor is a bare append and fdatasync, without the journal"
)]
fn plain_append(folder: &std::path::Path) -> Result<f64> {
    const RECORDS: usize = 6400;
    let file = std::fs::File::options().create(true).append(true).open(folder.join("plain"))?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                scope.spawn(|| -> std::io::Result<()> {
                    let mut file = file.try_clone()?;
                    for _ in 0..RECORDS / AT_ONCE {
                        file.write_all(&[7; 600])?;
                        file.sync_data()?;
                    }
                    Ok(())
                })
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().unwrap_or(Ok(())))
    })?;
    Ok(RECORDS as f64 / start.elapsed().as_secs_f64())
}

async fn sign_ins(client: &Client, organ: &str) -> Result<()> {
    let mut table = "type,id,title,rank,member_of,person,post\npost,v,副市长,DEPUTY,常务会议,,\n".to_owned();
    for n in 0..100 {
        table += &format!("person,p{n},成员{n},,,,\ntenure,,,,,p{n},v\n");
    }
    client.import_directory(organ, table.into_bytes(), false).await?;
    let new = NewMeeting { kind: "常务会议".into(), date: "2025-04-15".into(), ..NewMeeting::default() };
    let meeting = client.create_meeting(organ, new).await?.name;
    for some in [0..450, 450..900] {
        let others =
            some.map(|n| NewSeat { person: format!("某{n}"), unit: "某局".into(), ..NewSeat::default() });
        client.add_seats(&meeting, others.collect()).await?;
    }
    let start = Instant::now();
    let mut terminals = tokio::task::JoinSet::new();
    for terminal in 0..TERMINALS {
        let (client, meeting) = (client.clone(), meeting.clone());
        terminals.spawn(async move {
            for number in (1..=1000).filter(|number| number % TERMINALS == terminal) {
                let act = SeatAct::SignIn { terminal: format!("{terminal}号机"), person: String::new() };
                client.sit(&format!("{meeting}/seats/{number}"), act, None).await?;
            }
            Ok::<_, jiyao_client::Error>(())
        });
    }
    while let Some(ended) = terminals.join_next().await {
        ended??;
    }
    println!("1,000 people sign in from {TERMINALS} terminals: {:.1?} (aim: within 60 s)", start.elapsed());
    let quorum = timed(1000, async || Ok(client.quorum(&meeting, None).await.map(drop)?)).await?;
    println!("quorum of 100 members at a moment, one call: p50 {:.0?}, p99 {:.0?}", quorum.0, quorum.1);
    Ok(())
}

async fn all(client: &Client, minutes: &str) -> Result<Vec<Delivery>> {
    Ok(Page::all(async |page| client.list_deliveries(minutes, false, page).await).await?)
}

/// Issues one minutes to so many recipients; answers its deliveries.
async fn issue(client: &Client, organ: &str, class: &str, number: usize) -> Result<(String, Vec<Delivery>)> {
    let text = SAMPLE.replace("〔2025〕9号", &format!("〔2025〕{}号", number + 100)).replace(
        "分送：各县、区人民政府，临岚高新区、青禾开发区管委会；市各\n有关部门和单位。",
        &format!("分送：{class}。"),
    );
    let minutes = client.import_minutes(Import::new(organ, text.into_bytes())).await?.minutes.name;
    let freeze =
        FreezeScope { minutes: minutes.clone(), date: "2025-04-27".into(), ..FreezeScope::default() };
    let total = loop {
        match client.freeze_scope(freeze.clone()).await {
            Ok(scope) => break scope.total as usize,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let start = Instant::now();
    client.dispatch_minutes(&minutes).await?;
    let sent = async || {
        let counts = client.delivery_counts(&minutes).await?;
        Ok::<_, anyhow::Error>(counts.iter().map(|(_, count)| *count as usize).sum::<usize>())
    };
    while sent().await? < total {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{total} deliveries are in their inboxes after {:.1?}", start.elapsed());
    let deliveries = all(client, &minutes).await?;
    Ok((minutes, deliveries))
}

/// Signs for all of them, one acknowledgement a call; answers how many a second, durable.
async fn sign_all(address: &str, deliveries: &[Delivery]) -> Result<f64> {
    let deliveries = Arc::new(deliveries.to_vec());
    let start = Instant::now();
    let mut units = tokio::task::JoinSet::new();
    for worker in 0..AT_ONCE {
        let (deliveries, address) = (Arc::clone(&deliveries), address.to_owned());
        units.spawn(async move {
            // A principal without a unit of its own signs for nobody: each recipient is a client of its own.
            for delivery in deliveries.iter().skip(worker).step_by(AT_ONCE) {
                let unit = Client::builder()
                    .distribution(format!("http://{address}"))
                    .acting_as("系统", &delivery.title)
                    .build()?;
                unit.deliver(&delivery.name, sign(delivery), None).await?;
            }
            Ok::<_, jiyao_client::Error>(())
        });
    }
    while let Some(ended) = units.join_next().await {
        ended??;
    }
    Ok(deliveries.len() as f64 / start.elapsed().as_secs_f64())
}

fn sign(delivery: &Delivery) -> DeliveryAct {
    DeliveryAct::Sign {
        attempt: delivery.attempt,
        sha256: delivery.sha256.clone(),
        signer: "系统".into(),
        claim_signature: String::new(),
    }
}

/// Signs for many deliveries of one unit over one connection: what a unit's own system does.
async fn sign_over_one(address: &str, deliveries: &[Delivery], unit: &str) -> Result<(f64, f64)> {
    let client =
        Client::builder().distribution(format!("http://{address}")).acting_as("系统", unit).build()?;
    let half = deliveries.len() / 2;
    let start = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..AT_ONCE {
        let client = client.clone();
        let mine: Vec<Delivery> = deliveries[..half].iter().skip(worker).step_by(AT_ONCE).cloned().collect();
        workers.spawn(async move {
            for delivery in &mine {
                client.deliver(&delivery.name, sign(delivery), None).await?;
            }
            Ok::<_, jiyao_client::Error>(())
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    let single = half as f64 / start.elapsed().as_secs_f64();
    let start = Instant::now();
    for batch in deliveries[half..].chunks(500) {
        let signing: Vec<_> = batch
            .iter()
            .map(|one| (one.name.clone(), one.attempt, one.sha256.clone(), "系统".to_owned()))
            .collect();
        let outcomes = client.sign_deliveries(&signing).await?;
        anyhow::ensure!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }
    Ok((single, (deliveries.len() - half) as f64 / start.elapsed().as_secs_f64()))
}

#[tokio::main]
async fn main() -> Result<()> {
    let most: usize = std::env::var("JIYAO_RECIPIENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let folder = TempDir::new()?;
    let services = Local::start(&folder.path().join("others")).await?;
    let data = folder.path().join("distribution").display().to_string();
    let settings = [
        format!("records=http://{}", services.records),
        format!("attendance=http://{}", services.attendance),
        "reserve_mb=1".to_owned(),
        "calls=2048".to_owned(),
        "connections_per_peer=1024".to_owned(),
    ];
    let mut arguments = vec!["--listen", "127.0.0.1:0", "--data-dir", data.as_str()];
    for setting in &settings {
        arguments.extend(["--set", setting]);
    }
    let distribution =
        Process::start(&binary("jiyao-distribution", "jiyao-distribution", None)?, &arguments)?;
    let client = Client::builder()
        .records(format!("http://{}", services.records))
        .attendance(format!("http://{}", services.attendance))
        .distribution(format!("http://{}", distribution.address))
        .build()?;
    let organ = client.create_organ(Some("linlan"), "某机关", &[]).await?.name;
    sign_ins(&client, &organ).await?;

    let few = most / 10;
    let mut table = "type,id,title,classes\n".to_owned();
    for n in 0..most {
        let class = if n < few { "各少数单位；各多数单位" } else { "各多数单位" };
        table += &format!("unit,u{n},第{n}单位,{class}\n");
    }
    client.import_directory(&organ, table.into_bytes(), false).await?;
    let (_, small) = issue(&client, &organ, "各少数单位", 0).await?;
    let rate = sign_all(&distribution.address, &small).await?;
    println!("{few} recipients sign, a connection each: {rate:.0} receipts a second");
    let before = distribution.memory("VmRSS")?;
    let (minutes, large) = issue(&client, &organ, "各多数单位", 1).await?;
    let one = timed(1000, async || Ok(client.delivery(&large[0].name).await.map(drop)?)).await?;
    let silent =
        timed(200, async || Ok(client.list_deliveries(&minutes, true, None).await.map(drop)?)).await?;
    println!(
        "unsigned among {most}, a page of 200: p50 {:.0?}, {:.1} times the p50 of GetDelivery {:.0?} (aim: at most 20)",
        silent.0,
        silent.0.as_secs_f64() / one.0.as_secs_f64(),
        one.0
    );
    let rate = sign_all(&distribution.address, &large).await?;
    let after = distribution.memory("VmRSS")?;
    println!("{most} recipients sign, a connection each: {rate:.0} receipts a second");
    println!(
        "resident: {before:.0} MiB after {few}, {after:.0} MiB after {most}: {:.2} times (aim: at most 1.3)",
        after / before
    );
    let counts = client.delivery_counts(&minutes).await?;
    anyhow::ensure!(counts == [(DeliveryState::Signed, u32::try_from(most)?)], "{counts:?}");

    // One unit with many deliveries over one connection, against the floors at the same concurrency.
    let mut issued = Vec::new();
    for number in 2..2 + ONE_UNITS {
        issued.push(dispatch_to_one(&client, &organ, number).await?);
    }
    let mut own = Vec::new();
    for minutes in &issued {
        let mut deliveries = all(&client, minutes).await?;
        while deliveries.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            deliveries = all(&client, minutes).await?;
        }
        own.append(&mut deliveries);
    }
    let floor_call = no_op(&distribution.address).await?;
    let floor_append = plain_append(folder.path())?;
    let (single, batched) = sign_over_one(&distribution.address, &own, "第0单位").await?;
    let floor = floor_call.min(floor_append);
    println!(
        "no-op call {floor_call:.0} a second, plain append {floor_append:.0} a second, {AT_ONCE} at once"
    );
    println!(
        "receipts, one a call: {single:.0} a second, {:.2} of the lower floor (aim: at least 0.5)",
        single / floor
    );
    println!("receipts, 500 a call: {batched:.0} a second");
    services.stop().await
}

/// One minutes to one unit.
async fn dispatch_to_one(client: &Client, organ: &str, number: usize) -> Result<String> {
    let text = SAMPLE.replace("〔2025〕9号", &format!("〔2025〕{}号", number + 100)).replace(
        "分送：各县、区人民政府，临岚高新区、青禾开发区管委会；市各\n有关部门和单位。",
        "分送：第0单位。",
    );
    let minutes = client.import_minutes(Import::new(organ, text.into_bytes())).await?.minutes.name;
    let freeze =
        FreezeScope { minutes: minutes.clone(), date: "2025-04-27".into(), ..FreezeScope::default() };
    while client.freeze_scope(freeze.clone()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    client.dispatch_minutes(&minutes).await?;
    Ok(minutes)
}
