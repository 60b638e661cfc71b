//! State machines against plain models: random sequences of calls, and after every call the object
//! and its model must say the same.
//!
//! | file | holds |
//! |---|---|
//! | `all` | the models, a file each; how bytes become calls |
//! | `sequences` | random sequences, more than 10^5 in all; a failure is shrunk to the calls that it takes |
//! | `corpus` | what the fuzzer kept (`tests/fuzz/corpus`), once more |
//!
//! The fuzz targets of `tests/fuzz` are the same models, fed by libFuzzer.
#![cfg(all(not(ecluse_loom), feature = "std"))]
#![allow(clippy::std_instead_of_core, reason = "tests have std")]

mod all;
mod corpus;
mod sequences;
