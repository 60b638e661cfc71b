//! The 9P server of `examples/ninep.rs`, over real sockets.
//!
//! | file | what must hold |
//! |---|---|
//! | `flushes` | the order on the wire, whenever a flush comes |
//! | `ends` | cut connections, resets, a server that stops |
//! | `broken` | clients that break the protocol, or ask for too much |
//! | `files` | what is served, and that it is no more than that |
//! | `codec` | bytes to messages and back |
//! | `frames` | any bytes, to the codec and to a server; what the fuzzer kept |
//!
//! Nobody sleeps; a test that hangs fails.
#![allow(clippy::std_instead_of_core, reason = "these run on hosts only")]
#![cfg(unix)]

mod broken;
mod codec;
mod ends;
mod files;
mod flushes;
mod frames;
mod kit;
#[path = "../../examples/ninep/mod.rs"]
mod server;
