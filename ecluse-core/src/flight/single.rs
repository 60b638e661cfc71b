//! `Flight`: one piece of work, one result for all who ask while it runs.

use core::{fmt, marker::PhantomData};

#[cfg(feature = "alloc")]
use super::Detached;
use super::{
    policy::{NoClock, Orphans, Promote, Stamp},
    run::Run,
    table::{At, Bucket, Bunch, Table, sealed},
    transitions,
};
#[cfg(feature = "alloc")]
use crate::sync::Handle;
use crate::{
    sync::{DefaultLock, Lock},
    wait::{self, Wait},
};

/// One piece of work that is run once for all who ask for it while it runs. Each gets a clone of the
/// result; nothing is kept afterwards.
///
/// The first caller leads: it runs its own closure's future, in its own task. The others wait. If
/// the leader is lost (cancelled, panicked), by the default policy exactly **one** of them leads
/// next, and runs *its* closure; the others stay queued, unwoken.
///
/// - `T`, the result. An `Err` in it is shared like everything, unless [`Run::judge`] says otherwise.
/// - `P`, what becomes of the followers of a lost leader: [`Promote`] unless chosen, or
///   [`Fail`](super::Fail).
/// - `L`, the lock: [`DefaultLock`] unless chosen.
/// - `C`, a clock, for those who do not join a flight that is too old ([`Run::max_age`]).
///
/// No allocation; can be a `static`. With nobody else asking, a call costs two short lock holds; for
/// each follower, one clone, one wake, and a share of a lock hold.
///
/// ```
/// use ecluse_core::flight::Flight;
///
/// static RATES: Flight<Result<u32, String>> = Flight::new();
///
/// # futures_executor::block_on(async {
/// let answer = RATES.run(|| async { Ok(42) /* … ask the server … */ }).await.unwrap();
/// assert_eq!(answer.value, Ok(42));
/// assert!(answer.led());
/// # });
/// ```
pub struct Flight<T, P: Orphans = Promote, L = DefaultLock, C: Stamp = NoClock> {
    bucket: Bunch<L, (), T, C>,
    clock: C,
    _orphans: PhantomData<fn() -> P>,
}

impl<T, P: Orphans, L: Lock> Flight<T, P, L> {
    const_fn! {
        /// No flight under way. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self::with_clock(NoClock)
        }
    }
}

impl<T, P: Orphans, L: Lock, C: Stamp> Flight<T, P, L, C> {
    const_fn! {
        /// No flight under way; flights have an age by `clock`.
        #[must_use]
        pub const fn with_clock(clock: C) -> Self {
            Self {
                bucket: wait::Bucket::new(),
                clock,
                _orphans: PhantomData,
            }
        }
    }

    /// Joins the run that is under way, or runs `make()`'s future and shares its result.
    ///
    /// `make` is called only by a caller that leads.
    ///
    /// # Cancellation
    /// See [`Run`].
    ///
    /// # Errors
    /// Gives [`NoAnswer`](super::NoAnswer): `Recursive` to a caller inside the very run it asks for;
    /// `Abandoned` where the leader was lost and the policy is [`Fail`](super::Fail), where the
    /// leader's verdict refused the result, or where a clone of it panicked.
    #[inline]
    pub fn run<M, F>(&self, make: M) -> Run<&Self, M, F>
    where
        M: FnOnce() -> F,
        F: Future<Output = T>,
    {
        Run::new(Wait::turn(self, (), ()), make)
    }

    /// [`run`](Flight::run) for a call that keeps the flight alive: `this` is an `Arc` or `Rc` of it.
    #[cfg(feature = "alloc")]
    pub fn run_owned<R, M, F>(this: &R, make: M) -> Run<R, M, F>
    where
        R: Handle<Target = Self>,
        M: FnOnce() -> F,
        F: Future<Output = T>,
    {
        Run::new(Wait::turn(this.clone(), (), ()), make)
    }

    /// As [`run_owned`](Flight::run_owned), for a run that is no caller's: it is a task of `spawn`'s,
    /// counted by `tally`, and all callers follow it. So it outlives the one that started it; it is
    /// cancelled when the last caller has left, unless told to [finish](super::Detached::outlive).
    ///
    /// Where it cannot be spawned (a pool is full, a runtime is shut down) and the future is given
    /// back, it runs in the caller. If its task is lost, exactly one of those who wait spawns anew, by
    /// the policy [`Promote`]. Allocates the task's future.
    ///
    /// # Errors
    /// As [`run`](Flight::run), and [`NotSpawned`](super::NoAnswer::NotSpawned) where the runtime
    /// swallowed the task.
    #[cfg(feature = "alloc")]
    pub fn run_detached<R, S, A, M, F>(
        this: &R,
        spawn: S,
        tally: A,
        make: M,
    ) -> Detached<R, S, A, M, F>
    where
        R: Handle<Target = Self>,
        M: FnOnce() -> F,
        F: Future<Output = T>,
    {
        Detached::new(Wait::turn(this.clone(), (), ()), spawn, tally, make)
    }

    /// Forgets the run that is under way: it goes on for those who joined it; the next caller runs
    /// afresh. True if there was one. O(1).
    pub fn forget(&self) -> bool {
        transitions::forget(At::new(self, ()), |()| true, |_| true)
    }

    /// Whether a run is under way that the next caller would join. One short lock hold.
    #[must_use]
    pub fn is_running(&self) -> bool {
        transitions::begun(At::new(self, ()), |()| true).is_some()
    }

    /// How many have joined the run that is under way, besides its leader; `None` if there is none.
    /// One short lock hold.
    #[must_use]
    pub fn peek(&self) -> Option<u32> {
        transitions::joined(At::new(self, ()), |()| true)
    }
}

impl<T, P: Orphans, L, C: Stamp> sealed::Sealed for Flight<T, P, L, C> {}

impl<T, P: Orphans, L: Lock, C: Stamp> Table for Flight<T, P, L, C> {
    type Key = ();
    type Value = T;
    type Orphans = P;
    type Lock = L;
    type Stamp = C;
    type Place = ();

    #[inline(always)]
    fn bucket(&self, (): ()) -> &Bucket<Self> {
        &self.bucket
    }

    fn stamp(&self) -> &C {
        &self.clock
    }
}

impl<T, P: Orphans, L: Lock, C: Stamp + Default> Default for Flight<T, P, L, C> {
    fn default() -> Self {
        Self::with_clock(C::default())
    }
}

impl<T, P: Orphans, L: Lock, C: Stamp> fmt::Debug for Flight<T, P, L, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flight")
            .field("running", &self.is_running())
            .finish()
    }
}

impl<T, P: Orphans, L, C: Stamp> core::panic::UnwindSafe for Flight<T, P, L, C> {}
impl<T, P: Orphans, L, C: Stamp> core::panic::RefUnwindSafe for Flight<T, P, L, C> {}
