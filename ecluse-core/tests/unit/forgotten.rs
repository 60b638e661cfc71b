//! Futures and claims that are forgotten: sound, and the others go on. (`mem::forget` of a box
//! leaves its node pinned for ever, linked or not.)

use std::{mem, pin::pin};

use ecluse_core::{Line, Outcome, Refused, Revocable, Slot, runtime::Tally};

use crate::{
    kit::{Wakes, poll, poll_with, ready, within},
    walks_line::{token, wait},
};

#[test]
fn a_forgotten_waiter_keeps_its_place_and_a_close_passes_it_over() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let (mut first, mut forgotten, mut last) = (
            Box::pin(slot.claim()),
            Box::pin(slot.claim()),
            Box::pin(slot.claim()),
        );
        let (wakes, waker) = Wakes::new();
        assert!(poll(first.as_mut()).is_pending());
        assert!(poll_with(forgotten.as_mut(), &waker).is_pending());
        assert!(poll(last.as_mut()).is_pending());
        mem::forget(forgotten);
        claim.release();
        ready(poll(first.as_mut())).unwrap().release();
        assert_eq!(wakes.count(), 1);
        assert!(poll(last.as_mut()).is_pending(), "the forgotten one has it");
        slot.close();
        assert!(ready(poll(last.as_mut())).is_err());
    });
}

#[test]
fn a_forgotten_grant_is_revoked() {
    within(|| {
        let slot = Slot::<Revocable>::new();
        let claim = slot.try_claim().unwrap();
        let (mut forgotten, mut last) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
        assert!(poll(forgotten.as_mut()).is_pending());
        assert!(poll(last.as_mut()).is_pending());
        mem::forget(forgotten);
        claim.release();
        assert!(slot.revoke_unobserved());
        ready(poll(last.as_mut())).unwrap().release();
        assert!(!slot.is_claimed());
    });
}

/// Nodes point to nodes, never to their owner: it can be moved while forgotten ones are linked.
#[test]
fn the_owner_moves_while_forgotten_nodes_are_linked() {
    within(|| {
        let slot = <Slot>::new();
        let (mut claimer, mut observer) = (Box::pin(slot.claim()), Box::pin(slot.released()));
        mem::forget(slot.try_claim().unwrap());
        assert!(poll(claimer.as_mut()).is_pending());
        assert!(poll(observer.as_mut()).is_pending());
        mem::forget((claimer, observer));
        let moved = Box::new(slot);
        assert!(moved.has_waiters());
        let mut late = pin!(moved.claim());
        assert!(poll(late.as_mut()).is_pending());
        moved.close();
        assert!(ready(poll(late.as_mut())).is_err());
        assert_eq!(moved.try_claim().unwrap_err(), Refused::Closed);

        let line = <Line>::new();
        mem::forget(token(&line));
        let mut forgotten = Box::pin(wait(&line));
        assert!(poll(forgotten.as_mut()).is_pending());
        mem::forget(forgotten);
        let moved = Box::new(line);
        let mut late = pin!(wait(&moved));
        assert!(poll(late.as_mut()).is_pending());
        moved.close();
        assert_eq!(ready(poll(late.as_mut())), Outcome::Closed);

        let tally = <Tally>::new();
        let mut ticket = Box::pin(tally.ticket(std::future::pending::<()>()));
        assert!(poll(ticket.as_mut()).is_pending());
        mem::forget(ticket);
        let moved = Box::new(tally);
        assert!(moved.cancel());
        assert_eq!(moved.live(), 1);
    });
}

#[test]
fn a_forgotten_member_of_a_cohort_is_told_with_the_others() {
    within(|| {
        let line = <Line>::new();
        let held = token(&line);
        let (mut first, mut forgotten, mut last) = (
            Box::pin(wait(&line)),
            Box::pin(wait(&line)),
            Box::pin(wait(&line)),
        );
        for wait in [&mut first, &mut forgotten, &mut last] {
            assert!(poll(wait.as_mut()).is_pending());
        }
        mem::forget(forgotten);
        held.release();
        assert_eq!(ready(poll(last.as_mut())), Outcome::Done);
        assert_eq!(ready(poll(first.as_mut())), Outcome::Done);
        assert!(!line.has_waiters());
        token(&line).release();
    });
}
