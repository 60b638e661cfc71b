//! An adapter shown by doing it: ecluse where there is no runtime.
//!
//! What a runtime does is here by hand, and no more of it than an adapter needs, in a file each:
//!
//! | file | holds | an adapter for a real runtime has instead |
//! |---|---|---|
//! | `run` | [`Runtime`]: one thread, a queue of those that were woken | nothing |
//! | `time` | [`ThreadTimer`], a thread that sleeps until the next deadline | the runtime's timer |
//! | `task` | [`Handle`] as a [`Spawn`](ecluse_core::runtime::Spawn), [`TaskAbort`] as an [`Abort`](ecluse_core::runtime::Abort) | the same two |
//! | `sugar` | one call of `bind_timer!` | the same one call |
//!
//! The conformance suite runs on it, as the column `block-on`; `docs/guide/adapters.md` walks through it.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use ecluse_block_on::{Runtime, Slot, SlotExt, runtime::{Abort, Spawn, Tally}};
//!
//! let mut runtime = Runtime::new();
//! let spawner = runtime.handle();
//! runtime.block_on(async move {
//!     let (slot, tally) = (Arc::<Slot>::default(), Arc::<Tally>::default());
//!     let claim = Slot::try_claim_owned(&slot).unwrap();
//!     let stuck = Tally::ticket_owned(&tally, async move {
//!         let _claim = claim;
//!         std::future::pending::<()>().await
//!     });
//!     let abort = spawner.spawn(stuck).unwrap();
//!     assert!(slot.claim_timeout(Duration::from_millis(1)).await.is_err());
//!     abort.abort();
//!     slot.claim().await.unwrap().release(); // its claim was not lost with it
//!     tally.joined().await;
//! });
//! ```

// A crate of hosts, which says `std` throughout.
#![allow(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]
#![forbid(unsafe_code)]

mod run;
mod sugar;
mod task;
mod time;

#[doc(inline)]
pub use ecluse_core::*;

pub use crate::{
    run::{Handle, Runtime},
    sugar::{
        AdmissionExt, ChannelExt, Deadline, SendDeadline, SendingExt, SlotExt, StallBound, WaitExt,
    },
    task::TaskAbort,
    time::{Sleep, ThreadTimer},
};
