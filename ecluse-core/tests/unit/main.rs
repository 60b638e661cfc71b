//! The core's plain tests: one thread polls by hand, so that every step is chosen; where threads
//! are needed, every wait is bounded.
//!
//! | module | holds |
//! |---|---|
//! | `walks_slot`, `walks_line`, `walks_admission`, `walks_channel`, `walks_flight`, `walks_group`, `walks_flush`, `walks_once`, `walks_relay`, `walks_detached`, `walks_refresh`, `walks_refresh_background` | each transition, step by step |
//! | `revoke` | grants that are taken back |
//! | `hostile`, `hostile_admission`, `hostile_channel`, `hostile_flight`, `hostile_flush`, `hostile_items`, `hostile_refresh` | wakers, hooks and items that come back or panic |
//! | `guarded` | the order of a body's exit |
//! | `exits_flight` | how runs end: what is gone before who is told, which of two is meant |
//! | `forgotten` | futures and claims that are never dropped |
//! | `stress_flight` | threads at one hot key, cancelled at random |
//! | `tickets` | `Tally`, `Ticket`, `Inline` |
//! | `outage` | ten minutes without a token endpoint: how often it is asked |
//! | `bounds` | deadlines and stall bounds on a clock that is moved by hand |
//! | `scope_tree`, `scope_bodies`, `scope_view` | the cancellation tree step by step; what runs under a scope; the tree, printed |
//! | `join_walks`, `join_hostile`, `join_panics` | joined children: who ends whom, what comes out; forgotten ones; panics |
//! | `spawned_walks`, `spawned_runs` | children of scopes that are tasks of their own |
//! | `fused` | futures that say when they are over |
//! | `hosts` | what only a host has: the end of its clock, a secret seed |
//! | `owned` | waits that keep alive what they wait for |
//! | `texts` | what errors and reasons say |
//! | `blocking` | threads without a runtime |
//! | `pins`, `sizes` | what the compiler can tell |
//!
//! They run with the lock of `std` and with `critical-section` alone, and for both kinds of word.
//! Without `std` a panic of user code unwinds at once; `no_std_unwinding` is about that.
#![cfg(all(not(ecluse_loom), any(feature = "std", feature = "critical-section")))]
#![allow(clippy::std_instead_of_core, reason = "tests have std")]

mod kit;

#[cfg(feature = "std")]
mod blocking;
mod bounds;
mod clock;
mod exits_flight;
mod forgotten;
mod fused;
mod guarded;
mod hostile;
mod hostile_admission;
mod hostile_channel;
mod hostile_flight;
mod hostile_flush;
mod hostile_items;
mod hostile_refresh;
#[cfg(all(feature = "std", not(miri)))]
mod hosts;
mod join_hostile;
#[cfg(feature = "std")]
mod join_panics;
mod join_walks;
mod outage;
#[cfg(feature = "alloc")]
mod owned;
mod pins;
mod revoke;
mod scope_bodies;
mod scope_tree;
#[cfg(feature = "alloc")]
mod scope_view;
mod shutdown;
mod sizes;
mod spawned_runs;
mod spawned_walks;
mod stress_flight;
mod texts;
mod tickets;
mod walks_admission;
mod walks_channel;
#[cfg(feature = "alloc")]
mod walks_detached;
mod walks_flight;
mod walks_flush;
mod walks_group;
mod walks_line;
mod walks_once;
mod walks_refresh;
#[cfg(feature = "alloc")]
mod walks_refresh_background;
mod walks_relay;
mod walks_slot;
