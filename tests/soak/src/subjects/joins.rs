//! Joins: `concurrently`, `all`, `race`, `first`, `settle`, with children that fail, panic, cancel the
//! scope that they are joined in, and are all over when the join is.

use std::pin::pin;

use ecluse_core::{
    Cancelled, Cx, Root,
    cancel::Kind,
    join::{AsCancelled, JoinError, Stopped},
};

use crate::subject::{Call, Dice, Faults, Inside, Subject, Work};

/// What a child fails with.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Own,
    Cancelled(Cancelled),
}

impl AsCancelled for Fault {
    fn as_cancelled(&self) -> Option<Cancelled> {
        match self {
            Self::Own => None,
            Self::Cancelled(cancelled) => Some(*cancelled),
        }
    }
}

/// What a child does.
#[derive(Clone, Copy)]
struct Plan {
    work: Work,
    fails: bool,
    /// It cancels the scope that all are joined in.
    cancels: bool,
}

impl Plan {
    fn by(dice: &mut Dice) -> Self {
        Self {
            work: dice.work(),
            fails: dice.once_in(4),
            cancels: dice.once_in(8),
        }
    }
}

/// A join: its scope, and how many of its children are alive.
#[derive(Clone, Copy)]
struct Here<'h> {
    outer: Cx<'h>,
    alive: &'h Inside,
    faults: &'h Faults,
}

impl Here<'_> {
    fn end(self, at: usize, plan: Plan) -> Result<usize, Fault> {
        if plan.cancels {
            self.outer.cancel(Kind::Explicit);
        }
        if plan.fails { Err(Fault::Own) } else { Ok(at) }
    }

    /// A child that is dropped when it is cancelled.
    async fn droppable(self, at: usize, plan: Plan) -> Result<usize, Fault> {
        let _stay = self.alive.enter(1, usize::MAX, self.faults);
        plan.work.done().await;
        self.end(at, plan)
    }

    /// A child that is told, and cleans up.
    async fn told(self, cx: Cx<'_>, at: usize, plan: Plan) -> Result<usize, Fault> {
        let _stay = self.alive.enter(1, usize::MAX, self.faults);
        match cx.guard(plan.work.done()).await {
            Ok(()) => self.end(at, plan),
            Err(cancelled) => {
                crate::subject::pause(1).await;
                Err(Fault::Cancelled(cancelled))
            }
        }
    }
}

pub(super) struct Joins {
    root: Root,
    faults: Faults,
}

impl Joins {
    async fn join(&self, rule: usize, plans: [Plan; 3]) {
        let alive = Inside::default();
        let outer = pin!(self.root.cx().child());
        let outer = outer.as_ref().enter();
        let here = Here {
            outer,
            alive: &alive,
            faults: &self.faults,
        };
        let [a, b, c] = plans;
        let droppable = here.droppable(0, a);
        let told = async |cx: Cx<'_>| here.told(cx, 1, b).await;
        let more = async |cx: Cx<'_>| here.told(cx, 2, c).await;
        let right = match rule {
            0 => match outer.concurrently(droppable, told).await {
                Ok(values) => values == (0, 1),
                Err(error) => is_caused(&error, &[a, b], outer),
            },
            1 => match outer.all((droppable, told, more)).await {
                Ok(values) => values == (0, 1, 2),
                Err(error) => is_caused(&error, &plans, outer),
            },
            2 => match outer.race((droppable, told, more)).await {
                Ok(value) => value < 3,
                Err(error) => is_caused(&error, &plans, outer),
            },
            3 => match outer.first((droppable, told, more)).await {
                Ok(value) => value < 3,
                Err(error) => is_caused(&error, &plans, outer),
            },
            _ => {
                let (a, b, c) = outer.settle((droppable, told, more)).await;
                is(0, a, outer) && is(1, b, outer) && is(2, c, outer)
            }
        };
        self.faults.note_if(!right, "not what came of it");
        self.faults
            .note_if(!alive.is_empty(), "over before its children");
    }
}

/// Whether somebody was to fail, or the scope was cancelled.
fn is_caused<S>(error: &JoinError<Fault, S>, plans: &[Plan], outer: Cx<'_>) -> bool {
    match error {
        JoinError::Failed(_) => plans.iter().any(|plan| plan.fails) || outer.is_cancelled(),
        JoinError::Cancelled(_) => outer.is_cancelled(),
    }
}

/// Whether the child `at` ended as a child that nobody else ends.
fn is(at: usize, ended: Result<usize, Stopped<Fault>>, outer: Cx<'_>) -> bool {
    match ended {
        Ok(value) => value == at,
        Err(Stopped::Failed(Fault::Own)) => true,
        Err(_) => outer.is_cancelled(),
    }
}

impl Subject for Joins {
    fn new() -> Self {
        Self {
            root: Root::new(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        let plans = [Plan::by(dice), Plan::by(dice), Plan::by(dice)];
        Box::pin(self.join(dice.below(5), plans))
    }

    fn finish(&self) {
        self.root.cancel(Kind::Shutdown);
    }

    fn check(&mut self) {
        self.faults
            .note_if(self.root.attached() > 0, "a scope left");
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
