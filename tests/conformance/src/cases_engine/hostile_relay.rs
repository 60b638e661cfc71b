//! w01, w02 for relays: as for flights, with drivers that are polled, replaced and lost.

use core::future::{Ready, ready};
use core::time::Duration;

use futures_core::FusedFuture;

use super::super::subject::ListLock;
use super::super::subject::flight::{Impatient, RelayRun};
use super::flight_parts::{Gate, Make, Passed};
use crate::kit::{Parked, Scene, TestWaker, table};
use crate::{Clock, Runtime, Timer, Verdict};

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
            Act::Ask => {
                if !world.late.is_parked() {
                    world.late.park(world.relay.run(make));
                }
                world.late.step(&late.waker());
            }
            Act::Look => {
                let _ = world.relay.is_running();
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
        let [driver, victim, other, _] = &world.wakers;
        if !trigger.by_the_driver() {
            world.driver.park(world.relay.run(make));
            world.driver.pending(&driver.waker());
        }
        world.victim.park(world.relay.run(make));
        match trigger {
            Trigger::Joins => {}
            Trigger::DrivesTo => world.victim.pending(&victim.waker()),
            _ => world.victim.pending(&hostile.waker()),
        }
        world.other.park(world.relay.run(make));
        world.other.pending(&other.waker());
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let Self { world, make } = self;
        let [driver, victim, ..] = &world.wakers;
        match trigger {
            Trigger::DrivesTo | Trigger::Joins => world.victim.step(&hostile.waker()),
            Trigger::DrivesFrom => world.victim.step(&victim.waker()),
            Trigger::DriverLeaves | Trigger::Leaves => world.victim.leave(),
            Trigger::DriverLands => {
                world.gate.open(0);
                world.victim.step(&victim.waker());
            }
            Trigger::Lands => {
                world.gate.open(0);
                world.driver.step(&driver.waker());
            }
            Trigger::Inherits => world.driver.leave(),
            Trigger::InheritsOfTheReplaced => {
                world
                    .impatient
                    .park(world.relay.run(make).stall_bound(Over, Duration::ZERO));
                let _ = world.impatient.poll(&driver.waker());
            }
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        &self.world.wakers
    }

    /// Everybody is told, and no run and no waker is left behind.
    fn settle(self, _: &'static TestWaker) {
        let world = self.world;
        world.gate.open(0);
        world.impatient.leave();
        let calls = [&world.driver, &world.victim, &world.other, &world.late];
        for _ in 0..2 * calls.len() {
            for (call, waker) in calls.into_iter().zip(&world.wakers) {
                if !call.is_parked() {
                } else if call.with_pin(|call| call.is_terminated()) {
                    call.leave();
                } else {
                    call.step(&waker.waker());
                }
            }
        }
        assert!(!calls.iter().any(|call| call.is_parked()), "one is left");
        assert!(!world.relay.is_running(), "a run is left");
        assert_eq!(world.gate.begun(), world.gate.gone());
    }
}

async fn w01_relay_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &ACTS).await
}

async fn w02_relay_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &[Act::Panic]).await
}
