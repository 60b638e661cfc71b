//! Crews: the spawned children of shared scopes, counted under the tree's lock.
//!
//! A scope counts its own children, and each scope right below it that has any as one more. So a
//! scope's count is zero when no child is left in it *or anywhere below it*, and whoever joins a scope
//! joins all that is below. That is what makes the duty to join outlive a scope's future: there is
//! nothing to hand over when the future is dropped, since the scopes above count its children from
//! their spawning on. (The other way, to move what is left to the nearest live ancestor at the drop,
//! needs as many steps to find that one, and leaves a moment in which a child is counted nowhere or
//! twice.) The price is a step up at the first child of a scope, and one at the end of the last.
//!
//! ```text
//!    server   2 = one child + "requests"          ▲ a step: `told` and the count above it change
//!      └ requests   1 = "upload"                  │ in one lock hold, by whoever finds them apart
//!           └ upload   3 = three children         │
//! ```
//!
//! Invariants:
//! - **C1** `told` says whether the scope above counts this one. It changes with that scope's count, in
//!   one lock hold.
//! - **C2** Whoever changes a count goes up from there until `told` is what the count asks for. So where
//!   nobody is under way, every count is exact; and while a child is spawned, the count of the scope
//!   that its spawner is a child of is not zero, so that none above it is, either.
//! - **C3** A closed scope's count does not rise: neither a child of its own nor a scope below that had
//!   none gets in.
//! - **C4** A scope is *given up* from the drop of its last future until nobody is left in it, or
//!   another future begins. Orphans are the children of those that are given up, each counted by the
//!   topmost such scope (which counts what is below it as ever), unless a scope above has a future.
//!   Nobody keeps this count: who asks goes down from the root, past no scope that has a future, is
//!   given up, or has no children.
//! - **C5** Who is in has been counted all the way up. An entrant that is still on its way up after its
//!   first lock hold, or has to turn back, counts as `rising` until it is in, or out again. While
//!   nobody does, every scope that has a count is told; so an entrant may stop at the first that is
//!   told. While somebody does, what is told below him may not be above him, and may have to come
//!   back: then an entrant goes up to the top itself, and is refused where he is.

use core::{cell, ops::ControlFlow};

use super::{branch::At, cx::Cx, keep::Keep, reason::CANCEL, tree::Trunk, walk::walk};
use crate::{
    runtime::Count,
    sync::{Cell, Lock, Locked, Ordering, Protected},
    wait::{Cohort, Drain, Link, Same, Source},
};

/// A scope's children: reached under the tree's lock only.
pub(super) struct Crew(Cell<Hands>);

/// What the tree's lock protects of a crew.
pub(super) struct Hands {
    pub(super) count: Count,
    /// The scope above counts this one (C1).
    told: bool,
    /// It takes no more (C3).
    closed: bool,
    /// It closes when nobody is left.
    closing: bool,
    /// Its futures: who is bound to wait for it.
    runs: usize,
}

// SAFETY: Validity: what is in it is touched under the tree's lock only, and passes wakers, which are
// `Send`. Aliasing: the lock.
unsafe impl Send for Crew {}
// SAFETY: as above.
unsafe impl Sync for Crew {}

impl Crew {
    pub(super) fn new() -> Self {
        Self(Cell::new(Hands {
            count: Count::new(),
            told: false,
            closed: false,
            closing: false,
            runs: 0,
        }))
    }

    /// # Safety
    /// `held` is the trunk of this crew's tree.
    pub(super) unsafe fn hands<'h>(&'h self, _held: &'h mut Locked<Trunk>) -> &'h mut Hands {
        // SAFETY: Validity: initialised in `new`. Aliasing: `held` is borrowed for as long, and leads
        // to one crew at a time.
        self.0.with_mut(|hands| unsafe { &mut *hands })
    }
}

/// How many scopes a walk passes in one lock hold. Most trees are less deep.
const STEPS: usize = if cfg!(ecluse_loom) { 2 } else { 8 };

/// Goes up from a scope whose count has changed, and tells the joiners of those that it leaves empty.
struct Rise<'a, L: Lock> {
    at: Option<&'a Keep<L>>,
    joiners: Cohort<'a, (), Same<()>>,
    /// For a child that is not in yet (C5).
    enters: bool,
    /// A closed scope was in the way (C3).
    refused: &'a cell::Cell<bool>,
}

impl<L: Lock> Source<Trunk> for Rise<'_, L> {
    const BATCH: usize = STEPS;

    fn is_open(&self) -> bool {
        self.at.is_some() || Source::<Trunk>::is_open(&self.joiners)
    }

    unsafe fn next(&mut self, trunk: &mut Locked<Trunk>) -> Option<core::task::Waker> {
        // One cohort at a time: the sentinel is the only one.
        if Source::<Trunk>::is_open(&self.joiners) {
            // SAFETY: Validity: open. Aliasing: by contract.
            return unsafe { self.joiners.next(trunk) };
        }
        // SAFETY: Validity and Aliasing: by contract.
        self.at = self.at.and_then(|at| unsafe { self.step(trunk, at) });
        None
    }
}

impl<'a, L: Lock> Rise<'a, L> {
    /// C1: makes the scope above `at` count it, or not.
    ///
    /// # Safety
    /// `trunk` is that of the tree.
    unsafe fn step(&mut self, trunk: &mut Locked<Trunk>, at: &'a Keep<L>) -> Option<&'a Keep<L>> {
        let above = at.above()?;
        // SAFETY: Validity: one tree. Aliasing: the lock is held; one at a time.
        let hands = unsafe { at.crew().hands(trunk) };
        let busy = hands.count.live() != 0;
        if busy == hands.told {
            // C5.
            return (self.enters && trunk.rising != 0).then_some(above);
        }
        if busy {
            // SAFETY: as above.
            if !unsafe { more(trunk, above) } {
                self.refused.set(true);
                return None;
            }
        } else {
            // SAFETY: as above; no cohort is open.
            unsafe { self.less(trunk, above, false) };
        }
        // SAFETY: as above.
        unsafe { at.crew().hands(trunk) }.told = busy;
        Some(above)
    }

    /// # Safety
    /// As [`Rise::step`]; the cohort before this one is over.
    unsafe fn less(&mut self, trunk: &mut Locked<Trunk>, at: &Keep<L>, lost: bool) {
        // SAFETY: Validity: one tree. Aliasing: the lock is held.
        let hands = unsafe { at.crew().hands(trunk) };
        if let Some(joiners) = hands.count.leave(lost) {
            // SAFETY: Validity: a ring of this lock. Aliasing: it is held.
            unsafe { self.joiners.detach(joiners) };
            hands.closed |= hands.closing;
        }
    }
}

/// Somebody is neither in nor out (C5), until this is dropped.
struct Rising<'a, L: Lock>(&'a Protected<L, Trunk>);

impl<L: Lock> Drop for Rising<'_, L> {
    fn drop(&mut self) {
        self.0.with(|trunk| trunk.rising -= 1);
    }
}

/// One more in `at`; not if it is closed.
///
/// # Safety
/// `trunk` is that of the tree.
unsafe fn more<L: Lock>(trunk: &mut Locked<Trunk>, at: &Keep<L>) -> bool {
    // SAFETY: Validity: one tree. Aliasing: the lock is held.
    let hands = unsafe { at.crew().hands(trunk) };
    if hands.closed {
        return false;
    }
    hands.count.enter();
    true
}

impl<L: Lock> Keep<L> {
    /// Counts one more child, unless the scope is cancelled, closed, or empty below a closed one.
    pub(super) fn enter(&self) -> bool {
        let cx = self.cx();
        let (sentinel, refused) = (Link::new(), cell::Cell::new(false));
        let mut drain = self.rise(&sentinel, &refused);
        let mut rising = None;
        let entered = cx.tree.trunk.with(|trunk| {
            // Relaxed: the lock orders it.
            let open = cx.branch.word(Ordering::Relaxed) & CANCEL == 0;
            // SAFETY: Validity: our tree. Aliasing: the lock is held.
            let entered = open && unsafe { more(trunk, self) };
            if entered {
                drain.source().at = Some(self);
                drain.source().enters = true;
                // SAFETY: as above.
                unsafe { drain.fill(trunk) };
                if drain.source().at.is_some() || refused.get() {
                    trunk.rising += 1;
                    rising = Some(Rising(&cx.tree.trunk));
                }
            }
            entered
        });
        drain.run();
        if refused.get() {
            self.leave(false);
        }
        drop(rising);
        entered && !refused.get()
    }

    /// Counts one less.
    pub(super) fn leave(&self, lost: bool) {
        let (sentinel, refused) = (Link::new(), cell::Cell::new(false));
        let mut drain = self.rise(&sentinel, &refused);
        self.cx().tree.trunk.with(|trunk| {
            drain.source().at = Some(self);
            // SAFETY: Validity: our tree; no cohort is open. Aliasing: the lock is held.
            unsafe {
                drain.source().less(trunk, self, lost);
                drain.fill(trunk);
            }
        });
        drain.run();
    }

    fn rise<'a>(
        &'a self,
        sentinel: &'a Link,
        refused: &'a cell::Cell<bool>,
    ) -> Drain<'a, L, Trunk, Rise<'a, L>> {
        Drain::of(
            &self.cx().tree.trunk,
            Rise {
                at: None,
                joiners: Cohort::new(sentinel, ()),
                enters: false,
                refused,
            },
        )
    }

    /// What a look at the crew gives.
    pub(super) fn look<R>(&self, look: impl FnOnce(&mut Hands) -> R) -> R {
        self.cx().tree.trunk.with(|trunk| {
            // SAFETY: Validity: our tree. Aliasing: the lock is held.
            look(unsafe { self.crew().hands(trunk) })
        })
    }

    /// A future begins that is bound to wait for this scope.
    pub(super) fn begin(&self) {
        self.look(|hands| hands.runs += 1);
    }

    /// A future that was bound to wait goes. If somebody is left: whoever waits above, waits for them;
    /// if nobody does, they are orphans (C4).
    pub(super) fn give_up(&self) {
        self.look(|hands| {
            hands.runs -= 1;
            hands.close_when_empty();
        });
    }

    /// How many children of the whole tree nobody is bound to wait for.
    pub(super) fn orphans(&self) -> usize {
        let (root, crew) = self.root();
        orphans(root, crew)
    }
}

/// C4: the orphans below `root`, which has `crew` if it is a shared scope.
pub(super) fn orphans<L: Lock>(root: Cx<'_, L>, crew: Option<&Crew>) -> usize {
    let look = |trunk: &mut Locked<Trunk>, at: At<'_>, depth| {
        let is_root = depth == 0;
        match if is_root { crew } else { at.crew() } {
            // SAFETY: Validity: a walk is in one tree. Aliasing: the lock is held.
            Some(crew) => unsafe { crew.hands(trunk) }.orphans(),
            // Below a scope that is not shared is none.
            None => (0, is_root),
        }
    };
    let mut sum = 0;
    let _ = walk(root, look, |orphans| {
        sum += orphans;
        ControlFlow::<()>::Continue(())
    });
    sum
}

impl Hands {
    /// C4: how many it counts; and whether there may be more below that it does not.
    fn orphans(&self) -> (usize, bool) {
        let live = self.count.live();
        match (live, self.runs, self.closing) {
            (0, ..) | (_, 1.., _) => (0, false),
            // Closing without a future: it was given up.
            (_, 0, true) => (live, false),
            (_, 0, false) => (0, true),
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// No more when nobody is left; its children may spawn until then.
    pub(super) fn close_when_empty(&mut self) {
        self.closing = true;
        self.closed |= self.count.live() == 0;
    }
}
