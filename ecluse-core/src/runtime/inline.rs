//! A future of any type, in place, in a room of fixed size: what a static task pool can hold where
//! there is no heap and tasks must have one nameable type.
//!
//! This file has `unsafe` of its own: erasing a type without a box is nothing that the list or the
//! sync shim could do for it.
//!
//! Invariant **I1**: the bytes hold a valid, pinned-once-polled value of the type that `vtable` was
//! made for, from `new` to `drop`.

use core::{
    fmt,
    future::Future,
    marker::{PhantomData, PhantomPinned},
    mem::{MaybeUninit, align_of, size_of},
    pin::Pin,
    ptr,
    task::{Context, Poll},
};

/// The alignment that every [`Inline`] offers.
const ALIGN: usize = 8;

/// A `Send` future of any type that comes to `T` and fits into `SIZE` bytes, without allocation.
/// [`inline_size!`](crate::inline_size) tells how many an async function needs.
///
/// The size and the alignment (8 at most) are checked when the program is compiled:
///
/// ```
/// use ecluse_core::runtime::Inline;
/// # futures_executor::block_on(async {
/// let answer = core::sync::atomic::AtomicU32::new(0);
/// let answer: &'static _ = Box::leak(Box::new(answer));
/// let inline = Inline::<64>::new(async move { answer.store(42, core::sync::atomic::Ordering::Relaxed) });
/// inline.await;
/// assert_eq!(answer.load(core::sync::atomic::Ordering::Relaxed), 42);
/// # });
/// ```
///
/// ```compile_fail,E0080
/// use ecluse_core::runtime::Inline;
/// let _ = Inline::<4>::new(async { let big = [0u8; 64]; core::future::ready(()).await; drop(big) });
/// # fn main() {}
/// ```
#[repr(C, align(8))]
pub struct Inline<const SIZE: usize, T: 'static = ()> {
    bytes: [MaybeUninit<u8>; SIZE],
    table: &'static Table<T>,
    /// `Send` by the bound of `new`; not `Sync`, not `Unpin`.
    _kind: PhantomData<core::cell::Cell<()>>,
    _pin: PhantomPinned,
}

struct Table<T: 'static> {
    poll: unsafe fn(*mut u8, &mut Context<'_>) -> Poll<T>,
    drop: unsafe fn(*mut u8),
}

impl<const SIZE: usize, T: 'static> Inline<SIZE, T> {
    /// Moves `future` in. Too large a future is a compile error.
    pub fn new<F: Future<Output = T> + Send + 'static>(future: F) -> Self {
        const {
            assert!(size_of::<F>() <= SIZE, "the future is larger than the room");
            assert!(
                align_of::<F>() <= ALIGN,
                "the future needs an alignment above 8"
            );
        }
        let mut inline = Self {
            bytes: [const { MaybeUninit::uninit() }; SIZE],
            table: &Table {
                // SAFETY: Validity: called with the place of a pinned `F` (I1). Aliasing: by `&mut`
                // of the whole.
                poll: |place, cx| unsafe { Pin::new_unchecked(&mut *place.cast::<F>()).poll(cx) },
                // SAFETY: Validity: called once, from `drop` (I1). Aliasing: as above.
                drop: |place| unsafe { ptr::drop_in_place(place.cast::<F>()) },
            },
            _kind: PhantomData,
            _pin: PhantomPinned,
        };
        // SAFETY: Validity: size and alignment were checked; the bytes are the first field of a
        // `repr(C)` type aligned to 8. Aliasing: our own local.
        unsafe { inline.bytes.as_mut_ptr().cast::<F>().write(future) };
        inline
    }
}

impl<const SIZE: usize, T: 'static> Future for Inline<SIZE, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // SAFETY: Validity: nothing is moved out; the future inside is pinned with us (I1).
        // Aliasing: `&mut self` reaches it alone.
        unsafe {
            let this = self.get_unchecked_mut();
            (this.table.poll)(this.bytes.as_mut_ptr().cast(), cx)
        }
    }
}

impl<const SIZE: usize, T: 'static> Drop for Inline<SIZE, T> {
    fn drop(&mut self) {
        // SAFETY: Validity: the value is there until here (I1). Aliasing: `&mut self`.
        unsafe { (self.table.drop)(self.bytes.as_mut_ptr().cast()) }
    }
}

impl<const SIZE: usize, T: 'static> fmt::Debug for Inline<SIZE, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inline")
            .field("size", &SIZE)
            .finish_non_exhaustive()
    }
}

/// The size of the future of an async function, for [`Inline`](crate::runtime::Inline): exact, and
/// known when the program is compiled.
///
/// Takes the path of a function of up to four arguments (no closure: a closure has no name).
///
/// ```
/// use ecluse_core::{inline_size, runtime::Inline};
///
/// async fn blink(times: u32) {
///     let pattern = [0_u8; 100];
///     core::future::ready(()).await;
///     drop((pattern, times));
/// }
///
/// type Blink = Inline<{ inline_size!(blink) }>;
/// let _ = Blink::new(blink(3));
/// ```
#[macro_export]
macro_rules! inline_size {
    ($make:path) => {
        $crate::runtime::size_of_made(&$make)
    };
}

/// A function that makes a future.
pub trait Makes<Arguments> {
    /// The future.
    type Future;
}

macro_rules! makes {
    ($($argument:ident)*) => {
        impl<M, F, $($argument),*> Makes<($($argument,)*)> for M
        where
            M: FnOnce($($argument),*) -> F,
        {
            type Future = F;
        }
    };
}

makes!();
makes!(A);
makes!(A B);
makes!(A B C);
makes!(A B C D);

/// What [`inline_size!`](crate::inline_size) is.
#[doc(hidden)]
pub const fn size_of_made<Arguments, M: Makes<Arguments>>(_: &M) -> usize {
    size_of::<M::Future>()
}
