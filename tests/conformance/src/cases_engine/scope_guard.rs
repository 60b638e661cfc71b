//! s04, s05, s11: what runs under a scope finishes or is cancelled.

use core::future::{Future, pending, ready};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::super::subject::Slot;
use super::super::subject::cancel::{Abandon, Cancelled, Reason};
use futures_core::FusedFuture;
use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::{Claimer, counter, slot};
use super::scope::{cause, child, code, root};
use crate::kit::{MockClock, Parked, TestWaker, eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine scope_guard:
    s04_value_wins_and_the_next_checkpoint_reports,
    s04_cancelled_wait_leaves_and_the_claim_goes_on,
    s04_grant_at_the_last_moment_is_returned,
    s04_any_other_future_is_dropped_before_the_answer,
    s04_dropped_guard_passes_the_claim_on,
    s04_guarded_deadline_times_out_or_is_cancelled,
    s04_finish_or_cancel_under_load,
    s05_cancelled_scope_polls_nothing,
    s05_loop_of_ready_awaits_leaves_within_one_turn,
    s05_every_later_checkpoint_fails,
    s05_task_that_ignores_it_is_woken_once_a_level,
    s11_hook_runs_once_in_the_owners_poll,
    s11_hook_never_runs_after_the_operation,
    s11_hook_of_a_dropped_operation_does_not_run,
    s11_hook_bridges_to_a_tree_of_its_own_lock,
    s11_panicking_hook_is_not_called_again needs UNWIND,
}

/// The code of what was cancelled.
fn cancelled<T>(ended: Result<T, Cancelled>) -> Option<u16> {
    ended.err().map(|cancelled| cancelled.reason().code())
}

async fn s04_value_wins_and_the_next_checkpoint_reports<R: Runtime>(rt: R) -> Verdict {
    let (root, slot) = (root(rt), slot(rt));
    let cx = child(rt, root.cx());
    let (guarded, waker) = (rt.put(Parked::new()), rt.put(TestWaker::new()));
    let held = slot.try_claim().expect("free");
    guarded.park(cx.guard_wait(slot.claim()));
    guarded.pending(&waker.waker());
    held.release();
    assert!(root.cancel(code(1)));
    // Both have happened; both woke it.
    assert_eq!(waker.wakes(), 2);
    let claim = guarded.ready().expect("the value wins").expect("open");
    assert!(guarded.with_pin(|guarded| guarded.is_terminated()));
    assert_eq!(cause(cx), (1, true));
    assert_eq!(cancelled(cx.guard(ready(())).await), Some(1));
    claim.release();
    guarded.leave();
    assert_eq!(waker.live(), 0);
    Verdict::Pass
}

async fn s04_cancelled_wait_leaves_and_the_claim_goes_on<R: Runtime>(rt: R) -> Verdict {
    let (root, slot) = (root(rt), slot(rt));
    let cx = child(rt, root.cx());
    let behind = rt.put(Claimer::new());
    let (guarded, dropped) = (rt.put(Parked::new()), rt.put(Parked::new()));
    let waker = rt.put(TestWaker::new());
    let held = slot.try_claim().expect("free");
    // A wait that is abandoned, and one that is dropped as any other future.
    guarded.park(cx.guard_wait(slot.claim()));
    guarded.pending(&waker.waker());
    dropped.park(cx.guard(slot.claim()));
    dropped.pending(&waker.waker());
    behind.enlist(slot);
    assert!(root.cancel(code(1)));
    assert_eq!(
        (cancelled(guarded.ready()), cancelled(dropped.ready())),
        (Some(1), Some(1))
    );
    held.release();
    assert_eq!((waker.wakes(), behind.wakes()), (2, 1));
    behind.claimed().release();
    guarded.leave();
    dropped.leave();
    assert!(!slot.is_claimed() && waker.live() == 0);
    Verdict::Pass
}

/// A wait whose value arrives while its owner ends it.
struct LastMoment;

impl Future for LastMoment {
    type Output = u8;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        Poll::Pending
    }
}

impl Abandon for LastMoment {
    fn abandon(self: Pin<&mut Self>) -> Option<u8> {
        Some(7)
    }
}

async fn s04_grant_at_the_last_moment_is_returned<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let guarded = rt.put(Parked::new());
    guarded.park(root.cx().guard_wait(LastMoment));
    guarded.pending(Waker::noop());
    assert!(root.cancel(code(1)));
    assert_eq!(guarded.ready(), Ok(7));
    guarded.leave();
    Verdict::Pass
}

/// Pending for ever; counts its polls and its end.
struct Lasting {
    polls: &'static AtomicUsize,
    gone: &'static AtomicUsize,
}

impl Future for Lasting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        Poll::Pending
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.gone.fetch_add(1, Ordering::SeqCst);
    }
}

async fn s04_any_other_future_is_dropped_before_the_answer<R: Runtime>(rt: R) -> Verdict {
    let (root, polls, gone) = (root(rt), counter(rt), counter(rt));
    let guarded = rt.put(Parked::new());
    guarded.park(root.cx().guard(Lasting { polls, gone }));
    guarded.pending(Waker::noop());
    assert!(root.cancel(code(1)));
    assert_eq!(gone.load(Ordering::SeqCst), 0, "in the owner's poll");
    assert_eq!(cancelled(guarded.ready()), Some(1));
    assert_eq!(gone.load(Ordering::SeqCst), 1);
    guarded.leave();
    assert_eq!(gone.load(Ordering::SeqCst), 1);
    Verdict::Pass
}

async fn s04_dropped_guard_passes_the_claim_on<R: Runtime>(rt: R) -> Verdict {
    let (root, slot) = (root(rt), slot(rt));
    let (guarded, behind) = (rt.put(Parked::new()), rt.put(Claimer::new()));
    for cancel in [false, true] {
        let cx = child(rt, root.cx());
        let held = slot.try_claim().expect("free");
        guarded.park(cx.guard_wait(slot.claim()));
        guarded.pending(Waker::noop());
        behind.enlist(slot);
        held.release();
        if cancel {
            assert!(cx.cancel(code(1)));
        }
        // Granted, not observed.
        guarded.leave();
        behind.claimed().release();
        assert!(!slot.is_claimed() && !slot.has_waiters());
    }
    Verdict::Pass
}

async fn s04_guarded_deadline_times_out_or_is_cancelled<R: Runtime>(rt: R) -> Verdict {
    use super::super::subject::TimedOut;
    use core::time::Duration;

    let (root, slot, clock) = (root(rt), slot(rt), rt.put(MockClock::new()));
    let held = slot.try_claim().expect("free");
    let guarded = rt.put(Parked::new());
    for cancel in [false, true] {
        let limit = Duration::from_millis(5);
        guarded.park(root.cx().guard_wait(slot.claim().timeout(clock, limit)));
        guarded.pending(Waker::noop());
        if cancel {
            assert!(root.cancel(code(1)));
            assert_eq!(cancelled(guarded.ready()), Some(1));
        } else {
            clock.advance(limit);
            let ended = guarded.ready().expect("not cancelled");
            assert_eq!(ended.map(drop), Err(TimedOut));
        }
        guarded.leave();
        assert!(!slot.has_waiters() && clock.sleepers() == 0);
    }
    held.release();
    Verdict::Pass
}

async fn s04_finish_or_cancel_under_load<R: Runtime>(rt: R) -> Verdict {
    // Claims go round among tasks whose scopes are cancelled at any moment; none is lost.
    const TASKS: usize = 6;
    let slot: &'static Slot = slot(rt);
    for _ in 0..rt.count(200).div_ceil(8) {
        let root = root(rt);
        let ends = counter(rt);
        let tasks: [R::Task; TASKS] = core::array::from_fn(|task| {
            let cx = child(rt, root.cx());
            rt.spawn(async move {
                for _ in 0..task % 3 {
                    yield_now().await;
                }
                let claimed = if task % 2 == 0 {
                    cx.guard_wait(slot.claim()).await
                } else {
                    cx.guard(slot.claim()).await
                };
                match claimed {
                    Ok(claim) => {
                        yield_now().await;
                        claim.expect("open").release();
                    }
                    Err(cancelled) => assert_eq!(cancelled.reason().code(), 1),
                }
                ends.fetch_add(1, Ordering::SeqCst);
            })
        });
        yield_now().await;
        assert!(root.cancel(code(1)));
        for task in tasks {
            assert_eq!(task.join().await, Ended::Finished);
        }
        assert_eq!(ends.load(Ordering::SeqCst), TASKS);
        assert!(!slot.is_claimed() && !slot.has_waiters());
    }
    Verdict::Pass
}

async fn s05_cancelled_scope_polls_nothing<R: Runtime>(rt: R) -> Verdict {
    let (root, slot, polls, gone) = (root(rt), slot(rt), counter(rt), counter(rt));
    assert!(root.cancel(code(1)));
    let cx = root.cx();
    assert_eq!(cancelled(cx.guard(Lasting { polls, gone }).await), Some(1));
    assert_eq!(
        (polls.load(Ordering::SeqCst), gone.load(Ordering::SeqCst)),
        (0, 1)
    );
    assert_eq!(cancelled(cx.guard_wait(slot.claim()).await), Some(1));
    assert!(!slot.is_claimed(), "free, and not claimed");
    Verdict::Pass
}

async fn s05_loop_of_ready_awaits_leaves_within_one_turn<R: Runtime>(rt: R) -> Verdict {
    let (root, turns) = (root(rt), counter(rt));
    let work = async {
        loop {
            root.cx().guard(ready(())).await?;
            if turns.fetch_add(1, Ordering::SeqCst) == 9 {
                root.cancel(code(1));
            }
            assert!(turns.load(Ordering::SeqCst) <= 10, "goes on and on");
        }
    };
    let ended: Result<(), Cancelled> = work.await;
    assert_eq!(
        (cancelled(ended), turns.load(Ordering::SeqCst)),
        (Some(1), 10)
    );
    Verdict::Pass
}

async fn s05_every_later_checkpoint_fails<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let cx = child(rt, root.cx());
    assert!(root.cancel(code(1)));
    for _ in 0..3 {
        assert!(cx.check().is_err());
        assert_eq!(cancelled(cx.guard(ready(())).await), Some(1));
        assert_eq!(cx.cancelled().await.code(), 1);
    }
    Verdict::Pass
}

async fn s05_task_that_ignores_it_is_woken_once_a_level<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let (cx, shielded) = (child(rt, root.cx()), rt.put(root.cx().shielded()));
    let shielded = Pin::static_ref(shielded).enter();
    let (ignores, forced, inside) = (
        rt.put(Parked::new()),
        rt.put(Parked::new()),
        rt.put(Parked::new()),
    );
    let wakers = [(); 3].map(|()| rt.put(TestWaker::new()));
    // The hook is all it does about it.
    ignores.park(cx.on_cancel(pending::<()>(), |_| ()));
    ignores.pending(&wakers[0].waker());
    forced.park(cx.forced());
    forced.pending(&wakers[1].waker());
    inside.park(shielded.cancelled());
    inside.pending(&wakers[2].waker());
    let wakes = || [0, 1, 2].map(|waker: usize| wakers[waker].wakes());
    assert!(root.cancel(code(1)));
    assert_eq!(wakes(), [1, 0, 0]);
    for _ in 0..3 {
        ignores.pending(&wakers[0].waker());
    }
    assert_eq!(wakes(), [1, 0, 0], "no busy loop");
    assert!(root.force(code(2)));
    assert_eq!(wakes(), [1, 1, 1]);
    assert!(forced.ready().is_forced() && inside.ready().is_forced());
    assert_eq!((cause(shielded), cause(cx)), ((1, true), (1, true)));
    ignores.leave();
    forced.leave();
    inside.leave();
    Verdict::Pass
}

async fn s11_hook_runs_once_in_the_owners_poll<R: Runtime>(rt: R) -> Verdict {
    let (root, slot, calls) = (root(rt), slot(rt), counter(rt));
    let operation = rt.put(Parked::new());
    let waker = rt.put(TestWaker::new());
    let held = slot.try_claim().expect("free");
    operation.park(root.cx().on_cancel(slot.claim(), move |reason: Reason| {
        calls.fetch_add(reason.code() as usize, Ordering::SeqCst);
    }));
    operation.pending(&waker.waker());
    assert!(root.cancel(code(1)));
    assert_eq!((calls.load(Ordering::SeqCst), waker.wakes()), (0, 1));
    operation.pending(&waker.waker());
    assert!(root.force(code(1)));
    operation.pending(&waker.waker());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    held.release();
    operation.ready().expect("open").release();
    operation.leave();
    assert_eq!((calls.load(Ordering::SeqCst), waker.live()), (1, 0));
    Verdict::Pass
}

async fn s11_hook_never_runs_after_the_operation<R: Runtime>(rt: R) -> Verdict {
    let (root, slot, calls) = (root(rt), slot(rt), counter(rt));
    let operation = rt.put(Parked::new());
    let held = slot.try_claim().expect("free");
    operation.park(root.cx().on_cancel(slot.claim(), move |_| {
        calls.fetch_add(1, Ordering::SeqCst);
    }));
    operation.pending(Waker::noop());
    held.release();
    assert!(root.cancel(code(1)));
    // Finished first, as far as its owner can tell.
    operation.ready().expect("open").release();
    operation.leave();
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    // Ready at its first poll.
    assert_eq!(root.cx().on_cancel(ready(3), |_| unreachable!()).await, 3);
    Verdict::Pass
}

async fn s11_hook_of_a_dropped_operation_does_not_run<R: Runtime>(rt: R) -> Verdict {
    let (root, calls) = (root(rt), counter(rt));
    let operation = rt.put(Parked::new());
    operation.park(root.cx().on_cancel(pending::<()>(), move |_| {
        calls.fetch_add(1, Ordering::SeqCst);
    }));
    operation.pending(Waker::noop());
    assert!(root.cancel(code(1)));
    operation.leave();
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    Verdict::Pass
}

async fn s11_hook_bridges_to_a_tree_of_its_own_lock<R: Runtime>(rt: R) -> Verdict {
    let (server, connection) = (root(rt), root(rt));
    let request = child(rt, connection.cx());
    let begun = counter(rt);
    let task = rt.spawn(async move {
        begun.fetch_add(1, Ordering::SeqCst);
        let told = server.cx().on_cancel(request.cancelled(), |reason| {
            assert!(connection.cancel(reason));
        });
        assert_eq!(told.await.code(), 5);
    });
    eventually(rt, "the connection runs", || {
        begun.load(Ordering::SeqCst) == 1
    })
    .await;
    assert!(server.cancel(code(5)));
    assert_eq!(task.join().await, Ended::Finished);
    assert_eq!(
        (cause(connection.cx()), cause(request)),
        ((5, false), (5, true))
    );
    Verdict::Pass
}

async fn s11_panicking_hook_is_not_called_again<R: Runtime>(rt: R) -> Verdict {
    #[cfg(feature = "std")]
    {
        use core::panic::AssertUnwindSafe;

        let (root, slot) = (root(rt), slot(rt));
        let operation = rt.put(Parked::new());
        let held = slot.try_claim().expect("free");
        operation.park(
            root.cx()
                .on_cancel(slot.claim(), |_| panic!("a hook of the case")),
        );
        operation.pending(Waker::noop());
        assert!(root.cancel(code(1)));
        let poll = || operation.poll(Waker::noop()).is_pending();
        assert!(std::panic::catch_unwind(AssertUnwindSafe(poll)).is_err());
        operation.pending(Waker::noop());
        held.release();
        operation.ready().expect("open").release();
        operation.leave();
    }
    let _ = rt;
    Verdict::Pass
}
