//! A body with a scope that spawns: over when all have ended; dropped, panicking, nested.

use std::{
    cell::Cell,
    future::{Future, pending, poll_fn, ready},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use ecluse_core::{
    SharedScope,
    cancel::{Kind, Reason},
};
use futures_core::FusedFuture;

#[cfg(feature = "std")]
use crate::kit::panic_of;
use crate::{
    kit::{Wakes, poll, poll_with, ready as value_of},
    spawned_walks::{Bench, Gone, below, root, top},
};

fn kind(scope: &SharedScope) -> Option<Kind> {
    scope.cx().reason().map(Reason::kind)
}

/// A child that ends when it is told.
async fn listens(scope: SharedScope) {
    scope.cx().cancelled().await;
}

#[test]
fn a_run_is_over_when_body_and_children_have_ended() {
    let (scope, bench) = (top(), Bench::default());
    let theirs = bench.clone();
    let mut run = pin!(scope.clone().run(async move |scope: SharedScope| {
        scope.spawn(&theirs, listens).unwrap();
        scope.spawn(&theirs, |_| ready(())).unwrap();
        7
    }));
    assert_eq!(bench.len(), 0, "nothing runs before the first poll");
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(run.as_mut(), &waker).is_pending());
    assert_eq!((scope.live(), scope.is_closed()), (2, false));
    bench.round();
    assert_eq!(scope.live(), 1);
    // While children are left there may be more.
    scope.spawn(&bench, |_| ready(())).unwrap();
    bench.round();
    assert_eq!((scope.live(), wakes.count()), (1, 0));
    assert!(!run.is_terminated());
    scope.cancel(Kind::Explicit);
    bench.round();
    assert_eq!(
        (scope.live(), wakes.count(), scope.is_closed()),
        (0, 1, true)
    );
    assert_eq!(value_of(poll(run.as_mut())), 7);
    assert!(run.is_terminated());
    assert_eq!((scope.lost(), scope.orphans()), (0, 0));
}

#[test]
fn a_run_without_children_is_over_with_its_body_and_closes() {
    let (scope, bench) = (top(), Bench::default());
    let inner = below(&scope);
    let mut run = pin!(scope.clone().run(|_| ready(1)));
    assert_eq!(value_of(poll(run.as_mut())), 1);
    assert!(scope.is_closed() && !scope.is_cancelled());
    assert!(scope.spawn(&bench, |_| ready(())).is_err());
    assert!(inner.spawn(&bench, |_| ready(())).is_err(), "nor below it");
    assert_eq!((inner.live(), scope.live(), bench.len()), (0, 0, 0));
}

#[test]
fn j08_a_dropped_run_cancels_its_children_and_those_above_wait_for_them() {
    let (server, bench) = (top(), Bench::default());
    let gone = Rc::new(Cell::new(0));
    let mut above = pin!(server.clone().run(|_| ready(())));
    let request = below(&server);
    let (theirs, body, child) = (bench.clone(), Gone(gone.clone()), Gone(gone.clone()));
    let mut run = Box::pin(request.clone().run(async move |scope: SharedScope| {
        let _body = body;
        scope
            .spawn(&theirs, |scope| async move {
                let _child = child;
                listens(scope).await;
            })
            .unwrap();
        pending::<()>().await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    bench.round();
    assert!(poll(above.as_mut()).is_pending(), "it counts the request's");
    drop(run);
    assert_eq!(gone.get(), 1, "the body is dropped");
    assert_eq!(kind(&request), Some(Kind::Dropped));
    assert_eq!((request.live(), server.live()), (1, 1));
    assert_eq!(server.orphans(), 0, "the server's future waits");
    drop(request);
    assert!(poll(above.as_mut()).is_pending());
    bench.round();
    assert_eq!(gone.get(), 2);
    assert!(poll(above.as_mut()).is_ready());
}

#[test]
fn j08_without_anybody_above_they_are_orphans() {
    let root = root();
    let scope = root.child_in(crate::spawned_walks::place()).unwrap();
    let bench = Bench::default();
    let theirs = bench.clone();
    let mut run = Box::pin(scope.clone().run(async move |scope: SharedScope| {
        for _ in 0..3 {
            scope.spawn(&theirs, |_| ready(())).unwrap();
        }
        pending::<()>().await;
    }));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(scope.orphans(), 0);
    drop(run);
    assert_eq!((scope.orphans(), root.orphans()), (3, 3));
    let _ = bench.turn();
    assert_eq!(root.orphans(), 2);
    // Whoever asks may wait for them.
    let mut joined = pin!(scope.joined());
    assert!(poll(joined.as_mut()).is_pending());
    bench.round();
    assert_eq!(root.orphans(), 0);
    assert!(poll(joined).is_ready());
    assert!(scope.is_closed());
}

#[test]
fn j08_the_nearest_that_is_left_waits() {
    let bench = Bench::default();
    let spawn = |scope: &SharedScope| {
        let theirs = bench.clone();
        let mut run = Box::pin(scope.clone().run(async move |scope: SharedScope| {
            scope.spawn(&theirs, listens).unwrap();
            pending::<()>().await;
        }));
        assert!(poll(run.as_mut()).is_pending());
        run
    };
    // From below, from above, and the middle first: who waits is the same.
    for order in [[2, 1, 0], [0, 1, 2], [1, 0, 2], [1, 2, 0]] {
        let outer = top();
        let middle = below(&outer);
        let inner = below(&middle);
        let mut runs = [&outer, &middle, &inner].map(|scope| Some(spawn(scope)));
        for (dropped, &which) in order.iter().enumerate() {
            runs[which] = None;
            // What nobody waits for, from the top: each scope's own child, and the scope below.
            let expected = match runs {
                [Some(_), ..] => 0,
                [None, Some(_), _] => 2,
                [None, None, _] => 2,
            };
            assert_eq!(outer.orphans(), expected, "{order:?} {dropped}");
        }
        bench.round();
        bench.round();
        assert_eq!((outer.live(), outer.orphans()), (0, 0), "{order:?}");
    }
}

#[test]
fn j08_a_run_that_begins_later_takes_over_those_below() {
    let (outer, bench) = (top(), Bench::default());
    let beside = below(&outer);
    let inner = below(&below(&outer));
    for scope in [&inner, &beside] {
        scope.spawn(&bench, |_| ready(())).unwrap();
    }
    drop(inner.clone().run(|_| pending::<()>()));
    assert_eq!(outer.orphans(), 1, "the one beside was not given up");
    let later = outer.clone().run(|_| pending::<()>());
    assert_eq!(outer.orphans(), 0);
    // That one's scope has two below it that have children.
    drop(later);
    assert_eq!((outer.live(), outer.orphans()), (2, 2));
    let again = inner.clone().run(|_| pending::<()>());
    assert_eq!(outer.orphans(), 2, "it waits below only");
    bench.round();
    assert_eq!((outer.live(), inner.orphans()), (0, 0));
    drop(again);
    assert_eq!(outer.orphans(), 0);
}

#[test]
fn j08_scopes_of_all_kinds_are_looked_through_for_orphans() {
    let (root, bench) = (root(), Bench::default());
    let child = pin!(root.cx().child());
    let child = child.as_ref().enter();
    let deeper = pin!(child.child().named("deeper"));
    let _deeper = deeper.as_ref().enter();
    let scopes = [(); 3].map(|()| root.child_in(crate::spawned_walks::place()).unwrap());
    let places = scopes.each_ref().map(below);
    let last = pin!(root.cx().child());
    let _last = last.as_ref().enter();
    for scope in &places {
        for _ in 0..2 {
            scope.spawn(&bench, |_| ready(())).unwrap();
        }
        drop(scope.clone().run(|_| pending::<()>()));
    }
    assert_eq!((root.orphans(), scopes[0].orphans()), (6, 6));
    let bound = scopes[1].clone().run(|_| pending::<()>());
    assert_eq!((root.orphans(), places[1].orphans()), (4, 4));
    drop(bound);
    // The second counts the one below it.
    assert_eq!(root.orphans(), 5);
    bench.round();
    assert_eq!(root.orphans(), 0);
}

#[test]
fn j08_of_two_runs_of_a_scope_the_other_waits() {
    let (scope, bench) = (top(), Bench::default());
    let [first, second] = [(); 2].map(|()| Box::pin(scope.clone().run(|_| pending::<()>())));
    scope.spawn(&bench, |_| ready(())).unwrap();
    drop(first);
    assert_eq!(scope.orphans(), 0);
    drop(second);
    assert_eq!(scope.orphans(), 1);
    // So does one that begins later.
    let third = scope.clone().run(|_| pending::<()>());
    assert_eq!(scope.orphans(), 0);
    drop(third);
    assert_eq!(scope.orphans(), 1);
    bench.round();
    assert_eq!(scope.orphans(), 0);
}

#[test]
fn a_run_that_was_never_polled_leaves_nothing() {
    let (scope, bench) = (top(), Bench::default());
    let theirs = bench.clone();
    drop(scope.clone().run(async move |scope: SharedScope| {
        scope.spawn(&theirs, |_| ready(())).unwrap();
    }));
    assert_eq!((scope.live(), scope.orphans(), bench.len()), (0, 0, 0));
    assert_eq!(kind(&scope), Some(Kind::Dropped));
}

#[cfg(feature = "std")]
#[test]
fn a_body_that_panics_waits_for_its_children() {
    let (scope, bench) = (top(), Bench::default());
    let theirs = bench.clone();
    let mut run = Box::pin(scope.clone().run(async move |scope: SharedScope| {
        scope.spawn(&theirs, listens).unwrap();
        panic!("on purpose");
    }));
    assert!(
        poll(run.as_mut()).is_pending(),
        "its child is told, and left"
    );
    assert_eq!((kind(&scope), scope.live()), (Some(Kind::Panic), 1));
    bench.round();
    assert_eq!(scope.live(), 0);
    assert_eq!(panic_of(|| poll(run.as_mut())), "on purpose");
    assert!(run.is_terminated());
    drop(run);
    assert_eq!(scope.orphans(), 0);
}

#[test]
fn a_body_may_cancel_its_scope_and_go_on() {
    let (scope, bench) = (top(), Bench::default());
    let theirs = bench.clone();
    let mut run = pin!(scope.clone().run(async move |scope: SharedScope| {
        scope.spawn(&theirs, listens).unwrap();
        scope.cancel(Kind::Explicit);
        assert!(scope.spawn(&theirs, listens).is_err());
        scope.joined().await;
        scope.live()
    }));
    assert!(poll(run.as_mut()).is_pending());
    bench.round();
    assert_eq!(value_of(poll(run)), 0);
}

/// The last child's waker ends the run that it belongs to, from within.
#[test]
fn the_last_end_may_drop_the_run_itself() {
    use crate::kit::{Callback, Striker};
    use std::sync::{Arc, Mutex};

    struct Sent<T>(T);
    // SAFETY: Validity: the test has one thread. Aliasing: as above.
    unsafe impl<T> Send for Sent<T> {}

    let (scope, bench) = (top(), Bench::default());
    let theirs = bench.clone();
    type Run = std::pin::Pin<Box<dyn Future<Output = ()>>>;
    let run: Run = Box::pin(scope.clone().run(async move |scope: SharedScope| {
        scope.spawn(&theirs, |_| ready(())).unwrap();
    }));
    let held = Arc::new(Mutex::new(Some(Sent(run))));
    let theirs = held.clone();
    let striker = Striker::new(Callback::Wake, move || drop(theirs.lock().unwrap().take()));
    {
        let mut run = held.lock().unwrap();
        let waker = striker.waker();
        let run = &mut run.as_mut().unwrap().0;
        assert!(poll_with(run.as_mut(), &waker).is_pending());
    }
    bench.round();
    assert_eq!(striker.acted(), 1);
    assert!(held.lock().unwrap().is_none());
    assert_eq!((scope.live(), scope.orphans()), (0, 0));
    assert!(scope.is_closed());
}

#[test]
fn runs_are_told_when_they_are_polled_too_late() {
    let scope = top();
    let mut polls = 0;
    let mut run = pin!(scope.run(|_| poll_fn(move |_| {
        polls += 1;
        if polls == 2 {
            Poll::Ready(polls)
        } else {
            Poll::Pending
        }
    })));
    assert!(poll(run.as_mut()).is_pending());
    assert_eq!(value_of(poll(run.as_mut())), 2);
    assert!(format!("{run:?}").contains("body: false"));
}
