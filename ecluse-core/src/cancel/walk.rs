//! A walk over a tree: one scope a lock hold, from the top downward.
//!
//! Between two steps scopes come and go as they like.
//!
//! Invariants:
//! - **V1** A walker under way is in the trunk's ring; it stands at a branch that is attached below
//!   its top, or at its top, or has been stopped. Whoever detaches a branch moves every walker that
//!   stands there on.
//! - **V2** Its top stays: it is borrowed.
//! - **V3** A step is bounded: it looks at one scope, and goes up so many at most.

use core::{
    ops::ControlFlow,
    pin::{Pin, pin},
    ptr,
};

use super::{
    branch::{At, Branch},
    cx::Cx,
    tree::Trunk,
};
use crate::{
    sync::{Cell, Lock, Locked},
    wait::{End, Link},
};

/// How many branches are left a lock hold.
const STEPS: usize = 16;

/// Calls `look` at the scope `top` and at those below it, parents first: under the lock, with how
/// deep it lies below the top. It gives what is to be passed to `each`, outside the lock, and whether
/// to go on below this scope. Ends when `each` breaks.
pub(super) fn walk<L: Lock, T, B>(
    top: Cx<'_, L>,
    mut look: impl FnMut(&mut Locked<Trunk>, At<'_>, usize) -> (T, bool),
    mut each: impl FnMut(T) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let walk = pin!(Walk {
        walker: Walker::new(top.branch.as_ptr()),
        top,
    });
    walk.as_ref().begin();
    loop {
        // SAFETY: Validity: the trunk of the walker's tree (V1). Aliasing: the lock is held.
        let step = top
            .tree
            .trunk
            .with(|trunk| unsafe { walk.walker.step(top, trunk, &mut look) });
        match step {
            Step::At(seen) => each(seen)?,
            Step::Up => {}
            Step::Over => return ControlFlow::Continue(()),
        }
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

enum Step<T> {
    At(T),
    Up,
    Over,
}

impl Stand {
    /// Goes on below the branch where it stands, if there is anything.
    fn enter(&mut self, first: *const Link) {
        self.leaving = first.is_null();
        if !self.leaving {
            self.at = first.cast();
            self.depth += 1;
        }
    }

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
    /// It is in the ring of `trunk`, which is that of `top`'s tree; `top` is where it began.
    unsafe fn step<L: Lock, T>(
        &self,
        top: Cx<'_, L>,
        trunk: &mut Locked<Trunk>,
        look: impl FnOnce(&mut Locked<Trunk>, At<'_>, usize) -> (T, bool),
    ) -> Step<T> {
        // SAFETY: Validity: it stands at an attached branch (V1), and what is above that is attached
        // up to the top; a branch's pointer in a ring is made of its place. Aliasing: the lock is
        // held; the stand, the lists and whatever `look` reaches are different places.
        unsafe {
            Self::change(self, |stand| {
                for _ in 0..STEPS {
                    if stand.at.is_null() {
                        return Step::Over;
                    }
                    if !stand.leaving {
                        let (seen, below) = look(trunk, At::new(stand.at), stand.depth);
                        let first = Branch::change(stand.at, |lists| lists.children.first());
                        stand.enter(if below { first } else { ptr::null() });
                        return Step::At(seen);
                    }
                    if ptr::eq(stand.at, top.branch.as_ptr()) {
                        return Step::Over;
                    }
                    let parent = top.tree.above(stand.at);
                    let sibling =
                        Branch::change(parent, |lists| lists.children.behind(stand.at.cast()));
                    stand.pass(sibling, parent);
                }
                Step::Up
            })
        }
    }
}

/// A walker in its ring, until this is dropped.
struct Walk<'a, L: Lock> {
    walker: Walker,
    top: Cx<'a, L>,
}

impl<L: Lock> Walk<'_, L> {
    fn begin(self: Pin<&Self>) {
        let link = ptr::from_ref(&self.walker).cast::<Link>();
        self.top.tree.trunk.with(|trunk| {
            // SAFETY: Validity: pinned, in no ring, and removed by its drop. Aliasing: the lock is
            // held.
            unsafe { trunk.walkers.insert(link, End::Back) }
        });
    }
}

impl<L: Lock> Drop for Walk<'_, L> {
    fn drop(&mut self) {
        let link = ptr::from_ref(&self.walker).cast::<Link>();
        self.top.tree.trunk.with(|trunk| {
            // SAFETY: Validity: `begin` has put it there. Aliasing: the lock is held.
            unsafe { trunk.walkers.remove(link) }
        });
    }
}
