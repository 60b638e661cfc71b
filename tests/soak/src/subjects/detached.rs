//! `run_detached`, of `Flight` and of `Group`: runs that are tasks, whose callers come and go.
//!
//! A run that is told to finish is the only one of its key, always. One that is not is cancelled as its
//! last caller leaves: it is dropped at its next poll, and the next run need not wait for that.

use std::sync::Arc;

use ecluse_core::{Flight, Group, runtime::Tally};

use super::{flights::Runs, queue::Queue};
use crate::subject::{Call, Dice, Faults, Subject, Work};

const KEYS: usize = 3;
/// The key whose runs are not told to finish.
const CANCELLED: usize = 0;

/// A table whose runs are tasks of the queue's.
pub(super) trait Detaching: Send + Sync + Sized + 'static {
    /// Whether there is one run, whatever the key.
    const ONE: bool;

    fn empty() -> Self;

    /// A call.
    fn run<'s>(this: &'s Arc<Self>, of: &'s Detached<Self>, key: usize, how: How) -> Call<'s>;

    /// True if no run is left in it.
    fn is_idle(&self) -> bool;
}

/// How a call is made.
#[derive(Clone, Copy)]
pub(super) struct How {
    work: Work,
    outlives: bool,
}

pub(super) struct Detached<D> {
    table: Arc<D>,
    tally: Arc<Tally>,
    queue: Queue,
    runs: Arc<Runs>,
}

macro_rules! detached {
    ($this:ident, $of:ident, $key:ident, $how:ident, $table:ident, $($by:expr)?) => {
        Box::pin(async move {
            let runs = Arc::clone(&$of.runs);
            let others = if $how.outlives { 0 } else { usize::MAX };
            let make = move || async move { runs.run_beside(others, $key, $how.work).await };
            let (queue, tally) = ($of.queue.clone(), Arc::clone(&$of.tally));
            let run = $table::run_detached($this, queue, tally, $($by,)? make);
            let answer = if $how.outlives {
                run.outlive().await
            } else {
                run.await
            };
            let wrong = answer.is_ok_and(|answer| answer.value != $key);
            $of.runs.faults.note_if(wrong, "another's result");
        })
    };
}

impl Detaching for Flight<usize> {
    const ONE: bool = true;

    fn empty() -> Self {
        Self::new()
    }

    fn run<'s>(this: &'s Arc<Self>, of: &'s Detached<Self>, _: usize, how: How) -> Call<'s> {
        let key = 0;
        detached!(this, of, key, how, Flight,)
    }

    fn is_idle(&self) -> bool {
        !self.is_running()
    }
}

impl Detaching for Group<usize, usize> {
    const ONE: bool = false;

    fn empty() -> Self {
        Self::new()
    }

    fn run<'s>(this: &'s Arc<Self>, of: &'s Detached<Self>, key: usize, how: How) -> Call<'s> {
        detached!(this, of, key, how, Group, key)
    }

    fn is_idle(&self) -> bool {
        self.is_empty()
    }
}

impl<D: Detaching> Subject for Detached<D> {
    fn new() -> Self {
        Self {
            table: Arc::new(D::empty()),
            tally: Arc::new(Tally::new()),
            queue: Queue::default(),
            runs: Arc::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        if let Some(task) = self.queue.take(dice) {
            return task;
        }
        let key = dice.below(KEYS);
        let how = How {
            work: dice.work(),
            outlives: key != CANCELLED || D::ONE,
        };
        D::run(&self.table, self, key, how)
    }

    fn finish(&self) {
        self.queue.shut_down();
    }

    fn check(&mut self) {
        self.runs.check();
        let left = self.tally.live() > 0 || !self.table.is_idle();
        self.runs.faults.note_if(left, "a task left");
    }

    fn faults(&self) -> &Faults {
        &self.runs.faults
    }
}
