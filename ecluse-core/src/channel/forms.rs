//! The same calls for futures that keep the channel alive, and for threads without a runtime.

/// Owned forms: the future keeps the channel alive and is `'static`.
#[cfg(feature = "alloc")]
mod owned {
    use super::super::{
        Channel, ChannelRef, Items, Permit, Receiver, Receiving, Reserving, Sender, Sending,
        ToItem, ToRoom, TryReserveError, queue::Refusal,
    };
    use crate::{
        sync::{Handle, Lock},
        wait::Wait,
    };

    impl<T, const N: usize, L: Lock> Channel<T, N, L> {
        /// A [`Sender`] and a [`Receiver`] that own the channel: `this` is an `Arc` or `Rc` of it (or
        /// a reference). When the last of either is dropped, the channel is closed.
        pub fn split<R>(this: R) -> (Sender<R>, Receiver<R>)
        where
            R: Handle<Target = Self>,
        {
            (Sender::new(this.clone()), Receiver::new(this))
        }

        /// [`send`](Channel::send) for a future that keeps the channel alive: `this` is an `Arc` or
        /// `Rc` of it.
        pub fn send_owned<R>(this: &R, item: T) -> Sending<R>
        where
            R: Handle<Target = Self> + ChannelRef<Item = T, Lock = L>,
        {
            Sending::new(this.clone(), Some(item))
        }

        /// [`receive`](Channel::receive) for a wait that keeps the channel alive.
        pub fn receive_owned<R>(this: &R) -> Receiving<R>
        where
            R: Handle<Target = Self> + ChannelRef<Item = T, Lock = L>,
        {
            Wait::new(ToItem::new(this.clone()))
        }

        /// [`reserve`](Channel::reserve) for a wait, and a permit, that keep the channel alive.
        pub fn reserve_owned<R>(this: &R) -> Reserving<R>
        where
            R: Handle<Target = Self> + ChannelRef<Item = T, Lock = L>,
        {
            Wait::new(ToRoom::new(this.clone(), false))
        }

        /// [`try_reserve`](Channel::try_reserve) for a permit that keeps the channel alive.
        ///
        /// # Errors
        /// As that.
        pub fn try_reserve_owned<R>(this: &R) -> Result<Permit<R>, TryReserveError>
        where
            R: Handle<Target = Self> + ChannelRef<Item = T, Lock = L>,
        {
            let core = ChannelRef::core(this);
            match core.queue.with(|held| core.claim(held)) {
                // SAFETY: Validity: just claimed, thus empty. Aliasing: ours.
                Ok(index) => Ok(unsafe { Permit::new(this.clone(), index) }),
                Err(Refusal::Full) => Err(TryReserveError::Full),
                Err(Refusal::Closed) => Err(TryReserveError::Closed),
            }
        }

        /// [`items`](Channel::items) for a stream that keeps the channel alive.
        pub fn items_owned<R>(this: &R) -> Items<R>
        where
            R: Handle<Target = Self> + ChannelRef<Item = T, Lock = L>,
        {
            Items::new(this.clone())
        }
    }
}

/// Threads without a runtime.
#[cfg(all(feature = "std", not(ecluse_loom)))]
mod blocking {
    use core::time::Duration;

    use super::super::{Channel, Ended, SendError};
    use crate::{TimedOut, sync::Lock};

    impl<T, const N: usize, L: Lock> Channel<T, N, L> {
        /// Blocks this thread until `item` was sent; it queues with tasks, in the same order.
        ///
        /// # Errors
        /// [`SendError::Closed`], with the item.
        pub fn send_blocking(&self, item: T) -> Result<(), SendError<T>> {
            self.send(item).block()
        }

        /// As [`send_blocking`](Channel::send_blocking), for `limit` at most.
        ///
        /// # Errors
        /// [`SendError::Closed`] or [`SendError::TimedOut`], with the item.
        pub fn send_blocking_timeout(&self, item: T, limit: Duration) -> Result<(), SendError<T>> {
            self.send(item).block_timeout(limit)
        }

        /// Blocks this thread until there is an item; it queues with tasks, in the same order.
        ///
        /// # Errors
        /// [`Ended`] when the channel is closed and nothing is left.
        pub fn receive_blocking(&self) -> Result<T, Ended> {
            self.receive().block()
        }

        /// As [`receive_blocking`](Channel::receive_blocking), for `limit` at most.
        ///
        /// # Errors
        /// [`TimedOut`] when the limit is over; inside, [`Ended`].
        pub fn receive_blocking_timeout(
            &self,
            limit: Duration,
        ) -> Result<Result<T, Ended>, TimedOut> {
            self.receive().block_timeout(limit)
        }
    }
}
