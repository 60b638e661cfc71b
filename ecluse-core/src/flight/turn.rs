//! What a caller of a flight waits for: its turn to lead, or what the leader's run comes to.

use core::{ptr::NonNull, task::Waker};

use super::{
    table::{At, Caller, Landing, Leaders, Seat, Table, seat},
    transitions::{enlist, lead_now, left_alone},
};
use crate::{
    sync::{Handle, Locked, Protected},
    wait::{Found, Node, Protocol, Ring, Wait},
};

/// A handle on a table of flights: `&Flight`, `&Group`, …; with `alloc` `Arc` and `Rc` of them.
/// Sealed.
pub trait TableRef: Handle<Target: Table> {}

impl<R: Handle<Target: Table>> TableRef for R {}

/// The wait for one's turn in a flight.
pub struct ToTurn<R: TableRef> {
    table: R,
    place: <R::Target as Table>::Place,
}

impl<R: TableRef> ToTurn<R> {
    #[inline(always)]
    fn at(&self) -> At<'_, R::Target> {
        At::new(&*self.table, self.place)
    }
}

/// What a caller's wait comes to.
pub enum Turn<T> {
    /// The caller leads: it runs the work.
    Lead,
    /// Somebody's run has come to this.
    Landed(Landing<T>),
}

impl<R: TableRef> Wait<ToTurn<R>> {
    #[inline(always)]
    pub(crate) fn turn(
        table: R,
        place: <R::Target as Table>::Place,
        key: <R::Target as Table>::Key,
    ) -> Self {
        Self::with(ToTurn { table, place }, seat::<R::Target>(key))
    }

    /// Another wait for the same key, in no table.
    #[cfg(feature = "alloc")]
    pub(super) fn again(&self) -> Self
    where
        <R::Target as Table>::Key: Clone,
    {
        Self::turn(
            self.target.table.clone(),
            self.target.place,
            self.key().clone(),
        )
    }

    pub(super) fn handle(&self) -> &R {
        &self.target.table
    }

    pub(super) fn table(&self) -> &R::Target {
        &self.target.table
    }

    pub(super) fn at(&self) -> At<'_, R::Target> {
        self.target.at()
    }

    pub(super) fn seat(&self) -> &Caller<R::Target> {
        &self.node
    }

    pub(super) fn key(&self) -> &<R::Target as Table>::Key {
        &self.node.extra().data().key
    }
}

impl<R: TableRef> Protocol for ToTurn<R> {
    type Lock = <R::Target as Table>::Lock;
    type Held = Leaders<R::Target>;
    type Grant = Landing<<R::Target as Table>::Value>;
    type Extra = Seat<R::Target>;
    type Output = Turn<<R::Target as Table>::Value>;
    /// A task that is to end.
    type Notes = Option<Waker>;

    const UNDER_LOCK: bool = false;
    const HEARD: bool = false;
    const LEADS: bool = true;

    fn guarded(&self) -> &Protected<Self::Lock, Self::Held> {
        self.at().bucket().lock()
    }

    fn ring<'h>(
        &'h self,
        _: &'h mut Locked<Self::Held>,
    ) -> Option<&'h mut Ring<Self::Grant, Self::Extra>> {
        None
    }

    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Self::Held>,
        node: &Caller<R::Target>,
        waker: &Waker,
        _: &mut Option<Waker>,
    ) -> Found<'h, Self> {
        enlist(self.at(), held, node, waker)
    }

    fn left(&self, _: &mut Locked<Self::Held>, _: bool, _: &mut Option<Waker>) {}

    fn left_alone(
        &self,
        held: &mut Locked<Self::Held>,
        leader: NonNull<Caller<R::Target>>,
        doomed: &mut Option<Waker>,
    ) {
        *doomed = left_alone(self.at(), held, leader);
    }

    fn settled(&self, _: &mut Locked<Self::Held>, _: &Node<Self::Grant, Self::Extra>) {}

    fn observed(&self, _: &mut Locked<Self::Held>, _: &Self::Grant, _: &mut Option<Waker>) {}

    fn over(&self, _: &mut Locked<Self::Held>) -> Option<Self::Grant> {
        None
    }

    fn observe(&self, grant: Self::Grant) -> Self::Output {
        Turn::Landed(grant)
    }

    /// The others have theirs; this caller's clone is dropped.
    fn pass_on(&self, _: Self::Grant) {}

    fn tell(&self, doomed: Option<Waker>) {
        if let Some(waker) = doomed {
            waker.wake();
        }
    }

    #[inline]
    fn lead_now(&self, node: &Caller<R::Target>) -> bool {
        lead_now(self.at(), node)
    }

    fn lead(&self) -> Option<Self::Output> {
        Some(Turn::Lead)
    }

    fn resign(&self, node: &Caller<R::Target>) -> bool {
        R::Target::resign(self.at(), node)
    }
}
