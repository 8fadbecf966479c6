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

/// Without libFuzzer: the sound bytes alone, which shows that all of it fits together.
#[cfg(not(feature = "libfuzzer"))]
fn main() {
    for seed in (DECODER.seeds)() {
        (DECODER.decode)(&seed);
    }
}
