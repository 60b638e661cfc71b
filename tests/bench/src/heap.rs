//! Counts what is allocated.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: Validity: all calls go to the system's allocator. Aliasing: none of our own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Relaxed);
        // SAFETY: Validity: the caller's contract. Aliasing: the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: Validity: the caller's contract. Aliasing: the system's.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

/// Bytes that `work` allocates, freed again or not.
pub fn allocated(work: impl FnOnce()) -> usize {
    let before = BYTES.load(Relaxed);
    work();
    BYTES.load(Relaxed) - before
}
