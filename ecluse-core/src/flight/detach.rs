//! Runs that are detached from their callers: a spawned task leads, all callers follow.
//!
//! The caller that finds nobody leading makes the task, hands the lead over to it, and queues behind
//! it, in one lock hold. From there on the task is a leader like any; what is special is that it
//! ends when the last of its followers has left, unless told to finish.
//!
//! Invariants:
//! - **D1** A task's node leads before the task is spawned: whatever becomes of the task (dropped unrun,
//!   aborted, its runtime shut down), its drop is a leader's.
//! - **D2** A task whose last follower leaves is doomed and out of the table in that same lock hold: no
//!   newcomer joins it.

use alloc::boxed::Box;
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{
    Answer, NoAnswer,
    table::Table,
    transitions,
    turn::{TableRef, ToTurn, Turn},
};
use crate::{
    Outcome,
    runtime::{Spawn, SpawnError, TallyRef, Ticket},
    wait::{UserCode, Wait, polled_again},
};

pin_project! {
    /// The task that leads a detached flight: what is spawned. Not for use by hand.
    pub struct Leader<R, F>
    where
        R: TableRef,
    {
        // Before the wait: dropped first.
        #[pin]
        body: Option<F>,
        #[pin]
        wait: Wait<ToTurn<R>>,
    }
}

/// Stands by while the work runs. If that unwinds, the flight is lost at once.
struct Exit<'a, R: TableRef, F> {
    body: Pin<&'a mut Option<F>>,
    wait: Pin<&'a Wait<ToTurn<R>>>,
    by_panic: bool,
}

impl<R: TableRef, F> Drop for Exit<'_, R, F> {
    fn drop(&mut self) {
        let mut user = UserCode::new();
        user.call(|| self.body.set(None));
        user.call(|| transitions::lose(self.wait.at(), self.wait.seat(), self.by_panic));
        user.rethrow();
    }
}

impl<R, F> Future for Leader<R, F>
where
    R: TableRef<Target: Table<Value: Clone>>,
    F: Future<Output = <R::Target as Table>::Value>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let wait = this.wait.as_ref();
        let (at, seat) = (wait.get_ref().at(), wait.get_ref().seat());
        let mut exit = Exit {
            body: this.body,
            wait,
            by_panic: true,
        };
        let Some(body) = exit.body.as_mut().as_pin_mut() else {
            core::mem::forget(exit);
            return Poll::Ready(());
        };
        if !transitions::attend(at, seat, cx.waker()) {
            exit.by_panic = false;
            return Poll::Ready(());
        }
        let value = {
            let _here = seat.extra().data().polled.enter(cx.waker());
            match body.poll(cx) {
                Poll::Ready(value) => value,
                Poll::Pending => {
                    core::mem::forget(exit);
                    return Poll::Pending;
                }
            }
        };
        // Still guarded: a destructor that panics is a panic of the work.
        exit.body.set(None);
        core::mem::forget(exit);
        transitions::land(at, seat, &value);
        Poll::Ready(())
    }
}

impl<R: TableRef, F> fmt::Debug for Leader<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leader")
            .field("ended", &self.body.is_none())
            .finish_non_exhaustive()
    }
}

/// The leader's place on the heap: it is linked before it is spawned, so it must not move.
type Boxed<R, F> = Pin<Box<Leader<R, F>>>;

pin_project! {
    /// A call whose run is detached from it: gives the [`Answer`], or why there is [none](NoAnswer).
    ///
    /// # Cancellation
    /// Dropping it is always safe. The run goes on for the other callers; when the last one has left
    /// it is cancelled, unless [told to finish](Detached::outlive).
    ///
    /// # Panics
    /// Polling it after `Ready` panics.
    #[must_use = "a flight does nothing unless it is awaited"]
    pub struct Detached<R, S, A, M, F>
    where
        R: TableRef,
    {
        // Where it could not be spawned. Before the wait: it leads, so that it is dropped first.
        own: Option<Boxed<R, F>>,
        #[pin]
        wait: Wait<ToTurn<R>>,
        spawn: S,
        tally: A,
        make: Option<M>,
        outlive: bool,
        refused: bool,
        finished: bool,
    }
}

impl<R, S, A, M, F> Detached<R, S, A, M, F>
where
    R: TableRef,
    M: FnOnce() -> F,
{
    pub(crate) fn new(wait: Wait<ToTurn<R>>, spawn: S, tally: A, make: M) -> Self {
        Self {
            own: None,
            wait,
            spawn,
            tally,
            make: Some(make),
            outlive: false,
            refused: false,
            finished: false,
        }
    }

    /// Whether the run is in this caller, because it could not be spawned.
    pub(crate) fn runs_here(&self) -> bool {
        self.own.is_some()
    }

    /// Whether this call has started no run.
    pub(crate) fn has_make(&self) -> bool {
        self.make.is_some()
    }

    /// Lets the run finish when its last caller has left, if this call starts it.
    pub fn outlive(mut self) -> Self {
        self.outlive = true;
        self
    }
}

impl<R, S, A, M, F> Future for Detached<R, S, A, M, F>
where
    R: TableRef<Target: Table<Value: Clone, Key: Clone>>,
    S: Spawn<Boxed<R, F>, A>,
    A: TallyRef,
    M: FnOnce() -> F,
    F: Future<Output = <R::Target as Table>::Value>,
{
    type Output = Result<Answer<<R::Target as Table>::Value>, NoAnswer>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if *this.finished {
            return polled_again("a `Detached`");
        }
        loop {
            if let Some(own) = this.own {
                if own.as_mut().poll(cx).is_ready() {
                    *this.own = None;
                }
            }
            match ready!(this.wait.as_mut().poll(cx)) {
                Turn::Landed(landing) => {
                    *this.finished = true;
                    return Poll::Ready(landing.into_answer());
                }
                Turn::Lead => {}
            }
            let wait = this.wait.as_ref();
            let Some(make) = this.make.take() else {
                // Its task was lost before anybody saw a result of it.
                *this.finished = true;
                let (at, seat) = (wait.get_ref().at(), wait.get_ref().seat());
                let by_panic = transitions::begin(at, seat).is_some_and(Outcome::by_panic);
                transitions::lose(at, seat, by_panic);
                return Poll::Ready(Err(if *this.refused {
                    NoAnswer::NotSpawned
                } else {
                    NoAnswer::Abandoned { by_panic }
                }));
            };
            let exit = Unmade {
                wait,
                finished: this.finished,
            };
            let leader = Box::pin(Leader {
                body: Some(make()),
                wait: wait.get_ref().again(),
            });
            let follower = cx.waker().clone();
            core::mem::forget(exit);
            // D1.
            transitions::hand_over(
                wait.get_ref().at(),
                wait.get_ref().seat(),
                leader.wait.seat(),
                follower,
                *this.outlive,
            );
            let spawned = match Ticket::new(this.tally.clone(), leader) {
                Ok(ticket) => this.spawn.spawn(ticket).map(drop),
                Err(leader) => Err(SpawnError::Refused(leader)),
            };
            if let Err(refused) = spawned {
                // Given back, it runs here; if not, its drop has told the next.
                *this.own = refused.into_future();
                *this.refused = this.own.is_none();
            }
        }
    }
}

/// Stands by while the work is made. If that unwinds, the next leads at once.
struct Unmade<'a, R: TableRef> {
    wait: Pin<&'a Wait<ToTurn<R>>>,
    finished: &'a mut bool,
}

impl<R: TableRef> Drop for Unmade<'_, R> {
    fn drop(&mut self) {
        *self.finished = true;
        transitions::lose(self.wait.at(), self.wait.seat(), true);
    }
}

impl<R, S, A, M, F> FusedFuture for Detached<R, S, A, M, F>
where
    R: TableRef<Target: Table<Value: Clone, Key: Clone>>,
    S: Spawn<Boxed<R, F>, A>,
    A: TallyRef,
    M: FnOnce() -> F,
    F: Future<Output = <R::Target as Table>::Value>,
{
    fn is_terminated(&self) -> bool {
        self.finished
    }
}

impl<R: TableRef, S, A, M, F> fmt::Debug for Detached<R, S, A, M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
