//! `Ticket`: a counted, cancellable future on its way through an executor.
//!
//! Invariants: T1 and T3 of [`tally`](super::tally).

use core::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::count::{Cancelled, TallyRef, ToCancel};
use crate::wait::Wait;

pin_project! {
    /// A future that is counted by a [`Tally`](super::Tally) or a [scope](crate::SharedScope), and ends
    /// when that says so.
    ///
    /// # Cancellation
    /// Dropping it drops the future, then takes it off the count.
    #[must_use = "a ticket does nothing unless it is spawned or awaited"]
    pub struct Ticket<F, R: TallyRef> {
        #[pin]
        future: Option<F>,
        #[pin]
        cancelled: Cancelled<R>,
        counted: bool,
        lost: bool,
    }

    impl<F, R: TallyRef> PinnedDrop for Ticket<F, R> {
        fn drop(this: Pin<&mut Self>) {
            this.end();
        }
    }
}

/// Takes a ticket off its count, once what comes before it is done, or has panicked.
struct Leave<'a, R: TallyRef> {
    tally: &'a R,
    counted: bool,
    lost: bool,
}

impl<R: TallyRef> Drop for Leave<'_, R> {
    fn drop(&mut self) {
        if self.counted {
            self.tally.leave(self.lost);
        }
    }
}

impl<F, R: TallyRef> Ticket<F, R> {
    /// A ticket of one more; gives the future back if no more are taken.
    pub(crate) fn new(tally: R, future: F) -> Result<Self, F> {
        if tally.enter() {
            Ok(Self::counted(tally, future))
        } else {
            Err(future)
        }
    }

    /// A ticket that is counted already.
    pub(super) fn counted(tally: R, future: F) -> Self {
        Self {
            future: Some(future),
            cancelled: Wait::new(ToCancel(tally)),
            counted: true,
            lost: true,
        }
    }

    /// Gives the future back, uncounted. `None` if it has ended.
    pub fn into_inner(mut self) -> Option<F> {
        self.lost = false;
        self.future.take()
    }

    /// The future's end, then the count's (T1).
    fn end(self: Pin<&mut Self>) {
        let mut this = self.project();
        let cancelled = this.cancelled.into_ref().get_ref();
        let _leave = Leave {
            tally: &cancelled.target.0,
            counted: mem::take(this.counted),
            lost: *this.lost,
        };
        this.future.set(None);
    }
}

impl<F: Future<Output = ()>, R: TallyRef> Future for Ticket<F, R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let Some(future) = this.future.as_pin_mut() else {
            return Poll::Ready(());
        };
        if this.cancelled.poll(cx).is_pending() {
            // If this unwinds, the future ends when the ticket is dropped, as lost.
            if future.poll(cx).is_pending() {
                return Poll::Pending;
            }
            *this.lost = false;
        }
        self.end();
        Poll::Ready(())
    }
}

impl<F: Future<Output = ()>, R: TallyRef> FusedFuture for Ticket<F, R> {
    fn is_terminated(&self) -> bool {
        self.future.is_none()
    }
}

impl<F, R: TallyRef> fmt::Debug for Ticket<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("ended", &self.future.is_none())
            .finish_non_exhaustive()
    }
}
