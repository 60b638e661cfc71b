//! The run: choosing a ready task, polling it, moving the clock, noticing that nothing can happen any more.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::choices::Choices;
use crate::clock::{SimClock, Timers};
use crate::task::{Boxed, Cell, Ended, Task, TaskWaker};

/// The main future's place in the arena.
const MAIN: usize = 0;

/// What tasks, wakers and handles share.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) tasks: Vec<Cell>,
    pub(crate) timers: Timers,
    /// Ready tasks in the order in which they became so; none twice.
    ready: Vec<usize>,
    /// Who was chosen, step by step.
    schedule: Vec<u32>,
}

impl Inner {
    pub(crate) fn ready(&mut self, id: usize) {
        if self.tasks[id].ended.is_none() && !self.ready.contains(&id) {
            self.ready.push(id);
        }
    }
}

impl Shared {
    /// The lock; a panic of ours under it would be a bug of the simulator, not of a task.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn make_ready(&self, id: usize) {
        self.lock().ready(id);
    }
}

/// A run that cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// Nobody is ready and no timer is set, but the main future has not returned: the names of the tasks that wait.
    Deadlock(Vec<String>),
    /// The main future did not return within the number of steps allowed: the names of the tasks that live.
    Endless(Vec<String>),
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, who) = match self {
            Self::Deadlock(who) => ("deadlock: nobody can go on; waiting", who),
            Self::Endless(who) => ("out of steps; alive", who),
        };
        write!(f, "{what}: {}", who.join(", "))
    }
}

impl std::error::Error for Stuck {}

/// A simulation. Dropping it drops every future in it.
#[derive(Debug)]
pub struct Sim {
    shared: Arc<Shared>,
    choices: Choices,
    max_steps: usize,
}

impl Sim {
    /// A simulation whose schedule follows `choices`.
    #[must_use]
    pub fn new(choices: Choices) -> Self {
        let main = Cell {
            name: "main".into(),
            ..Cell::default()
        };
        Self {
            shared: Arc::new(Shared(Mutex::new(Inner {
                tasks: vec![main],
                timers: Timers::default(),
                ready: Vec::new(),
                schedule: Vec::new(),
            }))),
            choices,
            max_steps: 10_000_000,
        }
    }

    /// Allows `steps` polls before a run counts as endless.
    #[must_use]
    pub fn max_steps(mut self, steps: usize) -> Self {
        self.max_steps = steps;
        self
    }

    /// The handle that tasks are spawned with.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Runs `main` and the tasks until `main` returns.
    ///
    /// # Errors
    /// If the run is stuck.
    ///
    /// # Panics
    /// If `main` does.
    pub fn block_on<F: Future>(&mut self, main: F) -> Result<F::Output, Stuck> {
        let mut main = pin!(main);
        self.shared.make_ready(MAIN);
        for _ in 0..self.max_steps {
            let Some(id) = self.next() else {
                return Err(Stuck::Deadlock(self.alive()));
            };
            if id == MAIN {
                let waker = self.waker(MAIN);
                if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Ok(output);
                }
            } else {
                self.step(id);
            }
        }
        Err(Stuck::Endless(self.alive()))
    }

    /// Who was chosen so far, step by step: 0 is the main future, tasks are numbered as they were spawned.
    #[must_use]
    pub fn schedule(&self) -> Vec<u32> {
        self.shared.lock().schedule.clone()
    }

    /// Chooses among the ready tasks; lets time pass until there is one.
    fn next(&mut self) -> Option<usize> {
        loop {
            let mut inner = self.shared.lock();
            if !inner.ready.is_empty() {
                let chosen = self.choices.choose(inner.ready.len());
                let id = inner.ready.remove(chosen);
                inner
                    .schedule
                    .push(u32::try_from(id).expect("fewer than 2^32 tasks"));
                return Some(id);
            }
            let due = inner.timers.advance()?;
            drop(inner);
            due.into_iter().for_each(Waker::wake);
        }
    }

    fn waker(&self, id: usize) -> Waker {
        Waker::from(Arc::new(TaskWaker {
            shared: Arc::downgrade(&self.shared),
            id,
        }))
    }

    /// Polls a task once, or drops it if it was aborted.
    fn step(&self, id: usize) {
        let (future, aborted) = {
            let mut inner = self.shared.lock();
            let cell = &mut inner.tasks[id];
            (cell.future.take(), cell.aborted)
        };
        let Some(mut future) = future else { return };
        if aborted {
            return self.end(id, future, Ended::Aborted);
        }
        let waker = self.waker(id);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        match polled {
            Ok(Poll::Pending) => self.shared.lock().tasks[id].future = Some(future),
            Ok(Poll::Ready(())) => self.end(id, future, Ended::Finished),
            Err(payload) => {
                discard(payload);
                self.end(id, future, Ended::Panicked);
            }
        }
    }

    /// Drops a task's future; only then its joiner learns how it ended.
    fn end(&self, id: usize, future: Boxed, how: Ended) {
        let how = match catch_unwind(AssertUnwindSafe(|| drop(future))) {
            Ok(()) => how,
            Err(payload) => {
                discard(payload);
                Ended::Panicked
            }
        };
        let joiner = {
            let mut inner = self.shared.lock();
            inner.tasks[id].ended = Some(how);
            inner.ready.retain(|ready| *ready != id);
            inner.tasks[id].joiner.take()
        };
        if let Some(joiner) = joiner {
            joiner.wake();
        }
    }

    fn alive(&self) -> Vec<String> {
        let inner = self.shared.lock();
        let alive = inner.tasks.iter().filter(|cell| cell.ended.is_none());
        alive.map(|cell| cell.name.clone()).collect()
    }
}

/// A payload whose own drop panics must not take the simulator with it.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // A future's drop may spawn or wake: taken one by one, without the lock.
        let mut id = MAIN;
        loop {
            let future = {
                let mut inner = self.shared.lock();
                let Some(cell) = inner.tasks.get_mut(id) else {
                    break;
                };
                cell.future.take()
            };
            if let Some(future) = future {
                self.end(id, future, Ended::Aborted);
            }
            id += 1;
        }
    }
}

/// A handle to a simulation, for its tasks.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

impl Handle {
    /// Starts a task under the name `task<number>`.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Task {
        self.insert(None, Box::pin(future))
    }

    /// Starts a task under a name of its own, which a deadlock is reported with.
    pub fn spawn_named(
        &self,
        name: impl Into<String>,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Task {
        self.insert(Some(name.into()), Box::pin(future))
    }

    /// The virtual clock.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        SimClock(Arc::clone(&self.0))
    }

    fn insert(&self, name: Option<String>, future: Boxed) -> Task {
        let mut inner = self.0.lock();
        let id = inner.tasks.len();
        inner.tasks.push(Cell {
            name: name.unwrap_or_else(|| format!("task{id}")),
            future: Some(future),
            ..Cell::default()
        });
        inner.ready(id);
        Task {
            shared: Arc::clone(&self.0),
            id,
        }
    }
}
