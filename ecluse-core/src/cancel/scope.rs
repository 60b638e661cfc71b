//! `Root` and `Scope`: the nodes of a tree that its users own.

use core::{
    fmt,
    future::Future,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{
    branch::{At, Name, Place},
    cx::Cx,
    reason::Reason,
    tree::Tree,
    view::TreeView,
    wait::ToCarry,
};
use crate::{
    sync::{DefaultLock, Lock, Ordering},
    wait::Wait,
};

/// The root of a tree of scopes, with the tree's lock. No allocation; can be a `static`.
///
/// Every scope below borrows it. A server with many connections gives each its own root, with its
/// own lock, tied to the outer tree by [`Cx::bridge`].
///
/// ```
/// use ecluse_core::cancel::{Kind, Root};
///
/// static PROGRAM: Root = Root::new();
///
/// let cx = PROGRAM.cx();
/// assert!(cx.check().is_ok());
/// assert!(PROGRAM.cancel(Kind::Shutdown));
/// assert!(!PROGRAM.cancel(Kind::Deadline), "the first one stays");
/// assert_eq!(cx.check().unwrap_err().reason().kind(), Kind::Shutdown);
/// ```
pub struct Root<L = DefaultLock> {
    tree: Tree<L>,
}

impl<L: Lock> Root<L> {
    const_fn! {
        /// A tree of one scope. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self { tree: Tree::new() }
        }
    }

    /// The root scope.
    pub const fn cx(&self) -> Cx<'_, L> {
        Cx {
            tree: &self.tree,
            branch: At::of(&self.tree.root),
        }
    }

    /// The same tree, its root called `name`: for [`tree`](Root::tree).
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.tree.root.rename(name);
        self
    }

    /// The whole tree, to be looked at or printed: [`Cx::tree`].
    pub fn tree(&self) -> TreeView<'_, L> {
        self.cx().tree()
    }

    /// Cancels the whole tree: [`Cx::cancel`].
    ///
    /// # Panics
    /// As [`Cx::cancel`].
    pub fn cancel(&self, reason: impl Into<Reason>) -> bool {
        self.cx().cancel(reason)
    }

    /// Cancels the whole tree for good: [`Cx::force`].
    ///
    /// # Panics
    /// As [`Cx::cancel`].
    pub fn force(&self, reason: impl Into<Reason>) -> bool {
        self.cx().force(reason)
    }

    /// Whether the whole tree was cancelled. One load.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cx().is_cancelled()
    }

    /// How many scopes are attached below the root. (One that was forgotten counts for ever.)
    #[must_use]
    pub fn attached(&self) -> usize {
        self.tree.attached()
    }

    /// Makes a tree that was cancelled a fresh one, for its next user: nobody has a [`Cx`] of it.
    /// (What was forgotten below it is not reached any more.)
    pub(crate) fn renew(&self) {
        self.tree.renew();
    }

    /// Runs `future`, and carries out [deferred cancels](Cx::cancel_deferred) between its polls.
    ///
    /// Several may tend one tree; each deferred cancel is carried out by one of them. If that one is
    /// dropped before it could, another one is told.
    ///
    /// # Cancellation
    /// Dropping it drops the future.
    pub fn tend<F: Future>(&self, future: F) -> Tended<'_, F, L> {
        Tended {
            future,
            carrier: Wait::new(ToCarry(self.cx())),
            root: self,
            over: false,
        }
    }
}

impl<L: Lock> Default for Root<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L> fmt::Debug for Root<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a picture, not a decision.
        let root = At::of(&self.tree.root);
        let reason = Reason::of(root.word(Ordering::Relaxed));
        f.debug_struct("Root").field("cancelled", &reason).finish()
    }
}

/// It may be moved while nobody borrows it (T6).
impl<L> Unpin for Root<L> {}
impl<L> core::panic::UnwindSafe for Root<L> {}
impl<L> core::panic::RefUnwindSafe for Root<L> {}

locked_type! {
    /// A scope below another one, whose [`Cx`] it borrows. It lies where its owner puts it, pinned; no
    /// allocation.
    ///
    /// It is in no list before it is [entered](Scope::enter), and leaves its parent's when it is
    /// dropped, in O(1). A scope that is forgotten (`mem::forget` of a box) stays in its parent's list,
    /// memory-safe, until that goes.
    ///
    /// ```
    /// use core::pin::pin;
    /// use ecluse_core::cancel::{Kind, Root};
    ///
    /// let root = <Root>::new();
    /// let request = pin!(root.cx().child());
    /// let cx = request.as_ref().enter();
    /// root.cancel(Kind::Shutdown);
    /// assert!(cx.reason().unwrap().is_inherited());
    /// ```
    ///
    /// It cannot outlive its parent:
    /// ```compile_fail,E0505
    /// use core::pin::pin;
    /// let root = <ecluse_core::cancel::Root>::new();
    /// let child = pin!(root.cx().child());
    /// drop(root);
    /// child.as_ref().enter();
    /// ```
    #[must_use = "a scope does nothing unless it is entered"]
    pub struct Scope<'p, L: Lock, N: Name = ()> {
        tree: &'p Tree<L>,
        place: Place<N>,
    }
}

impl<'p, L: Lock> Scope<'p, L> {
    pub(super) fn new(parent: Cx<'p, L>, word: usize) -> Self {
        Self {
            tree: parent.tree,
            place: Place::below(parent, word, ()),
        }
    }

    /// The same scope, called `name`: for [`Cx::tree`] and [`Cx::cancelled_through`]. It takes the
    /// two words of the name more; a scope without one takes nothing for it.
    pub fn named(self, name: &'static str) -> Scope<'p, L, &'static str> {
        // It was never pinned, thus never entered: there is nothing for its drop to do.
        let unnamed = ManuallyDrop::new(self);
        Scope {
            tree: unnamed.tree,
            place: unnamed.place.renamed(name),
        }
    }

    /// [`enter`](Scope::enter), for who lies beside the scope.
    ///
    /// # Safety
    /// The [`Cx`] is not used any more when the scope is dropped.
    pub(crate) unsafe fn enter_unbound(self: Pin<&Self>) -> Cx<'p, L> {
        self.enter();
        // SAFETY: Validity: live for as long as it is used, by contract. Aliasing: shared.
        let place = unsafe { &*core::ptr::from_ref(&self.get_ref().place) };
        Cx {
            tree: self.get_ref().tree,
            branch: At::of(place),
        }
    }
}

impl<L: Lock, N: Name> Scope<'_, L, N> {
    /// Attaches the scope to its parent, if it is not yet, and gives its [`Cx`]. Under a cancelled
    /// parent it is born cancelled. O(1), one lock hold.
    pub fn enter(self: Pin<&Self>) -> Cx<'_, L> {
        let Self { tree, place } = self.get_ref();
        let branch = At::of(place);
        // SAFETY: Validity: of a pinned value that it is never moved out of, and whose drop detaches
        // it; the parent is borrowed. Aliasing: shared.
        unsafe { tree.attach(branch) };
        Cx { tree, branch }
    }
}

impl<L: Lock, N: Name> Drop for Scope<'_, L, N> {
    fn drop(&mut self) {
        // SAFETY: Validity: the parent is borrowed. Aliasing: shared.
        unsafe { self.tree.detach(At::of(&self.place)) };
    }
}

impl<L: Lock, N: Name> fmt::Debug for Scope<'_, L, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a picture, not a decision.
        let reason = Reason::of(At::of(&self.place).word(Ordering::Relaxed));
        f.debug_struct("Scope").field("cancelled", &reason).finish()
    }
}

impl<L: Lock, N: Name> core::panic::UnwindSafe for Scope<'_, L, N> {}
impl<L: Lock, N: Name> core::panic::RefUnwindSafe for Scope<'_, L, N> {}

pin_project! {
    /// A future that carries out deferred cancels: [`Root::tend`].
    ///
    /// # Cancellation
    /// Dropping it drops the future.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct Tended<'s, F, L: Lock> {
        #[pin]
        future: F,
        #[pin]
        carrier: Wait<ToCarry<'s, L>>,
        root: &'s Root<L>,
        over: bool,
    }
}

impl<F: Future, L: Lock> Future for Tended<'_, F, L> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        while this.carrier.as_mut().poll(cx).is_ready() {
            this.carrier.set(Wait::new(ToCarry(this.root.cx())));
            this.root.tree.carry_out();
        }
        let ready = this.future.poll(cx);
        *this.over = ready.is_ready();
        ready
    }
}

impl<F: Future, L: Lock> FusedFuture for Tended<'_, F, L> {
    fn is_terminated(&self) -> bool {
        self.over
    }
}

impl<F, L: Lock> fmt::Debug for Tended<'_, F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tended")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
