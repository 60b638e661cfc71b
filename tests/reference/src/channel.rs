//! `Channel`: items from senders to receivers, in order; of capacity 0, a rendezvous.
//!
//! An item is in the queue, or in the place of the receiver that was granted it, or with its sender. A place of the channel is
//! taken by it until it was observed.

use std::borrow::BorrowMut;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use ecluse_core::Closed;
pub use ecluse_core::channel::{Ended, SendError, TryReceiveError, TryReserveError, TrySendError};

use crate::waiter::{Place, Queue, Target, Wait, lock, wake};

/// The wait for an item.
pub type Receiving<R> = Wait<ToItem<R>>;

/// The wait for room.
pub type Reserving<R> = Wait<ToRoom<R>>;

/// An item, and the how manieth it is.
type Numbered<T> = (u64, T);

/// What a receiver is granted: an item, or the end.
pub type ItemGrant<T> = Option<Numbered<T>>;

/// What a sender is granted: room, unless the channel was closed.
pub type RoomGrant = Result<(), Closed>;

/// What the sender of a rendezvous is granted: its item is taken, or is its own again.
type HandGrant<T> = Option<T>;

struct State<T> {
    closed: bool,
    /// Places that are taken: by items, by permits, by grants of either.
    used: usize,
    published: u64,
    items: VecDeque<Numbered<T>>,
    receivers: Queue<ItemGrant<T>>,
    senders: Queue<RoomGrant>,
    /// Of a rendezvous: the sender whose item is there, and who was granted it last.
    handover: Queue<HandGrant<T>>,
    grantee: Option<Arc<Place<ItemGrant<T>>>>,
}

/// Who is to be woken when the mutex is free again.
struct Woken<T> {
    handed: Option<Arc<Place<HandGrant<T>>>>,
    senders: Vec<Arc<Place<RoomGrant>>>,
    receivers: Vec<Arc<Place<ItemGrant<T>>>>,
}

impl<T> Woken<T> {
    fn new() -> Self {
        Self {
            handed: None,
            senders: Vec::new(),
            receivers: Vec::new(),
        }
    }

    fn wake(self) {
        wake(self.handed);
        wake(self.senders);
        wake(self.receivers);
    }
}

impl<T> State<T> {
    fn is_over(&self) -> bool {
        self.closed && self.used == 0
    }

    /// A place is free again.
    fn free(&mut self, woken: &mut Woken<T>) {
        if let Ok(sender) = self.senders.grant_first(Ok(())) {
            return woken.senders.push(sender);
        }
        self.used -= 1;
        self.end(woken);
    }

    /// Tells the receivers, if that is the end.
    fn end(&mut self, woken: &mut Woken<T>) {
        while self.is_over() {
            let Ok(receiver) = self.receivers.grant_first(None) else {
                return;
            };
            woken.receivers.push(receiver);
        }
    }

    fn publish(&mut self, item: T, woken: &mut Woken<T>) -> u64 {
        self.published += 1;
        self.pass((self.published, item), woken);
        self.published
    }

    /// To the first receiver, or to its place in the order.
    fn pass(&mut self, item: Numbered<T>, woken: &mut Woken<T>) {
        match self.receivers.grant_first(Some(item)) {
            Ok(receiver) => {
                self.grantee = Some(Arc::clone(&receiver));
                woken.receivers.push(receiver);
            }
            Err(Some(item)) => {
                let at = self.items.partition_point(|(number, _)| *number < item.0);
                self.items.insert(at, item);
            }
            Err(None) => {}
        }
    }

    /// An item was observed.
    fn observed(&mut self, woken: &mut Woken<T>) {
        woken.handed = self.handover.grant_first(None).ok();
        self.free(woken);
    }

    /// Of a rendezvous: this item, if nobody has observed it.
    fn withdraw(&mut self, number: u64) -> Option<T> {
        if let Some(at) = self.items.iter().position(|(other, _)| *other == number) {
            return self.items.remove(at).map(|(_, item)| item);
        }
        let ours = |grant: &ItemGrant<T>| matches!(grant, Some((other, _)) if *other == number);
        let grant = self.grantee.as_ref()?.take_if(ours)?;
        grant.map(|(_, item)| item)
    }

    /// Whether nobody has observed this item.
    fn is_there(&self, number: u64) -> bool {
        let ours = |grant: &ItemGrant<T>| matches!(grant, Some((other, _)) if *other == number);
        self.items.iter().any(|(other, _)| *other == number)
            || self.grantee.as_ref().is_some_and(|place| place.has(ours))
    }
}

/// A channel of any capacity.
pub struct Inner<T> {
    capacity: usize,
    state: Mutex<State<T>>,
}

impl<T> Inner<T> {
    /// One step under the mutex, after which those are woken who are to be.
    fn step<O>(&self, step: impl FnOnce(&mut State<T>, &mut Woken<T>) -> O) -> O {
        let mut woken = Woken::new();
        let out = step(&mut lock(&self.state), &mut woken);
        woken.wake();
        out
    }

    fn claim(&self, state: &mut State<T>) -> Option<RoomGrant> {
        if state.closed {
            return Some(Err(Closed));
        }
        if state.used == self.capacity.max(1) {
            return None;
        }
        state.used += 1;
        Some(Ok(()))
    }

    fn take(state: &mut State<T>) -> Option<ItemGrant<T>> {
        match state.items.pop_front() {
            Some(item) => Some(Some(item)),
            None => state.is_over().then_some(None),
        }
    }
}

/// A bounded channel.
pub struct Channel<T, const N: usize>(Inner<T>);

/// How a wait holds on to its channel.
pub trait ChannelRef: Clone {
    /// The channel's items.
    type Item;

    /// The channel.
    fn inner(&self) -> &Inner<Self::Item>;
}

impl<T, const N: usize> ChannelRef for &Channel<T, N> {
    type Item = T;

    fn inner(&self) -> &Inner<T> {
        &self.0
    }
}

impl<T, const N: usize> Default for Channel<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Channel<T, N> {
    /// An empty channel.
    #[must_use]
    pub const fn new() -> Self {
        Self(Inner {
            capacity: N,
            state: Mutex::new(State {
                closed: false,
                used: 0,
                published: 0,
                items: VecDeque::new(),
                receivers: Queue::new(),
                senders: Queue::new(),
                handover: Queue::new(),
                grantee: None,
            }),
        })
    }

    /// Sends `item` when there is room; of a rendezvous, until it was taken.
    pub fn send(&self, item: T) -> Sending<&Self> {
        Sending::new(self, Some(item))
    }

    /// As [`send`](Self::send), for an item that stays in `place` until it is sent.
    pub fn send_from<'i>(&self, place: &'i mut Option<T>) -> Sending<&Self, &'i mut Option<T>> {
        Sending::new(self, place)
    }

    /// The next item.
    pub fn receive(&self) -> Receiving<&Self> {
        Wait::new(ToItem(self))
    }

    /// Room for one item.
    pub fn reserve(&self) -> Reserving<&Self> {
        Wait::new(ToRoom(self))
    }

    /// Sends `item` if there is room; of a rendezvous, if a receiver waits.
    ///
    /// # Errors
    /// If there is none, or it was closed.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.0.step(|state, woken| {
            if N == 0 && state.receivers.is_empty() && !state.closed {
                return Err(TrySendError::Full(item));
            }
            match self.0.claim(state) {
                Some(Ok(())) => {
                    state.publish(item, woken);
                    Ok(())
                }
                Some(Err(Closed)) => Err(TrySendError::Closed(item)),
                None => Err(TrySendError::Full(item)),
            }
        })
    }

    /// The next item, if there is one.
    ///
    /// # Errors
    /// If there is none, or none will come.
    pub fn try_receive(&self) -> Result<T, TryReceiveError> {
        self.0.step(|state, woken| match Inner::take(state) {
            Some(Some((_, item))) => {
                state.observed(woken);
                Ok(item)
            }
            Some(None) => Err(TryReceiveError::Ended),
            None => Err(TryReceiveError::Empty),
        })
    }

    /// Room for one item, if there is some.
    ///
    /// # Errors
    /// If there is none, or it was closed.
    pub fn try_reserve(&self) -> Result<Permit<&Self>, TryReserveError> {
        match self.0.claim(&mut lock(&self.0.state)) {
            Some(Ok(())) => Ok(Permit(Some(self))),
            Some(Err(Closed)) => Err(TryReserveError::Closed),
            None => Err(TryReserveError::Full),
        }
    }

    /// Closes the channel; true for the call that did.
    pub fn close(&self) -> bool {
        self.0.step(|state, woken| {
            if std::mem::replace(&mut state.closed, true) {
                return false;
            }
            if !state.handover.is_empty() {
                if let Some(item) = state.withdraw(state.published) {
                    woken.handed = state.handover.grant_first(Some(item)).ok();
                }
            }
            woken.senders = state.senders.grant_all(Err(Closed));
            state.end(woken);
            true
        })
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.0.state).closed
    }

    /// How many items lie in it.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0.state).items.len()
    }

    /// Whether no item lies in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is no room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        lock(&self.0.state).used == N.max(1)
    }

    /// Whether a receiver waits.
    #[must_use]
    pub fn has_waiting_receivers(&self) -> bool {
        !lock(&self.0.state).receivers.is_empty()
    }

    /// Whether a sender waits.
    #[must_use]
    pub fn has_waiting_senders(&self) -> bool {
        let state = lock(&self.0.state);
        !state.senders.is_empty() || !state.handover.is_empty()
    }
}

impl<T, const N: usize> fmt::Debug for Channel<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

/// Room for one item.
#[must_use = "a permit that is dropped at once reserves nothing"]
pub struct Permit<R: ChannelRef>(Option<R>);

impl<R: ChannelRef> Permit<R> {
    /// Sends `item`.
    pub fn send(self, item: R::Item) {
        self.put(item);
    }

    fn put(mut self, item: R::Item) -> Option<u64> {
        let channel = self.0.take()?;
        let inner = channel.inner();
        Some(inner.step(|state, woken| state.publish(item, woken)))
    }
}

impl<R: ChannelRef> Drop for Permit<R> {
    fn drop(&mut self) {
        if let Some(channel) = self.0.take() {
            channel.inner().step(State::free);
        }
    }
}

impl<R: ChannelRef> fmt::Debug for Permit<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

/// What [`Channel::receive`] waits for.
pub struct ToItem<R: ChannelRef>(R);

impl<R: ChannelRef> Target for ToItem<R> {
    type Grant = ItemGrant<R::Item>;
    type Output = Result<R::Item, Ended>;

    fn begin(&self, enlist: impl FnOnce(&mut Queue<Self::Grant>)) -> Option<Self::Grant> {
        let mut state = lock(&self.0.inner().state);
        let taken = Inner::take(&mut state);
        if taken.is_none() {
            enlist(&mut state.receivers);
        }
        taken
    }

    fn leave(&self, leave: impl FnOnce(&mut Queue<Self::Grant>)) {
        leave(&mut lock(&self.0.inner().state).receivers);
    }

    fn over(&self) -> Option<Self::Grant> {
        None
    }

    fn observe(&self, grant: Self::Grant) -> Self::Output {
        let (_, item) = grant.ok_or(Ended)?;
        self.0.inner().step(State::observed);
        Ok(item)
    }

    fn pass_on(&self, grant: Self::Grant) {
        if let Some(item) = grant {
            self.0.inner().step(|state, woken| state.pass(item, woken));
        }
    }
}

/// What [`Channel::reserve`] waits for.
pub struct ToRoom<R: ChannelRef>(R);

impl<R: ChannelRef> Target for ToRoom<R> {
    type Grant = RoomGrant;
    type Output = Result<Permit<R>, Closed>;

    fn begin(&self, enlist: impl FnOnce(&mut Queue<RoomGrant>)) -> Option<RoomGrant> {
        let inner = self.0.inner();
        let mut state = lock(&inner.state);
        let claimed = inner.claim(&mut state);
        if claimed.is_none() {
            enlist(&mut state.senders);
        }
        claimed
    }

    fn leave(&self, leave: impl FnOnce(&mut Queue<RoomGrant>)) {
        leave(&mut lock(&self.0.inner().state).senders);
    }

    fn over(&self) -> Option<RoomGrant> {
        None
    }

    fn observe(&self, grant: RoomGrant) -> Self::Output {
        grant.map(|()| Permit(Some(self.0.clone())))
    }

    fn pass_on(&self, grant: RoomGrant) {
        drop(self.observe(grant));
    }
}

/// What the sender of a rendezvous waits for, whose item is there: of this number.
struct ToTaken<R: ChannelRef>(R, u64);

impl<R: ChannelRef> Target for ToTaken<R> {
    type Grant = HandGrant<R::Item>;
    /// The item, if it was not taken.
    type Output = Option<R::Item>;

    fn begin(&self, enlist: impl FnOnce(&mut Queue<Self::Grant>)) -> Option<Self::Grant> {
        let mut state = lock(&self.0.inner().state);
        if state.closed {
            return Some(state.withdraw(self.1));
        }
        if !state.is_there(self.1) {
            return Some(None);
        }
        enlist(&mut state.handover);
        None
    }

    fn leave(&self, leave: impl FnOnce(&mut Queue<Self::Grant>)) {
        leave(&mut lock(&self.0.inner().state).handover);
    }

    fn over(&self) -> Option<Self::Grant> {
        Some(lock(&self.0.inner().state).withdraw(self.1))
    }

    fn observe(&self, grant: Self::Grant) -> Self::Output {
        if grant.is_some() {
            self.0.inner().step(State::free);
        }
        grant
    }

    fn pass_on(&self, grant: Self::Grant) {
        drop(self.observe(grant));
    }
}

enum Stage<R: ChannelRef> {
    Room(Reserving<R>),
    Taken(Wait<ToTaken<R>>),
    Over,
}

/// A send under way, of an item of its own or in a place of its caller's.
#[must_use = "nothing is sent unless this is awaited"]
pub struct Sending<
    R: ChannelRef,
    P: BorrowMut<Option<<R as ChannelRef>::Item>> = Option<<R as ChannelRef>::Item>,
> {
    channel: R,
    stage: Stage<R>,
    place: P,
}

// Nothing in it is pinned in place.
impl<R: ChannelRef, P: BorrowMut<Option<R::Item>>> Unpin for Sending<R, P> {}

impl<R: ChannelRef, P: BorrowMut<Option<R::Item>>> Sending<R, P> {
    fn new(channel: R, place: P) -> Self {
        Self {
            stage: Stage::Room(Wait::new(ToRoom(channel.clone()))),
            channel,
            place,
        }
    }

    /// Whether it was sent, once that is known. What was not is in its place.
    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if let Stage::Room(wait) = &mut self.stage {
            let room = ready!(Pin::new(wait).poll(cx));
            self.stage = Stage::Over;
            // (What finds the channel closed stays in its place.)
            let Ok(permit) = room else {
                return Poll::Ready(false);
            };
            let Some(item) = self.place.borrow_mut().take() else {
                return Poll::Ready(false);
            };
            let number = permit.put(item);
            match number.filter(|_| self.channel.inner().capacity == 0) {
                Some(number) => {
                    self.stage = Stage::Taken(Wait::new(ToTaken(self.channel.clone(), number)));
                }
                None => return Poll::Ready(true),
            }
        }
        let Stage::Taken(wait) = &mut self.stage else {
            panic!("a send was polled after it had ended");
        };
        let back = ready!(Pin::new(wait).poll(cx));
        self.stage = Stage::Over;
        Poll::Ready(self.back(back))
    }

    /// Ends it. Whether it was sent; and, of what was not, whether the channel was closed.
    fn end(&mut self) -> (bool, bool) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Room(mut wait) => match Pin::new(&mut wait).try_abandon() {
                Some(Ok(permit)) if self.channel.inner().capacity != 0 => {
                    let item = self.place.borrow_mut().take();
                    (item.is_some_and(|item| permit.put(item).is_some()), false)
                }
                Some(Err(Closed)) => (false, true),
                _ => (false, false),
            },
            Stage::Taken(mut wait) => {
                let back = Pin::new(&mut wait).try_abandon().flatten();
                (self.back(back), false)
            }
            Stage::Over => (true, false),
        }
    }

    fn back(&mut self, back: Option<R::Item>) -> bool {
        match back {
            Some(item) => {
                *self.place.borrow_mut() = Some(item);
                false
            }
            None => true,
        }
    }
}

impl<R: ChannelRef> Sending<R> {
    /// Ends the send: it is over, or gives its item back.
    pub fn try_abandon(mut self: Pin<&mut Self>) -> Option<Result<(), SendError<R::Item>>> {
        if matches!(self.stage, Stage::Over) {
            return None;
        }
        let (sent, closed) = self.end();
        Some(match self.place.take() {
            Some(item) if closed => Err(SendError::Closed(item)),
            Some(item) if !sent => Err(SendError::Cancelled(item)),
            _ => Ok(()),
        })
    }
}

impl<R: ChannelRef> Future for Sending<R> {
    type Output = Result<(), SendError<R::Item>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let sent = ready!(self.drive(cx));
        Poll::Ready(match self.place.take() {
            Some(item) if !sent => Err(SendError::Closed(item)),
            _ => Ok(()),
        })
    }
}

impl<R: ChannelRef> Future for Sending<R, &mut Option<R::Item>> {
    type Output = Result<(), SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let sent = ready!(self.drive(cx));
        Poll::Ready(if sent {
            Ok(())
        } else {
            Err(SendError::Closed(()))
        })
    }
}

impl<R: ChannelRef, P: BorrowMut<Option<R::Item>>> Drop for Sending<R, P> {
    fn drop(&mut self) {
        // Of a rendezvous: what was not taken is in its place again. (Room that was granted goes on.)
        if matches!(self.stage, Stage::Taken(_)) {
            self.end();
        }
    }
}

impl<R: ChannelRef, P: BorrowMut<Option<R::Item>>> fmt::Debug for Sending<R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
