#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiyao_testkit::decoders::text(bytes));
