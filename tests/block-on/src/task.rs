//! Spawning, as the core asks for it.
//!
//! Invariants: an abort that is dropped does nothing; a refused future is given back.

use std::future::Future;
use std::sync::{Arc, Weak};

use ecluse_core::runtime::{Abort, Spawn, SpawnError, TallyRef, Ticket};

use crate::run::{Handle, Shared};

impl<F, R> Spawn<F, R> for Handle
where
    R: TallyRef,
    Ticket<F, R>: Future<Output = ()> + Send + 'static,
{
    type Abort = TaskAbort;

    /// # Errors
    /// [`SpawnError::Closed`] with the future, if the runtime has been dropped.
    fn spawn(&self, ticket: Ticket<F, R>) -> Result<TaskAbort, SpawnError<F>> {
        match self.0.start(ticket) {
            Ok(id) => Ok(TaskAbort(Arc::downgrade(&self.0), id)),
            // `into_inner` takes the ticket off its count.
            Err(ticket) => Err(SpawnError::Closed(ticket.into_inner())),
        }
    }
}

/// Ends a task early: its future is dropped instead of being polled again, for which the thread is woken.
#[derive(Clone, Debug)]
pub struct TaskAbort(Weak<Shared>, u64);

impl Abort for TaskAbort {
    fn abort(self) {
        if let Some(shared) = self.0.upgrade() {
            shared.abort(self.1);
        }
    }
}
