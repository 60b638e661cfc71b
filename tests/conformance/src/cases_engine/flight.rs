//! f01–f03, f05, f09: one run, many results; what becomes of failures; newcomers; who ran.

use core::task::Poll;

use portable_atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::cases::parts::counter;
use super::super::subject::NoAnswer;
use super::super::subject::flight::{Answer, Part, Verdict as Judgement};
use super::flight_parts::{Failing, Flight, Gate, LED, abandoned, callers, inherited, wakes};
use crate::kit::{Callback, Parked, TestWaker, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine flight:
    f01_one_run_serves_all_who_ask_meanwhile,
    f01_one_run_at_a_time_among_tasks,
    f01_each_follower_gets_one_clone,
    f01_spare_clones_are_dropped,
    f01_failure_reaches_all_and_is_not_kept,
    f01_panicking_clone_fails_those_not_yet_served needs UNWIND,
    f02_failures_are_retried_or_shared_by_class,
    f02_refused_failure_is_told_to_those_who_joined,
    f03_newcomer_after_the_landing_leads,
    f03_newcomer_during_the_landing_leads_and_does_not_spin,
    f05_panic_goes_on_in_the_leader_and_the_heir_learns_it needs UNWIND,
    f05_panic_is_told_to_all_under_fail needs UNWIND,
    f05_panicking_hook_is_a_panic_of_the_work needs UNWIND,
    f09_answer_says_who_ran_and_how_many_joined,
    f09_answer_of_an_heir_says_so,
}

async fn f01_one_run_serves_all_who_ask_meanwhile<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, followers @ ..] = callers::<_, _, 20>(rt);
    for round in 1..=2 {
        assert!(!flight.is_running());
        leader.call.park(flight.run(rt.put(|| leader.gate.pass())));
        leader.waits();
        assert!(flight.is_running() && leader.runs());
        for follower in followers {
            follower.asks(rt, |make| flight.run(make));
            assert!(!follower.runs());
        }
        assert_eq!(leader.gate.begun(), round);
        leader.gate.open(7);
        assert_eq!(leader.answered().value, 7);
        // Once each, and nobody spins: told means woken.
        assert_eq!(wakes(followers), [round; 19]);
        followers.iter().for_each(|follower| follower.joined(7));
        assert_eq!((leader.gate.begun(), leader.gate.gone()), (round, round));
        leader.gate.shut();
    }
    assert!(!flight.is_running());
    assert!(followers.iter().all(|follower| follower.waker.live() == 0));
    Verdict::Pass
}

async fn f01_one_run_at_a_time_among_tasks<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 8;
    let flight: &'static Flight = rt.put(Flight::new());
    let (inside, runs, landed) = (counter(rt), counter(rt), counter(rt));
    let rounds = rt.count(4_000) / TASKS;
    let tasks = core::array::from_fn::<_, TASKS, _>(|task| {
        rt.spawn(async move {
            for round in 0..rounds {
                let before = landed.load(Ordering::SeqCst);
                let work = || async {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two runs");
                    yield_now().await;
                    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                    runs.fetch_add(1, Ordering::SeqCst) as u32 + 1
                };
                let answer = flight.run(work).await.expect("nobody is lost");
                // Flights land in turn: this one had not when it asked.
                assert!(answer.value as usize > before, "an old result");
                landed.fetch_add(usize::from(answer.led()), Ordering::SeqCst);
                if (task + round) % 3 == 0 {
                    yield_now().await;
                }
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(runs.load(Ordering::SeqCst), landed.load(Ordering::SeqCst));
    assert!(!flight.is_running());
    Verdict::Pass
}

/// A result that counts its clones and drops, and panics where none is left.
struct Costly(&'static Costs);

struct Costs {
    clones: AtomicUsize,
    drops: AtomicUsize,
    most: usize,
}

impl Costs {
    const fn new(most: usize) -> Self {
        Self {
            clones: AtomicUsize::new(0),
            drops: AtomicUsize::new(0),
            most,
        }
    }

    /// Clones and drops.
    fn so_far(&self) -> (usize, usize) {
        (
            self.clones.load(Ordering::SeqCst),
            self.drops.load(Ordering::SeqCst),
        )
    }
}

impl Clone for Costly {
    fn clone(&self) -> Self {
        let before = self.0.clones.load(Ordering::SeqCst);
        assert!(before < self.0.most, "one clone too many");
        self.0.clones.store(before + 1, Ordering::SeqCst);
        Self(self.0)
    }
}

impl Drop for Costly {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Ordering::SeqCst);
    }
}

async fn f01_each_follower_gets_one_clone<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight<Costly> = rt.put(Flight::new());
    let (gate, costs) = (rt.put(Gate::new()), rt.put(Costs::new(18)));
    let leader = rt.put(Parked::new());
    let followers = rt.put([const { Parked::new() }; 18]);
    let work = || async {
        gate.pass().await;
        Costly(costs)
    };
    leader.park(flight.run(work));
    leader.pending(core::task::Waker::noop());
    for follower in followers {
        follower.park(flight.run(core::future::pending));
        follower.pending(core::task::Waker::noop());
    }
    gate.open(0);
    let answer = leader.ready().expect("its own");
    assert_eq!((answer.joined, costs.so_far()), (18, (18, 0)));
    drop(answer);
    // Read, or dropped unread.
    for follower in &followers[..9] {
        drop(follower.ready().expect("shared"));
    }
    followers.iter().for_each(Parked::leave);
    assert_eq!(costs.so_far(), (18, 19));
    Verdict::Pass
}

async fn f01_spare_clones_are_dropped<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight<Costly> = rt.put(Flight::new());
    let (gate, costs) = (rt.put(Gate::new()), rt.put(Costs::new(5)));
    let leader = rt.put(Parked::new());
    let followers = rt.put([const { Parked::new() }; 5]);
    for left in [5, 4] {
        let work = || async {
            gate.pass().await;
            Costly(costs)
        };
        leader.park(flight.run(work));
        leader.pending(core::task::Waker::noop());
        for follower in followers {
            follower.park(flight.run(core::future::pending));
            follower.pending(core::task::Waker::noop());
        }
        followers[..left].iter().for_each(Parked::leave);
        gate.open(0);
        assert_eq!(leader.ready().expect("its own").joined, 5);
        leader.leave();
        let (clones, drops) = costs.so_far();
        if left == 5 {
            assert_eq!((clones, drops), (0, 1), "nobody is left to clone for");
        } else {
            drop(followers[4].ready().expect("shared"));
            let (clones, drops) = costs.so_far();
            assert!(clones >= 1 && clones + 2 == drops, "{clones} {drops}");
        }
        followers.iter().for_each(Parked::leave);
        gate.shut();
    }
    Verdict::Pass
}

/// Why a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    ForNow,
    ForGood,
}

type Fallible = Flight<Result<u32, Failed>>;

async fn f01_failure_reaches_all_and_is_not_kept<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Fallible = rt.put(Flight::new());
    let gate = rt.put(Gate::new());
    let (leader, followers) = (rt.put(Parked::new()), rt.put([const { Parked::new() }; 3]));
    leader.park(flight.run(|| async {
        gate.pass().await;
        Err(Failed::ForGood)
    }));
    leader.pending(core::task::Waker::noop());
    for follower in followers {
        follower.park(flight.run(|| async { Ok(0) }));
        follower.pending(core::task::Waker::noop());
    }
    gate.open(0);
    let failed = Err(Failed::ForGood);
    assert_eq!(leader.ready().map(|answer| answer.value), Ok(failed));
    for follower in followers {
        assert_eq!(follower.ready().map(|answer| answer.value), Ok(failed));
    }
    let answer = flight.run(|| async { Ok(1) }).await;
    assert_eq!(answer.map(|answer| answer.value), Ok(Ok(1)));
    Verdict::Pass
}

async fn f01_panicking_clone_fails_those_not_yet_served<R: Runtime>(rt: R) -> Verdict {
    for most in [0, 1, 2, 16, 17, 19] {
        let flight: &'static Flight<Costly> = rt.put(Flight::new());
        let (gate, costs) = (rt.put(Gate::new()), rt.put(Costs::new(most)));
        let leader = rt.put(Parked::new());
        let followers = rt.put([const { Parked::new() }; 20]);
        let wakers = rt.put([const { TestWaker::new() }; 20]);
        leader.park(flight.run(|| async {
            gate.pass().await;
            Costly(costs)
        }));
        leader.pending(core::task::Waker::noop());
        for (follower, waker) in followers.iter().zip(wakers) {
            follower.park(flight.run(core::future::pending));
            follower.pending(&waker.waker());
        }
        gate.open(0);
        // The panic goes on in the leader.
        let task = rt.spawn(async move { drop(leader.ready()) });
        assert_eq!(task.join().await, Ended::Panicked);
        assert!(!flight.is_running());
        let mut served = 0;
        for follower in followers {
            match follower.ready() {
                Ok(answer) => served += usize::from(answer.part == Part::Joined),
                Err(why) => assert_eq!(why, abandoned(true)),
            }
        }
        assert_eq!((served, costs.so_far()), (most, (most, most + 1)));
        assert!(
            wakers
                .iter()
                .all(|waker| waker.wakes() == 1 && waker.live() == 0)
        );
    }
    Verdict::Pass
}

async fn f02_failures_are_retried_or_shared_by_class<R: Runtime>(rt: R) -> Verdict {
    let judge = |result: &Result<u32, Failed>| match result {
        Err(Failed::ForNow) => Judgement::Retry,
        _ => Judgement::Share,
    };
    for failure in [Failed::ForNow, Failed::ForGood] {
        let flight: &'static Fallible = rt.put(Flight::new());
        let gate = rt.put(Gate::new());
        let (leader, others) = (rt.put(Parked::new()), rt.put([const { Parked::new() }; 2]));
        let wakers = rt.put([const { TestWaker::new() }; 2]);
        let work = move || async move {
            gate.pass().await;
            Err(failure)
        };
        leader.park(flight.run(work).judge(judge));
        leader.pending(core::task::Waker::noop());
        for (other, waker) in others.iter().zip(wakers) {
            other.park(flight.run(|| async { Ok(gate.begun() as u32) }));
            other.pending(&waker.waker());
        }
        gate.open(0);
        assert_eq!(leader.ready().map(|answer| answer.value), Ok(Err(failure)));
        let woken = wakers.each_ref().map(TestWaker::wakes);
        let first = others[0].ready().expect("an answer");
        let second = others[1].ready().expect("an answer");
        let parts = (first.part, second.part);
        if failure == Failed::ForNow {
            // The first retries, for the second too. Nobody was lost: the run had ended.
            assert_eq!(woken, [1, 0]);
            assert_eq!((first.value, second.value), (Ok(1), Ok(1)));
            assert!(first.led() && parts.1 == Part::Joined);
            assert_eq!(wakers[1].wakes(), 1);
        } else {
            assert_eq!((woken, parts), ([1, 1], (Part::Joined, Part::Joined)));
            assert_eq!((first.value, second.value), (Err(failure), Err(failure)));
        }
        assert!(!flight.is_running());
    }
    Verdict::Pass
}

async fn f02_refused_failure_is_told_to_those_who_joined<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Fallible = rt.put(Flight::new());
    let gate = rt.put(Gate::new());
    let published = rt.put(AtomicBool::new(false));
    let (leader, follower) = (rt.put(Parked::new()), rt.put(Parked::new()));
    let work = || async {
        gate.pass().await;
        Err(Failed::ForNow)
    };
    let publish = |_: &Result<u32, Failed>| published.store(true, Ordering::SeqCst);
    let refusing = flight.run(work).judge(|_| Judgement::Refuse);
    leader.park(refusing.publish(publish));
    leader.pending(core::task::Waker::noop());
    let waker = rt.put(TestWaker::new());
    follower.park(flight.run(|| async { Ok(1) }));
    follower.pending(&waker.waker());
    gate.open(0);
    let own = leader.ready().map(|answer| answer.value);
    assert_eq!(own, Ok(Err(Failed::ForNow)));
    assert_eq!(waker.wakes(), 1);
    assert_eq!(
        follower.ready().map(|answer| answer.value),
        Err(abandoned(false))
    );
    assert!(!published.load(Ordering::SeqCst) && !flight.is_running());
    Verdict::Pass
}

async fn f03_newcomer_after_the_landing_leads<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, follower, newcomer, late] = callers(rt);
    leader.asks(rt, |make| flight.run(make));
    follower.asks(rt, |make| flight.run(make));
    leader.lands(1);
    // The follower has not looked yet: it keeps the old result, the newcomer makes a new one.
    newcomer.asks(rt, |make| flight.run(make));
    assert!(newcomer.runs());
    late.asks(rt, |make| flight.run(make));
    assert_eq!(newcomer.wakes() + late.wakes(), 0, "they sleep");
    follower.joined(1);
    assert_eq!(newcomer.lands(2).joined, 1);
    late.joined(2);
    Verdict::Pass
}

async fn f03_newcomer_during_the_landing_leads_and_does_not_spin<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, first, last, newcomer] = callers(rt);
    leader.asks(rt, |make| flight.run(make));
    // The first to be told brings a newcomer, while the last is yet to be told.
    let make = rt.put(|| newcomer.gate.pass());
    let act = rt.put(move || {
        newcomer.call.park(flight.run(make));
        newcomer.waits();
    });
    let hostile = rt.put(TestWaker::hostile(Callback::Wake, act));
    first.call.park(flight.run(rt.put(|| first.gate.pass())));
    first.call.pending(&hostile.waker());
    last.asks(rt, |make| flight.run(make));
    hostile.arm();
    leader.lands(1);
    assert_eq!((hostile.acted(), newcomer.runs()), (1, true));
    newcomer.waits();
    assert_eq!((newcomer.wakes(), newcomer.gate.begun()), (0, 1));
    first.joined(1);
    last.joined(1);
    assert_eq!(newcomer.lands(2).joined, 0);
    assert!(!flight.is_running());
    Verdict::Pass
}

/// Work that panics once it is let.
async fn breaks(gate: &'static Gate) -> u32 {
    gate.pass().await;
    panic!("on purpose")
}

async fn f05_panic_goes_on_in_the_leader_and_the_heir_learns_it<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let (gate, leader) = (rt.put(Gate::new()), rt.put(Parked::new()));
    let [heir, behind] = callers(rt);
    leader.park(flight.run(|| breaks(gate)));
    leader.pending(core::task::Waker::noop());
    heir.asks(rt, |make| flight.run(make));
    behind.asks(rt, |make| flight.run(make));
    gate.open(0);
    let task = rt.spawn(async move { assert!(leader.ready().is_err()) });
    assert_eq!(task.join().await, Ended::Panicked);
    // At once: the leader's future, with what is left of it, is still there.
    assert_eq!((heir.wakes(), behind.wakes(), gate.gone()), (1, 0, 1));
    heir.waits();
    assert_eq!(heir.lands(3).part, inherited(true));
    behind.joined(3);
    leader.leave();
    assert!(!flight.is_running());
    Verdict::Pass
}

async fn f05_panic_is_told_to_all_under_fail<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Failing = rt.put(Flight::new());
    let (gate, leader) = (rt.put(Gate::new()), rt.put(Parked::new()));
    let followers = callers::<_, _, 3>(rt);
    leader.park(flight.run(|| breaks(gate)));
    leader.pending(core::task::Waker::noop());
    for follower in followers {
        follower.asks(rt, |make| flight.run(make));
    }
    gate.open(0);
    let task = rt.spawn(async move { assert!(leader.ready().is_err()) });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(wakes(followers), [1; 3]);
    for follower in followers {
        assert_eq!(follower.told().unwrap_err(), abandoned(true));
    }
    leader.leave();
    assert!(!flight.is_running());
    Verdict::Pass
}

/// Where user code of a leader may panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Make,
    Judge,
    Publish,
    Drop,
}

/// Panics when it is dropped in the place it was made for.
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "on purpose");
    }
}

async fn f05_panicking_hook_is_a_panic_of_the_work<R: Runtime>(rt: R) -> Verdict {
    for at in [At::Make, At::Judge, At::Publish, At::Drop] {
        let flight: &'static Flight = rt.put(Flight::new());
        let leader = rt.put(Parked::new());
        let [lost, heir] = callers(rt);
        let look = move |here| assert!(at != here, "on purpose");
        let make = move || {
            look(At::Make);
            let bomb = Bomb(at == At::Drop);
            async move {
                let _bomb = &bomb;
                core::future::poll_fn(|_| Poll::Ready(1)).await
            }
        };
        let judge = move |_: &u32| {
            look(At::Judge);
            Judgement::Share
        };
        let call = flight.run(make).judge(judge);
        // It comes to lead with somebody behind it.
        lost.asks(rt, |make| flight.run(make));
        leader.park(call.publish(move |_: &u32| look(At::Publish)));
        leader.pending(core::task::Waker::noop());
        heir.asks(rt, |make| flight.run(make));
        lost.leave();
        assert_eq!(heir.wakes(), 0);
        let task = rt.spawn(async move { assert!(leader.ready().is_err()) });
        assert_eq!(task.join().await, Ended::Panicked, "{at:?}");
        assert_eq!(heir.wakes(), 1, "{at:?}");
        heir.waits();
        assert_eq!(heir.lands(2).part, inherited(true));
        leader.leave();
        assert!(!flight.is_running());
    }
    Verdict::Pass
}

async fn f09_answer_says_who_ran_and_how_many_joined<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, followers @ ..] = callers::<_, _, 5>(rt);
    leader.asks(rt, |make| flight.run(make));
    for follower in followers {
        follower.asks(rt, |make| flight.run(make));
    }
    // Who left again is counted.
    followers[1].leave();
    let led = leader.lands(4);
    assert_eq!((led.part, led.joined, led.led()), (LED, 4, true));
    let joined = followers[0].answered();
    let expected = Answer {
        value: 4,
        part: Part::Joined,
        joined: 4,
    };
    assert_eq!((joined, joined.led()), (expected, false));
    let text = joined.map(|value| value == 4);
    assert!(text.value && text.joined == 4);
    let alone = flight.run(|| async { 5 }).await.expect("nobody else");
    assert_eq!((alone.part, alone.joined), (LED, 0));
    Verdict::Pass
}

async fn f09_answer_of_an_heir_says_so<R: Runtime>(rt: R) -> Verdict {
    let flight: &'static Flight = rt.put(Flight::new());
    let [leader, heir, next, last] = callers(rt);
    for caller in [leader, heir, next, last] {
        caller.asks(rt, |make| flight.run(make));
    }
    leader.leave();
    heir.waits();
    heir.leave();
    next.waits();
    // Besides itself, one has joined what it leads.
    let answer = next.lands(1);
    assert_eq!((answer.part, answer.joined), (inherited(false), 1));
    last.joined(1);
    // Nothing of it is left to the next flight.
    let fresh = flight.run(|| async { 2 }).await.map(|answer| answer.part);
    assert_eq!(fresh, Ok::<_, NoAnswer>(LED));
    Verdict::Pass
}
