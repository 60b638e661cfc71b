//! w01, w02 for the tree: every callback of a waker, and the function that a cancel calls, doing every hostile act, in every call that
//! meets them.
//!
//! Each combination is a world of its own: a root, a child of it in which the victim and another wait, and a sibling of the child.
//! Afterwards everybody who waits for a cancel has been woken for it, and no waiter, scope or waker is left.

use core::future::{Future, Pending, pending};
use core::ops::ControlFlow;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::super::subject::cancel::{CancelWait, ForceWait, OnCancel, Reason};
use super::super::subject::{Cx, ListLock, Scope};
use super::scope::{StaticRoot, child, root};
use crate::kit::{Callback, Parked, Scene, TestWaker, ask, table};
use crate::{Runtime, Verdict};

cases! { engine hostile_scope:
    w01_tree_survives_wakers_and_hooks_that_come_back,
    w02_tree_survives_wakers_and_hooks_that_panic needs UNWIND,
}

/// What the hostile code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Cancel,
    CancelAbove,
    CancelLater,
    Force,
    Wait,
    ComeAndGo,
    Look,
    PollOther,
    DropOther,
    DropSibling,
}

const ACTS: [Act; 10] = [
    Act::Cancel,
    Act::CancelAbove,
    Act::CancelLater,
    Act::Force,
    Act::Wait,
    Act::ComeAndGo,
    Act::Look,
    Act::PollOther,
    Act::DropOther,
    Act::DropSibling,
];

/// Which call meets the hostile code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    FirstPoll,
    RepollTo,
    RepollFrom,
    Leave,
    TryAbandon,
    Cancel,
    CancelAbove,
    CancelLater,
    Force,
    HookIsSet,
    HookIsDue,
    HookIsDropped,
}

const TRIGGERS: [Trigger; 12] = [
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::RepollFrom,
    Trigger::Leave,
    Trigger::TryAbandon,
    Trigger::Cancel,
    Trigger::CancelAbove,
    Trigger::CancelLater,
    Trigger::Force,
    Trigger::HookIsSet,
    Trigger::HookIsDue,
    Trigger::HookIsDropped,
];

impl Trigger {
    /// Whether the victim is the operation with the function.
    fn hooks(self) -> bool {
        matches!(
            self,
            Self::HookIsSet | Self::HookIsDue | Self::HookIsDropped
        )
    }
}

type Wait = Parked<CancelWait<'static, ListLock>>;
type Hook = &'static (dyn Fn(Reason) + Send + Sync);

pin_project! {
    /// A scope below another, until it is dropped.
    pub(super) struct Below {
        #[pin]
        scope: Scope<'static>,
    }
}

impl Below {
    pub(super) fn new(cx: Cx<'static>) -> Self {
        Self { scope: cx.child() }
    }
}

impl Future for Below {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.project().scope.as_ref().enter();
        Poll::Pending
    }
}

struct World {
    /// Polled with the hostile waker.
    victim: Wait,
    forced: Parked<ForceWait<'static, ListLock>>,
    operation: Parked<OnCancel<'static, Pending<()>, Hook, ListLock>>,
    other: Wait,
    late: Wait,
    sibling: Parked<Below>,
    wakers: [TestWaker; 4],
}

const VICTIM: usize = 0;
const FORCED: usize = 1;
const OTHER: usize = 2;
const LATE: usize = 3;

#[derive(Clone, Copy)]
struct Play {
    root: StaticRoot,
    child: Cx<'static>,
    world: &'static World,
    /// Makes the function of an operation, which calls the hostile code.
    hook: &'static (dyn Fn(&'static TestWaker) -> Hook + Send + Sync),
}

impl Play {
    fn enlist(self, wait: &'static Wait, waker: &'static TestWaker) {
        if !wait.is_parked() {
            wait.park(self.child.cancelled());
        }
        wait.step(&waker.waker());
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
        Callback::Hook,
    ];
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;

    fn new<R: Runtime>(rt: R) -> Self {
        let root = root(rt);
        Self {
            root,
            child: child(rt, root.cx()),
            world: rt.put(World {
                victim: Parked::new(),
                forced: Parked::new(),
                operation: Parked::new(),
                other: Parked::new(),
                late: Parked::new(),
                sibling: Parked::new(),
                wakers: [const { TestWaker::new() }; 4],
            }),
            hook: rt.put(move |hostile: &'static TestWaker| -> Hook {
                rt.put(move |_| hostile.called(Callback::Hook))
            }),
        }
    }

    fn act(self, act: Act) {
        let Self { child, world, .. } = self;
        match act {
            Act::Panic => panic!("hostile"),
            Act::Cancel => drop(child.cancel(Reason::default())),
            Act::CancelAbove => drop(self.root.cancel(Reason::default())),
            Act::CancelLater => drop(child.cancel_deferred(Reason::default())),
            Act::Force => drop(child.force(Reason::default())),
            Act::Wait => self.enlist(&world.late, &world.wakers[LATE]),
            Act::ComeAndGo => {
                let scope = pin!(child.child());
                let below = pin!(scope.as_ref().enter().shielded());
                let _ = below.as_ref().enter().is_cancelled();
            }
            Act::Look => {
                let _ = (child.is_cancelled(), child.check(), self.root.attached());
                let tree = child.tree().visit(|_| ControlFlow::<()>::Continue(()));
                assert!(tree.is_continue());
            }
            Act::PollOther => {
                if world.other.is_parked() {
                    self.enlist(&world.other, &world.wakers[OTHER]);
                }
            }
            Act::DropOther => world.other.leave(),
            Act::DropSibling => world.sibling.leave(),
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let Self { world, child, .. } = self;
        world.sibling.park(Below::new(self.root.cx()));
        world.sibling.pending(&world.wakers[LATE].waker());
        if trigger.hooks() {
            let hook = (self.hook)(hostile);
            world.operation.park(child.on_cancel(pending(), hook));
            if trigger != Trigger::HookIsSet {
                world.operation.pending(&hostile.waker());
            }
        } else {
            world.victim.park(child.cancelled());
            match trigger {
                Trigger::FirstPoll => {}
                Trigger::RepollTo => world.victim.pending(&world.wakers[VICTIM].waker()),
                _ => world.victim.pending(&hostile.waker()),
            }
        }
        if trigger == Trigger::Force {
            world.forced.park(child.forced());
            world.forced.pending(&world.wakers[FORCED].waker());
        }
        self.enlist(&world.other, &world.wakers[OTHER]);
        if trigger == Trigger::HookIsDue {
            child.cancel(Reason::default());
        }
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let Self { world, child, .. } = self;
        match trigger {
            Trigger::FirstPoll | Trigger::RepollTo => self.enlist(&world.victim, hostile),
            Trigger::RepollFrom => self.enlist(&world.victim, &world.wakers[VICTIM]),
            Trigger::Leave => world.victim.leave(),
            Trigger::TryAbandon => {
                let _ = world.victim.with_pin(|wait| wait.try_abandon());
                world.victim.leave();
            }
            Trigger::Cancel => drop(child.cancel(Reason::default())),
            Trigger::CancelAbove => drop(self.root.cancel(Reason::default())),
            Trigger::CancelLater => {
                child.cancel_deferred(Reason::default());
                // It carries out what was left for later.
                self.root.cancel(Reason::default());
            }
            Trigger::Force => drop(child.force(Reason::default())),
            Trigger::HookIsSet | Trigger::HookIsDue => {
                let _ = world.operation.poll(&hostile.waker());
            }
            Trigger::HookIsDropped => world.operation.leave(),
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        &self.world.wakers
    }

    /// Everybody is told, was woken for it, and nobody is left in the tree.
    fn settle(self, hostile: &'static TestWaker) {
        let world = self.world;
        self.root.cancel(Reason::default());
        assert!(self.child.is_cancelled());
        let [victim, forced, other, late] = world.wakers.each_ref();
        ask(&world.victim, victim, Some(hostile), drop);
        ask(&world.other, other, None, drop);
        ask(&world.late, late, None, drop);
        self.root.force(Reason::default());
        ask(&world.forced, forced, None, drop);
        let waits = [&world.victim, &world.other, &world.late];
        assert!(!waits.iter().any(|wait| wait.is_parked()), "one is left");
        assert!(!world.forced.is_parked(), "one is left");
        world.operation.leave();
        world.sibling.leave();
        // The child is the case's own, and stays.
        assert_eq!(self.root.attached(), 1, "a scope is left");
    }
}

async fn w01_tree_survives_wakers_and_hooks_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &ACTS).await
}

async fn w02_tree_survives_wakers_and_hooks_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<Play, R>(rt, &[Act::Panic]).await
}
