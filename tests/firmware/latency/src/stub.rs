//! Wakers that do nothing, or count.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, RawWaker, RawWakerVTable, Waker};

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, |_| ());

/// Who was woken, by number.
static WOKEN: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

fn clone(data: *const ()) -> RawWaker {
    RawWaker::new(data, &TABLE)
}

fn wake(data: *const ()) {
    wake_by_ref(data);
}

fn wake_by_ref(data: *const ()) {
    let (word, bit) = (data.addr() / 32, data.addr() % 32);
    // One core, one thread: a load and a store do.
    WOKEN[word].store(
        WOKEN[word].load(Ordering::Relaxed) | 1 << bit,
        Ordering::Relaxed,
    );
}

/// The waker of this number, below 64.
pub fn waker(number: usize) -> Waker {
    // SAFETY: Validity: no function of the table follows the pointer, which is a number. Aliasing: nothing is shared.
    unsafe { Waker::from_raw(clone(core::ptr::without_provenance(number))) }
}

/// Runs `f` with a context of this number's waker.
pub fn with<O>(number: usize, f: impl FnOnce(&mut Context<'_>) -> O) -> O {
    f(&mut Context::from_waker(&waker(number)))
}

/// The number of one who was woken, once.
pub fn woken() -> Option<usize> {
    for (index, word) in WOKEN.iter().enumerate() {
        let bits = word.load(Ordering::Relaxed);
        if bits != 0 {
            word.store(bits & (bits - 1), Ordering::Relaxed);
            return Some(index * 32 + bits.trailing_zeros() as usize);
        }
    }
    None
}

/// Forgets all wakes.
pub fn forget() {
    WOKEN
        .iter()
        .for_each(|word| word.store(0, Ordering::Relaxed));
}
