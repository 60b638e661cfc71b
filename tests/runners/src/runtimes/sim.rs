//! The deterministic runtime: each case once for each of a few seeds; a failure names the seed that repeats it.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ecluse_conformance::{Caps, Case, Clock, Ended, Interrupt, Runtime, Task, Timer, Verdict};
use ecluse_sim::{Choices, Handle, Sim, SimClock, Sleep};

use crate::column::{self, Suite};
use crate::host::{self, watch};
use crate::panics;

static FIRST_SEED: AtomicU64 = AtomicU64::new(0);
static SEEDS: AtomicU64 = AtomicU64::new(8);

/// Which seeds to run.
pub(crate) fn set_seeds(first: u64, count: u64) {
    FIRST_SEED.store(first, Ordering::Relaxed);
    SEEDS.store(count.max(1), Ordering::Relaxed);
}

/// The case's simulation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimRuntime(&'static (Handle, SimClock));

pub(crate) fn run(suite: Suite, case: &'static Case) -> Verdict {
    let first = FIRST_SEED.load(Ordering::Relaxed);
    let last = first.saturating_add(SEEDS.load(Ordering::Relaxed) - 1);
    (first..=last)
        .map(|seed| run_seed(suite, case, seed))
        .reduce(same)
        .expect("at least one seed")
}

/// A trace must not depend on the schedule.
fn same(one: Verdict, other: Verdict) -> Verdict {
    if let (Verdict::Trace(_, one), Verdict::Trace(_, other)) = (one, other) {
        one.read(|one| other.read(|other| assert_eq!(one, other, "traces of two seeds")));
    }
    other
}

fn run_seed(suite: Suite, case: &'static Case, seed: u64) -> Verdict {
    let mut sim = Sim::new(Choices::from_seed(seed));
    let rt = SimRuntime(host::put((sim.handle(), sim.handle().clock())));
    let run = || match sim.block_on(column::case(rt, suite, case)) {
        Ok(verdict) => verdict,
        Err(stuck) => panic!("{stuck}"),
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
        panics::note(format!("--seed {seed}"));
        resume_unwind(payload)
    })
}

/// A spawned task.
#[derive(Debug)]
pub(crate) struct SimTask(ecluse_sim::Task);

impl Task for SimTask {
    async fn join(self) -> Ended {
        match self.0.await {
            ecluse_sim::Ended::Finished => Ended::Finished,
            ecluse_sim::Ended::Aborted => Ended::Aborted,
            ecluse_sim::Ended::Panicked => Ended::Panicked,
        }
    }

    async fn abort(self) -> Ended {
        self.0.abort();
        self.join().await
    }
}

/// The virtual clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimTimer(&'static SimClock);

impl Clock for SimTimer {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now()
    }

    fn after(&self, from: Duration, by: Duration) -> Duration {
        from.saturating_add(by)
    }
}

impl Timer for SimTimer {
    type Sleep = Sleep;

    fn sleep_until(&self, at: Duration) -> Sleep {
        self.0.sleep_until(at)
    }
}

impl Runtime for SimRuntime {
    const NAME: &'static str = "sim";
    const CAPS: Caps = host::HOST.and(Caps::ABORT).and(Caps::SHUTDOWN);
    const SCALE: usize = 100_000;
    const PATIENCE: usize = 1 << 16;

    type Task = SimTask;
    type Timer = SimTimer;

    fn put<T: Send + Sync + 'static>(self, value: T) -> &'static T {
        host::put(value)
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(self, future: F) -> SimTask {
        SimTask(self.0.0.spawn(future))
    }

    fn timer(self) -> SimTimer {
        SimTimer(&self.0.1)
    }

    async fn interrupted<F: Future<Output = ()> + Send + 'static>(self, how: Interrupt, victim: F) {
        let (victim, watch) = watch(victim);
        let (handle, clock) = self.0;
        match how {
            Interrupt::Abort => {
                let task = handle.spawn_named("victim", victim);
                watch.pending().await;
                task.abort();
                assert_eq!(task.await, ecluse_sim::Ended::Aborted);
            }
            Interrupt::SelectLoser => {
                let selecting = async move {
                    let _ = embassy_futures::select::select(victim, watch.pending()).await;
                };
                handle.spawn_named("select", selecting).await;
            }
            Interrupt::Timeout => {
                let sleep = clock.sleep_until(clock.now() + Duration::from_millis(1));
                let timing = async move {
                    let _ = embassy_futures::select::select(victim, sleep).await;
                };
                handle.spawn_named("time-out", timing).await;
            }
            Interrupt::RuntimeShutdown => {
                // A simulation in a simulation; neither blocks.
                let mut other = Sim::new(Choices::from_seed(0));
                drop(other.handle().spawn_named("victim", victim));
                other.block_on(watch.pending()).expect("the victim waits");
                drop(other);
            }
            Interrupt::TaskDrop | Interrupt::CancelAwait => unreachable!("n/a in the simulation"),
        }
    }
}
