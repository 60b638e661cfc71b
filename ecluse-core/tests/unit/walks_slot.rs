//! A slot's transitions: claim, handoff, observers, leaving, close.

use std::{pin::pin, task::Poll};

use ecluse_core::{Closed, Handoff, Local, Outcome, Refused, Slot, observe::EventKind};
use futures_core::FusedFuture;

use crate::kit::{Diary, History, Wakes, panic_of, poll, poll_with, ready, within};

const ABANDONED: Outcome = Outcome::Abandoned { by_panic: false };

#[test]
fn c01_one_claims_and_the_others_are_refused() {
    let slot = <Slot>::new();
    let claim = slot.try_claim().unwrap();
    assert_eq!(claim.inherited(), None);
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
    assert!(slot.is_claimed() && !slot.has_waiters());
    claim.release();
    assert!(!slot.is_claimed());
    drop(slot.try_claim().unwrap());
    assert!(slot.try_claim().is_ok());
}

#[test]
fn c06_an_orphan_goes_to_the_first_waiter_and_to_nobody_else() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let (mut a, mut b) = (pin!(slot.claim()), pin!(slot.claim()));
        let ((wakes_a, waker_a), (wakes_b, waker_b)) = (Wakes::new(), Wakes::new());
        assert!(poll_with(a.as_mut(), &waker_a).is_pending());
        assert!(poll_with(b.as_mut(), &waker_b).is_pending());
        drop(claim);
        assert_eq!((wakes_a.count(), wakes_b.count()), (1, 0));
        assert!(poll_with(b.as_mut(), &waker_b).is_pending());
        assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
        let claim = ready(poll(a.as_mut())).unwrap();
        assert_eq!(claim.inherited(), Some(ABANDONED));
        claim.release();
        assert_eq!((wakes_a.count(), wakes_b.count()), (1, 1));
        assert!(!slot.has_waiters() && slot.is_claimed());
        let claim = ready(poll(b.as_mut())).unwrap();
        assert_eq!(claim.inherited(), Some(Outcome::Done));
        claim.release();
        assert!(!slot.is_claimed());
    });
}

/// Without a lock and without atomic instructions it is as much one claim, and as much handed on.
#[test]
fn c06_an_orphan_of_one_thread_goes_to_the_first_waiter() {
    within(|| {
        let slot = Slot::<Handoff, Local>::new();
        let claim = slot.try_claim().unwrap();
        assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
        let mut wait = pin!(slot.claim());
        let (wakes, waker) = Wakes::new();
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
        drop(claim);
        assert_eq!((wakes.count(), slot.is_claimed()), (1, true));
        assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
        let claim = ready(poll(wait.as_mut())).unwrap();
        assert_eq!(claim.inherited(), Some(ABANDONED));
        claim.release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}

#[test]
fn c09_claims_are_handed_on_in_order_whoever_leaves() {
    // Each of five leaves in turn; the other four are served in order.
    for leaver in 0..5 {
        within(move || {
            let slot = <Slot>::new();
            let claim = slot.try_claim().unwrap();
            let mut waits: Vec<_> = (0..5).map(|_| Some(Box::pin(slot.claim()))).collect();
            for wait in waits.iter_mut().flatten() {
                assert!(poll(wait.as_mut()).is_pending());
            }
            waits[leaver] = None;
            claim.release();
            for (i, wait) in waits.iter_mut().enumerate() {
                let Some(wait) = wait else { continue };
                let claim = poll(wait.as_mut()).map(|claim| claim.expect("open"));
                assert!(claim.is_ready(), "{i} is next, {leaver} has left");
            }
            assert!(!slot.is_claimed() && !slot.has_waiters());
        });
    }
}

#[test]
fn c08_a_granted_wait_that_is_dropped_passes_the_claim_on() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let (mut a, mut b) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
        let (wakes, waker) = Wakes::new();
        assert!(poll(a.as_mut()).is_pending());
        assert!(poll_with(b.as_mut(), &waker).is_pending());
        claim.release();
        assert_eq!(wakes.count(), 0);
        drop(a);
        assert_eq!(wakes.count(), 1);
        let claim = ready(poll(b.as_mut())).unwrap();
        // The work was done: who passed it on was no leader.
        assert_eq!(claim.inherited(), Some(Outcome::Done));
        let mut c = Box::pin(slot.claim());
        let mut observer = pin!(slot.released());
        assert!(poll(c.as_mut()).is_pending());
        claim.release();
        assert!(poll(observer.as_mut()).is_pending());
        // The last one: the slot is free, and the observer is told.
        drop(c);
        assert!(!slot.is_claimed() && !slot.has_waiters());
        assert_eq!(ready(poll(observer.as_mut())), ABANDONED);
    });
}

#[test]
fn observers_are_told_how_the_hold_ended() {
    within(|| {
        let slot = <Slot>::new();
        let mut early = pin!(slot.released());
        assert_eq!(ready(poll(early.as_mut())), Outcome::Passed);
        for done in [true, false] {
            let claim = slot.try_claim().unwrap();
            let mut waits = [(); 3].map(|()| Box::pin(slot.released()));
            for wait in &mut waits {
                assert!(poll(wait.as_mut()).is_pending());
            }
            assert!(slot.has_waiters());
            if done {
                claim.release();
            } else {
                drop(claim);
            }
            assert!(!slot.is_claimed() && !slot.has_waiters());
            for wait in &mut waits {
                let outcome = ready(poll(wait.as_mut()));
                assert_eq!(outcome, if done { Outcome::Done } else { ABANDONED });
            }
        }
    });
}

#[test]
#[cfg(feature = "std")]
fn a_panic_of_the_holder_is_told() {
    within(|| {
        let slot = <Slot>::new();
        let mut wait = pin!(slot.claim());
        let text = panic_of(|| {
            let _claim = slot.try_claim().unwrap();
            assert!(poll(wait.as_mut()).is_pending());
            panic!("work");
        });
        assert_eq!(text, "work");
        let claim = ready(poll(wait.as_mut())).unwrap();
        assert!(claim.inherited().is_some_and(Outcome::by_panic));
    });
}

#[test]
fn the_next_claimer_is_woken_first_then_the_observers_in_order() {
    within(|| {
        let slot = <Slot>::new();
        let diary = Diary::default();
        let claim = slot.try_claim().unwrap();
        // More than a batch of any build.
        let mut observers: Vec<_> = (0..40).map(|_| Box::pin(slot.released())).collect();
        for (i, wait) in observers.iter_mut().enumerate() {
            assert!(poll_with(wait.as_mut(), &diary.waker(format!("{i}"))).is_pending());
        }
        let mut next = pin!(slot.claim());
        assert!(poll_with(next.as_mut(), &diary.waker("claimer")).is_pending());
        claim.release();
        let expected: Vec<String> = ["claimer".to_owned()]
            .into_iter()
            .chain((0..40).map(|i| i.to_string()))
            .collect();
        assert_eq!(diary.entries(), expected);
        assert!(!slot.has_waiters());
        for mut wait in observers {
            assert_eq!(ready(poll(wait.as_mut())), Outcome::Done);
        }
        drop(ready(poll(next.as_mut())));
        assert!(!slot.is_claimed());
    });
}

/// C1: one flag for two rings.
#[test]
fn the_flag_says_that_somebody_waits_in_either_ring() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        for observer_first in [true, false] {
            let (mut claimer, mut observer) = (Box::pin(slot.claim()), Box::pin(slot.released()));
            assert!(poll(claimer.as_mut()).is_pending());
            assert!(poll(observer.as_mut()).is_pending());
            if observer_first {
                drop(observer);
                assert!(slot.has_waiters(), "a claimer waits");
                drop(claimer);
            } else {
                drop(claimer);
                assert!(slot.has_waiters(), "an observer waits");
                drop(observer);
            }
            assert!(!slot.has_waiters() && slot.is_claimed());
        }
        let (mut first, mut second) = (pin!(slot.claim()), pin!(slot.claim()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        claim.release();
        assert!(slot.has_waiters(), "the second waits");
        let mut observer = pin!(slot.released());
        let claim = ready(poll(first.as_mut())).unwrap();
        assert!(poll(observer.as_mut()).is_pending());
        drop(claim);
        assert_eq!(ready(poll(observer.as_mut())), ABANDONED);
        ready(poll(second.as_mut())).unwrap().release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}

#[test]
fn c12_a_close_tells_all_who_wait_and_leaves_the_holder_alone() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let ((wakes, waker), mut idle) = (Wakes::new(), pin!(slot.claim()));
        let mut claimers = [(); 20].map(|()| Box::pin(slot.claim()));
        let mut observers = [(); 20].map(|()| Box::pin(slot.released()));
        for wait in &mut claimers {
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
        }
        for wait in &mut observers {
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
        }
        assert!(slot.close() && !slot.close());
        assert_eq!((wakes.count(), wakes.live()), (40, 1));
        assert!(slot.is_closed() && slot.is_claimed() && !slot.has_waiters());
        // Dropped unobserved, it passes nothing on: it has no claim.
        let [first, others @ ..] = claimers;
        drop(first);
        assert!(slot.is_claimed());
        for mut wait in others {
            assert_eq!(ready(poll(wait.as_mut())).unwrap_err(), Closed);
        }
        for mut wait in observers {
            assert_eq!(ready(poll(wait.as_mut())), Outcome::Closed);
        }
        assert_eq!(ready(poll(idle.as_mut())).unwrap_err(), Closed);
        let mut late = pin!(slot.released());
        assert_eq!(ready(poll(late.as_mut())), Outcome::Closed);
        claim.release();
        assert!(slot.is_closed() && !slot.is_claimed());
        assert_eq!(slot.try_claim().unwrap_err(), Refused::Closed);
    });
}

#[test]
fn a_granted_waiter_keeps_its_claim_over_a_close() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let (mut first, mut second) = (pin!(slot.claim()), Box::pin(slot.claim()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        claim.release();
        slot.close();
        let claim = ready(poll(first.as_mut())).unwrap();
        drop(second);
        assert!(slot.is_claimed());
        drop(claim);
        assert!(!slot.is_claimed() && slot.is_closed());
    });
}

#[test]
fn c19_abandoning_tells_whether_the_claim_had_come() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let (mut idle, mut queued, mut granted) =
            (pin!(slot.claim()), pin!(slot.claim()), pin!(slot.claim()));
        assert!(idle.as_mut().try_abandon().is_none());
        assert!(idle.is_terminated());
        let (wakes, waker) = Wakes::new();
        assert!(poll_with(queued.as_mut(), &waker).is_pending());
        assert!(poll(granted.as_mut()).is_pending());
        drop(waker);
        assert!(queued.as_mut().try_abandon().is_none());
        assert!(queued.is_terminated());
        assert_eq!(wakes.live(), 0);
        claim.release();
        let claim = granted.as_mut().try_abandon().unwrap().unwrap();
        assert!(granted.as_mut().try_abandon().is_none());
        claim.release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}

#[test]
fn c16_the_last_waker_counts_and_none_is_kept() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let ((old, old_waker), (new, new_waker)) = (Wakes::new(), Wakes::new());
        let mut wait = Box::pin(slot.claim());
        for _ in 0..3 {
            assert!(poll_with(wait.as_mut(), &old_waker).is_pending());
            assert_eq!(old.live(), 2, "one clone, however often it is polled");
        }
        assert!(poll_with(wait.as_mut(), &new_waker).is_pending());
        assert_eq!((old.live(), new.live()), (1, 2));
        claim.release();
        assert_eq!((old.count(), new.count()), (0, 1));
        assert_eq!((old.live(), new.live()), (1, 1));
        drop(wait);
        let claim = slot.try_claim().unwrap();
        let mut wait = Box::pin(slot.claim());
        assert!(poll_with(wait.as_mut(), &new_waker).is_pending());
        drop(wait);
        assert_eq!(new.live(), 1);
        drop(claim);
    });
}

#[test]
fn a_wait_is_over_once() {
    let slot = <Slot>::new();
    let mut wait = pin!(slot.claim());
    assert!(!wait.is_terminated());
    drop(ready(poll(wait.as_mut())));
    assert!(wait.is_terminated());
    assert!(panic_of(|| poll(wait.as_mut())).contains("polled after"));
}

/// O1: numbered without gaps; each step has its event.
#[test]
fn an_observer_sees_the_history() {
    within(|| {
        let slot =
            Slot::<Handoff, ecluse_core::DefaultLock, History>::with_observer(History::default());
        let claim = slot.try_claim().unwrap();
        assert!(matches!(slot.try_claim(), Err(Refused::Busy)));
        let (mut a, mut b, mut c) = (
            Box::pin(slot.claim()),
            Box::pin(slot.claim()),
            Box::pin(slot.claim()),
        );
        for wait in [&mut a, &mut b, &mut c] {
            assert!(poll(wait.as_mut()).is_pending());
        }
        drop(b);
        claim.release();
        drop(a);
        drop(ready(poll(c.as_mut())));
        slot.close();
        let kinds = [
            EventKind::Claimed,
            EventKind::Enlisted,
            EventKind::Enlisted,
            EventKind::Enlisted,
            EventKind::Cancelled,
            EventKind::Released(Outcome::Done),
            EventKind::Granted,
            EventKind::PassedOn,
            EventKind::Granted,
            EventKind::Observed,
            EventKind::Released(ABANDONED),
            EventKind::Closed,
        ];
        let expected: Vec<String> = kinds
            .iter()
            .enumerate()
            .map(|(number, kind)| format!("{number} {kind:?}"))
            .collect();
        assert_eq!(slot.observer().entries(), expected);
        assert!(matches!(slot.try_claim(), Err(Refused::Closed)));
    });
}

#[test]
fn a_wait_that_was_never_polled_leaves_nothing() {
    let slot = <Slot>::new();
    let claim = slot.try_claim().unwrap();
    drop((slot.claim(), slot.released()));
    assert!(!slot.has_waiters());
    let mut late = pin!(slot.claim());
    claim.release();
    let Poll::Ready(Ok(claim)) = poll(late.as_mut()) else {
        panic!("the slot is free")
    };
    assert_eq!(claim.inherited(), None);
}
