//! `Line`: one at it, and the others go on when it is over.

use ecluse_core::{AcquireIf, AcquireOutcome, Line, Token};

use crate::subject::{Call, Dice, Faults, Inside, Subject, Work};

pub(super) struct Lines {
    line: Line,
    inside: Inside,
    faults: Faults,
}

impl Lines {
    async fn acquire(&self, work: Work, releases: bool) {
        match self.line.try_acquire_token() {
            AcquireOutcome::Success(token) => self.hold(token, work, releases).await,
            AcquireOutcome::Failure(wait) => drop(wait.await),
        }
    }

    /// Until somebody has done it.
    async fn acquire_if(&self, work: Work) {
        let seen = self.line.generation();
        loop {
            match self.line.acquire_if(seen) {
                AcquireIf::Success(token) => return self.hold(token, work, true).await,
                AcquireIf::Failure(wait) => drop(wait.await),
                AcquireIf::Outdated => return,
            }
        }
    }

    async fn hold(&self, token: Token<'_>, work: Work, releases: bool) {
        let stay = self.inside.enter(1, 1, &self.faults);
        work.done().await;
        drop(stay);
        if releases {
            token.release();
        }
    }
}

impl Subject for Lines {
    fn new() -> Self {
        Self {
            line: Line::new(),
            inside: Inside::default(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        let work = dice.work();
        if dice.once_in(2) {
            Box::pin(self.acquire(work, dice.once_in(2)))
        } else {
            Box::pin(self.acquire_if(work))
        }
    }

    fn check(&mut self) {
        let left = self.line.is_busy() || !self.inside.is_empty();
        self.faults.note_if(left, "a token left");
        self.faults
            .note_if(self.line.has_waiters(), "a waiter left");
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
