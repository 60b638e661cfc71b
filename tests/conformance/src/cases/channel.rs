//! h01–h03: items in order, nothing lost and nothing twice, whoever is cancelled; close and end.
//!
//! Most cases are run with an item that is moved under the lock, and with one that is copied without it.

use super::super::subject::Channel;
use super::super::subject::channel::{
    Ended as End, Receiving, SendError, Sending, TryReceiveError, TryReserveError, TrySendError,
};
use portable_atomic::Ordering;

use super::parts::counter;
use crate::kit::{Parked, TestWaker, poll_once, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { channel:
    h01_items_come_in_the_order_in_which_they_were_sent,
    h01_rendezvous_send_returns_when_it_was_taken,
    h01_cancelled_receiver_leaves_no_trace,
    h01_cancelled_sender_takes_its_item_along,
    h01_rendezvous_sender_takes_back_what_nobody_observed,
    h01_send_from_keeps_the_item,
    h02_item_of_a_dropped_receiver_goes_to_the_next,
    h02_items_of_dropped_receivers_are_in_order_again,
    h02_sums_match_among_tasks_that_give_up,
    h02_sums_match_at_a_rendezvous_of_tasks_that_give_up,
    h03_reserved_room_is_sent_into_later,
    h03_receivers_drain_then_end,
    h03_waiting_senders_get_their_items_back,
    h03_end_waits_for_permits_and_grants,
    h03_close_gives_a_rendezvous_its_item_back,
}

/// An item that knows its number.
pub(crate) trait Freight: Send + Sync + 'static {
    fn new(number: u32) -> Self;
    fn number(&self) -> u32;
}

impl Freight for u32 {
    fn new(number: u32) -> Self {
        number
    }
    fn number(&self) -> u32 {
        *self
    }
}

/// Too large for any lock to be moved under.
pub(crate) struct Large([u32; 72]);

impl Freight for Large {
    fn new(number: u32) -> Self {
        Self([number; 72])
    }
    #[track_caller]
    fn number(&self) -> u32 {
        assert!(self.0.iter().all(|word| *word == self.0[0]), "torn");
        self.0[0]
    }
}

pub(crate) type Static<T, const N: usize> = &'static Channel<T, N>;

/// A sender or receiver that is polled by hand.
pub(crate) struct Party<F: core::future::Future + 'static> {
    wait: Parked<F>,
    waker: TestWaker,
}

type Receiver<T, const N: usize> = Party<Receiving<Static<T, N>>>;
type Sender<T, const N: usize> = Party<Sending<Static<T, N>>>;

impl<F: core::future::Future + 'static> Party<F> {
    const fn new() -> Self {
        Self {
            wait: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    #[track_caller]
    pub(crate) fn enlist(&'static self, future: F) {
        self.wait.park(future);
        self.wait.pending(&self.waker.waker());
    }

    #[track_caller]
    pub(crate) fn told(&'static self) -> F::Output {
        let told = self.wait.ready();
        self.wait.leave();
        told
    }

    fn leave(&self) {
        self.wait.leave();
    }

    fn wakes(&self) -> usize {
        self.waker.wakes()
    }
}

impl<T: Freight, const N: usize> Receiver<T, N> {
    #[track_caller]
    fn number(&'static self) -> u32 {
        self.told().expect("an item").number()
    }
}

pub(crate) fn new<R: Runtime, T: Freight, const N: usize>(rt: R) -> Static<T, N> {
    rt.put(Channel::new())
}

pub(crate) fn parties<R: Runtime, F: core::future::Future + Send + 'static, const M: usize>(
    rt: R,
) -> &'static [Party<F>; M] {
    rt.put([const { Party::new() }; M])
}

#[track_caller]
pub(crate) fn received<T: Freight, const N: usize>(channel: Static<T, N>) -> u32 {
    channel.try_receive().expect("an item").number()
}

#[track_caller]
pub(crate) fn send<T: Freight, const N: usize>(
    channel: Static<T, N>,
    numbers: core::ops::Range<u32>,
) {
    for number in numbers {
        assert!(channel.try_send(T::new(number)).is_ok());
    }
}

#[track_caller]
pub(crate) fn idle<T: Freight, const N: usize>(channel: Static<T, N>) {
    assert!(!channel.has_waiting_receivers() && !channel.has_waiting_senders());
    assert_eq!(channel.try_receive().err(), Some(TryReceiveError::Empty));
    assert!(!channel.is_full());
}

#[track_caller]
fn back<T: Freight>(sent: Result<(), SendError<T>>) -> u32 {
    sent.expect_err("it was not sent").into_inner().number()
}

/// A case for both kinds of item.
macro_rules! both {
    ($(async fn $case:ident = $body:ident;)*) => {$(
        async fn $case<R: Runtime>(rt: R) -> Verdict {
            $body::<R, u32>(rt).await;
            $body::<R, Large>(rt).await;
            Verdict::Pass
        }
    )*};
}

both! {
    async fn h01_items_come_in_the_order_in_which_they_were_sent = in_order;
    async fn h01_rendezvous_send_returns_when_it_was_taken = rendezvous;
    async fn h01_cancelled_receiver_leaves_no_trace = receiver_leaves;
    async fn h01_cancelled_sender_takes_its_item_along = sender_leaves;
    async fn h01_rendezvous_sender_takes_back_what_nobody_observed = taken_back;
    async fn h01_send_from_keeps_the_item = kept;
    async fn h02_item_of_a_dropped_receiver_goes_to_the_next = passed_on;
    async fn h02_items_of_dropped_receivers_are_in_order_again = in_order_again;
    async fn h02_sums_match_among_tasks_that_give_up = sums_of_two;
    async fn h02_sums_match_at_a_rendezvous_of_tasks_that_give_up = sums_of_none;
    async fn h03_reserved_room_is_sent_into_later = reserved;
    async fn h03_receivers_drain_then_end = drained;
    async fn h03_waiting_senders_get_their_items_back = given_back;
    async fn h03_end_waits_for_permits_and_grants = end_waits;
    async fn h03_close_gives_a_rendezvous_its_item_back = rendezvous_closed;
}

async fn in_order<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 3>(rt);
    let [a, b] = parties::<_, _, 2>(rt);
    for round in 0..4 {
        send(channel, 0..3);
        let full = channel.try_send(T::new(9));
        assert!(matches!(full, Err(TrySendError::Full(item)) if item.number() == 9));
        a.enlist(channel.send(T::new(3)));
        b.enlist(channel.send(T::new(4)));
        assert_eq!(received(channel), 0);
        // The room that came free is not a newcomer's.
        assert!(channel.try_send(T::new(9)).is_err());
        assert_eq!((a.wakes(), b.wakes()), (round + 1, round));
        assert!(a.told().is_ok());
        assert_eq!(
            channel.receive().await.ok().map(|item| item.number()),
            Some(1)
        );
        assert!(b.told().is_ok());
        assert_eq!([(); 3].map(|()| received(channel)), [2, 3, 4]);
        idle(channel);
    }
}

async fn rendezvous<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 0>(rt);
    let [a, b] = parties::<_, _, 2>(rt);
    let [receiver] = parties::<_, _, 1>(rt);
    a.enlist(channel.send(T::new(1)));
    b.enlist(channel.send(T::new(2)));
    assert!(channel.try_send(T::new(9)).is_err());
    assert_eq!((received(channel), a.wakes(), b.wakes()), (1, 1, 1));
    assert!(a.told().is_ok());
    // Room is not enough.
    b.wait.pending(&b.waker.waker());
    assert_eq!(received(channel), 2);
    assert!(b.told().is_ok());
    receiver.enlist(channel.receive());
    a.enlist(channel.send(T::new(3)));
    // Granted is not taken.
    assert_eq!(receiver.wakes(), 1);
    a.wait.pending(&a.waker.waker());
    assert_eq!(receiver.number(), 3);
    assert!(a.told().is_ok());
    idle(channel);
    let task = rt.spawn(async move { assert!(channel.send(T::new(4)).await.is_ok()) });
    assert_eq!(
        channel.receive().await.ok().map(|item| item.number()),
        Some(4)
    );
    assert_eq!(task.join().await, Ended::Finished);
    idle(channel);
}

async fn receiver_leaves<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 1>(rt);
    let [a, b] = parties::<_, _, 2>(rt);
    a.enlist(channel.receive());
    b.enlist(channel.receive());
    a.leave();
    send(channel, 1..2);
    assert_eq!((a.wakes(), b.wakes(), b.number()), (0, 1, 1));
    a.enlist(channel.receive());
    assert!(a.wait.with_pin(|wait| wait.try_abandon()).is_none());
    a.leave();
    send(channel, 2..3);
    assert_eq!(received(channel), 2);
    idle(channel);
    assert_eq!(a.waker.live() + b.waker.live(), 0);
}

async fn sender_leaves<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 1>(rt);
    let all = parties::<_, _, 4>(rt);
    send(channel, 0..1);
    for (number, sender) in (1..).zip(all) {
        sender.enlist(channel.send(T::new(number)));
    }
    let [a, b, c, d] = all;
    a.leave();
    let cancelled = b.wait.with_pin(|wait| wait.try_abandon());
    assert_eq!(cancelled.map(back), Some(2));
    b.leave();
    // A grant of room that nobody observes goes on to the next.
    assert_eq!((received(channel), c.wakes(), d.wakes()), (0, 1, 0));
    c.leave();
    assert_eq!(d.wakes(), 1);
    assert!(d.told().is_ok());
    assert_eq!(received(channel), 4);
    idle(channel);
    assert!(all.iter().all(|sender| sender.waker.live() == 0));
}

async fn taken_back<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 0>(rt);
    let [sender, next] = parties::<_, _, 2>(rt);
    let [a, b] = parties::<_, _, 2>(rt);
    sender.enlist(channel.send(T::new(1)));
    let cancelled = sender.wait.with_pin(|wait| wait.try_abandon());
    assert_eq!(cancelled.map(back), Some(1));
    sender.leave();
    idle(channel);
    a.enlist(channel.receive());
    b.enlist(channel.receive());
    sender.enlist(channel.send(T::new(2)));
    next.enlist(channel.send(T::new(3)));
    // `a` was granted it, and has not looked.
    assert_eq!((a.wakes(), b.wakes()), (1, 0));
    sender.leave();
    next.wait.pending(&next.waker.waker());
    a.wait.pending(&a.waker.waker());
    assert_eq!(b.number(), 3);
    assert!(next.told().is_ok());
    next.enlist(channel.send(T::new(4)));
    assert_eq!(a.number(), 4);
    assert!(next.told().is_ok());
    idle(channel);
}

async fn kept<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 1>(rt);
    send(channel, 0..1);
    let mut place = Some(T::new(1));
    for _ in 0..2 {
        let mut sending = core::pin::pin!(channel.send_from(&mut place));
        assert!(poll_once(sending.as_mut(), core::task::Waker::noop()).is_pending());
    }
    assert_eq!(place.as_ref().map(Freight::number), Some(1));
    assert_eq!(received(channel), 0);
    assert!(channel.send_from(&mut place).await.is_ok() && place.is_none());
    assert_eq!(received(channel), 1);
    idle(channel);
}

async fn passed_on<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 2>(rt);
    let [a, b, c] = parties::<_, _, 3>(rt);
    for receiver in [a, b, c] {
        receiver.enlist(channel.receive());
    }
    send(channel, 1..2);
    a.leave();
    assert_eq!((b.wakes(), c.wakes()), (1, 0));
    send(channel, 2..3);
    b.leave();
    assert_eq!((channel.len(), c.number(), received(channel)), (1, 2, 1));
    idle(channel);
}

async fn in_order_again<R: Runtime, T: Freight>(rt: R) {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let channel = new::<_, T, 5>(rt);
        let all = parties::<_, _, 3>(rt);
        for receiver in all {
            receiver.enlist(channel.receive());
        }
        send(channel, 0..5);
        for gone in order {
            let gone: usize = gone;
            all[gone].leave();
        }
        assert_eq!([(); 5].map(|()| received(channel)), [0, 1, 2, 3, 4]);
        idle(channel);
    }
}

async fn sums_of_two<R: Runtime, T: Freight>(rt: R) {
    sums::<R, T, 2>(rt).await;
}

async fn sums_of_none<R: Runtime, T: Freight>(rt: R) {
    sums::<R, T, 0>(rt).await;
}

/// Senders and receivers that give up after a poll or two, in every order that the runtime comes to.
async fn sums<R: Runtime, T: Freight, const N: usize>(rt: R) {
    let channel = new::<_, T, N>(rt);
    let (sent, received) = (counter(rt), counter(rt));
    let rounds = rt.count(10_000) / 4;
    let senders = [0, 1].map(|party| {
        rt.spawn(async move {
            for round in 0..rounds {
                let mut place = Some(T::new(1 + (round % 7) as u32));
                if (round + party) % 3 == 0 {
                    let mut sending = core::pin::pin!(channel.send_from(&mut place));
                    let _ = poll_once(sending.as_mut(), core::task::Waker::noop());
                    if round % 16 == 0 {
                        yield_now().await;
                    }
                } else {
                    let _ = channel.send_from(&mut place).await;
                }
                if place.is_none() {
                    sent.fetch_add(1 + round % 7, Ordering::SeqCst);
                }
            }
        })
    });
    let receivers = [0, 1].map(|party| {
        rt.spawn(async move {
            let mut round = 0_usize;
            loop {
                round += 1;
                let item = if (round + party) % 3 == 0 {
                    let mut wait = core::pin::pin!(channel.receive());
                    let first = poll_once(wait.as_mut(), core::task::Waker::noop());
                    yield_now().await;
                    match first {
                        core::task::Poll::Ready(item) => item,
                        core::task::Poll::Pending => continue,
                    }
                } else {
                    channel.receive().await
                };
                let Ok(item) = item else { break };
                received.fetch_add(item.number() as usize, Ordering::SeqCst);
            }
        })
    });
    for sender in senders {
        assert_eq!(sender.join().await, Ended::Finished);
    }
    channel.close();
    for receiver in receivers {
        assert_eq!(receiver.join().await, Ended::Finished);
    }
    assert_eq!(sent.load(Ordering::SeqCst), received.load(Ordering::SeqCst));
    assert_eq!(channel.try_receive().err(), Some(TryReceiveError::Ended));
}

async fn reserved<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 2>(rt);
    let [sender] = parties::<_, _, 1>(rt);
    let late = channel.reserve().await.expect("room");
    send(channel, 1..2);
    assert_eq!(channel.try_reserve().err(), Some(TryReserveError::Full));
    late.send(T::new(2));
    assert_eq!([received(channel), received(channel)], [1, 2]);
    let [one, two] = [(); 2].map(|()| channel.try_reserve().expect("room"));
    sender.enlist(channel.send(T::new(3)));
    drop(two);
    assert!(sender.told().is_ok());
    drop(one);
    assert_eq!(received(channel), 3);
    idle(channel);
}

async fn drained<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 2>(rt);
    let [receiver] = parties::<_, _, 1>(rt);
    send(channel, 1..3);
    assert!(channel.close() && !channel.close() && channel.is_closed());
    let closed = channel.try_send(T::new(9));
    assert!(matches!(closed, Err(TrySendError::Closed(item)) if item.number() == 9));
    assert_eq!(back(channel.send(T::new(8)).await), 8);
    assert!(channel.reserve().await.is_err());
    assert_eq!([received(channel), received(channel)], [1, 2]);
    assert_eq!(channel.receive().await.err(), Some(End));
    let empty = new::<_, T, 2>(rt);
    receiver.enlist(empty.receive());
    empty.close();
    assert_eq!((receiver.wakes(), receiver.told().err()), (1, Some(End)));
}

async fn given_back<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 1>(rt);
    let all: &[Sender<T, 1>; 3] = parties(rt);
    send(channel, 0..1);
    for (number, sender) in (1..).zip(all) {
        sender.enlist(channel.send(T::new(number)));
    }
    channel.close();
    for (number, sender) in (1..).zip(all) {
        let sent = sender.told();
        assert!(matches!(sent, Err(SendError::Closed(_))));
        assert_eq!((sender.wakes(), back(sent)), (1, number));
    }
    assert_eq!(received(channel), 0);
}

async fn end_waits<R: Runtime, T: Freight>(rt: R) {
    let channel = new::<_, T, 1>(rt);
    let [a, b] = parties::<_, _, 2>(rt);
    a.enlist(channel.receive());
    b.enlist(channel.receive());
    let permit = channel.try_reserve().expect("room");
    channel.close();
    assert_eq!((a.wakes(), b.wakes()), (0, 0));
    permit.send(T::new(1));
    // It may still come back.
    assert_eq!((a.wakes(), b.wakes()), (1, 0));
    a.leave();
    assert_eq!((b.wakes(), b.number()), (1, 1));
    assert_eq!(channel.receive().await.err(), Some(End));
}

async fn rendezvous_closed<R: Runtime, T: Freight>(rt: R) {
    for granted in [false, true] {
        let channel = new::<_, T, 0>(rt);
        let [a, b] = parties::<_, _, 2>(rt);
        let [receiver] = parties::<_, _, 1>(rt);
        if granted {
            receiver.enlist(channel.receive());
        }
        a.enlist(channel.send(T::new(1)));
        b.enlist(channel.send(T::new(2)));
        channel.close();
        assert_eq!((back(a.told()), back(b.told())), (1, 2));
        if granted {
            assert_eq!(receiver.told().err(), Some(End));
        }
        assert_eq!(channel.receive().await.err(), Some(End));
    }
}
