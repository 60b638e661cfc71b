//! Who gets a released claim: a choice by type.
//!
//! | policy | order | a waiter that is never polled | costs |
//! |---|---|---|---|
//! | [`Handoff`] | first come, first served; nobody overtakes a granted waiter | stalls those behind it | – |
//! | [`Revocable`] | the same, but a grant that stays unobserved may be taken back | is passed over | two words in the slot, a lock to observe a grant |
//! | [`Barging`] | none: whoever asks while a grant is unobserved takes it | is overtaken | as `Revocable`, and starvation is possible |

use core::ptr::NonNull;

use super::slot::ClaimGrant;
use crate::wait::Node;

/// How a slot chooses its next claimant. Sealed: [`Handoff`], [`Revocable`], [`Barging`].
pub trait Policy: choice::Choice {}

/// A policy under which grants can be taken back: [`Revocable`], [`Barging`].
pub trait Revoking: Policy + choice::Choice<Grantee = Last> {}

mod choice {
    /// What a policy decides.
    pub trait Choice {
        /// Whether a newcomer may take an unobserved grant.
        const BARGING: bool;
        /// What the slot remembers of the last grant.
        type Grantee: super::Grantee;
    }
}
pub(super) use choice::Choice;

/// A release hands the claim to the head of the queue. Strictly first in, first out: a newcomer
/// overtakes neither a queued nor a granted waiter.
///
/// The price of it: if the task that was granted the claim is never polled again, those behind it
/// wait until its future is dropped. [`Revocable`] is the cure.
#[derive(Debug)]
pub struct Handoff(());

/// As [`Handoff`], but a grant that its waiter has not observed can be taken back and given to the
/// next: see [`Slot::revoke_unobserved`](super::Slot::revoke_unobserved) and
/// [`Slot::claim_stall_bound`](super::Slot::claim_stall_bound).
#[derive(Debug)]
pub struct Revocable(());

/// Whoever asks first while a grant is unobserved takes it: a releaser that asks again at once, or
/// a newcomer, does not wait for the granted task to be scheduled.
///
/// It gives up order and fairness: a waiter may be overtaken any number of times. (What it gains is
/// throughput where critical sections are shorter than a trip through the scheduler.)
#[derive(Debug)]
pub struct Barging(());

impl Policy for Handoff {}
impl Choice for Handoff {
    const BARGING: bool = false;
    type Grantee = Forgotten;
}

impl Policy for Revocable {}
impl Choice for Revocable {
    const BARGING: bool = false;
    type Grantee = Last;
}

impl Policy for Barging {}
impl Choice for Barging {
    const BARGING: bool = true;
    type Grantee = Last;
}

impl Revoking for Revocable {}
impl Revoking for Barging {}

/// The memory of the last grant, under the slot's lock.
pub trait Grantee: Send {
    /// Nothing was granted.
    const NEW: Self;
    /// Whether there is such a memory.
    const KEPT: bool;

    /// `node` was granted the claim.
    fn set(&mut self, node: NonNull<Node<ClaimGrant>>);
    /// The grant in `node` is its owner's from here on.
    fn settle(&mut self, node: &Node<ClaimGrant>);
    /// The unobserved grant, if there is one, on its way to be taken back.
    fn take(&mut self) -> Option<NonNull<Node<ClaimGrant>>>;
}

/// No memory: a grant stands.
pub struct Forgotten;

impl Grantee for Forgotten {
    const NEW: Self = Self;
    const KEPT: bool = false;

    #[inline(always)]
    fn set(&mut self, _: NonNull<Node<ClaimGrant>>) {}

    #[inline(always)]
    fn settle(&mut self, _: &Node<ClaimGrant>) {}

    #[inline(always)]
    fn take(&mut self) -> Option<NonNull<Node<ClaimGrant>>> {
        None
    }
}

/// The granted node that nobody has observed, and how many grants there were.
pub struct Last {
    node: Option<NonNull<Node<ClaimGrant>>>,
    pub(super) count: usize,
}

// SAFETY: Validity: the pointer is followed under the slot's lock only, while the node is `GRANTED`
// and its owner cannot go without taking that lock. Aliasing: as for the rings.
unsafe impl Send for Last {}

impl Last {
    pub(super) fn is_set(&self) -> bool {
        self.node.is_some()
    }
}

impl Grantee for Last {
    const NEW: Self = Self {
        node: None,
        count: 0,
    };
    const KEPT: bool = true;

    fn set(&mut self, node: NonNull<Node<ClaimGrant>>) {
        self.node = Some(node);
        self.count = self.count.wrapping_add(1);
    }

    fn settle(&mut self, node: &Node<ClaimGrant>) {
        // A waiter that was told `Closed` is granted too, and is not the grantee.
        if self.node == Some(NonNull::from(node)) {
            self.node = None;
        }
    }

    fn take(&mut self) -> Option<NonNull<Node<ClaimGrant>>> {
        self.node.take()
    }
}
