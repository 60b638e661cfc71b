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
    NoAnswer,
    policy::{Orphans, Stamp},
    table::{
        ARMED, At, BY_PANIC, Bunch, Caller, DOOMED, FOLLOWED, FORGOTTEN, INHERITED, Key, Landing,
        Leaders, Mark, Moment, Seat, Table,
    },
};
use crate::{
    Outcome,
    sync::{Lock, Locked},
    wait::{BATCH, Batch, Cohort, Drain, Found, Protocol, Supply, UserCode},
};

/// The leader at `key`.
pub(super) fn find<'h, T: Table>(
    at: At<'_, T>,
    held: &'h mut Locked<Leaders<T>>,
    mut is: impl FnMut(&T::Key) -> bool,
) -> Option<&'h Caller<T>> {
    at.bucket().find(held, |post| is(&post.data().key))
}

/// A caller comes, and leads a new flight if nobody leads in its bucket; without the lock.
#[inline]
pub(super) fn lead_now<T: Table>(at: At<'_, T>, node: &Caller<T>) -> bool {
    // SAFETY: Validity: a wait's own node, pinned, unlinked at its drop; with its first mark, having
    // never been linked. Aliasing: its owner's.
    !at.table().is_bounded() && unsafe { at.bucket().lead_now(node) }
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
        if !at.table().admits() {
            return Found::Grant(Landing::Failed(NoAnswer::Full));
        }
        // SAFETY: Validity: a wait's own node, pinned and unlinked at its drop. Aliasing: the lock
        // is held.
        let leads = unsafe {
            node.extra().set_mark(Mark::new(0));
            at.bucket().add(held, node)
        };
        if leads {
            return Found::Lead;
        }
        // Somebody was quicker, without the lock; perhaps for this key.
        at.table().vacated();
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
            let found = at.bucket().replace(held, node, next);
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
    at.bucket().with(|held| {
        let Some(leader) = find(at, held, is).map(NonNull::from) else {
            return false;
        };
        // SAFETY: Validity: live while the lock is held. Aliasing: shared, the lock is held.
        if !wanted(unsafe { leader.as_ref().extra().mark() }.begun()) {
            return false;
        }
        hide(at, held, leader, 0);
        true
    })
}

/// When the flight at a key was begun, if there is one.
pub(super) fn begun<T: Table>(at: At<'_, T>, is: impl FnMut(&T::Key) -> bool) -> Option<Moment<T>> {
    // SAFETY: Validity and Aliasing: the lock is held.
    at.bucket()
        .with(|held| find(at, held, is).map(|node| unsafe { node.extra().mark() }.begun()))
}

/// How many have joined the flight at a key, if there is one.
pub(super) fn joined<T: Table>(at: At<'_, T>, is: impl FnMut(&T::Key) -> bool) -> Option<u32> {
    // SAFETY: Validity and Aliasing: the lock is held.
    at.bucket()
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
    let started = at.table().stamp().moment();
    at.bucket().with(|_| {
        // SAFETY: Validity and Aliasing: the lock is held.
        unsafe {
            let mark = node.extra().mark();
            if T::Stamp::TIMED {
                node.extra().set_mark(mark.since(started));
            }
            mark.inherited()
        }
    })
}

/// Ends a run that nobody has joined or seen, without the lock. False if somebody has.
#[inline]
fn leave_now<T: Table>(at: At<'_, T>, node: &Caller<T>) -> bool {
    if !at.bucket().leave_now(node) {
        return false;
    }
    at.table().vacated();
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
    let (joined, followed, armed) = at.bucket().with(|held| {
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
    at.table().vacated();
    let mut user = UserCode::new();
    if followed {
        let mut drain = Drain::<_, _, Cohort<'_, Seat<T>, _>>::with_supply(
            at.bucket().lock(),
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
    let started = at.table().stamp().moment();
    let (heir, armed) = at.bucket().with(|held| {
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
        None => at.table().vacated(),
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
        heir.as_ref()
            .extra()
            .set_mark(mark.with(flags).since(started));
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
        next.extra().set_mark(mark.passed_on());
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
    at.bucket().with(|held| {
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
    let goes_on = at.bucket().with(|_| {
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
