//! w01, w02 for relays: as for flights, with drivers that are polled, replaced and lost.

use core::future::{Ready, ready};
use core::task::Waker;
use core::time::Duration;

use futures_core::FusedFuture;

use super::super::subject::ListLock;
use super::super::subject::flight::{Impatient, RelayRun};
use super::flight_parts::{Gate, Make, Passed};
use crate::kit::{Callback, Parked, TestWaker};
use crate::{Clock, Ended, Runtime, Task, Timer, Verdict};

cases! { engine hostile_relay:
    w01_relay_survives_wakers_that_come_back,
    w02_relay_survives_wakers_that_panic needs UNWIND,
}

/// What a waker does besides waking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Ask,
    Look,
    PollOther,
    DropOther,
}

const ACTS: [Act; 4] = [Act::Ask, Act::Look, Act::PollOther, Act::DropOther];

/// Which method meets the hostile waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    /// The victim drives, by its waker or away from it.
    DrivesTo,
    DrivesFrom,
    DriverLeaves,
    DriverLands,
    /// It queues, as the heir.
    Joins,
    Lands,
    Inherits,
    InheritsOfTheReplaced,
    Leaves,
}

const TRIGGERS: [Trigger; 9] = [
    Trigger::DrivesTo,
    Trigger::DrivesFrom,
    Trigger::DriverLeaves,
    Trigger::DriverLands,
    Trigger::Joins,
    Trigger::Lands,
    Trigger::Inherits,
    Trigger::InheritsOfTheReplaced,
    Trigger::Leaves,
];

impl Trigger {
    fn by_the_driver(self) -> bool {
        matches!(
            self,
            Self::DrivesTo | Self::DrivesFrom | Self::DriverLeaves | Self::DriverLands
        )
    }
}

/// A timer that is always over: its owner's patience is, too.
struct Over;

impl Clock for Over {
    type Instant = u32;

    fn now(&self) -> u32 {
        0
    }

    fn after(&self, from: u32, _: Duration) -> u32 {
        from
    }
}

impl Timer for Over {
    type Sleep = Ready<()>;

    fn sleep_until(&self, _: u32) -> Ready<()> {
        ready(())
    }
}

type Relay = ecluse_core::flight::Relay<Passed, ListLock>;
type Call = Parked<RelayRun<&'static Relay, Make>>;

struct World {
    relay: Relay,
    gate: Gate,
    /// Before the victim: it drives, unless the victim does.
    driver: Call,
    /// Polled with the hostile waker.
    victim: Call,
    other: Call,
    late: Call,
    impatient: Parked<Impatient<&'static Relay, Make, Over>>,
    wakers: [TestWaker; 4],
}

impl World {
    const fn new() -> Self {
        Self {
            relay: Relay::new(),
            gate: Gate::new(),
            driver: Parked::new(),
            victim: Parked::new(),
            other: Parked::new(),
            late: Parked::new(),
            impatient: Parked::new(),
            wakers: [const { TestWaker::new() }; 4],
        }
    }

    fn poll(call: &'static Call, waker: &Waker) {
        if call.poll(waker).is_ready() {
            call.leave();
        }
    }

    fn act(&'static self, make: Make, act: Act) {
        let [.., other, late] = &self.wakers;
        match act {
            Act::Panic => panic!("hostile"),
            Act::Ask => {
                if !self.late.is_parked() {
                    self.late.park(self.relay.run(make));
                }
                Self::poll(&self.late, &late.waker());
            }
            Act::Look => {
                let _ = self.relay.is_running();
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
        let [driver, victim, other, _] = &self.wakers;
        if !trigger.by_the_driver() {
            self.driver.park(self.relay.run(make));
            self.driver.pending(&driver.waker());
        }
        self.victim.park(self.relay.run(make));
        match trigger {
            Trigger::Joins => {}
            Trigger::DrivesTo => self.victim.pending(&victim.waker()),
            _ => self.victim.pending(&hostile.waker()),
        }
        self.other.park(self.relay.run(make));
        self.other.pending(&other.waker());
        hostile.arm();
    }

    /// The call that meets the hostile waker.
    fn trigger(&'static self, make: Make, trigger: Trigger, hostile: &'static TestWaker) {
        let [driver, victim, ..] = &self.wakers;
        match trigger {
            Trigger::DrivesTo | Trigger::Joins => Self::poll(&self.victim, &hostile.waker()),
            Trigger::DrivesFrom => Self::poll(&self.victim, &victim.waker()),
            Trigger::DriverLeaves | Trigger::Leaves => self.victim.leave(),
            Trigger::DriverLands => {
                self.gate.open(0);
                Self::poll(&self.victim, &victim.waker());
            }
            Trigger::Lands => {
                self.gate.open(0);
                Self::poll(&self.driver, &driver.waker());
            }
            Trigger::Inherits => self.driver.leave(),
            Trigger::InheritsOfTheReplaced => {
                self.impatient
                    .park(self.relay.run(make).stall_bound(Over, Duration::ZERO));
                let _ = self.impatient.poll(&driver.waker());
            }
        }
    }

    /// Everybody is told, and no run and no waker is left behind.
    fn settle(&'static self, hostile: &'static TestWaker) {
        hostile.disarm();
        self.gate.open(0);
        self.impatient.leave();
        let calls = [&self.driver, &self.victim, &self.other, &self.late];
        for _ in 0..2 * calls.len() {
            for (call, waker) in calls.into_iter().zip(&self.wakers) {
                if !call.is_parked() {
                } else if call.with_pin(|call| call.is_terminated()) {
                    call.leave();
                } else {
                    Self::poll(call, &waker.waker());
                }
            }
        }
        assert!(!calls.iter().any(|call| call.is_parked()), "one is left");
        assert!(!self.relay.is_running(), "a run is left");
        assert_eq!(self.gate.begun(), self.gate.gone());
        for waker in self.wakers.iter().chain([hostile]) {
            assert_eq!(waker.live(), 0, "a waker is left");
        }
    }
}

/// One combination. Returns whether the hostile waker came to act.
async fn combination<R: Runtime>(rt: R, callback: Callback, act: Act, trigger: Trigger) -> bool {
    let world: &'static World = rt.put(World::new());
    let make: Make = rt.put(|| world.gate.pass());
    let act_now = rt.put(move || world.act(make, act));
    let hostile: &'static TestWaker = rt.put(TestWaker::hostile(callback, act_now));
    world.set(make, trigger, hostile);
    let task = rt.spawn(async move { world.trigger(make, trigger, hostile) });
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

/// As for flights.
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
    assert!(
        step > 1 || acted >= acts.len() * TRIGGERS.len(),
        "{acted} of {all} acted"
    );
}

async fn w01_relay_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table(rt, &ACTS).await;
    Verdict::Pass
}

async fn w02_relay_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table(rt, &[Act::Panic]).await;
    Verdict::Pass
}
