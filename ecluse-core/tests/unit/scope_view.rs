//! The tree, looked at: names, reasons, waiters; scopes that come and go meanwhile.

use std::{
    boxed::Box,
    mem,
    ops::ControlFlow,
    pin::{Pin, pin},
    string::{String, ToString},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    vec::Vec,
};

use ecluse_core::{
    Cx, Reason, Root, Scope, SharedScope,
    cancel::{Kind, Status},
};

use crate::kit::{Wakes, poll_with};

/// What a scope with a name is called here.
type Named<'p> = Scope<'p, ecluse_core::DefaultLock, &'static str>;

/// Names and depths, in the order of the view; `at` is called at each, outside the lock.
fn seen(cx: Cx<'_>, mut at: impl FnMut(&Status)) -> Vec<(&'static str, usize)> {
    let mut seen = Vec::new();
    let _ = cx.tree().visit(|status| {
        at(&status);
        seen.push((status.name(), status.depth()));
        ControlFlow::<()>::Continue(())
    });
    seen
}

#[test]
fn a_tree_is_printed_parents_first() {
    let root = <Root>::new().named("server");
    let [left, right] = ["left", "right"].map(|name| Box::pin(root.cx().child().named(name)));
    let (left, right) = (left.as_ref().enter(), right.as_ref().enter());
    let below = pin!(left.child());
    let below = below.as_ref().enter();
    let deep = pin!(below.shielded().named("deep"));
    let deep = deep.as_ref().enter();
    let (_, waker) = Wakes::new();
    let (mut soft, mut hard) = (pin!(deep.cancelled()), pin!(deep.forced()));
    assert!(poll_with(soft.as_mut(), &waker).is_pending());
    assert!(poll_with(hard.as_mut(), &waker).is_pending());
    left.cancel(Kind::Deadline);
    assert_eq!(
        root.tree().to_string(),
        "server: running\n  \
           left: cancelled (its deadline passed)\n    \
             (no name): cancelled (an outer scope: its deadline passed)\n      \
               deep: running, shielded, 2 waiting\n  \
           right: running\n"
    );
    let mut facts = Vec::new();
    seen(left, |status| {
        let kind = status.reason().map(Reason::kind);
        facts.push((kind, status.is_shielded(), status.waiting()));
    });
    assert_eq!(
        facts,
        [
            (Some(Kind::Deadline), false, 0),
            (Some(Kind::Deadline), false, 0),
            (None, true, 2)
        ]
    );
    root.force(Kind::Shutdown);
    assert_eq!(
        deep.tree().to_string(),
        "deep: forced (an outer scope: its deadline passed), shielded\n"
    );
    assert_eq!(
        right.tree().to_string(),
        "right: forced (an outer scope: shutting down)\n"
    );
    assert!(std::format!("{:?}", right.tree()).contains("name: \"right\""));
}

#[test]
fn a_name_is_kept_and_none_is_empty() {
    let root = <Root>::new();
    assert_eq!(root.cx().name(), "");
    let child = pin!(root.cx().child().named("child"));
    assert_eq!(child.as_ref().enter().name(), "child");
    let shielded = pin!(root.cx().shielded().named("shielded"));
    let cx = shielded.as_ref().enter();
    root.cancel(Kind::Explicit);
    assert_eq!((cx.name(), cx.is_cancelled()), ("shielded", false));
    let shared: SharedScope = SharedScope::named("shared");
    let below = shared.child_named("below");
    let names = [
        &shared,
        &below,
        &below.child(),
        &below.shielded_named("last"),
    ]
    .map(|scope| scope.cx().name());
    assert_eq!(names, ["shared", "below", "", "last"]);
    assert_eq!(
        shared.tree().to_string(),
        "shared: running\n  below: running\n"
    );
}

#[test]
fn a_cancelled_scope_tells_through_which_one() {
    let root = <Root>::new().named("root");
    let outer = pin!(root.cx().child().named("outer"));
    let outer = outer.as_ref().enter();
    let middle = pin!(outer.child());
    let middle = middle.as_ref().enter();
    let inner = pin!(middle.child().named("inner"));
    let inner = inner.as_ref().enter();
    let through = || [outer, middle, inner].map(Cx::cancelled_through);
    assert_eq!(through(), [None; 3]);
    inner.cancel(Kind::Explicit);
    assert_eq!(through(), [None, None, Some("inner")]);
    outer.cancel(Kind::Explicit);
    assert_eq!(through(), [Some("outer"), Some("outer"), Some("inner")]);
    root.cancel(Kind::Explicit);
    assert_eq!(through(), [Some("outer"), Some("outer"), Some("inner")]);
    let late = pin!(root.cx().child());
    assert_eq!(late.as_ref().enter().cancelled_through(), Some("root"));
    let shared: SharedScope = SharedScope::named("shared");
    let below = shared.child().child();
    shared.cancel(Kind::Shutdown);
    assert_eq!(below.cx().cancelled_through(), Some("shared"));
}

#[test]
fn waiters_are_counted_up_to_a_bound() {
    let root = <Root>::new();
    let (_, waker) = Wakes::new();
    let mut waits: Vec<_> = (0..Status::MOST + 3)
        .map(|_| Box::pin(root.cx().cancelled()))
        .collect();
    let mut forced = Box::pin(root.cx().forced());
    assert!(poll_with(forced.as_mut(), &waker).is_pending());
    let shown = || root.tree().to_string();
    for (number, wait) in waits.iter_mut().enumerate() {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
        let expected = match number + 2 {
            number if number < Status::MOST => {
                std::format!("(no name): running, {number} waiting\n")
            }
            _ => std::format!("(no name): running, {} or more waiting\n", Status::MOST),
        };
        assert_eq!(shown(), expected);
    }
}

/// Leaves the scope that the walker stands at, its only child, its next sibling …
#[test]
fn scopes_may_leave_and_come_at_every_step() {
    for leaving in 0..6 {
        for step in 0..7 {
            let shared: SharedScope = SharedScope::named("root");
            let a = shared.child_named("a");
            let a1 = a.child_named("a1");
            let b = shared.child_named("b");
            let b1 = b.child_named("b1");
            let c = shared.child_named("c");
            let mut all = [a, a1, b, b1, c].map(Some);
            let mut count = 0;
            let mut shown = Vec::new();
            let mut gone: Vec<&str> = Vec::new();
            let _ = shared.tree().visit(|status| {
                if count == step {
                    // 0: a1, 1: a with a1, 2: b with b1, 3: b1, 4: c, 5: all.
                    let which: &[usize] =
                        [&[1][..], &[1, 0], &[3, 2], &[3], &[4], &[4, 3, 2, 1, 0]][leaving];
                    for &which in which {
                        let scope = all[which].take().unwrap();
                        gone.push(scope.cx().name());
                        drop(scope);
                    }
                }
                count += 1;
                shown.push(status.name());
                ControlFlow::<()>::Continue(())
            });
            let stay = ["root", "a", "a1", "b", "b1", "c"];
            let stay = stay.iter().filter(|name| !gone.contains(name));
            for name in stay {
                let times = shown.iter().filter(|shown| shown == &name).count();
                assert_eq!(
                    times, 1,
                    "{name} of {shown:?}: {gone:?} left at step {step}"
                );
            }
            for name in gone {
                assert!(shown.iter().filter(|shown| **shown == name).count() <= 1);
            }
            assert_eq!(shared.attached(), all.iter().flatten().count());
        }
    }
}

#[test]
fn what_comes_behind_the_walker_is_shown() {
    let root = <Root>::new().named("root");
    let mut late: Option<Pin<Box<Named<'_>>>> = None;
    let first = pin!(root.cx().child().named("first"));
    first.as_ref().enter();
    let shown = seen(root.cx(), |status| {
        if status.name() == "first" {
            let scope = late.insert(Box::pin(root.cx().child().named("late")));
            scope.as_ref().enter();
        }
    });
    assert_eq!(shown, [("root", 0), ("first", 1), ("late", 1)]);
}

#[test]
fn views_within_views_and_views_that_are_left() {
    let root = <Root>::new().named("root");
    let child = pin!(root.cx().child().named("child"));
    let child = child.as_ref().enter();
    let mut inner = Vec::new();
    seen(root.cx(), |_| inner.push(seen(root.cx(), |_| ()).len()));
    assert_eq!(inner, [2, 2]);
    let broken = root
        .tree()
        .visit(|status| ControlFlow::Break(status.depth()));
    assert_eq!(broken, ControlFlow::Break(0));
    let panicked = std::panic::catch_unwind(|| seen(root.cx(), |_| panic!("a formatter")));
    assert!(panicked.is_err());
    // None of them has left anything behind.
    assert_eq!(seen(child, |_| ()), [("child", 0)]);
    assert_eq!(seen(root.cx(), |_| ()).len(), 2);
}

/// What is above a forgotten scope may go, and its memory be used again, with a walker below it.
#[test]
fn a_walker_at_a_forgotten_scope_is_stopped() {
    let root = <Root>::new().named("root");
    let named = |name| Some(root.cx().child().named(name));
    let mut place: Pin<Box<Option<Named<'_>>>> = Box::pin(named("parent"));
    {
        let cx = place.as_ref().as_pin_ref().unwrap().enter();
        let forgotten = Box::pin(cx.child().named("forgotten"));
        forgotten.as_ref().enter();
        mem::forget(forgotten);
    }
    let last: Pin<Box<Option<Named<'_>>>> = Box::pin(named("last"));
    let shown = seen(root.cx(), |status| {
        if status.name() == "forgotten" {
            place.set(named("again"));
            place.as_ref().as_pin_ref().unwrap().enter();
            last.as_ref().as_pin_ref().unwrap().enter();
        }
    });
    assert_eq!(shown, [("root", 0), ("parent", 1), ("forgotten", 2)]);
    let shown = seen(root.cx(), |_| ());
    assert_eq!(shown, [("root", 0), ("again", 1), ("last", 1)]);
}

/// Deeper than a hold goes up at once; and no recursion: the printer has a small stack.
#[test]
fn a_deep_tree_is_shown_on_a_small_stack() {
    const DEPTH: usize = if cfg!(miri) { 200 } else { 10_000 };
    let shared: SharedScope = SharedScope::named("top");
    let mut chain = std::vec![shared.clone()];
    for _ in 0..DEPTH {
        let next = chain.last().unwrap().child();
        chain.push(next);
    }
    let second = shared.child_named("second");
    let thread = thread::Builder::new().stack_size(64 << 10);
    let count = thread
        .spawn(move || {
            let (mut count, mut last) = (0, ("", 0));
            let _ = shared.tree().visit(|status| {
                count += 1;
                last = (status.name(), status.depth());
                ControlFlow::<()>::Continue(())
            });
            (count, last)
        })
        .unwrap();
    assert_eq!(count.join().unwrap(), (DEPTH + 2, ("second", 1)));
    drop(second);
}

#[test]
fn a_tree_is_looked_at_while_threads_change_it() {
    const ROUNDS: usize = if cfg!(miri) { 50 } else { 2_000 };
    let shared: SharedScope = SharedScope::named("root");
    let stays = shared.child_named("stays");
    let (start, over) = (Barrier::new(3), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                for round in 0..ROUNDS {
                    let child = shared.child_named("comes");
                    let below = [child.child(), child.child()];
                    if round % 3 == 0 {
                        child.cancel(Kind::Explicit);
                    }
                    drop(child);
                    drop(below);
                }
                over.store(true, Ordering::Relaxed);
            });
        }
        start.wait();
        let mut looks = 0;
        while looks == 0 || !over.load(Ordering::Relaxed) {
            let mut text: String = shared.tree().to_string();
            assert_eq!(text.matches("stays: running").count(), 1, "{text}");
            text.clear();
            looks += 1;
        }
    });
    drop(stays);
    assert_eq!(shared.attached(), 0);
    assert_eq!(shared.tree().to_string(), "root: running\n");
}
