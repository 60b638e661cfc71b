//! w01, w02 for what a flight by key is made of: the clone and drop of its value, its judge, its hook, its key's hash, comparison and
//! drop, its callers' work, doing every hostile act, in every call that meets them.
//!
//! Each combination is a world of its own: a leader, and behind it the victim and another. Afterwards everybody has an answer, was woken
//! for it, and no flight, value, key or waker is left. (A comparison runs under the lock, and must not come back: it panics only.)

use core::hash::{Hash, Hasher};
use core::task::{Poll, Waker};

use super::super::subject::ListLock;
use super::super::subject::flight::{Promote, Run, Verdict as Judgement};
use super::flight_parts::{Gate, Work};
use crate::kit::{
    CallAct as Act, Callback, Foreign, Parked, Scene, TestWaker, Value, ask_or_run, table,
};
use crate::{Runtime, Verdict};

cases! { engine hostile_values:
    w01_flight_survives_values_keys_and_functions_that_come_back,
    w02_flight_survives_values_keys_and_functions_that_panic needs UNWIND,
}

/// Which call meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Ask,
    Share,
    ShareWithNobody,
    Retry,
    Refuse,
    GoAlone,
    Lose,
    Take,
    LeaveServed,
    LeaveQueued,
    Forget,
}

const TRIGGERS: [Trigger; 11] = [
    Trigger::Ask,
    Trigger::Share,
    Trigger::ShareWithNobody,
    Trigger::Retry,
    Trigger::Refuse,
    Trigger::GoAlone,
    Trigger::Lose,
    Trigger::Take,
    Trigger::LeaveServed,
    Trigger::LeaveQueued,
    Trigger::Forget,
];

type Group = ecluse_core::Group<Key, Value, Promote, ListLock>;
type Make = &'static (dyn Fn() -> Work<Value> + Send + Sync);
type Call = Parked<Run<&'static Group, Make, Work<Value>, fn(&Value) -> Judgement, fn(&Value)>>;

const KEY: u16 = 1;

struct World {
    group: Group,
    gate: Gate,
    /// Values, keys, functions and the callers' work.
    foreign: Foreign,
    leader: Call,
    victim: Call,
    other: Call,
    late: Call,
    /// The callers', and one for a poll that may panic half-way.
    wakers: [TestWaker; 5],
}

impl World {
    fn poll(call: &'static Call, waker: &Waker) -> bool {
        match call.poll(waker) {
            Poll::Ready(answer) => {
                call.leave();
                // The value may be hostile, too.
                drop(answer);
                true
            }
            Poll::Pending => false,
        }
    }
}

struct Key {
    number: u16,
    of: &'static Foreign,
}

impl Key {
    fn new(number: u16, of: &'static Foreign) -> Self {
        of.born();
        Self { number, of }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.of.called(Callback::Hash);
        self.number.hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.of.called(Callback::Compare);
        self.number == other.number
    }
}

impl Eq for Key {}

impl Drop for Key {
    fn drop(&mut self) {
        self.of.gone();
        self.of.called(Callback::DropKey);
    }
}

/// What a run came to says what becomes of it.
fn judge(value: &Value) -> Judgement {
    value.of.called(Callback::Judge);
    match value.number {
        1 => Judgement::Retry,
        2 => Judgement::Refuse,
        3 => Judgement::GoAlone,
        _ => Judgement::Share,
    }
}

fn publish(value: &Value) {
    value.of.called(Callback::Hook);
}

/// The world, and what begins its calls' work.
#[derive(Clone, Copy)]
struct Play<const PANICS: bool> {
    world: &'static World,
    make: Make,
}

impl<const PANICS: bool> Play<PANICS> {
    fn ask(self, call: &'static Call, key: u16) {
        if !call.is_parked() {
            let judge: fn(&Value) -> Judgement = judge;
            let publish: fn(&Value) = publish;
            let run = self
                .world
                .group
                .run(Key::new(key, &self.world.foreign), self.make);
            call.park(run.judge(judge).publish(publish));
        }
    }

    fn forget(self) {
        let key = Key::new(KEY, &self.world.foreign);
        self.world.group.forget(&key);
    }

    fn lands(self, number: u32) {
        let world = self.world;
        world.gate.open(number);
        World::poll(&world.leader, &world.wakers[0].waker());
        world.gate.shut();
    }
}

impl<const PANICS: bool> Scene for Play<PANICS> {
    type Act = Act;
    type Trigger = Trigger;

    const PANIC: Act = Act::Panic;
    const CALLBACKS: &'static [Callback] = {
        const ALL: &[Callback] = &[
            Callback::CloneValue,
            Callback::DropValue,
            Callback::Hash,
            Callback::DropKey,
            Callback::Judge,
            Callback::Hook,
            Callback::Make,
            Callback::Poll,
            Callback::DropFuture,
            Callback::Compare,
        ];
        match ALL.split_last() {
            Some((_, others)) if !PANICS => others,
            _ => ALL,
        }
    };
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;

    fn new<R: Runtime>(rt: R) -> Self {
        let world: &'static World = rt.put(World {
            group: Group::new(),
            gate: Gate::new(),
            foreign: Foreign::new(),
            leader: Parked::new(),
            victim: Parked::new(),
            other: Parked::new(),
            late: Parked::new(),
            wakers: [const { TestWaker::new() }; 5],
        });
        Self {
            world,
            make: rt.put(move || Work::new(&world.gate, &world.foreign, Value::new)),
        }
    }

    fn act(self, act: Act) {
        let world = self.world;
        let [_, _, other, late, _] = &world.wakers;
        match act {
            Act::Panic => panic!("hostile"),
            Act::Ask | Act::AskAnother => {
                let key = if act == Act::Ask { KEY } else { KEY + 1 };
                self.ask(&world.late, key);
                World::poll(&world.late, &late.waker());
            }
            Act::Forget => self.forget(),
            Act::Look => {
                let key = Key::new(KEY, &world.foreign);
                let _ = (world.group.peek(&key), world.group.len());
            }
            Act::PollOther => {
                if world.other.is_parked() {
                    World::poll(&world.other, &other.waker());
                }
            }
            Act::DropOther => world.other.leave(),
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let world = self.world;
        let [leader, victim, other, ..] = &world.wakers;
        self.ask(&world.leader, KEY);
        world.leader.pending(&leader.waker());
        if trigger != Trigger::Ask && trigger != Trigger::ShareWithNobody {
            self.ask(&world.victim, KEY);
            world.victim.pending(&victim.waker());
        }
        if trigger != Trigger::ShareWithNobody {
            self.ask(&world.other, KEY);
            world.other.pending(&other.waker());
        }
        if matches!(trigger, Trigger::Take | Trigger::LeaveServed) {
            self.lands(0);
        }
        world.foreign.turn(hostile);
    }

    fn trigger(self, trigger: Trigger, _: &'static TestWaker) {
        let world = self.world;
        let victim = &world.wakers[1];
        match trigger {
            Trigger::Ask => {
                self.ask(&world.victim, KEY);
                World::poll(&world.victim, &world.wakers[4].waker());
            }
            Trigger::Share | Trigger::ShareWithNobody => self.lands(0),
            Trigger::Retry => self.lands(1),
            Trigger::Refuse => self.lands(2),
            Trigger::GoAlone => self.lands(3),
            Trigger::Lose => world.leader.leave(),
            Trigger::Take => {
                World::poll(&world.victim, &victim.waker());
            }
            Trigger::LeaveServed | Trigger::LeaveQueued => world.victim.leave(),
            Trigger::Forget => self.forget(),
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        &self.world.wakers
    }

    /// Everybody is told, was woken for it, and no flight, value, key or waker is left behind.
    fn settle(self, _: &'static TestWaker) {
        let world = self.world;
        world.gate.open(0);
        let calls = [&world.leader, &world.victim, &world.other, &world.late];
        for _ in 0..2 * calls.len() {
            for (call, waker) in calls.into_iter().zip(&world.wakers) {
                ask_or_run(call, |call| call.is_running(), waker, None);
            }
        }
        assert!(!calls.iter().any(|call| call.is_parked()), "one is left");
        assert!(world.group.is_empty(), "a flight is left");
        assert_eq!(world.gate.begun(), world.gate.gone());
        assert_eq!(world.foreign.alive(), 0, "a value or a key is left");
    }
}

async fn w01_flight_survives_values_keys_and_functions_that_come_back<R: Runtime>(
    rt: R,
) -> Verdict {
    table::<Play<false>, R>(rt, &Act::COMING_BACK).await
}

async fn w02_flight_survives_values_keys_and_functions_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<Play<true>, R>(rt, &[Act::Panic]).await
}
