//! Tasks of tokio.
//!
//! Invariants:
//! - An abort handle that is dropped does nothing.
//! - When `spawn` says [`SpawnError::Closed`], the ticket has been dropped or given back: its tally
//!   no longer counts it.

use core::{
    future::Future,
    ops::Deref,
    pin::pin,
    task::{Context, Poll, Waker},
};

use ecluse_core::{
    Cx, Lock,
    cancel::Cancelled,
    runtime::{Abort, Spawn, SpawnError, TallyRef, Ticket},
};
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinError, JoinHandle, LocalSet, coop},
};

/// Spawns on a runtime of tokio: the current one, or a given one.
///
/// ```
/// use std::sync::Arc;
/// use ecluse_tokio::{TokioSpawn, runtime::{Spawn, Tally}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let tally: Arc<Tally> = Arc::default();
/// TokioSpawn::current().spawn(Tally::ticket_owned(&tally, async { /* … */ })).unwrap();
/// tally.joined().await;
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct TokioSpawn {
    handle: Option<Handle>,
}

impl TokioSpawn {
    /// Spawns on the runtime that the spawning call is made in; outside of any, the future is given
    /// back with [`SpawnError::Closed`].
    #[must_use]
    pub const fn current() -> Self {
        Self { handle: None }
    }

    /// Spawns on the runtime of `handle`, from anywhere.
    #[must_use]
    pub const fn on(handle: Handle) -> Self {
        Self {
            handle: Some(handle),
        }
    }
}

impl From<Handle> for TokioSpawn {
    fn from(handle: Handle) -> Self {
        Self::on(handle)
    }
}

impl<F, R> Spawn<F, R> for TokioSpawn
where
    R: TallyRef,
    Ticket<F, R>: Future<Output = ()> + Send + 'static,
{
    type Abort = TokioAbort;

    /// # Errors
    /// [`SpawnError::Closed`] with the future outside of a runtime; without it if the runtime was
    /// shut down, which tokio tells only after it has dropped what it was given. (If the shutdown
    /// begins in the same moment, the task may count as spawned; it is dropped with all others.)
    fn spawn(&self, ticket: Ticket<F, R>) -> Result<TokioAbort, SpawnError<F>> {
        let current;
        let handle = match &self.handle {
            Some(handle) => handle,
            None => match Handle::try_current() {
                Ok(handle) => {
                    current = handle;
                    &current
                }
                Err(_) => return Err(SpawnError::Closed(ticket.into_inner())),
            },
        };
        let task = handle.spawn(ticket);
        let abort = task.abort_handle();
        if refused(task) {
            return Err(SpawnError::Closed(None));
        }
        Ok(TokioAbort(abort))
    }
}

/// Spawns on a [`LocalSet`], on its thread, what need not be `Send`: `TokioSpawnLocal(&set)`,
/// `TokioSpawnLocal(Rc::clone(&set))`.
///
/// Its tasks run while somebody runs the set, and are dropped with it. Spawning does not fail:
/// whoever spawns keeps the set alive.
///
/// ```
/// use std::rc::Rc;
/// use ecluse_tokio::{SharedScope, TokioSpawnLocal};
/// use tokio::task::LocalSet;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (set, seen) = (LocalSet::new(), Rc::new(7)); // an `Rc` stays on its thread
/// let scope: SharedScope = SharedScope::new();
/// scope.spawn(&TokioSpawnLocal(&set), |_| async move { assert_eq!(*seen, 7) }).unwrap();
/// set.run_until(scope.joined()).await;
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokioSpawnLocal<S>(pub S);

impl<S, F, R> Spawn<F, R> for TokioSpawnLocal<S>
where
    S: Deref<Target = LocalSet>,
    R: TallyRef,
    Ticket<F, R>: Future<Output = ()> + 'static,
{
    type Abort = TokioAbort;

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<TokioAbort, SpawnError<F>> {
        Ok(TokioAbort(self.0.spawn_local(ticket).abort_handle()))
    }
}

/// Whether the task was dropped unrun: nobody could have aborted it yet but its runtime.
fn refused(task: JoinHandle<()>) -> bool {
    // The first look costs no waker; and one that polls must not depend on the caller's budget.
    task.is_finished()
        && matches!(
            pin!(coop::unconstrained(task)).poll(&mut Context::from_waker(Waker::noop())),
            Poll::Ready(Err(error)) if error.is_cancelled()
        )
}

/// Aborts a task of tokio: its future is dropped at its next await, or at once if it is idle.
#[derive(Clone, Debug)]
pub struct TokioAbort(AbortHandle);

impl Abort for TokioAbort {
    fn abort(self) {
        self.0.abort();
    }
}

impl From<TokioAbort> for AbortHandle {
    fn from(abort: TokioAbort) -> Self {
        abort.0
    }
}

/// Joins a task of tokio that was spawned by other means than a ticket, under a scope: if the scope
/// is cancelled, the task is aborted, and its future has been dropped when this is ready. A task
/// that had ended gives its output. (One of `spawn_blocking` that has begun cannot be aborted; its
/// end is waited for.)
///
/// ```
/// use ecluse_tokio::{Root, cancel::Kind, under};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let root = <Root>::new();
/// let ended = under(root.cx(), tokio::spawn(async { 7 })).await;
/// assert_eq!(ended.unwrap().unwrap(), 7);
/// root.cancel(Kind::Shutdown);
/// let task = tokio::spawn(core::future::pending::<()>());
/// assert!(under(root.cx(), task).await.is_err());
/// # }
/// ```
///
/// # Cancellation
/// Dropping it aborts the task.
///
/// # Errors
/// [`Cancelled`] if the scope was cancelled before the task had ended; within, what tokio says of a
/// task that panicked, or that somebody else aborted.
pub fn under<T, L: Lock>(
    cx: Cx<'_, L>,
    task: JoinHandle<T>,
) -> impl Future<Output = Result<Result<T, JoinError>, Cancelled>> {
    // Here, so that it is aborted, too, if this is dropped unpolled.
    let mut task = Aborted(task);
    async move {
        match cx.guard(&mut task.0).await {
            Ok(ended) => Ok(ended),
            Err(cancelled) => {
                task.0.abort();
                match (&mut task.0).await {
                    Err(error) if error.is_cancelled() => Err(cancelled),
                    ended => Ok(ended),
                }
            }
        }
    }
}

/// A task that is aborted if this is dropped before it has ended.
struct Aborted<T>(JoinHandle<T>);

impl<T> Drop for Aborted<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
