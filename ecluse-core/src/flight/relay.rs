//! `Relay`: the half-done future itself goes to the next caller, who goes on from where it stopped.
//!
//! The future of the run lies in the relay, not in whoever drives it. The driver is the leader of a
//! flight; leading is what gives access to the place.
//!
//! This file has `unsafe` of its own: the place is a cell that belongs to whoever drives.
//!
//! | the driver is | node | may be replaced | the place |
//! |---|---|---|---|
//! | inside a poll | `LEADING`, busy | no | its own |
//! | between polls | `LEADING`, armed with its waker | yes: it then queues as the last | half-done |
//! | not polled yet | `LEADING` | yes: it is then in no queue until it is polled | half-done |
//! | gone | – | – | the next driver's, or dropped by the last who leaves |
//!
//! Invariants:
//! - **R1** The place is touched by the driver only, while it is busy. Busy is set and cleared under the
//!   lock, by the driver; nobody is made a driver while another is busy.
//! - **R2** A future that was begun is polled to its end, or dropped in its place; never moved.
//! - **R3** The last caller who leaves stays the driver until the half-done future is dropped: who comes
//!   meanwhile is queued, and starts afresh after it.
//! - **R4** A future that panicked is dropped and never polled again; its followers are told.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{
    Answer, NoAnswer, Part,
    drive::{self, Pulse},
    policy::{NoClock, Promote, Stamp},
    table::{At, Bucket, Bunch, Caller, Landing, Table, sealed},
    transitions,
    turn::{TableRef, ToTurn, Turn},
};
use crate::{
    runtime::{Timer, poll_sleep},
    sync::{Cell, DefaultLock, Handle, Lock},
    wait::{self, UserCode, Wait, polled_again},
};

/// One piece of work at a time that outlives whoever started it: if the caller that drives it is
/// dropped, exactly one of the others drives it on, **from where it stopped**. All get a clone of the
/// result; nothing is kept.
///
/// `F` is the type of the future, which lies in the relay: a named type, or
/// [`Inline`](crate::runtime::Inline) for any that fits into so many bytes, or with a heap
/// `Pin<Box<dyn Future<Output = T> + Send>>`. It must not hold on to anything of the caller that
/// started it.
///
/// A driver that is alive and never polled can be replaced, too: see [`RelayRun::stall_bound`]. When
/// the last caller leaves, the half-done future is dropped, by that caller.
///
/// - `L`, the lock: [`DefaultLock`] unless chosen.
/// - `C`, a clock, for callers who refuse what is too old ([`RelayRun::max_age`]).
///
/// ```
/// use core::time::Duration;
/// use ecluse_core::{flight::Relay, inline_size, runtime::Inline};
///
/// async fn download() -> u32 {
///     // … in many steps …
///     42
/// }
///
/// static DOWNLOAD: Relay<Inline<{ inline_size!(download) }, u32>> = Relay::new();
///
/// # futures_executor::block_on(async {
/// let answer = DOWNLOAD.run(|| Inline::new(download())).await.unwrap();
/// assert_eq!(answer.value, 42);
/// # });
/// ```
pub struct Relay<F: Future, L = DefaultLock, C: Stamp = NoClock> {
    bucket: Bunch<L, Pulse, F::Output, C>,
    clock: C,
    place: Cell<Option<F>>,
}

// SAFETY: Validity: the future goes from driver to driver, the result to all. Aliasing: R1.
unsafe impl<F: Future<Output: Send> + Send, L: Sync, C: Stamp + Sync> Sync for Relay<F, L, C> {}

impl<F: Future, L: Lock> Relay<F, L> {
    const_fn! {
        /// Nothing under way. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self::with_clock(NoClock)
        }
    }
}

impl<F: Future, L: Lock, C: Stamp> Relay<F, L, C> {
    const_fn! {
        /// Nothing under way; runs have an age by `clock`.
        #[must_use]
        pub const fn with_clock(clock: C) -> Self {
            Self {
                bucket: wait::Bucket::new(),
                clock,
                place: Cell::new(None),
            }
        }
    }

    /// Joins the run that is under way, as one who may have to drive it; or starts one with `make()`.
    ///
    /// `make` is called only by a driver that finds nothing half-done. (More than once, if a run that
    /// this caller started was taken from it, and came to nothing.)
    ///
    /// # Cancellation
    /// See [`RelayRun`].
    ///
    /// # Errors
    /// Gives [`NoAnswer::Recursive`] to a caller inside the very run it asks for;
    /// [`NoAnswer::Abandoned`] where the future panicked, or a clone of the result.
    pub fn run<M: FnMut() -> F>(&self, make: M) -> RelayRun<&Self, M> {
        RelayRun::new(self, make)
    }

    /// [`run`](Relay::run) for a call that keeps the relay alive: `this` is an `Arc` or `Rc` of it.
    #[cfg(feature = "alloc")]
    pub fn run_owned<R, M>(this: &R, make: M) -> RelayRun<R, M>
    where
        R: Handle<Target = Self>,
        M: FnMut() -> F,
    {
        RelayRun::new(this.clone(), make)
    }

    /// Whether a run is under way. One short lock hold.
    #[must_use]
    pub fn is_running(&self) -> bool {
        transitions::begun(At::new(self, ()), |_| true).is_some()
    }

    /// Drops what is in the place. The caller drives and is busy (R1).
    fn clear(&self) {
        // SAFETY: Validity: a value like any. Aliasing: R1. (Dropped in its place: R2.)
        self.place.with_mut(|place| unsafe { *place = None });
    }

    fn is_empty(&self) -> bool {
        // SAFETY: Validity: a value like any. Aliasing: R1.
        self.place.with(|place| unsafe { (*place).is_none() })
    }

    /// Polls what is in the place, which is filled if it is empty.
    fn advance(&self, make: &mut impl FnMut() -> F, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.is_empty() {
            let future = make();
            // SAFETY: Validity: empty. Aliasing: R1.
            self.place
                .with_mut(|place| unsafe { *place = Some(future) });
        }
        self.place.with_mut(|place| {
            // SAFETY: Validity: it is not moved from here to its drop (R2). Aliasing: R1; shared
            // with nothing but what a pinned future shares with itself.
            let future = unsafe { Pin::new_unchecked(&mut *place) };
            match future.as_pin_mut() {
                Some(future) => future.poll(cx),
                None => Poll::Pending,
            }
        })
    }
}

impl<F: Future, L, C: Stamp> sealed::Sealed for Relay<F, L, C> {}

impl<F: Future, L: Lock, C: Stamp> Table for Relay<F, L, C> {
    type Key = Pulse;
    type Value = F::Output;
    type Orphans = Promote;
    type Lock = L;
    type Stamp = C;
    type Place = ();

    const ARMS_ALONE: bool = true;

    #[inline(always)]
    fn bucket(&self, (): ()) -> &Bucket<Self> {
        &self.bucket
    }

    fn stamp(&self) -> &C {
        &self.clock
    }

    fn resign(at: At<'_, Self>, node: &Caller<Self>) -> bool {
        drive::resign(at, node, || at.table().clear())
    }
}

impl<F: Future, L: Lock, C: Stamp + Default> Default for Relay<F, L, C> {
    fn default() -> Self {
        Self::with_clock(C::default())
    }
}

impl<F: Future, L: Lock, C: Stamp> fmt::Debug for Relay<F, L, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("running", &self.is_running())
            .finish()
    }
}

impl<F: Future, L, C: Stamp> core::panic::UnwindSafe for Relay<F, L, C> {}
impl<F: Future, L, C: Stamp> core::panic::RefUnwindSafe for Relay<F, L, C> {}

/// A handle on a relay: `&Relay`; with `alloc` `Arc` and `Rc` of it. Sealed.
pub trait RelayRef: TableRef<Target: Table<Key = Pulse, Place = (), Value = Self::Value>> {
    /// The future that it runs.
    type Future: Future<Output = Self::Value>;
    /// What that comes to.
    type Value;
    #[doc(hidden)]
    type Lock: Lock;
    #[doc(hidden)]
    type Stamp: Stamp;

    #[doc(hidden)]
    fn relay(&self) -> &Relay<Self::Future, Self::Lock, Self::Stamp>;
}

impl<R, F: Future, L: Lock, C: Stamp> RelayRef for R
where
    R: Handle<Target = Relay<F, L, C>>,
{
    type Future = F;
    type Value = F::Output;
    type Lock = L;
    type Stamp = C;

    fn relay(&self) -> &Relay<F, L, C> {
        self
    }
}

pin_project! {
    /// A call of a relay: gives the [`Answer`], or why there is [none](NoAnswer).
    ///
    /// # Cancellation
    /// Dropping it is always safe:
    /// - before the first poll: nothing had begun;
    /// - while it waits: it leaves, the others are not affected;
    /// - while it drives: exactly one of the others drives on from where it stopped; if there is
    ///   none, the half-done future is dropped, here;
    /// - granted but not polled since: its clone of the result is dropped, its turn to drive goes on.
    ///
    /// # Panics
    /// A panic of the future, of a clone of the result or of the waker goes on in the driver, and ends
    /// the run. Polling it after `Ready` panics.
    #[must_use = "a relay does nothing unless it is awaited"]
    pub struct RelayRun<R, M>
    where
        R: RelayRef,
    {
        #[pin]
        wait: Wait<ToTurn<R>>,
        make: M,
        oldest: Option<Duration>,
        stage: Stage,
    }
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Called,
    Finished,
}

impl<R: RelayRef, M: FnMut() -> R::Future> RelayRun<R, M> {
    fn new(relay: R, make: M) -> Self {
        Self {
            wait: Wait::turn(relay, (), Pulse::new()),
            make,
            oldest: None,
            stage: Stage::Idle,
        }
    }

    /// Does not join a run that was begun longer than `oldest` ago: gives
    /// [`TooOld`](NoAnswer::TooOld). Looked at when the call is first polled. Without effect on a
    /// relay without a clock.
    pub fn max_age(mut self, oldest: Duration) -> Self {
        self.oldest = Some(oldest);
        self
    }

    /// Does not suffer a driver that is never polled: one that stays unpolled for `bound` while this
    /// waits is replaced by the next, and queues as the last. One inside a poll never is. Replacing a
    /// healthy one costs a poll and nothing else. (One that came to drive and was never polled since
    /// is in no queue until it is: it then joins what is under way, or begins afresh.)
    ///
    /// The bound is this waiter's own timer, looked at every `bound`: a driver is replaced between
    /// one and two bounds after its last poll.
    pub fn stall_bound<T: Timer>(self, timer: T, bound: Duration) -> Impatient<R, M, T> {
        Impatient {
            run: self,
            sleep: None,
            timer,
            bound: bound.max(Duration::from_nanos(1)),
            seen: None,
        }
    }
}

/// Stands by while the future runs. If that unwinds, the run ends at once (R4).
struct Exit<'a, R: RelayRef> {
    wait: Pin<&'a Wait<ToTurn<R>>>,
    relay: &'a Relay<R::Future, R::Lock, R::Stamp>,
    stage: &'a mut Stage,
}

impl<R: RelayRef> Drop for Exit<'_, R> {
    fn drop(&mut self) {
        *self.stage = Stage::Finished;
        let mut user = UserCode::new();
        user.call(|| self.relay.clear());
        user.call(|| {
            transitions::tell_all(self.wait.at(), self.wait.seat(), || {
                Landing::Failed(NoAnswer::Abandoned { by_panic: true })
            })
        });
        user.rethrow();
    }
}

impl<R, M> Future for RelayRun<R, M>
where
    R: RelayRef<Value: Clone>,
    M: FnMut() -> R::Future,
{
    type Output = Result<Answer<R::Value>, NoAnswer>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let fresh = match *this.stage {
            Stage::Idle => {
                *this.stage = Stage::Called;
                if is_too_old(this.wait.as_ref().get_ref(), *this.oldest) {
                    *this.stage = Stage::Finished;
                    return Poll::Ready(Err(NoAnswer::TooOld));
                }
                true
            }
            Stage::Called => false,
            Stage::Finished => return polled_again("a `RelayRun`"),
        };
        let (wait, relay, inherited) = loop {
            if let Turn::Landed(landing) = ready!(this.wait.as_mut().poll(cx)) {
                *this.stage = Stage::Finished;
                return Poll::Ready(landing.into_answer());
            }
            let wait = this.wait.as_ref();
            if fresh && R::Stamp::TIMED {
                transitions::begin(wait.get_ref().at(), wait.get_ref().seat());
            }
            // Not so if it was replaced since it looked.
            if let Some(inherited) = drive::take_up(wait.get_ref().at(), wait.get_ref().seat()) {
                break (wait, wait.get_ref().handle().relay(), inherited);
            }
        };
        let (at, seat) = (wait.get_ref().at(), wait.get_ref().seat());
        let exit = Exit {
            wait,
            relay,
            stage: this.stage,
        };
        let polled = {
            let _here = seat.extra().data().polled.enter(cx.waker());
            relay.advance(this.make, cx)
        };
        let Poll::Ready(value) = polled else {
            // Guarded, too: one that stayed busy could never be replaced.
            let waker = cx.waker().clone();
            core::mem::forget(exit);
            drive::put_down(at, seat, waker);
            return Poll::Pending;
        };
        // Still guarded: a destructor that panics is a panic of the future.
        relay.clear();
        *exit.stage = Stage::Finished;
        core::mem::forget(exit);
        let joined = transitions::land(at, seat, &value);
        Poll::Ready(Ok(Answer {
            value,
            part: Part::Led { inherited },
            joined,
        }))
    }
}

fn is_too_old<R: RelayRef>(wait: &Wait<ToTurn<R>>, oldest: Option<Duration>) -> bool {
    let stamp = wait.table().stamp();
    oldest.is_some_and(|oldest| {
        transitions::begun(wait.at(), |_| true).is_some_and(|begun| stamp.is_older(begun, oldest))
    })
}

impl<R, M> FusedFuture for RelayRun<R, M>
where
    R: RelayRef<Value: Clone>,
    M: FnMut() -> R::Future,
{
    fn is_terminated(&self) -> bool {
        self.stage == Stage::Finished
    }
}

impl<R: RelayRef, M> fmt::Debug for RelayRun<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayRun")
            .field("stage", &self.stage)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A call of a relay that replaces drivers which stay unpolled: [`RelayRun::stall_bound`].
    ///
    /// # Cancellation
    /// As the run's.
    #[must_use = "a relay does nothing unless it is awaited"]
    pub struct Impatient<R, M, T>
    where
        R: RelayRef,
        T: Timer,
    {
        #[pin]
        run: RelayRun<R, M>,
        #[pin]
        sleep: Option<T::Sleep>,
        timer: T,
        bound: Duration,
        // What the last look found.
        seen: Option<drive::Seen>,
    }
}

impl<R, M, T> Future for Impatient<R, M, T>
where
    R: RelayRef<Value: Clone>,
    M: FnMut() -> R::Future,
    T: Timer,
{
    type Output = Result<Answer<R::Value>, NoAnswer>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(answer) = this.run.as_mut().poll(cx) {
            this.sleep.set(None);
            return Poll::Ready(answer);
        }
        for _ in 0..2 {
            let at = this.timer.after(this.timer.now(), *this.bound);
            if this.sleep.is_none() {
                let wait = this.run.as_ref().project_ref().wait.get_ref();
                *this.seen = drive::look(wait.at(), wait.seat());
            }
            ready!(poll_sleep(this.sleep.as_mut(), this.timer, at, cx));
            this.sleep.set(None);
            if let Some(seen) = this.seen.take() {
                // It may have made us the driver.
                drive::replace(this.run.as_ref().project_ref().wait.get_ref().at(), seen);
                if let Poll::Ready(answer) = this.run.as_mut().poll(cx) {
                    return Poll::Ready(answer);
                }
            }
        }
        // The bound is too short for this clock: another look, after the others had their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<R, M, T> FusedFuture for Impatient<R, M, T>
where
    R: RelayRef<Value: Clone>,
    M: FnMut() -> R::Future,
    T: Timer,
{
    fn is_terminated(&self) -> bool {
        self.run.is_terminated()
    }
}

impl<R: RelayRef, M, T: Timer> fmt::Debug for Impatient<R, M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Impatient")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}
