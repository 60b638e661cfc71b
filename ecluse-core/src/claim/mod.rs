//! Claim, release and orphan handoff: [`Slot`] and its [`Claim`].
//!
//! One task claims the slot, the others wait for the claim ([`Slot::claim`]) or for its end
//! ([`Slot::released`]). However the claimant ends, the claim is released exactly once.
//!
//! | file | holds |
//! |---|---|
//! | `slot` | the word, the rings, the calls |
//! | `transitions` | how the word changes (invariants C1 to C3) |
//! | `revoke` | taking a grant back |
//! | `wait` | what its waiters wait for |
//! | `hold` | `Claim`, the guard that exists from the instant of claiming |
//! | `guard` | a body run under a claim, with a hook for its orphans |
//! | `policy` | who gets a released claim, by type |

mod guard;
mod hold;
mod policy;
mod revoke;
mod slot;
mod transitions;
mod wait;

pub use self::{
    guard::{Cause, Guard},
    hold::Claim,
    policy::{Barging, Handoff, Policy, Revocable, Revoking},
    revoke::GrantId,
    slot::Slot,
    wait::{ToClaim, ToRelease},
};

pub(crate) use self::hold::Since;

use crate::{
    observe::Observer,
    sync::{Handle, Lock},
    wait::Wait,
};

/// The wait for a claim: gives `Ok(`[`Claim`]`)`, or `Err(`[`Closed`](crate::Closed)`)`.
pub type Claiming<R> = Wait<ToClaim<R>>;

/// The wait for the end of the present hold: gives its [`Outcome`](crate::Outcome).
pub type Released<R> = Wait<ToRelease<R>>;

/// A handle on a slot: `&Slot`, and with `alloc` `Arc<Slot>` and `Rc<Slot>`, of any policy, lock
/// and observer. Sealed.
pub trait SlotRef: Handle {
    /// The slot's policy.
    type Policy: Policy;
    /// The slot's lock.
    type Lock: Lock;
    /// The slot's observer.
    type Observer: Observer;

    /// The slot.
    fn slot(&self) -> &Slot<Self::Policy, Self::Lock, Self::Observer>;
}

impl<R, P: Policy, L: Lock, O: Observer> SlotRef for R
where
    R: Handle<Target = Slot<P, L, O>>,
{
    type Policy = P;
    type Lock = L;
    type Observer = O;

    #[inline(always)]
    fn slot(&self) -> &Slot<P, L, O> {
        self
    }
}

/// Owned forms: the claim and the wait keep the slot alive and are `'static`.
#[cfg(feature = "alloc")]
mod owned {
    use super::{Claim, Claiming, Policy, Released, Slot, SlotRef, ToClaim, ToRelease};
    use crate::{Refused, observe::Observer, sync::Lock, wait::Wait};

    impl<P: Policy, L: Lock, O: Observer> Slot<P, L, O> {
        /// [`try_claim`](Slot::try_claim) for a claim that may move to another task and outlive
        /// this borrow: `this` is an `Arc` or `Rc` of the slot.
        ///
        /// # Errors
        /// As [`try_claim`](Slot::try_claim).
        pub fn try_claim_owned<R>(this: &R) -> Result<Claim<R>, Refused>
        where
            R: SlotRef<Policy = P, Lock = L, Observer = O>,
        {
            this.slot().take()?;
            Ok(Claim::new(this.clone(), None))
        }

        /// [`claim`](Slot::claim) for a wait that keeps the slot alive.
        pub fn claim_owned<R>(this: &R) -> Claiming<R>
        where
            R: SlotRef<Policy = P, Lock = L, Observer = O>,
        {
            Wait::new(ToClaim(this.clone()))
        }

        /// [`released`](Slot::released) for a wait that keeps the slot alive.
        pub fn released_owned<R>(this: &R) -> Released<R>
        where
            R: SlotRef<Policy = P, Lock = L, Observer = O>,
        {
            Wait::new(ToRelease(this.clone()))
        }
    }
}

/// Threads without a runtime.
#[cfg(all(feature = "std", not(ecluse_loom)))]
mod blocking {
    use core::time::Duration;

    use super::{Claim, Policy, Slot};
    use crate::{Closed, Outcome, TimedOut, observe::Observer, sync::Lock};

    impl<P: Policy, L: Lock, O: Observer> Slot<P, L, O> {
        /// Blocks this thread until it has the claim; it queues with tasks, in the same order.
        ///
        /// # Errors
        /// [`Closed`] if the slot is closed, or was closed meanwhile.
        pub fn claim_blocking(&self) -> Result<Claim<&Self>, Closed> {
            self.claim().block()
        }

        /// As [`claim_blocking`](Slot::claim_blocking), for `limit` at most.
        ///
        /// # Errors
        /// [`TimedOut`] when the limit is over; inside, [`Closed`] if the slot is closed.
        pub fn claim_blocking_timeout(
            &self,
            limit: Duration,
        ) -> Result<Result<Claim<&Self>, Closed>, TimedOut> {
            self.claim().block_timeout(limit)
        }

        /// Blocks this thread until the present hold is over.
        pub fn released_blocking(&self) -> Outcome {
            self.released().block()
        }

        /// As [`released_blocking`](Slot::released_blocking), for `limit` at most.
        ///
        /// # Errors
        /// [`TimedOut`] when the limit is over.
        pub fn released_blocking_timeout(&self, limit: Duration) -> Result<Outcome, TimedOut> {
            self.released().block_timeout(limit)
        }
    }
}
