//! Calling user code: wakers, clones, drops, hooks. It may panic, and it may come back into the
//! object that calls it; what must be done besides is done all the same.
//!
//! With `std` a panic is caught, the rest is finished, and the first payload goes on at the end
//! (unless its thread is unwinding already). Without `std` the panic unwinds at once, and the drop
//! guard that every caller has finishes the rest. Both follow from one rule of use:
//!
//! Invariant **U1**: a loop over user calls keeps its progress in a value with a `Drop` that goes
//! on with it, and takes each thing out of that value before the call that may panic.

#[cfg(all(feature = "std", not(ecluse_loom)))]
mod imp {
    use alloc::boxed::Box;
    use core::{any::Any, panic::AssertUnwindSafe};
    use std::panic::{catch_unwind, resume_unwind};

    /// Calls of user code whose first panic goes on when all is done.
    pub(crate) struct UserCode(Option<Box<dyn Any + Send>>);

    impl UserCode {
        pub(crate) const fn new() -> Self {
            Self(None)
        }

        /// Makes one call; `None` if it panicked.
        pub(crate) fn call<R>(&mut self, call: impl FnOnce() -> R) -> Option<R> {
            match catch_unwind(AssertUnwindSafe(call)) {
                Ok(value) => Some(value),
                Err(payload) if self.0.is_none() => {
                    self.0 = Some(payload);
                    None
                }
                Err(payload) => {
                    discard(payload);
                    None
                }
            }
        }

        /// Forgets what was caught so far.
        pub(crate) fn forgive(&mut self) {
            if let Some(payload) = self.0.take() {
                discard(payload);
            }
        }

        /// The first panic goes on, unless the thread is unwinding already.
        pub(crate) fn rethrow(&mut self) {
            if let Some(payload) = self.0.take() {
                if std::thread::panicking() {
                    discard(payload);
                } else {
                    resume_unwind(payload);
                }
            }
        }
    }

    /// A payload is user data: its drop may panic, and that one is kept from doing it again.
    fn discard(payload: Box<dyn Any + Send>) {
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            core::mem::forget(again);
        }
    }
}

#[cfg(not(all(feature = "std", not(ecluse_loom))))]
mod imp {
    /// Calls of user code, whose panics unwind at once.
    pub(crate) struct UserCode(());

    impl UserCode {
        pub(crate) const fn new() -> Self {
            Self(())
        }

        /// Makes one call.
        #[inline(always)]
        pub(crate) fn call<R>(&mut self, call: impl FnOnce() -> R) -> Option<R> {
            Some(call())
        }

        /// Nothing was caught.
        #[inline(always)]
        pub(crate) fn forgive(&mut self) {}

        /// Nothing was caught.
        #[inline(always)]
        pub(crate) fn rethrow(&mut self) {}
    }
}

pub(crate) use imp::UserCode;
