#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_targets::http_client::http_client(input));
