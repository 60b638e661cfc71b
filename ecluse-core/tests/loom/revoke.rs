//! Slots whose grants can be taken back: revocation and barging.

use core::{pin::pin, task::Poll};

use ecluse_core::Slot;

use crate::kit::{Wakes, barging, block_on, models, poll, poll_with, ready, revocable, spawn};

models!(
    revoke_meets_observe,
    revoke_meets_drop,
    revoke_meets_abandon,
    grant_and_revoke_meet_abandon,
    grant_and_revoke_meet_a_waker_change,
    revoked_waiter_enlists_in_front,
    late_revocation_enlists_in_front,
    late_revocation_under_a_waker_change,
    revoke_meets_close,
    revoke_and_close_meet_a_waker_change,
    barging_meets_observe,
    barging_meets_drop,
);

/// c10: the claim is the granted waiter's or the next one's, never both, never nobody's.
fn revoke_meets_observe() {
    let shared = revocable();
    let claim = shared.lock.try_claim().unwrap();
    let (mut first, mut second) = (
        Box::pin(Slot::claim_owned(&shared.lock)),
        Box::pin(Slot::claim_owned(&shared.lock)),
    );
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    shared.data.add();
    claim.release();
    let owner = spawn({
        let shared = shared.clone();
        move || {
            if let Poll::Ready(claim) = poll(first.as_mut()) {
                shared.data.add();
                claim.unwrap().release();
            }
        }
    });
    shared.lock.revoke_unobserved();
    if let Poll::Ready(claim) = poll(second.as_mut()) {
        shared.data.add();
        claim.unwrap().release();
    }
    owner.join().unwrap();
    // Whoever was still queued or granted: the claim goes round.
    if let Poll::Ready(claim) = poll_unless_over(second.as_mut()) {
        shared.data.add();
        claim.unwrap().release();
    }
    drop(second);
    let claim = shared.lock.try_claim().unwrap();
    assert!(shared.data.get() >= 2);
    claim.release();
    assert!(!shared.lock.has_waiters());
}

fn poll_unless_over<F: futures_core::FusedFuture>(
    future: core::pin::Pin<&mut F>,
) -> Poll<F::Output> {
    if future.is_terminated() {
        Poll::Pending
    } else {
        poll(future)
    }
}

fn revoke_meets_drop() {
    let shared = revocable();
    let claim = shared.lock.try_claim().unwrap();
    let (mut first, mut second) = (
        Box::pin(Slot::claim_owned(&shared.lock)),
        Box::pin(Slot::claim_owned(&shared.lock)),
    );
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(first.as_mut(), &waker).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    drop(waker);
    shared.data.add();
    claim.release();
    let dropper = spawn(move || drop(first));
    shared.lock.revoke_unobserved();
    dropper.join().unwrap();
    let claim = ready(poll(second.as_mut())).unwrap();
    shared.data.add();
    claim.release();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
    assert_eq!(wakes.live(), 0);
}

fn revoke_meets_abandon() {
    let shared = revocable();
    let claim = shared.lock.try_claim().unwrap();
    let (mut first, mut second) = (
        Box::pin(Slot::claim_owned(&shared.lock)),
        Box::pin(Slot::claim_owned(&shared.lock)),
    );
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    claim.release();
    let abandoner = spawn({
        let shared = shared.clone();
        move || {
            if let Some(claim) = first.as_mut().try_abandon() {
                shared.data.add();
                claim.unwrap().release();
            }
        }
    });
    shared.lock.revoke_unobserved();
    abandoner.join().unwrap();
    let claim = ready(poll(second.as_mut())).unwrap();
    shared.data.add();
    claim.release();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

/// The grant comes and goes while the waiter is leaving.
fn grant_and_revoke_meet_abandon() {
    let shared = revocable();
    let claim = shared.lock.try_claim().unwrap();
    let (mut first, mut second) = (
        Box::pin(Slot::claim_owned(&shared.lock)),
        Box::pin(Slot::claim_owned(&shared.lock)),
    );
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    let abandoner = spawn(move || {
        if let Some(claim) = first.as_mut().try_abandon() {
            claim.unwrap().release();
        }
    });
    claim.release();
    shared.lock.revoke_unobserved();
    abandoner.join().unwrap();
    ready(poll(second.as_mut())).unwrap().release();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

fn grant_and_revoke_meet_a_waker_change() {
    let shared = revocable();
    let claim = shared.lock.try_claim().unwrap();
    let (mut first, mut second) = (
        Box::pin(Slot::claim_owned(&shared.lock)),
        Box::pin(Slot::claim_owned(&shared.lock)),
    );
    let (wakes, waker) = Wakes::new();
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    let changer = spawn(move || {
        if let Poll::Ready(claim) = poll_with(first.as_mut(), &waker) {
            claim.unwrap().release();
        }
    });
    claim.release();
    shared.lock.revoke_unobserved();
    changer.join().unwrap();
    ready(poll(second.as_mut())).unwrap().release();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
    assert_eq!(wakes.live(), 0);
}

/// c10: its next poll enlists it before those who came later.
fn revoked_waiter_enlists_in_front() {
    let shared = revocable();
    let claim = shared.lock.try_claim().unwrap();
    let mut waits = [(); 3].map(|()| Box::pin(Slot::claim_owned(&shared.lock)));
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_pending());
    }
    let [mut first, mut second, mut third] = waits;
    claim.release();
    assert!(shared.lock.revoke_unobserved());
    let again = spawn(move || {
        assert!(poll(first.as_mut()).is_pending(), "the second has it");
        first
    });
    let mut first = again.join().unwrap();
    ready(poll(second.as_mut())).unwrap().release();
    assert!(poll(third.as_mut()).is_pending());
    ready(poll(first.as_mut())).unwrap().release();
    ready(poll(third.as_mut())).unwrap().release();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

/// The revocation comes between a poll's look at the state and its lock.
fn late_revocation_enlists_in_front() {
    late_revocation(false);
}

/// The same, and the grant comes there, too.
fn late_revocation_under_a_waker_change() {
    late_revocation(true);
}

fn late_revocation(change: bool) {
    let shared = revocable();
    let claim = shared.lock.try_claim().unwrap();
    let mut waits = [(); 3].map(|()| Box::pin(Slot::claim_owned(&shared.lock)));
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_pending());
    }
    let [mut first, mut second, mut third] = waits;
    let (_, waker) = Wakes::new();
    let mut claim = Some(claim);
    if !change {
        claim.take().unwrap().release();
    }
    let poller = spawn(move || match poll_with(first.as_mut(), &waker) {
        Poll::Ready(claim) => {
            claim.unwrap().release();
            None
        }
        Poll::Pending => Some(first),
    });
    drop(claim);
    let revoked = shared.lock.revoke_unobserved();
    if let Some(mut first) = poller.join().unwrap() {
        let mut claim = poll(first.as_mut());
        if revoked {
            assert!(claim.is_pending(), "the second has it");
            ready(poll(second.as_mut())).unwrap().release();
            assert!(
                poll(third.as_mut()).is_pending(),
                "the revoked one was first"
            );
            claim = poll(first.as_mut());
        }
        ready(claim).unwrap().release();
    }
    drop((second, third));
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

fn revoke_meets_close() {
    let shared = revocable();
    let claim = shared.lock.try_claim().unwrap();
    let (mut first, mut second) = (
        Box::pin(Slot::claim_owned(&shared.lock)),
        Box::pin(Slot::claim_owned(&shared.lock)),
    );
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    claim.release();
    let closer = spawn({
        let shared = shared.clone();
        move || assert!(shared.lock.close())
    });
    let revoked = shared.lock.revoke_unobserved();
    closer.join().unwrap();
    // One of them has the claim; the other one is told that it is closed.
    let (a, b) = (ready(poll(first.as_mut())), ready(poll(second.as_mut())));
    assert_eq!((a.is_ok(), b.is_ok()), (!revoked, revoked));
    drop((a, b));
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

/// The one way out of a revoked poll that neither takes the lock nor acquires the word: the slot is
/// closed and nobody holds it. The node may go at once.
fn revoke_and_close_meet_a_waker_change() {
    let shared = revocable();
    let claim = Slot::try_claim_owned(&shared.lock).unwrap();
    let (mut first, mut second) = (
        Box::pin(Slot::claim_owned(&shared.lock)),
        Box::pin(Slot::claim_owned(&shared.lock)),
    );
    assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    let (_, waker) = Wakes::new();
    let closer = spawn({
        let shared = shared.clone();
        move || {
            claim.release();
            shared.lock.revoke_unobserved();
            shared.lock.close();
            drop(second);
        }
    });
    let changed = poll_with(first.as_mut(), &waker);
    drop(first);
    drop(changed);
    closer.join().unwrap();
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}

fn barging_meets_observe() {
    let shared = barging();
    let claim = shared.lock.try_claim().unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let claim = block_on(shared.lock.claim()).unwrap();
            shared.data.add();
            claim.release();
        }
    });
    shared.data.add();
    claim.release();
    if let Ok(claim) = shared.lock.try_claim() {
        shared.data.add();
        claim.release();
    }
    waiter.join().unwrap();
    let claim = shared.lock.try_claim().unwrap();
    assert!(shared.data.get() >= 2);
    claim.release();
    assert!(!shared.lock.has_waiters());
}

fn barging_meets_drop() {
    let shared = barging();
    let claim = shared.lock.try_claim().unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.lock.claim());
            let _ = poll(wait.as_mut()).map(|claim| claim.unwrap().release());
        }
    });
    shared.data.add();
    claim.release();
    let mut own = pin!(shared.lock.claim());
    if let Poll::Ready(claim) = poll(own.as_mut()) {
        shared.data.add();
        claim.unwrap().release();
    }
    waiter.join().unwrap();
    if let Poll::Ready(claim) = poll_unless_over(own.as_mut()) {
        shared.data.add();
        claim.unwrap().release();
    }
    assert!(!shared.lock.is_claimed() && !shared.lock.has_waiters());
}
