//! Without `std` a panic of user code unwinds at once, and the drop guard that stands by does the
//! rest: everybody else is woken, the claim is released. A host can unwind without the feature
//! `std`, so it is tested here.
//!
//! One panic each: a second one while unwinding ends the process, with `std` or without.
#![cfg(all(not(ecluse_loom), not(feature = "std"), feature = "critical-section"))]
#![allow(clippy::std_instead_of_core, reason = "tests have std")]

#[allow(dead_code, reason = "what these tests have no use for")]
#[path = "unit/kit.rs"]
mod kit;

use std::{future::pending, pin::pin};

use ecluse_core::{
    AcquireOutcome, Cause, Line, Outcome, Revocable, Root, Slot, Token, Wait, cancel::Kind,
    line::ToHoldEnd, runtime::Tally,
};

use kit::{Callback, Striker, Wakes, panic_of, poll, poll_with, ready, within};

fn token(line: &Line) -> Token<'_> {
    line.try_acquire_token().success().unwrap()
}

fn wait(line: &Line) -> Wait<ToHoldEnd<&Line>> {
    match line.try_acquire_token() {
        AcquireOutcome::Failure(wait) => wait,
        other => panic!("the line is held, but: {other:?}"),
    }
}

#[test]
fn a_panicking_waker_loses_no_wake_up_of_a_cohort() {
    // In the first batch, at its end, in a later one, at the very end.
    for bad in [0, 3, 4, 10, 19] {
        within(move || {
            let line = <Line>::new();
            let held = token(&line);
            let striker = Striker::new(Callback::Wake, || panic!("waker"));
            let (wakes, waker) = Wakes::new();
            let mut waits: Vec<_> = (0..20).map(|_| Box::pin(wait(&line))).collect();
            for (i, wait) in waits.iter_mut().enumerate() {
                let pending = if i == bad {
                    poll_with(wait.as_mut(), &striker.waker())
                } else {
                    poll_with(wait.as_mut(), &waker)
                };
                assert!(pending.is_pending());
            }
            assert_eq!(panic_of(|| held.release()), "waker");
            assert_eq!((wakes.count(), striker.acted()), (19, 1));
            assert!(!line.is_busy() && !line.has_waiters());
            for mut wait in waits {
                assert_eq!(ready(poll(wait.as_mut())), Outcome::Done);
            }
        });
    }
}

#[test]
fn a_panicking_claimers_waker_keeps_no_observer_from_being_told() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let striker = Striker::new(Callback::Wake, || panic!("waker"));
        let (wakes, waker) = Wakes::new();
        let mut claimer = pin!(slot.claim());
        let mut observers: Vec<_> = (0..10).map(|_| Box::pin(slot.released())).collect();
        assert!(poll_with(claimer.as_mut(), &striker.waker()).is_pending());
        for wait in &mut observers {
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
        }
        assert_eq!(panic_of(|| claim.release()), "waker");
        assert_eq!(wakes.count(), 10);
        ready(poll(claimer.as_mut())).unwrap().release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}

#[test]
fn a_close_tells_both_rings_though_a_waker_panics() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let striker = Striker::new(Callback::Wake, || panic!("waker"));
        let (wakes, waker) = Wakes::new();
        let mut claimers: Vec<_> = (0..10).map(|_| Box::pin(slot.claim())).collect();
        let mut observers: Vec<_> = (0..10).map(|_| Box::pin(slot.released())).collect();
        for (i, wait) in claimers.iter_mut().enumerate() {
            let striker = striker.waker();
            let waker = if i == 2 { &striker } else { &waker };
            assert!(poll_with(wait.as_mut(), waker).is_pending());
        }
        for wait in &mut observers {
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
        }
        assert_eq!(panic_of(|| slot.close()), "waker");
        assert_eq!(wakes.count(), 19);
        for mut wait in claimers {
            assert!(ready(poll(wait.as_mut())).is_err());
        }
        for mut wait in observers {
            assert_eq!(ready(poll(wait.as_mut())), Outcome::Closed);
        }
        drop(claim);
    });
}

#[test]
fn a_panic_of_a_body_releases_its_claim_at_once() {
    within(|| {
        let slot = <Slot>::new();
        let causes = std::cell::RefCell::new(Vec::new());
        let hook = |cause: Cause<'_, ()>| {
            assert!(slot.is_claimed());
            causes.borrow_mut().push(format!("{cause:?}"));
        };
        let body = std::future::poll_fn(|_| -> std::task::Poll<Result<(), ()>> { panic!("body") });
        let mut guard = pin!(slot.try_claim().unwrap().guard(body, hook));
        let mut waiter = pin!(slot.claim());
        assert!(poll(waiter.as_mut()).is_pending());
        assert_eq!(panic_of(|| poll(guard.as_mut()).is_ready()), "body");
        let claim = ready(poll(waiter.as_mut())).unwrap();
        // No thread to ask here: the guard knows, since it polled the body.
        assert!(claim.inherited().is_some_and(Outcome::by_panic));
        claim.release();
        // A hook that panics keeps the claim from nobody.
        let bad = |_: Cause<'_, ()>| panic!("hook");
        let guard = slot
            .try_claim()
            .unwrap()
            .guard(pending::<Result<(), ()>>(), bad);
        assert_eq!(panic_of(|| drop(guard)), "hook");
        assert!(!slot.is_claimed());
        // A destructor that does: hook and release come after it all the same.
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("destructor");
            }
        }
        impl Future for Bad {
            type Output = Result<(), ()>;
            fn poll(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                std::task::Poll::Ready(Ok(()))
            }
        }
        let guard = slot.try_claim().unwrap().guard(Bad, hook);
        assert_eq!(panic_of(|| drop(guard)), "destructor");
        assert!(!slot.is_claimed());
        let mut guard = Box::pin(slot.try_claim().unwrap().guard(Bad, hook));
        assert_eq!(panic_of(|| poll(guard.as_mut()).is_ready()), "destructor");
        assert!(!slot.is_claimed());
        assert_eq!(*causes.borrow(), ["Panicked", "Dropped", "Panicked"]);
    });
}

#[test]
fn a_panicking_waker_drop_keeps_no_claim() {
    within(|| {
        let slot: &'static Slot<Revocable> = Box::leak(Box::new(Slot::new()));
        let claim = slot.try_claim().unwrap();
        let striker = Striker::new(Callback::Drop, || panic!("drop"));
        let waker = std::mem::ManuallyDrop::new(striker.waker());
        let (mut a, mut b) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
        assert!(poll_with(a.as_mut(), &waker).is_pending());
        assert!(poll(b.as_mut()).is_pending());
        assert_eq!(panic_of(|| drop(a)), "drop");
        claim.release();
        // W4: the claim that this poll finds is released, though dropping the spare waker panics.
        ready(poll(b.as_mut())).unwrap().release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
        assert_eq!(striker.live(), 1);
    });
}

#[test]
fn a_ticket_whose_destructor_panics_is_counted_down() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("destructor");
        }
    }
    impl Future for Bad {
        type Output = ();
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<()> {
            std::task::Poll::Ready(())
        }
    }
    within(|| {
        let tally = <Tally>::new();
        let mut joined = pin!(tally.joined());
        let mut ticket = Box::pin(tally.ticket(Bad));
        assert!(poll(joined.as_mut()).is_pending());
        assert_eq!(panic_of(|| poll(ticket.as_mut()).is_ready()), "destructor");
        drop(ticket);
        assert_eq!((tally.live(), tally.lost()), (0, 0));
        assert!(poll(joined.as_mut()).is_ready());
        // A cohort of tickets: one waker panics, the others are woken.
        let tally = <Tally>::new();
        let striker = Striker::new(Callback::Wake, || panic!("waker"));
        let (wakes, waker) = Wakes::new();
        let mut tickets: Vec<_> = (0..10)
            .map(|_| Box::pin(tally.ticket(pending::<()>())))
            .collect();
        for (i, ticket) in tickets.iter_mut().enumerate() {
            let striker = striker.waker();
            let waker = if i == 0 { &striker } else { &waker };
            assert!(poll_with(ticket.as_mut(), waker).is_pending());
        }
        assert_eq!(panic_of(|| tally.cancel()), "waker");
        assert_eq!(wakes.count(), 9);
        for mut ticket in tickets {
            assert!(poll(ticket.as_mut()).is_ready());
        }
    });
}

#[test]
fn a_panicking_waker_keeps_no_scope_from_being_cancelled() {
    // In the first scope, in the middle, in the last one.
    for bad in [0, 7, 19] {
        within(move || {
            let root = <Root>::new();
            let scopes: Vec<_> = (0..20).map(|_| Box::pin(root.cx().child())).collect();
            let striker = Striker::new(Callback::Wake, || panic!("waker"));
            let (wakes, waker) = Wakes::new();
            let mut waits: Vec<_> = scopes
                .iter()
                .map(|scope| Box::pin(scope.as_ref().enter().cancelled()))
                .collect();
            for (i, wait) in waits.iter_mut().enumerate() {
                let pending = if i == bad {
                    poll_with(wait.as_mut(), &striker.waker())
                } else {
                    poll_with(wait.as_mut(), &waker)
                };
                assert!(pending.is_pending());
            }
            assert_eq!(panic_of(|| root.cancel(Kind::Shutdown)), "waker");
            assert_eq!((wakes.count(), striker.acted()), (19, 1));
            for mut wait in waits {
                assert_eq!(ready(poll(wait.as_mut())).kind(), Kind::Shutdown);
            }
            assert!(!root.cancel(Kind::Explicit));
        });
    }
}

#[test]
fn j05_siblings_of_a_panicking_child_are_dropped_in_order() {
    use std::cell::RefCell;

    struct Gone<'a>(&'a RefCell<Vec<u8>>, u8);
    impl Drop for Gone<'_> {
        fn drop(&mut self) {
            self.0.borrow_mut().push(self.1);
        }
    }
    type Ended = Result<(), ecluse_core::Cancelled>;

    let root = <Root>::new();
    let log = RefCell::new(Vec::new());
    let mut all = pin!(root.cx().all((
        async |_: ecluse_core::Cx<'_>| {
            let _gone = Gone(&log, 1);
            pending::<Ended>().await
        },
        async {
            let _gone = Gone(&log, 0);
            let mut polled = false;
            let once = std::future::poll_fn(|_| match std::mem::replace(&mut polled, true) {
                false => std::task::Poll::Pending,
                true => std::task::Poll::Ready(()),
            });
            once.await;
            panic!("child")
        },
        async {
            let _gone = Gone(&log, 3);
            pending::<Ended>().await
        },
        async |_: ecluse_core::Cx<'_>| {
            let _gone = Gone(&log, 4);
            pending::<Ended>().await
        },
    )));
    let mut step = || {
        let ended: std::task::Poll<Result<((), (), (), ()), _>> = poll(all.as_mut());
        assert!(ended.is_pending());
    };
    step();
    assert_eq!(root.attached(), 2);
    assert_eq!(panic_of(step), "child");
    assert_eq!(*log.borrow(), [0, 1, 3, 4]);
    assert_eq!(root.attached(), 0);
    assert!(futures_core::FusedFuture::is_terminated(&all));
}
