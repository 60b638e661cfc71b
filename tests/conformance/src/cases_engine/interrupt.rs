//! Release, grant and close from an interrupt handler, while tasks wait; and handlers that meddle at any moment.

use core::time::Duration;

use super::super::subject::{AcquireOutcome, Claim, Closed, Line, Outcome, Slot};
use portable_atomic::{AtomicUsize, Ordering};

use crate::kit::{Guarded, Parked, TestWaker, eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine interrupt:
    claim_is_released_in_an_interrupt needs INTERRUPTS,
    claim_is_granted_in_an_interrupt needs INTERRUPTS,
    slot_is_closed_in_an_interrupt needs INTERRUPTS,
    line_is_released_in_an_interrupt needs INTERRUPTS,
    interrupts_at_any_time_lose_nobody needs INTERRUPTS,
    ticks_while_64_tasks_wait needs INTERRUPTS,
    future_is_polled_in_a_task_and_in_an_interrupt needs INTERRUPTS,
}

type StaticSlot = &'static Slot;
type Kept = Guarded<Option<Claim<StaticSlot>>>;

fn slot<R: Runtime>(rt: R) -> StaticSlot {
    rt.put(Slot::new())
}

/// A claim in a place that a handler can take it from.
fn kept<R: Runtime>(rt: R, slot: StaticSlot) -> &'static Kept {
    rt.put(Guarded::new(Some(slot.try_claim().expect("free"))))
}

fn take(kept: &Kept) -> Claim<StaticSlot> {
    kept.with(Option::take).expect("the claim is kept here")
}

/// Lets the tasks that were just spawned reach their waits.
async fn waiting(slot: StaticSlot) {
    for _ in 0..4 {
        yield_now().await;
    }
    assert!(slot.has_waiters());
}

async fn claim_is_released_in_an_interrupt<R: Runtime>(rt: R) -> Verdict {
    let slot = slot(rt);
    let kept = kept(rt, slot);
    let told = rt.put(AtomicUsize::new(0));
    let watchers = [(); 6].map(|()| {
        rt.spawn(async move {
            assert_eq!(slot.released().await, Outcome::Done);
            told.fetch_add(1, Ordering::SeqCst);
        })
    });
    waiting(slot).await;
    rt.in_interrupt(rt.put(move || take(kept).release()));
    assert!(!slot.is_claimed(), "free when the handler returns");
    for watcher in watchers {
        assert_eq!(watcher.join().await, Ended::Finished);
    }
    assert_eq!(told.load(Ordering::SeqCst), 6);
    Verdict::Pass
}

async fn claim_is_granted_in_an_interrupt<R: Runtime>(rt: R) -> Verdict {
    let slot = slot(rt);
    let kept = kept(rt, slot);
    let heirs = [(); 3].map(|()| {
        rt.spawn(async move {
            let claim = slot.claim().await.expect("nobody closes it");
            let abandoned = Outcome::Abandoned { by_panic: false };
            assert_eq!(claim.inherited(), Some(abandoned));
            // The next heir's grant, too, comes from a handler.
            kept.with(|place| *place = Some(claim));
        })
    });
    waiting(slot).await;
    for _ in &heirs {
        rt.in_interrupt(rt.put(move || drop(take(kept))));
        assert!(slot.is_claimed(), "granted when the handler returns");
        let arrived = || kept.with(|place| place.is_some());
        eventually(rt, "an heir puts the claim back", arrived).await;
    }
    for heir in heirs {
        assert_eq!(heir.join().await, Ended::Finished);
    }
    drop(take(kept));
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn slot_is_closed_in_an_interrupt<R: Runtime>(rt: R) -> Verdict {
    let slot = slot(rt);
    let kept = kept(rt, slot);
    let refused = [(); 3].map(|()| {
        rt.spawn(async move {
            assert_eq!(slot.claim().await.map(drop), Err(Closed));
        })
    });
    waiting(slot).await;
    rt.in_interrupt(rt.put(move || assert!(slot.close())));
    for task in refused {
        assert_eq!(task.join().await, Ended::Finished);
    }
    take(kept).release();
    Verdict::Pass
}

async fn line_is_released_in_an_interrupt<R: Runtime>(rt: R) -> Verdict {
    let line: &'static Line = rt.put(Line::new());
    let token = line.try_acquire_token().success().expect("free");
    let kept = rt.put(Guarded::new(Some(token)));
    let tasks = [(); 6].map(|()| {
        rt.spawn(async move {
            match line.try_acquire_token() {
                AcquireOutcome::Success(_) => panic!("the handler has not run"),
                AcquireOutcome::Failure(wait) => assert_eq!(wait.await, Outcome::Done),
            }
        })
    });
    for _ in 0..4 {
        yield_now().await;
    }
    assert!(line.has_waiters());
    rt.in_interrupt(rt.put(move || kept.with(Option::take).expect("kept").release()));
    assert!(!line.is_busy());
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    Verdict::Pass
}

async fn interrupts_at_any_time_lose_nobody<R: Runtime>(rt: R) -> Verdict {
    const MEDDLINGS: usize = 40;
    let slot = slot(rt);
    let (inside, meddlings) = (rt.put(AtomicUsize::new(0)), rt.put(AtomicUsize::new(0)));
    // Each tick's handler claims the slot if it is free, and gives it up at once: whoever enlists in between is its heir.
    rt.at_each_tick(Some(rt.put(move || {
        if let Ok(claim) = slot.try_claim() {
            assert_eq!(inside.load(Ordering::SeqCst), 0, "two claims");
            claim.release();
        }
        meddlings.fetch_add(1, Ordering::SeqCst);
    })));
    let tasks = [(); 3].map(|()| {
        rt.spawn(async move {
            // Bounded by the clock: the ticks come whatever the tasks do.
            while meddlings.load(Ordering::SeqCst) < MEDDLINGS {
                let claim = slot.claim().await.expect("nobody closes it");
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two claims");
                yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                claim.release();
                yield_now().await;
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    rt.at_each_tick(None);
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}

async fn ticks_while_64_tasks_wait<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 64;
    let slot: &'static Slot = rt.put(Slot::new());
    let claim = slot.try_claim().expect("free");
    let (late, served, ticks) = (
        rt.put(AtomicUsize::new(0)),
        rt.put(AtomicUsize::new(0)),
        rt.put(AtomicUsize::new(0)),
    );
    rt.at_each_tick(Some(rt.put(move || {
        ticks.fetch_add(1, Ordering::SeqCst);
    })));
    for number in 0..TASKS {
        drop(rt.spawn(async move {
            // Every other one is impatient, each a little more than the one before.
            let bound = if number % 2 == 0 {
                Duration::from_micros(200 + 100 * number as u64)
            } else {
                Duration::from_secs(3600)
            };
            match slot.claim().timeout(rt.timer(), bound).await {
                Ok(claim) => {
                    claim.expect("nobody closes it").release();
                    served.fetch_add(1, Ordering::SeqCst);
                }
                Err(_) => {
                    late.fetch_add(1, Ordering::SeqCst);
                }
            }
        }));
    }
    // The timers end it.
    while late.load(Ordering::SeqCst) < TASKS / 2 {
        yield_now().await;
    }
    assert_eq!(served.load(Ordering::SeqCst), 0);
    assert!(
        ticks.load(Ordering::SeqCst) > TASKS / 2,
        "the clock went on"
    );
    rt.at_each_tick(None);
    claim.release();
    let all = || served.load(Ordering::SeqCst) == TASKS / 2;
    eventually(rt, "the others are served", all).await;
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}

async fn future_is_polled_in_a_task_and_in_an_interrupt<R: Runtime>(rt: R) -> Verdict {
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
    rt.in_interrupt(rt.put(move || shared.pending(&foreign.waker())));
    claim.release();
    assert_eq!(foreign.wakes(), 1);
    let got = rt.put(Guarded::new(None));
    rt.in_interrupt(rt.put(move || {
        let claim = shared.ready().expect("nobody closes it");
        shared.leave();
        got.with(|got| *got = Some(claim));
    }));
    got.with(Option::take).expect("the claim arrived").release();
    assert!(!slot.is_claimed() && foreign.live() == 0);
    Verdict::Pass
}
