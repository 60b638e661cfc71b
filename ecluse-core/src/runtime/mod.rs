//! What an adapter binds: a clock, a timer, a way to spawn. And what the core builds on them, once
//! for all runtimes: waits with a bound, counted tickets for spawned work.
//!
//! | file | holds |
//! |---|---|
//! | `bind` | `bind_timer!`, the sugar of an adapter |
//! | `deadline` | a wait with a time bound; a claim that does not suffer a stalled grantee |
//! | `instant` | sums on the standard clock that saturate |
//! | `count`, `tally`, `ticket` | `Tally` and `Ticket`: joining and cancelling spawned futures without a join handle |
//! | `inline` | a future of any type in a place of fixed size, for static task pools |

mod bind;
mod count;
mod deadline;
mod inline;
#[cfg(feature = "std")]
mod instant;
mod tally;
mod ticket;

pub use self::{
    count::{Cancelled, Joined, TallyRef, ToCancel, ToJoin},
    deadline::{Deadline, StallBound},
    inline::{Inline, Makes},
    tally::Tally,
    ticket::Ticket,
};

pub(crate) use self::count::{Count, Counts};

pub(crate) use self::deadline::poll_sleep;
#[doc(hidden)]
pub use self::inline::size_of_made;

#[cfg(feature = "std")]
pub use self::instant::instant_after;

use core::{fmt, future::Future, time::Duration};

/// A clock that does not go backwards.
pub trait Clock {
    /// A moment.
    type Instant: Copy + Ord;

    /// The present moment.
    fn now(&self) -> Self::Instant;

    /// The moment `by` after `from`, rounded up to what the clock can tell apart. Saturates: a sum
    /// beyond the clock's range is its last moment.
    fn after(&self, from: Self::Instant, by: Duration) -> Self::Instant;
}

/// A clock that futures can wait for.
pub trait Timer: Clock {
    /// The wait. It lies inside the future that waits; dropping it cancels it.
    type Sleep: Future<Output = ()>;

    /// Over at `at`, at once if that has passed.
    fn sleep_until(&self, at: Self::Instant) -> Self::Sleep;
}

impl<C: Clock> Clock for &C {
    type Instant = C::Instant;

    fn now(&self) -> Self::Instant {
        C::now(self)
    }

    fn after(&self, from: Self::Instant, by: Duration) -> Self::Instant {
        C::after(self, from, by)
    }
}

impl<T: Timer> Timer for &T {
    type Sleep = T::Sleep;

    fn sleep_until(&self, at: Self::Instant) -> Self::Sleep {
        T::sleep_until(self, at)
    }
}

/// Runs futures as tasks.
///
/// Joining goes through the [`Ticket`]'s [`Tally`], not through the executor, so that it means the
/// same on every runtime.
pub trait Spawn<F, R: TallyRef> {
    /// The executor's own way to end the task early, if it has one; `()` if not. An accelerator
    /// only: [`Tally::cancel`] works without.
    type Abort: Abort;

    /// Runs the ticket's future as a task.
    ///
    /// # Errors
    /// [`SpawnError::Busy`] if a pool has no place, with the future; [`SpawnError::Closed`] if the
    /// runtime is shut down, with the future where the executor did not swallow it. In either case
    /// the ticket is no longer counted when this returns.
    fn spawn(&self, ticket: Ticket<F, R>) -> Result<Self::Abort, SpawnError<F>>;
}

/// Ends a task early. Dropping it does nothing: the task goes on.
pub trait Abort {
    /// Asks the executor to drop the task's future soon.
    fn abort(self);
}

/// An executor without an abort.
impl Abort for () {
    fn abort(self) {}
}

/// Why a task was not spawned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SpawnError<F> {
    /// Every place of the pool is taken. The future is given back as it was.
    Busy(F),
    /// The runtime is shut down. The future is given back, unless the executor dropped it.
    Closed(Option<F>),
    /// The [scope](crate::SharedScope) takes no more children: it was cancelled, closed, or is over.
    /// The future is given back as it was. (What says so is the scope; no executor does.)
    Refused(F),
}

impl<F> SpawnError<F> {
    /// The future, if it was given back.
    pub fn into_future(self) -> Option<F> {
        match self {
            Self::Busy(future) | Self::Refused(future) => Some(future),
            Self::Closed(future) => future,
        }
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy(_) => "Busy(..)",
            Self::Closed(Some(_)) => "Closed(Some(..))",
            Self::Closed(None) => "Closed(None)",
            Self::Refused(_) => "Refused(..)",
        })
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy(_) => "every place of the task pool is taken",
            Self::Closed(_) => "the runtime is shut down",
            Self::Refused(_) => "the scope takes no more children",
        })
    }
}

impl<F> core::error::Error for SpawnError<F> {}
