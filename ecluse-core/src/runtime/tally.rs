//! `Tally` and `Ticket`: spawned futures that can be counted, joined and cancelled without asking
//! their executor.
//!
//! Invariants:
//! - **T1** A ticket is counted from its making until its future's destructor has run, however the
//!   ticket ends: finished, cancelled, dropped by the executor unrun, given back.
//! - **T2** The count reaching zero tells every joiner, exactly those queued at that moment.
//! - **T3** After a cancel every ticket's future is dropped at the ticket's next poll, which is
//!   under way; a ticket made later is cancelled at its first.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use crate::{
    sync::{DefaultLock, Handle, Lock, Locked, Protected},
    wait::{Drain, Found, Link, Node, Protocol, Ring, UserCode, Wait},
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
    live: usize,
    lost: usize,
    cancelled: bool,
    joiners: Ring<()>,
    tickets: Ring<()>,
}

/// A handle on a tally: `&Tally`, and with `alloc` `Arc<Tally>` and `Rc<Tally>`. Sealed.
pub trait TallyRef: Handle {
    /// The tally's lock.
    type Lock: Lock;

    /// The tally.
    fn tally(&self) -> &Tally<Self::Lock>;
}

impl<R, L: Lock> TallyRef for R
where
    R: Handle<Target = Tally<L>>,
{
    type Lock = L;

    fn tally(&self) -> &Tally<L> {
        self
    }
}

impl<L: Lock> Tally<L> {
    const_fn! {
        /// An empty tally. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                crew: Protected::new(Crew {
                    live: 0,
                    lost: 0,
                    cancelled: false,
                    joiners: Ring::new(),
                    tickets: Ring::new(),
                }),
            }
        }
    }

    /// A counted `future`, to be spawned.
    pub fn ticket<F>(&self, future: F) -> Ticket<F, &Self> {
        Ticket::new(self, future)
    }

    /// A counted `future` that keeps the tally alive: `this` is an `Arc` or `Rc` of it.
    #[cfg(feature = "alloc")]
    pub fn ticket_owned<F, R: TallyRef<Lock = L>>(this: &R, future: F) -> Ticket<F, R> {
        Ticket::new(this.clone(), future)
    }

    /// How many tickets are out.
    #[must_use]
    pub fn live(&self) -> usize {
        self.crew.with(|crew| crew.live)
    }

    /// How many tickets ended before their futures did: dropped by an executor, cancelled,
    /// panicked. Given back ([`Ticket::into_inner`]) is not lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.crew.with(|crew| crew.lost)
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
    pub fn joined_owned<R: TallyRef<Lock = L>>(this: &R) -> Joined<R> {
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

    fn enter(&self) {
        self.crew.with(|crew| crew.live += 1);
    }

    fn leave(&self, lost: bool) {
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.crew, &sentinel, ());
        self.crew.with(|crew| {
            crew.live -= 1;
            crew.lost += usize::from(lost);
            if crew.live == 0 {
                // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
                unsafe {
                    drain.detach(&mut crew.joiners);
                    drain.begin();
                }
            }
        });
        drain.run();
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
            .with(|crew| (crew.live, crew.lost, crew.cancelled));
        f.debug_struct("Tally")
            .field("live", &live)
            .field("lost", &lost)
            .field("cancelled", &cancelled)
            .finish()
    }
}

impl<L> core::panic::UnwindSafe for Tally<L> {}
impl<L> core::panic::RefUnwindSafe for Tally<L> {}

/// The wait for a [`Tally`] to be empty.
pub type Joined<R> = Wait<ToJoin<R>>;

/// The wait for a [`Tally`] to be cancelled.
pub type Cancelled<R> = Wait<ToCancel<R>>;

/// What [`Joined`] waits for.
pub struct ToJoin<R: TallyRef>(R);

/// What [`Cancelled`] waits for.
pub struct ToCancel<R: TallyRef>(R);

/// The two waits differ in their ring and in what they wait for.
macro_rules! tally_wait {
    ($target:ident, $ring:ident, $over:expr) => {
        impl<R: TallyRef> Protocol for $target<R> {
            type Lock = R::Lock;
            type Held = Crew;
            type Grant = ();
            type Extra = ();
            type Output = ();
            type Notes = ();

            fn guarded(&self) -> &Protected<Self::Lock, Crew> {
                &self.0.tally().crew
            }

            fn ring<'h>(&'h self, crew: &'h mut Locked<Crew>) -> Option<&'h mut Ring<()>> {
                Some(&mut crew.$ring)
            }

            fn attempt(&self) -> Option<()> {
                None
            }

            fn enlist<'h>(
                &'h self,
                crew: &'h mut Locked<Crew>,
                _: &Node<()>,
                _: &Waker,
                (): &mut (),
            ) -> Found<'h, Self> {
                match self.over(crew) {
                    Some(()) => Found::Grant(()),
                    None => Found::Ring(&mut crew.$ring),
                }
            }

            fn over(&self, crew: &mut Locked<Crew>) -> Option<()> {
                let over: fn(&Crew) -> bool = $over;
                over(crew).then_some(())
            }

            fn observe(&self, (): ()) {}
        }
    };
}

tally_wait!(ToJoin, joiners, |crew| crew.live == 0);
tally_wait!(ToCancel, tickets, |crew| crew.cancelled);

pin_project! {
    /// A future that is counted by a [`Tally`] and ends when that is cancelled.
    ///
    /// # Cancellation
    /// Dropping it drops the future, then takes it off the count.
    #[must_use = "a ticket does nothing unless it is spawned or awaited"]
    pub struct Ticket<F, R: TallyRef> {
        // Before the place: its destructor has run when the count goes down (T1).
        #[pin]
        future: Option<F>,
        #[pin]
        cancelled: Cancelled<R>,
        place: Place<R>,
    }
}

/// One of a tally's count.
struct Place<R: TallyRef> {
    tally: Option<R>,
    lost: bool,
}

impl<R: TallyRef> Place<R> {
    fn leave(&mut self) {
        if let Some(tally) = self.tally.take() {
            tally.tally().leave(self.lost);
        }
    }
}

impl<R: TallyRef> Drop for Place<R> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<F, R: TallyRef> Ticket<F, R> {
    pub(crate) fn new(tally: R, future: F) -> Self {
        tally.tally().enter();
        Self {
            future: Some(future),
            cancelled: Wait::new(ToCancel(tally.clone())),
            place: Place {
                tally: Some(tally),
                lost: true,
            },
        }
    }

    /// Gives the future back, uncounted. `None` if it has ended.
    pub fn into_inner(mut self) -> Option<F> {
        self.place.lost = false;
        self.future.take()
    }
}

impl<F: Future<Output = ()>, R: TallyRef> Future for Ticket<F, R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Ready(());
        };
        if this.cancelled.poll(cx).is_pending() {
            // If this unwinds, the future ends when the ticket is dropped, as lost.
            if future.poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.place.lost = false;
        }
        let mut user = UserCode::new();
        user.call(|| this.future.set(None));
        user.call(|| this.place.leave());
        user.rethrow();
        Poll::Ready(())
    }
}

impl<F: Future<Output = ()>, R: TallyRef> FusedFuture for Ticket<F, R> {
    fn is_terminated(&self) -> bool {
        self.future.is_none()
    }
}

impl<F, R: TallyRef> fmt::Debug for Ticket<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("ended", &self.future.is_none())
            .finish_non_exhaustive()
    }
}
