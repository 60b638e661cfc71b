//! What callers of a flight get, and what they may say about a result.

use core::fmt;

use crate::Outcome;

/// A result, and how this caller came by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Answer<T> {
    /// The result.
    pub value: T,
    /// Who ran for it.
    pub part: Part,
    /// How many callers had joined the flight when it landed, besides its leader; those that left
    /// again are counted. 0 for a caller that went alone.
    pub joined: u32,
}

impl<T> Answer<T> {
    /// Whether this caller ran the flight.
    #[must_use]
    pub const fn led(&self) -> bool {
        matches!(self.part, Part::Led { .. })
    }

    /// The same answer with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answer<U> {
        Answer {
            value: change(self.value),
            part: self.part,
            joined: self.joined,
        }
    }
}

/// A caller's part in a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Part {
    /// It ran the work, whose result was shared with those who joined.
    Led {
        /// How the leader before it ended, if it came to lead by inheriting the flight.
        inherited: Option<Outcome>,
    },
    /// It was given what another caller's run came to.
    Joined,
    /// It ran the work for itself, beside others: the result may not be shared.
    Alone,
}

/// What becomes of a result, besides going to the one who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Verdict {
    /// Everybody who joined gets a clone.
    Share,
    /// Nobody else gets it: the next caller leads, and runs its own work. For failures that are the
    /// caller's own (its time-out, its permissions).
    Retry,
    /// Nobody else gets it: those who joined are told [`Outcome::Abandoned`] and may fall back.
    Refuse,
    /// Nobody else may have it, nor wait for another: all who joined run at once, each for itself.
    GoAlone,
}

/// Why a caller of a flight has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NoAnswer {
    /// The leader went without a result, and nobody succeeds it: by policy, by verdict, or because
    /// a clone of the result panicked.
    Abandoned {
        /// It was a panic.
        by_panic: bool,
    },
    /// The caller is inside the very run that it asks for: waiting would be for ever.
    Recursive,
    /// The caller's own bound is over. The flight goes on without it.
    TimedOut,
    /// The flight is older than the caller accepts.
    TooOld,
    /// There are as many flights as the group allows.
    Full,
    /// The runtime that should run it is shut down, and kept the task.
    NotSpawned,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abandoned { by_panic: false } => "the flight was abandoned by its leader",
            Self::Abandoned { by_panic: true } => "the flight was abandoned by a panic",
            Self::Recursive => "a flight asked for its own result while it ran",
            Self::TimedOut => "the wait for the flight timed out",
            Self::TooOld => "the flight is older than the caller accepts",
            Self::Full => "the group has as many flights as it allows",
            Self::NotSpawned => "the flight could not be spawned",
        })
    }
}

impl core::error::Error for NoAnswer {}

impl From<crate::TimedOut> for NoAnswer {
    fn from(_: crate::TimedOut) -> Self {
        Self::TimedOut
    }
}
