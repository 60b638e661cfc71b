//! What one lock hold takes along: wakers on their way to be woken, values on their way to waiters.
//!
//! A mutex is worth many of them. A critical section keeps interrupts off, so it takes one, and one
//! is an `Option`: no counters, and half the code.

pub(crate) use self::imp::{BATCH, Batch};

#[cfg(all(feature = "std", not(ecluse_loom)))]
mod imp {
    /// Taken a lock hold.
    pub(crate) const BATCH: usize = 16;

    /// In the order they came. All places but those from `taken` to `len` are empty.
    pub(crate) struct Batch<T> {
        places: [Option<T>; BATCH],
        taken: usize,
        len: usize,
    }

    impl<T> Batch<T> {
        #[inline(always)]
        pub(crate) const fn new() -> Self {
            Self {
                places: [const { None }; BATCH],
                taken: 0,
                len: 0,
            }
        }

        pub(crate) fn is_full(&self) -> bool {
            self.len == BATCH
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.taken == self.len
        }

        /// There is room: the caller has asked [`Batch::is_full`].
        #[inline(always)]
        pub(crate) fn push(&mut self, one: T) {
            // No indexing, which could panic under the lock as far as a compiler knows.
            if let Some(place) = self.places.get_mut(self.len) {
                // What was there is nothing; that it need not be dropped is for the compiler to know.
                core::mem::forget(place.replace(one));
                self.len += 1;
            }
        }

        pub(crate) fn pop(&mut self) -> Option<T> {
            let one = self.places.get_mut(self.taken)?.take()?;
            self.taken += 1;
            Some(one)
        }

        /// Everything was taken: there is room again.
        pub(crate) fn clear(&mut self) {
            (self.taken, self.len) = (0, 0);
        }
    }
}

#[cfg(not(all(feature = "std", not(ecluse_loom))))]
mod imp {
    /// Taken a lock hold.
    pub(crate) const BATCH: usize = 1;

    /// One at most.
    pub(crate) struct Batch<T>(Option<T>);

    impl<T> Batch<T> {
        #[inline(always)]
        pub(crate) const fn new() -> Self {
            Self(None)
        }

        pub(crate) fn is_full(&self) -> bool {
            self.0.is_some()
        }

        pub(crate) fn is_empty(&self) -> bool {
            self.0.is_none()
        }

        /// There is room: the caller has asked [`Batch::is_full`].
        pub(crate) fn push(&mut self, one: T) {
            // What was there is nothing; that it need not be dropped is for the compiler to know.
            core::mem::forget(self.0.replace(one));
        }

        pub(crate) fn pop(&mut self) -> Option<T> {
            self.0.take()
        }

        #[expect(clippy::unused_self, reason = "the other one has something to clear")]
        pub(crate) fn clear(&mut self) {}
    }
}
