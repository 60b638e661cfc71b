//! Bodies with a scope of their own: `within`, `deadline`, `protect`, `protect_for`.
//!
//! A body is a closure that takes a [`Cx`]. It is *cooperative*: told of its cancellation, and
//! polled on until it has ended. (What should be dropped instead goes into a [`Cx::guard`].)

use core::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use super::{
    cx::Cx,
    limit::Limit,
    reason::{Cancelled, Kind},
};
use crate::{
    runtime::Timer,
    sync::{DefaultLock, Lock, Protected},
};

/// The body's own deadline was reached before the body had ended. Its value is not lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Elapsed<T>(T);

impl<T> Elapsed<T> {
    /// What the body ended with all the same.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Display for Elapsed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline passed")
    }
}

impl<T: fmt::Debug> core::error::Error for Elapsed<T> {}

/// The time that clean-ups get after a cancel, for [`Cx::protect_for`]: one budget for all of them,
/// running from the moment at which the first of them sees the cancel.
pub struct Grace<M: Timer, L = DefaultLock> {
    timer: M,
    limit: Duration,
    until: Protected<L, Option<M::Instant>>,
}

impl<M: Timer, L: Lock> Grace<M, L> {
    const_fn! {
        /// A budget that is not running yet.
        pub const fn new(timer: M, limit: Duration) -> Self {
            Self {
                timer,
                limit,
                until: Protected::new(None),
            }
        }
    }

    /// When it is over; starts it if it is not running.
    fn begin(&self) -> M::Instant {
        let end = self.timer.after(self.timer.now(), self.limit);
        self.until.with(|until| *until.get_or_insert(end))
    }
}

impl<M: Timer, L> fmt::Debug for Grace<M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grace")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<M: Timer, L> core::panic::UnwindSafe for Grace<M, L> {}
impl<M: Timer, L> core::panic::RefUnwindSafe for Grace<M, L> {}

impl<L: Lock> Cx<'_, L> {
    /// Runs `body` with a scope of its own below this one.
    ///
    /// ```
    /// use ecluse_core::cancel::{Kind, Root};
    /// # futures_executor::block_on(async {
    /// let root = <Root>::new();
    /// let ended = root.cx().within(async |cx| {
    ///     cx.cancel(Kind::Explicit); // this scope only
    ///     cx.check()
    /// });
    /// assert!(ended.await.is_err());
    /// assert!(root.cx().check().is_ok());
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// Dropping it drops the body, then the scope.
    pub async fn within<F, T>(self, body: F) -> T
    where
        F: AsyncFnOnce(Cx<'_, L>) -> T,
    {
        let scope = pin!(self.child());
        body(scope.as_ref().enter()).await
    }

    /// Runs `body` with a scope of its own that a cancel from outside does not reach. Its own cancel
    /// and its own deadlines work, and so does an ancestor's [`force`](Cx::force). When it is over,
    /// the next checkpoint of this scope fails at once if it was cancelled meanwhile; the body's
    /// value is returned all the same.
    ///
    /// ```
    /// use ecluse_core::cancel::{Kind, Root};
    /// # futures_executor::block_on(async {
    /// let root = <Root>::new();
    /// let cx = root.cx();
    /// let saved = cx.protect(async |cx| {
    ///     root.cancel(Kind::Shutdown);
    ///     cx.guard(async { "saved" }).await
    /// });
    /// assert_eq!(saved.await, Ok("saved"));
    /// assert!(cx.check().is_err());
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// Dropping it drops the body, and an executor's abort does: what must be finished whatever
    /// happens is spawned.
    pub async fn protect<F, T>(self, body: F) -> T
    where
        F: AsyncFnOnce(Cx<'_, L>) -> T,
    {
        let scope = pin!(self.shielded());
        body(scope.as_ref().enter()).await
    }

    /// [`protect`](Cx::protect) for a bounded time: once this scope is cancelled, the budget of
    /// `grace` runs, which all its clean-ups share. When it is over, the body is cancelled by
    /// [`force`](Cx::force), polled a last time, and dropped if it does not end by that.
    ///
    /// # Cancellation
    /// As [`protect`](Cx::protect).
    ///
    /// # Errors
    /// [`Cancelled`] if the body was forced, by the budget or from outside, before it had ended.
    pub async fn protect_for<M, G, F, T>(self, grace: &Grace<M, G>, body: F) -> Result<T, Cancelled>
    where
        M: Timer,
        G: Lock,
        F: AsyncFnOnce(Cx<'_, L>) -> T,
    {
        let scope = pin!(self.shielded());
        let own = scope.as_ref().enter();
        let mut budget = pin!(async {
            self.cancelled().await;
            grace.timer.sleep_until(grace.begin()).await;
            own.force(Kind::Limit);
        });
        let mut spent = false;
        let mut forced = pin!(own.forced());
        let mut body = pin!(body(own));
        poll_fn(|cx| {
            spent = spent || budget.as_mut().poll(cx).is_ready();
            let forced = forced.as_mut().poll(cx);
            if let Poll::Ready(value) = body.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            forced.map(|reason| Err(Cancelled::new(reason)))
        })
        .await
    }

    /// Runs `body` with a scope of its own that is cancelled when `limit` is reached, which can be
    /// moved meanwhile. Of nested deadlines the nearest in time counts: if an outer one is reached
    /// first, the inner scope's reason says that it is inherited, and this gives `Ok` of whatever
    /// the body makes of that.
    ///
    /// One timer, inline; a limit that has passed cancels before the body is polled.
    ///
    /// # Cancellation
    /// Dropping it drops the body, then the scope and the timer.
    ///
    /// # Errors
    /// [`Elapsed`] with the body's value, if this deadline was reached before the body had ended.
    pub async fn deadline<M, G, F, T>(self, limit: &Limit<M, G>, body: F) -> Result<T, Elapsed<T>>
    where
        M: Timer,
        G: Lock,
        F: AsyncFnOnce(Cx<'_, L>) -> T,
    {
        let scope = pin!(self.child());
        let own = scope.as_ref().enter();
        let mut reached = pin!(limit.reached());
        let (mut over, mut elapsed) = (false, false);
        let mut body = pin!(body(own));
        let value = poll_fn(|cx| {
            // The timer first: an outer deadline is seen before an inner one, and one that has
            // passed before the body's first step.
            if !over && reached.as_mut().poll(cx).is_ready() {
                over = true;
                elapsed = own.cancel(Kind::Deadline);
            }
            body.as_mut().poll(cx)
        })
        .await;
        if elapsed {
            Err(Elapsed(value))
        } else {
            Ok(value)
        }
    }

    /// [`deadline`](Cx::deadline) at `at`.
    ///
    /// # Cancellation
    /// As [`deadline`](Cx::deadline).
    ///
    /// # Errors
    /// As [`deadline`](Cx::deadline).
    pub async fn deadline_at<M, F, T>(
        self,
        timer: M,
        at: M::Instant,
        body: F,
    ) -> Result<T, Elapsed<T>>
    where
        M: Timer,
        F: AsyncFnOnce(Cx<'_, L>) -> T,
    {
        self.deadline(&Limit::<M, L>::at(timer, at), body).await
    }

    /// [`deadline`](Cx::deadline) `by` from the first poll.
    ///
    /// # Cancellation
    /// As [`deadline`](Cx::deadline).
    ///
    /// # Errors
    /// As [`deadline`](Cx::deadline).
    pub async fn deadline_in<M, F, T>(
        self,
        timer: M,
        by: Duration,
        body: F,
    ) -> Result<T, Elapsed<T>>
    where
        M: Timer,
        F: AsyncFnOnce(Cx<'_, L>) -> T,
    {
        self.deadline(&Limit::<M, L>::after(timer, by), body).await
    }
}
