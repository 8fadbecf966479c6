//! A segment with anything in it is opened or refused without a panic, and what is read is what was written. The first
//! bytes of the input say where a sound segment is changed, and into what; so its checksums are met and not only missed.
#![no_main]

use jiyao_journal::{Entry, Journal, Options};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const OPTIONS: Options = Options { segment_size: 64 << 10, reserve: 0 };
const PAYLOADS: [&[u8]; 3] = [b"one", b"", &[7; 3000]];

/// Name and bytes of a sound segment.
static SOUND: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path(), OPTIONS).unwrap().journal;
    for payload in PAYLOADS {
        journal.append(&[Entry { time_ms: 1, payload: payload.to_vec() }]).unwrap();
    }
    let mut paths = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let path = paths.find(|path| path.extension().is_some_and(|e| e == "segment")).unwrap();
    (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap())
});

fuzz_target!(|changes: Vec<(u16, u8)>| {
    let (name, mut bytes) = SOUND.clone();
    for (at, to) in changes {
        let at = usize::from(at) % 5000;
        bytes[at] = to;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    let Ok(opened) = Journal::open(folder.path(), OPTIONS) else { return };
    let log = opened.journal.log();
    for sequence in 1..=log.head().sequence {
        if let Ok(record) = log.read(sequence) {
            assert_eq!(record.payload.as_deref(), PAYLOADS.get(sequence as usize - 1).copied());
        }
    }
});
