use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const SMALL: Options = Options { segment_size: 64 << 10, reserve: 0 };

fn entry(text: &str) -> Entry {
    Entry { time_ms: 7, payload: text.as_bytes().to_vec() }
}

fn open(folder: &Path) -> Opened {
    Journal::open(folder, SMALL).unwrap()
}

fn payloads(log: &Log) -> Vec<Option<String>> {
    (1..=log.head().sequence)
        .map(|at| log.read(at).unwrap().payload.map(|bytes| String::from_utf8(bytes).unwrap()))
        .collect()
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "segment"))
        .collect();
    paths.sort();
    paths
}

/// Three groups of 1, 3 and 2 records, closed; and how many bytes of the segment they use.
fn three_groups(folder: &Path) -> usize {
    let mut journal = open(folder).journal;
    journal.append(&[entry("a")]).unwrap();
    let long = "长".repeat(400);
    journal.append(&[entry(&long), entry("b"), entry("c")]).unwrap();
    journal.append(&[entry("d"), entry(&long)]).unwrap();
    fs_err::read(&segments(folder)[0]).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1
}

#[test]
fn what_is_written_is_seen_when_it_is_shown_and_nothing_comes_between() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(folder.path()).journal;
    let written = journal.write(&[entry("one"), entry("two")]).unwrap();
    assert!(matches!(journal.write(&[entry("three")]), Err(AppendError::Fatal(_))));
    let synced = written.sync().unwrap();
    let log = journal.log();
    assert_eq!((log.head().sequence, log.read(1).is_err()), (0, true));
    assert_eq!(journal.show(synced).last(), Some(&log.head()));
    assert_eq!(log.read(2).unwrap().payload.unwrap(), b"two");
    assert_eq!(journal.append(&[entry("three")]).unwrap()[0].sequence, 3);
}

#[test]
fn what_is_appended_is_there_after_reopening() {
    let folder = TempDir::new().unwrap();
    let first = open(folder.path());
    assert!(first.created);
    let mut journal = first.journal;
    let log = journal.log();
    assert_eq!(journal.append(&[entry("one"), entry("two")]).unwrap()[0].sequence, 1);
    assert_eq!(journal.append(&[]).unwrap(), []);
    assert_eq!(journal.append(&[entry("three")]).unwrap()[0].sequence, 3);
    let head = log.head();
    drop((journal, log));
    let again = open(folder.path());
    assert!(!again.created && again.cut.is_none());
    assert_eq!(again.journal.log().head(), head);
    assert_eq!(again.journal.last_time_ms(), 7);
    assert_eq!(payloads(&again.journal.log()), ["one", "two", "three"].map(|text| Some(text.to_owned())));
    assert_eq!(again.journal.log().cursor_at(3).unwrap(), head);
    assert!(matches!(again.journal.log().read(4), Err(ReadError::Absent { sequence: 4, head: 3 })));
    assert!(matches!(again.journal.log().read(0), Err(ReadError::Absent { .. })));
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = TempDir::new().unwrap();
    let _held = open(folder.path());
    let refused = Journal::open(folder.path(), SMALL).err().unwrap();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
}

#[test]
fn segments_follow_each_other_and_a_missing_one_is_named() {
    let folder = TempDir::new().unwrap();
    let text = "x".repeat(9000);
    {
        let mut journal = open(folder.path()).journal;
        for _ in 0..30 {
            journal.append(&[entry(&text)]).unwrap();
        }
        let large = "y".repeat(70_000);
        let sequence = journal.append(&[entry(&large)]).unwrap()[0].sequence;
        assert_eq!(journal.log().read(sequence).unwrap().payload, Some(large.into_bytes()));
        assert_eq!(journal.append(&[entry("after a large one")]).unwrap()[0].sequence, 32);
    }
    let paths = segments(folder.path());
    assert!(paths.len() > 3);
    assert_eq!(payloads(&open(folder.path()).journal.log()).len(), 32);
    fs_err::remove_file(&paths[1]).unwrap();
    let refused = Journal::open(folder.path(), SMALL).err().unwrap();
    assert!(refused.to_string().contains("one is missing"), "{refused}");
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_and_the_groups_before_stay() {
    let folder = TempDir::new().unwrap();
    let used = three_groups(folder.path());
    let path = segments(folder.path()).remove(0);
    let whole = fs_err::read(&path).unwrap();
    let third = open(folder.path()).journal.log();
    drop(third);
    // Everything from `at` on was not written: zeros.
    for at in (used - 1400..used).step_by(1) {
        let mut torn = whole.clone();
        torn[at..].fill(0);
        fs_err::write(&path, &torn).unwrap();
        let opened = open(folder.path());
        let kept = opened.journal.log().head().sequence;
        assert!((4..=6).contains(&kept), "cut at {at}: {kept} records");
        drop(opened);
        // What was cut is gone for good, and appending goes on.
        assert_eq!(fs_err::read(&path).unwrap(), torn, "opening changes nothing");
        let mut again = open(folder.path());
        assert_eq!(again.journal.append(&[entry("next")]).unwrap()[0].sequence, kept + 1);
        drop(again);
        let last = open(folder.path());
        assert!(last.cut.is_none());
        assert_eq!(last.journal.log().head().sequence, kept + 1);
    }
}

#[test]
fn sectors_of_the_last_group_may_be_missing_in_any_order() {
    let folder = TempDir::new().unwrap();
    let used = three_groups(folder.path());
    let path = segments(folder.path()).remove(0);
    let whole = fs_err::read(&path).unwrap();
    let starts: Vec<u32> = {
        let journal = open(folder.path()).journal;
        let contents = journal.shared_for_tests();
        contents.read().unwrap().segments[0].offsets.clone()
    };
    let group = starts[4] as usize;
    let sectors: Vec<usize> = (group / 512..=used / 512).collect();
    for mask in 0_u32..1 << sectors.len() {
        let mut torn = whole.clone();
        for (bit, sector) in sectors.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
            let _ = bit;
            let from = (sector * 512).max(group);
            torn[from..(sector + 1) * 512].fill(0);
        }
        fs_err::write(&path, &torn).unwrap();
        let kept = open(folder.path()).journal.log().head().sequence;
        let wanted = if mask == 0 { 6..=6 } else { 4..=5 };
        assert!(wanted.contains(&kept), "missing sectors {mask:b}: {kept} records");
    }
}

#[test]
fn a_flipped_bit_in_what_was_acknowledged_is_refused_by_name_and_offset() {
    let folder = TempDir::new().unwrap();
    let used = three_groups(folder.path());
    let path = segments(folder.path()).remove(0);
    let whole = fs_err::read(&path).unwrap();
    let reference = payloads(&open(folder.path()).journal.log());
    let mut refused = 0;
    for at in 0..used {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        fs_err::write(&path, &damaged).unwrap();
        match Journal::open(folder.path(), SMALL) {
            Err(OpenError::Damaged { path: named, .. }) => {
                assert_eq!(named, path);
                refused += 1;
            }
            // Between records and behind the segment's header lie bytes that mean nothing.
            Ok(opened) => assert_eq!(payloads(&opened.journal.log()), reference, "flip at {at}"),
            Err(e) => assert!(matches!(e, OpenError::Version { .. }), "flip at {at}: {e}"),
        }
    }
    assert!(refused > used * 7 / 10, "{refused} of {used}");
}

#[test]
fn a_zeroed_page_before_the_last_group_is_damage_not_a_torn_tail() {
    let folder = TempDir::new().unwrap();
    three_groups(folder.path());
    let path = segments(folder.path()).remove(0);
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[512..1024].fill(0);
    fs_err::write(&path, &bytes).unwrap();
    let refused = Journal::open(folder.path(), SMALL).err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { sequence: 1, .. }), "{refused}");
    assert_eq!(fs_err::read(&path).unwrap(), bytes, "a refusal changes nothing");
}

#[test]
fn an_erased_record_is_accepted_everywhere_and_the_rest_verifies() {
    let folder = TempDir::new().unwrap();
    let secret = "机密的一段话".repeat(10);
    let head = {
        let mut journal = open(folder.path()).journal;
        journal.append(&[entry("before"), entry(&secret), entry("behind")]).unwrap();
        let log = journal.log();
        let hash = log.read(2).unwrap().hash;
        let too_long = BTreeMap::from([(2, Vec::new()), (3, b"behind it".to_vec())]);
        assert!(matches!(journal.erase(&too_long), Err(EraseError::TooLong(3))));
        assert!(!log.read(2).unwrap().is_erased, "all of it or nothing");
        journal.erase(&BTreeMap::from([(2, Vec::new())])).unwrap();
        let erased = log.read(2).unwrap();
        assert_eq!((erased.payload, erased.hash, erased.is_erased), (None, hash, true));
        journal.append(&[entry(&secret)]).unwrap();
        // In two segments at once, one of them again; of one of them a part remains.
        journal.erase(&BTreeMap::from([(2, Vec::new()), (4, b"later".to_vec())])).unwrap();
        let restated = log.read(4).unwrap();
        assert_eq!((restated.payload, restated.is_erased), (Some(b"later".to_vec()), true));
        log.head()
    };
    let opened = open(folder.path());
    assert_eq!(opened.journal.log().head(), head);
    let texts = payloads(&opened.journal.log());
    assert_eq!(texts, [Some("before".to_owned()), None, Some("behind".to_owned()), Some("later".to_owned())]);
    for path in segments(folder.path()) {
        let bytes = fs_err::read(path).unwrap();
        let needle = "机密".as_bytes();
        assert!(!bytes.windows(needle.len()).any(|window| window == needle));
    }
}

#[test]
fn a_newer_format_is_refused_and_not_touched() {
    let folder = TempDir::new().unwrap();
    three_groups(folder.path());
    let path = segments(folder.path()).remove(0);
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[7] = format::VERSION + 1;
    fs_err::write(&path, &bytes).unwrap();
    assert!(matches!(Journal::open(folder.path(), SMALL), Err(OpenError::Version { version: 3, .. })));
    assert_eq!(fs_err::read(&path).unwrap(), bytes);
}

#[test]
fn without_room_nothing_is_appended() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(folder.path()).journal;
    journal.append(&[entry("a")]).unwrap();
    journal.options.reserve = u64::MAX / 2;
    assert!(matches!(journal.append(&[entry("b")]), Err(AppendError::NoRoom { .. })));
    journal.options.reserve = 0;
    assert_eq!(journal.append(&[entry("c")]).unwrap()[0].sequence, 2);
    let refused = Journal::open(&folder.path().join("new"), Options { reserve: u64::MAX / 2, ..SMALL });
    assert!(matches!(refused, Err(OpenError::NoRoom { .. })));
}

#[test]
fn attachments_are_named_by_content() {
    let folder = TempDir::new().unwrap();
    let store = Attachments::open(folder.path(), 0).unwrap();
    let mut receiving = store.receive().unwrap();
    receiving.write(b"ab").unwrap();
    receiving.write(b"c").unwrap();
    assert_eq!(receiving.size(), 3);
    let digest = receiving.finish().unwrap();
    assert_eq!(store.get(&digest).unwrap().as_deref(), Some(&b"abc"[..]));
    assert_eq!(store.get(&[0; 32]).unwrap(), None);
    let full =
        Attachments::open(folder.path(), u64::MAX / 2).unwrap().receive().unwrap().write(b"x").unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let mut unfinished = store.receive().unwrap();
    unfinished.write(b"x").unwrap();
    drop(unfinished);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
    let path = fs_err::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    fs_err::write(&path, b"abd").unwrap();
    assert_eq!(store.get(&digest).unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    let tomorrow = SystemTime::now() + Duration::from_secs(90_000);
    let day = Duration::from_secs(86_400);
    assert_eq!(store.sweep(SystemTime::now(), day).unwrap(), 0);
    assert_eq!(store.sweep(tomorrow, day).unwrap(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_payloads_in_any_groups_come_back(groups in prop::collection::vec(
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..6), 1..20,
    )) {
        let folder = TempDir::new().unwrap();
        let mut journal = open(folder.path()).journal;
        for group in &groups {
            let entries: Vec<_> =
                group.iter().map(|payload| Entry { time_ms: 0, payload: payload.clone() }).collect();
            journal.append(&entries).unwrap();
        }
        drop(journal);
        let opened = open(folder.path());
        prop_assert!(opened.cut.is_none());
        let log = opened.journal.log();
        let read: Vec<_> = (1..=log.head().sequence).map(|at| log.read(at).unwrap().payload.unwrap()).collect();
        prop_assert_eq!(read, groups.concat());
    }
}

/// Each of many that begin at once either made the file, with its own bytes in it, or knows that it did not.
#[test]
fn a_private_file_holds_what_its_only_maker_wrote() {
    for _ in 0..20 {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("keys/a.key");
        let makers: Vec<_> = (0..4_u8)
            .map(|n| {
                let path = path.clone();
                std::thread::spawn(move || make_private(&path, &[n; 64]).is_ok().then_some(n))
            })
            .collect();
        let made: Vec<u8> = makers.into_iter().filter_map(|maker| maker.join().unwrap()).collect();
        assert_eq!(made.len(), 1, "{made:?}");
        assert_eq!(fs_err::read(&path).unwrap(), [made[0]; 64]);
        assert_eq!(fs_err::read_dir(folder.path().join("keys")).unwrap().count(), 1, "no other file is left");
    }
}

/// Neither a file that is removed from the folder nor another folder in its place lets a second writer go on.
#[test]
fn whatever_is_done_to_the_folder_there_is_one_writer() {
    for round in 0..100 {
        let place = TempDir::new().unwrap();
        let folder = place.path().join("journal");
        let mut journal = open(&folder).journal;
        journal.append(&[entry("a")]).unwrap();
        let lock = folder.join("lock");
        match round % 4 {
            0 => fs_err::write(&lock, b"").unwrap(),
            1 => fs_err::remove_file(folder.join("begun")).unwrap(),
            2 => fs_err::rename(folder.join("begun"), &lock).unwrap(),
            _ => {
                // The folder is moved away and a copy stands in its place.
                let away = place.path().join("away");
                fs_err::rename(&folder, &away).unwrap();
                make_folder(&folder).unwrap();
                for path in segments(&away) {
                    fs_err::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
                }
                let mut other = open(&folder).journal;
                other.append(&[entry("theirs")]).unwrap();
                let refused = journal.append(&[entry("mine")]).unwrap_err();
                assert!(refused.to_string().contains("replaced"), "{refused}");
                assert!(journal.log().check_folder().is_err());
                continue;
            }
        }
        let refused = Journal::open(&folder, SMALL).err().unwrap();
        assert!(matches!(refused, OpenError::Locked { .. }), "{round}: {refused}");
        journal.append(&[entry("b")]).unwrap();
    }
}

/// Appends until a new segment has begun, and so many groups more.
fn begin_another_segment(journal: &mut Journal, folder: &Path, more: usize) {
    let many = segments(folder).len();
    while segments(folder).len() == many {
        journal.append(&[entry(&"x".repeat(9000))]).unwrap();
    }
    for _ in 0..more {
        journal.append(&[entry("one more")]).unwrap();
    }
}

#[test]
fn the_newest_segment_cannot_vanish_in_silence() {
    for more in 0..100 {
        let folder = TempDir::new().unwrap();
        let mut journal = open(folder.path()).journal;
        if more % 2 == 0 {
            begin_another_segment(&mut journal, folder.path(), 0);
        }
        begin_another_segment(&mut journal, folder.path(), more % 7);
        // As after a kill: nothing is closed, and no state knows better.
        drop(journal);
        fs_err::remove_file(segments(folder.path()).pop().unwrap()).unwrap();
        let refused = Journal::open(folder.path(), SMALL).err().unwrap();
        assert!(refused.to_string().contains("is missing"), "{more}: {refused}");
    }
    let folder = TempDir::new().unwrap();
    open(folder.path()).journal.append(&[entry("alone")]).unwrap();
    fs_err::remove_file(segments(folder.path()).pop().unwrap()).unwrap();
    let refused = Journal::open(folder.path(), SMALL).err().unwrap();
    assert!(matches!(refused, OpenError::Gone { .. }), "{refused}");
}

/// Whatever a kill leaves of the change to a new segment, all records are there and appending goes on.
#[test]
fn a_change_of_segments_that_was_interrupted_is_finished_or_undone() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(folder.path()).journal;
    begin_another_segment(&mut journal, folder.path(), 0);
    let records = journal.log().head().sequence;
    drop(journal);
    let [first, second] = <[PathBuf; 2]>::try_from(segments(folder.path())).unwrap();
    let (sealed, begun) = (fs_err::read(&first).unwrap(), fs_err::read(&second).unwrap());
    let temporary = second.with_extension("tmp");
    let trailer = sealed.iter().rposition(|byte| *byte != 0).unwrap() + 1 - format::HEADER;
    let mut unsealed = sealed.clone();
    unsealed[trailer..].fill(0);
    let mut torn = sealed.clone();
    torn[trailer + 40..].fill(0);
    // The content of the first segment, whether the second has its name, how many records are left.
    for (sealed, is_named, left) in [
        (&unsealed, false, records - 1),
        (&torn, false, records - 1),
        (&sealed, false, records),
        (&sealed, true, records),
    ] {
        fs_err::write(&first, sealed).unwrap();
        let _ = (fs_err::remove_file(&second), fs_err::remove_file(&temporary));
        fs_err::write(if is_named { &second } else { &temporary }, &begun).unwrap();
        let mut journal = open(folder.path()).journal;
        assert_eq!(journal.log().head().sequence, left);
        assert!(!temporary.exists());
        assert_eq!(journal.append(&[entry("next")]).unwrap()[0].sequence, left + 1);
        begin_another_segment(&mut journal, folder.path(), 1);
        let head = journal.log().head();
        drop(journal);
        assert_eq!(open(folder.path()).journal.log().head(), head);
        segments(folder.path()).into_iter().for_each(|path| fs_err::remove_file(path).unwrap());
    }
}

#[test]
fn a_group_larger_than_an_empty_segment_takes_its_place() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(folder.path()).journal;
    journal.append(&[entry(&"x".repeat(100_000))]).unwrap();
    begin_another_segment(&mut journal, folder.path(), 1);
    assert_eq!(segments(folder.path()).len(), 2);
    assert_eq!(journal.log().pieces().unwrap().1.len(), 2);
    let head = journal.log().head();
    drop(journal);
    assert_eq!(open(folder.path()).journal.log().head(), head);
}

#[test]
fn many_segments_need_few_descriptors() {
    let descriptors = || fs_err::read_dir("/proc/self/fd").unwrap().count();
    let folder = TempDir::new().unwrap();
    let mut journal = open(folder.path()).journal;
    while segments(folder.path()).len() < 60 {
        begin_another_segment(&mut journal, folder.path(), 0);
    }
    let log = journal.log();
    let before = descriptors();
    for at in 1..=log.head().sequence {
        assert!(log.read(at).unwrap().payload.is_some());
    }
    let (_, pieces) = log.pieces().unwrap();
    // Tests beside this one open files of their own, but not forty.
    assert!(descriptors() < before + 40, "{} after {before}", descriptors());
    let copied: usize = pieces
        .into_iter()
        .map(|mut piece| std::io::copy(&mut piece, &mut std::io::sink()).unwrap() as usize)
        .sum();
    assert!(copied > 59 * 50_000);
}

#[test]
fn a_copy_is_given_up_where_content_is_erased_meanwhile() {
    let folder = TempDir::new().unwrap();
    let mut journal = open(folder.path()).journal;
    journal.append(&[entry("to be erased"), entry("to stay")]).unwrap();
    let mut pieces = journal.log().pieces().unwrap().1;
    journal.erase(&BTreeMap::from([(1, Vec::new())])).unwrap();
    let refused = std::io::copy(&mut pieces[0], &mut std::io::sink()).unwrap_err();
    assert!(refused.to_string().contains("erased while"), "{refused}");
    let again = std::io::copy(&mut journal.log().pieces().unwrap().1[0], &mut std::io::sink());
    assert!(again.unwrap() > 0);
}

#[test]
fn whatever_is_made_is_for_its_owner_alone() {
    let outside = TempDir::new().unwrap();
    let place = outside.path().join("data");
    let folder = place.join("deep/journal");
    let mut journal = open(&folder).journal;
    begin_another_segment(&mut journal, &folder, 1);
    journal.erase(&BTreeMap::from([(1, Vec::new())])).unwrap();
    make_private(&place.join("keys/a.key"), b"secret").unwrap();
    let store = Attachments::open(&place.join("uploads"), 0).unwrap();
    store.receive().unwrap().finish().unwrap();
    let mut restoring = Restoring::begin(&place.join("restored")).unwrap();
    for mut piece in journal.log().pieces().unwrap().1 {
        let (name, allocated) = (piece.name.clone(), piece.allocated);
        restoring.segment(&name, allocated, &mut piece).unwrap();
    }
    restoring.finish::<OpenError>(|_| Ok(())).unwrap();
    assert_eq!(find_open(&place).unwrap(), None);
    let open = segments(&folder).remove(0);
    fs_err::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    assert_eq!(find_open(&place).unwrap(), Some((open, 0o640)));
    assert_eq!(find_open(&place.join("none")).unwrap(), None);
}
