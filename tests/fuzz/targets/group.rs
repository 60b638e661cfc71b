//! `ecluse-core/tests/model/all/group.rs`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ecluse_fuzz::model("group", bytes));
