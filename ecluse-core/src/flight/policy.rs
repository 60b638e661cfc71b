//! What happens to the followers of a leader that is lost, and how old a flight may get: by type.

use core::time::Duration;

use crate::runtime::Clock;

/// What becomes of those who joined when their leader is cancelled or panics. Sealed.
pub trait Orphans: sealed::Sealed {
    /// Whether they are told at once, all of them.
    #[doc(hidden)]
    const FAIL: bool;
}

/// Exactly one of them leads on, and runs its own work; the others stay queued and are not woken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promote;

/// All of them are told that the flight was abandoned, at once: for callers that have a fallback.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fail;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Promote {}
    impl Sealed for super::Fail {}
}

impl Orphans for Promote {
    const FAIL: bool = false;
}

impl Orphans for Fail {
    const FAIL: bool = true;
}

/// Tells how old a flight is: a [`Clock`], or [`NoClock`]. Sealed.
pub trait Stamp: stamp::Sealed {
    /// A moment, or nothing.
    type Moment: Copy + Default + PartialEq + Send;

    /// Whether there is a clock.
    const TIMED: bool;

    /// Now.
    fn moment(&self) -> Self::Moment;

    /// Whether `moment` is longer ago than `limit`.
    fn is_older(&self, moment: Self::Moment, limit: Duration) -> bool;

    /// The moment `by` from now.
    fn later(&self, by: Duration) -> Self::Moment;

    /// Whether `moment` has passed.
    fn is_past(&self, moment: Self::Moment) -> bool;

    /// Which of the moments comes first.
    fn first(moments: impl Iterator<Item = Option<Self::Moment>>) -> Option<usize>;
}

/// Flights have no age; the parameter of those that need none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClock;

mod stamp {
    pub trait Sealed {}
    impl Sealed for super::NoClock {}
    impl<C: crate::runtime::Clock> Sealed for C where C::Instant: Send {}
}

impl Stamp for NoClock {
    type Moment = ();
    const TIMED: bool = false;

    fn moment(&self) {}

    fn is_older(&self, (): (), _: Duration) -> bool {
        false
    }

    fn later(&self, _: Duration) {}

    fn is_past(&self, (): ()) -> bool {
        true
    }

    fn first(mut moments: impl Iterator<Item = Option<()>>) -> Option<usize> {
        moments.next().map(|_| 0)
    }
}

impl<C: Clock> Stamp for C
where
    C::Instant: Send,
{
    /// `None`: its leader has not begun yet.
    type Moment = Option<C::Instant>;
    const TIMED: bool = true;

    fn moment(&self) -> Self::Moment {
        Some(self.now())
    }

    fn is_older(&self, moment: Self::Moment, limit: Duration) -> bool {
        moment.is_some_and(|moment| self.after(moment, limit) < self.now())
    }

    fn later(&self, by: Duration) -> Self::Moment {
        Some(self.after(self.now(), by))
    }

    fn is_past(&self, moment: Self::Moment) -> bool {
        moment.is_none_or(|moment| moment <= self.now())
    }

    fn first(moments: impl Iterator<Item = Option<Self::Moment>>) -> Option<usize> {
        moments
            .enumerate()
            .min_by_key(|(_, moment)| *moment)
            .map(|(place, _)| place)
    }
}
