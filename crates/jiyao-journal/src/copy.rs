//! Copies of a journal: taken while it is written, made a journal again elsewhere.

use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::folder::{make_folder, private};
use crate::format::{HEADER, Header, SEGMENT_HEADER, place};
use crate::journal::{sync_all, sync_folder, sync_parent};
use crate::{Cursor, Journal, Log, OpenError, Options};

/// Ending of a segment's name.
const ENDING: &str = ".segment";

/// The used part of a segment, as it was when the copy was asked for. Its file is open while it is read, so that a copy of
/// many segments needs few descriptors.
pub struct Piece {
    /// Its file's name.
    pub name: String,
    /// Bytes that are used.
    pub length: u64,
    /// Bytes that its file takes.
    pub allocated: u64,
    path: PathBuf,
    log: Log,
    /// Segments that erasures had replaced when the copy was asked for.
    replaced: u64,
    /// Open while it is read.
    file: Option<File>,
    at: u64,
}

impl Piece {
    fn open(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        // Looked at after the file was opened: an erasure counts before it replaces one.
        if self.log.0.contents().replaced != self.replaced {
            return Err(io::Error::other(
                "content was erased while the journal was copied: take the copy again",
            ));
        }
        Ok(file)
    }
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece")
            .field("name", &self.name)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.at).unwrap_or(usize::MAX).min(buffer.len());
        if left == 0 {
            self.file = None;
            return Ok(0);
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        let read = file.file().read_at(&mut buffer[..left], self.at)?;
        self.at += read as u64;
        self.file = Some(file);
        Ok(read)
    }
}

impl Log {
    /// All records up to the head of now, as pieces to read one after the other: appending goes on meanwhile. Reading a
    /// piece fails where an erasure has begun since: what was copied until then would not fit the rest.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn pieces(&self) -> io::Result<(Cursor, Vec<Piece>)> {
        let contents = self.0.contents();
        let mut pieces = Vec::with_capacity(contents.segments.len());
        for (at, segment) in contents.segments.iter().enumerate() {
            let file = self.0.file(segment)?;
            let used = match segment.offsets.last() {
                None => SEGMENT_HEADER as u64,
                Some(offset) => {
                    let mut bytes = [0; HEADER];
                    file.file().read_exact_at(&mut bytes, u64::from(*offset))?;
                    let header = Header::decode(&bytes).ok_or_else(|| {
                        io::Error::other(format!("{}: a header does not verify", segment.path.display()))
                    })?;
                    u64::from(*offset) + header.extent() as u64
                }
            };
            let is_last = at + 1 == contents.segments.len();
            let length = if is_last { used } else { place(used) + HEADER as u64 };
            let name = segment.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let allocated = file.metadata()?.len();
            let path = segment.path.clone();
            let replaced = contents.replaced;
            pieces.push(Piece {
                name,
                length,
                allocated,
                path,
                log: self.clone(),
                replaced,
                file: None,
                at: 0,
            });
        }
        Ok((contents.head, pieces))
    }
}

/// A journal on its way into a folder. Dropped before [`Restoring::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Restoring {
    folder: PathBuf,
    temporary: PathBuf,
    is_finished: bool,
}

impl Restoring {
    /// Begins; `folder` is that of the journal to be, and must not be there yet.
    ///
    /// # Errors
    /// `AlreadyExists`, and those of the file system.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        if folder.exists() {
            let taken = format!("{} is there already: a restore overwrites nothing", folder.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, taken));
        }
        let temporary = folder.with_extension("restoring");
        if temporary.exists() {
            fs_err::remove_dir_all(&temporary)?;
        }
        make_folder(&temporary)?;
        Ok(Self { folder: folder.to_owned(), temporary, is_finished: false })
    }

    /// Takes a segment: its used bytes, and how many its file takes.
    ///
    /// # Errors
    /// `InvalidData` for a name that is none of a segment; those of the file system and of the reader.
    pub fn segment(&mut self, name: &str, allocated: u64, bytes: &mut impl Read) -> io::Result<()> {
        let number = name.strip_suffix(ENDING).unwrap_or_default();
        if number.len() != 20 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name:?} is no segment")));
        }
        let mut file = private().create_new(true).write(true).open(self.temporary.join(name))?;
        let written = io::copy(bytes, &mut file)?;
        file.file().set_len(allocated.max(written))?;
        sync_all(&file)
    }

    /// Verifies every record and the whole chain, and puts the journal in its place. Before it gets its name,
    /// `verified` is told its head: what belongs to it is put in place there, so that a journal with a name is whole.
    ///
    /// # Errors
    /// As opening does, and those of `verified`; nothing is left then. A torn tail is damage here: a copy has none.
    pub fn finish<E: From<OpenError> + From<io::Error>>(
        mut self,
        verified: impl FnOnce(Cursor) -> Result<(), E>,
    ) -> Result<(), E> {
        let opened = Journal::open(&self.temporary, Options { reserve: 0, ..Options::default() })?;
        if let Some(cut) = opened.cut {
            let what = "the copy ends in the middle of a record";
            let sequence = opened.journal.log().head().sequence + 1;
            return Err(OpenError::Damaged { path: cut.path, offset: cut.offset, sequence, what }.into());
        }
        if opened.created {
            let what = "the copy holds no segment";
            return Err(OpenError::Damaged { path: self.folder.clone(), offset: 0, sequence: 0, what }.into());
        }
        let head = opened.journal.log().head();
        drop(opened);
        sync_folder(&self.temporary)?;
        verified(head)?;
        fs_err::rename(&self.temporary, &self.folder)?;
        self.is_finished = true;
        Ok(sync_parent(&self.folder)?)
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be removed now is removed when the next restore begins.
            let _ = fs_err::remove_dir_all(&self.temporary);
        }
    }
}
