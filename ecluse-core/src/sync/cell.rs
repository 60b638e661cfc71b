//! One cell for both builds: loom's checks every access against the happens-before order, the
//! usual one compiles to nothing.

#[cfg(ecluse_loom)]
#[expect(clippy::unsafe_removed_from_name, reason = "one name for both builds")]
pub(crate) use loom::cell::UnsafeCell as Cell;

/// `UnsafeCell` with loom's interface: a pointer for the length of a closure.
#[cfg(not(ecluse_loom))]
#[repr(transparent)]
pub(crate) struct Cell<T>(core::cell::UnsafeCell<T>);

#[cfg(not(ecluse_loom))]
impl<T> Cell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(core::cell::UnsafeCell::new(value))
    }

    #[inline(always)]
    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}
