//! `Sender` and `Receiver`: the two ends of a channel, counted; and `Items`, the stream.

use core::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::{FusedStream, Stream};
use pin_project_lite::pin_project;

use super::{
    Channel, ChannelRef, Ended, Permit, Receiving, Reserving, Sending, SendingFrom, ToItem,
    TryReceiveError, TryReserveError, TrySendError,
};
use crate::{
    sync::{Handle, Lock},
    wait::Wait,
};

const SENDERS: usize = 0;
const RECEIVERS: usize = 1;

/// One more end of this kind.
fn count<R: ChannelRef>(channel: &R, kind: usize) {
    channel.core().queue.with(|held| {
        if let Some(count) = held.ends.get_mut(kind) {
            *count += 1;
        }
    });
}

/// One end less of this kind; the last one closes the channel.
fn discount<R: ChannelRef>(channel: &R, kind: usize) {
    let core = channel.core();
    let last = core.queue.with(|held| {
        let Some(count) = held.ends.get_mut(kind) else {
            return false;
        };
        *count -= 1;
        *count == 0
    });
    if last {
        core.close();
    }
}

macro_rules! end {
    ($(#[$meta:meta])* $name:ident, $kind:ident) => {
        $(#[$meta])*
        pub struct $name<R: ChannelRef> {
            channel: R,
        }

        impl<R: ChannelRef> $name<R> {
            pub(super) fn new(channel: R) -> Self {
                count(&channel, $kind);
                Self { channel }
            }

            /// The channel.
            #[must_use]
            pub fn channel(&self) -> &R {
                &self.channel
            }
        }

        impl<R: ChannelRef> Clone for $name<R> {
            fn clone(&self) -> Self {
                Self::new(self.channel.clone())
            }
        }

        impl<R: ChannelRef> Drop for $name<R> {
            fn drop(&mut self) {
                discount(&self.channel, $kind);
            }
        }

        impl<R: ChannelRef> fmt::Debug for $name<R> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        impl<R, T, const N: usize, L: Lock> $name<R>
        where
            R: Handle<Target = Channel<T, N, L>>,
        {
            /// [`Channel::close`].
            pub fn close(&self) -> bool {
                self.channel.close()
            }

            /// [`Channel::is_closed`].
            #[must_use]
            pub fn is_closed(&self) -> bool {
                self.channel.is_closed()
            }

            /// [`Channel::len`].
            #[must_use]
            pub fn len(&self) -> usize {
                self.channel.len()
            }

            /// [`Channel::is_empty`].
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.channel.is_empty()
            }

            /// [`Channel::capacity`].
            #[must_use]
            pub fn capacity(&self) -> usize {
                self.channel.capacity()
            }
        }
    };
}

end!(
    /// An end to send by. Clones are counted: when the last [`Sender`] of a channel is dropped, the
    /// channel is [closed](Channel::close), so that receivers get what is left and then the end.
    ///
    /// Sends by the channel itself, or by an end of it, are the same; those that are not by an end are
    /// not counted. A future that an end made does not count either.
    ///
    /// ```
    /// # #[cfg(feature = "std")] futures_executor::block_on(async {
    /// use std::sync::Arc;
    /// use ecluse_core::{Channel, channel::Ended};
    /// let (sender, receiver) = Channel::split(Arc::new(<Channel<u8, 4>>::new()));
    /// let second = sender.clone();
    /// sender.send(1).await.unwrap();
    /// drop(sender);
    /// second.try_send(2).unwrap();
    /// drop(second);
    /// assert_eq!(receiver.receive().await, Ok(1));
    /// assert_eq!(receiver.receive().await, Ok(2));
    /// assert_eq!(receiver.receive().await, Err(Ended));
    /// # });
    /// ```
    Sender,
    SENDERS
);

end!(
    /// An end to receive by. Clones are counted: when the last [`Receiver`] of a channel is dropped,
    /// the channel is [closed](Channel::close), so that senders get their items back. (Items that lie
    /// in it are dropped with the channel.)
    ///
    /// Each item goes to one receiver. [`into_items`](Receiver::into_items) is a stream.
    Receiver,
    RECEIVERS
);

impl<R, T, const N: usize, L: Lock> Sender<R>
where
    R: Handle<Target = Channel<T, N, L>>,
{
    /// [`Channel::send`].
    pub fn send(&self, item: T) -> Sending<&Channel<T, N, L>> {
        self.channel.send(item)
    }

    /// [`Channel::send_from`].
    pub fn send_from<'i>(&self, place: &'i mut Option<T>) -> SendingFrom<'i, &Channel<T, N, L>> {
        self.channel.send_from(place)
    }

    /// [`Channel::reserve`].
    pub fn reserve(&self) -> Reserving<&Channel<T, N, L>> {
        self.channel.reserve()
    }

    /// [`Channel::try_send`].
    ///
    /// # Errors
    /// As that.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.channel.try_send(item)
    }

    /// [`Channel::try_reserve`].
    ///
    /// # Errors
    /// As that.
    pub fn try_reserve(&self) -> Result<Permit<&Channel<T, N, L>>, TryReserveError> {
        self.channel.try_reserve()
    }
}

impl<R, T, const N: usize, L: Lock> Receiver<R>
where
    R: Handle<Target = Channel<T, N, L>>,
{
    /// [`Channel::receive`].
    pub fn receive(&self) -> Receiving<&Channel<T, N, L>> {
        self.channel.receive()
    }

    /// [`Channel::try_receive`].
    ///
    /// # Errors
    /// As that.
    pub fn try_receive(&self) -> Result<T, TryReceiveError> {
        self.channel.try_receive()
    }

    /// [`Channel::items`].
    pub fn items(&self) -> Items<&Channel<T, N, L>> {
        self.channel.items()
    }
}

impl<R: ChannelRef> Receiver<R> {
    /// All items as they come, until the end. The stream is this end: dropping it is dropping that.
    pub fn into_items(self) -> Items<R, Self> {
        Items {
            wait: Wait::new(ToItem::new(self.channel.clone())),
            end: self,
        }
    }
}

pin_project! {
    /// The items of a channel as a [`Stream`], until the end: [`Channel::items`],
    /// [`Receiver::into_items`].
    ///
    /// It is pinned, as the wait in it is. Dropping it leaves no trace; an item that it was granted
    /// and did not observe goes back to its place.
    ///
    /// ```
    /// use core::pin::pin;
    /// use futures_core::Stream;
    /// # use core::future::poll_fn;
    /// use ecluse_core::{Channel, Local};
    /// # futures_executor::block_on(async {
    /// let channel = Channel::<u8, 2, Local>::new();
    /// channel.try_send(1).unwrap();
    /// channel.close();
    /// let mut items = pin!(channel.items());
    /// assert_eq!(poll_fn(|cx| items.as_mut().poll_next(cx)).await, Some(1));
    /// assert_eq!(poll_fn(|cx| items.as_mut().poll_next(cx)).await, None);
    /// # });
    /// ```
    #[must_use = "a stream does nothing unless it is polled"]
    pub struct Items<R: ChannelRef, E = ()> {
        #[pin]
        wait: Receiving<R>,
        // Keeps an end counted.
        end: E,
    }
}

impl<R: ChannelRef> Items<R> {
    pub(super) fn new(channel: R) -> Self {
        Self {
            wait: Wait::new(ToItem::new(channel)),
            end: (),
        }
    }
}

impl<R: ChannelRef, E> Stream for Items<R, E> {
    type Item = R::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<R::Item>> {
        use futures_core::FusedFuture;
        let mut this = self.project();
        if this.wait.is_terminated() {
            return Poll::Ready(None);
        }
        let item = ready!(this.wait.as_mut().poll(cx));
        let Err(Ended) = item else {
            let channel = this.wait.as_ref().get_ref().channel().clone();
            this.wait.set(Wait::new(ToItem::new(channel)));
            return Poll::Ready(item.ok());
        };
        Poll::Ready(None)
    }
}

impl<R: ChannelRef, E> FusedStream for Items<R, E> {
    fn is_terminated(&self) -> bool {
        futures_core::FusedFuture::is_terminated(&self.wait)
    }
}

impl<R: ChannelRef, E> fmt::Debug for Items<R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
