//! What joined children fail with.

use core::{error::Error, fmt};

use crate::cancel::{Cancelled, Reason};

/// An error that tells whether it is a cancellation that its child passes on.
///
/// Every [`Error`] does, if it is a [`Cancelled`] or has one in its chain of sources, or in an
/// `io::Error` (with `std`): with `#[from] Cancelled` in an enum nothing else is to be done. An error type that is no `Error`
/// implements this; for one of another crate that is no `Error` either, there is
/// [`Joining::cancelled_by`](super::Joining::cancelled_by).
pub trait AsCancelled {
    /// The cancellation, if it is one.
    fn as_cancelled(&self) -> Option<Cancelled>;
}

impl<E: Error + 'static> AsCancelled for E {
    fn as_cancelled(&self) -> Option<Cancelled> {
        let mut at: Option<&(dyn Error + 'static)> = Some(self);
        while let Some(error) = at {
            if let Some(cancelled) = error.downcast_ref() {
                return Some(*cancelled);
            }
            at = inside(error);
        }
        None
    }
}

/// What an error was made of.
fn inside<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    // Its own `source` passes over what it was made of (`io::Error::other`).
    #[cfg(feature = "std")]
    if let Some(made_of) = error.downcast_ref().and_then(std::io::Error::get_ref) {
        return Some(made_of);
    }
    error.source()
}

/// How a joined future tells a cancellation from another error: [`BySource`], or a function.
pub trait Tell<E> {
    /// The cancellation that `error` passes on, if it does.
    fn tell(&self, error: &E) -> Option<Cancelled>;
}

/// The usual way to tell a cancellation: [`AsCancelled`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BySource;

impl<E: AsCancelled> Tell<E> for BySource {
    fn tell(&self, error: &E) -> Option<Cancelled> {
        error.as_cancelled()
    }
}

impl<E, F: Fn(&E) -> Option<Cancelled>> Tell<E> for F {
    fn tell(&self, error: &E) -> Option<Cancelled> {
        self(error)
    }
}

/// Where errors after the first one go: nowhere (`()`), an array of options, a `Vec` (`alloc`), a
/// function.
///
/// What has no room for another one drops it; it is counted all the same.
pub trait ErrorSink<E> {
    /// Takes one more error.
    fn put(&mut self, error: E);

    /// One more child panicked, after the first one that did, whose panic goes on.
    fn panicked(&mut self) {}
}

impl<E> ErrorSink<E> for () {
    fn put(&mut self, _: E) {}
}

impl<E, const N: usize> ErrorSink<E> for [Option<E>; N] {
    fn put(&mut self, error: E) {
        fill(self, error);
    }
}

impl<E> ErrorSink<E> for &mut [Option<E>] {
    fn put(&mut self, error: E) {
        fill(self, error);
    }
}

impl<E, const N: usize> ErrorSink<E> for &mut [Option<E>; N] {
    fn put(&mut self, error: E) {
        fill(*self, error);
    }
}

fn fill<E>(room: &mut [Option<E>], error: E) {
    if let Some(free) = room.iter_mut().find(|place| place.is_none()) {
        *free = Some(error);
    }
}

#[cfg(feature = "alloc")]
impl<E> ErrorSink<E> for alloc::vec::Vec<E> {
    fn put(&mut self, error: E) {
        self.push(error);
    }
}

#[cfg(feature = "alloc")]
impl<E> ErrorSink<E> for &mut alloc::vec::Vec<E> {
    fn put(&mut self, error: E) {
        self.push(error);
    }
}

impl<E, F: FnMut(E)> ErrorSink<E> for F {
    fn put(&mut self, error: E) {
        self(error);
    }
}

/// Why joined children did not all end well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum JoinError<E, S = ()> {
    /// A child failed.
    Failed(Failed<E, S>),
    /// The scope in which they ran was cancelled; none failed, and not all finished in spite of it.
    Cancelled(Cancelled),
}

/// The errors of joined children.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Failed<E, S = ()> {
    /// The first one.
    pub first: E,
    /// How many failed after it.
    pub later: usize,
    /// What was collected of those ([`Joining::collecting`](super::Joining::collecting)).
    pub others: S,
    /// Why the scope in which they ran was cancelled, if it was, too.
    pub cancelled: Option<Reason>,
}

impl<E, S> JoinError<E, S> {
    /// The first error, if a child failed.
    pub const fn first(&self) -> Option<&E> {
        match self {
            Self::Failed(failed) => Some(&failed.first),
            Self::Cancelled(_) => None,
        }
    }

    /// How many children failed after the first.
    pub const fn later(&self) -> usize {
        match self {
            Self::Failed(failed) => failed.later,
            Self::Cancelled(_) => 0,
        }
    }

    /// Why the outer scope was cancelled, if it was, whether a child failed or not.
    pub const fn cancelled(&self) -> Option<Reason> {
        match self {
            Self::Failed(failed) => failed.cancelled,
            Self::Cancelled(cancelled) => Some(cancelled.reason()),
        }
    }

    /// One error of the children's own type: the first, or the cancellation.
    ///
    /// ```
    /// use ecluse_core::{Cancelled, Cx, Root, join::JoinError};
    ///
    /// async fn both(cx: Cx<'_>) -> Result<u32, Cancelled> {
    ///     let (a, b) = cx
    ///         .concurrently(async { Ok(1) }, async { Ok(2) })
    ///         .await
    ///         .map_err(JoinError::into_error)?;
    ///     Ok(a + b)
    /// }
    /// # assert_eq!(futures_executor::block_on(both(<Root>::new().cx())), Ok(3));
    /// ```
    pub fn into_error(self) -> E
    where
        E: From<Cancelled>,
    {
        match self {
            Self::Failed(failed) => failed.first,
            Self::Cancelled(cancelled) => cancelled.into(),
        }
    }
}

impl<E, S> From<Cancelled> for JoinError<E, S> {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

impl<E: fmt::Display, S> fmt::Display for JoinError<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failed) => failed.fmt(f),
            Self::Cancelled(_) => f.write_str("ended by a cancel from outside"),
        }
    }
}

impl<E: fmt::Display, S> fmt::Display for Failed<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        match self.later {
            0 => {}
            1 => f.write_str(" (and one error more)")?,
            more => write!(f, " (and {more} errors more)")?,
        }
        match self.cancelled {
            Some(reason) => write!(f, " (and cancelled: {reason})"),
            None => Ok(()),
        }
    }
}

impl<E: Error + 'static, S: fmt::Debug> Error for JoinError<E, S> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(failed) => failed.first.source(),
            Self::Cancelled(cancelled) => Some(cancelled),
        }
    }
}

/// How a child ended that gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Stopped<E> {
    /// It failed.
    Failed(E),
    /// It was cancelled: from outside, or because another one had won.
    Cancelled(Cancelled),
}

impl<E: fmt::Display> fmt::Display for Stopped<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Cancelled(_) => f.write_str("ended by a cancel"),
        }
    }
}

impl<E: Error + 'static> Error for Stopped<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::Cancelled(cancelled) => Some(cancelled),
        }
    }
}
