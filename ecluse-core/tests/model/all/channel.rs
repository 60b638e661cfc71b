//! `Channel` against queues, a count of cells and the rules of h01 to h03 written down plainly.
//!
//! After every call: what it gave is what the model gives, item by item; the same waiters were woken,
//! in the same order; exactly the same items are alive; and every number agrees. At the end, with
//! everything dropped, what is alive is what a forgotten future has with it.

use std::{
    collections::{BTreeSet, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake},
};

use ecluse_core::{
    Channel,
    channel::{
        Permit, Receiving, Reserving, SendError, Sending, TryReceiveError, TryReserveError,
        TrySendError,
    },
};

/// One call. An index is taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    TrySend,
    TryReceive,
    TryReserve,
    Send,
    Receive,
    Reserve,
    Poll(usize),
    Leave(usize),
    Abandon(usize),
    Forget(usize),
    Fill(usize),
    GiveUp(usize),
    Close,
}

impl super::Call for Call {
    fn of([kind, a, _]: [u8; 3]) -> Self {
        let a = a as usize;
        match kind % 64 {
            0..=4 => Call::TrySend,
            5..=9 => Call::TryReceive,
            10..=12 => Call::TryReserve,
            13..=22 => Call::Send,
            23..=32 => Call::Receive,
            33..=35 => Call::Reserve,
            36..=47 => Call::Poll(a),
            48..=52 => Call::Leave(a),
            53..=55 => Call::Abandon(a),
            56..=59 => Call::Fill(a),
            60..=61 => Call::GiveUp(a),
            62 if a % 4 == 0 => Call::Forget(a / 4),
            // One in 256.
            63 if a % 4 == 0 => Call::Close,
            _ => Call::Poll(a),
        }
    }
}

/// The items that are alive.
type Alive = Arc<Mutex<BTreeSet<usize>>>;

/// An item of `P` words, which knows its number.
struct Item<const P: usize>([usize; P], Alive);

impl<const P: usize> Item<P> {
    fn number(&self) -> usize {
        assert!(self.0.iter().all(|word| *word == self.0[0]), "torn");
        self.0[0]
    }
}

impl<const P: usize> Drop for Item<P> {
    fn drop(&mut self) {
        let there = self.1.lock().unwrap().remove(&self.number());
        assert!(there, "{} was dropped twice", self.number());
    }
}

/// What a call gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// It waits; or, of an abandoned receiver, it has left.
    Nothing,
    Sent,
    /// The item came back, since the channel was closed; or for another reason.
    Closed(usize),
    Back(usize),
    Got(usize),
    Ended,
    Permit,
    NoPermit,
}

/// What a waiter was told and has not seen.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// Its place in the order, and the item.
    Item(usize, usize),
    End,
    Room,
    Closed,
    Taken,
    Back,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Of this item.
    Send(usize),
    Receive,
    Reserve,
}

/// Who waits.
type Waiter = (usize, Kind);

#[derive(Default)]
struct Model {
    capacity: usize,
    closed: bool,
    /// Cells that are not free.
    used: usize,
    published: usize,
    /// By place in the order.
    items: VecDeque<(usize, usize)>,
    receivers: VecDeque<usize>,
    senders: VecDeque<usize>,
    /// Of a rendezvous: who waits for its item to be taken, and who was granted it.
    handover: Option<usize>,
    grantee: Option<usize>,
    /// Receivers whose item was taken back.
    stalled: Vec<usize>,
    told: Vec<(usize, Told)>,
    woken: Vec<usize>,
}

impl Model {
    fn rendezvous(&self) -> bool {
        self.capacity == 0
    }

    fn tell(&mut self, id: usize, what: Told) {
        self.told.push((id, what));
        self.woken.push(id);
    }

    /// What this waiter was told.
    fn settle(&mut self, id: usize) -> Option<Told> {
        let at = self.told.iter().position(|(told, _)| *told == id)?;
        Some(self.told.remove(at).1)
    }

    /// Whether a cell was free, which is the caller's now.
    fn claim(&mut self) -> bool {
        let free = self.used < self.capacity.max(1);
        self.used += usize::from(free);
        free
    }

    /// A cell is empty.
    fn free(&mut self) {
        if let Some(sender) = self.senders.pop_front() {
            return self.tell(sender, Told::Room);
        }
        self.used -= 1;
        if self.is_over() {
            self.end();
        }
    }

    fn is_over(&self) -> bool {
        self.closed && self.used == 0
    }

    fn end(&mut self) {
        while let Some(receiver) = self.receivers.pop_front() {
            self.tell(receiver, Told::End);
        }
    }

    fn publish(&mut self, item: usize) {
        self.published += 1;
        self.pass((self.published, item));
    }

    /// To the first who waits, or to its place.
    fn pass(&mut self, item: (usize, usize)) {
        if let Some(receiver) = self.receivers.pop_front() {
            self.grantee = Some(receiver);
            return self.tell(receiver, Told::Item(item.0, item.1));
        }
        let place = self.items.partition_point(|(place, _)| *place < item.0);
        self.items.insert(place, item);
    }

    /// An item was observed: its sender first, then its cell.
    fn observed(&mut self) {
        self.grantee = None;
        if let Some(sender) = self.handover.take() {
            self.tell(sender, Told::Taken);
        }
        self.free();
    }

    /// Of a rendezvous: the item that nobody has observed is its sender's again.
    fn withdraw(&mut self) {
        if self.items.pop_front().is_none() {
            let receiver = self.grantee.take().expect("somebody has it");
            assert!(matches!(self.settle(receiver), Some(Told::Item(..))));
            self.stalled.push(receiver);
        }
    }

    fn receive(&mut self) -> Option<Seen> {
        if let Some((_, item)) = self.items.pop_front() {
            self.observed();
            return Some(Seen::Got(item));
        }
        self.is_over().then_some(Seen::Ended)
    }

    fn poll(&mut self, (id, kind): Waiter) -> Seen {
        match (kind, self.settle(id)) {
            (Kind::Receive, Some(Told::Item(_, item))) => {
                self.observed();
                Seen::Got(item)
            }
            (Kind::Receive, Some(_)) => Seen::Ended,
            (Kind::Receive, None) => {
                // (It had its turn.)
                let Some(at) = self.stalled.iter().position(|stalled| *stalled == id) else {
                    return Seen::Nothing;
                };
                self.stalled.remove(at);
                self.receive().unwrap_or_else(|| {
                    self.receivers.push_front(id);
                    Seen::Nothing
                })
            }
            (Kind::Reserve, Some(Told::Room)) => Seen::Permit,
            (Kind::Reserve, Some(_)) => Seen::NoPermit,
            (Kind::Send(item), Some(Told::Room)) => self.put(id, item),
            (Kind::Send(item), Some(Told::Closed)) => Seen::Closed(item),
            (Kind::Send(_), Some(Told::Taken)) => Seen::Sent,
            (Kind::Send(item), Some(Told::Back)) => {
                self.free();
                Seen::Closed(item)
            }
            (Kind::Reserve | Kind::Send(_), _) => Seen::Nothing,
        }
    }

    /// The item of a send that has its cell.
    fn put(&mut self, id: usize, item: usize) -> Seen {
        self.publish(item);
        if !self.rendezvous() {
            return Seen::Sent;
        }
        if self.closed {
            self.withdraw();
            self.free();
            return Seen::Closed(item);
        }
        self.handover = Some(id);
        Seen::Nothing
    }

    /// A waiter ends; asked what has come of it, or not.
    fn leave(&mut self, (id, kind): Waiter, asked: bool) -> Seen {
        let told = self.settle(id);
        self.receivers.retain(|queued| *queued != id);
        self.senders.retain(|queued| *queued != id);
        self.stalled.retain(|stalled| *stalled != id);
        match (kind, told) {
            (Kind::Receive, Some(Told::Item(_, item))) if asked => {
                self.observed();
                Seen::Got(item)
            }
            (Kind::Receive, Some(Told::Item(place, item))) => {
                self.grantee = None;
                self.pass((place, item));
                Seen::Nothing
            }
            (Kind::Receive, Some(_)) => Seen::Ended,
            (Kind::Reserve, Some(Told::Room)) if asked => Seen::Permit,
            (Kind::Reserve, Some(Told::Closed)) => Seen::NoPermit,
            (Kind::Send(item), Some(Told::Room)) if asked && !self.rendezvous() => {
                self.publish(item);
                Seen::Sent
            }
            (Kind::Send(item), Some(Told::Closed)) => Seen::Closed(item),
            (Kind::Send(_), Some(Told::Taken)) => Seen::Sent,
            (_, Some(_)) => {
                self.free();
                self.back(kind)
            }
            (_, None) => {
                if self.handover == Some(id) {
                    self.handover = None;
                    self.withdraw();
                    self.free();
                }
                self.back(kind)
            }
        }
    }

    fn back(&self, kind: Kind) -> Seen {
        match kind {
            Kind::Send(item) => Seen::Back(item),
            Kind::Receive | Kind::Reserve => Seen::Nothing,
        }
    }

    fn close(&mut self) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        if let Some(sender) = self.handover.take() {
            self.withdraw();
            self.tell(sender, Told::Back);
        }
        while let Some(sender) = self.senders.pop_front() {
            self.tell(sender, Told::Closed);
        }
        if self.is_over() {
            self.end();
        }
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<usize>>);

struct Entry(Arc<Log>, usize);

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.0.0.lock().unwrap().push(self.1);
    }
}

type Items<const P: usize, const N: usize> = Channel<Item<P>, N>;

enum Waits<'a, const P: usize, const N: usize> {
    Send(Pin<Box<Sending<&'a Items<P, N>>>>),
    Receive(Pin<Box<Receiving<&'a Items<P, N>>>>),
    Reserve(Pin<Box<Reserving<&'a Items<P, N>>>>),
}

struct Walk<'a, const P: usize, const N: usize> {
    channel: &'a Items<P, N>,
    model: Model,
    alive: Alive,
    log: Arc<Log>,
    /// How many items and waiters there have been.
    made: usize,
    waits: Vec<(Waiter, Waits<'a, P, N>)>,
    permits: Vec<Permit<&'a Items<P, N>>>,
    /// The items that are in the hands of the model's channel, of waiters, of forgotten ones.
    kept: BTreeSet<usize>,
}

impl<'a, const P: usize, const N: usize> Walk<'a, P, N> {
    fn item(&mut self) -> Item<P> {
        self.made += 1;
        self.alive.lock().unwrap().insert(self.made);
        self.kept.insert(self.made);
        Item([self.made; P], self.alive.clone())
    }

    fn call(&mut self, call: Call) {
        match call {
            Call::TrySend => {
                let item = self.item();
                let number = item.number();
                let expected = if self.model.closed {
                    Seen::Closed(number)
                } else if (N == 0 && self.model.receivers.is_empty()) || !self.model.claim() {
                    Seen::Back(number)
                } else {
                    self.model.publish(number);
                    Seen::Sent
                };
                let got = match self.channel.try_send(item) {
                    Ok(()) => Seen::Sent,
                    Err(TrySendError::Closed(item)) => Seen::Closed(item.number()),
                    Err(TrySendError::Full(item)) => Seen::Back(item.number()),
                };
                self.agree(got, expected);
            }
            Call::TryReceive => {
                let expected = self.model.receive().unwrap_or(Seen::Nothing);
                let got = match self.channel.try_receive() {
                    Ok(item) => Seen::Got(item.number()),
                    Err(TryReceiveError::Ended) => Seen::Ended,
                    Err(TryReceiveError::Empty) => Seen::Nothing,
                };
                self.agree(got, expected);
            }
            Call::TryReserve => {
                let expected = if self.model.closed {
                    Seen::NoPermit
                } else if self.model.claim() {
                    Seen::Permit
                } else {
                    Seen::Nothing
                };
                let got = match self.channel.try_reserve() {
                    Ok(permit) => {
                        self.permits.push(permit);
                        Seen::Permit
                    }
                    Err(TryReserveError::Closed) => Seen::NoPermit,
                    Err(TryReserveError::Full) => Seen::Nothing,
                };
                self.agree(got, expected);
            }
            Call::Send => {
                let item = self.item();
                let number = item.number();
                let wait = Waits::Send(Box::pin(self.channel.send(item)));
                let id = self.enter(Kind::Send(number), wait);
                let expected = if self.model.closed {
                    Seen::Closed(number)
                } else if self.model.claim() {
                    self.model.put(id, number)
                } else {
                    self.model.senders.push_back(id);
                    Seen::Nothing
                };
                self.poll(self.waits.len() - 1, expected);
            }
            Call::Receive => {
                let wait = Waits::Receive(Box::pin(self.channel.receive()));
                let id = self.enter(Kind::Receive, wait);
                let expected = self.model.receive().unwrap_or_else(|| {
                    self.model.receivers.push_back(id);
                    Seen::Nothing
                });
                self.poll(self.waits.len() - 1, expected);
            }
            Call::Reserve => {
                let wait = Waits::Reserve(Box::pin(self.channel.reserve()));
                let id = self.enter(Kind::Reserve, wait);
                let expected = if self.model.closed {
                    Seen::NoPermit
                } else if self.model.claim() {
                    Seen::Permit
                } else {
                    self.model.senders.push_back(id);
                    Seen::Nothing
                };
                self.poll(self.waits.len() - 1, expected);
            }
            Call::Poll(i) if !self.waits.is_empty() => {
                let i = i % self.waits.len();
                let expected = self.model.poll(self.waits[i].0);
                self.poll(i, expected);
            }
            Call::Leave(i) if !self.waits.is_empty() => {
                let (waiter, wait) = self.waits.remove(i % self.waits.len());
                self.model.leave(waiter, false);
                self.dropped(waiter);
                drop(wait);
            }
            Call::Abandon(i) if !self.waits.is_empty() => {
                let (waiter, wait) = self.waits.remove(i % self.waits.len());
                let expected = self.model.leave(waiter, true);
                let got = self.abandon(wait);
                self.agree(got, expected);
            }
            Call::Forget(i) if !self.waits.is_empty() => {
                let (_, wait) = self.waits.remove(i % self.waits.len());
                std::mem::forget(wait);
            }
            Call::Fill(i) if !self.permits.is_empty() => {
                let permit = self.permits.swap_remove(i % self.permits.len());
                let item = self.item();
                self.model.publish(item.number());
                permit.send(item);
            }
            Call::GiveUp(i) if !self.permits.is_empty() => {
                let permit = self.permits.swap_remove(i % self.permits.len());
                self.model.free();
                drop(permit);
            }
            Call::Close => {
                let first = !self.model.closed;
                self.model.close();
                assert_eq!(self.channel.close(), first);
            }
            _ => {}
        }
        self.compare();
    }

    fn enter(&mut self, kind: Kind, wait: Waits<'a, P, N>) -> usize {
        self.made += 1;
        self.waits.push(((self.made, kind), wait));
        self.made
    }

    /// The item of a send that was dropped went with it, unless it is in the channel or was received.
    fn dropped(&mut self, (_, kind): Waiter) {
        if let Kind::Send(item) = kind {
            let received =
                |told: &(usize, Told)| matches!(told.1, Told::Item(_, other) if other == item);
            let model = &self.model;
            if !model.items.iter().any(|(_, other)| *other == item)
                && !model.told.iter().any(received)
            {
                self.kept.remove(&item);
            }
        }
    }

    fn poll(&mut self, i: usize, expected: Seen) {
        let ((id, _), wait) = &mut self.waits[i];
        let waker = Arc::new(Entry(self.log.clone(), *id)).into();
        let cx = &mut Context::from_waker(&waker);
        let got = match wait {
            Waits::Send(wait) => seen(wait.as_mut().poll(cx), sent),
            Waits::Receive(wait) => seen(wait.as_mut().poll(cx), received),
            Waits::Reserve(wait) => seen(wait.as_mut().poll(cx), |permit| {
                reserved(&mut self.permits, permit)
            }),
        };
        if got != Seen::Nothing {
            drop(self.waits.remove(i));
        }
        self.agree(got, expected);
    }

    fn abandon(&mut self, wait: Waits<'a, P, N>) -> Seen {
        match wait {
            Waits::Send(mut wait) => wait.as_mut().try_abandon().map_or(Seen::Nothing, sent),
            Waits::Receive(mut wait) => wait.as_mut().try_abandon().map_or(Seen::Nothing, received),
            Waits::Reserve(mut wait) => match wait.as_mut().try_abandon() {
                Some(permit) => reserved(&mut self.permits, permit),
                None => Seen::Nothing,
            },
        }
    }

    /// An item that was given out was dropped.
    fn agree(&mut self, got: Seen, expected: Seen) {
        assert_eq!(got, expected);
        if let Seen::Got(item) | Seen::Closed(item) | Seen::Back(item) = got {
            assert!(self.kept.remove(&item), "{item} twice");
        }
    }

    fn compare(&self) {
        let (channel, model) = (self.channel, &self.model);
        assert_eq!(
            *self.log.0.lock().unwrap(),
            model.woken,
            "who was woken, in which order"
        );
        assert_eq!(*self.alive.lock().unwrap(), self.kept, "which items live");
        assert_eq!(channel.len(), model.items.len());
        assert_eq!(channel.is_full(), model.used == model.capacity.max(1));
        assert_eq!(channel.is_closed(), model.closed);
        assert_eq!(channel.has_waiting_receivers(), !model.receivers.is_empty());
        assert_eq!(
            channel.has_waiting_senders(),
            !model.senders.is_empty() || model.handover.is_some()
        );
    }
}

fn seen<T>(poll: Poll<T>, see: impl FnOnce(T) -> Seen) -> Seen {
    match poll {
        Poll::Pending => Seen::Nothing,
        Poll::Ready(output) => see(output),
    }
}

fn sent<const P: usize>(sent: Result<(), SendError<Item<P>>>) -> Seen {
    match sent {
        Ok(()) => Seen::Sent,
        Err(SendError::Closed(item)) => Seen::Closed(item.number()),
        Err(why) => Seen::Back(why.into_inner().number()),
    }
}

fn received<const P: usize, E>(received: Result<Item<P>, E>) -> Seen {
    received.map_or(Seen::Ended, |item| Seen::Got(item.number()))
}

fn reserved<T, E>(permits: &mut Vec<T>, permit: Result<T, E>) -> Seen {
    let Ok(permit) = permit else {
        return Seen::NoPermit;
    };
    permits.push(permit);
    Seen::Permit
}

pub(crate) fn walk<const P: usize, const N: usize>(calls: &[Call]) {
    let channel = Items::<P, N>::new();
    let (alive, kept) = walked(&channel, calls);
    drop(channel);
    assert_eq!(
        *alive.lock().unwrap(),
        kept,
        "something is missing at the end, or left"
    );
}

/// Gives the items that are alive, and those that the channel does not take with it.
fn walked<const P: usize, const N: usize>(
    channel: &Items<P, N>,
    calls: &[Call],
) -> (Alive, BTreeSet<usize>) {
    let mut walk = Walk {
        channel,
        model: Model {
            capacity: N,
            ..Model::default()
        },
        alive: Alive::default(),
        log: Arc::default(),
        made: 0,
        waits: Vec::new(),
        permits: Vec::new(),
        kept: BTreeSet::new(),
    };
    for &call in calls {
        walk.call(call);
    }
    while !walk.waits.is_empty() {
        walk.call(Call::Leave(0));
    }
    while !walk.permits.is_empty() {
        walk.call(Call::GiveUp(0));
    }
    for (_, item) in &walk.model.items {
        walk.kept.remove(item);
    }
    (walk.alive, walk.kept)
}

/// The capacity, the size of items, calls.
pub(crate) fn run(bytes: &[u8]) {
    let ([kind], rest) = super::head(bytes);
    let walk = [
        walk::<1, 0>,
        walk::<1, 1>,
        walk::<1, 2>,
        walk::<1, 3>,
        walk::<1, 4>,
        walk::<64, 0>,
        walk::<64, 1>,
        walk::<64, 2>,
    ][kind % 8];
    walk(&super::calls(rest));
}
