//! f04, f06: leaders that are lost in every way, and followers that leave at any moment.

use core::future::Future;
use core::task::Waker;

use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::{OnDrop, counter};
use super::super::subject::NoAnswer;
use super::super::subject::flight::Answer;
use super::flight_parts::{Caller, Failing, Flight, Gate, abandoned, callers, inherited, wakes};
use crate::kit::{Callback, Parked, TestWaker, yield_now};
use crate::{Ended, Interrupt, Runtime, Task, Verdict};

cases! { engine flight_lost:
    f04_lost_leader_is_succeeded_by_one_and_wakes_one,
    f04_heir_runs_its_own_closure,
    f04_body_of_the_lost_is_gone_before_the_heir_is_woken,
    f04_heir_that_goes_unpolled_is_succeeded_too,
    f04_lost_with_nobody_behind_leaves_nothing,
    f04_fail_tells_all_at_once,
    f04_failed_flight_is_gone_for_newcomers,
    f04_each_of_a_crowd_leads_in_turn,
    f04_aborted_leader_is_succeeded needs ABORT,
    f04_select_loser_is_succeeded,
    f04_timed_out_leader_is_succeeded,
    f04_leader_whose_task_is_dropped_is_succeeded needs TASK_DROP,
    f04_leader_whose_cancel_is_awaited_is_succeeded needs CANCEL_AWAIT,
    f04_leader_of_a_runtime_that_ends_is_succeeded needs SHUTDOWN,
    f04_leaders_cancelled_at_random_lose_nobody,
    f06_follower_leaves_from_every_place,
    f06_follower_leaves_in_the_middle_of_a_landing,
    f06_served_follower_goes_without_looking,
    f06_follower_leaves_a_lost_flight,
    f06_interrupted_follower_leaves_the_flight,
}

async fn f04_lost_leader_is_succeeded_by_one_and_wakes_one<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, followers @ ..] = callers::<_, _, 20>(rt);
    leader.asks(rt, |make| flight.run(make));
    for follower in followers {
        follower.asks(rt, |make| flight.run(make));
    }
    let clones = |caller: &'static Caller<Flight>| caller.waker.clones();
    let cloned: usize = followers.iter().map(clones).sum();
    leader.leave();
    let mut woken = [0; 19];
    woken[0] = 1;
    assert_eq!(wakes(followers), woken, "one wake, and not one more");
    // Nobody else is touched: not even their wakers.
    assert_eq!(followers.iter().map(clones).sum::<usize>(), cloned);
    assert!(flight.is_running());
    followers[0].waits();
    assert!(followers.iter().skip(1).all(|follower| !follower.runs()));
    assert_eq!(followers[0].lands(6).joined, 18);
    assert_eq!(wakes(followers), [1; 19]);
    followers[1..]
        .iter()
        .for_each(|follower| follower.joined(6));
    Verdict::Pass
}

async fn f04_heir_runs_its_own_closure<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, heir, behind] = callers(rt);
    for caller in [leader, heir, behind] {
        caller.asks(rt, |make| flight.run(make));
    }
    leader.leave();
    let begun = || [leader, heir, behind].map(|caller| caller.gate.begun());
    assert_eq!(begun(), [1, 0, 0]);
    heir.waits();
    assert_eq!(begun(), [1, 1, 0]);
    assert_eq!(heir.lands(2).part, inherited(false));
    behind.joined(2);
    Verdict::Pass
}

async fn f04_body_of_the_lost_is_gone_before_the_heir_is_woken<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, heir] = callers(rt);
    leader.asks(rt, |make| flight.run(make));
    let seen = counter(rt);
    let act = rt.put(|| seen.store(leader.gate.gone(), Ordering::SeqCst));
    let curious = rt.put(TestWaker::hostile(Callback::Wake, act));
    heir.call.park(flight.run(rt.put(|| heir.gate.pass())));
    heir.call.pending(&curious.waker());
    curious.arm();
    leader.leave();
    assert_eq!((curious.acted(), seen.load(Ordering::SeqCst)), (1, 1));
    heir.waits();
    heir.lands(1);
    Verdict::Pass
}

async fn f04_heir_that_goes_unpolled_is_succeeded_too<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, followers @ ..] = callers::<_, _, 4>(rt);
    leader.asks(rt, |make| flight.run(make));
    for follower in followers {
        follower.asks(rt, |make| flight.run(make));
    }
    leader.leave();
    assert_eq!(wakes(followers), [1, 0, 0]);
    followers[0].leave();
    assert_eq!(wakes(followers), [1, 1, 0]);
    // It leads from the grant on, polled or not: a newcomer joins it.
    let [newcomer] = callers(rt);
    newcomer.asks(rt, |make| flight.run(make));
    assert!(!newcomer.runs());
    followers[1].waits();
    assert_eq!(followers[1].lands(8).part, inherited(false));
    followers[2].joined(8);
    newcomer.joined(8);
    assert_eq!(followers[0].gate.begun(), 0);
    Verdict::Pass
}

async fn f04_lost_with_nobody_behind_leaves_nothing<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, next] = callers(rt);
    leader.asks(rt, |make| flight.run(make));
    assert!(flight.is_running());
    leader.leave();
    assert!(!flight.is_running());
    next.asks(rt, |make| flight.run(make));
    let answer = next.lands(1);
    assert_eq!(answer.part, super::flight_parts::LED);
    Verdict::Pass
}

async fn f04_fail_tells_all_at_once<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Failing = rt.put(Flight::new());
    let [leader, followers @ ..] = callers::<_, _, 20>(rt);
    leader.asks(rt, |make| flight.run(make));
    for follower in followers {
        follower.asks(rt, |make| flight.run(make));
    }
    followers[7].leave();
    leader.leave();
    assert!(!flight.is_running());
    for (i, follower) in followers.iter().enumerate().filter(|(i, _)| *i != 7) {
        assert_eq!(follower.wakes(), 1, "of follower {i}");
        assert_eq!(follower.told().unwrap_err(), abandoned(false));
        assert_eq!(follower.gate.begun(), 0);
    }
    assert_eq!(followers[7].wakes(), 0);
    Verdict::Pass
}

async fn f04_failed_flight_is_gone_for_newcomers<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Failing = rt.put(Flight::new());
    let [leader, told, newcomer] = callers(rt);
    leader.asks(rt, |make| flight.run(make));
    told.asks(rt, |make| flight.run(make));
    leader.leave();
    newcomer.asks(rt, |make| flight.run(make));
    assert!(newcomer.runs());
    assert_eq!(told.told().unwrap_err(), abandoned(false));
    assert_eq!(newcomer.lands(1).joined, 0);
    Verdict::Pass
}

async fn f04_each_of_a_crowd_leads_in_turn<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let crowd = callers::<_, _, 12>(rt);
    for caller in crowd {
        caller.asks(rt, |make| flight.run(make));
    }
    for (i, caller) in crowd.iter().enumerate() {
        if i > 0 {
            assert_eq!(caller.wakes(), 1);
            caller.waits();
        }
        assert!(caller.runs());
        let running = |caller: &Caller<Flight>| caller.gate.begun() - caller.gate.gone();
        assert_eq!(crowd.iter().map(running).sum::<usize>(), 1, "overlap");
        caller.leave();
    }
    assert!(!flight.is_running());
    Verdict::Pass
}

/// A leader in a task is ended by `how`, before it is done; exactly one of the others leads on.
async fn interrupted<R: Runtime>(rt: R, how: Interrupt) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let gate = rt.put(Gate::new());
    let others = callers::<_, _, 3>(rt);
    let victim = async move {
        let mut call = core::pin::pin!(flight.run(|| gate.pass()));
        let mut asked = false;
        let answer = core::future::poll_fn(|cx| {
            let polled = call.as_mut().poll(cx);
            if !asked {
                asked = true;
                for other in others {
                    other.asks(rt, |make| flight.run(make));
                }
            }
            polled
        });
        let _: Result<Answer<u32>, NoAnswer> = answer.await;
        unreachable!("nobody opens the gate");
    };
    rt.interrupted(how, victim).await;
    assert_eq!((gate.begun(), gate.gone()), (1, 1));
    assert_eq!(wakes(others), [1, 0, 0]);
    others[0].waits();
    assert_eq!(others[0].lands(1).part, inherited(false));
    others[1].joined(1);
    others[2].joined(1);
    assert!(!flight.is_running());
    Verdict::Pass
}

async fn f04_aborted_leader_is_succeeded<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::Abort).await
}

async fn f04_select_loser_is_succeeded<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::SelectLoser).await
}

async fn f04_timed_out_leader_is_succeeded<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::Timeout).await
}

async fn f04_leader_whose_task_is_dropped_is_succeeded<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::TaskDrop).await
}

async fn f04_leader_whose_cancel_is_awaited_is_succeeded<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::CancelAwait).await
}

async fn f04_leader_of_a_runtime_that_ends_is_succeeded<R: Runtime>(rt: R) -> Verdict {
    interrupted(rt, Interrupt::RuntimeShutdown).await
}

/// Polls a call `polls` times at most, with turns for others between, and lets go of it.
async fn for_a_while<F: Future>(call: F, polls: usize) -> Option<F::Output> {
    let mut call = core::pin::pin!(call);
    let mut left = polls;
    core::future::poll_fn(|cx| match call.as_mut().poll(cx) {
        core::task::Poll::Ready(output) => core::task::Poll::Ready(Some(output)),
        core::task::Poll::Pending if left == 0 => core::task::Poll::Ready(None),
        core::task::Poll::Pending => {
            left -= 1;
            cx.waker().wake_by_ref();
            core::task::Poll::Pending
        }
    })
    .await
}

/// Work of so many turns, one at a time.
async fn for_turns(inside: &'static AtomicUsize, turns: usize) -> u32 {
    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "overlap");
    let _inside = OnDrop(|| {
        inside.fetch_sub(1, Ordering::SeqCst);
    });
    for _ in 0..turns {
        yield_now().await;
    }
    0
}

async fn f04_leaders_cancelled_at_random_lose_nobody<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 6;
    let flight: &'static Flight = rt.put(Flight::new());
    let inside = counter(rt);
    let rounds = rt.count(3_000) / TASKS;
    let tasks = core::array::from_fn::<_, TASKS, _>(|task| {
        rt.spawn(async move {
            let mut random = task as u32 + 1;
            for _ in 0..rounds {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let turns = (random >> 16) as usize % 4;
                let work = move || for_turns(inside, turns);
                let call = flight.run(work);
                if (random >> 24) % 3 == 0 {
                    for_a_while(call, (random >> 20) as usize % 3).await;
                } else {
                    // Nobody is lost: it ends in some way.
                    call.await.expect("somebody leads");
                }
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(inside.load(Ordering::SeqCst), 0);
    assert!(!flight.is_running());
    Verdict::Pass
}

async fn f06_follower_leaves_from_every_place<R: Runtime>(rt: R) -> Verdict {
    const N: usize = 5;
    for at in 0..N {
        let flight: &'static Flight = rt.put(Flight::new());
        let [leader, followers @ ..] = callers::<_, _, { N + 1 }>(rt);
        leader.asks(rt, |make| flight.run(make));
        for follower in followers {
            follower.asks(rt, |make| flight.run(make));
        }
        followers[at].leave();
        assert_eq!(wakes(followers), [0; N], "the others sleep on");
        assert_eq!(followers[at].waker.live(), 0);
        // Their order is what it was.
        leader.leave();
        let heir = usize::from(at == 0);
        assert_eq!(followers[heir].wakes(), 1);
        followers[heir].waits();
        followers[heir].lands(1);
        for (i, follower) in followers.iter().enumerate() {
            if i != at && i != heir {
                assert_eq!(follower.wakes(), 1);
                follower.joined(1);
            }
        }
        assert!(!flight.is_running());
    }
    Verdict::Pass
}

async fn f06_follower_leaves_in_the_middle_of_a_landing<R: Runtime>(rt: R) -> Verdict {
    const N: usize = 20;
    // The first that is told takes away one that may or may not have been told yet.
    for gone in [1, 10, 15, 16, N - 1] {
        let flight: &'static Flight = rt.put(Flight::new());
        let [leader, followers @ ..] = callers::<_, _, { N + 1 }>(rt);
        leader.asks(rt, |make| flight.run(make));
        let act = rt.put(move || followers[gone].leave());
        let hostile = rt.put(TestWaker::hostile(Callback::Wake, act));
        for (i, follower) in followers.iter().enumerate() {
            if i == 0 {
                let make = rt.put(|| follower.gate.pass());
                follower.call.park(flight.run(make));
                follower.call.pending(&hostile.waker());
            } else {
                follower.asks(rt, |make| flight.run(make));
            }
        }
        hostile.arm();
        leader.lands(9);
        assert_eq!(hostile.acted(), 1);
        for (i, follower) in followers.iter().enumerate() {
            assert_eq!(follower.waker.live(), 0);
            if i != gone {
                assert_eq!(follower.wakes(), usize::from(i != 0));
                follower.joined(9);
            }
        }
        assert!(!flight.is_running());
    }
    Verdict::Pass
}

async fn f06_served_follower_goes_without_looking<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, served, other, next] = callers(rt);
    for caller in [leader, served, other] {
        caller.asks(rt, |make| flight.run(make));
    }
    leader.lands(1);
    served.leave();
    assert!(!flight.is_running(), "its result goes nowhere else");
    next.asks(rt, |make| flight.run(make));
    assert!(next.runs());
    other.joined(1);
    next.lands(2);
    Verdict::Pass
}

async fn f06_follower_leaves_a_lost_flight<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, heir, middle, last] = callers(rt);
    for caller in [leader, heir, middle, last] {
        caller.asks(rt, |make| flight.run(make));
    }
    leader.leave();
    // The heir has not looked yet.
    middle.leave();
    last.leave();
    assert_eq!((heir.wakes(), middle.wakes(), last.wakes()), (1, 0, 0));
    heir.waits();
    assert_eq!(heir.lands(3).part, inherited(false));
    assert!(!flight.is_running());
    Verdict::Pass
}

async fn f06_interrupted_follower_leaves_the_flight<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, other] = callers(rt);
    let unused = rt.put(Parked::new());
    leader.asks(rt, |make| flight.run(make));
    let victim = async move {
        let _: Result<Answer<u32>, NoAnswer> = flight.run(core::future::pending).await;
        unreachable!("it is dropped while it waits");
    };
    rt.interrupted(Interrupt::SelectLoser, victim).await;
    other.asks(rt, |make| flight.run(make));
    unused.park(flight.run(core::future::pending));
    unused.pending(Waker::noop());
    unused.leave();
    assert_eq!((leader.wakes(), other.wakes()), (0, 0));
    leader.lands(1);
    other.joined(1);
    Verdict::Pass
}
