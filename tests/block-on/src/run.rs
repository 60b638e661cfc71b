//! A runtime as small as it can be: one thread polls whoever was woken, in that order, and sleeps when nobody was.
//!
//! Invariants:
//! 1. All that is shared is under one lock. No future is polled or dropped, and no waker called or dropped, under it.
//! 2. A task is in the queue at most once; whoever is woken while it is polled is polled again.
//! 3. A task's future is gone, with its cell, before anybody can hear that its runtime has ended.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

pub(crate) type Boxed = Box<dyn Future<Output = ()> + Send>;

/// The queue's name for the future that `block_on` was called with.
const MAIN: u64 = 0;

/// One thread's tasks. They run while it is in [`block_on`](Runtime::block_on), and are dropped with it.
#[derive(Debug, Default)]
pub struct Runtime(Arc<Shared>);

/// Spawns on a [`Runtime`], from any thread.
#[derive(Clone, Debug)]
pub struct Handle(pub(crate) Arc<Shared>);

#[derive(Debug, Default)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    woken: Condvar,
}

#[derive(Default)]
struct Inner {
    tasks: HashMap<u64, Cell>,
    queue: VecDeque<u64>,
    /// Whether [`MAIN`] is in the queue.
    main_queued: bool,
    spawned: u64,
    closed: bool,
}

/// A task.
struct Cell {
    /// Its future and its waker, unless it is being polled.
    resting: Option<(Pin<Boxed>, Waker)>,
    queued: bool,
    aborted: bool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (tasks, queued) = (self.tasks.len(), self.queue.len());
        write!(f, "{tasks} tasks, {queued} queued")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new task, queued. Gives the future back if the runtime has ended.
    pub(crate) fn start<F>(self: &Arc<Self>, future: F) -> Result<u64, F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Allocated before the lock is taken, and given back if it was for nothing.
        let future = Box::new(future);
        let mut inner = self.lock();
        if inner.closed {
            drop(inner);
            return Err(*future);
        }
        inner.spawned += 1;
        let id = inner.spawned;
        let cell = Cell {
            resting: Some((Box::into_pin(future as Boxed), waker(self, id))),
            queued: true,
            aborted: false,
        };
        inner.tasks.insert(id, cell);
        inner.queue.push_back(id);
        drop(inner);
        self.woken.notify_one();
        Ok(id)
    }

    /// From now on the task's future is dropped where it would have been polled.
    pub(crate) fn abort(&self, id: u64) {
        if let Some(cell) = self.lock().tasks.get_mut(&id) {
            cell.aborted = true;
        }
        self.wake(id);
    }

    fn wake(&self, id: u64) {
        let mut inner = self.lock();
        let queued = match id {
            MAIN => &mut inner.main_queued,
            _ => match inner.tasks.get_mut(&id) {
                Some(cell) => &mut cell.queued,
                // It has ended.
                None => return,
            },
        };
        if !std::mem::replace(queued, true) {
            inner.queue.push_back(id);
            drop(inner);
            self.woken.notify_one();
        }
    }

    /// The next that was woken; sleeps until there is one.
    fn next(&self) -> u64 {
        let mut inner = self.lock();
        loop {
            if let Some(id) = inner.queue.pop_front() {
                if id == MAIN {
                    inner.main_queued = false;
                }
                return id;
            }
            let waited = self.woken.wait(inner);
            inner = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One poll of a task. A panic ends the task, and nobody else.
    fn turn(&self, id: u64) {
        let taken = self.lock().tasks.get_mut(&id).and_then(|cell| {
            // From here on a wake-up is for the next poll.
            cell.queued = false;
            Some((cell.aborted, cell.resting.take()?))
        });
        let Some((aborted, (mut future, waker))) = taken else {
            return;
        };
        let poll = || future.as_mut().poll(&mut Context::from_waker(&waker));
        let pending = !aborted && matches!(catch_unwind(AssertUnwindSafe(poll)), Ok(Poll::Pending));
        if pending {
            if let Some(cell) = self.lock().tasks.get_mut(&id) {
                cell.resting = Some((future, waker));
            }
        } else {
            end(future);
            self.lock().tasks.remove(&id);
        }
    }
}

/// Drops a future; a panic in that ends here, too, payload and all.
fn end(future: Pin<Boxed>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(future))) {
        std::mem::forget(payload);
    }
}

/// What wakes a task, or the main future.
struct Bell(Arc<Shared>, u64);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.wake(self.1);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake(self.1);
    }
}

fn waker(shared: &Arc<Shared>, id: u64) -> Waker {
    Arc::new(Bell(Arc::clone(shared), id)).into()
}

impl Runtime {
    /// A runtime without tasks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What spawns here.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.0))
    }

    /// Runs `main` to its end on this thread, and the tasks beside it.
    ///
    /// # Panics
    /// If `main` does, with its panic.
    pub fn block_on<F: Future>(&mut self, main: F) -> F::Output {
        let mut main = pin!(main);
        let waker = waker(&self.0, MAIN);
        self.0.wake(MAIN);
        loop {
            match self.0.next() {
                MAIN => {
                    let polled = main.as_mut().poll(&mut Context::from_waker(&waker));
                    if let Poll::Ready(output) = polled {
                        return output;
                    }
                }
                id => self.0.turn(id),
            }
        }
    }
}

/// Drops the tasks that are left.
impl Drop for Runtime {
    fn drop(&mut self) {
        let left = {
            let mut inner = self.0.lock();
            inner.closed = true;
            std::mem::take(&mut inner.tasks)
        };
        for (future, _waker) in left.into_values().filter_map(|cell| cell.resting) {
            end(future);
        }
    }
}
