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
//! - **K2** `next` and the mark of a node are touched under the lock only, once others may know it.
//! - **K3** Others come to know a node by the bucket's head, under the lock, and mark the head `SEEN`
//!   before they follow it. So a leader that takes an unmarked head back was alone all the time, and
//!   what it has left with its node is its own: with nobody else about, leading and ending are one
//!   swap each.
//! - **K4** A leader that is succeeded is replaced in the head by one store: a newcomer never finds
//!   the chain empty in between.

use core::{
    marker::PhantomData,
    ptr::{self, NonNull},
    task::Waker,
};

use super::list::{End, IDLE, LEADING, Link, Node, QUEUED, STALLED};
use crate::sync::{Cell, Lock, Locked, Ordering, Protected, Word};

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
        #[inline(always)]
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
    /// The lock is held (K2).
    unsafe fn next<G>(&self) -> Option<NonNull<Node<G, Self>>> {
        // SAFETY: Validity: initialised in `new`. Aliasing: by contract.
        let next = self.next.with(|next| unsafe { *next });
        NonNull::new(next.cast_mut()).map(NonNull::cast)
    }

    /// # Safety
    /// The lock is held (K2).
    unsafe fn set_next<G>(&self, next: Option<NonNull<Node<G, Self>>>) {
        let next = next.map_or(ptr::null(), |next| next.as_ptr().cast_const().cast());
        // SAFETY: Validity: initialised in `new`. Aliasing: by contract.
        self.next.with_mut(|place| unsafe { *place = next });
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
    /// used again, and holds the lock, or is the only one to know the node.
    unsafe fn lead(&self) {
        // SAFETY: Validity: in no ring. Aliasing: by contract.
        unsafe { Link::insert(self.link(), ptr::null()) };
        // Relaxed: whoever acts on it from elsewhere holds the lock.
        self.set_state(LEADING, Ordering::Relaxed);
    }

    /// It was made a leader that nobody came to know.
    fn never_led(&self) {
        // Relaxed: only the owner has seen it. (Alone in its ring, it is in none.)
        self.set_state(IDLE, Ordering::Relaxed);
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
            // Release: pairs with the owner's Acquire load of the state, who may make its work before
            // it takes the lock; the last touch (N3).
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
    /// The node is armed, and will not be armed again; it is `LEADING` and the lock is held, or it took
    /// its head back unmarked (K3).
    pub(crate) unsafe fn disarm(&self) -> Waker {
        // SAFETY: Validity: full, being armed. Aliasing: the lock is held, or nobody knows the node.
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

    /// This leader, which has left no waker, is in no ring any more, and `heir` leads. (Its wake-up is
    /// under way; the poll that brings queues it again, as one whose grant was revoked.) Gives the
    /// heir's waker.
    ///
    /// # Safety
    /// As [`Node::demote`], but for the arming.
    pub(crate) unsafe fn depose(&self, heir: NonNull<Self>) -> Waker {
        // SAFETY: Validity: both are linked. Aliasing: the lock is held.
        unsafe {
            Link::remove(self.link());
            let heir = heir.as_ref();
            let waker = heir.copy_waker();
            // Release, both: pair with their owners' Acquire loads; the last touch of each (N3).
            heir.set_state(LEADING, Ordering::Release);
            self.set_state(STALLED, Ordering::Release);
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

/// Leaders that can be found, newest first, and the lock of everything about them: one bucket of a
/// table.
///
/// | `head` | means |
/// |---|---|
/// | 0 | nobody leads |
/// | a node | one leads, alone and unseen: its link, `next` and mark are as it made them |
/// | a node, `SEEN` | the chain; whoever has the lock is the only one to write |
pub struct Bucket<L, G, D, M> {
    head: Word,
    lock: Protected<L, Anchor<G, D, M>>,
}

/// What the lock of a bucket protects: its chain. (The head itself is a word beside it.)
pub struct Anchor<G, D, M>(PhantomData<*const Node<G, Post<D, M>>>);

// SAFETY: Validity: leads to nodes, which are followed under the lock only, wherever that was moved
// to. Aliasing: nodes are shared with their owners: see `Sync` of `Node`.
unsafe impl<G: Send, D: Sync, M: Send> Send for Anchor<G, D, M> {}

/// Somebody but the leader may know its node.
const SEEN: usize = 1;

type Leader<G, D, M> = NonNull<Node<G, Post<D, M>>>;

fn address<T>(node: *const T) -> usize {
    node.expose_provenance()
}

impl<L: Lock, G, D, M: Copy> Bucket<L, G, D, M> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self {
                head: Word::new(0),
                lock: Protected::new(Anchor(PhantomData)),
            }
        }
    }

    pub(crate) fn lock(&self) -> &Protected<L, Anchor<G, D, M>> {
        &self.lock
    }

    #[inline]
    pub(crate) fn with<R>(&self, section: impl FnOnce(&mut Locked<Anchor<G, D, M>>) -> R) -> R {
        self.lock.with(section)
    }

    /// Makes a node that nobody knows the only leader, without the lock, if nobody leads.
    ///
    /// # Safety
    /// The caller owns the node, which is pinned, was never linked, has its first mark, and is
    /// unlinked before its memory is used again.
    #[inline]
    pub(crate) unsafe fn lead_now(&self, node: &Node<G, Post<D, M>>) -> bool {
        // Relaxed: a look, so that finding a leader costs no read-modify-write.
        if self.head.load(Ordering::Relaxed) != 0 {
            return false;
        }
        // SAFETY: Validity: in no ring. Aliasing: nobody knows the node until the swap below.
        unsafe { node.lead() };
        // Acquire: pairs with the end of the run before. Release: pairs with the Acquire of whoever
        // sees the node (in `first`), which then finds it initialised.
        let swap = self.head.swap_free(
            &self.lock,
            0,
            address(node),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if swap.is_err() {
            node.never_led();
        }
        swap.is_ok()
    }

    /// Ends the lead of a node that nobody has seen, without the lock. False if it was seen.
    #[inline]
    pub(crate) fn leave_now(&self, node: &Node<G, Post<D, M>>) -> bool {
        // Release: pairs with the Acquire of the next who leads. (Weak: a swap that fails for nothing
        // costs the lock.)
        let swap = self.head.swap_free(
            &self.lock,
            address(node),
            0,
            Ordering::Release,
            Ordering::Relaxed,
        );
        if swap.is_ok() {
            node.finish();
        }
        swap.is_ok()
    }

    /// The first of the chain. From here on its leader needs the lock to end.
    fn first(&self, held: &mut Locked<Anchor<G, D, M>>) -> Option<Leader<G, D, M>> {
        // Relaxed: what is `SEEN` was marked under this lock, which orders it; what is not is marked
        // below before it is followed.
        let mut head = self.head.load(Ordering::Relaxed);
        while head != 0 && head & SEEN == 0 {
            // Acquire: pairs with the Release in `lead_now`, so that the node is as that left it.
            match self.head.swap_locked(
                held,
                head,
                head | SEEN,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(()) => head |= SEEN,
                Err(now) => head = now,
            }
        }
        NonNull::new(core::ptr::with_exposed_provenance_mut(head & !SEEN))
    }

    /// The first leader that is `wanted`. Nothing has changed if that panics.
    pub(crate) fn find<'h>(
        &self,
        held: &'h mut Locked<Anchor<G, D, M>>,
        mut wanted: impl FnMut(&Post<D, M>) -> bool,
    ) -> Option<&'h Node<G, Post<D, M>>> {
        let mut at = self.first(held);
        while let Some(found) = at {
            // SAFETY: Validity: a member is live while the lock is held (K1, N4), and `held` says
            // for how long it is. Aliasing: shared.
            let node = unsafe { found.as_ref() };
            if wanted(node.extra()) {
                return Some(node);
            }
            // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held (K2).
            at = unsafe { node.extra().next() };
        }
        None
    }

    /// Makes a node a leader that can be found, where [`Bucket::find`] has just found none that was
    /// wanted. False if somebody came to lead since.
    ///
    /// # Safety
    /// As [`Node::lead`].
    pub(crate) unsafe fn add(
        &self,
        held: &mut Locked<Anchor<G, D, M>>,
        node: &Node<G, Post<D, M>>,
    ) -> bool {
        // Relaxed: as in `first`. But a leader that nobody has seen came without the lock since the
        // caller looked: it may be what the caller looked for, so it is not passed over.
        let seen = self.head.load(Ordering::Relaxed);
        let chained = seen & SEEN != 0;
        let first = NonNull::new(core::ptr::with_exposed_provenance_mut(seen & !SEEN));
        // SAFETY: Validity and Aliasing: by contract; the lock is held (K2).
        unsafe {
            node.lead();
            node.extra().set_next::<G>(first.filter(|_| chained));
        }
        let head = address(node) | SEEN;
        if chained {
            // Relaxed: who finds the node holds the lock, as `SEEN` says. A store: it was set.
            self.head.store_locked(held, head, Ordering::Relaxed);
            return true;
        }
        // Acquire: as in `lead_now`, which may be quicker. No Release: as above.
        let swap = self
            .head
            .swap_locked(held, 0, head, Ordering::Acquire, Ordering::Relaxed);
        if swap.is_err() {
            node.never_led();
        }
        swap.is_ok()
    }

    /// Puts `next` (or what follows, if `None`) in the place of a leader; false if it was not in this
    /// chain. O(chain).
    ///
    /// # Safety
    /// `node` leads; `next` is about to, and is in no chain.
    pub(crate) unsafe fn replace(
        &self,
        held: &mut Locked<Anchor<G, D, M>>,
        node: &Node<G, Post<D, M>>,
        next: Option<&Node<G, Post<D, M>>>,
    ) -> bool {
        // SAFETY: Validity: initialised in `new`. Aliasing: the lock is held (K2).
        let after = unsafe { node.extra().next() };
        let place = match next {
            Some(next) => {
                // SAFETY: as above.
                unsafe { next.extra().set_next(after) };
                Some(NonNull::from(next))
            }
            None => after,
        };
        let Some(first) = self.first(held) else {
            return false;
        };
        if ptr::eq(first.as_ptr(), node) {
            let head = place.map_or(0, |place| address(place.as_ptr()) | SEEN);
            // Release: pairs with the Acquire of the next who leads (in `lead_now`). A store: `SEEN`
            // is set.
            self.head.store_locked(held, head, Ordering::Release);
            return true;
        }
        // SAFETY: Validity and Aliasing: the lock is held (K2).
        let before = self.find(
            held,
            |post| unsafe { post.next() } == Some(NonNull::from(node)),
        );
        let Some(before) = before else { return false };
        // SAFETY: as above.
        unsafe { before.extra().set_next(place) };
        true
    }
}
