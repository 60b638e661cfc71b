//! w01, w02 for `Once`: every callback of a waker, the function and the future that make the value, the drop of a value, doing every
//! hostile act, in every call that meets them.
//!
//! Each combination is a world of its own: one who makes the value, and behind it the victim and another. Afterwards everybody has the
//! value, was woken for it, and no work, value or waker is left but the one that is kept.

use super::super::subject::ListLock;
use super::super::subject::flight::Init;
use super::flight_parts::{Gate, Work};
use crate::kit::{Callback, Foreign, Parked, Scene, TestWaker, Value, ask, table};
use crate::{Runtime, Verdict};

cases! { engine hostile_once:
    w01_once_survives_wakers_values_and_work_that_come_back,
    w02_once_survives_wakers_values_and_work_that_panic needs UNWIND,
}

/// What the hostile code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Ask,
    Set,
    Look,
    PollOther,
    DropOther,
}

const ACTS: [Act; 5] = [
    Act::Ask,
    Act::Set,
    Act::Look,
    Act::PollOther,
    Act::DropOther,
];

/// Which call meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    FirstAsk,
    FirstPoll,
    RepollTo,
    RepollFrom,
    Land,
    Fail,
    Lose,
    Inherit,
    Leave,
    Set,
    DropOnce,
}

const TRIGGERS: [Trigger; 11] = [
    Trigger::FirstAsk,
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::RepollFrom,
    Trigger::Land,
    Trigger::Fail,
    Trigger::Lose,
    Trigger::Inherit,
    Trigger::Leave,
    Trigger::Set,
    Trigger::DropOnce,
];

/// What the gate lets through for work that fails.
const FAILS: u32 = 99;

type Made = Result<Value, Value>;
type Once = ecluse_core::Once<Value, ListLock>;
type Make = &'static (dyn Fn() -> Work<Made> + Send + Sync);
type Call = Parked<Init<'static, Value, ListLock, Make, Work<Made>>>;

fn made(number: u32, of: &'static Foreign) -> Made {
    let value = Value::new(number, of);
    if number == FAILS {
        Err(value)
    } else {
        Ok(value)
    }
}

struct World {
    once: Once,
    gate: Gate,
    /// Values, and the callers' work.
    foreign: Foreign,
    leader: Call,
    /// Polled with the hostile waker.
    victim: Call,
    other: Call,
    late: Call,
    wakers: [TestWaker; 4],
}

impl World {
    fn set(&'static self) {
        // One that comes too late is given back.
        drop(self.once.set(Value::new(1, &self.foreign)));
    }
}

/// The world, and what begins its callers' work.
#[derive(Clone, Copy)]
struct Play {
    world: &'static World,
    make: Make,
}

impl Play {
    fn ask(self, call: &'static Call) {
        if !call.is_parked() {
            call.park(self.world.once.get_or_try_init(self.make));
        }
    }

    fn lands(self, number: u32) {
        let world = self.world;
        world.gate.open(number);
        world.leader.step(&world.wakers[0].waker());
        world.gate.shut();
    }
}

impl Scene for Play {
    type Act = Act;
    type Trigger = Trigger;

    const PANIC: Act = Act::Panic;
    const CALLBACKS: &'static [Callback] = &[
        Callback::Wake,
        Callback::WakeByRef,
        Callback::Clone,
        Callback::Drop,
        Callback::Make,
        Callback::Poll,
        Callback::DropFuture,
        Callback::DropValue,
    ];
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;

    fn new<R: Runtime>(rt: R) -> Self {
        let world: &'static World = rt.put(World {
            once: Once::new(),
            gate: Gate::new(),
            foreign: Foreign::new(),
            leader: Parked::new(),
            victim: Parked::new(),
            other: Parked::new(),
            late: Parked::new(),
            wakers: [const { TestWaker::new() }; 4],
        });
        Self {
            world,
            make: rt.put(move || Work::new(&world.gate, &world.foreign, made)),
        }
    }

    fn act(self, act: Act) {
        let world = self.world;
        let [.., other, late] = &world.wakers;
        match act {
            Act::Panic => panic!("hostile"),
            Act::Ask => {
                self.ask(&world.late);
                world.late.step(&late.waker());
            }
            Act::Set => world.set(),
            Act::Look => {
                let number = world.once.get().map(|value| value.number);
                assert_eq!(number.is_some(), world.once.is_set());
            }
            Act::PollOther => world.other.step(&other.waker()),
            Act::DropOther => world.other.leave(),
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let world = self.world;
        let [leader, victim, other, _] = &world.wakers;
        world.foreign.turn(hostile);
        if matches!(trigger, Trigger::FirstAsk | Trigger::Set) {
            return;
        }
        self.ask(&world.leader);
        world.leader.pending(&leader.waker());
        self.ask(&world.victim);
        match trigger {
            Trigger::FirstPoll => {}
            Trigger::RepollTo => world.victim.pending(&victim.waker()),
            _ => world.victim.pending(&hostile.waker()),
        }
        self.ask(&world.other);
        world.other.pending(&other.waker());
        if trigger == Trigger::Inherit {
            // It is the victim's turn, who does not know yet.
            world.leader.leave();
        }
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let world = self.world;
        let [leader, victim, ..] = &world.wakers;
        match trigger {
            Trigger::FirstAsk => {
                self.ask(&world.leader);
                self.lands(0);
            }
            Trigger::FirstPoll | Trigger::RepollTo => world.victim.step(&hostile.waker()),
            Trigger::RepollFrom => world.victim.step(&victim.waker()),
            Trigger::Land => self.lands(0),
            Trigger::Fail => self.lands(FAILS),
            Trigger::Lose => world.leader.leave(),
            Trigger::Inherit => {
                world.victim.step(&hostile.waker());
                world.victim.leave();
            }
            Trigger::Leave => world.victim.leave(),
            Trigger::Set => {
                self.ask(&world.leader);
                world.leader.step(&leader.waker());
                // There is one who makes the value: it comes back.
                world.set();
            }
            Trigger::DropOnce => {
                drop(Once::from(Value::new(2, &world.foreign)));
                world.leader.leave();
            }
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        &self.world.wakers
    }

    /// Everybody is told, was woken for it, and nothing is left but the value.
    fn settle(self, hostile: &'static TestWaker) {
        let world = self.world;
        let [leader, victim, other, late] = &world.wakers;
        world.gate.open(0);
        let calls = [&world.leader, &world.victim, &world.other, &world.late];
        for _ in 0..2 * calls.len() {
            // Who makes the value is not woken for it: the leader, and whoever came late.
            world.leader.step(&leader.waker());
            ask(&world.victim, victim, Some(hostile), drop);
            ask(&world.other, other, None, drop);
            world.late.step(&late.waker());
        }
        assert!(!calls.iter().any(|call| call.is_parked()), "one is left");
        // Whoever asks now has it, or makes it.
        self.ask(&world.late);
        assert!(world.late.ready().is_ok());
        world.late.leave();
        assert!(world.once.is_set());
        assert_eq!(world.gate.begun(), world.gate.gone());
        assert_eq!(world.foreign.alive(), 1, "a value or work is left");
    }
}

async fn w01_once_survives_wakers_values_and_work_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &ACTS).await
}

async fn w02_once_survives_wakers_values_and_work_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &[Act::Panic]).await
}
