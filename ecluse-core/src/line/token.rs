//! The token of a line: the hold, from its acquisition to its one release.

use core::fmt;

use super::{Generation, Line, LineRef};
use crate::{Outcome, claim::Since, sync::DefaultLock};

/// The token of a [`Line`], by whichever handle: see [`Token`] and [`OwnedToken`].
///
/// Dropping it frees the line as [`Outcome::Abandoned`]; [`release`](Hold::release) frees it as
/// [`Outcome::Done`]. Either way the line is free before its waiters wake, never blocks and never
/// awaits. Forgetting it is memory-safe; the line stays busy until it is closed.
#[must_use = "a token that is dropped at once abandons the line"]
pub struct Hold<R: LineRef> {
    line: R,
    /// The word as this hold acquired it, so that its release is one swap without a load.
    word: usize,
    done: bool,
    since: Since,
}

/// The token of a borrowed line.
pub type Token<'a, L = DefaultLock, O = ()> = Hold<&'a Line<L, O>>;

/// The token of a shared line: it keeps the line alive and may move to another task.
#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub type OwnedToken<L = DefaultLock, O = ()> = Hold<alloc::sync::Arc<Line<L, O>>>;

impl<R: LineRef> Hold<R> {
    #[inline(always)]
    pub(super) fn new(line: R, word: usize) -> Self {
        Self {
            line,
            word,
            done: false,
            since: Since::now(),
        }
    }

    /// Frees the line: the work is done. Those who wait are told [`Outcome::Done`].
    #[inline(always)]
    pub fn release(mut self) {
        self.done = true;
    }

    /// Which hold of the line this is.
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation::of(self.word)
    }

    /// The generation from the end of this hold on: what to keep with the value that this hold
    /// makes, for [`acquire_if`](Line::acquire_if) later.
    ///
    /// ```
    /// use ecluse_core::{AcquireIf, AcquireOutcome, Line, Local};
    /// let line = Line::<Local>::new();
    /// let AcquireOutcome::Success(token) = line.try_acquire_token() else { panic!() };
    /// let fresh = ("credential", token.next_generation());
    /// token.release();
    /// // Refused later, with nothing done in between: it is renewed.
    /// assert!(matches!(line.acquire_if(fresh.1), AcquireIf::Success(_)));
    /// ```
    #[must_use]
    pub fn next_generation(&self) -> Generation {
        self.generation().next()
    }

    /// The line.
    #[must_use]
    pub fn line(&self) -> &R {
        &self.line
    }
}

impl<R: LineRef> Drop for Hold<R> {
    #[inline(always)]
    fn drop(&mut self) {
        let outcome = if self.done {
            Outcome::Done
        } else {
            Outcome::Abandoned {
                by_panic: self.since.has_panicked(),
            }
        };
        self.line.line().end(self.word, outcome);
    }
}

impl<R: LineRef> fmt::Debug for Hold<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("generation", &self.generation().0)
            .finish_non_exhaustive()
    }
}
