//! Firmware that runs the conformance suite on chips, and measures the core there. QEMU is the board.
//!
//! Built with `-Zbuild-std=core` alone: there is no `alloc` to call. `cargo xtask test` builds and runs it.
//!
//! Invariants:
//! 1. There is one core, and thread mode runs one executor.
//! 2. Whatever goes wrong is said in a line, then the image ends; the host boots it again for the next case.
#![no_std]

pub mod arena;
pub mod chip;
pub mod report;
pub mod runtime;
pub mod section;
pub mod semihosting;
pub mod stack;
pub mod suite;
pub mod tick;
