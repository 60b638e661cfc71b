//! State machines against plain reference models: random sequences of calls, and after every call
//! the object and its model must say the same.
//!
//! 10^5 sequences in all; a failure is shrunk to the calls that it takes.
#![cfg(all(not(ecluse_loom), feature = "std"))]
#![allow(clippy::std_instead_of_core, reason = "tests have std")]

mod admission;
mod channel;
mod flush;
mod refresh;
