//! What a primitive tells the engine about its waiters: the whole contract between the two.
//!
//! Calls that get `held` run under the list lock: no user code, no panic, a bounded number of
//! steps. The others run without it.

use core::{
    ptr::NonNull,
    task::{Poll, Waker},
};

use super::{Node, Ring};
use crate::sync::{Lock, Locked, Protected};

/// What a waiter that enlists finds, under the lock.
pub enum Found<'h, P: Protocol + ?Sized> {
    /// What it waits for: it need not queue.
    Grant(P::Grant),
    /// A ring to queue in; the word says by now that somebody waits.
    Ring(&'h mut Ring<P::Grant, P::Extra>),
    /// A leader to queue behind, linked as such.
    Leader(NonNull<Node<P::Grant, P::Extra>>),
    /// Nobody: its node was made a leader.
    Lead,
}

/// The engine's view of a [`Target`](super::Target).
pub trait Protocol {
    /// The list lock.
    type Lock: Lock;
    /// What it protects: the rings, and whatever else the primitive keeps there.
    type Held;
    /// What a waiter is given: it is moved under the lock.
    type Grant;
    /// What else lies in a waiter's node; `()` but for those that can lead.
    type Extra;
    /// What the wait gives for it.
    type Output;
    /// Events on their way out of the lock.
    type Notes: Default;

    /// Whether grants are observed under the lock: they can be revoked, or somebody numbers them.
    const UNDER_LOCK: bool = false;
    /// Whether [`Protocol::tell`] has anybody to tell.
    const HEARD: bool = false;
    /// Whether a waiter can come to lead those behind it.
    const LEADS: bool = false;

    /// Whether the waiter's value is more than a resource, so that a panic of a spare waker must
    /// not meet it: the grant is observed after all user code, and passed on if that panics.
    const PRECIOUS: bool = false;

    /// Whether an unobserved grant is passed on under the lock under which it was found, by
    /// [`Protocol::put_back`]; only where grants are observed under the lock.
    const RETURNS: bool = false;

    /// Whether a waiter that leaves the queue may let in others, by [`Protocol::serve`].
    const RELAYS: bool = false;

    /// The lock with its rings.
    fn guarded(&self) -> &Protected<Self::Lock, Self::Held>;

    /// The ring that these waiters queue in; `None` if they queue behind leaders.
    fn ring<'h>(
        &'h self,
        held: &'h mut Locked<Self::Held>,
    ) -> Option<&'h mut Ring<Self::Grant, Self::Extra>>;

    /// What can be had at once, before the waiter enlists.
    #[inline(always)]
    fn attempt(&self) -> Option<Self::Grant> {
        None
    }

    /// As [`Protocol::attempt`], for what can be had in one step. Asked before it, once, at the first
    /// poll, where its caller may look on: what it gives is made where that wants it.
    #[inline(always)]
    fn now(&self) -> Poll<Self::Output> {
        Poll::Pending
    }

    /// Looks again; if there is still nothing to be had, makes the word say that somebody waits.
    /// `waker` is the waiter's own, to be compared, not called.
    ///
    /// Where the lock protects all there is to look at, [`Protocol::over`] is that look. (Who has no
    /// ring says for itself.)
    #[inline(always)]
    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Self::Held>,
        _node: &Node<Self::Grant, Self::Extra>,
        _waker: &Waker,
        _notes: &mut Self::Notes,
    ) -> Found<'h, Self> {
        match self.over(held) {
            Some(grant) => Found::Grant(grant),
            None => self.ring(held).map_or(Found::Lead, Found::Ring),
        }
    }

    /// One of these waiters unlinked itself; `emptied` if its ring is empty by that.
    #[inline(always)]
    fn left(&self, _held: &mut Locked<Self::Held>, _emptied: bool, _notes: &mut Self::Notes) {}

    /// The last one behind `leader` unlinked itself.
    fn left_alone(
        &self,
        _held: &mut Locked<Self::Held>,
        _leader: NonNull<Node<Self::Grant, Self::Extra>>,
        _notes: &mut Self::Notes,
    ) {
    }

    /// The grant in `node` can no longer be taken back: its owner is about to take it.
    #[inline(always)]
    fn settled(&self, _held: &mut Locked<Self::Held>, _node: &Node<Self::Grant, Self::Extra>) {}

    /// `grant` is being observed under the lock.
    #[inline(always)]
    fn observed(
        &self,
        _held: &mut Locked<Self::Held>,
        _grant: &Self::Grant,
        _notes: &mut Self::Notes,
    ) {
    }

    /// A waiter leaves: what it waited for, if the word says that it has happened.
    fn over(&self, held: &mut Locked<Self::Held>) -> Option<Self::Grant>;

    /// Turns the grant into the waiter's value.
    fn observe(&self, grant: Self::Grant) -> Self::Output;

    /// The waiter went without observing the grant.
    #[inline(always)]
    fn pass_on(&self, _grant: Self::Grant) {}

    /// As [`Protocol::pass_on`], under the lock: gives whom to wake. Asked if [`Protocol::RETURNS`]
    /// only.
    fn put_back(&self, _held: &mut Locked<Self::Held>, _grant: Self::Grant) -> Option<Waker> {
        None
    }

    /// A waiter left the queue: serves those who can be served now. Asked if [`Protocol::RELAYS`]
    /// only.
    fn serve(&self) {}

    /// Tells the observer.
    #[inline(always)]
    fn tell(&self, _notes: Self::Notes) {}

    /// Makes a waiter that was never queued a leader, if that can be had without the lock.
    fn lead_now(&self, _node: &Node<Self::Grant, Self::Extra>) -> bool {
        false
    }

    /// The waiter learns that it leads; asked if [`Protocol::LEADS`] only.
    fn lead(&self) -> Option<Self::Output> {
        None
    }

    /// A leader is dropped: its node is to be unlinked, as what it led goes on without it. False if
    /// it does not lead any more, but queues.
    fn resign(&self, _node: &Node<Self::Grant, Self::Extra>) -> bool {
        true
    }
}
