//! Refreshes that are tasks of their own: no caller waits for an early one, and no caller's time-out
//! ends one.

use alloc::boxed::Box;
use core::{
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::{Pin, pin},
    task::Poll,
};

use super::{Current, Get, Hear, Mint, Minted, NoValue, Refresher};
use crate::{
    flight::{Bucket, Detached, Leader, NoClock, Promote, Table, sealed},
    runtime::{Clock, Spawn, SpawnError, TallyRef, Ticket},
    sync::{Handle, Lock},
    wait::Wait,
};

impl<T, E, C: Clock, L, O> sealed::Sealed for Refresher<T, E, C, L, O> {}

/// A refresher is a table of one flight: its own.
impl<T, E, C: Clock, L: Lock, O> Table for Refresher<T, E, C, L, O> {
    type Key = ();
    type Value = Mint<T, E, C::Instant>;
    type Orphans = Promote;
    type Lock = L;
    type Stamp = NoClock;
    type Place = ();

    fn bucket(&self, (): ()) -> &Bucket<Self> {
        self.flight.bucket(())
    }

    fn stamp(&self) -> &NoClock {
        self.flight.stamp()
    }
}

/// A mint on its way to be spawned.
pub type Minting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What is spawned to refresh `R`, whose mints come to `V`.
pub type Refresh<R, V> = Pin<Box<Leader<R, Minting<V>>>>;

impl<T, E, C, L, O> Refresher<T, E, C, L, O>
where
    T: Clone + Send + Sync + 'static,
    E: Clone + Send + 'static,
    C: Clock<Instant: Send + Sync> + Send + Sync + 'static,
    L: Lock + Send + Sync + 'static,
    O: Hear + Send + Sync + 'static,
{
    /// As [`get`](Refresher::get), and the mint is a task of `spawn`'s, counted by `tally`: a value
    /// that is due is served at once to all who ask, and a caller that gives up does not end the mint.
    ///
    /// Bound to no runtime: each call spawns where it says. If the task is lost (its runtime shut
    /// down), one of those who wait spawns anew. Where it cannot be spawned it runs in the caller.
    /// Allocates the task.
    ///
    /// # Cancellation
    /// Safe at every point; the mint goes on.
    ///
    /// # Errors
    /// As [`get`](Refresher::get).
    pub fn get_in_background<R, S, A, M, F>(
        this: &R,
        spawn: S,
        tally: A,
        make: M,
    ) -> Get<impl Future<Output = Result<Current<T>, NoValue<E>>> + use<R, S, A, M, F, T, E, C, L, O>>
    where
        R: Handle<Target = Self> + Send + Sync + 'static,
        S: Spawn<Refresh<R, Mint<T, E, C::Instant>>, A>,
        A: TallyRef,
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<Minted<T>, E>> + Send + 'static,
    {
        let this = this.clone();
        Get::new(async move {
            let mut seen = match this.begin() {
                ControlFlow::Continue(seen) => seen,
                ControlFlow::Break(end) => return end.map(Current::from),
            };
            let mut make = Some(make);
            // As in `ask`: a round waits for another's mint, the last one leads.
            loop {
                let owned = this.clone();
                let mint = || -> Minting<_> {
                    let make = make.take();
                    Box::pin(async move { owned.mint(make, seen).await })
                };
                let wait = Wait::turn(this.clone(), (), ());
                let run = Detached::new(wait, Lent(&spawn), tally.clone(), mint).outlive();
                let mut run = pin!(run);
                let answer = poll_fn(|cx| match run.as_mut().poll(cx) {
                    Poll::Ready(answer) => Poll::Ready(Some(answer)),
                    // X5: it is spawned, by us or by another.
                    Poll::Pending if seen.is_some() && !run.runs_here() => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                });
                let answer = answer.await;
                // (Who was not told of an end may ask again.)
                let again = run.has_make();
                match this.end(answer, again) {
                    ControlFlow::Continue(()) => seen = None,
                    ControlFlow::Break(end) => return end.map(Current::from),
                }
            }
        })
    }
}

/// A spawner for one round.
struct Lent<'a, S>(&'a S);

impl<F, A: TallyRef, S: Spawn<F, A>> Spawn<F, A> for Lent<'_, S> {
    type Abort = S::Abort;

    fn spawn(&self, ticket: Ticket<F, A>) -> Result<S::Abort, SpawnError<F>> {
        self.0.spawn(ticket)
    }
}
