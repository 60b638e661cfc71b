//! `SharedScope`: a scope behind an `Arc`, for tasks that are spawned.
//!
//! Invariants:
//! - **A1** A branch lies in its `Arc` from its attaching to its drop and is never moved out of it.
//! - **A2** Every child holds its parent and its root, so a shared scope is detached before what it
//!   is attached to goes.
//! - **A3** A chain of parents that goes is taken apart by a loop, not by drops within drops.

use core::fmt;

#[cfg(target_has_atomic = "ptr")]
use alloc::sync::Arc;
#[cfg(not(target_has_atomic = "ptr"))]
use portable_atomic_util::Arc;

use super::{
    branch::{At, Place as TreePlace},
    cx::Cx,
    reason::{Reason, SHIELD},
    scope::Root,
    view::TreeView,
};
use crate::sync::Lock;

locked_type! {
    /// A scope that its users share and keep alive: `'static`, for tasks that are spawned.
    ///
    /// A clone is another handle on the same scope. A task keeps one and takes its [`Cx`] from it; scopes
    /// below are shared ones ([`child`](SharedScope::child)) or lie in the task's own future
    /// ([`Cx::child`]). When its last handle goes, the scope leaves the tree; that does not cancel it,
    /// since nobody is left who could ask.
    ///
    /// ```
    /// use ecluse_core::cancel::{Kind, SharedScope};
    ///
    /// let server: SharedScope = SharedScope::new();
    /// let connection = server.child();
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
    pub struct SharedScope<L: Lock>(Arc<Place<L>>);
}

enum Place<L: Lock> {
    Root(Root<L>),
    Child(Child<L>),
}

struct Child<L: Lock> {
    root: Arc<Place<L>>,
    /// `None` once it has left (A3).
    parent: Option<Arc<Place<L>>>,
    place: TreePlace<&'static str>,
}

impl<L: Lock> Place<L> {
    fn cx(&self) -> Cx<'_, L> {
        match self {
            Self::Root(root) => root.cx(),
            Self::Child(child) => Cx {
                branch: At::of(&child.place),
                ..child.root.cx()
            },
        }
    }
}

impl<L: Lock> SharedScope<L> {
    /// The root of a tree of its own, with its own lock. Allocates.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Place::Root(Root::new())))
    }

    /// [`new`](SharedScope::new), called `name`: for [`tree`](SharedScope::tree).
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        Self(Arc::new(Place::Root(Root::new().named(name))))
    }

    /// A scope below this one: cancelled with it, and on its own. Allocates; O(1).
    #[must_use]
    pub fn child(&self) -> Self {
        self.below(0, "")
    }

    /// [`child`](SharedScope::child), called `name`.
    #[must_use]
    pub fn child_named(&self, name: &'static str) -> Self {
        self.below(0, name)
    }

    /// A scope below this one that is cancelled on its own, or by force from outside. Allocates;
    /// O(1).
    #[must_use]
    pub fn shielded(&self) -> Self {
        self.below(SHIELD, "")
    }

    /// [`shielded`](SharedScope::shielded), called `name`.
    #[must_use]
    pub fn shielded_named(&self, name: &'static str) -> Self {
        self.below(SHIELD, name)
    }

    fn below(&self, word: usize, name: &'static str) -> Self {
        let root = match &*self.0 {
            Place::Root(_) => &self.0,
            Place::Child(child) => &child.root,
        };
        let place = Arc::new(Place::Child(Child {
            root: root.clone(),
            parent: Some(self.0.clone()),
            place: TreePlace::below(self.cx(), word, name),
        }));
        if let Place::Child(child) = &*place {
            // SAFETY: Validity: it stays in its `Arc` until its drop, which detaches it (A1), and
            // holds its parent (A2). Aliasing: shared.
            unsafe { self.cx().tree.attach(At::of(&child.place)) };
        }
        Self(place)
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

    /// Cancels the scope and all that are below it for good: [`Cx::force`].
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

impl<L: Lock> Child<L> {
    /// Leaves the tree; gives what it was held to its parent by.
    fn leave(&mut self) -> Option<Arc<Place<L>>> {
        let parent = self.parent.take()?;
        // SAFETY: Validity: the parent is held (A2). Aliasing: shared.
        unsafe { parent.cx().tree.detach(At::of(&self.place)) };
        Some(parent)
    }
}

impl<L: Lock> Drop for Child<L> {
    fn drop(&mut self) {
        let mut above = self.leave();
        while let Some(mut parent) = above {
            // A3. Nobody else has it: it leaves now, and its drop finds nothing to do. (If another
            // thread drops its last other handle just now, one of the two drops it as usual.)
            above = match Arc::get_mut(&mut parent) {
                Some(Place::Child(child)) => child.leave(),
                _ => None,
            };
        }
    }
}

impl<L: Lock> Clone for SharedScope<L> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<L: Lock> Default for SharedScope<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: Lock> fmt::Debug for SharedScope<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedScope")
            .field("cancelled", &self.cx().reason())
            .finish_non_exhaustive()
    }
}

impl<L: Lock> core::panic::UnwindSafe for SharedScope<L> {}
impl<L: Lock> core::panic::RefUnwindSafe for SharedScope<L> {}
