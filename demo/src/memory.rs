//! The heap, counted: how much a run takes at most.

use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The heap as it was when this was made.
#[derive(Debug)]
pub(crate) struct Before(usize);

impl Before {
    pub(crate) fn now() -> Self {
        HEAP.reset_peak_usage();
        Self(HEAP.current_usage())
    }

    /// What was taken beyond that since, at most, in bytes.
    pub(crate) fn peak(&self) -> usize {
        HEAP.peak_usage().saturating_sub(self.0)
    }
}
