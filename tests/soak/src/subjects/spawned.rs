//! `SharedScope`: children that are spawned, counted, joined and cancelled.

use std::sync::Arc;

use ecluse_core::{SharedScope, cancel::Kind};

use super::queue::Queue;
use crate::subject::{Call, Dice, Faults, Inside, Subject, Work};

pub(super) struct Spawns {
    server: SharedScope,
    queue: Queue,
    children: Arc<Inside>,
    faults: Faults,
}

/// Somebody who is alive.
pub(super) struct Alive(Arc<Inside>);

impl Alive {
    pub(super) fn new(all: &Arc<Inside>, faults: &Faults) -> Self {
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
        if let Some(task) = self.queue.take(dice) {
            return task;
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
        self.queue.shut_down();
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
