//! w01, w02 for flights by key: every callback of a waker, doing every hostile act, in every method that calls it.
//!
//! Each combination is a world of its own: a leader, and behind it the victim and another. Afterwards everybody has an answer, was woken
//! for it, and no flight and no waker is left.

use core::task::Waker;

use futures_core::FusedFuture;

use super::super::subject::ListLock;
use super::super::subject::flight::{Promote, Run, Verdict as Judgement};
use super::flight_parts::{Gate, Make, Passed};
use crate::kit::{Callback, Parked, TestWaker};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine hostile_flight:
    w01_flight_survives_wakers_that_come_back,
    w02_flight_survives_wakers_that_panic needs UNWIND,
}

/// What a waker does besides waking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Ask,
    AskAnother,
    Forget,
    Look,
    PollOther,
    DropOther,
}

const ACTS: [Act; 6] = [
    Act::Ask,
    Act::AskAnother,
    Act::Forget,
    Act::Look,
    Act::PollOther,
    Act::DropOther,
];

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

    fn poll(call: &'static Call, waker: &Waker) -> bool {
        let over = call.poll(waker).is_ready();
        if over {
            call.leave();
        }
        over
    }

    fn act(&'static self, make: Make, act: Act) {
        let [.., other, late] = &self.wakers;
        match act {
            Act::Panic => panic!("hostile"),
            Act::Ask | Act::AskAnother => {
                let key = if act == Act::Ask { KEY } else { KEY + 1 };
                self.ask(make, &self.late, key);
                Self::poll(&self.late, &late.waker());
            }
            Act::Forget => {
                self.group.forget(&KEY);
            }
            Act::Look => {
                let _ = (self.group.peek(&KEY), self.group.len());
                self.group.keys(&mut [None; 2]);
            }
            Act::PollOther => {
                if self.other.is_parked() {
                    Self::poll(&self.other, &other.waker());
                }
            }
            Act::DropOther => self.other.leave(),
        }
    }

    /// Sets the scene; `hostile` is not armed yet.
    fn set(&'static self, make: Make, trigger: Trigger, hostile: &'static TestWaker) {
        let [leader, victim, other, _] = &self.wakers;
        self.ask(make, &self.leader, KEY);
        self.leader.pending(&leader.waker());
        if trigger == Trigger::PassOn {
            // It stands before the victim, and is to lead when it goes.
            self.ask(make, &self.heir, KEY);
            self.heir.pending(&leader.waker());
            self.leader.leave();
        }
        self.ask(make, &self.victim, KEY);
        match trigger {
            Trigger::FirstPoll => {}
            Trigger::RepollTo => self.victim.pending(&victim.waker()),
            _ => self.victim.pending(&hostile.waker()),
        }
        self.ask(make, &self.other, KEY);
        self.other.pending(&other.waker());
        hostile.arm();
    }

    /// The call that meets the hostile waker.
    fn trigger(&'static self, trigger: Trigger, hostile: &'static TestWaker) {
        let [leader, victim, ..] = &self.wakers;
        let lands = |value| {
            self.gate.open(value);
            Self::poll(&self.leader, &leader.waker());
            self.gate.shut();
        };
        match trigger {
            Trigger::FirstPoll | Trigger::RepollTo => {
                Self::poll(&self.victim, &hostile.waker());
            }
            Trigger::RepollFrom => {
                Self::poll(&self.victim, &victim.waker());
            }
            Trigger::Share => lands(0),
            Trigger::Retry => lands(1),
            Trigger::Refuse => lands(2),
            Trigger::GoAlone => lands(3),
            Trigger::Lose => self.leader.leave(),
            Trigger::PassOn => self.heir.leave(),
            Trigger::Leave => self.victim.leave(),
        }
    }

    /// Everybody is told, was woken for it, and no flight and no waker is left behind.
    fn settle(&'static self, hostile: &'static TestWaker) {
        hostile.disarm();
        self.gate.open(0);
        self.heir.leave();
        let calls = [&self.leader, &self.victim, &self.other, &self.late];
        for _ in 0..2 * calls.len() {
            for (call, waker) in calls.into_iter().zip(&self.wakers) {
                if call.is_parked() {
                    let earlier = core::ptr::eq(call, &self.victim).then_some(hostile);
                    tell(call, waker, earlier);
                }
            }
        }
        assert!(!calls.iter().any(|call| call.is_parked()), "one is left");
        assert!(self.group.is_empty(), "a flight is left");
        assert_eq!(self.gate.begun(), self.gate.gone());
        for waker in self.wakers.iter().chain([hostile]) {
            assert_eq!(waker.live(), 0, "a waker is left");
        }
    }
}

/// Polls a call that may be anywhere in its life; if it is over now, it was woken for it.
fn tell(call: &'static Call, waker: &'static TestWaker, earlier: Option<&'static TestWaker>) {
    if call.with_pin(|call| call.is_terminated()) {
        return call.leave();
    }
    let runs = call.with_pin(|call| call.is_running());
    let queued = waker.clones() > 0;
    let woken = waker.wakes() > 0 || earlier.is_some_and(|earlier| earlier.wakes() > 0);
    if World::poll(call, &waker.waker()) {
        assert!(runs || woken || !queued, "told, but never woken");
    }
}

/// One combination. Returns whether the hostile waker came to act.
async fn combination<R: Runtime>(rt: R, callback: Callback, act: Act, trigger: Trigger) -> bool {
    let world: &'static World = rt.put(World::new());
    let make: Make = rt.put(|| world.gate.pass());
    let act_now = rt.put(move || world.act(make, act));
    let hostile: &'static TestWaker = rt.put(TestWaker::hostile(callback, act_now));
    world.set(make, trigger, hostile);
    // A task of its own: a panic ends it and nothing else.
    let task = rt.spawn(async move { world.trigger(trigger, hostile) });
    let ended = task.join().await;
    let acted = hostile.acted() > 0;
    let expected = if acted && act == Act::Panic {
        Ended::Panicked
    } else {
        Ended::Finished
    };
    assert_eq!(ended, expected, "{callback:?} {act:?} {trigger:?}");
    let settled = rt.spawn(async move { world.settle(hostile) }).join().await;
    assert_eq!(settled, Ended::Finished, "{callback:?} {act:?} {trigger:?}");
    acted
}

/// Every trigger and callback with each of `acts`, or as many of them, evenly, as the platform affords.
async fn table<R: Runtime>(rt: R, acts: &[Act]) {
    let all = acts.len() * TRIGGERS.len() * Callback::ALL.len();
    let step = all.div_ceil(rt.count(all));
    let mut acted = 0;
    for i in (0..all).step_by(step) {
        let callback = Callback::ALL[i % Callback::ALL.len()];
        let trigger = TRIGGERS[i / Callback::ALL.len() % TRIGGERS.len()];
        let act = acts[i / Callback::ALL.len() / TRIGGERS.len()];
        acted += usize::from(combination(rt, callback, act, trigger).await);
    }
    // Each trigger meets its callback: clone, drop or wake.
    assert!(
        step > 1 || acted >= acts.len() * TRIGGERS.len(),
        "{acted} of {all} acted"
    );
}

async fn w01_flight_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table(rt, &ACTS).await;
    Verdict::Pass
}

async fn w02_flight_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table(rt, &[Act::Panic]).await;
    Verdict::Pass
}
