//! w01, w02, w05 for the channel: every callback of a waker, doing every hostile act, in every method that calls it.
//!
//! Each combination is a world of its own. Afterwards what was sent is what was received, nobody waits, and no waker is left.

use core::task::{Poll, Waker};

use super::super::subject::Channel;
use super::super::subject::channel::{Ended as End, Receiving, SendError, Sending};
use futures_core::FusedFuture;
use portable_atomic::{AtomicI32, Ordering};

use crate::kit::{Callback, Parked, Scene, TestWaker, table};
use crate::{Runtime, Verdict};

cases! { engine hostile_channel:
    w01_channel_survives_wakers_that_come_back,
    w01_rendezvous_survives_wakers_that_come_back,
    w02_channel_survives_wakers_that_panic needs UNWIND,
    w02_rendezvous_survives_wakers_that_panic needs UNWIND,
    w05_item_in_hand_outranks_a_panic_of_its_sender needs UNWIND STD,
}

/// What a waker does besides waking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Try,
    Send,
    Receive,
    Reserve,
    Close,
    ComeAndGo,
}

const ACTS: [Act; 6] = [
    Act::Try,
    Act::Send,
    Act::Receive,
    Act::Reserve,
    Act::Close,
    Act::ComeAndGo,
];

/// Which method meets the hostile waker: a receiver's, or a sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    ReceiverEnlists,
    ReceiverIsPolledAgain,
    ReceiverLeaves,
    ReceiverIsServed,
    ItemIsPassedOn,
    ReceiverIsEnded,
    SenderEnlists,
    SenderIsPolledAgain,
    SenderLeaves,
    SenderIsServed,
    RoomIsPassedOn,
    SenderIsClosed,
}

const TRIGGERS: [Trigger; 12] = [
    Trigger::ReceiverEnlists,
    Trigger::ReceiverIsPolledAgain,
    Trigger::ReceiverLeaves,
    Trigger::ReceiverIsServed,
    Trigger::ItemIsPassedOn,
    Trigger::ReceiverIsEnded,
    Trigger::SenderEnlists,
    Trigger::SenderIsPolledAgain,
    Trigger::SenderLeaves,
    Trigger::SenderIsServed,
    Trigger::RoomIsPassedOn,
    Trigger::SenderIsClosed,
];

type Static<const N: usize> = &'static Channel<u32, N>;

struct World<const N: usize> {
    channel: Channel<u32, N>,
    first: Parked<Receiving<Static<N>>>,
    receiver: Parked<Receiving<Static<N>>>,
    late: Parked<Receiving<Static<N>>>,
    before: Parked<Sending<Static<N>>>,
    sender: Parked<Sending<Static<N>>>,
    after: Parked<Sending<Static<N>>>,
    newcomer: Parked<Sending<Static<N>>>,
    waker: TestWaker,
    /// Items sent, less items received.
    balance: AtomicI32,
}

impl<const N: usize> World<N> {
    const fn new() -> Self {
        Self {
            channel: Channel::new(),
            first: Parked::new(),
            receiver: Parked::new(),
            late: Parked::new(),
            before: Parked::new(),
            sender: Parked::new(),
            after: Parked::new(),
            newcomer: Parked::new(),
            waker: TestWaker::new(),
            balance: AtomicI32::new(0),
        }
    }

    fn count(&self, by: i32) {
        self.balance.fetch_add(by, Ordering::SeqCst);
    }

    /// What panics after it was sent is sent.
    fn try_send(&self) {
        self.count(1);
        if self.channel.try_send(1).is_err() {
            self.count(-1);
        }
    }

    fn try_receive(&self) {
        if self.channel.try_receive().is_ok() {
            self.count(-1);
        }
    }

    fn poll_receiver(&'static self, party: &'static Parked<Receiving<Static<N>>>, waker: &Waker) {
        if let Poll::Ready(item) = party.poll(waker) {
            party.leave();
            if item.is_ok() {
                self.count(-1);
            }
        }
    }

    fn poll_sender(&'static self, party: &'static Parked<Sending<Static<N>>>, waker: &Waker) {
        if let Poll::Ready(sent) = party.poll(waker) {
            party.leave();
            if sent.is_ok() {
                self.count(1);
            }
        }
    }
}

impl<const N: usize> Scene for &'static World<N> {
    type Act = Act;
    type Trigger = Trigger;

    const PANIC: Act = Act::Panic;
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;

    fn new<R: Runtime>(rt: R) -> Self {
        rt.put(World::new())
    }

    fn act(self, act: Act) {
        match act {
            Act::Panic => panic!("hostile"),
            Act::Try => {
                self.try_send();
                self.try_receive();
                let _ = (self.channel.len(), self.channel.is_closed());
            }
            Act::Send => {
                self.newcomer.park(self.channel.send(2));
                self.poll_sender(&self.newcomer, &self.waker.waker());
            }
            Act::Receive => {
                self.late.park(self.channel.receive());
                self.poll_receiver(&self.late, &self.waker.waker());
            }
            Act::Reserve => drop(self.channel.try_reserve()),
            Act::Close => drop(self.channel.close()),
            Act::ComeAndGo => {
                self.act(Act::Receive);
                self.late.leave();
                self.act(Act::Send);
                self.newcomer.leave();
            }
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let (channel, waker) = (&self.channel, &self.waker.waker());
        match trigger {
            Trigger::ReceiverEnlists => self.receiver.park(channel.receive()),
            Trigger::ReceiverIsPolledAgain
            | Trigger::ReceiverLeaves
            | Trigger::ReceiverIsServed
            | Trigger::ReceiverIsEnded => {
                self.receiver.park(channel.receive());
                self.receiver.pending(&hostile.waker());
            }
            Trigger::ItemIsPassedOn => {
                self.first.park(channel.receive());
                self.first.pending(waker);
                self.receiver.park(channel.receive());
                self.receiver.pending(&hostile.waker());
                self.try_send();
            }
            _ => {
                // No room: an item, or, of a rendezvous, another sender.
                self.before.park(channel.send(3));
                self.poll_sender(&self.before, waker);
                self.sender.park(channel.send(4));
                if trigger == Trigger::SenderEnlists {
                    return;
                }
                if trigger == Trigger::RoomIsPassedOn {
                    self.sender.pending(waker);
                    self.after.park(channel.send(5));
                    self.after.pending(&hostile.waker());
                    self.try_receive();
                } else {
                    self.sender.pending(&hostile.waker());
                }
            }
        }
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        match trigger {
            Trigger::ReceiverEnlists => self.poll_receiver(&self.receiver, &hostile.waker()),
            Trigger::ReceiverIsPolledAgain => {
                self.poll_receiver(&self.receiver, &self.waker.waker());
            }
            Trigger::ReceiverLeaves => self.receiver.leave(),
            Trigger::ReceiverIsServed => self.try_send(),
            Trigger::ItemIsPassedOn => self.first.leave(),
            Trigger::ReceiverIsEnded | Trigger::SenderIsClosed => drop(self.channel.close()),
            Trigger::SenderEnlists => self.poll_sender(&self.sender, &hostile.waker()),
            Trigger::SenderIsPolledAgain => self.poll_sender(&self.sender, &self.waker.waker()),
            Trigger::SenderLeaves => self.sender.leave(),
            Trigger::SenderIsServed => self.try_receive(),
            Trigger::RoomIsPassedOn => self.sender.leave(),
        }
    }

    /// With an item in hand, a panic of its sender's waker ends there.
    fn swallows(trigger: Trigger) -> bool {
        trigger == Trigger::SenderIsServed && cfg!(feature = "std")
    }

    fn wakers(self) -> &'static [TestWaker] {
        core::slice::from_ref(&self.waker)
    }

    /// Everybody is served or told, and no waker is left behind.
    fn settle(self, _: &'static TestWaker) {
        self.channel.close();
        let (senders, receivers) = (
            [&self.before, &self.sender, &self.after, &self.newcomer],
            [&self.first, &self.receiver, &self.late],
        );
        for _ in 0..3 {
            for party in senders.into_iter().filter(|party| party.is_parked()) {
                // (One that a panic has ended.)
                if party.with_pin(|wait| wait.is_terminated()) {
                    party.leave();
                } else {
                    self.poll_sender(party, &self.waker.waker());
                }
            }
            for party in receivers.into_iter().filter(|party| party.is_parked()) {
                if party.with_pin(|wait| wait.is_terminated()) {
                    party.leave();
                } else {
                    self.poll_receiver(party, &self.waker.waker());
                }
            }
            self.try_receive();
        }
        assert!(!senders.iter().any(|party| party.is_parked()), "a sender");
        assert!(
            !receivers.iter().any(|party| party.is_parked()),
            "a receiver"
        );
        assert!(!self.channel.is_full() && self.channel.is_empty());
        let balance = self.balance.load(Ordering::SeqCst);
        assert_eq!(balance, 0, "items sent and not received");
    }
}

async fn w01_channel_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World<1>, R>(rt, &ACTS).await
}

async fn w01_rendezvous_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World<0>, R>(rt, &ACTS).await
}

async fn w02_channel_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World<1>, R>(rt, &[Act::Panic]).await
}

async fn w02_rendezvous_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World<0>, R>(rt, &[Act::Panic]).await
}

/// The receiver that frees the room gets the item, and the next sender the room.
async fn w05_item_in_hand_outranks_a_panic_of_its_sender<R: Runtime>(rt: R) -> Verdict {
    let channel: Static<1> = rt.put(Channel::new());
    let hostile: &'static TestWaker = rt.put(TestWaker::hostile(
        Callback::Wake,
        rt.put(|| panic!("hostile")),
    ));
    let sender: &'static Parked<Sending<Static<1>>> = rt.put(Parked::new());
    channel.try_send(1).expect("room");
    sender.park(channel.send(2));
    sender.pending(&hostile.waker());
    hostile.arm();
    assert_eq!(channel.receive().await, Ok(1));
    assert_eq!((hostile.acted(), sender.ready()), (1, Ok(())));
    assert_eq!(channel.receive().await, Ok(2));
    channel.close();
    assert_eq!(channel.send(3).await, Err(SendError::Closed(3)));
    assert_eq!(channel.receive().await, Err(End));
    Verdict::Pass
}
