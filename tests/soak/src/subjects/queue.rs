//! An executor whose tasks are calls like any: whoever makes the next call drives one.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use ecluse_core::runtime::{Spawn, SpawnError, TallyRef, Ticket};

use crate::subject::{Call, Dice};

/// So many tasks wait to be driven, at most; one more is given back.
const PLACES: usize = 16;

/// Tasks that nobody drives yet.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Mutex<Tasks>>);

#[derive(Default)]
struct Tasks {
    tasks: Vec<Call<'static>>,
    /// It takes no more, and drops those that come.
    over: bool,
}

enum Refused<F, R: TallyRef> {
    Full(Ticket<F, R>),
    Over(Call<'static>),
}

impl Queue {
    fn with<T>(&self, look: impl FnOnce(&mut Tasks) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A task to be driven, as often as not.
    pub(super) fn take(&self, dice: &mut Dice) -> Option<Call<'static>> {
        if dice.once_in(3) {
            return None;
        }
        self.with(|tasks| {
            let chosen = dice.below(tasks.tasks.len().max(1));
            (chosen < tasks.tasks.len()).then(|| tasks.tasks.swap_remove(chosen))
        })
    }

    /// A runtime that is shut down: it drops its tasks, and all that come.
    pub(super) fn shut_down(&self) {
        let left = self.with(|tasks| {
            tasks.over = true;
            core::mem::take(&mut tasks.tasks)
        });
        // Their ends are told outside of the lock.
        drop(left);
    }
}

impl<F, R> Spawn<F, R> for Queue
where
    F: Future<Output = ()> + Send + 'static,
    R: TallyRef,
    Ticket<F, R>: Future<Output = ()> + Send + 'static,
{
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<(), SpawnError<F>> {
        let refused = self.with(|tasks| {
            if tasks.over {
                return Some(Refused::Over(Box::pin(ticket)));
            }
            if tasks.tasks.len() == PLACES {
                return Some(Refused::Full(ticket));
            }
            tasks.tasks.push(Box::pin(ticket));
            None
        });
        match refused {
            Some(Refused::Full(ticket)) => match ticket.into_inner() {
                Some(future) => Err(SpawnError::Busy(future)),
                None => Ok(()),
            },
            // Swallowed, as by a runtime that does not give back.
            Some(Refused::Over(task)) => {
                drop(task);
                Ok(())
            }
            None => Ok(()),
        }
    }
}
