//! Backups: a service's journal and keys as one tar archive, which `tar` and `sha256sum -c` read and check without this
//! program.
//!
//! | entry | what |
//! |---|---|
//! | `manifest.json` | which service and journal, up to which record |
//! | `journal/….segment` | the used part of each segment, the oldest first |
//! | `keys/…` | private keys, where the service has any: the archive is as secret as they are |
//! | `SHA256SUMS` | the sum of each entry before it; an archive without it is cut |
//!
//! The state is not in it: it is made from the journal at the first start.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

pub use jiyao_journal::put_in_place;
use jiyao_journal::{
    Cursor, Journal, Log, OpenError, Options, ReadError, Restoring, UNFINISHED, make_private,
};
use jiyao_names::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tar::{Archive, Builder, EntryType, Header};

const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";
/// Manifest, keys and sums are small; what claims to be larger is none of ours.
const SMALL: u64 = 16 << 20;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the form of the archive.
    pub format: u32,
    /// Whose it is, e.g. `jiyao-records`.
    pub service: String,
    /// Id of the journal.
    pub journal: String,
    /// Sequence of the last record.
    pub sequence: u64,
    /// Hash of that record's header, in hexadecimal digits.
    pub hash: String,
    /// When the copy began, RFC 3339.
    pub time: String,
    /// Bytes that each segment's file takes, by name.
    pub segments: Vec<(String, u64)>,
}

/// Why a backup is not taken or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Reading or writing.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not an archive of this form, cut, or altered.
    #[error("the backup is not whole: {0}")]
    Broken(String),
    /// Made by a newer program.
    #[error("the backup has format {0}, this program knows up to {FORMAT}: use a newer one")]
    Newer(u32),
    /// The journal in it does not verify.
    #[error("the journal in the backup does not verify: {0}")]
    Journal(#[from] OpenError),
}

fn broken(what: impl Into<String>) -> BackupError {
    BackupError::Broken(what.into())
}

/// Reads along and sums up what is read.
struct Summed<R> {
    from: R,
    hasher: Sha256,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}

fn sum(hasher: Sha256) -> String {
    hex(&hasher.finalize())
}

struct Writer<W: Write> {
    archive: Builder<W>,
    sums: String,
}

impl<W: Write> Writer<W> {
    fn entry(&mut self, name: &str, length: u64, bytes: impl Read) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(length);
        header.set_mode(0o600);
        let mut bytes = Summed { from: bytes, hasher: Sha256::new() };
        self.archive.append_data(&mut header, name, &mut bytes)?;
        self.sums += &format!("{}  {name}\n", sum(bytes.hasher));
        Ok(())
    }
}

/// Writes a backup of a journal as it is now, and of the files in `keys`, where that folder is there. The service may
/// go on writing. Answers the record up to which it reaches. Blocks on the disk.
///
/// # Errors
/// Those of the file system and of the writer.
pub fn write(log: &Log, service: &str, time: &str, keys: &Path, to: impl Write) -> io::Result<Cursor> {
    let (head, pieces) = log.pieces()?;
    let manifest = Manifest {
        format: FORMAT,
        service: service.to_owned(),
        journal: head.journal.to_string(),
        sequence: head.sequence,
        hash: hex(&head.hash),
        time: time.to_owned(),
        segments: pieces.iter().map(|piece| (piece.name.clone(), piece.allocated)).collect(),
    };
    let mut writer = Writer { archive: Builder::new(to), sums: String::new() };
    let manifest = serde_json::to_vec_pretty(&manifest)?;
    writer.entry(MANIFEST, manifest.len() as u64, manifest.as_slice())?;
    for piece in pieces {
        writer.entry(&format!("journal/{}", piece.name), piece.length, piece)?;
    }
    if keys.exists() {
        let mut files: Vec<PathBuf> =
            fs_err::read_dir(keys)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        files.sort();
        let is_whole = |path: &&PathBuf| path.is_file() && path.extension().is_none_or(|of| of != UNFINISHED);
        for path in files.iter().filter(is_whole) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let bytes = fs_err::read(path)?;
            writer.entry(&format!("keys/{name}"), bytes.len() as u64, bytes.as_slice())?;
        }
    }
    let sums = std::mem::take(&mut writer.sums);
    writer.entry(SUMS, sums.len() as u64, sums.as_bytes())?;
    writer.archive.into_inner()?.flush()?;
    Ok(head)
}

fn small(entry: &mut impl Read, size: u64) -> Result<Vec<u8>, BackupError> {
    if size > SMALL {
        return Err(broken("an entry is larger than any of its kind"));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A name of a file straight in a folder: nothing that leads elsewhere.
fn plain(name: &str) -> Result<&str, BackupError> {
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(name),
        _ => Err(broken(format!("{name:?} is no name of a file"))),
    }
}

/// Restores a backup into a data folder that holds neither journal nor keys yet: every sum, every record and the whole
/// chain are verified first, and the head must be the one that the manifest names. Where that fails nothing is left.
///
/// # Errors
/// See [`BackupError`].
pub fn restore(from: impl Read, folder: &Path) -> Result<Manifest, BackupError> {
    let keys = folder.join("keys");
    if keys.exists() {
        let taken = format!("{} is there already: a restore overwrites nothing", keys.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, taken).into());
    }
    let mut restoring = Restoring::begin(&folder.join("journal"))?;
    let (mut manifest, mut sums) = (None::<Manifest>, String::new());
    let mut secrets: Vec<(String, Vec<u8>)> = Vec::new();
    let mut archive = Archive::new(from);
    let unreadable = |e: io::Error| broken(format!("it is cut, or no archive: {e}"));
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = entry.path().map_err(unreadable)?.to_string_lossy().into_owned();
        let size = entry.size();
        if name == SUMS {
            let told = small(&mut entry, size)?;
            if told != sums.as_bytes() {
                return Err(broken("an entry is not the one that was summed up"));
            }
            let manifest = manifest.ok_or_else(|| broken("it has no manifest"))?;
            let finished = restoring.finish(|head| {
                if (head.journal.to_string(), head.sequence, hex(&head.hash))
                    != (manifest.journal.clone(), manifest.sequence, manifest.hash.clone())
                {
                    return Err(broken("its journal does not end where the manifest says"));
                }
                Ok(secrets.iter().try_for_each(|(name, bytes)| make_private(&keys.join(name), bytes))?)
            });
            // A half of them, or they alone, would be in the way of the next restore.
            if finished.is_err() && keys.exists() && !folder.join("journal").exists() {
                fs_err::remove_dir_all(&keys)?;
            }
            return finished.map(|()| manifest);
        }
        let mut entry = Summed { from: entry, hasher: Sha256::new() };
        match (name.split_once('/'), &manifest) {
            (None, None) if name == MANIFEST => {
                let bytes = small(&mut entry, size)?;
                let read: Manifest =
                    serde_json::from_slice(&bytes).map_err(|e| broken(format!("its manifest: {e}")))?;
                if read.format > FORMAT {
                    return Err(BackupError::Newer(read.format));
                }
                manifest = Some(read);
            }
            (Some(("journal", file)), Some(manifest)) => {
                let known = manifest.segments.iter().find(|(known, _)| known == file);
                let (file, allocated) =
                    known.ok_or_else(|| broken(format!("{name}: not in the manifest")))?;
                restoring.segment(file, *allocated, &mut entry)?;
            }
            (Some(("keys", file)), Some(_)) => {
                secrets.push((plain(file)?.to_owned(), small(&mut entry, size)?));
            }
            _ => return Err(broken(format!("{name}: nothing of this name belongs here"))),
        }
        sums += &format!("{}  {name}\n", sum(entry.hasher));
    }
    Err(broken("its end is missing"))
}

/// Checks a backup by restoring it into a temporary folder beside nothing of value.
///
/// # Errors
/// See [`BackupError`].
pub fn check(from: impl Read) -> Result<Manifest, BackupError> {
    let folder = tempfile::TempDir::new()?;
    restore(from, &folder.path().join("check"))
}

/// Writes a backup anew without what a newer one of the same journal no longer has. Answers what the backup says of
/// itself and how many records were erased.
///
/// # Errors
/// See [`BackupError`]; `Broken` where the newer one is not of the same journal, or not newer.
pub fn erase(old: impl Read, newer: impl Read, to: impl Write) -> Result<(Manifest, usize), BackupError> {
    let folder = tempfile::TempDir::new()?;
    let (old_folder, newer_folder) = (folder.path().join("old"), folder.path().join("newer"));
    let manifest = restore(old, &old_folder)?;
    restore(newer, &newer_folder)?;
    let options = Options { reserve: 0, ..Options::default() };
    let mut journal = Journal::open(&old_folder.join("journal"), options)?.journal;
    let newer = Journal::open(&newer_folder.join("journal"), options)?.journal.log();
    let (log, head) = (journal.log(), journal.log().head());
    if !newer.cursor_at(head.sequence).is_ok_and(|there| there == head) {
        return Err(broken("the other backup is not a newer one of the same journal"));
    }
    let unreadable = |e: ReadError| broken(e.to_string());
    let (mut remains, mut next) = (BTreeMap::new(), 1);
    while next <= head.sequence {
        for record in newer.read_some(next, head.sequence).map_err(unreadable)? {
            next = record.sequence + 1;
            // What was erased before the older one was taken may have lost more since.
            if record.is_erased && log.read(record.sequence).map_err(unreadable)?.payload != record.payload {
                remains.insert(record.sequence, record.payload.unwrap_or_default());
            }
        }
    }
    journal.erase(&remains).map_err(|e| broken(e.to_string()))?;
    let erased = remains.len();
    write(&log, &manifest.service, &manifest.time, &old_folder.join("keys"), to)?;
    Ok((manifest, erased))
}

#[cfg(test)]
mod tests;
