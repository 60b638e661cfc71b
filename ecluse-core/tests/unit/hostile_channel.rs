//! Foreign code that strikes a channel: wakers that use it, and wakers that panic. Nobody gets an
//! item that is another's, and one in hand is not lost.

use std::{
    mem::ManuallyDrop,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Poll,
};

use ecluse_core::{
    Channel,
    channel::{Ended, Receiving},
};
use futures_core::FusedFuture;

#[cfg(feature = "std")]
use crate::kit::ready;
use crate::kit::{Callback, Striker, panic_of, poll, poll_with, within};

type Rendezvous = Channel<u8, 0>;

/// Sends one item to a receiver whose waker takes it and then does what `then` does; the sender is told that it was sent.
fn taken_by_the_waker(channel: &'static Rendezvous, then: impl Fn() + Send + Sync + 'static) {
    let receiver: Pin<Box<Receiving<&'static Rendezvous>>> = Box::pin(channel.receive());
    let receiver = Arc::new(Mutex::new(receiver));
    let theirs = receiver.clone();
    let striker = Striker::new(Callback::Wake, move || {
        let taken = poll(theirs.lock().unwrap().as_mut());
        assert_eq!(taken, Poll::Ready(Ok(1)));
        then();
    });
    let waker = striker.waker();
    assert!(poll_with(receiver.lock().unwrap().as_mut(), &waker).is_pending());
    drop(waker);
    assert_eq!(poll(pin!(channel.send(1))), Poll::Ready(Ok(())));
    assert_eq!((striker.acted(), striker.live()), (1, 0));
}

/// The waker of whoever waits for the sender's item takes that item, lets another put one into the
/// same cell, and closes the channel: the other's is not given back to the first.
#[test]
fn h01_an_item_that_came_into_the_same_cell_is_not_the_first_senders() {
    within(|| {
        let channel: &'static Rendezvous = Box::leak(Box::new(Channel::new()));
        taken_by_the_waker(channel, || {
            channel.try_reserve().expect("the cell is free").send(2);
            channel.close();
        });
        assert_eq!(channel.try_receive(), Ok(2));
    });
}

/// The waker of whoever waits for the sender's item takes that item, and does no more: it is sent.
#[test]
fn h01_an_item_that_was_taken_before_its_sender_waits_is_sent() {
    within(|| {
        let channel: &'static Rendezvous = Box::leak(Box::new(Channel::new()));
        taken_by_the_waker(channel, || {});
        assert!(!channel.has_waiting_senders() && !channel.has_waiting_receivers());
    });
}

/// A receiver's waker closes the channel before its sender waits; the sender's own waker panics as it
/// is dropped. The item that had come back goes with the panic, and the channel is over.
#[test]
fn w02_an_item_that_came_back_before_its_sender_waits_goes_with_a_panic() {
    within(|| {
        let channel: &'static Channel<Arc<()>, 0> = Box::leak(Box::new(Channel::new()));
        let closer = Striker::new(Callback::Wake, || {
            assert!(channel.close());
        });
        let mut receiver = Box::pin(channel.receive());
        assert!(poll_with(receiver.as_mut(), &closer.waker()).is_pending());
        let striker = Striker::new(Callback::Drop, || panic!("the sender's waker"));
        let waker = ManuallyDrop::new(striker.waker());
        let item = Arc::new(());
        let mut sending = Box::pin(channel.send(item.clone()));
        let text = panic_of(|| poll_with(sending.as_mut(), &waker));
        assert_eq!(text, "the sender's waker");
        assert!(sending.is_terminated());
        assert_eq!(Arc::strong_count(&item), 1);
        assert_eq!(poll(receiver.as_mut()), Poll::Ready(Err(Ended)));
        drop(sending);
        assert_eq!((closer.acted(), striker.acted()), (1, 1));
    });
}

/// An item comes as a receiver that found none clones its waker, whose drop panics then: it was not
/// given, and is there for the next.
#[test]
fn w02_an_item_that_comes_as_a_receiver_looks_outlives_a_panic() {
    within(|| {
        let channel: &'static Channel<u8, 1> = Box::leak(Box::new(Channel::new()));
        let striker = Striker::at_each(|at| match at {
            Callback::Clone => channel.try_send(1).expect("room"),
            _ => panic!("the receiver's waker"),
        });
        let waker = ManuallyDrop::new(striker.waker());
        let mut receiver = Box::pin(channel.receive());
        let text = panic_of(|| poll_with(receiver.as_mut(), &waker));
        assert_eq!(text, "the receiver's waker");
        assert!(receiver.is_terminated());
        assert_eq!(channel.try_receive(), Ok(1));
        assert!(!channel.is_full());
    });
}

/// H4: whose room is free by it is woken, and that panics: the item is the receiver's all the same.
#[cfg(feature = "std")]
fn strike<T: Copy + PartialEq + std::fmt::Debug + Send + 'static, const N: usize>(items: [T; 2]) {
    let channel = Channel::<T, N>::new();
    let mut first = pin!(channel.send(items[0]));
    let mut second = pin!(channel.send(items[1]));
    let striker = Striker::new(Callback::Wake, || panic!("a waker"));
    let waker = striker.waker();
    for send in [first.as_mut(), second.as_mut()] {
        let _ = poll_with(send, &waker);
    }
    drop(waker);
    assert_eq!(channel.try_receive(), Ok(items[0]));
    assert!(striker.acted() > 0);
    if N == 0 {
        assert!(ready(poll(first)).is_ok());
        assert!(poll_with(second.as_mut(), &striker.waker()).is_pending());
        assert_eq!(ready(poll(pin!(channel.receive()))), Ok(items[1]));
    }
    assert!(ready(poll(second)).is_ok());
    if N > 0 {
        assert_eq!(channel.try_receive(), Ok(items[1]));
    }
}

#[test]
#[cfg(feature = "std")]
fn h04_an_item_in_hand_outranks_a_panic_of_anothers_waker() {
    within(|| {
        strike::<u8, 1>([1, 2]);
        strike::<[u8; 1024], 1>([[1; 1024], [2; 1024]]);
        strike::<u8, 0>([1, 2]);
        strike::<[u8; 1024], 0>([[1; 1024], [2; 1024]]);
    });
}
