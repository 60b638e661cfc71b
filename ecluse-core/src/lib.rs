#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "alloc", test))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[macro_use]
mod sync;
pub mod admission;
pub mod cancel;
pub mod channel;
pub mod claim;
mod error;
pub mod flight;
pub mod flush;
pub mod join;
pub mod line;
pub mod observe;
pub mod refresh;
pub mod runtime;
pub mod wait;

#[doc(inline)]
pub use crate::{
    admission::{Admission, NotAdmitted, Permit},
    cancel::{Cancelled, Cx, Reason, Root, Scope, SharedScope},
    channel::Channel,
    claim::{Barging, Cause, Claim, Guard, Handoff, Revocable, Slot},
    error::{Closed, Outcome, Refused, TimedOut},
    flight::{Answer, Flight, Group, NoAnswer, Once, Relay},
    flush::FlushTable,
    join::{JoinError, Joining},
    line::{AcquireIf, AcquireOutcome, ForeignToken, Generation, Line, LineStatus, Token},
    refresh::Refresher,
    sync::{DefaultLock, Handle, Local, Lock, NoDefaultLock},
    wait::Wait,
};

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use crate::line::{OwnedAcquireOutcome, OwnedToken};
#[cfg(feature = "critical-section")]
pub use crate::sync::CriticalSection;
#[cfg(feature = "std")]
pub use crate::sync::StdMutex;
