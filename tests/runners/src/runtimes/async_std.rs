//! async-std: its one global executor, which cannot be shut down.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use ::async_std::future::timeout;
use ::async_std::task::{self, JoinHandle};
use ::smol::future::{self, FutureExt};
use ecluse_conformance::{Caps, Case, Ended, Interrupt, Runtime, Task, Verdict};
use ecluse_smol::async_std::AsyncStdTimer;

use crate::column::{self, Suite};
use crate::host::{self, watch};

/// The global executor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsyncStd;

pub(crate) fn run(suite: Suite, case: &'static Case) -> Verdict {
    task::block_on(column::case(AsyncStd, suite, case))
}

/// A spawned task.
#[derive(Debug)]
pub(crate) struct Handle(JoinHandle<()>);

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
        ended(async {
            self.0.await;
            Ended::Finished
        })
        .await
    }

    async fn abort(self) -> Ended {
        ended(async {
            match self.0.cancel().await {
                Some(()) => Ended::Finished,
                None => Ended::Aborted,
            }
        })
        .await
    }
}

impl Runtime for AsyncStd {
    const NAME: &'static str = "async-std";
    const CAPS: Caps = host::REAL
        .and(Caps::THREADS)
        .and(Caps::ABORT)
        .and(Caps::CANCEL_AWAIT);
    const SCALE: usize = host::SCALE;

    type Task = Handle;
    type Timer = AsyncStdTimer;

    fn put<T: Send + Sync + 'static>(self, value: T) -> &'static T {
        host::put(value)
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(self, future: F) -> Handle {
        Handle(task::spawn(future))
    }

    fn timer(self) -> AsyncStdTimer {
        AsyncStdTimer
    }

    fn relax(self) {
        std::thread::yield_now();
    }

    async fn interrupted<F: Future<Output = ()> + Send + 'static>(self, how: Interrupt, victim: F) {
        let (victim, watch) = watch(victim);
        match how {
            Interrupt::Abort | Interrupt::CancelAwait => {
                let task = task::spawn(victim);
                watch.pending().await;
                assert_eq!(task.cancel().await, None, "the victim must wait");
            }
            Interrupt::SelectLoser => {
                task::spawn(async move { future::or(victim, watch.pending()).await }).await;
            }
            Interrupt::Timeout => {
                let timed = timeout(Duration::from_millis(1), victim);
                assert!(task::spawn(timed).await.is_err(), "the victim must wait");
            }
            Interrupt::TaskDrop | Interrupt::RuntimeShutdown => unreachable!("n/a on async-std"),
        }
    }
}
