//! The three waits of a channel: for an item, for room, and for an item to be taken.

use core::task::{Poll, Waker};

use super::{
    ChannelRef, Permit, TryReceiveError,
    cells::Index,
    error::Ended,
    queue::{Core, HandGrant, ItemGrant, Queue, RoomGrant},
};
use crate::{
    Closed,
    sync::{Locked, Protected},
    wait::{Found, Node, Protocol, Ring, Wait},
};

/// The wait for an item: gives it, or [`Ended`]. See [`Channel::receive`](super::Channel::receive).
pub type Receiving<R> = Wait<ToItem<R>>;

/// The wait for room: gives a [`Permit`], or [`Closed`]. See
/// [`Channel::reserve`](super::Channel::reserve).
pub type Reserving<R> = Wait<ToRoom<R>>;

/// What a [`Receiving`] waits for.
pub struct ToItem<R: ChannelRef>(R);

/// What a [`Reserving`] waits for.
pub struct ToRoom<R: ChannelRef> {
    channel: R,
    /// There was none a moment ago.
    looked: bool,
}

/// What the sender of a rendezvous waits for, whose item lies in a cell.
pub(super) struct ToTaken<R: ChannelRef> {
    channel: R,
    index: Index,
    number: u32,
}

impl<R: ChannelRef> ToItem<R> {
    #[inline(always)]
    pub(super) fn new(channel: R) -> Self {
        Self(channel)
    }

    #[inline(always)]
    fn core(&self) -> Core<'_, R::Item, R::Lock> {
        self.0.core()
    }
}

impl<R: ChannelRef> ToRoom<R> {
    #[inline(always)]
    pub(super) fn new(channel: R, looked: bool) -> Self {
        Self { channel, looked }
    }
}

impl<R: ChannelRef> ToTaken<R> {
    pub(super) fn new(channel: R, index: Index, number: u32) -> Self {
        Self {
            channel,
            index,
            number,
        }
    }

    pub(super) fn channel(&self) -> &R {
        &self.channel
    }
}

impl<R: ChannelRef> Wait<ToItem<R>> {
    /// The channel whose item this waits for.
    #[must_use]
    pub fn channel(&self) -> &R {
        &self.target.0
    }
}

impl<R: ChannelRef> Wait<ToRoom<R>> {
    /// The channel whose room this waits for.
    #[must_use]
    pub fn channel(&self) -> &R {
        &self.target.channel
    }
}

impl<R: ChannelRef> Protocol for ToItem<R> {
    type Lock = R::Lock;
    type Held = Queue;
    type Grant = ItemGrant;
    type Extra = ();
    type Output = Result<R::Item, Ended>;
    type Notes = ();

    /// A sender of a rendezvous may take its item back (H3).
    const UNDER_LOCK: bool = R::RENDEZVOUS;
    const PRECIOUS: bool = true;
    const RETURNS: bool = R::RENDEZVOUS;

    #[inline(always)]
    fn guarded(&self) -> &Protected<Self::Lock, Queue> {
        self.core().queue
    }

    #[inline(always)]
    fn ring<'h>(&'h self, held: &'h mut Locked<Queue>) -> Option<&'h mut Ring<ItemGrant>> {
        Some(&mut held.receivers)
    }

    #[inline(always)]
    fn now(&self) -> Poll<Self::Output> {
        let core = self.core();
        if !core.lies.get() {
            // It is for `enlist` to make sure: one hold instead of two.
            return Poll::Pending;
        }
        let refused = |why| match why {
            TryReceiveError::Ended => Poll::Ready(Err(Ended)),
            TryReceiveError::Empty => Poll::Pending,
        };
        core.receive_now(refused, |item| Poll::Ready(Ok(item)))
    }

    #[inline(always)]
    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Queue>,
        _: &Node<ItemGrant>,
        _: &Waker,
        (): &mut (),
    ) -> Found<'h, Self> {
        match self.core().take(held) {
            Ok(index) => Found::Grant(ItemGrant::Item(index)),
            Err(TryReceiveError::Ended) => Found::Grant(ItemGrant::End),
            Err(TryReceiveError::Empty) => Found::Ring(&mut held.receivers),
        }
    }

    #[inline(always)]
    fn settled(&self, held: &mut Locked<Queue>, node: &Node<ItemGrant>) {
        held.grantee.settle(node);
    }

    fn over(&self, _: &mut Locked<Queue>) -> Option<ItemGrant> {
        None
    }

    #[inline(always)]
    fn observe(&self, grant: ItemGrant) -> Self::Output {
        match grant {
            // SAFETY: Validity: an item, since it was granted (Q2). Aliasing: a grant is observed
            // once, by its owner.
            ItemGrant::Item(index) => unsafe { self.core().read(index, Ok) },
            ItemGrant::End => Err(Ended),
        }
    }

    fn put_back(&self, held: &mut Locked<Queue>, grant: ItemGrant) -> Option<Waker> {
        match grant {
            // SAFETY: Validity and Aliasing: as in `observe`; it was not observed.
            ItemGrant::Item(index) => unsafe { self.core().put_back(held, index) },
            ItemGrant::End => None,
        }
    }

    fn pass_on(&self, grant: ItemGrant) {
        let next = self.guarded().with(|held| self.put_back(held, grant));
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

impl<R: ChannelRef> Protocol for ToRoom<R> {
    type Lock = R::Lock;
    type Held = Queue;
    type Grant = RoomGrant;
    type Extra = ();
    type Output = Result<Permit<R>, Closed>;
    type Notes = ();

    #[inline(always)]
    fn guarded(&self) -> &Protected<Self::Lock, Queue> {
        self.channel.core().queue
    }

    #[inline(always)]
    fn ring<'h>(&'h self, held: &'h mut Locked<Queue>) -> Option<&'h mut Ring<RoomGrant>> {
        Some(&mut held.senders)
    }

    #[inline(always)]
    fn attempt(&self) -> Option<RoomGrant> {
        if self.looked {
            return None;
        }
        let core = self.channel.core();
        core.queue.with(|held| grant(core.claim(held)))
    }

    #[inline(always)]
    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Queue>,
        _: &Node<RoomGrant>,
        _: &Waker,
        (): &mut (),
    ) -> Found<'h, Self> {
        match grant(self.channel.core().claim(held)) {
            Some(grant) => Found::Grant(grant),
            None => Found::Ring(&mut held.senders),
        }
    }

    fn over(&self, _: &mut Locked<Queue>) -> Option<RoomGrant> {
        None
    }

    #[inline(always)]
    fn observe(&self, grant: RoomGrant) -> Self::Output {
        match grant {
            // SAFETY: Validity: an empty cell, since it was granted (Q2). Aliasing: a grant is
            // observed once, by its owner.
            RoomGrant::Room(index) => Ok(unsafe { Permit::new(self.channel.clone(), index) }),
            RoomGrant::Closed => Err(Closed),
        }
    }

    fn pass_on(&self, grant: RoomGrant) {
        if let RoomGrant::Room(index) = grant {
            // SAFETY: Validity and Aliasing: as in `observe`; it was not observed.
            unsafe { self.channel.core().release(index) };
        }
    }
}

/// What a claim comes to, for one who may wait.
fn grant(claimed: Result<Index, super::queue::Refusal>) -> Option<RoomGrant> {
    match claimed {
        Ok(index) => Some(RoomGrant::Room(index)),
        Err(super::queue::Refusal::Closed) => Some(RoomGrant::Closed),
        Err(super::queue::Refusal::Full) => None,
    }
}

/// How the wait for an item to be taken ended.
pub(super) enum Handed<T> {
    /// It was taken.
    Taken,
    /// It is its sender's again.
    Back(T),
}

impl<R: ChannelRef> Protocol for ToTaken<R> {
    type Lock = R::Lock;
    type Held = Queue;
    type Grant = HandGrant;
    type Extra = ();
    type Output = Handed<R::Item>;
    type Notes = ();

    const PRECIOUS: bool = true;

    #[inline(always)]
    fn guarded(&self) -> &Protected<Self::Lock, Queue> {
        self.channel.core().queue
    }

    fn ring<'h>(&'h self, held: &'h mut Locked<Queue>) -> Option<&'h mut Ring<HandGrant>> {
        Some(&mut held.handover)
    }

    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Queue>,
        _: &Node<HandGrant>,
        _: &Waker,
        (): &mut (),
    ) -> Found<'h, Self> {
        if held.closed {
            Found::Grant(self.end(held))
        } else if self.channel.core().is_there(held, self.index, self.number) {
            Found::Ring(&mut held.handover)
        } else {
            Found::Grant(HandGrant::Taken)
        }
    }

    /// The item is the sender's again, if that comes first (H3).
    fn over(&self, held: &mut Locked<Queue>) -> Option<HandGrant> {
        Some(self.end(held))
    }

    fn observe(&self, grant: HandGrant) -> Self::Output {
        match grant {
            HandGrant::Taken => Handed::Taken,
            // SAFETY: Validity: the item that was given back. Aliasing: a grant is observed once, by
            // its owner.
            HandGrant::Back(index) => unsafe { self.channel.core().read(index, Handed::Back) },
        }
    }

    fn pass_on(&self, grant: HandGrant) {
        drop(self.observe(grant));
    }
}

impl<R: ChannelRef> ToTaken<R> {
    fn end(&self, held: &mut Locked<Queue>) -> HandGrant {
        match self.channel.core().withdraw(held, self.index, self.number) {
            Some(index) => HandGrant::Back(index),
            None => HandGrant::Taken,
        }
    }
}
