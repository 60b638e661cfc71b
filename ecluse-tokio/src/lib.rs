#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod sugar;
mod task;
mod time;
#[cfg(feature = "tracing")]
mod trace;

#[doc(inline)]
pub use ecluse_core::*;

pub use crate::{
    sugar::{SlotExt, WaitExt},
    task::{TokioAbort, TokioSpawn},
    time::TokioTimer,
};
#[cfg(feature = "tracing")]
pub use trace::TracingObserver;

/// A wait with a bound of tokio's time: [`WaitExt::within`], [`WaitExt::until`].
pub type Deadline<T> = ecluse_core::runtime::Deadline<T, TokioTimer>;

/// A claim that does not suffer a stalled grantee, by tokio's time:
/// [`SlotExt::claim_with_stall_bound`].
pub type StallBound<R> = ecluse_core::runtime::StallBound<R, TokioTimer>;
