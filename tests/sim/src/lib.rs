//! A deterministic runtime for tests: one thread, a virtual clock, and a schedule that is chosen from a seed or from given bytes.
//!
//! A run is a function of its [`Choices`]: the same seed gives the same schedule to the last step, so a failure is repeated by its
//! number. Nothing here is fast; everything is easy to follow.
//!
//! Invariants:
//! 1. At each step one task out of all that are ready is chosen, and polled once. No task is polled that was not woken.
//! 2. The clock moves only when no task is ready, and then to the earliest deadline.
//! 3. No future is polled or dropped, and no waker called, while the simulator's lock is held: they may call back into it.
//! 4. A run ends: with the main future's output, or with a [`Stuck`] that names who still waits.

// A crate of hosts, which says `std` throughout.
#![allow(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]
#![forbid(unsafe_code)]

mod choices;
mod clock;
mod run;
mod task;

pub use choices::Choices;
pub use clock::{SimClock, Sleep};
pub use run::{Handle, Sim, Stuck};
pub use task::{Ended, Task};
