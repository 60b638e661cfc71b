//! Channel: each item is received once or comes back to its sender, whoever is cancelled when. The
//! cells are loom's, so an item that two touch, or that is read before it was written, fails a model.
//!
//! Most models are made with an item that is moved under the lock, and with one that is not.

use core::{pin::pin, task::Poll};
use std::sync::Arc;

use ecluse_core::{
    Channel,
    channel::{Ended, SendError, TryReceiveError},
};

use crate::kit::{Wakes, block_on, models, poll, poll_with, ready, spawn};

models!(
    cancels_of_all_at_a_rendezvous,
    cancels_of_all_with_room_for_one,
    cancels_of_all_with_large_items,
    cancels_of_all_at_a_rendezvous_with_large_items,
    senders_and_receivers_with_room_for_one,
    senders_and_receivers_with_large_items,
    senders_and_receivers_at_a_rendezvous,
    freed_room_meets_enlist,
    item_meets_enlist,
    granted_drop_goes_to_the_next,
    granted_drops_come_back_in_order,
    granted_room_goes_to_the_next,
    withdrawal_meets_observing,
    withdrawal_meets_a_granted_receiver,
    withdrawal_meets_a_receiver_that_goes,
    revoked_receiver_is_served_again,
    close_meets_send_and_receive,
    close_meets_a_rendezvous,
    close_meets_the_last_item,
    permit_meets_close,
    last_end_closes,
);

/// An item of a number.
trait Freight: Send + 'static {
    fn new(number: usize) -> Self;
    fn number(self) -> usize;
}

/// Small enough to be moved under the lock.
impl Freight for usize {
    fn new(number: usize) -> Self {
        number
    }
    fn number(self) -> usize {
        self
    }
}

/// Too large for that.
struct Large([usize; 40]);

impl Freight for Large {
    fn new(number: usize) -> Self {
        Self([number; 40])
    }
    fn number(self) -> usize {
        self.0[39]
    }
}

fn channel<T: Freight, const N: usize>() -> Arc<Channel<T, N>> {
    Arc::new(Channel::new())
}

/// A thread of its own that does something with the channel.
fn beside<T: Freight, const N: usize, O: 'static>(
    channel: &Arc<Channel<T, N>>,
    act: impl FnOnce(&Channel<T, N>) -> O + Send + 'static,
) -> loom::thread::JoinHandle<O> {
    let channel = channel.clone();
    spawn(move || act(&channel))
}

/// The number of an item that came back; 0 if it was sent.
fn back<T: Freight>(sent: Result<(), SendError<T>>) -> usize {
    sent.map_or_else(|why| why.into_inner().number(), |()| 0)
}

/// Everything was received, nobody waits; then what is left, which is nothing.
fn idle<T: Freight, const N: usize>(channel: &Channel<T, N>) {
    assert!(!channel.has_waiting_senders() && !channel.has_waiting_receivers());
    assert!(!channel.is_full() && channel.is_empty());
}

/// What lies in it.
fn drain<T: Freight, const N: usize>(channel: &Channel<T, N>) -> usize {
    let mut sum = 0;
    while let Ok(item) = channel.try_receive() {
        sum += item.number();
    }
    sum
}

/// Two senders and two receivers, each polled once and cancelled, in every order: what was received
/// is what was sent, and nobody leaves a trace.
fn cancels_of_all<T: Freight, const N: usize>() {
    let channel = channel::<T, N>();
    let abandoned = beside(&channel, |channel| {
        let mut send = pin!(channel.send(T::new(1)));
        let sent = match poll(send.as_mut()) {
            Poll::Ready(sent) => sent,
            Poll::Pending => send.try_abandon().expect("it was not over"),
        };
        1 - back(sent)
    });
    let dropped = beside(&channel, |channel| {
        let mut place = Some(T::new(2));
        let _ = poll(pin!(channel.send_from(&mut place)));
        if place.is_none() { 2 } else { 0 }
    });
    let taker = beside(&channel, |channel| {
        let mut receive = pin!(channel.receive());
        let item = match poll(receive.as_mut()) {
            Poll::Ready(item) => Some(item),
            Poll::Pending => receive.try_abandon(),
        };
        item.map_or(0, |item| item.expect("not closed").number())
    });
    // The fourth.
    let received = match poll(pin!(channel.receive())) {
        Poll::Ready(item) => item.expect("not closed").number(),
        Poll::Pending => 0,
    };
    let sent = abandoned.join().unwrap() + dropped.join().unwrap();
    let received = received + taker.join().unwrap();
    assert_eq!(received + drain(&channel), sent);
    idle(&channel);
}

fn cancels_of_all_at_a_rendezvous() {
    cancels_of_all::<usize, 0>();
}

fn cancels_of_all_with_room_for_one() {
    cancels_of_all::<usize, 1>();
}

fn cancels_of_all_with_large_items() {
    cancels_of_all::<Large, 1>();
}

fn cancels_of_all_at_a_rendezvous_with_large_items() {
    cancels_of_all::<Large, 0>();
}

/// Nobody is cancelled: all come to their end. (With a second receiver it would not, within minutes.)
fn senders_and_receivers<T: Freight, const N: usize>() {
    let channel = channel::<T, N>();
    let senders = [1, 2].map(|number| {
        beside(&channel, move |channel| {
            block_on(channel.send(T::new(number))).is_ok()
        })
    });
    let numbers = [(); 2].map(|()| block_on(channel.receive()).ok().unwrap().number());
    assert_eq!(numbers[0] + numbers[1], 3);
    assert!(senders.into_iter().all(|sender| sender.join().unwrap()));
    idle(&channel);
}

fn senders_and_receivers_with_room_for_one() {
    senders_and_receivers::<usize, 1>();
}

fn senders_and_receivers_with_large_items() {
    senders_and_receivers::<Large, 1>();
}

/// One sender is there, the other comes. (With both in threads of their own, and the parking that a rendezvous takes, it
/// would not end at a bound of three; two that come at once are in `cancels_of_all_at_a_rendezvous`.)
fn senders_and_receivers_at_a_rendezvous() {
    let channel = channel::<usize, 0>();
    let (wakes, waker) = Wakes::new();
    let mut first = Box::pin(channel.send(1));
    assert!(poll_with(first.as_mut(), &waker).is_pending());
    let second = beside(&channel, |channel| block_on(channel.send(2)).is_ok());
    let numbers = [(); 2].map(|()| block_on(channel.receive()).ok().unwrap());
    assert_eq!(numbers, [1, 2]);
    assert_eq!(wakes.count(), 1);
    assert!(ready(poll(first.as_mut())).is_ok());
    assert!(second.join().unwrap());
    drop((first, waker));
    assert_eq!(wakes.live(), 0);
    idle(&channel);
}

/// A sender that comes while the room it needs comes free.
fn freed_room_meets_enlist() {
    let channel = channel::<Large, 1>();
    channel.try_send(Large::new(1)).ok().unwrap();
    let sender = beside(&channel, |channel| {
        block_on(channel.send(Large::new(2))).is_ok()
    });
    assert_eq!(channel.try_receive().ok().unwrap().number(), 1);
    assert!(sender.join().unwrap());
    assert_eq!(drain(&channel), 2);
    idle(&channel);
}

/// A receiver that comes while its item does; it is polled by hand, so that nothing but the node's
/// state orders the item.
fn item_meets_enlist() {
    let channel = channel::<Large, 1>();
    let sender = beside(&channel, |channel| channel.try_send(Large::new(7)).is_ok());
    let mut receive = pin!(channel.receive());
    let mut seen = 0;
    for _ in 0..2 {
        if let Poll::Ready(item) = poll(receive.as_mut()) {
            seen = item.ok().unwrap().number();
            break;
        }
    }
    if seen == 0 {
        seen = receive
            .try_abandon()
            .map_or(0, |item| item.ok().unwrap().number());
    }
    assert!(sender.join().unwrap());
    assert_eq!(seen + drain(&channel), 7);
    idle(&channel);
}

/// A receiver is dropped while it is granted the item: the one behind it gets it.
fn granted_drop_goes_to_the_next() {
    let channel = channel::<Large, 1>();
    let mut first = Box::pin(channel.receive());
    let mut second = Box::pin(channel.receive());
    let (wakes, waker) = Wakes::new();
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    let sender = beside(&channel, |channel| channel.try_send(Large::new(1)).is_ok());
    drop(first);
    assert!(sender.join().unwrap());
    assert_eq!(wakes.count(), 1);
    assert_eq!(ready(poll(second.as_mut())).ok().unwrap().number(), 1);
    drop((second, waker));
    assert_eq!(wakes.live(), 0);
    idle(&channel);
}

/// Two receivers that were granted items go, beside each other.
fn granted_drops_come_back_in_order() {
    let channel = channel::<usize, 3>();
    let mut first = Box::pin(channel.receive());
    assert!(poll(first.as_mut()).is_pending());
    let other = beside(&channel, |channel| {
        let mut receive = Box::pin(channel.receive());
        assert!(poll(receive.as_mut()).is_pending());
        (1..=3).for_each(|number| channel.try_send(number).unwrap());
    });
    drop(first);
    other.join().unwrap();
    let all = [(); 3].map(|()| channel.try_receive());
    assert_eq!(all, [Ok(1), Ok(2), Ok(3)]);
    idle(&channel);
}

/// A sender is dropped while it is granted room: the one behind it gets that.
fn granted_room_goes_to_the_next() {
    let channel = channel::<usize, 1>();
    channel.try_send(1).unwrap();
    let mut first = Box::pin(channel.send(2));
    let mut second = Box::pin(channel.send(3));
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    let receiver = beside(&channel, |channel| channel.try_receive());
    drop(first);
    assert_eq!(receiver.join().unwrap(), Ok(1));
    assert!(ready(poll(second.as_mut())).is_ok());
    drop(second);
    assert_eq!(drain(&channel), 3);
    idle(&channel);
}

/// The sender of a rendezvous takes its item back while somebody takes it.
fn withdrawal_meets_observing() {
    let channel = channel::<Large, 0>();
    let mut send = Box::pin(channel.send(Large::new(1)));
    assert!(poll(send.as_mut()).is_pending());
    let receiver = beside(&channel, |channel| {
        channel.try_receive().map_or(0, Freight::number)
    });
    let back = back(send.as_mut().try_abandon().expect("it was not over"));
    drop(send);
    assert_eq!(back + receiver.join().unwrap(), 1);
    idle(&channel);
}

/// The same with a receiver that was granted the item, and looks, or goes.
fn withdrawal_meets_a_granted_receiver() {
    let channel = channel::<Large, 0>();
    let receiver = beside(&channel, |channel| {
        let mut receive = pin!(channel.receive());
        for _ in 0..2 {
            if let Poll::Ready(item) = poll(receive.as_mut()) {
                return item.ok().unwrap().number();
            }
        }
        0
    });
    let mut send = Box::pin(channel.send(Large::new(1)));
    let back = back(match poll(send.as_mut()) {
        Poll::Ready(sent) => sent,
        Poll::Pending => send.as_mut().try_abandon().expect("it was not over"),
    });
    drop(send);
    assert_eq!(back + receiver.join().unwrap(), 1);
    idle(&channel);
}

/// The same with one that goes: nobody has taken the item, so it is its sender's.
fn withdrawal_meets_a_receiver_that_goes() {
    let channel = channel::<Large, 0>();
    let mut receive = Box::pin(Channel::receive_owned(&channel));
    assert!(poll(receive.as_mut()).is_pending());
    let mut send = Box::pin(channel.send(Large::new(1)));
    assert!(poll(send.as_mut()).is_pending());
    let receiver = spawn(move || drop(receive));
    match send.as_mut().try_abandon() {
        Some(Err(SendError::Cancelled(item))) => assert_eq!(item.number(), 1),
        _ => panic!("it was not taken"),
    }
    drop(send);
    receiver.join().unwrap();
    idle(&channel);
}

/// A receiver whose item was taken back is served by the next sender.
fn revoked_receiver_is_served_again() {
    let channel = channel::<usize, 0>();
    let mut receive = Box::pin(channel.receive());
    assert!(poll(receive.as_mut()).is_pending());
    drop({
        let mut send = Box::pin(channel.send(1));
        assert!(poll(send.as_mut()).is_pending());
        send
    });
    let sender = beside(&channel, |channel| block_on(channel.send(2)));
    assert_eq!(block_on(receive), Ok(2));
    assert_eq!(sender.join().unwrap(), Ok(()));
    idle(&channel);
}

/// Sent and received, or back.
fn close_meets<const N: usize>() {
    let channel = channel::<usize, N>();
    let sender = beside(&channel, |channel| back(block_on(channel.send(1))));
    let closer = beside(&channel, Channel::close);
    let mut sum = 0;
    while let Ok(item) = block_on(channel.receive()) {
        sum += item;
    }
    assert!(closer.join().unwrap());
    assert_eq!(sum + sender.join().unwrap(), 1);
    assert_eq!(channel.try_receive(), Err(TryReceiveError::Ended));
}

fn close_meets_send_and_receive() {
    close_meets::<1>();
}

/// The same, with an item that must be taken.
fn close_meets_a_rendezvous() {
    close_meets::<0>();
}

/// One takes the last item while another waits for the end.
fn close_meets_the_last_item() {
    let channel = channel::<Large, 1>();
    channel.try_send(Large::new(1)).ok().unwrap();
    channel.close();
    let taker = beside(&channel, |channel| {
        block_on(channel.receive()).map_or(0, Freight::number)
    });
    let own = block_on(channel.receive()).map_or(0, Freight::number);
    assert_eq!(own + taker.join().unwrap(), 1);
    assert_eq!(channel.try_receive().err(), Some(TryReceiveError::Ended));
}

/// The end waits for a permit.
fn permit_meets_close() {
    let channel = channel::<usize, 1>();
    let user = beside(&channel, |channel| match channel.try_reserve() {
        Ok(permit) => {
            permit.send(1);
            1
        }
        Err(_) => 0,
    });
    let closer = beside(&channel, |channel| channel.close());
    let received = block_on(channel.receive());
    let sent = user.join().unwrap();
    assert_eq!(received, if sent == 1 { Ok(1) } else { Err(Ended) });
    assert!(closer.join().unwrap());
    assert_eq!(channel.try_receive(), Err(TryReceiveError::Ended));
}

/// Two ends go, the last of which closes the channel.
fn last_end_closes() {
    let (sender, receiver) = Channel::split(channel::<usize, 2>());
    let threads = [sender.clone(), sender].map(|sender| {
        spawn(move || {
            sender.try_send(1).unwrap();
        })
    });
    let mut sum = 0;
    while let Ok(item) = block_on(receiver.receive()) {
        sum += item;
    }
    assert_eq!(sum, 2);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}
