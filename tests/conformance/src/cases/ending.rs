//! c12–c14: closing, forgetting, owning.

use core::task::Poll;

use portable_atomic::Ordering;

use super::super::subject::{Closed, Outcome, Refused, Slot};
use super::parts::slot as new_slot;
use super::parts::{ABANDONED, Claimer, Watcher, claimers, counter, watchers};
use crate::kit::{Guarded, Parked, TestWaker, eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { ending:
    c12_close_tells_everybody,
    c12_closed_slot_refuses,
    c12_holder_and_granted_waiter_finish,
    c12_claims_racing_a_close,
    c13_forgotten_claim_keeps_the_slot_until_it_is_closed,
    c13_forgotten_queued_wait_is_served_in_its_turn,
    c14_claim_moves_to_another_task,
    c14_owned_claims_and_waits needs ALLOC,
}

async fn c12_close_tells_everybody<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let (queue, watching) = (rt.put(claimers::<3>()), rt.put(watchers::<3>()));
    let claim = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    watching.iter().for_each(|one| one.enlist(slot));
    assert!(slot.close(), "this call closes it");
    assert!(!slot.close(), "this one finds it closed");
    assert!(slot.is_closed() && slot.is_claimed() && !slot.has_waiters());
    for one in queue {
        assert_eq!((one.wakes(), one.told().unwrap_err()), (1, Closed));
    }
    for one in watching {
        assert_eq!((one.waker.wakes(), one.told()), (1, Outcome::Closed));
    }
    claim.release();
    assert!(slot.is_closed() && !slot.is_claimed());
    assert!(queue.iter().all(|one| one.waker.live() == 0));
    Verdict::Pass
}

async fn c12_closed_slot_refuses<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    assert!(slot.close());
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Closed);
    assert_eq!(slot.claim().await.unwrap_err(), Closed);
    assert_eq!(slot.released().await, Outcome::Closed);
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c12_holder_and_granted_waiter_finish<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let [granted, queued] = rt.put(claimers::<2>());
    let claim = slot.try_claim().expect("free");
    granted.enlist(slot);
    queued.enlist(slot);
    claim.release();
    // The grant was made before the close, and stands.
    slot.close();
    let claim = granted.claimed();
    assert!(slot.is_claimed());
    assert_eq!(queued.told().unwrap_err(), Closed);
    claim.release();
    assert!(!slot.is_claimed());
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Closed);
    Verdict::Pass
}

async fn c12_claims_racing_a_close<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 4;
    for round in 0..rt.count(200) {
        let slot = new_slot(rt);
        let (claims, refused) = (counter(rt), counter(rt));
        let tasks = [(); TASKS].map(|()| {
            rt.spawn(async move {
                while let Ok(claim) = slot.claim().await {
                    claims.fetch_add(1, Ordering::SeqCst);
                    yield_now().await;
                    claim.release();
                }
                refused.fetch_add(1, Ordering::SeqCst);
            })
        });
        for _ in 0..round % 8 {
            yield_now().await;
        }
        assert!(slot.close());
        for task in tasks {
            assert_eq!(task.join().await, Ended::Finished);
        }
        assert_eq!(refused.load(Ordering::SeqCst), TASKS);
        assert!(!slot.is_claimed() && !slot.has_waiters());
    }
    Verdict::Pass
}

async fn c13_forgotten_claim_keeps_the_slot_until_it_is_closed<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    core::mem::forget(slot.try_claim().expect("free"));
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
    let (queue, watcher) = (rt.put(claimers::<2>()), rt.put(Watcher::new()));
    queue.iter().for_each(|one| one.enlist(slot));
    watcher.enlist(slot);
    slot.close();
    assert!(queue.iter().all(|one| one.told().unwrap_err() == Closed));
    assert_eq!(watcher.told(), Outcome::Closed);
    Verdict::Pass
}

async fn c13_forgotten_queued_wait_is_served_in_its_turn<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let [before, forgotten, after] = rt.put(claimers::<3>());
    let claim = slot.try_claim().expect("free");
    before.enlist(slot);
    forgotten.enlist(slot);
    after.enlist(slot);
    claim.release();
    before.claimed().release();
    // Nobody polls it any more, and nobody drops it: the claim is lost with it, as documented.
    assert_eq!((forgotten.wakes(), after.wakes()), (1, 0));
    after.waits_on();
    slot.close();
    assert_eq!(after.told().unwrap_err(), Closed);
    assert!(slot.is_claimed());
    Verdict::Pass
}

async fn c14_claim_moves_to_another_task<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let handed = rt.put(Guarded::new(None));
    let heir = rt.put(Claimer::new());
    let first = rt.spawn(async move {
        let claim = slot.claim().await.expect("free");
        heir.enlist(slot);
        handed.with(|place| *place = Some(claim));
    });
    assert_eq!(first.join().await, Ended::Finished);
    // Its task is over, the claim is not.
    assert!(slot.is_claimed() && heir.wakes() == 0);
    let second = rt.spawn(async move {
        let claim = handed.with(Option::take).expect("handed over");
        yield_now().await;
        claim.release();
    });
    assert_eq!(second.join().await, Ended::Finished);
    assert_eq!(heir.claimed().inherited(), Some(Outcome::Done));
    Verdict::Pass
}

on_hosts! {
async fn c14_owned_claims_and_waits<R: Runtime>(rt: R) -> Verdict {
    use std::sync::Arc;

    let slot: Arc<Slot> = Arc::new(Slot::new());
    let claim = Slot::try_claim_owned(&slot).expect("free");
    let refused = Slot::try_claim_owned(&slot).map(drop);
    assert_eq!(refused, Err(Refused::Busy));
    let (wait, end) = (Slot::claim_owned(&slot), Slot::released_owned(&slot));
    let (claimed, told) = (counter(rt), counter(rt));
    let waiting = rt.spawn(async move {
        let claim = wait.await.expect("nobody closes it");
        // Queued in time, or come late to a free slot.
        assert!(matches!(claim.inherited(), None | Some(ABANDONED)));
        claimed.fetch_add(1, Ordering::SeqCst);
        assert!(claim.slot().is_claimed());
        claim.release();
    });
    let watching = rt.spawn(async move {
        let _ = end.await;
        told.fetch_add(1, Ordering::SeqCst);
    });
    eventually(rt, "somebody waits", || slot.has_waiters()).await;
    // The claim, its slot with it, ends in a task of its own.
    let ending = rt.spawn(async move {
        yield_now().await;
        drop(claim);
    });
    for task in [waiting, watching, ending] {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(claimed.load(Ordering::SeqCst) + told.load(Ordering::SeqCst), 2);
    assert!(!slot.is_claimed());

    // A wait keeps its slot alive: nobody else has it.
    let held = Slot::try_claim_owned(&slot).expect("free");
    let waker = rt.put(TestWaker::new());
    let wait = rt.put(Parked::new());
    wait.park(Slot::claim_owned(&slot));
    drop(slot);
    assert!(wait.poll(&waker.waker()).is_pending());
    held.release();
    let Poll::Ready(Ok(claim)) = wait.poll(&waker.waker()) else { panic!("granted") };
    wait.leave();
    let slot = Arc::clone(claim.slot());
    drop(claim);
    assert_eq!(Arc::strong_count(&slot), 1, "every owner has gone");
    Verdict::Pass
}
}
