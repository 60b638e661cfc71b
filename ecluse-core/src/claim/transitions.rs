//! Every transition of a slot's word and its two rings, but for the close, which is with its call.
//!
//! | word | means |
//! |---|---|
//! | `0` | free; both rings are empty |
//! | `HELD` | claimed, or granted to a waiter that has not been polled yet; nobody waits |
//! | `HELD \| WAITERS` | the same, and a ring is not empty |
//! | `DONE`, `DONE \| HELD` | closed; both rings are empty for good |
//!
//! Invariants:
//! - **C1** `WAITERS` is set exactly while a ring is not empty, and implies `HELD`. It changes under
//!   the lock only.
//! - **C2** Free writers are the claim (needs `0`) and the release (needs exactly `HELD`). So while
//!   `WAITERS` or `DONE` is set, whoever has the lock is the only writer.
//! - **C3** The word never leaves `HELD` between a release and the grant it makes: the claim is
//!   always somebody's.

use super::{
    Claim, Policy, Slot,
    policy::Grantee,
    slot::{ClaimGrant, DONE, FREE, HELD, Rings, WAITERS},
};
use crate::{
    Outcome, Refused,
    observe::{EventKind, Notes, Numbers, Observer, heard},
    sync::{Lock, Locked, Ordering},
    wait::{Drain, Link, Node},
};

/// How a hold ends.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// By its holder.
    Released(Outcome),
    /// Before it began: the granted waiter went.
    PassedOn(ClaimGrant),
}

impl<P: Policy, L: Lock, O: Observer> Slot<P, L, O> {
    /// The free claim: takes it or says why not.
    #[inline(always)]
    pub(super) fn take(&self) -> Result<(), Refused> {
        if heard::<O>() {
            return self.take_heard();
        }
        loop {
            // Acquire: pairs with the release of the holder before. Relaxed: a refusal reads nothing.
            match self.word.swap_free(
                &self.rings,
                FREE,
                HELD,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(()) => return Ok(()),
                Err(FREE) => {}
                Err(word) => return self.refuse(word),
            }
        }
    }

    #[inline]
    fn refuse(&self, word: usize) -> Result<(), Refused> {
        if word & DONE != 0 {
            Err(Refused::Closed)
        } else if P::BARGING && self.rings.with(|held| self.barge(held)) {
            Ok(())
        } else {
            Err(Refused::Busy)
        }
    }

    /// With an observer every claim is numbered under the lock.
    fn take_heard(&self) -> Result<(), Refused> {
        let mut notes = Notes::<O>::default();
        let taken = self.rings.with(|held| {
            // Acquire, Relaxed: as in `take`.
            let swap = loop {
                let swap =
                    self.word
                        .swap_locked(held, FREE, HELD, Ordering::Acquire, Ordering::Relaxed);
                if swap != Err(FREE) {
                    break swap;
                }
            };
            match swap {
                Ok(()) => held.numbers.note(&mut notes, EventKind::Claimed),
                Err(word) if word & DONE != 0 => return Err(Refused::Closed),
                Err(_) if P::BARGING && self.barge(held) => {
                    held.numbers.note(&mut notes, EventKind::Revoked);
                    held.numbers.note(&mut notes, EventKind::Claimed);
                }
                Err(_) => return Err(Refused::Busy),
            }
            Ok(())
        });
        if taken.is_ok() {
            // A hook that panics must not keep the claim.
            let claim = Claim::new(self, None);
            self.tell(notes);
            core::mem::forget(claim);
        }
        taken
    }

    /// The holder's end.
    #[inline(always)]
    pub(super) fn end(&self, ending: Ending) {
        // Release: pairs with the Acquire of the next claim. Relaxed: the slow path looks again.
        if heard::<O>()
            || self
                .word
                .swap_free(
                    &self.rings,
                    HELD,
                    FREE,
                    Ordering::Release,
                    Ordering::Relaxed,
                )
                .is_err()
        {
            self.end_slow(ending);
        }
    }

    /// Somebody waits, or waited a moment ago, or the slot is closed, or there is an observer; or
    /// the swap failed for nothing.
    #[cold]
    fn end_slow(&self, ending: Ending) {
        let (outcome, grant, event) = match ending {
            Ending::Released(outcome) => (
                outcome,
                ClaimGrant::Inherited(outcome),
                EventKind::Released(outcome),
            ),
            Ending::PassedOn(grant) => (Outcome::ABANDONED, grant, EventKind::PassedOn),
        };
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.rings, &sentinel, outcome);
        let mut notes = Notes::<O>::default();
        let next = self.rings.with(|held| {
            held.numbers.note(&mut notes, event);
            // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
            unsafe { drain.detach(&mut held.observers) };
            let next = self.grant_next(held, grant, &mut notes);
            if next.is_none() {
                // Relaxed: `DONE` comes from the lock. Release: pairs with the Acquire of the next
                // claim. A store: `WAITERS` or `DONE` keep others off (C2); if a cancel has just
                // cleared `WAITERS`, the word is `HELD`, and that is ours.
                let word = self.word.load(Ordering::Relaxed) & DONE;
                self.word.store_locked(held, word, Ordering::Release);
            }
            // SAFETY: Validity and Aliasing: the lock is held.
            unsafe { drain.begin() };
            next
        });
        if let Some(waker) = next {
            drain.first(|| waker.wake());
        }
        drain.first(|| self.tell(notes));
        drain.run();
    }

    /// The claim goes to the head of the queue, if there is one. The word stays `HELD` (C3).
    pub(super) fn grant_next(
        &self,
        held: &mut Locked<Rings<P, O>>,
        grant: ClaimGrant,
        notes: &mut Notes<O>,
    ) -> Option<core::task::Waker> {
        // SAFETY: Validity: a ring's head. Aliasing: the lock is held.
        let node = unsafe { held.claimers.pop() }?;
        held.numbers.note(notes, EventKind::Granted);
        held.grantee.set(node);
        // Relaxed: the grantee acquires by its node's state, an observer by its own. A store: `WAITERS`
        // was set, the head having been there (C2).
        let word = if held.claimers.is_empty() && held.observers.is_empty() {
            HELD
        } else {
            HELD | WAITERS
        };
        self.word.store_locked(held, word, Ordering::Relaxed);
        // SAFETY: Validity: just unlinked. Aliasing: the lock is held.
        Some(unsafe { Node::grant(node, grant) })
    }

    /// Makes the word say that somebody waits; or finds that the slot is free (then `HELD` is ours
    /// if `claim`), or closed.
    pub(super) fn announce(&self, held: &mut Locked<Rings<P, O>>, claim: bool) -> Announced {
        // Acquire: whoever finds the slot free or closed sees what was written before.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word & DONE != 0 {
                return Announced::Closed;
            }
            let next = match word {
                FREE if claim => HELD,
                FREE => return Announced::Free,
                _ => HELD | WAITERS,
            };
            if next == word {
                return Announced::Waiting;
            }
            // Acquire: a claim. (Setting `WAITERS` alone would need none.) The holder may release
            // beside us, hence a swap that looks at `HELD` again.
            match self
                .word
                .swap_locked(held, word, next, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(()) if next == HELD => return Announced::Free,
                Ok(()) => return Announced::Waiting,
                Err(now) => word = now,
            }
        }
    }

    /// A waiter unlinked itself; if that emptied both rings, nobody waits any more.
    pub(super) fn left(&self, held: &mut Locked<Rings<P, O>>, emptied: bool) {
        if emptied && held.claimers.is_empty() && held.observers.is_empty() {
            // Relaxed: nothing is published. A store: `WAITERS` was set (C2), thus `HELD` (C1).
            self.word.store_locked(held, HELD, Ordering::Relaxed);
        }
    }
}

pub(super) enum Announced {
    Waiting,
    Free,
    Closed,
}
