#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod named;
#[cfg(feature = "executor")]
mod pool;
mod sugar;
mod time;

#[doc(inline)]
pub use ecluse_core::*;

// Named one by one, so that they win over the names of the core.
pub use crate::named::{
    AcquireIf, AcquireOutcome, Admission, Channel, Cx, Flight, FlushTable, Group, HoldEnd, Line,
    LineStatus, Member, Once, Refresher, Relay, Root, Scope, ScopePlace, SharedScope, Slot, Tally,
    Ticket, Token,
};
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use crate::named::{OwnedAcquireOutcome, OwnedToken};
#[cfg(feature = "executor")]
pub use crate::{
    named::ScopePool,
    pool::{Pool, PoolSpawn},
};
pub use crate::{
    sugar::{
        AdmissionExt, ChannelExt, Deadline, SendDeadline, SendingExt, SlotExt, StallBound, WaitExt,
    },
    time::EmbassyTimer,
};
