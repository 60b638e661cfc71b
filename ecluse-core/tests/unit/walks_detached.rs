//! Detached flights, step by step: the tasks are polled by hand.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    task::Poll,
};

use ecluse_core::{
    Flight, NoAnswer,
    flight::Part,
    runtime::{Spawn, SpawnError, Tally, TallyRef, Ticket},
};
use futures_core::FusedFuture;

use crate::{
    kit::{Wakes, panic_of, poll, poll_with, ready},
    walks_flight::Gate,
};

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Keeps what is spawned, for the test to poll.
#[derive(Clone, Default)]
struct Bench {
    tasks: Rc<RefCell<Vec<Task>>>,
    refusal: Rc<Cell<Refusal>>,
}

#[derive(Clone, Copy, Default)]
enum Refusal {
    #[default]
    None,
    Busy,
    Closed,
}

impl Bench {
    fn run(&self) -> Poll<()> {
        let mut task = self.tasks.borrow_mut().remove(0);
        let polled = poll(task.as_mut());
        if polled.is_pending() {
            self.tasks.borrow_mut().insert(0, task);
        }
        polled
    }
}

impl<F: Future<Output = ()> + 'static, R: TallyRef + 'static> Spawn<F, R> for Bench {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<(), SpawnError<F>> {
        match self.refusal.get() {
            Refusal::None => self.tasks.borrow_mut().push(Box::pin(ticket)),
            Refusal::Busy => return Err(SpawnError::Busy(ticket.into_inner().unwrap())),
            Refusal::Closed => {
                drop(ticket);
                return Err(SpawnError::Closed(None));
            }
        }
        Ok(())
    }
}

struct Place {
    flight: Rc<Flight<u32>>,
    bench: Bench,
    tally: Rc<Tally>,
    gate: Gate,
}

impl Place {
    fn new() -> Self {
        Self {
            flight: Rc::default(),
            bench: Bench::default(),
            tally: Rc::default(),
            gate: Gate::default(),
        }
    }

    fn call(
        &self,
    ) -> impl FusedFuture<Output = Result<ecluse_core::Answer<u32>, NoAnswer>> + use<> {
        let gate = self.gate.clone();
        Flight::run_detached(
            &self.flight,
            self.bench.clone(),
            self.tally.clone(),
            move || gate.passed(),
        )
    }
}

#[test]
fn a_task_leads_and_all_callers_join() {
    let place = Place::new();
    let mut first = Box::pin(place.call());
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(
        (place.bench.tasks.borrow().len(), place.tally.live()),
        (1, 1)
    );
    let (wakes, waker) = Wakes::new();
    let mut second = pin!(place.call());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    assert!(place.bench.run().is_pending());
    // The one that started it goes; the run does not.
    drop(first);
    place.gate.open(4);
    assert!(place.bench.run().is_ready());
    assert_eq!(wakes.count(), 1);
    assert!(!second.is_terminated());
    let answer = ready(poll(second.as_mut())).unwrap();
    assert!(second.is_terminated());
    assert_eq!(
        (answer.value, answer.part, answer.joined),
        (4, Part::Joined, 2)
    );
    assert_eq!((place.tally.live(), place.tally.lost()), (0, 0));
    assert!(!place.flight.is_running());
}

#[test]
fn the_last_caller_who_leaves_dooms_the_run_and_nobody_joins_it() {
    let place = Place::new();
    for polled in [false, true] {
        let (mut one, mut two) = (Box::pin(place.call()), Box::pin(place.call()));
        assert!(poll(one.as_mut()).is_pending());
        assert!(poll(two.as_mut()).is_pending());
        let (wakes, waker) = Wakes::new();
        if polled {
            let mut task = place.bench.tasks.borrow_mut().remove(0);
            assert!(poll_with(task.as_mut(), &waker).is_pending());
            place.bench.tasks.borrow_mut().push(task);
        }
        drop(one);
        assert!(place.flight.is_running());
        drop(two);
        assert!(!place.flight.is_running());
        assert_eq!(wakes.count(), usize::from(polled));
        let mut newcomer = Box::pin(place.call());
        assert!(poll(newcomer.as_mut()).is_pending());
        assert_eq!(place.bench.tasks.borrow().len(), 2);
        assert!(place.bench.run().is_ready());
        assert_eq!(place.tally.live(), 1);
        assert!(place.flight.is_running());
        drop(newcomer);
        assert!(place.bench.run().is_ready());
        assert_eq!(place.tally.live(), 0);
        drop(waker);
        assert_eq!(std::sync::Arc::strong_count(&wakes), 1);
    }
}

#[test]
fn a_run_that_is_to_outlive_its_callers_finishes() {
    let place = Place::new();
    let done = Rc::new(Cell::new(false));
    let (gate, told) = (place.gate.clone(), done.clone());
    let mut call = Box::pin(
        Flight::run_detached(
            &place.flight,
            place.bench.clone(),
            place.tally.clone(),
            move || async move {
                let value = gate.passed().await;
                told.set(true);
                value
            },
        )
        .outlive(),
    );
    assert!(poll(call.as_mut()).is_pending());
    drop(call);
    assert!(place.bench.run().is_pending());
    let mut late = Box::pin(place.call());
    assert!(poll(late.as_mut()).is_pending());
    place.gate.open(1);
    assert!(place.bench.run().is_ready());
    assert!(done.get());
    assert_eq!(ready(poll(late.as_mut())).unwrap().value, 1);
}

#[test]
fn a_run_that_could_not_be_spawned_runs_in_its_caller() {
    let place = Place::new();
    place.bench.refusal.set(Refusal::Busy);
    let (mut one, mut two) = (Box::pin(place.call()), Box::pin(place.call()));
    assert!(poll(one.as_mut()).is_pending());
    assert!(poll(two.as_mut()).is_pending());
    assert_eq!(place.tally.live(), 0);
    place.gate.open(6);
    assert_eq!(ready(poll(one.as_mut())).unwrap().value, 6);
    assert_eq!(ready(poll(two.as_mut())).unwrap().value, 6);
    // Dropped half-way, it is succeeded.
    let place = Place::new();
    place.bench.refusal.set(Refusal::Busy);
    let (mut one, mut two) = (Box::pin(place.call()), Box::pin(place.call()));
    assert!(poll(one.as_mut()).is_pending());
    assert!(poll(two.as_mut()).is_pending());
    drop(one);
    place.gate.open(7);
    assert_eq!(ready(poll(two.as_mut())).unwrap().value, 7);
    assert!(!place.flight.is_running());
}

#[test]
fn where_the_runtime_is_gone_everybody_is_told() {
    let place = Place::new();
    let mut calls: Vec<_> = (0..3).map(|_| Box::pin(place.call())).collect();
    for call in &mut calls {
        assert!(poll(call.as_mut()).is_pending());
    }
    place.bench.refusal.set(Refusal::Closed);
    // Shut down with the task in it: one after another tries, and is told.
    place.bench.tasks.borrow_mut().clear();
    assert_eq!(place.tally.live(), 0);
    let told: Vec<_> = calls
        .iter_mut()
        .map(|call| ready(poll(call.as_mut())).unwrap_err())
        .collect();
    let lost = NoAnswer::Abandoned { by_panic: false };
    assert_eq!(told, [lost, NoAnswer::NotSpawned, NoAnswer::NotSpawned]);
    assert!(!place.flight.is_running());
}

#[test]
fn a_panic_of_a_detached_run_goes_on_in_its_task_and_the_next_spawns_anew() {
    let place = Place::new();
    let mut first = Box::pin(Flight::run_detached(
        &place.flight,
        place.bench.clone(),
        place.tally.clone(),
        || async { panic!("broken") },
    ));
    assert!(poll(first.as_mut()).is_pending());
    let mut second = Box::pin(place.call());
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(panic_of(|| place.bench.run()), "broken");
    // It was the first in the queue, and has nothing to spawn any more.
    assert_eq!(
        ready(poll(first.as_mut())).unwrap_err(),
        NoAnswer::Abandoned { by_panic: true }
    );
    assert!(poll(second.as_mut()).is_pending());
    place.gate.open(2);
    assert!(place.bench.run().is_ready());
    assert_eq!(ready(poll(second.as_mut())).unwrap().value, 2);
}

#[test]
fn a_panic_while_the_work_is_made_makes_the_next_lead() {
    let place = Place::new();
    let mut first = Box::pin(Flight::run_detached(
        &place.flight,
        place.bench.clone(),
        place.tally.clone(),
        || -> std::future::Pending<u32> { panic!("unmade") },
    ));
    assert_eq!(panic_of(|| poll(first.as_mut())), "unmade");
    assert!(!place.flight.is_running());
}
