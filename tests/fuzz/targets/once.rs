//! `ecluse-core/tests/model/all/once.rs`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ecluse_fuzz::model("once", bytes));
