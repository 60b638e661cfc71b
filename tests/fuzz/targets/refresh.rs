//! `ecluse-core/tests/model/all/refresh.rs`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ecluse_fuzz::model("refresh", bytes));
