//! `Reader`: a handle with a clone of its own, for those who ask often.

use core::{fmt, future::Future, ops::ControlFlow};

use super::{Current, Get, Hear, Held, Minted, NoValue, Refresher, Version};
use crate::{
    runtime::Clock,
    sync::{Handle, Lock},
};

/// A handle on a refresher: `&Refresher`; with `alloc` `Arc` and `Rc` of it. Sealed.
pub trait RefresherRef: Handle {
    /// The value.
    type Value: Clone;
    /// The mint's error.
    type Error: Clone;
    /// The clock.
    type Clock: Clock;
    /// The lock.
    type Lock: Lock;
    /// Who hears what happens.
    type Observer: Hear;

    /// The refresher.
    #[expect(clippy::type_complexity, reason = "they are the handle's own")]
    fn refresher(
        &self,
    ) -> &Refresher<Self::Value, Self::Error, Self::Clock, Self::Lock, Self::Observer>;
}

impl<R, T, E, C, L, O> RefresherRef for R
where
    R: Handle<Target = Refresher<T, E, C, L, O>>,
    T: Clone,
    E: Clone,
    C: Clock,
    L: Lock,
    O: Hear,
{
    type Value = T;
    type Error = E;
    type Clock = C;
    type Lock = L;
    type Observer = O;

    fn refresher(&self) -> &Refresher<T, E, C, L, O> {
        self
    }
}

/// A handle on a [`Refresher`] that keeps a clone of the value, and makes a new one when a load shows
/// that there is a newer value (or none). While it is valid and not due, asking costs a load and a
/// reading of the clock: no lock, no atomic write, no clone.
pub struct Reader<R: RefresherRef> {
    refresher: R,
    held: Option<Held<R::Value, <R::Clock as Clock>::Instant>>,
}

impl<R: RefresherRef> Reader<R> {
    /// A reader that has not read yet.
    pub const fn new(refresher: R) -> Self {
        Self {
            refresher,
            held: None,
        }
    }

    /// The value, if this reader's clone of it is valid and not due to be refreshed.
    #[inline]
    pub fn peek(&self) -> Option<&R::Value> {
        let refresher = self.refresher.refresher();
        let held = self.held.as_ref()?;
        let now = refresher.clock.now();
        (refresher.is_valid(held, now) && !held.is_due(now)).then_some(&held.value)
    }

    /// As [`Refresher::get`].
    ///
    /// # Cancellation
    /// As [`Refresher::get`].
    ///
    /// # Errors
    /// As [`Refresher::get`].
    pub fn get<M, F>(
        &mut self,
        make: M,
    ) -> Get<impl Future<Output = Result<&R::Value, NoValue<R::Error>>>>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<R::Value>, R::Error>>,
    {
        Get::new(async move {
            if self.peek().is_none() {
                let refresher = self.refresher.refresher();
                self.held = Some(match refresher.begin() {
                    ControlFlow::Break(end) => end?,
                    ControlFlow::Continue(seen) => refresher.ask(seen, make).await?,
                });
            }
            match &self.held {
                Some(held) => Ok(&held.value),
                None => Err(NoValue::Expired),
            }
        })
    }

    /// Which value this reader has a clone of: what [`Refresher::invalidate`] wants to know.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.held.as_ref().map(|held| Version(held.version))
    }

    /// The value that this reader has, with its version, whether valid or not.
    #[must_use]
    pub fn last(&self) -> Option<Current<&R::Value>> {
        self.held.as_ref().map(|held| Current {
            value: &held.value,
            version: Version(held.version),
        })
    }

    /// The refresher.
    pub const fn refresher(&self) -> &R {
        &self.refresher
    }
}

impl<R: RefresherRef> Clone for Reader<R> {
    fn clone(&self) -> Self {
        Self {
            refresher: self.refresher.clone(),
            held: self.held.clone(),
        }
    }
}

impl<R: RefresherRef> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}
