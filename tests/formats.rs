//! Files as secretariats have them, through the whole system; and what people settle of a reading.

use anyhow::{Context as _, Result};
use jiyao_client::{Import, Settle};
use jiyao_fault::Reason;
use jiyao_reader::{Words, read};
use jiyao_testkit::{Local, SAMPLE, docx, docx_of, pdf};
use tempfile::TempDir;

fn lines() -> Vec<&'static str> {
    SAMPLE.lines().filter(|line| !line.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_is_the_same_record_in_every_format() -> Result<()> {
    let folder = TempDir::new()?;
    let local = Local::start(folder.path()).await?;
    let client = local.client()?;
    let expected = serde_json::to_value(read(SAMPLE, &Words::default()).facts)?;
    let page: String = lines().iter().map(|line| format!("<p>{line}</p>\n")).collect();
    let (gb, _, _) = encoding_rs::GB18030.encode(SAMPLE);
    let all = lines();
    let pages: Vec<&[&str]> = all.chunks(30).collect();
    let files = [
        ("UTF-8", SAMPLE.as_bytes().to_vec()),
        ("GB18030", gb.into_owned()),
        ("HTML", format!("<!DOCTYPE html><html><body>{page}</body></html>").into_bytes()),
        ("DOCX", docx(&all)?),
        ("PDF", pdf(&pages)),
    ];
    for (n, (format, bytes)) in files.into_iter().enumerate() {
        let organ = client.create_organ(None, &format!("甲{n}市人民政府"), &[]).await?.name;
        let dry = client.read_minutes(bytes.clone()).await.with_context(|| format.to_owned())?;
        assert_eq!(dry.format, format);
        assert_eq!(serde_json::to_value(&dry.facts)?, expected, "{format}");
        let imported = client.import_minutes(Import::new(&organ, bytes.clone())).await?;
        assert_eq!(serde_json::to_value(&imported.minutes.facts)?, expected, "{format}");
        let name = imported.minutes.name;
        assert_eq!(client.minutes_text(&name).await?, bytes, "{format}: the original, byte for byte");
        let text = client.extracted_text(&name).await?;
        assert_eq!(dry.text.unwrap_or_else(|| SAMPLE.to_owned()), text);
        for placed in client.minutes(&name, None).await?.facts.all() {
            let spans: String = placed.fact.spans.iter().map(|span| span.of(&text)).collect();
            assert!(!spans.is_empty(), "{format}: {} stands nowhere", placed.path);
        }
    }
    local.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_files_end_their_reading_and_not_the_service() -> Result<()> {
    let folder = TempDir::new()?;
    let local = Local::start(folder.path()).await?;
    let client = local.client()?;
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    let mut cut = docx(&lines())?;
    cut.truncate(cut.len() / 2);
    let mut flipped = pdf(&[&lines()[..20]]);
    for at in (100..flipped.len()).step_by(37) {
        flipped[at] ^= 0x15;
    }
    let deep = format!("<w:document>{}</w:document>", "<w:p>".repeat(200_000));
    let bomb = docx_of(&format!("<w:document><w:p><w:t>{}</w:t></w:p></w:document>", "甲".repeat(30 << 20)))?;
    let nested = format!("%PDF-1.4\n1 0 obj\n{}{}\nendobj\n", "[".repeat(100_000), "]".repeat(100_000));
    let cases = [
        ("a picture only", pdf(&[&[]]), Reason::SourceNoText),
        ("half of an archive", cut, Reason::SourceUnreadable),
        ("an archive of another kind", b"PK\x03\x04 something else".to_vec(), Reason::SourceUnreadable),
        ("a PDF in name only", b"%PDF-1.7\nhello".to_vec(), Reason::SourceUnreadable),
        ("a PDF nested without end", nested.into_bytes(), Reason::SourceUnreadable),
        ("a bomb", bomb, Reason::SourceUnreadable),
        ("elements without end", docx_of(&deep)?, Reason::SourceUnreadable),
    ];
    for (what, bytes, reason) in cases {
        let refused = client.import_minutes(Import::new(&organ, bytes)).await.expect_err(what);
        assert_eq!(refused.reason(), Some(reason), "{what}: {refused}");
    }
    // Damage may leave some text: then it is read or refused, and nothing else.
    if let Err(e) = client.read_minutes(flipped).await {
        assert!(e.reason().is_some(), "{e}");
    }
    client.import_minutes(Import::new(&organ, docx(&lines())?)).await?;
    local.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_settle_is_on_record_and_the_readers_value_stays() -> Result<()> {
    let folder = TempDir::new()?;
    let local = Local::start(folder.path()).await?;
    let client = local.client()?;
    let organ = client.create_organ(Some("linlan"), "临岚市人民政府", &[]).await?.name;
    let text = SAMPLE.replace("由市水务局根据", "由新设机构根据");
    let name = client.import_minutes(Import::new(&organ, text.into_bytes())).await?.minutes.name;
    let first = client.minutes(&name, None).await?;
    let [doubt] = &first.doubts[..] else { anyhow::bail!("one doubt, not {:?}", first.doubts) };
    let path = doubt.paths.first().context("the doubt touches a fact")?.clone();
    let settle = |value: &str, reason: &str| Settle {
        value: value.to_owned(),
        reason: reason.to_owned(),
        ..Settle::default()
    };
    let settled =
        client.resolve_doubt(&name, doubt.number, &path, settle("市新设局", "问过办公室")).await?.minutes;
    assert_eq!((settled.revision, settled.doubts.len(), settled.settlements.len()), (2, 0, 1));
    let record = &settled.settlements[0];
    assert_eq!((record.before.as_str(), record.principal.as_str()), ("新设机构", "local"));
    let again = client.resolve_doubt(&name, doubt.number, "", settle("x", "y")).await.expect_err("settled");
    assert_eq!(again.reason(), Some(Reason::DoubtNotFound));

    let stale = Settle { etag: Some(1), ..settle("2025-04-16", "签到表") };
    let refused = client.correct_fact(&name, "meeting.date", stale).await.expect_err("stale");
    assert_eq!(refused.reason(), Some(Reason::EtagStale));
    for (path, value, reason, field) in [
        ("meeting.date", "昨天", "r", "value"),
        ("meeting.nothing", "x", "r", "path"),
        ("", "x", "r", "path"),
        ("meeting.date", "2025-04-16", " ", "reason"),
    ] {
        let refused = client.correct_fact(&name, path, settle(value, reason)).await.expect_err(path);
        assert_eq!(refused.fields(), [field], "{refused}");
    }
    let corrected = client.correct_fact(&name, "meeting.date", settle("2025-04-16", "签到表")).await?.minutes;
    assert_eq!(corrected.facts.meeting.date.map(|date| date.value).as_deref(), Some("2025-04-16"));
    let added = client.correct_fact(&name, "present[8].name", settle("何新", "漏列")).await?;
    assert_eq!(added.minutes.facts.attendance.present.len(), 9);

    // The list shows the newest revision once, and the roll follows.
    let listed = client.list_minutes(jiyao_client::ListMinutes::of(&organ)).await?.entries;
    let dates: Vec<_> =
        listed.iter().map(|minutes| (minutes.meeting_date.as_str(), minutes.doubts)).collect();
    assert_eq!(dates, [("2025-04-16", 0)]);
    let roll = client.roll(&name, Some(&added.position)).await?;
    assert_eq!((roll.revision, roll.meeting_date.as_str(), roll.present), (4, "2025-04-16", 9));
    assert_eq!(client.list_rolls(&organ, None).await?.entries.len(), 1);
    local.stop().await
}
