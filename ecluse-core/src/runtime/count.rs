//! Counting who is out: the one implementation of it, for a [`Tally`] and for the scopes of a tree.
//!
//! Invariant **K1**: a count and its joiners are under one lock. So a joiner either reads that nobody
//! is out, or is in the ring when the last one comes back.
//!
//! [`Tally`]: super::Tally

use crate::{
    sync::{Lock, Locked, Protected},
    wait::{Protocol, Ring, Wait},
};

/// Those who are out, and who waits for them.
pub struct Count {
    live: usize,
    lost: usize,
    pub(crate) joiners: Ring<()>,
}

impl Count {
    pub(crate) const fn new() -> Self {
        Self {
            live: 0,
            lost: 0,
            joiners: Ring::new(),
        }
    }

    pub(crate) fn live(&self) -> usize {
        self.live
    }

    pub(crate) fn lost(&self) -> usize {
        self.lost
    }

    pub(crate) fn enter(&mut self) {
        self.live += 1;
    }

    /// One is back. Gives the joiners, who are to be told, if it was the last.
    pub(crate) fn leave(&mut self, lost: bool) -> Option<&mut Ring<()>> {
        self.live -= 1;
        self.lost += usize::from(lost);
        (self.live == 0).then_some(&mut self.joiners)
    }
}

/// What tickets are counted by, as the count sees it.
pub trait Counts: Clone {
    /// The lock of the count.
    type Lock: Lock;
    /// What that protects.
    type Held;
    /// What a ticket is told that is to end.
    type Told: Send;

    /// The lock with all that it protects.
    fn guarded(&self) -> &Protected<Self::Lock, Self::Held>;

    /// The count.
    fn count<'h>(&'h self, held: &'h mut Locked<Self::Held>) -> &'h mut Count;

    /// The tickets that wait to be told to end.
    fn tickets<'h>(&'h self, held: &'h mut Locked<Self::Held>) -> &'h mut Ring<Self::Told>;

    /// Whether tickets are to end.
    fn told(&self, held: &mut Locked<Self::Held>) -> Option<Self::Told>;

    /// Counts one more, unless no more are taken.
    fn enter(&self) -> bool;

    /// Counts one less, and tells the joiners if it was the last.
    fn leave(&self, lost: bool);
}

/// What tickets are counted by: a handle on a [`Tally`](super::Tally) (`&Tally`, and with `alloc`
/// `Arc<Tally>` and `Rc<Tally>`), or a [`Member`](crate::cancel::Member) of a scope. Sealed.
pub trait TallyRef: Counts {}

impl<R: Counts> TallyRef for R {}

/// The wait for nobody to be out.
pub type Joined<R> = Wait<ToJoin<R>>;

/// A ticket's wait for its end to be asked for.
pub type Cancelled<R> = Wait<ToCancel<R>>;

/// What [`Joined`] waits for.
pub struct ToJoin<R: TallyRef>(pub(crate) R);

/// What [`Cancelled`] waits for.
pub struct ToCancel<R: TallyRef>(pub(super) R);

impl<R: TallyRef> Protocol for ToJoin<R> {
    type Lock = R::Lock;
    type Held = R::Held;
    type Grant = ();
    type Extra = ();
    type Output = ();
    type Notes = ();

    fn guarded(&self) -> &Protected<R::Lock, R::Held> {
        self.0.guarded()
    }

    fn ring<'h>(&'h self, held: &'h mut Locked<R::Held>) -> Option<&'h mut Ring<()>> {
        Some(&mut self.0.count(held).joiners)
    }

    fn over(&self, held: &mut Locked<R::Held>) -> Option<()> {
        // K1.
        (self.0.count(held).live == 0).then_some(())
    }

    fn observe(&self, (): ()) {}
}

impl<R: TallyRef> Protocol for ToCancel<R> {
    type Lock = R::Lock;
    type Held = R::Held;
    type Grant = R::Told;
    type Extra = ();
    type Output = ();
    type Notes = ();

    fn guarded(&self) -> &Protected<R::Lock, R::Held> {
        self.0.guarded()
    }

    fn ring<'h>(&'h self, held: &'h mut Locked<R::Held>) -> Option<&'h mut Ring<R::Told>> {
        Some(self.0.tickets(held))
    }

    fn over(&self, held: &mut Locked<R::Held>) -> Option<R::Told> {
        self.0.told(held)
    }

    fn observe(&self, _: R::Told) {}
}
