//! The same bindings on async-std, for programs that have not left it yet.
//!
//! async-std is discontinued (RUSTSEC-2025-0052). It runs on the same reactor as smol, so its timer
//! *is* [`SmolTimer`](crate::SmolTimer), and all sugar of this crate works on it unchanged; what
//! differs is the executor.

use core::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
};

use async_std::task::JoinHandle;
use ecluse_core::{
    Cx, Lock,
    cancel::Cancelled,
    runtime::{Abort, Spawn, SpawnError, TallyRef, Ticket},
};

pub use crate::SmolTimer as AsyncStdTimer;

/// Spawns on async-std's executor, which never shuts down: spawning does not fail.
///
/// ```
/// use std::sync::Arc;
/// use ecluse_smol::{async_std::AsyncStdSpawn, runtime::{Spawn, Tally}};
///
/// async_std::task::block_on(async {
///     let tally: Arc<Tally> = Arc::default();
///     AsyncStdSpawn.spawn(Tally::ticket_owned(&tally, async { /* … */ })).unwrap();
///     tally.joined().await;
/// });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AsyncStdSpawn;

impl<F, R> Spawn<F, R> for AsyncStdSpawn
where
    R: TallyRef,
    Ticket<F, R>: Future<Output = ()> + Send + 'static,
{
    type Abort = AsyncStdAbort;

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<AsyncStdAbort, SpawnError<F>> {
        Ok(AsyncStdAbort(async_std::task::spawn(ticket)))
    }
}

/// Aborts a task of async-std: its future is dropped by the executor, which is woken for that, or
/// at the end of the poll that is under way. Dropping it does nothing, as with a `JoinHandle`.
#[derive(Debug)]
pub struct AsyncStdAbort(JoinHandle<()>);

impl Abort for AsyncStdAbort {
    fn abort(self) {
        // The rest of it waits for the end of the task, which is the tally's business.
        cancel(self.0);
    }
}

/// async-std cancels at the first poll of `cancel`.
fn cancel<T>(task: JoinHandle<T>) {
    let _ = pin!(task.cancel()).poll(&mut Context::from_waker(Waker::noop()));
}

/// Joins a task of async-std that was spawned by other means than a ticket, under a scope, as
/// [`under`](crate::under) joins one of smol.
///
/// # Cancellation
/// Dropping it cancels the task; dropping a `JoinHandle` would not.
///
/// # Errors
/// [`Cancelled`] if the scope was cancelled before the task had ended.
///
/// # Panics
/// If the task panicked, with its panic.
pub fn under<T, L: Lock>(
    cx: Cx<'_, L>,
    task: JoinHandle<T>,
) -> impl Future<Output = Result<T, Cancelled>> {
    // Here, so that it is cancelled, too, if this is dropped unpolled.
    let mut task = Owned(Some(task));
    async move {
        let ended = match &mut task.0 {
            Some(task) => cx.guard(task).await,
            None => unreachable!("nobody has taken it yet"),
        };
        match (ended, task.0.take()) {
            (Err(cancelled), Some(task)) => task.cancel().await.ok_or(cancelled),
            (ended, _) => ended,
        }
    }
}

/// A task that is cancelled if this is dropped with it.
struct Owned<T>(Option<JoinHandle<T>>);

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            cancel(task);
        }
    }
}
