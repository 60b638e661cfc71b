//! `SharedScope`: a scope that its users share, for tasks that are spawned.
//!
//! Where it lies, and what keeps it there, is in `keep`; who is spawned into it, in `crew`.

use core::fmt;

use super::{
    crew::orphans,
    cx::Cx,
    keep::{Keep, ScopePlace, Stem},
    reason::{Reason, SHIELD},
    scope::Root,
    view::TreeView,
};
use crate::{error::PlaceTaken, sync::Lock};

locked_type! {
    /// A scope that its users share and keep alive: `'static`, for tasks that are spawned. It lies behind
    /// an `Arc`, or in a [`ScopePlace`] in a `static`.
    ///
    /// A clone is another handle on the same scope. A task keeps one and takes its [`Cx`] from it; scopes
    /// below are shared ones ([`child`](SharedScope::child)) or lie in the task's own future
    /// ([`Cx::child`]). When its last handle goes, the scope leaves the tree; that does not cancel it,
    /// since nobody is left who could ask.
    ///
    /// Tasks that are spawned *into* it ([`spawn`](SharedScope::spawn)) are its children: it can wait for
    /// them ([`joined`](SharedScope::joined), [`run`](SharedScope::run)) and force them to end.
    ///
    /// ```
    /// use ecluse_core::cancel::{Kind, Root, ScopePlace, SharedScope};
    ///
    /// static PROGRAM: Root = Root::new();
    /// static SERVER: ScopePlace = ScopePlace::new();
    /// static CONNECTION: ScopePlace = ScopePlace::new();
    ///
    /// let server: SharedScope = PROGRAM.child_in(&SERVER).unwrap();
    /// // (With a heap: `SharedScope::new()`, `server.child()`.)
    /// let connection = server.child_in(&CONNECTION).unwrap();
    /// let task = async move {
    ///     let cx = connection.cx();
    ///     cx.guard(core::future::pending::<()>()).await
    /// };
    /// # let mut task = core::pin::pin!(task);
    /// # let mut poll = || core::future::Future::poll(task.as_mut(), &mut core::task::Context::from_waker(core::task::Waker::noop()));
    /// # assert!(poll().is_pending());
    /// server.cancel(Kind::Shutdown);
    /// # assert!(matches!(poll(), core::task::Poll::Ready(Err(cancelled)) if cancelled.reason().is_inherited()));
    /// ```
    pub struct SharedScope<L: Lock>(pub(super) Keep<L>);
}

/// With a heap.
#[cfg(any(
    all(feature = "alloc", target_has_atomic = "ptr"),
    feature = "portable-atomic"
))]
impl<L: Lock> SharedScope<L> {
    /// The root of a tree of its own, with its own lock. Allocates.
    #[must_use]
    pub fn new() -> Self {
        Self::named("")
    }

    /// [`new`](SharedScope::new), called `name`: for [`tree`](SharedScope::tree).
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        Self(Keep::new_root(name))
    }

    /// A scope below this one: cancelled with it, and on its own. Allocates; O(1).
    #[must_use]
    pub fn child(&self) -> Self {
        self.child_named("")
    }

    /// [`child`](SharedScope::child), called `name`.
    #[must_use]
    pub fn child_named(&self, name: &'static str) -> Self {
        Self(Keep::new_below(self.stem(), 0, name))
    }

    /// A scope below this one that is cancelled on its own, or by force from outside. Allocates;
    /// O(1).
    #[must_use]
    pub fn shielded(&self) -> Self {
        self.shielded_named("")
    }

    /// [`shielded`](SharedScope::shielded), called `name`.
    #[must_use]
    pub fn shielded_named(&self, name: &'static str) -> Self {
        Self(Keep::new_below(self.stem(), SHIELD, name))
    }
}

impl<L: Lock> SharedScope<L> {
    /// A scope below this one, in `place`. O(1), no allocation.
    ///
    /// # Errors
    /// [`PlaceTaken`] if another scope has the place.
    pub fn child_in(&self, place: &'static ScopePlace<L>) -> Result<Self, PlaceTaken> {
        self.child_named_in(place, "")
    }

    /// [`child_in`](SharedScope::child_in), called `name`.
    ///
    /// # Errors
    /// [`PlaceTaken`] if another scope has the place.
    pub fn child_named_in(
        &self,
        place: &'static ScopePlace<L>,
        name: &'static str,
    ) -> Result<Self, PlaceTaken> {
        Keep::new_in(place, self.stem(), 0, name).map(Self)
    }

    /// A scope below this one, in `place`, that is cancelled on its own, or by force from outside.
    ///
    /// # Errors
    /// [`PlaceTaken`] if another scope has the place.
    pub fn shielded_in(&self, place: &'static ScopePlace<L>) -> Result<Self, PlaceTaken> {
        Keep::new_in(place, self.stem(), SHIELD, "").map(Self)
    }

    fn stem(&self) -> Stem<L> {
        Stem::Scope(self.0.clone())
    }

    /// The scope, as its bodies see it.
    #[must_use]
    pub fn cx(&self) -> Cx<'_, L> {
        self.0.cx()
    }

    /// Cancels the scope and all that are below it: [`Cx::cancel`].
    ///
    /// # Panics
    /// As [`Cx::cancel`].
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        self.cx().cancel(reason)
    }

    /// Cancels the scope and all that are below it for good: [`Cx::force`]. The futures of all
    /// children are dropped, each at its next poll, which this wakes; that works on executors that
    /// cannot abort.
    ///
    /// # Panics
    /// As [`Cx::cancel`].
    pub fn force(&self, reason: impl Into<Reason>) -> bool {
        self.cx().force(reason)
    }

    /// Whether the scope is cancelled. One load.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cx().is_cancelled()
    }

    /// This scope and all that are below it, to be looked at or printed: [`Cx::tree`].
    #[must_use]
    pub fn tree(&self) -> TreeView<'_, L> {
        self.cx().tree()
    }

    /// How many scopes are attached in the whole tree, below its root.
    #[must_use]
    pub fn attached(&self) -> usize {
        self.cx().tree.attached()
    }
}

/// Shared scopes below a root in a `static`.
impl<L: Lock> Root<L> {
    /// A shared scope below this root. Allocates; O(1).
    #[cfg(any(
        all(feature = "alloc", target_has_atomic = "ptr"),
        feature = "portable-atomic"
    ))]
    #[must_use]
    pub fn shared_child(&'static self) -> SharedScope<L> {
        self.shared_child_named("")
    }

    /// [`shared_child`](Root::shared_child), called `name`.
    #[cfg(any(
        all(feature = "alloc", target_has_atomic = "ptr"),
        feature = "portable-atomic"
    ))]
    #[must_use]
    pub fn shared_child_named(&'static self, name: &'static str) -> SharedScope<L> {
        SharedScope(Keep::new_below(Stem::Root(self), 0, name))
    }

    /// A shared scope below this root, in `place`. O(1), no allocation.
    ///
    /// # Errors
    /// [`PlaceTaken`] if another scope has the place.
    pub fn child_in(
        &'static self,
        place: &'static ScopePlace<L>,
    ) -> Result<SharedScope<L>, PlaceTaken> {
        self.child_named_in(place, "")
    }

    /// [`child_in`](Root::child_in), called `name`.
    ///
    /// # Errors
    /// [`PlaceTaken`] if another scope has the place.
    pub fn child_named_in(
        &'static self,
        place: &'static ScopePlace<L>,
        name: &'static str,
    ) -> Result<SharedScope<L>, PlaceTaken> {
        Keep::new_in(place, Stem::Root(self), 0, name).map(SharedScope)
    }

    /// As [`SharedScope::orphans`].
    #[must_use]
    pub fn orphans(&self) -> usize {
        orphans(self.cx(), None)
    }
}

impl<L: Lock> Clone for SharedScope<L> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The root of a tree of its own.
#[cfg(any(
    all(feature = "alloc", target_has_atomic = "ptr"),
    feature = "portable-atomic"
))]
impl<L: Lock> Default for SharedScope<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: Lock> fmt::Debug for SharedScope<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedScope")
            .field("cancelled", &self.cx().reason())
            .field("live", &self.live())
            .finish_non_exhaustive()
    }
}

impl<L: Lock> core::panic::UnwindSafe for SharedScope<L> {}
impl<L: Lock> core::panic::RefUnwindSafe for SharedScope<L> {}
