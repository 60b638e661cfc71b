//! The one place that wakes: what a release, a close or a revocation leaves to be done once the
//! lock is free.
//!
//! A [`Drain`] is made *before* anything is detached, so that no panic can come between a cohort
//! and its end; it takes wakers a batch a lock hold, the first batch in the caller's own hold where
//! that is cheap. Dropping it goes on with everything that is left (U1).
//!
//! Invariants:
//! - **D1** The cohort is exactly who was queued at the detach: newcomers are in the owner's next
//!   ring, members that leave unlink themselves.
//! - **D2** The end is decided under the lock: the sentinel is alone. After that no member knows
//!   it, and it may go.
//! - **D3** A waker is woken or dropped outside the lock, after its node's state was stored.

use core::marker::PhantomData;

use super::{
    batch::{BATCH, Batch},
    list::{Link, Node, Ring},
    user::UserCode,
};
use crate::sync::{Lock, Protected};

/// Whether the hold that detaches a cohort also grants its first batch: it saves a mutex one round,
/// and would make a critical section twice as long. (Under loom: the order of the word and the
/// first grant is what its models look at.)
const EAGER: bool = BATCH > 1 || cfg!(ecluse_loom);

/// Where a drain has its grants from.
pub(crate) trait Supply {
    type Grant;

    /// Whether the next grant is at hand.
    fn is_ready(&self) -> bool;

    /// Gets grants to hand, outside the lock. May run user code; if that panics, the supply is
    /// ready all the same, with grants that say so.
    fn prepare(&mut self);

    /// The next grant, under the lock; the caller has asked [`Supply::is_ready`].
    fn take(&mut self) -> Self::Grant;

    /// Lets go of what was not taken, outside the lock. May run user code.
    fn clear(&mut self);
}

/// Copies of one value.
impl<G: Copy> Supply for Same<G> {
    type Grant = G;

    #[inline(always)]
    fn is_ready(&self) -> bool {
        true
    }

    #[inline(always)]
    fn prepare(&mut self) {}

    #[inline(always)]
    fn take(&mut self) -> G {
        self.0
    }

    #[inline(always)]
    fn clear(&mut self) {}
}

/// The supply of a grant that is plain data.
pub(crate) struct Same<G>(G);

/// A cohort on its way: everybody in it is granted what `supply` gives.
pub(crate) struct Drain<'a, L: Lock, T, X, S: Supply> {
    lock: &'a Protected<L, T>,
    sentinel: &'a Link,
    supply: S,
    _members: PhantomData<X>,
    /// The sentinel is linked: there may be members.
    linked: bool,
    wakers: Batch,
    user: UserCode,
}

impl<'a, L: Lock, T, G: Copy> Drain<'a, L, T, (), Same<G>> {
    #[inline(always)]
    pub(crate) fn new(lock: &'a Protected<L, T>, sentinel: &'a Link, grant: G) -> Self {
        Self::with_supply(lock, sentinel, Same(grant))
    }
}

impl<'a, L: Lock, T, X, S: Supply> Drain<'a, L, T, X, S> {
    #[inline(always)]
    pub(crate) fn with_supply(lock: &'a Protected<L, T>, sentinel: &'a Link, supply: S) -> Self {
        Self {
            lock,
            sentinel,
            supply,
            _members: PhantomData,
            linked: false,
            wakers: Batch::new(),
            user: UserCode::new(),
        }
    }

    /// The cohort is those behind the leader whose own link is the sentinel.
    ///
    /// # Safety
    /// The lock is held, the sentinel is the link of a `LEADING` node of grants and extras of this
    /// drain's types, which is not found any more, stays where it is, and leads nobody else until
    /// the drain is over.
    pub(crate) unsafe fn behind_leader(&mut self) {
        self.linked = true;
    }

    /// Cuts off everybody in `ring`. Grants nothing yet: the word comes first.
    ///
    /// # Safety
    /// `ring` is protected by this drain's lock, which is held; called once.
    pub(crate) unsafe fn detach(&mut self, ring: &mut Ring<S::Grant, X>) {
        if !ring.is_empty() {
            // SAFETY: Validity: not empty; the sentinel outlives the drain, whose drop ends the
            // cohort. Aliasing: the lock is held.
            unsafe { ring.detach(self.sentinel) };
            self.linked = true;
        }
    }

    /// The hold that detached the cohort ends: grants the first batch, if that is cheap.
    ///
    /// # Safety
    /// The lock is held, and the word says already what the grants will say.
    #[inline(always)]
    pub(crate) unsafe fn begin(&mut self) {
        if EAGER {
            // SAFETY: Validity and Aliasing: by contract.
            unsafe { self.fill() };
        }
    }

    /// Grants one batch.
    ///
    /// # Safety
    /// The lock is held.
    unsafe fn fill(&mut self) {
        // Counted: that a batch of one is full after one is more than a compiler knows.
        for _ in 0..BATCH {
            if !self.linked || self.wakers.is_full() || !self.supply.is_ready() {
                return;
            }
            // SAFETY: Validity: the sentinel is linked. Aliasing: the lock is held.
            match unsafe { Ring::<S::Grant, X>::pop_cohort(self.sentinel) } {
                None => self.linked = false,
                // SAFETY: Validity: just unlinked. Aliasing: the lock is held.
                Some(node) => self
                    .wakers
                    .push(unsafe { Node::grant(node, self.supply.take()) }),
            }
        }
    }

    /// Wakes everybody. The first panic of a waker goes on at the end.
    pub(crate) fn run(mut self) {
        self.go_on();
        self.user.rethrow();
        if !core::mem::needs_drop::<S>() {
            // Nothing is left that the drop would go on with, which a compiler cannot know.
            core::mem::forget(self);
        }
    }

    /// Calls user code before the wakers: the next claimer's waker, a hook.
    pub(crate) fn first(&mut self, call: impl FnOnce()) {
        self.user.call(call);
    }

    #[cfg_attr(not(feature = "std"), inline(never))]
    fn go_on(&mut self) {
        loop {
            // One guard a batch, not a waker: a panic leaves the loop, and the rest is gone on with.
            while !self.wakers.is_empty() {
                let wakers = &mut self.wakers;
                self.user.call(|| {
                    while let Some(waker) = wakers.pop() {
                        waker.wake();
                    }
                });
            }
            self.wakers.clear();
            if !self.linked {
                let supply = &mut self.supply;
                self.user.call(|| supply.clear());
                return;
            }
            if !self.supply.is_ready() {
                let supply = &mut self.supply;
                self.user.call(|| supply.prepare());
            }
            let lock = self.lock;
            // SAFETY: Validity and Aliasing: the lock is held.
            lock.with(|_| unsafe { self.fill() });
        }
    }
}

impl<L: Lock, T, X, S: Supply> Drop for Drain<'_, L, T, X, S> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.linked || !self.wakers.is_empty() {
            self.go_on();
        }
    }
}
