//! Files by content: a file's name is the SHA-256 of its bytes, so what has the name has the bytes.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fs_err::File;
use sha2::{Digest as _, Sha256};

use crate::Hash;
use crate::folder::{make_folder, private};
use crate::journal::{free_bytes, sync_all, sync_folder};

/// A folder of content-addressed files.
#[derive(Clone, Debug)]
pub struct Attachments {
    folder: PathBuf,
    reserve: u64,
}

impl Attachments {
    /// Opens or makes the folder. `reserve` bytes of the disk stay free.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path, reserve: u64) -> io::Result<Self> {
        make_folder(folder)?;
        Ok(Self { folder: folder.to_owned(), reserve })
    }

    /// Bytes that files may still take: all but the reserve.
    #[must_use]
    pub fn free(&self) -> u64 {
        free_bytes(&self.folder).unwrap_or_default().saturating_sub(self.reserve)
    }

    /// Begins to receive a file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn receive(&self) -> io::Result<Receiving> {
        let path = self.folder.join(format!("{}.tmp", uuid::Uuid::now_v7()));
        let file = private().create_new(true).write(true).open(&path)?;
        let store = self.clone();
        Ok(Receiving { store, path, file, hasher: Sha256::new(), size: 0, finished: false })
    }

    /// The bytes of a file, verified; None where there is none.
    ///
    /// # Errors
    /// Those of the file system; `InvalidData` where the bytes are not those of the name.
    pub fn get(&self, digest: &Hash) -> io::Result<Option<Vec<u8>>> {
        let bytes = match fs_err::read(self.folder.join(name(digest))) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        if Hash::from(Sha256::digest(&bytes)) != *digest {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file's bytes are not those of its name",
            ));
        }
        Ok(Some(bytes))
    }

    /// Removes a file, where it is there. Afterwards it stays away, through a power cut too.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, digest: &Hash) -> io::Result<()> {
        match fs_err::remove_file(self.folder.join(name(digest))) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => sync_folder(&self.folder),
        }
    }

    /// Removes what was not received to its end, and files that were not touched for `age`. Answers how many. Only for whoever has the folder alone: another process may be receiving.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn sweep(&self, now: SystemTime, age: Duration) -> io::Result<usize> {
        let mut removed = 0;
        for entry in fs_err::read_dir(&self.folder)? {
            let entry = entry?;
            let touched = entry.metadata()?.modified()?;
            let is_part = entry.path().extension().is_some_and(|extension| extension == "tmp");
            let is_old = now.duration_since(touched).is_ok_and(|since| since > age);
            if is_old || is_part {
                fs_err::remove_file(entry.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

fn name(digest: &Hash) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file on its way in. Dropped before [`Receiving::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Receiving {
    store: Attachments,
    path: PathBuf,
    file: File,
    hasher: Sha256,
    size: u64,
    finished: bool,
}

impl Receiving {
    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of the file system; `StorageFull` where the reserve would be touched.
    pub fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        if self.store.free() < chunk.len() as u64 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all(chunk)?;
        self.hasher.update(chunk);
        self.size += chunk.len() as u64;
        Ok(())
    }

    /// Syncs the file, gives it its name and answers its digest. The same bytes twice are one file.
    ///
    /// # Errors
    /// Those of the file system; nothing is left then.
    pub fn finish(mut self) -> io::Result<Hash> {
        sync_all(&self.file)?;
        let digest = Hash::from(self.hasher.finalize_reset());
        fs_err::rename(&self.path, self.store.folder.join(name(&digest)))?;
        self.finished = true;
        sync_folder(&self.store.folder)?;
        Ok(digest)
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed now is removed by the next sweep.
            let _ = fs_err::remove_file(&self.path);
        }
    }
}
