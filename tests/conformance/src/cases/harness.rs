//! The floor that the suite stands on: tasks, wakers, timers and interruptions of the runtime do what the other cases take for granted.

use core::future::{Future, pending};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use portable_atomic::{AtomicUsize, Ordering};

use crate::kit::{Callback, Parked, Script, TestWaker, Text, eventually, yield_now};
use crate::{Clock, Ended, Interrupt, Runtime, Task, Timer, Verdict};

cases! { harness:
    spawned_task_runs_and_is_joined,
    panic_in_a_task_is_told_apart needs UNWIND,
    aborted_task_is_dropped needs ABORT,
    select_loser_is_dropped,
    timed_out_future_is_dropped,
    dropped_task_is_dropped needs TASK_DROP,
    cancelled_task_is_dropped needs CANCEL_AWAIT,
    shut_down_runtime_drops_its_tasks needs SHUTDOWN,
    timer_never_fires_early,
    script_steps_run_in_order,
    test_waker_counts,
    hostile_waker_acts_once,
}

/// Counts its drops.
struct Droplet(&'static AtomicUsize);

impl Drop for Droplet {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn spawned_task_runs_and_is_joined<R: Runtime>(rt: R) -> Verdict {
    let ran = rt.put(AtomicUsize::new(0));
    let task = rt.spawn(async move {
        yield_now().await;
        ran.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(task.join().await, Ended::Finished);
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    drop(rt.spawn(async move {
        yield_now().await;
        ran.fetch_add(1, Ordering::SeqCst);
    }));
    eventually(rt, "a task whose handle was dropped goes on", || {
        ran.load(Ordering::SeqCst) == 2
    })
    .await;
    Verdict::Pass
}

async fn panic_in_a_task_is_told_apart<R: Runtime>(rt: R) -> Verdict {
    let task = rt.spawn(async { panic!("on purpose") });
    assert_eq!(task.join().await, Ended::Panicked);
    Verdict::Pass
}

async fn aborted_task_is_dropped<R: Runtime>(rt: R) -> Verdict {
    let (started, drops) = (rt.put(AtomicUsize::new(0)), rt.put(AtomicUsize::new(0)));
    let task = rt.spawn(async move {
        let _droplet = Droplet(drops);
        started.store(1, Ordering::SeqCst);
        pending::<()>().await;
    });
    eventually(rt, "the task starts", || {
        started.load(Ordering::SeqCst) == 1
    })
    .await;
    assert_eq!(task.abort().await, Ended::Aborted);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    interrupted(rt, Interrupt::Abort).await
}

async fn select_loser_is_dropped<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::SelectLoser).await
}

async fn timed_out_future_is_dropped<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::Timeout).await
}

async fn dropped_task_is_dropped<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::TaskDrop).await
}

async fn cancelled_task_is_dropped<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::CancelAwait).await
}

async fn shut_down_runtime_drops_its_tasks<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::RuntimeShutdown).await
}

/// The victim is polled, and dropped exactly once by the time the interruption is over.
async fn interrupted<R: Runtime>(rt: R, how: Interrupt) -> Verdict {
    let (polls, drops) = (rt.put(AtomicUsize::new(0)), rt.put(AtomicUsize::new(0)));
    rt.interrupted(how, async move {
        let _droplet = Droplet(drops);
        polls.fetch_add(1, Ordering::SeqCst);
        pending::<()>().await;
    })
    .await;
    assert_eq!(polls.load(Ordering::SeqCst), 1, "the victim was polled");
    assert_eq!(drops.load(Ordering::SeqCst), 1, "and dropped");
    Verdict::Pass
}

async fn timer_never_fires_early<R: Runtime>(rt: R) -> Verdict {
    let timer = rt.timer();
    let start = timer.now();
    let short = timer.after(start, Duration::from_millis(3));
    let long = timer.after(start, Duration::from_millis(6));
    assert!(start < short && short < long);
    timer.sleep_until(long).await;
    assert!(timer.now() >= long);
    timer.sleep_until(short).await;
    assert!(timer.after(start, Duration::MAX) > long, "saturates");
    Verdict::Pass
}

async fn script_steps_run_in_order<R: Runtime>(rt: R) -> Verdict {
    let script = rt.put(Script::<8>::new());
    let text = rt.put(Text::new());
    for i in 0..8 {
        script.step(rt, async move {
            text.line(format_args!("step {i}"));
            if i % 3 == 0 {
                yield_now().await;
            }
            text.line(format_args!("done {i}"));
        });
    }
    script.play().await;
    text.read(|text| {
        assert!(text.starts_with("step 0\ndone 0\nstep 1\n") && text.ends_with("done 7\n"));
    });
    Verdict::Trace("harness", text)
}

/// Pending until it was polled `left` times more.
struct Countdown {
    left: usize,
}

impl Future for Countdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.left == 0 {
            return Poll::Ready(());
        }
        self.left -= 1;
        let by_value = cx.waker().clone();
        by_value.wake();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn test_waker_counts<R: Runtime>(rt: R) -> Verdict {
    let counts = rt.put(TestWaker::new());
    let parked = rt.put(Parked::new());
    parked.park(Countdown { left: 2 });
    let waker = counts.waker();
    parked.pending(&waker);
    parked.pending(&waker);
    assert_eq!((counts.wakes(), counts.clones(), counts.live()), (4, 2, 1));
    parked.ready();
    parked.leave();
    assert!(!parked.is_parked());
    drop(waker);
    assert_eq!(counts.live(), 0);
    Verdict::Pass
}

async fn hostile_waker_acts_once<R: Runtime>(rt: R) -> Verdict {
    let acts = rt.put(AtomicUsize::new(0));
    for callback in Callback::OF_WAKERS {
        let act = rt.put(move || {
            acts.fetch_add(1, Ordering::SeqCst);
        });
        let hostile = rt.put(TestWaker::hostile(callback, act));
        let waker = hostile.waker();
        waker.wake_by_ref();
        hostile.arm();
        waker.wake_by_ref();
        let by_value = waker.clone();
        by_value.wake();
        drop(waker);
        assert_eq!(
            (hostile.acted(), hostile.live()),
            (1, 0),
            "hostile in {callback:?}"
        );
    }
    assert_eq!(acts.load(Ordering::SeqCst), 4);
    Verdict::Pass
}
