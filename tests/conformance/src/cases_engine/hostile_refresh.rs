//! w01, w02 for a value with an expiry: its clone and drop, and every callback of a waker, doing every hostile act, in every call that
//! meets them.
//!
//! Each combination is a world of its own: a value, one who refreshes it, and two who wait for that. Afterwards everybody has been served
//! and was woken for it; of the values one is left, on the shelf, and of the wakers none.

use core::pin::pin;
use core::task::Waker;
use core::time::Duration;

use super::super::cases::parts::OnDrop;
use super::super::subject::ListLock;
use super::super::subject::refresh::{Minted, Policy, Reader};
use super::flight_parts::Gate;
use crate::kit::{
    Callback, Foreign, MockClock, Parked, Scene, TestWaker, Unnamed, Value, poll_once, table,
};
use crate::{Runtime, Verdict};

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
    foreign: Foreign,
}

type Mint = Result<Minted<Value>, &'static str>;

async fn mint(world: &'static World) -> Mint {
    match world.gate.pass().await {
        FAILS => Err("no"),
        _ => Ok(Minted::expires_in(Value::new(0, &world.foreign), LIFE)),
    }
}

impl World {
    fn lets_through(&self, number: u32, lands: impl FnOnce()) {
        self.gate.open(number);
        lands();
        self.gate.shut();
    }
}

/// The world, its value, and who asks for it.
#[derive(Clone, Copy)]
struct Play {
    world: &'static World,
    cache: &'static Cache,
    /// The one that refreshes, the one that is polled with the hostile waker, another.
    calls: [&'static dyn Unnamed; 3],
    wakers: &'static [TestWaker; 3],
}

impl Play {
    /// Asks once, and goes.
    fn get(self) -> bool {
        let get = self.cache.get(|| mint(self.world));
        poll_once(pin!(get), Waker::noop()).is_ready()
    }

    /// Polls a call; one whose poll panics is not polled again.
    fn poll(call: &'static dyn Unnamed, waker: &'static TestWaker) {
        let panics = OnDrop(|| call.leave());
        call.step(&waker.waker());
        core::mem::forget(panics);
    }

    fn lands(self, number: u32) {
        let lands = || Self::poll(self.calls[0], &self.wakers[0]);
        self.world.lets_through(number, lands);
    }
}

impl Scene for Play {
    type Act = Act;
    type Trigger = Trigger;

    const PANIC: Act = Act::Panic;
    const CALLBACKS: &'static [Callback] = &[
        Callback::CloneValue,
        Callback::DropValue,
        Callback::Wake,
        Callback::Clone,
        Callback::Drop,
    ];
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;
    const ROOM: usize = 2;

    fn new<R: Runtime>(rt: R) -> Self {
        let world: &'static World = rt.put(World {
            clock: MockClock::new(),
            gate: Gate::new(),
            foreign: Foreign::new(),
        });
        let cache: &'static Cache = rt.put(Cache::new(&world.clock, POLICY));
        let calls = rt.put([const { Parked::new() }; 3]);
        for call in calls {
            call.park(cache.get(move || mint(world)));
        }
        Self {
            world,
            cache,
            calls: calls.each_ref().map(|call| call as &dyn Unnamed),
            wakers: rt.put([const { TestWaker::new() }; 3]),
        }
    }

    fn act(self, act: Act) {
        let (cache, other) = (self.cache, self.calls[2]);
        match act {
            Act::Panic => panic!("hostile"),
            Act::Peek => drop(cache.peek()),
            Act::Get => drop(self.get()),
            Act::Invalidate => {
                if let Some(current) = cache.peek() {
                    cache.invalidate(current.version);
                }
            }
            Act::Look => drop(cache.snapshot()),
            // It may be served already, and be about to be woken.
            Act::PollOther => other.step(&self.wakers[2].waker()),
            Act::DropOther => other.leave(),
        }
    }

    /// A value that is there, or one that is no more, whose refresh is under way.
    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let Self { world, wakers, .. } = self;
        let [leader, victim, other] = self.calls;
        world.lets_through(0, || assert!(self.get()));
        if matches!(trigger, Trigger::Peek | Trigger::Read) {
            self.calls.iter().for_each(|call| call.leave());
        } else {
            world.clock.advance(LIFE);
            leader.pending(&wakers[0].waker());
            match trigger {
                Trigger::FirstPoll => {}
                Trigger::RepollTo => victim.pending(&wakers[1].waker()),
                _ => victim.pending(&hostile.waker()),
            }
            other.pending(&wakers[2].waker());
            if matches!(trigger, Trigger::Take | Trigger::LeaveServed) {
                self.lands(0);
            }
        }
        world.foreign.turn(hostile);
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let Self { world, cache, .. } = self;
        let [leader, victim, _] = self.calls;
        match trigger {
            Trigger::Peek => drop(cache.peek()),
            Trigger::Read => {
                let mut reader = Reader::new(cache);
                let _ = poll_once(pin!(reader.get(|| mint(world))), Waker::noop()).is_ready();
                drop(reader);
            }
            Trigger::Land => self.lands(0),
            Trigger::Fail => self.lands(FAILS),
            Trigger::Lose => leader.leave(),
            Trigger::FirstPoll | Trigger::RepollTo | Trigger::Take => Self::poll(victim, hostile),
            Trigger::LeaveQueued | Trigger::LeaveServed => victim.leave(),
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        self.wakers
    }

    /// Everybody is served, was woken for it, and what is on the shelf is all there is.
    fn settle(self, hostile: &'static TestWaker) {
        let Self { world, cache, .. } = self;
        let [leading, waiting, others] = self.wakers.each_ref();
        let [leader, victim, other] = self.calls;
        world.gate.open(0);
        for _ in 0..8 {
            // It runs the refresh, and is not woken for that.
            leader.step(&leading.waker());
            victim.ask(waiting, Some(hostile));
            other.ask(others, None);
        }
        assert!(
            !self.calls.iter().any(|call| call.is_parked()),
            "one is left"
        );
        assert!(self.get());
        assert!(cache.peek().is_some() && !cache.snapshot().refreshing);
        assert_eq!(world.gate.begun(), world.gate.gone());
        assert_eq!(world.foreign.alive(), 1, "a value is left");
    }
}

async fn w01_refresher_survives_values_and_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &ACTS).await
}

async fn w02_refresher_survives_values_and_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &[Act::Panic]).await
}
