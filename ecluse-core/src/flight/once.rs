//! `Once`: the first success is kept. A slot whose closing says that the value is there.
//!
//! This file has `unsafe` of its own: it hands out references to a cell that is written once.
//!
//! | the slot is | the value is | who may touch it |
//! |---|---|---|
//! | open | not there | the holder of the claim may write it |
//! | closed | there | everybody may read it |
//!
//! Invariants:
//! - **V1** The value is written by the holder of the slot's claim, and the slot is closed after it
//!   (Release), while the claim is held. So it is written once.
//! - **V2** Whoever finds the slot closed has loaded that with Acquire (or was told so by a grant),
//!   and sees the value.

use core::{
    convert::Infallible,
    fmt,
    future::Future,
    mem::{self, MaybeUninit},
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::context::Polled;
use crate::{
    Claim, Handoff, Slot,
    claim::Claiming,
    sync::{Cell, DefaultLock, Lock},
    wait::UserCode,
};

/// A value that is made once, by whoever asks for it first, and kept.
///
/// Those who ask while it is made wait; a failure, a cancellation or a panic leaves it empty, and
/// exactly one of them tries next, with its own closure. Once made it is served by one load.
///
/// No allocation; can be a `static`.
///
/// ```
/// use ecluse_core::flight::Once;
///
/// static CONFIG: Once<String> = Once::new();
///
/// # futures_executor::block_on(async {
/// let config = CONFIG.get_or_init(|| async { "…".to_owned() }).await.unwrap();
/// assert_eq!(config, "…");
/// assert_eq!(CONFIG.get().map(String::as_str), Some("…"));
/// # });
/// ```
pub struct Once<T, L = DefaultLock> {
    slot: Slot<Handoff, L>,
    polled: Polled,
    value: Cell<MaybeUninit<T>>,
}

// SAFETY: Validity: the value is written by one task and read by others, hence both; everything
// else is the slot's. Aliasing: V1, V2.
unsafe impl<T: Send + Sync, L: Sync> Sync for Once<T, L> {}
// SAFETY: Validity: moving it moves the value. Aliasing: moving needs ownership.
unsafe impl<T: Send, L: Send> Send for Once<T, L> {}

impl<T, L: Lock> Once<T, L> {
    const_fn! {
        /// Empty. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                slot: Slot::new(),
                polled: Polled::new(),
                value: Cell::new(MaybeUninit::uninit()),
            }
        }
    }

    /// The value, if it is there. One load.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // (Acquire: V2.)
        self.slot.is_closed().then(|| {
            // SAFETY: Validity: closed, so it was written (V1). Aliasing: never written again but
            // through `&mut self`.
            self.value
                .with(|value| unsafe { (*value).assume_init_ref() })
        })
    }

    /// The value, if it is there.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        let closed = self.slot.is_closed();
        closed.then(|| {
            // SAFETY: Validity: as in `get`. Aliasing: `&mut self`.
            self.value
                .with_mut(|value| unsafe { (*value).assume_init_mut() })
        })
    }

    /// Fills it, if it is empty and nobody is making the value. O(waiters): they are told.
    ///
    /// # Errors
    /// The value, given back.
    pub fn set(&self, value: T) -> Result<(), T> {
        match self.slot.try_claim() {
            Ok(claim) => {
                self.fill(value, Some(claim));
                Ok(())
            }
            Err(_) => Err(value),
        }
    }

    /// Empties it. (Nobody waits: they would borrow it.)
    pub fn take(&mut self) -> Option<T> {
        if !self.slot.is_closed() {
            return None;
        }
        self.slot = Slot::new();
        // SAFETY: Validity: it was closed, so the value is there; it is read once, being open now.
        // Aliasing: `&mut self`.
        Some(
            self.value
                .with_mut(|value| unsafe { (*value).assume_init_read() }),
        )
    }

    /// The value, if it was there.
    #[must_use]
    pub fn into_inner(mut self) -> Option<T> {
        self.take()
    }

    /// Whether the value is there. One load.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.slot.is_closed()
    }

    /// The value; made by `make()`'s future if it is not there and nobody else is making it.
    ///
    /// # Cancellation
    /// As [`get_or_try_init`](Once::get_or_try_init).
    ///
    /// # Errors
    /// Gives [`NotInit::Recursive`] to a caller inside the very future that makes the value.
    pub fn get_or_init<M, F>(&self, make: M) -> Init<'_, T, L, M, Infallibly<F>>
    where
        M: FnOnce() -> F,
        F: Future<Output = T>,
    {
        Init::new(self, make)
    }

    /// The value; made by `make()`'s future if it is not there and nobody else is making it.
    ///
    /// # Cancellation
    /// Dropped while it waits, it leaves the queue. Dropped while it makes the value, its future is
    /// dropped, then exactly one of those who wait goes on, with its own closure.
    ///
    /// # Errors
    /// Gives [`NotInit::Failed`] with the error of this caller's own future (the next who waits
    /// tries with its own), [`NotInit::Recursive`] to a caller inside the very future that makes the
    /// value.
    pub fn get_or_try_init<M, F, E>(&self, make: M) -> Init<'_, T, L, M, F>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        Init::new(self, make)
    }

    /// Writes the value and tells everybody (V1).
    fn fill(&self, value: T, claim: Option<Claim<&Slot<Handoff, L>>>) {
        // SAFETY: Validity: empty, as the slot is open and claimed by us; nothing is overwritten
        // that would need a drop. Aliasing: the claim excludes others, and readers keep off until
        // the slot is closed.
        self.value.with_mut(|place| unsafe {
            (*place).write(value);
        });
        let mut user = UserCode::new();
        user.call(|| self.slot.close());
        user.call(|| claim.map(Claim::release));
        user.rethrow();
    }
}

impl<T, L> Drop for Once<T, L> {
    fn drop(&mut self) {
        if mem::needs_drop::<T>() && self.slot.was_closed() {
            // SAFETY: Validity: closed, so it is there; dropped once. Aliasing: `&mut self`.
            self.value
                .with_mut(|value| unsafe { (*value).assume_init_drop() });
        }
    }
}

impl<T, L: Lock> Default for Once<T, L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, L: Lock> From<T> for Once<T, L> {
    fn from(value: T) -> Self {
        let once = Self::new();
        let set = once.set(value);
        debug_assert!(set.is_ok(), "a new one is empty");
        once
    }
}

impl<T: fmt::Debug, L: Lock> fmt::Debug for Once<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.get()).finish()
    }
}

impl<T: core::panic::UnwindSafe, L> core::panic::UnwindSafe for Once<T, L> {}
impl<T: core::panic::UnwindSafe + core::panic::RefUnwindSafe, L> core::panic::RefUnwindSafe
    for Once<T, L>
{
}

/// Why a value was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NotInit<E = Infallible> {
    /// The caller's own future gave this error.
    Failed(E),
    /// The caller is inside the very future that makes the value: waiting would be for ever.
    Recursive,
}

impl<E: fmt::Display> fmt::Display for NotInit<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the value could not be made: {error}"),
            Self::Recursive => f.write_str("a value was asked for while it was made, from within"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for NotInit<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Recursive => None,
        }
    }
}

/// What a `Once` is made from: the kinds of future of its two methods.
pub trait Making<T> {
    #[doc(hidden)]
    type Future;
    #[doc(hidden)]
    type Error;
    #[doc(hidden)]
    fn poll(future: Pin<&mut Self::Future>, cx: &mut Context<'_>) -> Poll<Result<T, Self::Error>>;
}

impl<T, E, F: Future<Output = Result<T, E>>> Making<T> for F {
    type Future = F;
    type Error = E;

    fn poll(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        future.poll(cx)
    }
}

/// A future that does not fail.
pub struct Infallibly<F>(core::marker::PhantomData<F>);

impl<T, F: Future<Output = T>> Making<T> for Infallibly<F> {
    type Future = F;
    type Error = Infallible;

    fn poll(future: Pin<&mut F>, cx: &mut Context<'_>) -> Poll<Result<T, Infallible>> {
        future.poll(cx).map(Ok)
    }
}

pin_project! {
    /// Waits for a value, or makes it: [`Once::get_or_init`], [`Once::get_or_try_init`].
    #[must_use = "nothing is made unless it is awaited"]
    pub struct Init<'a, T, L, M, F>
    where
        L: Lock,
        F: Making<T>,
    {
        once: &'a Once<T, L>,
        // Before the claim: dropped first.
        #[pin]
        body: Option<F::Future>,
        claim: Option<Claim<&'a Slot<Handoff, L>>>,
        #[pin]
        wait: Claiming<&'a Slot<Handoff, L>>,
        make: Option<M>,
        done: bool,
    }
}

impl<'a, T, L: Lock, M, F: Making<T>> Init<'a, T, L, M, F> {
    #[inline(always)]
    fn new(once: &'a Once<T, L>, make: M) -> Self {
        Self {
            once,
            body: None,
            claim: None,
            wait: once.slot.claim(),
            make: Some(make),
            done: false,
        }
    }
}

/// Stands by while the value is made: if that unwinds, the next tries at once.
struct Exit<'s, 'a, T, L: Lock, F> {
    once: &'a Once<T, L>,
    body: Pin<&'s mut Option<F>>,
    claim: &'s mut Option<Claim<&'a Slot<Handoff, L>>>,
    done: &'s mut bool,
}

impl<T, L: Lock, F> Drop for Exit<'_, '_, T, L, F> {
    fn drop(&mut self) {
        *self.done = true;
        // Taken first: it ends by its own drop if the future's destructor unwinds (no_std).
        let claim = self.claim.take();
        let mut user = UserCode::new();
        user.call(|| self.body.set(None));
        user.call(|| claim.map(|claim| claim.abandon(true)));
        user.rethrow();
    }
}

impl<'a, T, L, M, R, F> Future for Init<'a, T, L, M, F>
where
    L: Lock,
    M: FnOnce() -> R,
    F: Making<T, Future = R>,
{
    type Output = Result<&'a T, NotInit<F::Error>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_mut().project();
        if *this.done {
            return crate::wait::polled_again("an `Init`");
        }
        if this.claim.is_none() {
            if let Some(value) = this.once.get() {
                *this.done = true;
                return Poll::Ready(Ok(value));
            }
        }
        self.poll_empty(cx)
    }
}

impl<'a, T, L, M, R, F> Init<'a, T, L, M, F>
where
    L: Lock,
    M: FnOnce() -> R,
    F: Making<T, Future = R>,
{
    /// Where the value is not there: apart, so that it takes nothing from those who find it.
    #[inline(never)]
    fn poll_empty(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<&'a T, NotInit<F::Error>>> {
        let mut this = self.project();
        let once = *this.once;
        if this.claim.is_none() {
            if once.polled.is_here(cx.waker()) {
                *this.done = true;
                return Poll::Ready(Err(NotInit::Recursive));
            }
            match ready!(this.wait.as_mut().poll(cx)) {
                Ok(claim) => *this.claim = Some(claim),
                // Closed: it is there (V2).
                Err(_) => {
                    *this.done = true;
                    return once
                        .get()
                        .map_or(Poll::Pending, |value| Poll::Ready(Ok(value)));
                }
            }
        }
        let mut exit = Exit {
            once,
            body: this.body.as_mut(),
            claim: this.claim,
            done: this.done,
        };
        let made = {
            let _here = once.polled.enter(cx.waker());
            if let Some(make) = this.make.take() {
                exit.body.set(Some(make()));
            }
            match exit.body.as_mut().as_pin_mut() {
                Some(body) => F::poll(body, cx),
                None => Poll::Pending,
            }
        };
        let Poll::Ready(made) = made else {
            mem::forget(exit);
            return Poll::Pending;
        };
        // Still guarded: a destructor that panics is a panic of the future.
        exit.body.set(None);
        *exit.done = true;
        let claim = exit.claim.take();
        let once = exit.once;
        mem::forget(exit);
        match made {
            Ok(value) => {
                once.fill(value, claim);
                once.get()
                    .map_or(Poll::Pending, |value| Poll::Ready(Ok(value)))
            }
            Err(error) => {
                drop(claim);
                Poll::Ready(Err(NotInit::Failed(error)))
            }
        }
    }
}

impl<'a, T, L, M, R, F> FusedFuture for Init<'a, T, L, M, F>
where
    L: Lock,
    M: FnOnce() -> R,
    F: Making<T, Future = R>,
{
    fn is_terminated(&self) -> bool {
        self.done
    }
}

impl<T, L: Lock, M, F: Making<T>> fmt::Debug for Init<'_, T, L, M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Init")
            .field("making", &self.claim.is_some())
            .finish_non_exhaustive()
    }
}
