#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "async-std")]
pub mod async_std;
mod event;
mod sugar;
mod task;
mod time;

#[doc(inline)]
pub use ecluse_core::*;

pub use crate::{
    event::{First, OrEvent, or_event},
    sugar::{
        AdmissionExt, ChannelExt, Deadline, Refresher, SendDeadline, SendingExt, SlotExt,
        StallBound, WaitExt,
    },
    task::{SmolAbort, SmolSpawn, SmolSpawnLocal, SmolSpawnOn, under},
    time::{Sleep, SmolTimer},
};
