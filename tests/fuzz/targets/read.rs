//! Any text is read without a panic, and its leaves are the text. Seeds: any folder of minutes, given behind `--`.
#![no_main]

use jiyao_reader::{Words, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let reading = read(text, &Words::default());
    let leaves: String = reading.tree.leaves().iter().map(|leaf| leaf.span.of(text)).collect();
    assert_eq!(leaves, text);
});
