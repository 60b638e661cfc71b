//! The end of a channel: its close, and what receivers are told when the last cell is free (H2).

use super::queue::{Core, HandGrant, ItemGrant, RoomGrant};
use crate::{
    sync::Lock,
    wait::{Drain, Link, Node},
};

impl<T, L: Lock> Core<'_, T, L> {
    /// Closes the channel; true for the one call that did.
    pub(super) fn close(self) -> bool {
        let (senders, receivers) = (Link::new(), Link::new());
        let mut to_senders = Drain::new(self.queue, &senders, RoomGrant::Closed);
        let mut to_receivers = Drain::new(self.queue, &receivers, ItemGrant::End);
        let mut sender = None;
        let first = self.queue.with(|held| {
            if core::mem::replace(&mut held.closed, true) {
                return false;
            }
            // The one that waits to be rid of its item gets it back, unless it is being read.
            if !held.handover.is_empty() {
                if let Some(index) = self.withdraw_any(held) {
                    // SAFETY: Validity: a ring's head, then just unlinked. Aliasing: the lock is
                    // held.
                    sender = unsafe { held.handover.pop() }
                        .map(|node| unsafe { Node::grant(node, HandGrant::Back(index)) });
                }
            }
            // SAFETY: Validity: the rings of this lock, each detached once. Aliasing: it is held.
            unsafe {
                to_senders.detach(&mut held.senders);
                if held.is_over() {
                    to_receivers.detach(&mut held.receivers);
                }
                to_senders.begin();
                to_receivers.begin();
            }
            true
        });
        if let Some(waker) = sender {
            to_senders.first(|| waker.wake());
        }
        to_senders.run();
        to_receivers.run();
        first
    }

    /// Tells all receivers that it is over (H2).
    #[cold]
    pub(super) fn end(self) {
        let sentinel = Link::new();
        let mut drain = Drain::new(self.queue, &sentinel, ItemGrant::End);
        self.queue.with(|held| {
            // (What is over stays so: nobody claims a cell of a closed channel.)
            // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
            unsafe {
                drain.detach(&mut held.receivers);
                drain.begin();
            }
        });
        drain.run();
    }
}
