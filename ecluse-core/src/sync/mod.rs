//! The only room that names an atomic, a cell or a lock.
//!
//! Three builds share one source:
//!
//! | build | atomics and cells | lock |
//! |---|---|---|
//! | usual | `core` | what the features give, see [`lock`] |
//! | no CAS (`not(target_has_atomic = "ptr")`, or `--cfg ecluse_no_cas` to test it on a host) | `core`, loads and stores only | the same; every change of a [`Word`] happens under it |
//! | model checking (`--cfg ecluse_loom`) | `loom` | `loom`'s mutex |
//!
//! Invariant **S1**: nothing outside this room touches a [`Word`] or a [`Protected`] value except
//! through these types, so the list lock is the only lock there is and a change of build changes
//! no protocol.

/// Declares a `const fn` that is a plain `fn` under loom, whose cells cannot be made in a constant.
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        #[cfg(not(ecluse_loom))]
        $(#[$meta])* $vis const fn $($rest)*
        #[cfg(ecluse_loom)]
        $(#[$meta])* $vis fn $($rest)*
    };
}

/// Declares a type whose lock is bounded where it is declared (its drop needs it): the default lock
/// is a default only where there is one.
macro_rules! locked_type {
    ($(#[$meta:meta])* pub struct $name:ident<$($life:lifetime,)? L: Lock $(, $more:ident: $bound:ident = $default:ty)?> $($body:tt)*) => {
        #[cfg(any(feature = "std", feature = "critical-section"))]
        $(#[$meta])*
        pub struct $name<$($life,)? L: Lock = crate::sync::DefaultLock $(, $more: $bound = $default)?> $($body)*
        #[cfg(not(any(feature = "std", feature = "critical-section")))]
        $(#[$meta])*
        pub struct $name<$($life,)? L: Lock $(, $more: $bound = $default)?> $($body)*
    };
}

mod cell;
mod handle;
mod hint;
mod lock;
mod word;

pub use self::handle::Handle;
#[cfg(feature = "critical-section")]
pub use self::lock::CriticalSection;
#[cfg(feature = "std")]
pub use self::lock::StdMutex;
pub use self::lock::{DefaultLock, Local, Lock, NoDefaultLock};
pub(crate) use self::{
    cell::Cell,
    hint::Hint,
    lock::{Locked, Protected},
    word::Word,
};

#[cfg(all(feature = "std", not(ecluse_loom)))]
pub(crate) use core::sync::atomic::AtomicU32;
#[cfg(not(ecluse_loom))]
pub(crate) use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
#[cfg(ecluse_loom)]
pub(crate) use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
