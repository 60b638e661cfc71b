//! Tasks of tokio.
//!
//! Invariants:
//! - An abort handle that is dropped does nothing.
//! - When `spawn` says [`SpawnError::Closed`], the ticket has been dropped or given back: its tally
//!   no longer counts it.

use core::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use ecluse_core::runtime::{Abort, Spawn, SpawnError, TallyRef, Ticket};
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinHandle, coop},
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
