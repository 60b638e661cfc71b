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
use ecluse_core::runtime::{Abort, Spawn, SpawnError, TallyRef, Ticket};

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
        // async-std cancels at the first poll of `cancel`; the rest of it waits for the end of the
        // task, which is the tally's business.
        let cancel = pin!(self.0.cancel());
        let _ = cancel.poll(&mut Context::from_waker(Waker::noop()));
    }
}
