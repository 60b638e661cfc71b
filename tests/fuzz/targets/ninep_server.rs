//! `ecluse_fuzz::ninep_server`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ecluse_fuzz::ninep_server(bytes));
