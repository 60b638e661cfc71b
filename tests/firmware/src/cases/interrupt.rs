//! Release, grant and close from an interrupt handler, while tasks wait; and handlers that meddle at any moment.

use ecluse_conformance::kit::{Guarded, eventually, yield_now};
use ecluse_conformance::{Ended, Runtime, Task};
use ecluse_core::{AcquireOutcome, Claim, Closed, Line, Outcome, Slot};
use portable_atomic::{AtomicUsize, Ordering};

use crate::chip;
use crate::runtime::Chip;

type StaticSlot = &'static Slot;
type Kept = Guarded<Option<Claim<StaticSlot>>>;

fn slot(rt: Chip) -> StaticSlot {
    rt.put(Slot::new())
}

/// A claim in a place that a handler can take it from.
fn kept(rt: Chip, slot: StaticSlot) -> &'static Kept {
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

pub(super) async fn claim_is_released_in_an_interrupt(rt: Chip) {
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
    chip::in_interrupt(rt.put(move || take(kept).release()));
    assert!(!slot.is_claimed(), "free when the handler returns");
    for watcher in watchers {
        assert_eq!(watcher.join().await, Ended::Finished);
    }
    assert_eq!(told.load(Ordering::SeqCst), 6);
}

pub(super) async fn claim_is_granted_in_an_interrupt(rt: Chip) {
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
        chip::in_interrupt(rt.put(move || drop(take(kept))));
        assert!(slot.is_claimed(), "granted when the handler returns");
        let arrived = || kept.with(|place| place.is_some());
        eventually(rt, "an heir puts the claim back", arrived).await;
    }
    for heir in heirs {
        assert_eq!(heir.join().await, Ended::Finished);
    }
    drop(take(kept));
    assert!(!slot.is_claimed());
}

pub(super) async fn slot_is_closed_in_an_interrupt(rt: Chip) {
    let slot = slot(rt);
    let kept = kept(rt, slot);
    let refused = [(); 3].map(|()| {
        rt.spawn(async move {
            assert_eq!(slot.claim().await.map(drop), Err(Closed));
        })
    });
    waiting(slot).await;
    chip::in_interrupt(rt.put(move || assert!(slot.close())));
    for task in refused {
        assert_eq!(task.join().await, Ended::Finished);
    }
    take(kept).release();
}

pub(super) async fn line_is_released_in_an_interrupt(rt: Chip) {
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
    let token = kept.with(Option::take);
    let token = rt.put(Guarded::new(token));
    chip::in_interrupt(rt.put(move || token.with(Option::take).expect("kept").release()));
    assert!(!line.is_busy());
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
}

pub(super) async fn interrupts_at_any_time_lose_nobody(rt: Chip) {
    const MEDDLINGS: usize = 40;
    let slot = slot(rt);
    let (inside, meddlings) = (rt.put(AtomicUsize::new(0)), rt.put(AtomicUsize::new(0)));
    // Each tick's handler claims the slot if it is free, and gives it up at once: whoever enlists in between is its heir.
    chip::on_tick(Some(rt.put(move || {
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
    chip::on_tick(None);
    assert!(!slot.is_claimed() && !slot.has_waiters());
}
