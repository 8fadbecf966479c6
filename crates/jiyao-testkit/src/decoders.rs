//! Every decoder of foreign or stored bytes that is reachable from outside its crate: whatever they are given, they
//! answer or refuse, and never panic. The fuzz targets in `tests/fuzz` and the mutations in `tests/decoders.rs` are both
//! made of these.

use std::path::PathBuf;
use std::sync::LazyLock;

use jiyao_calendar::Holidays;
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
use jiyao_serve::PageQuery;
use jiyao_wire::Mask;
use prost::Message as _;
use serde_json::from_slice;

use crate::{DIRECTORY, SAMPLE};

/// A decoder: its name, what it does with bytes, and sound bytes to begin with.
pub type Decoder = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All of them.
pub const DECODERS: [Decoder; 9] = [
    ("read", reading, || vec![SAMPLE.into()]),
    ("text", text, texts),
    ("table", table, || vec![DIRECTORY.into()]),
    ("names", names, || {
        let id = "018f2f6e-7c1c-7aaa-8bbb-0123456789ab";
        let named =
            ["minutes", "matters", "meetings", "deliveries"].map(|kind| format!("organs/linlan/{kind}/{id}"));
        let others =
            [format!("{}/seats/7", named[2]), "府纪要〔2026〕1号".to_owned(), "2026-01-05".to_owned()];
        named.into_iter().chain(others).map(String::into_bytes).collect()
    }),
    ("settings", settings, || vec![include_bytes!("../../jiyao-calendar/data/holidays.txt").to_vec()]),
    ("stored", stored, stored_seeds),
    ("receipt", receipt, || vec![signed().into_bytes()]),
    ("journal", journal, || vec![segment().1]),
    ("backup", backup, || vec![include_bytes!("../../../tests/fixtures/format-1/attendance.tar").to_vec()]),
];

/// Minutes: the leaves of what is read are the text.
pub fn reading(bytes: &[u8]) {
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

/// Foreign text: encodings and web pages. Word and PDF files are for the child process, which there is none of here.
pub fn text(bytes: &[u8]) {
    let extractor = Extractor::with(PathBuf::from("/nowhere"));
    let _ = extractor.extract(bytes, "source");
}

/// A directory as a table.
pub fn table(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(table) = Table::parse(&text) {
        let _ = table.against(&jiyao_rolls::Directory::default());
    }
}

/// Names and numbers: what is parsed is printed as it was.
pub fn names(bytes: &[u8]) {
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
    let _ = PageQuery::of(&["ListMinutes", "organs/-"]).after(&text);
    let _ = jiyao_calendar::parse_iso(&text);
    let _ = jiyao_calendar::http_date(&text);
}

/// Files of settings.
pub fn settings(bytes: &[u8]) {
    let _ = Holidays::parse(&String::from_utf8_lossy(bytes));
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
pub fn stored(bytes: &[u8]) {
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
pub fn receipt(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let key = Key::from_seed(&[8; 32]).public();
    assert!(verify(&text, std::slice::from_ref(&key)).is_err() || text == signed(), "forged: {text}");
    assert!(check_webhook(("id", 0, &text), &text, &[key], 0).is_err());
    let _ = PublicKey::parse(&text);
}

const JOURNAL: Options = Options { segment_size: 64 << 10, reserve: 0 };
const PAYLOADS: [&[u8]; 3] = [b"one", b"", &[7; 3000]];

/// A sound segment for [`journal`]: its file's name, and its bytes up to the last that is used. Nothing where there is no disk.
pub fn segment() -> (String, Vec<u8>) {
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
pub fn journal(bytes: &[u8]) {
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

/// A backup.
pub fn backup(bytes: &[u8]) {
    let _ = jiyao_backup::check(bytes);
}
