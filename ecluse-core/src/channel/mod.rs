//! `Channel`: a bounded queue of items from senders to receivers, which loses nothing when either is
//! cancelled. Capacity 0, a rendezvous, included.
//!
//! | file | holds |
//! |---|---|
//! | here | the channel, and its borrowed calls |
//! | `cells` | where items lie, and in which order (invariants Q1 to Q4) |
//! | `queue` | the transitions under the lock (H1 to H4) |
//! | `close` | the end |
//! | `wait` | what waiters wait for |
//! | `send` | `Sending`, an item on its way |
//! | `permit` | `Permit`, room for one item |
//! | `ends` | `Sender` and `Receiver`, counted; `Items`, a stream |
//! | `forms` | owned futures, and threads without a runtime |
//! | `error` | what is refused, and given back |
//!
//! Items lie in the channel's own cells, and what waiters are granted is the index of one. So an item
//! is copied in and out without the lock (unless it is so small that holding the lock again would
//! take longer), room is free when the item was *observed*, and an item whose receiver was dropped
//! before it was polled is still in its cell, and goes back to its place in the order.

mod cells;
mod close;
mod ends;
mod error;
mod forms;
mod permit;
mod queue;
mod send;
mod wait;

use core::fmt;

pub use self::{
    ends::{Items, Receiver, Sender},
    error::{Ended, SendError, TryReceiveError, TryReserveError, TrySendError},
    permit::Permit,
    send::{Place, SendDeadline, Sending, SendingFrom, Sent},
    wait::{Receiving, Reserving, ToItem, ToRoom},
};

use self::{
    cells::{Cells, Slot},
    queue::{Core, Queue, Refusal},
};
use crate::{
    sync::{DefaultLock, Handle, Hint, Lock, Protected},
    wait::Wait,
};

/// A bounded channel for items of `T`, in order, from any number of senders to any number of
/// receivers; each item goes to one receiver.
///
/// - `N`, the capacity: how many items lie in it without anybody having to wait. With 0 it is a
///   rendezvous: a send is over when its item was *taken*.
/// - `L`, the lock: [`DefaultLock`] unless chosen.
///
/// No allocation; can be a `static`. Each cancel is safe: an item is sent or comes back to its
/// sender, is received or stays, in its place in the order.
///
/// | cancelled how | a send that is not over | a receive |
/// |---|---|---|
/// | the future is dropped | drops the item; [`send_from`](Channel::send_from) keeps it | leaves no trace: an item it was granted, and did not observe, goes back |
/// | through a scope, a time-out, a close | the item is in the error | the same |
///
/// ```
/// use ecluse_core::Channel;
///
/// static JOBS: Channel<u32, 8> = Channel::new();
///
/// # futures_executor::block_on(async {
/// JOBS.send(7).await.unwrap();
/// JOBS.close();
/// assert_eq!(JOBS.receive().await, Ok(7));
/// assert!(JOBS.receive().await.is_err());
/// # });
/// ```
pub struct Channel<T, const N: usize, L = DefaultLock> {
    queue: Protected<L, Queue>,
    lies: Hint,
    cells: Cells<T, N>,
}

// SAFETY: Validity: items go from thread to thread, hence `T: Send`; nobody has a reference to one
// in a cell. Aliasing: a cell is reached by the owner of its index only, its links under the lock.
unsafe impl<T: Send, const N: usize, L: Sync> Sync for Channel<T, N, L> {}
// SAFETY: Validity: moving it moves the items. Aliasing: moving needs ownership.
unsafe impl<T: Send, const N: usize, L: Send> Send for Channel<T, N, L> {}

/// A handle on a channel: `&Channel`, and with `alloc` `Arc<Channel>` and `Rc<Channel>`. Sealed.
pub trait ChannelRef: Handle {
    /// The channel's items.
    type Item;
    /// The channel's lock.
    type Lock: Lock;
    /// Whether the channel's capacity is 0.
    const RENDEZVOUS: bool;

    #[doc(hidden)]
    fn core(&self) -> Core<'_, Self::Item, Self::Lock>;
}

impl<R, T, const N: usize, L: Lock> ChannelRef for R
where
    R: Handle<Target = Channel<T, N, L>>,
{
    type Item = T;
    type Lock = L;
    const RENDEZVOUS: bool = N == 0;

    #[inline(always)]
    fn core(&self) -> Core<'_, T, L> {
        let channel: &Channel<T, N, L> = self;
        channel.core()
    }
}

impl<T, const N: usize, L: Lock> Channel<T, N, L> {
    const_fn! {
        /// An empty channel. Can be a `static`, which takes no room in a chip's flash: it is all
        /// zeros.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                queue: Protected::new(Queue::new()),
                lies: Hint::new(),
                cells: Cells::new(),
            }
        }
    }

    #[inline(always)]
    fn core(&self) -> Core<'_, T, L> {
        Core {
            queue: &self.queue,
            lies: &self.lies,
            cells: self.all(),
            rendezvous: N == 0,
        }
    }

    /// Sends `item`, when there is room, in order. With a capacity of 0: when a receiver has taken
    /// it.
    ///
    /// # Cancellation
    /// Dropping the future drops the item, which was not sent (and will never be received); a place
    /// in the queue, or room that was granted, goes to the next sender. To keep the item use
    /// [`send_from`](Channel::send_from), or end the send by [`Cx::guard_wait`], a
    /// [time-out](Sending::timeout) or [`Sending::try_abandon`], which give it back.
    ///
    /// # Errors
    /// Gives [`SendError::Closed`], with the item, if the channel is closed, or was closed before
    /// there was room (of a rendezvous: before the item was taken); what a cancel gives is above.
    ///
    /// [`Cx::guard_wait`]: crate::Cx::guard_wait
    #[inline]
    pub fn send(&self, item: T) -> Sending<&Self> {
        Sending::new(self, Some(item))
    }

    /// As [`send`](Channel::send), for an item that stays where it is until it is sent: in `place`,
    /// which is empty then. An empty place sends nothing, and is over at once.
    ///
    /// ```
    /// use ecluse_core::{Channel, Local};
    /// # use futures_executor::block_on;
    /// let channel = Channel::<String, 0, Local>::new();
    /// let mut letter = Some("to nobody".to_owned());
    /// drop(channel.send_from(&mut letter)); // (a time-out, the loser of a select, …)
    /// assert!(letter.is_some());
    /// ```
    ///
    /// # Cancellation
    /// Dropping the future leaves the item in `place`, or puts it there again, unless it was sent.
    ///
    /// # Errors
    /// As [`send`](Channel::send); the item is in `place`.
    #[inline]
    pub fn send_from<'i>(&self, place: &'i mut Option<T>) -> SendingFrom<'i, &Self> {
        Sending::new(self, place)
    }

    /// The next item, when there is one, in order.
    ///
    /// # Cancellation
    /// As for every [`Wait`]: dropped while queued it leaves the queue; dropped after it was granted
    /// an item, it passes it on to the next receiver, or back to its place in the order.
    ///
    /// # Errors
    /// Gives [`Ended`] when the channel is closed and nothing is left, in it or in a
    /// [`Permit`].
    ///
    /// # Panics
    /// Not by a waker of the sender whose room this frees: the item is returned, and that panic ends
    /// here. (Without `std`, it unwinds, and the item is dropped.)
    #[inline]
    pub fn receive(&self) -> Receiving<&Self> {
        Wait::new(ToItem::new(self))
    }

    /// Room for one item, when there is some, in order with those who send.
    ///
    /// # Cancellation
    /// As for every [`Wait`]; room that was granted, and not observed, goes to the next sender.
    ///
    /// # Errors
    /// Gives [`Closed`](crate::Closed) if the channel is closed, or was closed meanwhile.
    #[inline]
    pub fn reserve(&self) -> Reserving<&Self> {
        Wait::new(ToRoom::new(self, false))
    }

    /// Sends `item` if there is room. O(1).
    ///
    /// With a capacity of 0 there is room while a receiver waits; the item is handed to it. (Should
    /// it go without it, the item stays for the next.)
    ///
    /// # Errors
    /// [`TrySendError::Full`] or [`TrySendError::Closed`], with the item.
    #[inline]
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        let mut place = Some(item);
        let refused = match self.core().send_now(&mut place, false) {
            Ok(_) => return Ok(()),
            Err(refused) => refused,
        };
        match (place, refused) {
            (Some(item), Refusal::Full) => Err(TrySendError::Full(item)),
            (Some(item), Refusal::Closed) => Err(TrySendError::Closed(item)),
            (None, _) => Ok(()),
        }
    }

    /// The next item, if there is one. O(1).
    ///
    /// # Errors
    /// [`TryReceiveError::Empty`], or [`TryReceiveError::Ended`] if none will come.
    #[inline]
    pub fn try_receive(&self) -> Result<T, TryReceiveError> {
        self.core().receive_now(Err, Ok)
    }

    /// Room for one item, if there is some. O(1).
    ///
    /// # Errors
    /// [`TryReserveError::Full`] or [`TryReserveError::Closed`].
    #[inline]
    pub fn try_reserve(&self) -> Result<Permit<&Self>, TryReserveError> {
        let core = self.core();
        match core.queue.with(|held| core.claim(held)) {
            // SAFETY: Validity: just claimed, thus empty. Aliasing: ours.
            Ok(index) => Ok(unsafe { Permit::new(self, index) }),
            Err(Refusal::Full) => Err(TryReserveError::Full),
            Err(Refusal::Closed) => Err(TryReserveError::Closed),
        }
    }

    /// Closes the channel: it takes no further item. Senders that wait are given theirs back;
    /// receivers get what is left, and then [`Ended`]. Permits that are out may still be used. True
    /// for the one call that closed it. O(waiters), in bounded lock holds.
    pub fn close(&self) -> bool {
        self.core().close()
    }

    /// Whether it was closed. (Here and below: takes the lock.)
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queue.with(|held| held.closed)
    }

    /// How many items lie in it that no receiver was granted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.with(|held| held.lists.count()) as usize
    }

    /// Whether no item lies in it that no receiver was granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room at the moment: every cell has an item, or is reserved. (Of a
    /// rendezvous: whether a sender is there, or a permit out.)
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.queue.with(|held| !held.lists.has_room(self.all()))
    }

    /// Whether a receiver waits for an item.
    #[must_use]
    pub fn has_waiting_receivers(&self) -> bool {
        self.queue.with(|held| !held.receivers.is_empty())
    }

    /// Whether a sender waits: for room, or, of a rendezvous, for its item to be taken.
    #[must_use]
    pub fn has_waiting_senders(&self) -> bool {
        self.queue
            .with(|held| !held.senders.is_empty() || !held.handover.is_empty())
    }

    /// How many items may lie in it: `N`.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        N
    }

    /// A counted end to send by, see [`Sender`].
    #[must_use]
    pub fn sender(&self) -> Sender<&Self> {
        Sender::new(self)
    }

    /// A counted end to receive by, see [`Receiver`].
    #[must_use]
    pub fn receiver(&self) -> Receiver<&Self> {
        Receiver::new(self)
    }

    /// All items as they come, until the end.
    pub fn items(&self) -> Items<&Self> {
        Items::new(self)
    }
}

impl<T, const N: usize, L> Channel<T, N, L> {
    #[inline(always)]
    fn all(&self) -> &[Slot<T>] {
        self.cells.all()
    }
}

/// Drops the items that nobody received: those in the order. (One that was granted to a future which
/// was forgotten goes with it.) All of them, also if one panics.
impl<T, const N: usize, L> Drop for Channel<T, N, L> {
    fn drop(&mut self) {
        if core::mem::needs_drop::<T>() {
            let (queue, cells) = (&mut self.queue, self.cells.all());
            // SAFETY: Validity: this channel's cells. Aliasing: `&mut self`; a future that was
            // forgotten does not look at them.
            unsafe { queue.get_mut().lists.drop_all(cells) };
        }
    }
}

impl<T, const N: usize, L: Lock> Default for Channel<T, N, L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize, L: Lock> fmt::Debug for Channel<T, N, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, closed) = self.queue.with(|held| (held.lists.count(), held.closed));
        f.debug_struct("Channel")
            .field("capacity", &N)
            .field("len", &len)
            .field("closed", &closed)
            .finish()
    }
}

impl<T, const N: usize, L> core::panic::UnwindSafe for Channel<T, N, L> {}
impl<T, const N: usize, L> core::panic::RefUnwindSafe for Channel<T, N, L> {}
