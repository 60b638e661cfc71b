//! Refreshes that are tasks of their own: no caller waits for an early one, and no caller's time-out
//! ends one.

use alloc::boxed::Box;
use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use super::{Current, Get, Hear, Look, Mint, Minted, NoValue, Refresher};
use crate::{
    flight::{Bucket, Detached, Leader, NoClock, Promote, Table, sealed},
    runtime::{Clock, Spawn, TallyRef},
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
    ) -> Get<impl Future<Output = Result<Current<T>, NoValue<E>>>>
    where
        R: Handle<Target = Self> + Send + Sync + 'static,
        S: Spawn<Refresh<R, Mint<T, E, C::Instant>>, A>,
        A: TallyRef,
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<Minted<T>, E>> + Send + 'static,
    {
        let this = this.clone();
        Get::new(async move {
            let old = match this.look().await {
                Look::Fresh(held) => return Ok(held.into()),
                Look::Due(held) if !this.may_be_early() => return Ok(held.into()),
                Look::Due(held) => Some(held),
                Look::Nothing => None,
            };
            let (seen, owned) = (old.as_ref().map(|old| old.version), this.clone());
            let mint = move || -> Minting<_> {
                Box::pin(async move { owned.mint(Some(make), seen).await })
            };
            let run = Detached::new(Wait::turn(this.clone(), (), ()), spawn, tally, mint).outlive();
            if let Some(old) = old {
                let mut run = pin!(run);
                // One poll spawns it.
                poll_fn(|cx| {
                    let _ = run.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
                return Ok(old.into());
            }
            match run.await {
                Ok(answer) => {
                    let held = answer.value?;
                    if held.has_expired(this.clock.now()) {
                        return Err(NoValue::Expired);
                    }
                    Ok(held.into())
                }
                Err(why) => Err(NoValue::NoRun(why)),
            }
        })
    }
}
