//! Items that strike a channel when they are dropped: they come back into it, or panic. Afterwards
//! each item was dropped once, and nobody waits. (Its wakers are in `hostile_channel`, and in the
//! conformance suite.)

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ecluse_core::Channel;

use crate::kit::{panic_of, poll, ready, within};

/// How many items were made, and dropped.
#[derive(Default)]
struct Count {
    made: AtomicUsize,
    gone: AtomicUsize,
}

impl Count {
    fn item(self: &Arc<Self>, act: impl FnOnce() + Send + 'static) -> Striking {
        self.made.fetch_add(1, Ordering::SeqCst);
        Striking(self.clone(), Some(Box::new(act)))
    }

    fn plain(self: &Arc<Self>) -> Striking {
        self.item(|| ())
    }

    fn bomb(self: &Arc<Self>) -> Striking {
        self.item(|| panic!("item"))
    }

    #[track_caller]
    fn all_gone(&self) {
        let made = self.made.load(Ordering::SeqCst);
        assert_eq!(self.gone.load(Ordering::SeqCst), made, "items gone");
    }
}

/// An item that does something when it is dropped.
struct Striking(Arc<Count>, Option<Box<dyn FnOnce() + Send>>);

impl Drop for Striking {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Ordering::SeqCst);
        if let Some(act) = self.1.take() {
            act();
        }
    }
}

type Struck<const N: usize> = Channel<Striking, N>;

/// Every call that leaves it as it was; closes it, if asked.
fn use_channel<const N: usize>(channel: &Struck<N>, count: &Arc<Count>, close: bool) {
    let _ = format!("{channel:?}");
    let _ = (channel.len(), channel.is_full(), channel.is_closed());
    drop(channel.try_receive());
    drop(channel.try_send(count.plain()));
    drop(channel.try_reserve());
    let _ = poll(pin!(channel.reserve()));
    let _ = poll(pin!(channel.send(count.plain())));
    let mut wait = pin!(channel.receive());
    let _ = poll(wait.as_mut());
    if close {
        channel.close();
    }
}

/// The ways in which a channel, or a future of it, comes to drop an item, or to give it back.
const WAYS: usize = 8;

fn lose<const N: usize>(way: usize, channel: &'static Struck<N>, item: Striking, plain: Striking) {
    // A rendezvous is full while a sender waits for its item to be taken.
    let mut before = Box::pin(channel.send(plain));
    let _ = poll(before.as_mut());
    match way {
        // Queued, and dropped.
        0 => {
            let mut send = Box::pin(channel.send(item));
            let _ = poll(send.as_mut());
            drop(send);
        }
        // Never polled.
        1 => drop(channel.send(item)),
        // Refused.
        2 => drop(channel.try_send(item)),
        // Abandoned.
        3 => {
            let mut send = Box::pin(channel.send(item));
            let _ = poll(send.as_mut());
            let back = send.as_mut().try_abandon();
            drop(send);
            drop(back);
        }
        // Granted room, and dropped.
        4 => {
            let mut send = Box::pin(channel.send(item));
            let _ = poll(send.as_mut());
            drop(channel.try_receive());
            drop(send);
        }
        // Received.
        5 => {
            drop(channel.try_receive());
            let mut receive = Box::pin(channel.receive());
            let waits = poll(receive.as_mut()).is_pending();
            drop(channel.try_send(item));
            let _ = waits.then(|| poll(receive.as_mut()));
        }
        // Granted to a receiver that goes, and received by the next.
        6 => {
            drop(channel.try_receive());
            let mut receive = Box::pin(channel.receive());
            let _ = poll(receive.as_mut());
            let sent = channel.try_send(item);
            drop(receive);
            drop(sent);
            drop(channel.try_receive());
        }
        // Closed.
        _ => {
            let mut send = Box::pin(channel.send(item));
            let waits = poll(send.as_mut()).is_pending();
            channel.close();
            let back = waits.then(|| poll(send.as_mut()));
            drop(send);
            drop(back);
        }
    }
}

/// Whatever is left in it.
fn drain<const N: usize>(channel: &Struck<N>) {
    while channel.try_receive().is_ok() {}
    assert!(!channel.has_waiting_senders() && !channel.has_waiting_receivers());
    assert!(!channel.is_full() && channel.is_empty());
}

fn survives_items_that_come_back<const N: usize>() {
    for way in 0..WAYS {
        for close in [false, true] {
            within(move || {
                let channel: &'static Struck<N> = Box::leak(Box::default());
                let count = Arc::<Count>::default();
                let again = count.clone();
                let item = count.item(move || use_channel(channel, &again, close));
                lose(way, channel, item, count.plain());
                drain(channel);
                count.all_gone();
            });
        }
    }
}

#[test]
fn w01_a_channel_survives_items_that_come_back() {
    survives_items_that_come_back::<0>();
    survives_items_that_come_back::<1>();
    survives_items_that_come_back::<2>();
}

fn survives_items_that_panic<const N: usize>() {
    for way in 0..WAYS {
        within(move || {
            let channel: &'static Struck<N> = Box::leak(Box::default());
            let count = Arc::<Count>::default();
            let text = panic_of(|| {
                lose(way, channel, count.bomb(), count.plain());
                // (It was sent.)
                drain(channel);
            });
            assert_eq!(text, "item", "{way}");
            drain(channel);
            count.all_gone();
        });
    }
}

#[test]
fn w02_a_channel_survives_items_that_panic() {
    survives_items_that_panic::<0>();
    survives_items_that_panic::<1>();
    survives_items_that_panic::<2>();
}

/// The room that a sender was granted goes on to the next, whatever its item does.
#[test]
fn w02_room_of_a_panicking_item_goes_to_the_next() {
    within(|| {
        let count = Arc::<Count>::default();
        let channel = Struck::<1>::new();
        assert!(channel.try_send(count.plain()).is_ok());
        let mut first = Box::pin(channel.send(count.bomb()));
        let mut second = Box::pin(channel.send(count.plain()));
        assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        assert!(channel.try_receive().is_ok());
        assert_eq!(panic_of(|| drop(first)), "item");
        assert!(ready(poll(second.as_mut())).is_ok());
        assert!(channel.try_receive().is_ok());
        drop(second);
        drain(&channel);
        count.all_gone();
    });
}

/// One item of many panics as the channel is dropped.
#[test]
fn w02_a_channel_drops_all_its_items() {
    for bad in 0..4 {
        within(move || {
            let count = Arc::<Count>::default();
            let channel = Struck::<4>::new();
            for i in 0..4 {
                let item = if i == bad {
                    count.bomb()
                } else {
                    count.plain()
                };
                assert!(channel.try_send(item).is_ok());
            }
            assert_eq!(panic_of(|| drop(channel)), "item");
            count.all_gone();
        });
    }
}

/// With waiters that were forgotten: what was granted to one of them goes with it.
#[test]
fn w02_a_channel_with_forgotten_waiters_drops_its_items() {
    within(|| {
        let (count, lost) = (Arc::<Count>::default(), Arc::<Count>::default());
        let channel = Struck::<3>::new();
        for _ in 0..2 {
            let mut receive = Box::pin(channel.receive());
            assert!(poll(receive.as_mut()).is_pending());
            std::mem::forget(receive);
        }
        for _ in 0..2 {
            assert!(channel.try_send(lost.plain()).is_ok());
        }
        assert!(channel.try_send(count.bomb()).is_ok());
        let mut send = Box::pin(channel.send(lost.plain()));
        assert!(poll(send.as_mut()).is_pending());
        std::mem::forget(send);
        assert_eq!(panic_of(|| drop(channel)), "item");
        count.all_gone();
        assert_eq!(lost.gone.load(Ordering::SeqCst), 0);
    });
}

/// Several panic: all are dropped, and the first panic goes on; none, if there was one before.
#[cfg(feature = "std")]
#[test]
fn w05_first_panic_of_a_channels_items_goes_on() {
    within(|| {
        let count = Arc::<Count>::default();
        let channel = Struck::<3>::new();
        for text in ["first", "second", "third"] {
            let item = count.item(move || panic!("{text}"));
            assert!(channel.try_send(item).is_ok());
        }
        assert_eq!(panic_of(|| drop(channel)), "first");
        count.all_gone();
        let text = panic_of(|| {
            let channel = Struck::<3>::new();
            for _ in 0..3 {
                assert!(channel.try_send(count.bomb()).is_ok());
            }
            panic!("before");
        });
        assert_eq!(text, "before");
        count.all_gone();
    });
}
