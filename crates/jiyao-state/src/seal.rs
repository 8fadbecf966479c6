//! The seal of an orderly close: a checksum of each file. While it holds, the files are those that were closed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::warn;

const NAME: &str = "seal";

/// Seals a folder when it goes, if it was said to be orderly.
#[derive(Debug)]
pub(crate) struct Seal {
    folder: PathBuf,
    orderly: AtomicBool,
}

impl Seal {
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self { folder, orderly: AtomicBool::new(false) }
    }

    pub(crate) fn mark_orderly(&self) {
        self.orderly.store(true, Ordering::SeqCst);
    }

    /// Takes the seal away, as files change from now on. Whether there was one, and it held.
    pub(crate) fn take(folder: &Path) -> bool {
        let Ok(seal) = fs_err::read_to_string(folder.join(NAME)) else { return false };
        let holds = sums(folder).is_ok_and(|sums| sums == seal);
        fs_err::remove_file(folder.join(NAME)).is_ok() && holds
    }
}

impl Drop for Seal {
    fn drop(&mut self) {
        if !self.orderly.load(Ordering::SeqCst) {
            return;
        }
        let sealed = sums(&self.folder).and_then(|sums| fs_err::write(self.folder.join(NAME), sums));
        if let Err(e) = sealed {
            warn!(cause = %e, "the state is not sealed: the next start will look at all of it");
        }
    }
}

/// A line for each file under a folder but the seal: CRC-32C, length, name.
fn sums(folder: &Path) -> std::io::Result<String> {
    let (mut folders, mut lines) = (vec![folder.to_owned()], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path != folder.join(NAME) {
                let (sum, length) = sum(&path)?;
                let name = path.strip_prefix(folder).unwrap_or(&path).display();
                lines.push(format!("{sum:08x} {length} {name}\n"));
            }
        }
    }
    lines.sort();
    Ok(lines.concat())
}

fn sum(path: &Path) -> std::io::Result<(u32, u64)> {
    use std::io::Read as _;
    let mut file = fs_err::File::open(path)?;
    let (mut buffer, mut sum, mut length) = (vec![0; 1 << 20], 0, 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((sum, length)),
            read => {
                sum = crc32c::crc32c_append(sum, &buffer[..read]);
                length += read as u64;
            }
        }
    }
}
