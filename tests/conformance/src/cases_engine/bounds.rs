//! c19, c02 with the core's own time bounds, on a mock clock and on the runtime's.

use core::time::Duration;

use super::super::subject::{Line, LineStatus, Outcome, Slot, TimedOut};
use portable_atomic::Ordering;

use super::super::cases::parts::{Claimer, StaticSlot, counter};
use crate::kit::{MockClock, Parked, TestWaker};
use crate::{Clock, Ended, Runtime, Task, Verdict};

cases! { engine bounds:
    c19_timed_out_wait_has_left_the_queue,
    c19_grant_at_the_deadline_is_returned,
    c19_past_deadline_looks_once,
    c19_wait_over_at_once_sets_no_timer,
    c19_dropped_deadline_leaves_queue_and_timer,
    c19_timeout_on_the_runtimes_clock,
}

fn new_slot<R: Runtime>(rt: R) -> StaticSlot {
    rt.put(Slot::new())
}

const MS: Duration = Duration::from_millis(1);

async fn c19_timed_out_wait_has_left_the_queue<R: Runtime>(rt: R) -> Verdict {
    let (slot, clock) = (new_slot(rt), rt.put(MockClock::new()));
    let (waker, behind) = (rt.put(TestWaker::new()), rt.put(Claimer::new()));
    let bounded = rt.put(Parked::new());
    let claim = slot.try_claim().expect("free");
    bounded.park(slot.claim().timeout(clock, 5 * MS));
    bounded.pending(&waker.waker());
    behind.enlist(slot);
    clock.advance(4 * MS);
    assert_eq!(waker.wakes(), 0);
    bounded.pending(&waker.waker());
    clock.advance(MS);
    assert_eq!(waker.wakes(), 1);
    assert_eq!(bounded.ready().map(drop), Err(TimedOut));
    claim.release();
    assert_eq!((waker.wakes(), behind.wakes()), (1, 1));
    behind.claimed().release();
    bounded.leave();
    assert_eq!((waker.live(), clock.sleepers()), (0, 0));
    Verdict::Pass
}

async fn c19_grant_at_the_deadline_is_returned<R: Runtime>(rt: R) -> Verdict {
    let (slot, clock) = (new_slot(rt), rt.put(MockClock::new()));
    let waker = rt.put(TestWaker::new());
    let bounded = rt.put(Parked::new());
    let claim = slot.try_claim().expect("free");
    bounded.park(
        slot.claim()
            .deadline(clock, clock.after(clock.now(), 5 * MS)),
    );
    bounded.pending(&waker.waker());
    // Both have happened by the time it is polled.
    clock.advance(5 * MS);
    claim.release();
    let claim = bounded.ready().expect("the grant wins").expect("open");
    assert_eq!(claim.inherited(), Some(Outcome::Done));
    claim.release();
    bounded.leave();
    assert_eq!((waker.live(), clock.sleepers()), (0, 0));
    Verdict::Pass
}

async fn c19_past_deadline_looks_once<R: Runtime>(rt: R) -> Verdict {
    let (slot, clock) = (new_slot(rt), rt.put(MockClock::new()));
    let at = clock.now();
    clock.advance(MS);
    let claim = slot.claim().deadline(clock, at).await;
    let claim = claim.expect("free: time does not matter").expect("open");
    assert_eq!(
        slot.claim().deadline(clock, at).await.map(drop),
        Err(TimedOut)
    );
    assert!(!slot.has_waiters());
    claim.release();
    Verdict::Pass
}

async fn c19_wait_over_at_once_sets_no_timer<R: Runtime>(rt: R) -> Verdict {
    let (slot, clock) = (new_slot(rt), rt.put(MockClock::new()));
    let claimed = slot.claim().timeout(clock, MS).await;
    assert_eq!(clock.sleeps(), 0);
    drop(claimed);
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c19_dropped_deadline_leaves_queue_and_timer<R: Runtime>(rt: R) -> Verdict {
    let (slot, clock) = (new_slot(rt), rt.put(MockClock::new()));
    let (waker, behind) = (rt.put(TestWaker::new()), rt.put(Claimer::new()));
    let bounded = rt.put(Parked::new());
    // Dropped while it waits, and dropped when it was granted.
    for granted in [false, true] {
        let claim = slot.try_claim().expect("free");
        bounded.park(slot.claim().timeout(clock, MS));
        bounded.pending(&waker.waker());
        behind.enlist(slot);
        assert_eq!(clock.sleepers(), 1);
        let claim = if granted {
            claim.release();
            None
        } else {
            Some(claim)
        };
        bounded.leave();
        assert_eq!((waker.live(), clock.sleepers()), (0, 0));
        drop(claim);
        behind.claimed().release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    }
    Verdict::Pass
}

async fn c19_timeout_on_the_runtimes_clock<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let line: &'static Line = rt.put(Line::new());
    let claim = slot.try_claim().expect("free");
    let held = line.try_acquire_token().success().expect("free");
    let ends = counter(rt);
    let [late, later, last] = [
        rt.spawn(async move {
            let start = rt.timer().now();
            let late = slot.claim().timeout(rt.timer(), 3 * MS).await;
            assert_eq!(late.map(drop), Err(TimedOut));
            assert!(rt.timer().now() >= rt.timer().after(start, 3 * MS));
            ends.fetch_add(1, Ordering::SeqCst);
        }),
        rt.spawn(async move {
            let LineStatus::Busy(wait) = line.status() else {
                panic!("busy");
            };
            assert_eq!(wait.timeout(rt.timer(), MS).await, Err(TimedOut));
            ends.fetch_add(1, Ordering::SeqCst);
        }),
        rt.spawn(async move {
            // Far away: it is the release that ends it.
            let released = slot.released().timeout(rt.timer(), Duration::MAX).await;
            assert_eq!(released, Ok(Outcome::Done));
        }),
    ];
    // Joined, not looked for in a loop: a virtual clock stands still while anybody has something to do.
    assert_eq!(late.join().await, Ended::Finished);
    assert_eq!(later.join().await, Ended::Finished);
    assert_eq!(ends.load(Ordering::SeqCst), 2);
    claim.release();
    assert_eq!(last.join().await, Ended::Finished);
    held.release();
    assert!(!slot.has_waiters() && !line.has_waiters());
    Verdict::Pass
}
