//! The tree: branches in their parent's list, a work list in the root, one lock for all of it.
//!
//! ```text
//!   Tree ── lock ── Trunk { work: B ⇄ D, carriers }        a branch is on the work list
//!    │                                                     while it has waiters to be woken or
//!   root ── children: A ⇄ B ⇄ C                            children to be looked at
//!                         │    waiters: w ⇄ w
//!                         └ children: D ⇄ E ⇄ F
//!                                     ▲ cursor: the next child to be looked at
//! ```
//!
//! A cancel flags one branch and puts it on the work list; then whoever cancels takes a step at a
//! time off the list, a bounded number a lock hold, until it is empty. A step grants one waiter its
//! reason, or flags one child, which goes on the list in its turn. Nothing recurses, nothing is
//! allocated, and nothing but wakers under way is on a canceller's own stack, so cancels that
//! overlap do each other's work.
//!
//! Invariants:
//! - **T1** A [`Cx`] is of a tree's root, or of a branch that is attached below it. What it gives to
//!   `Branch`'s functions is therefore the lock that all the branch's lists are under.
//! - **T2** A branch is pinned while attached, and detached before its memory is used again. A
//!   forgotten one stays valid for ever; neither its parent nor a step needs its owner.
//! - **T3** A flagged branch with waiters, or with children that are not reached yet, is on the work
//!   list. So when the list is empty, every branch has what its parent's word asks of it.
//! - **T4** A branch attached below a flagged one is born with what that word asks, and is put before
//!   the cursor: no step looks at it again.
//! - **T5** A word is stored under the lock, with Release, by one who has what it replaces through
//!   the lock: whoever sees a flag with Acquire sees what its canceller did before. The flag is set
//!   once and `FORCE` once; the reason is stored with the flag and never changes.
//! - **T6** The root may be moved while nobody borrows it: its own branch is in no ring (its place
//!   on the work list is `root_listed`), nodes point to nodes only, and a branch right below the
//!   root does not point to it.
//! - **T7** Whoever can name a branch by a [`Cx`] keeps all branches above it attached. From a
//!   forgotten one nobody goes up, but a walker: it is stopped when what is above goes.
//! - **T8** What lies behind a branch, a name or a name and a crew, is what its word says, and stays.

use core::{ptr, task::Waker};

use super::{
    branch::{At, Branch, Lists, Place},
    cx::Cx,
    reason::{self, CANCEL, FIXED, FORCE, Reason},
    walk::Walker,
};
use crate::{
    sync::{Lock, Locked, Ordering, Protected},
    wait::{BATCH, Drain, End, LinkRing, Node, Ring, Source},
};

/// A tree of scopes: its lock and its root.
pub(super) struct Tree<L> {
    pub(super) trunk: Protected<L, Trunk>,
    pub(super) root: Place<&'static str>,
}

/// What the tree's lock protects, beside every branch's lists.
pub struct Trunk {
    /// Branches that are not done with (T3).
    work: LinkRing,
    root_listed: bool,
    /// Who is told of deferred cancels.
    pub(super) carriers: Ring<()>,
    /// Who looks at the tree at this moment, a step at a time.
    pub(super) walkers: LinkRing,
    attached: usize,
    /// Entrants that are neither in nor out: no more than there are threads.
    pub(super) rising: u16,
}

impl<L: Lock> Tree<L> {
    const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                trunk: Protected::new(Trunk {
                    work: LinkRing::new(),
                    root_listed: false,
                    carriers: Ring::new(),
                    walkers: LinkRing::new(),
                    attached: 0,
                    rising: 0,
                }),
                root: Place::root(),
            }
        }
    }

    /// How many scopes are attached below the root.
    pub(super) fn attached(&self) -> usize {
        self.trunk.with(|trunk| trunk.attached)
    }

    /// Forgets that the root was cancelled, and whoever was forgotten below it. A canceller that is
    /// still under way finds no more work.
    pub(super) fn renew(&self) {
        let root = At::of(&self.root);
        self.trunk.with(|trunk| {
            (trunk.work, trunk.root_listed) = (LinkRing::new(), false);
            (trunk.walkers, trunk.attached) = (LinkRing::new(), 0);
            // SAFETY: Validity: the root is live. Aliasing: the lock is held. (Links of those that
            // are left out lead to their neighbours, which are as live as they: T2.)
            unsafe { Branch::change(root.as_ptr(), |lists| *lists = Lists::NONE) };
            // Relaxed: the lock orders it.
            root.set(trunk, root.word(Ordering::Relaxed) & FIXED);
        });
    }

    /// Does what is on the work list, until it is empty.
    pub(super) fn carry_out(&self) {
        Drain::of(
            &self.trunk,
            Walk {
                tree: self,
                open: true,
            },
        )
        .run();
    }
}

impl Trunk {
    /// Whether something is on the work list.
    #[inline(always)]
    pub(super) fn has_work(&self) -> bool {
        self.root_listed || !self.work.first().is_null()
    }
}

impl<L: Lock> Tree<L> {
    pub(super) fn is_root(&self, branch: *const Branch) -> bool {
        ptr::eq(branch, At::of(&self.root).as_ptr())
    }

    /// What `branch`, which is not the root, is below of.
    ///
    /// # Safety
    /// `branch` is of this tree, and live.
    pub(super) unsafe fn above(&self, branch: *const Branch) -> *const Branch {
        // SAFETY: Validity: live by contract. Aliasing: shared; the field never changes.
        let above = unsafe { (*branch).above };
        if above.is_null() {
            At::of(&self.root).as_ptr()
        } else {
            above
        }
    }

    /// What a new word leaves to be done: all children are looked at once more, all waiters woken.
    ///
    /// # Safety
    /// `branch` is live and attached (or the root); `trunk` is this tree's.
    unsafe fn open(&self, trunk: &mut Trunk, branch: *const Branch) {
        // SAFETY: Validity: by contract. Aliasing: the lock is held.
        let idle = unsafe {
            Branch::change(branch, |lists| {
                lists.cursor = lists.children.first();
                lists.cursor.is_null() && lists.waiters.is_empty() && lists.force.is_empty()
            })
        };
        if idle {
            return;
        }
        if self.is_root(branch) {
            trunk.root_listed = true;
            return;
        }
        let work = Branch::work(branch);
        // SAFETY: Validity: attached, thus pinned, and taken off when it is detached (T2).
        // Aliasing: the lock is held.
        unsafe {
            if !LinkRing::has(work) {
                trunk.work.insert(work, End::Back);
            }
        }
    }

    /// One step: wakes a waiter, or looks at a child, or takes a branch off that is done with.
    ///
    /// # Safety
    /// `trunk` is this tree's, and has work.
    #[inline(always)]
    unsafe fn step(&self, trunk: &mut Locked<Trunk>) -> Option<Waker> {
        let branch = if trunk.root_listed {
            At::of(&self.root).as_ptr()
        } else {
            Branch::of_work(trunk.work.first())
        };
        // SAFETY: Validity: on the work list, thus live (T2). Aliasing: shared.
        // Relaxed: the lock orders it.
        let word = unsafe { (*branch).word(Ordering::Relaxed) };
        let reason = Reason::of(word)?;
        // SAFETY: Validity: as above. Aliasing: the lock is held.
        let waiter = unsafe {
            Branch::change(branch, |lists| match lists.waiters.pop() {
                None if word & FORCE != 0 => lists.force.pop(),
                waiter => waiter,
            })
        };
        match waiter {
            // SAFETY: Validity: it was a member of a ring of this branch, and is live until its
            // grant. Aliasing: the lock is held.
            Some(waiter) => Some(unsafe { Node::grant(waiter, reason) }),
            None => {
                // SAFETY: Validity: as above, of this tree. Aliasing: the lock is held.
                unsafe { self.step_below(trunk, branch, word) };
                None
            }
        }
    }

    /// A step at a branch without waiters. (Apart, since there may be many waiters: with it, a step
    /// would save registers that only this needs.)
    ///
    /// # Safety
    /// `trunk` is this tree's, `branch` the first of its work, and `word` its word.
    #[inline(never)]
    unsafe fn step_below(&self, trunk: &mut Locked<Trunk>, branch: *const Branch, word: usize) {
        // SAFETY: Validity: on the work list, thus live (T2); a cursor is a member of the children.
        // Aliasing: the lock is held.
        let child = unsafe {
            Branch::change(branch, |lists| {
                let child = lists.cursor;
                if !child.is_null() {
                    lists.cursor = lists.children.behind(child);
                }
                child
            })
        };
        if child.is_null() {
            if trunk.root_listed {
                trunk.root_listed = false;
            } else {
                // SAFETY: Validity: the first of the work list. Aliasing: the lock is held.
                unsafe { trunk.work.remove(Branch::work(branch)) };
            }
            return;
        }
        let child = child.cast::<Branch>();
        // SAFETY: Validity: a member of the children, thus live (T2). Aliasing: shared.
        let below = unsafe { &*child };
        // Relaxed: the lock orders it.
        if let Some(flagged) = reason::inherited(below.word(Ordering::Relaxed), word) {
            below.set(trunk, flagged);
            // SAFETY: Validity: attached. Aliasing: the lock is held.
            unsafe { self.open(trunk, child) };
        }
    }
}

/// Takes steps until the work list is empty.
struct Walk<'a, L> {
    tree: &'a Tree<L>,
    open: bool,
}

impl<L: Lock> Source<Trunk> for Walk<'_, L> {
    fn is_open(&self) -> bool {
        self.open
    }

    unsafe fn next(&mut self, trunk: &mut Locked<Trunk>) -> Option<Waker> {
        // Another canceller may have done it all since the last hold.
        self.open = trunk.has_work();
        if !self.open {
            return None;
        }
        // SAFETY: Validity: there is work, and the trunk is this tree's by contract. Aliasing: the
        // lock is held.
        let waker = unsafe { self.tree.step(trunk) };
        // A branch that had a waiter is still on the list.
        if waker.is_none() {
            self.open = trunk.has_work();
        }
        waker
    }
}

/// How a scope's own word changes; `None`: not at all.
pub(super) type Change = fn(usize, Reason) -> Option<usize>;

impl<'s, L: Lock> Cx<'s, L> {
    /// Flags this branch; what is below is for whoever carries out the work list.
    fn flag(self, trunk: &mut Locked<Trunk>, change: Change, reason: Reason) -> bool {
        // Relaxed: the lock orders it.
        let Some(word) = change(self.branch.word(Ordering::Relaxed), reason) else {
            return false;
        };
        self.branch.set(trunk, word);
        // SAFETY: Validity: T1. Aliasing: the lock is held.
        unsafe { self.tree.open(trunk, self.branch.as_ptr()) };
        true
    }

    /// Flags this branch and all that are below it. True if it changed this one's word.
    pub(super) fn cancel_by(self, change: Change, reason: Reason) -> bool {
        let tree = self.tree;
        let mut drain = Drain::of(&tree.trunk, Walk { tree, open: false });
        let first = tree.trunk.with(|trunk| {
            let first = self.flag(trunk, change, reason);
            if first {
                drain.source().open = trunk.has_work();
                if BATCH > 1 {
                    // SAFETY: Validity: the trunk of the drain's lock. Aliasing: it is held.
                    unsafe { drain.fill(trunk) };
                }
            }
            first
        });
        drain.run();
        first
    }

    /// Flags this branch, and tells one carrier if there is more to do. O(1).
    pub(super) fn cancel_later(self, reason: Reason) -> bool {
        let (first, waker) = self.tree.trunk.with(|trunk| {
            if !self.flag(trunk, reason::cancelled, reason) {
                return (false, None);
            }
            let more = trunk.has_work();
            (true, more.then(|| trunk.tell_carrier()).flatten())
        });
        if let Some(waker) = waker {
            waker.wake();
        }
        first
    }
}

impl<L: Lock> Tree<L> {
    /// Puts `branch` below what it was made to be below of.
    ///
    /// # Safety
    /// It is of this tree and pinned, what is above it is attached, and its owner detaches it before
    /// its memory is used again.
    pub(super) unsafe fn attach(&self, branch: At<'_>) {
        let this = branch.as_ptr();
        self.trunk.with(|trunk| {
            // SAFETY: Validity: both are live; the new one is pinned, in no ring, and detached by
            // its owner (T2). Aliasing: the lock is held.
            unsafe {
                if LinkRing::has(this.cast()) {
                    return;
                }
                let parent = self.above(this);
                // Relaxed, twice: the lock orders it.
                let above = (*parent).word(Ordering::Relaxed);
                if let Some(born) = reason::inherited(branch.word(Ordering::Relaxed), above) {
                    branch.set(trunk, born);
                }
                // T4.
                let end = if above & CANCEL == 0 {
                    End::Back
                } else {
                    End::Front
                };
                Branch::change(parent, |lists| lists.children.insert(this.cast(), end));
            }
            trunk.attached += 1;
        });
    }

    /// Takes `branch` off what it is below of, if it is attached. Its own children, which must have
    /// been forgotten, stay where they are, in its list: nobody reaches them any more but the work
    /// list.
    ///
    /// # Safety
    /// If it is attached, it is to this tree, and what is above it is live.
    pub(super) unsafe fn detach(&self, branch: At<'_>) {
        let this = branch.as_ptr();
        self.trunk.with(|trunk| {
            // SAFETY: Validity: what is above is live; its neighbours are (T2). Aliasing: the lock
            // is held.
            unsafe {
                if !LinkRing::has(this.cast()) {
                    return;
                }
                let parent = self.above(this);
                if !trunk.walkers.first().is_null() {
                    Walker::pass_by(trunk, this, parent);
                }
                Branch::change(parent, |lists| {
                    if ptr::eq(lists.cursor, this.cast()) {
                        lists.cursor = lists.children.behind(this.cast());
                    }
                    lists.children.remove(this.cast());
                });
                let work = Branch::work(this);
                if LinkRing::has(work) {
                    trunk.work.remove(work);
                }
            }
            trunk.attached -= 1;
        });
    }
}

impl Trunk {
    /// Takes one carrier out, to be woken: there is work.
    pub(super) fn tell_carrier(&mut self) -> Option<Waker> {
        // SAFETY: Validity: a member of the ring, live until its grant. Aliasing: `self` is only
        // reached under the lock.
        unsafe { self.carriers.pop().map(|carrier| Node::grant(carrier, ())) }
    }
}
