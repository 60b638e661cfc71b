//! Threads without a runtime: they stand in the same queues as tasks.

use std::{
    pin::pin,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use ecluse_core::{
    Claim, Closed, DefaultLock, Handoff, Line, Outcome, Slot, TimedOut,
    observe::{Event, EventKind, Numbered, Observer},
};

use crate::{
    kit::{LIMIT, poll, ready, within},
    walks_line::{token, wait},
};

/// Returns when `n` stand in the queue; there is no event for that, so it looks again and again.
fn until(condition: impl Fn() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

#[test]
fn c20_threads_and_tasks_queue_in_one_order() {
    within(|| {
        let slot = Arc::new(<Slot>::new());
        let claim = slot.try_claim().unwrap();
        let (order, log) = mpsc::channel();
        let blocked = thread::spawn({
            let (slot, order) = (slot.clone(), order.clone());
            move || {
                let claim = slot.claim_blocking().unwrap();
                order.send("thread").unwrap();
                claim.release();
            }
        });
        until(|| slot.has_waiters());
        let mut task = pin!(slot.claim());
        assert!(poll(task.as_mut()).is_pending());
        claim.release();
        blocked.join().unwrap();
        let claim = ready(poll(task.as_mut())).unwrap();
        order.send("task").unwrap();
        assert_eq!(log.try_iter().collect::<Vec<_>>(), ["thread", "task"]);
        claim.release();
        assert!(!slot.is_claimed());
    });
}

#[test]
fn many_threads_hold_one_after_the_other() {
    within(|| {
        let slot = <Slot>::new();
        let line = <Line>::new();
        let inside = std::sync::atomic::AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let claim = slot.claim_blocking().unwrap();
                        assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        claim.release();
                        match line.try_acquire_token() {
                            ecluse_core::AcquireOutcome::Success(token) => token.release(),
                            ecluse_core::AcquireOutcome::Failure(wait) => {
                                assert_ne!(wait.block(), Outcome::Closed);
                            }
                        }
                    }
                });
            }
        });
        assert!(!slot.is_claimed() && !slot.has_waiters());
        assert!(!line.is_busy() && !line.has_waiters());
    });
}

#[test]
fn a_limit_ends_a_blocking_wait_which_then_has_left() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        for limit in [Duration::ZERO, Duration::from_millis(5)] {
            assert_eq!(slot.claim_blocking_timeout(limit).unwrap_err(), TimedOut);
            assert_eq!(slot.released_blocking_timeout(limit), Err(TimedOut));
            assert!(!slot.has_waiters());
        }
        claim.release();
        assert!(slot.claim_blocking_timeout(Duration::ZERO).unwrap().is_ok());
        assert!(slot.claim_blocking_timeout(LIMIT).unwrap().is_ok());
        assert_eq!(slot.released_blocking(), Outcome::Passed);
        slot.close();
        assert_eq!(slot.claim_blocking().unwrap_err(), Closed);
    });
}

#[test]
fn a_close_and_a_release_wake_blocked_threads() {
    within(|| {
        let (slot, line) = (<Slot>::new(), <Line>::new());
        let (claim, held) = (slot.try_claim().unwrap(), token(&line));
        thread::scope(|scope| {
            let claimer = scope.spawn(|| slot.claim_blocking().map(drop));
            let observer = scope.spawn(|| wait(&line).block_timeout(LIMIT));
            until(|| slot.has_waiters() && line.has_waiters());
            slot.close();
            held.release();
            assert_eq!(claimer.join().unwrap(), Err(Closed));
            assert_eq!(observer.join().unwrap(), Ok(Outcome::Done));
        });
        drop(claim);
    });
}

/// An `unpark` from elsewhere is not a grant.
#[test]
fn a_stray_unpark_is_no_grant() {
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| slot.released_blocking());
            until(|| slot.has_waiters());
            for _ in 0..3 {
                waiter.thread().unpark();
            }
            assert!(slot.has_waiters());
            claim.release();
            assert_eq!(waiter.join().unwrap(), Outcome::Done);
        });
    });
}

/// What arrives between the last look and the return is returned: here a hook lets the claim go
/// when the wait has just been enlisted.
#[test]
fn what_arrives_at_the_last_moment_is_returned() {
    type Watched = Slot<Handoff, DefaultLock, LetsGo>;
    #[derive(Default)]
    struct LetsGo(Mutex<Option<Claim<&'static Watched>>>);
    impl Observer for LetsGo {
        type Numbers = Numbered;
        fn event(&self, event: Event) {
            if event.kind == EventKind::Enlisted {
                let claim = self.0.lock().unwrap().take();
                drop(claim);
            }
        }
    }
    within(|| {
        let slot: &'static Watched = Box::leak(Box::new(Slot::with_observer(LetsGo::default())));
        let claim = slot.try_claim().unwrap();
        *slot.observer().0.lock().unwrap() = Some(claim);
        let granted = slot.claim_blocking_timeout(Duration::ZERO);
        assert!(granted.expect("it came in time").is_ok());
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}
