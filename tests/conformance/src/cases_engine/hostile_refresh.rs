//! w01, w02 for a value with an expiry: its clone and drop, and every callback of a waker, doing every hostile act, in every call that
//! meets them.
//!
//! Each combination is a world of its own: a value, one who refreshes it, and two who wait for that. Afterwards everybody has been served
//! and was woken for it; of the values one is left, on the shelf, and of the wakers none.

use core::future::Future;
use core::pin::pin;
use core::task::Waker;
use core::time::Duration;

use portable_atomic::{AtomicI32, Ordering};

use super::super::subject::ListLock;
use super::super::subject::refresh::{Minted, Policy, Reader};
use super::flight_parts::Gate;
use crate::kit::{Callback, Guarded, MockClock, Parked, TestWaker, poll_once};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine hostile_refresh:
    w01_refresher_survives_values_and_wakers_that_come_back,
    w02_refresher_survives_values_and_wakers_that_panic needs UNWIND,
}

/// What the hostile code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Peek,
    Get,
    Invalidate,
    Look,
    PollOther,
    DropOther,
}

const ACTS: [Act; 6] = [
    Act::Peek,
    Act::Get,
    Act::Invalidate,
    Act::Look,
    Act::PollOther,
    Act::DropOther,
];

/// Which call meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Peek,
    Read,
    Land,
    Fail,
    Lose,
    FirstPoll,
    RepollTo,
    Take,
    LeaveQueued,
    LeaveServed,
}

const TRIGGERS: [Trigger; 10] = [
    Trigger::Peek,
    Trigger::Read,
    Trigger::Land,
    Trigger::Fail,
    Trigger::Lose,
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::Take,
    Trigger::LeaveQueued,
    Trigger::LeaveServed,
];

const CALLBACKS: [Callback; 5] = [
    Callback::CloneValue,
    Callback::DropValue,
    Callback::Wake,
    Callback::Clone,
    Callback::Drop,
];

const LIFE: Duration = Duration::from_millis(100);
const POLICY: Policy = Policy::new()
    .early(Duration::from_millis(1))
    .back_off(Duration::from_millis(1), Duration::from_millis(1))
    .breaker(u32::MAX, LIFE)
    .entropy(|| u64::MAX);

/// What the gate lets through for a mint that fails.
const FAILS: u32 = 99;

type Cache = ecluse_core::Refresher<Value, &'static str, &'static MockClock, ListLock>;

struct World {
    clock: MockClock,
    gate: Gate,
    hostile: Guarded<Option<&'static TestWaker>>,
    alive: AtomicI32,
}

impl World {
    /// Hostile code runs.
    fn called(&self, callback: Callback) {
        if let Some(hostile) = self.hostile.with(|hostile| *hostile) {
            hostile.called(callback);
        }
    }
}

struct Value(&'static World);

impl Value {
    fn new(world: &'static World) -> Self {
        world.alive.fetch_add(1, Ordering::SeqCst);
        Self(world)
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.0.called(Callback::CloneValue);
        Self::new(self.0)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
        self.0.called(Callback::DropValue);
    }
}

type Mint = Result<Minted<Value>, &'static str>;

async fn mint(world: &'static World) -> Mint {
    match world.gate.pass().await {
        FAILS => Err("no"),
        _ => Ok(Minted::expires_in(Value::new(world), LIFE)),
    }
}

/// A call whose answer is of no interest.
async fn got(cache: &'static Cache, world: &'static World) {
    let _ = cache.get(|| mint(world)).await;
}

/// Polls a call, if it is there; drops it if it is over.
fn poll<F: Future<Output = ()>>(call: &'static Parked<F>, waker: &'static TestWaker) -> bool {
    let over = call.is_parked() && call.poll(&waker.waker()).is_ready();
    if over {
        call.leave();
    }
    over
}

/// The same; if it waited for another's refresh, it was woken for its end, by this waker or by `earlier`.
fn ask<F: Future<Output = ()>>(
    call: &'static Parked<F>,
    waker: &'static TestWaker,
    earlier: Option<&'static TestWaker>,
) {
    let queued = waker.clones() > 0;
    let woken = waker.wakes() > 0 || earlier.is_some_and(|earlier| earlier.wakes() > 0);
    if poll(call, waker) {
        assert!(woken || !queued, "served, but never woken");
    }
}

/// One combination. Returns whether the hostile code came to act.
async fn combination<R: Runtime>(rt: R, callback: Callback, act: Act, trigger: Trigger) -> bool {
    let world: &'static World = rt.put(World {
        clock: MockClock::new(),
        gate: Gate::new(),
        hostile: Guarded::new(None),
        alive: AtomicI32::new(0),
    });
    let cache: &'static Cache = rt.put(Cache::new(&world.clock, POLICY));
    let [leading, waiting, others] = rt.put([const { TestWaker::new() }; 3]);
    let calls = rt.put([const { Parked::new() }; 3]);
    let [leader, victim, other] = calls;
    let acts = move || match act {
        Act::Panic => panic!("hostile"),
        Act::Peek => drop(cache.peek()),
        Act::Get => drop(poll_once(pin!(got(cache, world)), Waker::noop())),
        Act::Invalidate => {
            if let Some(current) = cache.peek() {
                cache.invalidate(current.version);
            }
        }
        Act::Look => drop(cache.snapshot()),
        // It may be served already, and be about to be woken.
        Act::PollOther => drop(poll(other, others)),
        Act::DropOther => other.leave(),
    };
    let hostile: &'static TestWaker = rt.put(TestWaker::hostile(callback, rt.put(acts)));

    // Set the scene: a value that is there, or one that is no more, whose refresh is under way.
    world.gate.open(0);
    assert!(poll_once(pin!(got(cache, world)), Waker::noop()).is_ready());
    world.gate.shut();
    if !matches!(trigger, Trigger::Peek | Trigger::Read) {
        world.clock.advance(LIFE);
        leader.park(got(cache, world));
        leader.pending(&leading.waker());
        victim.park(got(cache, world));
        match trigger {
            Trigger::FirstPoll => {}
            Trigger::RepollTo => victim.pending(&waiting.waker()),
            _ => victim.pending(&hostile.waker()),
        }
        other.park(got(cache, world));
        other.pending(&others.waker());
        if matches!(trigger, Trigger::Take | Trigger::LeaveServed) {
            world.gate.open(0);
            poll(leader, leading);
            world.gate.shut();
        }
    }
    world.hostile.with(|place| *place = Some(hostile));
    hostile.arm();
    let meets = rt.spawn(async move {
        match trigger {
            Trigger::Peek => drop(cache.peek()),
            Trigger::Read => {
                let mut reader = Reader::new(cache);
                let _ = poll_once(pin!(reader.get(|| mint(world))), Waker::noop()).is_ready();
                drop(reader);
            }
            Trigger::Land | Trigger::Fail => {
                let number = if trigger == Trigger::Fail { FAILS } else { 0 };
                world.gate.open(number);
                poll(leader, leading);
                world.gate.shut();
            }
            Trigger::Lose => leader.leave(),
            Trigger::FirstPoll | Trigger::RepollTo | Trigger::Take => drop(poll(victim, hostile)),
            Trigger::LeaveQueued | Trigger::LeaveServed => victim.leave(),
        }
    });
    let ended = meets.join().await;
    let acted = hostile.acted() > 0;
    let expected = if acted && act == Act::Panic {
        Ended::Panicked
    } else {
        Ended::Finished
    };
    assert_eq!(ended, expected, "{callback:?} {act:?} {trigger:?}");

    let settles = rt.spawn(async move {
        hostile.disarm();
        // A call whose poll panicked is not polled again.
        if ended == Ended::Panicked {
            match trigger {
                Trigger::Land | Trigger::Fail => leader.leave(),
                Trigger::FirstPoll | Trigger::RepollTo | Trigger::Take => victim.leave(),
                _ => {}
            }
        }
        world.gate.open(0);
        for _ in 0..8 {
            poll(leader, leading);
            ask(victim, waiting, Some(hostile));
            ask(other, others, None);
        }
        let left = calls.iter().filter(|call| call.is_parked()).count();
        assert_eq!(left, 0, "one is left");
        // What is on the shelf now is all there is.
        got(cache, world).await;
        assert!(cache.peek().is_some() && !cache.snapshot().refreshing);
        assert_eq!(world.gate.begun(), world.gate.gone());
        assert_eq!(world.alive.load(Ordering::SeqCst), 1, "a value is left");
        for waker in [hostile, leading, waiting, others] {
            assert_eq!(waker.live(), 0, "a waker is left");
        }
    });
    assert_eq!(
        settles.join().await,
        Ended::Finished,
        "{callback:?} {act:?} {trigger:?}"
    );
    acted
}

/// Every trigger and callback with each of `acts`, or as many of them, evenly, as the platform affords.
async fn table<R: Runtime>(rt: R, acts: &[Act]) -> Verdict {
    let all = acts.len() * TRIGGERS.len() * CALLBACKS.len();
    // A world of this kind takes twice the room of others.
    let step = all.div_ceil(rt.count(2 * all) / 2);
    let mut acted = 0;
    for i in (0..all).step_by(step) {
        let callback = CALLBACKS[i % CALLBACKS.len()];
        let trigger = TRIGGERS[i / CALLBACKS.len() % TRIGGERS.len()];
        let act = acts[i / CALLBACKS.len() / TRIGGERS.len()];
        acted += usize::from(combination(rt, callback, act, trigger).await);
    }
    assert!(
        step > 1 || acted >= acts.len() * TRIGGERS.len(),
        "{acted} of {all} acted"
    );
    Verdict::Pass
}

async fn w01_refresher_survives_values_and_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table(rt, &ACTS).await
}

async fn w02_refresher_survives_values_and_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table(rt, &[Act::Panic]).await
}
