//! Foreign code that is no waker: values, futures, functions. It says that it runs, so that it can be hostile; what there is of it is
//! counted.

use core::fmt;

use portable_atomic::{AtomicI32, Ordering};

use super::{Callback, Guarded, TestWaker};

/// The foreign code of one world.
pub struct Foreign {
    hostile: Guarded<Option<&'static TestWaker>>,
    alive: AtomicI32,
}

impl Foreign {
    /// Nothing is there yet, and nothing is hostile.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            hostile: Guarded::new(None),
            alive: AtomicI32::new(0),
        }
    }

    /// From now on this one acts.
    pub fn turn(&self, hostile: &'static TestWaker) {
        self.hostile.with(|place| *place = Some(hostile));
    }

    /// Foreign code runs.
    pub fn called(&self, callback: Callback) {
        if let Some(hostile) = self.hostile.with(|hostile| *hostile) {
            hostile.called(callback);
        }
    }

    /// One more is there.
    pub fn born(&self) {
        self.alive.fetch_add(1, Ordering::SeqCst);
    }

    /// One less.
    pub fn gone(&self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }

    /// How many are there. Below zero: one was dropped twice.
    pub fn alive(&self) -> i32 {
        self.alive.load(Ordering::SeqCst)
    }
}

impl Default for Foreign {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign")
            .field("alive", &self.alive())
            .finish_non_exhaustive()
    }
}

/// A value whose clone and drop are foreign code.
#[derive(Debug)]
pub struct Value {
    /// What it is.
    pub number: u32,
    /// Whose it is.
    pub of: &'static Foreign,
}

impl Value {
    /// One more.
    #[must_use]
    pub fn new(number: u32, of: &'static Foreign) -> Self {
        of.born();
        Self { number, of }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.of.called(Callback::CloneValue);
        Self::new(self.number, self.of)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // It is gone even if its drop panics.
        self.of.gone();
        self.of.called(Callback::DropValue);
    }
}
