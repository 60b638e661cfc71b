//! Futures under a scope: `guard`, `guard_wait`, `on_cancel`.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{
    cx::Cx,
    reason::{Cancelled, Reason},
    wait::CancelWait,
};
use crate::{
    runtime::{Deadline, Timer},
    sync::Lock,
    wait::{Target, Wait},
};

/// A future that its owner can end, learning whether it had finished.
pub trait Abandon: Future {
    /// Ends it: what it finished with, or `None` if it had not.
    fn abandon(self: Pin<&mut Self>) -> Option<Self::Output>;

    /// Ends it before it was ever polled: what must be given back, if anything.
    fn refuse(self: Pin<&mut Self>) -> Option<Self::Output>
    where
        Self: Sized,
    {
        // Not its value: that would be news to all.
        self.abandon();
        None
    }
}

impl<T: Target> Abandon for Wait<T> {
    fn abandon(self: Pin<&mut Self>) -> Option<T::Output> {
        self.try_abandon()
    }
}

impl<T: Target, M: Timer> Abandon for Deadline<T, M> {
    fn abandon(self: Pin<&mut Self>) -> Option<Self::Output> {
        self.project_wait().try_abandon().map(Ok)
    }
}

pin_project! {
    /// Any future, which is ended by dropping it.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Dropped<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F> Dropped<F> {
    pub(super) fn new(future: F) -> Self {
        Self {
            future: Some(future),
        }
    }
}

impl<F: Future> Future for Dropped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project().future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<F: Future> Abandon for Dropped<F> {
    fn abandon(self: Pin<&mut Self>) -> Option<F::Output> {
        self.project().future.set(None);
        None
    }
}

impl<F> fmt::Debug for Dropped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dropped")
            .field("over", &self.future.is_none())
            .finish()
    }
}

/// Where a future under a scope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Running,
    Over,
}

pin_project! {
    /// A future until its scope is cancelled: [`Cx::guard`], [`Cx::guard_wait`].
    ///
    /// # Cancellation
    /// Dropping it drops the future, which passes an unobserved grant on.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Guarded<'s, W, L: Lock> {
        #[pin]
        wait: W,
        #[pin]
        cancelled: CancelWait<'s, L>,
        cx: Cx<'s, L>,
        state: State,
    }
}

impl<'s, W, L: Lock> Guarded<'s, W, L> {
    pub(super) fn new(cx: Cx<'s, L>, wait: W) -> Self {
        Self {
            wait,
            cancelled: cx.cancelled(),
            cx,
            state: State::Fresh,
        }
    }
}

impl<W: Abandon, L: Lock> Future for Guarded<'_, W, L> {
    type Output = Result<W::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if *this.state == State::Fresh {
            // A checkpoint (s05): a cancelled scope polls nothing.
            if let Some(reason) = this.cx.reason() {
                *this.state = State::Over;
                return Poll::Ready(this.wait.refuse().ok_or(Cancelled::new(reason)));
            }
            *this.state = State::Running;
        }
        if let Poll::Ready(value) = this.wait.as_mut().poll(cx) {
            *this.state = State::Over;
            return Poll::Ready(Ok(value));
        }
        match this.cancelled.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(reason) => {
                *this.state = State::Over;
                // The one decision (s04): the value wins.
                let finished = this.wait.abandon();
                Poll::Ready(finished.ok_or(Cancelled::new(reason)))
            }
        }
    }
}

impl<W: Abandon, L: Lock> FusedFuture for Guarded<'_, W, L> {
    fn is_terminated(&self) -> bool {
        self.state == State::Over
    }
}

impl<W, L: Lock> fmt::Debug for Guarded<'_, W, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("cx", &self.cx)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A future with a function that is called if its scope is cancelled: [`Cx::on_cancel`].
    ///
    /// # Cancellation
    /// Dropping it drops the future and the function, which is not called.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct OnCancel<'s, F, H, L: Lock> {
        #[pin]
        future: F,
        #[pin]
        cancelled: CancelWait<'s, L>,
        hook: Option<H>,
        over: bool,
    }
}

impl<'s, F, H, L: Lock> OnCancel<'s, F, H, L> {
    pub(super) fn new(cx: Cx<'s, L>, future: F, hook: H) -> Self {
        Self {
            future,
            cancelled: cx.cancelled(),
            hook: Some(hook),
            over: false,
        }
    }
}

impl<F: Future, H: FnOnce(Reason), L: Lock> Future for OnCancel<'_, F, H, L> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        loop {
            // First: the function is never called after the end.
            if let Poll::Ready(value) = this.future.as_mut().poll(cx) {
                *this.over = true;
                drop(this.hook.take());
                return Poll::Ready(value);
            }
            if this.hook.is_none() {
                return Poll::Pending;
            }
            let Poll::Ready(reason) = this.cancelled.as_mut().poll(cx) else {
                return Poll::Pending;
            };
            // Taken out before it is called: a panic does not call it again. Then the future is
            // polled once more: the call may have ended it.
            if let Some(hook) = this.hook.take() {
                hook(reason);
            }
        }
    }
}

impl<F: Future, H: FnOnce(Reason), L: Lock> FusedFuture for OnCancel<'_, F, H, L> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<F, H, L: Lock> fmt::Debug for OnCancel<'_, F, H, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnCancel")
            .field("called", &(self.hook.is_none() && !self.over))
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
