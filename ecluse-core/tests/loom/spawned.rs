//! Spawned children of scopes: the last one's end, the wait for it, the cancel that asks for it; runs
//! that are dropped while a child ends.

use std::sync::Arc;

use core::{
    cell::RefCell,
    future::{Future, pending},
    pin::Pin,
    task::{Context, Poll},
};

use ecluse_core::{
    DefaultLock, Root, SharedScope,
    cancel::{Kind, Member, ScopePlace},
    runtime::{Spawn, SpawnError, Ticket},
};

use crate::kit::{Data, block_on, models, poll, spawn};

models!(
    last_child_meets_join_and_cancel,
    children_of_two_scopes_end_at_once,
    dropped_run_meets_a_childs_end,
    runs_of_two_scopes_are_dropped_at_once,
    orphans_are_counted_while_their_scope_goes,
    a_child_meets_the_end_of_a_run,
    none_is_let_in_by_one_that_turns_back,
    none_is_let_in_by_one_that_turns_back_at_once,
    children_from_outside_meet_the_end_of_a_run,
    a_place_is_given_back_once,
);

type Scope = SharedScope<DefaultLock>;
type Child = Ticket<Ends, Member<DefaultLock>>;

/// A future that never ends, whose destructor writes.
struct Ends(Option<Arc<Data>>);

impl Future for Ends {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        if let Some(data) = &self.0 {
            data.add();
        }
    }
}

/// Keeps what is spawned, for the model to run.
#[derive(Default)]
struct Caught(RefCell<Vec<Child>>);

impl Spawn<Ends, Member<DefaultLock>> for Caught {
    type Abort = ();

    fn spawn(&self, ticket: Child) -> Result<(), SpawnError<Ends>> {
        self.0.borrow_mut().push(ticket);
        Ok(())
    }
}

/// A child of `scope` that ends when it is cancelled, and writes `data`.
fn child(scope: &Scope, data: &Arc<Data>) -> Child {
    let caught = Caught::default();
    let ends = Ends(Some(data.clone()));
    assert!(scope.spawn_guarded(&caught, ends).is_ok());
    caught.0.into_inner().pop().expect("it was spawned")
}

/// A scope that many below. (Two are passed in one lock hold.)
fn below(scope: &Scope, depth: usize) -> Scope {
    (0..depth).fold(scope.clone(), |scope, _| scope.child())
}

fn data() -> Arc<Data> {
    Arc::new(Data::new())
}

/// j07: a cancel, the end that it asks for, and a joiner that comes meanwhile.
fn last_child_meets_join_and_cancel() {
    let (scope, ended) = (Scope::new(), data());
    let ticket = child(&scope, &ended);
    let worker = spawn(move || block_on(ticket));
    assert!(scope.cancel(Kind::Explicit));
    block_on(scope.joined());
    assert_eq!(ended.get(), 1);
    worker.join().unwrap();
}

/// j07: the ends of two scopes reach the one above; its joiner comes after both.
fn children_of_two_scopes_end_at_once() {
    let scope = Scope::new();
    let ended = [data(), data()];
    let [one, other] = ended.each_ref().map(|ended| {
        let ticket = child(&below(&scope, 3), ended);
        spawn(move || drop(ticket))
    });
    block_on(scope.joined());
    for ended in &ended {
        assert_eq!(ended.get(), 1);
    }
    assert_eq!(scope.live(), 0);
    one.join().unwrap();
    other.join().unwrap();
}

/// j08: whoever joins above does not see the end before the child's.
fn dropped_run_meets_a_childs_end() {
    let (server, ended) = (Scope::new(), data());
    let request = server.child();
    let ticket = child(&request, &ended);
    let run = request.run(|_| pending::<()>());
    let worker = spawn(move || drop(ticket));
    drop(run);
    block_on(server.joined());
    assert_eq!((ended.get(), server.orphans()), (1, 0));
    worker.join().unwrap();
}

/// j08: what two runs leave that are dropped at once is counted once.
fn runs_of_two_scopes_are_dropped_at_once() {
    let (top, ended) = (Scope::new(), data());
    let outer = top.child();
    let inner = below(&outer, 3);
    let ticket = child(&inner, &ended);
    let [outer, inner] = [outer, inner].map(|scope| scope.run(|_| pending::<()>()));
    let dropper = spawn(move || drop(inner));
    drop(outer);
    dropper.join().unwrap();
    assert_eq!((top.live(), top.orphans()), (1, 1));
    drop(ticket);
    assert_eq!((top.live(), top.orphans()), (0, 0));
}

/// j08: whoever counts orphans passes by a scope that is given up, left and gone meanwhile.
fn orphans_are_counted_while_their_scope_goes() {
    let (top, ended) = (Scope::new(), data());
    let going = top.child();
    let stays = top.child();
    let [left, kept] = [&going, &stays].map(|scope| child(scope, &ended));
    drop(stays.run(|_| pending::<()>()));
    let worker = spawn(move || {
        let run = going.run(|_| pending::<()>());
        drop(run);
        drop(left);
    });
    let orphans = top.orphans();
    assert!((1..=2).contains(&orphans), "{orphans}");
    worker.join().unwrap();
    assert_eq!((top.orphans(), top.attached()), (1, 1));
    drop(kept);
    assert_eq!((top.orphans(), top.attached()), (0, 0));
}

/// A spawn from outside meets the end of a run above: it is refused, or waited for.
fn a_child_meets_the_end_of_a_run() {
    let (scope, ended) = (Scope::new(), data());
    let inner = below(&scope, 3);
    let theirs = ended.clone();
    let runner = spawn(move || {
        let mut run = Box::pin(scope.run(|_| core::future::ready(())));
        block_on(run.as_mut());
        theirs.get()
    });
    let caught = Caught::default();
    let refused = match inner.spawn_guarded(&caught, Ends(Some(ended))) {
        Ok(()) => {
            drop(caught);
            false
        }
        Err(refused) => {
            refused.into_future().expect("given back").0 = None;
            true
        }
    };
    assert_eq!(runner.join().unwrap(), usize::from(!refused));
    assert_eq!(inner.live(), 0);
}

/// Spawns into `scope` and ends at once; false if that was refused.
fn comes_and_goes(scope: &Scope, ended: Arc<Data>) -> bool {
    let caught = Caught::default();
    match scope.spawn_guarded(&caught, Ends(Some(ended))) {
        Ok(()) => true,
        Err(refused) => {
            refused.into_future().expect("given back").0 = None;
            false
        }
    }
}

/// Two come in from outside, `depth` scopes below one that is closed: none passes for in because of
/// the other, who is on its way back.
fn none_is_let_in(depth: usize) {
    let scope = Scope::new();
    let inner = below(&scope, depth);
    scope.close();
    let other = spawn({
        let inner = inner.clone();
        move || comes_and_goes(&inner, data())
    });
    assert!(!comes_and_goes(&inner, data()));
    assert!(!other.join().unwrap());
    assert_eq!((scope.live(), inner.live()), (0, 0));
}

fn none_is_let_in_by_one_that_turns_back() {
    none_is_let_in(3);
}

/// The same where the way up, but not back, is one lock hold.
fn none_is_let_in_by_one_that_turns_back_at_once() {
    none_is_let_in(2);
}

/// Two come in from outside as a run above ends: it has waited for those that were let in.
fn children_from_outside_meet_the_end_of_a_run() {
    let scope = Scope::new();
    let inner = below(&scope, 3);
    let ended = [data(), data()];
    let [other, own] = ended.each_ref().map(|ended| {
        let (inner, ended) = (inner.clone(), ended.clone());
        move || usize::from(comes_and_goes(&inner, ended))
    });
    let other = spawn(other);
    let runner = spawn(move || {
        block_on(Box::pin(scope.run(|_| core::future::ready(()))));
        ended.each_ref().map(|ended| ended.get())
    });
    let own = own();
    let seen = runner.join().unwrap();
    assert_eq!(seen, [other.join().unwrap(), own]);
    assert_eq!(inner.live(), 0);
}

/// The last of two handles empties a place; then it can be taken.
fn a_place_is_given_back_once() {
    fn leak<T>(value: T) -> &'static T {
        Box::leak(Box::new(value))
    }
    let root = leak(Root::<DefaultLock>::new());
    let place = leak(ScopePlace::<DefaultLock>::new());
    let one = root.child_in(place).unwrap();
    let other = one.clone();
    let worker = spawn(move || drop(other));
    drop(one);
    if let Ok(again) = root.child_in(place) {
        assert!(!again.is_cancelled());
        assert_eq!(root.attached(), 1);
    }
    worker.join().unwrap();
    assert_eq!(root.attached(), 0);
    let mut joined = Box::pin(root.child_in(place).unwrap().joined());
    assert!(poll(joined.as_mut()).is_ready());
}
