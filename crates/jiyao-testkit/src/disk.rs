//! Disks that fail: a full one, and one whose power is cut.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        bail!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Whether this process may mount file systems; if not, why.
///
/// # Errors
/// Why not.
pub fn may_mount() -> Result<()> {
    let folder = tempfile::tempdir()?;
    FullDisk::new(folder.path(), 1).map(drop)
}

/// A small disk in memory.
pub struct FullDisk {
    folder: PathBuf,
}

impl FullDisk {
    /// Mounts one of so many MiB on a folder.
    ///
    /// # Errors
    /// What mount says.
    pub fn new(folder: &Path, mebibytes: u32) -> Result<Self> {
        run("mount", &["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs", &text(folder)])?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Takes all room that is left with a file, and answers it: removing it gives the room back.
    ///
    /// # Errors
    /// A file that cannot be made.
    pub fn fill(&self) -> Result<PathBuf> {
        let path = self.folder.join("ballast");
        let mut file = fs_err::File::create(&path)?;
        for block in [1 << 20, 4096] {
            while file.write_all(&vec![7; block]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = run("umount", &["-l", &text(&self.folder)]);
    }
}

/// An ext4 file system in a file, mounted through a loop device. What the file holds at a moment is what a disk would
/// hold if the power went at that moment: what only the page cache has is not in it.
pub struct LoopDisk {
    image: PathBuf,
    folder: PathBuf,
}

impl LoopDisk {
    /// Makes and mounts one of so many MiB in a folder.
    ///
    /// # Errors
    /// What mkfs or mount says.
    pub fn new(folder: &Path, mebibytes: u64) -> Result<Self> {
        let image = folder.join("disk.img");
        fs_err::File::create(&image)?.set_len(mebibytes << 20)?;
        run("mkfs.ext4", &["-q", "-F", &text(&image)])?;
        Self::mount(image, folder.join("disk"))
    }

    fn mount(image: PathBuf, folder: PathBuf) -> Result<Self> {
        fs_err::create_dir_all(&folder)?;
        run("mount", &["-o", "loop", &text(&image), &text(&folder)])?;
        Ok(Self { image, folder })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The disk as it would be after a power cut now, mounted in another folder. The caller has stopped whatever
    /// writes.
    ///
    /// # Errors
    /// Those of copying and mounting.
    pub fn cut(&self, into: &Path) -> Result<Self> {
        let image = into.join("cut.img");
        run("cp", &["--sparse=always", &text(&self.image), &text(&image)])?;
        Self::mount(image, into.join("cut"))
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        let _ = run("umount", &["-l", &text(&self.folder)]);
        let _ = fs_err::remove_file(&self.image);
    }
}
