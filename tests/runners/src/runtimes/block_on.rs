//! No runtime: one thread that polls whoever was woken, from `tests/block-on`, an adapter shown by doing it.

use std::future::{Future, pending};
use std::thread;
use std::time::Duration;

use ::smol::future::or;
use ecluse_block_on::runtime::{Abort as _, Clock as _, Spawn as _, Tally, Timer as _};
use ecluse_block_on::{Handle as Spawner, TaskAbort, ThreadTimer};
use ecluse_conformance::{Caps, Case, Ended, Interrupt, Runtime, Task, Verdict};

use crate::column::{self, Suite};
use crate::host::{self, Joining, joined, watch};

/// The case's thread, and the count of its tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockOn(&'static (Spawner, Tally));

pub(crate) fn run(suite: Suite, case: &'static Case) -> Verdict {
    let mut runtime = ecluse_block_on::Runtime::new();
    let rt = BlockOn(host::put((runtime.handle(), Tally::new())));
    runtime.block_on(column::case(rt, suite, case))
}

/// A spawned task.
#[derive(Debug)]
pub(crate) struct Handle(TaskAbort, Joining);

impl Task for Handle {
    async fn join(self) -> Ended {
        self.1.await
    }

    async fn abort(self) -> Ended {
        self.0.abort();
        self.1.await
    }
}

impl Runtime for BlockOn {
    const NAME: &'static str = "block-on";
    const CAPS: Caps = host::REAL.and(Caps::ABORT).and(Caps::SHUTDOWN);
    const SCALE: usize = host::SCALE;

    type Task = Handle;
    type Timer = ThreadTimer;

    fn put<T: Send + Sync + 'static>(self, value: T) -> &'static T {
        host::put(value)
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(self, future: F) -> Handle {
        let (future, joining) = joined(future);
        let (spawner, tally) = self.0;
        let abort = spawner.spawn(tally.ticket(future));
        Handle(abort.expect("the case's thread is there"), joining)
    }

    fn timer(self) -> ThreadTimer {
        ThreadTimer
    }

    fn relax(self) {
        thread::yield_now();
    }

    async fn interrupted<F: Future<Output = ()> + Send + 'static>(self, how: Interrupt, victim: F) {
        let (victim, watch) = watch(victim);
        let ended = match how {
            Interrupt::Abort => {
                let task = self.spawn(victim);
                watch.pending().await;
                assert_eq!(task.abort().await, Ended::Aborted);
                return;
            }
            Interrupt::SelectLoser => {
                let selecting = async move { or(victim, watch.pending()).await };
                self.spawn(selecting).join().await
            }
            Interrupt::Timeout => {
                let at = ThreadTimer.after(ThreadTimer.now(), Duration::from_millis(1));
                self.spawn(or(victim, ThreadTimer.sleep_until(at)))
                    .join()
                    .await
            }
            Interrupt::RuntimeShutdown => {
                let (gone, joining) = joined(pending());
                let other = thread::spawn(move || {
                    let mut runtime = ecluse_block_on::Runtime::new();
                    let tally: &'static Tally = host::put(Tally::new());
                    runtime
                        .handle()
                        .spawn(tally.ticket(victim))
                        .expect("it runs");
                    runtime.block_on(watch.pending());
                    drop(runtime);
                    drop(gone);
                });
                assert_eq!(joining.await, Ended::Aborted);
                return other.join().expect("the other runtime shuts down");
            }
            Interrupt::TaskDrop | Interrupt::CancelAwait => unreachable!("n/a without a runtime"),
        };
        assert_eq!(ended, Ended::Finished);
    }
}
