//! The cancellation tree, step by step: flags, reasons, lists, wakers.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use ecluse_core::{
    Cx, Reason, Root, Scope,
    cancel::{CancelWait, Kind},
};

use crate::kit::{Callback, Striker, Wakes, panic_of, poll, poll_with, ready, within};

/// Any code, to tell reasons apart.
fn code(code: u16) -> Reason {
    Reason::default().with_code(code)
}

fn codes(cx: Cx<'_>) -> Option<(u16, bool)> {
    cx.reason()
        .map(|reason| (reason.code(), reason.is_inherited()))
}

#[test]
fn a_reason_keeps_what_it_is_made_of() {
    for kind in [
        Kind::Explicit,
        Kind::Deadline,
        Kind::Sibling,
        Kind::Panic,
        Kind::Dropped,
        Kind::Shutdown,
        Kind::Limit,
    ] {
        for code in [0, 1, u16::MAX] {
            let root = <Root>::new();
            assert!(root.cancel(Reason::new(kind).with_code(code)));
            let reason = root.cx().reason().unwrap();
            assert_eq!((reason.kind(), reason.code()), (kind, code));
            assert!(!reason.is_inherited() && !reason.is_forced());
        }
    }
    assert_eq!(
        Reason::new(Kind::Limit).with_code(3).to_string(),
        "a limit was reached (code 3)"
    );
}

#[test]
fn the_first_cancel_of_a_scope_wins() {
    let root = <Root>::new();
    let child = pin!(root.cx().child());
    let cx = child.as_ref().enter();
    assert!(cx.cancel(code(1)));
    assert!(!cx.cancel(code(2)));
    assert!(root.cancel(code(3)));
    assert!(!root.cancel(code(4)));
    assert_eq!(codes(cx), Some((1, false)));
    assert_eq!(codes(root.cx()), Some((3, false)));
    let late = pin!(root.cx().child());
    assert_eq!(codes(late.as_ref().enter()), Some((3, true)));
    assert!(!late.as_ref().enter().cancel(code(5)));
}

#[test]
fn a_cancel_reaches_what_is_below_and_nothing_else() {
    let root = <Root>::new();
    let [left, right] = [pin!(root.cx().child()), pin!(root.cx().child())];
    let (left, right) = (left.as_ref().enter(), right.as_ref().enter());
    let below = pin!(left.child());
    let below = below.as_ref().enter();
    assert_eq!(root.attached(), 3);
    assert!(left.cancel(code(1)));
    assert_eq!(codes(left), Some((1, false)));
    assert_eq!(codes(below), Some((1, true)));
    assert!(!right.is_cancelled() && !root.is_cancelled());
}

#[test]
fn a_shield_keeps_cancels_off_and_lets_force_through() {
    let root = <Root>::new();
    let shielded = pin!(root.cx().shielded());
    let cx = shielded.as_ref().enter();
    let below = pin!(cx.child());
    let below = below.as_ref().enter();
    root.cancel(code(1));
    assert!(!cx.is_cancelled() && !below.is_cancelled());
    // Born under a cancelled parent, a shielded scope is not cancelled either; it is linked.
    let late = pin!(root.cx().shielded());
    let late = late.as_ref().enter();
    assert!(!late.is_cancelled());
    assert!(below.cancel(code(2)));
    let (wakes, waker) = Wakes::new();
    let mut forced = pin!(below.forced());
    assert!(poll_with(forced.as_mut(), &waker).is_pending());
    assert!(root.force(code(3)));
    assert!(!root.force(code(4)));
    assert!(cx.is_forced() && below.is_forced() && late.is_forced());
    // Reasons stay: the root's own first one reaches the shielded, the other keeps its own.
    assert_eq!(codes(cx), Some((1, true)));
    assert_eq!(codes(below), Some((2, false)));
    assert_eq!(wakes.count(), 1);
    assert!(ready(poll(forced)).is_forced());
}

/// Otherwise who passes a reason on would force what is only to be cancelled.
#[test]
fn a_reason_that_is_passed_on_is_the_other_scopes_own() {
    let (root, other) = (<Root>::new(), <Root>::new());
    let child = pin!(root.cx().child());
    let cx = child.as_ref().enter();
    assert!(root.force(code(1)));
    let reason = cx.reason().unwrap();
    assert!(reason.is_inherited() && reason.is_forced());
    assert!(other.cancel(reason));
    assert_eq!(codes(other.cx()), Some((1, false)));
    assert!(!other.cx().is_forced());
}

#[test]
fn one_wake_a_level() {
    let root = <Root>::new();
    let child = pin!(root.cx().child());
    let cx = child.as_ref().enter();
    let (wakes, waker) = Wakes::new();
    let (mut soft, mut hard) = (pin!(cx.cancelled()), pin!(cx.forced()));
    assert!(poll_with(soft.as_mut(), &waker).is_pending());
    assert!(poll_with(hard.as_mut(), &waker).is_pending());
    root.cancel(code(1));
    assert_eq!(wakes.count(), 1);
    assert!(!ready(poll(soft)).is_forced());
    assert!(poll(hard.as_mut()).is_pending());
    root.force(code(1));
    // (The re-poll by hand changed the waker.)
    assert_eq!(wakes.count(), 1);
    assert!(ready(poll(hard)).is_forced());
    assert_eq!(wakes.live(), 1);
}

#[test]
fn scopes_leave_the_tree_at_either_end_and_in_the_middle() {
    let root = <Root>::new();
    for gone in 0..4 {
        let mut scopes: Vec<_> = (0..4).map(|_| Box::pin(root.cx().child())).collect();
        for scope in &scopes {
            scope.as_ref().enter();
        }
        assert_eq!(root.attached(), 4);
        drop(scopes.remove(gone));
        assert_eq!(root.attached(), 3);
        // Entering once more attaches nothing twice.
        scopes[0].as_ref().enter();
        assert_eq!(root.attached(), 3);
    }
    assert_eq!(root.attached(), 0);
    drop(root.cx().child());
    assert!(root.cancel(code(1)));
}

/// A waker in the middle of a cancel drops the scope that the cancel would look at next, or one that
/// is on the work list, or one that is not reached yet.
#[test]
fn scopes_may_go_while_they_are_being_cancelled() {
    within(|| {
        for gone in 0..64 {
            let root: &'static Root = Box::leak(Box::default());
            let scopes: Vec<_> = (0..64).map(|_| Box::pin(root.cx().child())).collect();
            let entered: Vec<Cx<'static>> = scopes.iter().map(|scope| enter(scope)).collect();
            // Something below each, so that each goes on the work list.
            let below: Vec<_> = entered.iter().map(|cx| Box::pin(cx.child())).collect();
            below.iter().for_each(|scope| {
                scope.as_ref().enter();
            });
            let pair = std::sync::Mutex::new((below, scopes));
            let striker = Striker::new(Callback::Wake, move || {
                let mut pair = pair.lock().unwrap();
                if pair.1.len() > gone {
                    drop(pair.0.remove(gone));
                    drop(pair.1.remove(gone));
                }
            });
            let mut wait = pin!(root.cx().cancelled());
            assert!(poll_with(wait.as_mut(), &striker.waker()).is_pending());
            assert!(root.cancel(code(1)));
            assert_eq!(striker.acted(), 1);
            assert_eq!(root.attached(), 2 * 63);
        }
    });
}

/// A scope that is leaked or dropped by hand: as long-lived as the test says.
fn enter(scope: &Pin<Box<Scope<'static>>>) -> Cx<'static> {
    let cx = scope.as_ref().enter();
    // SAFETY: Validity: a test that uses this drops the scope last, or does not use the handle
    // after it. Aliasing: shared.
    unsafe { core::mem::transmute::<Cx<'_>, Cx<'static>>(cx) }
}

#[test]
fn a_new_child_in_the_middle_of_a_cancel_is_born_cancelled_or_reached() {
    within(|| {
        let root: &'static Root = Box::leak(Box::default());
        // Below the root, which is flagged, and below scopes that are and are not reached yet.
        let scopes: Vec<Cx<'static>> = (0..64)
            .map(|_| {
                let scope: &'static Scope<'static> = Box::leak(Box::new(root.cx().child()));
                Pin::static_ref(scope).enter()
            })
            .collect();
        let born = Arc::new(std::sync::Mutex::new(Vec::new()));
        let striker = Striker::new(Callback::Wake, {
            let (born, scopes) = (born.clone(), scopes.clone());
            move || {
                for parent in scopes.iter().chain([&root.cx()]) {
                    let child: &'static Scope<'static> = Box::leak(Box::new(parent.child()));
                    born.lock().unwrap().push(Pin::static_ref(child).enter());
                }
            }
        });
        let mut wait = pin!(root.cx().cancelled());
        assert!(poll_with(wait.as_mut(), &striker.waker()).is_pending());
        assert!(root.cancel(code(1)));
        let born = born.lock().unwrap();
        assert_eq!(born.len(), 65);
        assert!(born.iter().all(|cx| codes(*cx) == Some((1, true))));
    });
}

#[test]
fn a_panicking_waker_keeps_nobody_from_being_flagged_and_woken() {
    if cfg!(not(feature = "std")) {
        return;
    }
    let root = <Root>::new();
    let scopes: Vec<_> = (0..100).map(|_| Box::pin(root.cx().child())).collect();
    let cxs: Vec<Cx<'_>> = scopes.iter().map(|scope| scope.as_ref().enter()).collect();
    let (wakes, waker) = Wakes::new();
    let mut waits: Vec<_> = cxs.iter().map(|cx| Box::pin(cx.cancelled())).collect();
    for (index, wait) in waits.iter_mut().enumerate() {
        if index % 10 == 3 {
            let striker = Striker::new(Callback::Wake, move || panic!("waker {index}"));
            assert!(poll_with(wait.as_mut(), &striker.waker()).is_pending());
        } else {
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
        }
    }
    assert_eq!(panic_of(|| root.cancel(code(1))), "waker 3");
    assert!(cxs.iter().all(|cx| cx.is_cancelled()));
    assert_eq!(wakes.count(), 90);
    assert!(!root.cancel(code(2)));
    assert_eq!(wakes.count(), 90);
}

#[test]
fn a_waker_may_do_anything_with_the_tree() {
    within(|| {
        let root: &'static Root = Box::leak(Box::default());
        let leaked = |cx: Cx<'static>| -> Cx<'static> {
            let scope: &'static Scope<'static> = Box::leak(Box::new(cx.child()));
            Pin::static_ref(scope).enter()
        };
        let middle = leaked(root.cx());
        let (wakes, waker) = Wakes::new();
        for callback in Callback::ALL {
            let below = leaked(middle);
            let sibling = Arc::new(std::sync::Mutex::new(Some(Box::pin(middle.cancelled()))));
            let striker = Striker::new(callback, {
                let sibling = sibling.clone();
                move || {
                    assert!(!root.is_cancelled() || !root.cancel(code(9)));
                    let _ = (below.check(), middle.reason(), root.attached());
                    if let Some(mut sibling) = sibling.lock().unwrap().take() {
                        let _ = poll(sibling.as_mut());
                    }
                    let child = pin!(below.child());
                    let cx = child.as_ref().enter();
                    cx.cancel(code(7));
                    let _ = poll(pin!(cx.cancelled()));
                }
            });
            let mut wait = pin!(below.cancelled());
            assert!(poll_with(wait.as_mut(), &striker.waker()).is_pending());
            let mut other = pin!(below.cancelled());
            assert!(poll_with(other.as_mut(), &waker).is_pending());
            let before = wakes.count();
            assert!(below.cancel(code(3)));
            assert_eq!(wakes.count(), before + 1);
            assert_eq!(ready(poll(wait)).code(), 3);
            assert_eq!(ready(poll(other)).code(), 3);
        }
        assert!(root.cancel(code(1)));
        assert!(middle.is_cancelled());
    });
}

#[test]
fn a_forgotten_scope_stays_linked_and_does_no_harm() {
    let (wakes, waker) = Wakes::new();
    let root = <Root>::new();
    {
        let parent = pin!(root.cx().child());
        let cx = parent.as_ref().enter();
        for _ in 0..3 {
            let child = Box::pin(cx.child());
            let below = child.as_ref().enter();
            let mut wait = Box::pin(below.cancelled());
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
            core::mem::forget(wait);
            core::mem::forget(child);
        }
        assert_eq!(root.attached(), 4);
        // On the work list, and the parent goes.
        cx.cancel_deferred(code(1));
    }
    assert_eq!(root.attached(), 3, "the forgotten");
    // The root moves; the forgotten do not know.
    let root = Box::new(root);
    let child = pin!(root.cx().child());
    child.as_ref().enter();
    assert!(root.cancel(code(1)));
    assert_eq!(wakes.count(), 0, "their parent has gone");
}

#[test]
fn a_forgotten_child_of_a_live_parent_is_told() {
    let (wakes, waker) = Wakes::new();
    let root = <Root>::new();
    {
        let child = Box::pin(root.cx().child());
        let mut wait = Box::pin(child.as_ref().enter().cancelled());
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
        core::mem::forget(wait);
        core::mem::forget(child);
    }
    let root = Box::new(root);
    assert!(root.cancel(code(1)));
    assert_eq!(wakes.count(), 1);
}

/// What is forgotten below one root, or left to be done there, would be looked for in the other.
#[test]
fn roots_that_change_places_are_not_mistaken_for_each_other() {
    within(|| {
        let (wakes, waker) = Wakes::new();
        let (mut one, mut other) = (<Root>::new().named("one"), <Root>::new().named("other"));
        {
            let child = Box::pin(one.cx().child());
            let mut wait = Box::pin(child.as_ref().enter().cancelled());
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
            core::mem::forget(wait);
            core::mem::forget(child);
        }
        assert!(one.cx().cancel_deferred(code(1)));
        core::mem::swap(&mut one, &mut other);
        assert_eq!((one.cx().name(), other.cx().name()), ("other", "one"));
        assert!(poll(pin!(one.tend(std::future::pending::<()>()))).is_pending());
        assert_eq!(wakes.count(), 0, "it is not that one's");
        assert!(poll(pin!(other.tend(std::future::pending::<()>()))).is_pending());
        assert_eq!(wakes.count(), 1);
        assert_eq!(other.tree().to_string().lines().count(), 2);
        assert_eq!(one.tree().to_string(), "other: running\n");
    });
}

#[test]
fn a_deferred_cancel_flags_at_once_and_is_carried_out_by_the_carrier() {
    let root = <Root>::new();
    let child = pin!(root.cx().child());
    let cx = child.as_ref().enter();
    let below = pin!(cx.child());
    let below = below.as_ref().enter();
    let (wakes, waker) = Wakes::new();
    let (carrier, carrier_waker) = Wakes::new();
    let mut wait = pin!(below.cancelled());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    let mut tended = pin!(root.tend(std::future::pending::<()>()));
    assert!(poll_with(tended.as_mut(), &carrier_waker).is_pending());
    assert!(cx.cancel_deferred(code(1)));
    assert!(!cx.cancel_deferred(code(2)));
    assert!(!cx.cancel(code(3)));
    assert!(cx.is_cancelled() && !below.is_cancelled());
    assert_eq!((wakes.count(), carrier.count()), (0, 1));
    assert!(poll_with(tended.as_mut(), &carrier_waker).is_pending());
    assert_eq!(codes(below), Some((1, true)));
    assert_eq!((wakes.count(), carrier.count()), (1, 1));
    // Nothing below: nobody is told.
    let lonely = pin!(root.cx().child());
    assert!(lonely.as_ref().enter().cancel_deferred(code(4)));
    assert_eq!(carrier.count(), 1);
    // It goes on tending.
    let mut wait = pin!(root.cx().cancelled());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    assert!(root.cx().cancel_deferred(code(5)));
    assert_eq!(carrier.count(), 2);
    assert!(poll_with(tended.as_mut(), &carrier_waker).is_pending());
    assert_eq!(wakes.count(), 2);
}

#[test]
fn a_carrier_that_was_told_and_goes_leaves_it_to_the_next() {
    let root = <Root>::new();
    let (first, first_waker) = Wakes::new();
    let (second, second_waker) = Wakes::new();
    let mut wait = pin!(root.cx().cancelled());
    assert!(poll(wait.as_mut()).is_pending());
    let mut one = Box::pin(root.tend(std::future::pending::<()>()));
    let mut two = Box::pin(root.tend(std::future::pending::<()>()));
    assert!(poll_with(one.as_mut(), &first_waker).is_pending());
    assert!(poll_with(two.as_mut(), &second_waker).is_pending());
    assert!(root.cx().cancel_deferred(code(1)));
    assert_eq!((first.count(), second.count()), (1, 0));
    drop(one);
    assert_eq!(second.count(), 1);
    assert!(root.is_cancelled(), "flagged at once");
    assert!(poll(wait.as_mut()).is_pending(), "not told yet");
    assert!(poll_with(two.as_mut(), &second_waker).is_pending());
    assert!(poll(wait.as_mut()).is_ready());
    drop(two);
    assert_eq!(first.live() + second.live(), 2);
}

#[test]
fn a_carrier_that_comes_late_finds_what_was_deferred() {
    let root = <Root>::new();
    let (wakes, waker) = Wakes::new();
    let mut wait = pin!(root.cx().cancelled());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    assert!(root.cx().cancel_deferred(code(1)));
    assert_eq!(wakes.count(), 0);
    assert!(poll(pin!(root.tend(std::future::pending::<()>()))).is_pending());
    assert_eq!(wakes.count(), 1);
}

#[test]
fn a_cancel_elsewhere_carries_deferred_ones_out() {
    let root = <Root>::new();
    let [one, two] = [pin!(root.cx().child()), pin!(root.cx().child())];
    let (one, two) = (one.as_ref().enter(), two.as_ref().enter());
    let below = pin!(one.child());
    let below = below.as_ref().enter();
    let above = pin!(two.child());
    above.as_ref().enter();
    assert!(one.cancel_deferred(code(1)));
    assert!(!below.is_cancelled());
    assert!(two.cancel(code(2)));
    assert_eq!(codes(below), Some((1, true)));
}

/// s01, s12: threads cancel overlapping parts of one tree; who gets true finds all flagged.
#[test]
fn overlapping_cancels_leave_nobody_out() {
    within(|| {
        for round in 0..if cfg!(miri) { 5 } else { 200 } {
            let root = <Root>::new();
            let middle = pin!(root.cx().child());
            let middle = middle.as_ref().enter();
            let scopes: Vec<_> = (0..50).map(|_| Box::pin(middle.child())).collect();
            let cxs: Vec<Cx<'_>> = scopes.iter().map(|scope| scope.as_ref().enter()).collect();
            let (wakes, waker) = Wakes::new();
            let mut waits: Vec<Pin<Box<CancelWait<'_, _>>>> =
                cxs.iter().map(|cx| Box::pin(cx.cancelled())).collect();
            for wait in &mut waits {
                assert!(poll_with(wait.as_mut(), &waker).is_pending());
            }
            let (barrier, wins) = (Barrier::new(3), AtomicUsize::new(0));
            thread::scope(|threads| {
                for (target, reason) in [(root.cx(), 1), (middle, 2), (middle, 3)] {
                    let (barrier, wins, cxs) = (&barrier, &wins, &cxs);
                    threads.spawn(move || {
                        barrier.wait();
                        if target.cancel(code(reason)) {
                            wins.fetch_add(1, Ordering::Relaxed);
                            assert!(cxs.iter().all(|cx| cx.is_cancelled()), "round {round}");
                        }
                    });
                }
            });
            assert!(wins.load(Ordering::Relaxed) <= 2);
            assert_eq!(wakes.count(), 50);
            let told = cxs[0].reason().unwrap().code();
            assert!(cxs.iter().all(|cx| cx.reason().unwrap().code() == told));
        }
    });
}

#[cfg(feature = "alloc")]
mod shared {
    use ecluse_core::SharedScope;

    use super::*;

    #[test]
    fn a_shared_scope_is_kept_by_its_handles_and_its_children() {
        let root = <SharedScope>::new();
        let [one, other] = [root.child(), root.child()];
        let below = one.child();
        let again = one.clone();
        assert_eq!(root.attached(), 3);
        drop(one);
        drop(again);
        assert_eq!(root.attached(), 3, "its child keeps it");
        assert!(root.cancel(code(1)) && !root.cancel(code(2)));
        assert_eq!(codes(below.cx()), Some((1, true)));
        drop(root);
        assert_eq!(codes(below.child().cx()), Some((1, true)));
        assert_eq!(other.attached(), 3);
        drop(below);
        assert_eq!(other.attached(), 1);
    }

    #[test]
    fn scopes_in_place_and_shared_ones_are_one_tree() {
        let root = <SharedScope>::new();
        let shared = root.shielded();
        let scope = pin!(shared.cx().child());
        let cx = scope.as_ref().enter();
        assert!(root.cancel(code(1)));
        assert!(!cx.is_cancelled());
        assert!(shared.cancel(code(2)));
        assert_eq!(codes(cx), Some((2, true)));
        assert!(root.force(code(3)) && cx.is_forced());
        assert!(!root.force(code(4)));
    }

    /// Handles of one chain that are dropped by several threads at once.
    #[test]
    fn a_chain_may_go_in_several_threads_at_once() {
        within(|| {
            for _ in 0..if cfg!(miri) { 20 } else { 500 } {
                let root = <SharedScope>::new();
                let middle = root.child().child();
                let leaves = [middle.child(), middle.child().child(), middle];
                let barrier = Arc::new(Barrier::new(leaves.len() + 1));
                let threads = leaves.map(|leaf| {
                    let barrier = barrier.clone();
                    thread::spawn(move || {
                        barrier.wait();
                        drop(leaf);
                    })
                });
                barrier.wait();
                root.cancel(code(1));
                threads
                    .into_iter()
                    .for_each(|thread| thread.join().unwrap());
                assert_eq!(root.attached(), 0);
            }
        });
    }
}
