//! `Slot`, `Line` and `Channel` once more, naively: one mutex round all the state of an object, a queue of waiters in it, and an
//! `event_listener::Event` for each waiter. Obviously correct rather than fast.
//!
//! It keeps the conformance suite honest (a case that only one implementation passes is a case about that implementation), is the
//! oracle of the fuzzers, and the floor of the benches. The names are those of `ecluse-core`, for the part that the shared cases use.
//!
//! Invariants:
//! 1. Every decision is made in one hold of the object's mutex; nothing foreign (waker, body, hook) runs in it.
//! 2. A waiter is in the queue, or its grant is in its own cell, or it has left: never two of them. (Or its grant was taken back, by the
//!    sender of a rendezvous: then it begins again.)
// A crate of hosts, which says `std` throughout.
#![allow(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]
#![forbid(unsafe_code)]

pub mod channel;
pub mod claim;
mod guard;
pub mod line;
mod waiter;

pub use channel::Channel;
pub use claim::{Claim, Slot};
pub use ecluse_core::{Cause, Closed, Outcome, Refused};
pub use guard::Guard;
pub use line::{
    AcquireIf, AcquireOutcome, ForeignToken, Generation, Line, LineStatus, OwnedAcquireOutcome,
    OwnedToken, Token,
};
pub use waiter::Wait;
