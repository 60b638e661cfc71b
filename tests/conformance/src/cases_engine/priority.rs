//! Two executors, one of which preempts the other, on one slot.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

use super::super::subject::Slot;
use atomic_waker::AtomicWaker;
use portable_atomic::{AtomicUsize, Ordering};

use crate::kit::{Parked, eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine priority:
    two_priorities_share_a_slot_without_livelock needs PRIORITIES,
    two_executors_poll_one_future needs PRIORITIES,
}

/// Claims, counting its polls; works for a few turns; releases.
async fn visit(slot: &'static Slot, polls: &'static AtomicUsize, inside: &'static AtomicUsize) {
    let mut wait = pin!(slot.claim());
    let claim = poll_fn(|cx| {
        polls.fetch_add(1, Ordering::SeqCst);
        wait.as_mut().poll(cx)
    })
    .await
    .expect("nobody closes it");
    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two claims");
    for _ in 0..3 {
        yield_now().await;
    }
    inside.fetch_sub(1, Ordering::SeqCst);
    claim.release();
}

async fn two_priorities_share_a_slot_without_livelock<R: Runtime>(rt: R) -> Verdict {
    const ROUNDS: usize = 20;
    let slot: &'static Slot = rt.put(Slot::new());
    let (polls, inside) = (rt.put(AtomicUsize::new(0)), rt.put(AtomicUsize::new(0)));
    // Held down here, wanted twice up there: where waiters are woken in turns instead of queued, they wake each other
    // for ever, and the holder below never gets on.
    let tasks = [rt, rt.above(), rt.above(), rt].map(|on| {
        on.spawn(async move {
            for _ in 0..ROUNDS {
                visit(slot, polls, inside).await;
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    let polls = polls.load(Ordering::SeqCst);
    assert!(
        polls <= 2 * 4 * ROUNDS,
        "{polls} polls for {} claims",
        4 * ROUNDS
    );
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}

async fn two_executors_poll_one_future<R: Runtime>(rt: R) -> Verdict {
    let slot: &'static Slot = rt.put(Slot::new());
    let claim = slot.try_claim().expect("free");
    let shared = rt.put(Parked::new());
    shared.park(slot.claim());
    let (polls, served) = (rt.put(AtomicUsize::new(0)), rt.put(AtomicUsize::new(0)));
    // Whoever polls last is woken; the other looks again when it is told to.
    let poller = move |on: R, look_again: &'static AtomicWaker| {
        on.spawn(async move {
            poll_fn(|cx| {
                look_again.register(cx.waker());
                if !shared.is_parked() {
                    return Poll::Ready(());
                }
                polls.fetch_add(1, Ordering::SeqCst);
                match shared.poll(cx.waker()) {
                    Poll::Ready(claim) => {
                        shared.leave();
                        claim.expect("nobody closes it").release();
                        served.fetch_add(1, Ordering::SeqCst);
                        Poll::Ready(())
                    }
                    Poll::Pending if served.load(Ordering::SeqCst) == 0 => Poll::Pending,
                    Poll::Pending => Poll::Ready(()),
                }
            })
            .await;
        })
    };
    let polled = move |times| move || polls.load(Ordering::SeqCst) == times;
    let (one, other) = (rt.put(AtomicWaker::new()), rt.put(AtomicWaker::new()));
    let below = poller(rt, one);
    eventually(rt, "the lower one polls", polled(1)).await;
    let preempting = poller(rt.above(), other);
    eventually(rt, "the upper one polls", polled(2)).await;
    claim.release();
    assert_eq!(preempting.join().await, Ended::Finished);
    assert_eq!(served.load(Ordering::SeqCst), 1);
    assert_eq!(polls.load(Ordering::SeqCst), 3);
    assert!(!slot.is_claimed() && !slot.has_waiters());
    // It was not woken, and would wait for ever: that is what one waker a future means. Told to look, it ends.
    one.wake();
    assert_eq!(below.join().await, Ended::Finished);
    Verdict::Pass
}
