//! `Slot`: the word, its two rings, and what users call. How the word changes, with the invariants C1
//! to C3, is in `transitions`.

use core::fmt;

use super::{
    Claim,
    policy::{Grantee, Handoff, Policy},
    wait::{ToClaim, ToRelease},
};
use crate::{
    Outcome, Refused,
    observe::{EventKind, Notes, Numbers, Observer},
    sync::{DefaultLock, Lock, Ordering, Protected, Word},
    wait::{Drain, Link, Ring, Wait},
};

pub(super) const FREE: usize = 0;
pub(super) const HELD: usize = 1;
pub(super) const WAITERS: usize = 2;
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

    pub(super) fn tell(&self, notes: Notes<O>) {
        <O::Numbers as Numbers>::each(notes, |event| self.observer.event(event));
    }
}

impl<P: Policy, L, O: Observer> Slot<P, L, O> {
    /// Whether it was closed, for an owner that is being dropped.
    pub(crate) fn was_closed(&mut self) -> bool {
        // Relaxed: nobody else is left.
        self.word.load(Ordering::Relaxed) & DONE != 0
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
