//! w01, w02 for tickets and their tally: every callback of a waker, the poll and the drop of a spawned future, doing every hostile act,
//! in every call that meets them.
//!
//! Each combination is a world of its own: two tickets, and two who wait until none is out. Afterwards everybody who waited has been
//! woken, the count is zero, and no future and no waker is left.

use super::super::subject::ListLock;
use ecluse_core::runtime::{Joined, Ticket};

use super::flight_parts::{Gate, Work};
use crate::kit::{Callback, Foreign, Parked, Scene, TestWaker, ask, table};
use crate::{Runtime, Verdict};

cases! { engine hostile_spawned:
    w01_tally_survives_wakers_and_futures_that_come_back,
    w02_tally_survives_wakers_and_futures_that_panic needs UNWIND,
}

/// What the hostile code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Enlist,
    ComeAndGo,
    GiveBack,
    Join,
    Cancel,
    Look,
    PollOther,
    DropOther,
}

const ACTS: [Act; 8] = [
    Act::Enlist,
    Act::ComeAndGo,
    Act::GiveBack,
    Act::Join,
    Act::Cancel,
    Act::Look,
    Act::PollOther,
    Act::DropOther,
];

/// Which call meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    FirstPoll,
    RepollTo,
    RepollFrom,
    End,
    Drop,
    Cancel,
    IsCancelled,
    JoinFirstPoll,
    JoinRepollTo,
    JoinRepollFrom,
    JoinLeaves,
    LastEnds,
    LastIsDropped,
}

const TRIGGERS: [Trigger; 13] = [
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::RepollFrom,
    Trigger::End,
    Trigger::Drop,
    Trigger::Cancel,
    Trigger::IsCancelled,
    Trigger::JoinFirstPoll,
    Trigger::JoinRepollTo,
    Trigger::JoinRepollFrom,
    Trigger::JoinLeaves,
    Trigger::LastEnds,
    Trigger::LastIsDropped,
];

impl Trigger {
    /// Whether the victim is one who joins.
    fn joins(self) -> bool {
        matches!(
            self,
            Self::JoinFirstPoll
                | Self::JoinRepollTo
                | Self::JoinRepollFrom
                | Self::JoinLeaves
                | Self::LastEnds
                | Self::LastIsDropped
        )
    }
}

type Tally = ecluse_core::runtime::Tally<ListLock>;
type Child = Parked<Ticket<Work<()>, &'static Tally>>;
type Join = Parked<Joined<&'static Tally>>;

struct World {
    tally: Tally,
    gate: Gate,
    foreign: Foreign,
    /// Those with the hostile waker.
    victim: Child,
    joiner: Join,
    other: Child,
    other_joiner: Join,
    late: Child,
    late_joiner: Join,
    wakers: [TestWaker; 6],
}

const VICTIM: usize = 0;
const JOINER: usize = 1;
const OTHER: usize = 2;
const OTHER_JOINER: usize = 3;
const LATE: usize = 4;
const LATE_JOINER: usize = 5;

impl World {
    const fn new() -> Self {
        Self {
            tally: Tally::new(),
            gate: Gate::new(),
            foreign: Foreign::new(),
            victim: Parked::new(),
            joiner: Parked::new(),
            other: Parked::new(),
            other_joiner: Parked::new(),
            late: Parked::new(),
            late_joiner: Parked::new(),
            wakers: [const { TestWaker::new() }; 6],
        }
    }

    fn ticket(&'static self) -> Ticket<Work<()>, &'static Tally> {
        let work = Work::new(&self.gate, &self.foreign, |_, _| ());
        self.tally.ticket(work)
    }
}

impl Scene for &'static World {
    type Act = Act;
    type Trigger = Trigger;

    const PANIC: Act = Act::Panic;
    const CALLBACKS: &'static [Callback] = &[
        Callback::Wake,
        Callback::WakeByRef,
        Callback::Clone,
        Callback::Drop,
        Callback::Poll,
        Callback::DropFuture,
    ];
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;

    fn new<R: Runtime>(rt: R) -> Self {
        rt.put(World::new())
    }

    fn act(self, act: Act) {
        match act {
            Act::Panic => panic!("hostile"),
            Act::Enlist => {
                if !self.late.is_parked() {
                    self.late.park(self.ticket());
                }
                self.late.step(&self.wakers[LATE].waker());
            }
            Act::ComeAndGo => drop(self.ticket()),
            Act::GiveBack => assert!(self.ticket().into_inner().is_some()),
            Act::Join => {
                if !self.late_joiner.is_parked() {
                    self.late_joiner.park(self.tally.joined());
                }
                self.late_joiner.step(&self.wakers[LATE_JOINER].waker());
            }
            Act::Cancel => {
                self.tally.cancel();
            }
            Act::Look => {
                let _ = (self.tally.live(), self.tally.lost());
                let _ = self.tally.is_cancelled();
            }
            Act::PollOther => {
                self.other.step(&self.wakers[OTHER].waker());
                self.other_joiner.step(&self.wakers[OTHER_JOINER].waker());
            }
            Act::DropOther => {
                self.other.leave();
                self.other_joiner.leave();
            }
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let wakers = &self.wakers;
        self.foreign.turn(hostile);
        self.victim.park(self.ticket());
        self.joiner.park(self.tally.joined());
        match trigger {
            Trigger::FirstPoll => {}
            _ if trigger.joins() || trigger == Trigger::RepollTo => {
                self.victim.pending(&wakers[VICTIM].waker());
            }
            _ => self.victim.pending(&hostile.waker()),
        }
        match trigger {
            Trigger::JoinFirstPoll => {}
            _ if !trigger.joins() || trigger == Trigger::JoinRepollTo => {
                self.joiner.pending(&wakers[JOINER].waker());
            }
            _ => self.joiner.pending(&hostile.waker()),
        }
        self.other_joiner.park(self.tally.joined());
        self.other_joiner.pending(&wakers[OTHER_JOINER].waker());
        self.other.park(self.ticket());
        self.other.pending(&wakers[OTHER].waker());
        match trigger {
            Trigger::IsCancelled => drop(self.tally.cancel()),
            // The victim is the last.
            Trigger::LastEnds | Trigger::LastIsDropped => self.other.leave(),
            _ => {}
        }
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let wakers = &self.wakers;
        match trigger {
            Trigger::FirstPoll | Trigger::RepollTo => self.victim.step(&hostile.waker()),
            Trigger::RepollFrom | Trigger::IsCancelled => {
                self.victim.step(&wakers[VICTIM].waker());
            }
            Trigger::End | Trigger::LastEnds => {
                self.gate.open(0);
                self.victim.step(&wakers[VICTIM].waker());
                self.gate.shut();
            }
            Trigger::Drop | Trigger::LastIsDropped => self.victim.leave(),
            Trigger::Cancel => drop(self.tally.cancel()),
            Trigger::JoinFirstPoll | Trigger::JoinRepollTo => {
                self.joiner.step(&hostile.waker());
            }
            Trigger::JoinRepollFrom => self.joiner.step(&wakers[JOINER].waker()),
            Trigger::JoinLeaves => self.joiner.leave(),
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        &self.wakers
    }

    /// All tickets end by a cancel, all joiners are told, each was woken for it, and nothing is left.
    fn settle(self, hostile: &'static TestWaker) {
        self.tally.cancel();
        let [victim, joiner, other, other_joiner, late, late_joiner] = self.wakers.each_ref();
        ask(&self.victim, victim, Some(hostile), drop);
        ask(&self.other, other, None, drop);
        ask(&self.late, late, None, drop);
        let tickets = [&self.victim, &self.other, &self.late];
        assert!(!tickets.iter().any(|one| one.is_parked()), "one is left");
        assert_eq!(self.tally.live(), 0, "one is counted for ever");
        ask(&self.joiner, joiner, Some(hostile), drop);
        ask(&self.other_joiner, other_joiner, None, drop);
        ask(&self.late_joiner, late_joiner, None, drop);
        let joiners = [&self.joiner, &self.other_joiner, &self.late_joiner];
        assert!(!joiners.iter().any(|one| one.is_parked()), "one waits on");
        assert_eq!(self.gate.begun(), self.gate.gone());
        assert_eq!(self.foreign.alive(), 0, "a future is left");
    }
}

async fn w01_tally_survives_wakers_and_futures_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &ACTS).await
}

async fn w02_tally_survives_wakers_and_futures_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &[Act::Panic]).await
}
