//! What happens under the lock: cells change hands, waiters are granted an index, the end comes.
//!
//! | a cell is | room, or an item, that belongs to |
//! |---|---|
//! | free | nobody; then no sender waits |
//! | claimed, or granted to a sender | a sender, or a permit |
//! | in the order | nobody; then no receiver waits |
//! | granted to a receiver | that receiver, once it has observed it |
//! | being read | a receiver: its room is free when the item is out |
//!
//! Invariants (those of the cells, Q1 to Q4, are in `cells`):
//! - **H1** Senders wait only while no cell is free, receivers only while the order is empty. So
//!   nobody overtakes: what comes free goes to the head of the queue, in the hold in which it does.
//! - **H2** The end comes when the channel is closed and every cell is free: until then an item may
//!   come, out of a permit or back from a receiver that was dropped. It comes once.
//! - **H3** Of a rendezvous, the sender that waits for its item to be taken owns it until a receiver
//!   observes it. It is decided under the lock which comes first: its taking back (by a cancel, or a
//!   close), which revokes a grant that nobody has observed, or the observing.
//! - **H4** An item in hand outranks a panic of another's waker: a receiver that frees room and
//!   wakes a sender by it gives the item, and the panic ends there.

use core::{mem::MaybeUninit, ptr::NonNull, task::Waker};

use super::{
    TryReceiveError,
    cells::{Index, Lists, Slot, slot},
};
use crate::{
    sync::{Hint, Lock, Locked, Protected},
    wait::{Node, Ring, UserCode},
};

/// What the channel's lock protects.
pub struct Queue {
    pub(super) receivers: Ring<ItemGrant>,
    pub(super) senders: Ring<RoomGrant>,
    /// The sender of a rendezvous that waits for its item to be taken: one at most.
    pub(super) handover: Ring<HandGrant>,
    /// The receiver of a rendezvous that was granted the item and has not been polled yet.
    pub(super) grantee: Grantee,
    pub(super) lists: Lists,
    pub(super) closed: bool,
    /// How many counted ends there are: senders, receivers.
    pub(super) ends: [u32; 2],
}

/// What a receiver is granted.
#[derive(Clone, Copy)]
pub enum ItemGrant {
    /// The item in this cell.
    Item(Index),
    /// There is none, and none will come.
    End,
}

/// What a sender that waits for room is granted.
#[derive(Clone, Copy)]
pub enum RoomGrant {
    /// This cell.
    Room(Index),
    /// Nothing: the channel was closed.
    Closed,
}

/// What a sender that waits for its item to be taken is granted.
#[derive(Clone, Copy)]
pub(super) enum HandGrant {
    /// It was taken.
    Taken,
    /// The item, which lies in this cell: the channel was closed.
    Back(Index),
}

/// A node that was granted an item, to be revoked.
pub(super) struct Grantee(Option<NonNull<Node<ItemGrant>>>);

// SAFETY: Validity: the pointer is followed under the lock only, while the node is `GRANTED`, whose
// owner takes the lock before it goes. Aliasing: as for the rings.
unsafe impl Send for Grantee {}

impl Grantee {
    /// The grant in `node` is its owner's from here on.
    pub(super) fn settle(&mut self, node: &Node<ItemGrant>) {
        // A receiver that was told the end is granted, too, and is not the grantee.
        if self.0 == Some(NonNull::from(node)) {
            self.0 = None;
        }
    }
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self {
            receivers: Ring::new(),
            senders: Ring::new(),
            handover: Ring::new(),
            grantee: Grantee(None),
            lists: Lists::new(),
            closed: false,
            ends: [0; 2],
        }
    }

    #[inline(always)]
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.lists.is_idle()
    }
}

/// Why nothing was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Full,
    Closed,
}

/// A channel of any capacity, as its transitions see it.
pub struct Core<'a, T, L> {
    pub(super) queue: &'a Protected<L, Queue>,
    /// Whether an item lies in the order.
    pub(super) lies: &'a Hint,
    pub(super) cells: &'a [Slot<T>],
    pub(super) rendezvous: bool,
}

impl<T, L> Clone for Core<'_, T, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, L> Copy for Core<'_, T, L> {}

impl<T, L: Lock> Core<'_, T, L> {
    /// Whether an item is small enough to be moved under the lock: one hold instead of two.
    const DIRECT: bool = size_of::<T>() <= L::CARRIES;

    /// A cell for an item.
    #[inline(always)]
    pub(super) fn claim(self, held: &mut Locked<Queue>) -> Result<Index, Refusal> {
        if held.closed {
            return Err(Refusal::Closed);
        }
        // SAFETY: Validity and Aliasing: this channel's cells and lists, and its lock is held.
        unsafe { held.lists.claim(self.cells) }.ok_or(Refusal::Full)
    }

    /// As [`claim`](Self::claim), for a sender that will not wait until its item is taken: of a
    /// rendezvous there is room while a receiver waits.
    #[inline(always)]
    fn claim_at_once(self, held: &mut Locked<Queue>, waits: bool) -> Result<Index, Refusal> {
        if self.rendezvous && !waits && held.receivers.is_empty() && !held.closed {
            return Err(Refusal::Full);
        }
        self.claim(held)
    }

    /// The item in this cell is the next: it goes to the head of the receivers, or into the order.
    ///
    /// # Safety
    /// The caller owns the cell, which has an item.
    #[inline(always)]
    unsafe fn publish(self, held: &mut Locked<Queue>, index: Index) -> (u32, Option<Waker>) {
        let number = held.lists.number();
        // SAFETY: Validity: the caller's, with an item. Aliasing: the lock is held.
        unsafe {
            if held.receivers.is_empty() {
                held.lists.append(self.cells, index, number);
                self.lies.set(true);
                return (number, None);
            }
            held.lists.keep(self.cells, index, number);
            (number, self.hand(held, index))
        }
    }

    /// The item in this cell goes to the head of the receivers, if there is one.
    ///
    /// # Safety
    /// As [`publish`](Self::publish).
    #[inline(always)]
    unsafe fn hand(self, held: &mut Locked<Queue>, index: Index) -> Option<Waker> {
        // SAFETY: Validity: a ring's head. Aliasing: the lock is held.
        let node = unsafe { held.receivers.pop() }?;
        if self.rendezvous {
            held.grantee.0 = Some(node);
        }
        // SAFETY: Validity: just unlinked. Aliasing: the lock is held.
        Some(unsafe { Node::grant(node, ItemGrant::Item(index)) })
    }

    /// The item of a receiver that went without it: to the next, or back to its place (h02).
    ///
    /// # Safety
    /// As [`publish`](Self::publish); the item has its number.
    pub(super) unsafe fn put_back(self, held: &mut Locked<Queue>, index: Index) -> Option<Waker> {
        // SAFETY: Validity and Aliasing: by contract.
        unsafe {
            let waker = self.hand(held, index);
            if waker.is_none() {
                held.lists.put_back(self.cells, index);
                self.lies.set(true);
            }
            waker
        }
    }

    /// The next item.
    #[inline(always)]
    pub(super) fn take(self, held: &mut Locked<Queue>) -> Result<Index, TryReceiveError> {
        // SAFETY: Validity and Aliasing: this channel's cells and lists, and its lock is held.
        match unsafe { held.lists.take(self.cells) } {
            Some(index) => {
                self.lies.set(held.lists.first().is_some());
                Ok(index)
            }
            None if held.is_over() => Err(TryReceiveError::Ended),
            None => Err(TryReceiveError::Empty),
        }
    }

    /// The caller's cell, which is empty, goes to the head of the senders, or is free. Tells whether
    /// that is the end for somebody.
    ///
    /// # Safety
    /// The caller owns the cell, which is empty.
    #[inline(always)]
    unsafe fn free(self, held: &mut Locked<Queue>, index: Index) -> (Option<Waker>, bool) {
        // SAFETY: Validity: a ring's head, then just unlinked; the caller's cell. Aliasing: the lock
        // is held.
        unsafe {
            if let Some(node) = held.senders.pop() {
                return (Some(Node::grant(node, RoomGrant::Room(index))), false);
            }
            held.lists.free(self.cells, index);
        }
        (None, held.is_over() && !held.receivers.is_empty())
    }

    /// Sends the item in `place`, which has one, if there is room. Gives its cell and its number.
    #[inline(always)]
    pub(super) fn send_now(
        self,
        place: &mut Option<T>,
        waits: bool,
    ) -> Result<(Index, u32), Refusal> {
        if !Self::DIRECT {
            let index = self.queue.with(|held| self.claim_at_once(held, waits))?;
            // SAFETY: Validity and Aliasing: just claimed.
            return Ok((index, unsafe { self.send_in(index, place) }));
        }
        let (index, number, waker) = self.queue.with(|held| {
            let index = self.claim_at_once(held, waits)?;
            let Some(item) = place.take() else {
                // SAFETY: Validity and Aliasing: just claimed.
                unsafe { held.lists.free(self.cells, index) };
                return Err(Refusal::Full);
            };
            // SAFETY: Validity and Aliasing: just claimed, then full.
            unsafe {
                slot(self.cells, index).write(item);
                let (number, waker) = self.publish(held, index);
                Ok((index, number, waker))
            }
        })?;
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok((index, number))
    }

    /// Sends the item in `place` in a cell that was claimed for it; gives its number. Without an
    /// item the cell is free again.
    ///
    /// # Safety
    /// The caller owns the cell, which is empty.
    #[inline(always)]
    pub(super) unsafe fn send_in(self, index: Index, place: &mut Option<T>) -> u32 {
        let Some(item) = place.take() else {
            // SAFETY: Validity and Aliasing: by contract.
            unsafe { self.release(index) };
            return 0;
        };
        // SAFETY: Validity and Aliasing: by contract.
        unsafe { slot(self.cells, index).write(item) };
        // SAFETY: Validity: full. Aliasing: the caller's until then.
        let (number, waker) = self.queue.with(|held| unsafe { self.publish(held, index) });
        if let Some(waker) = waker {
            waker.wake();
        }
        number
    }

    /// The next item, if there is one: as `got` makes it, or else what `refused` makes of that. (Made
    /// at once, where the caller wants it: an item may be large, and each step on its way a copy.)
    #[inline(always)]
    pub(super) fn receive_now<O>(
        self,
        refused: impl FnOnce(TryReceiveError) -> O,
        got: impl FnOnce(T) -> O,
    ) -> O {
        if !Self::DIRECT || self.rendezvous {
            return match self.queue.with(|held| self.take(held)) {
                // SAFETY: Validity and Aliasing: just taken.
                Ok(index) => unsafe { self.read(index, got) },
                Err(why) => refused(why),
            };
        }
        let mut item = MaybeUninit::uninit();
        let freed = self.queue.with(|held| {
            let index = self.take(held)?;
            // SAFETY: Validity: just taken, then empty. Aliasing: ours.
            unsafe {
                item.write(slot(self.cells, index).read());
                Ok(self.free(held, index))
            }
        });
        let (waker, ended) = match freed {
            Ok(freed) => freed,
            Err(why) => return refused(why),
        };
        // SAFETY: Validity: there was one, and it was read. Aliasing: owned.
        let out = got(unsafe { item.assume_init() });
        if waker.is_some() || ended {
            self.freed(waker, ended);
        }
        out
    }

    /// Reads the item in the caller's cell, and frees that.
    ///
    /// # Safety
    /// The caller owns the cell, which has an item.
    #[inline(always)]
    pub(super) unsafe fn read<O>(self, index: Index, got: impl FnOnce(T) -> O) -> O {
        // SAFETY: Validity and Aliasing: by contract.
        let out = got(unsafe { slot(self.cells, index).read() });
        // SAFETY: Validity: empty now. Aliasing: by contract.
        unsafe { self.observed(index) };
        out
    }

    /// The item that was in the caller's cell was read.
    ///
    /// # Safety
    /// The caller owns the cell, which is empty.
    #[inline(always)]
    unsafe fn observed(self, index: Index) {
        if self.rendezvous {
            // Its sender first: it is the one that has waited longer.
            let sender = self.queue.with(|held| {
                // SAFETY: Validity: a ring's head, then just unlinked. Aliasing: the lock is held.
                unsafe { Some(Node::grant(held.handover.pop()?, HandGrant::Taken)) }
            });
            wake_quietly(sender);
        }
        // SAFETY: Validity: empty. Aliasing: by contract.
        let (waker, ended) = self.queue.with(|held| unsafe { self.free(held, index) });
        if waker.is_some() || ended {
            self.freed(waker, ended);
        }
    }

    /// What freeing a cell leaves for after the lock, with an item in hand (H4).
    fn freed(self, waker: Option<Waker>, ended: bool) {
        wake_quietly(waker);
        if ended {
            quietly(|| self.end());
        }
    }

    /// The caller's cell, which is empty, is not needed.
    ///
    /// # Safety
    /// The caller owns the cell, which is empty.
    pub(super) unsafe fn release(self, index: Index) {
        // SAFETY: Validity and Aliasing: by contract.
        let (waker, ended) = self.queue.with(|held| unsafe { self.free(held, index) });
        if let Some(waker) = waker {
            waker.wake();
        }
        if ended {
            self.end();
        }
    }

    /// Of a rendezvous: the item numbered `number` in this cell is its sender's again, if nobody has
    /// observed it (H3).
    pub(super) fn withdraw(
        self,
        held: &mut Locked<Queue>,
        index: Index,
        number: u32,
    ) -> Option<Index> {
        // SAFETY: Validity and Aliasing: this channel's cells and lists, and its lock is held.
        if unsafe { held.lists.number_of(self.cells, index) } != number {
            return None;
        }
        self.withdraw_any(held)
    }

    pub(super) fn withdraw_any(self, held: &mut Locked<Queue>) -> Option<Index> {
        // SAFETY: Validity: this channel's lists; a grantee is `GRANTED`, of a kind whose owner
        // looks under the lock only. Aliasing: the lock is held.
        unsafe {
            if let Some(index) = held.lists.take(self.cells) {
                self.lies.set(false);
                return Some(index);
            }
            match Node::revoke(held.grantee.0.take()?) {
                ItemGrant::Item(index) => Some(index),
                ItemGrant::End => None,
            }
        }
    }

    /// Whether the item numbered `number` in this cell was not observed yet.
    pub(super) fn is_there(self, held: &Locked<Queue>, index: Index, number: u32) -> bool {
        // SAFETY: Validity and Aliasing: this channel's cells and lists, and its lock is held.
        let numbered = unsafe { held.lists.number_of(self.cells, index) };
        numbered == number && (held.lists.first().is_some() || held.grantee.0.is_some())
    }
}

/// Wakes another's waker, whose panic ends here (H4).
fn wake_quietly(waker: Option<Waker>) {
    if let Some(waker) = waker {
        quietly(|| waker.wake());
    }
}

fn quietly(call: impl FnOnce()) {
    let mut user = UserCode::new();
    user.call(call);
    user.forgive();
}
