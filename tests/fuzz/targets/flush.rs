//! `ecluse-core/tests/model/all/flush.rs`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ecluse_fuzz::model("flush", bytes));
