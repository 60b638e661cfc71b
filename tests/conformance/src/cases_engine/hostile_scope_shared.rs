//! w01, w02 for shared scopes and their crews: every callback of a waker, the body of a child, its poll and drop, the executor that it is
//! given to, doing every hostile act, in every call that meets them.
//!
//! Each combination is a world of its own: a scope, one below it with two children in it, two who wait for them, a run, and a sibling.
//! Afterwards everybody who waited has been woken, nobody is counted, and no child, scope, place or waker is left.

use core::ops::ControlFlow;

use super::super::subject::ListLock;
use ecluse_core::cancel::{Kind, Member, Root, ScopeFuture, ScopePlace, SharedScope};
use ecluse_core::runtime::{Joined, Spawn, SpawnError, Ticket};

use super::flight_parts::{Gate, Work};
use crate::kit::{Callback, Foreign, Guarded, Parked, Scene, TestWaker, ask, table};
use crate::{Runtime, Verdict};

cases! { engine hostile_scope_shared:
    w01_crew_survives_wakers_and_children_that_come_back,
    w02_crew_survives_wakers_and_children_that_panic needs UNWIND,
}

/// What the hostile code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Spawn,
    SpawnAbove,
    Join,
    Cancel,
    CancelAbove,
    Force,
    Close,
    Look,
    PollOther,
    DropOther,
    DropSibling,
}

const ACTS: [Act; 11] = [
    Act::Spawn,
    Act::SpawnAbove,
    Act::Join,
    Act::Cancel,
    Act::CancelAbove,
    Act::Force,
    Act::Close,
    Act::Look,
    Act::PollOther,
    Act::DropOther,
    Act::DropSibling,
];

/// Which call meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Spawn,
    FirstPoll,
    RepollTo,
    RepollFrom,
    End,
    Drop,
    Cancel,
    Force,
    JoinFirstPoll,
    JoinRepollTo,
    JoinLeaves,
    LastEnds,
    RunEnds,
    RunIsDropped,
}

const TRIGGERS: [Trigger; 14] = [
    Trigger::Spawn,
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::RepollFrom,
    Trigger::End,
    Trigger::Drop,
    Trigger::Cancel,
    Trigger::Force,
    Trigger::JoinFirstPoll,
    Trigger::JoinRepollTo,
    Trigger::JoinLeaves,
    Trigger::LastEnds,
    Trigger::RunEnds,
    Trigger::RunIsDropped,
];

impl Trigger {
    /// Whether the victim is one who joins.
    fn joins(self) -> bool {
        matches!(
            self,
            Self::JoinFirstPoll | Self::JoinRepollTo | Self::JoinLeaves | Self::LastEnds
        )
    }

    /// Whether it is the run.
    fn runs(self) -> bool {
        matches!(self, Self::RunEnds | Self::RunIsDropped)
    }
}

type Shared = SharedScope<ListLock>;
type Place = ScopePlace<ListLock>;
type Child = Parked<Ticket<Work<()>, Member<ListLock>>>;
type Join = Parked<Joined<Member<ListLock>>>;

struct World {
    root: Root<ListLock>,
    places: [Place; 3],
    gate: Gate,
    foreign: Foreign,
    /// The scope above, the one with the children, and its sibling, in these places.
    above: Guarded<Option<Shared>>,
    scope: Guarded<Option<Shared>>,
    sibling: Guarded<Option<Shared>>,
    /// Those with the hostile waker.
    victim: Child,
    joiner: Join,
    run: Parked<ScopeFuture<Work<()>, ListLock>>,
    /// There was a run.
    ran: Guarded<bool>,
    other: Child,
    other_joiner: Join,
    late: Child,
    late_joiner: Join,
    wakers: [TestWaker; 7],
}

const VICTIM: usize = 0;
const JOINER: usize = 1;
const RUN: usize = 2;
const OTHER: usize = 3;
const OTHER_JOINER: usize = 4;
const LATE: usize = 5;
const LATE_JOINER: usize = 6;

/// An executor: it parks the child, to be polled by hand.
struct On(&'static World, &'static Child);

impl Spawn<Work<()>, Member<ListLock>> for On {
    type Abort = ();

    fn spawn(
        &self,
        ticket: Ticket<Work<()>, Member<ListLock>>,
    ) -> Result<(), SpawnError<Work<()>>> {
        self.0.foreign.called(Callback::Hook);
        if self.1.is_parked() {
            let back = ticket.into_inner().expect("it has not ended");
            return Err(SpawnError::Busy(back));
        }
        self.1.park(ticket);
        Ok(())
    }
}

impl World {
    const fn new() -> Self {
        Self {
            root: Root::new(),
            places: [const { Place::new() }; 3],
            gate: Gate::new(),
            foreign: Foreign::new(),
            above: Guarded::new(None),
            scope: Guarded::new(None),
            sibling: Guarded::new(None),
            victim: Parked::new(),
            joiner: Parked::new(),
            run: Parked::new(),
            ran: Guarded::new(false),
            other: Parked::new(),
            other_joiner: Parked::new(),
            late: Parked::new(),
            late_joiner: Parked::new(),
            wakers: [const { TestWaker::new() }; 7],
        }
    }

    fn handle(place: &'static Guarded<Option<Shared>>) -> Shared {
        place.with(|scope| scope.clone()).expect("it is there")
    }

    fn scope(&'static self) -> Shared {
        Self::handle(&self.scope)
    }

    fn above(&'static self) -> Shared {
        Self::handle(&self.above)
    }

    fn work(&'static self) -> Work<()> {
        Work::new(&self.gate, &self.foreign, |_, _| ())
    }

    fn spawn(&'static self, scope: &Shared, child: &'static Child) {
        // A closed scope refuses it.
        drop(scope.spawn(&On(self, child), |_| self.work()));
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
        Callback::Make,
        Callback::Hook,
        Callback::Poll,
        Callback::DropFuture,
    ];
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;
    const ROOM: usize = 2;

    fn new<R: Runtime>(rt: R) -> Self {
        let world: &'static World = rt.put(World::new());
        let [first, second, third] = &world.places;
        let above = world.root.child_in(first).expect("it is free");
        let scope = above.child_in(second).expect("it is free");
        let sibling = above.child_in(third).expect("it is free");
        world.above.with(|place| *place = Some(above));
        world.scope.with(|place| *place = Some(scope));
        world.sibling.with(|place| *place = Some(sibling));
        world
    }

    fn act(self, act: Act) {
        match act {
            Act::Panic => panic!("hostile"),
            Act::Spawn | Act::SpawnAbove => {
                let scope = if act == Act::Spawn {
                    self.scope()
                } else {
                    self.above()
                };
                self.spawn(&scope, &self.late);
                self.late.step(&self.wakers[LATE].waker());
            }
            Act::Join => {
                if !self.late_joiner.is_parked() {
                    self.late_joiner.park(self.scope().joined());
                }
                self.late_joiner.step(&self.wakers[LATE_JOINER].waker());
            }
            Act::Cancel => drop(self.scope().cancel(Kind::Explicit)),
            Act::CancelAbove => drop(self.above().cancel(Kind::Explicit)),
            Act::Force => drop(self.scope().force(Kind::Explicit)),
            Act::Close => self.scope().close(),
            Act::Look => {
                let scope = self.scope();
                let _ = (scope.live(), scope.lost(), scope.orphans());
                let _ = (scope.is_closed(), scope.is_cancelled());
                let tree = scope.tree().visit(|_| ControlFlow::<()>::Continue(()));
                assert!(tree.is_continue());
            }
            Act::PollOther => {
                self.other.step(&self.wakers[OTHER].waker());
                self.other_joiner.step(&self.wakers[OTHER_JOINER].waker());
            }
            Act::DropOther => {
                self.other.leave();
                self.other_joiner.leave();
            }
            Act::DropSibling => drop(self.sibling.with(Option::take)),
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let (wakers, scope) = (&self.wakers, self.scope());
        self.foreign.turn(hostile);
        if trigger.runs() {
            self.run.park(scope.clone().run(|_| self.work()));
            self.run.pending(&hostile.waker());
            self.ran.with(|ran| *ran = true);
        }
        if trigger != Trigger::Spawn {
            if trigger == Trigger::Cancel {
                let spawned = scope.spawn_guarded(&On(self, &self.victim), self.work());
                assert!(spawned.is_ok());
            } else {
                self.spawn(&scope, &self.victim);
            }
            match trigger {
                Trigger::FirstPoll => {}
                _ if trigger.joins() || trigger.runs() || trigger == Trigger::RepollTo => {
                    self.victim.pending(&wakers[VICTIM].waker());
                }
                _ => self.victim.pending(&hostile.waker()),
            }
        }
        self.spawn(&scope, &self.other);
        self.other.pending(&wakers[OTHER].waker());
        // One that waits here, and one that waits above.
        self.joiner.park(scope.joined());
        match trigger {
            Trigger::JoinFirstPoll => {}
            _ if !trigger.joins() || trigger == Trigger::JoinRepollTo => {
                self.joiner.pending(&wakers[JOINER].waker());
            }
            _ => self.joiner.pending(&hostile.waker()),
        }
        self.other_joiner.park(self.above().joined());
        self.other_joiner.pending(&wakers[OTHER_JOINER].waker());
        if matches!(trigger, Trigger::LastEnds | Trigger::RunEnds) {
            self.other.leave();
        }
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let wakers = &self.wakers;
        let ends = |child: &'static Child, waker: &'static TestWaker| {
            self.gate.open(0);
            child.step(&waker.waker());
            self.gate.shut();
        };
        match trigger {
            Trigger::Spawn => {
                self.spawn(&self.scope(), &self.victim);
                self.victim.step(&hostile.waker());
            }
            Trigger::FirstPoll | Trigger::RepollTo => self.victim.step(&hostile.waker()),
            Trigger::RepollFrom => self.victim.step(&wakers[VICTIM].waker()),
            Trigger::End | Trigger::LastEnds => ends(&self.victim, &wakers[VICTIM]),
            Trigger::Drop => self.victim.leave(),
            Trigger::Cancel => drop(self.scope().cancel(Kind::Explicit)),
            Trigger::Force => drop(self.scope().force(Kind::Explicit)),
            Trigger::JoinFirstPoll | Trigger::JoinRepollTo => {
                self.joiner.step(&hostile.waker());
            }
            Trigger::JoinLeaves => self.joiner.leave(),
            Trigger::RunEnds => {
                self.gate.open(0);
                self.run.step(&hostile.waker());
                // It waits for its children now.
                ends(&self.victim, &wakers[VICTIM]);
                ends(&self.late, &wakers[LATE]);
                self.run.step(&wakers[RUN].waker());
            }
            Trigger::RunIsDropped => self.run.leave(),
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        &self.wakers
    }

    /// All children end by force, all who waited are told, each was woken for it, and nothing is left.
    fn settle(self, hostile: &'static TestWaker) {
        self.above().force(Kind::Shutdown);
        let [victim, joiner, run, other, other_joiner, late, late_joiner] = self.wakers.each_ref();
        ask(&self.victim, victim, Some(hostile), drop);
        ask(&self.other, other, None, drop);
        ask(&self.late, late, None, drop);
        let children = [&self.victim, &self.other, &self.late];
        assert!(!children.iter().any(|one| one.is_parked()), "one is left");
        assert_eq!((self.scope().live(), self.above().live()), (0, 0));
        // Its body does not listen.
        self.gate.open(0);
        ask(&self.run, run, Some(hostile), drop);
        ask(&self.joiner, joiner, Some(hostile), drop);
        ask(&self.other_joiner, other_joiner, None, drop);
        ask(&self.late_joiner, late_joiner, None, drop);
        let joiners = [&self.joiner, &self.other_joiner, &self.late_joiner];
        assert!(!joiners.iter().any(|one| one.is_parked()), "one waits on");
        assert!(!self.run.is_parked() && self.root.orphans() == 0);
        // However it went.
        assert!(self.scope().is_closed() || !self.ran.with(|ran| *ran));
        assert_eq!(self.gate.begun(), self.gate.gone());
        assert_eq!(self.foreign.alive(), 0, "a future is left");
        for scope in [&self.sibling, &self.scope, &self.above] {
            drop(scope.with(Option::take));
        }
        assert_eq!(self.root.attached(), 0, "a scope is left");
        assert!(!self.places.iter().any(|place| place.is_taken()));
    }
}

async fn w01_crew_survives_wakers_and_children_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &ACTS).await
}

async fn w02_crew_survives_wakers_and_children_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &[Act::Panic]).await
}
