//! Tasks of smol.
//!
//! Invariant: a [`SmolAbort`] that is dropped does nothing. (A `smol::Task` that is dropped cancels
//! its task; so the handle is taken out by `abort`, and detached by a drop.)

use core::{future::Future, ops::Deref};

use ecluse_core::{
    Cx, Lock,
    cancel::Cancelled,
    runtime::{Abort, Spawn, SpawnError, TallyRef, Ticket},
};
use smol::{Executor, LocalExecutor, Task};

/// Spawns on smol's global executor, which never shuts down: spawning does not fail.
///
/// ```
/// use std::sync::Arc;
/// use ecluse_smol::{SmolSpawn, runtime::{Spawn, Tally}};
///
/// smol::block_on(async {
///     let tally: Arc<Tally> = Arc::default();
///     SmolSpawn.spawn(Tally::ticket_owned(&tally, async { /* … */ })).unwrap();
///     tally.joined().await;
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SmolSpawn;

impl<F, R> Spawn<F, R> for SmolSpawn
where
    R: TallyRef,
    Ticket<F, R>: Future<Output = ()> + Send + 'static,
{
    type Abort = SmolAbort;

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<SmolAbort, SpawnError<F>> {
        Ok(SmolAbort::new(smol::spawn(ticket)))
    }
}

/// Spawns on an executor of one's own: `SmolSpawnOn(&EXECUTOR)`, `SmolSpawnOn(Arc::clone(&executor))`.
///
/// Its tasks run while somebody runs the executor, and are dropped with it. Spawning does not fail:
/// whoever spawns keeps the executor alive.
#[derive(Clone, Copy, Debug)]
pub struct SmolSpawnOn<E>(pub E);

impl<'a, E, F, R> Spawn<F, R> for SmolSpawnOn<E>
where
    E: Deref<Target = Executor<'a>>,
    R: TallyRef,
    Ticket<F, R>: Future<Output = ()> + Send + 'a,
{
    type Abort = SmolAbort;

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<SmolAbort, SpawnError<F>> {
        Ok(SmolAbort::new(self.0.spawn(ticket)))
    }
}

/// [`SmolSpawnOn`] for a [`LocalExecutor`]: what it spawns stays on its thread and need not be `Send`.
///
/// ```
/// use std::rc::Rc;
/// use ecluse_smol::{SharedScope, SmolSpawnLocal};
/// use smol::LocalExecutor;
///
/// let (executor, seen) = (LocalExecutor::new(), Rc::new(7)); // an `Rc` stays on its thread
/// let scope: SharedScope = SharedScope::new();
/// scope.spawn(&SmolSpawnLocal(&executor), |_| async move { assert_eq!(*seen, 7) }).unwrap();
/// smol::block_on(executor.run(scope.joined()));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SmolSpawnLocal<E>(pub E);

impl<'a, E, F, R> Spawn<F, R> for SmolSpawnLocal<E>
where
    E: Deref<Target = LocalExecutor<'a>>,
    R: TallyRef,
    Ticket<F, R>: Future<Output = ()> + 'a,
{
    type Abort = SmolAbort;

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<SmolAbort, SpawnError<F>> {
        Ok(SmolAbort::new(self.0.spawn(ticket)))
    }
}

/// Aborts a task of smol: its future is dropped by the executor, which is woken for that, or at the
/// end of the poll that is under way.
#[derive(Debug)]
pub struct SmolAbort(Option<Task<()>>);

impl SmolAbort {
    const fn new(task: Task<()>) -> Self {
        Self(Some(task))
    }
}

impl Abort for SmolAbort {
    fn abort(mut self) {
        drop(self.0.take());
    }
}

impl Drop for SmolAbort {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}

/// Joins a task of smol that was spawned by other means than a ticket, under a scope: if the scope
/// is cancelled, so is the task (`Task::cancel`), and its future has been dropped when this is
/// ready. A task that had ended gives its output.
///
/// ```
/// use ecluse_smol::{Root, cancel::Kind, under};
///
/// smol::block_on(async {
///     let root = <Root>::new();
///     assert_eq!(under(root.cx(), smol::spawn(async { 7 })).await, Ok(7));
///     root.cancel(Kind::Shutdown);
///     let task = smol::spawn(smol::future::pending::<()>());
///     assert!(under(root.cx(), task).await.is_err());
/// });
/// ```
///
/// # Cancellation
/// Dropping it cancels the task, as dropping a `Task` does.
///
/// # Errors
/// [`Cancelled`] if the scope was cancelled before the task had ended.
///
/// # Panics
/// If the task panicked, with its panic.
pub async fn under<T, L: Lock>(cx: Cx<'_, L>, mut task: Task<T>) -> Result<T, Cancelled> {
    match cx.guard(&mut task).await {
        Ok(value) => Ok(value),
        Err(cancelled) => task.cancel().await.ok_or(cancelled),
    }
}
