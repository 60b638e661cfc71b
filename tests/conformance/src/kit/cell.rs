//! Two cells that live in [`Runtime::put`](crate::Runtime::put): a value behind a tiny lock, and a future that is pinned where it lies.
//!
//! Invariants:
//! 1. The value is touched only while `busy` is ours: taken by a swap (Acquire), given back by a store (Release).
//! 2. A future once parked is polled and dropped in place; it leaves its cell only by being dropped.

use core::cell::UnsafeCell;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use futures_core::FusedFuture;
use portable_atomic::{AtomicBool, Ordering};

/// A value behind a lock for a few instructions at a time. Not for use from an interrupt that can preempt a holder.
pub struct Guarded<T> {
    busy: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: Validity: `value` is always initialised. Aliasing: invariant 1, one thread at a time has a reference into it; it hands `&mut T`
// to that thread, so `T: Send` is what sharing the cell needs.
unsafe impl<T: Send> Sync for Guarded<T> {}

/// Gives the lock back also when the closure panics.
struct Unlock<'a>(&'a AtomicBool);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl<T> Guarded<T> {
    /// A free cell.
    pub const fn new(value: T) -> Self {
        Self {
            busy: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Runs `f` on the value, or gives `None` if somebody else is at it.
    pub fn try_with<O>(&self, f: impl FnOnce(&mut T) -> O) -> Option<O> {
        if self.busy.swap(true, Ordering::Acquire) {
            return None;
        }
        let _unlock = Unlock(&self.busy);
        // SAFETY: Validity: initialised by `new`. Aliasing: `busy` was clear and is ours now (invariant 1).
        Some(f(unsafe { &mut *self.value.get() }))
    }

    /// Runs `f` on the value; waits in place for another thread. Must not be nested.
    pub fn with<O>(&self, f: impl FnOnce(&mut T) -> O) -> O {
        let mut f = Some(f);
        loop {
            if let Some(out) = self.try_with(|value| f.take().expect("runs once")(value)) {
                return out;
            }
            core::hint::spin_loop();
        }
    }
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}

/// A future that is polled by hand, with a waker of the case's choice, from any task.
pub struct Parked<F>(Guarded<Option<F>>);

impl<F: Future> Parked<F> {
    /// Nothing parked.
    pub const fn new() -> Self {
        Self(Guarded::new(None))
    }

    /// Parks a future here.
    ///
    /// # Panics
    /// If one is here already.
    #[track_caller]
    pub fn park(&self, future: F) {
        self.exclusively(|place| {
            assert!(place.is_none(), "this place is taken");
            *place = Some(future);
        });
    }

    /// Polls the parked future. Its remains stay parked, also after Ready.
    ///
    /// `&'static self`, since a pinned value must not be moved before it is dropped.
    ///
    /// # Panics
    /// If none is here, or a poll of it is under way.
    #[track_caller]
    pub fn poll(&'static self, waker: &Waker) -> Poll<F::Output> {
        self.with_pin(|future| future.poll(&mut Context::from_waker(waker)))
    }

    /// Polls the parked future, which must be ready.
    #[track_caller]
    pub fn ready(&'static self) -> F::Output {
        match self.poll(Waker::noop()) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("expected the future to be ready, it is pending"),
        }
    }

    /// Polls the parked future, which must be pending.
    #[track_caller]
    pub fn pending(&'static self, waker: &Waker) {
        assert!(
            self.poll(waker).is_pending(),
            "expected the future to be pending, it is ready"
        );
    }

    /// Polls the parked future, if one is here; one that is over goes.
    ///
    /// # Panics
    /// If a poll of it is under way.
    #[track_caller]
    pub fn step(&'static self, waker: &Waker)
    where
        F: FusedFuture,
    {
        // One that a panic has ended is not polled again.
        let over = |future: Pin<&mut F>| future.is_terminated();
        if self.is_parked() && (self.with_pin(over) || self.poll(waker).is_ready()) {
            self.leave();
        }
    }

    /// Calls a method of the parked future that needs it pinned.
    ///
    /// # Panics
    /// As [`poll`](Self::poll).
    #[track_caller]
    pub fn with_pin<O>(&'static self, f: impl FnOnce(Pin<&mut F>) -> O) -> O {
        self.exclusively(|place| {
            let future = place.as_mut().expect("a future is parked here");
            // SAFETY: Validity: `future` lies in a `'static` cell and is dropped there, never moved out (invariant 2). Aliasing: the
            // reference is exclusive (invariant 1).
            f(unsafe { Pin::new_unchecked(future) })
        })
    }

    /// Drops the parked future, if there is one.
    #[track_caller]
    pub fn leave(&self) {
        self.exclusively(|place| *place = None);
    }

    /// Whether a future is parked here.
    #[track_caller]
    pub fn is_parked(&self) -> bool {
        self.exclusively(|place| place.is_some())
    }

    #[track_caller]
    fn exclusively<O>(&self, f: impl FnOnce(&mut Option<F>) -> O) -> O {
        match self.0.try_with(f) {
            Some(out) => out,
            None => panic!("this future is being polled or dropped at the moment"),
        }
    }
}

impl<F: Future> Default for Parked<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F> fmt::Debug for Parked<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked").finish_non_exhaustive()
    }
}
