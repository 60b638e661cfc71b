//! The engine: a waiter is given a grant exactly once, or it leaves; a grant that its waiter never
//! observed is passed on.
//!
//! [`Wait`] is the one waiting future of the crate. Every primitive describes what its waiters wait
//! for by a [`Target`] and has no list, no waker and no retry loop of its own.
//!
//! ```text
//!            poll: attempt, else enlist                grant (under the lock, state stored last)
//!   IDLE ───────────────────────────────▶ QUEUED ───────────────────────────────▶ GRANTED
//!    │ attempt finds it                      │ dropped, abandoned                  │   ▲  │ revoked
//!    ▼                                       ▼                     observed / dropped: │  ▼
//!   FINISHED ◀───────────────────────────────┴────────────────────── passed on ◀──┘  │ STALLED
//!                                                        enlisted again, at the front └────┘
//! ```
//!
//! Invariants (those of the ring are in its file, N1 to N5; of waking, D1 to D3; of user code, U1):
//! - **W1** The owner of a wait decides whether it finished or was cancelled, under the lock, once.
//! - **W2** A `Pending` re-poll with the same waker is one load: no lock, no clone, no write.
//! - **W3** A waker is cloned before the lock is taken and dropped after it was given back; the
//!   state is read again in between.
//! - **W4** A claim or token that a poll made exists before a spare waker is dropped or a hook is
//!   called, so that a panic there releases it.
//! - **W5** A value that a panic would lose (`Protocol::PRECIOUS`) is made after that instead;
//!   until then a panic passes its grant on.

mod batch;
mod drain;
mod leader;
mod list;
mod protocol;
mod user;

#[cfg(all(feature = "std", not(ecluse_loom)))]
pub(crate) mod block;

use core::{
    fmt,
    future::Future,
    mem::{self, ManuallyDrop},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_core::FusedFuture;

use self::list::{FINISHED, GRANTED, IDLE, LEADING, QUEUED, STALLED};
pub(crate) use self::{
    batch::{BATCH, Batch},
    drain::{Cohort, Drain, Same, Source, Supply},
    leader::{Anchor, Bucket, Post},
    list::{End, Link, LinkRing, Node, Ring},
    protocol::{Found, Protocol},
    user::UserCode,
};
use crate::sync::{Locked, Ordering};

/// What a [`Wait`] waits for. Sealed; the primitives' modules list their targets.
pub trait Target: Protocol {}

impl<T: Protocol> Target for T {}

/// A wait: a future that gives what its [`Target`] grants.
///
/// It is in no queue before its first poll, allocates nothing, and may be polled from one task
/// after another (the last one is woken). It is polled twice however many others wait.
///
/// # Cancellation
/// Dropping it is always safe and costs O(1):
/// - before the first poll: nothing had begun;
/// - queued: it leaves the queue, the others keep their places;
/// - granted but not polled since: the grant is passed on;
/// - after `Ready`: the value is the caller's, the wait is empty.
///
/// To cancel *and* learn whether the grant had arrived, use [`try_abandon`](Wait::try_abandon).
/// Forgetting it (`mem::forget` of a box) is memory-safe: it keeps its place in the queue, and a
/// grant that reaches it is lost to the others until a stall bound or a close takes it back.
///
/// # Panics
/// Polling it after `Ready` panics, with the feature `std` or in a debug build. A release build
/// without `std` has no code that panics: there it stays `Pending`.
/// [`FusedFuture::is_terminated`] tells.
///
/// It must not be moved once it was polled:
/// ```compile_fail,E0277
/// fn movable<T: Unpin>(_: T) {}
/// let slot = ecluse_core::Slot::<ecluse_core::Handoff, ecluse_core::Local>::new();
/// movable(slot.claim());
/// ```
#[must_use = "a wait does nothing unless it is awaited"]
pub struct Wait<T: Target> {
    pub(crate) target: T,
    pub(crate) node: Node<T::Grant, T::Extra>,
}

impl<T: Target<Extra = ()>> Wait<T> {
    #[inline(always)]
    pub(crate) fn new(target: T) -> Self {
        Self::with(target, ())
    }
}

impl<T: Target> Wait<T> {
    #[inline(always)]
    pub(crate) fn with(target: T, extra: T::Extra) -> Self {
        Self {
            target,
            node: Node::new(extra),
        }
    }

    /// Ends the wait and tells whether what it waited for had arrived.
    ///
    /// `Some` is what polling would have given: the grant that was already on its way, or the end
    /// of a hold that is over. `None` means that the wait has left; whatever comes next goes to
    /// another waiter. Decided under the list lock: never both, never neither. O(1).
    ///
    /// ```
    /// use core::pin::pin;
    /// let slot = ecluse_core::Slot::<ecluse_core::Handoff, ecluse_core::Local>::new();
    /// let held = slot.try_claim().unwrap();
    /// let mut wait = pin!(slot.claim());
    /// assert!(wait.as_mut().try_abandon().is_none());
    /// held.release();
    /// ```
    pub fn try_abandon(self: Pin<&mut Self>) -> Option<T::Output> {
        self.into_ref().get_ref().withdraw(true)
    }

    /// A poll that is more than a look: apart from it, so that a look is short (W2).
    #[cfg_attr(not(feature = "std"), inline(never))]
    fn advance(&self, cx: &Context<'_>) -> Poll<T::Output> {
        // Acquire: pairs with the store of the grant in `Node::grant`.
        match self.node.state(Ordering::Acquire) {
            GRANTED if !T::UNDER_LOCK => {
                // SAFETY: Validity: seen `GRANTED` with Acquire. Aliasing: we are the owner, and
                // this kind of grant is not revoked.
                let grant = unsafe { self.node.take_grant() };
                Poll::Ready(self.target.observe(grant))
            }
            LEADING if T::LEADS => self.led(),
            FINISHED => polled_again("a `Wait`"),
            _ => self.go_on(cx),
        }
    }

    /// A poll that may need the lock; apart from one that finds its grant, which is short.
    #[cfg_attr(not(feature = "std"), inline(never))]
    fn go_on(&self, cx: &Context<'_>) -> Poll<T::Output> {
        loop {
            // Acquire where `advance` may have seen a state that another than the owner changes: of
            // a grant that is revoked, of a waiter that comes to lead. (A revoked one may find the
            // slot closed, and be dropped, without another look.)
            let order = if T::UNDER_LOCK || T::LEADS {
                Ordering::Acquire
            } else {
                Ordering::Relaxed
            };
            let state = self.node.state(order);
            if T::LEADS && state == LEADING {
                return self.led();
            }
            let enlists = matches!(state, IDLE | STALLED);
            if T::LEADS && state == IDLE && self.target.lead_now(&self.node) {
                return self.led();
            }
            if enlists {
                if let Some(grant) = self.target.attempt() {
                    self.node.finish();
                    return Poll::Ready(self.target.observe(grant));
                }
            }
            if T::UNDER_LOCK && state == GRANTED {
                if let Some(poll) = self.meet(None) {
                    return poll;
                }
                continue;
            }
            let waker = cx.waker().clone();
            if enlists {
                // A waiter that lost its grant had its turn.
                let end = if state == IDLE { End::Back } else { End::Front };
                return self.enlist(cx, waker, end);
            }
            if let Some(poll) = self.meet(Some(waker)) {
                return poll;
            }
        }
    }

    #[inline(always)]
    fn enlist(&self, cx: &Context<'_>, waker: Waker, end: End) -> Poll<T::Output> {
        let mut notes = T::Notes::default();
        let mut spare = Some(waker);
        let found = self.target.guarded().with(|held| {
            // (The task's own waker: a clone of it may look different.)
            let found = self.target.enlist(held, &self.node, cx.waker(), &mut notes);
            match found {
                Found::Grant(grant) => return Some(Some(grant)),
                Found::Lead => return Some(None),
                // SAFETY: Validity: pinned (we come from `poll`), in no ring (`IDLE` or `STALLED`),
                // and dropping the wait unlinks it. Aliasing: the lock is held.
                Found::Ring(ring) => unsafe { ring.enlist(&self.node, spare.take()?, end) },
                // SAFETY: Validity and Aliasing: as above, and it was found leading under this lock.
                Found::Leader(leader) => unsafe { self.node.follow(leader, spare.take()?, end) },
            }
            None
        });
        let ready = found.and_then(|found| match found {
            Some(grant) => {
                self.node.finish();
                let (spare, notes) = (&mut spare, &mut notes);
                Some(self.observe_last(grant, spare, notes))
            }
            None => self.target.lead(),
        });
        after(&self.target, spare, notes, T::HEARD);
        ready.map_or(Poll::Pending, Poll::Ready)
    }

    /// Under the lock, takes what was granted, learns that it leads, or changes the waker of a
    /// queued node. `None`: what it had was taken back meanwhile.
    #[inline(always)]
    fn meet(&self, mut spare: Option<Waker>) -> Option<Poll<T::Output>> {
        let mut notes = T::Notes::default();
        let (mut stalled, mut leads) = (false, false);
        let grant = self.target.guarded().with(|held| {
            // Relaxed: the lock orders it. (W3: it may have changed since.)
            match self.node.state(Ordering::Relaxed) {
                GRANTED => return Some(self.take(held, Some(&mut notes))),
                LEADING if T::LEADS => leads = true,
                STALLED if T::UNDER_LOCK || T::LEADS => stalled = true,
                _ => {
                    if let Some(fresh) = spare.take() {
                        // SAFETY: Validity: queued. Aliasing: the owner, with the lock.
                        spare = Some(unsafe { self.node.replace_waker(fresh) });
                    }
                }
            }
            None
        });
        let ready = match grant {
            Some(grant) => Some(self.observe_last(grant, &mut spare, &mut notes)),
            None if leads => self.target.lead(),
            None => None,
        };
        after(&self.target, spare, notes, T::HEARD);
        match ready {
            Some(output) => Some(Poll::Ready(output)),
            None if stalled => None,
            None => Some(Poll::Pending),
        }
    }

    /// Observes a grant; if its value is precious, after what else is to be done here (W5).
    #[inline(always)]
    fn observe_last(
        &self,
        grant: T::Grant,
        spare: &mut Option<Waker>,
        notes: &mut T::Notes,
    ) -> T::Output {
        if !T::PRECIOUS {
            return self.target.observe(grant);
        }
        let kept = Unobserved(&self.target, ManuallyDrop::new(grant));
        after(&self.target, spare.take(), mem::take(notes), T::HEARD);
        kept.observe()
    }

    fn led(&self) -> Poll<T::Output> {
        self.target.lead().map_or(Poll::Pending, Poll::Ready)
    }

    /// Takes the grant that was seen under this lock; `notes` if somebody observes it.
    #[inline(always)]
    fn take(&self, held: &mut Locked<T::Held>, notes: Option<&mut T::Notes>) -> T::Grant {
        self.target.settled(held, &self.node);
        // SAFETY: Validity: granted, said so under the lock. Aliasing: the lock is held.
        let grant = unsafe { self.node.take_grant() };
        if let Some(notes) = notes {
            self.target.observed(held, &grant, notes);
        }
        grant
    }

    /// The end of a wait that has not given its value. `asked`: what had arrived is the caller's;
    /// else it is passed on.
    #[cfg_attr(not(feature = "std"), inline(never))]
    fn withdraw(&self, asked: bool) -> Option<T::Output> {
        let mut notes = T::Notes::default();
        let mut waker = None;
        let mut leads = false;
        let mut next = None;
        let grant = self.target.guarded().with(|held| {
            // Relaxed: the lock orders it, and `FINISHED` was our own store.
            match self.node.state(Ordering::Relaxed) {
                FINISHED => return None,
                GRANTED => {
                    let grant = self.take(held, asked.then_some(&mut notes));
                    if T::RETURNS && !asked {
                        next = self.target.put_back(held, grant);
                        return None;
                    }
                    return Some(grant);
                }
                LEADING if T::LEADS => {
                    leads = true;
                    return None;
                }
                QUEUED => waker = Some(self.leave(held, &mut notes)),
                _ => self.node.finish(),
            }
            if asked { self.target.over(held) } else { None }
        });
        if T::RETURNS {
            if let Some(next) = next {
                next.wake();
            }
        }
        // The resource first, a waker's drop after it (W4).
        let output = match grant {
            Some(grant) if asked => Some(self.target.observe(grant)),
            None if leads && asked => self.target.lead(),
            Some(grant) => {
                self.target.pass_on(grant);
                None
            }
            None => {
                if leads && !self.target.resign(&self.node) {
                    return self.withdraw(false);
                }
                None
            }
        };
        left(&self.target, waker, notes);
        output
    }

    /// Unlinks a queued node.
    #[inline(always)]
    fn leave(&self, held: &mut Locked<T::Held>, notes: &mut T::Notes) -> Waker {
        if let Some(ring) = self.target.ring(held) {
            // SAFETY: Validity: queued, seen under this lock. Aliasing: the owner, with the lock.
            let (waker, emptied) = unsafe { ring.leave(&self.node) };
            self.target.left(held, emptied, notes);
            return waker;
        }
        // SAFETY: Validity and Aliasing: as above; without a ring it queues behind a leader.
        let (waker, alone) = unsafe { self.node.leave() };
        if let Some(leader) = alone {
            self.target.left_alone(held, leader, notes);
        }
        waker
    }
}

/// A grant that a panic passes on.
struct Unobserved<'a, T: Target>(&'a T, ManuallyDrop<T::Grant>);

impl<T: Target> Unobserved<'_, T> {
    fn observe(self) -> T::Output {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: Validity: full, and taken once, since nobody drops `this`. Aliasing: owned.
        let grant = unsafe { ManuallyDrop::take(&mut this.1) };
        this.0.observe(grant)
    }
}

impl<T: Target> Drop for Unobserved<'_, T> {
    #[cold]
    fn drop(&mut self) {
        // SAFETY: Validity: full, as `observe` was not called. Aliasing: owned, and this is its end.
        self.0.pass_on(unsafe { ManuallyDrop::take(&mut self.1) });
    }
}

/// What the end of a wait leaves for after the lock: whom it kept out, and the rest. A resource
/// first, a waker's drop after it.
#[inline(always)]
fn left<T: Target>(target: &T, waker: Option<Waker>, notes: T::Notes) {
    if !T::RELAYS || waker.is_none() {
        // (Of those that can lead, the last one that leaves may have a leader to tell.)
        return after(target, waker, notes, T::HEARD || T::LEADS);
    }
    let mut user = UserCode::new();
    user.call(|| target.serve());
    user.call(|| drop(waker));
    user.call(|| target.tell(notes));
    user.rethrow();
}

/// What a step leaves for after the lock: a waker to drop, events to tell. The first panic goes on.
#[inline(always)]
fn after<T: Target>(target: &T, waker: Option<Waker>, notes: T::Notes, heard: bool) {
    if !heard {
        // One call of user code, and nothing to be done after it.
        return drop(waker);
    }
    let mut user = UserCode::new();
    user.call(|| drop(waker));
    user.call(|| target.tell(notes));
    user.rethrow();
}

/// A future is polled after its end. That is a mistake, which debug builds and hosts show; firmware
/// in release has neither the text nor the formatting of a panic, and stays pending.
#[cold]
pub(crate) fn polled_again<T>(what: &str) -> Poll<T> {
    if cfg!(any(feature = "std", debug_assertions)) {
        panic!("{what} was polled after it had given its value or was abandoned");
    }
    Poll::Pending
}

impl<T: Target> Future for Wait<T> {
    type Output = T::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        // Relaxed: a look that finds nothing new acquires nothing. (An Acquire load is a barrier on
        // many chips.)
        let state = this.node.state(Ordering::Relaxed);
        // SAFETY: Validity: just seen `QUEUED`. Aliasing: we are the owner.
        if state == QUEUED && unsafe { this.node.has_waker(cx.waker()) } {
            return Poll::Pending;
        }
        if state == IDLE {
            let now = this.target.now();
            if now.is_ready() {
                this.node.finish();
                return now;
            }
        }
        this.advance(cx)
    }
}

impl<T: Target> FusedFuture for Wait<T> {
    fn is_terminated(&self) -> bool {
        // Relaxed: only the owner stores `FINISHED`.
        self.node.state(Ordering::Relaxed) == FINISHED
    }
}

impl<T: Target> Drop for Wait<T> {
    #[inline]
    fn drop(&mut self) {
        let this: &Self = self;
        // Acquire: pairs with the last touch of a notifier; after it the node is ours to free.
        match this.node.state(Ordering::Acquire) {
            GRANTED if !T::UNDER_LOCK => {
                // SAFETY: Validity: seen `GRANTED` with Acquire. Aliasing: we are the owner, and
                // this kind of grant is not revoked.
                this.target.pass_on(unsafe { this.node.take_grant() });
            }
            QUEUED | GRANTED => drop(this.withdraw(false)),
            LEADING if T::LEADS => drop(this.withdraw(false)),
            _ => {}
        }
    }
}

impl<T: Target> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a picture, not a decision.
        let state = match self.node.state(Ordering::Relaxed) {
            IDLE => "idle",
            QUEUED => "queued",
            GRANTED => "granted",
            STALLED => "stalled",
            LEADING => "leading",
            _ => "finished",
        };
        f.debug_struct("Wait")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}

impl<T: Target> core::panic::UnwindSafe for Wait<T> {}
impl<T: Target> core::panic::RefUnwindSafe for Wait<T> {}
