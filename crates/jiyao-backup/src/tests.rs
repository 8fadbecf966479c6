use std::path::Path;

use jiyao_journal::{Entry, Journal, Options};

use super::*;

fn options() -> Options {
    Options { segment_size: 64 << 10, reserve: 0 }
}

fn filled(folder: &Path, records: usize) -> Journal {
    let mut journal = Journal::open(&folder.join("journal"), options()).unwrap().journal;
    for n in 0..records {
        journal.append(&[Entry { time_ms: n as i64, payload: vec![n as u8; 200 + n % 900] }]).unwrap();
    }
    journal
}

fn backup(journal: &Journal, folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&journal.log(), "jiyao-records", "2026-01-01T00:00:00Z", &folder.join("keys"), &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_restored_is_the_same_journal_and_goes_on() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut journal = filled(folder.path(), 300);
    make_private(&folder.path().join("keys/receipt.key"), b"secret").unwrap();
    fs_err::write(folder.path().join("keys/receipt.1.new"), b"sec").unwrap();
    let bytes = backup(&journal, folder.path());
    let head = journal.log().head();
    // Written after the copy: not in it.
    journal.append(&[Entry { time_ms: 999, payload: b"later".to_vec() }]).unwrap();

    let elsewhere = folder.path().join("elsewhere");
    let manifest = restore(bytes.as_slice(), &elsewhere).unwrap();
    assert_eq!((manifest.sequence, manifest.hash), (300, hex(&head.hash)));
    assert_eq!(fs_err::read(elsewhere.join("keys/receipt.key")).unwrap(), b"secret");
    assert_eq!(
        fs_err::read_dir(elsewhere.join("keys")).unwrap().count(),
        1,
        "what was not finished stays behind"
    );
    let mut again = Journal::open(&elsewhere.join("journal"), options()).unwrap().journal;
    assert_eq!(again.log().head(), head);
    for sequence in 1..=300 {
        assert_eq!(again.log().read(sequence).unwrap(), journal.log().read(sequence).unwrap());
    }
    assert_eq!(again.append(&[Entry { time_ms: 999, payload: b"other".to_vec() }]).unwrap()[0].sequence, 301);
    let taken = restore(bytes.as_slice(), &elsewhere).unwrap_err();
    assert!(taken.to_string().contains("there already"), "{taken}");
}

#[test]
fn a_cut_backup_is_refused_wherever_it_is_cut() {
    let folder = tempfile::TempDir::new().unwrap();
    let bytes = backup(&filled(folder.path(), 60), folder.path());
    // The last 1024 bytes are the archive's end mark, which says nothing.
    for length in (0..bytes.len() - 1024 - 512).step_by(487) {
        let target = folder.path().join("cut");
        assert!(restore(&bytes[..length], &target).is_err(), "cut at {length} of {}", bytes.len());
        assert!(!target.join("journal").exists() && !target.join("journal.restoring").exists());
    }
    assert!(check(bytes.as_slice()).is_ok());
}

#[test]
fn an_altered_backup_is_refused_whatever_is_altered() {
    let folder = tempfile::TempDir::new().unwrap();
    let bytes = backup(&filled(folder.path(), 60), folder.path());
    let whole = check(bytes.as_slice()).unwrap();
    let (mut refused, mut harmless) = (0, 0);
    for at in (0..bytes.len() - 1024).step_by(61) {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        match check(altered.as_slice()) {
            Err(_) => refused += 1,
            // Padding of the archive, or a field of it that means nothing: the content is the same.
            Ok(manifest) => {
                assert_eq!(manifest, whole, "at {at}");
                harmless += 1;
            }
        }
    }
    println!("{refused} altered backups refused, {harmless} altered in padding");
    assert!(refused > 20 * harmless, "{refused} to {harmless}");
}

#[test]
fn names_that_lead_elsewhere_and_newer_formats_are_refused() {
    let of_one = |name: &str, text: &str| {
        let mut archive = Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        check(archive.into_inner().unwrap().as_slice()).unwrap_err()
    };
    let newer = r#"{"format":9,"service":"","journal":"","sequence":0,"hash":"","time":"","segments":[]}"#;
    assert!(matches!(of_one("manifest.json", newer), BackupError::Newer(9)));
    for (name, text) in [("keys/receipt.key", "before the manifest"), ("somewhere/else", "?")] {
        let refused = of_one(name, text).to_string();
        assert!(refused.contains("nothing of this name belongs here"), "{name}: {refused}");
    }
    assert!(
        plain("../key").is_err() && plain("/key").is_err() && plain("a/b").is_err() && plain("..").is_err()
    );
}

#[test]
fn an_older_backup_loses_what_a_newer_one_lost_and_nothing_else() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut journal = filled(folder.path(), 40);
    let secret = "机密的一段话".as_bytes();
    journal.append(&[Entry { time_ms: 40, payload: secret.repeat(20) }]).unwrap();
    make_private(&folder.path().join("keys/receipt.key"), b"key").unwrap();
    let old = backup(&journal, folder.path());
    journal.append(&[Entry { time_ms: 41, payload: b"later".to_vec() }]).unwrap();
    journal.erase(&BTreeMap::from([(41, b"a rest".to_vec())])).unwrap();
    let newer = backup(&journal, folder.path());
    let has = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
    assert!(has(&old) && !has(&newer));

    let mut written = Vec::new();
    let (manifest, erased) = erase(old.as_slice(), newer.as_slice(), &mut written).unwrap();
    assert_eq!((manifest.sequence, erased, has(&written)), (41, 1, false));
    let elsewhere = folder.path().join("elsewhere");
    assert_eq!(restore(written.as_slice(), &elsewhere).unwrap().hash, manifest.hash);
    let again = Journal::open(&elsewhere.join("journal"), options()).unwrap().journal.log();
    for sequence in 1..=41 {
        assert_eq!(again.read(sequence).unwrap(), journal.log().read(sequence).unwrap());
    }
    assert_eq!(fs_err::read(elsewhere.join("keys/receipt.key")).unwrap(), b"key");
    let (_, none) = erase(written.as_slice(), newer.as_slice(), Vec::new()).unwrap();
    assert_eq!(none, 0);

    // A record that loses something once more: the backup between the two loses it too.
    journal.erase(&BTreeMap::from([(41, b"less".to_vec())])).unwrap();
    let newest = backup(&journal, folder.path());
    let mut written = Vec::new();
    assert_eq!(erase(newer.as_slice(), newest.as_slice(), &mut written).unwrap().1, 1);
    assert!(!written.windows(6).any(|window| window == b"a rest"));
    assert_eq!(check(written.as_slice()).unwrap().sequence, 42);

    let other = tempfile::TempDir::new().unwrap();
    let foreign = backup(&filled(other.path(), 60), other.path());
    for (old, newer) in [(&old, &foreign), (&newer, &old)] {
        let refused = erase(old.as_slice(), newer.as_slice(), Vec::new()).unwrap_err();
        assert!(refused.to_string().contains("not a newer one"), "{refused}");
    }
}

#[test]
fn a_restore_that_fails_at_the_keys_leaves_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    let journal = filled(folder.path(), 3);
    make_private(&folder.path().join("keys/receipt.key"), b"key").unwrap();
    let bytes = backup(&journal, folder.path());
    let target = folder.path().join("target");
    fs_err::create_dir(&target).unwrap();
    // A link that leads nowhere: it is not there, and nothing can be made in its place.
    std::os::unix::fs::symlink(folder.path().join("nowhere/at/all"), target.join("keys")).unwrap();
    assert!(restore(bytes.as_slice(), &target).is_err());
    assert!(!target.join("journal").exists());
}
