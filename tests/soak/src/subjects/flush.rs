//! `FlushTable`: every request is settled and every flush has its turn, whoever goes.

use ecluse_core::{FlushTable, cancel::Kind};

use crate::subject::{Call, Dice, Faults, Subject, Work, pause};

const TAGS: usize = 6;

pub(super) struct Tables {
    table: FlushTable<u16, 8>,
    faults: Faults,
}

impl Tables {
    async fn request(&self, tag: usize, work: Work, unless: bool) {
        let Ok(request) = self.table.begin(tag as u16) else {
            return;
        };
        let done = request.cx().guard(work.done()).await.is_ok();
        if !done && unless {
            return;
        }
        let reply = if unless {
            request.reply_unless_flushed().ok()
        } else {
            request.reply().ok()
        };
        if let Some(reply) = reply {
            pause(1).await;
            reply.sent();
        }
    }

    async fn flush(&self, tag: usize) {
        let Ok(flush) = self.table.flush(tag as u16) else {
            return;
        };
        if let Ok(answer) = flush.await {
            pause(1).await;
            answer.sent();
        }
    }
}

impl Subject for Tables {
    fn new() -> Self {
        Self {
            table: FlushTable::new(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        let tag = dice.below(TAGS);
        match dice.below(16) {
            0 => Box::pin(async {
                self.table.reset(Kind::Explicit);
                self.table.cleared().await;
            }),
            1..=5 => Box::pin(self.flush(tag)),
            _ => Box::pin(self.request(tag, dice.work(), dice.once_in(2))),
        }
    }

    fn check(&mut self) {
        let left = !self.table.is_empty();
        self.faults.note_if(left, "a request left");
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
