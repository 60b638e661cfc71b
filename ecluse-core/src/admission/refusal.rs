//! Why permits were not given, and the one word in which a waiter is told.

use core::fmt;

use super::MAX;

/// Why an [`Admission`](super::Admission) gave no permit. Nothing was taken, and nobody is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NotAdmitted {
    /// There are not enough permits at the moment, or others are in line for them. (What
    /// `try_acquire` says, which does not wait.)
    Busy,
    /// The same, and the waiting room is full: this load should be shed, or tried again later.
    RoomFull,
    /// More was asked for than the capacity will be; it would wait for ever.
    TooHeavy,
    /// Nothing was asked for: a permit has a weight of one at least.
    ZeroWeight,
    /// The admission was closed.
    Closed,
}

impl fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "not enough permits at the moment",
            Self::RoomFull => "the waiting room is full",
            Self::TooHeavy => "more permits than the capacity were asked for",
            Self::ZeroWeight => "no permits were asked for",
            Self::Closed => "the admission is closed",
        })
    }
}

impl core::error::Error for NotAdmitted {}

/// What a waiter asks for, and what it is told: a number of permits, from 1 to [`MAX`], or, above
/// that and 0, why there are none.
#[derive(Clone, Copy)]
pub struct Answer(usize);

const REFUSALS: [NotAdmitted; 5] = [
    NotAdmitted::Busy,
    NotAdmitted::RoomFull,
    NotAdmitted::TooHeavy,
    NotAdmitted::ZeroWeight,
    NotAdmitted::Closed,
];

const _: () = assert!(MAX < usize::MAX - REFUSALS.len());

impl Answer {
    /// `weight` permits, of 1 to [`MAX`].
    #[inline(always)]
    pub(super) const fn permits(weight: usize) -> Self {
        Self(weight)
    }

    pub(super) const fn refused(why: NotAdmitted) -> Self {
        Self(usize::MAX - why as usize)
    }

    /// The weight of a queued waiter, which asked for that.
    #[inline(always)]
    pub(super) const fn weight(self) -> usize {
        self.0
    }

    #[inline(always)]
    pub(super) fn read(self) -> Result<usize, NotAdmitted> {
        if self.0 <= MAX {
            return Ok(self.0);
        }
        Err(REFUSALS
            .get(usize::MAX - self.0)
            .copied()
            .unwrap_or(NotAdmitted::Closed))
    }
}
