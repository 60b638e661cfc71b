//! `Cx`: what a body is given of its scope.

use core::{fmt, future::Future};

use super::{
    branch::At,
    guard::{Abandon, Dropped, Guarded, OnCancel},
    reason::{CANCEL, Cancelled, FORCE, Reason, SHIELD, cancelled, forced},
    scope::Scope,
    tree::Tree,
    wait::{CancelWait, ForceWait, ToCancel, ToForce},
};
use crate::{
    sync::{DefaultLock, Lock, Ordering},
    wait::Wait,
};

/// A scope, as its body sees it: passed on explicitly, copied freely.
///
/// A body asks it whether to go on ([`check`](Cx::check)), puts its waits under it
/// ([`guard`](Cx::guard)), makes scopes below it ([`child`](Cx::child), [`protect`](Cx::protect)).
///
/// Cancellation is *level-triggered*: a cancelled scope stays cancelled, and fails every checkpoint
/// from then on.
///
/// ```
/// use ecluse_core::cancel::{Cancelled, Cx, Kind, Root};
///
/// async fn work(cx: Cx<'_>) -> Result<u32, Cancelled> {
///     let mut sum = 0;
///     for number in [1, 2, 3] {
///         sum += cx.guard(async { number }).await?;
///     }
///     Ok(sum)
/// }
///
/// # futures_executor::block_on(async {
/// let root: Root = Root::new();
/// assert_eq!(work(root.cx()).await, Ok(6));
/// root.cancel(Kind::Explicit);
/// assert!(work(root.cx()).await.is_err());
/// # });
/// ```
pub struct Cx<'s, L = DefaultLock> {
    pub(super) tree: &'s Tree<L>,
    pub(super) branch: At<'s>,
}

impl<L> Clone for Cx<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Cx<'_, L> {}

impl<'s, L: Lock> Cx<'s, L> {
    /// Whether the scope is cancelled. One load, wait-free, whatever others do.
    #[inline]
    #[must_use]
    pub fn is_cancelled(self) -> bool {
        // Acquire: pairs with the store of the flag in `Branch::set` (T5).
        self.branch.word(Ordering::Acquire) & CANCEL != 0
    }

    /// Whether the scope is cancelled by force. One load.
    #[inline]
    #[must_use]
    pub fn is_forced(self) -> bool {
        // Acquire: as in `is_cancelled`.
        self.branch.word(Ordering::Acquire) & FORCE != 0
    }

    /// Why the scope is cancelled; `None` if it is not. One load.
    #[inline]
    #[must_use]
    pub fn reason(self) -> Option<Reason> {
        // Acquire: as in `is_cancelled`.
        Reason::of(self.branch.word(Ordering::Acquire))
    }

    /// A checkpoint. One load.
    ///
    /// # Errors
    /// [`Cancelled`] once the scope is cancelled, and ever after.
    #[inline]
    pub fn check(self) -> Result<(), Cancelled> {
        self.reason()
            .map_or(Ok(()), |reason| Err(Cancelled::new(reason)))
    }

    /// Waits until the scope is cancelled. Many may wait; each is woken once.
    ///
    /// # Cancellation
    /// As every [`Wait`]: in no list before its first poll, O(1) to drop.
    pub fn cancelled(self) -> CancelWait<'s, L> {
        Wait::new(ToCancel(self))
    }

    /// Waits until the scope is cancelled by force.
    ///
    /// # Cancellation
    /// As every [`Wait`].
    pub fn forced(self) -> ForceWait<'s, L> {
        Wait::new(ToForce(self))
    }

    /// Runs `future` until the scope is cancelled.
    ///
    /// A scope that is cancelled already polls nothing. From then on the value wins: a future that
    /// is ready gives its value, and the *next* checkpoint reports the cancellation. If the
    /// cancellation comes first, the future is dropped before this is ready; a wait of ecluse passes
    /// on what it was granted and had not taken. ([`guard_wait`](Cx::guard_wait) returns it instead.)
    ///
    /// # Cancellation
    /// Dropping it drops the future.
    ///
    /// # Errors
    /// Gives [`Cancelled`] if the scope was cancelled first.
    pub fn guard<F: Future>(self, future: F) -> Guarded<'s, Dropped<F>, L> {
        Guarded::new(self, Dropped::new(future))
    }

    /// [`guard`](Cx::guard) for a wait of ecluse: whether it finished or was cancelled is one
    /// decision, made under the lock of what it waits for ([`Wait::try_abandon`]). A grant that
    /// arrives at the last moment is returned; one that comes later goes to the next waiter.
    ///
    /// ```
    /// use ecluse_core::{Slot, cancel::Root};
    /// # futures_executor::block_on(async {
    /// let (root, slot) = (<Root>::new(), <Slot>::new());
    /// let claim = root.cx().guard_wait(slot.claim()).await.unwrap().unwrap();
    /// claim.release();
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// As the wait's.
    ///
    /// # Errors
    /// Gives [`Cancelled`] if the scope was cancelled first.
    pub fn guard_wait<W: Abandon>(self, wait: W) -> Guarded<'s, W, L> {
        Guarded::new(self, wait)
    }

    /// Runs `future` to its end, and `hook` if the scope is cancelled meanwhile: in the poll of this
    /// future, once, never after `future` has ended. For an operation that must be told to stop and
    /// then waited for. (From this scope to another tree there is [`bridge`](Cx::bridge).)
    ///
    /// ```
    /// use ecluse_core::cancel::{Kind, Root};
    /// # futures_executor::block_on(async {
    /// let (server, connection) = (<Root>::new(), <Root>::new());
    /// server.cancel(Kind::Explicit);
    /// let told = server.cx().on_cancel(connection.cx().cancelled(), |reason| {
    ///     connection.cancel(reason);
    /// });
    /// assert_eq!(told.await.kind(), server.cx().reason().unwrap().kind());
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// Dropping it drops the future and the function, which is not called.
    pub fn on_cancel<F, H>(self, future: F, hook: H) -> OnCancel<'s, F, H, L>
    where
        F: Future,
        H: FnOnce(Reason),
    {
        OnCancel::new(self, future, hook)
    }

    /// A scope below this one: cancelled with it, and on its own.
    pub fn child(self) -> Scope<'s, L> {
        Scope::new(self, 0)
    }

    /// A scope below this one that is cancelled on its own, or by force from outside: for what must
    /// be done although the outer scope is cancelled.
    pub fn shielded(self) -> Scope<'s, L> {
        Scope::new(self, SHIELD)
    }

    /// Cancels the scope and all that are below it, shielded ones apart. True for exactly one call,
    /// whose reason it then is.
    ///
    /// When a call returns true, every unshielded scope below is flagged, and every waiter's waker
    /// was taken; one that another canceller took may still be about to be woken. False promises
    /// nothing. O(scopes and waiters below), in bounded lock holds: any other call on the tree, an
    /// interrupt's too, goes between two of them.
    ///
    /// # Panics
    /// If a waker panics, with its panic, when all is done.
    pub fn cancel(self, reason: impl Into<Reason>) -> bool {
        self.cancel_by(cancelled, reason.into())
    }

    /// Cancels the scope and all that are below it, shielded or not, for good: bounded clean-ups and
    /// tickets are dropped. True for exactly one call. A reason that a scope has stays.
    ///
    /// # Panics
    /// As [`cancel`](Cx::cancel).
    pub fn force(self, reason: impl Into<Reason>) -> bool {
        self.cancel_by(forced, reason.into())
    }

    /// [`cancel`](Cx::cancel) in O(1), for interrupts: the scope itself is flagged at once; those
    /// below it, and the waiters, are reached by the tree's carrier ([`Root::tend`]), which this
    /// wakes, or by the next `cancel` anywhere in the tree.
    ///
    /// [`Root::tend`]: super::Root::tend
    ///
    /// # Panics
    /// If the carrier's waker panics, with its panic.
    pub fn cancel_deferred(self, reason: impl Into<Reason>) -> bool {
        self.cancel_later(reason.into())
    }
}

impl<L: Lock> fmt::Debug for Cx<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Cx");
        debug.field("cancelled", &self.reason());
        // Relaxed: it never changes.
        let shielded = self.branch.word(Ordering::Relaxed) & SHIELD != 0;
        debug.field("shielded", &shielded).finish()
    }
}

impl<L> core::panic::UnwindSafe for Cx<'_, L> {}
impl<L> core::panic::RefUnwindSafe for Cx<'_, L> {}
