//! How refreshing goes: the breaker, the pauses, the counts. Plain data under the refresher's lock.
//!
//! | breaker | is | lets through |
//! |---|---|---|
//! | closed | fewer failures in a row than the threshold | everybody (early refreshes: after the pause) |
//! | open | the threshold was reached, less than a cool-down ago | nobody |
//! | half-open | … and the cool-down is over | one at a time: flights see to that |
//!
//! A run that is cancelled changes nothing here: it is no failure, and no lock-out.

use super::{Policy, Version};

/// The state of a refresher's breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Breaker {
    /// Refreshes are tried.
    Closed,
    /// None is tried.
    Open,
    /// The next one is a probe.
    HalfOpen,
}

/// A picture of a refresher, for diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot<I> {
    /// Which value is valid, or was last.
    pub version: Version,
    /// Whether there is a valid value.
    pub valid: bool,
    /// When the last value's mint began.
    pub minted: Option<I>,
    /// When the last value expires.
    pub expires: Option<I>,
    /// From when on the last value is refreshed early.
    pub refreshes: Option<I>,
    /// How many mints gave a value.
    pub successes: u32,
    /// How many mints failed.
    pub failures: u32,
    /// How many mints have failed since the last that did not.
    pub failures_in_a_row: u32,
    /// The breaker.
    pub breaker: Breaker,
    /// Whether a refresh is under way.
    pub refreshing: bool,
}

/// What the refresher's lock protects.
#[derive(Clone, Copy)]
pub(super) struct Health<I> {
    /// The version of the last value; zero: there was none.
    pub(super) last: usize,
    pub(super) minted: Option<I>,
    pub(super) expires: Option<I>,
    pub(super) refreshes: Option<I>,
    pub(super) successes: u32,
    pub(super) failures: u32,
    pub(super) in_a_row: u32,
    /// When the last mint failed, if the last did.
    pub(super) failed: Option<I>,
    /// No early refresh before.
    pub(super) paused: Option<I>,
    /// No refresh at all before.
    pub(super) open: Option<I>,
    pub(super) random: u64,
}

// The comparisons are user code: they are made on a copy, outside the lock.
impl<I: Copy + Ord> Health<I> {
    pub(super) const fn new() -> Self {
        Self {
            last: 0,
            minted: None,
            expires: None,
            refreshes: None,
            successes: 0,
            failures: 0,
            in_a_row: 0,
            failed: None,
            paused: None,
            open: None,
            random: 0,
        }
    }

    pub(super) fn breaker(&self, policy: &Policy, now: I) -> Breaker {
        if !policy.opens(self.in_a_row) {
            Breaker::Closed
        } else if self.waits(self.open, now) {
            Breaker::Open
        } else {
            Breaker::HalfOpen
        }
    }

    /// Whether nothing is tried early.
    pub(super) fn is_paused(&self, policy: &Policy, now: I) -> bool {
        self.waits(self.paused, now) || self.breaker(policy, now) == Breaker::Open
    }

    /// Whether it is before `until`. A clock that has gone back behind the last failure, by who knows
    /// how much, holds nobody up: that is one try more, whose failure counts by the new time.
    fn waits(&self, until: Option<I>, now: I) -> bool {
        until.is_some_and(|until| now < until) && self.failed.is_some_and(|failed| failed <= now)
    }
}
