//! Graceful shutdown of a scope's children: told, waited for, forced, and counted.
//!
//! Invariants:
//! - **G1** Each of the phases ends when no child is left, and is bounded by its time.
//! - **G2** From the cancel on who is counted as ended in a phase was there at its beginning: a
//!   cancelled scope takes no more children.

use core::{fmt, future::Future, pin::pin, time::Duration};

use super::{
    reason::{Kind, Reason},
    shared::SharedScope,
};
use crate::{runtime::Timer, sync::Lock};

/// How long what is left is waited for once it was forced: futures are dropped at their next poll.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shuts a scope down when asked to: its children may end by themselves, are told, are given a grace,
/// are forced, and are counted.
///
/// | phase | for at most | children |
/// |---|---|---|
/// | drain | [`drain`](Shutdown::drain), default none | may end as if nothing were, and spawn others |
/// | cancel | [`grace`](Shutdown::grace) | are told by a [cancel](SharedScope::cancel), and clean up |
/// | force | [`patience`](Shutdown::patience), default 1 s | their futures are dropped by [force](SharedScope::force) |
///
/// A phase is over as soon as no child is left in the scope or below it; a second signal ends the
/// present one at once.
///
/// ```
/// use core::time::Duration;
/// use ecluse_core::{SharedScope, cancel::Shutdown};
/// # use ecluse_core::runtime::{Clock, Timer};
/// # #[derive(Clone, Copy)]
/// # struct Timed;
/// # impl Clock for Timed {
/// #     type Instant = Duration;
/// #     fn now(&self) -> Duration { Duration::ZERO }
/// #     fn after(&self, from: Duration, by: Duration) -> Duration { from + by }
/// # }
/// # impl Timer for Timed {
/// #     type Sleep = core::future::Pending<()>;
/// #     fn sleep_until(&self, _: Duration) -> Self::Sleep { core::future::pending() }
/// # }
/// # async fn signal() {}
/// # let timer = Timed;
/// # futures_executor::block_on(async {
/// let server: SharedScope = SharedScope::named("server");
/// // … `server.spawn(…)`, wherever somebody connects …
/// let report = Shutdown::new(&server, timer)
///     .grace(Duration::from_secs(5))
///     .on(signal) // `tokio::signal::ctrl_c`, say
///     .await;
/// if report.left() > 0 {
///     println!("{report}, still there:\n{}", server.tree());
/// }
/// # assert_eq!((report.left(), server.is_cancelled()), (0, true));
/// # });
/// ```
#[derive(Debug)]
#[must_use = "it does nothing until it is told what to wait for"]
pub struct Shutdown<'s, M, L: Lock> {
    scope: &'s SharedScope<L>,
    timer: M,
    reason: Reason,
    drain: Duration,
    grace: Duration,
    patience: Duration,
}

impl<'s, M: Timer, L: Lock> Shutdown<'s, M, L> {
    /// A shutdown of `scope` by `timer`'s clock, with the reason [`Kind::Shutdown`], and no grace.
    pub fn new(scope: &'s SharedScope<L>, timer: M) -> Self {
        Self {
            scope,
            timer,
            reason: Reason::new(Kind::Shutdown),
            drain: Duration::ZERO,
            grace: Duration::ZERO,
            patience: PATIENCE,
        }
    }

    /// What the children are told.
    pub fn reason(self, reason: impl Into<Reason>) -> Self {
        Self {
            reason: reason.into(),
            ..self
        }
    }

    /// How long children may go on before they are told. Who makes new ones for others (an acceptor) is
    /// to be told by whoever signals: with a scope of its own, say, cancelled in the signal's future.
    pub fn drain(self, drain: Duration) -> Self {
        Self { drain, ..self }
    }

    /// How long children may clean up once they are told.
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// How long the executor may take to drop what was forced.
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Waits for `signal` or for a cancel of the scope by somebody else, then goes through the phases.
    /// `signal` is called again in each phase but the last: a second Ctrl-C. What its futures give is
    /// not looked at: one that fails is a signal.
    ///
    /// # Cancellation
    /// Dropping it ends nothing that has begun: what was told stays told.
    ///
    /// # Panics
    /// If a waker of a child panics, with its panic.
    pub async fn on<S, F>(self, mut signal: S) -> Report
    where
        S: FnMut() -> F,
        F: Future,
    {
        let cx = self.scope.cx();
        // A cancel by somebody else begins it, too.
        let _ = cx.guard(signal()).await;
        let begun = self.scope.live();
        if !self.drain.is_zero() && !cx.is_cancelled() {
            self.joined(self.drain, signal()).await;
        }
        let told = self.scope.live();
        cx.cancel(self.reason);
        self.joined(self.grace, signal()).await;
        let forced = self.scope.live();
        if forced > 0 {
            cx.force(self.reason);
            self.joined(self.patience, core::future::pending::<()>())
                .await;
        }
        let left = self.scope.live();
        Report {
            // (G2; before the cancel there may have come some.)
            finished: begun.saturating_sub(told),
            cancelled: told.saturating_sub(forced),
            forced: forced.saturating_sub(left),
            left,
        }
    }

    /// Until no child is left, `limit` is over, or `signal` comes.
    async fn joined(&self, limit: Duration, signal: impl Future) {
        let at = self.timer.after(self.timer.now(), limit);
        let mut joined = pin!(self.scope.joined());
        let mut over = pin!(self.timer.sleep_until(at));
        let mut signal = pin!(signal);
        core::future::poll_fn(|cx| {
            if joined.as_mut().poll(cx).is_ready()
                || over.as_mut().poll(cx).is_ready()
                || signal.as_mut().poll(cx).is_ready()
            {
                core::task::Poll::Ready(())
            } else {
                core::task::Poll::Pending
            }
        })
        .await;
    }
}

/// How the children of a scope ended that was [shut down](Shutdown).
///
/// It counts as [`SharedScope::live`] does: a scope right below, with all its children, is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Report {
    finished: usize,
    cancelled: usize,
    forced: usize,
    left: usize,
}

impl Report {
    /// How many ended by themselves between the signal and the cancel, less those that came.
    #[must_use]
    pub const fn finished(&self) -> usize {
        self.finished
    }

    /// How many ended between the cancel and the end of the grace.
    #[must_use]
    pub const fn cancelled(&self) -> usize {
        self.cancelled
    }

    /// How many ended by force.
    #[must_use]
    pub const fn forced(&self) -> usize {
        self.forced
    }

    /// How many have not ended. What is still there is in the scope's [`tree`](SharedScope::tree).
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} finished, {} cancelled, {} forced, {} left",
            self.finished, self.cancelled, self.forced, self.left
        )
    }
}
