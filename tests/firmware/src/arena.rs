//! Where a case's values stay until the case and all its tasks are over.
//!
//! Invariant: a value lies in bytes that nobody else was given since the last [`reset`].

use core::cell::UnsafeCell;
use core::mem::{MaybeUninit, align_of, size_of};

use portable_atomic::{AtomicUsize, Ordering};

use crate::chip::ARENA;

#[repr(C, align(16))]
struct Arena(UnsafeCell<[MaybeUninit<u8>; ARENA]>);

// SAFETY: Validity: the bytes need no initial value. Aliasing: the invariant.
unsafe impl Sync for Arena {}

static BYTES: Arena = Arena(UnsafeCell::new([MaybeUninit::uninit(); ARENA]));
static USED: AtomicUsize = AtomicUsize::new(0);

/// Puts a value where it stays. It is never dropped.
///
/// # Panics
/// If there is no room: the case needs a smaller scale.
pub fn put<T: Send + Sync + 'static>(value: T) -> &'static T {
    put_mut(value)
}

/// [`put`] for a value of one owner.
///
/// # Panics
/// As [`put`].
pub fn put_mut<T: Send + 'static>(value: T) -> &'static mut T {
    const { assert!(align_of::<T>() <= 16) };
    let take = |used: usize| Some(used.next_multiple_of(align_of::<T>()) + size_of::<T>());
    let before = USED.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
    let start = before
        .unwrap_or_else(|used| used)
        .next_multiple_of(align_of::<T>());
    assert!(
        start + size_of::<T>() <= ARENA,
        "the arena of {ARENA} bytes is full"
    );
    // SAFETY: Validity: in bounds and aligned, as just seen. Aliasing: these bytes are this call's, by the counter.
    unsafe {
        let place = BYTES.0.get().cast::<u8>().add(start).cast::<T>();
        place.write(value);
        &mut *place
    }
}

/// Forgets all values.
///
/// # Safety
/// Nobody has a reference from [`put`] any more.
pub unsafe fn reset() {
    USED.store(0, Ordering::SeqCst);
}

/// How much is in use.
pub fn used() -> usize {
    USED.load(Ordering::SeqCst)
}
