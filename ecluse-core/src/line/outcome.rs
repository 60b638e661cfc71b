//! What a line answers: the token or a wait, its status, and the refusal of a foreign token.

use core::{
    fmt,
    future::{IntoFuture, Ready, ready},
    ptr,
};

use super::{Hold, HoldEnd, Line, LineRef};
use crate::sync::DefaultLock;

/// The answer to an attempt to acquire: [`AcquireOutcome`] and [`OwnedAcquireOutcome`].
///
/// It is [`IntoFuture`] and resolves to itself, so that code written for a line whose methods were
/// `async` still compiles.
#[must_use = "dropping a `Success` abandons the line"]
pub enum Acquire<R: LineRef> {
    /// The line was free: the token.
    Success(Hold<R>),
    /// Somebody else holds it: the wait for the end of that hold.
    Failure(HoldEnd<R>),
}

/// [`Acquire`] from a borrowed line.
pub type AcquireOutcome<'a, L = DefaultLock, O = ()> = Acquire<&'a Line<L, O>>;

/// [`Acquire`] from a shared line.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub type OwnedAcquireOutcome<L = DefaultLock, O = ()> = Acquire<alloc::sync::Arc<Line<L, O>>>;

impl<R: LineRef> Acquire<R> {
    /// For a caller that may have the token already: a failure becomes the success that `token` is.
    ///
    /// # Errors
    /// [`ForeignToken`] if `token` is of another line. It holds the answer and the token as they
    /// were: neither line is changed.
    ///
    /// ```
    /// use ecluse_core::{AcquireOutcome, Line, Local};
    /// let line = Line::<Local>::new();
    /// let AcquireOutcome::Success(mine) = line.try_acquire_token() else { panic!() };
    /// let again = line.try_acquire_token().or_token(Some(mine)).unwrap();
    /// assert!(matches!(again, AcquireOutcome::Success(_)));
    ///
    /// let other = Line::<Local>::new();
    /// let AcquireOutcome::Success(foreign) = other.try_acquire_token() else { panic!() };
    /// assert!(line.try_acquire_token().or_token(Some(foreign)).is_err());
    /// ```
    pub fn or_token(self, token: Option<Hold<R>>) -> Result<Self, ForeignToken<R>> {
        let Some(token) = token else { return Ok(self) };
        match self {
            Self::Failure(wait) if ptr::eq(wait.target.line().line(), token.line().line()) => {
                Ok(Self::Success(token))
            }
            // A success is another line's as well: `token` would have kept this one busy.
            outcome => Err(ForeignToken { outcome, token }),
        }
    }

    /// The token, if it was acquired.
    #[must_use]
    pub fn success(self) -> Option<Hold<R>> {
        match self {
            Self::Success(token) => Some(token),
            Self::Failure(_) => None,
        }
    }

    /// Whether the token was acquired.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Success(_))
    }
}

impl<R: LineRef> IntoFuture for Acquire<R> {
    type Output = Self;
    type IntoFuture = Ready<Self>;

    fn into_future(self) -> Ready<Self> {
        ready(self)
    }
}

/// The answer of [`Line::acquire_if`]: [`AcquireIf`].
#[must_use = "dropping a `Success` abandons the line"]
pub enum TryAcquireIf<R: LineRef> {
    /// The line was free and the work not done: the token.
    Success(Hold<R>),
    /// Somebody is at it: the wait for the end of that hold.
    Failure(HoldEnd<R>),
    /// The work was done since: look again at what it made.
    Outdated,
}

/// [`TryAcquireIf`] from a borrowed line.
pub type AcquireIf<'a, L = DefaultLock, O = ()> = TryAcquireIf<&'a Line<L, O>>;

/// Whether a line is free: [`LineStatus`]. [`IntoFuture`], as [`Acquire`].
#[must_use]
pub enum Status<R: LineRef> {
    /// Nobody holds the token.
    Free,
    /// Somebody does: the wait for the end of that hold.
    Busy(HoldEnd<R>),
}

/// [`Status`] of a borrowed line.
pub type LineStatus<'a, L = DefaultLock, O = ()> = Status<&'a Line<L, O>>;

impl<R: LineRef> Status<R> {
    /// Whether nobody holds the token.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self, Self::Free)
    }
}

impl<R: LineRef> IntoFuture for Status<R> {
    type Output = Self;
    type IntoFuture = Ready<Self>;

    fn into_future(self) -> Ready<Self> {
        ready(self)
    }
}

/// [`Acquire::or_token`] was given the token of another line. Nothing was released.
pub struct ForeignToken<R: LineRef> {
    /// The answer that was asked.
    pub outcome: Acquire<R>,
    /// The token that was given.
    pub token: Hold<R>,
}

impl<R: LineRef> fmt::Debug for ForeignToken<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignToken")
            .field("outcome", &self.outcome)
            .field("token", &self.token)
            .finish()
    }
}

impl<R: LineRef> fmt::Display for ForeignToken<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the token belongs to another line; neither line was changed")
    }
}

impl<R: LineRef> core::error::Error for ForeignToken<R> {}

/// `Debug` whatever the handle: a derive would ask `R: Debug`.
macro_rules! debug_variants {
    ($name:ident { $($full:ident),* $(; $empty:ident)? }) => {
        impl<R: LineRef> fmt::Debug for $name<R> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$full(content) => f.debug_tuple(stringify!($full)).field(content).finish(),)*
                    $(Self::$empty => f.write_str(stringify!($empty)),)?
                }
            }
        }
    };
}

debug_variants!(Acquire { Success, Failure });
debug_variants!(TryAcquireIf { Success, Failure; Outdated });
debug_variants!(Status { Busy; Free });
