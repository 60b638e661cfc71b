//! `Limit`: a deadline that can be moved while it is waited for.

use core::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use crate::{
    runtime::Timer,
    sync::{DefaultLock, Lock, Locked, Protected},
    wait::{Drain, Link, Protocol, Ring, Wait},
};

/// A deadline with its clock, for [`Cx::deadline`](super::Cx::deadline). It can be moved at any time
/// by whoever shares it: earlier, later, into the past.
pub struct Limit<M: Timer, L = DefaultLock> {
    timer: M,
    moves: Protected<L, Moves<M::Instant>>,
}

/// What the limit's lock protects.
pub(super) struct Moves<I> {
    at: I,
    waiters: Ring<()>,
}

impl<M: Timer, L: Lock> Limit<M, L> {
    const_fn! {
        /// A deadline at `at`.
        pub const fn at(timer: M, at: M::Instant) -> Self {
            Self {
                timer,
                moves: Protected::new(Moves {
                    at,
                    waiters: Ring::new(),
                }),
            }
        }
    }

    /// A deadline `by` from now.
    pub fn after(timer: M, by: Duration) -> Self {
        let at = timer.after(timer.now(), by);
        Self::at(timer, at)
    }

    /// The clock.
    pub const fn timer(&self) -> &M {
        &self.timer
    }

    /// When the deadline is.
    pub fn get(&self) -> M::Instant {
        self.moves.with(|moves| moves.at)
    }

    /// Moves the deadline. One that was reached has been reached.
    pub fn set(&self, at: M::Instant) {
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.moves, &sentinel, ());
        self.moves.with(|moves| {
            if moves.at != at {
                moves.at = at;
                // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
                unsafe {
                    drain.detach(&mut moves.waiters);
                    drain.begin();
                }
            }
        });
        drain.run();
    }

    /// Moves the deadline to `by` from now.
    pub fn set_after(&self, by: Duration) {
        self.set(self.timer.after(self.timer.now(), by));
    }

    /// Waits until the deadline is reached, wherever it is moved meanwhile.
    ///
    /// # Cancellation
    /// Dropping it drops the timer; nothing else has begun.
    pub async fn reached(&self) {
        loop {
            let seen = self.get();
            let mut sleep = pin!(self.timer.sleep_until(seen));
            let mut moved = pin!(Wait::new(ToMove { limit: self, seen }));
            let slept = poll_fn(|cx| {
                if moved.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(false);
                }
                sleep.as_mut().poll(cx).map(|()| true)
            });
            // Moved at the last moment: what counts is where it is now.
            if slept.await && self.get() == seen {
                return;
            }
        }
    }
}

impl<M: Timer, L> fmt::Debug for Limit<M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit").finish_non_exhaustive()
    }
}

impl<M: Timer, L> core::panic::UnwindSafe for Limit<M, L> {}
impl<M: Timer, L> core::panic::RefUnwindSafe for Limit<M, L> {}

/// What a limit's user waits for besides its sleep.
struct ToMove<'a, M: Timer, L: Lock> {
    limit: &'a Limit<M, L>,
    seen: M::Instant,
}

impl<M: Timer, L: Lock> Protocol for ToMove<'_, M, L> {
    type Lock = L;
    type Held = Moves<M::Instant>;
    type Grant = ();
    type Extra = ();
    type Output = ();
    type Notes = ();

    fn guarded(&self) -> &Protected<L, Self::Held> {
        &self.limit.moves
    }

    fn ring<'h>(&'h self, moves: &'h mut Locked<Self::Held>) -> Option<&'h mut Ring<()>> {
        Some(&mut moves.waiters)
    }

    fn over(&self, moves: &mut Locked<Self::Held>) -> Option<()> {
        (moves.at != self.seen).then_some(())
    }

    fn observe(&self, (): ()) {}
}
