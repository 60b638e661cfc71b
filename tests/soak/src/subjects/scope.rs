//! `Root`, `Scope`, `Cx`: a tree that grows, is cancelled and dropped from all sides.

use std::pin::pin;

use ecluse_core::{Cx, Root, cancel::Kind};

use crate::subject::{Call, Dice, Faults, Subject, Work, pause};

pub(super) struct Scopes {
    root: Root,
    faults: Faults,
}

impl Scopes {
    /// A scope with one below it, of which one is cancelled, or neither.
    async fn branch(&self, work: Work, shields: bool, cancels: usize) {
        let outer = pin!(self.root.cx().child());
        let outer = outer.as_ref().enter();
        let inner = pin!(if shields {
            outer.shielded()
        } else {
            outer.child()
        });
        let inner = inner.as_ref().enter();
        match cancels {
            0 => drop(outer.cancel(Kind::Explicit)),
            1 => drop(inner.cancel(Kind::Explicit)),
            2 => drop(outer.cancel_deferred(Kind::Explicit)),
            _ => {}
        }
        let done = inner.guard(work.done()).await.is_ok();
        self.judge(outer, inner, shields, cancels, done);
    }

    fn judge(&self, outer: Cx<'_>, inner: Cx<'_>, shields: bool, cancels: usize, done: bool) {
        let told = inner.is_cancelled();
        self.faults
            .note_if(!done && !told, "stopped without a cancel");
        if cancels == 0 {
            self.faults.note_if(!outer.is_cancelled(), "a cancel lost");
            self.faults.note_if(!shields && !told, "a child not told");
        }
        if cancels == 1 {
            self.faults.note_if(!told, "a cancel lost");
        }
    }
}

impl Subject for Scopes {
    fn new() -> Self {
        Self {
            root: Root::new(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        match dice.below(8) {
            0 => Box::pin(async {
                let _ = self.root.cx().cancelled().await;
            }),
            1 => {
                let pauses = dice.below(4);
                Box::pin(async move { self.root.tend(pause(pauses)).await })
            }
            _ => Box::pin(self.branch(dice.work(), dice.once_in(4), dice.below(6))),
        }
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
