//! What a primitive tells the engine about its waiters: the whole contract between the two.
//!
//! Calls that get `held` run under the list lock: no user code, no panic, a bounded number of
//! steps. The others run without it.

use super::{Node, Ring};
use crate::sync::{Lock, Locked, Protected};

/// The engine's view of a [`Target`](super::Target).
pub trait Protocol {
    /// The list lock.
    type Lock: Lock;
    /// What it protects: the rings, and whatever else the primitive keeps there.
    type Held;
    /// What a waiter is given. A word or so: it is moved under the lock.
    type Grant;
    /// What the wait gives for it.
    type Output;
    /// Events on their way out of the lock.
    type Notes: Default;

    /// Whether grants are observed under the lock: they can be revoked, or somebody numbers them.
    const UNDER_LOCK: bool;
    /// Whether [`Protocol::tell`] has anybody to tell.
    const HEARD: bool;

    /// The lock with its rings.
    fn guarded(&self) -> &Protected<Self::Lock, Self::Held>;

    /// The ring that these waiters queue in.
    fn ring(held: &mut Self::Held) -> &mut Ring<Self::Grant>;

    /// What can be had at once, without the lock.
    fn attempt(&self) -> Option<Self::Grant>;

    /// Looks again; if there is still nothing to be had, makes the word say that somebody waits.
    fn enlist(&self, held: &mut Locked<Self::Held>, notes: &mut Self::Notes)
    -> Option<Self::Grant>;

    /// One of these waiters unlinked itself; `emptied` if its ring is empty by that.
    fn left(&self, held: &mut Locked<Self::Held>, emptied: bool, notes: &mut Self::Notes);

    /// The grant in `node` can no longer be taken back: its owner is about to take it.
    fn settled(&self, held: &mut Locked<Self::Held>, node: &Node<Self::Grant>);

    /// `grant` is being observed under the lock.
    fn observed(&self, held: &mut Locked<Self::Held>, grant: &Self::Grant, notes: &mut Self::Notes);

    /// A waiter leaves: what it waited for, if the word says that it has happened.
    fn over(&self, held: &mut Locked<Self::Held>) -> Option<Self::Grant>;

    /// Turns the grant into the waiter's value.
    fn observe(&self, grant: Self::Grant) -> Self::Output;

    /// The waiter went without observing the grant.
    fn pass_on(&self, grant: Self::Grant);

    /// Tells the observer.
    fn tell(&self, notes: Self::Notes);
}
