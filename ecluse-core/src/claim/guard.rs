//! A body run under a claim: Haskell's `guardInFlight`, from which this crate descends.
//!
//! Invariants:
//! - **G1** The exit is: body dropped, `on_orphan` (unless it succeeded), release, wakes. Each step
//!   is done even if an earlier one panicked, once.
//! - **G2** [`Orphan`] does the last three; it exists from the call of `guard` on, so a future that
//!   is never polled exits like any other.

use core::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{Claim, SlotRef};
use crate::wait::{UserCode, polled_again};

/// Why a body's claim was orphaned.
#[derive(Debug, PartialEq, Eq)]
pub enum Cause<'a, E> {
    /// The body returned this error.
    Failed(&'a E),
    /// The body panicked.
    Panicked,
    /// The body was dropped: its task was aborted, lost a select, timed out.
    Dropped,
}

// Written out: a derive would ask `E: Clone`.
impl<E> Clone for Cause<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Cause<'_, E> {}

/// The claim of a running body, with its hook. Its drop is the exit (G2).
pub(super) struct Orphan<R: SlotRef, E, H: FnOnce(Cause<'_, E>)> {
    claim: Option<Claim<R>>,
    on_orphan: Option<H>,
    polling: bool,
    _error: PhantomData<fn(&E)>,
}

impl<R: SlotRef, E, H: FnOnce(Cause<'_, E>)> Orphan<R, E, H> {
    pub(super) fn new(claim: Claim<R>, on_orphan: H) -> Self {
        Self {
            claim: Some(claim),
            on_orphan: Some(on_orphan),
            polling: false,
            _error: PhantomData,
        }
    }

    /// Marks that the body is running: an exit meanwhile is a panic.
    pub(super) fn polling(&mut self, polling: bool) {
        self.polling = polling;
    }

    /// The body has returned and is gone.
    pub(super) fn settle<T>(&mut self, result: &Result<T, E>) {
        match result {
            Err(error) => self.exit(Cause::Failed(error)),
            // The release first: dropping the hook is user code.
            Ok(_) => {
                if let Some(claim) = self.claim.take() {
                    claim.release();
                }
            }
        }
    }

    fn exit(&mut self, cause: Cause<'_, E>) {
        // In a local: released by its own drop if the hook unwinds (no_std).
        let claim = self.claim.take();
        let mut hook = UserCode::new();
        if let Some(on_orphan) = self.on_orphan.take() {
            hook.call(|| on_orphan(cause));
        }
        if !matches!(cause, Cause::Dropped) {
            // The body's own error or panic wins.
            hook.forgive();
        }
        if let Some(claim) = claim {
            hook.call(|| claim.abandon(matches!(cause, Cause::Panicked)));
        }
        hook.rethrow();
    }
}

impl<R: SlotRef, E, H: FnOnce(Cause<'_, E>)> Drop for Orphan<R, E, H> {
    fn drop(&mut self) {
        if self.claim.is_some() {
            self.exit(if self.polling {
                Cause::Panicked
            } else {
                Cause::Dropped
            });
        }
    }
}

pin_project! {
    /// A body running under a claim: [`Claim::guard`].
    #[must_use = "a guarded body does nothing unless it is awaited; dropped, its claim is abandoned"]
    pub struct Guard<F, T, E, H, R>
    where
        F: Future<Output = Result<T, E>>,
        H: FnOnce(Cause<'_, E>),
        R: SlotRef,
    {
        // Before the orphan: dropped first (G1).
        #[pin]
        body: Option<F>,
        orphan: Option<Orphan<R, E, H>>,
    }
}

impl<F, T, E, H, R> Guard<F, T, E, H, R>
where
    F: Future<Output = Result<T, E>>,
    H: FnOnce(Cause<'_, E>),
    R: SlotRef,
{
    pub(super) fn new(claim: Claim<R>, body: F, on_orphan: H) -> Self {
        Self {
            body: Some(body),
            orphan: Some(Orphan::new(claim, on_orphan)),
        }
    }
}

/// Stands by while the body is polled. If that unwinds, the exit happens at once: the claim does
/// not wait for whoever holds the broken future.
struct Exit<'a, F, R: SlotRef, E, H: FnOnce(Cause<'_, E>)> {
    body: Pin<&'a mut Option<F>>,
    orphan: &'a mut Option<Orphan<R, E, H>>,
}

impl<F, R: SlotRef, E, H: FnOnce(Cause<'_, E>)> Drop for Exit<'_, F, R, E, H> {
    fn drop(&mut self) {
        // Taken first: it exits by its own drop if the body's destructor unwinds (no_std).
        let orphan = self.orphan.take();
        let mut user = UserCode::new();
        user.call(|| self.body.set(None));
        user.call(|| drop(orphan));
        user.rethrow();
    }
}

impl<F, T, E, H, R> Future for Guard<F, T, E, H, R>
where
    F: Future<Output = Result<T, E>>,
    H: FnOnce(Cause<'_, E>),
    R: SlotRef,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut exit = Exit {
            body: this.body,
            orphan: this.orphan,
        };
        let (Some(body), Some(orphan)) = (exit.body.as_mut().as_pin_mut(), exit.orphan.as_mut())
        else {
            // Its exit was long ago: the guard of this poll has nothing to do.
            return polled_again("a `Guard`");
        };
        orphan.polling(true);
        let Poll::Ready(result) = body.poll(cx) else {
            orphan.polling(false);
            core::mem::forget(exit);
            return Poll::Pending;
        };
        // Still "polling": a destructor that panics is a panic of the body.
        exit.body.set(None);
        if let Some(mut orphan) = exit.orphan.take() {
            orphan.polling(false);
            orphan.settle(&result);
        }
        Poll::Ready(result)
    }
}

impl<F, T, E, H, R> FusedFuture for Guard<F, T, E, H, R>
where
    F: Future<Output = Result<T, E>>,
    H: FnOnce(Cause<'_, E>),
    R: SlotRef,
{
    fn is_terminated(&self) -> bool {
        self.orphan.is_none()
    }
}

impl<F, T, E, H, R> fmt::Debug for Guard<F, T, E, H, R>
where
    F: Future<Output = Result<T, E>>,
    H: FnOnce(Cause<'_, E>),
    R: SlotRef,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("running", &self.orphan.is_some())
            .finish_non_exhaustive()
    }
}
