//! Children of scopes that are tasks of smol and of async-std: aborted, cancelled with their executor, left
//! by a scope that is dropped. Every wait is bounded.
#![allow(clippy::std_instead_of_core, reason = "these run on hosts only")]

use std::{
    cell::Cell,
    future::{Future, pending},
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ecluse_smol::{
    SharedScope, SmolSpawn, SmolSpawnLocal, SmolSpawnOn, WaitExt,
    async_std::AsyncStdSpawn,
    cancel::{Kind, Member},
    runtime::{Abort, Spawn},
};
use smol::{Executor, LocalExecutor, future::yield_now};

const BOUND: Duration = Duration::from_secs(60);

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

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

fn forever(alive: &Arc<AtomicUsize>) -> Body {
    let one = Alive::new(alive);
    Box::pin(async move {
        let _one = one;
        pending().await
    })
}

async fn aborted<S: Spawn<Body, Member>>(spawn: &S) {
    let (scope, alive) = (SharedScope::new(), Arc::default());
    let abort = scope.spawn(spawn, |_| forever(&alive)).unwrap();
    yield_now().await;
    abort.abort();
    scope.joined().within(BOUND).await.unwrap();
    assert_eq!((alive.load(Ordering::SeqCst), scope.lost()), (0, 1));
    // A handle that is dropped ends nobody; force does.
    drop(scope.spawn(spawn, |_| forever(&alive)).unwrap());
    yield_now().await;
    assert_eq!(scope.live(), 1);
    assert!(scope.force(Kind::Explicit));
    scope.joined().within(BOUND).await.unwrap();
    assert_eq!((alive.load(Ordering::SeqCst), scope.lost()), (0, 2));
}

#[test]
fn aborted_children_are_joined() {
    smol::block_on(aborted(&SmolSpawn));
    async_std::task::block_on(aborted(&AsyncStdSpawn));
    let executor = Arc::new(Executor::new());
    let spawn = SmolSpawnOn(executor.clone());
    smol::block_on(executor.run(aborted(&spawn)));
}

#[test]
fn children_of_an_executor_that_is_dropped_are_joined() {
    let executor = Arc::new(Executor::new());
    let spawn = SmolSpawnOn(executor.clone());
    let (scope, alive) = (<SharedScope>::new(), Arc::default());
    for scope in [scope.child(), scope.clone()] {
        scope.spawn(&spawn, |_| forever(&alive)).unwrap();
    }
    assert!(executor.try_tick());
    let joining = scope.joined();
    drop((spawn, executor));
    smol::block_on(async { joining.within(BOUND).await.unwrap() });
    assert_eq!((alive.load(Ordering::SeqCst), scope.lost()), (0, 1));
}

/// j08 where a task's cancellation is awaited, or its handle dropped.
async fn handed<S: Spawn<Body, Member>>(spawn: &S, dropped: bool) {
    let (server, alive) = (<SharedScope>::new(), Arc::default());
    let request = server.child();
    let run = request.clone().run(|scope| {
        for _ in 0..4 {
            let one = Alive::new(&alive);
            let body = |scope: SharedScope| -> Body {
                Box::pin(async move {
                    let _one = one;
                    scope.cx().cancelled().await;
                    yield_now().await;
                })
            };
            scope.spawn(spawn, body).unwrap();
        }
        pending::<()>()
    });
    let task = smol::spawn(run);
    yield_now().await;
    if dropped {
        drop(task);
        request.cx().cancelled().within(BOUND).await.unwrap();
    } else {
        assert!(task.cancel().await.is_none());
    }
    assert_eq!(request.cx().reason().unwrap().kind(), Kind::Dropped);
    server.joined().within(BOUND).await.unwrap();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert_eq!((server.live(), request.lost()), (0, 0));
}

#[test]
fn children_of_a_scope_whose_task_is_cancelled_are_joined_above() {
    for dropped in [true, false] {
        smol::block_on(handed(&SmolSpawn, dropped));
        async_std::task::block_on(handed(&AsyncStdSpawn, dropped));
    }
}

/// What is not `Send` is a child like any other: told, counted, and gone with its executor.
#[test]
fn children_of_a_local_executor_stay_on_their_thread() {
    let (executor, told) = (Rc::new(LocalExecutor::new()), Rc::new(Cell::new(0)));
    let local = SmolSpawnLocal(executor.clone());
    let scope: SharedScope = SharedScope::new();
    for _ in 0..2 {
        let told = told.clone();
        let body = async move |scope: SharedScope| {
            scope.cx().cancelled().await;
            told.set(told.get() + 1);
        };
        drop(scope.spawn(&local, body).unwrap());
    }
    smol::block_on(executor.run(async {
        yield_now().await;
        assert_eq!((scope.live(), told.get()), (2, 0));
        scope.cancel(Kind::Explicit);
        scope.joined().within(BOUND).await.unwrap();
    }));
    assert_eq!((scope.live(), scope.lost(), told.get()), (0, 0, 2));

    let other: SharedScope = SharedScope::new();
    drop(other.spawn(&local, |_| pending()).unwrap());
    other.spawn(&local, |_| pending()).unwrap().abort();
    drop((local, executor));
    smol::block_on(async { other.joined().within(BOUND).await.unwrap() });
    assert_eq!(other.lost(), 2);
}
