//! Reading what is on disk, from any thread, while the one writer goes on.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use fs_err::File;
use uuid::Uuid;

use crate::format::{self, HEADER, Header};
use crate::{Cursor, Hash, ReadError};

pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) offsets: Vec<u32>,
}

pub(crate) struct Shared {
    pub(crate) id: Uuid,
    pub(crate) contents: RwLock<Contents>,
}

pub(crate) struct Contents {
    pub(crate) segments: Vec<Segment>,
    pub(crate) head: Cursor,
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
    /// The payload; None where it was erased.
    pub payload: Option<Vec<u8>>,
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
        self.contents().head
    }

    /// Cursor at a sequence, 0 up to the head.
    ///
    /// # Errors
    /// `Absent` past the head; `Damaged` and `Io` as reading does.
    pub fn cursor_at(&self, sequence: u64) -> Result<Cursor, ReadError> {
        let hash = if sequence == 0 { format::genesis(self.id()) } else { self.header(sequence)?.1.hash() };
        Ok(Cursor { journal: self.id(), sequence, hash })
    }

    /// One record, verified against its checksums and its commitment.
    ///
    /// # Errors
    /// `Absent` for 0 and past the head; `Damaged`; `Io`.
    pub fn read(&self, sequence: u64) -> Result<Record, ReadError> {
        let (source, header) = self.header(sequence)?;
        let mut body = vec![0; header.body_length()];
        source
            .file
            .read_exact_at(&mut body, source.offset + HEADER as u64)
            .map_err(|source| ReadError::Io { sequence, source })?;
        let payload = format::decode_body(&header, &body).map_err(|what| ReadError::Damaged {
            sequence,
            path: source.path,
            what,
        })?;
        Ok(Record { sequence, time_ms: header.time_ms, hash: header.hash(), payload })
    }

    /// As [`Log::read`], and its header must follow on the one with this hash.
    ///
    /// # Errors
    /// `Damaged` too where the chain is broken.
    pub fn read_after(&self, sequence: u64, before: &Hash) -> Result<Record, ReadError> {
        let (source, header) = self.header(sequence)?;
        if header.previous != *before {
            let what = "the record does not follow the one before";
            return Err(ReadError::Damaged { sequence, path: source.path, what });
        }
        self.read(sequence)
    }

    fn header(&self, sequence: u64) -> Result<(Source, Header), ReadError> {
        let io = |source| ReadError::Io { sequence, source };
        let source = {
            let contents = self.contents();
            let absent = ReadError::Absent { sequence, head: contents.head.sequence };
            let after = contents.segments.partition_point(|segment| segment.first <= sequence);
            let Some(segment) = after.checked_sub(1).map(|at| &contents.segments[at]) else {
                return Err(absent);
            };
            let Some(offset) = segment.offsets.get((sequence - segment.first) as usize) else {
                return Err(absent);
            };
            // A handle of its own: an erasure may put another file in the segment's place meanwhile.
            let file = segment.file.try_clone().map_err(io)?;
            Source { file: file.into_file(), path: segment.path.clone(), offset: u64::from(*offset) }
        };
        let mut bytes = [0; HEADER];
        source.file.read_exact_at(&mut bytes, source.offset).map_err(io)?;
        match Header::decode(&bytes) {
            Some(header) if header.sequence == sequence => Ok((source, header)),
            _ => {
                let what = "the header does not match its checksum";
                Err(ReadError::Damaged { sequence, path: source.path, what })
            }
        }
    }

    fn contents(&self) -> std::sync::RwLockReadGuard<'_, Contents> {
        self.0.contents.read().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Source {
    file: std::fs::File,
    path: PathBuf,
    offset: u64,
}
