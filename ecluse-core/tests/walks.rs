//! Hand-polled walks through the core's primitives.
#![cfg(all(feature = "std", not(ecluse_loom)))]

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use ecluse_core::{AcquireOutcome, Line, Outcome, Slot};

#[test]
fn c06_orphan_goes_to_the_first_waiter() {
    let slot = Slot::<ecluse_core::Handoff>::new();
    let mut cx = Context::from_waker(Waker::noop());
    let held = slot.try_claim().unwrap();
    let (mut a, mut b, mut o) = (
        pin!(slot.claim()),
        pin!(slot.claim()),
        pin!(slot.released()),
    );
    use std::future::Future;
    assert!(a.as_mut().poll(&mut cx).is_pending());
    assert!(b.as_mut().poll(&mut cx).is_pending());
    assert!(o.as_mut().poll(&mut cx).is_pending());
    drop(held);
    assert_eq!(
        o.as_mut().poll(&mut cx),
        Poll::Ready(Outcome::Abandoned { by_panic: false })
    );
    assert!(b.as_mut().poll(&mut cx).is_pending());
    let Poll::Ready(Ok(claim)) = a.as_mut().poll(&mut cx) else {
        panic!()
    };
    assert_eq!(
        claim.inherited(),
        Some(Outcome::Abandoned { by_panic: false })
    );
    claim.release();
    let Poll::Ready(Ok(claim)) = b.as_mut().poll(&mut cx) else {
        panic!()
    };
    claim.release();
    assert!(!slot.is_claimed());
}

#[test]
fn line_cohort() {
    use std::future::Future;
    let line = <Line>::new();
    let mut cx = Context::from_waker(Waker::noop());
    let AcquireOutcome::Success(token) = line.try_acquire_token() else {
        panic!()
    };
    let AcquireOutcome::Failure(a) = line.try_acquire_token() else {
        panic!()
    };
    let late = a.clone();
    let mut waits: Vec<_> = (0..100).map(|_| Box::pin(a.clone())).collect();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut cx).is_pending());
    }
    token.release();
    for wait in &mut waits {
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(Outcome::Done));
    }
    assert_eq!(late.block(), Outcome::Done);
    drop(line.try_acquire_token());
    assert_eq!(a.block(), Outcome::Passed);
}
