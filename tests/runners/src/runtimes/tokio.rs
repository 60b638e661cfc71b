//! tokio, current-thread and multi-thread; each case has a runtime of its own.

use std::future::Future;
use std::time::Duration;

use ::tokio::runtime::{Builder, Runtime as Tokio};
use ::tokio::sync::oneshot;
use ::tokio::task::{JoinError, JoinHandle};
use ::tokio::time;
use ecluse_conformance::{Caps, Case, Ended, Interrupt, Runtime, Task, Verdict};
use ecluse_tokio::TokioTimer;

use crate::column::{self, Suite};
use crate::host::{self, watch};

/// A handle to the runtime that the caller is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flavour<const THREADS: usize>;

/// The current-thread runtime.
pub(crate) type CurrentThread = Flavour<0>;

/// The multi-thread runtime, four workers also where there are fewer processors: more interleavings.
pub(crate) type MultiThread = Flavour<4>;

pub(crate) fn run_on_current_thread(suite: Suite, case: &'static Case) -> Verdict {
    run::<0>(suite, case)
}

pub(crate) fn run_on_threads(suite: Suite, case: &'static Case) -> Verdict {
    run::<4>(suite, case)
}

fn run<const THREADS: usize>(suite: Suite, case: &'static Case) -> Verdict {
    build::<THREADS>().block_on(column::case(Flavour::<THREADS>, suite, case))
}

fn build<const THREADS: usize>() -> Tokio {
    let mut builder = match THREADS {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if THREADS > 0 {
        builder.worker_threads(THREADS);
    }
    builder.enable_time().build().expect("a tokio runtime")
}

/// A spawned task.
#[derive(Debug)]
pub(crate) struct Handle(JoinHandle<()>);

fn ended(joined: Result<(), JoinError>) -> Ended {
    match joined.map_err(JoinError::try_into_panic) {
        Ok(()) => Ended::Finished,
        Err(Ok(payload)) => {
            host::discard(payload);
            Ended::Panicked
        }
        Err(Err(_)) => Ended::Aborted,
    }
}

impl Task for Handle {
    async fn join(self) -> Ended {
        ended(self.0.await)
    }

    async fn abort(self) -> Ended {
        self.0.abort();
        ended(self.0.await)
    }
}

impl<const THREADS: usize> Runtime for Flavour<THREADS> {
    const NAME: &'static str = if THREADS == 0 { "tokio-ct" } else { "tokio-mt" };
    const CAPS: Caps = {
        let caps = host::REAL.and(Caps::ABORT).and(Caps::SHUTDOWN);
        if THREADS == 0 {
            caps
        } else {
            caps.and(Caps::THREADS)
        }
    };
    const SCALE: usize = host::SCALE;

    type Task = Handle;
    type Timer = TokioTimer;

    fn put<T: Send + Sync + 'static>(self, value: T) -> &'static T {
        host::put(value)
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(self, future: F) -> Handle {
        Handle(::tokio::spawn(future))
    }

    fn timer(self) -> TokioTimer {
        TokioTimer
    }

    fn relax(self) {
        std::thread::yield_now();
    }

    async fn interrupted<F: Future<Output = ()> + Send + 'static>(self, how: Interrupt, victim: F) {
        let (victim, watch) = watch(victim);
        let finished = match how {
            Interrupt::Abort => {
                let task = ::tokio::spawn(victim);
                watch.pending().await;
                task.abort();
                task.await.is_ok()
            }
            Interrupt::SelectLoser => {
                let selecting = async move {
                    ::tokio::select! {
                        biased;
                        () = victim => {}
                        () = watch.pending() => {}
                    }
                };
                return ::tokio::spawn(selecting).await.expect("selects");
            }
            Interrupt::Timeout => {
                let timed = time::timeout(Duration::from_millis(1), victim);
                ::tokio::spawn(timed).await.expect("times out").is_ok()
            }
            Interrupt::RuntimeShutdown => {
                let (tell, told) = oneshot::channel::<()>();
                let other = std::thread::spawn(move || {
                    let runtime = build::<THREADS>();
                    drop(runtime.spawn(victim));
                    runtime.block_on(watch.pending());
                    drop(runtime);
                    drop(tell);
                });
                // Resolves, by an error, when the other runtime is gone.
                let _ = told.await;
                return other.join().expect("the other runtime shuts down");
            }
            Interrupt::TaskDrop | Interrupt::CancelAwait => unreachable!("n/a on tokio"),
        };
        assert!(!finished, "the victim must wait when it is interrupted");
    }
}
