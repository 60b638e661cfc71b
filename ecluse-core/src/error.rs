//! What waiters are told and what calls refuse: plain data, one word or less.

use core::fmt;

/// How a hold ended, as its waiters are told.
///
/// A waiter never takes the leader's end for its own: an outcome is a value, not a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Outcome {
    /// Released on purpose: the work is done.
    Done,
    /// The holder was dropped, gave up or failed; nobody may count on the work.
    Abandoned {
        /// It was a panic. Told for every body that ecluse polls; for a bare claim or token with
        /// the feature `std` only, where a thread knows that it is unwinding.
        by_panic: bool,
    },
    /// The slot or line was closed while the waiter waited.
    Closed,
    /// The hold is over, and so is at least one later one: how it ended is no longer known.
    Passed,
}

impl Outcome {
    pub(crate) const ABANDONED: Self = Self::Abandoned { by_panic: false };

    /// Whether the holder released on purpose.
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Done)
    }

    /// Whether the holder went without releasing.
    #[must_use]
    pub const fn is_abandoned(self) -> bool {
        matches!(self, Self::Abandoned { .. })
    }

    /// Whether the holder is known to have panicked.
    #[must_use]
    pub const fn by_panic(self) -> bool {
        matches!(self, Self::Abandoned { by_panic: true })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "released by its holder",
            Self::Abandoned { by_panic: false } => "abandoned by its holder",
            Self::Abandoned { by_panic: true } => "abandoned by a panic of its holder",
            Self::Closed => "closed",
            Self::Passed => "over for longer than one hold",
        })
    }
}

/// Declares an error of no content.
macro_rules! plain_error {
    ($(#[$meta:meta])* $name:ident, $text:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub struct $name;

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($text)
            }
        }

        impl core::error::Error for $name {}
    };
}

plain_error!(
    /// The slot was closed: it takes no further claim.
    Closed,
    "the slot is closed"
);
plain_error!(
    /// A wait ended by its own bound. What it waited for goes on without it.
    TimedOut,
    "the wait timed out"
);
plain_error!(
    /// Another scope has the place.
    PlaceTaken,
    "the place is taken by another scope"
);

/// Why a slot was not claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refused {
    /// Somebody holds the claim, or has been granted it.
    Busy,
    /// The slot was closed: it takes no further claim.
    Closed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "the slot is claimed",
            Self::Closed => "the slot is closed",
        })
    }
}

impl core::error::Error for Refused {}

impl From<Closed> for Refused {
    fn from(_: Closed) -> Self {
        Self::Closed
    }
}
