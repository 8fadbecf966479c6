//! Work that takes long is bounded: it has a queue that says BUSY, ends with its caller, and holds up nobody who records.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiyao_client::{Client, Import, Standing};
use jiyao_proto::client::records::v1::lifecycle_service_client::LifecycleServiceClient;
use jiyao_proto::client::records::v1::matters_service_client::MattersServiceClient;
use jiyao_proto::client::records::v1::records_service_client::RecordsServiceClient;
use jiyao_proto::records::v1 as wire;
use jiyao_testkit::{Process, binary, numbered, repeated_pdf, until};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::transport::Channel;

struct House {
    service: Process,
    client: Client,
    _folder: TempDir,
}

impl House {
    async fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        let data = folder.path().join("records").display().to_string();
        let arguments =
            ["--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "log=error", "--set", "reserve_mb=1"];
        let service = Process::start(&binary("jiyao-records", "jiyao-records", None)?, &arguments)?;
        let client = Client::builder().records(format!("http://{}", service.address)).build()?;
        client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?;
        Ok(Self { service, client, _folder: folder })
    }

    async fn channel(&self) -> Result<Channel> {
        Ok(Channel::from_shared(format!("http://{}", self.service.address))?.connect().await?)
    }

    /// A clerk imports minutes and gets an answer, whatever else goes on.
    async fn import(&self, n: usize) -> Result<Duration> {
        let began = Instant::now();
        self.client.import_minutes(Import::new("organs/linlan", numbered(n).into_bytes())).await?;
        Ok(began.elapsed())
    }

    /// How many processes the service has begun that still run.
    fn children(&self) -> usize {
        let own = format!("/proc/{0}/task", self.service.id());
        let tasks = fs_err::read_dir(own).into_iter().flatten().filter_map(Result::ok);
        tasks
            .filter_map(|task| fs_err::read_to_string(task.path().join("children")).ok())
            .map(|children| children.split_whitespace().count())
            .sum()
    }

    /// Processor time of the service and of the children that it waited for, in hundredths of a second.
    fn worked(&self) -> Result<u64> {
        let line = fs_err::read_to_string(format!("/proc/{}/stat", self.service.id()))?;
        let fields: Vec<&str> = line.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        Ok(fields[11..15].iter().filter_map(|field| field.parse::<u64>().ok()).sum())
    }

    /// Waits until the service does next to nothing any more and has no children; how long that took.
    async fn rests(&self) -> Result<Duration> {
        let began = Instant::now();
        until("the service rests", async || {
            let before = self.worked()?;
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok((self.worked()? - before <= 2 && self.children() == 0).then_some(()))
        })
        .await?;
        Ok(began.elapsed())
    }
}

/// Starts calls and ends them all after a while; which codes were answered before that.
async fn abandoned<F>(calls: impl Iterator<Item = F>, after: Duration) -> Vec<tonic::Code>
where
    F: Future<Output = tonic::Code> + Send + 'static,
{
    let mut running = JoinSet::new();
    for call in calls {
        running.spawn(call);
    }
    tokio::time::sleep(after).await;
    running.abort_all();
    let mut codes = Vec::new();
    while let Some(ended) = running.join_next().await {
        codes.extend(ended.ok());
    }
    codes
}

fn code<T>(answer: Result<T, tonic::Status>) -> tonic::Code {
    answer.map_or_else(|status| status.code(), |_| tonic::Code::Ok)
}

fn read(content: Vec<u8>) -> wire::ReadMinutesRequest {
    let from = wire::source::From::Content(content);
    wire::ReadMinutesRequest { source: Some(wire::Source { from: Some(from) }) }
}

/// Dry runs of files that take long, by somebody who does not wait for the answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_runs_that_nobody_waits_for_hold_up_no_import_and_fill_no_memory() -> Result<()> {
    let house = House::new().await?;
    let calm = house.import(0).await?;
    let line = "各有关单位要认真抓好落实，重大事项随时报告。".repeat(4);
    let page = vec![line.as_str(); 400];
    let slow = repeated_pdf(&[&page], 2000);
    assert!(slow.len() < 768 << 10, "{} bytes", slow.len());
    let channel = house.channel().await?;
    let call = |content: Vec<u8>| {
        let mut records = RecordsServiceClient::new(channel.clone());
        async move { code(records.read_minutes(read(content)).await) }
    };
    let before = house.service.memory("VmRSS")?;
    let codes = abandoned((0..40).map(|_| call(slow.clone())), Duration::from_secs(2)).await;
    let gone = until("the child is gone", async || Ok((house.children() == 0).then_some(()))).await;
    gone?;
    let busy = codes.iter().filter(|code| **code == tonic::Code::ResourceExhausted).count();
    assert!(
        busy >= 25,
        "one is read and a few wait, the others hear at once that there is no room: {codes:?}"
    );

    // While others go on asking, a clerk imports.
    let asking = {
        let channel = channel.clone();
        tokio::spawn(async move {
            loop {
                let calls = (0..8).map(|_| {
                    let (mut records, slow) = (RecordsServiceClient::new(channel.clone()), slow.clone());
                    async move { code(records.read_minutes(read(slow)).await) }
                });
                abandoned(calls, Duration::from_millis(500)).await;
            }
        })
    };
    let mut longest = Duration::ZERO;
    for n in 1..=10 {
        longest = longest.max(house.import(n).await?);
    }
    asking.abort();
    let _ = asking.await;

    // Many large ones that are given up at once.
    let large = numbered(1) + &"各有关单位要认真抓好落实。\n".repeat(17_000);
    for _ in 0..4 {
        abandoned((0..100).map(|_| call(large.clone().into_bytes())), Duration::from_millis(300)).await;
    }
    let rests = house.rests().await?;
    let after = house.service.memory("VmRSS")?;
    println!(
        "import: calm {calm:.1?}, beside dry runs at most {longest:.1?}; at rest {rests:.1?} after 400 large ones were given up; {before:.0} MiB before, {after:.0} after"
    );
    assert!(after < before + 300.0, "what was given up is let go: {before:.0} MiB, then {after:.0}");
    Ok(())
}

/// Minutes of thousands of decisions become matters a few hundred at a time, and others record meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_act_goes_on_in_parts_and_others_record_meanwhile() -> Result<()> {
    const DECISIONS: usize = 3_000;
    let house = House::new().await?;
    let mut text = String::from(
        "临岚市人民政府常务会议纪要\n\n2025年4月15日下午，方知远市长主持召开市政府第42次常务会议。\n会议议定以下意见：\n",
    );
    let numbers = ["一", "二", "三", "四", "五", "六"];
    for (at, number) in numbers.iter().enumerate() {
        text.push_str(&format!("{number}、关于第{}批项目\n", at + 1));
        for n in 0..DECISIONS / numbers.len() {
            text.push_str(&format!(
                "原则同意《第{at}批第{n}号项目方案》，由市住建局牵头组织实施，2026年12月31日前完成。\n"
            ));
        }
    }
    let made = house
        .client
        .import_minutes(Import {
            standing: Standing::IssuedElsewhere,
            ..Import::new("organs/linlan", text.into_bytes())
        })
        .await?;
    let (name, decisions) =
        (made.minutes.name, made.minutes.facts.items.iter().map(|item| item.decisions.len()).sum::<usize>());
    assert!(decisions > 1_000, "{decisions} decisions were read");
    // One call makes at most so many, and says where it goes on.
    let mut matters = MattersServiceClient::new(house.channel().await?);
    let pick = wire::PickMattersRequest { minutes: name.clone(), ..Default::default() };
    let first = matters.pick_matters(pick).await?.into_inner();
    assert!(first.matters.len() <= 500 && !first.next_page_token.is_empty(), "{}", first.matters.len());

    let picking = {
        let (client, name) = (house.client.clone(), name.clone());
        tokio::spawn(async move { client.pick_matters(&name).await })
    };
    let (mut longest, mut imports) = (Duration::ZERO, 0);
    while !picking.is_finished() || imports < 3 {
        longest = longest.max(house.import(imports).await?);
        imports += 1;
    }
    let picked = picking.await??;
    println!("{imports} imports beside {} matters, the longest {longest:.1?}", picked.matters.len());
    let all = jiyao_client::Page::all(async |page| {
        house.client.list_matters("organs/linlan", None, false, page).await
    })
    .await?;
    assert_eq!(all.len(), decisions, "each once");
    Ok(())
}

/// Comparisons and searches that nobody waits for, and more watches than there is room for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_ends_and_watches_are_counted() -> Result<()> {
    let house = House::new().await?;
    house.import(0).await?;
    let channel = house.channel().await?;
    let line = |n: usize| format!("（{n}）由市住建局牵头，第{}批项目按期完成。\n", n * 7919 % 10_007);
    let side = |from: usize| wire::Side {
        of: Some(wire::side::Of::Text((from..from + 7_000).map(line).collect::<String>())),
    };
    let request = wire::CompareVersionsRequest { before: Some(side(0)), after: Some(side(3_500)) };
    let calls = (0..60).map(|_| {
        let (mut lifecycle, request) = (LifecycleServiceClient::new(channel.clone()), request.clone());
        async move { code(lifecycle.compare_versions(request).await) }
    });
    let before = house.service.memory("VmRSS")?;
    let codes = abandoned(calls, Duration::from_secs(2)).await;
    assert!(codes.contains(&tonic::Code::ResourceExhausted), "there is no room for 60: {codes:?}");
    let compared = house.rests().await?;

    let large = "各有关单位要认真抓好落实。\n".repeat(10_000);
    for n in 100..130 {
        let import = Import::new("organs/linlan", (numbered(n) + &large).into_bytes());
        house.client.import_minutes(import).await?;
    }
    let search = wire::SearchMinutesRequest {
        parent: "organs/-".into(),
        query: "无此词语".into(),
        ..Default::default()
    };
    let calls = (0..120).map(|_| {
        let (mut records, search) = (RecordsServiceClient::new(channel.clone()), search.clone());
        async move { code(records.search_minutes(search).await) }
    });
    let codes = abandoned(calls, Duration::from_millis(1500)).await;
    assert!(codes.contains(&tonic::Code::ResourceExhausted), "there is no room for 120: {codes:?}");
    let written = house.import(200).await?;
    let searched = house.rests().await?;

    let mut streams = Vec::new();
    let (mut channels, mut refused) = (Vec::new(), 0);
    for n in 0..700 {
        if n % 100 == 0 {
            channels.push(house.channel().await?);
        }
        let channel = channels.last().unwrap().clone();
        let watch = wire::WatchMattersRequest { parent: "organs/-".into(), after: None };
        match MattersServiceClient::new(channel).watch_matters(watch).await {
            Ok(stream) => streams.push(stream),
            Err(status) => {
                assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status}");
                refused += 1;
            }
        }
    }
    assert_eq!((streams.len(), refused), (128, 572), "so many of one principal");
    house.import(201).await?;
    drop(streams);
    drop(channels);
    let rests = house.rests().await?;
    let after = house.service.memory("VmRSS")?;
    println!(
        "at rest {compared:.1?} after comparisons, {searched:.1?} after searches, {rests:.1?} after watches; a write beside took {written:.1?}; {before:.0} MiB before, {after:.0} after"
    );
    let watch = wire::WatchMattersRequest { parent: "organs/-".into(), after: None };
    MattersServiceClient::new(house.channel().await?).watch_matters(watch).await?;
    Ok(())
}
