//! The one writer.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use fs_err::{File, OpenOptions};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use uuid::Uuid;

use crate::files::Files;
use crate::folder::{Held, make_folder, private};
use crate::format::{self, Header, SEGMENT_HEADER, SegmentHeader, Trailer, place};
use crate::log::{Contents, Segment, Shared};
use crate::scan;
use crate::{AppendError, Cursor, Log, OpenError, ReadError, is_planted, kill_point};

/// Sizes.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of a segment, allocated when it is made; at least 64 KiB, at most 1 GiB.
    pub segment_size: u64,
    /// Bytes of the disk that stay free: below it appending is refused.
    pub reserve: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_size: 8 << 20, reserve: 64 << 20 }
    }
}

/// What to append.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Milliseconds since 1970, UTC. The order of records is their sequence, not their time.
    pub time_ms: i64,
    /// Any bytes.
    pub payload: Vec<u8>,
}

/// An opened journal, and what opening it did.
pub struct Opened {
    /// The journal.
    pub journal: Journal,
    /// The folder had no segment: this is a new journal.
    pub created: bool,
    /// A tail that was never acknowledged is left out. Opening changes nothing: the next append clears it.
    pub cut: Option<Cut>,
}

/// A torn tail.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The segment.
    pub path: PathBuf,
    /// Its first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// The writer of a journal. There is one in the world: a lock keeps a second process out.
pub struct Journal {
    /// The lock goes with the writer: readers may outlive it.
    held: Arc<Held>,
    pub(crate) options: Options,
    shared: Arc<Shared>,
    active: Arc<File>,
    end: u64,
    /// Bytes that the active segment has room for.
    capacity: u64,
    /// A torn tail that the next append must clear first.
    torn: Option<Cut>,
    last_time_ms: i64,
    latest_time_ms: i64,
    /// A group was written and is not shown yet.
    is_busy: bool,
}

/// A group that was written: nobody sees it before it is synced and shown.
#[must_use = "a group that is not synced and shown was not appended"]
pub struct Written {
    file: Arc<File>,
    cursors: Vec<Cursor>,
    offsets: Vec<u32>,
    /// Behind its last byte.
    end: u64,
}

impl Written {
    /// Waits until the disk has it: one `fdatasync`, on any thread.
    ///
    /// # Errors
    /// Those of the file system: the process must end.
    pub fn sync(self) -> io::Result<Synced> {
        sync_data(&self.file)?;
        kill_point("group-synced");
        Ok(Synced(self))
    }
}

/// A group that the disk has.
#[must_use = "a group that is not shown was not appended"]
pub struct Synced(Written);

/// A folder that no other process opens, nor what belongs to it.
#[derive(Debug)]
pub struct Locked(Held);

impl Locked {
    /// Takes the folder, which is made where it is missing.
    ///
    /// # Errors
    /// `Locked`, `Io`.
    pub fn take(folder: &Path) -> Result<Self, OpenError> {
        Ok(Self(Held::take(folder)?))
    }

    /// Whether this program reads what lies there, by the beginning of each segment alone: nothing is made or changed.
    ///
    /// # Errors
    /// `Damaged`, `Version`, `Io`.
    pub fn check_format(&self) -> Result<(), OpenError> {
        scan::segments(self.0.path())?.iter().try_for_each(|path| scan::check_header(path))
    }

    /// Opens the journal in it, or makes one. Verifies every record, and syncs what it found. A new segment that was
    /// announced and did not get its name gets it.
    ///
    /// # Errors
    /// `Damaged`, `Gone`, `Version`, `NoRoom`, `Io`. No record is ever changed by opening.
    pub fn open(self, options: Options) -> Result<Opened, OpenError> {
        let Self(held) = self;
        let mut paths = scan::segments(held.path())?;
        let created = paths.is_empty();
        if created {
            paths.push(begin(&held, options)?);
        }

        let mut segments: Vec<Segment> = Vec::new();
        let mut head: Option<Cursor> = None;
        let (mut end, mut cut) = (0, None);
        let (mut last_time_ms, mut latest_time_ms) = (i64::MIN, i64::MIN);
        while segments.len() < paths.len() {
            let unread = &paths[segments.len()..];
            let mut announced = None;
            for (path, scanned) in unread.iter().zip(scan::scan_all(unread)) {
                let (header, found) = scanned?;
                let damaged = |what| {
                    Err(OpenError::Damaged { path: path.clone(), offset: 0, sequence: header.first, what })
                };
                let before = head.unwrap_or(Cursor {
                    journal: header.id,
                    sequence: 0,
                    hash: format::genesis(header.id),
                });
                if header.id != before.journal {
                    return damaged("the segment is of another journal");
                }
                if header.first != before.sequence + 1 || header.previous != before.hash {
                    return damaged("the segment does not follow the one before: one is missing");
                }
                let found = found?;
                let is_last = segments.len() + 1 == paths.len();
                if !is_last && !found.is_sealed {
                    return damaged("the segment does not name the one that follows it");
                }
                if let Some((from, to)) = found.torn {
                    cut = Some(Cut { path: path.clone(), offset: from, length: to - from });
                }
                let sequence = before.sequence + found.offsets.len() as u64;
                head = Some(Cursor { journal: header.id, sequence, hash: found.hash });
                end = found.end;
                if !found.offsets.is_empty() {
                    last_time_ms = found.last_time_ms;
                }
                latest_time_ms = latest_time_ms.max(found.latest_time_ms);
                segments.push(Segment { first: header.first, path: path.clone(), offsets: found.offsets });
                announced = found.is_sealed.then(|| (path.clone(), sequence + 1));
            }
            if let Some((before, first)) = announced {
                paths.push(name_announced(&held, &before, first)?);
            }
        }
        let (Some(head), Some(last)) = (head, segments.last()) else {
            return Err(OpenError::Io(io::Error::other("the journal has no segment")));
        };
        let active = Arc::new(OpenOptions::new().read(true).write(true).open(&last.path)?);
        let capacity = active.metadata()?.len();
        scan::remove_unfinished(held.path())?;
        // A process that was killed may have written what it did not sync, and named a segment that its folder does not
        // hold for good. It is read and shown from now on, and followed by other groups: so it must be there for good.
        // Where a sync failed before, the system may think it did not: the last group is written again, as it is, and so
        // is the nothing behind it, where a torn tail may have been cleared.
        write_again(&active, last)?;
        if cut.is_none() {
            clear(&active, end..capacity)?;
        }
        sync_data(&active)?;
        if !held.path().join(BEGUN).exists() {
            private().create(true).truncate(true).write(true).open(held.path().join(BEGUN))?;
        }
        held.sync()?;
        sync_parent(held.path())?;
        let contents = Contents { segments, head, replaced: 0 };
        let held = Arc::new(held);
        let shared = Shared {
            id: head.journal,
            held: Arc::downgrade(&held),
            files: Files::default(),
            contents: RwLock::new(contents),
        };
        let journal = Journal {
            held,
            options,
            shared: Arc::new(shared),
            active,
            end,
            capacity,
            torn: cut.clone(),
            last_time_ms,
            latest_time_ms,
            is_busy: false,
        };
        Ok(Opened { journal, created, cut })
    }
}

impl Journal {
    /// Takes the folder and opens the journal in it, or makes one.
    ///
    /// # Errors
    /// Those of [`Locked::take`] and [`Locked::open`].
    pub fn open(folder: &Path, options: Options) -> Result<Opened, OpenError> {
        Locked::take(folder)?.open(options)
    }

    /// A reader.
    #[must_use]
    pub fn log(&self) -> Log {
        Log(Arc::clone(&self.shared))
    }

    /// Time of the newest record; `i64::MIN` where there is none.
    #[must_use]
    pub fn last_time_ms(&self) -> i64 {
        self.last_time_ms
    }

    /// The latest time of any record; `i64::MIN` where there is none. Later than the newest record's after a clock was
    /// set back.
    #[must_use]
    pub fn latest_time_ms(&self) -> i64 {
        self.latest_time_ms
    }

    /// Bytes free beyond the reserve, or the refusal that an append would get.
    ///
    /// # Errors
    /// `NoRoom`, or `Fatal` where the disk cannot be asked.
    pub fn room(&self) -> Result<u64, AppendError> {
        let free = free_bytes(self.held.path()).map_err(AppendError::Fatal)?;
        free.checked_sub(self.options.reserve)
            .ok_or(AppendError::NoRoom { free, needed: self.options.reserve })
    }

    /// Appends a group: one write, one `fdatasync`, and only then are the records visible. Answers where each stands. An
    /// empty group does nothing.
    ///
    /// # Errors
    /// `NoRoom` and `TooLarge`: nothing was written. `Fatal`: the process must end.
    pub fn append(&mut self, entries: &[Entry]) -> Result<Vec<Cursor>, AppendError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let written = self.write(entries)?;
        let synced = written.sync().map_err(AppendError::Fatal)?;
        Ok(self.show(synced))
    }

    /// Writes a group, as the first part of appending it. Only one is on its way: what a power cut leaves half-written
    /// is then always the last.
    ///
    /// # Errors
    /// As [`Journal::append`]; `Fatal` too for a second group before the first is shown.
    pub fn write(&mut self, entries: &[Entry]) -> Result<Written, AppendError> {
        self.check_idle().map_err(AppendError::Fatal)?;
        self.held.check().map_err(AppendError::Fatal)?;
        let head = self.log().head();
        let first = head.sequence + 1;
        let mut cursors = Vec::with_capacity(entries.len());
        let group_size: usize =
            entries.iter().map(|entry| format::extent_of(entry.payload.len()) + 512).sum();
        if group_size > LARGEST_GROUP {
            return Err(AppendError::TooLarge { size: group_size, limit: LARGEST_GROUP });
        }
        self.room()?;
        self.clear_torn_tail()?;
        if self.end + group_size as u64 + Trailer::ROOM > self.capacity {
            self.roll(group_size as u64)?;
        }

        let start = place(self.end);
        let (mut bytes, mut offsets, mut hash) = (Vec::with_capacity(group_size), Vec::new(), head.hash);
        for (at, entry) in entries.iter().enumerate() {
            let offset = place(start + bytes.len() as u64);
            bytes.resize((offset - start) as usize, 0);
            let mut salt = [0; 16];
            getrandom::fill(&mut salt).map_err(|e| AppendError::Fatal(io::Error::other(e)))?;
            let header = Header {
                length: u32::try_from(entry.payload.len()).unwrap_or(u32::MAX),
                sequence: first + at as u64,
                group: first,
                time_ms: entry.time_ms,
                previous: hash,
                commitment: format::commitment(&salt, &entry.payload),
            };
            bytes.extend_from_slice(&header.encode());
            bytes.extend_from_slice(&format::body(&salt, &entry.payload));
            hash = header.hash();
            cursors.push(Cursor { journal: head.journal, sequence: header.sequence, hash });
            offsets.push(offset as u32);
            self.last_time_ms = entry.time_ms;
            self.latest_time_ms = self.latest_time_ms.max(entry.time_ms);
        }
        write_group(&self.active, &bytes, start).map_err(AppendError::Fatal)?;
        kill_point("group-written");
        self.is_busy = true;
        Ok(Written { file: Arc::clone(&self.active), cursors, offsets, end: start + bytes.len() as u64 })
    }

    fn check_idle(&self) -> io::Result<()> {
        if self.is_busy { Err(io::Error::other("another group is not shown yet")) } else { Ok(()) }
    }

    /// Shows a group that was synced. Answers where each of its records stands.
    pub fn show(&mut self, Synced(synced): Synced) -> Vec<Cursor> {
        self.is_busy = false;
        self.end = synced.end;
        let mut contents = self.shared.change();
        if let Some(last) = synced.cursors.last() {
            contents.head = *last;
        }
        if let Some(segment) = contents.segments.last_mut() {
            segment.offsets.extend(synced.offsets);
        }
        synced.cursors
    }

    fn clear_torn_tail(&mut self) -> Result<(), AppendError> {
        if let Some(torn) = &self.torn {
            let tail = torn.offset..torn.offset + torn.length;
            write_zeros(&self.active, tail).map_err(AppendError::Fatal)?;
            sync_data(&self.active).map_err(AppendError::Fatal)?;
            self.torn = None;
        }
        Ok(())
    }

    /// Begins a new segment: of the usual size, or larger where a group needs it.
    fn roll(&mut self, group_size: u64) -> Result<(), AppendError> {
        let head = self.log().head();
        let needed = SEGMENT_HEADER as u64 + group_size + Trailer::ROOM;
        let size = self.options.segment_size.max(needed);
        let header = SegmentHeader { id: head.journal, first: head.sequence + 1, previous: head.hash };
        // Until the old segment is sealed, whatever fails here leaves the journal as it was.
        let made = Unnamed::make(&self.held, (size, self.options.reserve), &header)?;
        let is_empty = self.shared.contents().segments.last().is_none_or(|last| last.offsets.is_empty());
        // One without a record is replaced by a larger one of the same name.
        if !is_empty {
            let trailer = Trailer { next: header.first, previous: head.hash };
            let sealed = self.active.file().write_all_at(&trailer.encode(), place(self.end));
            sealed.and_then(|()| sync_data(&self.active)).map_err(AppendError::Fatal)?;
            kill_point("segment-sealed");
        }
        let (path, file) = made.name(&self.held).map_err(AppendError::Fatal)?;
        self.active = Arc::new(file);
        self.end = SEGMENT_HEADER as u64;
        self.capacity = size;
        let mut contents = self.shared.change();
        if is_empty {
            contents.segments.pop();
            self.shared.files.forget(header.first);
        }
        contents.segments.push(Segment { first: header.first, path, offsets: Vec::new() });
        Ok(())
    }

    /// Erases payloads, by sequence, but for what is to remain of each: their segments are sealed, rewritten without
    /// the payloads and their salts, synced and put in place of the old ones. Headers stay, so every other record and
    /// the chain still verify. What fails half-way can be repeated.
    ///
    /// # Errors
    /// As reading the records; `TooLong` before anything is written, and `Io` while a group is written and not shown.
    pub fn erase(&mut self, remains: &BTreeMap<u64, Vec<u8>>) -> Result<(), EraseError> {
        self.check_idle()?;
        let bodies = self.erased_bodies(remains)?;
        if is_planted("no-erasing") {
            return Ok(());
        }
        if bodies.range(self.active_first()..).next().is_some() {
            self.clear_torn_tail()?;
            self.roll(0)?;
        }
        // Readers go on meanwhile: until the file of a segment is changed over they have the old one.
        for at in 0.. {
            let (first, path, places) = {
                let contents = self.shared.contents();
                let Some(segment) = contents.segments.get(at) else { break };
                let behind = segment.first + segment.offsets.len() as u64;
                let place = |(sequence, body)| (segment.offsets[(sequence - segment.first) as usize], body);
                let own = bodies.range(segment.first..behind).map(|(sequence, body)| (*sequence, body));
                (segment.first, segment.path.clone(), own.map(place).collect::<Vec<_>>())
            };
            if places.is_empty() {
                continue;
            }
            let mut bytes = fs_err::read(&path)?;
            for (offset, body) in places {
                let at = offset as usize + format::HEADER;
                bytes[at..at + body.len()].copy_from_slice(body);
            }
            let temporary = path.with_extension("tmp");
            write_synced(&temporary, &bytes)?;
            kill_point("segment-rewritten");
            self.shared.change().replaced += 1;
            fs_err::rename(&temporary, &path)?;
            self.shared.files.forget(first);
            self.held.sync()?;
            kill_point("segment-replaced");
        }
        Ok(())
    }

    /// Whether [`Journal::erase`] would find what it needs: asked before an erasure is on record, which commits to it.
    ///
    /// # Errors
    /// As [`Journal::erase`]; `Seal` with `NoRoom` where the disk has no room for the segments beside each other.
    pub fn can_erase(&self, remains: &BTreeMap<u64, Vec<u8>>) -> Result<(), EraseError> {
        self.erased_bodies(remains)?;
        let largest = {
            let contents = self.shared.contents();
            let size = |segment: &Segment| fs_err::metadata(&segment.path).map(|of| of.len());
            let sizes = contents.segments.iter().map(size);
            sizes.collect::<io::Result<Vec<_>>>()?.into_iter().max().unwrap_or(0)
        };
        // One sealed, one rewritten beside the old one, one for the record of the erasure itself.
        let needed = self.options.segment_size * 2 + largest + self.options.reserve;
        let free = free_bytes(self.held.path())?;
        if free < needed {
            return Err(EraseError::Seal(AppendError::NoRoom { free, needed }));
        }
        Ok(())
    }

    fn erased_bodies(&self, remains: &BTreeMap<u64, Vec<u8>>) -> Result<BTreeMap<u64, Vec<u8>>, EraseError> {
        let log = self.log();
        let body = |(sequence, remains): (&u64, &Vec<u8>)| {
            let length = log.payload_length(*sequence)?;
            let body = format::erased_body(length, remains).ok_or(EraseError::TooLong(*sequence))?;
            Ok((*sequence, body))
        };
        remains.iter().map(body).collect()
    }

    fn active_first(&self) -> u64 {
        let contents = self.shared.contents();
        contents.segments.last().map_or(1, |segment| segment.first)
    }
}

/// Largest group in bytes: segments are as large as one where they must.
const LARGEST_GROUP: usize = 128 << 20;

/// Why nothing was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The record cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its segment cannot be sealed.
    #[error(transparent)]
    Seal(#[from] AppendError),
    /// More should remain of a record than it held.
    #[error("more should remain of record {0} than it held")]
    TooLong(u64),
    /// Its segment cannot be rewritten.
    #[error("rewrite the segment: {0}")]
    Io(#[from] io::Error),
}

/// File that says that a journal was begun in its folder.
const BEGUN: &str = "begun";

/// Makes the first segment of a new journal.
fn begin(held: &Held, options: Options) -> Result<PathBuf, OpenError> {
    if held.path().join(BEGUN).exists() {
        return Err(OpenError::Gone { path: held.path().to_owned() });
    }
    let id = Uuid::now_v7();
    let first = SegmentHeader { id, first: 1, previous: format::genesis(id) };
    let made = Unnamed::make(held, (options.segment_size, options.reserve), &first).map_err(|e| match e {
        AppendError::NoRoom { free, needed } => {
            OpenError::NoRoom { path: held.path().to_owned(), free, needed }
        }
        AppendError::NoFiles(e) | AppendError::Fatal(e) => OpenError::Io(e),
        e @ AppendError::TooLarge { .. } => OpenError::Io(io::Error::other(e)),
    })?;
    Ok(made.name(held)?.0)
}

/// Gives a segment its name that the one before announces: the process that made it was killed before it could.
fn name_announced(held: &Held, before: &Path, first: u64) -> Result<PathBuf, OpenError> {
    let path = segment_path(held.path(), first);
    let temporary = path.with_extension(UNNAMED);
    if !temporary.exists() {
        let what = "the segment that follows it is missing, with records that were acknowledged";
        return Err(OpenError::Damaged { path: before.to_owned(), offset: 0, sequence: first, what });
    }
    // The announcement may not have been synced.
    sync_data(&File::open(before)?)?;
    fs_err::rename(&temporary, &path)?;
    Ok(path)
}

fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.segment"))
}

/// Extension of a segment that has not got its name yet.
const UNNAMED: &str = "tmp";

/// A segment under another name, allocated and synced: it is whole or not there.
struct Unnamed {
    path: PathBuf,
    file: File,
}

impl Unnamed {
    /// Makes one. Where that fails nothing is left of it.
    fn make(held: &Held, (size, reserve): (u64, u64), header: &SegmentHeader) -> Result<Self, AppendError> {
        let free = free_bytes(held.path()).map_err(AppendError::Fatal)?;
        let needed = size + reserve;
        if free < needed {
            return Err(AppendError::NoRoom { free, needed });
        }
        let path = segment_path(held.path(), header.first);
        let temporary = path.with_extension(UNNAMED);
        let mut options = private();
        options.create(true).truncate(true).read(true).write(true);
        // The error that names the path does not say what the system said.
        let opened = options.options().open(&temporary);
        let file = opened.map_err(|e| match e.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::MFILE | Errno::NFILE) => AppendError::NoFiles(e),
            _ => AppendError::Fatal(io::Error::new(e.kind(), format!("{}: {e}", temporary.display()))),
        })?;
        let file = File::from_parts(file, &temporary);
        let made = fallocate(file.file(), FallocateFlags::empty(), 0, size)
            .map_err(io::Error::from)
            .and_then(|()| file.file().write_all_at(&header.encode(), 0))
            .and_then(|()| sync_all(&file))
            .and_then(|()| held.sync());
        if let Err(e) = made {
            fs_err::remove_file(&temporary).map_err(AppendError::Fatal)?;
            return Err(match e.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    AppendError::NoRoom { free, needed }
                }
                _ => AppendError::Fatal(e),
            });
        }
        kill_point("segment-made");
        Ok(Self { path, file })
    }

    /// Gives it its name.
    fn name(self, held: &Held) -> io::Result<(PathBuf, File)> {
        fs_err::rename(self.path.with_extension(UNNAMED), &self.path)?;
        held.sync()?;
        kill_point("segment-named");
        Ok((self.path, self.file))
    }
}

/// Bytes that an unprivileged process may still use on the folder's disk.
///
/// # Errors
/// Those of the file system.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Extension of a private file that was not made to its end: it is of no use to anyone.
pub const UNFINISHED: &str = "new";

/// Makes a small file that only its owner reads, whole or not at all, and on disk when this returns; its folder is made
/// where it is missing. For what must outlive everything else, such as a key. A process that dies meanwhile may leave a
/// file with the extension [`UNFINISHED`].
///
/// # Errors
/// Those of the file system; `AlreadyExists` where a file of the name is there, which stays as it is.
pub fn make_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_folder(folder)?;
    sync_parent(folder)?;
    // Of processes that begin at once each has its own.
    let temporary = path.with_extension(format!("{}.{UNFINISHED}", Uuid::now_v7()));
    let mut file = private().write(true).create_new(true).open(&temporary)?;
    // A link does not replace what is there.
    let made = io::Write::write_all(&mut file, bytes)
        .and_then(|()| sync_all(&file))
        .and_then(|()| fs_err::hard_link(&temporary, path));
    fs_err::remove_file(&temporary)?;
    made?;
    sync_folder(folder)
}

/// Gives a file that was written under another name its own, and returns when both are on disk.
///
/// # Errors
/// Those of the file system.
pub fn put_in_place(written: &Path, path: &Path) -> io::Result<()> {
    sync_all(&File::open(written)?)?;
    fs_err::rename(written, path)?;
    sync_parent(path)
}

/// Writes a whole file and syncs it; its folder is the caller's.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private().create(true).truncate(true).write(true).open(path)?;
    io::Write::write_all(&mut file, bytes)?;
    sync_all(&file)
}

/// Writes the last group of a segment in its place once more, byte for byte: all before it were synced.
fn write_again(file: &File, segment: &Segment) -> io::Result<()> {
    let Some(last) = segment.offsets.last() else { return Ok(()) };
    let header = |offset: u32| {
        let mut bytes = [0; format::HEADER];
        file.file().read_exact_at(&mut bytes, u64::from(offset))?;
        Header::decode(&bytes).ok_or_else(|| io::Error::other("a header that was whole no longer is"))
    };
    let ending = header(*last)?;
    let at = usize::try_from(ending.group.saturating_sub(segment.first)).unwrap_or(usize::MAX);
    let start = segment.offsets.get(at).copied().unwrap_or(*last);
    let mut bytes = vec![0; *last as usize + ending.extent() - start as usize];
    file.file().read_exact_at(&mut bytes, u64::from(start))?;
    file.file().write_all_at(&bytes, u64::from(start))
}

/// As [`write_zeros`], without writing them where the file system can do it.
fn clear(file: &File, places: Range<u64>) -> io::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let flags = FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE;
    match fallocate(file.file(), flags, places.start, places.end - places.start) {
        Err(Errno::OPNOTSUPP) => write_zeros(file, places),
        cleared => Ok(cleared?),
    }
}

fn write_zeros(file: &File, places: Range<u64>) -> io::Result<()> {
    let zeros = vec![0; 1 << 20];
    for at in places.clone().step_by(zeros.len()) {
        let length = zeros.len().min((places.end - at) as usize);
        file.file().write_all_at(&zeros[..length], at)?;
    }
    Ok(())
}

fn write_group(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    if is_planted("no-write") {
        return Ok(());
    }
    match file.file().write_all_at(bytes, at) {
        Err(_) if is_planted("no-errors") => Ok(()),
        written => written,
    }
}

#[allow(clippy::disallowed_methods)]
fn sync_data(file: &File) -> io::Result<()> {
    if is_planted("no-sync") {
        return Ok(());
    }
    file.sync_data()
}

#[allow(clippy::disallowed_methods)]
pub(crate) fn sync_all(file: &File) -> io::Result<()> {
    file.sync_all()
}

pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    sync_all(&File::open(folder)?)
}

/// A new folder is there after a power cut only if its parent says so.
pub(crate) fn sync_parent(folder: &Path) -> io::Result<()> {
    match folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => sync_folder(parent),
        None => sync_folder(Path::new(".")),
    }
}

#[cfg(test)]
impl Journal {
    pub(crate) fn shared_for_tests(&self) -> &RwLock<Contents> {
        &self.shared.contents
    }
}
