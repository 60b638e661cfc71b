//! c15–c19: the waiting future itself.

use core::pin::pin;
use core::task::{Poll, Waker};

use portable_atomic::Ordering;

use super::super::subject::{Closed, Outcome};
use super::parts::slot as new_slot;
use super::parts::{ABANDONED, Claimer, Polls, Watcher, claimers, counter, watchers};
use crate::kit::{TestWaker, eventually, poll_once, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { wait:
    c15_enlist_and_cancel_everywhere,
    c15_cancel_leaves_the_others_alone,
    c15_enlist_and_cancel_among_tasks,
    c16_poll_from_another_task_moves_the_waker,
    c17_spurious_polls_clone_nothing,
    c17_waiter_is_polled_twice,
    c18_check_then_wait_misses_no_release,
    c18_released_is_about_the_present_hold,
    c19_abandoned_in_the_queue_has_left,
    c19_abandoned_after_the_grant_has_the_claim,
    c19_abandoned_before_or_after_is_nothing,
    c19_abandoned_wait_for_the_end,
}

async fn c15_enlist_and_cancel_everywhere<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let queue = rt.put(claimers::<5>());
    let claim = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    let rounds = rt.count(1_000_000) / queue.len();
    for round in 0..rounds {
        // The place in the array is not the place in the queue for long: head, middle and tail all come by.
        let one = &queue[(round * 7 + round / 5) % queue.len()];
        one.leave();
        one.enlist(slot);
    }
    assert!(slot.has_waiters());
    assert!(
        queue
            .iter()
            .all(|one| one.waker.live() == 1 && one.wakes() == 0)
    );
    // Head, tail, middle.
    for gone in [0, 4, 2, 1, 3] {
        queue[gone].leave();
    }
    assert!(!slot.has_waiters() && slot.is_claimed());
    assert!(queue.iter().all(|one| one.waker.live() == 0));
    claim.release();
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c15_cancel_leaves_the_others_alone<R: Runtime>(rt: R) -> Verdict {
    for gone in 0..4 {
        let slot = new_slot(rt);
        let (queue, watching) = (rt.put(claimers::<4>()), rt.put(watchers::<4>()));
        let claim = slot.try_claim().expect("free");
        queue.iter().for_each(|one| one.enlist(slot));
        watching.iter().for_each(|one| one.enlist(slot));
        queue[gone].leave();
        watching[gone].wait.leave();
        assert!(queue.iter().all(|one| one.wakes() == 0));
        assert!(watching.iter().all(|one| one.waker.wakes() == 0));
        claim.release();
        for (i, one) in queue.iter().enumerate() {
            if i != gone {
                one.claimed().release();
            }
            assert_eq!(one.wakes(), usize::from(i != gone));
        }
        for (i, one) in watching.iter().enumerate() {
            if i != gone {
                assert_eq!(one.told(), Outcome::Done);
            }
            assert_eq!(one.waker.wakes(), usize::from(i != gone));
        }
        assert!(!slot.is_claimed());
    }
    Verdict::Pass
}

async fn c15_enlist_and_cancel_among_tasks<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 4;
    let slot = new_slot(rt);
    let rounds = rt.count(40_000) / TASKS;
    let tasks = [(); TASKS].map(|()| {
        rt.spawn(async move {
            for round in 0..rounds {
                let mut wait = pin!(slot.claim());
                let first = poll_once(wait.as_mut(), Waker::noop());
                if round % 64 == 0 {
                    yield_now().await;
                }
                // Dropped queued, granted or with the claim.
                drop(first);
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}

async fn c16_poll_from_another_task_moves_the_waker<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let one = rt.put(Claimer::new());
    let other = rt.put(TestWaker::new());
    let claim = slot.try_claim().expect("free");
    one.enlist(slot);
    assert_eq!(one.waker.live(), 1);
    one.wait.pending(&other.waker());
    assert_eq!(
        (one.waker.live(), other.live()),
        (0, 1),
        "the old is let go"
    );
    claim.release();
    assert_eq!((one.wakes(), other.wakes()), (0, 1));
    one.claimed().release();
    assert_eq!((one.waker.live(), other.live()), (0, 0));

    // The same among tasks: enlisted by one, finished by another.
    let claim = slot.try_claim().expect("free");
    one.enlist(slot);
    let claims = counter(rt);
    let polled = counter(rt);
    let task = rt.spawn(async move {
        let claim = core::future::poll_fn(|cx| {
            let polled_now = one.wait.poll(cx.waker());
            polled.fetch_add(1, Ordering::SeqCst);
            polled_now
        })
        .await;
        one.leave();
        claim.expect("nobody closes it").release();
        claims.fetch_add(1, Ordering::SeqCst);
    });
    eventually(rt, "the other task polls", || {
        polled.load(Ordering::SeqCst) > 0
    })
    .await;
    claim.release();
    assert_eq!(task.join().await, Ended::Finished);
    assert_eq!((claims.load(Ordering::SeqCst), one.wakes()), (1, 0));
    Verdict::Pass
}

async fn c17_spurious_polls_clone_nothing<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let [one, other] = rt.put(claimers::<2>());
    let watcher = rt.put(Watcher::new());
    let claim = slot.try_claim().expect("free");
    one.enlist(slot);
    other.enlist(slot);
    watcher.enlist(slot);
    let waker = one.waker.waker();
    for _ in 0..rt.count(10_000) {
        one.wait.pending(&waker);
        watcher.wait.pending(&watcher.waker.waker());
    }
    assert_eq!((one.waker.clones(), watcher.waker.clones()), (1, 1));
    drop(waker);
    claim.release();
    one.claimed().release();
    assert_eq!((one.waker.clones(), one.waker.live()), (1, 0));
    Verdict::Pass
}

async fn c17_waiter_is_polled_twice<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 8;
    let slot = new_slot(rt);
    let most = counter(rt);
    let claim = slot.try_claim().expect("free");
    let queued = counter(rt);
    let tasks = [(); TASKS].map(|()| {
        let polls = counter(rt);
        rt.spawn(async move {
            queued.fetch_add(1, Ordering::SeqCst);
            let wait = pin!(slot.claim());
            let claim = Polls(wait, polls).await.expect("nobody closes it");
            yield_now().await;
            claim.release();
            most.fetch_max(polls.load(Ordering::SeqCst), Ordering::SeqCst);
        })
    });
    eventually(rt, "all have begun", || {
        queued.load(Ordering::SeqCst) == TASKS
    })
    .await;
    claim.release();
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    let most = most.load(Ordering::SeqCst);
    assert!(most <= 2, "a waiter was polled {most} times");
    Verdict::Pass
}

async fn c18_check_then_wait_misses_no_release<R: Runtime>(rt: R) -> Verdict {
    const WATCHING: usize = 3;
    let slot = new_slot(rt);
    let rounds = rt.count(20_000) / 4;
    let holding = rt.spawn(async move {
        for round in 0..rounds {
            let claim = slot.claim().await.expect("nobody closes it");
            if round % 3 != 0 {
                yield_now().await;
            }
            claim.release();
            if round % 5 == 0 {
                yield_now().await;
            }
        }
    });
    // If one of them missed a release while nobody claims any more, it would wait for ever.
    let tasks = [(); WATCHING].map(|()| {
        rt.spawn(async move {
            for _ in 0..rounds {
                while slot.is_claimed() {
                    let told = slot.released().await;
                    assert!(told == Outcome::Done || told == Outcome::Passed);
                }
                yield_now().await;
            }
        })
    });
    assert_eq!(holding.join().await, Ended::Finished);
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert!(!slot.has_waiters());
    Verdict::Pass
}

async fn c18_released_is_about_the_present_hold<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    assert_eq!(
        slot.released().await,
        Outcome::Passed,
        "free: nothing to wait for"
    );
    let (watcher, heir) = (rt.put(Watcher::new()), rt.put(Claimer::new()));
    let claim = slot.try_claim().expect("free");
    watcher.enlist(slot);
    heir.enlist(slot);
    claim.release();
    // Claimed again before it is polled; it is told of the hold that it waited for.
    let claim = heir.claimed();
    assert_eq!((watcher.waker.wakes(), watcher.told()), (1, Outcome::Done));
    watcher.enlist(slot);
    drop(claim);
    assert_eq!(watcher.told(), ABANDONED);
    Verdict::Pass
}

async fn c19_abandoned_in_the_queue_has_left<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let [one, other] = rt.put(claimers::<2>());
    let claim = slot.try_claim().expect("free");
    one.enlist(slot);
    other.enlist(slot);
    assert!(one.wait.with_pin(|wait| wait.try_abandon()).is_none());
    assert_eq!(one.waker.live(), 0);
    claim.release();
    assert_eq!(
        (one.wakes(), other.wakes()),
        (0, 1),
        "it is not granted any more"
    );
    one.leave();
    other.claimed().release();
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c19_abandoned_after_the_grant_has_the_claim<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let [one, other] = rt.put(claimers::<2>());
    let claim = slot.try_claim().expect("free");
    one.enlist(slot);
    other.enlist(slot);
    claim.release();
    let arrived = one.wait.with_pin(|wait| wait.try_abandon());
    let claim = arrived.expect("granted").expect("nobody closes it");
    assert_eq!(other.wakes(), 0, "returned, not passed on");
    assert!(
        one.wait.with_pin(|wait| wait.try_abandon()).is_none(),
        "once"
    );
    one.leave();
    other.waits_on();
    claim.release();
    other.claimed().release();

    let claim = slot.try_claim().expect("free");
    one.enlist(slot);
    slot.close();
    let arrived = one.wait.with_pin(|wait| wait.try_abandon());
    assert_eq!(arrived.expect("told").unwrap_err(), Closed);
    claim.release();
    Verdict::Pass
}

async fn c19_abandoned_before_or_after_is_nothing<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let mut wait = pin!(slot.claim());
    assert!(wait.as_mut().try_abandon().is_none(), "it had not begun");
    assert!(!slot.is_claimed());
    let mut wait = pin!(slot.claim());
    let Poll::Ready(Ok(claim)) = poll_once(wait.as_mut(), Waker::noop()) else {
        panic!("free");
    };
    assert!(wait.as_mut().try_abandon().is_none(), "it was over");
    assert!(slot.is_claimed());
    claim.release();
    Verdict::Pass
}

async fn c19_abandoned_wait_for_the_end<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let [one, other] = rt.put(watchers::<2>());
    let claim = slot.try_claim().expect("free");
    one.enlist(slot);
    other.enlist(slot);
    assert_eq!(one.wait.with_pin(|wait| wait.try_abandon()), None);
    claim.release();
    let told = other.wait.with_pin(|wait| wait.try_abandon());
    assert_eq!(told, Some(Outcome::Done));
    assert_eq!((one.waker.wakes(), one.waker.live()), (0, 0));
    Verdict::Pass
}
