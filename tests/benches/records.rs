//! How fast records answers with many matters in the store, as ratios to GetMinutes in the same run.
//! `just bench records`; `JIYAO_MATTERS=100000` for fewer than a million.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiyao_client::{BoardBy, Client, Import, NewMatter};
use jiyao_testkit::{Dice, Local, SAMPLE};
use tempfile::TempDir;

/// Clients that fill the store at the same time.
const FILLERS: usize = 64;
const UNITS: u64 = 100;

/// Median and 99th percentile of so many calls, one after the other.
async fn timed<F: Future<Output = Result<(), jiyao_client::Error>>>(
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
    took.sort_unstable();
    Ok((took[calls / 2], took[calls * 99 / 100]))
}

async fn fill(client: &Client, minutes: &str, matters: usize) -> Result<()> {
    let today =
        jiyao_calendar::civil_date(jiyao_calendar::Clock::now(&jiyao_calendar::SystemClock), "Asia/Shanghai");
    let mut filling = tokio::task::JoinSet::new();
    for filler in 0..FILLERS {
        let (client, minutes) = (client.clone(), minutes.to_owned());
        let mut dice = Dice::new(&format!("records-{filler}"));
        filling.spawn(async move {
            for n in 0..matters / FILLERS {
                // A tenth is overdue.
                let due = jiyao_calendar::days_later(today, dice.below(365) as i64 - 36);
                let new = NewMatter {
                    minutes: minutes.clone(),
                    item: 0,
                    text: "每季度向市政府报告一次进度".into(),
                    content: format!("按季报告进度之{filler}.{n}"),
                    lead: format!("市第{}局", dice.below(UNITS)),
                    due: due.to_string(),
                    ..NewMatter::default()
                };
                client.create_matter(new).await?;
            }
            Ok::<_, jiyao_client::Error>(())
        });
    }
    while let Some(filled) = filling.join_next().await {
        filled??;
    }
    Ok(())
}

fn size_of(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                size_of(&entry.path())
            } else {
                entry.metadata().map_or(0, |m| m.len())
            }
        })
        .sum()
}

#[tokio::main]
async fn main() -> Result<()> {
    let matters: usize =
        std::env::var("JIYAO_MATTERS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let folder = TempDir::new()?;
    let services = Local::start(folder.path()).await?;
    let client = services.client()?;
    let organ = client.create_organ(Some("linlan"), "某机关", &[]).await?.name;
    let minutes = client.import_minutes(Import::new(&organ, SAMPLE.as_bytes().to_vec())).await?.minutes.name;
    client.pick_matters(&minutes).await?;
    let start = Instant::now();
    fill(&client, &minutes, matters).await?;
    let took = start.elapsed().as_secs_f64();
    println!(
        "{matters} matters made by {FILLERS} clients in {took:.0} s: {:.0} a second, durable",
        matters as f64 / took
    );
    println!("on disk: {:.0} MB", size_of(folder.path()) as f64 / 1e6);

    let (p50, p99) = timed(2000, async || client.minutes(&minutes, None).await.map(drop)).await?;
    println!("{:<16} {:>10} {:>10}  {:>12} {:>12}", "call", "p50", "p99", "of GetMinutes", "aim");
    let row = |call: &str, (here, worst): (Duration, Duration), ratio: f64, aim: &str| {
        println!("{call:<16} {here:>10.0?} {worst:>10.0?}  {ratio:>12.2} {aim:>12}");
    };
    row("GetMinutes", (p50, p99), 1.0, "");
    let of_p50 = |took: (Duration, Duration)| took.0.as_secs_f64() / p50.as_secs_f64();
    let board = timed(200, async || client.board(&organ, BoardBy::Unit).await.map(drop)).await?;
    row("GetBoard", board, of_p50(board), "p50 <= 20");
    let overdue = timed(500, async || client.list_matters(&organ, None, true, None).await.map(drop)).await?;
    row("overdue, 200", overdue, of_p50(overdue), "p50 <= 20");
    let became = timed(2000, async || client.what_became_of(&minutes, 0, 0).await.map(drop)).await?;
    row("WhatBecameOf", became, became.1.as_secs_f64() / p99.as_secs_f64(), "p99 <= 1.5");
    services.stop().await
}
