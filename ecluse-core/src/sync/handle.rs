//! Ways to hold on to a shared object: borrowed or owned, one implementation of everything else.

use core::ops::Deref;

/// A pointer to a shared object, which every clone of it and every call of `deref` leads to:
/// `&T`, and with `alloc` `Arc<T>` and `Rc<T>`.
///
/// Sealed: a wait unlinks its node under the lock of the object that its handle leads to, which
/// must be the one that it enlisted with.
pub trait Handle: Deref + Clone + sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

impl<T: ?Sized> sealed::Sealed for &T {}
impl<T: ?Sized> Handle for &T {}

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl<T: ?Sized> sealed::Sealed for alloc::sync::Arc<T> {}
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
impl<T: ?Sized> Handle for alloc::sync::Arc<T> {}

#[cfg(feature = "alloc")]
impl<T: ?Sized> sealed::Sealed for alloc::rc::Rc<T> {}
#[cfg(feature = "alloc")]
impl<T: ?Sized> Handle for alloc::rc::Rc<T> {}
