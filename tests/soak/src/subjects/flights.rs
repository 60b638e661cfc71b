//! `Flight` and `Group`: no two runs at a time, and each gets a result of its key.

use ecluse_core::{Flight, Group};

use crate::subject::{Call, Dice, Faults, Inside, Subject, Work};

const KEYS: usize = 3;

/// Runs by key, one at a time.
#[derive(Default)]
pub(super) struct Runs {
    inside: [Inside; KEYS],
    pub(super) faults: Faults,
}

impl Runs {
    async fn run(&self, key: usize, work: Work) -> usize {
        self.run_beside(0, key, work).await
    }

    /// A run beside which there may be so many others of its key.
    pub(super) async fn run_beside(&self, others: usize, key: usize, work: Work) -> usize {
        let most = others.saturating_add(1);
        let _stay = self.inside[key].enter(1, most, &self.faults);
        work.done().await;
        key
    }

    pub(super) fn check(&self) {
        let left = self.inside.iter().any(|inside| !inside.is_empty());
        self.faults.note_if(left, "a run left");
    }
}

pub(super) struct OneFlight {
    flight: Flight<usize>,
    runs: Runs,
}

impl Subject for OneFlight {
    fn new() -> Self {
        Self {
            flight: Flight::new(),
            runs: Runs::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        let work = dice.work();
        Box::pin(async move {
            let answer = self.flight.run(|| self.runs.run(0, work)).await;
            let wrong = answer.is_ok_and(|answer| answer.value != 0);
            self.runs.faults.note_if(wrong, "another's result");
        })
    }

    fn check(&mut self) {
        self.runs.check();
    }

    fn faults(&self) -> &Faults {
        &self.runs.faults
    }
}

pub(super) struct Groups {
    group: Group<usize, usize>,
    runs: Runs,
}

impl Subject for Groups {
    fn new() -> Self {
        Self {
            group: Group::new(),
            runs: Runs::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        let (key, work) = (dice.below(KEYS), dice.work());
        Box::pin(async move {
            let answer = self.group.run(key, || self.runs.run(key, work)).await;
            let wrong = answer.is_ok_and(|answer| answer.value != key);
            self.runs.faults.note_if(wrong, "another's result");
        })
    }

    fn check(&mut self) {
        self.runs.check();
        let left = !self.group.is_empty();
        self.runs.faults.note_if(left, "a key left");
    }

    fn faults(&self) -> &Faults {
        &self.runs.faults
    }
}
