//! w01, w02 for joined children: every callback of a waker, the children's functions, futures and values, what tells and collects their
//! errors, doing every hostile act, in every call that meets them.
//!
//! Each combination is a world of its own: three children under one of the rules, two others beside them, one who waits for the scope's
//! cancel, and a scope next to the children's. Afterwards whoever waited has been woken, and no child, value, scope or waker is left.

use core::future::{Pending, pending};
use core::ops::ControlFlow;
use core::pin::pin;
use core::task::Waker;

use super::super::subject::cancel::{CancelWait, Cancelled, Reason};
use super::super::subject::join::{All, BySource, ErrorSink, Joining, Plain};
use super::super::subject::{Cx, ListLock};
use super::flight_parts::{Gate, Work};
use super::hostile_scope::Below;
use super::scope::{StaticRoot, root};
use crate::kit::{
    Callback, Foreign, Guarded, Parked, Scene, TestWaker, Unnamed, Value, ask, poll_once, table,
    yield_now,
};
use crate::{Runtime, Verdict};

cases! { engine hostile_join:
    w01_joins_survive_wakers_and_children_that_come_back,
    w02_joins_survive_wakers_and_children_that_panic needs UNWIND,
}

/// What the hostile code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Cancel,
    Force,
    Join,
    Wait,
    Look,
    PollOther,
    DropOther,
    DropSibling,
}

const ACTS: [Act; 8] = [
    Act::Cancel,
    Act::Force,
    Act::Join,
    Act::Wait,
    Act::Look,
    Act::PollOther,
    Act::DropOther,
    Act::DropSibling,
];

/// Which call meets it. The rule is that of `all`, unless it says another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    FirstPoll,
    RepollTo,
    RepollFrom,
    Succeed,
    Fail,
    Race,
    First,
    Settle,
    Combine,
    Cancel,
    Force,
    Leave,
}

const TRIGGERS: [Trigger; 12] = [
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::RepollFrom,
    Trigger::Succeed,
    Trigger::Fail,
    Trigger::Race,
    Trigger::First,
    Trigger::Settle,
    Trigger::Combine,
    Trigger::Cancel,
    Trigger::Force,
    Trigger::Leave,
];

/// What children fail with: a value like others.
struct Fault {
    cancelled: Option<Cancelled>,
    value: Value,
}

type Got = Result<Value, Fault>;

/// What the gates let through for children that fail.
const FAILS: u32 = 99;

fn got(number: u32, of: &'static Foreign) -> Got {
    let value = Value::new(number, of);
    if number == FAILS {
        let cancelled = None;
        Err(Fault { cancelled, value })
    } else {
        Ok(value)
    }
}

/// Says whether an error is a cancellation.
fn tell(fault: &Fault) -> Option<Cancelled> {
    fault.value.of.called(Callback::Judge);
    fault.cancelled
}

/// Takes the errors after the first.
struct Sink(&'static Foreign);

impl ErrorSink<Fault> for Sink {
    fn put(&mut self, fault: Fault) {
        self.0.called(Callback::Hook);
        drop(fault);
    }
}

/// Children that nobody but a cancel ends.
type Endless = Plain<Pending<Result<(), Cancelled>>>;
type Beside = Joining<'static, (Endless, Endless), All, (), BySource, ListLock>;
type Waiting = Parked<CancelWait<'static, ListLock>>;
type StaticJoined = &'static dyn Unnamed;

struct World {
    /// One for each child.
    gates: [Gate; 3],
    foreign: Foreign,
    /// Polled with the hostile waker.
    joined: Guarded<Option<StaticJoined>>,
    other: Parked<Beside>,
    late: Waiting,
    sibling: Parked<Below>,
    wakers: [TestWaker; 3],
}

impl World {
    fn work(&'static self, child: usize) -> Work<Got> {
        Work::new(&self.gates[child], &self.foreign, got)
    }

    fn open(&self, numbers: [Option<u32>; 3]) {
        for (gate, number) in self.gates.iter().zip(numbers) {
            number.into_iter().for_each(|number| gate.open(number));
        }
    }
}

/// Three children, the one in the middle cooperative; and what becomes of their errors.
macro_rules! joined {
    ($rt:ident, $root:ident, $world:ident, $rule:ident $($more:tt)*) => {{
        let children = (
            $world.work(0),
            async move |cx: Cx<'_>| {
                let ended;
                {
                    // Not in the expression that gives its value: where a destructor panics, the compiler forgets that value.
                    let guarded = pin!(cx.guard($world.work(1)));
                    ended = guarded.await;
                }
                match ended {
                    Ok(ended) => ended,
                    Err(cancelled) => {
                        // Its clean-up takes another poll.
                        yield_now().await;
                        Err(Fault {
                            cancelled: Some(cancelled),
                            value: Value::new(FAILS, &$world.foreign),
                        })
                    }
                }
            },
            $world.work(2),
        );
        let joining = $root.cx().$rule(children)$($more)*;
        let joining = joining.collecting(Sink(&$world.foreign));
        let place = Parked::new();
        place.park(joining.cancelled_by(tell as fn(&Fault) -> Option<Cancelled>));
        $rt.put(place) as StaticJoined
    }};
}

#[derive(Clone, Copy)]
struct Play {
    root: StaticRoot,
    world: &'static World,
    /// Joins the children by the trigger's rule.
    join: &'static (dyn Fn(Trigger) -> StaticJoined + Send + Sync),
}

impl Play {
    fn wait(self) {
        let World { late, wakers, .. } = self.world;
        if !late.is_parked() {
            late.park(self.root.cx().cancelled());
        }
        late.step(&wakers[2].waker());
    }

    fn joined(self) -> StaticJoined {
        let joined = self.world.joined.with(|joined| *joined);
        joined.expect("set by the scene")
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
        Callback::Judge,
        Callback::Hook,
    ];
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;

    fn new<R: Runtime>(rt: R) -> Self {
        let root = root(rt);
        let world: &'static World = rt.put(World {
            gates: [const { Gate::new() }; 3],
            foreign: Foreign::new(),
            joined: Guarded::new(None),
            other: Parked::new(),
            late: Parked::new(),
            sibling: Parked::new(),
            wakers: [const { TestWaker::new() }; 3],
        });
        Self {
            root,
            world,
            join: rt.put(move |trigger| match trigger {
                Trigger::Race => joined!(rt, root, world, race),
                Trigger::First => joined!(rt, root, world, first),
                Trigger::Settle => joined!(rt, root, world, settle),
                Trigger::Combine => joined!(rt, root, world, race.combine()),
                _ => joined!(rt, root, world, all),
            }),
        }
    }

    fn act(self, act: Act) {
        let Self { root, world, .. } = self;
        match act {
            Act::Panic => panic!("hostile"),
            Act::Cancel => drop(root.cancel(Reason::default())),
            Act::Force => drop(root.force(Reason::default())),
            Act::Join => {
                // It comes, and goes half-way.
                let joining = root.cx().concurrently(
                    async |cx: Cx<'_>| cx.guard(pending::<Result<(), Cancelled>>()).await?,
                    pending::<Result<(), Cancelled>>(),
                );
                let _ = poll_once(pin!(joining), Waker::noop());
            }
            Act::Wait => self.wait(),
            Act::Look => {
                let _ = (root.is_cancelled(), root.attached());
                let tree = root.cx().tree();
                let tree = tree.visit(|_| ControlFlow::<()>::Continue(()));
                assert!(tree.is_continue());
            }
            Act::PollOther => world.other.step(&world.wakers[1].waker()),
            Act::DropOther => world.other.leave(),
            Act::DropSibling => world.sibling.leave(),
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let Self { root, world, .. } = self;
        let joined = (self.join)(trigger);
        world.joined.with(|place| *place = Some(joined));
        world.foreign.turn(hostile);
        world.sibling.park(Below::new(root.cx()));
        world.sibling.pending(Waker::noop());
        match trigger {
            Trigger::FirstPoll => {}
            Trigger::RepollTo => joined.pending(&world.wakers[0].waker()),
            _ => joined.pending(&hostile.waker()),
        }
        world
            .other
            .park(root.cx().concurrently(pending(), pending()));
        world.other.pending(&world.wakers[1].waker());
        assert_eq!(world.wakers[1].live(), 1, "they wait for the scope");
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let (world, joined) = (self.world, self.joined());
        match trigger {
            Trigger::Succeed => world.open([Some(0); 3]),
            // Those before the one that fails have had their polls, and one behind it is told, too.
            Trigger::Fail => world.open([None, Some(FAILS), None]),
            // Two values at a time: one wins.
            Trigger::Race | Trigger::Combine => world.open([None, Some(0), Some(1)]),
            Trigger::First => world.open([Some(FAILS), Some(FAILS), Some(0)]),
            Trigger::Settle => world.open([Some(0), Some(FAILS), Some(0)]),
            Trigger::Cancel => drop(self.root.cancel(Reason::default())),
            Trigger::Force => drop(self.root.force(Reason::default())),
            Trigger::Leave => return joined.leave(),
            Trigger::FirstPoll | Trigger::RepollTo | Trigger::RepollFrom => {}
        }
        let waker = match trigger {
            Trigger::RepollFrom => &world.wakers[0],
            _ => hostile,
        };
        // As many polls as a child's clean-up takes.
        for _ in 0..4 {
            joined.step(&waker.waker());
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        &self.world.wakers
    }

    /// A cancel ends the children; everybody is told, was woken for it, and nothing is left.
    fn settle(self, hostile: &'static TestWaker) {
        let (world, joined) = (self.world, self.joined());
        let [victim, other, late] = &world.wakers;
        self.root.cancel(Reason::default());
        for _ in 0..4 {
            joined.ask(victim, Some(hostile));
        }
        assert!(!joined.is_parked(), "they are not over");
        ask(&world.other, other, None, drop);
        ask(&world.late, late, None, drop);
        assert!(!world.other.is_parked(), "others are not over");
        assert!(!world.late.is_parked(), "one waits on");
        world.sibling.leave();
        assert_eq!(self.root.attached(), 0, "a scope is left");
        for gate in &world.gates {
            assert_eq!(gate.begun(), gate.gone());
        }
        assert_eq!(world.foreign.alive(), 0, "a child or a value is left");
    }
}

async fn w01_joins_survive_wakers_and_children_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &ACTS).await
}

async fn w02_joins_survive_wakers_and_children_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &[Act::Panic]).await
}
