//! c06, c07, c09, c11: what happens to an orphan, and what the others are told.

use core::future::pending;
use core::task::{Poll, Waker};

use portable_atomic::Ordering;

use super::super::subject::{Outcome, Refused};
use super::parts::slot as new_slot;
use super::parts::{ABANDONED, Claimer, OnDrop, PANICKED, Watcher, claimers, counter, watchers};
use crate::kit::{Parked, eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { orphan:
    c06_orphan_promotes_exactly_one,
    c06_promoted_and_dropped_passes_on,
    c06_chain_of_losses_wakes_one_each,
    c06_orphans_among_tasks,
    c07_done_and_abandoned_are_told,
    c07_panic_of_a_polled_body_is_told_apart needs UNWIND,
    c07_panic_of_a_bare_claim_is_told_apart needs UNWIND STD,
    c07_claim_made_while_unwinding_is_no_panic needs UNWIND STD,
    c09_first_in_first_out,
    c09_newcomer_overtakes_no_granted_waiter,
    c11_unpolled_leader_stalls_and_its_drop_frees,
}

async fn c06_orphan_promotes_exactly_one<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let queue = rt.put(claimers::<5>());
    let claim = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    drop(claim);
    let wakes = queue.each_ref().map(Claimer::wakes);
    assert_eq!(wakes, [1, 0, 0, 0, 0], "one is promoted, nobody else woken");
    let heir = queue[0].claimed();
    assert_eq!(heir.inherited(), Some(ABANDONED));
    queue[1..].iter().for_each(|one| one.waits_on());
    heir.release();
    let wakes = queue.each_ref().map(Claimer::wakes);
    assert_eq!(wakes, [1, 1, 0, 0, 0]);
    queue.iter().for_each(Claimer::leave);
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}

async fn c06_promoted_and_dropped_passes_on<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let queue = rt.put(claimers::<3>());
    let claim = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    drop(claim);
    queue[0].leave();
    assert_eq!(queue.each_ref().map(Claimer::wakes), [1, 1, 0]);
    assert!(slot.is_claimed());
    // The heir inherits from him who really held it.
    assert_eq!(queue[1].claimed().inherited(), Some(ABANDONED));
    // That was a loss too; now the last is granted and goes: nobody is left.
    assert_eq!(queue.each_ref().map(Claimer::wakes), [1, 1, 1]);
    queue[2].leave();
    assert!(!slot.is_claimed() && !slot.has_waiters());
    assert!(queue.iter().all(|one| one.waker.live() == 0));
    Verdict::Pass
}

async fn c06_chain_of_losses_wakes_one_each<R: Runtime>(rt: R) -> Verdict {
    const LOSSES: usize = 24;
    let slot = new_slot(rt);
    let queue = rt.put(claimers::<LOSSES>());
    let claim = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    drop(claim);
    for (lost, one) in queue.iter().enumerate() {
        let total: usize = queue.iter().map(Claimer::wakes).sum();
        assert_eq!(total, lost + 1, "one wake a loss");
        if lost % 2 == 0 {
            drop(one.claimed());
        } else {
            one.leave();
        }
    }
    assert!(!slot.is_claimed());
    assert!(queue.iter().all(|one| one.wakes() == 1));
    Verdict::Pass
}

async fn c06_orphans_among_tasks<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 6;
    let slot = new_slot(rt);
    let (inside, runs) = (counter(rt), counter(rt));
    let first = slot.try_claim().expect("free");
    let tasks = [(); TASKS].map(|()| {
        rt.spawn(async move {
            let claim = slot.claim().await.expect("nobody closes it");
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            yield_now().await;
            runs.fetch_add(1, Ordering::SeqCst);
            inside.fetch_sub(1, Ordering::SeqCst);
            drop(claim);
        })
    });
    eventually(rt, "somebody queues up", || slot.has_waiters()).await;
    drop(first);
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(runs.load(Ordering::SeqCst), TASKS);
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c07_done_and_abandoned_are_told<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watching = rt.put(watchers::<3>());
    let heir = rt.put(Claimer::new());
    let claim = slot.try_claim().expect("free");
    watching.iter().for_each(|one| one.enlist(slot));
    heir.enlist(slot);
    claim.release();
    for one in watching {
        assert_eq!((one.told(), one.waker.wakes()), (Outcome::Done, 1));
    }
    let claim = heir.claimed();
    assert_eq!(claim.inherited(), Some(Outcome::Done));
    watching[0].enlist(slot);
    drop(claim);
    assert_eq!(watching[0].told(), ABANDONED);
    assert!(Outcome::Done.is_done() && ABANDONED.is_abandoned() && !ABANDONED.by_panic());
    Verdict::Pass
}

async fn c07_panic_of_a_polled_body_is_told_apart<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watcher = rt.put(Watcher::new());
    let task = rt.spawn(async move {
        let claim = slot.try_claim().expect("free");
        watcher.enlist(slot);
        let body = async {
            yield_now().await;
            panic!("on purpose")
        };
        let _: Result<(), ()> = claim.guard(body, |_| ()).await;
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(watcher.told(), PANICKED);
    Verdict::Pass
}

async fn c07_panic_of_a_bare_claim_is_told_apart<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watcher = rt.put(Watcher::new());
    let task = rt.spawn(async move {
        let _claim = slot.try_claim().expect("free");
        watcher.enlist(slot);
        panic!("on purpose");
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(watcher.told(), PANICKED);
    Verdict::Pass
}

async fn c07_claim_made_while_unwinding_is_no_panic<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watcher = rt.put(Watcher::new());
    let task = rt.spawn(async move {
        let _clean_up = OnDrop(|| {
            let claim = slot.try_claim().expect("free");
            watcher.enlist(slot);
            drop(claim);
        });
        panic!("on purpose");
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(watcher.told(), ABANDONED);
    Verdict::Pass
}

async fn c09_first_in_first_out<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let queue = rt.put(claimers::<8>());
    let mut held = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    // Those who leave do not disturb the order of the others.
    for gone in [0, 3, 7] {
        queue[gone].leave();
    }
    for next in [1, 2, 4, 5, 6] {
        held.release();
        for (i, one) in queue.iter().enumerate() {
            assert_eq!(one.wakes() == 1, ![0, 3, 7].contains(&i) && i <= next);
        }
        held = queue[next].claimed();
    }
    held.release();
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c09_newcomer_overtakes_no_granted_waiter<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let [granted, newcomer] = rt.put(claimers::<2>());
    let claim = slot.try_claim().expect("free");
    granted.enlist(slot);
    claim.release();
    // Granted, not yet polled: the claim is his.
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
    newcomer.enlist(slot);
    let claim = granted.claimed();
    newcomer.waits_on();
    claim.release();
    newcomer.claimed().release();
    assert_eq!((granted.wakes(), newcomer.wakes()), (1, 1));
    Verdict::Pass
}

async fn c11_unpolled_leader_stalls_and_its_drop_frees<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let leader = rt.put(Parked::new());
    leader.park(async move {
        let claim = slot.claim().await.expect("free");
        let _ = claim.guard(pending::<Result<(), ()>>(), |_| ()).await;
    });
    assert_eq!(leader.poll(Waker::noop()), Poll::Pending);
    let followers = rt.put(counter(rt));
    let tasks = [(); 3].map(|()| {
        rt.spawn(async move {
            let claim = slot.claim().await.expect("nobody closes it");
            followers.fetch_add(1, Ordering::SeqCst);
            claim.release();
        })
    });
    eventually(rt, "a follower queues up", || slot.has_waiters()).await;
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(
        followers.load(Ordering::SeqCst),
        0,
        "they wait, as documented"
    );
    leader.leave();
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(followers.load(Ordering::SeqCst), 3);
    Verdict::Pass
}
