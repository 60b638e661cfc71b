//! The intrusive ring and its node: the list `unsafe` of the crate is in this file, and for those
//! that queue behind a leader in `leader`.
//!
//! A node lives in its waiting future, pinned. Its owner is the future; the *notifier* is whoever
//! holds the list lock. The owner of the ring keeps one pointer, to the head; nodes point only to
//! nodes, so the owner may be moved, and a whole queue changes hands without touching a member.
//!
//! | state | linked | waker cell | grant cell | who may touch the node |
//! |---|---|---|---|---|
//! | `IDLE` | no | empty | empty | owner |
//! | `QUEUED` | **yes** | full, the node's | empty, or what its owner asks for | whoever holds the lock; the owner may read the waker's bits |
//! | `GRANTED` | no | stale bits, never called or dropped | full | owner (a revocable grant: whoever holds the lock) |
//! | `LEADING` | **yes**, as the head of those behind it | stale bits, or (armed) full | empty | whoever holds the lock |
//! | `STALLED` | no | stale bits | empty | owner |
//! | `FINISHED` | no | stale bits or empty | empty | owner |
//!
//! Invariants:
//! - **N1** `links`, and `waker` where it is written, are touched under the list lock only.
//! - **N2** Only the owner writes the waker cell; the notifier copies out of it. So the owner may
//!   compare its bits without a lock: a write would have been its own.
//! - **N3** *Publish last*: the notifier's last touch of a node is the store of its state. After
//!   it the node may be gone.
//! - **N4** A node is in at most one ring. Dropping a `QUEUED` one unlinks it first; a forgotten
//!   one stays where it is, pinned for ever.
//! - **N5** The ring of a detached cohort holds its sentinel, so a node that is alone in its ring
//!   is in its owner's.
//! - **N6** A leader's own link is the sentinel of those behind it, so following, leaving and
//!   succeeding are O(1) and touch neighbours only. No other member of its ring leads.

use core::{
    marker::{PhantomData, PhantomPinned},
    mem::MaybeUninit,
    ptr::{self, NonNull},
    task::Waker,
};

use crate::sync::{AtomicU8, Cell, Ordering};

pub(crate) const IDLE: u8 = 0;
pub(crate) const QUEUED: u8 = 1;
pub(crate) const GRANTED: u8 = 2;
pub(crate) const STALLED: u8 = 3;
pub(crate) const FINISHED: u8 = 4;
pub(crate) const LEADING: u8 = 5;

/// What makes a thing a member of a ring. On its own: the sentinel of a cohort.
pub(crate) struct Link {
    ends: Cell<Ends>,
    _pin: PhantomPinned,
}

#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) previous: *const Link,
    pub(super) next: *const Link,
}

impl Ends {
    const NONE: Self = Self {
        previous: ptr::null(),
        next: ptr::null(),
    };
}

impl Link {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                ends: Cell::new(Ends::NONE),
                _pin: PhantomPinned,
            }
        }
    }

    /// # Safety
    /// `this` is a live member of a ring, and the list lock is held.
    pub(super) unsafe fn ends(this: *const Self) -> Ends {
        // SAFETY: Validity: a live link by contract. Aliasing: shared access to the cell's owner.
        let link = unsafe { &*this };
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held (N1).
        link.ends.with(|ends| unsafe { *ends })
    }

    /// # Safety
    /// `this` is a live link, and the list lock is held.
    unsafe fn change(this: *const Self, change: impl FnOnce(&mut Ends)) {
        // SAFETY: Validity: a live link by contract. Aliasing: shared access to the cell's owner.
        let link = unsafe { &*this };
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held (N1), and nothing
        // else looks at these ends inside `change`.
        link.ends.with_mut(|ends| change(unsafe { &mut *ends }));
    }

    /// Whether `this` is the only member of its ring.
    ///
    /// # Safety
    /// As [`Link::ends`].
    pub(super) unsafe fn is_alone(this: *const Self) -> bool {
        // SAFETY: Validity and Aliasing: by contract.
        ptr::eq(unsafe { Self::ends(this) }.next, this)
    }

    /// Puts `this` before `place` in `place`'s ring, or makes it a ring of its own.
    ///
    /// # Safety
    /// Both are live, `place` is linked if given, `this` is in no ring; the list lock is held.
    pub(super) unsafe fn insert(this: *const Self, place: *const Self) {
        // SAFETY: Validity and Aliasing: by contract; `previous` is a neighbour, thus live (N4).
        unsafe {
            let (previous, next) = if place.is_null() {
                (this, this)
            } else {
                (Self::ends(place).previous, place)
            };
            Self::change(this, |ends| *ends = Ends { previous, next });
            if !place.is_null() {
                Self::change(previous, |ends| ends.next = this);
                Self::change(place, |ends| ends.previous = this);
            }
        }
    }

    /// Takes `this` out of its ring; gives its successor, or null if it was alone.
    ///
    /// # Safety
    /// `this` is a live member of a ring; the list lock is held.
    pub(super) unsafe fn remove(this: *const Self) -> *const Self {
        // SAFETY: Validity and Aliasing: by contract; neighbours are live (N4).
        unsafe {
            let Ends { previous, next } = Self::ends(this);
            Self::change(previous, |ends| ends.next = next);
            Self::change(next, |ends| ends.previous = previous);
            if ptr::eq(next, this) {
                ptr::null()
            } else {
                next
            }
        }
    }
}

/// A ring of links that are not waiters, held by a pointer to its first: the members of a tree.
///
/// Invariant **N7**: a link in no such ring has null ends, one that is in one has none.
pub(crate) struct LinkRing {
    head: *const Link,
}

// SAFETY: Validity: the pointer is followed under the lock only, wherever that lock was moved to.
// Aliasing: nothing but links is behind it.
unsafe impl Send for LinkRing {}

impl LinkRing {
    pub(crate) const fn new() -> Self {
        Self { head: ptr::null() }
    }

    /// The first member, or null.
    #[inline(always)]
    pub(crate) fn first(&self) -> *const Link {
        self.head
    }

    /// Whether `link` is in one.
    ///
    /// # Safety
    /// The lock is held, and `link` is live.
    pub(crate) unsafe fn has(link: *const Link) -> bool {
        // SAFETY: Validity and Aliasing: by contract (N7).
        !unsafe { Link::ends(link) }.next.is_null()
    }

    /// The member behind `link`, or null.
    ///
    /// # Safety
    /// The lock is held, and `link` is a member.
    pub(crate) unsafe fn behind(&self, link: *const Link) -> *const Link {
        // SAFETY: Validity: a member. Aliasing: the lock is held.
        let next = unsafe { Link::ends(link) }.next;
        if ptr::eq(next, self.head) {
            ptr::null()
        } else {
            next
        }
    }

    /// Makes `link` a member.
    ///
    /// # Safety
    /// The lock is held. `link` is pinned, in no such ring, and removed before its memory is used
    /// again.
    pub(crate) unsafe fn insert(&mut self, link: *const Link, end: End) {
        // SAFETY: Validity: the head is a member or null. Aliasing: the lock is held.
        unsafe { Link::insert(link, self.head) };
        if matches!(end, End::Front) || self.head.is_null() {
            self.head = link;
        }
    }

    /// Takes a member out.
    ///
    /// # Safety
    /// The lock is held, and `link` is a member.
    pub(crate) unsafe fn remove(&mut self, link: *const Link) {
        // SAFETY: Validity: a member, and so are its neighbours. Aliasing: the lock is held.
        let next = unsafe { Link::remove(link) };
        // SAFETY: as above; it is in no such ring now (N7).
        unsafe { Link::change(link, |ends| *ends = Ends::NONE) };
        if ptr::eq(link, self.head) {
            self.head = next;
        }
    }
}

/// A waiter's place in a ring, with its waker and, once granted, its grant.
#[repr(C)]
pub struct Node<G, X = ()> {
    /// First, so that a pointer to the node is a pointer to its link.
    link: Link,
    waker: Cell<MaybeUninit<Waker>>,
    grant: Cell<MaybeUninit<G>>,
    state: AtomicU8,
    extra: X,
}

// SAFETY: Validity: a node's wakers and grants go from thread to thread, hence `G: Send`; the raw
// links are only followed under the lock. Aliasing: N1 to N3 say who touches what.
unsafe impl<G: Send, X: Send> Send for Node<G, X> {}
// SAFETY: Validity: shared references reach the state, which is atomic, and the extra, which is
// `Sync`; all else needs the lock or is reserved to the owner by `unsafe`. Aliasing: as above.
unsafe impl<G: Send, X: Sync> Sync for Node<G, X> {}

impl<G, X> Node<G, X> {
    const_fn! {
        #[inline(always)]
        pub(crate) const fn new(extra: X) -> Self {
            Self {
                link: Link::new(),
                waker: Cell::new(MaybeUninit::uninit()),
                grant: Cell::new(MaybeUninit::uninit()),
                state: AtomicU8::new(IDLE),
                extra,
            }
        }
    }

    #[inline(always)]
    pub(crate) fn extra(&self) -> &X {
        &self.extra
    }

    /// The state. Whoever acts on `GRANTED`, `STALLED` or `FINISHED` without the lock loads it
    /// with Acquire: pairs with the Release store in [`Node::grant`] and [`Node::revoke`].
    #[inline(always)]
    pub(crate) fn state(&self, order: Ordering) -> u8 {
        self.state.load(order)
    }

    /// The owner, in no ring, ends the node's life.
    #[inline(always)]
    pub(crate) fn finish(&self) {
        // Relaxed: only the owner reads it from here on.
        self.set_state(FINISHED, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(super) fn set_state(&self, state: u8, order: Ordering) {
        self.state.store(state, order);
    }

    #[inline(always)]
    pub(super) fn link(&self) -> *const Link {
        ptr::from_ref(self).cast()
    }

    /// Whether the waker of a node that was just seen `QUEUED` is `waker`. A grant may come
    /// meanwhile and leave the bits stale: they are compared, never called, and equal bits then
    /// mean that the waker being woken is this one.
    ///
    /// # Safety
    /// The caller is the owner and has loaded `QUEUED`.
    #[inline(always)]
    pub(crate) unsafe fn has_waker(&self, waker: &Waker) -> bool {
        self.waker.with(|cell| {
            // SAFETY: Validity: full since it was queued; a copy of the bits stays a bit-wise
            // valid `Waker` (two pointers, the table `'static`) after the original was dropped.
            // Aliasing: only the owner writes this cell (N2), and it is here.
            let ours = unsafe { (*cell).assume_init_ref() };
            ours.data() == waker.data() && ptr::eq(ours.vtable(), waker.vtable())
        })
    }

    /// Replaces the waker of a queued node.
    ///
    /// # Safety
    /// The caller is the owner, holds the lock, and the state is `QUEUED`.
    pub(crate) unsafe fn replace_waker(&self, waker: Waker) -> Waker {
        self.waker.with_mut(|cell| {
            // SAFETY: Validity: full while queued, and still the node's. Aliasing: N1, N2.
            unsafe { ptr::replace(cell, MaybeUninit::new(waker)).assume_init() }
        })
    }

    /// Writes what the owner asks for where its grant will be, for whoever chooses whom to grant.
    ///
    /// # Safety
    /// The caller is the owner, holds the lock, and is about to enlist the node.
    pub(crate) unsafe fn ask(&self, wanted: G)
    where
        G: Copy,
    {
        self.grant.with_mut(|cell| {
            // SAFETY: Validity: the cell is empty. Aliasing: nobody else knows an unlinked node
            // that is not granted.
            unsafe { (*cell).write(wanted) };
        });
    }

    /// What the owner of a queued node asked for.
    ///
    /// # Safety
    /// The caller holds the lock; the node is queued, in its owner's ring, and was enlisted after
    /// [`Node::ask`].
    pub(crate) unsafe fn asked(this: NonNull<Self>) -> G
    where
        G: Copy,
    {
        // SAFETY: Validity: queued, thus live. Aliasing: shared.
        let node = unsafe { this.as_ref() };
        node.grant.with(|cell| {
            // SAFETY: Validity: full by contract. Aliasing: the owner keeps off while it is
            // queued, and the lock is held.
            unsafe { (*cell).assume_init() }
        })
    }

    /// Takes the grant of a granted node, which is finished then.
    ///
    /// # Safety
    /// The caller is the owner and has seen `GRANTED` with Acquire; if grants can be revoked, it
    /// holds the lock.
    #[inline(always)]
    pub(crate) unsafe fn take_grant(&self) -> G {
        self.finish();
        self.grant.with_mut(|cell| {
            // SAFETY: Validity: `grant` filled it before the state said so; it is read once, the
            // state having changed. Aliasing: the notifier is gone (N3).
            unsafe { (*cell).assume_init_read() }
        })
    }

    /// Gives an unlinked node its grant and hands back its waker, which the caller must wake or
    /// drop after the lock.
    ///
    /// # Safety
    /// The caller holds the lock and has just unlinked the node, which is `QUEUED` and live.
    #[inline]
    pub(crate) unsafe fn grant(this: NonNull<Self>, grant: G) -> Waker {
        // SAFETY: Validity: live by contract until the store below. Aliasing: shared.
        let node = unsafe { this.as_ref() };
        node.grant.with_mut(|cell| {
            // SAFETY: Validity: the cell is empty, or holds a `Copy` (`ask`). Aliasing: the owner
            // keeps off until `GRANTED`.
            unsafe { (*cell).write(grant) };
        });
        // SAFETY: Validity: queued until the store below. Aliasing: the lock is held.
        let waker = unsafe { node.copy_waker() };
        // Release: pairs with the owner's Acquire load of the state, in a poll, a drop or an
        // abandon. The last touch (N3).
        node.state.store(GRANTED, Ordering::Release);
        waker
    }

    /// The waker of a queued node whose state changes next.
    ///
    /// # Safety
    /// The caller holds the lock; the node is `QUEUED` and will not be after this hold.
    #[inline(always)]
    pub(super) unsafe fn copy_waker(&self) -> Waker {
        self.waker.with(|cell| {
            // SAFETY: Validity: full while queued; this is the one copy, the owner drops none
            // after the state has changed. Aliasing: the owner may read the bits beside us (N2).
            unsafe { (*cell).assume_init_read() }
        })
    }

    /// Fills the waker cell.
    ///
    /// # Safety
    /// The caller owns the node and holds the lock; the cell is empty or stale.
    #[inline(always)]
    pub(super) unsafe fn put_waker(&self, waker: Waker) {
        self.waker.with_mut(|cell| {
            // SAFETY: Validity: nothing is overwritten that would need a drop. Aliasing: N1, N2.
            unsafe { (*cell).write(waker) };
        });
    }

    /// The owner's node is about to be linked as a waiter.
    ///
    /// # Safety
    /// The caller owns the node, which is in no ring, and holds the lock.
    #[inline(always)]
    pub(super) unsafe fn queue(&self, waker: Waker) -> *const Link {
        // SAFETY: Validity and Aliasing: by contract.
        unsafe { self.put_waker(waker) };
        // Relaxed: whoever acts on it from elsewhere holds the lock.
        self.state.store(QUEUED, Ordering::Relaxed);
        self.link()
    }

    /// Takes a grant back that nobody has observed.
    ///
    /// # Safety
    /// The caller holds the lock, and the node is `GRANTED` and live, of a kind whose owner looks
    /// at a grant under the lock only.
    pub(crate) unsafe fn revoke(this: NonNull<Self>) -> G {
        // SAFETY: Validity: live by contract until the store below. Aliasing: shared.
        let node = unsafe { this.as_ref() };
        let grant = node.grant.with_mut(|cell| {
            // SAFETY: Validity: full while granted, emptied once since the state changes.
            // Aliasing: the owner of such a node takes the lock first.
            unsafe { (*cell).assume_init_read() }
        });
        // Release: pairs with the owner's Acquire load, which may drop the node next. The last
        // touch (N3).
        node.state.store(STALLED, Ordering::Release);
        grant
    }
}

/// Under loom a node's end is an access to all of it: whoever still touches it is found.
#[cfg(ecluse_loom)]
impl<G, X> Drop for Node<G, X> {
    fn drop(&mut self) {
        self.link.ends.with_mut(|_| ());
        self.waker.with_mut(|_| ());
        self.grant.with_mut(|_| ());
        self.state.with_mut(|_| ());
    }
}

/// Which end of a ring.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Front,
    Back,
}

/// A queue of waiters: a pointer to the first of a ring of nodes.
pub struct Ring<G, X = ()> {
    head: *const Link,
    _members: PhantomData<*const Node<G, X>>,
}

// SAFETY: Validity: the pointer is followed under the lock only, wherever that lock was moved to.
// Aliasing: grants pass through, hence `G: Send`.
unsafe impl<G: Send, X: Sync> Send for Ring<G, X> {}

impl<G, X> Ring<G, X> {
    pub(crate) const fn new() -> Self {
        Self {
            head: ptr::null(),
            _members: PhantomData,
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Enlists `node` with its waker.
    ///
    /// # Safety
    /// The lock of this ring is held (here and below: `self` is only reached so). The caller owns
    /// `node`, which is pinned, in no ring, and unlinked (N4) before its memory is used again.
    pub(crate) unsafe fn enlist(&mut self, node: &Node<G, X>, waker: Waker, end: End) {
        // SAFETY: Validity and Aliasing: by contract.
        let link = unsafe { node.queue(waker) };
        // SAFETY: Validity: the head is a linked member or null; the node is in no ring.
        // Aliasing: the lock is held.
        unsafe { Link::insert(link, self.head) };
        if self.head.is_null() || matches!(end, End::Front) {
            self.head = link;
        }
    }

    /// Unlinks the first waiter.
    ///
    /// # Safety
    /// The lock is held. The node given is live until its state is stored (N3).
    pub(crate) unsafe fn pop(&mut self) -> Option<NonNull<Node<G, X>>> {
        let first = NonNull::new(self.head.cast_mut())?;
        // SAFETY: Validity: the head is a linked member. Aliasing: the lock is held.
        self.head = unsafe { Link::remove(first.as_ptr()) };
        Some(first.cast())
    }

    /// How many there are, `most` or more as `most`. O(`most`); the lock is held.
    pub(crate) fn count(&self, most: usize) -> usize {
        let (mut count, mut at) = (0, self.first());
        while count < most {
            let Some(node) = at else { break };
            count += 1;
            // SAFETY: Validity: a member. Aliasing: the lock is held.
            at = unsafe { self.behind(node) };
        }
        count
    }

    /// The first waiter, left where it is.
    pub(crate) fn first(&self) -> Option<NonNull<Node<G, X>>> {
        NonNull::new(self.head.cast_mut()).map(NonNull::cast)
    }

    /// The waiter behind `node`, left where it is.
    ///
    /// # Safety
    /// The lock is held, and `node` is a member of this ring.
    pub(crate) unsafe fn behind(&self, node: NonNull<Node<G, X>>) -> Option<NonNull<Node<G, X>>> {
        // SAFETY: Validity: a member. Aliasing: the lock is held.
        let next = unsafe { Link::ends(node.as_ptr().cast()) }.next;
        if ptr::eq(next, self.head) {
            return None;
        }
        NonNull::new(next.cast_mut()).map(NonNull::cast)
    }

    /// Unlinks `node`, on its way to be granted.
    ///
    /// # Safety
    /// As [`Ring::pop`]; and `node` is a member of this ring.
    pub(crate) unsafe fn take(&mut self, node: NonNull<Node<G, X>>) {
        // SAFETY: Validity: a member. Aliasing: the lock is held.
        unsafe { self.unlink(node.as_ptr().cast::<Link>()) };
    }

    /// Unlinks `link` from this ring, or from a cohort that it was; gives its successor, or null if
    /// it was alone.
    ///
    /// # Safety
    /// As [`Link::remove`].
    #[inline(always)]
    unsafe fn unlink(&mut self, link: *const Link) -> *const Link {
        // SAFETY: Validity and Aliasing: by contract.
        let next = unsafe { Link::remove(link) };
        // A member of a detached cohort is neither our head nor alone in its ring (N5).
        if ptr::eq(self.head, link) {
            self.head = next;
        }
        next
    }

    /// Unlinks `node`, wherever it is queued, and gives its waker back. Tells whether this
    /// emptied the ring.
    ///
    /// # Safety
    /// The lock is held, the caller owns `node`, and its state is `QUEUED`.
    pub(crate) unsafe fn leave(&mut self, node: &Node<G, X>) -> (Waker, bool) {
        let link = node.link();
        // SAFETY: Validity: queued, thus linked (N4). Aliasing: the lock is held.
        let next = unsafe { self.unlink(link) };
        // SAFETY: Validity: queued until the next line. Aliasing: the lock is held.
        let waker = unsafe { node.copy_waker() };
        node.finish();
        (waker, next.is_null())
    }

    /// Cuts all waiters off as one cohort behind `sentinel`, in O(1).
    ///
    /// # Safety
    /// The lock is held; the ring is not empty; `sentinel` is in no ring and stays where it is
    /// until [`Ring::pop_cohort`] has said that the cohort is over.
    pub(crate) unsafe fn detach(&mut self, sentinel: &Link) {
        // SAFETY: Validity: the head is a linked member. Aliasing: the lock is held.
        unsafe { Link::insert(sentinel, self.head) };
        self.head = ptr::null();
    }

    /// Unlinks the first of a detached cohort; `None` ends it, and unlinks the sentinel for good.
    ///
    /// # Safety
    /// The lock is held; `sentinel` was given to [`Ring::detach`] of a ring of the same `G`, and
    /// this has not said `None` since.
    pub(crate) unsafe fn pop_cohort(sentinel: &Link) -> Option<NonNull<Node<G, X>>> {
        // SAFETY: Validity: the sentinel is linked. Aliasing: the lock is held.
        let first = unsafe { Link::ends(sentinel) }.next;
        if ptr::eq(first, sentinel) {
            return None;
        }
        // SAFETY: Validity: a neighbour is a live member, and not the sentinel, so it is the link
        // of a `Node<G>`. Aliasing: the lock is held.
        unsafe { Link::remove(first) };
        NonNull::new(first.cast_mut()).map(NonNull::cast)
    }
}
