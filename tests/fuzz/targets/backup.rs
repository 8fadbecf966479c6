//! Any bytes are a backup or are refused, without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = jiyao_backup::check(bytes);
});
