//! The input says where a sound segment is changed, and into what; so its checksums are met and not only missed.
#![no_main]

use std::sync::LazyLock;

use jiyao_testkit::decoders::{journal, segment};

static SOUND: LazyLock<Vec<u8>> = LazyLock::new(|| segment().1);

libfuzzer_sys::fuzz_target!(|changes: Vec<(u16, u8)>| {
    let mut bytes = SOUND.clone();
    for (at, to) in changes {
        let at = usize::from(at) % bytes.len();
        bytes[at] = to;
    }
    journal(&bytes);
});
