//! c20: threads without a runtime, in the same queues as tasks.

use core::time::Duration;

use super::super::subject::{Claim, Closed, Outcome, Slot, TimedOut};
use portable_atomic::Ordering;

use super::super::cases::parts::{ABANDONED, Claimer, StaticSlot, counter};
use crate::kit::{eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine blocking:
    c20_thread_stands_in_the_queue_with_tasks needs STD BLOCKING,
    c20_thread_is_told_how_the_hold_ended needs STD BLOCKING,
    c20_timed_out_thread_has_left needs STD BLOCKING,
    c20_thread_is_told_of_the_close needs STD BLOCKING,
    c20_threads_and_tasks_take_turns needs STD BLOCKING,
}

fn new_slot<R: Runtime>(rt: R) -> StaticSlot {
    rt.put(Slot::new())
}

on_hosts! {
async fn c20_thread_stands_in_the_queue_with_tasks<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let (behind, order) = (rt.put(Claimer::new()), counter(rt));
    let claim = slot.try_claim().expect("free");
    let thread = std::thread::spawn(move || {
        let claim = slot.claim_blocking().expect("nobody closes it");
        let came = order.fetch_add(1, Ordering::SeqCst);
        (claim.inherited(), came)
    });
    eventually(rt, "the thread queues up", || slot.has_waiters()).await;
    behind.enlist(slot);
    drop(claim);
    eventually(rt, "the thread lets go", || behind.wakes() == 1).await;
    let claim = behind.claimed();
    assert_eq!(order.load(Ordering::SeqCst), 1, "the thread came first");
    assert_eq!(claim.inherited(), Some(ABANDONED));
    assert_eq!(thread.join().expect("no panic"), (Some(ABANDONED), 0));
    Verdict::Pass
}
}

on_hosts! {
async fn c20_thread_is_told_how_the_hold_ended<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    for done in [true, false] {
        let claim = slot.try_claim().expect("free");
        let thread = std::thread::spawn(move || slot.released_blocking());
        eventually(rt, "the thread queues up", || slot.has_waiters()).await;
        let told = if done {
            claim.release();
            Outcome::Done
        } else {
            drop(claim);
            ABANDONED
        };
        assert_eq!(thread.join().expect("no panic"), told);
    }
    assert_eq!(slot.released_blocking(), Outcome::Passed);
    Verdict::Pass
}
}

on_hosts! {
async fn c20_timed_out_thread_has_left<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let claim = slot.try_claim().expect("free");
    let thread = std::thread::spawn(move || {
        let millisecond = Duration::from_millis(1);
        let claimed = slot.claim_blocking_timeout(millisecond).map(drop);
        let told = slot.released_blocking_timeout(millisecond);
        let looked = slot.claim_blocking_timeout(Duration::ZERO).map(drop);
        (claimed, told, looked)
    });
    let told = thread.join().expect("no panic");
    assert_eq!(told, (Err(TimedOut), Err(TimedOut), Err(TimedOut)));
    assert!(!slot.has_waiters());
    claim.release();
    assert!(!slot.is_claimed(), "nothing went to the thread");
    let claimed = slot.claim_blocking_timeout(Duration::ZERO);
    assert!(claimed.is_ok_and(|claim| claim.is_ok()));
    Verdict::Pass
}
}

on_hosts! {
async fn c20_thread_is_told_of_the_close<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let _claim = slot.try_claim().expect("free");
    let thread = std::thread::spawn(move || slot.claim_blocking().map(drop));
    eventually(rt, "the thread queues up", || slot.has_waiters()).await;
    slot.close();
    assert_eq!(thread.join().expect("no panic"), Err(Closed));
    assert_eq!(slot.claim_blocking().map(drop), Err(Closed));
    assert_eq!(slot.released_blocking(), Outcome::Closed);
    Verdict::Pass
}
}

on_hosts! {
async fn c20_threads_and_tasks_take_turns<R: Runtime>(rt: R) -> Verdict {
    const EACH: usize = 2;
    let slot = new_slot(rt);
    let (inside, claims) = (counter(rt), counter(rt));
    let rounds = rt.count(2_000);
    let once = move |claim: Claim<StaticSlot>| {
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two claims");
        claims.fetch_add(1, Ordering::SeqCst);
        inside.fetch_sub(1, Ordering::SeqCst);
        claim.release();
    };
    let threads = [(); EACH].map(|()| {
        std::thread::spawn(move || {
            for _ in 0..rounds {
                once(slot.claim_blocking().expect("nobody closes it"));
            }
        })
    });
    let tasks = [(); EACH].map(|()| {
        rt.spawn(async move {
            for _ in 0..rounds {
                once(slot.claim().await.expect("nobody closes it"));
                yield_now().await;
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert_eq!(claims.load(Ordering::SeqCst), 2 * EACH * rounds);
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}
}
