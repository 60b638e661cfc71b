//! `ecluse_fuzz::sim`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ecluse_fuzz::sim(bytes));
