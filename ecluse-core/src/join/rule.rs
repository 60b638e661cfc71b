//! The rules by which children are joined: who ends the others, and what comes out.

use core::pin::Pin;

use super::{
    error::{Failed, JoinError, Stopped},
    parts::{Alike, Parts},
};
use crate::cancel::{Cancelled, Reason};

/// A rule by which children are joined. Sealed.
pub trait Rule<P: Parts, S>: Judge {
    /// What comes of it.
    type Output;

    /// What comes of it when all children are over; `None`: nothing ever will, unless the outer
    /// scope is cancelled.
    fn finish(parts: Pin<&mut P>, end: &mut End<S>) -> Option<Self::Output>;
}

/// What the end of a child means to the others. Sealed.
pub trait Judge: sealed::Sealed {
    /// A value ends the others.
    const VALUE_WINS: bool;
    /// An error ends the others.
    const ERROR_ENDS: bool;
    /// A panic ends the others.
    const PANIC_ENDS: bool = true;
    /// Errors stay with their children, whose outcomes are all given.
    const KEEPS: bool = false;
}

mod sealed {
    pub trait Sealed {}
}

/// How it went.
#[derive(Debug)]
pub struct End<S> {
    /// Whose value won, or who settled first.
    pub(super) winner: Option<usize>,
    /// Who failed first, and has its error still.
    pub(super) first: Option<usize>,
    pub(super) later: usize,
    /// Why the outer scope is cancelled.
    pub(super) outer: Option<Reason>,
    /// Why we cancelled the children.
    pub(super) ours: Option<Reason>,
    pub(super) sink: Option<S>,
}

impl<S> End<S> {
    pub(super) const fn new(sink: S) -> Self {
        Self {
            winner: None,
            first: None,
            later: 0,
            outer: None,
            ours: None,
            sink: Some(sink),
        }
    }

    /// The error of who failed first, or the outer cancel.
    fn error<P: Parts>(&mut self, mut parts: Pin<&mut P>) -> Option<JoinError<P::Error, S>> {
        let first = self
            .first
            .and_then(|index| parts.as_mut().at(index)?.take_error());
        if let (Some(first), Some(others)) = (first, self.sink.take()) {
            return Some(JoinError::Failed(Failed {
                first,
                later: self.later,
                others,
                cancelled: self.outer,
            }));
        }
        let reason = self.outer?;
        Some(JoinError::Cancelled(Cancelled::new(reason)))
    }

    /// How a child ended that was cut.
    fn cut<E>(&self) -> impl Fn() -> Stopped<E> {
        let reason = self.ours.or(self.outer).unwrap_or_default();
        move || Stopped::Cancelled(Cancelled::new(reason))
    }
}

macro_rules! rules {
    ($($(#[$meta:meta])* $rule:ident { $($constant:ident = $value:literal),* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug)]
            pub enum $rule {}

            impl sealed::Sealed for $rule {}

            impl Judge for $rule {
                $(const $constant: bool = $value;)*
            }
        )*
    };
}

rules! {
    /// All values, or the first error: [`Cx::all`](crate::Cx::all).
    All { VALUE_WINS = false, ERROR_ENDS = true }
    /// The first to settle: [`Cx::race`](crate::Cx::race).
    Race { VALUE_WINS = true, ERROR_ENDS = true }
    /// The first value, or all errors: [`Cx::first`](crate::Cx::first).
    First { VALUE_WINS = true, ERROR_ENDS = false }
    /// How each ended: [`Cx::settle`](crate::Cx::settle).
    Settle { VALUE_WINS = false, ERROR_ENDS = false, PANIC_ENDS = false, KEEPS = true }
    /// The first to settle, and how the others ended: [`Joining::combine`](super::Joining::combine).
    Combine { VALUE_WINS = true, ERROR_ENDS = true, KEEPS = true }
}

impl<P: Parts, S> Rule<P, S> for All {
    type Output = Result<P::Values, JoinError<P::Error, S>>;

    fn finish(mut parts: Pin<&mut P>, end: &mut End<S>) -> Option<Self::Output> {
        if let Some(error) = end.first.and_then(|_| end.error(parts.as_mut())) {
            return Some(Err(error));
        }
        match parts.as_mut().values() {
            Some(values) => Some(Ok(values)),
            None => end.error(parts).map(Err),
        }
    }
}

macro_rules! value_rules {
    ($($rule:ident)*) => {
        $(
            impl<P: Alike, S> Rule<P, S> for $rule {
                type Output = Result<P::Value, JoinError<P::Error, S>>;

                fn finish(mut parts: Pin<&mut P>, end: &mut End<S>) -> Option<Self::Output> {
                    match end.winner.and_then(|winner| parts.as_mut().value(winner)) {
                        Some(value) => Some(Ok(value)),
                        None => end.error(parts).map(Err),
                    }
                }
            }
        )*
    };
}

value_rules!(Race First);

impl<P: Parts, S> Rule<P, S> for Settle {
    type Output = P::Outcomes;

    fn finish(parts: Pin<&mut P>, end: &mut End<S>) -> Option<P::Outcomes> {
        Some(parts.outcomes(end.cut()))
    }
}

/// How a race ended: who settled first, and how all of them ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raced<O> {
    /// Who settled first: its place among the children. `None`: nobody did, all were cancelled.
    pub winner: Option<usize>,
    /// How each ended, in the order of the children.
    pub outcomes: O,
}

impl<P: Parts, S> Rule<P, S> for Combine {
    type Output = Raced<P::Outcomes>;

    fn finish(mut parts: Pin<&mut P>, end: &mut End<S>) -> Option<Self::Output> {
        // Nobody to race: pending until the outer cancel, as a race is.
        parts.as_mut().at(0).map(|_| ()).or(end.outer.map(|_| ()))?;
        Some(Raced {
            winner: end.winner,
            outcomes: parts.outcomes(end.cut()),
        })
    }
}
