//! Reading a segment at open: what is there, and what to make of what does not verify.

use std::io::Read as _;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::format::{
    HEADER, Header, SEGMENT_HEADER, SegmentHeader, SegmentHeaderError, Trailer, decode_body, is_torn, place,
};
use crate::{Hash, OpenError};

/// What a scan found.
pub(crate) struct Scanned {
    /// Offset of each record, in order.
    pub(crate) offsets: Vec<u32>,
    /// First byte after the last record.
    pub(crate) end: u64,
    /// Hash of the last header.
    pub(crate) hash: Hash,
    /// Time of the last record; `i64::MIN` where there is none.
    pub(crate) last_time_ms: i64,
    /// The latest time of any record.
    pub(crate) latest_time_ms: i64,
    /// Where a torn tail begins, and its last byte that is not zero, plus one.
    pub(crate) torn: Option<(u64, u64)>,
    /// A trailer ends it: the next record is in another segment.
    pub(crate) is_sealed: bool,
}

/// Segments of a folder in order.
pub(crate) fn segments(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = of_kind(folder, "segment")?;
    paths.sort();
    Ok(paths)
}

/// Removes segments that were never finished.
pub(crate) fn remove_unfinished(folder: &Path) -> std::io::Result<()> {
    of_kind(folder, "tmp")?.into_iter().try_for_each(fs_err::remove_file)
}

fn of_kind(folder: &Path, kind: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == kind) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Whether the beginning of a segment is of this program's format.
pub(crate) fn check_header(path: &Path) -> Result<(), OpenError> {
    let mut head = Vec::new();
    fs_err::File::open(path)?.take(SEGMENT_HEADER as u64).read_to_end(&mut head)?;
    segment_header(path, &head).map(drop)
}

fn segment_header(path: &Path, bytes: &[u8]) -> Result<SegmentHeader, OpenError> {
    let damaged = |what| OpenError::Damaged { path: path.to_owned(), offset: 0, sequence: 0, what };
    let head = bytes.first_chunk::<SEGMENT_HEADER>().ok_or_else(|| damaged("the segment is cut short"))?;
    SegmentHeader::decode(head).map_err(|e| match e {
        SegmentHeaderError::Damaged(what) => damaged(what),
        SegmentHeaderError::Version(version) => OpenError::Version { path: path.to_owned(), version },
    })
}

/// What a segment's header says, and what its records come to: an order of segments can only be judged with the first.
type OfSegment = Result<(SegmentHeader, Result<Scanned, OpenError>), OpenError>;

/// Verifies every record of some segments in order, on all processors: each says what must have come before it, so
/// they can be looked at one by one.
pub(crate) fn scan_all(paths: &[PathBuf]) -> Vec<OfSegment> {
    let next = AtomicUsize::new(0);
    let of_one = |at: usize| {
        let bytes = fs_err::read(&paths[at])?;
        let header = segment_header(&paths[at], &bytes)?;
        let scanned = scan(&paths[at], &bytes, &header, at + 1 == paths.len());
        Ok((header, scanned))
    };
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= paths.len() {
                return done;
            }
            done.push((at, of_one(at)));
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get).min(paths.len());
    let mut all: Vec<(usize, OfSegment)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..processors).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, scanned)| scanned).collect()
}

/// Verifies every record of a segment. Only the last segment may have a torn tail.
fn scan(path: &Path, bytes: &[u8], segment: &SegmentHeader, is_last: bool) -> Result<Scanned, OpenError> {
    let mut found = Scanned {
        offsets: Vec::new(),
        end: SEGMENT_HEADER as u64,
        hash: segment.previous,
        last_time_ms: i64::MIN,
        latest_time_ms: i64::MIN,
        torn: None,
        is_sealed: false,
    };
    loop {
        let sequence = segment.first + found.offsets.len() as u64;
        let offset = place(found.end);
        let damaged = |what| OpenError::Damaged { path: path.to_owned(), offset, sequence, what };
        let at = offset as usize;
        let Some(head) = bytes.get(at..at + HEADER) else {
            return Ok(found);
        };
        let broken = match Header::decode(head) {
            None if head.iter().all(|byte| *byte == 0) => {
                if bytes[at..].iter().all(|byte| *byte == 0) {
                    return Ok(found);
                }
                Broken { what: "a record is missing", torn: true }
            }
            None => match Trailer::decode(head) {
                Some(trailer) if (trailer.next, trailer.previous) != (sequence, found.hash) => {
                    return Err(damaged("the segment's end does not follow its last record"));
                }
                Some(_) if bytes[at + HEADER..].iter().any(|byte| *byte != 0) => {
                    return Err(damaged("there is something behind the segment's end"));
                }
                Some(_) => {
                    found.is_sealed = true;
                    return Ok(found);
                }
                None => {
                    Broken { what: "the header does not match its checksum", torn: is_torn(offset, head) }
                }
            },
            Some(header) => {
                if header.sequence != sequence {
                    return Err(damaged("the sequence is not the next one"));
                }
                if header.previous != found.hash {
                    return Err(damaged("the record does not follow the one before"));
                }
                match bytes.get(at + HEADER..at + header.extent()) {
                    None => return Err(damaged("the record reaches past its segment")),
                    Some(body) => match decode_body(&header, body) {
                        Ok(_) => {
                            found.offsets.push(offset as u32);
                            found.end = offset + header.extent() as u64;
                            found.hash = header.hash();
                            found.last_time_ms = header.time_ms;
                            found.latest_time_ms = found.latest_time_ms.max(header.time_ms);
                            continue;
                        }
                        Err(what) => Broken { what, torn: is_torn(offset, &bytes[at..at + header.extent()]) },
                    },
                }
            }
        };
        let torn_tail = is_last && broken.torn && !later_group_follows(&bytes[at..], sequence);
        if !torn_tail {
            return Err(damaged(broken.what));
        }
        let last = bytes.iter().rposition(|byte| *byte != 0).map_or(found.end, |last| last as u64 + 1);
        found.torn = Some((found.end, last.max(found.end)));
        return Ok(found);
    }
}

struct Broken {
    what: &'static str,
    torn: bool,
}

/// A group is written only after the one before is synced: a whole header of a later group proves that what is
/// broken here had been acknowledged.
fn later_group_follows(bytes: &[u8], sequence: u64) -> bool {
    (0..bytes.len().saturating_sub(HEADER)).step_by(4).any(|at| {
        bytes[at] == b'J'
            && Header::decode(&bytes[at..at + HEADER]).is_some_and(|header| header.group > sequence)
    })
}
