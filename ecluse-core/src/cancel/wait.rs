//! The waits of a tree: for a scope's cancel, for force, for deferred work.
//!
//! Registering and cancelling meet under one lock: a wait that did not see the flag there is in its
//! ring before a cancel looks at the ring, one that comes later reads the flag (s02).

use super::{
    cx::Cx,
    reason::{CANCEL, FORCE, Reason},
    tree::Trunk,
};
use crate::{
    sync::{Lock, Locked, Ordering, Protected},
    wait::{Protocol, Ring, Wait},
};

/// The wait for a scope to be cancelled: gives the [`Reason`]. See [`Cx::cancelled`].
pub type CancelWait<'s, L> = Wait<ToCancel<'s, L>>;

/// The wait for a scope to be cancelled by force: gives the [`Reason`]. See [`Cx::forced`].
pub type ForceWait<'s, L> = Wait<ToForce<'s, L>>;

/// What a [`CancelWait`] waits for.
pub struct ToCancel<'s, L: Lock>(pub(super) Cx<'s, L>);

/// What a [`ForceWait`] waits for.
pub struct ToForce<'s, L: Lock>(pub(super) Cx<'s, L>);

/// The two differ in their flag and in their ring.
macro_rules! flag_wait {
    ($target:ident, $flag:ident, $ring:ident) => {
        impl<L: Lock> Protocol for $target<'_, L> {
            type Lock = L;
            type Held = Trunk;
            type Grant = Reason;
            type Extra = ();
            type Output = Reason;
            type Notes = ();

            #[inline(always)]
            fn guarded(&self) -> &Protected<L, Trunk> {
                &self.0.tree.trunk
            }

            #[inline(always)]
            fn ring<'h>(&'h self, trunk: &'h mut Locked<Trunk>) -> Option<&'h mut Ring<Reason>> {
                // SAFETY: Validity: a `Cx` is of one tree (T1). Aliasing: the lock is held.
                Some(&mut unsafe { self.0.branch.lists(trunk) }.$ring)
            }

            #[inline(always)]
            fn attempt(&self) -> Option<Reason> {
                // Acquire: pairs with the store of the flag in `Branch::set` (T5).
                let word = self.0.branch.word(Ordering::Acquire);
                Reason::of(word).filter(|_| word & $flag != 0)
            }

            fn over(&self, _: &mut Locked<Trunk>) -> Option<Reason> {
                self.attempt()
            }

            #[inline(always)]
            fn observe(&self, reason: Reason) -> Reason {
                reason
            }
        }
    };
}

flag_wait!(ToCancel, CANCEL, waiters);
flag_wait!(ToForce, FORCE, force);

/// What a carrier waits for: something on the work list.
pub(super) struct ToCarry<'s, L: Lock>(pub(super) Cx<'s, L>);

impl<L: Lock> Protocol for ToCarry<'_, L> {
    type Lock = L;
    type Held = Trunk;
    type Grant = ();
    type Extra = ();
    type Output = ();
    type Notes = ();

    fn guarded(&self) -> &Protected<L, Trunk> {
        &self.0.tree.trunk
    }

    fn ring<'h>(&'h self, trunk: &'h mut Locked<Trunk>) -> Option<&'h mut Ring<()>> {
        Some(&mut trunk.carriers)
    }

    fn over(&self, trunk: &mut Locked<Trunk>) -> Option<()> {
        trunk.has_work().then_some(())
    }

    fn observe(&self, (): ()) {}

    /// The carrier that was told went without doing it: another one is told.
    fn pass_on(&self, (): ()) {
        let next = self
            .guarded()
            .with(|trunk| trunk.has_work().then(|| trunk.tell_carrier()).flatten());
        if let Some(waker) = next {
            waker.wake();
        }
    }
}
