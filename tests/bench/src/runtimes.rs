//! The same on each runtime, with spawned tasks: a leader and n followers; tasks that want one thing.
//!
//! A task's own cost is in all of these rows; the row of tasks that have nothing to wait for shows it.
//! A task of tokio or smol is an allocation; one of embassy lies in a place that is there.

use std::{
    future::{Future, poll_fn, ready},
    marker::PhantomData,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use embassy_executor::raw::{self, TaskStorage};

use crate::{
    crowd::{VALUE, poll},
    measure::{Case, Row, Turns},
    peers::{
        Answer, AsyncMutex, AsyncOnce, AsyncOnceCell, AsyncSingleflight, GiveBack, Groups,
        IntrusiveMutex, MaitakeMutex, Moka, OnceCell, OurFlight, QuickCache, RsSingleflight,
        SharedLock, SingleFlight, SingleflightAsync, SlotBarging, SlotLock, TokioMutex, TokioOnce,
    },
};

const GROUP: &str = "runtimes";

/// A runtime, and where its tasks lie.
trait Runtime {
    const NAME: &'static str;
    type Room<F: Future<Output = ()> + Send + 'static>;

    fn new() -> Self;
    fn room<F: Future<Output = ()> + Send + 'static>(n: usize) -> Self::Room<F>;
    fn spawn<F>(&self, room: &Self::Room<F>, place: usize, task: F)
    where
        F: Future<Output = ()> + Send + 'static;
    fn drive(&self, main: impl Future<Output = ()>);
}

macro_rules! tokio {
    ($name:ident, $text:literal, $build:expr) => {
        struct $name(tokio::runtime::Runtime);

        impl Runtime for $name {
            const NAME: &'static str = $text;
            type Room<F: Future<Output = ()> + Send + 'static> = PhantomData<F>;

            fn new() -> Self {
                Self($build.build().expect("a runtime"))
            }

            fn room<F: Future<Output = ()> + Send + 'static>(_: usize) -> PhantomData<F> {
                PhantomData
            }

            fn spawn<F>(&self, _: &PhantomData<F>, _: usize, task: F)
            where
                F: Future<Output = ()> + Send + 'static,
            {
                drop(self.0.spawn(task));
            }

            fn drive(&self, main: impl Future<Output = ()>) {
                self.0.block_on(main);
            }
        }
    };
}

tokio!(
    CurrentThread,
    "tokio current_thread",
    tokio::runtime::Builder::new_current_thread()
);
tokio!(
    MultiThread,
    "tokio multi_thread",
    tokio::runtime::Builder::new_multi_thread().worker_threads(2)
);

struct Smol(async_executor::Executor<'static>);

impl Runtime for Smol {
    const NAME: &'static str = "smol";
    type Room<F: Future<Output = ()> + Send + 'static> = PhantomData<F>;

    fn new() -> Self {
        Self(async_executor::Executor::new())
    }

    fn room<F: Future<Output = ()> + Send + 'static>(_: usize) -> PhantomData<F> {
        PhantomData
    }

    fn spawn<F>(&self, _: &PhantomData<F>, _: usize, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn(task).detach();
    }

    fn drive(&self, main: impl Future<Output = ()>) {
        futures_lite::future::block_on(self.0.run(main));
    }
}

/// embassy's executor, polled by hand.
struct Embassy(&'static raw::Executor);

/// What the executor calls when there is something to poll: `drive` looks by itself.
#[unsafe(no_mangle)]
extern "Rust" fn __pender(_: *mut ()) {}

impl Runtime for Embassy {
    const NAME: &'static str = "embassy";
    type Room<F: Future<Output = ()> + Send + 'static> = &'static [TaskStorage<F>];

    fn new() -> Self {
        let executor = raw::Executor::new(std::ptr::null_mut());
        Self(Box::leak(Box::new(executor)))
    }

    fn room<F: Future<Output = ()> + Send + 'static>(n: usize) -> &'static [TaskStorage<F>] {
        let places: Vec<_> = (0..n).map(|_| TaskStorage::new()).collect();
        places.leak()
    }

    fn spawn<F>(&self, room: &&'static [TaskStorage<F>], place: usize, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = room[place].spawn(|| task).expect("the place is free");
        self.0.spawner().spawn(token);
    }

    fn drive(&self, main: impl Future<Output = ()>) {
        let mut main = pin!(main);
        while poll(main.as_mut()).is_pending() {
            // SAFETY: Validity: this thread is the only one that polls, and not within itself.
            // Aliasing: shared.
            unsafe { self.0.poll() };
        }
    }
}

/// Wakes one when it is its turn.
struct Turnstile {
    left: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Turnstile {
    fn new(left: usize) -> Self {
        Self {
            left: AtomicUsize::new(left),
            waker: Mutex::new(None),
        }
    }

    fn pass(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waker = self.waker.lock().expect("no panic").take();
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Until all have passed.
    async fn all(&self) {
        poll_fn(|cx| {
            let mut waker = self.waker.lock().expect("no panic");
            if self.left.load(Ordering::Acquire) == 0 {
                return Poll::Ready(());
            }
            *waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// What the tasks of one round share.
struct Round<S> {
    flights: S,
    leading: Turnstile,
    open: Turnstile,
    begun: Turnstile,
    done: Turnstile,
}

async fn lead<S: SingleFlight>(round: Arc<Round<S>>) {
    let work = async {
        round.leading.pass();
        round.open.all().await;
        VALUE
    };
    assert!(round.flights.run(0, work).await.is(VALUE));
    round.done.pass();
}

async fn follow<S: SingleFlight>(round: Arc<Round<S>>) {
    round.begun.pass();
    // (Should it come too late to follow, it leads, and is over at once.)
    assert!(round.flights.run(0, ready(VALUE)).await.is(VALUE));
    round.done.pass();
}

fn crowd<R: Runtime + 'static, S: SingleFlight>(case: &mut Case<'_>, n: usize, repeats: usize) {
    let runtime = R::new();
    fn room<R: Runtime, F: Future<Output = ()> + Send + 'static>(
        n: usize,
        _: impl FnOnce() -> F,
    ) -> R::Room<F> {
        R::room(n)
    }
    let round = move || -> Arc<Round<S>> {
        Arc::new(Round {
            flights: S::new(1),
            leading: Turnstile::new(1),
            open: Turnstile::new(1),
            begun: Turnstile::new(n),
            done: Turnstile::new(n + 1),
        })
    };
    let leaders = room::<R, _>(1, || lead(round()));
    let followers = room::<R, _>(n, || follow(round()));
    let future = size_of_val(&follow(round()));
    case.timed(S::NAME, future, move |watch| {
        let rounds: Vec<_> = (0..repeats).map(|_| round()).collect();
        watch.lap(0, || {
            for round in &rounds {
                runtime.drive(async {
                    runtime.spawn(&leaders, 0, lead(Arc::clone(round)));
                    round.leading.all().await;
                    for place in 0..n {
                        runtime.spawn(&followers, place, follow(Arc::clone(round)));
                    }
                    round.begun.all().await;
                    round.open.pass();
                    round.done.all().await;
                });
            }
        });
        // (Its tasks may not have let go of it yet: that is a matter of moments.)
        drop(rounds);
    });
}

/// Tasks that have nothing to wait for.
struct Alone;

impl SingleFlight for Alone {
    const NAME: &'static str = "tasks that do not wait, floor";

    fn new(_: usize) -> Self {
        Self
    }

    fn run<F>(&self, _: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        work
    }
}

/// Lets the other tasks go first, once.
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

const TASKS: usize = 64;
const EACH: usize = 16;

struct Wanted<L> {
    lock: L,
    taken: AtomicBool,
    done: Turnstile,
}

async fn want<L: SharedLock>(wanted: Arc<Wanted<L>>) {
    for _ in 0..EACH {
        let held = wanted.lock.lock_shared().await;
        assert!(!wanted.taken.swap(true, Ordering::Relaxed));
        Yield(false).await;
        wanted.taken.store(false, Ordering::Relaxed);
        held.give_back();
    }
    wanted.done.pass();
}

fn wants<R: Runtime + 'static, L: SharedLock>(case: &mut Case<'_>) {
    let runtime = R::new();
    fn room<R: Runtime, F: Future<Output = ()> + Send + 'static>(
        _: impl FnOnce() -> F,
    ) -> R::Room<F> {
        R::room(TASKS)
    }
    let wanted = move || -> Arc<Wanted<L>> {
        Arc::new(Wanted {
            lock: L::new(),
            taken: AtomicBool::new(false),
            done: Turnstile::new(TASKS),
        })
    };
    let tasks = room::<R, _>(|| want(wanted()));
    let future = size_of_val(&want(wanted()));
    case.timed(L::NAME, future, move |watch| {
        let wanted = wanted();
        watch.lap(0, || {
            runtime.drive(async {
                for place in 0..TASKS {
                    runtime.spawn(&tasks, place, want(Arc::clone(&wanted)));
                }
                wanted.done.all().await;
            });
        });
    });
}

fn on<R: Runtime + 'static>(turns: Turns, rows: &mut Vec<Row>) {
    let name = R::NAME;
    for n in [10, 1_000] {
        let repeats = 1_000 / n;
        let case = |what| {
            let what = format!("{name}: followers of a {what}");
            Case::new(GROUP, what, n, n * repeats)
        };
        let mut cells = case("cell");
        crowd::<R, Alone>(&mut cells, n, repeats);
        cells.floor();
        crowd::<R, OurFlight>(&mut cells, n, repeats);
        crowd::<R, OnceCell>(&mut cells, n, repeats);
        crowd::<R, TokioOnce>(&mut cells, n, repeats);
        crowd::<R, AsyncOnce>(&mut cells, n, repeats);
        crowd::<R, AsyncOnceCell>(&mut cells, n, repeats);
        cells.run(turns, rows);
        let mut keys = case("key");
        crowd::<R, Groups>(&mut keys, n, repeats);
        crowd::<R, SingleflightAsync>(&mut keys, n, repeats);
        crowd::<R, AsyncSingleflight>(&mut keys, n, repeats);
        crowd::<R, RsSingleflight>(&mut keys, n, repeats);
        crowd::<R, QuickCache>(&mut keys, n, repeats);
        crowd::<R, Moka>(&mut keys, n, repeats);
        keys.run(turns, rows);
    }
    let what = format!("{name}: tasks that want one lock");
    let mut locks = Case::new(GROUP, what, TASKS, TASKS * EACH);
    wants::<R, SlotLock>(&mut locks);
    wants::<R, SlotBarging>(&mut locks);
    wants::<R, TokioMutex>(&mut locks);
    wants::<R, AsyncMutex>(&mut locks);
    wants::<R, MaitakeMutex>(&mut locks);
    wants::<R, IntrusiveMutex>(&mut locks);
    locks.run(turns, rows);
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    on::<CurrentThread>(turns, rows);
    on::<MultiThread>(turns, rows);
    on::<Smol>(turns, rows);
    on::<Embassy>(turns, rows);
}
