//! A channel's transitions, step by step: send, receive, reserve, leave, come back, close, end.
//!
//! Each walk is made with an item that is moved under the lock, and with one that is not.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use ecluse_core::{
    Cancelled, Channel, TimedOut,
    cancel::{Kind, Root},
    channel::{
        Ended, Receiving, SendError, Sending, TryReceiveError, TryReserveError, TrySendError,
    },
};
use futures_core::{FusedFuture, FusedStream, Stream};

use crate::{
    clock::Hand,
    kit::{Diary, Wakes, poll, poll_with, ready, within},
};

/// An item that counts itself.
pub(crate) trait Freight: Send + 'static {
    fn new(number: usize, counted: &Arc<()>) -> Self;
    fn number(&self) -> usize;
}

/// Small enough for every lock.
pub(crate) struct Small(
    usize,
    #[expect(dead_code, reason = "it is counted")] Arc<()>,
);
/// Too large for any.
pub(crate) struct Large(
    [usize; 64],
    #[expect(dead_code, reason = "it is counted")] Arc<()>,
);

impl Freight for Small {
    fn new(number: usize, counted: &Arc<()>) -> Self {
        Self(number, counted.clone())
    }
    fn number(&self) -> usize {
        self.0
    }
}

impl Freight for Large {
    fn new(number: usize, counted: &Arc<()>) -> Self {
        Self([number; 64], counted.clone())
    }
    fn number(&self) -> usize {
        assert!(self.0.iter().all(|word| *word == self.0[0]), "torn");
        self.0[0]
    }
}

/// A channel, and how many of its items are alive.
struct Yard<T, const N: usize> {
    channel: Channel<T, N>,
    counted: Arc<()>,
    diary: Diary,
}

impl<T: Freight, const N: usize> Yard<T, N> {
    fn new() -> Self {
        Self {
            channel: Channel::new(),
            counted: Arc::default(),
            diary: Diary::default(),
        }
    }

    fn item(&self, number: usize) -> T {
        T::new(number, &self.counted)
    }

    fn alive(&self) -> usize {
        Arc::strong_count(&self.counted) - 1
    }

    /// Sent at once.
    #[track_caller]
    fn sent(&self, number: usize) {
        assert!(ready(poll(pin!(self.channel.send(self.item(number))))).is_ok());
    }

    /// A sender that waits, and writes its number when it is woken.
    fn sending(&self, number: usize) -> Pin<Box<Sending<&Channel<T, N>>>> {
        let mut sending = Box::pin(self.channel.send(self.item(number)));
        let waker = self.diary.waker(format!("s{number}"));
        assert!(poll_with(sending.as_mut(), &waker).is_pending());
        sending
    }

    /// A receiver that waits, and writes its name when it is woken.
    fn receiving(&self, name: &str) -> Pin<Box<Receiving<&Channel<T, N>>>> {
        let mut receiving = Box::pin(self.channel.receive());
        assert!(poll_with(receiving.as_mut(), &self.diary.waker(name)).is_pending());
        receiving
    }

    /// Received at once.
    #[track_caller]
    fn received(&self) -> usize {
        ready(poll(pin!(self.channel.receive())))
            .expect("not over")
            .number()
    }

    #[track_caller]
    fn empty(&self) {
        assert_eq!(self.channel.len(), 0);
        assert_eq!(
            self.channel.try_receive().err(),
            Some(TryReceiveError::Empty)
        );
        assert!(!self.channel.has_waiting_senders() && !self.channel.has_waiting_receivers());
    }
}

#[track_caller]
fn number<T: Freight, const N: usize>(
    receiving: &mut Pin<Box<Receiving<&Channel<T, N>>>>,
) -> usize {
    ready(poll(receiving.as_mut())).expect("an item").number()
}

/// Each test for both kinds of item.
macro_rules! walks {
    ($($(#[$meta:meta])* fn $name:ident<$freight:ident>() $body:block)*) => {$(
        #[test]
        $(#[$meta])*
        fn $name() {
            fn walk<$freight: Freight>() $body
            within(|| {
                walk::<Small>();
                walk::<Large>();
            });
        }
    )*};
}

walks! {
    fn h01_items_come_in_the_order_in_which_they_were_sent<T>() {
        let yard = Yard::<T, 3>::new();
        assert_eq!(yard.channel.capacity(), 3);
        for round in 0..5 {
            for number in 0..3 {
                yard.sent(round * 3 + number);
            }
            assert!(yard.channel.is_full() && !yard.channel.is_empty());
            let full = yard.channel.try_send(yard.item(99));
            assert!(matches!(full, Err(TrySendError::Full(item)) if item.number() == 99));
            let (mut a, mut b) = (yard.sending(100), yard.sending(101));
            assert!(yard.channel.has_waiting_senders());
            assert_eq!(yard.received(), round * 3);
            // Its room goes to the one that has waited longest; a newcomer does not overtake it.
            assert!(yard.channel.try_send(yard.item(99)).is_err());
            assert!(ready(poll(a.as_mut())).is_ok());
            assert_eq!(yard.diary.entries().len(), 2 * round + 1);
            assert_eq!([yard.received(), yard.received()], [round * 3 + 1, round * 3 + 2]);
            assert!(ready(poll(b.as_mut())).is_ok());
            assert_eq!([yard.received(), yard.received()], [100, 101]);
            assert_eq!(yard.diary.entries().split_off(2 * round), ["s100", "s101"]);
            yard.empty();
        }
        assert_eq!(yard.alive(), 0);
    }

    fn h01_receivers_are_served_in_order<T>() {
        let yard = Yard::<T, 2>::new();
        let (mut a, mut b, mut c) = (yard.receiving("a"), yard.receiving("b"), yard.receiving("c"));
        yard.sent(1);
        yard.sent(2);
        assert!(yard.channel.has_waiting_receivers());
        // Both cells have items that were granted, and not observed: there is no room.
        assert_eq!(yard.channel.len(), 0);
        assert!(yard.channel.is_full());
        let mut third = yard.sending(3);
        assert_eq!(number(&mut b), 2);
        assert!(ready(poll(third.as_mut())).is_ok());
        assert_eq!([number(&mut c), number(&mut a)], [3, 1]);
        assert_eq!(yard.diary.entries(), ["a", "b", "s3", "c"]);
        yard.empty();
    }

    fn h01_a_rendezvous_is_over_when_the_item_was_taken<T>() {
        let yard = Yard::<T, 0>::new();
        assert_eq!(yard.channel.capacity(), 0);
        let (mut first, mut second) = (yard.sending(1), yard.sending(2));
        assert!(yard.channel.has_waiting_senders());
        assert_eq!(yard.received(), 1);
        assert_eq!(yard.diary.entries(), ["s1", "s2"]);
        assert!(ready(poll(first.as_mut())).is_ok());
        // Room is not enough.
        assert!(poll(second.as_mut()).is_pending());
        assert!(yard.channel.has_waiting_senders());
        assert_eq!(yard.received(), 2);
        assert!(ready(poll(second.as_mut())).is_ok());
        yard.empty();
        assert_eq!(yard.alive(), 0);
    }

    fn h01_a_rendezvous_with_a_receiver_that_was_there_first<T>() {
        let yard = Yard::<T, 0>::new();
        let mut receiver = yard.receiving("r");
        let mut sender = yard.sending(1);
        assert_eq!(yard.diary.entries(), ["r"]);
        // Granted is not taken.
        assert!(poll(sender.as_mut()).is_pending());
        assert_eq!(number(&mut receiver), 1);
        assert!(ready(poll(sender.as_mut())).is_ok());
        yard.empty();
    }

    fn h01_a_send_at_once_to_a_rendezvous_needs_a_receiver<T>() {
        let yard = Yard::<T, 0>::new();
        assert!(matches!(yard.channel.try_send(yard.item(1)), Err(TrySendError::Full(_))));
        let mut receiver = yard.receiving("r");
        assert!(yard.channel.try_send(yard.item(2)).is_ok());
        assert_eq!(number(&mut receiver), 2);
        // One that goes without it leaves it to the next.
        let receiver = yard.receiving("r");
        assert!(yard.channel.try_send(yard.item(3)).is_ok());
        drop(receiver);
        assert_eq!((yard.channel.len(), yard.received()), (1, 3));
        yard.empty();
    }

    fn h01_a_receiver_that_leaves_leaves_no_trace<T>() {
        let yard = Yard::<T, 1>::new();
        drop(yard.channel.receive());
        let (a, mut b) = (yard.receiving("a"), yard.receiving("b"));
        drop(a);
        yard.sent(1);
        assert_eq!((yard.diary.entries(), number(&mut b)), (vec!["b".to_owned()], 1));
        let mut c = yard.receiving("c");
        assert!(c.as_mut().try_abandon().is_none());
        assert!(c.is_terminated());
        yard.sent(2);
        assert_eq!(yard.received(), 2);
        yard.empty();
    }

    fn h01_a_sender_that_leaves_takes_its_item_along<T>() {
        let yard = Yard::<T, 1>::new();
        yard.sent(1);
        drop(yard.channel.send(yard.item(9)));
        let (a, mut b, mut c) = (yard.sending(2), yard.sending(3), yard.sending(4));
        drop(a);
        // A grant of room that nobody observes goes on to the next.
        assert_eq!(yard.received(), 1);
        let back = b.as_mut().try_abandon();
        // Room had come first: it is sent.
        assert_eq!(back.map(|sent| sent.is_ok()), Some(true));
        assert!(b.is_terminated() && b.as_mut().try_abandon().is_none());
        assert_eq!(yard.received(), 3);
        drop(c.as_mut().try_abandon());
        assert_eq!(yard.received(), 4);
        yard.sent(5);
        let mut d = yard.sending(6);
        assert!(matches!(
            d.as_mut().try_abandon(),
            Some(Err(SendError::Cancelled(item))) if item.number() == 6
        ));
        let e = yard.sending(7);
        let mut f = yard.sending(8);
        assert_eq!(yard.received(), 5);
        drop(e);
        assert!(ready(poll(f.as_mut())).is_ok());
        assert_eq!(yard.received(), 8);
        yard.empty();
        assert_eq!(yard.alive(), 0);
    }

    fn h01_a_sender_of_a_rendezvous_takes_back_what_nobody_observed<T>() {
        let yard = Yard::<T, 0>::new();
        // Nobody was granted it.
        drop(yard.sending(1));
        let mut sender = yard.sending(2);
        assert!(matches!(
            sender.as_mut().try_abandon(),
            Some(Err(SendError::Cancelled(item))) if item.number() == 2
        ));
        yard.empty();
        // Somebody was, and has not been polled.
        let mut a = yard.receiving("a");
        let mut b = yard.receiving("b");
        let sender = yard.sending(3);
        let mut next = yard.sending(4);
        drop(sender);
        assert_eq!(yard.alive(), 1);
        // The room goes to the next, whose item goes to `b`: `a` has not looked yet.
        assert!(poll(next.as_mut()).is_pending());
        assert!(poll(a.as_mut()).is_pending());
        assert_eq!(number(&mut b), 4);
        assert!(ready(poll(next.as_mut())).is_ok());
        // It is the first again, with its turn not lost.
        let mut last = yard.sending(5);
        assert_eq!(number(&mut a), 5);
        assert!(ready(poll(last.as_mut())).is_ok());
        // Room had come, and no receiver.
        let (_first, mut second) = (yard.sending(6), yard.sending(7));
        assert_eq!(yard.received(), 6);
        assert!(matches!(
            second.as_mut().try_abandon(),
            Some(Err(SendError::Cancelled(item))) if item.number() == 7
        ));
        yard.empty();
        assert_eq!(yard.alive(), 0);
    }

    fn h01_a_receiver_of_a_rendezvous_that_is_asked_gets_what_it_was_granted<T>() {
        let yard = Yard::<T, 0>::new();
        let mut receiver = yard.receiving("a");
        let mut sender = yard.sending(1);
        let got = receiver.as_mut().try_abandon();
        assert!(matches!(got, Some(Ok(item)) if item.number() == 1));
        assert!(ready(poll(sender.as_mut())).is_ok());
        yard.empty();
        assert_eq!(yard.alive(), 0);
    }

    fn h01_what_a_receiver_of_a_rendezvous_has_observed_is_sent<T>() {
        let yard = Yard::<T, 0>::new();
        let mut sender = yard.sending(1);
        assert_eq!(yard.received(), 1);
        // Told, and not polled since: a cancel comes too late.
        assert_eq!(sender.as_mut().try_abandon().map(|sent| sent.is_ok()), Some(true));
        let sender = yard.sending(2);
        assert_eq!(yard.received(), 2);
        drop(sender);
        yard.empty();
    }

    fn h01_an_item_stays_with_its_caller_until_it_is_sent<T>() {
        let yard = Yard::<T, 1>::new();
        let mut place = Some(yard.item(1));
        drop(yard.channel.send_from(&mut place));
        assert!(ready(poll(pin!(yard.channel.send_from(&mut place)))).is_ok());
        assert!(place.is_none());
        // Nothing to send.
        assert!(ready(poll(pin!(yard.channel.send_from(&mut place)))).is_ok());
        place = Some(yard.item(2));
        for polled in [false, true] {
            let mut sending = Box::pin(yard.channel.send_from(&mut place));
            if polled {
                assert!(poll(sending.as_mut()).is_pending());
            }
            drop(sending);
            assert_eq!(place.as_ref().map(Freight::number), Some(2));
        }
        let mut sending = Box::pin(yard.channel.send_from(&mut place));
        assert!(poll(sending.as_mut()).is_pending());
        assert_eq!(sending.as_mut().try_abandon(), Some(Err(SendError::Cancelled(()))));
        drop(sending);
        yard.channel.close();
        let closed = ready(poll(pin!(yard.channel.send_from(&mut place))));
        assert_eq!(closed, Err(SendError::Closed(())));
        assert_eq!((place.map(|item| item.number()), yard.received()), (Some(2), 1));
    }

    fn h01_an_item_of_a_rendezvous_comes_back_to_its_caller<T>() {
        let yard = Yard::<T, 0>::new();
        let mut place = Some(yard.item(1));
        let receiver = yard.receiving("r");
        for granted in [true, false] {
            let mut sending = Box::pin(yard.channel.send_from(&mut place));
            assert!(poll(sending.as_mut()).is_pending());
            assert_eq!(yard.channel.len(), usize::from(!granted));
            drop(sending);
            assert_eq!(place.as_ref().map(Freight::number), Some(1));
        }
        drop(receiver);
        assert_eq!(yard.diary.entries(), ["r"]);
        yard.empty();
    }

    fn h02_an_item_whose_receiver_went_goes_to_the_next<T>() {
        let yard = Yard::<T, 2>::new();
        let (a, b, mut c) = (yard.receiving("a"), yard.receiving("b"), yard.receiving("c"));
        yard.sent(1);
        drop(a);
        assert_eq!(yard.diary.entries(), ["a", "b"]);
        yard.sent(2);
        drop(b);
        // `c` has the second; the first is back.
        assert_eq!((yard.channel.len(), number(&mut c), yard.received()), (1, 2, 1));
        yard.empty();
    }

    fn h02_items_whose_receivers_went_are_in_order_again<T>() {
        // In which order the receivers of three items go, with two that nobody was granted.
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let yard = Yard::<T, 5>::new();
            let mut receivers = ["a", "b", "c"].map(|name| Some(yard.receiving(name)));
            for number in 0..5 {
                yard.sent(number);
            }
            for (gone, index) in order.into_iter().enumerate() {
                drop(receivers[index].take());
                assert_eq!(yard.channel.len(), 3 + gone);
            }
            for number in 0..5 {
                assert_eq!(yard.received(), number);
            }
            yard.empty();
            assert_eq!(yard.alive(), 0);
        }
    }

    fn h02_an_item_finds_its_place_between_others<T>() {
        let yard = Yard::<T, 4>::new();
        let (a, mut b, c) = (yard.receiving("a"), yard.receiving("b"), yard.receiving("c"));
        (0..3).for_each(|number| yard.sent(number));
        drop(c);
        assert_eq!(number(&mut b), 1);
        // Cells are used again; the numbers tell, not the cells.
        yard.sent(3);
        yard.sent(4);
        drop(a);
        assert_eq!([(); 4].map(|()| yard.received()), [0, 2, 3, 4]);
        yard.sent(5);
        assert_eq!(yard.received(), 5);
        yard.empty();
    }

    fn h02_a_rendezvous_with_a_receiver_that_goes<T>() {
        let yard = Yard::<T, 0>::new();
        let (a, mut b) = (yard.receiving("a"), yard.receiving("b"));
        let mut sender = yard.sending(1);
        drop(a);
        assert!(poll(sender.as_mut()).is_pending());
        assert_eq!(number(&mut b), 1);
        assert!(ready(poll(sender.as_mut())).is_ok());
        let a = yard.receiving("a");
        let mut sender = yard.sending(2);
        drop(a);
        assert_eq!(yard.channel.len(), 1);
        assert!(matches!(
            sender.as_mut().try_abandon(),
            Some(Err(SendError::Cancelled(item))) if item.number() == 2
        ));
        yard.empty();
    }

    fn h03_room_that_is_reserved_is_sent_into_later<T>() {
        let yard = Yard::<T, 2>::new();
        let late = ready(poll(pin!(yard.channel.reserve()))).unwrap();
        yard.sent(1);
        assert_eq!(yard.channel.try_reserve().err(), Some(TryReserveError::Full));
        let mut waits = Box::pin(yard.channel.reserve());
        assert!(poll_with(waits.as_mut(), &yard.diary.waker("p")).is_pending());
        late.send(yard.item(2));
        assert_eq!(yard.received(), 1);
        let unused = ready(poll(waits.as_mut())).unwrap();
        let mut sender = yard.sending(3);
        drop(unused);
        assert!(ready(poll(sender.as_mut())).is_ok());
        assert_eq!([yard.received(), yard.received()], [2, 3]);
        assert_eq!(yard.diary.entries(), ["p", "s3"]);
        // Granted, not observed.
        let [held, other] = [(); 2].map(|()| yard.channel.try_reserve().unwrap());
        let mut waits = Box::pin(yard.channel.reserve());
        assert!(poll(waits.as_mut()).is_pending());
        drop(held);
        drop(waits);
        drop(other);
        yard.empty();
        yard.sent(4);
        yard.sent(5);
        assert_eq!([yard.received(), yard.received()], [4, 5]);
    }

    fn h03_receivers_drain_then_end<T>() {
        let yard = Yard::<T, 2>::new();
        yard.sent(1);
        yard.sent(2);
        assert!(!yard.channel.is_closed() && yard.channel.close() && !yard.channel.close());
        assert!(yard.channel.is_closed());
        assert!(matches!(yard.channel.try_send(yard.item(3)), Err(TrySendError::Closed(_))));
        assert_eq!(yard.channel.try_reserve().err(), Some(TryReserveError::Closed));
        assert!(ready(poll(pin!(yard.channel.reserve()))).is_err());
        let refused = ready(poll(pin!(yard.channel.send(yard.item(4)))));
        assert!(matches!(refused, Err(SendError::Closed(item)) if item.number() == 4));
        assert_eq!([yard.received(), yard.received()], [1, 2]);
        assert_eq!(yard.channel.try_receive().err(), Some(TryReceiveError::Ended));
        assert_eq!(ready(poll(pin!(yard.channel.receive()))).err(), Some(Ended));
        assert_eq!(yard.alive(), 0);
    }

    fn h03_waiting_senders_get_their_items_back<T>() {
        let yard = Yard::<T, 1>::new();
        yard.sent(1);
        let mut waiting = [2, 3].map(|number| yard.sending(number));
        let mut asked = Box::pin(yard.channel.send(yard.item(4)));
        let mut reserving = Box::pin(yard.channel.reserve());
        assert!(poll(asked.as_mut()).is_pending() && poll(reserving.as_mut()).is_pending());
        yard.channel.close();
        assert!(matches!(
            asked.as_mut().try_abandon(),
            Some(Err(SendError::Closed(item))) if item.number() == 4
        ));
        for (index, sending) in waiting.iter_mut().enumerate() {
            let back = ready(poll(sending.as_mut())).unwrap_err();
            assert!(matches!(&back, SendError::Closed(_)));
            assert_eq!(back.into_inner().number(), index + 2);
        }
        assert!(ready(poll(reserving.as_mut())).is_err());
        assert_eq!(yard.diary.entries(), ["s2", "s3"]);
        assert_eq!(yard.received(), 1);
        assert_eq!(yard.channel.try_receive().err(), Some(TryReceiveError::Ended));
    }

    fn h03_waiting_receivers_end_when_nothing_can_come_any_more<T>() {
        let yard = Yard::<T, 1>::new();
        let (mut a, mut b) = (yard.receiving("a"), yard.receiving("b"));
        let permit = yard.channel.try_reserve().unwrap();
        yard.channel.close();
        assert!(yard.diary.entries().is_empty());
        assert_eq!(yard.channel.try_receive().err(), Some(TryReceiveError::Empty));
        permit.send(yard.item(1));
        // It may still come back.
        assert_eq!(yard.diary.entries(), ["a"]);
        assert_eq!(number(&mut a), 1);
        assert_eq!(ready(poll(b.as_mut())).err(), Some(Ended));
        assert_eq!(yard.diary.entries(), ["a", "b"]);
        // With a permit that is not used, too.
        let yard = Yard::<T, 1>::new();
        let mut a = yard.receiving("a");
        let permit = yard.channel.try_reserve().unwrap();
        yard.channel.close();
        drop(permit);
        assert_eq!(ready(poll(a.as_mut())).err(), Some(Ended));
        let yard = Yard::<T, 1>::new();
        let mut a = yard.receiving("a");
        yard.channel.close();
        assert_eq!(ready(poll(a.as_mut())).err(), Some(Ended));
    }

    fn h03_an_item_that_comes_back_after_the_close_is_drained<T>() {
        let yard = Yard::<T, 1>::new();
        let (a, mut b) = (yard.receiving("a"), yard.receiving("b"));
        yard.sent(1);
        yard.channel.close();
        assert!(poll(b.as_mut()).is_pending());
        drop(a);
        assert_eq!(number(&mut b), 1);
        assert_eq!(yard.channel.try_receive().err(), Some(TryReceiveError::Ended));
    }

    fn h03_a_close_gives_a_rendezvous_its_item_back<T>() {
        // Whether a receiver was granted it, and whether the sender is polled after.
        for (granted, polled) in [(false, true), (true, true), (false, false), (true, false)] {
            let yard = Yard::<T, 0>::new();
            let mut receiver = granted.then(|| yard.receiving("r"));
            let (mut first, mut second) = (yard.sending(1), yard.sending(2));
            yard.channel.close();
            if polled {
                for (number, sending) in [(1, &mut first), (2, &mut second)] {
                    let back = ready(poll(sending.as_mut())).unwrap_err();
                    assert!(matches!(back, SendError::Closed(item) if item.number() == number));
                }
            }
            drop((first, second));
            if let Some(receiver) = &mut receiver {
                assert_eq!(ready(poll(receiver.as_mut())).err(), Some(Ended));
            }
            assert_eq!(yard.channel.try_receive().err(), Some(TryReceiveError::Ended));
            assert_eq!(yard.alive(), 0);
        }
    }

    fn h03_a_close_ends_all_who_wait_at_a_rendezvous<T>() {
        let yard = Yard::<T, 0>::new();
        let (mut a, mut b) = (yard.receiving("a"), yard.receiving("b"));
        let mut sender = yard.sending(1);
        yard.channel.close();
        assert!(poll(a.as_mut()).is_pending());
        assert!(poll(b.as_mut()).is_pending());
        assert!(ready(poll(sender.as_mut())).is_err());
        assert_eq!(ready(poll(a.as_mut())).err(), Some(Ended));
        assert_eq!(ready(poll(b.as_mut())).err(), Some(Ended));
    }

    fn what_nobody_received_is_dropped_with_the_channel<T>() {
        let yard = Yard::<T, 4>::new();
        (0..4).for_each(|number| yard.sent(number));
        assert_eq!((yard.received(), yard.alive()), (0, 3));
        drop(yard.channel);
        assert_eq!(Arc::strong_count(&yard.counted), 1);
    }

    fn a_time_out_gives_the_item_back<T>() {
        let (yard, clock) = (Yard::<T, 1>::new(), Hand::default());
        let bound = Duration::from_millis(10);
        let send = |number| Box::pin(yard.channel.send(yard.item(number)).timeout(&clock, bound));
        assert!(ready(poll(send(1).as_mut())).is_ok());
        assert_eq!(clock.set(), 0);
        let (mut late, mut last) = (send(2), send(3));
        assert!(poll(late.as_mut()).is_pending() && poll(last.as_mut()).is_pending());
        clock.advance(10);
        let back = ready(poll(late.as_mut()));
        assert!(matches!(back, Err(SendError::TimedOut(item)) if item.number() == 2));
        assert!(late.is_terminated());
        // What comes at the last moment is sent.
        assert_eq!(yard.received(), 1);
        assert!(ready(poll(last.as_mut())).is_ok());
        assert_eq!(yard.received(), 3);
        let mut receive = pin!(yard.channel.receive().timeout(&clock, bound));
        assert!(poll(receive.as_mut()).is_pending());
        clock.advance(10);
        assert_eq!(ready(poll(receive.as_mut())).err(), Some(TimedOut));
        yard.empty();
        assert_eq!(yard.alive(), 0);
    }

    fn a_cancelled_scope_gives_the_item_back<T>() {
        let (yard, root) = (Yard::<T, 1>::new(), <Root>::new());
        yard.sent(1);
        let mut late = Box::pin(root.cx().guard_wait(yard.channel.send(yard.item(2))));
        let mut kept = Some(yard.item(3));
        let mut from = Box::pin(root.cx().guard_wait(yard.channel.send_from(&mut kept)));
        assert!(poll(late.as_mut()).is_pending() && poll(from.as_mut()).is_pending());
        root.cancel(Kind::Explicit);
        let back = ready(poll(late.as_mut()));
        assert!(matches!(back, Ok(Err(SendError::Cancelled(item))) if item.number() == 2));
        assert!(matches!(ready(poll(from.as_mut())), Ok(Err(SendError::Cancelled(())))));
        drop(from);
        assert!(kept.is_some());
        // A scope that was cancelled before polls nothing, and keeps nothing either.
        let clock = Hand::default();
        let mut late = pin!(root.cx().guard_wait(yard.channel.send(yard.item(4))));
        assert!(matches!(
            ready(poll(late.as_mut())),
            Ok(Err(SendError::Cancelled(item))) if item.number() == 4
        ));
        let bounded = yard.channel.send(yard.item(5)).timeout(clock, Duration::from_secs(1));
        let mut late = pin!(root.cx().guard_wait(bounded));
        assert!(matches!(ready(poll(late.as_mut())), Ok(Err(SendError::Cancelled(_)))));
        // A receive has nothing to give back, and takes nothing.
        let mut receive = pin!(root.cx().guard_wait(yard.channel.receive()));
        assert!(matches!(ready(poll(receive.as_mut())), Err(Cancelled { .. })));
        assert_eq!(yard.received(), 1);
        yard.empty();
    }
}

#[test]
fn the_last_end_of_a_kind_closes_the_channel() {
    let channel = <Channel<u8, 2>>::new();
    let (sender, receiver) = (channel.sender(), channel.receiver());
    let second = sender.clone();
    drop(sender);
    second.try_send(1).unwrap();
    assert!(!second.is_closed());
    drop(second);
    assert!(receiver.is_closed());
    assert_eq!(receiver.try_receive(), Ok(1));
    assert_eq!(receiver.try_receive(), Err(TryReceiveError::Ended));

    let channel = <Channel<u8, 2>>::new();
    let (sender, receiver) = (channel.sender(), channel.receiver());
    let stream = receiver.clone().into_items();
    drop(receiver);
    assert!(sender.try_send(1).is_ok());
    drop(stream);
    assert_eq!(sender.try_send(2), Err(TrySendError::Closed(2)));
    // What the ends cannot get is the channel's.
    assert_eq!(channel.try_receive(), Ok(1));
}

#[test]
fn a_stream_gives_all_items_and_ends() {
    let channel = <Channel<u8, 2>>::new();
    let (wakes, waker) = Wakes::new();
    let mut items = pin!(channel.items());
    assert!(!items.is_terminated());
    let mut next = || {
        items
            .as_mut()
            .poll_next(&mut std::task::Context::from_waker(&waker))
    };
    assert!(next().is_pending());
    channel.try_send(1).unwrap();
    channel.try_send(2).unwrap();
    assert_eq!(
        (wakes.count(), ready(next()), ready(next())),
        (1, Some(1), Some(2))
    );
    assert!(next().is_pending());
    channel.close();
    assert_eq!(
        (wakes.count(), ready(next()), ready(next())),
        (2, None, None)
    );
    assert!(items.is_terminated());
}

#[cfg(feature = "alloc")]
#[test]
fn owned_ends_and_futures_keep_the_channel_alive() {
    let channel = Arc::new(<Channel<String, 1>>::new());
    let (sender, receiver) = Channel::split(channel.clone());
    let mut send = Box::pin(Channel::send_owned(&channel, "one".to_owned()));
    let mut receive = Box::pin(Channel::receive_owned(&channel));
    let permit = Channel::try_reserve_owned(&channel).unwrap();
    let mut reserve = Box::pin(Channel::reserve_owned(&channel));
    let items = Channel::items_owned(&channel);
    drop(channel);
    assert!(poll(send.as_mut()).is_pending());
    permit.send("zero".to_owned());
    assert_eq!(ready(poll(receive.as_mut())).unwrap(), "zero");
    assert!(ready(poll(send.as_mut())).is_ok());
    assert!(poll(reserve.as_mut()).is_pending());
    assert_eq!(receiver.try_receive().unwrap(), "one");
    drop(ready(poll(reserve.as_mut())).unwrap());
    drop((sender, items));
    assert!(receiver.is_closed());
}

#[test]
fn texts_and_pictures_say_what_is_meant() {
    let channel = <Channel<u8, 1>>::new();
    assert_eq!(
        format!("{channel:?} {:?} {:?}", channel.send(1), channel.receive()),
        "Channel { capacity: 1, len: 0, closed: false } Sending { state: Fresh, .. } \
         Wait { state: \"idle\", .. }"
    );
    let full = TrySendError::Full(7);
    assert_eq!(
        (full.to_string(), full.into_inner()),
        ("the channel is full".to_owned(), 7)
    );
    assert_eq!(format!("{:?}", SendError::TimedOut(())), "TimedOut(..)");
    assert_eq!(Ended.to_string(), TryReceiveError::from(Ended).to_string());
}

#[cfg(feature = "std")]
mod threads {
    use super::{Channel, Duration, Ended, SendError, TimedOut, within};
    use std::thread;

    #[test]
    fn c20_threads_send_and_receive() {
        within(|| {
            let (channel, done) = (<Channel<usize, 2>>::new(), <Channel<usize, 0>>::new());
            let rounds = 1_000;
            thread::scope(|scope| {
                let sums = [(); 2].map(|()| {
                    scope.spawn(|| {
                        let mut sum = 0;
                        while let Ok(number) = channel.receive_blocking() {
                            sum += number;
                        }
                        done.send_blocking(sum).unwrap();
                    })
                });
                let senders = [0, 1].map(|parity| {
                    let channel = &channel;
                    scope.spawn(move || {
                        for number in 0..rounds {
                            channel.send_blocking(2 * number + parity).unwrap();
                        }
                    })
                });
                senders
                    .into_iter()
                    .for_each(|thread| thread.join().unwrap());
                channel.close();
                let sum = done.receive_blocking().unwrap() + done.receive_blocking().unwrap();
                assert_eq!(sum, rounds * (2 * rounds - 1));
                sums.into_iter().for_each(|thread| thread.join().unwrap());
            });
            assert_eq!(channel.receive_blocking(), Err(Ended));
            let limit = Duration::from_millis(1);
            let late = done.send_blocking_timeout(3, limit);
            assert_eq!(late, Err(SendError::TimedOut(3)));
            assert_eq!(done.receive_blocking_timeout(limit), Err(TimedOut));
        });
    }
}
