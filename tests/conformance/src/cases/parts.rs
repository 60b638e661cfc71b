//! What several cases are built of: waiters that are polled by hand, and things that record when they are dropped.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use portable_atomic::{AtomicUsize, Ordering};

use super::super::subject::claim::{Claiming, Released};
use super::super::subject::{Claim, Closed, Outcome, Slot};
use crate::kit::{Parked, TestWaker};

/// Everything in a case lives for the rest of it.
pub(crate) type StaticSlot = &'static Slot;

/// A free slot.
pub(crate) fn slot<R: crate::Runtime>(rt: R) -> StaticSlot {
    rt.put(Slot::new())
}

/// One who waits for the claim, polled by hand.
pub(crate) struct Claimer {
    pub(crate) wait: Parked<Claiming<StaticSlot>>,
    pub(crate) waker: TestWaker,
}

impl Claimer {
    pub(crate) const fn new() -> Self {
        Self {
            wait: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    /// Queues up for the claim, which must not be free.
    #[track_caller]
    pub(crate) fn enlist(&'static self, slot: StaticSlot) {
        self.wait.park(slot.claim());
        self.wait.pending(&self.waker.waker());
    }

    /// Polls again; the claim must have come.
    #[track_caller]
    pub(crate) fn claimed(&'static self) -> Claim<StaticSlot> {
        match self.told() {
            Ok(claim) => claim,
            Err(Closed) => panic!("expected the claim, the slot is closed"),
        }
    }

    /// Polls again; the wait must be over.
    #[track_caller]
    pub(crate) fn told(&'static self) -> Result<Claim<StaticSlot>, Closed> {
        let told = self.wait.ready();
        self.wait.leave();
        told
    }

    /// Polls again; the wait must go on.
    #[track_caller]
    pub(crate) fn waits_on(&'static self) {
        self.wait.pending(&self.waker.waker());
    }

    /// Goes away, whether it was granted something or not.
    #[track_caller]
    pub(crate) fn leave(&self) {
        self.wait.leave();
    }

    pub(crate) fn wakes(&self) -> usize {
        self.waker.wakes()
    }
}

/// One who waits for the end of the hold, polled by hand.
pub(crate) struct Watcher {
    pub(crate) wait: Parked<Released<StaticSlot>>,
    pub(crate) waker: TestWaker,
}

impl Watcher {
    pub(crate) const fn new() -> Self {
        Self {
            wait: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    /// Queues up for the end of the present hold.
    #[track_caller]
    pub(crate) fn enlist(&'static self, slot: StaticSlot) {
        self.wait.park(slot.released());
        self.wait.pending(&self.waker.waker());
    }

    /// Polls again; the hold must be over.
    #[track_caller]
    pub(crate) fn told(&'static self) -> Outcome {
        let told = self.wait.ready();
        self.wait.leave();
        told
    }
}

/// All the waits of a case, in an array.
pub(crate) const fn claimers<const N: usize>() -> [Claimer; N] {
    [const { Claimer::new() }; N]
}

/// As [`claimers`].
pub(crate) const fn watchers<const N: usize>() -> [Watcher; N] {
    [const { Watcher::new() }; N]
}

/// Counts its drops.
pub(crate) struct Droplet(pub(crate) &'static AtomicUsize);

impl Drop for Droplet {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Runs a function when it is dropped.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A counter in its place.
pub(crate) fn counter<R: crate::Runtime>(rt: R) -> &'static AtomicUsize {
    rt.put(AtomicUsize::new(0))
}

/// Counts the polls of a future that is pinned elsewhere.
pub(crate) struct Polls<'a, F>(pub(crate) Pin<&'a mut F>, pub(crate) &'static AtomicUsize);

impl<F: Future> Future for Polls<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.as_mut().poll(cx)
    }
}

/// Abandoned, and not by a panic.
pub(crate) const ABANDONED: Outcome = Outcome::Abandoned { by_panic: false };

/// Abandoned by a panic.
pub(crate) const PANICKED: Outcome = Outcome::Abandoned { by_panic: true };
