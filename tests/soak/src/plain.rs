//! Plain memory, which only one may touch at a time: whom a primitive lets in without the order that this
//! takes is found out by ThreadSanitizer.
//!
//! This file has `unsafe` of its own: memory that is neither locked nor atomic cannot be shared without,
//! and what would make it safe is just what is under test.

#![allow(unsafe_code)]

use core::cell::UnsafeCell;

/// Counts who was there.
#[derive(Debug, Default)]
pub(crate) struct Plain(UnsafeCell<u64>);

// SAFETY: Validity: a number. Aliasing: `touch` is called by one at a time, which its callers see to.
unsafe impl Sync for Plain {}

impl Plain {
    /// # Safety
    /// Nobody else is in here.
    pub(crate) unsafe fn touch(&self) {
        // SAFETY: Validity: a number, from its making on. Aliasing: by the caller's promise.
        unsafe { *self.0.get() += 1 };
    }
}
