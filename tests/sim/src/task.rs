//! Tasks of the simulation and their handles.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use crate::run::Shared;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its future returned.
    Finished,
    /// Its future was dropped before it returned.
    Aborted,
    /// Its future panicked.
    Panicked,
}

/// A boxed future of a task.
pub(crate) type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task's place in the arena. It stays when the task has ended, so that numbers are never used twice.
#[derive(Default)]
pub(crate) struct Cell {
    pub(crate) name: String,
    /// Taken out while it is polled or dropped.
    pub(crate) future: Option<Boxed>,
    pub(crate) aborted: bool,
    pub(crate) ended: Option<Ended>,
    pub(crate) joiner: Option<Waker>,
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cell")
            .field("name", &self.name)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// The waker of task `id`; weak, since a waker kept in a future must not keep the simulation that owns the future.
pub(crate) struct TaskWaker {
    pub(crate) shared: Weak<Shared>,
    pub(crate) id: usize,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.make_ready(self.id);
        }
    }
}

/// A handle to a task; resolves to how the task ended, when its future is gone. Dropping the handle lets the task go on.
#[derive(Debug)]
pub struct Task {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: usize,
}

impl Task {
    /// Marks the task for its end: the next time the schedule chooses it, its future is dropped instead of polled.
    pub fn abort(&self) {
        let mut inner = self.shared.lock();
        let cell = &mut inner.tasks[self.id];
        if cell.ended.is_none() {
            cell.aborted = true;
            inner.ready(self.id);
        }
    }
}

impl Future for Task {
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let waker = cx.waker().clone();
        let mut inner = self.shared.lock();
        let cell = &mut inner.tasks[self.id];
        if let Some(ended) = cell.ended {
            return Poll::Ready(ended);
        }
        let replaced = cell.joiner.replace(waker);
        drop(inner);
        drop(replaced);
        Poll::Pending
    }
}
