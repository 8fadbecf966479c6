use std::io;
use std::path::PathBuf;

/// Why a journal does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "lock {path}: another process is using this data directory; stop it, or choose another directory"
    )]
    Locked {
        /// The journal's folder.
        path: PathBuf,
    },
    /// A journal was begun here, and not one segment of it is left.
    #[error(
        "open {path}: a journal was begun here, and its segments are missing: restore them from a backup"
    )]
    Gone {
        /// The journal's folder.
        path: PathBuf,
    },
    /// Bytes that were on disk do not verify.
    #[error(
        "verify {path} at offset {offset} (record {sequence}): {what}; the file is damaged: restore it from a backup, nothing was changed"
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Byte offset in it.
        offset: u64,
        /// Sequence of the record there.
        sequence: u64,
        /// What does not hold.
        what: &'static str,
    },
    /// Written by a program of another format.
    #[error(
        "open {path}: it is of format version {version}, and this program reads version {known} alone; use the program that wrote it",
        known = crate::format::VERSION
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u8,
    },
    /// No room for the first segment.
    #[error("make a segment in {path}: no room on disk ({free} bytes free, {needed} needed)")]
    NoRoom {
        /// The folder.
        path: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why nothing was appended, or why the process must end.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Refused before anything was written: no room for a segment, or less than the reserve is free.
    #[error("no room on disk: {free} bytes free, {needed} needed")]
    NoRoom {
        /// Bytes free.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// Refused before anything was written: more than is ever written at once.
    #[error("a group of {size} bytes is larger than {limit}, the most that is written at once")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most.
        limit: usize,
    },
    /// Refused before anything was written: no file can be opened for a new segment.
    #[error("open a file for a new segment: {0}")]
    NoFiles(#[source] io::Error),
    /// A write or sync inside an allocated segment failed, or the folder is no longer the one that was locked. What is on disk is not known: the process must end, and
    /// the next open finds out.
    #[error("write the journal: {0}")]
    Fatal(#[source] io::Error),
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Its bytes do not verify.
    #[error("read record {sequence} of {path}: {what}")]
    Damaged {
        /// Sequence.
        sequence: u64,
        /// The segment.
        path: PathBuf,
        /// What does not hold.
        what: &'static str,
    },
    /// Past the head, or 0.
    #[error("record {sequence} is not in the journal, whose head is {head}")]
    Absent {
        /// Asked for.
        sequence: u64,
        /// Newest.
        head: u64,
    },
    /// The operating system refused.
    #[error("read record {sequence}: {source}")]
    Io {
        /// Sequence.
        sequence: u64,
        /// Why.
        source: io::Error,
    },
}
