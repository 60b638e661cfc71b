//! Waits with a bound, by smol's time. What they mean is the core's.

use core::time::Duration;
use std::time::Instant;

use ecluse_core::{
    Lock, Slot, Wait,
    claim::{Policy, Revoking, ToClaim, ToRelease},
    observe::Observer,
    wait::Target,
};

use crate::{Deadline, SmolTimer, StallBound};

/// Bounds for any wait.
///
/// ```
/// use std::time::Duration;
/// use ecluse_smol::{AcquireOutcome, Line, TimedOut, WaitExt};
///
/// smol::block_on(async {
///     let line: Line = Line::new();
///     let token = line.try_acquire_token();
///     if let AcquireOutcome::Failure(wait) = line.try_acquire_token() {
///         assert_eq!(wait.within(Duration::from_millis(1)).await, Err(TimedOut));
///     }
///     drop(token);
/// });
/// ```
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
        self.timeout(SmolTimer, limit)
    }

    fn until(self, at: Instant) -> Deadline<T> {
        self.deadline(SmolTimer, at)
    }
}

/// A slot's waits, with a bound.
pub trait SlotExt<P: Policy, L: Lock, O: Observer> {
    /// [`Slot::claim`] for `limit` at most.
    ///
    /// # Cancellation
    /// As [`Slot::claim`].
    fn claim_timeout(&self, limit: Duration) -> Deadline<ToClaim<&Slot<P, L, O>>>;

    /// [`Slot::released`] for `limit` at most.
    ///
    /// # Cancellation
    /// As [`Slot::released`].
    fn released_timeout(&self, limit: Duration) -> Deadline<ToRelease<&Slot<P, L, O>>>;

    /// [`Slot::claim_stall_bound`]: a grant that stays unobserved for `bound` while this waits is
    /// taken back and given to the next in the queue.
    ///
    /// # Cancellation
    /// As [`Slot::claim`].
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
        self.claim_stall_bound(SmolTimer, bound)
    }
}
