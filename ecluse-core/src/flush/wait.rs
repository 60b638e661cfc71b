//! The waits of a table: for a flush's turn, for tags that were flushed, for late replies.
//!
//! A grant says only that there is news; what it is, the ledger says, under its lock, to whoever
//! comes and asks. So a grant that nobody observes takes nothing with it.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{
    Over, Places, Reply, TableRef, TagOf, Unanswered,
    ledger::{Ledger, NONE, Verdict},
    request::Seat,
};
use crate::{
    cancel::Abandon,
    sync::{Locked, Protected},
    wait::{Found, Node, Protocol, Ring, Wait},
};

/// The lock and what it protects are the table's; a grant is a hint.
macro_rules! news {
    () => {
        type Lock = <R::Places as Places>::Lock;
        type Held = Ledger<R::Places>;
        type Grant = ();
        type Extra = ();
        type Output = ();
        type Notes = ();

        #[inline(always)]
        fn guarded(&self) -> &Protected<Self::Lock, Self::Held> {
            &self.table().ledger
        }

        #[inline(always)]
        fn observe(&self, (): ()) {}
    };
}

/// What a [`Flush`] waits for: its turn.
pub struct ToTurn<R: TableRef> {
    table: R,
    place: usize,
}

impl<R: TableRef> ToTurn<R> {
    fn table(&self) -> &super::Table<R::Places> {
        self.table.table()
    }
}

impl<R: TableRef> Protocol for ToTurn<R> {
    news!();

    fn ring<'h>(&'h self, held: &'h mut Locked<Self::Held>) -> Option<&'h mut Ring<()>> {
        held.queue(self.place)
    }

    fn attempt(&self) -> Option<()> {
        (self.place == NONE).then_some(())
    }

    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Self::Held>,
        _: &Node<()>,
        _: &Waker,
        (): &mut (),
    ) -> Found<'h, Self> {
        match held.waiter(self.place) {
            Some(ring) => Found::Ring(ring),
            None => Found::Grant(()),
        }
    }

    fn left(&self, held: &mut Locked<Self::Held>, _: bool, (): &mut ()) {
        held.unqueued(self.place);
    }

    fn over(&self, held: &mut Locked<Self::Held>) -> Option<()> {
        held.waiter(self.place).is_none().then_some(())
    }
}

pin_project! {
    /// A flush: [`Table::flush_as`](super::Table::flush_as), [`Table::flush`](super::Table::flush).
    ///
    /// It is ready when the flush may be answered, with the right to do so; or when it is not to be
    /// answered any more. Its place among the flushes of its request is that of the call.
    ///
    /// # Cancellation
    /// Dropping it, polled or not, settles it without an answer: the others have their turns as if it
    /// had never been there. What it told the request stays told.
    ///
    /// # Panics
    /// Polling it after `Ready` panics, as any [`Wait`].
    #[must_use = "a flush that is dropped is never answered"]
    pub struct Flush<R: TableRef> {
        // Before the seat: it leaves the queue before the place can be another's.
        #[pin]
        wait: Wait<ToTurn<R>>,
        seat: Option<Seat<R>>,
    }
}

impl<R: TableRef> Flush<R> {
    pub(super) fn new(table: &R, place: usize) -> Self {
        Self {
            wait: Wait::new(ToTurn {
                table: table.clone(),
                place,
            }),
            seat: Seat::entered(table, place),
        }
    }
}

/// What the ledger says to a flush whose wait is over.
fn conclude<R: TableRef>(seat: Option<Seat<R>>) -> Result<Reply<R>, Unanswered> {
    match seat.as_ref().map_or(Verdict::Reply, Seat::answer) {
        Verdict::Reply => Ok(Reply::new(seat)),
        Verdict::Flushed => Err(Unanswered::Flushed),
        Verdict::Over => Err(Unanswered::Over),
    }
}

impl<R: TableRef> Future for Flush<R> {
    type Output = Result<Reply<R>, Unanswered>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        ready!(this.wait.poll(cx));
        Poll::Ready(conclude(this.seat.take()))
    }
}

impl<R: TableRef> Abandon for Flush<R> {
    fn abandon(self: Pin<&mut Self>) -> Option<Self::Output> {
        let this = self.project();
        let over = this.wait.try_abandon();
        let seat = this.seat.take();
        over.map(|()| conclude(seat))
    }
}

impl<R: TableRef> FusedFuture for Flush<R> {
    fn is_terminated(&self) -> bool {
        self.wait.is_terminated()
    }
}

impl<R: TableRef> fmt::Debug for Flush<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// What a [`Flushed`] waits for.
pub struct ToHear<R: TableRef> {
    table: R,
    session: u32,
}

impl<R: TableRef> ToHear<R> {
    fn table(&self) -> &super::Table<R::Places> {
        self.table.table()
    }
}

impl<R: TableRef> Protocol for ToHear<R> {
    news!();

    fn ring<'h>(&'h self, held: &'h mut Locked<Self::Held>) -> Option<&'h mut Ring<()>> {
        Some(&mut held.listeners)
    }

    fn over(&self, held: &mut Locked<Self::Held>) -> Option<()> {
        held.is_heard(self.session).then_some(())
    }

    /// The listener went without looking: another one is called.
    fn pass_on(&self, (): ()) {
        let table = self.table();
        table.ledger.with(|ledger| ledger.call_another());
        table.wake();
    }
}

pin_project! {
    /// The next tag whose request was flushed: [`Table::flushed`](super::Table::flushed).
    ///
    /// # Errors
    /// Gives [`Over`] when the session in which it was made is over: every request of it is told.
    ///
    /// # Cancellation
    /// Dropping it is safe: what it was woken for is told to another listener, or to the next.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Flushed<R: TableRef> {
        #[pin]
        wait: Wait<ToHear<R>>,
        table: R,
        session: u32,
        over: bool,
    }
}

impl<R: TableRef> Flushed<R> {
    pub(super) fn new(table: &R) -> Self {
        let session = table.table().generation();
        Self {
            wait: Self::another(table, session),
            table: table.clone(),
            session,
            over: false,
        }
    }

    fn another(table: &R, session: u32) -> Wait<ToHear<R>> {
        Wait::new(ToHear {
            table: table.clone(),
            session,
        })
    }
}

impl<R: TableRef> Future for Flushed<R> {
    type Output = Result<TagOf<R>, Over>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            ready!(this.wait.as_mut().poll(cx));
            let session = *this.session;
            let ledger = &this.table.table().ledger;
            if let Some(heard) = ledger.with(|ledger| ledger.hear(session)) {
                *this.over = true;
                return Poll::Ready(heard.map_err(|()| Over));
            }
            // Another listener was quicker, or the request was settled.
            this.wait.set(Self::another(this.table, session));
        }
    }
}

impl<R: TableRef> FusedFuture for Flushed<R> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<R: TableRef> fmt::Debug for Flushed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flushed")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// The wait for the late replies of earlier sessions: [`Table::cleared`](super::Table::cleared).
pub type Cleared<R> = Wait<ToClear<R>>;

/// What a [`Cleared`] waits for.
pub struct ToClear<R: TableRef>(pub(super) R);

impl<R: TableRef> ToClear<R> {
    fn table(&self) -> &super::Table<R::Places> {
        self.0.table()
    }
}

impl<R: TableRef> Protocol for ToClear<R> {
    news!();

    fn ring<'h>(&'h self, held: &'h mut Locked<Self::Held>) -> Option<&'h mut Ring<()>> {
        Some(&mut held.clearing)
    }

    fn over(&self, held: &mut Locked<Self::Held>) -> Option<()> {
        (!held.is_late()).then_some(())
    }
}
