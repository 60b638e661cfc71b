//! The claim word: one `usize` that says whether a thing is held, awaited or over.
//!
//! With CAS there are two kinds of writers: free ones ([`Word::swap_free`], [`Word::add_free`]) and
//! the holder of the list lock. Without CAS (thumbv6m) *every* write happens under the list lock and loads stay free:
//! the same calls, the same protocol, one critical section a transition.
//!
//! Invariants:
//! - **S2** [`Word::store_locked`] is called only where the protocol says that no free writer can
//!   interfere (see the invariants of the primitive).
//! - **S4** What is guarded by a lock that is not [shared](Lock::SHARED) is `!Sync`: its one thread
//!   cannot be overtaken between a load and a store, and no ordering says more than its program does.
//!   (Moved to another thread, it takes its past along by whatever moved it.)

use super::{AtomicUsize, Lock, Locked, Ordering, Protected};

pub(crate) struct Word(AtomicUsize);

impl Word {
    const_fn! {
        pub(crate) const fn new(value: usize) -> Self {
            Self(AtomicUsize::new(value))
        }
    }

    #[inline(always)]
    pub(crate) fn load(&self, order: Ordering) -> usize {
        self.0.load(order)
    }

    /// Changes `from` to `to` without holding the lock, or gives what was there. That may be `from`:
    /// where the chip was interrupted between its load and its store, it is for the caller to look
    /// again, which most do anyhow. (A loop here and one there would be two.)
    #[inline(always)]
    pub(crate) fn swap_free<L: Lock, T>(
        &self,
        lock: &Protected<L, T>,
        from: usize,
        to: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<(), usize> {
        #[cfg(all(target_has_atomic = "ptr", not(ecluse_no_cas)))]
        {
            let _ = lock;
            if !L::SHARED {
                return self.swap_alone(from, to);
            }
            self.compare_exchange(from, to, success, failure)
        }
        #[cfg(not(all(target_has_atomic = "ptr", not(ecluse_no_cas))))]
        lock.with(|held| self.swap_locked(held, from, to, success, failure))
    }

    /// Adds `by`, wrapping, without holding the lock; gives what was there.
    #[inline(always)]
    pub(crate) fn add_free<L: Lock, T>(
        &self,
        lock: &Protected<L, T>,
        by: usize,
        order: Ordering,
    ) -> usize {
        #[cfg(all(target_has_atomic = "ptr", not(ecluse_no_cas)))]
        {
            let _ = lock;
            if !L::SHARED {
                // Relaxed, twice: S4.
                let before = self.0.load(Ordering::Relaxed);
                self.0.store(before.wrapping_add(by), Ordering::Relaxed);
                return before;
            }
            self.0.fetch_add(by, order)
        }
        #[cfg(not(all(target_has_atomic = "ptr", not(ecluse_no_cas))))]
        lock.with(|held| {
            // As in `swap_locked`.
            let _ = order;
            let before = self.0.load(Ordering::Acquire);
            self.store_locked(held, before.wrapping_add(by), Ordering::Release);
            before
        })
    }

    /// Changes `from` to `to` beside free writers, with the lock held. Fails as `swap_free` does.
    #[inline(always)]
    pub(crate) fn swap_locked<T>(
        &self,
        held: &mut Locked<T>,
        from: usize,
        to: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<(), usize> {
        #[cfg(all(target_has_atomic = "ptr", not(ecluse_no_cas)))]
        {
            let _ = held;
            self.compare_exchange(from, to, success, failure)
        }
        #[cfg(not(all(target_has_atomic = "ptr", not(ecluse_no_cas))))]
        {
            // A read-modify-write goes on with the release sequence that it finds; a store must do
            // that itself, whatever ordering the call could do with. (The load could be Relaxed:
            // every store is made under this lock. Acquire says what is meant, and costs nothing.)
            let _ = (success, failure);
            match self.0.load(Ordering::Acquire) {
                now if now == from => {
                    self.store_locked(held, to, Ordering::Release);
                    Ok(())
                }
                now => Err(now),
            }
        }
    }

    /// Sets the word while no free writer can be at it (S2).
    #[inline(always)]
    pub(crate) fn store_locked<T>(&self, _held: &mut Locked<T>, value: usize, order: Ordering) {
        self.0.store(value, order);
    }

    #[cfg(all(target_has_atomic = "ptr", not(ecluse_no_cas)))]
    #[inline(always)]
    fn swap_alone(&self, from: usize, to: usize) -> Result<(), usize> {
        // Relaxed, twice: S4.
        match self.0.load(Ordering::Relaxed) {
            now if now == from => {
                self.0.store(to, Ordering::Relaxed);
                Ok(())
            }
            now => Err(now),
        }
    }

    #[cfg(all(target_has_atomic = "ptr", not(ecluse_no_cas)))]
    #[inline(always)]
    fn compare_exchange(
        &self,
        from: usize,
        to: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<(), usize> {
        self.0
            .compare_exchange_weak(from, to, success, failure)
            .map(|_| ())
    }
}
