//! Folders and files that their owner alone may use, and the lock on a journal's folder.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{File, OpenOptions};

use crate::OpenError;
use crate::journal::sync_all;

/// Mode of files: their owner reads and writes.
const FILE: u32 = 0o600;
/// Mode of folders.
const FOLDER: u32 = 0o700;
/// Bits that let others in.
const OTHERS: u32 = 0o077;

/// A journal's folder, locked for the life of this value. The lock is on the folder itself, so no file in it can be
/// removed or replaced to get around it.
#[derive(Debug)]
pub(crate) struct Held {
    path: PathBuf,
    folder: File,
}

impl Held {
    /// Takes the folder, which is made where it is missing.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        make_folder(path)?;
        let held = Self { path: path.to_owned(), folder: File::open(path)? };
        match held.folder.file().try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { path: path.to_owned() });
            }
            Err(std::fs::TryLockError::Error(e)) => return Err(OpenError::Io(e)),
        }
        held.check()?;
        Ok(held)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder of that name is still the one that was locked. Another one in its place may be locked by
    /// another process.
    pub(crate) fn check(&self) -> io::Result<()> {
        let (now, held) = (fs_err::metadata(&self.path)?, self.folder.metadata()?);
        if (now.dev(), now.ino()) == (held.dev(), held.ino()) {
            return Ok(());
        }
        let path = self.path.display();
        Err(io::Error::other(format!("{path} was replaced by another folder while it was in use")))
    }

    /// Waits until the disk has the names in the folder. Needs no further descriptor.
    pub(crate) fn sync(&self) -> io::Result<()> {
        sync_all(&self.folder)
    }
}

/// Makes a folder that its owner alone may enter (0700 whatever the umask), and its parents where they are missing. One
/// that is there stays as it is.
///
/// # Errors
/// Those of the file system.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let made = std::fs::DirBuilder::new().recursive(true).mode(FOLDER).create(path);
    made.map_err(|e| io::Error::new(e.kind(), format!("make the folder {}: {e}", path.display())))
}

/// Options for a file that its owner alone may use (0600 whatever the umask).
#[must_use]
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE);
    options
}

/// Makes the rest of the process's files private, those that libraries make too.
pub fn make_private_by_default() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(OTHERS));
}

/// A place in a folder, or the folder itself, that others than its owner may use, with its mode. Links are followed
/// where the service would follow them: at the folder and at what lies directly in it. None where there is no such place.
///
/// # Errors
/// Those of the file system.
pub fn find_open(path: &Path) -> io::Result<Option<(PathBuf, u32)>> {
    find_open_at(path, 0)
}

fn find_open_at(path: &Path, depth: usize) -> io::Result<Option<(PathBuf, u32)>> {
    let looked = if depth < 2 { fs_err::metadata(path) } else { fs_err::symlink_metadata(path) };
    let metadata = match looked {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    if metadata.is_symlink() {
        return Ok(None);
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Ok(Some((path.to_owned(), mode)));
    }
    if metadata.is_dir() {
        for entry in fs_err::read_dir(path)? {
            if let Some(open) = find_open_at(&entry?.path(), depth + 1)? {
                return Ok(Some(open));
            }
        }
    }
    Ok(None)
}
