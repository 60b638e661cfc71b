//! A waker that counts what is done to it, and does something nasty if it is told to; also in the place of other user code, which
//! says by [`TestWaker::called`] that it runs.
//!
//! Invariant: every `Waker` made here points to a `&'static TestWaker`; there is nothing to free, so a count that does not balance is
//! a finding, never undefined behaviour.

use core::fmt;
use core::task::{RawWaker, RawWakerVTable, Waker};

use portable_atomic::{AtomicBool, AtomicUsize, Ordering};

/// Where foreign code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// `Waker::wake`, by value.
    Wake,
    /// `Waker::wake_by_ref`.
    WakeByRef,
    /// `Waker::clone`.
    Clone,
    /// The drop of a waker.
    Drop,
    /// The clone of a value.
    CloneValue,
    /// The drop of a value.
    DropValue,
    /// A key is hashed.
    Hash,
    /// A key is compared with another.
    Compare,
    /// The drop of a key.
    DropKey,
    /// A function that says what becomes of a value.
    Judge,
    /// A function that is called if something happens.
    Hook,
    /// A function that begins work.
    Make,
    /// The poll of a future.
    Poll,
    /// The drop of a future.
    DropFuture,
}

impl Callback {
    /// Those of a waker.
    pub const OF_WAKERS: [Self; 4] = [Self::Wake, Self::WakeByRef, Self::Clone, Self::Drop];
}

/// What a hostile waker does, once, when the chosen callback is called while it is armed.
type Act = &'static (dyn Fn() + Send + Sync);

/// Counts wakes, clones and drops of the wakers made from it.
pub struct TestWaker {
    made: AtomicUsize,
    wakes: AtomicUsize,
    clones: AtomicUsize,
    gone: AtomicUsize,
    armed: AtomicBool,
    acted: AtomicUsize,
    hostile: Option<(Callback, Act)>,
}

impl TestWaker {
    /// A waker that only counts.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            made: AtomicUsize::new(0),
            wakes: AtomicUsize::new(0),
            clones: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
            armed: AtomicBool::new(false),
            acted: AtomicUsize::new(0),
            hostile: None,
        }
    }

    /// A waker that also does `act` in `callback`, once after each [`arm`](Self::arm).
    #[must_use]
    pub const fn hostile(callback: Callback, act: Act) -> Self {
        Self {
            hostile: Some((callback, act)),
            ..Self::new()
        }
    }

    /// The next call of the chosen callback acts.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
    }

    /// No call acts any more.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    /// How often it acted.
    pub fn acted(&self) -> usize {
        self.acted.load(Ordering::SeqCst)
    }

    /// A waker of it.
    #[must_use]
    pub fn waker(&'static self) -> Waker {
        self.made.fetch_add(1, Ordering::SeqCst);
        // SAFETY: Validity: the data pointer is a `&'static TestWaker`, which is what each function of the table takes it for; all of
        // them are thread-safe. Aliasing: only shared references are made from it.
        unsafe { Waker::from_raw(self.raw()) }
    }

    /// How often it was woken, in either way.
    pub fn wakes(&self) -> usize {
        self.wakes.load(Ordering::SeqCst)
    }

    /// How often it was cloned.
    pub fn clones(&self) -> usize {
        self.clones.load(Ordering::SeqCst)
    }

    /// How many wakers of it are alive: made or cloned, and neither dropped nor used up.
    pub fn live(&self) -> usize {
        let gone = self.gone.load(Ordering::SeqCst);
        let born = self.made.load(Ordering::SeqCst) + self.clones.load(Ordering::SeqCst);
        assert!(gone <= born, "a waker was dropped twice");
        born - gone
    }

    fn raw(&'static self) -> RawWaker {
        RawWaker::new(core::ptr::from_ref(self).cast(), &TABLE)
    }

    /// Acts if it is armed for this callback.
    pub fn called(&self, callback: Callback) {
        if let Some((chosen, act)) = self.hostile {
            if chosen == callback && self.armed.swap(false, Ordering::SeqCst) {
                self.acted.fetch_add(1, Ordering::SeqCst);
                act();
            }
        }
    }
}

impl Default for TestWaker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TestWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestWaker")
            .field("wakes", &self.wakes())
            .field("live", &self.live())
            .finish_non_exhaustive()
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// The cell behind a waker's data pointer.
///
/// # Safety
/// `data` comes from [`TestWaker::raw`].
unsafe fn cell(data: *const ()) -> &'static TestWaker {
    // SAFETY: Validity: `raw` made the pointer from a `&'static TestWaker`. Aliasing: shared only.
    unsafe { &*data.cast() }
}

// The order in each: the callback acts before a clone counts (if it panics there is no clone), and after a waker counts as gone (it is
// gone even if its drop panics).

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: the table is only ever used with `raw`'s pointers.
    let cell = unsafe { cell(data) };
    cell.called(Callback::Clone);
    cell.clones.fetch_add(1, Ordering::SeqCst);
    cell.raw()
}

unsafe fn wake(data: *const ()) {
    // SAFETY: the table is only ever used with `raw`'s pointers.
    let cell = unsafe { cell(data) };
    cell.gone.fetch_add(1, Ordering::SeqCst);
    cell.wakes.fetch_add(1, Ordering::SeqCst);
    cell.called(Callback::Wake);
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: the table is only ever used with `raw`'s pointers.
    let cell = unsafe { cell(data) };
    cell.wakes.fetch_add(1, Ordering::SeqCst);
    cell.called(Callback::WakeByRef);
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: the table is only ever used with `raw`'s pointers.
    let cell = unsafe { cell(data) };
    cell.gone.fetch_add(1, Ordering::SeqCst);
    cell.called(Callback::Drop);
}
