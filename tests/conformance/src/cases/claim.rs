//! c01–c04: one claim at a time, released on every way out.

use core::future::{Future, pending};
use core::pin::pin;
use core::task::{Poll, Waker};

use portable_atomic::Ordering;

use super::super::subject::{Cause, Claim, Closed, Refused};
use super::parts::slot as new_slot;
use super::parts::{ABANDONED, PANICKED, StaticSlot, Watcher, claimers, counter};
use crate::kit::{Parked, poll_once, yield_now};
use crate::{Ended, Interrupt, Runtime, Task, Verdict};

cases! { claim:
    c01_one_claim_at_a_time,
    c01_one_claim_at_a_time_among_tasks,
    c02_return_releases,
    c02_question_mark_releases,
    c02_panic_releases needs UNWIND,
    c02_abort_releases needs ABORT,
    c02_select_loser_releases,
    c02_timeout_releases,
    c02_task_drop_releases needs TASK_DROP,
    c02_cancel_await_releases needs CANCEL_AWAIT,
    c02_runtime_shutdown_releases needs SHUTDOWN,
    c02_interrupted_waiter_leaves_the_queue,
    c03_result_of_a_claim_is_its_guard,
    c03_unpolled_guard_releases,
    c04_drop_at_first_poll_releases,
}

async fn c01_one_claim_at_a_time<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let claim = slot.try_claim().expect("a new slot is free");
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
    assert!(slot.is_claimed() && !slot.has_waiters() && !slot.is_closed());
    assert_eq!(claim.inherited(), None);
    claim.release();
    assert!(!slot.is_claimed());
    drop(slot.try_claim().expect("free again"));
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c01_one_claim_at_a_time_among_tasks<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 8;
    let slot = new_slot(rt);
    let (inside, claims) = (counter(rt), counter(rt));
    let rounds = rt.count(16_000) / TASKS;
    let tasks = [(); TASKS].map(|()| {
        rt.spawn(async move {
            for round in 0..rounds {
                let claim = match slot.try_claim() {
                    Ok(claim) => claim,
                    Err(_) => slot.claim().await.expect("nobody closes it"),
                };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two claims");
                if round % 7 == 0 {
                    yield_now().await;
                }
                claims.fetch_add(1, Ordering::SeqCst);
                assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                if round % 2 == 0 {
                    claim.release();
                }
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(claims.load(Ordering::SeqCst), TASKS * rounds);
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}

/// Claims, lets two others queue up behind it, and goes as `leave` does.
async fn holder<L: Future>(
    slot: StaticSlot,
    others: &'static [super::parts::Claimer; 2],
    leave: impl FnOnce(Claim<StaticSlot>) -> L,
) -> L::Output {
    let claim = slot.claim().await.expect("free");
    others[0].enlist(slot);
    others[1].enlist(slot);
    leave(claim).await
}

/// The claim went to the first of the two, once, and through it to the second.
fn released_once(
    slot: StaticSlot,
    others: &'static [super::parts::Claimer; 2],
    how: super::super::subject::Outcome,
) {
    assert_eq!((others[0].wakes(), others[1].wakes()), (1, 0));
    let first = others[0].claimed();
    assert_eq!(first.inherited(), Some(how));
    others[1].waits_on();
    first.release();
    others[1].claimed().release();
    assert_eq!((others[0].wakes(), others[1].wakes()), (1, 1));
    assert!(!slot.is_claimed() && !slot.has_waiters());
}

async fn c02_return_releases<R: Runtime>(rt: R) -> Verdict {
    let (slot, others) = (new_slot(rt), rt.put(claimers::<2>()));
    let task = rt.spawn(holder(slot, others, |claim| async move {
        let _claim = claim;
        yield_now().await;
    }));
    assert_eq!(task.join().await, Ended::Finished);
    released_once(slot, others, ABANDONED);
    Verdict::Pass
}

async fn c02_question_mark_releases<R: Runtime>(rt: R) -> Verdict {
    let (slot, others) = (new_slot(rt), rt.put(claimers::<2>()));
    let failed = holder(slot, others, |_claim| async move {
        yield_now().await;
        Err::<(), _>("no network")?;
        Ok(())
    })
    .await;
    assert_eq!(failed, Err("no network"));
    released_once(slot, others, ABANDONED);
    Verdict::Pass
}

async fn c02_panic_releases<R: Runtime>(rt: R) -> Verdict {
    let (slot, others) = (new_slot(rt), rt.put(claimers::<2>()));
    let task = rt.spawn(holder(slot, others, |claim| async move {
        let _claim = claim;
        yield_now().await;
        panic!("on purpose");
    }));
    assert_eq!(task.join().await, Ended::Panicked);
    // A bare claim knows of the panic where threads do.
    let told = if R::CAPS.contains(crate::Caps::STD) {
        PANICKED
    } else {
        ABANDONED
    };
    released_once(slot, others, told);
    Verdict::Pass
}

/// Ends a holder, once with a bare claim and once with a guarded body.
async fn interrupted<R: Runtime>(rt: R, how: Interrupt) -> Verdict {
    let (slot, others) = (new_slot(rt), rt.put(claimers::<2>()));
    let victim = holder(slot, others, |claim| async move {
        let _claim = claim;
        pending::<()>().await;
    });
    rt.interrupted(how, victim).await;
    released_once(slot, others, ABANDONED);

    let orphans = counter(rt);
    let others = rt.put(claimers::<2>());
    let victim = holder(slot, others, move |claim| async move {
        let body = pending::<Result<(), ()>>();
        let on_orphan = |cause: Cause<'_, ()>| {
            assert_eq!(cause, Cause::Dropped);
            assert!(slot.is_claimed() && others[0].wakes() == 0);
            orphans.fetch_add(1, Ordering::SeqCst);
        };
        let _ = claim.guard(body, on_orphan).await;
    });
    rt.interrupted(how, victim).await;
    assert_eq!(orphans.load(Ordering::SeqCst), 1);
    released_once(slot, others, ABANDONED);
    Verdict::Pass
}

async fn c02_abort_releases<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::Abort).await
}

async fn c02_select_loser_releases<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::SelectLoser).await
}

async fn c02_timeout_releases<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::Timeout).await
}

async fn c02_task_drop_releases<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::TaskDrop).await
}

async fn c02_cancel_await_releases<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::CancelAwait).await
}

async fn c02_runtime_shutdown_releases<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::RuntimeShutdown).await
}

async fn c02_interrupted_waiter_leaves_the_queue<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let claim = slot.try_claim().expect("free");
    let victim = async move {
        drop(slot.claim().await);
        unreachable!("nobody releases it meanwhile");
    };
    rt.interrupted(Interrupt::SelectLoser, victim).await;
    assert!(!slot.has_waiters(), "it left");
    claim.release();
    assert!(!slot.is_claimed(), "and was not granted the claim");
    Verdict::Pass
}

async fn c03_result_of_a_claim_is_its_guard<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watcher = rt.put(Watcher::new());
    // At whatever moment the value is dropped, it is the claim that is dropped.
    drop(slot.try_claim());
    assert!(!slot.is_claimed());
    {
        let mut wait = pin!(slot.claim());
        let polled = poll_once(wait.as_mut(), Waker::noop());
        assert!(slot.is_claimed());
        watcher.enlist(slot);
        drop(polled);
        assert!(!slot.is_claimed());
        assert_eq!(watcher.told(), ABANDONED);
    }
    // Out of a poll that carries it through two futures.
    let claimed = async { slot.claim().await };
    let outer = async {
        let claim = claimed.await?;
        yield_now().await;
        Ok::<_, Closed>(claim)
    };
    drop(outer.await);
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c03_unpolled_guard_releases<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let orphans = counter(rt);
    let claim = slot.try_claim().expect("free");
    let body = async { Ok::<(), ()>(()) };
    let guard = claim.guard(body, |cause| {
        assert_eq!(cause, Cause::Dropped);
        assert!(slot.is_claimed());
        orphans.fetch_add(1, Ordering::SeqCst);
    });
    assert!(slot.is_claimed());
    drop(guard);
    assert_eq!(orphans.load(Ordering::SeqCst), 1);
    assert!(!slot.is_claimed());
    Verdict::Pass
}

/// Claims at its first poll, and waits for ever.
async fn claims_at_once(slot: StaticSlot) {
    let _claim = slot.claim().await.expect("free");
    pending::<()>().await;
}

async fn c04_drop_at_first_poll_releases<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let others = rt.put(claimers::<2>());
    let parked = rt.put(Parked::new());
    parked.park(claims_at_once(slot));
    assert_eq!(parked.poll(Waker::noop()), Poll::Pending);
    assert!(slot.is_claimed());
    others[0].enlist(slot);
    others[1].enlist(slot);
    parked.leave();
    released_once(slot, others, ABANDONED);
    Verdict::Pass
}
