//! Ways to hold on to a shared object: borrowed or owned, one implementation of everything else.

use core::ops::Deref;

/// A pointer to a shared object, which every clone of it and every call of `deref` leads to:
/// `&T`; with the feature `alloc` `Arc<T>` and `Rc<T>`; with `portable-atomic` also
/// `portable_atomic_util::Arc<T>`, for targets without compare-and-swap.
///
/// Sealed: a wait unlinks its node under the lock of the object that its handle leads to, which
/// must be the one that it enlisted with.
pub trait Handle: Deref + Clone + sealed::Sealed {}

mod sealed {
    pub trait Sealed {}
}

/// The one place that names the pointers.
macro_rules! handles {
    ($($(#[$when:meta])* $pointer:ty;)*) => {$(
        $(#[$when])*
        impl<T: ?Sized> sealed::Sealed for $pointer {}
        $(#[$when])*
        impl<T: ?Sized> Handle for $pointer {}
    )*};
}

handles! {
    &T;
    #[cfg(feature = "alloc")] alloc::rc::Rc<T>;
    #[cfg(all(feature = "alloc", target_has_atomic = "ptr"))] alloc::sync::Arc<T>;
    #[cfg(feature = "portable-atomic")] portable_atomic_util::Arc<T>;
}
