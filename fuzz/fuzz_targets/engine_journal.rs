#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::engine::engine_journal(input));
