//! The transitions of flights: leading, joining, landing, losing the leader, forgetting.
//!
//! A flight is a ring of callers, headed by its leader's own node (see `wait::leader`); a bucket is
//! the chain of the leaders that can be found. There is no other state: where nobody calls, a
//! bucket is a null pointer.
//!
//! | a flight is | its leader's node | found by newcomers |
//! |---|---|---|
//! | running | `LEADING`, in the chain | yes |
//! | forgotten (or superseded, or doomed) | `LEADING`, not in the chain | no |
//! | landing | `FINISHED`, still the head of those being served | no |
//!
//! Invariants:
//! - **F1** A leader takes out *its own* node, never "whatever is at this key".
//! - **F2** Out of the chain and told what comes is one step for every follower: whoever joined is in
//!   the ring that is drained; whoever comes later finds nothing and leads.
//! - **F3** A lost leader's successor is found at the same key in the same lock hold; nobody else of
//!   the ring is touched or woken.
//! - **F4** Values are cloned, and spare ones dropped, outside the lock; under it they are moved.

use core::{ptr::NonNull, task::Waker};

use super::{
    Answer, NoAnswer, Part,
    context::Polled,
    policy::{Orphans, Stamp},
};
use crate::{
    Outcome,
    sync::{Lock, Locked},
    wait::{
        self, Anchor, BATCH, Batch, Cohort, Drain, Found, Node, Post, Protocol, Supply, UserCode,
    },
};

/// What flights are kept in: a `Flight`, a `Group`, a `Relay`. Sealed.
pub trait Table: Sized + sealed::Sealed {
    /// What tells flights apart.
    type Key: Key;
    /// What they come to.
    type Value;
    /// What becomes of the followers of a lost leader.
    type Orphans: Orphans;
    /// The lock of a bucket.
    type Lock: Lock;
    /// What tells a flight's age.
    type Stamp: Stamp;

    /// Where a key's bucket is.
    #[doc(hidden)]
    type Place: Copy;

    #[doc(hidden)]
    fn bucket(&self, place: Self::Place) -> &Bucket<Self>;
    #[doc(hidden)]
    fn stamp(&self) -> &Self::Stamp;
    /// A leader is dropped. False if it does not lead any more.
    #[doc(hidden)]
    fn resign(at: At<'_, Self>, node: &Caller<Self>) -> bool {
        lose(at, node, false);
        true
    }
    /// Whether a leader may leave a waker while nobody else is about.
    #[doc(hidden)]
    const ARMS_ALONE: bool = false;
    /// Whether there may be too many flights, so that [`Table::admits`] must be asked.
    #[doc(hidden)]
    fn is_bounded(&self) -> bool {
        false
    }
    /// Somebody would lead a new flight: counts it, unless there are too many. Asked under the
    /// bucket's lock.
    #[doc(hidden)]
    fn admits(&self) -> bool {
        true
    }
    /// A leader is gone, and nobody leads in its place.
    #[doc(hidden)]
    fn vacated(&self) {}
    /// Whether callers for `key` do not wait for one another, for now.
    #[doc(hidden)]
    fn goes_alone(&self, _key: &Self::Key) -> bool {
        false
    }
    /// A result for `key` was not to be shared.
    #[doc(hidden)]
    fn went_alone(&self, _key: &Self::Key) {}
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// What tells flights of a bucket apart.
pub trait Key {
    #[doc(hidden)]
    fn is(&self, other: &Self) -> bool;
}

impl Key for () {
    #[inline(always)]
    fn is(&self, (): &()) -> bool {
        true
    }
}

/// A bucket of a table.
pub(crate) type Bucket<T> =
    Bunch<<T as Table>::Lock, <T as Table>::Key, <T as Table>::Value, <T as Table>::Stamp>;

/// A bucket of flights for `K` that come to `V`.
pub(super) type Bunch<L, K, V, S> =
    wait::Bucket<L, Landing<V>, Entry<K>, Mark<<S as Stamp>::Moment>>;

/// What a bucket's lock protects.
pub(super) type Leaders<T> =
    Anchor<Landing<<T as Table>::Value>, Entry<<T as Table>::Key>, Mark<Moment<T>>>;

/// What lies in a caller's node.
pub(super) type Seat<T> = Post<Entry<<T as Table>::Key>, Mark<Moment<T>>>;

/// A caller's node.
pub(super) type Caller<T> = Node<Landing<<T as Table>::Value>, Seat<T>>;

type Moment<T> = <<T as Table>::Stamp as Stamp>::Moment;

/// What everybody may read in a caller's node.
pub struct Entry<K> {
    pub(super) key: K,
    pub(super) polled: Polled,
}

/// What a leader's node says under the lock.
#[derive(Clone, Copy)]
pub struct Mark<M> {
    /// Flags in the low byte; above it, how many have joined.
    bits: u32,
    /// When the run began, where there is a clock.
    started: M,
}

/// Not in the chain (any more).
const FORGOTTEN: u32 = 1;
/// It succeeded another leader, that was lost …
const INHERITED: u32 = 2;
/// … by a panic.
const BY_PANIC: u32 = 4;
/// It is to end when the last follower leaves …
const FOLLOWED: u32 = 8;
/// … which has happened.
const DOOMED: u32 = 16;
/// Its waker cell is full: it can be woken.
pub(super) const ARMED: u32 = 32;
/// It is inside a poll, and must not be replaced.
pub(super) const BUSY: u32 = 64;
const ONE: u32 = 1 << 8;

impl<M: Copy + Default> Mark<M> {
    fn new(flags: u32) -> Self {
        Self {
            bits: flags,
            started: M::default(),
        }
    }

    pub(super) fn has(self, flag: u32) -> bool {
        self.bits & flag != 0
    }

    pub(super) fn with(self, flag: u32) -> Self {
        Self {
            bits: self.bits | flag,
            ..self
        }
    }

    pub(super) fn without(self, flag: u32) -> Self {
        Self {
            bits: self.bits & !flag,
            ..self
        }
    }

    /// Counts one more, up to 2^24.
    fn one_more(self) -> Self {
        let bits = self.bits.checked_add(ONE).unwrap_or(self.bits);
        Self { bits, ..self }
    }

    pub(super) fn begun(self) -> M {
        self.started
    }

    fn joined(self) -> u32 {
        self.bits / ONE
    }

    pub(super) fn inherited(self) -> Option<Outcome> {
        self.has(INHERITED).then_some(Outcome::Abandoned {
            by_panic: self.has(BY_PANIC),
        })
    }
}

/// What a follower is granted.
pub enum Landing<T> {
    /// The result.
    Landed {
        /// A clone of it.
        value: T,
        /// How many had joined.
        joined: u32,
    },
    /// No result, and none to wait for.
    Failed(NoAnswer),
    /// Run alone.
    Alone,
}

impl<T> Landing<T> {
    pub(super) fn into_answer(self) -> Result<Answer<T>, NoAnswer> {
        match self {
            Self::Landed { value, joined } => Ok(Answer {
                value,
                part: Part::Joined,
                joined,
            }),
            Self::Failed(why) => Err(why),
            // (Told by a flight's verdict only, and taken before.)
            Self::Alone => Err(NoAnswer::Abandoned { by_panic: false }),
        }
    }
}

/// A node for a caller who asks for `key`.
#[inline(always)]
pub(super) fn seat<T: Table>(key: T::Key) -> Seat<T> {
    Post::new(
        Entry {
            key,
            polled: Polled::new(),
        },
        Mark::new(0),
    )
}

/// Where a caller's flight is, or would be.
pub struct At<'t, T: Table> {
    table: &'t T,
    bucket: &'t Bucket<T>,
}

impl<'t, T: Table> At<'t, T> {
    pub(super) fn new(table: &'t T, place: T::Place) -> Self {
        Self {
            table,
            bucket: table.bucket(place),
        }
    }

    pub(super) fn table(self) -> &'t T {
        self.table
    }

    pub(super) fn bucket(self) -> &'t Bucket<T> {
        self.bucket
    }
}

impl<T: Table> Clone for At<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Table> Copy for At<'_, T> {}

/// The leader at `key`.
pub(super) fn find<'h, T: Table>(
    at: At<'_, T>,
    held: &'h mut Locked<Leaders<T>>,
    mut is: impl FnMut(&T::Key) -> bool,
) -> Option<&'h Caller<T>> {
    at.bucket.find(held, |post| is(&post.data().key))
}

/// A caller comes, and leads a new flight if nobody leads in its bucket; without the lock.
#[inline]
pub(super) fn lead_now<T: Table>(at: At<'_, T>, node: &Caller<T>) -> bool {
    // SAFETY: Validity: a wait's own node, pinned, unlinked at its drop; with its first mark, having
    // never been linked. Aliasing: its owner's.
    !at.table.is_bounded() && unsafe { at.bucket.lead_now(node) }
}

/// A caller comes: it joins the flight at its key, or leads a new one.
pub(super) fn enlist<'h, T, P>(
    at: At<'_, T>,
    held: &'h mut Locked<Leaders<T>>,
    node: &Caller<T>,
    waker: &Waker,
) -> Found<'h, P>
where
    T: Table,
    P: Protocol<Grant = Landing<T::Value>, Extra = Seat<T>>,
{
    let key = &node.extra().data().key;
    let leader = loop {
        if let Some(leader) = find(at, held, |other| key.is(other)) {
            break leader;
        }
        if !at.table.admits() {
            return Found::Grant(Landing::Failed(NoAnswer::Full));
        }
        // SAFETY: Validity: a wait's own node, pinned and unlinked at its drop. Aliasing: the lock
        // is held.
        let leads = unsafe {
            node.extra().set_mark(Mark::new(0));
            at.bucket.add(held, node)
        };
        if leads {
            return Found::Lead;
        }
        // Somebody was quicker, without the lock; perhaps for this key.
        at.table.vacated();
    };
    let post = leader.extra();
    if post.data().polled.is_here(waker) {
        return Found::Grant(Landing::Failed(NoAnswer::Recursive));
    }
    let leader = NonNull::from(leader);
    // SAFETY: Validity: live while the lock is held. Aliasing: shared; the lock is held.
    unsafe {
        let post = leader.as_ref().extra();
        let mark = post.mark();
        post.set_mark(mark.one_more());
    }
    Found::Leader(leader)
}

/// Takes a leader's node out of its chain, if it is there; `next` takes its place.
fn unlist<T: Table>(
    at: At<'_, T>,
    held: &mut Locked<Leaders<T>>,
    node: &Caller<T>,
    next: Option<&Caller<T>>,
) {
    // SAFETY: Validity: a leader; the lock is held. Aliasing: as everything under it.
    unsafe {
        if !node.extra().mark().has(FORGOTTEN) {
            // F1: it is this node or nothing.
            let found = at.bucket.replace(held, node, next);
            debug_assert!(found, "a leader that can be found is in its bucket's chain");
        }
    }
}

/// Makes a flight impossible to find; it goes on for those who joined.
fn hide<T: Table>(
    at: At<'_, T>,
    held: &mut Locked<Leaders<T>>,
    leader: NonNull<Caller<T>>,
    flag: u32,
) {
    // SAFETY: Validity: a leader is live while the lock is held. Aliasing: shared.
    let node = unsafe { leader.as_ref() };
    // SAFETY: Validity and Aliasing: the lock is held.
    unsafe {
        let mark = node.extra().mark();
        unlist(at, held, node, None);
        node.extra().set_mark(mark.with(FORGOTTEN | flag));
    }
}

/// Forgets the flight at a key, if it is `wanted` (asked under the lock). True if there was one.
pub(super) fn forget<T: Table>(
    at: At<'_, T>,
    is: impl FnMut(&T::Key) -> bool,
    wanted: impl FnOnce(Moment<T>) -> bool,
) -> bool {
    at.bucket.with(|held| {
        let Some(leader) = find(at, held, is).map(NonNull::from) else {
            return false;
        };
        // SAFETY: Validity: live while the lock is held. Aliasing: shared, the lock is held.
        if !wanted(unsafe { leader.as_ref().extra().mark() }.started) {
            return false;
        }
        hide(at, held, leader, 0);
        true
    })
}

/// When the flight at a key was begun, if there is one.
pub(super) fn begun<T: Table>(at: At<'_, T>, is: impl FnMut(&T::Key) -> bool) -> Option<Moment<T>> {
    // SAFETY: Validity and Aliasing: the lock is held.
    at.bucket
        .with(|held| find(at, held, is).map(|node| unsafe { node.extra().mark() }.started))
}

/// How many have joined the flight at a key, if there is one.
pub(super) fn joined<T: Table>(at: At<'_, T>, is: impl FnMut(&T::Key) -> bool) -> Option<u32> {
    // SAFETY: Validity and Aliasing: the lock is held.
    at.bucket
        .with(|held| find(at, held, is).map(|node| unsafe { node.extra().mark() }.joined()))
}

/// Looks at the key of every leader of a bucket.
pub(super) fn look<L: Lock, K, V, S: Stamp>(bucket: &Bunch<L, K, V, S>, mut look: impl FnMut(&K)) {
    bucket.with(|held| {
        bucket.find(held, |post| {
            look(&post.data().key);
            false
        });
    });
}

/// A leader begins its run. Gives how it came to lead.
pub(super) fn begin<T: Table>(at: At<'_, T>, node: &Caller<T>) -> Option<Outcome> {
    let started = at.table.stamp().moment();
    at.bucket.with(|_| {
        // SAFETY: Validity and Aliasing: the lock is held.
        unsafe {
            let mark = node.extra().mark();
            if T::Stamp::TIMED {
                node.extra().set_mark(Mark { started, ..mark });
            }
            mark.inherited()
        }
    })
}

/// Ends a run that nobody has joined or seen, without the lock. False if somebody has.
#[inline]
fn leave_now<T: Table>(at: At<'_, T>, node: &Caller<T>) -> bool {
    if !at.bucket.leave_now(node) {
        return false;
    }
    at.table.vacated();
    if T::ARMS_ALONE {
        // SAFETY: Validity: armed, its waker cell is full. Aliasing: nobody knows the node (K3).
        let armed = unsafe { node.extra().mark().has(ARMED).then(|| node.disarm()) };
        let mut user = UserCode::new();
        user.call(|| drop(armed));
        user.rethrow();
    }
    true
}

/// Ends a run: out of the chain, and those who joined are granted what `supply` gives. Gives how many
/// had joined.
#[inline]
fn depart<T: Table, S: Supply<Grant = Landing<T::Value>>>(
    at: At<'_, T>,
    node: &Caller<T>,
    supply: impl FnOnce(u32) -> S,
) -> u32 {
    if leave_now(at, node) {
        return 0;
    }
    depart_seen(at, node, supply)
}

/// Somebody joined, or has seen the leader, or the swap failed for nothing.
#[cold]
fn depart_seen<T: Table, S: Supply<Grant = Landing<T::Value>>>(
    at: At<'_, T>,
    node: &Caller<T>,
    supply: impl FnOnce(u32) -> S,
) -> u32 {
    let (joined, followed, armed) = at.bucket.with(|held| {
        // SAFETY: Validity and Aliasing: the lock is held.
        let mark = unsafe { node.extra().mark() };
        unlist(at, held, node, None);
        // SAFETY: Validity: a leader, not found any more. Aliasing: the lock is held.
        unsafe {
            node.extra().set_mark(Mark::new(FORGOTTEN));
            let armed = mark.has(ARMED).then(|| node.disarm());
            let followed = node.heir().is_some();
            // (Those behind it still hold on to its link, which stays until they are served.)
            node.finish();
            (mark.joined(), followed, armed)
        }
    });
    // Before any user code is called, which may panic.
    at.table.vacated();
    let mut user = UserCode::new();
    if followed {
        let mut drain = Drain::<_, _, Cohort<'_, Seat<T>, _>>::with_supply(
            at.bucket.lock(),
            node.sentinel(),
            supply(joined),
        );
        // SAFETY: Validity: the node led, is not found, and stays pinned in its future, whose drop
        // cannot come before this returns. Aliasing: nobody else drains it.
        unsafe { drain.behind_leader() };
        user.call(|| drain.run());
    }
    user.call(|| drop(armed));
    user.rethrow();
    joined
}

/// The result is there: everybody who joined gets a clone of it.
#[inline]
pub(super) fn land<T: Table>(at: At<'_, T>, node: &Caller<T>, value: &T::Value) -> u32
where
    T::Value: Clone,
{
    depart(at, node, |joined| Clones {
        value,
        ready: Batch::new(),
        wanted: joined,
        joined,
        failed: false,
    })
}

/// Everybody who joined is told the same.
pub(super) fn tell_all<T: Table>(
    at: At<'_, T>,
    node: &Caller<T>,
    landing: impl Fn() -> Landing<T::Value>,
) -> u32 {
    depart(at, node, |_| Made(landing))
}

/// The leader is lost.
pub(super) fn lose<T: Table>(at: At<'_, T>, node: &Caller<T>, by_panic: bool) {
    if T::Orphans::FAIL {
        tell_all(at, node, || {
            Landing::Failed(NoAnswer::Abandoned { by_panic })
        });
    } else {
        hand_on(at, node, by_panic);
    }
}

/// The next in the queue leads.
pub(super) fn hand_on<T: Table>(at: At<'_, T>, node: &Caller<T>, by_panic: bool) {
    if leave_now(at, node) {
        return;
    }
    // Its age until it begins: an heir that is never polled grows old too.
    let started = at.table.stamp().moment();
    let (heir, armed) = at.bucket.with(|held| {
        // SAFETY: Validity: a leader, and the heir behind it; armed, its waker cell is full.
        // Aliasing: the lock is held.
        unsafe {
            let mark = node.extra().mark();
            let armed = mark.has(ARMED).then(|| node.disarm());
            if let Some(heir) = node.heir() {
                let waker = hand_on_locked(at, held, node, heir, by_panic, started);
                return (Some(waker), armed);
            }
            unlist(at, held, node, None);
            node.dissolve();
            (None, armed)
        }
    });
    // (Its thread may be unwinding, as for every waker.)
    let mut user = UserCode::new();
    match heir {
        Some(waker) => {
            user.call(|| waker.wake());
        }
        None => at.table.vacated(),
    }
    user.call(|| drop(armed));
    user.rethrow();
}

/// The heir leads, found where its leader was (F3).
///
/// # Safety
/// `node` leads, and `heir` is the first behind it.
pub(super) unsafe fn hand_on_locked<T: Table>(
    at: At<'_, T>,
    held: &mut Locked<Leaders<T>>,
    node: &Caller<T>,
    heir: NonNull<Caller<T>>,
    by_panic: bool,
    started: Moment<T>,
) -> Waker {
    let flags = INHERITED | if by_panic { BY_PANIC } else { 0 };
    // SAFETY: Validity: live while the lock is held, being queued. Aliasing: shared; the lock is held.
    unsafe {
        relist(at, held, node, heir.as_ref());
        let mark = heir.as_ref().extra().mark();
        heir.as_ref().extra().set_mark(Mark {
            started,
            ..mark.with(flags)
        });
        node.finish();
        node.succeed(heir)
    }
}

/// `next` is found where `node` was, or is as forgotten; it counts those who joined, but itself.
pub(super) fn relist<T: Table>(
    at: At<'_, T>,
    held: &mut Locked<Leaders<T>>,
    node: &Caller<T>,
    next: &Caller<T>,
) {
    // SAFETY: Validity: `next` is about to lead. Aliasing: the lock is held.
    unsafe {
        let mark = node.extra().mark();
        next.extra().set_mark(Mark {
            bits: (mark.joined().saturating_sub(1) * ONE) | (mark.bits & FORGOTTEN),
            started: mark.started,
        });
    }
    unlist(at, held, node, Some(next));
}

/// A caller that leads hands over to `leader`, a task that is not yet spawned, and queues as the
/// first behind it.
#[cfg(feature = "alloc")]
pub(super) fn hand_over<T: Table>(
    at: At<'_, T>,
    node: &Caller<T>,
    leader: &Caller<T>,
    waker: Waker,
    outlive: bool,
) {
    at.bucket.with(|held| {
        relist(at, held, node, leader);
        // SAFETY: Validity: `node` leads; the other is in no ring, pinned in its box, and unlinked
        // by the drop of its wait. Aliasing: the owner of both, with the lock.
        unsafe {
            let mark = leader.extra().mark().one_more();
            let flag = if outlive { 0 } else { FOLLOWED };
            leader.extra().set_mark(mark.with(flag));
            node.replace(leader, waker);
        }
    });
}

/// A detached leader is polled: it leaves its waker, to be woken when it is doomed. False if it is.
#[cfg(feature = "alloc")]
pub(super) fn attend<T: Table>(at: At<'_, T>, node: &Caller<T>, waker: &Waker) -> bool {
    let mut spare = Some(waker.clone());
    let goes_on = at.bucket.with(|_| {
        // SAFETY: Validity: it leads. Aliasing: the owner, with the lock.
        unsafe {
            if node.extra().mark().has(DOOMED) {
                return false;
            }
            if let Some(waker) = spare.take() {
                spare = leave_waker::<T>(node, waker, |mark| mark);
            }
        }
        true
    });
    drop(spare);
    goes_on
}

/// A leader leaves a waker, in the place of the one before, which is given back; and is marked as
/// `mark` says.
///
/// # Safety
/// The lock is held; the caller owns `node`, which leads.
pub(super) unsafe fn leave_waker<T: Table>(
    node: &Caller<T>,
    waker: Waker,
    mark: impl FnOnce(Mark<Moment<T>>) -> Mark<Moment<T>>,
) -> Option<Waker> {
    // SAFETY: Validity: it leads, and is armed if its mark says so. Aliasing: the owner, with the
    // lock.
    unsafe {
        let before = node.extra().mark();
        node.extra().set_mark(mark(before).with(ARMED));
        node.arm(waker, before.has(ARMED))
    }
}

/// The last one behind `leader` has left. Gives the waker of a task that is to end by that.
pub(super) fn left_alone<T: Table>(
    at: At<'_, T>,
    held: &mut Locked<Leaders<T>>,
    leader: NonNull<Caller<T>>,
) -> Option<Waker> {
    // SAFETY: Validity: a leader is live while the lock is held; armed, its waker cell is full.
    // Aliasing: the lock is held.
    unsafe {
        let node = leader.as_ref();
        let mark = node.extra().mark();
        if !mark.has(FOLLOWED) || mark.has(DOOMED) {
            return None;
        }
        // D2.
        unlist(at, held, node, None);
        let doomed = mark.with(FORGOTTEN | DOOMED).without(ARMED);
        node.extra().set_mark(doomed);
        mark.has(ARMED).then(|| node.disarm())
    }
}

/// Clones of a result, made outside the lock, a batch at a time.
struct Clones<'v, T> {
    value: &'v T,
    ready: Batch<T>,
    wanted: u32,
    joined: u32,
    /// A clone panicked: the others are told so.
    failed: bool,
}

impl<T: Clone> Supply for Clones<'_, T> {
    type Grant = Landing<T>;

    fn is_ready(&self) -> bool {
        self.failed || !self.ready.is_empty()
    }

    fn prepare(&mut self) {
        self.failed = true;
        self.ready.clear();
        // One at least: a count that was saturated says too little.
        for _ in 0..self.wanted.clamp(1, BATCH as u32) {
            self.ready.push(self.value.clone());
        }
        self.wanted = self.wanted.saturating_sub(BATCH as u32);
        self.failed = false;
    }

    fn take(&mut self) -> Landing<T> {
        match self.ready.pop() {
            Some(value) => Landing::Landed {
                value,
                joined: self.joined,
            },
            None => Landing::Failed(NoAnswer::Abandoned { by_panic: true }),
        }
    }

    fn is_clear(&self) -> bool {
        self.ready.is_empty()
    }

    fn clear(&mut self) {
        while let Some(value) = self.ready.pop() {
            drop(value);
        }
    }
}

/// Grants that are plain data.
struct Made<F>(F);

impl<G, F: Fn() -> G> Supply for Made<F> {
    type Grant = G;

    fn is_ready(&self) -> bool {
        true
    }

    fn prepare(&mut self) {}

    fn take(&mut self) -> G {
        (self.0)()
    }
}
