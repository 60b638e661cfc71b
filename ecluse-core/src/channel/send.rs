//! `Sending`: an item on its way into a channel, and back to its sender if it does not get there.

use core::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{
    ChannelRef, SendError,
    cells::Index,
    queue::Refusal,
    wait::{Handed, ToRoom, ToTaken},
};
use crate::{
    cancel::Abandon,
    runtime::{Timer, poll_sleep},
    wait::{Wait, polled_again},
};

/// Where a [`Sending`] has its item: its own, or its caller's `&mut Option<T>`. Sealed.
pub trait Place<T>: sealed::Sealed<T> {}

mod sealed {
    pub trait Sealed<T> {
        /// What an error gives back.
        type Back;
        fn option(&mut self) -> &mut Option<T>;
        fn give_back(&mut self) -> Option<Self::Back>;
    }

    impl<T> Sealed<T> for Option<T> {
        type Back = T;

        #[inline(always)]
        fn option(&mut self) -> &mut Option<T> {
            self
        }

        fn give_back(&mut self) -> Option<T> {
            self.take()
        }
    }

    impl<T> Sealed<T> for &mut Option<T> {
        type Back = ();

        #[inline(always)]
        fn option(&mut self) -> &mut Option<T> {
            self
        }

        fn give_back(&mut self) -> Option<()> {
            Some(())
        }
    }
}

impl<T> Place<T> for Option<T> {}
impl<T> Place<T> for &mut Option<T> {}

/// What a [`Sending`] gives.
pub type Sent<T, P> = Result<(), SendError<<P as sealed::Sealed<T>>::Back>>;

/// A [`Sending`] of an item that stays with its caller:
/// [`Channel::send_from`](super::Channel::send_from).
pub type SendingFrom<'i, R> = Sending<R, &'i mut Option<<R as ChannelRef>::Item>>;

pin_project! {
    #[project = StageNow]
    enum Stage<R: ChannelRef> {
        // Not polled, or over at its first poll: then it was no more than this.
        Fresh { channel: R },
        // For room.
        Room { #[pin] wait: Wait<ToRoom<R>> },
        // For a receiver: the item lies in a cell.
        Taken { #[pin] wait: Wait<ToTaken<R>> },
    }
}

pin_project! {
    /// A send under way: a future that gives `Ok`, or the item back. See
    /// [`Channel::send`](super::Channel::send).
    ///
    /// Polling it after `Ready` panics, as for a [`Wait`].
    #[must_use = "nothing is sent unless this is awaited"]
    pub struct Sending<R: ChannelRef, P: Place<R::Item> = Option<<R as ChannelRef>::Item>> {
        #[pin]
        stage: Stage<R>,
        place: P,
        over: bool,
    }

    impl<R: ChannelRef, P: Place<R::Item>> PinnedDrop for Sending<R, P> {
        fn drop(this: Pin<&mut Self>) {
            // An item that lies in a cell comes back to its place, and is dropped with it. Room that
            // was granted is not used: it goes on to the next as the wait is dropped.
            if R::RENDEZVOUS && !this.over {
                this.end();
            }
        }
    }
}

impl<R: ChannelRef, P: Place<R::Item>> Sending<R, P> {
    #[inline(always)]
    pub(super) fn new(channel: R, place: P) -> Self {
        Self {
            stage: Stage::Fresh { channel },
            place,
            over: false,
        }
    }

    /// Ends the send, and tells how: `Ok` if the item was sent, the room for it having come first;
    /// else the item comes back, as [`SendError::Cancelled`]. Of a channel without room, sent is what
    /// a receiver has taken. Decided under the lock: never both, never neither.
    ///
    /// `None` if this was over before.
    ///
    /// ```
    /// use core::pin::pin;
    /// use ecluse_core::{Channel, Local, channel::SendError};
    /// let channel = Channel::<&str, 0, Local>::new();
    /// let sending = pin!(channel.send("to nobody"));
    /// assert_eq!(sending.try_abandon(), Some(Err(SendError::Cancelled("to nobody"))));
    /// ```
    pub fn try_abandon(self: Pin<&mut Self>) -> Option<Sent<R::Item, P>> {
        self.abandon_as(SendError::Cancelled)
    }

    fn abandon_as<E>(mut self: Pin<&mut Self>, why: E) -> Option<Sent<R::Item, P>>
    where
        E: FnOnce(
            <P as sealed::Sealed<R::Item>>::Back,
        ) -> SendError<<P as sealed::Sealed<R::Item>>::Back>,
    {
        if self.over {
            return None;
        }
        let end = self.as_mut().end();
        let this = self.project();
        Some(match end {
            End::Sent => Ok(()),
            End::Unsent => give_back(this.place, why),
            End::Closed => give_back(this.place, SendError::Closed),
        })
    }

    /// Ends it. What was not sent is in its place afterwards.
    fn end(self: Pin<&mut Self>) -> End {
        let this = self.project();
        *this.over = true;
        match this.stage.project() {
            StageNow::Fresh { .. } => End::Unsent,
            StageNow::Room { wait } => match wait.try_abandon() {
                // Of a rendezvous, room is not enough.
                Some(Ok(permit)) if !R::RENDEZVOUS => {
                    permit.put(this.place.option());
                    End::Sent
                }
                Some(Err(_)) => End::Closed,
                _ => End::Unsent,
            },
            StageNow::Taken { wait } => match wait.try_abandon() {
                Some(Handed::Back(item)) => {
                    *this.place.option() = Some(item);
                    End::Unsent
                }
                _ => End::Sent,
            },
        }
    }

    /// From here on it waits: for room, or, of a rendezvous whose item lies in a cell, for a receiver.
    #[cold]
    fn queue(mut self: Pin<&mut Self>, put: Option<(Index, u32)>) {
        let this = self.as_mut().project();
        let channel = match this.stage.project() {
            StageNow::Fresh { channel } => channel.clone(),
            StageNow::Room { wait } => wait.as_ref().get_ref().channel().clone(),
            StageNow::Taken { wait } => wait.as_ref().get_ref().target.channel().clone(),
        };
        let stage = match put {
            None => Stage::Room {
                wait: Wait::new(ToRoom::new(channel, true)),
            },
            Some((index, number)) => Stage::Taken {
                wait: Wait::new(ToTaken::new(channel, index, number)),
            },
        };
        let mut this = self.project();
        this.stage.set(stage);
        *this.over = false;
    }
}

/// How a send was ended.
enum End {
    Sent,
    Unsent,
    Closed,
}

/// The error with the item, or, if that is gone, none.
fn give_back<T, P: Place<T>, E>(place: &mut P, why: E) -> Sent<T, P>
where
    E: FnOnce(P::Back) -> SendError<P::Back>,
{
    match place.give_back() {
        Some(back) => Err(why(back)),
        None => Ok(()),
    }
}

impl<R: ChannelRef, P: Place<R::Item>> Future for Sending<R, P> {
    type Output = Sent<R::Item, P>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.as_mut().project();
        let StageNow::Fresh { channel } = this.stage.project() else {
            return self.wait(cx);
        };
        // (Before the call, which may wake a receiver that panics. What is sent then, is.)
        if mem::replace(this.over, true) {
            return polled_again("a `Sending`");
        }
        let place = this.place.option();
        if place.is_none() {
            return Poll::Ready(Ok(()));
        }
        match channel.core().send_now(place, true) {
            Ok(_) if !R::RENDEZVOUS => return Poll::Ready(Ok(())),
            Ok(put) => self.as_mut().queue(Some(put)),
            Err(Refusal::Closed) => return Poll::Ready(give_back(this.place, SendError::Closed)),
            Err(Refusal::Full) => self.as_mut().queue(None),
        }
        self.wait(cx)
    }
}

impl<R: ChannelRef, P: Place<R::Item>> Sending<R, P> {
    /// A poll of one that waits.
    #[inline(never)]
    fn wait(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Sent<R::Item, P>> {
        if self.over {
            return polled_again("a `Sending`");
        }
        let this = self.as_mut().project();
        if let StageNow::Room { wait } = this.stage.project() {
            let room = ready!(wait.poll(cx));
            *this.over = true;
            let Ok(permit) = room else {
                return Poll::Ready(give_back(this.place, SendError::Closed));
            };
            let put = permit.put(this.place.option());
            if !R::RENDEZVOUS {
                return Poll::Ready(Ok(()));
            }
            self.as_mut().queue(Some(put));
        }
        let this = self.project();
        let StageNow::Taken { wait } = this.stage.project() else {
            return Poll::Pending;
        };
        let handed = ready!(wait.poll(cx));
        *this.over = true;
        Poll::Ready(match handed {
            Handed::Taken => Ok(()),
            Handed::Back(item) => {
                *this.place.option() = Some(item);
                give_back(this.place, SendError::Closed)
            }
        })
    }
}

impl<R: ChannelRef, P: Place<R::Item>> FusedFuture for Sending<R, P> {
    fn is_terminated(&self) -> bool {
        // (Not over without its end: a panic has ended it.)
        self.over
            || match &self.stage {
                Stage::Fresh { .. } => false,
                Stage::Room { wait } => wait.is_terminated(),
                Stage::Taken { wait } => wait.is_terminated(),
            }
    }
}

impl<R: ChannelRef, P: Place<R::Item>> Abandon for Sending<R, P> {
    fn abandon(self: Pin<&mut Self>) -> Option<Self::Output> {
        self.try_abandon()
    }

    /// The item comes back.
    fn refuse(self: Pin<&mut Self>) -> Option<Self::Output> {
        self.try_abandon()
    }
}

impl<R: ChannelRef, P: Place<R::Item>> fmt::Debug for Sending<R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.stage {
            _ if self.over => "Over",
            Stage::Fresh { .. } => "Fresh",
            Stage::Room { .. } | Stage::Taken { .. } => "Waiting",
        };
        f.debug_struct("Sending")
            .field("state", &format_args!("{state}"))
            .finish_non_exhaustive()
    }
}

impl<R: ChannelRef, P: Place<R::Item>> Sending<R, P> {
    /// Sends until `at` at the latest; then the item comes back, as [`SendError::TimedOut`]. What
    /// finds room at the last moment is sent. A deadline that has passed tries once.
    pub fn deadline<M: Timer>(self, timer: M, at: M::Instant) -> SendDeadline<R, M, P> {
        SendDeadline {
            sending: self,
            sleep: None,
            timer,
            at,
        }
    }

    /// As [`deadline`](Sending::deadline), for `limit` at most, counted from now.
    pub fn timeout<M: Timer>(self, timer: M, limit: Duration) -> SendDeadline<R, M, P> {
        let at = timer.after(timer.now(), limit);
        self.deadline(timer, at)
    }
}

/// Threads without a runtime.
#[cfg(all(feature = "std", not(ecluse_loom)))]
impl<R: ChannelRef, P: Place<R::Item>> Sending<R, P> {
    /// Blocks this thread until the item was sent, or is given back; it queues with tasks, in the
    /// same order. Not for use inside a task: it blocks the task's executor.
    ///
    /// # Errors
    /// As the future gives.
    pub fn block(self) -> Sent<R::Item, P> {
        crate::wait::block::block(core::pin::pin!(self))
    }

    /// As [`block`](Sending::block), for `limit` at most. A limit of zero tries once.
    ///
    /// # Errors
    /// As the future gives, and [`SendError::TimedOut`].
    pub fn block_timeout(self, limit: Duration) -> Sent<R::Item, P> {
        let mut sending = core::pin::pin!(self);
        match crate::wait::block::block_timeout(sending.as_mut(), limit) {
            Some(sent) => sent,
            None => sending.abandon_as(SendError::TimedOut).unwrap_or(Ok(())),
        }
    }
}

pin_project! {
    /// A [`Sending`] with a deadline: gives the item back as [`SendError::TimedOut`].
    ///
    /// # Cancellation
    /// As [`Channel::send`](super::Channel::send).
    #[must_use = "nothing is sent unless this is awaited"]
    pub struct SendDeadline<R: ChannelRef, M: Timer, P: Place<R::Item> = Option<<R as ChannelRef>::Item>> {
        #[pin]
        sending: Sending<R, P>,
        // Made at the first `Pending`: a send that is over at once sets no timer.
        #[pin]
        sleep: Option<M::Sleep>,
        timer: M,
        at: M::Instant,
    }
}

impl<R: ChannelRef, M: Timer, P: Place<R::Item>> Future for SendDeadline<R, M, P> {
    type Output = Sent<R::Item, P>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(sent) = this.sending.as_mut().poll(cx) {
            this.sleep.set(None);
            return Poll::Ready(sent);
        }
        ready!(poll_sleep(this.sleep.as_mut(), this.timer, *this.at, cx));
        this.sleep.set(None);
        match this.sending.abandon_as(SendError::TimedOut) {
            Some(sent) => Poll::Ready(sent),
            None => Poll::Pending,
        }
    }
}

impl<R: ChannelRef, M: Timer, P: Place<R::Item>> FusedFuture for SendDeadline<R, M, P> {
    fn is_terminated(&self) -> bool {
        self.sending.is_terminated()
    }
}

impl<R: ChannelRef, M: Timer, P: Place<R::Item>> Abandon for SendDeadline<R, M, P> {
    fn abandon(self: Pin<&mut Self>) -> Option<Self::Output> {
        self.project().sending.try_abandon()
    }

    /// The item comes back.
    fn refuse(self: Pin<&mut Self>) -> Option<Self::Output> {
        self.abandon()
    }
}

impl<R: ChannelRef, M: Timer, P: Place<R::Item>> fmt::Debug for SendDeadline<R, M, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendDeadline")
            .field("sending", &self.sending)
            .finish_non_exhaustive()
    }
}
