//! Waits with a bound. The bound is the waiter's own timer, inside its own future; where none is
//! asked for there is none.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::Timer;
use crate::{
    Claim, Closed, TimedOut,
    claim::{Claiming, GrantId, Revoking, Slot, SlotRef, ToClaim},
    observe::Observer,
    sync::Lock,
    wait::{Target, Wait},
};

impl<T: Target> Wait<T> {
    /// Waits until `at` at the latest.
    ///
    /// What arrives at the last moment is returned, not lost: the end of the wait is a
    /// [`try_abandon`](Wait::try_abandon). A deadline that has passed looks once.
    pub fn deadline<M: Timer>(self, timer: M, at: M::Instant) -> Deadline<T, M> {
        Deadline {
            wait: self,
            sleep: None,
            timer,
            at,
        }
    }

    /// Waits for `limit` at most, counted from now.
    pub fn timeout<M: Timer>(self, timer: M, limit: Duration) -> Deadline<T, M> {
        let at = timer.after(timer.now(), limit);
        self.deadline(timer, at)
    }
}

pin_project! {
    /// A [`Wait`] with a deadline: gives `Ok` of what the wait gives, or [`TimedOut`].
    ///
    /// # Cancellation
    /// As the wait's.
    #[must_use = "a wait does nothing unless it is awaited"]
    pub struct Deadline<T: Target, M: Timer> {
        #[pin]
        wait: Wait<T>,
        // Made at the first `Pending`: a wait that is over at once sets no timer.
        #[pin]
        sleep: Option<M::Sleep>,
        timer: M,
        at: M::Instant,
    }
}

impl<T: Target, M: Timer> Future for Deadline<T, M> {
    type Output = Result<T::Output, TimedOut>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(output) = this.wait.as_mut().poll(cx) {
            this.sleep.set(None);
            return Poll::Ready(Ok(output));
        }
        ready!(poll_sleep(this.sleep.as_mut(), this.timer, *this.at, cx));
        this.sleep.set(None);
        Poll::Ready(this.wait.try_abandon().ok_or(TimedOut))
    }
}

impl<T: Target, M: Timer> Deadline<T, M> {
    pub(crate) fn project_wait(self: Pin<&mut Self>) -> Pin<&mut Wait<T>> {
        self.project().wait
    }
}

impl<T: Target, M: Timer> FusedFuture for Deadline<T, M> {
    fn is_terminated(&self) -> bool {
        self.wait.is_terminated()
    }
}

impl<T: Target, M: Timer> fmt::Debug for Deadline<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// Polls a timer, which is set if it is not.
pub(crate) fn poll_sleep<M: Timer>(
    mut sleep: Pin<&mut Option<M::Sleep>>,
    timer: &M,
    at: M::Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if sleep.is_none() {
        sleep.set(Some(timer.sleep_until(at)));
    }
    match sleep.as_pin_mut() {
        Some(sleep) => sleep.poll(cx),
        None => Poll::Ready(()),
    }
}

impl<P: Revoking, L: Lock, O: Observer> Slot<P, L, O> {
    /// Waits for the claim, and does not suffer a grantee that is never polled: a grant that stays
    /// unobserved for `bound` while this waits is taken back and given to the next in the queue.
    ///
    /// The bound is this waiter's own timer, looked at every `bound`: a stalled grant is taken back
    /// between one and two bounds after it was made. A bound of zero is taken for the shortest that
    /// the clock can tell apart.
    ///
    /// # Errors
    /// Gives [`Closed`] if the slot is closed, or was closed meanwhile.
    pub fn claim_stall_bound<M: Timer>(&self, timer: M, bound: Duration) -> StallBound<&Self, M> {
        StallBound {
            wait: self.claim(),
            sleep: None,
            timer,
            bound: bound.max(Duration::from_nanos(1)),
            seen: None,
        }
    }
}

pin_project! {
    /// A claim that revokes grants which stay unobserved: [`Slot::claim_stall_bound`].
    ///
    /// # Cancellation
    /// As [`Slot::claim`].
    #[must_use = "a wait does nothing unless it is awaited"]
    pub struct StallBound<R: SlotRef, M: Timer> {
        #[pin]
        wait: Claiming<R>,
        #[pin]
        sleep: Option<M::Sleep>,
        timer: M,
        bound: Duration,
        // The unobserved grant that the last look found.
        seen: Option<GrantId>,
    }
}

impl<R, P, M: Timer> Future for StallBound<R, M>
where
    R: SlotRef<Policy = P>,
    P: Revoking,
{
    type Output = Result<Claim<R>, Closed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(claim) = this.wait.as_mut().poll(cx) {
            this.sleep.set(None);
            return Poll::Ready(claim);
        }
        for _ in 0..2 {
            let at = this.timer.after(this.timer.now(), *this.bound);
            if this.sleep.is_none() {
                *this.seen = this.wait.slot().slot().unobserved();
            }
            ready!(poll_sleep(this.sleep.as_mut(), this.timer, at, cx));
            this.sleep.set(None);
            if let Some(grant) = this.seen.take() {
                // It may have made us the grantee.
                this.wait.slot().slot().revoke(grant);
                if let Poll::Ready(claim) = this.wait.as_mut().poll(cx) {
                    return Poll::Ready(claim);
                }
            }
        }
        // The bound is too short for this clock: another look, after the others had their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R: SlotRef, P: Revoking, M: Timer> FusedFuture for StallBound<R, M>
where
    R: SlotRef<Policy = P>,
{
    fn is_terminated(&self) -> bool {
        self.wait.is_terminated()
    }
}

impl<R: SlotRef, M: Timer> fmt::Debug for StallBound<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallBound")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

impl<R: SlotRef> Wait<ToClaim<R>> {
    /// The slot whose claim this waits for.
    #[must_use]
    pub fn slot(&self) -> &R {
        self.target.handle()
    }
}
