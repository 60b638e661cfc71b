//! Scopes: flag and reason, registering and making children while a cancel runs, cancels that
//! overlap, finish or cancel.

use core::{
    ops::ControlFlow,
    pin::{Pin, pin},
};
use std::sync::Arc;

use ecluse_core::{Cx, Reason, Root, Scope, SharedScope, Slot, cancel::Kind};

use crate::kit::{Data, Wakes, block_on, models, poll, poll_with, ready, spawn};

models!(
    flag_orders_data,
    reason_orders_data,
    force_orders_data,
    polled_cancel_orders_data,
    register_meets_cancel,
    registered_drop_meets_cancel,
    child_meets_cancel,
    first_cancel_wins,
    overlapping_cancels_flag_everybody,
    scope_leaves_during_cancel,
    scopes_leave_under_a_walker,
    force_overtakes_cancel,
    guard_meets_grant_and_cancel,
    deferred_cancel_meets_carrier,
    told_carrier_leaves,
    shared_scopes_go_during_cancel,
);

/// A root with the data that its canceller writes.
struct Shared {
    root: Root,
    data: Data,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            root: Root::new(),
            data: Data::new(),
        })
    }

    fn cancels(self: &Arc<Self>) -> loom::thread::JoinHandle<()> {
        let shared = self.clone();
        spawn(move || shared.cancel())
    }

    fn cancel(&self) {
        self.data.add();
        assert!(self.root.cancel(code(1)));
    }
}

fn code(code: u16) -> Reason {
    Reason::new(Kind::Explicit).with_code(code)
}

/// Lends something to threads that are joined before it goes.
fn lend<T: ?Sized>(value: &T) -> &'static T {
    // SAFETY: Validity: the models join their threads before the value goes. Aliasing: shared.
    unsafe { &*core::ptr::from_ref(value) }
}

fn child(cx: Cx<'_>) -> Pin<Box<Scope<'static>>> {
    // SAFETY: Validity: as in `lend`. Aliasing: shared.
    let cx = unsafe { core::mem::transmute::<Cx<'_>, Cx<'static>>(cx) };
    let scope = Box::pin(cx.child());
    scope.as_ref().enter();
    scope
}

fn cx(scope: &Pin<Box<Scope<'static>>>) -> Cx<'static> {
    // SAFETY: Validity: as in `lend`. Aliasing: shared.
    unsafe { core::mem::transmute::<Cx<'_>, Cx<'static>>(scope.as_ref().enter()) }
}

/// s01: who sees the flag sees what the canceller did.
fn flag_orders_data() {
    let shared = Shared::new();
    let looker = {
        let shared = shared.clone();
        spawn(move || {
            if shared.root.is_cancelled() {
                assert_eq!(shared.data.get(), 1);
            }
        })
    };
    shared.cancel();
    looker.join().unwrap();
    assert!(shared.root.is_cancelled());
}

/// s01: ... and the reason.
fn reason_orders_data() {
    let shared = Shared::new();
    let looker = {
        let shared = shared.clone();
        spawn(move || {
            if let Some(reason) = shared.root.cx().reason() {
                assert_eq!((reason.code(), shared.data.get()), (1, 1));
            }
        })
    };
    shared.cancel();
    looker.join().unwrap();
}

fn force_orders_data() {
    let shared = Shared::new();
    let looker = {
        let shared = shared.clone();
        spawn(move || {
            if shared.root.cx().is_forced() {
                assert_eq!(shared.data.get(), 1);
            }
        })
    };
    shared.data.add();
    assert!(shared.root.force(code(1)));
    looker.join().unwrap();
}

fn polled_cancel_orders_data() {
    let shared = Shared::new();
    let waiter = {
        let shared = shared.clone();
        spawn(move || {
            let mut wait = pin!(shared.root.cx().cancelled());
            if poll(wait.as_mut()).is_ready() || poll(wait.as_mut()).is_ready() {
                assert_eq!(shared.data.get(), 1);
            }
        })
    };
    shared.cancel();
    waiter.join().unwrap();
}

/// s02: never pending without a wake.
fn register_meets_cancel() {
    let shared = Shared::new();
    let child = child(shared.root.cx());
    let canceller = shared.cancels();
    let (wakes, waker) = Wakes::new();
    {
        let mut wait = Box::pin(cx(&child).cancelled());
        let first = poll_with(wait.as_mut(), &waker);
        canceller.join().unwrap();
        if first.is_pending() {
            assert_eq!(wakes.count(), 1);
            assert_eq!(ready(poll(wait.as_mut())).code(), 1);
        }
        assert_eq!(shared.data.get(), 1);
    }
    assert_eq!(wakes.live(), 1);
}

/// A wait that is dropped while a cancel comes for it.
fn registered_drop_meets_cancel() {
    let shared = Shared::new();
    let (wakes, waker) = Wakes::new();
    let mut wait = Box::pin(lend(&shared.root).cx().cancelled());
    let mut stays = Box::pin(lend(&shared.root).cx().cancelled());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    assert!(poll_with(stays.as_mut(), &waker).is_pending());
    let canceller = shared.cancels();
    drop(wait);
    canceller.join().unwrap();
    assert!((1..=2).contains(&wakes.count()));
    assert!(poll(stays.as_mut()).is_ready());
    drop(stays);
    assert_eq!(wakes.live(), 1);
}

/// s02: a child is born cancelled, or reached.
fn child_meets_cancel() {
    let shared = Shared::new();
    let middle = child(shared.root.cx());
    let canceller = shared.cancels();
    let below = child(cx(&middle));
    canceller.join().unwrap();
    assert_eq!(cx(&below).reason().unwrap().code(), 1);
    assert_eq!(shared.root.attached(), 2);
    drop(below);
    drop(middle);
}

/// s01: true exactly once, and the reason is that call's.
fn first_cancel_wins() {
    let shared = Shared::new();
    let threads = [1, 2].map(|reason| {
        let shared = shared.clone();
        spawn(move || {
            let won = shared.root.cancel(code(reason));
            let seen = shared.root.cx().reason().unwrap().code();
            assert!(!won || seen == reason);
            (won, seen)
        })
    });
    let [one, two] = threads.map(|thread| thread.join().unwrap());
    assert!(one.0 != two.0);
    assert_eq!(one.1, two.1);
}

/// When a cancel returns true, all below is flagged, whoever did it.
fn overlapping_cancels_flag_everybody() {
    let shared = Shared::new();
    let middle = child(shared.root.cx());
    let leaves = [child(cx(&middle)), child(cx(&middle))];
    let leaf = cx(&leaves[1]);
    let (wakes, waker) = Wakes::new();
    let mut wait = Box::pin(leaf.cancelled());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    let other = {
        let middle = cx(&middle);
        spawn(move || {
            if middle.cancel(code(2)) {
                assert!(leaf.is_cancelled());
            }
        })
    };
    assert!(shared.root.cancel(code(1)));
    assert!(leaf.is_cancelled());
    other.join().unwrap();
    assert_eq!(wakes.count(), 1);
    assert_eq!(ready(poll(wait.as_mut())), leaf.reason().unwrap());
    drop(wait);
    drop(leaves);
    drop(middle);
}

/// Scopes with work for the cancel leave while it runs.
fn scope_leaves_during_cancel() {
    let shared = Shared::new();
    let leaving = child(shared.root.cx());
    let below = child(cx(&leaving));
    let stays = child(shared.root.cx());
    let canceller = shared.cancels();
    drop(below);
    drop(leaving);
    canceller.join().unwrap();
    assert!(cx(&stays).is_cancelled());
    assert_eq!(shared.root.attached(), 1);
    drop(stays);
}

/// A walker is moved on by whoever takes away what it stands at.
fn scopes_leave_under_a_walker() {
    let shared = Shared::new();
    let leaving = child(shared.root.cx());
    let below = child(cx(&leaving));
    let stays = child(shared.root.cx());
    let looking = shared.clone();
    let looker = spawn(move || {
        let (mut seen, mut deepest) = (0, 0);
        let _ = looking.root.tree().visit(|status| {
            seen += 1;
            deepest = deepest.max(status.depth());
            ControlFlow::<()>::Continue(())
        });
        (seen, deepest)
    });
    drop(below);
    drop(leaving);
    let (seen, deepest) = looker.join().unwrap();
    assert!((2..=4).contains(&seen) && (1..=2).contains(&deepest));
    drop(stays);
    assert_eq!(shared.root.attached(), 0);
}

/// Force during a cancel reaches what the cancel passes over.
fn force_overtakes_cancel() {
    let shared = Shared::new();
    let open = child(shared.root.cx());
    let shielded = {
        let scope = Box::pin(lend(&shared.root).cx().shielded());
        scope.as_ref().enter();
        scope
    };
    let canceller = shared.clone();
    let canceller = spawn(move || canceller.root.cancel(code(1)));
    assert!(shared.root.force(code(2)));
    assert!(cx(&open).is_forced() && cx(&shielded).is_forced());
    let won = canceller.join().unwrap();
    let told = shared.root.cx().reason().unwrap().code();
    assert_eq!(told, if won { 1 } else { 2 });
    drop(open);
    drop(shielded);
}

/// s04: the claim is the waiter's, or goes on; never both, never neither.
fn guard_meets_grant_and_cancel() {
    let shared = Shared::new();
    let slot = Arc::new(<Slot>::new());
    let held = lend(&*slot).try_claim().unwrap();
    let mut guarded = Box::pin(lend(&shared.root).cx().guard_wait(lend(&*slot).claim()));
    assert!(poll(guarded.as_mut()).is_pending());
    let releaser = spawn(move || held.release());
    let canceller = shared.cancels();
    let ended = block_on(guarded.as_mut());
    releaser.join().unwrap();
    canceller.join().unwrap();
    match ended {
        Ok(claim) => {
            assert!(slot.is_claimed());
            claim.unwrap().release();
        }
        Err(cancelled) => assert_eq!(cancelled.reason().code(), 1),
    }
    assert!(slot.try_claim().is_ok());
    drop(guarded);
}

/// s10: a deferred cancel is carried out by who tends.
fn deferred_cancel_meets_carrier() {
    let shared = Shared::new();
    let below = child(shared.root.cx());
    let carrier = {
        let (shared, below) = (shared.clone(), cx(&below));
        spawn(move || block_on(shared.root.tend(below.cancelled())).code())
    };
    assert!(shared.root.cx().cancel_deferred(code(3)));
    assert_eq!(carrier.join().unwrap(), 3);
    drop(below);
}

/// The carrier that was told goes: another one does it.
fn told_carrier_leaves() {
    let shared = Shared::new();
    let below = child(shared.root.cx());
    let mut leaving = Box::pin(lend(&shared.root).tend(core::future::pending::<()>()));
    assert!(poll(leaving.as_mut()).is_pending());
    let carrier = {
        let (shared, below) = (shared.clone(), cx(&below));
        spawn(move || block_on(shared.root.tend(below.cancelled())).code())
    };
    let canceller = {
        let shared = shared.clone();
        spawn(move || assert!(shared.root.cx().cancel_deferred(code(3))))
    };
    drop(leaving);
    assert_eq!(carrier.join().unwrap(), 3);
    canceller.join().unwrap();
    drop(below);
}

/// A chain of shared scopes loses its last handles while it is cancelled.
fn shared_scopes_go_during_cancel() {
    let root = SharedScope::<ecluse_core::DefaultLock>::new();
    let middle = root.child();
    let below = middle.child();
    let leaving = spawn(move || drop(below));
    let dropping = spawn(move || drop(middle));
    assert!(root.cancel(code(1)));
    leaving.join().unwrap();
    dropping.join().unwrap();
    assert_eq!(root.attached(), 0);
}
