//! What is minted, what is served, and why there may be nothing to serve.

use core::{
    convert::Infallible,
    fmt,
    future::Future,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use crate::{flight::NoAnswer, wait::polled_again};

/// What a mint gives: a value, and for how long it is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minted<T> {
    pub(super) value: T,
    pub(super) lifetime: Option<Duration>,
}

impl<T> Minted<T> {
    /// A value that is good for `lifetime`, counted from when its mint began (so that the time on the
    /// wire is on the safe side). Zero is as good as expired: the mint counts as failed.
    #[must_use]
    pub const fn expires_in(value: T, lifetime: Duration) -> Self {
        Self {
            value,
            lifetime: Some(lifetime),
        }
    }

    /// A value that is good for ever: never refreshed unless it is invalidated.
    #[must_use]
    pub const fn for_ever(value: T) -> Self {
        Self {
            value,
            lifetime: None,
        }
    }
}

/// Which of a refresher's values: to be shown to
/// [`invalidate`](super::Refresher::invalidate). Compared by equality; wraps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Version(pub(super) usize);

/// A valid value, and which it is. Dereferences to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current<T> {
    /// The value.
    pub value: T,
    /// Which it is.
    pub version: Version,
}

impl<T> Deref for Current<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Why there is no valid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NoValue<E = Infallible> {
    /// The mint failed so.
    Failed(E),
    /// What was minted had expired on arrival.
    Expired,
    /// Too many mints have failed in a row: nobody tries for a while.
    Open,
    /// There was no run to wait for: see [`NoAnswer`].
    NoRun(NoAnswer),
}

impl<E: fmt::Display> fmt::Display for NoValue<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "the refresh failed: {error}"),
            Self::Expired => f.write_str("the refreshed value had expired on arrival"),
            Self::Open => f.write_str("too many refreshes failed in a row: none is tried for now"),
            Self::NoRun(why) => write!(f, "no refresh to wait for: {why}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for NoValue<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::NoRun(why) => Some(why),
            Self::Expired | Self::Open => None,
        }
    }
}

pin_project! {
    /// A question to a refresher, on its way.
    ///
    /// # Panics
    /// Polling it after `Ready` panics, as with every wait.
    #[must_use = "nothing is asked unless it is awaited"]
    pub struct Get<F> {
        #[pin]
        asking: Option<F>,
    }
}

impl<F> Get<F> {
    #[inline(always)]
    pub(super) fn new(asking: F) -> Self {
        Self {
            asking: Some(asking),
        }
    }
}

impl<F: Future> Future for Get<F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(asking) = this.asking.as_mut().as_pin_mut() else {
            return polled_again("a `Get`");
        };
        // (Given on as it is: taken out and put in again it would be copied.)
        let answer = asking.poll(cx);
        if answer.is_ready() {
            this.asking.set(None);
        }
        answer
    }
}

impl<F: Future> FusedFuture for Get<F> {
    fn is_terminated(&self) -> bool {
        self.asking.is_none()
    }
}

impl<F> fmt::Debug for Get<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Get")
            .field("over", &self.asking.is_none())
            .finish()
    }
}
