//! The two waits of a slot: for the claim, and for the end of the present hold.

use core::task::Waker;

use super::{
    Claim, SlotRef,
    policy::{Choice, Grantee},
    slot::{ClaimGrant, DONE, FREE, HELD, Rings},
    transitions::{Announced, Ending},
};
use crate::{
    Closed, Outcome, Refused,
    observe::{EventKind, Notes, Numbers, heard},
    sync::{Locked, Ordering, Protected},
    wait::{Found, Node, Protocol, Ring},
};

/// The wait for the claim of a slot: [`Slot::claim`](super::Slot::claim).
pub struct ToClaim<R: SlotRef>(pub(super) R);

/// The wait for the end of a slot's present hold: [`Slot::released`](super::Slot::released).
pub struct ToRelease<R: SlotRef>(pub(super) R);

impl<R: SlotRef> ToClaim<R> {
    pub(crate) fn handle(&self) -> &R {
        &self.0
    }
}

impl<R: SlotRef> Protocol for ToClaim<R> {
    type Lock = R::Lock;
    type Held = Rings<R::Policy, R::Observer>;
    type Grant = ClaimGrant;
    type Extra = ();
    type Output = Result<Claim<R>, Closed>;
    type Notes = Notes<R::Observer>;

    const UNDER_LOCK: bool = <<R::Policy as Choice>::Grantee as Grantee>::KEPT || Self::HEARD;
    const HEARD: bool = heard::<R::Observer>();

    #[inline(always)]
    fn guarded(&self) -> &Protected<Self::Lock, Self::Held> {
        &self.0.slot().rings
    }

    #[inline(always)]
    fn ring<'h>(&'h self, held: &'h mut Locked<Self::Held>) -> Option<&'h mut Ring<ClaimGrant>> {
        Some(&mut held.claimers)
    }

    #[inline(always)]
    fn attempt(&self) -> Option<ClaimGrant> {
        if Self::HEARD {
            return None;
        }
        let slot = self.0.slot();
        // Relaxed: a look, so that finding it held costs no read-modify-write; `take` decides.
        if !<R::Policy as Choice>::BARGING && slot.word.load(Ordering::Relaxed) & HELD != 0 {
            return None;
        }
        match slot.take() {
            Ok(()) => Some(ClaimGrant::Free),
            Err(Refused::Closed) => Some(ClaimGrant::Closed),
            Err(Refused::Busy) => None,
        }
    }

    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Self::Held>,
        _: &Node<ClaimGrant>,
        _: &Waker,
        notes: &mut Self::Notes,
    ) -> Found<'h, Self> {
        let slot = self.0.slot();
        match slot.announce(held, true) {
            Announced::Free => {
                held.numbers.note(notes, EventKind::Claimed);
                Found::Grant(ClaimGrant::Free)
            }
            Announced::Closed => Found::Grant(ClaimGrant::Closed),
            Announced::Waiting if <R::Policy as Choice>::BARGING && slot.barge(held) => {
                // `WAITERS` may have been set for nobody but us.
                slot.left(held, true);
                held.numbers.note(notes, EventKind::Revoked);
                held.numbers.note(notes, EventKind::Claimed);
                Found::Grant(ClaimGrant::Free)
            }
            Announced::Waiting => {
                held.numbers.note(notes, EventKind::Enlisted);
                Found::Ring(&mut held.claimers)
            }
        }
    }

    fn left(&self, held: &mut Locked<Self::Held>, emptied: bool, notes: &mut Self::Notes) {
        held.numbers.note(notes, EventKind::Cancelled);
        self.0.slot().left(held, emptied);
    }

    fn settled(&self, held: &mut Locked<Self::Held>, node: &Node<ClaimGrant>) {
        held.grantee.settle(node);
    }

    fn observed(&self, held: &mut Locked<Self::Held>, grant: &ClaimGrant, notes: &mut Self::Notes) {
        if !matches!(grant, ClaimGrant::Closed) {
            held.numbers.note(notes, EventKind::Observed);
        }
    }

    fn over(&self, _: &mut Locked<Self::Held>) -> Option<ClaimGrant> {
        None
    }

    #[inline(always)]
    fn observe(&self, grant: ClaimGrant) -> Self::Output {
        match grant {
            ClaimGrant::Free => Ok(Claim::new(self.0.clone(), None)),
            ClaimGrant::Inherited(outcome) => Ok(Claim::new(self.0.clone(), Some(outcome))),
            ClaimGrant::Closed => Err(Closed),
        }
    }

    fn pass_on(&self, grant: ClaimGrant) {
        if !matches!(grant, ClaimGrant::Closed) {
            self.0.slot().end(Ending::PassedOn(grant));
        }
    }

    fn tell(&self, notes: Self::Notes) {
        self.0.slot().tell(notes);
    }
}

impl<R: SlotRef> Protocol for ToRelease<R> {
    type Lock = R::Lock;
    type Held = Rings<R::Policy, R::Observer>;
    type Grant = Outcome;
    type Extra = ();
    type Output = Outcome;
    type Notes = ();

    const UNDER_LOCK: bool = false;
    const HEARD: bool = false;

    #[inline(always)]
    fn guarded(&self) -> &Protected<Self::Lock, Self::Held> {
        &self.0.slot().rings
    }

    #[inline(always)]
    fn ring<'h>(&'h self, held: &'h mut Locked<Self::Held>) -> Option<&'h mut Ring<Outcome>> {
        Some(&mut held.observers)
    }

    fn attempt(&self) -> Option<Outcome> {
        // Acquire: pairs with the release, so that the waiter sees what the holder wrote.
        match self.0.slot().word.load(Ordering::Acquire) {
            FREE => Some(Outcome::Passed),
            word if word & DONE != 0 => Some(Outcome::Closed),
            _ => None,
        }
    }

    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Self::Held>,
        _: &Node<Outcome>,
        _: &Waker,
        (): &mut (),
    ) -> Found<'h, Self> {
        match self.0.slot().announce(held, false) {
            Announced::Waiting => Found::Ring(&mut held.observers),
            Announced::Free => Found::Grant(Outcome::Passed),
            Announced::Closed => Found::Grant(Outcome::Closed),
        }
    }

    fn left(&self, held: &mut Locked<Self::Held>, emptied: bool, (): &mut ()) {
        self.0.slot().left(held, emptied);
    }

    fn settled(&self, _: &mut Locked<Self::Held>, _: &Node<Outcome>) {}

    fn observed(&self, _: &mut Locked<Self::Held>, _: &Outcome, (): &mut ()) {}

    fn over(&self, _: &mut Locked<Self::Held>) -> Option<Outcome> {
        None
    }

    #[inline(always)]
    fn observe(&self, grant: Outcome) -> Outcome {
        grant
    }

    fn pass_on(&self, _: Outcome) {}

    fn tell(&self, (): ()) {}
}
