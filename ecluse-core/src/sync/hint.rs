//! A hint: what was so a moment ago, for somebody who looks under the lock anyhow, or need not.

use core::sync::atomic::{AtomicBool, Ordering};

/// Written under a lock, read without it. It orders nothing, and nobody relies on it, so that loom is
/// not shown it: a model walks both ways all the same.
pub(crate) struct Hint(AtomicBool);

impl Hint {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: bool) {
        self.0.store(value, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
