//! The conformance suite: one behaviour a case, the same cases on every runtime.
//!
//! * [`Runtime`] is all that a runtime has to bind: a place for values, tasks, a timer, and the ways in which it can end a task.
//! * [`kit`] is what cases are made of: counting and hostile wakers, hand-polled futures, a script whose steps run in tasks of their own.
//! * `cases/` says `subject::Slot`, never `ecluse_core::Slot`: the same source is compiled as [`ours`], as `embassy` (by the names of
//!   the adapter, under a critical section), and as `reference`, a second implementation that keeps the suite honest.
//! * `cases_engine/` needs what only the core has; in the reference's column its cases are `n/a`.
//! * A [`Part`] is what one image of firmware holds: the `suite!` list at the end of each room's `mod.rs` says which modules.
//!
//! Invariants:
//! 1. A case never allocates: it keeps its state on its stack or in [`Runtime::put`]. The same source runs on a chip.
//! 2. A case never synchronises by sleeping, and every loop in it is bounded.
//! 3. Every case is listed in every column. What a runtime cannot show is `n/a` with a [`Why`], decided from [`Caps`], and is not run.
//! 4. A failed expectation panics.
#![no_std]
// Without `std` the bodies of the cases of hosts are left out, and what only they use is not used.
#![cfg_attr(not(feature = "std"), allow(unused_imports, dead_code))]

#[cfg(feature = "std")]
extern crate std;

#[macro_use]
mod registry;
#[cfg(feature = "embassy")]
pub mod embassy;
pub mod kit;
pub mod ours;
#[cfg(feature = "reference")]
pub mod reference;
mod runtime;

pub use ecluse_core::runtime::{Clock, Timer};
pub use registry::{Case, Part, Verdict, Why};
pub use runtime::{Act, Caps, Ended, Interrupt, Placed, Runtime, Task};
