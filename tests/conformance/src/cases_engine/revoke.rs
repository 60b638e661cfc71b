//! c10, and c09 under another policy: grants that nobody observes, taken back.

use core::pin::pin;
use core::task::Waker;
use core::time::Duration;

use super::super::subject::claim::{Claiming, Policy};
use super::super::subject::{Barging, Claim, Handoff, Refused, Revocable, Slot};
use portable_atomic::Ordering;

use super::super::cases::parts::counter;
use crate::kit::{MockClock, Parked, TestWaker, eventually, poll_once};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine revoke:
    c10_unobserved_grant_goes_to_the_next,
    c10_revoked_waiter_enlists_at_the_front,
    c10_revoked_waiter_claims_a_free_slot,
    c10_revoked_waiter_that_goes_harms_nobody,
    c10_nothing_to_revoke_is_nothing,
    c10_revoking_one_grant_leaves_later_ones,
    c10_revoked_wait_is_abandoned_without_a_claim,
    c10_stall_bound_on_a_mock_clock,
    c10_stall_bound_on_the_runtimes_clock,
    c10_without_a_bound_it_waits,
    c09_barging_takes_an_unobserved_grant,
}

type Revoking = &'static Slot<Revocable>;

/// One who waits under a policy.
struct One<P: Policy + 'static> {
    wait: Parked<Claiming<&'static Slot<P>>>,
    waker: TestWaker,
}

impl<P: Policy> One<P> {
    const fn new() -> Self {
        Self {
            wait: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    #[track_caller]
    fn enlist(&'static self, slot: &'static Slot<P>) {
        self.wait.park(slot.claim());
        self.waits_on();
    }

    #[track_caller]
    fn waits_on(&'static self) {
        self.wait.pending(&self.waker.waker());
    }

    #[track_caller]
    fn claimed(&'static self) -> Claim<&'static Slot<P>> {
        let claim = self.wait.ready().expect("nobody closes it");
        self.wait.leave();
        claim
    }

    fn wakes(&self) -> usize {
        self.waker.wakes()
    }
}

/// A slot whose first waiter of three was granted the claim and is not polled.
fn stalled<R: Runtime>(rt: R) -> (Revoking, &'static [One<Revocable>; 3]) {
    let slot: Revoking = rt.put(Slot::new());
    let queue = rt.put([const { One::new() }; 3]);
    let claim = slot.try_claim().expect("free");
    queue
        .iter()
        .for_each(|one: &'static One<_>| one.enlist(slot));
    claim.release();
    assert!(slot.unobserved().is_some());
    (slot, queue)
}

async fn c10_unobserved_grant_goes_to_the_next<R: Runtime>(rt: R) -> Verdict {
    let (slot, [lost, next, last]) = stalled(rt);
    assert!(slot.revoke_unobserved());
    assert_eq!((lost.wakes(), next.wakes(), last.wakes()), (1, 1, 0));
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
    // The next stalls as well.
    assert!(slot.revoke_unobserved());
    assert_eq!((lost.wakes(), next.wakes(), last.wakes()), (1, 1, 1));
    let claim = last.claimed();
    assert!(slot.unobserved().is_none());
    claim.release();
    assert!(!slot.is_claimed(), "those who lost it are in no queue");
    Verdict::Pass
}

async fn c10_revoked_waiter_enlists_at_the_front<R: Runtime>(rt: R) -> Verdict {
    let (slot, [lost, next, last]) = stalled(rt);
    assert!(slot.revoke_unobserved());
    let claim = next.claimed();
    // It never sees the grant that was taken back; it stands before those who were behind it.
    lost.waits_on();
    claim.release();
    assert_eq!((lost.wakes(), last.wakes()), (2, 0));
    lost.claimed().release();
    last.claimed().release();
    assert!(!slot.is_claimed() && !slot.has_waiters());
    assert!([lost, next, last].iter().all(|one| one.waker.live() == 0));
    Verdict::Pass
}

async fn c10_revoked_waiter_claims_a_free_slot<R: Runtime>(rt: R) -> Verdict {
    let (slot, [lost, next, last]) = stalled(rt);
    assert!(slot.revoke_unobserved());
    next.claimed().release();
    last.claimed().release();
    assert!(!slot.is_claimed());
    let claim = lost.claimed();
    assert_eq!(claim.inherited(), None, "found free, not handed over");
    claim.release();
    Verdict::Pass
}

async fn c10_revoked_waiter_that_goes_harms_nobody<R: Runtime>(rt: R) -> Verdict {
    let (slot, [lost, next, last]) = stalled(rt);
    assert!(slot.revoke_unobserved());
    lost.wait.leave();
    assert_eq!(
        (next.wakes(), last.wakes()),
        (1, 0),
        "nothing was passed on"
    );
    next.claimed().release();
    last.claimed().release();
    assert!(!slot.is_claimed() && lost.waker.live() == 0);
    Verdict::Pass
}

async fn c10_nothing_to_revoke_is_nothing<R: Runtime>(rt: R) -> Verdict {
    let (slot, [one, other, last]) = stalled(rt);
    let claim = one.claimed();
    assert!(!slot.revoke_unobserved(), "it was observed");
    other.wait.leave();
    claim.release();
    assert!(!slot.revoke_unobserved(), "nobody is queued behind it");
    last.claimed().release();
    assert!(!slot.revoke_unobserved(), "the slot is free");
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c10_revoking_one_grant_leaves_later_ones<R: Runtime>(rt: R) -> Verdict {
    let (slot, [lost, next, last]) = stalled(rt);
    let grant = slot.unobserved().expect("granted");
    assert!(slot.revoke(grant));
    assert!(!slot.revoke(grant), "that was another grant");
    assert_eq!((lost.wakes(), next.wakes(), last.wakes()), (1, 1, 0));
    next.claimed().release();
    assert!(!slot.revoke(grant));
    last.claimed().release();
    Verdict::Pass
}

async fn c10_revoked_wait_is_abandoned_without_a_claim<R: Runtime>(rt: R) -> Verdict {
    let (slot, [lost, next, last]) = stalled(rt);
    assert!(slot.revoke_unobserved());
    assert!(lost.wait.with_pin(|wait| wait.try_abandon()).is_none());
    lost.wait.leave();
    next.claimed().release();
    last.claimed().release();
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c10_stall_bound_on_a_mock_clock<R: Runtime>(rt: R) -> Verdict {
    let clock = rt.put(MockClock::new());
    let slot: Revoking = rt.put(Slot::new());
    let stalling: &'static One<_> = rt.put(One::new());
    let patient = rt.put(Parked::new());
    let waker = rt.put(TestWaker::new());
    let claim = slot.try_claim().expect("free");
    stalling.enlist(slot);
    patient.park(slot.claim_stall_bound(clock, Duration::from_millis(10)));
    patient.pending(&waker.waker());
    claim.release();
    // Between one and two bounds after the grant it is taken back: looked at at 10, again at 20.
    clock.advance(Duration::from_millis(9));
    assert_eq!(waker.wakes(), 0);
    clock.advance(Duration::from_millis(1));
    patient.pending(&waker.waker());
    clock.advance(Duration::from_millis(9));
    patient.pending(&waker.waker());
    clock.advance(Duration::from_millis(1));
    let claim = patient.ready().expect("nobody closes it");
    patient.leave();
    assert_eq!(clock.sleepers(), 0, "no timer is left");
    stalling.waits_on();
    claim.release();
    stalling.claimed().release();
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c10_stall_bound_on_the_runtimes_clock<R: Runtime>(rt: R) -> Verdict {
    let slot: Revoking = rt.put(Slot::new());
    let stalling: &'static One<_> = rt.put(One::new());
    let claims = counter(rt);
    let claim = slot.try_claim().expect("free");
    stalling.enlist(slot);
    let task = rt.spawn(async move {
        let bounded = slot.claim_stall_bound(rt.timer(), Duration::from_millis(2));
        let claim = bounded.await.expect("nobody closes it");
        claims.fetch_add(1, Ordering::SeqCst);
        claim.release();
    });
    claim.release();
    assert_eq!(task.join().await, Ended::Finished);
    assert_eq!(claims.load(Ordering::SeqCst), 1);
    stalling.claimed().release();
    Verdict::Pass
}

async fn c10_without_a_bound_it_waits<R: Runtime>(rt: R) -> Verdict {
    let slot: &'static Slot<Handoff> = rt.put(Slot::new());
    let stalling: &'static One<_> = rt.put(One::new());
    let claim = slot.try_claim().expect("free");
    stalling.enlist(slot);
    let served = counter(rt);
    let task = rt.spawn(async move {
        slot.claim().await.expect("nobody closes it").release();
        served.fetch_add(1, Ordering::SeqCst);
    });
    claim.release();
    for _ in 0..100 {
        crate::kit::yield_now().await;
    }
    assert_eq!(served.load(Ordering::SeqCst), 0, "it waits, as documented");
    // The stalled future going is the cure.
    stalling.wait.leave();
    eventually(rt, "it is served", || served.load(Ordering::SeqCst) == 1).await;
    assert_eq!(task.join().await, Ended::Finished);
    Verdict::Pass
}

async fn c09_barging_takes_an_unobserved_grant<R: Runtime>(rt: R) -> Verdict {
    let slot: &'static Slot<Barging> = rt.put(Slot::new());
    let [one, other]: &'static [One<Barging>; 2] = rt.put([const { One::new() }; 2]);
    let claim = slot.try_claim().expect("free");
    one.enlist(slot);
    other.enlist(slot);
    claim.release();
    // Granted, not yet polled: the newcomer is quicker, in either way of asking.
    let claim = slot.try_claim().expect("barging");
    one.waits_on();
    claim.release();
    let mut wait = pin!(slot.claim());
    let claim = match poll_once(wait.as_mut(), Waker::noop()) {
        core::task::Poll::Ready(claim) => claim.expect("nobody closes it"),
        core::task::Poll::Pending => panic!("barging"),
    };
    assert_eq!(
        slot.try_claim().unwrap_err(),
        Refused::Busy,
        "an observed claim is not taken"
    );
    one.waits_on();
    claim.release();
    // It kept its place in front all the while.
    assert_eq!((one.wakes(), other.wakes()), (3, 0));
    one.claimed().release();
    other.claimed().release();
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}
