//! One decoder under libFuzzer: `just fuzz read`.
#![cfg_attr(feature = "libfuzzer", no_main)]

use std::sync::LazyLock;

use jiyao_testkit::{DECODERS, Decoder};

/// The one that `JIYAO_DECODER` names.
static DECODER: LazyLock<&Decoder> = LazyLock::new(|| {
    let name = std::env::var("JIYAO_DECODER").unwrap_or_default();
    let names = DECODERS.each_ref().map(|decoder| decoder.name);
    DECODERS
        .iter()
        .find(|decoder| decoder.name == name)
        .unwrap_or_else(|| panic!("JIYAO_DECODER is one of {names:?}"))
});

#[cfg(feature = "libfuzzer")]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (DECODER.decode)(bytes));

/// Without libFuzzer: writes the sound bytes to a folder, for libFuzzer to begin with.
#[cfg(not(feature = "libfuzzer"))]
fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map(std::path::PathBuf::from);
    let folder = folder.ok_or_else(|| std::io::Error::other("which folder is to have the sound bytes?"))?;
    fs_err::create_dir_all(&folder)?;
    for (nth, seed) in (DECODER.seeds)().into_iter().enumerate() {
        (DECODER.decode)(&seed);
        fs_err::write(folder.join(format!("sound-{nth}")), seed)?;
    }
    Ok(())
}
