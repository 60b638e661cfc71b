//! `Slot`: the word, its two rings, and every transition of them.
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

use core::fmt;

use super::{
    Claim,
    policy::{Grantee, Handoff, Policy},
    wait::{ToClaim, ToRelease},
};
use crate::{
    Outcome, Refused,
    observe::{EventKind, Notes, Numbers, Observer, heard},
    sync::{DefaultLock, Lock, Locked, Ordering, Protected, Word},
    wait::{Drain, Link, Node, Ring, Wait},
};

pub(super) const FREE: usize = 0;
pub(super) const HELD: usize = 1;
const WAITERS: usize = 2;
pub(super) const DONE: usize = 4;

/// A piece of work that one task at a time may claim, while the others wait for it.
///
/// - `P`, the policy: [`Handoff`] unless chosen, see [`Policy`].
/// - `L`, the lock of the waiter lists: [`DefaultLock`] unless chosen, see [`Lock`].
/// - `O`, an [`Observer`]: none unless chosen.
///
/// A claim that is lost (dropped, panicked, timed out, aborted) goes to exactly **one** waiter, in
/// order; the others are not woken. Claiming takes `&self`, allocates nothing and awaits nothing;
/// a claim and its release with nobody waiting are one atomic instruction each.
///
/// ```
/// use ecluse_core::{Outcome, Slot};
///
/// static SLOT: Slot = Slot::new();
///
/// # futures_executor::block_on(async {
/// match SLOT.try_claim() {
///     Ok(claim) => {
///         // … the work that only one of us should do …
///         claim.release();
///     }
///     Err(_) => {
///         let outcome = SLOT.released().await;
///         assert_eq!(outcome, Outcome::Done);
///     }
/// }
/// # });
/// ```
pub struct Slot<P: Policy = Handoff, L = DefaultLock, O: Observer = ()> {
    pub(super) word: Word,
    pub(super) rings: Protected<L, Rings<P, O>>,
    observer: O,
}

/// What the slot's lock protects.
pub struct Rings<P: Policy, O: Observer> {
    /// Served one by one.
    pub(super) claimers: Ring<ClaimGrant>,
    /// All told at each release.
    pub(super) observers: Ring<Outcome>,
    pub(super) grantee: P::Grantee,
    pub(super) numbers: O::Numbers,
}

/// What a claimer is granted.
#[derive(Clone, Copy)]
pub enum ClaimGrant {
    /// The claim, found free.
    Free,
    /// The claim, from a holder that ended so.
    Inherited(Outcome),
    /// No claim: the slot was closed.
    Closed,
}

/// How a hold ends.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// By its holder.
    Released(Outcome),
    /// Before it began: the granted waiter went.
    PassedOn(ClaimGrant),
}

/// One grant of a slot, as [`Slot::unobserved`] saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantId(usize);

impl<P: Policy, L: Lock> Slot<P, L> {
    const_fn! {
        /// A free slot. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self::with_observer(())
        }
    }
}

impl<P: Policy, L: Lock, O: Observer> Slot<P, L, O> {
    const_fn! {
        /// A free slot whose steps are told to `observer`.
        #[must_use]
        pub const fn with_observer(observer: O) -> Self {
            Self {
                word: Word::new(FREE),
                rings: Protected::new(Rings {
                    claimers: Ring::new(),
                    observers: Ring::new(),
                    grantee: <P::Grantee as Grantee>::NEW,
                    numbers: <O::Numbers as Numbers>::NEW,
                }),
                observer,
            }
        }
    }

    /// The observer that was given to [`with_observer`](Slot::with_observer).
    pub const fn observer(&self) -> &O {
        &self.observer
    }

    /// Claims the slot if it is free. O(1), one atomic instruction, no lock.
    ///
    /// Dropping the claim releases it as [`Outcome::Abandoned`]; [`Claim::release`] says that the
    /// work was done.
    ///
    /// # Errors
    /// [`Refused::Busy`] while it is held or granted to a waiter, [`Refused::Closed`] after a close.
    #[inline]
    pub fn try_claim(&self) -> Result<Claim<&Self>, Refused> {
        self.take()?;
        Ok(Claim::new(self, None))
    }

    /// Waits for the claim, in order.
    ///
    /// # Cancellation
    /// As for every [`Wait`]: dropped while queued it leaves the queue; dropped after it was
    /// granted the claim, it passes it on to the next waiter.
    ///
    /// # Errors
    /// Gives [`Closed`](crate::Closed) if the slot is closed, or was closed while it waited.
    #[inline]
    pub fn claim(&self) -> Wait<ToClaim<&Self>> {
        Wait::new(ToClaim(self))
    }

    /// Waits for the end of the present hold, and claims nothing. Gives how it ended.
    ///
    /// Polled first while the slot is free it is over at once, with [`Outcome::Passed`]; on a
    /// closed slot, with [`Outcome::Closed`]. The hold that counts is the one at the first poll:
    /// a loop `while slot.is_claimed() { slot.released().await }` misses no release.
    ///
    /// # Cancellation
    /// Leaves the queue; nobody else is affected.
    #[inline]
    pub fn released(&self) -> Wait<ToRelease<&Self>> {
        Wait::new(ToRelease(self))
    }

    /// Closes the slot: it takes no further claim, and every waiter is told so. The present holder
    /// finishes undisturbed. True for the one call that closed it. O(waiters), in bounded lock
    /// holds.
    pub fn close(&self) -> bool {
        let (claimers, observers) = (Link::new(), Link::new());
        let mut to_claimers = Drain::new(&self.rings, &claimers, ClaimGrant::Closed);
        let mut to_observers = Drain::new(&self.rings, &observers, Outcome::Closed);
        let mut notes = Notes::<O>::default();
        let first = self.rings.with(|held| {
            // Relaxed: what matters is decided by the swap.
            let mut word = self.word.load(Ordering::Relaxed);
            loop {
                if word & DONE != 0 {
                    return false;
                }
                // A swap even where C2 would allow a store: it is the rare path. Release: what the
                // closer did before happens before whatever sees `DONE`.
                let closed = word & HELD | DONE;
                let swap =
                    self.word
                        .swap_locked(held, word, closed, Ordering::Release, Ordering::Relaxed);
                match swap {
                    Ok(()) => break,
                    Err(now) => word = now,
                }
            }
            held.numbers.note(&mut notes, EventKind::Closed);
            // SAFETY: Validity: the rings of this lock, each detached once. Aliasing: it is held.
            unsafe {
                to_claimers.detach(&mut held.claimers);
                to_observers.detach(&mut held.observers);
                to_claimers.begin();
                to_observers.begin();
            }
            true
        });
        to_claimers.first(|| self.tell(notes));
        to_claimers.run();
        to_observers.run();
        first
    }

    /// Whether the slot was closed. One load.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // Acquire: pairs with the swap in `close`.
        self.word.load(Ordering::Acquire) & DONE != 0
    }

    /// Whether somebody holds the claim or has been granted it. One load.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        // Acquire: pairs with the release, so that "free" comes with what the holder wrote.
        self.word.load(Ordering::Acquire) & HELD != 0
    }

    /// Whether anybody is queued. One load.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WAITERS != 0
    }

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

    /// Takes an unobserved grant from its waiter, whose next poll enlists it again.
    pub(super) fn barge(&self, held: &mut Locked<Rings<P, O>>) -> bool {
        match held.grantee.take() {
            // SAFETY: Validity: the grantee is granted and live until its owner has taken this
            // lock. Aliasing: the lock is held.
            Some(node) => unsafe { Node::revoke(node) },
            None => return false,
        };
        true
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
    fn grant_next(
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

    pub(super) fn tell(&self, notes: Notes<O>) {
        <O::Numbers as Numbers>::each(notes, |event| self.observer.event(event));
    }
}

pub(super) enum Announced {
    Waiting,
    Free,
    Closed,
}

impl<P: super::Revoking, L: Lock, O: Observer> Slot<P, L, O> {
    /// Takes back a grant that nobody has observed, and gives it to the head of the queue.
    ///
    /// Does nothing, and says so, if every grant was observed or nobody is queued: then there is
    /// no one to stall. The waiter that lost its grant is in no queue until it is polled again (its
    /// wake-up is under way): it then claims a free slot, or enlists at the front. It never sees
    /// the grant that was taken back. O(1).
    pub fn revoke_unobserved(&self) -> bool {
        self.revoke_where(|_| true)
    }

    /// The grant that nobody has observed yet, if there is one.
    #[must_use]
    pub fn unobserved(&self) -> Option<GrantId> {
        self.rings
            .with(|held| held.grantee.is_set().then_some(GrantId(held.grantee.count)))
    }

    /// As [`revoke_unobserved`](Slot::revoke_unobserved), for that grant and no later one.
    pub fn revoke(&self, grant: GrantId) -> bool {
        self.revoke_where(|count| count == grant.0)
    }

    fn revoke_where(&self, wanted: impl FnOnce(usize) -> bool) -> bool {
        let mut notes = Notes::<O>::default();
        let waker = self.rings.with(|held| {
            if held.claimers.is_empty() || !wanted(held.grantee.count) {
                return None;
            }
            let node = held.grantee.take()?;
            held.numbers.note(&mut notes, EventKind::Revoked);
            // SAFETY: Validity: the grantee is granted and live until its owner has taken this
            // lock. Aliasing: the lock is held.
            let grant = unsafe { Node::revoke(node) };
            self.grant_next(held, grant, &mut notes)
        });
        let Some(waker) = waker else { return false };
        let mut user = crate::wait::UserCode::new();
        user.call(|| waker.wake());
        user.call(|| self.tell(notes));
        user.rethrow();
        true
    }
}

impl<P: Policy, L: Lock> Default for Slot<P, L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Policy, L: Lock, O: Observer> fmt::Debug for Slot<P, L, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a picture, not a decision.
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Slot")
            .field("claimed", &(word & HELD != 0))
            .field("waiters", &(word & WAITERS != 0))
            .field("closed", &(word & DONE != 0))
            .finish()
    }
}

impl<P: Policy, L, O: Observer> core::panic::UnwindSafe for Slot<P, L, O> {}
impl<P: Policy, L, O: Observer> core::panic::RefUnwindSafe for Slot<P, L, O> {}
