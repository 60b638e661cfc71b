#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod sugar;
mod task;
mod time;
#[cfg(feature = "tokio-util")]
pub mod token;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "tracing")]
mod trace;

#[doc(inline)]
pub use ecluse_core::*;

pub use crate::{
    sugar::{
        AdmissionExt, ChannelExt, Deadline, Refresher, SendDeadline, SendingExt, SlotExt,
        StallBound, WaitExt,
    },
    task::{TokioAbort, TokioSpawn, TokioSpawnLocal, under},
    time::TokioTimer,
};
#[cfg(feature = "tracing")]
pub use trace::TracingObserver;
