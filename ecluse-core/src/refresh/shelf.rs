//! A value that is read by many and replaced by one, with user code (its clone, its drop) outside of
//! every lock. It has two sides: readers are led to one, the writer is at the other. So a reader
//! waits for nobody, and the writer only for one who has been at it since the value before the last.
//!
//! This file has `unsafe` of its own: a side belongs to whoever has its permits.
//!
//! Invariant **B1**: a side is read with a permit out, and written with all of them out.

use crate::{
    admission::{Admission, Fifo},
    sync::{Cell, Lock},
};

/// More readers than there are threads or tasks in the middle of a clone.
const READERS: usize = 1 << 16;

pub(super) struct Shelf<T, L> {
    sides: [Side<T, L>; 2],
}

struct Side<T, L> {
    gate: Admission<Fifo, L>,
    value: Cell<Option<T>>,
}

// SAFETY: Validity: the value is read by many threads and dropped by any. Aliasing: B1.
unsafe impl<T: Send + Sync, L: Sync> Sync for Side<T, L> {}
// SAFETY: Validity: moving it moves the value. Aliasing: moving needs ownership.
unsafe impl<T: Send, L: Send> Send for Side<T, L> {}

impl<T, L: Lock> Side<T, L> {
    const_fn! {
        const fn new() -> Self {
            Self {
                // (The writer is the only one that waits.)
                gate: Admission::new(READERS, usize::MAX),
                value: Cell::new(None),
            }
        }
    }

    /// # Safety
    /// All permits are out, and the caller's.
    unsafe fn set(&self, value: Option<T>) -> Option<T> {
        // SAFETY: Validity: a value like any. Aliasing: B1.
        self.value
            .with_mut(|place| unsafe { core::mem::replace(&mut *place, value) })
    }
}

impl<T, L: Lock> Shelf<T, L> {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                sides: [Side::new(), Side::new()],
            }
        }
    }

    #[inline(always)]
    fn side(&self, side: bool) -> &Side<T, L> {
        let [even, odd] = &self.sides;
        if side { odd } else { even }
    }

    /// Looks at the value of a side. `None`: the writer is at it, or waits for it.
    #[inline]
    pub(super) fn read<R>(&self, side: bool, look: impl FnOnce(Option<&T>) -> R) -> Option<R> {
        let side = self.side(side);
        let _permit = side.gate.try_acquire(1).ok()?;
        // SAFETY: Validity: a value like any. Aliasing: B1.
        Some(side.value.with(|value| look(unsafe { (*value).as_ref() })))
    }

    /// Puts a value where no reader is led to. Gives what was there, if a late reader had kept it.
    /// Waits for one that is there still.
    pub(super) async fn put(&self, side: bool, value: T) -> Option<T> {
        let side = self.side(side);
        let permit = match side.gate.try_acquire(READERS) {
            Ok(permit) => permit,
            // (It is never closed, and its room has no end.)
            Err(_) => side.gate.acquire(READERS).await.ok()?,
        };
        // SAFETY: all permits are out.
        let before = unsafe { side.set(Some(value)) };
        drop(permit);
        before
    }

    /// Takes the value from where no reader is led to any more, unless one is there still.
    pub(super) fn take(&self, side: bool) -> Option<T> {
        let side = self.side(side);
        let _permit = side.gate.try_acquire(READERS).ok()?;
        // SAFETY: all permits are out.
        unsafe { side.set(None) }
    }
}
