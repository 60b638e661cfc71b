//! `Refresher::get_in_background`, step by step: the tasks are polled by hand, lost, and refused.

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
};

use ecluse_core::{
    NoAnswer, Refresher,
    refresh::{Breaker, Current, Minted, NoValue},
    runtime::{Spawn, SpawnError, Tally, TallyRef, Ticket},
};

use crate::{
    clock::Hand,
    kit::{Wakes, panic_of, poll, poll_with, ready},
    walks_refresh::{Cache, LIFE, POLICY, mint, now, value},
};

/// What a caller is given.
type Got = Result<Current<u32>, NoValue<&'static str>>;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps what is spawned, for the test to poll.
#[derive(Clone, Default)]
struct Bench(Arc<Mutex<Vec<Task>>>, Arc<AtomicU32>, Arc<AtomicUsize>);

const BUSY: u32 = 1;
const CLOSED: u32 = 2;

impl Bench {
    fn refuse(&self, how: u32) {
        self.1.store(how, Ordering::Relaxed);
    }

    fn tasks(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// How often it was asked.
    fn asked(&self) -> usize {
        self.2.load(Ordering::Relaxed)
    }

    fn run(&self) -> Poll<()> {
        let mut task = self.0.lock().unwrap().remove(0);
        let polled = poll(task.as_mut());
        if polled.is_pending() {
            self.0.lock().unwrap().insert(0, task);
        }
        polled
    }

    /// The runtime is gone, and its tasks with it.
    fn shut_down(&self) {
        let tasks = std::mem::take(&mut *self.0.lock().unwrap());
        drop(tasks);
    }
}

impl<F: Future<Output = ()> + Send + 'static, R: TallyRef + Send + 'static> Spawn<F, R> for Bench {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<(), SpawnError<F>> {
        self.2.fetch_add(1, Ordering::Relaxed);
        match self.1.load(Ordering::Relaxed) {
            BUSY => Err(SpawnError::Busy(ticket.into_inner().unwrap())),
            CLOSED => {
                drop(ticket);
                Err(SpawnError::Closed(None))
            }
            _ => {
                self.0.lock().unwrap().push(Box::pin(ticket));
                Ok(())
            }
        }
    }
}

/// A gate for tasks that cross threads.
#[derive(Clone, Default)]
struct Gate(Arc<AtomicU32>);

impl Gate {
    fn open(&self, value: u32) {
        self.0.store(value, Ordering::Relaxed);
    }

    async fn passed(self) -> u32 {
        std::future::poll_fn(|_| match self.0.load(Ordering::Relaxed) {
            0 => Poll::Pending,
            value => Poll::Ready(value),
        })
        .await
    }
}

struct Place {
    clock: Hand,
    cache: Arc<Cache>,
    bench: Bench,
    tally: Arc<Tally>,
}

impl Place {
    fn new() -> Self {
        let clock = Hand::default();
        Self {
            clock: clock.clone(),
            cache: Arc::new(Refresher::new(clock, POLICY)),
            bench: Bench::default(),
            tally: Arc::default(),
        }
    }

    fn get<M, F>(&self, make: M) -> impl Future<Output = Got> + Send + use<M, F>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<Minted<u32>, &'static str>> + Send + 'static,
    {
        Refresher::get_in_background(&self.cache, self.bench.clone(), self.tally.clone(), make)
    }

    fn gated(&self, gate: &Gate) -> Pin<Box<dyn Future<Output = Got> + Send>> {
        let gate = gate.clone();
        Box::pin(self.get(move || async move {
            let value = gate.passed().await;
            mint(value).await
        }))
    }

    /// With a value that is due.
    fn due() -> Self {
        let place = Self::new();
        assert_eq!(value(now(place.cache.get(|| mint(1)))), 1);
        place.clock.advance(95);
        place
    }
}

async fn unneeded() -> Result<Minted<u32>, &'static str> {
    unreachable!("nobody should mint")
}

async fn fails() -> Result<Minted<u32>, &'static str> {
    Err("no")
}

#[test]
fn a_due_value_is_served_to_all_while_one_task_refreshes_it() {
    let place = Place::due();
    let gate = Gate::default();
    assert_eq!(value(now(place.gated(&gate))), 1);
    assert_eq!((place.bench.tasks(), place.tally.live()), (1, 1));
    assert_eq!(value(now(place.get(unneeded))), 1);
    assert!(place.bench.run().is_pending());
    assert_eq!(value(now(place.get(unneeded))), 1);
    assert_eq!((place.bench.tasks(), place.bench.asked()), (1, 1));
    gate.open(2);
    assert!(place.bench.run().is_ready());
    assert_eq!(value(now(place.get(unneeded))), 2);
    assert_eq!((place.tally.live(), place.tally.lost()), (0, 0));
}

#[test]
fn a_client_time_out_does_not_end_the_load() {
    let place = Place::new();
    let gate = Gate::default();
    let mut first = place.gated(&gate);
    assert!(poll(first.as_mut()).is_pending());
    assert!(place.bench.run().is_pending());
    drop(first);
    gate.open(2);
    assert!(place.bench.run().is_ready());
    assert_eq!(value(now(place.get(unneeded))), 2);
}

#[test]
fn a_task_whose_runtime_is_gone_is_spawned_anew_by_one_who_waits() {
    let place = Place::new();
    let (gone, gate) = (Gate::default(), Gate::default());
    let mut first = place.gated(&gone);
    assert!(poll(first.as_mut()).is_pending());
    let (wakes, waker) = Wakes::new();
    let mut second = place.gated(&gate);
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    place.bench.shut_down();
    // The one that had spawned it has nothing to spawn any more.
    assert_eq!(
        ready(poll(first.as_mut())).unwrap_err(),
        NoValue::NoRun(NoAnswer::Abandoned { by_panic: false })
    );
    assert_eq!(wakes.count(), 1);
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    gate.open(2);
    assert!(place.bench.run().is_ready());
    assert_eq!(value(ready(poll(second.as_mut()))), 2);
    // A lost task is no failure.
    assert_eq!(place.cache.snapshot().failures, 0);
}

#[test]
fn a_lost_early_task_leaves_the_value_and_the_next_spawns() {
    let place = Place::due();
    assert_eq!(value(now(place.get(pending))), 1);
    place.bench.shut_down();
    assert!(!place.cache.snapshot().refreshing);
    assert_eq!(value(now(place.get(|| mint(2)))), 1);
    assert!(place.bench.run().is_ready());
    assert_eq!(value(now(place.get(unneeded))), 2);
}

#[test]
fn an_early_refresh_that_a_busy_pool_refuses_runs_in_its_caller_to_the_end() {
    let place = Place::due();
    place.bench.refuse(BUSY);
    let gate = Gate::default();
    let mut caller = place.gated(&gate);
    // It would be begun and cancelled by each who asks.
    assert!(poll(caller.as_mut()).is_pending());
    assert!(place.cache.snapshot().refreshing);
    assert_eq!(value(now(place.get(unneeded))), 1);
    gate.open(2);
    assert_eq!(value(ready(poll(caller.as_mut()))), 2);
    assert_eq!(
        (place.bench.asked(), place.cache.snapshot().successes),
        (1, 2)
    );
}

#[test]
fn a_runtime_that_swallows_tasks_is_told_apart_once_the_value_is_gone() {
    let place = Place::due();
    place.bench.refuse(CLOSED);
    assert_eq!(value(now(place.get(unneeded))), 1);
    place.clock.advance(5);
    assert_eq!(
        now(place.get(unneeded)).unwrap_err(),
        NoValue::NoRun(NoAnswer::NotSpawned)
    );
    assert!(!place.cache.snapshot().refreshing);
    // In line it goes on.
    assert_eq!(value(now(place.cache.get(|| mint(2)))), 2);
}

#[test]
fn a_failed_early_task_destroys_nothing_and_pauses_all() {
    let place = Place::due();
    assert_eq!(value(now(place.get(fails))), 1);
    assert!(place.bench.run().is_ready());
    assert_eq!(value(now(place.get(unneeded))), 1);
    assert_eq!((place.bench.asked(), place.bench.tasks()), (1, 0));
    assert_eq!(place.cache.snapshot().failures, 1);
}

#[test]
fn while_the_breaker_is_open_nothing_is_spawned() {
    let place = Place::new();
    for _ in 0..3 {
        let mut caller = Box::pin(place.get(fails));
        assert!(poll(caller.as_mut()).is_pending());
        assert!(place.bench.run().is_ready());
        assert_eq!(
            ready(poll(caller.as_mut())).unwrap_err(),
            NoValue::Failed("no")
        );
    }
    assert_eq!(now(place.get(unneeded)).unwrap_err(), NoValue::Open);
    assert_eq!(place.bench.asked(), 3);
    place.clock.advance(100);
    // The probe is a task; lost, it is no failure and no lock-out.
    let mut probe = Box::pin(place.get(pending));
    assert!(poll(probe.as_mut()).is_pending());
    place.bench.shut_down();
    assert!(ready(poll(probe.as_mut())).is_err());
    assert_eq!(place.cache.snapshot().breaker, Breaker::HalfOpen);
    let mut probe = Box::pin(place.get(|| mint(1)));
    assert!(poll(probe.as_mut()).is_pending());
    assert!(place.bench.run().is_ready());
    assert_eq!(value(ready(poll(probe.as_mut()))), 1);
    assert_eq!(place.cache.snapshot().breaker, Breaker::Closed);
}

#[test]
fn a_follower_of_a_task_decides_by_the_clock_after_its_wait() {
    let place = Place::new();
    let (gate, again) = (Gate::default(), Gate::default());
    let mut first = place.gated(&gate);
    assert!(poll(first.as_mut()).is_pending());
    let mut late = place.gated(&again);
    assert!(poll(late.as_mut()).is_pending());
    gate.open(1);
    assert!(place.bench.run().is_ready());
    assert_eq!(value(ready(poll(first.as_mut()))), 1);
    place
        .clock
        .advance(u64::try_from(LIFE.as_millis()).unwrap());
    // What it waited for has expired: it spawns its own.
    assert!(poll(late.as_mut()).is_pending());
    again.open(2);
    assert!(place.bench.run().is_ready());
    assert_eq!(value(ready(poll(late.as_mut()))), 2);
}

#[test]
fn who_spawned_a_task_and_comes_too_late_for_its_value_spawns_no_other() {
    let place = Place::new();
    let mut caller = Box::pin(place.get(|| mint(1)));
    assert!(poll(caller.as_mut()).is_pending());
    assert!(place.bench.run().is_ready());
    place
        .clock
        .advance(u64::try_from(LIFE.as_millis()).unwrap());
    assert_eq!(ready(poll(caller.as_mut())).unwrap_err(), NoValue::Expired);
    assert_eq!(place.bench.asked(), 1);
}

#[test]
fn a_mint_that_panics_in_its_task_is_told_to_those_who_wait() {
    let place = Place::new();
    let mut caller = Box::pin(place.get(|| async { panic!("in the mint") }));
    assert!(poll(caller.as_mut()).is_pending());
    assert_eq!(panic_of(|| place.bench.run()), "in the mint");
    assert_eq!(
        ready(poll(caller.as_mut())).unwrap_err(),
        NoValue::NoRun(NoAnswer::Abandoned { by_panic: true })
    );
    assert_eq!(value(now(place.cache.get(|| mint(2)))), 2);
}

#[test]
fn a_call_crosses_threads() {
    let place = Place::new();
    let call = place.get(|| mint(1));
    let task = place.bench.clone();
    let caller = std::thread::spawn(move || {
        let mut call = Box::pin(call);
        assert!(poll_with(call.as_mut(), Waker::noop()).is_pending());
        assert!(task.run().is_ready());
        value(ready(poll(call.as_mut())))
    });
    assert_eq!(caller.join().unwrap(), 1);
}
