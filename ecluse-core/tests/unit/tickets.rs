//! Tickets: counted, lost, given back, cancelled, joined; and the room that holds any future.

use std::{
    future::{pending, poll_fn, ready},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use ecluse_core::runtime::{Inline, SpawnError, Tally};
use futures_core::FusedFuture;

#[cfg(feature = "std")]
use crate::kit::panic_of;
use crate::kit::{Wakes, poll, poll_with, within};

#[test]
fn a_ticket_is_counted_until_it_ends() {
    let tally = <Tally>::new();
    assert!(poll(pin!(tally.joined())).is_ready(), "nobody is out");
    let mut ticket = Box::pin(tally.ticket(ready(())));
    assert_eq!((tally.live(), tally.lost()), (1, 0));
    let (mut joined, (wakes, waker)) = (pin!(tally.joined()), Wakes::new());
    assert!(poll_with(joined.as_mut(), &waker).is_pending());
    assert!(poll(ticket.as_mut()).is_ready());
    assert!(ticket.is_terminated());
    assert_eq!((tally.live(), tally.lost(), wakes.count()), (0, 0, 1));
    assert!(poll(joined.as_mut()).is_ready());
    assert!(poll(ticket.as_mut()).is_ready(), "it may be polled on");
    drop(ticket);
    assert_eq!((tally.live(), tally.lost()), (0, 0));
}

#[test]
fn joiners_are_told_when_the_last_one_is_gone() {
    let tally = <Tally>::new();
    let (one, two) = (tally.ticket(ready(())), tally.ticket(ready(())));
    let mut joined = pin!(tally.joined());
    assert!(poll(joined.as_mut()).is_pending());
    drop(one);
    assert!(poll(joined.as_mut()).is_pending(), "one is out");
    assert!(joined.as_mut().try_abandon().is_none());
    let mut joined = pin!(tally.joined());
    assert!(poll(joined.as_mut()).is_pending());
    drop(two);
    assert_eq!((tally.live(), tally.lost()), (0, 2));
    assert_eq!(joined.as_mut().try_abandon(), Some(()));
}

#[test]
fn a_future_given_back_is_not_lost() {
    let tally = <Tally>::new();
    let ticket = tally.ticket(ready(()));
    assert!(ticket.into_inner().is_some());
    assert_eq!((tally.live(), tally.lost()), (0, 0));
    let busy = SpawnError::Busy(ready(()));
    assert!(busy.into_future().is_some());
    assert!(SpawnError::<()>::Closed(None).into_future().is_none());
}

#[test]
fn a_cancel_wakes_tickets_whose_futures_are_dropped_at_the_next_poll() {
    within(|| {
        struct Gone(Arc<AtomicUsize>);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let tally = <Tally>::new();
        let gone = Arc::new(AtomicUsize::new(0));
        let future = || {
            let gone = Gone(gone.clone());
            async move {
                pending::<()>().await;
                drop(gone);
            }
        };
        let (mut queued, mut unpolled) = (
            Box::pin(tally.ticket(future())),
            Box::pin(tally.ticket(future())),
        );
        let (wakes, waker) = Wakes::new();
        assert!(poll_with(queued.as_mut(), &waker).is_pending());
        assert!(!tally.is_cancelled());
        assert!(tally.cancel() && !tally.cancel());
        assert!(tally.is_cancelled());
        assert_eq!(wakes.count(), 1);
        let mut late = Box::pin(tally.ticket(future()));
        for (ended, ticket) in [&mut queued, &mut unpolled, &mut late]
            .into_iter()
            .enumerate()
        {
            assert_eq!(gone.load(Ordering::SeqCst), ended);
            assert!(poll(ticket.as_mut()).is_ready());
        }
        assert_eq!((tally.live(), tally.lost()), (0, 3));
        assert_eq!(wakes.live(), 1);
    });
}

/// T1: the destructor has run when the count goes down, whichever way the ticket ends.
#[test]
fn the_count_goes_down_after_the_destructor() {
    struct Looks<'a>(&'a Tally, &'a AtomicUsize, bool);
    impl Drop for Looks<'_> {
        fn drop(&mut self) {
            self.1.store(self.0.live(), Ordering::SeqCst);
        }
    }
    impl Future for Looks<'_> {
        type Output = ();
        fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
            if self.2 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }
    }
    let tally = <Tally>::new();
    let live = AtomicUsize::new(0);
    for ends in [true, false] {
        let mut ticket = Box::pin(tally.ticket(Looks(&tally, &live, ends)));
        assert_eq!(poll(ticket.as_mut()).is_ready(), ends);
        drop(ticket);
        assert_eq!(live.swap(0, Ordering::SeqCst), 1);
    }
    drop(tally.ticket(Looks(&tally, &live, false)));
    assert_eq!(live.swap(0, Ordering::SeqCst), 1);
    let mut ticket = Box::pin(tally.ticket(Looks(&tally, &live, false)));
    tally.cancel();
    assert!(poll(ticket.as_mut()).is_ready());
    assert_eq!(live.swap(0, Ordering::SeqCst), 1);
    assert_eq!((tally.live(), tally.lost()), (0, 3));
}

#[cfg(feature = "std")]
#[test]
fn a_future_that_panics_is_lost_and_joined() {
    within(|| {
        let tally = <Tally>::new();
        let mut ticket = Box::pin(tally.ticket(poll_fn(|_| -> Poll<()> { panic!("task") })));
        assert_eq!(panic_of(|| poll(ticket.as_mut())), "task");
        assert_eq!(tally.live(), 1, "until whoever holds it drops it");
        drop(ticket);
        assert_eq!((tally.live(), tally.lost()), (0, 1));
        // A destructor that panics: counted down all the same.
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("destructor");
            }
        }
        impl Future for Bad {
            type Output = ();
            fn poll(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<()> {
                Poll::Ready(())
            }
        }
        let mut ticket = Box::pin(tally.ticket(Bad));
        let mut joined = pin!(tally.joined());
        assert!(poll(joined.as_mut()).is_pending());
        assert_eq!(panic_of(|| poll(ticket.as_mut())), "destructor");
        assert_eq!((tally.live(), tally.lost()), (0, 1));
        assert!(poll(joined.as_mut()).is_ready());
    });
}

#[test]
fn a_room_holds_any_future_and_drops_it_once() {
    struct Counted(Arc<AtomicUsize>, Arc<AtomicUsize>);
    impl Future for Counted {
        type Output = ();
        fn poll(self: std::pin::Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
            cx.waker().wake_by_ref();
            if self.0.fetch_add(1, Ordering::SeqCst) < 2 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (polls, drops) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut room = Box::pin(Inline::<32>::new(Counted(polls.clone(), drops.clone())));
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(room.as_mut(), &waker).is_pending());
    assert!(poll_with(room.as_mut(), &waker).is_pending());
    assert!(poll_with(room.as_mut(), &waker).is_ready());
    assert_eq!((wakes.count(), drops.load(Ordering::SeqCst)), (3, 0));
    drop(room);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    drop(Inline::<32>::new(Counted(polls, drops.clone())));
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    // In a ticket: what a static pool runs.
    let tally = <Tally>::new();
    let mut ticket = Box::pin(tally.ticket(Inline::<16>::new(poll_fn(|_| Poll::Ready(())))));
    assert!(poll(ticket.as_mut()).is_ready());
    assert_eq!((tally.live(), tally.lost()), (0, 0));
}
