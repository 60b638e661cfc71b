//! `SharedScope`: children that are spawned, counted, joined and cancelled.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use ecluse_core::{
    SharedScope,
    cancel::Kind,
    runtime::{Spawn, SpawnError, TallyRef, Ticket},
};

use crate::subject::{Call, Dice, Faults, Inside, Subject, Work};

/// An executor whose tasks are calls like any: whoever makes the next call drives one.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Tasks>>);

#[derive(Default)]
struct Tasks {
    tasks: Vec<Call<'static>>,
    /// It takes no more, and drops those that come.
    over: bool,
}

impl Queue {
    fn with<T>(&self, look: impl FnOnce(&mut Tasks) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
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
        let task: Call<'static> = Box::pin(ticket);
        let refused = self.with(|tasks| {
            if tasks.over {
                return Some(task);
            }
            tasks.tasks.push(task);
            None
        });
        // Its end is told outside of the lock.
        drop(refused);
        Ok(())
    }
}

pub(super) struct Spawns {
    server: SharedScope,
    queue: Queue,
    children: Arc<Inside>,
    faults: Faults,
}

/// Somebody who is alive.
struct Alive(Arc<Inside>);

impl Alive {
    fn new(all: &Arc<Inside>, faults: &Faults) -> Self {
        core::mem::forget(all.enter(1, usize::MAX, faults));
        Self(Arc::clone(all))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Spawns {
    /// A scope that spawns, and is over when its children are.
    async fn run(&self, work: Work, child: Work, cancels: bool) {
        let here = Arc::new(Inside::default());
        let scope = self.server.child();
        let (outer, children) = (scope.clone(), Arc::clone(&here));
        let body = scope.run(async |scope| {
            for _ in 0..2 {
                let alive = Alive::new(&children, &self.faults);
                let spawned = scope.spawn(&self.queue, |scope: SharedScope| async move {
                    let _alive = alive;
                    let _ = scope.cx().guard(child.done()).await;
                });
                drop(spawned);
            }
            if cancels {
                scope.cancel(Kind::Explicit);
            }
            work.done().await;
        });
        body.await;
        self.faults.note_if(
            !here.is_empty() || outer.live() > 0,
            "over before its children",
        );
    }
}

impl Subject for Spawns {
    fn new() -> Self {
        Self {
            server: SharedScope::new(),
            queue: Queue::default(),
            children: Arc::default(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        if !dice.once_in(3) {
            if let Some(task) = self.queue.with(|tasks| tasks.tasks.pop()) {
                return task;
            }
        }
        let work = dice.work();
        match dice.below(4) {
            0 => Box::pin(async move {
                let alive = Alive::new(&self.children, &self.faults);
                let spawned = self.server.spawn(&self.queue, |_| async move {
                    let _alive = alive;
                    work.done().await;
                });
                drop(spawned);
            }),
            _ => Box::pin(self.run(work, dice.work(), dice.once_in(4))),
        }
    }

    fn finish(&self) {
        self.server.cancel(Kind::Shutdown);
        let left = self.queue.with(|tasks| {
            tasks.over = true;
            core::mem::take(&mut tasks.tasks)
        });
        drop(left);
    }

    fn check(&mut self) {
        let left = self.server.live() > 0 || !self.children.is_empty();
        self.faults.note_if(left, "a child left");
        self.faults
            .note_if(self.server.attached() > 0, "a scope left");
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
