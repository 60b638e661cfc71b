//! s01 to s03, s08 to s10, s12: the cancellation tree.

use core::ops::ControlFlow;
use core::pin::{Pin, pin};
use core::task::Waker;

use super::super::subject::cancel::{CancelWait, Kind, Reason};
use super::super::subject::{Cx, ListLock, Root, Scope};
use portable_atomic::Ordering;

use super::super::cases::parts::counter;
use crate::kit::{Callback, Parked, TestWaker, eventually, poll_once, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine scope:
    s01_first_cancel_wins_and_its_reason_stays,
    s01_true_for_exactly_one_of_many_tasks,
    s01_cancel_reaches_what_is_below_and_nothing_else,
    s01_tree_tells_who_was_cancelled_and_through_whom,
    s02_register_during_a_cancel_is_never_missed,
    s02_child_made_during_a_cancel_is_born_cancelled_or_reached,
    s02_child_made_in_a_waker_of_the_cancel,
    s03_wide_tree,
    s03_deep_tree,
    s03_million_wide_and_deep_on_a_small_stack needs STD,
    s03_overlapping_cancels_flag_everybody,
    s08_panicking_wakers_keep_nobody_from_being_told needs UNWIND,
    s09_wakers_come_back_into_the_tree,
    s10_deferred_cancel_is_carried_out_by_the_carrier,
    s10_told_carrier_that_goes_leaves_it_to_the_next,
    s10_cancel_in_an_interrupt needs INTERRUPTS,
    s12_short_children_leave_nothing,
    s12_forgotten_child_does_no_harm needs ALLOC STD,
}

pub(super) type StaticRoot = &'static Root;
type Waiting = Parked<CancelWait<'static, ListLock>>;

pub(super) fn root<R: Runtime>(rt: R) -> StaticRoot {
    rt.put(Root::new())
}

/// A scope that lives as long as the case.
pub(super) fn child<R: Runtime>(rt: R, cx: Cx<'static>) -> Cx<'static> {
    let scope: &'static Scope<'static> = rt.put(cx.child());
    Pin::static_ref(scope).enter()
}

/// One who waits for a scope's cancel, polled by hand.
pub(super) struct Told {
    wait: Waiting,
    pub(super) waker: TestWaker,
}

impl Told {
    pub(super) const fn new() -> Self {
        Self {
            wait: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    #[track_caller]
    pub(super) fn enlist(&'static self, cx: Cx<'static>) {
        self.wait.park(cx.cancelled());
        self.wait.pending(&self.waker.waker());
    }

    /// Was woken once, and is told why.
    #[track_caller]
    pub(super) fn told(&'static self) -> Reason {
        assert_eq!(self.waker.wakes(), 1);
        let reason = self.wait.ready();
        self.wait.leave();
        assert_eq!(self.waker.live(), 0);
        reason
    }
}

pub(super) fn code(code: u16) -> Reason {
    Reason::default().with_code(code)
}

/// The code that a scope was cancelled with, and whether from above.
#[track_caller]
pub(super) fn cause(cx: Cx<'_>) -> (u16, bool) {
    let reason = cx.reason().expect("cancelled");
    assert_eq!(
        cx.check().map_err(|cancelled| cancelled.reason()),
        Err(reason)
    );
    (reason.code(), reason.is_inherited())
}

async fn s01_first_cancel_wins_and_its_reason_stays<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let below = child(rt, root.cx());
    assert!(root.cx().check().is_ok() && below.check().is_ok() && !below.is_cancelled());
    assert!(below.cancel(Reason::new(Kind::Limit).with_code(7)));
    assert!(!below.cancel(Kind::Shutdown));
    assert!(root.cancel(code(9)));
    assert!(!root.cancel(code(10)));
    assert_eq!((cause(below), cause(root.cx())), ((7, false), (9, false)));
    assert_eq!(below.reason().map(Reason::kind), Some(Kind::Limit));
    // Force changes the level, not the reason.
    assert!(root.force(code(11)) && !root.force(code(12)));
    assert_eq!((cause(below), cause(root.cx())), ((7, false), (9, false)));
    assert!(below.is_forced());
    Verdict::Pass
}

/// What a look at the tree tells of each scope, parents first; at the second one a scope leaves.
async fn s01_tree_tells_who_was_cancelled_and_through_whom<R: Runtime>(rt: R) -> Verdict {
    let root: StaticRoot = rt.put(Root::new().named("root"));
    let upload = rt.put(root.cx().child().named("upload"));
    let upload = Pin::static_ref(upload).enter();
    let part = child(rt, upload);
    let journal = rt.put(part.shielded().named("journal"));
    let journal = Pin::static_ref(journal).enter();
    let waits: &'static Told = rt.put(Told::new());
    waits.enlist(journal);
    assert_eq!(part.cancelled_through(), None);
    upload.cancel(code(3));
    assert_eq!(part.cancelled_through(), Some("upload"));
    assert_eq!(
        (root.cx().cancelled_through(), journal.name()),
        (None, "journal")
    );
    let expected = [
        ("root", None, false, 0),
        ("upload", Some(false), false, 0),
        ("", Some(true), false, 0),
        ("journal", None, true, 1),
        ("late", None, false, 0),
    ];
    let mut late = pin!(None);
    let mut line = 0;
    let shown = root.tree().visit(|scope| {
        let inherited = scope.reason().map(Reason::is_inherited);
        let told = (
            scope.name(),
            inherited,
            scope.is_shielded(),
            scope.waiting(),
        );
        assert_eq!((told, scope.depth()), (expected[line], line % 4 + line / 4));
        if line == 3 {
            late.set(Some(root.cx().child().named("late")));
            late.as_ref().as_pin_ref().expect("just made").enter();
        }
        line += 1;
        ControlFlow::<()>::Continue(())
    });
    assert_eq!((shown, line), (ControlFlow::Continue(()), 5));
    root.force(code(4));
    assert_eq!(journal.cancelled_through(), Some("upload"));
    assert!(waits.told().is_inherited());
    Verdict::Pass
}

async fn s01_true_for_exactly_one_of_many_tasks<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 8;
    let wins = counter(rt);
    for _ in 0..rt.count(100).div_ceil(10) {
        let root = root(rt);
        let below = child(rt, root.cx());
        let winner = counter(rt);
        wins.store(0, Ordering::SeqCst);
        let tasks: [R::Task; TASKS] = core::array::from_fn(|task| {
            rt.spawn(async move {
                yield_now().await;
                if root.cancel(code(task as u16 + 1)) {
                    wins.fetch_add(1, Ordering::SeqCst);
                    winner.store(task + 1, Ordering::SeqCst);
                    assert!(below.is_cancelled(), "all are flagged when it returns true");
                }
                assert!(root.is_cancelled());
            })
        });
        for task in tasks {
            assert_eq!(task.join().await, Ended::Finished);
        }
        assert_eq!(wins.load(Ordering::SeqCst), 1);
        let winner = winner.load(Ordering::SeqCst) as u16;
        assert_eq!(
            (cause(root.cx()), cause(below)),
            ((winner, false), (winner, true))
        );
    }
    Verdict::Pass
}

async fn s01_cancel_reaches_what_is_below_and_nothing_else<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let [left, right] = [child(rt, root.cx()), child(rt, root.cx())];
    let leaves = [left, left, right].map(|cx| child(rt, cx));
    let [one, two, other] = [
        rt.put(Told::new()),
        rt.put(Told::new()),
        rt.put(Told::new()),
    ];
    one.enlist(leaves[0]);
    two.enlist(left);
    other.enlist(leaves[2]);
    assert!(left.cancel(code(3)));
    assert_eq!(
        (cause(left), cause(leaves[0]), cause(leaves[1])),
        ((3, false), (3, true), (3, true))
    );
    assert!(one.told().is_inherited() && !two.told().is_inherited());
    assert!(!root.is_cancelled() && !right.is_cancelled() && !leaves[2].is_cancelled());
    assert_eq!(other.waker.wakes(), 0);
    assert!(root.cancel(code(4)));
    assert_eq!((other.told().code(), cause(leaves[0])), (4, (3, true)));
    Verdict::Pass
}

async fn s02_register_during_a_cancel_is_never_missed<R: Runtime>(rt: R) -> Verdict {
    // Tasks that register at any moment; the runtime wakes them, or the poll returns.
    for _ in 0..rt.count(200).div_ceil(4) {
        let root = root(rt);
        let below = child(rt, root.cx());
        let tasks: [R::Task; 4] = core::array::from_fn(|turns| {
            rt.spawn(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                assert_eq!(below.cancelled().await.code(), 1);
            })
        });
        let canceller = rt.spawn(async move {
            yield_now().await;
            assert!(root.cancel(code(1)));
        });
        for task in tasks {
            assert_eq!(task.join().await, Ended::Finished);
        }
        assert_eq!(canceller.join().await, Ended::Finished);
    }
    Verdict::Pass
}

async fn s02_child_made_during_a_cancel_is_born_cancelled_or_reached<R: Runtime>(rt: R) -> Verdict {
    for _ in 0..rt.count(200).div_ceil(4) {
        let root = root(rt);
        let below = child(rt, root.cx());
        let makers: [R::Task; 3] = core::array::from_fn(|turns| {
            rt.spawn(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                let scope = pin!(below.child());
                let cx = scope.as_ref().enter();
                assert_eq!(cx.cancelled().await.code(), 1);
                assert_eq!(cause(cx), (1, true));
            })
        });
        assert!(root.cancel(code(1)));
        for maker in makers {
            assert_eq!(maker.join().await, Ended::Finished);
        }
        assert_eq!(root.attached(), 1);
    }
    Verdict::Pass
}

async fn s02_child_made_in_a_waker_of_the_cancel<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let siblings: [Cx<'static>; 4] = core::array::from_fn(|_| child(rt, root.cx()));
    let born = counter(rt);
    let act = rt.put(move || {
        for parent in [root.cx(), siblings[0], siblings[3]] {
            // Not reached yet, perhaps: it is below what is being cancelled.
            let cx = child(rt, parent);
            if cx.is_cancelled() {
                born.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let hostile = rt.put(TestWaker::hostile(Callback::Wake, act));
    let wait = rt.put(Parked::new());
    wait.park(root.cx().cancelled());
    wait.pending(&hostile.waker());
    hostile.arm();
    assert!(root.cancel(code(1)));
    assert_eq!((hostile.acted(), root.attached()), (1, 7));
    assert!(
        born.load(Ordering::SeqCst) >= 1,
        "at least below the root, which is flagged"
    );
    // All seven are flagged: a child of each is born cancelled.
    assert!(siblings.iter().all(|cx| cx.is_cancelled()));
    wait.leave();
    Verdict::Pass
}

async fn s03_wide_tree<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let width = rt.count(10_000);
    let first = child(rt, root.cx());
    for _ in 2..width {
        child(rt, root.cx());
    }
    let last = child(rt, root.cx());
    let (one, two) = (rt.put(Told::new()), rt.put(Told::new()));
    one.enlist(first);
    two.enlist(last);
    assert_eq!(root.attached(), width.max(2));
    assert!(root.cancel(code(1)));
    assert_eq!((one.told().code(), two.told().code()), (1, 1));
    Verdict::Pass
}

async fn s03_deep_tree<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let mut deepest = root.cx();
    for _ in 0..rt.count(10_000) {
        deepest = child(rt, deepest);
    }
    let told = rt.put(Told::new());
    told.enlist(deepest);
    assert!(root.cancel(code(1)));
    assert_eq!((told.told().code(), cause(deepest)), (1, (1, true)));
    // From the middle up nothing happens, and the other way round it is done.
    assert!(!deepest.cancel(code(2)));
    Verdict::Pass
}

on_hosts! {
async fn s03_million_wide_and_deep_on_a_small_stack<R: Runtime>(rt: R) -> Verdict {
    use std::{boxed::Box, thread, vec::Vec};

    let scopes = rt.count(1_000_000);
    let wide = move || {
        let root: Root = Root::new();
        let all: Vec<Pin<Box<Scope<'_>>>> = (0..scopes).map(|_| Box::pin(root.cx().child())).collect();
        all.iter().for_each(|scope| {
            scope.as_ref().enter();
        });
        assert!(root.cancel(code(1)));
        assert!(all.iter().all(|scope| cause(scope.as_ref().enter()) == (1, true)));
        drop(all);
        assert_eq!(root.attached(), 0);
    };
    let deep = move || {
        // Each borrows the one above, so they are leaked.
        let root: StaticRoot = Box::leak(Box::new(Root::new()));
        let mut deepest = root.cx();
        for _ in 0..scopes {
            let scope: &'static Scope<'static> = Box::leak(Box::new(deepest.child()));
            deepest = Pin::static_ref(scope).enter();
        }
        assert!(root.cancel(code(1)));
        assert_eq!(cause(deepest), (1, true));
    };
    let work = move || {
        wide();
        deep();
    };
    let small = thread::Builder::new().stack_size(64 << 10).spawn(work);
    assert!(small.expect("a thread").join().is_ok());
    Verdict::Pass
}
}

async fn s03_overlapping_cancels_flag_everybody<R: Runtime>(rt: R) -> Verdict {
    for _ in 0..rt.count(100).div_ceil(8) {
        let root = root(rt);
        let middle = child(rt, root.cx());
        let leaves: [Cx<'static>; 5] = core::array::from_fn(|_| child(rt, middle));
        let told = [(); 2].map(|()| rt.put(Told::new()));
        told[0].enlist(leaves[0]);
        told[1].enlist(leaves[4]);
        let tasks = [(root.cx(), 1), (middle, 2), (leaves[4], 3)].map(|(target, reason)| {
            rt.spawn(async move {
                yield_now().await;
                if target.cancel(code(reason)) && reason < 3 {
                    assert!(leaves.iter().all(|leaf| leaf.is_cancelled()));
                }
            })
        });
        for task in tasks {
            assert_eq!(task.join().await, Ended::Finished);
        }
        assert_eq!(
            (told[0].told().code(), told[1].told().code()),
            (cause(leaves[0]).0, cause(leaves[4]).0)
        );
        assert_eq!(cause(root.cx()), (1, false));
    }
    Verdict::Pass
}

async fn s08_panicking_wakers_keep_nobody_from_being_told<R: Runtime>(rt: R) -> Verdict {
    #[cfg(feature = "std")]
    {
        use core::panic::AssertUnwindSafe;

        let root = root(rt);
        let act = rt.put(|| panic!("a waker of the case"));
        let hostile = rt.put(TestWaker::hostile(Callback::Wake, act));
        let middle = rt.put(Parked::new());
        let told: [&'static Told; 20] = core::array::from_fn(|_| rt.put(Told::new()));
        for (index, one) in told.iter().enumerate() {
            one.enlist(child(rt, root.cx()));
            if index == 9 {
                middle.park(child(rt, root.cx()).cancelled());
                middle.pending(&hostile.waker());
            }
        }
        hostile.arm();
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| root.cancel(code(1))));
        assert!(panicked.is_err(), "the panic goes on at the end");
        assert_eq!(hostile.acted(), 1);
        for one in told {
            assert_eq!(one.told().code(), 1);
        }
        assert!(middle.poll(Waker::noop()).is_ready());
        middle.leave();
        assert!(!root.cancel(code(2)));
        assert_eq!(hostile.live(), 0);
    }
    let _ = rt;
    Verdict::Pass
}

async fn s09_wakers_come_back_into_the_tree<R: Runtime>(rt: R) -> Verdict {
    for callback in Callback::OF_WAKERS {
        let root = root(rt);
        let middle = child(rt, root.cx());
        let (below, side) = (child(rt, middle), child(rt, root.cx()));
        let [sibling, doomed] = [rt.put(Parked::new()), rt.put(Parked::new())];
        let acts = counter(rt);
        let act = rt.put(move || {
            acts.fetch_add(1, Ordering::SeqCst);
            // Cancel again, and elsewhere; look upwards; a new child; drop and poll siblings.
            assert!(!middle.is_cancelled() || !middle.cancel(code(9)));
            side.cancel(code(8));
            let _ = (root.cx().reason(), root.attached(), below.check());
            let scope = pin!(below.child());
            let cx = scope.as_ref().enter();
            assert!(poll_once(pin!(cx.cancelled()), Waker::noop()).is_ready() == cx.is_cancelled());
            doomed.leave();
            if sibling.is_parked() {
                let _ = sibling.poll(Waker::noop());
            }
        });
        let hostile = rt.put(TestWaker::hostile(callback, act));
        let (wait, told) = (rt.put(Parked::new()), rt.put(Told::new()));
        for place in [sibling, doomed] {
            place.park(below.cancelled());
            place.pending(Waker::noop());
        }
        wait.park(below.cancelled());
        hostile.arm();
        wait.pending(&hostile.waker());
        told.enlist(below);
        hostile.arm();
        assert!(middle.cancel(code(1)));
        assert_eq!(
            (cause(middle), cause(below), told.told().code()),
            ((1, false), (1, true), 1)
        );
        assert!(!root.is_cancelled());
        // A wait that goes: its waker's drop is a callback, too.
        wait.leave();
        assert_eq!(root.attached(), 3);
        sibling.leave();
        hostile.disarm();
        let moved = rt.put(Parked::new());
        moved.park(root.cx().cancelled());
        hostile.arm();
        moved.pending(&hostile.waker());
        moved.leave();
        assert!(acts.load(Ordering::SeqCst) >= 1 || callback == Callback::WakeByRef);
        assert_eq!(hostile.live(), 0);
    }
    Verdict::Pass
}

async fn s10_deferred_cancel_is_carried_out_by_the_carrier<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let middle = child(rt, root.cx());
    let below = child(rt, middle);
    let enlisted = counter(rt);
    let waiter = rt.spawn(async move {
        enlisted.fetch_add(1, Ordering::SeqCst);
        assert_eq!(below.cancelled().await.code(), 5);
    });
    let carrier = rt.spawn(async move {
        let last = root.tend(root.cx().cancelled()).await;
        assert_eq!(last.code(), 6);
    });
    eventually(rt, "the waiter runs", || {
        enlisted.load(Ordering::SeqCst) == 1
    })
    .await;
    assert!(middle.cancel_deferred(code(5)));
    assert!(middle.is_cancelled(), "at once");
    assert!(!middle.cancel_deferred(code(7)) && !middle.cancel(code(7)));
    assert_eq!(waiter.join().await, Ended::Finished);
    assert_eq!(cause(below), (5, true));
    assert!(root.cx().cancel_deferred(code(6)));
    assert_eq!(carrier.join().await, Ended::Finished);
    Verdict::Pass
}

async fn s10_told_carrier_that_goes_leaves_it_to_the_next<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let below = child(rt, root.cx());
    let told = rt.put(Told::new());
    told.enlist(below);
    let carriers = [(); 2].map(|()| (rt.put(Parked::new()), rt.put(TestWaker::new())));
    for (carrier, waker) in carriers {
        carrier.park(root.tend(core::future::pending::<()>()));
        carrier.pending(&waker.waker());
    }
    let [(first, first_waker), (second, second_waker)] = carriers;
    assert!(root.cx().cancel_deferred(code(1)));
    assert_eq!((first_waker.wakes(), second_waker.wakes()), (1, 0));
    assert!(!below.is_cancelled());
    first.leave();
    assert_eq!(second_waker.wakes(), 1);
    second.pending(&second_waker.waker());
    assert_eq!((told.told().code(), cause(below)), (1, (1, true)));
    // A cancel anywhere does it, too.
    let other = self::root(rt);
    let [one, two] = [child(rt, other.cx()), child(rt, other.cx())];
    let deep = child(rt, one);
    assert!(one.cancel_deferred(code(2)) && !deep.is_cancelled());
    assert!(two.cancel(code(3)));
    // (`two` has nothing below it, but it finds the list.)
    assert_eq!(cause(deep), (2, true));
    second.leave();
    Verdict::Pass
}

async fn s10_cancel_in_an_interrupt<R: Runtime>(rt: R) -> Verdict {
    for deferred in [false, true] {
        let root = root(rt);
        let middle = child(rt, root.cx());
        let ends = counter(rt);
        let tasks = [(); 6].map(|()| {
            rt.spawn(async move {
                let scope = pin!(middle.child());
                let cx = scope.as_ref().enter();
                assert_eq!(root.tend(cx.cancelled()).await.code(), 4);
                ends.fetch_add(1, Ordering::SeqCst);
            })
        });
        for _ in 0..4 {
            yield_now().await;
        }
        let act = move || {
            let first = if deferred {
                middle.cancel_deferred(code(4))
            } else {
                middle.cancel(code(4))
            };
            assert!(first && middle.is_cancelled());
        };
        rt.in_interrupt(rt.put(act));
        assert_eq!(cause(middle), (4, false));
        for task in tasks {
            assert_eq!(task.join().await, Ended::Finished);
        }
        assert_eq!((ends.load(Ordering::SeqCst), root.attached()), (6, 1));
    }
    Verdict::Pass
}

async fn s12_short_children_leave_nothing<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    for turn in 0..rt.count(200_000) {
        let scope = pin!(root.cx().child());
        let cx = scope.as_ref().enter();
        let mut wait = pin!(cx.cancelled());
        assert!(poll_once(wait.as_mut(), Waker::noop()).is_pending());
        if turn % 1000 == 0 {
            assert_eq!(root.attached(), 1);
            assert!(cx.cancel(code(1)));
        }
    }
    assert_eq!(root.attached(), 0);
    assert!(root.cancel(code(2)));
    Verdict::Pass
}

on_hosts! {
async fn s12_forgotten_child_does_no_harm<R: Runtime>(rt: R) -> Verdict {
    use std::boxed::Box;

    let waker = rt.put(TestWaker::new());
    let root: Root = Root::new();
    {
        let parent = Box::pin(root.cx().child());
        for _ in 0..3 {
            let scope = Box::pin(parent.as_ref().enter().child());
            let mut wait = Box::pin(scope.as_ref().enter().cancelled());
            assert!(poll_once(wait.as_mut(), &waker.waker()).is_pending());
            core::mem::forget(wait);
            core::mem::forget(scope);
        }
        // On its way to them when the parent goes.
        assert!(parent.as_ref().enter().cancel_deferred(code(1)));
    }
    // Below the root itself, told like any other, though the root has moved.
    let scope = Box::pin(root.cx().child());
    let mut wait = Box::pin(scope.as_ref().enter().cancelled());
    assert!(poll_once(wait.as_mut(), &waker.waker()).is_pending());
    core::mem::forget(wait);
    core::mem::forget(scope);
    let moved = Box::new(root);
    assert!(moved.cancel(code(2)));
    assert_eq!((waker.wakes(), moved.attached()), (1, 4));
    Verdict::Pass
}
}
