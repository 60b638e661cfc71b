//! Counts what is allocated: how often, how many bytes.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ops::Sub,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static TIMES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: Validity: all calls go to the system's allocator. Aliasing: none of our own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Relaxed);
        TIMES.fetch_add(1, Relaxed);
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

/// What has been allocated so far, freed again or not.
#[derive(Clone, Copy, Default)]
pub struct Allocated {
    pub bytes: usize,
    pub times: usize,
}

impl Sub for Allocated {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            times: self.times - before.times,
        }
    }
}

/// What has been allocated so far, freed again or not, by all threads.
pub fn allocated() -> Allocated {
    Allocated {
        bytes: BYTES.load(Relaxed),
        times: TIMES.load(Relaxed),
    }
}
