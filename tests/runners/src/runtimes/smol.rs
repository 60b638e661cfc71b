//! smol: an executor a case, two threads that drive it, and the case's own thread.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ::smol::channel::{Sender, bounded};
use ::smol::future::{self, FutureExt};
use ::smol::{Executor, block_on};
use ecluse_conformance::{Caps, Case, Ended, Interrupt, Runtime, Task, Verdict};
use ecluse_smol::SmolTimer;

use crate::column::{self, Suite};
use crate::host::{self, watch};

/// The case's executor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Smol(&'static Arc<Executor<'static>>);

pub(crate) fn run(suite: Suite, case: &'static Case) -> Verdict {
    let executor = host::put(Arc::new(Executor::new()));
    let (stop, stopped) = bounded::<()>(1);
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let stopped = stopped.clone();
            // Resolves, by an error, when the case is over.
            thread::spawn(move || block_on(executor.run(stopped.recv())).is_err())
        })
        .collect();
    let _stop: Stop = Stop(stop, workers);
    block_on(column::case(Smol(executor), suite, case))
}

/// Ends the workers, also out of a panic.
struct Stop(Sender<()>, Vec<thread::JoinHandle<bool>>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.close();
        for worker in self.1.drain(..) {
            // A task's panic is kept for its joiner and never ends a worker; if one did end, the case has failed to join.
            let _ = worker.join();
        }
    }
}

/// A spawned task.
#[derive(Debug)]
pub(crate) struct Handle(Option<::smol::Task<()>>);

impl Handle {
    fn take(mut self) -> ::smol::Task<()> {
        self.0.take().expect("taken once")
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}

/// Turns what the task's panic does to its joiner into a value.
async fn ended(task: impl Future<Output = Ended>) -> Ended {
    let joined = AssertUnwindSafe(task).catch_unwind().await;
    joined.unwrap_or_else(|payload| {
        host::discard(payload);
        Ended::Panicked
    })
}

impl Task for Handle {
    async fn join(self) -> Ended {
        let task = self.take();
        ended(async {
            task.await;
            Ended::Finished
        })
        .await
    }

    async fn abort(self) -> Ended {
        let task = self.take();
        ended(async {
            match task.cancel().await {
                Some(()) => Ended::Finished,
                None => Ended::Aborted,
            }
        })
        .await
    }
}

impl Runtime for Smol {
    const NAME: &'static str = "smol";
    const CAPS: Caps = host::REAL
        .and(Caps::THREADS)
        .and(Caps::ABORT)
        .and(Caps::SHUTDOWN)
        .and(Caps::TASK_DROP)
        .and(Caps::CANCEL_AWAIT);
    const SCALE: usize = host::SCALE;

    type Task = Handle;
    type Timer = SmolTimer;

    fn put<T: Send + Sync + 'static>(self, value: T) -> &'static T {
        host::put(value)
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(self, future: F) -> Handle {
        Handle(Some(self.0.spawn(future)))
    }

    fn timer(self) -> SmolTimer {
        SmolTimer
    }

    fn relax(self) {
        thread::yield_now();
    }

    async fn interrupted<F: Future<Output = ()> + Send + 'static>(self, how: Interrupt, victim: F) {
        let (victim, watch) = watch(victim);
        match how {
            Interrupt::Abort | Interrupt::CancelAwait => {
                let task = self.0.spawn(victim);
                watch.pending().await;
                assert_eq!(task.cancel().await, None, "the victim must wait");
            }
            Interrupt::TaskDrop => {
                let task = self.0.spawn(victim);
                watch.pending().await;
                drop(task);
                watch.gone().await;
            }
            Interrupt::SelectLoser => {
                let selecting = async move { future::or(victim, watch.pending()).await };
                self.0.spawn(selecting).await;
            }
            Interrupt::Timeout => {
                let timer = async {
                    ::smol::Timer::after(Duration::from_millis(1)).await;
                };
                self.0.spawn(future::or(victim, timer)).await;
            }
            Interrupt::RuntimeShutdown => {
                let (tell, told) = bounded::<()>(1);
                let other = thread::spawn(move || {
                    let executor = Executor::new();
                    executor.spawn(victim).detach();
                    block_on(executor.run(watch.pending()));
                    drop(executor);
                    drop(tell);
                });
                // Resolves, by an error, when the other executor is gone.
                let _ = told.recv().await;
                other.join().expect("the other executor shuts down");
            }
        }
    }
}
