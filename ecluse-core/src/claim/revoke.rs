//! Taking a grant back that nobody has observed: by a claimer that barges in, or by whoever watches
//! for stalls. The waiter that loses it is enlisted again by its next poll.
//!
//! The invariants are those of [`Slot`]: the claim goes from grant to grant under the lock, the word
//! `HELD` all the while (C3).

use super::{Policy, Revoking, Slot, policy::Grantee, slot::Rings};
use crate::{
    observe::{EventKind, Notes, Numbers, Observer},
    sync::{Lock, Locked},
    wait::{Node, UserCode},
};

/// One grant of a slot, as [`Slot::unobserved`] saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantId(usize);

impl<P: Policy, L: Lock, O: Observer> Slot<P, L, O> {
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
}

impl<P: Revoking, L: Lock, O: Observer> Slot<P, L, O> {
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
        let mut user = UserCode::new();
        user.call(|| waker.wake());
        user.call(|| self.tell(notes));
        user.rethrow();
        true
    }
}
