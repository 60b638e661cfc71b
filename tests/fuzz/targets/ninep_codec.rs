//! `ecluse_fuzz::ninep_codec`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ecluse_fuzz::ninep_codec(bytes));
