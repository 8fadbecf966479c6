//! What becomes of a write where no file is left: in a program of its own, for it takes all that there are.

use std::fs::File;

use jiyao_journal::{AppendError, Entry, Locked, Options};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[test]
fn a_segment_that_no_file_is_left_for_is_refused_and_comes_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let options = Options { segment_size: 64 << 10, reserve: 0 };
    let mut journal = Locked::take(&path).unwrap().open(options).unwrap().journal;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: limit.maximum }).unwrap();
    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let entry = || Entry { time_ms: 1, payload: vec![7; 1000] };
    let mut written = 0;
    let refused = loop {
        match journal.append(&[entry()]) {
            Ok(_) => written += 1,
            Err(e) => break e,
        }
    };
    assert!(matches!(refused, AppendError::NoFiles(_)), "{refused}");
    assert!(written > 10, "the segment that is open takes {written} without another file");
    assert!(matches!(journal.append(&[entry()]), Err(AppendError::NoFiles(_))), "it is refused again");
    taken.truncate(taken.len() / 2);
    journal.append(&[entry()]).unwrap();
    drop((journal, taken));
    let journal = Locked::take(&path).unwrap().open(options).unwrap().journal;
    assert_eq!(journal.log().head().sequence, written + 1);
}
