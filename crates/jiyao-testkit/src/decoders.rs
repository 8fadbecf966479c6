//! Every decoder of foreign or stored bytes that is reachable from outside its crate: whatever they are given, they
//! answer or refuse, and never panic. The fuzz targets in `tests/fuzz` and the mutations in `tests/decoders.rs` are both
//! made of these. PDF files are read by a child process, which may end: they are in `tests/decoders.rs` alone.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::LazyLock;

use jiyao_calendar::Holidays;
use jiyao_client::Position;
use jiyao_config::Sources;
use jiyao_docnum::DocumentNumber;
use jiyao_extract::Extractor;
use jiyao_journal::{Entry, Journal, Options};
use jiyao_names::{Delivery, Matter, Meeting, Minutes, Organ, Scope, Seat};
use jiyao_proto::attendance::v1::Roll;
use jiyao_proto::distribution::v1::DistributionList;
use jiyao_proto::journal::v1::{Event, FollowResponse};
use jiyao_proto::stored::v1::{
    EncodedDocument, Erasure, MinutesDocument, MinutesIdentity, Noted, Record, RecusalsKnown, UsedRequest,
};
use jiyao_reader::{Words, read};
use jiyao_receipts::{Key, PublicKey, check_webhook, verify};
use jiyao_rolls::Table;
use jiyao_serve::{PageQuery, Seal};
use jiyao_wire::Mask;
use prost::Message as _;
use serde_json::from_slice;

use crate::{DIRECTORY, SAMPLE};

/// A decoder of foreign or stored bytes.
pub struct Decoder {
    /// Its name.
    pub name: &'static str,
    /// What it does with bytes; it panics where it does what it must not.
    pub decode: fn(&[u8]),
    /// Sound bytes to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

const fn of(name: &'static str, decode: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Decoder {
    Decoder { name, decode, seeds }
}

/// All of them.
pub const DECODERS: [Decoder; 14] = [
    of("read", reading, || vec![SAMPLE.into()]),
    of("text", text, texts),
    of("word", word, word_seeds),
    of("table", table, || vec![DIRECTORY.into()]),
    of("names", names, written_names),
    of("holidays", holidays, || vec![include_bytes!("../../jiyao-calendar/data/holidays.txt").to_vec()]),
    of("settings", settings, settings_seeds),
    of("tokens", tokens, || vec![TOKENS.into()]),
    of("report", mail_report, || vec![REPORT.into()]),
    of("stored", stored, stored_seeds),
    of("receipt", receipt, || vec![signed().into_bytes()]),
    of("journal", journal, || vec![segment().1]),
    of("changes", changes, || vec![vec![0, 9, 1], vec![0, 70, 7, 0, 200, 0]]),
    of("backup", backup, || vec![include_bytes!("../../../tests/fixtures/format-2/attendance.tar").to_vec()]),
];

/// Minutes: the leaves of what is read are the text.
fn reading(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let reading = read(&text, &Words::default());
    let leaves: String = reading.tree.leaves().iter().map(|leaf| leaf.span.of(&text)).collect();
    assert_eq!(leaves, text);
}

fn texts() -> Vec<Vec<u8>> {
    let page = format!("<html><head><meta charset=gb2312></head><body><p>{SAMPLE}</p></body></html>");
    // 会议纪要 in GB18030.
    let national = [0xbb, 0xe1, 0xd2, 0xe9, 0xbc, 0xcd, 0xd2, 0xaa].repeat(40);
    vec![page.into_bytes(), national, SAMPLE.as_bytes().to_vec()]
}

/// Foreign text: encodings and web pages.
fn text(bytes: &[u8]) {
    let extractor = Extractor::with(PathBuf::from("/nowhere"));
    let _ = extractor.extract(bytes, "source");
}

fn word_seeds() -> Vec<Vec<u8>> {
    let xml = format!(
        "<w:document xmlns:w=\"w\"><w:body><w:p><w:r><w:t>{SAMPLE}</w:t></w:r></w:p></w:body></w:document>"
    );
    crate::docx(&[SAMPLE]).into_iter().chain([xml.into_bytes()]).collect()
}

/// A Word document, in this process; and the main part of one.
fn word(bytes: &[u8]) {
    let _ = jiyao_extract::docx_text(bytes);
    if let Ok(document) = crate::docx_of(&String::from_utf8_lossy(bytes)) {
        let _ = jiyao_extract::docx_text(&document);
    }
}

/// A directory as a table.
fn table(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(table) = Table::parse(&text) {
        let _ = table.against(&jiyao_rolls::Directory::default());
    }
}

fn written_names() -> Vec<Vec<u8>> {
    let id = "018f2f6e-7c1c-7aaa-8bbb-0123456789ab";
    let named =
        ["minutes", "matters", "meetings", "deliveries"].map(|kind| format!("organs/linlan/{kind}/{id}"));
    let position = format!("{id}@7:{}", "0f".repeat(32));
    let others =
        [format!("{}/seats/7", named[2]), "府纪要〔2026〕1号".to_owned(), "2026-01-05".to_owned(), position];
    named.into_iter().chain(others).map(String::into_bytes).collect()
}

/// Names and numbers: what is parsed is printed as it was.
fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let printed = [
        Organ::parse(&text, "name").map(|name| name.to_string()),
        Minutes::parse(&text, "name").map(|name| name.to_string()),
        Matter::parse(&text, "name").map(|name| name.to_string()),
        Meeting::parse(&text, "name").map(|name| name.to_string()),
        Seat::parse(&text, "name").map(|name| name.to_string()),
        Delivery::parse(&text, "name").map(|name| name.to_string()),
    ];
    printed.into_iter().flatten().for_each(|printed| assert_eq!(printed, text));
    let _ = Scope::parse(&text, "parent");
    if let Some(number) = DocumentNumber::parse(&text) {
        assert_eq!(DocumentNumber::parse(&number.to_string()), Some(number));
    }
    if let Ok(seal) = Seal::new(&[7; 32]) {
        let _ = PageQuery::new(Arc::new(seal), &["ListMinutes", "organs/-"]).after(&text);
    }
    let _ = jiyao_calendar::parse_iso(&text);
    let _ = jiyao_calendar::http_date(&text);
    if let Some(position) = Position::parse(&text) {
        assert_eq!(Position::parse(&position.to_string()), Some(position));
    }
}

/// A table of holidays.
fn holidays(bytes: &[u8]) {
    let _ = Holidays::parse(&String::from_utf8_lossy(bytes));
}

fn settings_seeds() -> Vec<Vec<u8>> {
    jiyao_config::dump(&jiyao_records::Config::default()).into_iter().map(String::into_bytes).collect()
}

/// A file of settings: what is read of it is written, and then read as the same. Its words as flags, too.
fn settings(bytes: &[u8]) {
    let of_file = |bytes: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().ok()?;
        file.write_all(bytes).ok()?;
        let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
        let config = jiyao_config::load::<jiyao_records::Config>("JIYAO_RECORDS_", &sources).ok()?;
        jiyao_config::dump(&config).ok()
    };
    if let Some(dumped) = of_file(bytes) {
        assert_eq!(of_file(dumped.as_bytes()).as_ref(), Some(&dumped));
    }
    let text = String::from_utf8_lossy(bytes);
    let flags = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.to_owned()));
    let of_flags = Sources { flags: flags.collect(), ..Sources::default() };
    let _ = jiyao_config::load::<jiyao_records::Config>("JIYAO_RECORDS_", &of_flags);
}

const TOKENS: &str = r#"[[token]]
sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
principal = "chen"
unit = "市教育局"
roles = ["clerk", "unit"]
revoked = false
"#;

/// A file of tokens.
fn tokens(bytes: &[u8]) {
    let _ = jiyao_serve::check_tokens(&String::from_utf8_lossy(bytes));
}

const REPORT: &str = r#"From: MAILER-DAEMON@example.org
Subject: Report
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=gb2312
Content-Transfer-Encoding: base64

u+HS6bzN0qo=
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.org
Original-Envelope-Id: linlan.018f2f6e-7c1c-7aaa-8bbb-0123456789ab.3

Final-Recipient: rfc822; office@example.org
Action: delivered
Status: 2.0.0

--b--
"#;

/// What a mail system reports of mail: whatever it says, it is of a delivery with a name.
fn mail_report(bytes: &[u8]) {
    if let Some(report) = jiyao_distribution::report(bytes) {
        assert!(Delivery::parse(&report.delivery, "name").is_ok(), "{report:?}");
    }
}

fn stored_seeds() -> Vec<Vec<u8>> {
    let life = serde_json::to_vec(&jiyao_minutes::Life::draft("chen")).unwrap_or_default();
    let delivery = serde_json::to_vec(&jiyao_deliveries::Delivery::default()).unwrap_or_default();
    let json = [
        serde_json::to_vec(&jiyao_rolls::Meeting::default()),
        serde_json::to_vec(&jiyao_rolls::Seat::default()),
        serde_json::to_vec(&jiyao_rolls::Entry::Unit(jiyao_rolls::Unit::default())),
        serde_json::to_vec(&jiyao_minutes::SignOff::default()),
        serde_json::to_vec(&jiyao_matters::MeasureList::default()),
    ];
    let minutes =
        jiyao_proto::records::v1::Minutes { name: "organs/linlan/minutes/1".into(), ..Default::default() };
    let document = MinutesDocument { minutes: Some(minutes), original_sequence: 7 };
    let noted = Noted { of: "organs/linlan".into(), body: life.clone(), ..Noted::default() };
    let record = Record { method: "Import".into(), ..Record::default() };
    let event = Event { sequence: 7, ..Event::default() };
    let followed = FollowResponse { covers_from: 6, events: vec![event], ..FollowResponse::default() };
    let encoded = [
        noted.encode_to_vec(),
        document.encode_to_vec(),
        record.encode_to_vec(),
        followed.encode_to_vec(),
        jiyao_ledger::pack(&jiyao_matters::Matter::default()).unwrap_or_default(),
    ];
    [life, delivery].into_iter().chain(json.into_iter().flatten()).chain(encoded).collect()
}

/// What lies on the disk or comes from other services: records, events, documents, and what the pure crates keep as JSON
/// or packed; a mask keeps of any message no
/// more than there is.
fn stored(bytes: &[u8]) {
    let _ = Record::decode(bytes);
    let _ = Event::decode(bytes);
    let _ = Noted::decode(bytes);
    let _ = FollowResponse::decode(bytes);
    let _ = UsedRequest::decode(bytes);
    let _ = Erasure::decode(bytes);
    let _ = MinutesIdentity::decode(bytes);
    let _ = RecusalsKnown::decode(bytes);
    let _ = Roll::decode(bytes);
    let _ = DistributionList::decode(bytes);
    let _ = jiyao_ledger::unpack::<jiyao_matters::Matter>(bytes);
    let _ = from_slice::<jiyao_matters::Matter>(bytes);
    let _ = from_slice::<jiyao_matters::MeasureList>(bytes);
    let _ = from_slice::<jiyao_minutes::Life>(bytes);
    let _ = from_slice::<jiyao_minutes::SignOff>(bytes);
    let _ = from_slice::<jiyao_deliveries::Delivery>(bytes);
    let _ = from_slice::<jiyao_deliveries::Request>(bytes);
    let _ = from_slice::<jiyao_deliveries::Scope>(bytes);
    let _ = from_slice::<jiyao_rolls::Entry>(bytes);
    let _ = from_slice::<jiyao_rolls::Meeting>(bytes);
    let _ = from_slice::<jiyao_rolls::Seat>(bytes);
    let paths = ["name", "facts.meeting.date", "life"].map(str::to_owned).to_vec();
    let mask = prost_types::FieldMask { paths };
    if let Ok(kept) = Mask::of(Some(&mask), ".jiyao.records.v1.Minutes").and_then(|mask| mask.keep(bytes)) {
        assert!(kept.len() <= bytes.len());
    }
    // Left encoded or not, it is the same document.
    if let (Ok(whole), Ok(encoded)) = (MinutesDocument::decode(bytes), EncodedDocument::decode(bytes)) {
        assert_eq!(whole.original_sequence, encoded.original_sequence);
    }
}

fn signed() -> String {
    let statement = jiyao_receipts::Statement {
        delivery: "organs/linlan/deliveries/1".into(),
        recipient: "市教育局".into(),
        minutes: "organs/linlan/minutes/1".into(),
        revision: 1,
        sha256: "0f".repeat(32),
        time: "2020-06-16T02:00:00Z".into(),
        attempt: 1,
        kind: jiyao_receipts::Kind::Opened,
        signer: String::new(),
        claim_key: String::new(),
        claim_signature: String::new(),
    };
    Key::from_seed(&[8; 32]).sign(&statement)
}

/// Receipts, keys and webhooks: none is one that the key here did not sign.
fn receipt(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let key = Key::from_seed(&[8; 32]).public();
    assert!(verify(&text, std::slice::from_ref(&key)).is_err() || text == signed(), "forged: {text}");
    assert!(check_webhook(("id", 0, &text), &text, &[key], 0).is_err());
    let _ = PublicKey::parse(&text);
    let _ = Key::parse(&text);
}

const JOURNAL: Options = Options { segment_size: 64 << 10, reserve: 0 };
const PAYLOADS: [&[u8]; 3] = [b"one", b"", &[7; 3000]];

/// A sound segment for [`journal`]: its file's name, and its bytes up to the last that is used. Nothing where there is no disk.
fn segment() -> (String, Vec<u8>) {
    let made = || {
        let folder = tempfile::tempdir()?;
        let mut journal = Journal::open(folder.path(), JOURNAL).map_err(std::io::Error::other)?.journal;
        for payload in PAYLOADS {
            let entry = Entry { time_ms: 1, payload: payload.to_vec() };
            journal.append(&[entry]).map_err(std::io::Error::other)?;
        }
        drop(journal);
        let path = crate::newest_segment(folder.path())?;
        let mut bytes = fs_err::read(&path)?;
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok::<_, std::io::Error>((name, bytes))
    };
    made().unwrap_or_default()
}

/// A segment of a journal: what is read of it is what was written.
fn journal(bytes: &[u8]) {
    static NAME: LazyLock<String> = LazyLock::new(|| segment().0);
    let Ok(folder) = tempfile::tempdir() else { return };
    if fs_err::write(folder.path().join(&*NAME), bytes).is_err() {
        return;
    }
    let Ok(opened) = Journal::open(folder.path(), JOURNAL) else { return };
    let log = opened.journal.log();
    for (sequence, payload) in (1..=log.head().sequence).zip(PAYLOADS) {
        if let Ok(record) = log.read(sequence) {
            assert_eq!(record.payload.as_deref(), Some(payload));
        }
    }
}

/// The same, where the bytes say at which places a sound segment is changed, two for the place and one for what comes
/// there: so sums are met, and not only missed.
fn changes(bytes: &[u8]) {
    static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| segment().1);
    let mut changed = SOUND.clone();
    for change in bytes.as_chunks::<3>().0 {
        let at = usize::from(u16::from_be_bytes([change[0], change[1]])) % changed.len().max(1);
        changed.get_mut(at).into_iter().for_each(|byte| *byte = change[2]);
    }
    journal(&changed);
}

/// A backup.
fn backup(bytes: &[u8]) {
    let _ = jiyao_backup::check(bytes);
}
