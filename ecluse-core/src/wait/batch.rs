//! The wakers that one lock hold takes along, on their way to be woken.
//!
//! A mutex is worth many of them. A critical section keeps interrupts off, so it takes one, and one
//! is an `Option`: no counters, and half the code.

pub(crate) use self::imp::BATCH;
pub(super) use self::imp::Batch;

#[cfg(all(feature = "std", not(ecluse_loom)))]
mod imp {
    use core::task::Waker;

    /// Wakers taken a lock hold.
    pub(crate) const BATCH: usize = 16;

    /// In the order they came.
    pub(in super::super) struct Batch {
        wakers: [Option<Waker>; BATCH],
        taken: usize,
        len: usize,
    }

    impl Batch {
        #[inline(always)]
        pub(in super::super) const fn new() -> Self {
            Self {
                wakers: [const { None }; BATCH],
                taken: 0,
                len: 0,
            }
        }

        pub(in super::super) fn is_full(&self) -> bool {
            self.len == BATCH
        }

        pub(in super::super) fn is_empty(&self) -> bool {
            self.taken == self.len
        }

        /// There is room: the caller has asked [`Batch::is_full`].
        pub(in super::super) fn push(&mut self, waker: Waker) {
            // No indexing, which could panic under the lock as far as a compiler knows.
            if let Some(place) = self.wakers.get_mut(self.len) {
                *place = Some(waker);
                self.len += 1;
            }
        }

        pub(in super::super) fn pop(&mut self) -> Option<Waker> {
            let waker = self
                .wakers
                .get_mut(self.taken..self.len)?
                .first_mut()?
                .take();
            self.taken += 1;
            waker
        }

        pub(in super::super) fn clear(&mut self) {
            (self.taken, self.len) = (0, 0);
        }
    }
}

#[cfg(not(all(feature = "std", not(ecluse_loom))))]
mod imp {
    use core::task::Waker;

    /// Wakers taken a lock hold.
    pub(crate) const BATCH: usize = 1;

    /// One at most.
    pub(in super::super) struct Batch(Option<Waker>);

    impl Batch {
        #[inline(always)]
        pub(in super::super) const fn new() -> Self {
            Self(None)
        }

        pub(in super::super) fn is_full(&self) -> bool {
            self.0.is_some()
        }

        pub(in super::super) fn is_empty(&self) -> bool {
            self.0.is_none()
        }

        /// There is room: the caller has asked [`Batch::is_full`].
        pub(in super::super) fn push(&mut self, waker: Waker) {
            // What was there is nothing; that it need not be dropped is for the compiler to know.
            core::mem::forget(self.0.replace(waker));
        }

        pub(in super::super) fn pop(&mut self) -> Option<Waker> {
            self.0.take()
        }

        #[expect(clippy::unused_self, reason = "the other one has something to clear")]
        pub(in super::super) fn clear(&mut self) {}
    }
}
