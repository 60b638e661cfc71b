//! A body that runs under a claim, and what happens when it goes without a result.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use ecluse_core::{Cause, Outcome};

use crate::claim::{Claim, SlotRef};

/// The claim of a running body, with its hook. Dropped with the claim still in it, the body was lost.
pub(crate) struct Orphan<E, H: FnOnce(Cause<'_, E>), R: SlotRef> {
    inner: Option<(Claim<R>, H)>,
    pub(crate) running: bool,
    error: PhantomData<fn(&E)>,
}

impl<E, H: FnOnce(Cause<'_, E>), R: SlotRef> Orphan<E, H, R> {
    pub(crate) fn new(claim: Claim<R>, on_orphan: H) -> Self {
        Self {
            inner: Some((claim, on_orphan)),
            running: false,
            error: PhantomData,
        }
    }

    /// The body has returned, and is gone.
    pub(crate) fn settle<T>(&mut self, result: &Result<T, E>) {
        match result {
            Ok(_) => {
                if let Some((claim, _)) = self.inner.take() {
                    claim.release();
                }
            }
            Err(error) => {
                // The body's error wins over a panic of the hook.
                let _ = self.lose(Cause::Failed(error));
            }
        }
    }

    /// The hook, then the release. Gives the panic of the hook.
    fn lose(&mut self, cause: Cause<'_, E>) -> Option<Box<dyn Any + Send>> {
        let (claim, on_orphan) = self.inner.take()?;
        let by_panic = matches!(cause, Cause::Panicked);
        let told = catch_unwind(AssertUnwindSafe(|| on_orphan(cause)));
        claim.end(Outcome::Abandoned { by_panic });
        told.err()
    }
}

impl<E, H: FnOnce(Cause<'_, E>), R: SlotRef> Drop for Orphan<E, H, R> {
    fn drop(&mut self) {
        let cause = if self.running {
            Cause::Panicked
        } else {
            Cause::Dropped
        };
        if let Some(payload) = self.lose(cause) {
            if !std::thread::panicking() {
                resume_unwind(payload);
            }
        }
    }
}

/// A body running under a claim.
#[must_use = "a guarded body does nothing unless it is awaited"]
pub struct Guard<F, E, H: FnOnce(Cause<'_, E>), R: SlotRef> {
    // In this order they are dropped: the body before its claim.
    body: Option<Pin<Box<F>>>,
    orphan: Option<Orphan<E, H, R>>,
}

// The body is boxed.
impl<F, E, H: FnOnce(Cause<'_, E>), R: SlotRef> Unpin for Guard<F, E, H, R> {}

impl<F, E, H: FnOnce(Cause<'_, E>), R: SlotRef> Guard<F, E, H, R> {
    pub(crate) fn new(body: F, orphan: Orphan<E, H, R>) -> Self {
        Self {
            body: Some(Box::pin(body)),
            orphan: Some(orphan),
        }
    }
}

impl<F, T, E, H, R> Future for Guard<F, E, H, R>
where
    F: Future<Output = Result<T, E>>,
    H: FnOnce(Cause<'_, E>),
    R: SlotRef,
{
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let body = self.body.as_mut().expect("polled before it was ready");
        let polled = catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx)));
        if let Ok(Poll::Pending) = polled {
            return Poll::Pending;
        }
        let (body, mut orphan) = (self.body.take(), self.orphan.take());
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(body)));
        let orphan = orphan.as_mut().expect("there until the body has ended");
        match (polled, dropped) {
            (Ok(Poll::Ready(result)), Ok(())) => {
                orphan.settle(&result);
                Poll::Ready(result)
            }
            (Err(payload), _) | (_, Err(payload)) => {
                let _ = orphan.lose(Cause::Panicked);
                resume_unwind(payload)
            }
            (Ok(Poll::Pending), _) => unreachable!("returned above"),
        }
    }
}

impl<F, E, H: FnOnce(Cause<'_, E>), R: SlotRef> fmt::Debug for Guard<F, E, H, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
