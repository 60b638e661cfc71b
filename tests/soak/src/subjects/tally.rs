//! `Tally` and `Ticket`: whoever waits for all tickets waits for their futures' destructors.

use std::sync::Arc;

use ecluse_core::runtime::{Spawn, Tally, Ticket};

use super::{queue::Queue, spawned::Alive};
use crate::subject::{Call, Dice, Faults, Inside, Subject, Work};

pub(super) struct Tickets {
    all: Arc<Tally>,
    queue: Queue,
    alive: Arc<Inside>,
    faults: Faults,
}

impl Tickets {
    /// A tally of its own, with three tickets that others drive.
    async fn join(&self, works: [Work; 3], cancels: bool) {
        let tally = Arc::new(<Tally>::new());
        let here = Arc::new(Inside::default());
        for work in works {
            let alive = Alive::new(&here, &self.faults);
            let ticket = Tally::ticket_owned(&tally, async move {
                let _alive = alive;
                work.done().await;
            });
            drop(self.queue.spawn(ticket));
        }
        if cancels {
            let first = tally.cancel();
            self.faults.note_if(!first, "a cancel that was none");
        }
        tally.joined().await;
        let left = !here.is_empty() || tally.live() > 0;
        self.faults.note_if(left, "joined before all were over");
    }

    /// One of everybody's.
    fn ticket(&self, work: Work) -> Ticket<Call<'static>, Arc<Tally>> {
        let alive = Alive::new(&self.alive, &self.faults);
        Tally::ticket_owned(
            &self.all,
            Box::pin(async move {
                let _alive = alive;
                work.done().await;
            }),
        )
    }
}

impl Subject for Tickets {
    fn new() -> Self {
        Self {
            all: Arc::new(Tally::new()),
            queue: Queue::default(),
            alive: Arc::default(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        if let Some(task) = self.queue.take(dice) {
            return task;
        }
        match dice.below(8) {
            0 => Box::pin(self.all.joined()),
            1 => Box::pin(self.ticket(dice.work())),
            2 => {
                // Given back, it is not counted any more; what it counted goes on.
                let future = self.ticket(dice.work()).into_inner();
                Box::pin(async move {
                    if let Some(future) = future {
                        future.await;
                    }
                })
            }
            3 | 4 => {
                drop(self.queue.spawn(self.ticket(dice.work())));
                Box::pin(async {})
            }
            _ => {
                let works = [dice.work(), dice.work(), dice.work()];
                Box::pin(self.join(works, dice.once_in(4)))
            }
        }
    }

    fn finish(&self) {
        self.all.cancel();
        self.queue.shut_down();
    }

    fn check(&mut self) {
        let left = self.all.live() > 0 || !self.alive.is_empty();
        self.faults.note_if(left, "a ticket left");
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
