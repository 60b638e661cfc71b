//! Leaders: waiters that others queue behind, in a ring whose head is the leader's own node; and the
//! chain in which leaders are found.
//!
//! ```text
//!   chain ──▶ leader of k ──▶ leader of m ──▶ null
//!               ⇅  ring         ⇅
//!             first           (nobody)
//!               ⇅
//!             second
//! ```
//!
//! A leader that goes is succeeded by the first behind it: its node is taken out of the ring, which
//! then has the other for its head. Nobody else is touched, however many there are (N6).
//!
//! A leader that ends is `FINISHED`, and its node is the head of those behind it until they are
//! served.
//!
//! Invariants (N1 to N6 are those of the ring):
//! - **K1** A node in a chain is `LEADING`. (Not every leader is in a chain: it may be forgotten.)
//! - **K2** `next` and the mark of a node are touched under the lock only.

use core::{
    ptr::{self, NonNull},
    task::Waker,
};

use super::list::{End, LEADING, Link, Node, QUEUED};
use crate::sync::{Cell, Ordering};

/// What lies in the node of a waiter that can lead: data for everybody, and a mark under the lock.
pub struct Post<D, M> {
    next: Cell<*const ()>,
    mark: Cell<M>,
    data: D,
}

// SAFETY: Validity: `next` is followed under the lock only. Aliasing: moving needs ownership.
unsafe impl<D: Send, M: Send> Send for Post<D, M> {}
// SAFETY: Validity: shared references reach the data, which is `Sync`. Aliasing: `next` and the
// mark need the lock (K2), one holder at a time, hence `M: Send`.
unsafe impl<D: Sync, M: Send> Sync for Post<D, M> {}

impl<D, M: Copy> Post<D, M> {
    const_fn! {
        pub(crate) const fn new(data: D, mark: M) -> Self {
            Self {
                next: Cell::new(ptr::null()),
                mark: Cell::new(mark),
                data,
            }
        }
    }

    #[inline(always)]
    pub(crate) fn data(&self) -> &D {
        &self.data
    }

    /// # Safety
    /// The lock is held.
    #[inline(always)]
    pub(crate) unsafe fn mark(&self) -> M {
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held (K2).
        self.mark.with(|mark| unsafe { *mark })
    }

    /// # Safety
    /// The lock is held.
    #[inline(always)]
    pub(crate) unsafe fn set_mark(&self, mark: M) {
        // SAFETY: Validity: a `Copy` value is written over another. Aliasing: the lock is held (K2).
        self.mark.with_mut(|place| unsafe { *place = mark });
    }
}

impl<G, X> Node<G, X> {
    /// Makes this node a leader with nobody behind it.
    ///
    /// # Safety
    /// The caller owns the node, which is pinned and in no ring, unlinks it before its memory is
    /// used again, and holds the lock.
    pub(crate) unsafe fn lead(&self) {
        // SAFETY: Validity: in no ring. Aliasing: the lock is held.
        unsafe { Link::insert(self.link(), ptr::null()) };
        // Relaxed: whoever acts on it from elsewhere holds the lock.
        self.set_state(LEADING, Ordering::Relaxed);
    }

    /// What those behind this node are drained from.
    pub(crate) fn sentinel(&self) -> &Link {
        // SAFETY: Validity: a node begins with its link. Aliasing: shared, as `self`.
        unsafe { &*self.link() }
    }

    /// Queues this node behind `leader`.
    ///
    /// # Safety
    /// As [`Node::lead`]; `leader` is `LEADING`.
    pub(crate) unsafe fn follow(&self, leader: NonNull<Self>, waker: Waker, end: End) {
        let head = leader.as_ptr().cast_const().cast::<Link>();
        // SAFETY: Validity: in no ring by contract; a leader is a live member of its ring.
        // Aliasing: the lock is held.
        unsafe {
            let link = self.queue(waker);
            let place = match end {
                End::Back => head,
                End::Front => Link::ends(head).next,
            };
            Link::insert(link, place);
        }
    }

    /// The first behind this leader.
    ///
    /// # Safety
    /// The lock is held, and this node is `LEADING`.
    pub(crate) unsafe fn heir(&self) -> Option<NonNull<Self>> {
        // SAFETY: Validity: a leader is linked, its neighbours are nodes of its kind (N6).
        // Aliasing: the lock is held.
        let next = unsafe { Link::ends(self.link()) }.next;
        if ptr::eq(next, self.link()) {
            return None;
        }
        NonNull::new(next.cast_mut()).map(NonNull::cast)
    }

    /// This leader goes and `heir` leads. Gives the heir's waker.
    ///
    /// # Safety
    /// The lock is held; `heir` is what [`Node::heir`] just gave. It is live until its state is
    /// stored (N3). This node's state is the caller's to set.
    pub(crate) unsafe fn succeed(&self, heir: NonNull<Self>) -> Waker {
        // SAFETY: Validity: linked; the heir is queued behind it. Aliasing: the lock is held.
        unsafe {
            Link::remove(self.link());
            let heir = heir.as_ref();
            let waker = heir.copy_waker();
            // Release: pairs with the owner's Acquire load of the state; the last touch (N3).
            heir.set_state(LEADING, Ordering::Release);
            waker
        }
    }

    /// This leader, with nobody behind it, goes.
    ///
    /// # Safety
    /// The lock is held; [`Node::heir`] just said `None`.
    pub(crate) unsafe fn dissolve(&self) {
        // SAFETY: Validity: linked, alone. Aliasing: the lock is held.
        unsafe { Link::remove(self.link()) };
        self.finish();
    }

    /// `by` leads in this leader's place, which queues as the first behind it.
    ///
    /// # Safety
    /// The caller owns both and holds the lock; this node is `LEADING` and not armed; `by` is as for
    /// [`Node::lead`].
    #[cfg(feature = "alloc")]
    pub(crate) unsafe fn replace(&self, by: &Self, waker: Waker) {
        // SAFETY: Validity: this is linked, `by` is not; the waker cell is stale. Aliasing: the lock
        // is held.
        unsafe {
            Link::insert(by.link(), self.link());
            self.queue(waker);
        }
        // Relaxed: whoever acts on it from elsewhere holds the lock.
        by.set_state(LEADING, Ordering::Relaxed);
    }

    /// Whether this node leads, asked under the lock.
    pub(crate) fn is_leading(&self) -> bool {
        // Relaxed: the lock orders it.
        self.state(Ordering::Relaxed) == LEADING
    }

    /// Leaves a waker with a leader, which others may wake it by, or queue it with. Gives back the
    /// one before, if there was.
    ///
    /// # Safety
    /// The caller owns the node, which is `LEADING`, and holds the lock; `armed` is whether this was
    /// done before.
    pub(crate) unsafe fn arm(&self, waker: Waker, armed: bool) -> Option<Waker> {
        // SAFETY: Validity: full if armed. Aliasing: the owner, with the lock.
        unsafe {
            let before = armed.then(|| self.copy_waker());
            self.put_waker(waker);
            before
        }
    }

    /// Takes the waker of a leader back.
    ///
    /// # Safety
    /// The lock is held; the node is `LEADING` and armed, and will not be armed after this hold.
    pub(crate) unsafe fn disarm(&self) -> Waker {
        // SAFETY: Validity: full, being armed. Aliasing: the lock is held.
        unsafe { self.copy_waker() }
    }

    /// This leader queues as the last, with the waker that it left, and `heir` leads. Gives the
    /// heir's waker.
    ///
    /// # Safety
    /// The lock is held; this node is `LEADING` and armed; `heir` is what [`Node::heir`] just gave.
    /// It is live until its state is stored (N3), and so is this node, whose owner may sleep.
    pub(crate) unsafe fn demote(&self, heir: NonNull<Self>) -> Waker {
        let head = heir.as_ptr().cast_const().cast::<Link>();
        // SAFETY: Validity: both are linked. Aliasing: the lock is held.
        unsafe {
            Link::remove(self.link());
            Link::insert(self.link(), head);
            let heir = heir.as_ref();
            let waker = heir.copy_waker();
            // Relaxed: its owner looks again under the lock before it acts as a leader.
            self.set_state(QUEUED, Ordering::Relaxed);
            // Release: pairs with the owner's Acquire load of the state; the last touch (N3).
            heir.set_state(LEADING, Ordering::Release);
            waker
        }
    }

    /// Unlinks a node that queues behind a leader. Gives its waker, and the leader if nobody else
    /// is left behind that.
    ///
    /// # Safety
    /// The lock is held, the caller owns the node, and its state is `QUEUED`.
    pub(crate) unsafe fn leave(&self) -> (Waker, Option<NonNull<Self>>) {
        // SAFETY: Validity: queued, thus linked, and not alone (N6). Aliasing: the lock is held.
        let (waker, next) = unsafe { (self.copy_waker(), Link::remove(self.link())) };
        self.finish();
        // SAFETY: Validity: a neighbour is a live member. Aliasing: the lock is held.
        let alone = ptr::eq(unsafe { Link::ends(next) }.next, next);
        let leader = NonNull::new(next.cast_mut()).filter(|_| alone);
        (waker, leader.map(NonNull::cast))
    }
}

/// Leaders that can be found, newest first: one bucket of a table.
pub struct Chain<G, D, M> {
    head: *const Node<G, Post<D, M>>,
}

// SAFETY: Validity: followed under the lock only, wherever that was moved to. Aliasing: nodes are
// shared with their owners: see `Sync` of `Node`.
unsafe impl<G: Send, D: Sync, M: Send> Send for Chain<G, D, M> {}

impl<G, D, M: Copy> Chain<G, D, M> {
    pub(crate) const fn new() -> Self {
        Self { head: ptr::null() }
    }

    /// # Safety
    /// The lock of this chain is held (here and below), and `node` is `LEADING`, in no chain.
    pub(crate) unsafe fn add(&mut self, node: &Node<G, Post<D, M>>) {
        let next = self.head.cast();
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held (K2).
        node.extra().next.with_mut(|place| unsafe { *place = next });
        self.head = node;
    }

    /// The first leader that is `wanted`. Nothing has changed if that panics.
    ///
    /// # Safety
    /// The lock is held.
    pub(crate) unsafe fn find(
        &self,
        mut wanted: impl FnMut(&Post<D, M>) -> bool,
    ) -> Option<NonNull<Node<G, Post<D, M>>>> {
        let mut at = NonNull::new(self.head.cast_mut());
        while let Some(found) = at {
            // SAFETY: Validity: a member is live (K1, N4). Aliasing: shared; the lock is held.
            let post = unsafe { found.as_ref() }.extra();
            if wanted(post) {
                break;
            }
            at = Self::next(post);
        }
        at
    }

    /// Takes a leader out; false if it was not in this chain. O(chain).
    ///
    /// # Safety
    /// The lock is held.
    pub(crate) unsafe fn remove(&mut self, node: &Node<G, Post<D, M>>) -> bool {
        let after = Self::next(node.extra()).map_or(ptr::null(), |next| next.as_ptr().cast_const());
        if ptr::eq(self.head, node) {
            self.head = after;
            return true;
        }
        // SAFETY: Validity and Aliasing: by contract.
        let before = unsafe {
            self.find(|post| Self::next(post).is_some_and(|next| ptr::eq(next.as_ptr(), node)))
        };
        let Some(before) = before else { return false };
        // SAFETY: Validity: a member is live. Aliasing: shared; the lock is held (K2).
        unsafe { before.as_ref() }
            .extra()
            .next
            // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held (K2).
            .with_mut(|place| unsafe { *place = after.cast() });
        true
    }

    fn next(post: &Post<D, M>) -> Option<NonNull<Node<G, Post<D, M>>>> {
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held (K2), as for every
        // method of a chain.
        let next = post.next.with(|next| unsafe { *next });
        NonNull::new(next.cast_mut()).map(NonNull::cast)
    }
}
