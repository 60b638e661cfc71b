//! Detached leaders: the last caller who leaves, newcomers, landings, tasks that are lost; nobody ever joins a doomed run.
//!
//! Each thread polls with a waker of its own: two that share one would be one task.

use core::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Poll, Waker},
};
use std::sync::{Arc, Mutex};

use ecluse_core::{
    Answer, Flight, NoAnswer,
    flight::Part,
    runtime::{Spawn, SpawnError, Tally, Ticket},
};

use crate::kit::{Data, Wakes, models, poll, poll_with, ready, spawn};

models!(
    last_who_leaves_meets_newcomer,
    last_who_leaves_meets_landing,
    last_who_leaves_meets_a_poll_of_the_run,
    last_two_leave_at_once,
    last_who_leaves_meets_a_lost_run,
    newcomer_meets_landing,
    newcomer_meets_a_lost_run,
    heir_makes_its_work_after_the_lost_run,
    doomed_run_ends_beside_its_successor,
);

type Answered = Result<Answer<u32>, NoAnswer>;
type Call = Pin<Box<dyn Future<Output = Answered> + Send>>;
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A flight, what its runs touch, and the tasks that were spawned, oldest first.
struct Shared {
    flight: Arc<Flight<u32>>,
    tally: Arc<Tally>,
    /// Each run's own: runs that are doomed may overlap the next.
    data: [Data; 3],
    runs: AtomicUsize,
    // (Held for a moment, by nobody who meets loom meanwhile.)
    tasks: Mutex<Vec<Task>>,
}

/// Keeps what is spawned.
struct Keep(Arc<Shared>);

impl<F: Future<Output = ()> + Send + 'static> Spawn<F, Arc<Tally>> for Keep {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, Arc<Tally>>) -> Result<(), SpawnError<F>> {
        self.0.tasks.lock().unwrap().push(Box::pin(ticket));
        Ok(())
    }
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            flight: Arc::default(),
            tally: Arc::default(),
            data: [(); 3].map(|()| Data::new()),
            runs: AtomicUsize::new(0),
            tasks: Mutex::default(),
        })
    }

    /// A call whose run, if it begins one, is over at its second poll and gives its number.
    fn call(self: &Arc<Self>) -> Caller {
        let (shared, keep) = (self.clone(), Keep(self.clone()));
        let make = move || {
            let number = shared.runs.fetch_add(1, Ordering::SeqCst);
            let mut first = true;
            poll_fn(move |_| {
                shared.data[number].add();
                if core::mem::take(&mut first) {
                    return Poll::Pending;
                }
                Poll::Ready(number as u32 + 1)
            })
        };
        let call = Flight::run_detached(&self.flight, keep, self.tally.clone(), make);
        let (wakes, waker) = Wakes::new();
        Caller(Box::pin(call), wakes, waker)
    }

    fn task(&self) -> Task {
        self.tasks.lock().unwrap().remove(0)
    }

    /// Every task runs to its end, and nothing is left.
    fn settle(&self) {
        while !self.tasks.lock().unwrap().is_empty() {
            finish(self.task());
        }
        assert_eq!(self.tally.live(), 0);
        assert!(!self.flight.is_running());
    }
}

/// Polls to the end, three times at most.
fn finish(mut task: Task) {
    assert!(
        (0..3).any(|_| poll(task.as_mut()).is_ready()),
        "it does not end"
    );
}

/// A caller that is polled by hand, with its waker.
struct Caller(Call, Arc<Wakes>, Waker);

impl Caller {
    fn poll(&mut self) -> Poll<Answered> {
        poll_with(self.0.as_mut(), &self.2)
    }

    /// Polled once: it follows a run.
    fn follows(mut self) -> Self {
        assert!(self.poll().is_pending());
        self
    }

    #[track_caller]
    fn answer(&mut self) -> Answer<u32> {
        ready(self.poll()).unwrap()
    }
}

/// It joins and the run goes on, or it finds nothing and begins another.
fn last_who_leaves_meets_newcomer() {
    let shared = Shared::new();
    let first = shared.call().follows();
    let newcomer = shared.call();
    let thread = spawn(move || newcomer.follows());
    drop(first);
    let mut newcomer = thread.join().unwrap();
    assert!(shared.flight.is_running());
    let begun = shared.runs.load(Ordering::SeqCst) as u32;
    shared.settle();
    assert_eq!(newcomer.1.count(), 1);
    let answer = newcomer.answer();
    assert_eq!((answer.value, answer.part), (begun, Part::Joined));
    // A run that was doomed before it was polled has not begun.
    assert_eq!(shared.data[0].get(), if begun == 1 { 2 } else { 0 });
}

fn last_who_leaves_meets_landing() {
    let shared = Shared::new();
    let first = shared.call().follows();
    let mut task = shared.task();
    assert!(poll(task.as_mut()).is_pending());
    let thread = spawn(move || assert!(poll(task.as_mut()).is_ready(), "landed or doomed"));
    let wakes = first.1.clone();
    drop(first);
    thread.join().unwrap();
    assert_eq!(wakes.live(), 0);
    shared.settle();
}

/// It sees that it is doomed, or it is woken for it.
fn last_who_leaves_meets_a_poll_of_the_run() {
    let shared = Shared::new();
    let first = shared.call().follows();
    let mut task = shared.task();
    let (wakes, waker) = Wakes::new();
    let thread = spawn(move || {
        let polled = poll_with(task.as_mut(), &waker);
        (task, polled)
    });
    drop(first);
    let (mut task, polled) = thread.join().unwrap();
    if polled.is_pending() {
        assert_eq!(wakes.count(), 1);
        assert!(poll(task.as_mut()).is_ready());
    }
    assert!(shared.data[0].get() <= 1, "it does not run on");
    // (The ticket's own wait for a cancel.)
    drop(task);
    assert_eq!(wakes.live(), 0);
    shared.settle();
}

fn last_two_leave_at_once() {
    let shared = Shared::new();
    let callers = [(); 2].map(|()| shared.call().follows());
    let mut task = shared.task();
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(task.as_mut(), &waker).is_pending());
    let [one, two] = callers;
    let thread = spawn(move || drop(one));
    drop(two);
    thread.join().unwrap();
    assert!(!shared.flight.is_running());
    assert_eq!((wakes.count(), shared.runs.load(Ordering::SeqCst)), (1, 1));
    assert!(poll_with(task.as_mut(), &waker).is_ready());
    drop((task, waker));
    assert_eq!((wakes.live(), shared.data[0].get()), (0, 1));
    shared.settle();
}

/// Its runtime goes away at that moment: nobody is left to succeed, nothing is left at all.
fn last_who_leaves_meets_a_lost_run() {
    let shared = Shared::new();
    let first = shared.call().follows();
    let mut task = shared.task();
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(task.as_mut(), &waker).is_pending());
    drop(waker);
    let thread = spawn(move || drop(task));
    drop(first);
    thread.join().unwrap();
    assert_eq!(wakes.live(), 0);
    shared.settle();
}

fn newcomer_meets_landing() {
    let shared = Shared::new();
    let mut first = shared.call().follows();
    let mut task = shared.task();
    assert!(poll(task.as_mut()).is_pending());
    let mut newcomer = shared.call();
    let thread = spawn(move || {
        assert!(newcomer.poll().is_pending());
        newcomer
    });
    assert!(poll(task.as_mut()).is_ready());
    let mut newcomer = thread.join().unwrap();
    assert_eq!(first.answer().value, 1);
    let begun = shared.runs.load(Ordering::SeqCst) as u32;
    shared.settle();
    assert_eq!(newcomer.answer().value, begun);
}

/// The one who began it is told; whoever came meanwhile begins anew.
fn newcomer_meets_a_lost_run() {
    let shared = Shared::new();
    let mut first = shared.call().follows();
    let task = shared.task();
    let newcomer = shared.call();
    let thread = spawn(move || newcomer.follows());
    drop(task);
    let mut newcomer = thread.join().unwrap();
    let lost = NoAnswer::Abandoned { by_panic: false };
    assert_eq!(ready(first.poll()), Err(lost));
    if newcomer.1.count() > 0 {
        assert!(newcomer.poll().is_pending());
    }
    shared.settle();
    assert_eq!(newcomer.answer().value, 2);
}

/// An heir's own closure runs after the lost run's end. It is polled by hand: nothing but its node's
/// state says so.
fn heir_makes_its_work_after_the_lost_run() {
    let shared = Shared::new();
    let first = shared.call().follows();
    let mut task = shared.task();
    let ours = shared.clone();
    let make = move || {
        ours.data[0].add();
        core::future::ready(2)
    };
    let keep = Keep(shared.clone());
    let call = Flight::run_detached(&shared.flight, keep, shared.tally.clone(), make);
    let (wakes, waker) = Wakes::new();
    let heir = Caller(Box::pin(call), wakes, waker).follows();
    drop(first);
    let thread = spawn(move || {
        let mut heir = heir;
        assert!((0..2).all(|_| heir.poll().is_pending()));
        heir
    });
    assert!(poll(task.as_mut()).is_pending());
    drop(task);
    let mut heir = thread.join().unwrap();
    assert!(heir.poll().is_pending());
    shared.settle();
    assert_eq!(heir.answer().value, 2);
    assert_eq!(shared.data[0].get(), 2);
}

/// Identity: the doomed one takes nothing but itself.
fn doomed_run_ends_beside_its_successor() {
    let shared = Shared::new();
    let first = shared.call().follows();
    let doomed = shared.task();
    drop(first);
    let mut newcomer = shared.call();
    let thread = spawn(move || finish(doomed));
    assert!(newcomer.poll().is_pending());
    let mut late = shared.call().follows();
    thread.join().unwrap();
    assert!(shared.flight.is_running());
    shared.settle();
    assert_eq!((newcomer.answer().value, late.answer().value), (2, 2));
    assert_eq!((shared.data[0].get(), shared.data[1].get()), (0, 2));
}
