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
    sugar::{SlotExt, WaitExt},
    task::{SmolAbort, SmolSpawn, SmolSpawnOn},
    time::{Sleep, SmolTimer},
};

/// A wait with a bound of smol's time: [`WaitExt::within`], [`WaitExt::until`].
pub type Deadline<T> = ecluse_core::runtime::Deadline<T, SmolTimer>;

/// A claim that does not suffer a stalled grantee, by smol's time:
/// [`SlotExt::claim_with_stall_bound`].
pub type StallBound<R> = ecluse_core::runtime::StallBound<R, SmolTimer>;
