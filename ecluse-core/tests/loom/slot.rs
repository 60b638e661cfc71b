//! Slot: claim, release, handoff, observers, close.

use core::pin::pin;

use ecluse_core::{Outcome, Refused, Slot};

use crate::kit::{Wakes, block_on, models, poll, poll_with, ready, slot, spawn};

models!(
    claims_exclude,
    waiter_sees_what_the_holder_wrote,
    polled_grant_orders_data,
    enlist_meets_release,
    queued_drop_meets_release,
    granted_drop_passes_on,
    waker_change_meets_grant,
    abandon_meets_grant,
    observer_sees_what_the_holder_wrote,
    polled_observer_orders_data,
    cohort_and_claimer,
    newcomer_during_a_drain,
    member_leaves_a_draining_cohort,
    observer_leaves_while_claimer_enlists,
    close_meets_claim,
    close_meets_enlist_and_release,
    close_orders_data,
    two_waiters_one_chain,
    slow_release_orders_data,
    slow_release_and_the_next_claim,
);

fn claims_exclude() {
    let shared = slot();
    let threads = [(); 2].map(|()| {
        let shared = shared.clone();
        spawn(move || {
            if let Ok(claim) = shared.lock.try_claim() {
                shared.data.add();
                claim.release();
                1
            } else {
                0
            }
        })
    });
    let own = shared.lock.try_claim().map_or(0, |claim| {
        shared.data.add();
        drop(claim);
        1
    });
    let all = threads.map(|thread| thread.join().unwrap());
    let last = shared.lock.try_claim().unwrap();
    assert_eq!(shared.data.get(), own + all[0] + all[1]);
    last.release();
}

fn waiter_sees_what_the_holder_wrote() {
    let shared = slot();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let claim = block_on(shared.lock.claim()).unwrap();
            shared.data.add();
            claim.release();
        }
    });
    let claim = block_on(shared.lock.claim()).unwrap();
    shared.data.add();
    claim.release();
    waiter.join().unwrap();
    let claim = shared.lock.try_claim().unwrap();
    assert_eq!(shared.data.get(), 2);
    claim.release();
    assert!(!shared.lock.has_waiters());
}

/// No parking: the grant itself must order the data and free the node.
fn polled_grant_orders_data() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.lock.claim());
            for _ in 0..2 {
                if let core::task::Poll::Ready(claim) = poll(wait.as_mut()) {
                    let claim = claim.unwrap();
                    shared.data.add();
                    claim.release();
                    return;
                }
            }
        }
    });
    shared.data.add();
    claim.release();
    waiter.join().unwrap();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

fn enlist_meets_release() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || block_on(shared.lock.claim()).unwrap().release()
    });
    claim.release();
    waiter.join().unwrap();
    assert!(shared.lock.try_claim().is_ok());
}

fn queued_drop_meets_release() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let (wakes, waker) = Wakes::new();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.lock.claim());
            if let core::task::Poll::Ready(claim) = poll_with(wait.as_mut(), &waker) {
                shared.data.add();
                claim.unwrap().release();
            }
            drop(waker);
        }
    });
    shared.data.add();
    claim.release();
    waiter.join().unwrap();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
    let claim = shared.lock.try_claim().unwrap();
    shared.data.add();
    claim.release();
    assert_eq!(wakes.live(), 0);
}

/// c06: a promoted waiter that goes passes the claim on, whenever it goes.
fn granted_drop_passes_on() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let leaver = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.lock.claim());
            let _ = poll(wait.as_mut()).map(|claim| claim.unwrap().release());
        }
    });
    let stayer = spawn({
        let shared = shared.clone();
        move || {
            let claim = block_on(shared.lock.claim()).unwrap();
            shared.data.add();
            claim.release();
        }
    });
    shared.data.add();
    drop(claim);
    leaver.join().unwrap();
    stayer.join().unwrap();
    let claim = shared.lock.try_claim().unwrap();
    assert_eq!(shared.data.get(), 2);
    claim.release();
}

/// c16: the waker in force when the grant comes is the one that is woken.
fn waker_change_meets_grant() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let (old, old_waker) = Wakes::new();
    let (new, new_waker) = Wakes::new();
    let waiter = spawn({
        let shared = shared.clone();
        let (old, new) = (old.clone(), new.clone());
        move || {
            let mut wait = pin!(shared.lock.claim());
            let mut claim = poll_with(wait.as_mut(), &old_waker);
            if claim.is_pending() {
                claim = poll_with(wait.as_mut(), &new_waker);
            }
            drop((old_waker, new_waker));
            match claim {
                core::task::Poll::Ready(claim) => claim.unwrap().release(),
                core::task::Poll::Pending => {
                    // The grant will come to the new waker, and to it alone.
                    while new.count() == 0 {
                        loom::thread::yield_now();
                    }
                    assert_eq!(old.count(), 0);
                    ready(poll(wait.as_mut())).unwrap().release();
                }
            }
        }
    });
    claim.release();
    waiter.join().unwrap();
    assert!(!shared.lock.is_claimed());
    assert_eq!((old.live(), new.live()), (0, 0));
}

/// c19: finished or cancelled, never both, never neither.
fn abandon_meets_grant() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.lock.claim());
            let claim = match poll(wait.as_mut()) {
                core::task::Poll::Ready(claim) => Some(claim),
                core::task::Poll::Pending => wait.as_mut().try_abandon(),
            };
            if let Some(claim) = claim {
                let claim = claim.unwrap();
                shared.data.add();
                claim.release();
            }
        }
    });
    shared.data.add();
    claim.release();
    waiter.join().unwrap();
    let claim = shared.lock.try_claim().unwrap();
    shared.data.add();
    claim.release();
    assert!(!shared.lock.has_waiters());
}

fn observer_sees_what_the_holder_wrote() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let observer = spawn({
        let shared = shared.clone();
        move || {
            let outcome = block_on(shared.lock.released());
            assert!(matches!(outcome, Outcome::Done | Outcome::Passed));
            assert_eq!(shared.data.get(), 1);
        }
    });
    shared.data.add();
    claim.release();
    observer.join().unwrap();
    assert!(!shared.lock.has_waiters());
}

/// No parking: what an observer is told, by the word or by its node, comes with the data.
fn polled_observer_orders_data() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let observer = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.lock.released());
            for _ in 0..2 {
                if poll(wait.as_mut()).is_ready() {
                    assert_eq!(shared.data.get(), 1);
                    assert!(!shared.lock.is_claimed(), "told before the slot was free");
                    return;
                }
            }
            if wait.as_mut().try_abandon().is_some() {
                assert_eq!(shared.data.get(), 1);
            }
        }
    });
    shared.data.add();
    claim.release();
    observer.join().unwrap();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

/// A release serves the next claimer and tells the observers, in one step.
fn cohort_and_claimer() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let observer = spawn({
        let shared = shared.clone();
        move || block_on(shared.lock.released())
    });
    let claimer = spawn({
        let shared = shared.clone();
        move || {
            let claim = block_on(shared.lock.claim()).unwrap();
            shared.data.add();
            claim.release();
        }
    });
    shared.data.add();
    claim.release();
    assert_ne!(observer.join().unwrap(), Outcome::Closed);
    claimer.join().unwrap();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

/// w03: who registers while a broadcast drains is not in it, and not lost.
fn newcomer_during_a_drain() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let (mut one, mut two) = (pin!(shared.lock.released()), pin!(shared.lock.released()));
    assert!(poll(one.as_mut()).is_pending() && poll(two.as_mut()).is_pending());
    let newcomer = spawn({
        let shared = shared.clone();
        move || {
            if let Ok(claim) = shared.lock.try_claim() {
                let mut own = pin!(shared.lock.released());
                assert!(poll(own.as_mut()).is_pending(), "our own hold is not over");
                claim.release();
                assert_eq!(ready(poll(own.as_mut())), Outcome::Done);
            }
        }
    });
    drop(claim);
    assert!(ready(poll(one.as_mut())).is_abandoned());
    assert!(ready(poll(two.as_mut())).is_abandoned());
    newcomer.join().unwrap();
    assert!(!shared.lock.has_waiters());
}

/// A member that leaves a detached cohort unlinks itself and never writes the word.
fn member_leaves_a_draining_cohort() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let (mut one, mut two) = (
        Box::pin(Slot::released_owned(&shared.lock)),
        Box::pin(Slot::released_owned(&shared.lock)),
    );
    assert!(poll(one.as_mut()).is_pending() && poll(two.as_mut()).is_pending());
    let leaver = spawn(move || drop(two));
    let next = spawn({
        let shared = shared.clone();
        move || {
            let claim = block_on(shared.lock.claim()).unwrap();
            shared.data.add();
            assert!(shared.lock.is_claimed());
            claim.release();
        }
    });
    shared.data.add();
    claim.release();
    assert_eq!(ready(poll(one.as_mut())), Outcome::Done);
    leaver.join().unwrap();
    next.join().unwrap();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

/// Two rings, one flag: the last to leave clears it, and only the last.
fn observer_leaves_while_claimer_enlists() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let observer = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.lock.released());
            let _ = poll(wait.as_mut());
        }
    });
    let claimer = spawn({
        let shared = shared.clone();
        move || {
            let claim = block_on(shared.lock.claim()).unwrap();
            shared.data.add();
            claim.release();
        }
    });
    shared.data.add();
    claim.release();
    observer.join().unwrap();
    claimer.join().unwrap();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

/// c12: a claim that races a close gets one or the other.
fn close_meets_claim() {
    let shared = slot();
    let claimer = spawn({
        let shared = shared.clone();
        move || match shared.lock.try_claim() {
            Ok(claim) => {
                shared.data.add();
                claim.release();
            }
            Err(refused) => assert_eq!(refused, Refused::Closed),
        }
    });
    assert!(shared.lock.close());
    assert!(!shared.lock.close());
    claimer.join().unwrap();
    assert_eq!(shared.lock.try_claim().unwrap_err(), Refused::Closed);
    assert!(!shared.lock.is_claimed());
}

fn close_meets_enlist_and_release() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            if let Ok(claim) = block_on(shared.lock.claim()) {
                shared.data.add();
                claim.release();
            }
        }
    });
    let closer = spawn({
        let shared = shared.clone();
        move || assert!(shared.lock.close())
    });
    shared.data.add();
    claim.release();
    waiter.join().unwrap();
    closer.join().unwrap();
    assert!(shared.lock.is_closed() && !shared.lock.is_claimed() && !shared.lock.has_waiters());
}

/// What the closer did before is seen by whoever learns that it is closed.
fn close_orders_data() {
    let shared = slot();
    let observer = spawn({
        let shared = shared.clone();
        move || {
            if shared.lock.is_closed() {
                assert_eq!(shared.data.get(), 1);
            }
            if block_now(&shared.lock) == Some(Outcome::Closed) {
                assert_eq!(shared.data.get(), 1);
            }
        }
    });
    shared.data.add();
    assert!(shared.lock.close());
    observer.join().unwrap();
}

fn block_now<P: ecluse_core::claim::Policy>(slot: &Slot<P>) -> Option<Outcome> {
    let mut wait = pin!(slot.released());
    match poll(wait.as_mut()) {
        core::task::Poll::Ready(outcome) => Some(outcome),
        core::task::Poll::Pending => None,
    }
}

/// c06, c09: a chain of handoffs, each to the head, each with what the one before wrote.
fn two_waiters_one_chain() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let (mut first, mut second) = (
        Box::pin(Slot::claim_owned(&shared.lock)),
        Box::pin(Slot::claim_owned(&shared.lock)),
    );
    let (woken, waker) = Wakes::new();
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    let head = spawn({
        let shared = shared.clone();
        move || {
            for _ in 0..2 {
                if let core::task::Poll::Ready(claim) = poll(first.as_mut()) {
                    let claim = claim.unwrap();
                    assert!(claim.inherited().is_some_and(Outcome::is_abandoned));
                    shared.data.add();
                    drop(claim);
                    return;
                }
            }
        }
    });
    shared.data.add();
    drop(claim);
    head.join().unwrap();
    // Polled or dropped, the head is through: the claim has come to the second.
    assert_eq!(woken.count(), 1);
    let claim = ready(poll(second.as_mut())).unwrap();
    shared.data.add();
    claim.release();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

/// The slow release publishes as the fast one does: to whoever finds the slot free, without a lock.
fn slow_release_orders_data() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let mut queued = pin!(shared.lock.released());
    assert!(poll(queued.as_mut()).is_pending());
    let looker = spawn({
        let shared = shared.clone();
        move || {
            if !shared.lock.is_claimed() {
                assert_eq!(shared.data.get(), 1);
            }
            if block_now(&shared.lock).is_some() {
                assert_eq!(shared.data.get(), 1);
            }
        }
    });
    shared.data.add();
    claim.release();
    looker.join().unwrap();
    assert_eq!(ready(poll(queued.as_mut())), Outcome::Done);
    assert!(!shared.lock.has_waiters());
}

fn slow_release_and_the_next_claim() {
    let shared = slot();
    let claim = shared.lock.try_claim().unwrap();
    let mut queued = pin!(shared.lock.released());
    assert!(poll(queued.as_mut()).is_pending());
    let next = spawn({
        let shared = shared.clone();
        move || {
            if let Ok(claim) = shared.lock.try_claim() {
                shared.data.add();
                claim.release();
            }
        }
    });
    shared.data.add();
    claim.release();
    next.join().unwrap();
    assert_eq!(ready(poll(queued.as_mut())), Outcome::Done);
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}
