//! embassy on the host: an executor a case on the case's thread, tasks from a static pool, as on a chip.
//!
//! A task of embassy cannot be aborted and must not panic, so each is wrapped: a panic ends the task and is told to its joiner.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use ecluse_conformance::{Caps, Case, Ended, Interrupt, Placed, Runtime, Task, Verdict};
use ecluse_embassy::runtime::Spawn;
use ecluse_embassy::{EmbassyTimer, Pool, Tally};
use embassy_executor::{Executor, SendSpawner};
use embassy_futures::select::select;
use embassy_time::{Duration, with_timeout};

use crate::column::{self, Suite};
use crate::host::{self, Joining, joined, watch};

/// The case's executor.
#[derive(Clone, Copy)]
pub(crate) struct Embassy(SendSpawner);

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The pool. It is the process's, so what a case leaves behind stays taken: large enough for a whole run.
#[embassy_executor::task(pool_size = 2048)]
async fn pooled(future: Boxed) {
    future.await;
}

/// The case itself, which need not be `Send`.
#[embassy_executor::task(pool_size = 512)]
async fn main(future: Pin<Box<dyn Future<Output = ()>>>) {
    future.await;
}

type Outcome = Arc<Mutex<Option<Result<Verdict, Box<dyn Any + Send>>>>>;

pub(crate) fn run(suite: Suite, case: &'static Case) -> Verdict {
    let executor = Box::leak(Box::new(Executor::new()));
    let outcome = Outcome::default();
    let told = Arc::clone(&outcome);
    let init = |spawner: embassy_executor::Spawner| {
        let rt = Embassy(spawner.make_send());
        let body = Catching(Some(Box::pin(column::case(rt, suite, case))));
        spawner.spawn(
            main(Box::pin(async move {
                let result = body.await;
                *lock(&told) = Some(result);
            }))
            .expect("room for the case in the pool"),
        );
    };
    executor.run_until(init, || lock(&outcome).is_some());
    let result = lock(&outcome).take().expect("ran until it was there");
    result.unwrap_or_else(|payload| resume_unwind(payload))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls a future until it returns or panics, and drops it before it says so.
struct Catching<F: ?Sized>(Option<Pin<Box<F>>>);

impl<F: Future + ?Sized> Future for Catching<F> {
    type Output = Result<F::Output, Box<dyn Any + Send>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.0.as_mut().expect("polled before it ended");
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(payload),
        };
        let future = self.0.take();
        match catch_unwind(AssertUnwindSafe(|| drop(future))) {
            Ok(()) => Poll::Ready(result),
            Err(payload) => Poll::Ready(Err(payload)),
        }
    }
}

/// A spawned task.
#[derive(Debug)]
pub(crate) struct Handle(Joining);

impl Task for Handle {
    async fn join(self) -> Ended {
        self.0.await
    }

    async fn abort(self) -> Ended {
        unreachable!("n/a on embassy")
    }
}

impl Runtime for Embassy {
    const NAME: &'static str = "embassy";
    const CAPS: Caps = host::REAL.and(Caps::PLACES);
    const SCALE: usize = host::SCALE;

    type Task = Handle;
    type Timer = EmbassyTimer;

    fn put<T: Send + Sync + 'static>(self, value: T) -> &'static T {
        host::put(value)
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(self, future: F) -> Handle {
        let (task, joining) = joined(future);
        self.0.spawn(pooled(task).expect("room in the pool"));
        Handle(joining)
    }

    fn timer(self) -> EmbassyTimer {
        EmbassyTimer
    }

    fn spawn_in_pool(self, work: Placed) -> Result<(), Placed> {
        static PLACES: Pool<Placed, 2> = Pool::new();
        static CREW: Tally = Tally::new();
        let spawned = PLACES.on(self.0).spawn(CREW.ticket(work));
        spawned.map_err(|refused| refused.into_future().expect("an executor never closes"))
    }

    fn relax(self) {
        std::thread::yield_now();
    }

    async fn interrupted<F: Future<Output = ()> + Send + 'static>(self, how: Interrupt, victim: F) {
        let (victim, watch) = watch(victim);
        let ended = match how {
            Interrupt::SelectLoser => {
                let selecting = async move {
                    let _ = select(victim, watch.pending()).await;
                };
                self.spawn(selecting).join().await
            }
            Interrupt::Timeout => {
                let timing = async move {
                    let timed = with_timeout(Duration::from_millis(1), victim).await;
                    assert!(timed.is_err(), "the victim must wait");
                };
                self.spawn(timing).join().await
            }
            Interrupt::Abort
            | Interrupt::TaskDrop
            | Interrupt::CancelAwait
            | Interrupt::RuntimeShutdown => unreachable!("n/a on embassy"),
        };
        assert_eq!(ended, Ended::Finished);
    }
}
