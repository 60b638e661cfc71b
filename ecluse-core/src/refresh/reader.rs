//! `Reader`: a handle with a clone of its own, for those who ask often.

use core::{fmt, future::Future, ops::ControlFlow};

use super::{Current, Get, Hear, Held, Minted, NoValue, Refresher, Version, asking::Asking};
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
    held: Mine<R>,
}

/// A reader's own clone.
type Mine<R> =
    Option<Held<<R as RefresherRef>::Value, <<R as RefresherRef>::Clock as Clock>::Instant>>;

fn value<T, I>(held: &Held<T, I>) -> &T {
    &held.value
}

fn keep<T, I>(place: &mut Option<Held<T, I>>, held: Held<T, I>) -> &T {
    &place.insert(held).value
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
        Self::current(self.refresher.refresher(), &self.held)
    }

    #[inline(always)]
    #[expect(clippy::type_complexity, reason = "they are the handle's own")]
    fn current<'h>(
        refresher: &Refresher<R::Value, R::Error, R::Clock, R::Lock, R::Observer>,
        held: &'h Mine<R>,
    ) -> Option<&'h R::Value> {
        let held = held.as_ref()?;
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
    pub fn get<'s, M, F>(
        &'s mut self,
        make: M,
    ) -> Get<impl Future<Output = Result<&'s R::Value, NoValue<R::Error>>>>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<R::Value>, R::Error>>,
    {
        let Self { refresher, held } = self;
        let refresher = refresher.refresher();
        let begin = move |place: &'s mut Mine<R>| {
            if Self::current(refresher, place).is_some() {
                return ControlFlow::Break(place.as_ref().map(value).ok_or(NoValue::Expired));
            }
            match refresher.begin() {
                ControlFlow::Break(end) => ControlFlow::Break(end.map(|held| keep(place, held))),
                ControlFlow::Continue(seen) => {
                    ControlFlow::Continue((place, refresher.ask(seen, make)))
                }
            }
        };
        let keep =
            |place: &mut &'s mut Mine<R>, end: Result<_, _>| end.map(|held| **place = Some(held));
        let give = |place: &'s mut Mine<R>, kept: Result<(), _>| match kept {
            Ok(()) => place.as_ref().map(value).ok_or(NoValue::Expired),
            Err(why) => Err(why),
        };
        Get::new(Asking::new(held, begin, keep, give))
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
