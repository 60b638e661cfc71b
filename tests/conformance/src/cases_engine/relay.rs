//! f07, f11: a half-done run that goes on in the next caller; a success that is kept.

use core::future::{Future, pending};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::counter;
use super::super::subject::flight::{NoAnswer, NotInit, Part};
use super::super::subject::{ListLock, Outcome};
use super::flight_parts::Gate;
use crate::kit::{MockClock, Parked, TestWaker, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine relay:
    f07_drivers_lost_after_each_step_do_each_step_once,
    f07_last_who_leaves_drops_the_half_done_run,
    f07_stalled_driver_is_replaced_and_gets_the_result,
    f07_polled_driver_is_not_replaced,
    f07_panicking_run_is_dropped_and_told needs UNWIND,
    f07_run_of_an_async_function_lies_in_a_static,
    f07_tasks_that_give_up_hand_the_run_on,
    f11_first_success_is_kept,
    f11_failure_leaves_it_to_exactly_one,
    f11_panic_leaves_it_empty needs UNWIND,
    f11_tasks_share_one_value,
    f11_asking_from_within_is_told_so,
}

type Relay = ecluse_core::flight::Relay<Steps, ListLock>;
type Once = ecluse_core::Once<u32, ListLock>;

const STEPS: usize = 10;
const BOUND: Duration = Duration::from_millis(10);

/// Ten steps, one a poll.
struct Steps {
    log: &'static Log,
    next: usize,
    /// Panics at this one.
    fault: usize,
}

/// How often each step was done, and how many runs began and are gone.
struct Log {
    steps: [AtomicUsize; STEPS],
    begun: AtomicUsize,
    gone: AtomicUsize,
}

impl Log {
    const fn new() -> Self {
        Self {
            steps: [const { AtomicUsize::new(0) }; STEPS],
            begun: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
        }
    }

    fn begin(&'static self, fault: usize) -> Steps {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Steps {
            log: self,
            next: 0,
            fault,
        }
    }

    fn run(&'static self) -> Steps {
        self.begin(usize::MAX)
    }

    fn steps(&self) -> [usize; STEPS] {
        self.steps
            .each_ref()
            .map(|step| step.load(Ordering::SeqCst))
    }

    /// How many runs began, how many are gone.
    fn runs(&self) -> (usize, usize) {
        (
            self.begun.load(Ordering::SeqCst),
            self.gone.load(Ordering::SeqCst),
        )
    }
}

impl Future for Steps {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        assert_ne!(self.next, self.fault, "a fault");
        self.log.steps[self.next].fetch_add(1, Ordering::SeqCst);
        self.next += 1;
        if self.next == STEPS {
            return Poll::Ready(7);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.log.gone.fetch_add(1, Ordering::SeqCst);
    }
}

fn new<R: Runtime>(rt: R) -> (&'static Relay, &'static Log) {
    (rt.put(Relay::new()), rt.put(Log::new()))
}

async fn f07_drivers_lost_after_each_step_do_each_step_once<R: Runtime>(rt: R) -> Verdict {
    let (relay, log) = new(rt);
    let wakers = core::array::from_fn::<_, 11, _>(|_| rt.put(TestWaker::new()));
    let calls = core::array::from_fn::<_, 11, _>(|_| rt.put(Parked::new()));
    for (call, waker) in calls.iter().zip(wakers) {
        call.park(relay.run(|| log.run()));
        call.pending(&waker.waker());
    }
    let [first, middle @ .., last] = calls;
    first.leave();
    for (call, waker) in middle.iter().zip(&wakers[1..]).take(STEPS - 2) {
        assert!(waker.wakes() > 0, "its turn to drive");
        call.pending(&waker.waker());
        call.leave();
    }
    // The ninth was the last but one: the tenth ends it.
    let answer = middle[STEPS - 2].ready().expect("it lands");
    let inherited = Some(Outcome::Abandoned { by_panic: false });
    assert_eq!((answer.value, answer.part), (7, Part::Led { inherited }));
    assert_eq!(last.ready().map(|answer| answer.part), Ok(Part::Joined));
    assert_eq!((log.steps(), log.runs()), ([1; STEPS], (1, 1)));
    assert!(!relay.is_running());
    Verdict::Pass
}

async fn f07_last_who_leaves_drops_the_half_done_run<R: Runtime>(rt: R) -> Verdict {
    let (relay, log) = new(rt);
    let waker = rt.put(TestWaker::new());
    let calls = core::array::from_fn::<_, 3, _>(|_| rt.put(Parked::new()));
    for call in calls {
        call.park(relay.run(|| log.run()));
        call.pending(&waker.waker());
    }
    // One that waits, then the driver, then one that never took its turn.
    calls[1].leave();
    calls[0].leave();
    assert_eq!(log.runs(), (1, 0));
    calls[2].leave();
    assert_eq!(log.runs(), (1, 1));
    assert!(!relay.is_running());
    let afresh = rt.put(Parked::new());
    afresh.park(relay.run(|| log.run()));
    afresh.pending(&waker.waker());
    assert_eq!(log.runs(), (2, 1));
    afresh.leave();
    assert_eq!((log.runs(), waker.live()), ((2, 2), 0));
    Verdict::Pass
}

async fn f07_stalled_driver_is_replaced_and_gets_the_result<R: Runtime>(rt: R) -> Verdict {
    let (relay, log) = new(rt);
    let clock: &'static MockClock = rt.put(MockClock::new());
    let (idle, waker) = (rt.put(TestWaker::new()), rt.put(TestWaker::new()));
    let (stalled, other) = (rt.put(Parked::new()), rt.put(Parked::new()));
    stalled.park(relay.run(|| log.run()));
    stalled.pending(&idle.waker());
    other.park(relay.run(|| log.run()).stall_bound(clock, BOUND));
    other.pending(&waker.waker());
    clock.advance(BOUND - Duration::from_millis(1));
    other.pending(&waker.waker());
    assert_eq!(log.steps()[1], 0);
    clock.advance(Duration::from_millis(1));
    let answer = loop {
        if let Poll::Ready(answer) = other.poll(&waker.waker()) {
            break answer.expect("it lands");
        }
    };
    assert!(answer.led());
    assert_eq!((log.steps(), log.runs()), ([1; STEPS], (1, 1)));
    assert_eq!(stalled.ready().map(|answer| answer.part), Ok(Part::Joined));
    Verdict::Pass
}

async fn f07_polled_driver_is_not_replaced<R: Runtime>(rt: R) -> Verdict {
    let (relay, log) = new(rt);
    let clock: &'static MockClock = rt.put(MockClock::new());
    let waker = rt.put(TestWaker::new());
    let (driver, other) = (rt.put(Parked::new()), rt.put(Parked::new()));
    driver.park(relay.run(|| log.run()));
    driver.pending(&waker.waker());
    other.park(relay.run(|| log.run()).stall_bound(clock, BOUND));
    for _ in 0..STEPS - 2 {
        other.pending(&waker.waker());
        driver.pending(&waker.waker());
        clock.advance(BOUND);
    }
    assert!(driver.ready().is_ok_and(|answer| answer.led()));
    assert_eq!(other.ready().map(|answer| answer.part), Ok(Part::Joined));
    Verdict::Pass
}

async fn f07_panicking_run_is_dropped_and_told<R: Runtime>(rt: R) -> Verdict {
    let (relay, log) = new(rt);
    let (waker, go) = (rt.put(TestWaker::new()), counter(rt));
    let driver = rt.spawn(async move {
        let mut run = core::pin::pin!(relay.run(|| log.begin(4)));
        // Two steps, then not before it is told.
        let mut polls = 0;
        let driven = core::future::poll_fn(|cx| {
            if polls < 2 || go.load(Ordering::SeqCst) > 0 {
                polls += 1;
                return run.as_mut().poll(cx).map(drop);
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        });
        driven.await;
    });
    let other = rt.put(Parked::new());
    while log.steps()[1] == 0 {
        yield_now().await;
    }
    other.park(relay.run(|| log.run()));
    other.pending(&waker.waker());
    go.store(1, Ordering::SeqCst);
    assert_eq!(driver.join().await, Ended::Panicked);
    let abandoned = NoAnswer::Abandoned { by_panic: true };
    assert_eq!(other.ready().err(), Some(abandoned));
    assert_eq!((log.runs(), relay.is_running()), ((1, 1), false));
    Verdict::Pass
}

async fn stroll(steps: usize) -> u32 {
    for _ in 0..steps {
        yield_now().await;
    }
    steps as u32
}

async fn f07_run_of_an_async_function_lies_in_a_static<R: Runtime>(rt: R) -> Verdict {
    use ecluse_core::{inline_size, runtime::Inline};
    type Stroll = ecluse_core::flight::Relay<Inline<{ inline_size!(stroll) }, u32>, ListLock>;
    let relay: &'static Stroll = rt.put(Stroll::new());
    let tasks = [(); 3].map(|()| {
        rt.spawn(async move {
            let answer = relay.run(|| Inline::new(stroll(5))).await;
            assert_eq!(answer.map(|answer| answer.value), Ok(5));
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert!(!relay.is_running());
    Verdict::Pass
}

async fn f07_tasks_that_give_up_hand_the_run_on<R: Runtime>(rt: R) -> Verdict {
    let (relay, log) = new(rt);
    let answers = counter(rt);
    let tasks = core::array::from_fn::<_, 5, _>(|task| {
        rt.spawn(async move {
            let mut run = core::pin::pin!(relay.run(|| log.run()));
            // All but the last give up after a few polls; whoever drives, each step is done once.
            let mut patience = if task == 4 { usize::MAX } else { 2 };
            let answer = core::future::poll_fn(|cx| {
                if patience == 0 {
                    return Poll::Ready(None);
                }
                patience -= 1;
                run.as_mut().poll(cx).map(Some)
            });
            if let Some(answer) = answer.await {
                assert_eq!(answer.map(|answer| answer.value), Ok(7));
                answers.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert!(answers.load(Ordering::SeqCst) > 0);
    let (begun, gone) = log.runs();
    assert_eq!(begun, gone);
    // A run that nobody was left for was dropped half-done: no step was done more often than begun.
    assert!(log.steps().iter().all(|done| (1..=begun).contains(done)));
    assert!(!relay.is_running());
    Verdict::Pass
}

async fn f11_first_success_is_kept<R: Runtime>(rt: R) -> Verdict {
    let once: &'static Once = rt.put(Once::new());
    let (gate, waker) = (rt.put(Gate::new()), rt.put(TestWaker::new()));
    let (first, second) = (rt.put(Parked::new()), rt.put(Parked::new()));
    assert!(once.get().is_none());
    first.park(once.get_or_init(|| gate.pass()));
    first.pending(&waker.waker());
    second.park(once.get_or_init(pending::<u32>));
    second.pending(&waker.waker());
    assert_eq!(once.set(9), Err(9));
    gate.open(3);
    assert_eq!(first.ready(), Ok(&3));
    assert_eq!((waker.wakes(), second.ready()), (1, Ok(&3)));
    assert_eq!((once.get(), once.set(9)), (Some(&3), Err(9)));
    let mut own = Once::new();
    assert_eq!((own.set(1), own.take(), own.get()), (Ok(()), Some(1), None));
    Verdict::Pass
}

async fn f11_failure_leaves_it_to_exactly_one<R: Runtime>(rt: R) -> Verdict {
    let once: &'static Once = rt.put(Once::new());
    let gate = rt.put(Gate::new());
    let wakers = core::array::from_fn::<_, 3, _>(|_| rt.put(TestWaker::new()));
    let first = rt.put(Parked::new());
    first.park(once.get_or_try_init(|| async {
        gate.pass().await;
        Err::<u32, _>("no")
    }));
    first.pending(&wakers[0].waker());
    let others = core::array::from_fn::<_, 2, _>(|_| rt.put(Parked::new()));
    for (other, waker) in others.iter().zip(&wakers[1..]) {
        other.park(once.get_or_try_init(|| async { Ok::<u32, &str>(5) }));
        other.pending(&waker.waker());
    }
    gate.open(0);
    assert_eq!(first.ready(), Err(NotInit::Failed("no")));
    assert_eq!(wakers.map(|waker| waker.wakes()), [0, 1, 0]);
    assert_eq!(others[0].ready(), Ok(&5));
    assert_eq!(wakers.map(|waker| waker.wakes()), [0, 1, 1]);
    assert_eq!(others[1].ready(), Ok(&5));
    Verdict::Pass
}

async fn f11_panic_leaves_it_empty<R: Runtime>(rt: R) -> Verdict {
    let once: &'static Once = rt.put(Once::new());
    let task = rt.spawn(async move {
        let _ = once.get_or_init(|| async { panic!("broken") }).await;
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert!(once.get().is_none());
    assert_eq!(once.get_or_init(|| async { 1 }).await, Ok(&1));
    Verdict::Pass
}

async fn f11_tasks_share_one_value<R: Runtime>(rt: R) -> Verdict {
    let once: &'static Once = rt.put(Once::new());
    let made = counter(rt);
    let tasks = [(); 5].map(|()| {
        rt.spawn(async move {
            let value = once.get_or_init(|| async {
                yield_now().await;
                made.fetch_add(1, Ordering::SeqCst) as u32
            });
            assert_eq!(value.await, Ok(&0));
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
    Verdict::Pass
}

async fn f11_asking_from_within_is_told_so<R: Runtime>(rt: R) -> Verdict {
    let once: &'static Once = rt.put(Once::new());
    let made = once.get_or_init(|| async {
        let own = once.get_or_init(pending::<u32>).await;
        assert_eq!(own, Err(NotInit::Recursive));
        2
    });
    assert_eq!(made.await, Ok(&2));
    Verdict::Pass
}
