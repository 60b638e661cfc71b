//! Bad input: a `Result`, never a panic and never a hang.

use core::pin::pin;
use core::time::Duration;

use super::super::cases::parts::counter;
use super::super::subject::{Closed, Outcome, Refused, Slot, TimedOut};
use portable_atomic::Ordering;

use crate::kit::{eventually, poll_once, yield_now};
use crate::{Clock, Placed, Runtime, Verdict};

cases! { engine input:
    full_pool_gives_the_future_back needs PLACES,
    closed_slot_is_an_error,
    deadline_in_the_past_is_an_error needs REAL_CLOCK,
}

async fn full_pool_gives_the_future_back<R: Runtime>(rt: R) -> Verdict {
    let ran = counter(rt);
    let work = || {
        Placed::new(async move {
            yield_now().await;
            ran.fetch_add(1, Ordering::SeqCst);
        })
    };
    for _ in 0..2 {
        assert!(rt.spawn_in_pool(work()).is_ok());
    }
    let Err(back) = rt.spawn_in_pool(work()) else {
        panic!("the pool has two places");
    };
    eventually(rt, "the two have run", || ran.load(Ordering::SeqCst) == 2).await;
    // A place is free the moment after.
    yield_now().await;
    assert!(rt.spawn_in_pool(back).is_ok());
    eventually(rt, "the third has run", || ran.load(Ordering::SeqCst) == 3).await;
    yield_now().await;
    Verdict::Pass
}

async fn closed_slot_is_an_error<R: Runtime>(rt: R) -> Verdict {
    let slot: &'static Slot = rt.put(Slot::new());
    let claim = slot.try_claim().expect("free");
    assert!(slot.close() && !slot.close());
    assert_eq!(slot.try_claim().map(drop), Err(Refused::Closed));
    assert_eq!(slot.claim().await.map(drop), Err(Closed));
    assert_eq!(slot.released().await, Outcome::Closed);
    claim.release();
    assert_eq!(slot.claim().await.map(drop), Err(Closed));
    Verdict::Pass
}

async fn deadline_in_the_past_is_an_error<R: Runtime>(rt: R) -> Verdict {
    let slot: &'static Slot = rt.put(Slot::new());
    let timer = rt.timer();
    let past = timer.now();
    let claim = slot.try_claim().expect("free");
    while timer.now() <= past {
        yield_now().await;
    }
    assert_eq!(
        slot.claim().deadline(timer, past).await.map(drop),
        Err(TimedOut)
    );
    let zero = slot.released().timeout(timer, Duration::ZERO).await;
    assert_eq!(zero, Err(TimedOut));
    assert!(!slot.has_waiters());
    claim.release();
    // It looks once all the same.
    let claim = slot.claim().deadline(timer, past).await;
    assert!(claim.is_ok_and(|claim| claim.is_ok()));
    let mut forever = pin!(slot.released().timeout(timer, Duration::MAX));
    let held = slot.try_claim().expect("free");
    let first = core::future::poll_fn(|cx| {
        core::task::Poll::Ready(poll_once(forever.as_mut(), cx.waker()).is_pending())
    });
    assert!(first.await, "no overflow at the clock's end");
    held.release();
    assert_eq!(forever.await, Ok(Outcome::Done));
    Verdict::Pass
}
