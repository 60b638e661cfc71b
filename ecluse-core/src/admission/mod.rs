//! `Admission`: weighted permits with a bounded waiting room. So much may be under way at a time, so
//! many may wait for it, and the rest is refused at once.
//!
//! | file | holds |
//! |---|---|
//! | here | the word, the transitions without the lock, the API |
//! | `queue` | the transitions under the lock, and who is served |
//! | `wait` | what its waiters wait for |
//! | `permit` | `Permit`, from its admission to its return |
//! | `policy` | whether a heavy head may be overtaken, by type |
//! | `refusal` | why there is no permit |
//!
//! | bits of the word | name | means |
//! |---|---|---|
//! | 0 | `WAITERS` | the ring is not empty |
//! | 1 | `FULL` | the waiting room is full (a room of no places always is) |
//! | 2 | `OVER` | more permits are out than there should be: the goal was lowered |
//! | 3 | `DONE` | closed; the ring is empty for good |
//! | 4… | available | how many permits are free |
//!
//! Invariants:
//! - **A1** The flags say what is under the lock: `waiting`, the ring's length; the room; the
//!   capacity and its goal. They change in one hold, by `change` alone.
//! - **A2** Capacity = available + the weight of permits and of grants under way, whenever the lock
//!   is free; it is the goal, or, while `OVER`, above it. `OVER` implies that nothing is available.
//! - **A3** Free writers are the acquiring swap (needs `WAITERS` and `DONE` clear, and takes what is
//!   available) and the returning swap (needs `WAITERS` and `OVER` clear). So while `WAITERS` is
//!   set, whoever has the lock is the only writer.
//! - **A4** Every change is a swap: it goes on with the release sequences of all returns before it,
//!   so an acquiring swap acquires whatever it takes. A swap that sets `WAITERS` or changes a word
//!   that has it acquires, too, and the lock passes that on to whoever serves the queue.
//! - **A5** Whoever makes room (by a return, a larger capacity, or by leaving the queue) serves the
//!   queue until nobody in it can be served. Until then `WAITERS` keeps newcomers from overtaking.

mod permit;
mod policy;
mod queue;
mod refusal;
mod wait;

pub use self::{
    permit::Permit,
    policy::{Bypass, Fifo, Policy},
    refusal::NotAdmitted,
    wait::{Acquiring, ToPermit},
};

use core::fmt;

use self::{policy::Passed, queue::Queue, refusal::Answer};
use crate::{
    Outcome,
    observe::{EventKind, Notes, Numbers, Observer, heard},
    sync::{DefaultLock, Handle, Lock, Ordering, Protected, Word},
    wait::{Drain, Link, Ring, Wait},
};

const WAITERS: usize = 1;
const FULL: usize = 2;
const OVER: usize = 4;
const DONE: usize = 8;
const ONE: usize = 16;

/// As many permits as fit into the word: 2^28 − 1 where a pointer has 32 bits, 2^60 − 1 where it
/// has 64.
const MAX: usize = usize::MAX / ONE;

#[inline(always)]
const fn available(word: usize) -> usize {
    word / ONE
}

/// So much may be under way at a time, so many may wait for it, and the rest is refused at once.
///
/// - `P`, the policy: [`Fifo`] unless chosen, see [`Policy`].
/// - `L`, the lock of the waiter list: [`DefaultLock`] unless chosen.
/// - `O`, an [`Observer`]: none unless chosen.
///
/// Acquiring and returning with nobody waiting is one atomic instruction each, and a refusal is a
/// load. No allocation; can be a `static`.
///
/// ```
/// use ecluse_core::{Admission, admission::NotAdmitted};
///
/// /// Eight units of work at a time, and sixteen requests that wait for theirs.
/// static LOAD: Admission = Admission::new(8, 16);
///
/// async fn serve(cost: usize) -> Result<&'static str, &'static str> {
///     // Admitted, queued, or refused at once.
///     let _permit = match LOAD.acquire(cost).await {
///         Ok(permit) => permit,
///         Err(NotAdmitted::RoomFull) => return Err("503: try again later"),
///         Err(_) => return Err("413: more than all of us can carry"),
///     };
///     Ok("200") // … and the permit is back, on every way out
/// }
/// # futures_executor::block_on(async {
/// assert_eq!(serve(3).await, Ok("200"));
/// assert_eq!(serve(9).await, Err("413: more than all of us can carry"));
/// assert_eq!(LOAD.available(), 8);
/// # });
/// ```
pub struct Admission<P: Policy = Fifo, L = DefaultLock, O: Observer = ()> {
    word: Word,
    /// What the capacity should be. Written under the lock.
    target: Word,
    room: usize,
    queue: Protected<L, Queue<P, O>>,
    observer: O,
}

/// A handle on an admission: `&Admission`, and with `alloc` `Arc<Admission>` and `Rc<Admission>`.
/// Sealed.
pub trait AdmissionRef: Handle {
    /// The admission's policy.
    type Policy: Policy;
    /// The admission's lock.
    type Lock: Lock;
    /// The admission's observer.
    type Observer: Observer;

    /// The admission.
    fn admission(&self) -> &Admission<Self::Policy, Self::Lock, Self::Observer>;
}

impl<R, P: Policy, L: Lock, O: Observer> AdmissionRef for R
where
    R: Handle<Target = Admission<P, L, O>>,
{
    type Policy = P;
    type Lock = L;
    type Observer = O;

    #[inline(always)]
    fn admission(&self) -> &Admission<P, L, O> {
        self
    }
}

/// What an [`Admission`] looked like at one moment: [`Admission::snapshot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Snapshot {
    /// The permits that exist: those available, and those out. The goal, or more, if it was lowered
    /// while they were out.
    pub capacity: usize,
    /// What the capacity should be.
    pub target: usize,
    /// The permits that are free.
    pub available: usize,
    /// The permits that are out, and those on their way to a waiter that has not been polled yet.
    pub occupancy: usize,
    /// How many wait.
    pub waiting: usize,
    /// How many may wait.
    pub room: usize,
    /// Whether it was closed.
    pub closed: bool,
}

impl<P: Policy, L: Lock> Admission<P, L> {
    const_fn! {
        /// An admission of `capacity` permits, all of them free, with `room` places to wait. Can be
        /// a `static`.
        ///
        /// With a room of 0 a request is admitted or refused, never queued. A capacity of 0 refuses
        /// everything, as too heavy, until it [grows](Admission::grow). No capacity is above
        /// [`MAX_CAPACITY`](Admission::MAX_CAPACITY): what is more is taken for that.
        #[must_use]
        pub const fn new(capacity: usize, room: usize) -> Self {
            Self::with_observer(capacity, room, ())
        }
    }
}

impl<P: Policy, L: Lock, O: Observer> Admission<P, L, O> {
    /// No capacity is above this: 2^28 − 1 where a pointer has 32 bits, 2^60 − 1 where it has 64.
    pub const MAX_CAPACITY: usize = MAX;

    const_fn! {
        /// As [`new`](Admission::new), and its steps are told to `observer`.
        #[must_use]
        pub const fn with_observer(capacity: usize, room: usize, observer: O) -> Self {
            let capacity = if capacity < MAX { capacity } else { MAX };
            Self {
                word: Word::new((capacity * ONE) | if room == 0 { FULL } else { 0 }),
                target: Word::new(capacity),
                room,
                queue: Protected::new(Queue {
                    waiters: Ring::new(),
                    waiting: 0,
                    capacity,
                    passed: <P::Passed as Passed>::NEW,
                    numbers: <O::Numbers as Numbers>::NEW,
                }),
                observer,
            }
        }
    }

    /// The observer that was given to [`with_observer`](Admission::with_observer).
    pub const fn observer(&self) -> &O {
        &self.observer
    }

    /// A permit of `weight`, if there is one and nobody is in line for it. O(1), a load and one
    /// atomic instruction, no lock. (Under [`Bypass`] it takes the lock if somebody waits.)
    ///
    /// # Errors
    /// [`NotAdmitted::Busy`] if not; [`ZeroWeight`](NotAdmitted::ZeroWeight),
    /// [`TooHeavy`](NotAdmitted::TooHeavy), [`Closed`](NotAdmitted::Closed).
    #[inline]
    pub fn try_acquire(&self, weight: usize) -> Result<Permit<&Self>, NotAdmitted> {
        self.acquire_now(weight)?;
        Ok(Permit::new(self, weight))
    }

    /// Waits for a permit of `weight`, in order, if there is room to wait; else it is over at the
    /// first poll.
    ///
    /// # Cancellation
    /// As for every [`Wait`]: dropped while queued it gives its place back, and those behind it are
    /// served if they fit now; dropped after it was granted the permit, it returns it.
    ///
    /// # Errors
    /// Gives [`NotAdmitted::RoomFull`], [`ZeroWeight`](NotAdmitted::ZeroWeight) or
    /// [`TooHeavy`](NotAdmitted::TooHeavy) at once; [`Closed`](NotAdmitted::Closed) at once or if it
    /// is closed meanwhile; `TooHeavy` also to the head of the queue if the capacity was
    /// [shrunk](Admission::shrink) below its weight.
    ///
    /// ```
    /// use ecluse_core::{Local, admission::{Admission, Fifo, NotAdmitted}};
    /// # futures_executor::block_on(async {
    /// let admission = Admission::<Fifo, Local>::new(2, 0);
    /// let both = admission.acquire(2).await.unwrap();
    /// assert_eq!(admission.acquire(1).await.unwrap_err(), NotAdmitted::RoomFull);
    /// drop(both);
    /// assert!(admission.acquire(1).await.is_ok());
    /// # });
    /// ```
    #[inline]
    pub fn acquire(&self, weight: usize) -> Acquiring<&Self> {
        Wait::new(ToPermit::new(self, weight))
    }

    /// Raises the goal of the capacity by `by`, and serves those who fit then; gives the new goal.
    /// (It stops at [`MAX_CAPACITY`](Admission::MAX_CAPACITY).) Those served are woken, in bounded
    /// lock holds.
    pub fn grow(&self, by: usize) -> usize {
        self.aim(|target| target.saturating_add(by))
    }

    /// Lowers the goal of the capacity by `by`, to 0 at the least; gives the new goal.
    ///
    /// Nothing is revoked: what is free goes at once, the rest as it comes back, and nobody is
    /// admitted meanwhile. A waiter that is heavier than the goal is refused, as
    /// [`TooHeavy`](NotAdmitted::TooHeavy), once it is the head of the queue and something comes back.
    ///
    /// ```
    /// use ecluse_core::{Local, admission::{Admission, Fifo}};
    /// let admission = Admission::<Fifo, Local>::new(4, 0);
    /// let permit = admission.try_acquire(3).unwrap();
    /// assert_eq!(admission.shrink(2), 2);
    /// assert_eq!((admission.capacity(), admission.available()), (3, 0));
    /// drop(permit);
    /// assert_eq!((admission.capacity(), admission.available()), (2, 2));
    /// ```
    pub fn shrink(&self, by: usize) -> usize {
        self.aim(|target| target.saturating_sub(by))
    }

    fn aim(&self, goal: impl Fn(usize) -> usize) -> usize {
        let mut drain = Drain::of(&self.queue, self.serving());
        let target = self.queue.with(|held| {
            self.set(held, |state| state.aim(goal(state.target)));
            held.numbers
                .note(&mut drain.source().notes, EventKind::Resized);
            // SAFETY: Validity and Aliasing: this drain's lock is held.
            unsafe { drain.fill(held) };
            // Relaxed: it is written under the lock.
            self.target.load(Ordering::Relaxed)
        });
        drain.run();
        target
    }

    /// Closes the admission: it admits nobody any more, and all who wait are told so. Permits that
    /// are out stay what they are, and come back. True for the one call that closed it. O(waiters),
    /// in bounded lock holds.
    pub fn close(&self) -> bool {
        let sentinel = Link::new();
        let closed = Answer::refused(NotAdmitted::Closed);
        let mut drain = Drain::new(&self.queue, &sentinel, closed);
        let mut notes = Notes::<O>::default();
        let first = self.queue.with(|held| {
            let closed = self.change(held, |state| {
                state.waiting = 0;
                if core::mem::replace(&mut state.closed, true) {
                    return Err(());
                }
                Ok(())
            });
            if closed.is_err() {
                return false;
            }
            held.numbers.note(&mut notes, EventKind::Closed);
            // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
            unsafe {
                drain.detach(&mut held.waiters);
                drain.begin();
            }
            true
        });
        drain.first(|| self.tell(notes));
        drain.run();
        first
    }

    /// Whether it was closed. One load.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // Acquire: pairs with the swap of the close.
        self.word.load(Ordering::Acquire) & DONE != 0
    }

    /// How many permits are free. One load. (If somebody waits, they are not for newcomers.)
    #[must_use]
    pub fn available(&self) -> usize {
        // Acquire: pairs with the return, so that "free" comes with what the holder wrote.
        available(self.word.load(Ordering::Acquire))
    }

    /// How many permits are out, or on their way to a waiter. Takes the lock, as all that follows
    /// from more than the word.
    #[must_use]
    pub fn occupancy(&self) -> usize {
        self.snapshot().occupancy
    }

    /// How many permits exist: the goal, or more, if it was lowered while they were out.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.snapshot().capacity
    }

    /// What the capacity should be. One load.
    #[must_use]
    pub fn target(&self) -> usize {
        // Relaxed: a number; nothing goes with it.
        self.target.load(Ordering::Relaxed)
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.snapshot().waiting
    }

    /// Whether anybody waits. One load.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WAITERS != 0
    }

    /// How many may wait.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.room
    }

    /// All of it at one moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.queue.with(|held| {
            // Acquire: as in `available`.
            let state = self.state(held, self.word.load(Ordering::Acquire));
            Snapshot {
                capacity: state.capacity,
                target: state.target,
                available: state.free,
                occupancy: state.capacity - state.free,
                waiting: state.waiting,
                room: self.room,
                closed: state.closed,
            }
        })
    }

    /// The free acquisition: takes `weight`, or gives the word that does not allow it.
    #[inline(always)]
    fn take(&self, weight: usize) -> Result<(), usize> {
        // Relaxed: what matters is decided by the swap; a refusal reads nothing.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & (WAITERS | DONE) != 0 || weight == 0 || weight > available(word) {
                return Err(word);
            }
            // Acquire: pairs with the returns of what it takes (A4).
            match self.word.swap_free(
                &self.queue,
                word,
                word - weight * ONE,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(()) => return Ok(()),
                Err(now) => word = now,
            }
        }
    }

    /// What a newcomer that waits is told at once, after [`take`](Self::take) has failed on `word`.
    fn refusal(&self, word: usize, weight: usize) -> Option<NotAdmitted> {
        if word & DONE != 0 {
            Some(NotAdmitted::Closed)
        } else if weight == 0 {
            Some(NotAdmitted::ZeroWeight)
        } else if weight > self.target() {
            Some(NotAdmitted::TooHeavy)
        } else if word & FULL != 0 && !self.may_ask(word, weight) {
            Some(NotAdmitted::RoomFull)
        } else {
            None
        }
    }

    /// Whether the lock's holder may admit what the word does not.
    #[inline(always)]
    fn may_ask(&self, word: usize, weight: usize) -> bool {
        P::PAST != 0 && weight <= available(word)
    }

    #[inline(always)]
    fn acquire_now(&self, weight: usize) -> Result<(), NotAdmitted> {
        if heard::<O>() {
            return self.acquire_heard(weight);
        }
        match self.take(weight) {
            Ok(()) => Ok(()),
            Err(word) => self.acquire_slow(word, weight),
        }
    }

    #[cold]
    fn acquire_slow(&self, word: usize, weight: usize) -> Result<(), NotAdmitted> {
        match self.refusal(word, weight) {
            None | Some(NotAdmitted::RoomFull) if self.may_ask(word, weight) => {
                self.queue.with(|held| self.admit(held, weight, false))
            }
            None | Some(NotAdmitted::RoomFull) => Err(NotAdmitted::Busy),
            Some(why) => Err(why),
        }
    }

    /// With an observer every admission is numbered under the lock.
    fn acquire_heard(&self, weight: usize) -> Result<(), NotAdmitted> {
        let mut notes = Notes::<O>::default();
        let answer = self.queue.with(|held| {
            let answer = self.admit(held, weight, false);
            let event = if answer.is_ok() {
                EventKind::Claimed
            } else {
                EventKind::Refused
            };
            held.numbers.note(&mut notes, event);
            answer
        });
        // A hook that panics must not keep the permit.
        let permit = answer.map(|()| Permit::new(self, weight));
        self.tell(notes);
        permit.map(core::mem::forget)
    }

    /// The end of a permit.
    #[inline(always)]
    fn put_back(&self, weight: usize) {
        if heard::<O>() {
            return self.give_back(weight, EventKind::Released(Outcome::Done));
        }
        // Relaxed: what matters is decided by the swap, and the slow path looks again.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & (WAITERS | OVER) == 0 {
            // Release: pairs with the Acquire of whoever takes it.
            match self.word.swap_free(
                &self.queue,
                word,
                word + weight * ONE,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(()) => return,
                Err(now) => word = now,
            }
        }
        self.give_back(weight, EventKind::Released(Outcome::Done));
    }

    /// Somebody waits, or waited a moment ago, or the goal was lowered, or there is an observer, or
    /// nobody observed the grant.
    #[cold]
    fn give_back(&self, weight: usize, event: EventKind) {
        let mut drain = Drain::of(&self.queue, self.serving());
        self.queue.with(|held| {
            held.numbers.note(&mut drain.source().notes, event);
            self.set(held, |state| state.put_back(weight));
            // SAFETY: Validity and Aliasing: this drain's lock is held.
            unsafe { drain.fill(held) };
        });
        drain.run();
    }

    fn tell(&self, notes: Notes<O>) {
        <O::Numbers as Numbers>::each(notes, |event| self.observer.event(event));
    }
}

/// Owned forms: the permit and the wait keep the admission alive and are `'static`.
#[cfg(feature = "alloc")]
impl<P: Policy, L: Lock, O: Observer> Admission<P, L, O> {
    /// [`try_acquire`](Admission::try_acquire) for a permit that may move to another task and
    /// outlive this borrow: `this` is an `Arc` or `Rc` of the admission.
    ///
    /// # Errors
    /// As [`try_acquire`](Admission::try_acquire).
    pub fn try_acquire_owned<R>(this: &R, weight: usize) -> Result<Permit<R>, NotAdmitted>
    where
        R: AdmissionRef<Policy = P, Lock = L, Observer = O>,
    {
        this.admission().acquire_now(weight)?;
        Ok(Permit::new(this.clone(), weight))
    }

    /// [`acquire`](Admission::acquire) for a wait that keeps the admission alive.
    pub fn acquire_owned<R>(this: &R, weight: usize) -> Acquiring<R>
    where
        R: AdmissionRef<Policy = P, Lock = L, Observer = O>,
    {
        Wait::new(ToPermit::new(this.clone(), weight))
    }
}

/// Threads without a runtime.
#[cfg(all(feature = "std", not(ecluse_loom)))]
impl<P: Policy, L: Lock, O: Observer> Admission<P, L, O> {
    /// Blocks this thread until it has a permit of `weight`, or is refused; it queues with tasks, in
    /// the same order.
    ///
    /// # Errors
    /// As [`acquire`](Admission::acquire) gives.
    pub fn acquire_blocking(&self, weight: usize) -> Result<Permit<&Self>, NotAdmitted> {
        self.acquire(weight).block()
    }

    /// As [`acquire_blocking`](Admission::acquire_blocking), for `limit` at most.
    ///
    /// # Errors
    /// [`TimedOut`](crate::TimedOut) when the limit is over, its place given back; inside, as
    /// [`acquire`](Admission::acquire) gives.
    pub fn acquire_blocking_timeout(
        &self,
        weight: usize,
        limit: core::time::Duration,
    ) -> Result<Result<Permit<&Self>, NotAdmitted>, crate::TimedOut> {
        self.acquire(weight).block_timeout(limit)
    }
}

impl<P: Policy, L, O: Observer> fmt::Debug for Admission<P, L, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed, twice: a picture, not a decision.
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Admission")
            .field("available", &available(word))
            .field("target", &self.target.load(Ordering::Relaxed))
            .field("room", &self.room)
            .field("waiters", &(word & WAITERS != 0))
            .field("closed", &(word & DONE != 0))
            .finish()
    }
}

impl<P: Policy, L, O: Observer> core::panic::UnwindSafe for Admission<P, L, O> {}
impl<P: Policy, L, O: Observer> core::panic::RefUnwindSafe for Admission<P, L, O> {}
