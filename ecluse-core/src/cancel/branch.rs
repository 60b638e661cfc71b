//! Branches: what a scope is of its tree, wherever its owner puts it. Invariants T1 to T8 are those of
//! `tree`.

use core::{marker::PhantomData, mem::offset_of, ops::Deref, ptr};

use super::{
    crew::Crew,
    cx::Cx,
    reason::{NAMED, Reason, SHARED},
    tree::Trunk,
};
use crate::{
    sync::{AtomicUsize, Cell, Lock, Locked, Ordering},
    wait::{Link, LinkRing, Ring},
};

/// What a scope is of its tree, beside its lists.
#[repr(C)]
pub(super) struct Branch {
    /// Among its parent's children. First, so that a pointer to it is a pointer to the branch.
    sibling: Link,
    /// On the work list.
    work: Link,
    word: AtomicUsize,
    /// What it is below of; null: of the root (T6).
    pub(super) above: *const Branch,
    lists: Cell<Lists>,
}

/// A branch's lists.
pub(super) struct Lists {
    pub(super) children: LinkRing,
    /// The next child that a step looks at, or null.
    pub(super) cursor: *const Link,
    pub(super) waiters: Ring<Reason>,
    /// Those who wait for force.
    pub(super) force: Ring<Reason>,
}

impl Lists {
    pub(super) const NONE: Self = Self {
        children: LinkRing::new(),
        cursor: ptr::null(),
        waiters: Ring::new(),
        force: Ring::new(),
    };
}

// SAFETY: Validity: links and lists are touched under the tree's lock only, and pass wakers and
// reasons, which are `Send`. Aliasing: the word is atomic; all else needs the lock (T1).
unsafe impl Send for Branch {}
// SAFETY: as above: a shared reference reaches the word, and nothing else without the lock.
unsafe impl Sync for Branch {}

/// A branch, and what lies behind it: what its scope is called, and a shared scope's crew.
#[repr(C)]
pub(super) struct Place<N> {
    /// First, so that a pointer to the place is a pointer to the branch.
    branch: Branch,
    behind: N,
}

/// The name of a shared scope, and its crew.
#[repr(C)]
pub(super) struct Shared {
    /// First, so that it lies where any name does.
    name: &'static str,
    pub(super) crew: Crew,
}

impl Shared {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            crew: Crew::new(),
        }
    }
}

const _: () = assert!(
    offset_of!(Place<Shared>, behind) == offset_of!(Place<&'static str>, behind),
    "a name lies behind its branch"
);

/// What a scope may be called: `()`, not at all, or a `&'static str`. Sealed.
pub trait Name: private::Sealed + Send + Sync + Unpin {
    #[doc(hidden)]
    const BITS: usize;
}

impl Name for () {
    const BITS: usize = 0;
}

impl Name for &'static str {
    const BITS: usize = NAMED;
}

impl Name for Shared {
    const BITS: usize = NAMED | SHARED;
}

mod private {
    pub trait Sealed {}

    impl Sealed for () {}
    impl Sealed for &'static str {}
    impl Sealed for super::Shared {}
}

/// A branch's place, borrowed, whatever its name's type.
pub(super) struct At<'s>(ptr::NonNull<Branch>, PhantomData<&'s Branch>);

impl Clone for At<'_> {
    fn clone(&self) -> Self {
        *self
    }
}

impl Copy for At<'_> {}

// SAFETY: Validity: a shared reference to a place, whose branch and name are `Sync`. Aliasing:
// shared.
unsafe impl Send for At<'_> {}
// SAFETY: as above.
unsafe impl Sync for At<'_> {}

impl<'s> At<'s> {
    pub(super) const fn of<N: Name>(place: &'s Place<N>) -> Self {
        // SAFETY: Validity: a reference is no null.
        let branch = unsafe { ptr::NonNull::new_unchecked(ptr::from_ref(place).cast_mut()) };
        Self(branch.cast(), PhantomData)
    }

    /// # Safety
    /// `branch` is that of a live place, was made of a pointer to that place, and stays.
    pub(super) const unsafe fn new(branch: *const Branch) -> Self {
        // SAFETY: Validity: live, thus no null.
        let branch = unsafe { ptr::NonNull::new_unchecked(branch.cast_mut()) };
        Self(branch, PhantomData)
    }

    pub(super) const fn as_ptr(self) -> *const Branch {
        self.0.as_ptr()
    }

    /// The branch, for as long as the place is borrowed.
    pub(super) const fn get(self) -> &'s Branch {
        // SAFETY: Validity: of a reference that is borrowed for as long. Aliasing: shared.
        unsafe { self.0.as_ref() }
    }

    /// What it is called; "" if nothing.
    pub(super) fn name(self) -> &'static str {
        // SAFETY: Validity: the bit says so. Aliasing: shared.
        unsafe { self.behind::<&'static str>() }.map_or("", |name| *name)
    }

    /// The crew of a shared scope.
    pub(super) fn crew(self) -> Option<&'s Crew> {
        // SAFETY: Validity: the bit says so. Aliasing: shared.
        unsafe { self.behind::<Shared>() }.map(|shared| &shared.crew)
    }

    /// What lies behind the branch, if its word says that it is an `N` (T8).
    ///
    /// # Safety
    /// A word has the bits of `N` if its place has an `N`, or what begins with one.
    unsafe fn behind<N: Name>(self) -> Option<&'s N> {
        // Relaxed: the bits never change.
        if self.word(Ordering::Relaxed) & N::BITS != N::BITS {
            return None;
        }
        // SAFETY: Validity: by contract; an `At` is made of a pointer to the place. Aliasing: shared.
        Some(unsafe { &(*self.as_ptr().cast::<Place<N>>()).behind })
    }
}

impl Deref for At<'_> {
    type Target = Branch;

    #[inline(always)]
    fn deref(&self) -> &Branch {
        self.get()
    }
}

impl Place<&'static str> {
    const_fn! {
        /// The place of a root.
        pub(super) const fn root() -> Self {
            Self {
                branch: Branch::new(NAMED, ptr::null()),
                behind: "",
            }
        }
    }

    /// Nobody knows it yet, or nobody borrows it (T6).
    pub(super) const fn rename(&mut self, name: &'static str) {
        self.behind = name;
    }
}

impl<N: Name> Place<N> {
    /// A place below that of `above`, whose bits `word` are fixed.
    pub(super) fn below<L: Lock>(above: Cx<'_, L>, word: usize, name: N) -> Self {
        let Cx { tree, branch } = above;
        let above = if tree.is_root(branch.as_ptr()) {
            ptr::null()
        } else {
            branch.as_ptr()
        };
        Self {
            branch: Branch::new(word | N::BITS, above),
            behind: name,
        }
    }

    /// What lies behind the branch.
    pub(super) const fn behind(&self) -> &N {
        &self.behind
    }

    /// Its fixed bits, and what it is below of: for the same place with a name.
    pub(super) fn renamed<M: Name>(&self, name: M) -> Place<M> {
        Place {
            branch: Branch::new(
                // Relaxed: nobody else knows it.
                self.branch.word(Ordering::Relaxed) & !NAMED | M::BITS,
                self.branch.above,
            ),
            behind: name,
        }
    }
}

impl Branch {
    const_fn! {
        const fn new(word: usize, above: *const Self) -> Self {
            Self {
                sibling: Link::new(),
                work: Link::new(),
                word: AtomicUsize::new(word),
                above,
                lists: Cell::new(Lists::NONE),
            }
        }
    }

    #[inline(always)]
    pub(super) fn word(&self, order: Ordering) -> usize {
        self.word.load(order)
    }

    pub(super) fn set(&self, _: &mut Locked<Trunk>, word: usize) {
        // Release: pairs with the Acquire of whoever sees the flag (T5).
        self.word.store(word, Ordering::Release);
    }

    /// # Safety
    /// `this` is live, and the lock of its tree is held.
    pub(super) unsafe fn change<R>(this: *const Self, change: impl FnOnce(&mut Lists) -> R) -> R {
        // SAFETY: Validity: live by contract. Aliasing: shared.
        let lists = unsafe { &(*this).lists };
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held (T1), and nothing else
        // looks at these lists inside `change`.
        lists.with_mut(|lists| change(unsafe { &mut *lists }))
    }

    /// The branch's lists, for as long as the lock is held.
    ///
    /// # Safety
    /// `held` is the trunk of this branch's tree.
    pub(super) unsafe fn lists<'h>(&'h self, _held: &'h mut Locked<Trunk>) -> &'h mut Lists {
        // SAFETY: Validity: initialised in `new`. Aliasing: `held` is borrowed for as long, so no
        // other function of this file runs meanwhile.
        self.lists.with_mut(|lists| unsafe { &mut *lists })
    }

    pub(super) fn work(this: *const Self) -> *const Link {
        this.wrapping_byte_add(offset_of!(Self, work)).cast()
    }

    pub(super) fn of_work(link: *const Link) -> *const Self {
        link.wrapping_byte_sub(offset_of!(Self, work)).cast()
    }
}

/// Under loom a branch's end is an access to all of it: whoever still touches it is found.
#[cfg(ecluse_loom)]
impl Drop for Branch {
    fn drop(&mut self) {
        self.lists.with_mut(|_| ());
        self.word.with_mut(|_| ());
    }
}
