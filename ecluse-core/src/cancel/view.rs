//! A look at a tree: who is there, who was cancelled and why, who still waits.
//!
//! A [`walk`] copies the facts of one scope a lock hold, and shows them outside the lock.

use core::{fmt, ops::ControlFlow};

use super::{
    branch::At,
    cx::Cx,
    reason::{Reason, SHIELD},
    tree::Trunk,
    walk::walk,
};
use crate::sync::{Lock, Locked, Ordering};

/// A scope and all that are below it, to be looked at or printed: [`Cx::tree`].
///
/// ```
/// use core::pin::pin;
/// use ecluse_core::cancel::{Kind, Root};
///
/// static PROGRAM: Root = Root::new().named("program");
///
/// let upload = pin!(PROGRAM.cx().child().named("upload"));
/// let upload = upload.as_ref().enter();
/// let journal = pin!(upload.shielded().named("journal"));
/// let journal = journal.as_ref().enter();
/// upload.cancel(Kind::Deadline);
/// assert_eq!(
///     PROGRAM.tree().to_string(),
///     "program: running\n  upload: cancelled (its deadline passed)\n    journal: running, shielded\n",
/// );
/// # assert!(!journal.is_cancelled());
/// ```
///
/// # What it shows
/// Each scope as it was at one moment, the scopes at different ones. A scope that is there all the
/// while is shown once; one that comes or goes meanwhile, once or not at all. It ends when it has
/// caught up with the newcomers. If a scope leaves that has forgotten ones below it
/// (`mem::forget`), it may end there.
///
/// # Costs
/// One lock hold of bounded length a scope, a few more on the way up from deep ones. Nothing is
/// allocated, and the formatter is called outside the lock.
pub struct TreeView<'s, L: Lock> {
    top: Cx<'s, L>,
}

impl<L: Lock> Clone for TreeView<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: Lock> Copy for TreeView<'_, L> {}

/// What a [`TreeView`] says of one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status {
    depth: usize,
    name: &'static str,
    reason: Option<Reason>,
    shielded: bool,
    waiting: usize,
}

impl Status {
    /// [`waiting`](Status::waiting) does not count further.
    pub const MOST: usize = 16;

    /// # Safety
    /// `trunk` is that of this branch's tree.
    unsafe fn of(trunk: &mut Locked<Trunk>, at: At<'_>, depth: usize) -> Self {
        // Relaxed: the lock orders it.
        let word = at.word(Ordering::Relaxed);
        // SAFETY: Validity: by contract. Aliasing: the lock is held.
        let lists = unsafe { at.lists(trunk) };
        let waiting = lists.waiters.count(Self::MOST);
        let force = lists.force.count(Self::MOST - waiting);
        Self {
            depth,
            name: at.name(),
            reason: Reason::of(word),
            shielded: word & SHIELD != 0,
            waiting: waiting + force,
        }
    }

    /// How deep it lies below the scope that the view is of, which has 0.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// What it is called; "" if nothing.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Why it is cancelled; `None` if it is not.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// Whether cancels from outside do not reach it.
    #[must_use]
    pub const fn is_shielded(&self) -> bool {
        self.shielded
    }

    /// How many waits stand in it, for its cancel or for force: up to [`MOST`](Status::MOST).
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.name.is_empty() {
            "(no name)"
        } else {
            self.name
        })?;
        match self.reason {
            None => f.write_str(": running")?,
            Some(reason) if reason.is_forced() => write!(f, ": forced ({reason})")?,
            Some(reason) => write!(f, ": cancelled ({reason})")?,
        }
        if self.shielded {
            f.write_str(", shielded")?;
        }
        match self.waiting {
            0 => Ok(()),
            Self::MOST => write!(f, ", {} or more waiting", Self::MOST),
            some => write!(f, ", {some} waiting"),
        }
    }
}

impl<'s, L: Lock> Cx<'s, L> {
    /// What the scope is called; "" if nothing.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.branch.name()
    }

    /// Through which scope it was cancelled: what the nearest one at or above this one is called
    /// that was cancelled itself; "" if nothing. `None` if this one is not cancelled. One load a
    /// scope between the two, no lock.
    ///
    /// ```
    /// use core::pin::pin;
    /// use ecluse_core::cancel::{Kind, Root};
    ///
    /// let root = <Root>::new();
    /// let upload = pin!(root.cx().child().named("upload"));
    /// let upload = upload.as_ref().enter();
    /// let part = pin!(upload.child());
    /// let part = part.as_ref().enter();
    /// assert_eq!(part.cancelled_through(), None);
    /// upload.cancel(Kind::Deadline);
    /// assert_eq!(part.cancelled_through(), Some("upload"));
    /// assert_eq!(root.cx().cancelled_through(), None);
    /// ```
    #[must_use]
    pub fn cancelled_through(self) -> Option<&'static str> {
        let mut at = self.branch;
        loop {
            // Acquire: pairs with the store of the flag in `Branch::set` (T5); so what a reason was
            // inherited from is seen flagged, too.
            let reason = Reason::of(at.word(Ordering::Acquire))?;
            if !reason.is_inherited() {
                return Some(at.name());
            }
            // SAFETY: Validity: only a scope below another one inherits; this one is borrowed, so all
            // above it are attached (T7). Aliasing: shared.
            at = unsafe { At::new(self.tree.above(at.as_ptr())) };
        }
    }

    /// This scope and all that are below it, to be looked at or printed.
    #[must_use]
    pub fn tree(self) -> TreeView<'s, L> {
        TreeView { top: self }
    }
}

impl<L: Lock> TreeView<'_, L> {
    /// Shows each scope to `each`, parents before their children, until that breaks. `each` is
    /// called outside the lock, and may do anything with the tree.
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use ecluse_core::cancel::Root;
    ///
    /// let root = <Root>::new();
    /// let mut running = 0;
    /// let _ = root.tree().visit(|scope| {
    ///     running += usize::from(scope.reason().is_none());
    ///     ControlFlow::<()>::Continue(())
    /// });
    /// assert_eq!(running, 1);
    /// ```
    pub fn visit<B>(&self, each: impl FnMut(Status) -> ControlFlow<B>) -> ControlFlow<B> {
        let look = |trunk: &mut Locked<Trunk>, at: At<'_>, depth| {
            // SAFETY: Validity: a walk is in one tree. Aliasing: the lock is held.
            (unsafe { Status::of(trunk, at, depth) }, true)
        };
        walk(self.top, look, each)
    }
}

impl<L: Lock> fmt::Display for TreeView<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.visit(|status| {
            let width = 2 * status.depth;
            match writeln!(f, "{:width$}{status}", "") {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        });
        match shown {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

impl<L: Lock> fmt::Debug for TreeView<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        let _ = self.visit(|status| {
            list.entry(&status);
            ControlFlow::<()>::Continue(())
        });
        list.finish()
    }
}
