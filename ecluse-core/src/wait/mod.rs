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

mod drain;
mod leader;
mod list;
mod protocol;
mod user;

#[cfg(all(feature = "std", not(ecluse_loom)))]
mod block;

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_core::FusedFuture;

use self::list::{End, FINISHED, GRANTED, IDLE, LEADING, QUEUED, STALLED};
pub(crate) use self::{
    drain::{BATCH, Drain, Supply},
    leader::{Chain, Post},
    list::{Link, Node, Ring},
    protocol::{Found, Protocol},
    user::UserCode,
};
use crate::sync::Ordering;

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
/// Polling it after `Ready` panics, as with every future that is not fused by a wrapper;
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
        let this = self.into_ref().get_ref();
        // Acquire: pairs with the store of the grant.
        match this.node.state(Ordering::Acquire) {
            GRANTED => this.take(),
            LEADING if T::LEADS => this.target.lead(),
            FINISHED => None,
            state => {
                let mut notes = T::Notes::default();
                let (waker, found) = this.target.guarded().with(|held| {
                    // Relaxed: the lock orders it.
                    if state == QUEUED && this.node.state(Ordering::Relaxed) != QUEUED {
                        return (None, Err(()));
                    }
                    let waker = (state == QUEUED).then(|| this.leave(held, &mut notes));
                    this.node.finish();
                    (waker, Ok(this.target.over(held)))
                });
                let found = match found {
                    Ok(over) => over.map(|grant| this.target.observe(grant)),
                    Err(()) => this.try_abandon_late(),
                };
                after(&this.target, waker, notes);
                found
            }
        }
    }

    /// The grant, or its revocation, came while the lock was being taken.
    #[cold]
    fn try_abandon_late(&self) -> Option<T::Output> {
        // Acquire: as in `try_abandon`.
        match self.node.state(Ordering::Acquire) {
            GRANTED => self.take(),
            LEADING if T::LEADS => self.target.lead(),
            _ => {
                self.node.finish();
                None
            }
        }
    }

    /// A poll that is more than a look: apart from it, so that a look is short (W2).
    #[cfg_attr(not(feature = "std"), inline(never))]
    fn advance(&self, cx: &Context<'_>) -> Poll<T::Output> {
        // Acquire: pairs with the store of the grant in `Node::grant`, or of `Node::revoke`.
        match self.node.state(Ordering::Acquire) {
            QUEUED => self.change_waker(cx),
            GRANTED => match self.take() {
                Some(output) => Poll::Ready(output),
                None => self.join(cx, End::Front),
            },
            LEADING if T::LEADS => self.led(),
            IDLE => self.join(cx, End::Back),
            STALLED => self.join(cx, End::Front),
            _ => panic!("a `Wait` was polled after it had given its value or was abandoned"),
        }
    }

    /// First poll, or the first one after a revocation: finds it done, or enlists.
    fn join(&self, cx: &Context<'_>, end: End) -> Poll<T::Output> {
        if let Some(grant) = self.target.attempt() {
            self.node.finish();
            return Poll::Ready(self.target.observe(grant));
        }
        self.enlist(cx, end)
    }

    fn enlist(&self, cx: &Context<'_>, end: End) -> Poll<T::Output> {
        let mut spare = Some(cx.waker().clone());
        let mut notes = T::Notes::default();
        let grant = self.target.guarded().with(|held| {
            let found = self.target.enlist(held, &self.node, cx.waker(), &mut notes);
            // SAFETY: Validity: pinned (we come from `poll`), in no ring (`IDLE` or `STALLED`), and
            // dropping the wait unlinks it. Aliasing: the lock is held.
            match found {
                Found::Grant(grant) => Some(Some(grant)),
                Found::Lead => Some(None),
                Found::Ring(ring) => {
                    if let Some(waker) = spare.take() {
                        unsafe { ring.enlist(&self.node, waker, end) };
                    }
                    None
                }
                Found::Leader(leader) => {
                    if let Some(waker) = spare.take() {
                        unsafe { self.node.follow(leader, waker, end) };
                    }
                    None
                }
            }
        });
        let ready = grant.and_then(|grant| match grant {
            Some(grant) => {
                self.node.finish();
                Some(self.target.observe(grant))
            }
            None => self.target.lead(),
        });
        after(&self.target, spare, notes);
        ready.map_or(Poll::Pending, Poll::Ready)
    }

    /// Re-poll by another waker.
    #[cold]
    fn change_waker(&self, cx: &Context<'_>) -> Poll<T::Output> {
        let fresh = cx.waker().clone();
        let unused = self.target.guarded().with(|_| {
            // Relaxed: the lock orders it.
            if self.node.state(Ordering::Relaxed) == QUEUED {
                // SAFETY: Validity: queued. Aliasing: the owner, with the lock.
                Ok(unsafe { self.node.replace_waker(fresh) })
            } else {
                Err(fresh)
            }
        });
        match unused {
            Ok(old) => {
                drop(old);
                Poll::Pending
            }
            Err(fresh) => {
                // Acquire: pairs with the store of the grant, or of its revocation. (Needed by a
                // revoked waiter that finds the slot closed: every other way on takes the lock.)
                let ready = match self.node.state(Ordering::Acquire) {
                    GRANTED => self
                        .take()
                        .map_or_else(|| self.join(cx, End::Front), Poll::Ready),
                    LEADING if T::LEADS => self.led(),
                    _ => self.join(cx, End::Front),
                };
                drop(fresh);
                ready
            }
        }
    }

    fn led(&self) -> Poll<T::Output> {
        self.target.lead().map_or(Poll::Pending, Poll::Ready)
    }

    /// The owner has seen `GRANTED` with Acquire. `None`: it was revoked meanwhile.
    #[inline(always)]
    fn take(&self) -> Option<T::Output> {
        if T::UNDER_LOCK {
            return self.take_locked();
        }
        // SAFETY: Validity: seen `GRANTED` with Acquire. Aliasing: we are the owner, and this kind
        // of grant is not revoked.
        let grant = unsafe { self.node.take_grant() };
        Some(self.target.observe(grant))
    }

    fn take_locked(&self) -> Option<T::Output> {
        let mut notes = T::Notes::default();
        let grant = self.target.guarded().with(|held| {
            // Relaxed: the lock orders it.
            (self.node.state(Ordering::Relaxed) == GRANTED).then(|| {
                self.target.settled(held, &self.node);
                // SAFETY: Validity: granted, said so under the lock. Aliasing: the lock is held.
                let grant = unsafe { self.node.take_grant() };
                self.target.observed(held, &grant, &mut notes);
                grant
            })
        });
        let ready = grant.map(|grant| self.target.observe(grant));
        after(&self.target, None, notes);
        ready
    }

    /// Unlinks a queued node.
    fn leave(&self, held: &mut crate::sync::Locked<T::Held>, notes: &mut T::Notes) -> Waker {
        if let Some(ring) = T::ring(held) {
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

    /// Drop of a wait that is queued or granted.
    fn cancel(&self) {
        let mut notes = T::Notes::default();
        let mut waker = None;
        let mut leads = false;
        let grant = self.target.guarded().with(|held| {
            // Relaxed: the lock orders it.
            match self.node.state(Ordering::Relaxed) {
                QUEUED => {
                    waker = Some(self.leave(held, &mut notes));
                    None
                }
                LEADING if T::LEADS => {
                    leads = true;
                    None
                }
                GRANTED => {
                    self.target.settled(held, &self.node);
                    // SAFETY: Validity: granted, said so under the lock. Aliasing: the lock is held.
                    Some(unsafe { self.node.take_grant() })
                }
                _ => None,
            }
        });
        // The resource first, a waker's drop after it.
        if let Some(grant) = grant {
            self.target.pass_on(grant);
        }
        if leads {
            self.target.resign(&self.node);
        }
        after(&self.target, waker, notes);
    }
}

/// What a step leaves for after the lock: a waker to drop, events to tell. The first panic goes on.
#[inline(always)]
fn after<T: Target>(target: &T, waker: Option<Waker>, notes: T::Notes) {
    if !T::HEARD {
        // One call of user code, and nothing to be done after it.
        return drop(waker);
    }
    let mut user = UserCode::new();
    user.call(|| drop(waker));
    user.call(|| target.tell(notes));
    user.rethrow();
}

impl<T: Target> Future for Wait<T> {
    type Output = T::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.into_ref().get_ref();
        // Relaxed: a look that finds nothing new acquires nothing. (An Acquire load is a barrier on
        // many chips.)
        let queued = this.node.state(Ordering::Relaxed) == QUEUED;
        // SAFETY: Validity: just seen `QUEUED`. Aliasing: we are the owner.
        if queued && unsafe { this.node.has_waker(cx.waker()) } {
            return Poll::Pending;
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
            QUEUED | GRANTED => this.cancel(),
            LEADING if T::LEADS => this.target.resign(&this.node),
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
