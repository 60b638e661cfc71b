//! Grants that are taken back: by hand, and by whoever comes first.

use std::{
    pin::{Pin, pin},
    sync::Mutex,
};

use ecluse_core::{
    Barging, Closed, DefaultLock, Outcome, Refused, Revocable, Slot,
    claim::{Claiming, Policy},
    observe::Observer,
};

use crate::kit::{Callback, Diary, History, Striker, Wakes, poll, poll_with, ready, within};

type Waiting<'s, P, O> = Pin<Box<Claiming<&'s Slot<P, DefaultLock, O>>>>;

/// A wait to which the slot is granted, and which has not seen it.
fn granted<P: Policy, O: Observer>(slot: &Slot<P, DefaultLock, O>) -> Waiting<'_, P, O> {
    let claim = slot.try_claim().unwrap();
    let mut wait = Box::pin(slot.claim());
    assert!(poll(wait.as_mut()).is_pending());
    claim.release();
    wait
}

#[test]
fn c10_an_unobserved_grant_goes_to_the_next_and_its_waiter_to_the_front() {
    within(|| {
        let slot = Slot::<Revocable>::new();
        let claim = slot.try_claim().unwrap();
        let mut waits = [(); 3].map(|()| Box::pin(slot.claim()));
        let diary = Diary::default();
        for (i, wait) in waits.iter_mut().enumerate() {
            assert!(poll_with(wait.as_mut(), &diary.waker(format!("{i}"))).is_pending());
        }
        let [mut first, mut second, mut third] = waits;
        assert!(!slot.revoke_unobserved(), "nothing was granted");
        claim.release();
        assert!(slot.revoke_unobserved());
        assert_eq!(diary.entries(), ["0", "1"]);
        assert!(poll(first.as_mut()).is_pending(), "the second has it");
        let claim = ready(poll(second.as_mut())).unwrap();
        assert_eq!(claim.inherited(), Some(Outcome::Done));
        assert!(!slot.revoke_unobserved(), "it was observed");
        drop(claim);
        assert!(
            poll(third.as_mut()).is_pending(),
            "the revoked one was first"
        );
        ready(poll(first.as_mut())).unwrap().release();
        ready(poll(third.as_mut())).unwrap().release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}

/// It is granted and revoked between its look and its lock: it queues again, before it sleeps.
#[test]
fn c10_a_waiter_that_is_revoked_while_it_looks_queues_again() {
    within(|| {
        let slot: &'static Slot<Revocable> = Box::leak(Box::new(Slot::new()));
        let held = Mutex::new(Some(slot.try_claim().unwrap()));
        let (mut first, mut second) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        let striker = Striker::new(Callback::Clone, move || {
            if let Some(held) = held.lock().unwrap().take() {
                held.release();
                assert!(slot.revoke_unobserved());
            }
        });
        assert!(poll_with(first.as_mut(), &striker.waker()).is_pending());
        assert!(slot.has_waiters(), "it sleeps in no queue");
        ready(poll(second.as_mut())).unwrap().release();
        ready(poll(first.as_mut())).unwrap().release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}

#[test]
fn with_nobody_queued_there_is_no_one_to_revoke_for() {
    let slot = Slot::<Revocable>::new();
    let mut wait = granted(&slot);
    let mut observer = pin!(slot.released());
    assert!(poll(observer.as_mut()).is_pending());
    // An observer wants no claim.
    assert!(!slot.revoke_unobserved());
    let id = slot.unobserved().unwrap();
    assert!(!slot.revoke(id));
    assert_eq!(slot.unobserved(), Some(id));
    ready(poll(wait.as_mut())).unwrap().release();
    assert_eq!(ready(poll(observer.as_mut())), Outcome::Done);
}

#[test]
fn an_observer_is_told_of_a_hold_that_came_by_revocation() {
    within(|| {
        let slot = Slot::<Revocable>::new();
        let claim = slot.try_claim().unwrap();
        let (mut first, mut second) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
        let (wakes, waker) = Wakes::new();
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        claim.release();
        let mut observer = pin!(slot.released());
        assert!(poll_with(observer.as_mut(), &waker).is_pending());
        assert!(slot.revoke_unobserved());
        // The ring of claimers is empty now; the observer's is not.
        assert!(slot.has_waiters());
        drop(first);
        assert!(slot.has_waiters());
        ready(poll(second.as_mut())).unwrap().release();
        assert_eq!(wakes.count(), 1);
        assert_eq!(ready(poll(observer.as_mut())), Outcome::Done);
    });
}

#[test]
fn a_stale_id_revokes_nothing() {
    within(|| {
        let slot = Slot::<Revocable>::new();
        let claim = slot.try_claim().unwrap();
        assert_eq!(slot.unobserved(), None);
        let mut waits = [(); 3].map(|()| Box::pin(slot.claim()));
        for wait in &mut waits {
            assert!(poll(wait.as_mut()).is_pending());
        }
        let [mut first, mut second, mut third] = waits;
        claim.release();
        let old = slot.unobserved().unwrap();
        ready(poll(first.as_mut())).unwrap().release();
        let new = slot.unobserved().unwrap();
        assert_ne!(old, new);
        assert!(!slot.revoke(old));
        assert_eq!(slot.unobserved(), Some(new));
        assert!(slot.revoke(new) && !slot.revoke(new));
        let claim = ready(poll(third.as_mut())).unwrap();
        assert_eq!(slot.unobserved(), None);
        assert!(poll(second.as_mut()).is_pending());
        drop(claim);
        drop(second);
        assert!(!slot.is_claimed());
    });
}

#[test]
fn a_revoked_waiter_leaves_or_claims_a_free_slot() {
    within(|| {
        let slot = Slot::<Revocable>::new();
        for abandon in [true, false] {
            let claim = slot.try_claim().unwrap();
            let (mut first, mut second) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
            let (wakes, waker) = Wakes::new();
            assert!(poll_with(first.as_mut(), &waker).is_pending());
            assert!(poll(second.as_mut()).is_pending());
            claim.release();
            assert!(slot.revoke_unobserved());
            drop(ready(poll(second.as_mut())));
            if abandon {
                assert!(first.as_mut().try_abandon().is_none());
            } else {
                let claim = ready(poll(first.as_mut())).unwrap();
                assert_eq!(claim.inherited(), None, "found free");
            }
            drop(waker);
            assert_eq!((wakes.count(), wakes.live()), (1, 0));
            assert!(!slot.is_claimed() && !slot.has_waiters());
        }
    });
}

/// A grant that was passed on, or whose waiter was told `Closed`, is nobody's to take back.
#[test]
fn the_grantee_is_forgotten_when_its_wait_ends() {
    within(|| {
        let slot = Slot::<Revocable>::new();
        let claim = slot.try_claim().unwrap();
        let (mut first, mut second) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        claim.release();
        let id = slot.unobserved();
        slot.close();
        // The second is granted as well: that it is closed. The first is still the grantee.
        assert_eq!(ready(poll(second.as_mut())).unwrap_err(), Closed);
        assert_eq!(slot.unobserved(), id);
        assert!(!slot.revoke_unobserved());
        drop(first);
        assert_eq!(slot.unobserved(), None);
        assert!(!slot.is_claimed());
    });
}

#[test]
fn whoever_barges_takes_an_unobserved_grant() {
    within(|| {
        let slot = Slot::<Barging>::new();
        let claim = slot.try_claim().unwrap();
        let (mut first, mut second) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_pending());
        assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy, "it is held");
        claim.release();
        // Granted to the first, not observed: the releaser takes it again.
        let again = slot.try_claim().unwrap();
        assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy, "it is held");
        assert!(slot.has_waiters());
        assert!(poll(first.as_mut()).is_pending());
        again.release();
        // A wait barges, too, and leaves no flag for nobody.
        let mut own = pin!(slot.claim());
        let claim = ready(poll(own.as_mut())).unwrap();
        claim.release();
        // In front again, it was overtaken twice.
        ready(poll(second.as_mut())).unwrap().release();
        ready(poll(first.as_mut())).unwrap().release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}

#[test]
fn barging_with_nobody_else_queued_leaves_no_flag() {
    let slot = Slot::<Barging>::new();
    let mut wait = granted(&slot);
    let mut own = pin!(slot.claim());
    let claim = ready(poll(own.as_mut())).unwrap();
    assert!(slot.is_claimed() && !slot.has_waiters());
    let mut observer = pin!(slot.released());
    assert!(poll(observer.as_mut()).is_pending());
    claim.release();
    assert_eq!(ready(poll(observer.as_mut())), Outcome::Done);
    drop(ready(poll(wait.as_mut())));
    assert!(!slot.is_claimed());
}

/// With an observer it is the enlisting itself that barges: it has said that somebody waits.
#[test]
fn barging_under_an_observer_leaves_no_flag() {
    let slot = Slot::<Barging, DefaultLock, History>::with_observer(History::default());
    let mut wait = granted(&slot);
    let mut own = pin!(slot.claim());
    let claim = ready(poll(own.as_mut())).unwrap();
    assert!(slot.is_claimed() && !slot.has_waiters());
    claim.release();
    drop(ready(poll(wait.as_mut())));
    assert!(!slot.is_claimed() && !slot.has_waiters());
}

/// An observer is told that the grant was taken back by who claimed at once.
#[test]
fn barging_at_once_under_an_observer_takes_an_unobserved_grant() {
    let slot = Slot::<Barging, DefaultLock, History>::with_observer(History::default());
    let mut wait = granted(&slot);
    let claim = slot.try_claim().unwrap();
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
    let events = slot.observer().entries();
    assert_eq!(events[3..], ["3 Granted", "4 Revoked", "5 Claimed"]);
    claim.release();
    drop(ready(poll(wait.as_mut())));
    assert!(!slot.is_claimed());
}

#[test]
fn barging_does_not_take_an_observed_grant() {
    let slot = Slot::<Barging>::new();
    let mut wait = granted(&slot);
    let claim = ready(poll(wait.as_mut())).unwrap();
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
    let mut other = pin!(slot.claim());
    assert!(poll(other.as_mut()).is_pending());
    claim.release();
    ready(poll(other.as_mut())).unwrap().release();
}
