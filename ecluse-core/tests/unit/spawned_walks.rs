//! Spawned children of scopes, step by step: counted, refused, forced, joined from above.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending, poll_fn, ready},
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
};

use ecluse_core::{
    Root, SharedScope,
    cancel::{Kind, PlaceTaken, ScopePlace},
    runtime::{Spawn, SpawnError, TallyRef, Ticket},
};
use futures_core::FusedFuture;

use crate::kit::{Wakes, poll, poll_with};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// An executor whose tasks are polled by hand.
#[derive(Clone, Default)]
pub(crate) struct Bench {
    tasks: Rc<RefCell<Vec<Task>>>,
    pub(crate) refusal: Rc<Cell<Refusal>>,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Refusal {
    #[default]
    None,
    Busy,
    Closed,
}

impl Bench {
    /// Polls the first task once; gone, if it has ended.
    pub(crate) fn turn(&self) -> Poll<()> {
        let mut task = self.tasks.borrow_mut().remove(0);
        let polled = poll(task.as_mut());
        if polled.is_pending() {
            self.tasks.borrow_mut().push(task);
        }
        polled
    }

    /// Polls all of them once.
    pub(crate) fn round(&self) {
        for _ in 0..self.len() {
            let _ = self.turn();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.borrow().len()
    }

    /// What a runtime does that is shut down.
    pub(crate) fn shut_down(&self) {
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        drop(tasks);
    }
}

impl<F: Future<Output = ()> + 'static, R: TallyRef + 'static> Spawn<F, R> for Bench {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<(), SpawnError<F>> {
        match self.refusal.get() {
            Refusal::None => self.tasks.borrow_mut().push(Box::pin(ticket)),
            Refusal::Busy => return Err(SpawnError::Busy(ticket.into_inner().unwrap())),
            Refusal::Closed => {
                drop(ticket);
                return Err(SpawnError::Closed(None));
            }
        }
        Ok(())
    }
}

pub(crate) fn place() -> &'static ScopePlace {
    Box::leak(Box::new(ScopePlace::new()))
}

pub(crate) fn root() -> &'static Root {
    Box::leak(Box::new(Root::new()))
}

/// A shared scope at the top of a tree.
pub(crate) fn top() -> SharedScope {
    root().child_in(place()).unwrap()
}

pub(crate) fn below(scope: &SharedScope) -> SharedScope {
    scope.child_in(place()).unwrap()
}

/// Says when it goes.
pub(crate) struct Gone(pub(crate) Rc<Cell<usize>>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_child_is_counted_from_its_spawning_to_its_end() {
    let (scope, bench) = (top(), Bench::default());
    assert!(poll(pin!(scope.joined())).is_ready(), "nobody is there");
    let gone = Rc::new(Cell::new(0));
    let child = Gone(gone.clone());
    let seen = gone.clone();
    scope
        .spawn(&bench, |scope| async move {
            let _child = child;
            assert_eq!((scope.live(), seen.get()), (1, 0));
            scope.cx().cancelled().await;
        })
        .unwrap();
    assert_eq!((scope.live(), scope.lost()), (1, 0));
    let (mut joined, (wakes, waker)) = (pin!(scope.joined()), Wakes::new());
    assert!(poll_with(joined.as_mut(), &waker).is_pending());
    assert!(bench.turn().is_pending());
    assert!(scope.cancel(Kind::Explicit));
    assert_eq!((scope.live(), gone.get(), wakes.count()), (1, 0, 0));
    assert!(bench.turn().is_ready());
    assert_eq!((scope.live(), gone.get(), wakes.count()), (0, 1, 1));
    assert!(poll(joined.as_mut()).is_ready() && joined.is_terminated());
    assert_eq!(scope.lost(), 0, "it ended by itself");
}

#[test]
fn whoever_joins_joins_all_that_is_below() {
    let (scope, bench) = (top(), Bench::default());
    let inner = below(&below(&scope));
    let (mut joined, (wakes, waker)) = (pin!(scope.joined()), Wakes::new());
    inner.spawn(&bench, |_| ready(())).unwrap();
    inner.spawn(&bench, |_| ready(())).unwrap();
    assert_eq!((inner.live(), scope.live()), (2, 1));
    assert!(poll_with(joined.as_mut(), &waker).is_pending());
    // The handles may go: the children keep their scopes.
    drop(inner);
    assert_eq!(scope.attached(), 3);
    assert!(bench.turn().is_ready());
    assert_eq!((scope.live(), wakes.count()), (1, 0));
    assert!(bench.turn().is_ready());
    assert_eq!((scope.live(), wakes.count()), (0, 1));
    assert!(poll(joined.as_mut()).is_ready());
    assert_eq!(scope.attached(), 1);
}

#[test]
fn counts_rise_and_fall_along_a_chain() {
    let (scope, bench) = (top(), Bench::default());
    let chain: Vec<_> = std::iter::successors(Some(scope.clone()), |above| Some(below(above)))
        .take(40)
        .collect();
    let lives = || chain.iter().map(SharedScope::live).collect::<Vec<_>>();
    for round in 0..3 {
        for spawner in [39, 20, 7, 0] {
            chain[spawner].spawn(&bench, |_| ready(())).unwrap();
        }
        let mut expected = vec![1; 40];
        for with_own in [20, 7, 0] {
            expected[with_own] = 2;
        }
        assert_eq!(lives(), expected, "{round}");
        let order = if round == 1 { 3 } else { 0 };
        for _ in 0..order {
            let task = bench.tasks.borrow_mut().pop().unwrap();
            bench.tasks.borrow_mut().insert(0, task);
        }
        bench.round();
        assert_eq!(lives(), vec![0; 40], "{round}");
    }
}

#[test]
fn j09_a_scope_that_is_cancelled_gives_the_future_back() {
    let (scope, bench) = (top(), Bench::default());
    let inner = below(&scope);
    scope.cancel(Kind::Shutdown);
    for scope in [&scope, &inner] {
        let refused = scope.spawn(&bench, |_| ready(())).unwrap_err();
        assert!(matches!(&refused, SpawnError::Refused(_)));
        assert!(poll(pin!(refused.into_future().unwrap())).is_ready());
        assert!(scope.spawn_guarded(&bench, ready(())).is_err());
        assert_eq!((scope.live(), scope.lost(), bench.len()), (0, 0, 0));
    }
    // A shielded one is not cancelled.
    let shielded = scope.shielded_in(place()).unwrap();
    shielded.spawn(&bench, |_| ready(())).unwrap();
    assert_eq!(scope.live(), 1);
    bench.round();
}

#[test]
fn j09_a_scope_that_is_closed_gives_the_future_back() {
    let (scope, bench) = (top(), Bench::default());
    let [busy, idle] = [below(&scope), below(&below(&scope))];
    busy.spawn(&bench, |_| ready(())).unwrap();
    assert!(!scope.is_closed());
    scope.close();
    assert!(scope.is_closed() && !scope.is_cancelled());
    let refused = scope.spawn(&bench, |_| ready(())).unwrap_err();
    assert_eq!(format!("{refused:?}"), "Refused(..)");
    assert_eq!(refused.to_string(), "the scope takes no more children");
    // One below that has none would be one more; one that has some is counted already.
    assert!(idle.spawn(&bench, |_| ready(())).is_err());
    assert_eq!((idle.live(), scope.live()), (0, 1));
    busy.spawn(&bench, |_| ready(())).unwrap();
    bench.round();
    assert_eq!((busy.live(), scope.live()), (0, 0));
    assert!(busy.spawn(&bench, |_| ready(())).is_err());
    assert_eq!((busy.live(), busy.lost()), (0, 0), "it is not counted");
}

/// One that has turned back would count for ever as one on its way, and there are 65,535 at most.
#[test]
fn j09_a_closed_scope_may_refuse_any_number() {
    let (scope, bench) = (top(), Bench::default());
    let inner = below(&scope);
    scope.close();
    for _ in 0..if cfg!(miri) { 10 } else { 1 << 16 } {
        assert!(inner.spawn(&bench, |_| ready(())).is_err());
    }
    assert_eq!((inner.live(), inner.lost()), (0, 0));
}

#[test]
fn j09_what_the_executor_refuses_is_not_counted() {
    let (scope, bench) = (top(), Bench::default());
    bench.refusal.set(Refusal::Busy);
    let Err(SpawnError::Busy(_)) = scope.spawn(&bench, |_| ready(())) else {
        panic!("given back");
    };
    assert_eq!((scope.live(), scope.lost()), (0, 0));
    bench.refusal.set(Refusal::Closed);
    let gone = Rc::new(Cell::new(0));
    let child = Gone(gone.clone());
    let refused = scope.spawn(&bench, |_| async move { drop(child) });
    assert!(matches!(refused, Err(SpawnError::Closed(None))));
    assert_eq!((scope.live(), scope.lost(), gone.get()), (0, 1, 1));
}

#[test]
fn j09_children_that_are_dropped_unrun_are_counted_out() {
    let (scope, bench) = (top(), Bench::default());
    let inner = below(&scope);
    for scope in [&scope, &inner, &inner] {
        scope.spawn(&bench, |_| pending()).unwrap();
    }
    let (mut joined, (wakes, waker)) = (pin!(scope.joined()), Wakes::new());
    assert!(poll_with(joined.as_mut(), &waker).is_pending());
    bench.shut_down();
    assert_eq!(
        (scope.live(), scope.lost(), inner.lost(), wakes.count()),
        (0, 1, 2, 1)
    );
    assert!(poll(joined.as_mut()).is_ready());
}

#[test]
fn force_drops_what_does_not_listen() {
    let (scope, bench) = (top(), Bench::default());
    let gone = Rc::new(Cell::new(0));
    let (polled, deaf) = (Gone(gone.clone()), Gone(gone.clone()));
    for deaf in [polled, deaf] {
        scope
            .spawn(&bench, |_| async move {
                let _deaf = deaf;
                pending().await
            })
            .unwrap();
    }
    assert!(bench.turn().is_pending(), "one of them waits for force");
    assert!(scope.cancel(Kind::Explicit));
    bench.round();
    assert_eq!((scope.live(), gone.get()), (2, 0), "told, not ended");
    assert!(scope.force(Kind::Limit));
    bench.round();
    assert_eq!((scope.live(), scope.lost(), gone.get()), (0, 2, 2));
}

#[test]
fn a_guarded_child_ends_with_a_cancel() {
    let (scope, bench) = (top(), Bench::default());
    let gone = Rc::new(Cell::new(0));
    let child = Gone(gone.clone());
    scope
        .spawn_guarded(&bench, async move {
            let _child = child;
            pending().await
        })
        .unwrap();
    // This one was never polled when the cancel comes.
    let late = Gone(gone.clone());
    let late = async move {
        let _late = late;
        unreachable!("it is never polled");
    };
    assert!(bench.turn().is_pending());
    scope.spawn_guarded(&bench, late).unwrap();
    assert!(scope.cancel(Kind::Explicit));
    bench.round();
    assert_eq!((scope.live(), scope.lost(), gone.get()), (0, 2, 2));
}

#[test]
fn a_shield_keeps_a_guarded_child_and_force_does_not_stop_at_it() {
    let (scope, bench) = (top(), Bench::default());
    let shielded = scope.shielded_in(place()).unwrap();
    shielded.spawn_guarded(&bench, pending()).unwrap();
    bench.round();
    scope.cancel(Kind::Explicit);
    bench.round();
    assert_eq!((shielded.live(), scope.live()), (1, 1));
    scope.force(Kind::Limit);
    bench.round();
    assert_eq!((shielded.live(), scope.live()), (0, 0));
}

#[test]
fn a_child_may_spawn_its_like() {
    let (scope, bench) = (top(), Bench::default());
    let (theirs, again) = (bench.clone(), bench.clone());
    scope
        .spawn(&bench, |scope| async move {
            scope
                .spawn(&theirs, |scope| async move {
                    scope.spawn(&again, |_| ready(())).unwrap();
                })
                .unwrap();
        })
        .unwrap();
    let mut joined = pin!(scope.joined());
    for _ in 0..3 {
        assert!(poll(joined.as_mut()).is_pending());
        assert_eq!(scope.live(), 1);
        assert!(bench.turn().is_ready());
    }
    assert!(poll(joined).is_ready());
}

#[test]
fn a_place_is_given_back_with_the_last_handle() {
    let (root, bench) = (root(), Bench::default());
    let (outer, inner) = (place(), place());
    for round in 0..3 {
        let scope = root.child_in(outer).unwrap();
        assert_eq!(root.child_in(outer).unwrap_err(), PlaceTaken);
        let child = scope.child_in(inner).unwrap();
        assert!(scope.child_in(inner).is_err(), "{round}");
        child.spawn(&bench, |_| ready(())).unwrap();
        let again = child.clone();
        drop((scope, child));
        assert!(outer.is_taken() && inner.is_taken());
        drop(again);
        assert!(inner.is_taken(), "its ticket keeps it");
        assert_eq!(root.attached(), 2);
        bench.round();
        assert!(!outer.is_taken() && !inner.is_taken(), "{round}");
        assert_eq!(root.attached(), 0);
    }
    root.cancel(Kind::Shutdown);
    assert!(root.child_in(outer).unwrap().is_cancelled());
    assert_eq!(
        PlaceTaken.to_string(),
        "the place is taken by another scope"
    );
}

#[test]
fn a_long_chain_of_places_goes_without_recursion() {
    let work = || {
        let length = if cfg!(miri) { 200 } else { 100_000 };
        let root = root();
        let mut leaf = root.child_in(place()).unwrap();
        for _ in 0..length {
            leaf = leaf.child_in(place()).unwrap();
        }
        let bench = Bench::default();
        leaf.spawn(&bench, |_| ready(())).unwrap();
        assert_eq!(root.attached(), length + 1);
        bench.round();
        assert_eq!(leaf.live(), 0);
        drop(leaf);
        assert_eq!(root.attached(), 0);
    };
    let small = std::thread::Builder::new().stack_size(64 << 10);
    small.spawn(work).unwrap().join().unwrap();
}

#[test]
fn joiners_of_several_levels_are_told_by_one_end() {
    let (scope, bench) = (top(), Bench::default());
    let (middle, leaf) = {
        let middle = below(&scope);
        let leaf = below(&middle);
        (middle, leaf)
    };
    leaf.spawn(&bench, |_| ready(())).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut waits: Vec<_> = [&leaf, &middle, &scope]
        .into_iter()
        .flat_map(|scope| [(); 3].map(|()| Box::pin(scope.joined())))
        .collect();
    for wait in &mut waits {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    bench.round();
    assert_eq!(wakes.count(), waits.len());
    assert!(waits.iter_mut().all(|wait| poll(wait.as_mut()).is_ready()));
}

/// A future that is ready and a cancel at once: it was polled first, so it has ended.
#[test]
fn an_end_that_meets_a_cancel_is_counted_once() {
    let (scope, bench) = (top(), Bench::default());
    let own = scope.clone();
    scope
        .spawn(&bench, |_| {
            poll_fn(move |_| {
                own.force(Kind::Explicit);
                Poll::Ready(())
            })
        })
        .unwrap();
    assert!(bench.turn().is_ready());
    assert_eq!((scope.live(), scope.lost()), (0, 0));
}

#[test]
fn what_spawns_on_its_own_is_counted_by_a_member() {
    let (scope, bench) = (top(), Bench::default());
    let member = scope.member();
    assert_eq!(format!("{member:?}"), "Member { guarded: false, .. }");
    assert_eq!(member.scope().live(), 0);
    let spawned = member.guarded().scope().spawn_guarded(&bench, pending());
    spawned.unwrap();
    assert_eq!(scope.live(), 1);
    scope.cancel(Kind::Explicit);
    bench.round();
    assert_eq!((scope.live(), scope.lost()), (0, 1));
}
