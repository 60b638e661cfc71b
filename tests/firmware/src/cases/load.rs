//! Wakers of other makers, a crowd under a ticking clock, and what ten thousand cancellations leave behind: nothing.

use core::pin::pin;
use core::task::{Context, Waker};
use core::time::Duration;

use ecluse_conformance::kit::{Parked, TestWaker, eventually, poll_once, yield_now};
use ecluse_conformance::{Ended, Runtime, Task};
use ecluse_core::{Line, Slot};
use portable_atomic::{AtomicUsize, Ordering};

use crate::chip;
use crate::runtime::Chip;

pub(super) async fn foreign_waker_waits_beside_tasks(rt: Chip) {
    let slot: &'static Slot = rt.put(Slot::new());
    let claim = slot.try_claim().expect("free");
    let task = || {
        rt.spawn(async move {
            slot.claim().await.expect("nobody closes it").release();
        })
    };
    let before = task();
    eventually(rt, "the first one waits", || slot.has_waiters()).await;
    let foreign = rt.put(TestWaker::new());
    let parked = rt.put(Parked::new());
    parked.park(slot.claim());
    parked.pending(&foreign.waker());
    let after = task();
    yield_now().await;
    claim.release();
    assert_eq!(before.join().await, Ended::Finished);
    assert_eq!(foreign.wakes(), 1);
    let claim = parked.ready().expect("nobody closes it");
    parked.leave();
    assert_eq!(foreign.live(), 0);
    claim.release();
    assert_eq!(after.join().await, Ended::Finished);
}

pub(super) async fn ticks_while_64_tasks_wait(rt: Chip) {
    const TASKS: usize = 64;
    let slot: &'static Slot = rt.put(Slot::new());
    let claim = slot.try_claim().expect("free");
    let (late, served, ticks) = (
        rt.put(AtomicUsize::new(0)),
        rt.put(AtomicUsize::new(0)),
        rt.put(AtomicUsize::new(0)),
    );
    chip::on_tick(Some(rt.put(move || {
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
    chip::on_tick(None);
    claim.release();
    let all = || served.load(Ordering::SeqCst) == TASKS / 2;
    eventually(rt, "the others are served", all).await;
    assert!(!slot.is_claimed() && !slot.has_waiters());
}

/// How far below the caller's stack is painted.
const DEEP: usize = 2048;
const PAINT: u8 = 0xa5;

/// Paints the stack below, runs `work`, and says how many bytes of it were used. Interrupts are off: theirs is not counted.
#[inline(never)]
fn stack_used(work: fn(usize), rounds: usize) -> usize {
    critical_section::with(|_| {
        let bottom = chip::stack_pointer().wrapping_sub(DEEP);
        for i in 0..DEEP {
            // SAFETY: Validity: the stack has kilobytes left. Aliasing: below the stack pointer, with interrupts off, the
            // memory is nobody's.
            unsafe { bottom.add(i).write_volatile(PAINT) };
        }
        work(rounds);
        // SAFETY: as above; written just now.
        let touched = |i: &usize| unsafe { bottom.add(*i).read_volatile() } != PAINT;
        DEEP - (0..DEEP).find(touched).unwrap_or(DEEP)
    })
}

#[inline(never)]
fn cancel_cycles(rounds: usize) {
    static SLOT: Slot = Slot::new();
    static LINE: Line = Line::new();
    let claim = SLOT.try_claim().expect("free");
    let token = LINE.try_acquire_token().success().expect("free");
    for _ in 0..rounds {
        let mut wait = pin!(SLOT.claim());
        let mut end = pin!(SLOT.released());
        assert!(poll_once(wait.as_mut(), Waker::noop()).is_pending());
        assert!(poll_once(end.as_mut(), Waker::noop()).is_pending());
        let ecluse_core::AcquireOutcome::Failure(hold) = LINE.try_acquire_token() else {
            panic!("it is held");
        };
        let hold = pin!(hold);
        assert!(
            core::future::Future::poll(hold, &mut Context::from_waker(Waker::noop())).is_pending()
        );
    }
    assert!(!SLOT.has_waiters() && !LINE.has_waiters());
    token.release();
    claim.release();
}

pub(super) async fn cancel_cycles_leave_the_stack_as_it_was(_: Chip) {
    let few = stack_used(cancel_cycles, 2);
    let many = stack_used(cancel_cycles, 10_000);
    assert_eq!(few, many, "bytes of stack");
    assert!(0 < many && many < DEEP, "{many} bytes of stack");
}
