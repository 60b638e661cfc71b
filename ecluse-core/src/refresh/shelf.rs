//! A value that is read by many and replaced by one, with user code (its clone, its drop) outside of
//! every lock. It has two sides: readers are led to one, the writer is at the other. So a reader
//! waits for nobody, and the writer only for one who has been at it since the value before the last.
//!
//! | bits of a side's gate | name | means |
//! |---|---|---|
//! | 0 | `SHUT` | the writer's: whoever comes goes elsewhere |
//! | 1… | readers | how many are in, or on their way out again because it is shut |
//!
//! This file has `unsafe` of its own: a side belongs to who is let in by its gate.
//!
//! Invariants:
//! - **B1** A side is read by those who came in while it was open, until they leave. It is written by
//!   the one who shut it, once nobody has been in since; until it opens it again.
//! - **B2** Each change of a gate is a read-modify-write. Who finds it open acquires what was written
//!   before; who leaves releases; so the writer, who acquires a gate with nobody in, comes after the
//!   reads of all who were.
//! - **B3** The writer queues, under the lock, only behind somebody who is in; and the last to leave a
//!   gate that is shut looks, under the lock, whether to wake.

use crate::{
    sync::{Cell, Lock, Locked, Ordering, Protected, Word},
    wait::{Drain, Link, Protocol, Ring, Wait},
};

const SHUT: usize = 1;
const ONE: usize = 2;

pub(super) struct Shelf<T, L> {
    sides: [Side<T>; 2],
    /// Where the writer waits for late readers.
    late: Protected<L, Ring<()>>,
}

struct Side<T> {
    gate: Word,
    value: Cell<Option<T>>,
}

// SAFETY: Validity: the value is read by many threads and dropped by any. Aliasing: B1.
unsafe impl<T: Send + Sync> Sync for Side<T> {}
// SAFETY: Validity: moving it moves the value. Aliasing: moving needs ownership.
unsafe impl<T: Send> Send for Side<T> {}

impl<T> Side<T> {
    const_fn! {
        const fn new() -> Self {
            Self {
                gate: Word::new(0),
                value: Cell::new(None),
            }
        }
    }

    /// Nobody is in.
    fn is_clear(&self) -> bool {
        // Acquire: B2.
        self.gate.load(Ordering::Acquire) < ONE
    }
}

impl<T, L: Lock> Shelf<T, L> {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                sides: [Side::new(), Side::new()],
                late: Protected::new(Ring::new()),
            }
        }
    }

    #[inline(always)]
    fn side(&self, side: bool) -> &Side<T> {
        let [even, odd] = &self.sides;
        if side { odd } else { even }
    }

    /// Looks at the value of a side. `None`: the writer is at it, or waits for it.
    #[inline]
    pub(super) fn read<R>(&self, side: bool, look: impl FnOnce(Option<&T>) -> R) -> Option<R> {
        let side = self.side(side);
        // Acquire: pairs with the opening by the writer (B2).
        let before = side.gate.add_free(&self.late, ONE, Ordering::Acquire);
        let _visit = Visit { shelf: self, side };
        if before & SHUT != 0 {
            return None;
        }
        // SAFETY: Validity: a value like any. Aliasing: B1.
        Some(side.value.with(|value| look(unsafe { (*value).as_ref() })))
    }

    /// Shuts a side that no reader is led to, and waits for one that is there still. `None` if another
    /// has shut it.
    pub(super) async fn clear(&self, side: bool) -> Option<Shut<'_, T, L>> {
        let shut = self.shut(side, true)?;
        if !shut.side.is_clear() {
            Wait::new(ToClear(&shut)).await;
        }
        Some(shut)
    }

    /// Takes the value from where no reader is led to any more, unless one is there still.
    pub(super) fn take(&self, side: bool) -> Option<T> {
        self.shut(side, false)?.set(None)
    }

    /// Shuts a side, if it is open and, unless late readers do not matter, clear.
    fn shut(&self, side: bool, late: bool) -> Option<Shut<'_, T, L>> {
        let side = self.side(side);
        // Relaxed, twice: what matters is decided by the swap.
        let mut gate = side.gate.load(Ordering::Relaxed);
        loop {
            if gate & SHUT != 0 || (gate >= ONE && !late) {
                return None;
            }
            // Acquire: pairs with those who have left (B2).
            match side.gate.swap_free(
                &self.late,
                gate,
                gate | SHUT,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(()) => return Some(Shut { shelf: self, side }),
                Err(now) => gate = now,
            }
        }
    }

    /// The last of those who were in a side that is shut has left.
    #[cold]
    fn left(&self, side: &Side<T>) {
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.late, &sentinel, ());
        self.late.with(|writer| {
            // Acquire: for the writer, who comes after this, of those who left before (B2). (By now it
            // may have been opened, and the writer be at the other side.)
            if side.gate.load(Ordering::Acquire) == SHUT {
                // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
                unsafe {
                    drain.detach(writer);
                    drain.begin();
                }
            }
        });
        drain.run();
    }
}

/// One is in, or on its way out.
struct Visit<'a, T, L: Lock> {
    shelf: &'a Shelf<T, L>,
    side: &'a Side<T>,
}

impl<T, L: Lock> Drop for Visit<'_, T, L> {
    #[inline]
    fn drop(&mut self) {
        // Release: pairs with the writer's Acquire (B2).
        let minus = ONE.wrapping_neg();
        let before = self
            .side
            .gate
            .add_free(&self.shelf.late, minus, Ordering::Release);
        if before == ONE | SHUT {
            self.shelf.left(self.side);
        }
    }
}

/// A side that is shut, and clear wherever this is given away; dropping it opens the side.
pub(super) struct Shut<'a, T, L: Lock> {
    shelf: &'a Shelf<T, L>,
    side: &'a Side<T>,
}

impl<T, L: Lock> Shut<'_, T, L> {
    /// Puts a value there, opens the side, and gives what was there.
    pub(super) fn set(self, value: Option<T>) -> Option<T> {
        // SAFETY: Validity: a value like any. Aliasing: B1.
        self.side
            .value
            .with_mut(|place| unsafe { core::mem::replace(&mut *place, value) })
    }
}

impl<T, L: Lock> Drop for Shut<'_, T, L> {
    fn drop(&mut self) {
        // Release: pairs with the Acquire of who comes in (B2).
        let minus = SHUT.wrapping_neg();
        self.side
            .gate
            .add_free(&self.shelf.late, minus, Ordering::Release);
    }
}

/// What the writer waits for: that nobody is in any more.
struct ToClear<'a, T, L: Lock>(&'a Shut<'a, T, L>);

impl<T, L: Lock> Protocol for ToClear<'_, T, L> {
    type Lock = L;
    type Held = Ring<()>;
    type Grant = ();
    type Extra = ();
    type Output = ();
    type Notes = ();

    fn guarded(&self) -> &Protected<L, Ring<()>> {
        &self.0.shelf.late
    }

    fn ring<'h>(&'h self, writer: &'h mut Locked<Ring<()>>) -> Option<&'h mut Ring<()>> {
        Some(writer)
    }

    fn over(&self, _: &mut Locked<Ring<()>>) -> Option<()> {
        self.0.side.is_clear().then_some(())
    }

    fn observe(&self, (): ()) {}
}
