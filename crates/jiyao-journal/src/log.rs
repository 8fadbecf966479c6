//! Reading what is on disk, from any thread, while the one writer goes on.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use fs_err::File;
use uuid::Uuid;

use crate::files::Files;
use crate::folder::Held;
use crate::format::{self, Body, HEADER, Header};
use crate::{Cursor, Hash, ReadError};

pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
    pub(crate) offsets: Vec<u32>,
}

pub(crate) struct Shared {
    pub(crate) id: Uuid,
    /// The writer's.
    pub(crate) held: Weak<Held>,
    pub(crate) files: Files,
    pub(crate) contents: RwLock<Contents>,
}

pub(crate) struct Contents {
    pub(crate) segments: Vec<Segment>,
    pub(crate) head: Cursor,
    /// Segments that erasures began to replace.
    pub(crate) replaced: u64,
}

impl Shared {
    pub(crate) fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Readers keep the file that they began with: an erasure may put another in its place.
    pub(crate) fn file(&self, segment: &Segment) -> std::io::Result<Arc<File>> {
        self.files.get(segment.first, &segment.path)
    }
}

/// A reader of the journal: sees exactly what is synced. Clones are cheap.
#[derive(Clone)]
pub struct Log(pub(crate) Arc<Shared>);

/// One record as read and verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Dense, from 1.
    pub sequence: u64,
    /// Milliseconds since 1970, UTC.
    pub time_ms: i64,
    /// Hash of its header.
    pub hash: Hash,
    /// The payload; of an erased record what remains of it, and None where that is nothing.
    pub payload: Option<Vec<u8>>,
    /// Whether the payload that the header commits to is gone.
    pub is_erased: bool,
}

impl Log {
    /// The journal's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// Cursor of the newest synced record.
    #[must_use]
    pub fn head(&self) -> Cursor {
        self.0.contents().head
    }

    /// Whether the journal's folder is still the one that this process locked. Where its writer has gone nothing is locked.
    ///
    /// # Errors
    /// Another folder has its name, or none: the process must end.
    pub fn check_folder(&self) -> std::io::Result<()> {
        self.0.held.upgrade().map_or(Ok(()), |held| held.check())
    }

    /// Cursor at a sequence, 0 up to the head.
    ///
    /// # Errors
    /// `Absent` past the head; `Damaged` and `Io` as reading does.
    pub fn cursor_at(&self, sequence: u64) -> Result<Cursor, ReadError> {
        let hash = if sequence == 0 { format::genesis(self.id()) } else { self.header(sequence)?.0.hash() };
        Ok(Cursor { journal: self.id(), sequence, hash })
    }

    /// One record, verified against its checksums and its commitment.
    ///
    /// # Errors
    /// `Absent` for 0 and past the head; `Damaged`; `Io`.
    pub fn read(&self, sequence: u64) -> Result<Record, ReadError> {
        let mut found = self.read_some(sequence, sequence)?;
        found.pop().ok_or(ReadError::Absent { sequence, head: self.head().sequence })
    }

    /// Records from `first` up to `last`, verified as [`Log::read`] does: as many as one look at the disk gives, and at
    /// least one.
    ///
    /// # Errors
    /// As [`Log::read`], for any of them.
    pub fn read_some(&self, first: u64, last: u64) -> Result<Vec<Record>, ReadError> {
        let Source { file, path, offsets } = self.source(first, last)?;
        let file = file.file();
        let (Some(start), Some(end)) = (offsets.first(), offsets.last()) else { return Ok(Vec::new()) };
        let io = |source| ReadError::Io { sequence: first, source };
        let mut bytes = vec![0; (end - start) as usize + HEADER];
        file.read_exact_at(&mut bytes, u64::from(*start)).map_err(io)?;
        let mut records = Vec::with_capacity(offsets.len());
        for (sequence, offset) in (first..).zip(&offsets) {
            let damaged = |what| ReadError::Damaged { sequence, path: path.clone(), what };
            let at = (offset - start) as usize;
            let header = header(&bytes[at..at + HEADER], sequence).map_err(damaged)?;
            let body = at + HEADER..at + header.extent();
            if offset == end {
                let known = bytes.len();
                bytes.resize(body.end, 0);
                file.read_exact_at(&mut bytes[known..], u64::from(*start) + known as u64).map_err(io)?;
            }
            let body = bytes.get(body).ok_or_else(|| damaged("the record runs into the next"))?;
            let (payload, is_erased) = match format::decode_body(&header, body).map_err(damaged)? {
                Body::Whole(payload) => (Some(payload), false),
                Body::Remains(payload) => (Some(payload).filter(|payload| !payload.is_empty()), true),
            };
            let (time_ms, hash) = (header.time_ms, header.hash());
            records.push(Record { sequence, time_ms, hash, payload, is_erased });
        }
        Ok(records)
    }

    /// As [`Log::read`], and its header must follow on the one with this hash.
    ///
    /// # Errors
    /// `Damaged` too where the chain is broken.
    pub fn read_after(&self, sequence: u64, before: &Hash) -> Result<Record, ReadError> {
        let (header, path) = self.header(sequence)?;
        if header.previous != *before {
            let what = "the record does not follow the one before";
            return Err(ReadError::Damaged { sequence, path, what });
        }
        self.read(sequence)
    }

    /// Bytes that the payload of a record took when it was written.
    pub(crate) fn payload_length(&self, sequence: u64) -> Result<u32, ReadError> {
        Ok(self.header(sequence)?.0.length)
    }

    fn header(&self, sequence: u64) -> Result<(Header, PathBuf), ReadError> {
        let Source { file, path, offsets } = self.source(sequence, sequence)?;
        let mut bytes = [0; HEADER];
        let offset = offsets.first().copied().map_or(0, u64::from);
        let read = file.file().read_exact_at(&mut bytes, offset);
        read.map_err(|source| ReadError::Io { sequence, source })?;
        match header(&bytes, sequence) {
            Ok(header) => Ok((header, path)),
            Err(what) => Err(ReadError::Damaged { sequence, path, what }),
        }
    }

    /// Where the first of some records lies, and those behind it in the same segment that are near.
    fn source(&self, first: u64, last: u64) -> Result<Source, ReadError> {
        let contents = self.0.contents();
        let absent = ReadError::Absent { sequence: first, head: contents.head.sequence };
        let after = contents.segments.partition_point(|segment| segment.first <= first);
        let Some(segment) = after.checked_sub(1).map(|at| &contents.segments[at]) else {
            return Err(absent);
        };
        let Some(offsets) = segment.offsets.get((first - segment.first) as usize..) else {
            return Err(absent);
        };
        let Some(start) = offsets.first() else { return Err(absent) };
        let wanted = offsets.iter().take((last.saturating_sub(first) + 1) as usize);
        let offsets = wanted.take_while(|offset| **offset - start <= NEAR).copied().collect();
        let file = self.0.file(segment).map_err(|source| ReadError::Io { sequence: first, source })?;
        Ok(Source { file, path: segment.path.clone(), offsets })
    }
}

struct Source {
    file: Arc<File>,
    path: PathBuf,
    offsets: Vec<u32>,
}

/// Most bytes between the first and the last record of one look.
const NEAR: u32 = 1 << 20;

fn header(bytes: &[u8], sequence: u64) -> Result<Header, &'static str> {
    let header = Header::decode(bytes).filter(|header| header.sequence == sequence);
    header.ok_or("the header does not match its checksum")
}
