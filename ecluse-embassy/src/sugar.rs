//! Waits with a bound, by embassy's time. What they mean is the core's.
//!
//! Limits are `embassy_time::Duration`, which firmware computes with.

use ecluse_core::{
    Lock, Wait,
    claim::{Policy, Revoking, ToClaim, ToRelease},
    observe::Observer,
    runtime::Clock,
    wait::Target,
};
use embassy_time::{Duration, Instant};

use crate::{Deadline, EmbassyTimer, StallBound};

/// A slot of any lock.
type Slot<P, L, O> = ecluse_core::Slot<P, L, O>;

/// Bounds for any wait.
pub trait WaitExt: Sized {
    /// What is waited for.
    type Target: Target;

    /// Waits for `limit` at most, counted from now. What arrives at the last moment is returned,
    /// not lost.
    ///
    /// # Cancellation
    /// As the wait's.
    fn within(self, limit: Duration) -> Deadline<Self::Target>;

    /// Waits until `at` at the latest. What arrives at the last moment is returned, not lost.
    ///
    /// # Cancellation
    /// As the wait's.
    fn until(self, at: Instant) -> Deadline<Self::Target>;
}

impl<T: Target> WaitExt for Wait<T> {
    type Target = T;

    fn within(self, limit: Duration) -> Deadline<T> {
        self.until(EmbassyTimer.now().saturating_add(limit))
    }

    fn until(self, at: Instant) -> Deadline<T> {
        self.deadline(EmbassyTimer, at)
    }
}

/// A slot's waits, with a bound.
pub trait SlotExt<P: Policy, L: Lock, O: Observer> {
    /// [`Slot::claim`](ecluse_core::Slot::claim) for `limit` at most.
    ///
    /// # Cancellation
    /// As the wait without a bound.
    fn claim_timeout(&self, limit: Duration) -> Deadline<ToClaim<&Slot<P, L, O>>>;

    /// [`Slot::released`](ecluse_core::Slot::released) for `limit` at most.
    ///
    /// # Cancellation
    /// As the wait without a bound.
    fn released_timeout(&self, limit: Duration) -> Deadline<ToRelease<&Slot<P, L, O>>>;

    /// [`Slot::claim_stall_bound`](ecluse_core::Slot::claim_stall_bound): a grant that stays
    /// unobserved for `bound` while this waits is taken back and given to the next in the queue.
    ///
    /// # Cancellation
    /// As the wait without a bound.
    fn claim_with_stall_bound(&self, bound: Duration) -> StallBound<&Slot<P, L, O>>
    where
        P: Revoking;
}

impl<P: Policy, L: Lock, O: Observer> SlotExt<P, L, O> for Slot<P, L, O> {
    fn claim_timeout(&self, limit: Duration) -> Deadline<ToClaim<&Self>> {
        self.claim().within(limit)
    }

    fn released_timeout(&self, limit: Duration) -> Deadline<ToRelease<&Self>> {
        self.released().within(limit)
    }

    fn claim_with_stall_bound(&self, bound: Duration) -> StallBound<&Self>
    where
        P: Revoking,
    {
        self.claim_stall_bound(EmbassyTimer, bound.into())
    }
}
