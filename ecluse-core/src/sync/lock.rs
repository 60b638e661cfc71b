//! The list lock: its kinds, its default, and the value that it protects.
//!
//! A lock is a type parameter of every primitive. Holding it is bounded by design (a few pointer
//! moves, or one batch of them), and **no user code ever runs under it**, so a plain mutex, a
//! critical section and no lock at all are interchangeable.
//!
//! | lock | for | interrupts | size |
//! |---|---|---|---|
//! | `StdMutex` (feature `std`) | threads | – | 8 B on the usual hosts |
//! | `CriticalSection` (feature `critical-section`) | firmware, one core or several | safe to release from a handler | 0 |
//! | [`Local`] | one executor, one thread: the object is `!Sync` | – | 0 |
//! | [`NoDefaultLock`] | stands where no feature chose one; it is no lock, and the compiler says what to enable | – | – |
//!
//! Invariant **S3**: sections of one value never nest. Sections of two do in one place, the count of a
//! `Group` with a limit, which is asked with a bucket's lock held and takes no other: so there is an
//! order, and a critical section is entered twice at most.

use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use super::Cell;

/// A lock that the engine can hold for a bounded list operation.
///
/// Sealed: the kinds are `StdMutex`, `CriticalSection` and [`Local`]. Choose one as the last
/// parameter of a primitive, or take [`DefaultLock`].
///
/// # Safety
/// `hold` runs its closure while no other `hold` of the same lock runs on any thread, and what one
/// holder did happens before what the next one does.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot guard a waiter list",
    label = "no lock chosen",
    note = "enable the feature `std` (hosts) or `critical-section` (firmware) of ecluse-core, or name a lock: `Slot<Handoff, Local>`"
)]
pub unsafe trait Lock: Sized + 'static + private::Sealed {
    /// An open lock.
    #[cfg(not(ecluse_loom))]
    #[doc(hidden)]
    const NEW: Self;

    /// An open lock.
    #[cfg(ecluse_loom)]
    #[doc(hidden)]
    fn new() -> Self;

    /// How large a value may be that is moved while this lock is held: as many bytes as cost less
    /// than holding it once more.
    #[doc(hidden)]
    const CARRIES: usize;

    /// Whether another thread can be there: else a load and a store are as good as a
    /// read-modify-write.
    #[doc(hidden)]
    const SHARED: bool = true;

    /// Runs `section` while the lock is held.
    #[doc(hidden)]
    fn hold<R>(&self, section: impl FnOnce() -> R) -> R;
}

mod private {
    pub trait Sealed {}
}

/// The standard library's mutex. A poisoned one is used on: no user code runs under it, so there
/// is no half-done state that a panic could leave.
#[cfg(feature = "std")]
#[derive(Debug)]
pub struct StdMutex {
    #[cfg(not(ecluse_loom))]
    mutex: std::sync::Mutex<()>,
    #[cfg(ecluse_loom)]
    mutex: loom::sync::Mutex<()>,
}

#[cfg(feature = "std")]
impl private::Sealed for StdMutex {}

// SAFETY: Validity: a mutex excludes other holders. Aliasing: its unlock happens before the next
// lock.
#[cfg(feature = "std")]
unsafe impl Lock for StdMutex {
    #[cfg(not(ecluse_loom))]
    const NEW: Self = Self {
        mutex: std::sync::Mutex::new(()),
    };

    #[cfg(ecluse_loom)]
    fn new() -> Self {
        Self {
            mutex: loom::sync::Mutex::new(()),
        }
    }

    const CARRIES: usize = 256;

    #[inline]
    fn hold<R>(&self, section: impl FnOnce() -> R) -> R {
        let _held = self
            .mutex
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        section()
    }
}

/// `critical_section::with`: excludes interrupts and, with an implementation that does, the other
/// cores. The binary chooses the implementation; this crate enables none.
#[cfg(feature = "critical-section")]
#[derive(Debug)]
pub struct CriticalSection(());

#[cfg(feature = "critical-section")]
impl private::Sealed for CriticalSection {}

// SAFETY: Validity: a critical section excludes every other one, whatever lock it is taken for, but
// those within it, which are of other values (S3). Aliasing: the implementation of
// `critical-section` promises acquire and release ordering.
#[cfg(feature = "critical-section")]
unsafe impl Lock for CriticalSection {
    #[cfg(not(ecluse_loom))]
    const NEW: Self = Self(());

    #[cfg(ecluse_loom)]
    fn new() -> Self {
        Self(())
    }

    /// A few instructions with interrupts off.
    const CARRIES: usize = 2 * size_of::<usize>();

    #[inline]
    fn hold<R>(&self, section: impl FnOnce() -> R) -> R {
        critical_section::with(|_| section())
    }
}

/// No lock, for objects that never leave one thread: the object is `!Sync`, so it lives on the
/// stack of one task or in a `thread_local!`.
///
/// ```
/// use ecluse_core::{Handoff, Local, Slot};
/// thread_local! { static SLOT: Slot<Handoff, Local> = const { Slot::new() }; }
/// SLOT.with(|slot| assert!(slot.try_claim().is_ok()));
/// ```
///
/// ```compile_fail,E0277
/// use ecluse_core::{Handoff, Local, Slot};
/// static SLOT: Slot<Handoff, Local> = Slot::new(); // `Local` is not `Sync`
/// ```
#[derive(Debug)]
pub struct Local(PhantomData<core::cell::Cell<()>>);

impl private::Sealed for Local {}

// SAFETY: Validity: the type is `!Sync`, so there is no second thread, and sections of one value do
// not nest (S3). Aliasing: one thread's program order.
unsafe impl Lock for Local {
    #[cfg(not(ecluse_loom))]
    const NEW: Self = Self(PhantomData);

    #[cfg(ecluse_loom)]
    fn new() -> Self {
        Self(PhantomData)
    }

    const CARRIES: usize = usize::MAX;

    const SHARED: bool = false;

    #[inline(always)]
    fn hold<R>(&self, section: impl FnOnce() -> R) -> R {
        section()
    }
}

/// Stands in for [`DefaultLock`] where no feature chose a lock. It implements nothing: using it
/// is a compile error that names the features.
#[derive(Debug)]
pub struct NoDefaultLock(());

/// The lock of a primitive that names none: `StdMutex` with the feature `std`, else
/// `CriticalSection` with `critical-section`, else [`NoDefaultLock`].
#[cfg(feature = "std")]
pub type DefaultLock = StdMutex;
/// The lock of a primitive that names none: `StdMutex` with the feature `std`, else
/// `CriticalSection` with `critical-section`, else [`NoDefaultLock`].
#[cfg(all(feature = "critical-section", not(feature = "std")))]
pub type DefaultLock = CriticalSection;
/// The lock of a primitive that names none: `StdMutex` with the feature `std`, else
/// `CriticalSection` with `critical-section`, else [`NoDefaultLock`].
#[cfg(not(any(feature = "std", feature = "critical-section")))]
pub type DefaultLock = NoDefaultLock;

/// A value that is only reached with its lock held.
pub struct Protected<L, T> {
    lock: L,
    value: Cell<Locked<T>>,
}

/// The protected value as its holder sees it: a function that takes `&mut Locked<T>` needs the
/// lock, and cannot be called without it.
#[repr(transparent)]
pub struct Locked<T>(T);

// SAFETY: Validity: the value is only reached under the lock, one holder at a time, so sharing
// needs `T: Send` as for a mutex. Aliasing: `L: Sync` is what tells a real lock from `Local`.
unsafe impl<L: Sync, T: Send> Sync for Protected<L, T> {}
// SAFETY: Validity: moving it moves the lock and the value. Aliasing: moving needs ownership.
unsafe impl<L: Send, T: Send> Send for Protected<L, T> {}

impl<L: Lock, T> Protected<L, T> {
    const_fn! {
        pub(crate) const fn new(value: T) -> Self {
            Self {
                #[cfg(not(ecluse_loom))]
                lock: L::NEW,
                #[cfg(ecluse_loom)]
                lock: L::new(),
                value: Cell::new(Locked(value)),
            }
        }
    }

    /// Runs `section` with the lock held. No user code, no panic, no allocation in it.
    #[inline]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&mut Locked<T>) -> R) -> R {
        self.lock.hold(|| {
            self.value.with_mut(|value| {
                // SAFETY: Validity: the cell holds a `T` from `new` on. Aliasing: the lock is
                // held, and `value` is reached only here, in sections that do not nest (S3).
                section(unsafe { &mut *value })
            })
        })
    }
}

impl<L, T> Protected<L, T> {
    /// The value, for whoever owns it.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.with_mut(|value| {
            // SAFETY: Validity: the cell holds a `T` from `new` on. Aliasing: `&mut self`.
            &mut unsafe { &mut *value }.0
        })
    }
}

impl<T> Deref for Locked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Locked<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
