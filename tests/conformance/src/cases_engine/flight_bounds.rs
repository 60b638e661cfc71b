//! f08, f10: flights that ask for themselves, bounds of patience and age.

use core::future::Future;
use core::task::Poll;
use core::time::Duration;

use portable_atomic::{AtomicBool, Ordering};

use super::super::subject::ListLock;
use super::super::subject::flight::{NoAnswer, Part, Promote};
use super::flight_parts::{Caller, Failing, Flight, Gate, LED, abandoned, callers, inherited};
use crate::kit::{MockClock, Parked, TestWaker, eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine flight_bounds:
    f08_flight_that_asks_for_itself_is_told_so,
    f08_flight_that_asks_for_itself_later_is_told_so,
    f08_flight_that_asks_for_itself_through_others_is_told_so,
    f08_heir_that_asks_for_itself_is_told_so,
    f08_calls_joined_in_a_task_are_no_recursion,
    f08_work_that_asks_another_flight_is_no_recursion,
    f10_timed_out_follower_leaves_and_the_flight_goes_on,
    f10_result_at_the_last_moment_is_taken,
    f10_lead_at_the_last_moment_is_taken,
    f10_leader_is_not_bounded,
    f10_timeout_on_the_runtimes_clock,
    f10_old_flight_is_superseded_by_identity,
    f10_young_flight_is_joined,
    f10_heir_that_is_not_polled_is_superseded,
}

const MS: Duration = Duration::from_millis(1);

type Nested = Flight<Result<u32, NoAnswer>>;

async fn f08_flight_that_asks_for_itself_is_told_so<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Nested = rt.put(Flight::new());
    let task = rt.spawn(async move {
        let own = || async {
            flight
                .run(|| async { Ok(1) })
                .await
                .map(|answer| answer.part)
        };
        let answer = flight.run(|| async { own().await.map(|_| 0) }).await;
        let answer = answer.expect("the outer one ends");
        assert_eq!(answer.value, Err(NoAnswer::Recursive));
        assert_eq!((answer.part, answer.joined), (LED, 0));
    });
    assert_eq!(task.join().await, Ended::Finished);
    assert!(!flight.is_running());
    Verdict::Pass
}

async fn f08_flight_that_asks_for_itself_later_is_told_so<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Nested = rt.put(Flight::new());
    let task = rt.spawn(async move {
        let work = || async {
            yield_now().await;
            let asked = flight.run(|| async { Ok(1) }).await;
            yield_now().await;
            asked.and_then(|answer| answer.value)
        };
        let answer = flight.run(work).await.expect("it ends");
        assert_eq!(answer.value, Err(NoAnswer::Recursive));
        // It may be asked again after.
        let again = flight.run(|| async { Ok(2) }).await.expect("free");
        assert_eq!(again.value, Ok(2));
    });
    assert_eq!(task.join().await, Ended::Finished);
    Verdict::Pass
}

async fn f08_flight_that_asks_for_itself_through_others_is_told_so<R: Runtime>(rt: R) -> Verdict {
    let [a, b, c] = [(); 3].map(|()| -> &'static Nested { rt.put(Flight::new()) });
    let task = rt.spawn(async move {
        let third = || async {
            yield_now().await;
            let own = a.run(|| async { Ok(1) }).await;
            own.and_then(|answer| answer.value)
        };
        let second = || async { c.run(third).await.and_then(|answer| answer.value) };
        let first = || async { b.run(second).await.and_then(|answer| answer.value) };
        let answer = a.run(first).await.expect("it ends");
        assert_eq!(answer.value, Err(NoAnswer::Recursive));
    });
    assert_eq!(task.join().await, Ended::Finished);
    assert!(![a, b, c].iter().any(|flight| flight.is_running()));
    Verdict::Pass
}

async fn f08_heir_that_asks_for_itself_is_told_so<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Nested = rt.put(Flight::new());
    let (lost, heir) = (rt.put(Parked::new()), rt.put(Parked::new()));
    let waker = rt.put(TestWaker::new());
    lost.park(flight.run(core::future::pending));
    lost.pending(&waker.waker());
    heir.park(flight.run(|| async {
        let own = flight.run(|| async { Ok(1) }).await;
        own.and_then(|answer| answer.value)
    }));
    heir.pending(&waker.waker());
    lost.leave();
    let Poll::Ready(Ok(answer)) = heir.poll(&waker.waker()) else {
        panic!("its work ends at once");
    };
    assert_eq!(answer.value, Err(NoAnswer::Recursive));
    assert_eq!(answer.part, inherited(false));
    Verdict::Pass
}

async fn f08_calls_joined_in_a_task_are_no_recursion<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let task = rt.spawn(async move {
        let work = || async {
            yield_now().await;
            yield_now().await;
            3
        };
        let mut one = core::pin::pin!(flight.run(work));
        let mut two = core::pin::pin!(flight.run(work));
        let (mut first, mut second) = (None, None);
        core::future::poll_fn(|cx| {
            if first.is_none() {
                if let Poll::Ready(answer) = one.as_mut().poll(cx) {
                    first = Some(answer);
                }
            }
            if second.is_none() {
                if let Poll::Ready(answer) = two.as_mut().poll(cx) {
                    second = Some(answer);
                }
            }
            if first.is_some() && second.is_some() {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
        let parts = [first, second].map(|answer| answer.expect("over").map(|own| own.part));
        assert_eq!(parts, [Ok(LED), Ok(Part::Joined)]);
    });
    assert_eq!(task.join().await, Ended::Finished);
    Verdict::Pass
}

async fn f08_work_that_asks_another_flight_is_no_recursion<R: Runtime>(rt: R) -> Verdict {
    let [a, b] = [(); 2].map(|()| -> &'static Flight { rt.put(Flight::new()) });
    let [outside] = callers(rt);
    // Somebody else runs the inner one: the outer one waits for it.
    outside.asks(rt, |make| b.run(make));
    let outer = rt.put(Parked::new());
    outer.park(a.run(|| async { b.run(|| async { 1 }).await.map_or(0, |answer| answer.value) }));
    let waker = rt.put(TestWaker::new());
    outer.pending(&waker.waker());
    outside.lands(5);
    assert_eq!(waker.wakes(), 1);
    assert_eq!(outer.ready().map(|answer| answer.value), Ok(5));
    Verdict::Pass
}

async fn f10_timed_out_follower_leaves_and_the_flight_goes_on<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let clock: &'static MockClock = rt.put(MockClock::new());
    let [leader, behind] = callers(rt);
    let (bounded, waker) = (rt.put(Parked::new()), rt.put(TestWaker::new()));
    leader.asks(rt, |make| flight.run(make));
    bounded.park(flight.run(|| async { 0 }).timeout(clock, 5 * MS));
    bounded.pending(&waker.waker());
    behind.asks(rt, |make| flight.run(make));
    clock.advance(4 * MS);
    assert_eq!(waker.wakes(), 0);
    bounded.pending(&waker.waker());
    clock.advance(MS);
    assert_eq!(waker.wakes(), 1);
    assert_eq!(bounded.ready().unwrap_err(), NoAnswer::TimedOut);
    bounded.leave();
    assert_eq!((waker.live(), clock.sleepers()), (0, 0));
    // Neither woken nor led, whatever comes.
    leader.leave();
    assert_eq!((waker.wakes(), behind.wakes()), (1, 1));
    behind.waits();
    behind.lands(1);
    Verdict::Pass
}

async fn f10_result_at_the_last_moment_is_taken<R: Runtime>(rt: R) -> Verdict {
    let clock: &'static MockClock = rt.put(MockClock::new());
    let (flight, failing): (&'static Flight, &'static Failing) =
        (rt.put(Flight::new()), rt.put(Flight::new()));
    let waker = rt.put(TestWaker::new());
    {
        let leader: &'static Caller<Flight> = rt.put(Caller::new());
        let bounded = rt.put(Parked::new());
        leader.asks(rt, |make| flight.run(make));
        bounded.park(flight.run(|| async { 0 }).timeout(clock, MS));
        bounded.pending(&waker.waker());
        clock.advance(MS);
        leader.lands(7);
        assert_eq!(bounded.ready().map(|answer| answer.value), Ok(7));
        bounded.leave();
    }
    let leader: &'static Caller<Failing> = rt.put(Caller::new());
    let bounded = rt.put(Parked::new());
    leader.asks(rt, |make| failing.run(make));
    bounded.park(failing.run(|| async { 0 }).timeout(clock, MS));
    bounded.pending(&waker.waker());
    clock.advance(MS);
    leader.leave();
    assert_eq!(bounded.ready().unwrap_err(), abandoned(false));
    bounded.leave();
    assert_eq!((waker.live(), clock.sleepers()), (0, 0));
    Verdict::Pass
}

async fn f10_lead_at_the_last_moment_is_taken<R: Runtime>(rt: R) -> Verdict {
    let clock: &'static MockClock = rt.put(MockClock::new());
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, behind] = callers(rt);
    let (bounded, waker) = (rt.put(Parked::new()), rt.put(TestWaker::new()));
    let gate = rt.put(Gate::new());
    leader.asks(rt, |make| flight.run(make));
    bounded.park(flight.run(|| gate.pass()).timeout(clock, MS));
    bounded.pending(&waker.waker());
    behind.asks(rt, |make| flight.run(make));
    clock.advance(MS);
    leader.leave();
    // It leads, and its own run has no bound.
    bounded.pending(&waker.waker());
    assert_eq!((gate.begun(), clock.sleepers()), (1, 0));
    clock.advance(9 * MS);
    bounded.pending(&waker.waker());
    gate.open(3);
    let answer = bounded.ready().expect("its own");
    assert_eq!((answer.value, answer.part), (3, inherited(false)));
    behind.joined(3);
    Verdict::Pass
}

async fn f10_leader_is_not_bounded<R: Runtime>(rt: R) -> Verdict {
    let clock: &'static MockClock = rt.put(MockClock::new());
    let flight: &'static Flight = rt.put(Flight::new());
    let (bounded, gate) = (rt.put(Parked::new()), rt.put(Gate::new()));
    bounded.park(flight.run(|| gate.pass()).timeout(clock, MS));
    bounded.pending(core::task::Waker::noop());
    clock.advance(9 * MS);
    bounded.pending(core::task::Waker::noop());
    assert_eq!(clock.sleeps(), 0);
    gate.open(1);
    assert_eq!(bounded.ready().map(|answer| answer.part), Ok(LED));
    Verdict::Pass
}

async fn f10_timeout_on_the_runtimes_clock<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader] = callers(rt);
    leader.asks(rt, |make| flight.run(make));
    let bounded = rt.spawn(async move {
        let told = flight.run(|| async { 0 }).timeout(rt.timer(), 2 * MS).await;
        assert_eq!(told.unwrap_err(), NoAnswer::TimedOut);
    });
    // Joined: a virtual clock stands still while anybody has something to do.
    assert_eq!(bounded.join().await, Ended::Finished);
    let joined = rt.put(AtomicBool::new(false));
    let patient = rt.spawn(async move {
        let call = flight
            .run(|| async { 0 })
            .timeout(rt.timer(), Duration::MAX);
        let mut call = core::pin::pin!(call);
        let told = core::future::poll_fn(|cx| {
            let polled = call.as_mut().poll(cx);
            joined.store(true, Ordering::SeqCst);
            polled
        });
        assert_eq!(told.await.map(|answer| answer.value), Ok(4));
    });
    eventually(rt, "it joins", || joined.load(Ordering::SeqCst)).await;
    assert_eq!(leader.lands(4).joined, 2);
    assert_eq!(patient.join().await, Ended::Finished);
    Verdict::Pass
}

type Timed = ecluse_core::Flight<u32, Promote, ListLock, &'static MockClock>;

async fn f10_old_flight_is_superseded_by_identity<R: Runtime>(rt: R) -> Verdict {
    let clock: &'static MockClock = rt.put(MockClock::new());
    let flight: &'static Timed = rt.put(Timed::with_clock(clock));
    let [old, joined, new, late] = callers(rt);
    old.asks(rt, |make| flight.run(make));
    joined.asks(rt, |make| flight.run(make));
    clock.advance(6 * MS);
    new.asks(rt, |make| flight.run(make).max_age(5 * MS));
    assert!(old.runs() && new.runs(), "two runs: the one case of them");
    clock.advance(5 * MS);
    // The new one is not too old, and whoever wants any takes it, too.
    late.asks(rt, |make| flight.run(make).max_age(5 * MS));
    assert!(!late.runs());
    // The old one's end serves its own, and does not remove the new one.
    old.lands(1);
    joined.joined(1);
    assert!(flight.is_running());
    assert_eq!((new.wakes(), late.wakes()), (0, 0));
    new.lands(2);
    late.joined(2);
    assert!(!flight.is_running());
    Verdict::Pass
}

async fn f10_young_flight_is_joined<R: Runtime>(rt: R) -> Verdict {
    let clock: &'static MockClock = rt.put(MockClock::new());
    let flight: &'static Timed = rt.put(Timed::with_clock(clock));
    let [leader, young, any] = callers(rt);
    leader.asks(rt, |make| flight.run(make));
    clock.advance(5 * MS);
    young.asks(rt, |make| flight.run(make).max_age(5 * MS));
    clock.advance(50 * MS);
    any.asks(rt, |make| flight.run(make));
    assert!(!young.runs() && !any.runs());
    // It was looked at once: it stays, however old the flight gets.
    young.waits();
    leader.lands(1);
    young.joined(1);
    any.joined(1);
    Verdict::Pass
}

async fn f10_heir_that_is_not_polled_is_superseded<R: Runtime>(rt: R) -> Verdict {
    let clock: &'static MockClock = rt.put(MockClock::new());
    let flight: &'static Timed = rt.put(Timed::with_clock(clock));
    let [leader, heir, behind, new] = callers(rt);
    leader.asks(rt, |make| flight.run(make));
    heir.asks(rt, |make| flight.run(make));
    behind.asks(rt, |make| flight.run(make));
    clock.advance(9 * MS);
    leader.leave();
    clock.advance(6 * MS);
    new.asks(rt, |make| flight.run(make).max_age(5 * MS));
    assert!(new.runs());
    new.lands(1);
    heir.waits();
    heir.lands(2);
    behind.joined(2);
    Verdict::Pass
}
