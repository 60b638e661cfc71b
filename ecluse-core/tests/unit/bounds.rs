//! Deadlines and stall bounds, on a clock that the test moves.

use std::{pin::pin, sync::Mutex, time::Duration};

use ecluse_core::{
    Line, Outcome, Revocable, Slot, TimedOut,
    runtime::{Clock, Timer},
};
use futures_core::FusedFuture;

use crate::{
    clock::Hand,
    kit::{Wakes, poll, poll_with, ready, within},
    walks_line::{token, wait},
};

const BOUND: Duration = Duration::from_millis(10);

#[test]
fn a_wait_that_is_over_sets_no_timer() {
    let (clock, slot) = (Hand::default(), <Slot>::new());
    let mut wait = pin!(slot.claim().timeout(clock.clone(), BOUND));
    assert!(!wait.is_terminated());
    let claim = ready(poll(wait.as_mut())).unwrap().unwrap();
    assert!(wait.is_terminated());
    assert_eq!(clock.set(), 0);
    claim.release();
}

#[test]
fn a_deadline_ends_the_wait_and_leaves_the_queue() {
    within(|| {
        let (clock, slot) = (Hand::default(), <Slot>::new());
        let claim = slot.try_claim().unwrap();
        let mut wait = pin!(slot.claim().timeout(&clock, BOUND));
        let (wakes, waker) = Wakes::new();
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
        clock.advance(9);
        assert_eq!(wakes.count(), 0);
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
        clock.advance(1);
        assert!(wakes.count() >= 1);
        assert_eq!(clock.set(), 1);
        assert_eq!(
            ready(poll_with(wait.as_mut(), &waker)).unwrap_err(),
            TimedOut
        );
        assert!(wait.is_terminated() && !slot.has_waiters());
        claim.release();
        assert!(!slot.is_claimed());
        // A deadline that has passed looks once.
        let mut late = pin!(slot.claim().deadline(&clock, 0));
        assert!(ready(poll(late.as_mut())).unwrap().is_ok());
        let claim = slot.try_claim().unwrap();
        let mut late = pin!(slot.claim().deadline(&clock, 0));
        assert_eq!(ready(poll(late.as_mut())).unwrap_err(), TimedOut);
        drop(claim);
    });
}

/// A timer that releases the slot while it is polled: between the wait's poll and its end.
struct Meanwhile<'a, T>(&'a Mutex<Option<T>>);

impl<T> Clock for Meanwhile<'_, T> {
    type Instant = u64;

    fn now(&self) -> u64 {
        0
    }

    fn after(&self, _: u64, _: Duration) -> u64 {
        0
    }
}

impl<T> Timer for Meanwhile<'_, T> {
    type Sleep = std::future::Ready<()>;

    fn sleep_until(&self, _: u64) -> Self::Sleep {
        drop(self.0.lock().unwrap().take());
        std::future::ready(())
    }
}

#[test]
fn what_arrives_at_the_last_moment_is_returned() {
    within(|| {
        let slot = <Slot>::new();
        let holder = Mutex::new(slot.try_claim().ok());
        let mut claiming = pin!(slot.claim().timeout(Meanwhile(&holder), BOUND));
        let claim = ready(poll(claiming.as_mut()))
            .expect("granted in time")
            .unwrap();
        assert!(claim.inherited().is_some());
        drop(claim);
        assert!(!slot.is_claimed());

        let line = <Line>::new();
        let holder = Mutex::new(Some(token(&line)));
        let mut wait = pin!(wait(&line).timeout(Meanwhile(&holder), BOUND));
        assert!(matches!(
            ready(poll(wait.as_mut())),
            Ok(Outcome::Abandoned { .. })
        ));
    });
}

#[test]
fn a_stalled_grant_is_taken_back_after_one_to_two_bounds() {
    within(|| {
        let clock = Hand::default();
        let slot = Slot::<Revocable>::new();
        let claim = slot.try_claim().unwrap();
        let (mut stalled, mut bounded) = (
            Box::pin(slot.claim()),
            Box::pin(slot.claim_stall_bound(&clock, BOUND)),
        );
        let (wakes, waker) = Wakes::new();
        assert!(poll(stalled.as_mut()).is_pending());
        assert!(poll_with(bounded.as_mut(), &waker).is_pending());
        clock.advance(9);
        claim.release();
        clock.advance(1);
        // The first look saw no grant: this one is fresh, and stays.
        assert!(wakes.count() >= 1);
        assert!(poll_with(bounded.as_mut(), &waker).is_pending());
        clock.advance(9);
        assert!(poll_with(bounded.as_mut(), &waker).is_pending());
        clock.advance(1);
        let claim = ready(poll_with(bounded.as_mut(), &waker)).unwrap();
        assert!(bounded.is_terminated());
        assert!(poll(stalled.as_mut()).is_pending());
        claim.release();
        ready(poll(stalled.as_mut())).unwrap().release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}

#[test]
fn a_chain_of_prompt_holders_is_not_disturbed() {
    within(|| {
        let clock = Hand::default();
        let slot = Slot::<Revocable>::new();
        let claim = slot.try_claim().unwrap();
        let mut chain: Vec<_> = (0..5).map(|_| Box::pin(slot.claim())).collect();
        for wait in &mut chain {
            assert!(poll(wait.as_mut()).is_pending());
        }
        let mut bounded = Box::pin(slot.claim_stall_bound(&clock, BOUND));
        assert!(poll(bounded.as_mut()).is_pending());
        claim.release();
        for wait in &mut chain {
            // Each grant is a little younger than the bound when the timer rings.
            clock.advance(8);
            assert!(poll(bounded.as_mut()).is_pending());
            let claim = ready(poll(wait.as_mut())).unwrap();
            clock.advance(2);
            assert!(
                poll(bounded.as_mut()).is_pending(),
                "held for long is not stalled"
            );
            claim.release();
        }
        ready(poll(bounded.as_mut())).unwrap().release();
        assert!(!slot.is_claimed());
    });
}

#[test]
fn a_closed_slot_ends_a_bounded_claim() {
    let clock = Hand::default();
    let slot = Slot::<Revocable>::new();
    let claim = slot.try_claim().unwrap();
    let mut bounded = pin!(slot.claim_stall_bound(&clock, BOUND));
    assert!(poll(bounded.as_mut()).is_pending());
    slot.close();
    assert!(ready(poll(bounded.as_mut())).is_err());
    drop(claim);
}
