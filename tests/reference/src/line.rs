//! `Line`: one token, and waits for the end of one hold.

use std::fmt;
use std::future::{IntoFuture, Ready, ready};
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::thread;

use ecluse_core::Outcome;

use crate::waiter::{Queue, Target, Wait, lock, wake};

/// The wait for the end of one hold.
pub type HoldEnd<R> = Wait<ToHoldEnd<R>>;

/// How many holds had ended when one began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Generation(u64);

struct State {
    held: bool,
    closed: bool,
    ended: u64,
    last: Outcome,
    waiters: Queue<Outcome>,
}

impl State {
    /// What a wait for hold `number` is told, if there is something to tell.
    fn told(&self, number: u64) -> Option<Outcome> {
        if number == self.ended {
            self.closed.then_some(Outcome::Closed)
        } else if number + 1 == self.ended {
            Some(self.last)
        } else {
            Some(Outcome::Passed)
        }
    }
}

/// A line whose token one task at a time holds.
pub struct Line(Mutex<State>);

/// How a token or wait holds on to its line.
pub trait LineRef: Deref<Target = Line> + Clone {}

impl LineRef for &Line {}
impl LineRef for Arc<Line> {}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Line {
    /// A free line.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(State {
            held: false,
            closed: false,
            ended: 0,
            last: Outcome::Done,
            waiters: Queue::new(),
        }))
    }

    /// Acquires the token, or gives the wait for the end of the present hold.
    pub fn try_acquire_token(&self) -> Acquire<&Self> {
        Self::try_acquire_token_owned(&self)
    }

    /// As [`try_acquire_token`](Self::try_acquire_token), owned.
    pub fn try_acquire_token_owned<R: LineRef>(this: &R) -> Acquire<R> {
        acquire(this, &mut lock(&this.0))
    }

    /// Whether the line is free, and the wait if it is not.
    pub fn status(&self) -> Status<&Self> {
        let state = lock(&self.0);
        if state.held {
            Status::Busy(Wait::new(ToHoldEnd {
                line: self,
                number: state.ended,
            }))
        } else {
            Status::Free
        }
    }

    /// The present generation.
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation(lock(&self.0).ended)
    }

    /// As [`try_acquire_token`](Self::try_acquire_token), unless the work was done since `seen`.
    pub fn acquire_if(&self, seen: Generation) -> TryAcquireIf<&Self> {
        let mut state = lock(&self.0);
        let lost = seen.0 + 1 == state.ended && state.last.is_abandoned();
        if seen.0 != state.ended && !lost {
            return TryAcquireIf::Outdated;
        }
        match acquire(&self, &mut state) {
            Acquire::Success(token) => TryAcquireIf::Success(token),
            Acquire::Failure(wait) => TryAcquireIf::Failure(wait),
        }
    }

    /// Closes the line; true for the call that did.
    pub fn close(&self) -> bool {
        let mut state = lock(&self.0);
        if std::mem::replace(&mut state.closed, true) {
            return false;
        }
        let waiters = state.waiters.grant_all(Outcome::Closed);
        drop(state);
        wake(waiters);
        true
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.0).closed
    }

    /// Whether the token is out.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        lock(&self.0).held
    }

    /// Whether anybody is queued.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        !lock(&self.0).waiters.is_empty()
    }

    fn end(&self, outcome: Outcome) {
        let mut state = lock(&self.0);
        state.held = false;
        state.ended += 1;
        state.last = outcome;
        let waiters = state.waiters.grant_all(outcome);
        drop(state);
        wake(waiters);
    }
}

fn acquire<R: LineRef>(by: &R, state: &mut State) -> Acquire<R> {
    let number = state.ended;
    if state.held || state.closed {
        return Acquire::Failure(Wait::new(ToHoldEnd {
            line: by.clone(),
            number,
        }));
    }
    state.held = true;
    Acquire::Success(Hold {
        line: by.clone(),
        number,
        done: false,
        unwinding: thread::panicking(),
    })
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

/// The token of a line; its drop is its release.
#[must_use = "a token that is dropped at once abandons the line"]
pub struct Hold<R: LineRef> {
    line: R,
    number: u64,
    done: bool,
    unwinding: bool,
}

/// The token of a borrowed line.
pub type Token<'a> = Hold<&'a Line>;

/// The token of a shared line.
pub type OwnedToken = Hold<Arc<Line>>;

impl<R: LineRef> Hold<R> {
    /// Frees the line: the work is done.
    pub fn release(mut self) {
        self.done = true;
    }

    /// Which hold this is.
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation(self.number)
    }

    /// The line.
    #[must_use]
    pub fn line(&self) -> &R {
        &self.line
    }
}

impl<R: LineRef> Drop for Hold<R> {
    fn drop(&mut self) {
        let by_panic = !self.unwinding && thread::panicking();
        self.line.end(if self.done {
            Outcome::Done
        } else {
            Outcome::Abandoned { by_panic }
        });
    }
}

/// The answer to an attempt to acquire.
#[must_use = "dropping a `Success` abandons the line"]
pub enum Acquire<R: LineRef> {
    /// The token.
    Success(Hold<R>),
    /// The wait for the end of the present hold.
    Failure(HoldEnd<R>),
}

/// [`Acquire`] from a borrowed line.
pub type AcquireOutcome<'a> = Acquire<&'a Line>;

/// [`Acquire`] from a shared line.
pub type OwnedAcquireOutcome = Acquire<Arc<Line>>;

impl<R: LineRef> Acquire<R> {
    /// A failure becomes the success that `token` is.
    ///
    /// # Errors
    /// If the token is another line's.
    pub fn or_token(self, token: Option<Hold<R>>) -> Result<Self, ForeignToken<R>> {
        match (self, token) {
            (outcome, None) => Ok(outcome),
            (Self::Failure(wait), Some(token))
                if std::ptr::eq::<Line>(&*wait.target.line, &*token.line) =>
            {
                Ok(Self::Success(token))
            }
            (outcome, Some(token)) => Err(ForeignToken { outcome, token }),
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
    pub fn is_success(&self) -> bool {
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

/// The answer of [`Line::acquire_if`].
#[must_use = "dropping a `Success` abandons the line"]
pub enum TryAcquireIf<R: LineRef> {
    /// The token.
    Success(Hold<R>),
    /// The wait for the end of the present hold.
    Failure(HoldEnd<R>),
    /// The work was done since.
    Outdated,
}

/// [`TryAcquireIf`] from a borrowed line.
pub type AcquireIf<'a> = TryAcquireIf<&'a Line>;

/// Whether a line is free.
#[must_use]
pub enum Status<R: LineRef> {
    /// Nobody holds the token.
    Free,
    /// Somebody does: the wait for the end of that hold.
    Busy(HoldEnd<R>),
}

/// [`Status`] of a borrowed line.
pub type LineStatus<'a> = Status<&'a Line>;

impl<R: LineRef> Status<R> {
    /// Whether nobody holds the token.
    #[must_use]
    pub fn is_free(&self) -> bool {
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

/// A token of another line was given. Nothing was released.
pub struct ForeignToken<R: LineRef> {
    /// The answer that was asked.
    pub outcome: Acquire<R>,
    /// The token that was given.
    pub token: Hold<R>,
}

/// `Debug` by name only, whatever the handle.
macro_rules! debug {
    ($($name:ident),*) => {$(
        impl<R: LineRef> fmt::Debug for $name<R> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

debug!(Hold, Acquire, TryAcquireIf, Status, ForeignToken);

/// What a [`HoldEnd`] waits for.
pub struct ToHoldEnd<R: LineRef> {
    line: R,
    number: u64,
}

impl<R: LineRef> fmt::Debug for ToHoldEnd<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToHoldEnd").finish_non_exhaustive()
    }
}

impl<R: LineRef> Wait<ToHoldEnd<R>> {
    /// The hold that this waits for.
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation(self.target.number)
    }
}

impl<R: LineRef> Clone for Wait<ToHoldEnd<R>> {
    fn clone(&self) -> Self {
        Self::new(ToHoldEnd {
            line: self.target.line.clone(),
            number: self.target.number,
        })
    }
}

impl<R: LineRef> Target for ToHoldEnd<R> {
    type Grant = Outcome;
    type Output = Outcome;

    fn begin(&self, enlist: impl FnOnce(&mut Queue<Outcome>)) -> Option<Outcome> {
        let mut state = lock(&self.line.0);
        let told = state.told(self.number);
        if told.is_none() {
            enlist(&mut state.waiters);
        }
        told
    }

    fn leave(&self, leave: impl FnOnce(&mut Queue<Outcome>)) {
        leave(&mut lock(&self.line.0).waiters);
    }

    fn over(&self) -> Option<Outcome> {
        lock(&self.line.0).told(self.number)
    }

    fn observe(&self, grant: Outcome) -> Outcome {
        grant
    }

    fn pass_on(&self, _: Outcome) {}
}
