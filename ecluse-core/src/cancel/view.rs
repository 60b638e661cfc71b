//! A look at a tree: who is there, who was cancelled and why, who still waits.
//!
//! A walker goes over the tree a step a lock hold, copies the facts of one scope, and shows them
//! outside the lock. Between two steps scopes come and go as they like.
//!
//! Invariants:
//! - **V1** A walker under way is in the trunk's ring; it stands at a branch that is attached below
//!   its top, or at its top, or has been stopped. Whoever detaches a branch moves every walker that
//!   stands there on.
//! - **V2** Its top stays: it is borrowed.
//! - **V3** A step is bounded: it goes up so many branches and counts so many waiters at most.

use core::{
    fmt,
    ops::ControlFlow,
    pin::{Pin, pin},
    ptr,
};

use super::{
    branch::Branch,
    cx::Cx,
    reason::{Reason, SHIELD},
    tree::{Tree, Trunk},
};
use crate::{
    sync::{Cell, Lock, Locked, Ordering},
    wait::{End, Link},
};

/// How many branches are left, and how many waiters counted, a lock hold.
const STEPS: usize = 16;

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
    pub const MOST: usize = STEPS;

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
        // SAFETY: Validity: borrowed, and an `At` is made of the place. Aliasing: shared.
        unsafe { Branch::name(self.branch.as_ptr()) }
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
        let mut at = self.branch.as_ptr();
        loop {
            // SAFETY: Validity: this one is borrowed, so all above it are attached (T7). Aliasing:
            // shared. Acquire: pairs with the store of the flag in `Branch::set` (T5); so what a
            // reason was inherited from is seen flagged, too.
            let reason = Reason::of(unsafe { (*at).word(Ordering::Acquire) })?;
            // SAFETY: as above; only a scope below another one inherits.
            unsafe {
                if !reason.is_inherited() {
                    return Some(Branch::name(at));
                }
                at = self.tree.above(at);
            }
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
    pub fn visit<B>(&self, mut each: impl FnMut(Status) -> ControlFlow<B>) -> ControlFlow<B> {
        let tree = self.top.tree;
        let walk = pin!(Walk {
            walker: Walker::new(self.top.branch.as_ptr()),
            tree,
        });
        walk.as_ref().begin();
        loop {
            // SAFETY: Validity: the trunk of the walker's tree (V1). Aliasing: the lock is held.
            let step = tree
                .trunk
                .with(|trunk| unsafe { walk.walker.step(tree, trunk, self.top.branch.as_ptr()) });
            match step {
                Step::At(status) => each(status)?,
                Step::Up => {}
                Step::Over => return ControlFlow::Continue(()),
            }
        }
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

/// A place in the tree that whoever detaches a branch keeps right.
#[repr(C)]
pub(super) struct Walker {
    /// First, so that a pointer to it is a pointer to the walker.
    link: Link,
    stand: Cell<Stand>,
}

struct Stand {
    /// Null: it is over.
    at: *const Branch,
    depth: usize,
    /// All that is below `at` was shown; else, nothing of it was.
    leaving: bool,
}

enum Step {
    At(Status),
    Up,
    Over,
}

impl Stand {
    /// Goes on beside the branch where it stands, or up.
    fn pass(&mut self, sibling: *const Link, parent: *const Branch) {
        self.leaving = sibling.is_null();
        if self.leaving {
            self.at = parent;
            self.depth -= 1;
        } else {
            self.at = sibling.cast();
        }
    }
}

impl Walker {
    fn new(top: *const Branch) -> Self {
        Self {
            link: Link::new(),
            stand: Cell::new(Stand {
                at: top,
                depth: 0,
                leaving: false,
            }),
        }
    }

    /// # Safety
    /// `this` is live, and the lock of its tree is held.
    unsafe fn change<R>(this: *const Self, change: impl FnOnce(&mut Stand) -> R) -> R {
        // SAFETY: Validity: live by contract. Aliasing: shared.
        let stand = unsafe { &(*this).stand };
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held, and nothing else looks
        // at it inside `change`.
        stand.with_mut(|stand| change(unsafe { &mut *stand }))
    }

    /// `gone`, right below `parent`, is about to be detached (V1).
    ///
    /// # Safety
    /// Both are live and attached; `trunk` is their tree's.
    #[cold]
    pub(super) unsafe fn pass_by(trunk: &Trunk, gone: *const Branch, parent: *const Branch) {
        let mut link = trunk.walkers.first();
        while !link.is_null() {
            // SAFETY: Validity: walkers in the ring are live, branches by contract. Aliasing: the
            // lock is held; the lists and the walker are different places.
            unsafe {
                let sibling = Branch::change(parent, |lists| lists.children.behind(gone.cast()));
                let forgets = Branch::change(gone, |lists| !lists.children.first().is_null());
                Self::change(link.cast(), |stand| {
                    if ptr::eq(stand.at, gone) {
                        stand.pass(sibling, parent);
                    } else if forgets {
                        // It may stand below, from where there is no way up any more.
                        stand.at = ptr::null();
                    }
                });
                link = trunk.walkers.behind(link);
            }
        }
    }

    /// # Safety
    /// It is in the ring of `trunk`, which is the trunk of `tree`; `top` is where it began.
    unsafe fn step<L: Lock>(
        &self,
        tree: &Tree<L>,
        _trunk: &mut Locked<Trunk>,
        top: *const Branch,
    ) -> Step {
        // SAFETY: Validity: it stands at an attached branch (V1), and what is above that is attached
        // up to the top. Aliasing: the lock is held; the stand and the lists are different places.
        unsafe {
            Self::change(self, |stand| {
                for _ in 0..STEPS {
                    if stand.at.is_null() {
                        return Step::Over;
                    }
                    if !stand.leaving {
                        return Step::At(stand.show());
                    }
                    if ptr::eq(stand.at, top) {
                        return Step::Over;
                    }
                    let parent = tree.above(stand.at);
                    let sibling =
                        Branch::change(parent, |lists| lists.children.behind(stand.at.cast()));
                    stand.pass(sibling, parent);
                }
                Step::Up
            })
        }
    }
}

impl Stand {
    /// Says what is here, and goes down.
    ///
    /// # Safety
    /// It stands at a live branch, and the lock is held.
    unsafe fn show(&mut self) -> Status {
        // SAFETY: Validity: by contract, and a branch's pointer in a ring is made of its place.
        // Aliasing: the lock is held.
        unsafe {
            // Relaxed: the lock orders it.
            let word = (*self.at).word(Ordering::Relaxed);
            let (waiting, first) = Branch::change(self.at, |lists| {
                let waiting = lists.waiters.count(STEPS);
                let force = lists.force.count(STEPS - waiting);
                (waiting + force, lists.children.first())
            });
            let status = Status {
                depth: self.depth,
                name: Branch::name(self.at),
                reason: Reason::of(word),
                shielded: word & SHIELD != 0,
                waiting,
            };
            self.leaving = first.is_null();
            if !self.leaving {
                self.at = first.cast();
                self.depth += 1;
            }
            status
        }
    }
}

/// A walker in its ring, until this is dropped.
struct Walk<'a, L: Lock> {
    walker: Walker,
    tree: &'a Tree<L>,
}

impl<L: Lock> Walk<'_, L> {
    fn begin(self: Pin<&Self>) {
        let link = ptr::from_ref(&self.walker).cast::<Link>();
        self.tree.trunk.with(|trunk| {
            // SAFETY: Validity: pinned, in no ring, and removed by its drop. Aliasing: the lock is
            // held.
            unsafe { trunk.walkers.insert(link, End::Back) }
        });
    }
}

impl<L: Lock> Drop for Walk<'_, L> {
    fn drop(&mut self) {
        let link = ptr::from_ref(&self.walker).cast::<Link>();
        self.tree.trunk.with(|trunk| {
            // SAFETY: Validity: `begin` has put it there. Aliasing: the lock is held.
            unsafe { trunk.walkers.remove(link) }
        });
    }
}
