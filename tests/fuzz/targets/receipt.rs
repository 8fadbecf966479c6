//! Any text is a receipt or is refused, without a panic; none is one that was not signed.
#![no_main]

use jiyao_receipts::{Key, PublicKey, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(verify(text, &[Key::from_seed(&[7; 32]).public()]).is_err());
    let _ = PublicKey::parse(text);
});
