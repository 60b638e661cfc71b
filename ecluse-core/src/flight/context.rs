//! Who is polling: what tells a body that asks for its own flight from another caller.
//!
//! A leader notes, for the length of each poll of its body, in which context that runs. Whoever
//! enlists in the same context meanwhile is inside that body, however deep and through whatever
//! other flights: nothing else runs there until the poll returns. With `std` a context is a thread;
//! without, it is the task, told by its waker.
//!
//! Invariant **P1**: a context can only find its *own* note by mistake of nobody: it is written and
//! taken back by that context itself, in program order. So Relaxed is enough.

use core::task::Waker;

use crate::sync::Ordering;

/// The context that polls a leader's body, if one does.
pub(super) struct Polled(imp::Note);

impl Polled {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self(imp::Note::new())
        }
    }

    /// Whether it is this context.
    #[inline]
    pub(super) fn is_here(&self, waker: &Waker) -> bool {
        self.0.is(imp::here(waker))
    }

    /// Notes this context until the mark is dropped.
    #[inline]
    pub(super) fn enter(&self, waker: &Waker) -> Here<'_> {
        self.0.set(imp::here(waker));
        Here(self)
    }
}

/// A body is being polled in this context.
pub(super) struct Here<'a>(&'a Polled);

impl Drop for Here<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.0.set(imp::NOWHERE);
    }
}

/// Threads have numbers. (Under loom all threads are one of the system's.)
#[cfg(all(feature = "std", not(ecluse_loom)))]
mod imp {
    use core::cell::Cell;

    use super::{Ordering, Waker};
    use crate::sync::AtomicU32;

    pub(super) const NOWHERE: u32 = 0;

    pub(super) struct Note(AtomicU32);

    impl Note {
        pub(super) const fn new() -> Self {
            Self(AtomicU32::new(NOWHERE))
        }

        #[inline(always)]
        pub(super) fn set(&self, context: u32) {
            // Relaxed: P1.
            self.0.store(context, Ordering::Relaxed);
        }

        #[inline(always)]
        pub(super) fn is(&self, context: u32) -> bool {
            // Relaxed: P1.
            self.0.load(Ordering::Relaxed) == context && context != NOWHERE
        }
    }

    std::thread_local! {
        static NUMBER: Cell<u32> = const { Cell::new(NOWHERE) };
    }

    /// The number of this thread; 0 while the thread's storage is being destroyed. They wrap after
    /// 2^32 threads.
    #[inline]
    pub(super) fn here(_: &Waker) -> u32 {
        NUMBER
            .try_with(|number| match number.get() {
                NOWHERE => {
                    static NEXT: AtomicU32 = AtomicU32::new(1);
                    // Relaxed: it need only be another each time.
                    let new = NEXT.fetch_add(1, Ordering::Relaxed).max(1);
                    number.set(new);
                    new
                }
                known => known,
            })
            .unwrap_or(NOWHERE)
    }
}

/// Tasks are told apart by their wakers: two words, compared, never called.
#[cfg(not(all(feature = "std", not(ecluse_loom))))]
mod imp {
    use core::ptr;

    use super::{Ordering, Waker};
    use crate::sync::AtomicUsize;

    pub(super) const NOWHERE: (usize, usize) = (0, 0);

    pub(super) struct Note(AtomicUsize, AtomicUsize);

    impl Note {
        const_fn! {
            pub(super) const fn new() -> Self {
                Self(AtomicUsize::new(0), AtomicUsize::new(0))
            }
        }

        #[inline(always)]
        pub(super) fn set(&self, (data, table): (usize, usize)) {
            // Relaxed, both: P1.
            self.0.store(data, Ordering::Relaxed);
            self.1.store(table, Ordering::Relaxed);
        }

        #[inline(always)]
        pub(super) fn is(&self, (data, table): (usize, usize)) -> bool {
            // Relaxed, both: P1. (Of two notes of others a mixture may be read; only one's own has
            // one's own table *and* data, but for wakers without data, and those have no identity.)
            self.1.load(Ordering::Relaxed) == table && self.0.load(Ordering::Relaxed) == data
        }
    }

    #[inline(always)]
    pub(super) fn here(waker: &Waker) -> (usize, usize) {
        (waker.data().addr(), ptr::from_ref(waker.vtable()).addr())
    }
}
