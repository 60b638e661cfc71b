//! Where shared scopes lie, and what keeps them there: an `Arc` (feature `alloc`), or a
//! [`ScopePlace`] in a `static`, which counts its handles itself. One implementation for both: who
//! uses a scope has a [`Keep`].
//!
//! Invariants:
//! - **A1** A branch lies in its block or place from its attaching to its detaching, and is not moved
//!   meanwhile.
//! - **A2** Every child keeps its parent and its root, so a shared scope is detached before what it
//!   is attached to goes.
//! - **A3** A chain of parents that goes is taken apart by a loop, not by drops within drops.
//! - **A4** The limb of a place is written by whoever took the place, before there is a second handle,
//!   and taken out by whoever has the last handle; in between it is only shared.

use core::{
    fmt,
    mem::{self, MaybeUninit},
};

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
use alloc::sync::Arc;
#[cfg(all(feature = "portable-atomic", not(target_has_atomic = "ptr")))]
use portable_atomic_util::Arc;

use super::{
    branch::{At, Place, Shared},
    crew::Crew,
    cx::Cx,
    scope::Root,
};
use crate::{
    error::PlaceTaken,
    sync::{Cell, Lock, Protected},
};

/// A handle on a shared scope.
pub(super) enum Keep<L: Lock> {
    Place(Taken<L>),
    #[cfg(any(
        all(feature = "alloc", target_has_atomic = "ptr"),
        feature = "portable-atomic"
    ))]
    Heap(Arc<Block<L>>),
}

/// What a limb hangs on.
pub(super) enum Stem<L: Lock> {
    /// The root of a tree, in a `static`. It has no crew: nobody joins it.
    Root(&'static Root<L>),
    Scope(Keep<L>),
}

/// A shared scope that has a parent.
pub(super) struct Limb<L: Lock> {
    root: Stem<L>,
    /// `None` once it has left (A3).
    parent: Option<Stem<L>>,
    place: Place<Shared>,
}

/// A shared scope on the heap.
#[cfg(any(
    all(feature = "alloc", target_has_atomic = "ptr"),
    feature = "portable-atomic"
))]
pub(super) enum Block<L: Lock> {
    Root(Root<L>, Crew),
    Limb(Limb<L>),
}

impl<L: Lock> Limb<L> {
    fn new(parent: Stem<L>, word: usize, name: &'static str) -> Self {
        Self {
            root: parent.root(),
            place: Place::below(parent.cx(), word, Shared::new(name)),
            parent: Some(parent),
        }
    }

    fn cx(&self) -> Cx<'_, L> {
        Cx {
            branch: At::of(&self.place),
            ..self.root.cx()
        }
    }

    fn crew(&self) -> &Crew {
        &self.place.behind().crew
    }

    fn attach(&self) {
        // SAFETY: Validity: it stays where it is until it is detached (A1), and keeps its parent (A2).
        // Aliasing: shared.
        unsafe { self.root.cx().tree.attach(At::of(&self.place)) };
    }

    /// Leaves the tree; gives what it kept its parent by.
    fn leave(&mut self) -> Option<Stem<L>> {
        let parent = self.parent.take()?;
        // SAFETY: Validity: the parent is kept (A2). Aliasing: shared.
        unsafe { parent.cx().tree.detach(At::of(&self.place)) };
        Some(parent)
    }
}

impl<L: Lock> Drop for Limb<L> {
    fn drop(&mut self) {
        take_apart(self.leave());
    }
}

/// A3.
fn take_apart<L: Lock>(mut stem: Option<Stem<L>>) {
    while let Some(Stem::Scope(keep)) = stem {
        stem = match keep {
            Keep::Place(taken) => {
                let place = taken.0;
                mem::forget(taken);
                place.give_back()
            }
            #[cfg(any(
                all(feature = "alloc", target_has_atomic = "ptr"),
                feature = "portable-atomic"
            ))]
            // Nobody else has it: it leaves now, and its drop finds nothing to do. (If another thread
            // drops its last other handle just now, one of the two drops it as usual.)
            Keep::Heap(mut block) => match Arc::get_mut(&mut block) {
                Some(Block::Limb(limb)) => limb.leave(),
                _ => None,
            },
        };
    }
}

impl<L: Lock> Stem<L> {
    fn cx(&self) -> Cx<'_, L> {
        match self {
            Self::Root(root) => root.cx(),
            Self::Scope(keep) => keep.cx(),
        }
    }

    fn root(&self) -> Self {
        match self {
            Self::Root(root) => Self::Root(root),
            Self::Scope(keep) => match keep.limb() {
                Some(limb) => limb.root.again(),
                None => self.again(),
            },
        }
    }

    fn again(&self) -> Self {
        match self {
            Self::Root(root) => Self::Root(root),
            Self::Scope(keep) => Self::Scope(keep.clone()),
        }
    }
}

impl<L: Lock> Keep<L> {
    /// A root on the heap.
    #[cfg(any(
        all(feature = "alloc", target_has_atomic = "ptr"),
        feature = "portable-atomic"
    ))]
    pub(super) fn new_root(name: &'static str) -> Self {
        Self::Heap(Arc::new(Block::Root(Root::new().named(name), Crew::new())))
    }

    /// A scope on the heap, below `parent`.
    #[cfg(any(
        all(feature = "alloc", target_has_atomic = "ptr"),
        feature = "portable-atomic"
    ))]
    pub(super) fn new_below(parent: Stem<L>, word: usize, name: &'static str) -> Self {
        let block = Arc::new(Block::Limb(Limb::new(parent, word, name)));
        if let Block::Limb(limb) = &*block {
            limb.attach();
        }
        Self::Heap(block)
    }

    /// A scope in `place`, below `parent`.
    pub(super) fn new_in(
        place: &'static ScopePlace<L>,
        parent: Stem<L>,
        word: usize,
        name: &'static str,
    ) -> Result<Self, PlaceTaken> {
        place.take(Limb::new(parent, word, name)).map(Self::Place)
    }

    /// `None`: it is a root.
    fn limb(&self) -> Option<&Limb<L>> {
        match self {
            Self::Place(taken) => Some(taken.limb()),
            #[cfg(any(
                all(feature = "alloc", target_has_atomic = "ptr"),
                feature = "portable-atomic"
            ))]
            Self::Heap(block) => match &**block {
                Block::Root(..) => None,
                Block::Limb(limb) => Some(limb),
            },
        }
    }

    pub(super) fn cx(&self) -> Cx<'_, L> {
        self.parts().0
    }

    pub(super) fn crew(&self) -> &Crew {
        self.parts().1
    }

    #[inline(always)]
    fn parts(&self) -> (Cx<'_, L>, &Crew) {
        match self {
            Self::Place(taken) => {
                let limb = taken.limb();
                (limb.cx(), limb.crew())
            }
            #[cfg(any(
                all(feature = "alloc", target_has_atomic = "ptr"),
                feature = "portable-atomic"
            ))]
            Self::Heap(block) => match &**block {
                Block::Root(root, crew) => (root.cx(), crew),
                Block::Limb(limb) => (limb.cx(), limb.crew()),
            },
        }
    }

    /// The root of its tree; and its crew, if that is a shared scope.
    pub(super) fn root(&self) -> (Cx<'_, L>, Option<&Crew>) {
        match self.limb().map(|limb| &limb.root) {
            Some(Stem::Root(root)) => (root.cx(), None),
            Some(Stem::Scope(keep)) => (keep.cx(), Some(keep.crew())),
            None => (self.cx(), Some(self.crew())),
        }
    }

    /// The shared scope above this one.
    pub(super) fn above(&self) -> Option<&Self> {
        match self.limb()?.parent.as_ref()? {
            Stem::Root(_) => None,
            Stem::Scope(keep) => Some(keep),
        }
    }
}

impl<L: Lock> Clone for Keep<L> {
    fn clone(&self) -> Self {
        match self {
            Self::Place(taken) => Self::Place(taken.clone()),
            #[cfg(any(
                all(feature = "alloc", target_has_atomic = "ptr"),
                feature = "portable-atomic"
            ))]
            Self::Heap(block) => Self::Heap(block.clone()),
        }
    }
}

locked_type! {
    /// Room for one [`SharedScope`](super::SharedScope) in a `static`, where there is no heap.
    ///
    /// A scope takes it ([`Root::child_in`], [`SharedScope::child_in`](super::SharedScope::child_in))
    /// and has it to itself until its last handle, and the last ticket of a child, is gone; then it
    /// can be taken anew.
    ///
    /// ```
    /// use ecluse_core::cancel::{Kind, Root, ScopePlace};
    ///
    /// static PROGRAM: Root = Root::new();
    /// static RADIO: ScopePlace = ScopePlace::new();
    ///
    /// let radio = PROGRAM.child_in(&RADIO).unwrap();
    /// assert!(PROGRAM.child_in(&RADIO).is_err(), "it is in use");
    /// PROGRAM.cancel(Kind::Shutdown);
    /// assert!(radio.is_cancelled());
    /// drop(radio);
    /// assert!(!RADIO.is_taken());
    /// ```
    pub struct ScopePlace<L: Lock> {
        /// 0: free.
        handles: Protected<L, usize>,
        limb: Cell<MaybeUninit<Limb<L>>>,
    }
}

// SAFETY: Validity: limbs are `Send` and `Sync` where their lock is. Aliasing: A4; the count is under
// the lock.
unsafe impl<L: Lock + Send + Sync> Sync for ScopePlace<L> {}
// SAFETY: as above.
unsafe impl<L: Lock + Send + Sync> Send for ScopePlace<L> {}

impl<L: Lock> ScopePlace<L> {
    const_fn! {
        /// A free place.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                handles: Protected::new(0),
                limb: Cell::new(MaybeUninit::uninit()),
            }
        }
    }

    /// Whether a scope has the place.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.handles.with(|handles| **handles != 0)
    }

    fn take(&'static self, limb: Limb<L>) -> Result<Taken<L>, PlaceTaken> {
        let free = self.handles.with(|handles| {
            let free = **handles == 0;
            **handles += usize::from(free);
            free
        });
        if !free {
            return Err(PlaceTaken);
        }
        // SAFETY: Validity: the place is empty. Aliasing: A4.
        self.limb.with_mut(|place| unsafe { (*place).write(limb) });
        let taken = Taken(self);
        taken.limb().attach();
        Ok(taken)
    }

    /// One handle less; the last one empties the place, and gives what kept the parent.
    fn give_back(&self) -> Option<Stem<L>> {
        let last = self.handles.with(|handles| {
            let last = **handles == 1;
            **handles -= usize::from(!last);
            last
        });
        if !last {
            return None;
        }
        let parent = self.limb.with_mut(|place| {
            // SAFETY: Validity: written by whoever took the place; it leaves where it lies (A1), and
            // is empty after this. Aliasing: A4; what the others did with it came before their own
            // holds of the lock.
            unsafe {
                let parent = (*place).assume_init_mut().leave();
                (*place).assume_init_drop();
                parent
            }
        });
        self.handles.with(|handles| **handles = 0);
        parent
    }
}

impl<L: Lock> Default for ScopePlace<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: Lock> fmt::Debug for ScopePlace<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopePlace")
            .field("taken", &self.is_taken())
            .finish_non_exhaustive()
    }
}

impl<L: Lock> core::panic::UnwindSafe for ScopePlace<L> {}
impl<L: Lock> core::panic::RefUnwindSafe for ScopePlace<L> {}

/// A counted handle on a place that is taken.
pub(super) struct Taken<L: Lock>(&'static ScopePlace<L>);

impl<L: Lock> Taken<L> {
    fn limb(&self) -> &Limb<L> {
        // SAFETY: Validity: full while there are handles. Aliasing: shared meanwhile (A4).
        self.0
            .limb
            .with(|limb| unsafe { (*limb).assume_init_ref() })
    }
}

impl<L: Lock> Clone for Taken<L> {
    fn clone(&self) -> Self {
        self.0.handles.with(|handles| **handles += 1);
        Self(self.0)
    }
}

impl<L: Lock> Drop for Taken<L> {
    fn drop(&mut self) {
        take_apart(self.0.give_back());
    }
}
