//! Line: the token, waits that belong to one hold, generations, cohorts.

use core::{pin::pin, task::Poll};

use ecluse_core::{AcquireIf, AcquireOutcome, Line, LineStatus, Outcome};

use crate::kit::{Wakes, block_on, line, models, poll, poll_with, ready, spawn};

models!(
    holds_exclude,
    waiter_sees_what_the_holder_wrote,
    polled_waiter_orders_data,
    late_wait_is_told_the_truth,
    wait_of_an_old_hold_meets_the_next,
    cohort_member_leaves,
    newcomer_belongs_to_the_next_hold,
    cancel_keeps_the_release_sequence,
    abandon_looks_at_the_word,
    acquire_if_renews_once,
    re_election_elects_one,
    close_meets_release_and_wait,
    gate_misses_no_release,
    cohort_of_three_in_two_batches,
    refusal_orders_data,
    close_orders_data,
    slow_release_orders_data,
);

fn token(line: &Line) -> Option<ecluse_core::Token<'_>> {
    line.try_acquire_token().success()
}

fn wait(line: &std::sync::Arc<Line>) -> ecluse_core::line::HoldEnd<std::sync::Arc<Line>> {
    match Line::try_acquire_token_owned(line) {
        ecluse_core::OwnedAcquireOutcome::Failure(wait) => wait,
        other => panic!("the line is held, but: {other:?}"),
    }
}

fn holds_exclude() {
    let shared = line();
    let threads = [(); 2].map(|()| {
        let shared = shared.clone();
        spawn(move || {
            if let Some(token) = token(&shared.lock) {
                shared.data.add();
                token.release();
            }
        })
    });
    if let Some(token) = token(&shared.lock) {
        shared.data.add();
        drop(token);
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let last = token(&shared.lock).unwrap();
    shared.data.add();
    last.release();
}

fn waiter_sees_what_the_holder_wrote() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || match shared.lock.try_acquire_token() {
            AcquireOutcome::Success(token) => {
                shared.data.add();
                token.release();
            }
            AcquireOutcome::Failure(wait) => {
                assert_eq!(block_on(wait), Outcome::Done);
                assert_eq!(shared.data.get(), 1);
            }
        }
    });
    shared.data.add();
    held.release();
    waiter.join().unwrap();
    assert!(!shared.lock.is_busy() && !shared.lock.has_waiters());
}

/// No parking: the word, or the node's state, must order the data.
fn polled_waiter_orders_data() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let waiter = spawn({
        let wait = wait(&shared.lock);
        let shared = shared.clone();
        move || {
            let mut wait = pin!(wait);
            for _ in 0..2 {
                if let Poll::Ready(outcome) = poll(wait.as_mut()) {
                    assert_eq!(outcome, Outcome::Done);
                    assert_eq!(shared.data.get(), 1);
                    assert!(!shared.lock.is_busy(), "told before the line was free");
                    return;
                }
            }
        }
    });
    shared.data.add();
    held.release();
    waiter.join().unwrap();
    assert!(!shared.lock.has_waiters());
}

/// l02: a wait that is first polled when its hold is over learns how it ended, with its data.
fn late_wait_is_told_the_truth() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let wait = wait(&shared.lock);
    let status = spawn({
        let shared = shared.clone();
        move || {
            if let LineStatus::Free = shared.lock.status() {
                assert_eq!(shared.data.get(), 1);
            }
            if shared.lock.generation() != wait.generation() {
                assert_eq!(shared.data.get(), 1);
                assert!(block_on(wait).is_abandoned());
            }
        }
    });
    shared.data.add();
    drop(held);
    status.join().unwrap();
}

/// l02: the line may be taken again before the wait is polled.
fn wait_of_an_old_hold_meets_the_next() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let old = wait(&shared.lock);
    let next = spawn({
        let shared = shared.clone();
        move || {
            if let Some(token) = token(&shared.lock) {
                shared.data.add();
                drop(token);
            }
        }
    });
    shared.data.add();
    held.release();
    let outcome = block_on(old);
    assert!(
        matches!(outcome, Outcome::Done | Outcome::Passed),
        "{outcome:?}"
    );
    next.join().unwrap();
    assert!(!shared.lock.has_waiters());
}

fn cohort_member_leaves() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let (mut stays, mut goes) = (Box::pin(wait(&shared.lock)), Box::pin(wait(&shared.lock)));
    let (wakes, waker) = Wakes::new();
    assert!(poll(stays.as_mut()).is_pending());
    assert!(poll_with(goes.as_mut(), &waker).is_pending());
    drop(waker);
    let leaver = spawn(move || drop(goes));
    let next = spawn({
        let shared = shared.clone();
        move || {
            // A member of the old cohort must not free this hold's word.
            if let Some(token) = token(&shared.lock) {
                shared.data.add();
                assert!(shared.lock.is_busy());
                token.release();
            }
        }
    });
    shared.data.add();
    held.release();
    let outcome = ready(poll(stays.as_mut()));
    assert_eq!(outcome, Outcome::Done);
    leaver.join().unwrap();
    next.join().unwrap();
    assert_eq!(wakes.live(), 0);
    assert!(!shared.lock.is_busy() && !shared.lock.has_waiters());
}

/// w03, with the next hold: its waiters are not in the draining cohort.
fn newcomer_belongs_to_the_next_hold() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let (mut one, mut two) = (pin!(wait(&shared.lock)), pin!(wait(&shared.lock)));
    assert!(poll(one.as_mut()).is_pending() && poll(two.as_mut()).is_pending());
    let next = spawn({
        let shared = shared.clone();
        move || {
            if let Some(token) = token(&shared.lock) {
                let mut own = pin!(wait(&shared.lock));
                assert!(poll(own.as_mut()).is_pending(), "our own hold is not over");
                drop(token);
                assert!(ready(poll(own.as_mut())).is_abandoned());
            }
        }
    });
    held.release();
    assert_eq!(ready(poll(one.as_mut())), Outcome::Done);
    assert_eq!(ready(poll(two.as_mut())), Outcome::Done);
    next.join().unwrap();
    assert!(!shared.lock.has_waiters());
}

/// L4: a waiter that leaves stores over the word; whoever reads that must still be ordered after
/// the release before.
fn cancel_keeps_the_release_sequence() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let old = wait(&shared.lock);
    let reader = spawn({
        let shared = shared.clone();
        move || {
            if shared.lock.generation() != old.generation() {
                assert_eq!(shared.data.get(), 1);
            }
        }
    });
    let canceller = spawn({
        let shared = shared.clone();
        move || {
            if let LineStatus::Busy(wait) = shared.lock.status() {
                let mut wait = pin!(wait);
                let _ = poll(wait.as_mut());
            }
        }
    });
    shared.data.add();
    held.release();
    let again = token(&shared.lock);
    canceller.join().unwrap();
    reader.join().unwrap();
    drop(again);
    assert!(!shared.lock.is_busy() && !shared.lock.has_waiters());
}

/// c19 on a line: the hold may be over though the drain has not come to this waiter.
fn abandon_looks_at_the_word() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let old = held.generation();
    let (mut one, mut two) = (Box::pin(wait(&shared.lock)), Box::pin(wait(&shared.lock)));
    assert!(poll(one.as_mut()).is_pending() && poll(two.as_mut()).is_pending());
    let abandoner = spawn({
        let shared = shared.clone();
        move || {
            let over = shared.lock.generation() != old;
            match two.as_mut().try_abandon() {
                Some(outcome) => {
                    assert_eq!(outcome, Outcome::Done);
                    assert_eq!(shared.data.get(), 1);
                }
                None => assert!(!over, "told nothing of a hold that is over"),
            }
        }
    });
    shared.data.add();
    held.release();
    assert_eq!(ready(poll(one.as_mut())), Outcome::Done);
    abandoner.join().unwrap();
    assert!(!shared.lock.has_waiters());
}

/// l06: of those who were refused with the same credential, one renews it.
fn acquire_if_renews_once() {
    let shared = line();
    let seen = shared.lock.generation();
    let threads = [(); 2].map(|()| {
        let shared = shared.clone();
        spawn(move || match shared.lock.acquire_if(seen) {
            AcquireIf::Success(token) => {
                shared.data.add();
                token.release();
            }
            AcquireIf::Failure(wait) => {
                assert_eq!(block_on(wait), Outcome::Done);
                assert_eq!(shared.data.get(), 1);
            }
            AcquireIf::Outdated => assert_eq!(shared.data.get(), 1),
        })
    });
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(shared.data.get(), 1);
}

/// l03: of the waiters of an abandoned hold, one is elected, the other waits for it.
fn re_election_elects_one() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let threads = [(); 2].map(|()| {
        let wait = wait(&shared.lock);
        let shared = shared.clone();
        spawn(move || {
            let seen = wait.generation();
            // `Passed`: the other one was elected and through before this one looked.
            let outcome = block_on(wait);
            assert!(outcome.is_abandoned() || outcome == Outcome::Passed);
            match shared.lock.acquire_if(seen) {
                AcquireIf::Success(token) => {
                    shared.data.add();
                    token.release();
                }
                AcquireIf::Failure(wait) => assert_eq!(block_on(wait), Outcome::Done),
                AcquireIf::Outdated => {}
            }
        })
    });
    drop(held);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    let last = token(&shared.lock).unwrap();
    assert_eq!(shared.data.get(), 1);
    last.release();
}

fn close_meets_release_and_wait() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let waiter = spawn({
        let wait = wait(&shared.lock);
        let shared = shared.clone();
        move || {
            let outcome = block_on(wait);
            if outcome == Outcome::Done {
                assert_eq!(shared.data.get(), 1);
            } else {
                assert_eq!(outcome, Outcome::Closed);
            }
        }
    });
    let closer = spawn({
        let shared = shared.clone();
        move || assert!(shared.lock.close())
    });
    shared.data.add();
    held.release();
    waiter.join().unwrap();
    closer.join().unwrap();
    assert!(token(&shared.lock).is_none());
    assert!(!shared.lock.is_busy() && !shared.lock.has_waiters());
}

/// c18: check, then wait.
fn gate_misses_no_release() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let gate = spawn({
        let shared = shared.clone();
        move || {
            while let LineStatus::Busy(wait) = shared.lock.status() {
                block_on(wait);
            }
            assert_eq!(shared.data.get(), 1);
        }
    });
    shared.data.add();
    held.release();
    gate.join().unwrap();
}

/// D1, D2: three members, one a lock hold; one leaves meanwhile.
fn cohort_of_three_in_two_batches() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let mut waits = [(); 3].map(|()| Box::pin(wait(&shared.lock)));
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_pending());
    }
    let [mut first, middle, mut last] = waits;
    let leaver = spawn(move || drop(middle));
    held.release();
    leaver.join().unwrap();
    assert_eq!(ready(poll(first.as_mut())), Outcome::Done);
    assert_eq!(ready(poll(last.as_mut())), Outcome::Done);
    assert!(!shared.lock.has_waiters());
}

/// A refusal names the hold that it was refused for: what the holds before did is seen.
fn refusal_orders_data() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let first = held.generation();
    let refused = spawn({
        let shared = shared.clone();
        move || match shared.lock.try_acquire_token() {
            AcquireOutcome::Success(token) => {
                assert_eq!(shared.data.get(), 1);
                token.release();
            }
            AcquireOutcome::Failure(wait) if wait.generation() != first => {
                assert_eq!(shared.data.get(), 1);
            }
            AcquireOutcome::Failure(_) => {}
        }
    });
    shared.data.add();
    held.release();
    let again = token(&shared.lock);
    refused.join().unwrap();
    drop(again);
    assert!(!shared.lock.is_busy());
}

/// What the closer did before is seen by whoever learns that it is closed.
fn close_orders_data() {
    let shared = line();
    let observer = spawn({
        let shared = shared.clone();
        move || {
            if shared.lock.is_closed() {
                assert_eq!(shared.data.get(), 1);
            }
            if let AcquireOutcome::Failure(wait) = shared.lock.try_acquire_token() {
                assert_eq!(ready(poll(pin!(wait))), Outcome::Closed);
                assert_eq!(shared.data.get(), 1);
            }
        }
    });
    shared.data.add();
    assert!(shared.lock.close());
    observer.join().unwrap();
}

/// The slow release publishes as the fast one does: to whoever finds the line free, without a lock.
fn slow_release_orders_data() {
    let shared = line();
    let held = token(&shared.lock).unwrap();
    let mut queued = pin!(wait(&shared.lock));
    assert!(poll(queued.as_mut()).is_pending());
    let looker = spawn({
        let shared = shared.clone();
        move || {
            if !shared.lock.is_busy() {
                assert_eq!(shared.data.get(), 1);
            }
            if let Some(token) = token(&shared.lock) {
                shared.data.add();
                token.release();
            }
        }
    });
    shared.data.add();
    held.release();
    looker.join().unwrap();
    let outcome = ready(poll(queued.as_mut()));
    assert_eq!(outcome, Outcome::Done);
    assert!(!shared.lock.is_busy() && !shared.lock.has_waiters());
}
