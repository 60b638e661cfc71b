//! The core's types with the critical-section lock filled in.
//!
//! Said here and not left to the core's default: on a host, where another crate of the same build
//! enables the core's `std`, the default is a mutex; these names mean the same everywhere.

use ecluse_core::{
    CriticalSection, Handoff, admission,
    flight::{DefaultHash, NoClock, Promote},
};

use crate::EmbassyTimer;

/// [`ecluse_core::Slot`] under a critical section.
pub type Slot<P = Handoff, O = ()> = ecluse_core::Slot<P, CriticalSection, O>;

/// [`ecluse_core::Line`] under a critical section.
pub type Line<O = ()> = ecluse_core::Line<CriticalSection, O>;

/// [`ecluse_core::Token`] of a [`Line`].
pub type Token<'a, O = ()> = ecluse_core::Token<'a, CriticalSection, O>;

/// [`ecluse_core::AcquireOutcome`] of a [`Line`].
pub type AcquireOutcome<'a, O = ()> = ecluse_core::AcquireOutcome<'a, CriticalSection, O>;

/// [`ecluse_core::AcquireIf`] of a [`Line`].
pub type AcquireIf<'a, O = ()> = ecluse_core::AcquireIf<'a, CriticalSection, O>;

/// [`ecluse_core::LineStatus`] of a [`Line`].
pub type LineStatus<'a, O = ()> = ecluse_core::LineStatus<'a, CriticalSection, O>;

/// The wait for the end of one hold of a [`Line`].
pub type HoldEnd<'a, O = ()> = ecluse_core::line::HoldEnd<&'a Line<O>>;

/// [`ecluse_core::OwnedToken`] of a [`Line`].
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub type OwnedToken<O = ()> = ecluse_core::OwnedToken<CriticalSection, O>;

/// [`ecluse_core::OwnedAcquireOutcome`] of a [`Line`].
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub type OwnedAcquireOutcome<O = ()> = ecluse_core::OwnedAcquireOutcome<CriticalSection, O>;

/// [`ecluse_core::Flight`] under a critical section.
pub type Flight<T, P = Promote, C = NoClock> = ecluse_core::Flight<T, P, CriticalSection, C>;

/// [`ecluse_core::Group`] under a critical section. (Each bucket has a lock: a few are enough on a chip.)
pub type Group<
    K,
    T,
    P = Promote,
    S = DefaultHash,
    C = NoClock,
    const BUCKETS: usize = 4,
    const ALONE: usize = 0,
> = ecluse_core::Group<K, T, P, CriticalSection, S, C, BUCKETS, ALONE>;

/// [`ecluse_core::Once`] under a critical section.
pub type Once<T> = ecluse_core::Once<T, CriticalSection>;

/// [`ecluse_core::Relay`] under a critical section: of [`Inline`](ecluse_core::runtime::Inline) futures, say.
pub type Relay<F, C = NoClock> = ecluse_core::Relay<F, CriticalSection, C>;

/// [`ecluse_core::Refresher`] under a critical section, by embassy's clock:
/// `Refresher::new(EmbassyTimer, Policy::new())`.
pub type Refresher<T, E, O = ()> = ecluse_core::Refresher<T, E, EmbassyTimer, CriticalSection, O>;

/// [`ecluse_core::Channel`] under a critical section. Items of more than two words are copied without
/// it.
pub type Channel<T, const N: usize> = ecluse_core::Channel<T, N, CriticalSection>;

/// [`ecluse_core::Admission`] under a critical section.
pub type Admission<P = admission::Fifo, O = ()> = ecluse_core::Admission<P, CriticalSection, O>;

/// [`ecluse_core::FlushTable`] under a critical section.
pub type FlushTable<T, const N: usize> = ecluse_core::FlushTable<T, N, CriticalSection>;

/// [`ecluse_core::runtime::Tally`] under a critical section.
pub type Tally = ecluse_core::runtime::Tally<CriticalSection>;

/// A counted future, ready to be spawned: what [`Tally::ticket`](ecluse_core::runtime::Tally::ticket)
/// gives for a tally in a `static`.
pub type Ticket<F> = ecluse_core::runtime::Ticket<F, &'static Tally>;

/// [`ecluse_core::Root`] under a critical section.
pub type Root = ecluse_core::Root<CriticalSection>;

/// [`ecluse_core::Scope`] below a [`Root`].
pub type Scope<'p> = ecluse_core::Scope<'p, CriticalSection>;

/// [`ecluse_core::Cx`] of a scope below a [`Root`].
pub type Cx<'s> = ecluse_core::Cx<'s, CriticalSection>;

/// [`ecluse_core::SharedScope`] under a critical section.
pub type SharedScope = ecluse_core::SharedScope<CriticalSection>;

/// [`ecluse_core::cancel::ScopePlace`] under a critical section: room for a [`SharedScope`] in a `static`.
pub type ScopePlace = ecluse_core::cancel::ScopePlace<CriticalSection>;

/// [`ecluse_core::cancel::Member`] of a [`SharedScope`].
pub type Member = ecluse_core::cancel::Member<CriticalSection>;

/// A [`Pool`](crate::Pool) for the children of a [`SharedScope`].
#[cfg(feature = "executor")]
pub type ScopePool<F = ecluse_core::runtime::Inline<256>, const N: usize = 4> =
    crate::Pool<F, N, Member>;
