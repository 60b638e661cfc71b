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

use core::task::Waker;

use super::{
    list::{Link, Node, Ring},
    user::UserCode,
};
use crate::sync::{Lock, Protected};

/// Wakers taken a lock hold. A mutex is worth many; a critical section keeps interrupts off, and
/// takes one.
pub(crate) const BATCH: usize = if cfg!(all(feature = "std", not(ecluse_loom))) {
    16
} else {
    1
};

/// Whether the hold that detaches a cohort also grants its first batch: it saves a mutex one round,
/// and would make a critical section twice as long. (Under loom: the order of the word and the
/// first grant is what its models look at.)
const EAGER: bool = BATCH > 1 || cfg!(ecluse_loom);

/// A cohort on its way: everybody in it is granted a copy of `grant`.
pub(crate) struct Drain<'a, L: Lock, T, G: Copy> {
    lock: &'a Protected<L, T>,
    sentinel: &'a Link,
    grant: G,
    /// The sentinel is linked: there may be members.
    linked: bool,
    wakers: Batch,
    user: UserCode,
}

impl<'a, L: Lock, T, G: Copy> Drain<'a, L, T, G> {
    #[inline(always)]
    pub(crate) fn new(lock: &'a Protected<L, T>, sentinel: &'a Link, grant: G) -> Self {
        Self {
            lock,
            sentinel,
            grant,
            linked: false,
            wakers: Batch::new(),
            user: UserCode::new(),
        }
    }

    /// Cuts off everybody in `ring`. Grants nothing yet: the word comes first.
    ///
    /// # Safety
    /// `ring` is protected by this drain's lock, which is held; called once.
    pub(crate) unsafe fn detach(&mut self, ring: &mut Ring<G>) {
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
        while self.linked && !self.wakers.is_full() {
            // SAFETY: Validity: the sentinel is linked. Aliasing: the lock is held.
            match unsafe { Ring::<G>::pop_cohort(self.sentinel) } {
                None => self.linked = false,
                // SAFETY: Validity: just unlinked. Aliasing: the lock is held.
                Some(node) => self.wakers.push(unsafe { Node::grant(node, self.grant) }),
            }
        }
    }

    /// Wakes everybody. The first panic of a waker goes on at the end.
    pub(crate) fn run(mut self) {
        self.go_on();
        self.user.rethrow();
    }

    /// Calls user code before the wakers: the next claimer's waker, a hook.
    pub(crate) fn first(&mut self, call: impl FnOnce()) {
        self.user.call(call);
    }

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
                return;
            }
            let lock = self.lock;
            // SAFETY: Validity and Aliasing: the lock is held.
            lock.with(|_| unsafe { self.fill() });
        }
    }
}

impl<L: Lock, T, G: Copy> Drop for Drain<'_, L, T, G> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.linked || !self.wakers.is_empty() {
            self.go_on();
        }
    }
}

/// Wakers on their way out of a lock hold, woken in the order they came.
struct Batch {
    wakers: [Option<Waker>; BATCH],
    taken: usize,
    len: usize,
}

impl Batch {
    #[inline(always)]
    const fn new() -> Self {
        Self {
            wakers: [const { None }; BATCH],
            taken: 0,
            len: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.len == BATCH
    }

    fn is_empty(&self) -> bool {
        self.taken == self.len
    }

    /// There is room: the caller has asked [`Batch::is_full`].
    fn push(&mut self, waker: Waker) {
        // No indexing, which could panic under the lock as far as a compiler knows.
        if let Some(place) = self.wakers.get_mut(self.len) {
            *place = Some(waker);
            self.len += 1;
        }
    }

    fn pop(&mut self) -> Option<Waker> {
        let waker = self
            .wakers
            .get_mut(self.taken..self.len)?
            .first_mut()?
            .take();
        self.taken += 1;
        waker
    }

    fn clear(&mut self) {
        (self.taken, self.len) = (0, 0);
    }
}
