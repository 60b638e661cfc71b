//! Bad input: a `Result`, never a panic and never a hang.

use core::pin::pin;
use core::time::Duration;

use ecluse_conformance::kit::{Guarded, Parked, TestWaker, poll_once, yield_now};
use ecluse_conformance::{Clock, Ended, Runtime, Task};
use ecluse_core::{Closed, Outcome, Refused, Slot, TimedOut};
use ecluse_embassy::runtime::{Inline, Spawn, SpawnError};
use ecluse_embassy::{Pool, Tally};
use portable_atomic::{AtomicUsize, Ordering};

use crate::chip;
use crate::runtime::Chip;

pub(super) async fn full_pool_gives_the_future_back(rt: Chip) {
    static PLACES: Pool<Inline<32>, 2> = Pool::new();
    static CREW: Tally = Tally::new();
    let ran = rt.put(AtomicUsize::new(0));
    let pool = PLACES.on(rt.0);
    let work = || {
        Inline::new(async move {
            yield_now().await;
            ran.fetch_add(1, Ordering::SeqCst);
        })
    };
    for _ in 0..2 {
        assert!(pool.spawn(CREW.ticket(work())).is_ok());
    }
    let refused = pool.spawn(CREW.ticket(work()));
    let Err(SpawnError::Busy(back)) = refused else {
        panic!("the pool has two places");
    };
    assert_eq!((CREW.live(), CREW.lost()), (2, 0));
    CREW.joined().await;
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    // A place is free the moment after.
    yield_now().await;
    assert!(pool.spawn(CREW.ticket(back)).is_ok());
    CREW.joined().await;
    assert_eq!(ran.load(Ordering::SeqCst), 3);
}

pub(super) async fn closed_slot_is_an_error(rt: Chip) {
    let slot: &'static Slot = rt.put(Slot::new());
    let claim = slot.try_claim().expect("free");
    assert!(slot.close() && !slot.close());
    assert_eq!(slot.try_claim().map(drop), Err(Refused::Closed));
    assert_eq!(slot.claim().await.map(drop), Err(Closed));
    assert_eq!(slot.released().await, Outcome::Closed);
    claim.release();
    assert_eq!(slot.claim().await.map(drop), Err(Closed));
}

pub(super) async fn deadline_in_the_past_is_an_error(rt: Chip) {
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
}

pub(super) async fn future_is_polled_in_a_task_and_in_an_interrupt(rt: Chip) {
    let slot: &'static Slot = rt.put(Slot::new());
    let claim = slot.try_claim().expect("free");
    let shared = rt.put(Parked::new());
    shared.park(slot.claim());
    // First by a task …
    let task = rt.spawn(core::future::poll_fn(move |cx| {
        shared.pending(cx.waker());
        core::task::Poll::Ready(())
    }));
    assert_eq!(task.join().await, Ended::Finished);
    // … then in a handler, whose waker is none of embassy's.
    let foreign = rt.put(TestWaker::new());
    chip::in_interrupt(rt.put(move || shared.pending(&foreign.waker())));
    claim.release();
    assert_eq!(foreign.wakes(), 1);
    let got = rt.put(Guarded::new(None));
    chip::in_interrupt(rt.put(move || {
        let claim = shared.ready().expect("nobody closes it");
        shared.leave();
        got.with(|got| *got = Some(claim));
    }));
    got.with(Option::take).expect("the claim arrived").release();
    assert!(!slot.is_claimed() && foreign.live() == 0);
}
