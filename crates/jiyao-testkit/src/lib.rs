//! Real servers for tests: in this process on port 0, or as processes that can be killed; sample texts, identities,
//! and disks that fail.

pub mod decoders;
mod dice;
mod disk;
mod files;
mod identity;
mod local;
mod process;
mod raw;
mod score;
mod texts;
mod written;

use std::time::Duration;

pub use decoders::{DECODERS, Decoder};
pub use dice::Dice;
pub use disk::{FullDisk, LoopDisk, may_mount};
pub use files::{docx, docx_of, pdf, repeated_pdf};
pub use identity::{Authority, Tokens, secret};
pub use jiyao_distribution::Config as DistributionConfig;
pub use local::{Local, hold_posts};
pub use process::{Process, binary, release_folder};
pub use raw::Raw;
pub use score::{DoubtScore, GROUPS, Score, compare};
pub use texts::{DIRECTORY, SAMPLE, corpus, numbered};
pub use written::{Written, set_in_lines, written};

/// Flips a bit of a word in the newest segment of a journal, behind the back of a service.
///
/// # Errors
/// Those of the file system; that the word is not there.
pub fn spoil(journal: &std::path::Path, word: &str) -> anyhow::Result<()> {
    let newest = newest_segment(journal)?;
    let mut bytes = fs_err::read(&newest)?;
    let found = bytes.windows(word.len()).position(|window| window == word.as_bytes());
    let found = found.ok_or_else(|| anyhow::anyhow!("{word} is not in {}", newest.display()))?;
    bytes[found] ^= 1;
    Ok(fs_err::write(&newest, bytes)?)
}

fn newest_segment(journal: &std::path::Path) -> std::io::Result<std::path::PathBuf> {
    let segments = fs_err::read_dir(journal)?.filter_map(|entry| Some(entry.ok()?.path()));
    let newest = segments.filter(|path| path.extension().is_some_and(|kind| kind == "segment")).max();
    newest.ok_or_else(|| std::io::Error::other(format!("no segment in {}", journal.display())))
}

/// Looks again and again until there is something: what follows another service comes a moment later.
///
/// # Errors
/// Those of looking; that half a minute has passed.
pub async fn until<T, F: Future<Output = anyhow::Result<Option<T>>>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> anyhow::Result<T> {
    for _ in 0..600 {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{what}: not within 30 seconds")
}

/// Says loudly that a check is not made on this machine. Under `CI=true` as root that is a failure: there everything
/// can be made available.
pub fn skip(check: &str, why: &str) {
    let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
    assert!(!(in_ci && rustix::process::geteuid().is_root()), "{check} must run here, but: {why}");
    eprintln!("SKIPPED {check}: {why}");
    println!("SKIPPED {check}: {why}");
}
