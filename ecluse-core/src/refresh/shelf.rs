//! A value that is read by many and replaced by one, with user code (its clone, its drop) outside of
//! every lock: a reader has a permit, the writer has all of them.
//!
//! This file has `unsafe` of its own: the cell belongs to whoever has the permits.
//!
//! Invariant **B1**: the cell is read with a permit out, and written with all of them out.

use crate::{
    admission::{Admission, Fifo, Permit},
    sync::{Cell, Lock},
};

/// More readers than there are threads or tasks in the middle of a clone.
const READERS: usize = 1 << 16;

pub(super) struct Shelf<T, L> {
    gate: Admission<Fifo, L>,
    value: Cell<Option<T>>,
}

// SAFETY: Validity: the value is read by many threads and dropped by any. Aliasing: B1.
unsafe impl<T: Send + Sync, L: Sync> Sync for Shelf<T, L> {}
// SAFETY: Validity: moving it moves the value. Aliasing: moving needs ownership.
unsafe impl<T: Send, L: Send> Send for Shelf<T, L> {}

impl<T, L: Lock> Shelf<T, L> {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                gate: Admission::new(READERS, usize::MAX),
                value: Cell::new(None),
            }
        }
    }

    /// Looks at the value. Waits only for a writer that is at it, or before us.
    pub(super) async fn read<R>(&self, look: impl FnOnce(Option<&T>) -> R) -> R {
        let Some(_permit) = self.permit(1).await else {
            return look(None);
        };
        // SAFETY: Validity: a value like any. Aliasing: B1.
        self.value.with(|value| look(unsafe { (*value).as_ref() }))
    }

    /// Replaces the value. Waits for readers that are in the middle of a clone.
    pub(super) async fn write(&self, value: T) {
        let Some(permit) = self.permit(READERS).await else {
            return;
        };
        // SAFETY: Validity: a value like any. Aliasing: B1.
        let before = self
            .value
            .with_mut(|place| unsafe { (*place).replace(value) });
        drop(permit);
        drop(before);
    }

    /// So many permits. `None` cannot be: the gate is never closed, and its room has no end.
    async fn permit(&self, weight: usize) -> Option<Permit<&Admission<Fifo, L>>> {
        match self.gate.try_acquire(weight) {
            Ok(permit) => Some(permit),
            Err(_) => self.gate.acquire(weight).await.ok(),
        }
    }
}
