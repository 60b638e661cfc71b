//! Wakers of other makers; and what ten thousand cancellations leave behind: nothing.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};

use super::super::subject::{AcquireOutcome, Line, Slot};

use crate::kit::{Parked, TestWaker, eventually, poll_once, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine load:
    foreign_waker_waits_beside_tasks,
    cancel_cycles_leave_the_stack_as_it_was needs STACK,
}

async fn foreign_waker_waits_beside_tasks<R: Runtime>(rt: R) -> Verdict {
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
    Verdict::Pass
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
        let AcquireOutcome::Failure(hold) = LINE.try_acquire_token() else {
            panic!("it is held");
        };
        let hold = pin!(hold);
        assert!(
            hold.poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
    }
    assert!(!SLOT.has_waiters() && !LINE.has_waiters());
    token.release();
    claim.release();
}

async fn cancel_cycles_leave_the_stack_as_it_was<R: Runtime>(rt: R) -> Verdict {
    let few = rt.stack_used(cancel_cycles, 2);
    let many = rt.stack_used(cancel_cycles, 10_000);
    assert_eq!(few, many, "bytes of stack");
    assert!(many > 0);
    Verdict::Pass
}
