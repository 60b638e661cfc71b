//! `Slot`: one claimant at a time, whoever is dropped or panics.

use ecluse_core::{
    Slot,
    claim::{Barging, Handoff, Policy, Revocable},
};

use crate::subject::{Call, Dice, Faults, Inside, Subject, Work};

pub(super) trait Kind: Policy + Sized + Send + Sync + 'static {
    /// Takes a grant back that nobody has observed, where that can be done.
    fn revoke(_slot: &Slot<Self>) {}
}

impl Kind for Handoff {}

impl Kind for Revocable {
    fn revoke(slot: &Slot<Self>) {
        let _ = slot.revoke_unobserved();
    }
}

impl Kind for Barging {
    fn revoke(slot: &Slot<Self>) {
        let _ = slot.revoke_unobserved();
    }
}

pub(super) struct Slots<P: Kind> {
    slot: Slot<P>,
    inside: Inside,
    faults: Faults,
}

impl<P: Kind> Slots<P> {
    async fn claim(&self, work: Work, tries: bool, releases: bool) {
        let claim = if tries {
            self.slot.try_claim().ok()
        } else {
            self.slot.claim().await.ok()
        };
        let Some(claim) = claim else {
            self.faults.note_if(!tries, "a slot that nobody closed");
            return;
        };
        let stay = self.inside.enter(1, 1, &self.faults);
        work.done().await;
        drop(stay);
        if releases {
            claim.release();
        }
    }
}

impl<P: Kind> Subject for Slots<P> {
    fn new() -> Self {
        Self {
            slot: Slot::new(),
            inside: Inside::default(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        match dice.below(8) {
            0 => Box::pin(async {
                let _ = self.slot.released().await;
            }),
            1 => Box::pin(async { P::revoke(&self.slot) }),
            n => Box::pin(self.claim(dice.work(), n == 2, dice.once_in(2))),
        }
    }

    fn check(&mut self) {
        let left = self.slot.is_claimed() || !self.inside.is_empty();
        self.faults.note_if(left, "a claim left");
        self.faults
            .note_if(self.slot.has_waiters(), "a waiter left");
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
