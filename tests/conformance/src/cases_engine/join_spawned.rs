//! j07 to j10 with scopes: children that are tasks of their own, joined from their scope or from above.
//!
//! All scopes lie in places, as on a chip; where there is a heap, an `Arc` is but another place.

use core::cell::RefCell;
use core::future::{Future, Pending, pending};
use core::pin::pin;

use super::super::subject::ListLock;
use ecluse_core::cancel::{Kind, Member, Reason, Root, ScopeFuture, ScopePlace, SharedScope};
use ecluse_core::runtime::{Spawn, SpawnError, TallyRef, Ticket};
use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::{Droplet, OnDrop, counter};
use crate::kit::{Parked, TestWaker, eventually, poll_once, yield_now};
use crate::{Ended, Interrupt, Runtime, Task, Verdict};

cases! { engine join_spawned:
    j07_join_waits_for_the_destructors_of_all_children,
    j07_join_waits_for_children_of_scopes_below,
    j07_cancel_tells_some_children_and_ends_others,
    j07_force_ends_children_where_nobody_can_abort,
    j07_run_is_over_when_its_children_are,
    j07_children_that_panic_are_counted_out needs UNWIND,
    j07_children_that_are_aborted_are_counted_out needs ABORT,
    j08_dropped_scope_leaves_its_children_to_the_one_above,
    j08_dropped_scope_whose_time_is_over,
    j08_dropped_scope_of_an_aborted_task needs ABORT,
    j08_dropped_scope_of_a_dropped_task needs TASK_DROP,
    j08_dropped_scope_of_a_cancelled_task needs CANCEL_AWAIT,
    j08_dropped_scope_of_a_runtime_that_ended needs SHUTDOWN,
    j08_no_child_is_alive_when_the_ancestor_resolves,
    j08_children_that_nobody_waits_for_are_orphans,
    j09_scope_that_takes_no_more_gives_the_child_back,
    j09_children_dropped_unrun_are_counted_out,
    j09_children_of_a_runtime_that_ended_are_counted_out needs SHUTDOWN,
    j09_child_that_the_executor_gives_back_is_not_counted,
    j10_forgotten_run_leaves_its_tree_whole,
}

type Scope = SharedScope<ListLock>;
type StaticRoot = &'static Root<ListLock>;
type StaticPlace = &'static ScopePlace<ListLock>;

const CHILDREN: usize = 4;

/// The runtime under test, as what spawns children.
struct On<R>(R);

impl<R: Runtime, F, A> Spawn<F, A> for On<R>
where
    A: TallyRef,
    Ticket<F, A>: Future<Output = ()> + Send + 'static,
{
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, A>) -> Result<(), SpawnError<F>> {
        drop(self.0.spawn(ticket));
        Ok(())
    }
}

/// Keeps a child's ticket, for the case to do with it what executors do.
struct Caught<F>(RefCell<Option<Ticket<F, Member<ListLock>>>>);

impl<F> Caught<F> {
    const fn new() -> Self {
        Self(RefCell::new(None))
    }

    fn ticket(&self) -> Ticket<F, Member<ListLock>> {
        self.0.borrow_mut().take().expect("it was spawned")
    }
}

impl<F> Spawn<F, Member<ListLock>> for Caught<F> {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, Member<ListLock>>) -> Result<(), SpawnError<F>> {
        *self.0.borrow_mut() = Some(ticket);
        Ok(())
    }
}

/// An executor that has no place, or has shut down.
struct Refuses;

impl<F> Spawn<F, Member<ListLock>> for Refuses {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, Member<ListLock>>) -> Result<(), SpawnError<F>> {
        Err(SpawnError::Busy(
            ticket.into_inner().expect("it has not ended"),
        ))
    }
}

fn place<R: Runtime>(rt: R) -> StaticPlace {
    rt.put(ScopePlace::new())
}

fn root<R: Runtime>(rt: R) -> StaticRoot {
    rt.put(Root::new())
}

fn top<R: Runtime>(rt: R) -> Scope {
    root(rt).child_in(place(rt)).expect("it is free")
}

fn below<R: Runtime>(rt: R, scope: &Scope) -> Scope {
    scope.child_in(place(rt)).expect("it is free")
}

fn kind(scope: &Scope) -> Option<Kind> {
    scope.cx().reason().map(Reason::kind)
}

/// Waits in vain for anything but its scope's cancel. (It counts from its making on: where a runtime
/// ends it may be dropped before it was polled.)
fn listens(scope: Scope, drops: &'static AtomicUsize) -> impl Future<Output = ()> + Send {
    let droplet = Droplet(drops);
    async move {
        let _droplet = droplet;
        scope.cx().cancelled().await;
    }
}

fn spawn_listeners<R: Runtime>(rt: R, scope: &Scope, drops: &'static AtomicUsize) {
    for _ in 0..CHILDREN {
        let spawned = scope.spawn(&On(rt), |scope| listens(scope, drops));
        assert!(spawned.is_ok());
    }
}

async fn j07_join_waits_for_the_destructors_of_all_children<R: Runtime>(rt: R) -> Verdict {
    let (scope, drops) = (top(rt), counter(rt));
    for child in 0..CHILDREN {
        let spawned = scope.spawn(&On(rt), |scope| async move {
            let _droplet = Droplet(drops);
            let last = scope.clone();
            // The count still has us while the destructors of our locals run.
            let _last = OnDrop(move || assert!(last.live() > 0));
            for _ in 0..child {
                yield_now().await;
            }
        });
        assert!(spawned.is_ok());
    }
    scope.joined().await;
    assert_eq!(drops.load(Ordering::SeqCst), CHILDREN);
    assert_eq!((scope.live(), scope.lost()), (0, 0));
    // Empty: nothing to wait for.
    scope.joined().await;
    assert!(!scope.is_cancelled());
    Verdict::Pass
}

async fn j07_join_waits_for_children_of_scopes_below<R: Runtime>(rt: R) -> Verdict {
    let (scope, drops) = (top(rt), counter(rt));
    let middle = below(rt, &scope);
    let inner = below(rt, &middle);
    spawn_listeners(rt, &inner, drops);
    assert_eq!(
        (inner.live(), middle.live(), scope.live()),
        (CHILDREN, 1, 1)
    );
    let joiners = [&scope, &middle, &inner].map(|scope| rt.spawn(scope.joined()));
    let waker = rt.put(TestWaker::new());
    let mut joined = pin!(scope.joined());
    assert!(poll_once(joined.as_mut(), &waker.waker()).is_pending());
    inner.cancel(Kind::Explicit);
    for joiner in joiners {
        assert_eq!(joiner.join().await, Ended::Finished);
    }
    assert_eq!(drops.load(Ordering::SeqCst), CHILDREN);
    eventually(rt, "all joiners are told", || waker.wakes() == 1).await;
    assert!(poll_once(joined.as_mut(), &waker.waker()).is_ready());
    assert_eq!((middle.live(), scope.live()), (0, 0));
    Verdict::Pass
}

async fn j07_cancel_tells_some_children_and_ends_others<R: Runtime>(rt: R) -> Verdict {
    let (scope, told, drops) = (top(rt), counter(rt), counter(rt));
    for _ in 0..CHILDREN {
        let cooperative = scope.spawn(&On(rt), |scope| async move {
            let reason = scope.cx().cancelled().await;
            assert_eq!((reason.kind(), reason.code()), (Kind::Shutdown, 7));
            // Its clean-up takes as long as it takes.
            yield_now().await;
            told.fetch_add(1, Ordering::SeqCst);
        });
        let droplet = Droplet(drops);
        let guarded = scope.spawn_guarded(&On(rt), async move {
            let _droplet = droplet;
            pending::<()>().await;
        });
        assert!(cooperative.is_ok() && guarded.is_ok());
    }
    scope.cancel(Reason::new(Kind::Shutdown).with_code(7));
    scope.joined().await;
    assert_eq!(told.load(Ordering::SeqCst), CHILDREN);
    assert_eq!(drops.load(Ordering::SeqCst), CHILDREN);
    assert_eq!(scope.lost(), CHILDREN, "those that were dropped");
    Verdict::Pass
}

async fn j07_force_ends_children_where_nobody_can_abort<R: Runtime>(rt: R) -> Verdict {
    let (scope, started, drops) = (top(rt), counter(rt), counter(rt));
    let shielded = scope.shielded_in(place(rt)).expect("it is free");
    for scope in [&scope, &shielded] {
        let spawned = scope.spawn(&On(rt), |_| async move {
            let _droplet = Droplet(drops);
            started.fetch_add(1, Ordering::SeqCst);
            pending::<()>().await;
        });
        assert!(spawned.is_ok());
    }
    let both = || started.load(Ordering::SeqCst) == 2;
    eventually(rt, "both have started", both).await;
    scope.cancel(Kind::Explicit);
    for _ in 0..4 {
        yield_now().await;
    }
    assert_eq!(drops.load(Ordering::SeqCst), 0, "they do not listen");
    scope.force(Kind::Limit);
    scope.joined().await;
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    assert_eq!((scope.lost(), shielded.lost()), (1, 1));
    Verdict::Pass
}

async fn j07_run_is_over_when_its_children_are<R: Runtime>(rt: R) -> Verdict {
    let (scope, drops) = (top(rt), counter(rt));
    let value = scope.clone().run(async move |scope: Scope| {
        for child in 0..CHILDREN {
            let spawned = scope.spawn(&On(rt), move |scope| async move {
                let _droplet = Droplet(drops);
                for _ in 0..child {
                    yield_now().await;
                }
                // A child may spawn its like.
                let last = scope.spawn(&On(rt), |_| async move {
                    yield_now().await;
                    drops.fetch_add(1, Ordering::SeqCst);
                });
                assert!(last.is_ok());
            });
            assert!(spawned.is_ok());
        }
        7
    });
    assert_eq!(value.await, 7);
    assert_eq!(drops.load(Ordering::SeqCst), 2 * CHILDREN);
    assert!(scope.is_closed() && !scope.is_cancelled());
    assert_eq!((scope.live(), scope.orphans()), (0, 0));
    Verdict::Pass
}

async fn j07_children_that_panic_are_counted_out<R: Runtime>(rt: R) -> Verdict {
    let (scope, drops) = (top(rt), counter(rt));
    let caught = Caught::new();
    let spawned = scope.spawn(&caught, |_| async move {
        let _droplet = Droplet(drops);
        yield_now().await;
        panic!("on purpose");
    });
    assert!(spawned.is_ok());
    let child = rt.spawn(caught.ticket());
    scope.joined().await;
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_eq!(child.join().await, Ended::Panicked);
    assert_eq!((scope.live(), scope.lost()), (0, 1));
    Verdict::Pass
}

async fn j07_children_that_are_aborted_are_counted_out<R: Runtime>(rt: R) -> Verdict {
    let (scope, drops) = (top(rt), counter(rt));
    let (caught, droplet) = (Caught::new(), Droplet(drops));
    let spawned = scope.spawn(&caught, |_| async move {
        let _droplet = droplet;
        pending::<()>().await;
    });
    assert!(spawned.is_ok());
    let child = rt.spawn(caught.ticket());
    let joiner = rt.spawn(scope.joined());
    assert_eq!(child.abort().await, Ended::Aborted);
    assert_eq!(joiner.join().await, Ended::Finished);
    assert_eq!((drops.load(Ordering::SeqCst), scope.lost()), (1, 1));
    Verdict::Pass
}

/// A run that spawns and is then ended by `how`: who waits above does so for its children.
async fn dropped<R: Runtime>(rt: R, how: Interrupt) -> Verdict {
    let (server, drops) = (top(rt), counter(rt));
    let request = below(rt, &server);
    let run = request.clone().run(async move |scope: Scope| {
        spawn_listeners(rt, &scope, drops);
        pending::<()>().await;
    });
    let gate = rt.put(TestWaker::new());
    let mut above = pin!(server.clone().run(async |_| yield_now().await));
    rt.interrupted(how, run).await;
    assert_eq!(kind(&request), Some(Kind::Dropped));
    // Told, and not yet over, or over: the server's run knows.
    if poll_once(above.as_mut(), &gate.waker()).is_pending() {
        above.await;
    }
    assert_eq!(drops.load(Ordering::SeqCst), CHILDREN);
    assert_eq!((request.live(), server.live(), server.orphans()), (0, 0, 0));
    Verdict::Pass
}

async fn j08_dropped_scope_leaves_its_children_to_the_one_above<R: Runtime>(rt: R) -> Verdict {
    dropped(rt, Interrupt::SelectLoser).await
}

async fn j08_dropped_scope_whose_time_is_over<R: Runtime>(rt: R) -> Verdict {
    dropped(rt, Interrupt::Timeout).await
}

async fn j08_dropped_scope_of_an_aborted_task<R: Runtime>(rt: R) -> Verdict {
    dropped(rt, Interrupt::Abort).await
}

async fn j08_dropped_scope_of_a_dropped_task<R: Runtime>(rt: R) -> Verdict {
    dropped(rt, Interrupt::TaskDrop).await
}

async fn j08_dropped_scope_of_a_cancelled_task<R: Runtime>(rt: R) -> Verdict {
    dropped(rt, Interrupt::CancelAwait).await
}

async fn j08_dropped_scope_of_a_runtime_that_ended<R: Runtime>(rt: R) -> Verdict {
    dropped(rt, Interrupt::RuntimeShutdown).await
}

/// The runs are dropped at every stage of their children's lives.
async fn j08_no_child_is_alive_when_the_ancestor_resolves<R: Runtime>(rt: R) -> Verdict {
    let (root, alive, waker) = (root(rt), counter(rt), rt.put(TestWaker::new()));
    let places = [(); 3].map(|()| place(rt));
    for round in 0..rt.count(200) {
        let free = || !places.iter().any(|place| place.is_taken());
        eventually(rt, "the places are free again", free).await;
        let server = root.child_in(places[0]).expect("it is free");
        let request = server.child_in(places[1]).expect("it is free");
        let part = request.child_in(places[2]).expect("it is free");
        let mut run = pin!(Some(request.run(async move |scope: Scope| {
            for (child, scope) in [&scope, &part, &scope].into_iter().enumerate() {
                alive.fetch_add(1, Ordering::SeqCst);
                let ends = OnDrop(move || {
                    alive.fetch_sub(1, Ordering::SeqCst);
                });
                let spawned = scope.spawn(&On(rt), move |scope| async move {
                    let _ends = ends;
                    if child == 0 {
                        scope.cx().cancelled().await;
                    }
                    for _ in 0..(round + child) % 4 {
                        yield_now().await;
                    }
                });
                assert!(spawned.is_ok());
            }
            pending::<()>().await;
        })));
        let body = run.as_mut().as_pin_mut().expect("it is there");
        assert!(poll_once(body, &waker.waker()).is_pending());
        for _ in 0..round % 5 {
            yield_now().await;
        }
        run.set(None);
        server.joined().await;
        assert_eq!(alive.load(Ordering::SeqCst), 0, "{round}");
        assert_eq!((server.live(), server.orphans()), (0, 0));
    }
    Verdict::Pass
}

async fn j08_children_that_nobody_waits_for_are_orphans<R: Runtime>(rt: R) -> Verdict {
    let (root, drops) = (root(rt), counter(rt));
    let outer = root.child_in(place(rt)).expect("it is free");
    let inner = below(rt, &outer);
    let mut runs = [&outer, &inner].map(|scope| {
        Some(scope.clone().run(async move |scope: Scope| {
            let (_droplet, cx) = (Droplet(drops), scope.cx());
            cx.cancelled().await;
        }))
    });
    let caught = [const { Caught::new() }; 3];
    for (child, caught) in caught.iter().enumerate() {
        let scope = if child == 0 { &outer } else { &inner };
        assert!(scope.spawn(caught, |_| async {}).is_ok());
    }
    assert_eq!(root.orphans(), 0);
    runs[1] = None;
    assert_eq!(root.orphans(), 0, "the outer run waits for them");
    runs[0] = None;
    assert_eq!(root.orphans(), 2, "its own child, and the scope below");
    let [own, one, other] = caught.map(|caught| caught.ticket());
    drop(own);
    assert_eq!(root.orphans(), 1);
    let children = [one, other].map(|ticket| rt.spawn(ticket));
    // Whoever joins a scope above waits for them.
    outer.joined().await;
    assert_eq!((root.orphans(), outer.live()), (0, 0));
    for child in children {
        assert_eq!(child.join().await, Ended::Finished);
    }
    Verdict::Pass
}

async fn j09_scope_that_takes_no_more_gives_the_child_back<R: Runtime>(rt: R) -> Verdict {
    let (scope, ran) = (top(rt), counter(rt));
    let [closed, over] = [below(rt, &scope), below(rt, &scope)];
    let beneath = below(rt, &below(rt, &over));
    closed.close();
    over.clone().run(async |_| ()).await;
    let cancelled = below(rt, &scope);
    cancelled.cancel(Kind::Explicit);
    for scope in [closed, over, beneath, cancelled] {
        let child = scope.spawn(&On(rt), |_| async move {
            ran.fetch_add(1, Ordering::SeqCst);
        });
        let Err(SpawnError::Refused(child)) = child else {
            panic!("it was spawned all the same");
        };
        assert_eq!((scope.live(), scope.lost()), (0, 0));
        assert_eq!(rt.spawn(child).join().await, Ended::Finished);
    }
    assert_eq!(ran.load(Ordering::SeqCst), 4, "each came back whole");
    assert_eq!(scope.live(), 0);
    scope.joined().await;
    Verdict::Pass
}

async fn j09_children_dropped_unrun_are_counted_out<R: Runtime>(rt: R) -> Verdict {
    let (scope, drops) = (top(rt), counter(rt));
    let inner = below(rt, &scope);
    let (caught, droplet) = (Caught::new(), Droplet(drops));
    let spawned = inner.spawn(&caught, |_| async move { drop(droplet) });
    assert!(spawned.is_ok());
    let joiner = rt.spawn(scope.joined());
    assert_eq!((inner.live(), scope.live()), (1, 1));
    // What an executor does that is shut down, or swallows the task.
    drop(caught.ticket());
    assert_eq!(joiner.join().await, Ended::Finished);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_eq!((inner.live(), inner.lost(), scope.live()), (0, 1, 0));
    Verdict::Pass
}

async fn j09_children_of_a_runtime_that_ended_are_counted_out<R: Runtime>(rt: R) -> Verdict {
    let (scope, drops) = (top(rt), counter(rt));
    let (caught, droplet) = (Caught::new(), Droplet(drops));
    let spawned = scope.spawn(&caught, |_| async move {
        let _droplet = droplet;
        pending::<()>().await;
    });
    assert!(spawned.is_ok());
    let joiner = rt.spawn(scope.joined());
    rt.interrupted(Interrupt::RuntimeShutdown, caught.ticket())
        .await;
    assert_eq!(joiner.join().await, Ended::Finished);
    assert_eq!((drops.load(Ordering::SeqCst), scope.lost()), (1, 1));
    Verdict::Pass
}

async fn j09_child_that_the_executor_gives_back_is_not_counted<R: Runtime>(rt: R) -> Verdict {
    let (scope, ran) = (top(rt), counter(rt));
    let spawned = scope.spawn(&Refuses, |scope| async move {
        assert_eq!(scope.live(), 0);
        ran.fetch_add(1, Ordering::SeqCst);
    });
    let Err(SpawnError::Busy(child)) = spawned else {
        panic!("there was no place");
    };
    assert_eq!((scope.live(), scope.lost()), (0, 0));
    scope.joined().await;
    assert_eq!(rt.spawn(child).join().await, Ended::Finished);
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    Verdict::Pass
}

async fn j10_forgotten_run_leaves_its_tree_whole<R: Runtime>(rt: R) -> Verdict {
    let (server, drops) = (top(rt), counter(rt));
    let place = place(rt);
    let request = server.child_in(place).expect("it is free");
    spawn_listeners(rt, &request, drops);
    // Where it lies for ever: as one whose box is forgotten.
    let run: &'static Parked<ScopeFuture<Pending<()>, ListLock>> = rt.put(Parked::new());
    run.park(request.run(|_| pending::<()>()));
    let waker = rt.put(TestWaker::new());
    run.pending(&waker.waker());
    server.cancel(Kind::Shutdown);
    server.joined().await;
    assert_eq!(drops.load(Ordering::SeqCst), CHILDREN);
    assert!(place.is_taken(), "for ever");
    assert_eq!((server.live(), server.orphans()), (0, 0));
    Verdict::Pass
}
