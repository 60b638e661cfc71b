//! The one place that wakes: what a release, a close or a revocation leaves to be done once the
//! lock is free.
//!
//! A [`Drain`] is made *before* anything is detached, so that no panic can come between a cohort
//! and its end; it takes wakers a batch a lock hold, the first batch in the caller's own hold where
//! that is cheap. Dropping it goes on with everything that is left (U1). Whom it grants, and what,
//! its [`Source`] says: a [`Cohort`] that was cut off, or a queue that is served while somebody in
//! it can be.
//!
//! Invariants:
//! - **D1** A cohort is exactly who was queued at the detach: newcomers are in the owner's next
//!   ring, members that leave unlink themselves.
//! - **D2** A cohort's end is decided under the lock: the sentinel is alone. After that no member
//!   knows it, and it may go.
//! - **D3** A waker is woken or dropped outside the lock, after its node's state was stored.

use core::{marker::PhantomData, task::Waker};

use super::{
    batch::{BATCH, Batch},
    list::{Link, Node, Ring},
    user::UserCode,
};
use crate::sync::{Lock, Locked, Protected};

/// Whether the hold that detaches a cohort also grants its first batch: it saves a mutex one round,
/// and would make a critical section twice as long. (Under loom: the order of the word and the
/// first grant is what its models look at.)
const EAGER: bool = BATCH > 1 || cfg!(ecluse_loom);

/// Where a cohort has its grants from.
pub(crate) trait Supply {
    type Grant;

    /// Whether the next grant is at hand.
    fn is_ready(&self) -> bool;

    /// Gets grants to hand, outside the lock. May run user code; if that panics, the supply is
    /// ready all the same, with grants that say so.
    fn prepare(&mut self);

    /// The next grant, under the lock; the caller has asked [`Supply::is_ready`].
    fn take(&mut self) -> Self::Grant;

    /// Whether nothing is at hand that would have to be dropped.
    #[inline(always)]
    fn is_clear(&self) -> bool {
        true
    }

    /// Drops what was not taken, outside the lock. May run user code.
    #[inline(always)]
    fn clear(&mut self) {}
}

/// Copies of one grant that is plain data.
pub(crate) struct Same<G>(G);

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
}

/// Whom a drain grants something.
pub(crate) trait Source<T> {
    /// How many steps are made a lock hold.
    const BATCH: usize = BATCH;

    /// There may be more to grant.
    fn is_open(&self) -> bool;

    /// Whether the next grant is at hand, without [`Source::prepare`].
    #[inline(always)]
    fn is_ready(&self) -> bool {
        true
    }

    /// Gets grants to hand, outside the lock. May run user code; if that panics, the source is
    /// ready all the same.
    #[inline(always)]
    fn prepare(&mut self) {}

    /// One step of bounded length: grants the next, and gives its waker. `None` if there is nobody
    /// (then it is not open), or if this was a step on the way to the next. It was asked whether it
    /// is open and ready.
    ///
    /// # Safety
    /// `held` is what the drain's lock protects.
    unsafe fn next(&mut self, held: &mut Locked<T>) -> Option<Waker>;

    /// Tells an observer of the last hold, outside the lock. User code.
    #[inline(always)]
    fn tell(&mut self) {}

    /// Whether nothing is at hand that would have to be dropped.
    #[inline(always)]
    fn is_clear(&self) -> bool {
        true
    }

    /// Nobody is left: drops what was not granted, outside the lock. May run user code.
    #[inline(always)]
    fn clear(&mut self) {}
}

/// A cohort: everybody in it is granted what `supply` gives.
pub(crate) struct Cohort<'a, X, S: Supply> {
    sentinel: &'a Link,
    supply: S,
    _members: PhantomData<X>,
    /// The sentinel is linked: there may be members.
    linked: bool,
}

impl<'a, G: Copy> Cohort<'a, (), Same<G>> {
    /// A cohort of nobody yet, to be part of another source.
    #[inline(always)]
    pub(crate) fn new(sentinel: &'a Link, grant: G) -> Self {
        Self::of(sentinel, Same(grant))
    }
}

impl<'a, X, S: Supply> Cohort<'a, X, S> {
    #[inline(always)]
    fn of(sentinel: &'a Link, supply: S) -> Self {
        Self {
            sentinel,
            supply,
            _members: PhantomData,
            linked: false,
        }
    }

    /// Cuts off everybody in `ring`.
    ///
    /// # Safety
    /// The lock of the drain that this is of, or is to be of, is held, and protects `ring`; a cohort
    /// that was cut off before is over.
    pub(crate) unsafe fn detach(&mut self, ring: &mut Ring<S::Grant, X>) {
        if !ring.is_empty() {
            // SAFETY: Validity: not empty; the sentinel outlives the drain, whose drop ends the
            // cohort. Aliasing: the lock is held.
            unsafe { ring.detach(self.sentinel) };
            self.linked = true;
        }
    }

    /// # Safety
    /// The lock is held, and the sentinel linked.
    #[inline(always)]
    unsafe fn pop(&mut self) -> Option<Waker> {
        // SAFETY: Validity: the sentinel is linked. Aliasing: the lock is held.
        match unsafe { Ring::<S::Grant, X>::pop_cohort(self.sentinel) } {
            None => {
                self.linked = false;
                None
            }
            // SAFETY: Validity: just unlinked. Aliasing: the lock is held.
            Some(node) => Some(unsafe { Node::grant(node, self.supply.take()) }),
        }
    }
}

impl<T, X, S: Supply> Source<T> for Cohort<'_, X, S> {
    #[inline(always)]
    fn is_open(&self) -> bool {
        self.linked
    }

    #[inline(always)]
    fn is_ready(&self) -> bool {
        self.supply.is_ready()
    }

    #[inline(always)]
    fn prepare(&mut self) {
        self.supply.prepare();
    }

    #[inline(always)]
    unsafe fn next(&mut self, _: &mut Locked<T>) -> Option<Waker> {
        // SAFETY: Validity: open, that is linked. Aliasing: the lock is held.
        let waker = unsafe { self.pop() };
        // Nothing is left at hand: nothing more is made if nobody is left either (D2).
        // SAFETY: Validity: still linked. Aliasing: the lock is held.
        if !self.supply.is_ready() && unsafe { Link::is_alone(self.sentinel) } {
            self.linked = false;
        }
        waker
    }

    #[inline(always)]
    fn is_clear(&self) -> bool {
        self.supply.is_clear()
    }

    #[inline(always)]
    fn clear(&mut self) {
        self.supply.clear();
    }
}

/// Waiters on their way to be granted something, and wakers on their way to be woken.
pub(crate) struct Drain<'a, L: Lock, T, S: Source<T>> {
    lock: &'a Protected<L, T>,
    source: S,
    wakers: Batch<Waker>,
    user: UserCode,
}

impl<'a, L: Lock, T, G: Copy> Drain<'a, L, T, Cohort<'a, (), Same<G>>> {
    #[inline(always)]
    pub(crate) fn new(lock: &'a Protected<L, T>, sentinel: &'a Link, grant: G) -> Self {
        Self::with_supply(lock, sentinel, Same(grant))
    }
}

impl<'a, L: Lock, T, X, S: Supply> Drain<'a, L, T, Cohort<'a, X, S>> {
    #[inline(always)]
    pub(crate) fn with_supply(lock: &'a Protected<L, T>, sentinel: &'a Link, supply: S) -> Self {
        Self::of(lock, Cohort::of(sentinel, supply))
    }

    /// The cohort is those behind the leader whose own link is the sentinel.
    ///
    /// # Safety
    /// The lock is held, the sentinel is the link of a `LEADING` node of grants and extras of this
    /// drain's types, which is not found any more, stays where it is, and leads nobody else until
    /// the drain is over.
    pub(crate) unsafe fn behind_leader(&mut self) {
        self.source.linked = true;
    }

    /// Cuts off everybody in `ring`. Grants nothing yet: the word comes first.
    ///
    /// # Safety
    /// `ring` is protected by this drain's lock, which is held; called once.
    pub(crate) unsafe fn detach(&mut self, ring: &mut Ring<S::Grant, X>) {
        // SAFETY: Validity and Aliasing: by contract.
        unsafe { self.source.detach(ring) };
    }

    /// The hold that detached the cohort ends: grants the first batch, if that is cheap.
    ///
    /// # Safety
    /// The lock is held, and the word says already what the grants will say.
    #[inline(always)]
    pub(crate) unsafe fn begin(&mut self) {
        if EAGER {
            // SAFETY: Validity: open, that is linked. Aliasing: by contract.
            self.fill_by(|cohort| unsafe { cohort.pop() });
        }
    }
}

impl<'a, L: Lock, T, S: Source<T>> Drain<'a, L, T, S> {
    #[inline(always)]
    pub(crate) fn of(lock: &'a Protected<L, T>, source: S) -> Self {
        Self {
            lock,
            source,
            wakers: Batch::new(),
            user: UserCode::new(),
        }
    }

    #[inline(always)]
    pub(crate) fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// Grants one batch.
    ///
    /// # Safety
    /// `held` is what the drain's lock protects.
    pub(crate) unsafe fn fill(&mut self, held: &mut Locked<T>) {
        // SAFETY: Validity and Aliasing: by contract.
        self.fill_by(|source| unsafe { source.next(held) });
    }

    #[inline(always)]
    fn fill_by(&mut self, mut next: impl FnMut(&mut S) -> Option<Waker>) {
        // Counted: that a batch of one is full after one is more than a compiler knows.
        for _ in 0..S::BATCH {
            if !self.source.is_open() || self.wakers.is_full() || !self.source.is_ready() {
                return;
            }
            if let Some(waker) = next(&mut self.source) {
                self.wakers.push(waker);
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
            let source = &mut self.source;
            self.user.call(|| source.tell());
            if !self.source.is_open() {
                while !self.source.is_clear() {
                    let source = &mut self.source;
                    self.user.call(|| source.clear());
                }
                return;
            }
            if !self.source.is_ready() {
                let source = &mut self.source;
                self.user.call(|| source.prepare());
            }
            let lock = self.lock;
            // SAFETY: Validity and Aliasing: the lock is held.
            lock.with(|held| unsafe { self.fill(held) });
        }
    }
}

impl<L: Lock, T, S: Source<T>> Drop for Drain<'_, L, T, S> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.source.is_open() || !self.wakers.is_empty() {
            self.go_on();
        }
    }
}
