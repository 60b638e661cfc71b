//! `Tally`: spawned futures that can be counted, joined and cancelled without asking their executor.
//!
//! Invariants:
//! - **T1** A ticket is counted from its making until its future's destructor has run, however the
//!   ticket ends: finished, cancelled, dropped by the executor unrun, given back.
//! - **T2** The count reaching zero tells every joiner, exactly those queued at that moment.
//! - **T3** After a cancel every ticket's future is dropped at the ticket's next poll, which is
//!   under way; a ticket made later is cancelled at its first.

use core::fmt;

use super::{
    count::{Count, Counts, Joined, ToJoin},
    ticket::Ticket,
};
use crate::{
    sync::{DefaultLock, Handle, Lock, Locked, Protected},
    wait::{Drain, Link, Ring, Wait},
};

/// Counts the [`Ticket`]s of spawned futures.
///
/// ```
/// use ecluse_core::runtime::Tally;
///
/// static WORKERS: Tally = Tally::new();
///
/// # futures_executor::block_on(async {
/// let ticket = WORKERS.ticket(async { /* … */ });
/// assert_eq!(WORKERS.live(), 1);
/// ticket.await; // as a rule: an executor's spawn
/// WORKERS.joined().await;
/// # });
/// ```
pub struct Tally<L = DefaultLock> {
    crew: Protected<L, Crew>,
}

/// What the tally's lock protects.
pub struct Crew {
    count: Count,
    cancelled: bool,
    tickets: Ring<()>,
}

impl<R, L: Lock> Counts for R
where
    R: Handle<Target = Tally<L>>,
{
    type Lock = L;
    type Held = Crew;
    type Told = ();

    fn guarded(&self) -> &Protected<L, Crew> {
        &self.crew
    }

    fn count<'h>(&'h self, crew: &'h mut Locked<Crew>) -> &'h mut Count {
        &mut crew.count
    }

    fn tickets<'h>(&'h self, crew: &'h mut Locked<Crew>) -> &'h mut Ring<()> {
        &mut crew.tickets
    }

    fn told(&self, crew: &mut Locked<Crew>) -> Option<()> {
        crew.cancelled.then_some(())
    }

    fn enter(&self) -> bool {
        self.crew.with(|crew| crew.count.enter());
        true
    }

    fn leave(&self, lost: bool) {
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.crew, &sentinel, ());
        self.crew.with(|crew| {
            if let Some(joiners) = crew.count.leave(lost) {
                // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
                unsafe {
                    drain.detach(joiners);
                    drain.begin();
                }
            }
        });
        drain.run();
    }
}

impl<L: Lock> Tally<L> {
    const_fn! {
        /// An empty tally. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                crew: Protected::new(Crew {
                    count: Count::new(),
                    cancelled: false,
                    tickets: Ring::new(),
                }),
            }
        }
    }

    /// A counted `future`, to be spawned.
    pub fn ticket<F>(&self, future: F) -> Ticket<F, &Self> {
        Counts::enter(&self);
        Ticket::counted(self, future)
    }

    /// A counted `future` that keeps the tally alive: `this` is an `Arc` or `Rc` of it.
    #[cfg(feature = "alloc")]
    pub fn ticket_owned<F, R: Handle<Target = Self>>(this: &R, future: F) -> Ticket<F, R> {
        this.enter();
        Ticket::counted(this.clone(), future)
    }

    /// How many tickets are out.
    #[must_use]
    pub fn live(&self) -> usize {
        self.crew.with(|crew| crew.count.live())
    }

    /// How many tickets ended before their futures did: dropped by an executor, cancelled,
    /// panicked. Given back ([`Ticket::into_inner`]) is not lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.crew.with(|crew| crew.count.lost())
    }

    /// Waits until no ticket is out: the destructors of all their futures have run.
    ///
    /// # Cancellation
    /// Leaves the queue; the tickets are not affected.
    pub fn joined(&self) -> Joined<&Self> {
        Wait::new(ToJoin(self))
    }

    /// [`joined`](Tally::joined) for a wait that keeps the tally alive.
    #[cfg(feature = "alloc")]
    pub fn joined_owned<R: Handle<Target = Self>>(this: &R) -> Joined<R> {
        Wait::new(ToJoin(this.clone()))
    }

    /// Cancels every ticket, present and future: its future is dropped at its next poll, which
    /// this wakes. Works on executors that cannot abort. True for the one call that did it.
    pub fn cancel(&self) -> bool {
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.crew, &sentinel, ());
        let first = self.crew.with(|crew| {
            let first = !core::mem::replace(&mut crew.cancelled, true);
            // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
            unsafe {
                drain.detach(&mut crew.tickets);
                drain.begin();
            }
            first
        });
        drain.run();
        first
    }

    /// Whether [`cancel`](Tally::cancel) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.crew.with(|crew| crew.cancelled)
    }
}

impl<L: Lock> Default for Tally<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L: Lock> fmt::Debug for Tally<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (live, lost, cancelled) = self
            .crew
            .with(|crew| (crew.count.live(), crew.count.lost(), crew.cancelled));
        f.debug_struct("Tally")
            .field("live", &live)
            .field("lost", &lost)
            .field("cancelled", &cancelled)
            .finish()
    }
}

impl<L> core::panic::UnwindSafe for Tally<L> {}
impl<L> core::panic::RefUnwindSafe for Tally<L> {}
