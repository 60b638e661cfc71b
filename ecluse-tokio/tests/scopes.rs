//! Children of scopes that are tasks of tokio: aborted, shut down, left by a scope that is dropped. Every
//! wait is bounded.
#![allow(clippy::std_instead_of_core, reason = "these run on hosts only")]

use std::{
    cell::Cell,
    future::pending,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use ecluse_tokio::{
    SharedScope, TokioSpawn, TokioSpawnLocal, WaitExt,
    cancel::Kind,
    runtime::{Abort, SpawnError},
};
use tokio::{
    runtime::Builder,
    task::{LocalSet, yield_now},
    time::timeout,
};

const BOUND: Duration = Duration::from_secs(60);
const HERE: TokioSpawn = TokioSpawn::current();

struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(alive.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// j08: scopes whose tasks are aborted at any moment, on threads that run their children meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_child_is_alive_when_the_ancestor_resolves() {
    const ROUNDS: usize = 200;
    let rounds = async {
        let (alive, mut handed) = (Arc::new(AtomicUsize::new(0)), 0);
        for round in 0..ROUNDS {
            let server: SharedScope = SharedScope::new();
            let (theirs, open) = (alive.clone(), Arc::new(AtomicBool::new(false)));
            let gate = open.clone();
            let run = server.child().run(async move |scope: SharedScope| {
                for child in 0..8 {
                    let inner = if child % 2 == 0 {
                        scope.clone()
                    } else {
                        scope.child()
                    };
                    let one = Alive::new(&theirs);
                    let gate = gate.clone();
                    let body = async move |scope: SharedScope| {
                        let _one = one;
                        if child < 6 {
                            scope.cx().cancelled().await;
                        }
                        // Their clean-up goes on until the scope is gone for certain.
                        while !gate.load(Ordering::SeqCst) {
                            yield_now().await;
                        }
                        for _ in 0..child {
                            yield_now().await;
                        }
                    };
                    inner.spawn(&HERE, body).expect("it is not cancelled yet");
                }
                pending::<()>().await;
            });
            let task = tokio::spawn(run);
            for _ in 0..round % 9 {
                yield_now().await;
            }
            if round % 2 == 0 {
                // All have been spawned: the abort hands all of them on.
                while server.live() == 0 {
                    yield_now().await;
                }
            }
            task.abort();
            let ended = task.await;
            assert!(ended.is_err_and(|error| error.is_cancelled()));
            handed += alive.load(Ordering::SeqCst);
            open.store(true, Ordering::SeqCst);
            server.joined().await;
            assert_eq!(alive.load(Ordering::SeqCst), 0, "{round}");
            assert_eq!((server.live(), server.orphans()), (0, 0));
        }
        handed
    };
    let handed = timeout(BOUND, rounds).await.expect("in time");
    // All eight of every second round; of the others, what had been spawned by then.
    assert!(handed >= ROUNDS / 2 * 8, "{handed}");
    println!("{handed} children outlived their scope's future, none the scope above");
}

#[tokio::test]
async fn an_aborted_child_is_joined() {
    let scope: SharedScope = SharedScope::new();
    let abort = scope.spawn(&HERE, |_| pending()).unwrap();
    yield_now().await;
    abort.abort();
    scope.joined().within(BOUND).await.unwrap();
    assert_eq!((scope.live(), scope.lost()), (0, 1));
    // A handle that is dropped ends nobody.
    drop(scope.spawn(&HERE, |_| pending()).unwrap());
    yield_now().await;
    assert_eq!(scope.live(), 1);
    assert!(scope.force(Kind::Explicit));
    scope.joined().within(BOUND).await.unwrap();
    assert_eq!(scope.lost(), 2);
}

#[test]
fn children_of_a_runtime_that_is_shut_down_are_joined() {
    for threads in [None, Some(2)] {
        let runtime = match threads {
            None => Builder::new_current_thread().build(),
            Some(threads) => Builder::new_multi_thread().worker_threads(threads).build(),
        };
        let runtime = runtime.unwrap();
        let on = TokioSpawn::on(runtime.handle().clone());
        let scope: SharedScope = SharedScope::new();
        let alive = Arc::new(AtomicUsize::new(0));
        for scope in [scope.child(), scope.child(), scope.clone()] {
            let one = Alive::new(&alive);
            let body = async move |scope: SharedScope| {
                let _one = one;
                scope.cx().cancelled().await;
            };
            scope.spawn(&on, body).unwrap();
        }
        let joining = scope.joined();
        drop(runtime);
        let other = Builder::new_current_thread().enable_time().build().unwrap();
        other.block_on(async { joining.within(BOUND).await.unwrap() });
        assert_eq!(alive.load(Ordering::SeqCst), 0);
        assert_eq!((scope.live(), scope.lost()), (0, 1));
        // What comes too late is dropped before this returns, and is not counted.
        let one = Alive::new(&alive);
        let late = scope.spawn(&on, |_| async move { drop(one) });
        assert!(matches!(late, Err(SpawnError::Closed(None))));
        assert_eq!((scope.live(), alive.load(Ordering::SeqCst)), (0, 0));
    }
}

#[test]
fn outside_of_a_runtime_the_child_comes_back() {
    let scope: SharedScope = SharedScope::new();
    let late = scope.spawn(&HERE, |_| pending());
    assert!(matches!(late, Err(SpawnError::Closed(Some(_)))));
    assert_eq!((scope.live(), scope.lost()), (0, 0));
}

/// A run goes where tokio sends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_are_tasks() {
    let server: SharedScope = SharedScope::new();
    let nested = server.child().run(async |scope: SharedScope| {
        let inner = scope.child().run(async |scope: SharedScope| {
            let spawned = scope.spawn(&HERE, async |scope: SharedScope| {
                scope.cx().cancelled().await;
            });
            spawned.unwrap();
            3
        });
        let inner = tokio::spawn(inner);
        yield_now().await;
        scope.cancel(Kind::Explicit);
        inner.await.unwrap()
    });
    let nested = tokio::spawn(nested);
    assert_eq!(timeout(BOUND, nested).await.unwrap().unwrap(), 3);
    assert_eq!(server.live(), 0);
}

/// What is not `Send` is a child like any other: told, counted, and gone with its set.
#[tokio::test]
async fn children_of_a_local_set_stay_on_their_thread() {
    let (set, told) = (Rc::new(LocalSet::new()), Rc::new(Cell::new(0)));
    let local = TokioSpawnLocal(set.clone());
    let scope: SharedScope = SharedScope::new();
    for _ in 0..2 {
        let told = told.clone();
        let body = async move |scope: SharedScope| {
            scope.cx().cancelled().await;
            told.set(told.get() + 1);
        };
        scope.spawn(&local, body).unwrap();
    }
    set.run_until(yield_now()).await;
    assert_eq!((scope.live(), told.get()), (2, 0));
    scope.cancel(Kind::Explicit);
    let joined = set.run_until(timeout(BOUND, scope.joined()));
    joined.await.unwrap();
    assert_eq!((scope.live(), scope.lost(), told.get()), (0, 0, 2));

    let other: SharedScope = SharedScope::new();
    other.spawn(&local, |_| pending()).unwrap();
    other.spawn(&local, |_| pending()).unwrap().abort();
    drop((local, set));
    timeout(BOUND, other.joined()).await.unwrap();
    assert_eq!(other.lost(), 2);
}
