//! w01, w02 for flights by key: every callback of a waker, doing every hostile act, in every method that calls it.
//!
//! Each combination is a world of its own: a leader, and behind it the victim and another. Afterwards everybody has an answer, was woken
//! for it, and no flight and no waker is left.

use super::super::subject::ListLock;
use super::super::subject::flight::{Promote, Run, Verdict as Judgement};
use super::flight_parts::{Gate, Make, Passed};
use crate::kit::{CallAct as Act, Parked, Scene, TestWaker, ask_or_run, table};
use crate::{Runtime, Verdict};

cases! { engine hostile_flight:
    w01_flight_survives_wakers_that_come_back,
    w02_flight_survives_wakers_that_panic needs UNWIND,
}

/// Which method meets the hostile waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    FirstPoll,
    RepollTo,
    RepollFrom,
    Share,
    Retry,
    Refuse,
    GoAlone,
    Lose,
    PassOn,
    Leave,
}

const TRIGGERS: [Trigger; 10] = [
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::RepollFrom,
    Trigger::Share,
    Trigger::Retry,
    Trigger::Refuse,
    Trigger::GoAlone,
    Trigger::Lose,
    Trigger::PassOn,
    Trigger::Leave,
];

type Group = ecluse_core::Group<u16, u32, Promote, ListLock>;
type Call = Parked<Run<&'static Group, Make, Passed, fn(&u32) -> Judgement>>;

const KEY: u16 = 1;

/// What a run came to says what becomes of it.
fn judge(value: &u32) -> Judgement {
    match value {
        1 => Judgement::Retry,
        2 => Judgement::Refuse,
        3 => Judgement::GoAlone,
        _ => Judgement::Share,
    }
}

struct World {
    group: Group,
    gate: Gate,
    leader: Call,
    heir: Call,
    /// Polled with the hostile waker.
    victim: Call,
    other: Call,
    late: Call,
    wakers: [TestWaker; 4],
}

impl World {
    const fn new() -> Self {
        Self {
            group: Group::new(),
            gate: Gate::new(),
            leader: Parked::new(),
            heir: Parked::new(),
            victim: Parked::new(),
            other: Parked::new(),
            late: Parked::new(),
            wakers: [const { TestWaker::new() }; 4],
        }
    }

    fn ask(&'static self, make: Make, call: &'static Call, key: u16) {
        if !call.is_parked() {
            let judge: fn(&u32) -> Judgement = judge;
            call.park(self.group.run(key, make).judge(judge));
        }
    }
}

/// The world, and what begins its calls' work.
#[derive(Clone, Copy)]
struct Play {
    world: &'static World,
    make: Make,
}

impl Scene for Play {
    type Act = Act;
    type Trigger = Trigger;

    const PANIC: Act = Act::Panic;
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;

    fn new<R: Runtime>(rt: R) -> Self {
        let world: &'static World = rt.put(World::new());
        Self {
            world,
            make: rt.put(|| world.gate.pass()),
        }
    }

    fn act(self, act: Act) {
        let Self { world, make } = self;
        let [.., other, late] = &world.wakers;
        match act {
            Act::Panic => panic!("hostile"),
            Act::Ask | Act::AskAnother => {
                let key = if act == Act::Ask { KEY } else { KEY + 1 };
                world.ask(make, &world.late, key);
                world.late.step(&late.waker());
            }
            Act::Forget => {
                world.group.forget(&KEY);
            }
            Act::Look => {
                let _ = (world.group.peek(&KEY), world.group.len());
                world.group.keys(&mut [None; 2]);
            }
            Act::PollOther => {
                if world.other.is_parked() {
                    world.other.step(&other.waker());
                }
            }
            Act::DropOther => world.other.leave(),
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let Self { world, make } = self;
        let [leader, victim, other, _] = &world.wakers;
        world.ask(make, &world.leader, KEY);
        world.leader.pending(&leader.waker());
        if trigger == Trigger::PassOn {
            // It stands before the victim, and is to lead when it goes.
            world.ask(make, &world.heir, KEY);
            world.heir.pending(&leader.waker());
            world.leader.leave();
        }
        world.ask(make, &world.victim, KEY);
        match trigger {
            Trigger::FirstPoll => {}
            Trigger::RepollTo => world.victim.pending(&victim.waker()),
            _ => world.victim.pending(&hostile.waker()),
        }
        world.ask(make, &world.other, KEY);
        world.other.pending(&other.waker());
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let world = self.world;
        let [leader, victim, ..] = &world.wakers;
        let lands = |value| {
            world.gate.open(value);
            world.leader.step(&leader.waker());
            world.gate.shut();
        };
        match trigger {
            Trigger::FirstPoll | Trigger::RepollTo => {
                world.victim.step(&hostile.waker());
            }
            Trigger::RepollFrom => {
                world.victim.step(&victim.waker());
            }
            Trigger::Share => lands(0),
            Trigger::Retry => lands(1),
            Trigger::Refuse => lands(2),
            Trigger::GoAlone => lands(3),
            Trigger::Lose => world.leader.leave(),
            Trigger::PassOn => world.heir.leave(),
            Trigger::Leave => world.victim.leave(),
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        &self.world.wakers
    }

    /// Everybody is told, was woken for it, and no flight and no waker is left behind.
    fn settle(self, hostile: &'static TestWaker) {
        let world = self.world;
        world.gate.open(0);
        world.heir.leave();
        let calls = [&world.leader, &world.victim, &world.other, &world.late];
        for _ in 0..2 * calls.len() {
            for (call, waker) in calls.into_iter().zip(&world.wakers) {
                let earlier = core::ptr::eq(call, &world.victim).then_some(hostile);
                ask_or_run(call, |call| call.is_running(), waker, earlier);
            }
        }
        assert!(!calls.iter().any(|call| call.is_parked()), "one is left");
        assert!(world.group.is_empty(), "a flight is left");
        assert_eq!(world.gate.begun(), world.gate.gone());
    }
}

async fn w01_flight_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &Act::COMING_BACK).await
}

async fn w02_flight_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &[Act::Panic]).await
}
