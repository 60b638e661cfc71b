//! What a caller does: it is served, mints, or waits for another's mint.

use core::{
    future::{Future, poll_fn},
    ops::ControlFlow,
    pin::pin,
    task::Poll,
};

use super::{Current, Get, Hear, Held, Look, Mint, Minted, NoValue, Refresher, asking::Asking};
use crate::{
    flight::{Answer, NoAnswer},
    runtime::Clock,
    sync::Lock,
};

impl<T, E, C, L, O> Refresher<T, E, C, L, O>
where
    T: Clone,
    E: Clone,
    C: Clock,
    L: Lock,
    O: Hear,
{
    /// The valid value; minted by `make()`'s future if there is none and nobody else is minting.
    ///
    /// A value that is due is refreshed by one of those who ask, in line; the others are served the
    /// old one at once, and so is that one if its mint fails.
    ///
    /// A mint should have a bound of its own: without a valid value it is what all wait for, and one
    /// that is never over is never replaced.
    ///
    /// # Cancellation
    /// Safe at every point. A caller that mints and is dropped is no failure: one of those who wait
    /// mints next, with its own `make`.
    ///
    /// # Errors
    /// [`NoValue`], only where there is no valid value.
    ///
    /// # Panics
    /// A panic of the mint goes on in the caller that led it; the value and the breaker are as before.
    pub fn get<M, F>(&self, make: M) -> Get<impl Future<Output = Result<Current<T>, NoValue<E>>>>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<T>, E>>,
    {
        let begin = move |()| {
            // A hit needs none of the rest.
            if let Some(current) = self.hit() {
                return ControlFlow::Break(Ok(current));
            }
            match self.begin() {
                ControlFlow::Break(end) => ControlFlow::Break(end.map(Current::from)),
                ControlFlow::Continue(seen) => ControlFlow::Continue(((), self.ask(seen, make))),
            }
        };
        Get::new(Asking::new(
            (),
            begin,
            |(), end| end.map(Current::from),
            |(), current| current,
        ))
    }

    /// Goes on where [`begin`](Refresher::begin) has found nothing that can be said at once.
    pub(super) async fn ask<M, F>(
        &self,
        mut seen: Option<usize>,
        make: M,
    ) -> Result<Held<T, C::Instant>, NoValue<E>>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<T>, E>>,
    {
        let mut make = Some(make);
        // Each round waits for another's mint; it ends at the latest when this caller leads.
        loop {
            let mut run = pin!(self.flight.run(|| self.mint(make.take(), seen)));
            let answer = poll_fn(|cx| match run.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(Some(answer)),
                // X5: another was quicker.
                Poll::Pending if seen.is_some() && !run.is_running() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            match self.end(answer.await, make.is_some()) {
                ControlFlow::Continue(()) => seen = None,
                ControlFlow::Break(end) => return end,
            }
        }
    }

    /// What can be said at once; else, which valid value is to be replaced.
    #[expect(clippy::type_complexity, reason = "it is what `ask` gives, or not yet")]
    #[inline]
    pub(super) fn begin(
        &self,
    ) -> ControlFlow<Result<Held<T, C::Instant>, NoValue<E>>, Option<usize>> {
        match self.look() {
            Look::Fresh(held) => ControlFlow::Break(Ok(held)),
            Look::Due(held) if self.flight.is_running() || self.is_paused() => {
                ControlFlow::Break(Ok(held))
            }
            Look::Due(held) => ControlFlow::Continue(Some(held.version)),
            Look::Nothing if self.is_open() => ControlFlow::Break(Err(NoValue::Open)),
            Look::Nothing => ControlFlow::Continue(None),
        }
    }

    /// What a caller makes of an answer (`None`: it did not wait for one), by the clock of this moment
    /// (X4): one that has not led goes round if there is nothing to serve.
    #[expect(clippy::type_complexity, reason = "it is what `ask` gives, or not yet")]
    pub(super) fn end(
        &self,
        answer: Option<Result<Answer<Mint<T, E, C::Instant>>, NoAnswer>>,
        again: bool,
    ) -> ControlFlow<Result<Held<T, C::Instant>, NoValue<E>>> {
        let minted = match answer {
            Some(Ok(answer)) => Some(answer.value),
            Some(Err(why)) => Some(Err(NoValue::NoRun(why))),
            None => None,
        };
        let now = self.clock.now();
        let minted = match minted {
            Some(Ok(held)) if self.is_valid(&held, now) => return ControlFlow::Break(Ok(held)),
            minted => minted,
        };
        // X2: what was valid before may be so still; and there may be a later one.
        if let Look::Fresh(held) | Look::Due(held) = self.look() {
            return ControlFlow::Break(Ok(held));
        }
        match minted {
            // (What it had when it asked is no more: now it waits.)
            None => ControlFlow::Continue(()),
            Some(Err(why)) => ControlFlow::Break(Err(why)),
            // Told too late: it has expired, or was refused meanwhile.
            Some(Ok(_)) if again => ControlFlow::Continue(()),
            Some(Ok(held)) if !held.has_expired(now) => ControlFlow::Break(Ok(held)),
            Some(Ok(_)) => ControlFlow::Break(Err(NoValue::Expired)),
        }
    }

    /// The valid value, if there is one; never mints, and waits for nobody.
    #[must_use]
    pub fn peek(&self) -> Option<Current<T>> {
        if let Some(current) = self.hit() {
            return Some(current);
        }
        match self.look() {
            Look::Fresh(held) | Look::Due(held) => Some(held.into()),
            Look::Nothing => None,
        }
    }

    /// Mints the first value now, so that a program that cannot start without one fails loudly.
    /// Nothing but a [`get`](Refresher::get) that goes by its name.
    ///
    /// # Errors
    /// Those of [`get`](Refresher::get).
    pub fn prime<M, F>(self, make: M) -> Get<impl Future<Output = Result<Self, NoValue<E>>>>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<T>, E>>,
    {
        Get::new(async move {
            match self.begin() {
                ControlFlow::Break(end) => drop(end?),
                ControlFlow::Continue(seen) => drop(self.ask(seen, make).await?),
            }
            Ok(self)
        })
    }
}
