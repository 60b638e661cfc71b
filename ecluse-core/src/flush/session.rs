//! Telling a request that it was flushed, letting a seat go, and the end of a session.

use core::fmt;

use super::{
    Places, Table,
    ledger::{Retired, Told},
};
use crate::{
    cancel::Reason,
    wait::{Drain, Link, UserCode},
};

/// The session is over: nothing may be sent about what was begun in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Over;

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session is over")
    }
}

impl core::error::Error for Over {}

/// Why a flush is not to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Unanswered {
    /// It was flushed itself.
    Flushed,
    /// Its session is over.
    Over,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flushed => f.write_str("the flush was flushed"),
            Self::Over => Over.fmt(f),
        }
    }
}

impl core::error::Error for Unanswered {}

/// A scope that is about to be cancelled. Dropping it does that.
pub(super) struct Telling<'t, P: Places> {
    // In this order: the place is kept until the cancel is over, even if that panics.
    cancel: Cancel<'t, P>,
    _kept: Kept<'t, P>,
}

struct Cancel<'t, P: Places> {
    table: &'t Table<P>,
    told: Told<P::Scope>,
    reason: Reason,
}

struct Kept<'t, P: Places> {
    table: &'t Table<P>,
    place: usize,
}

impl<'t, P: Places> Telling<'t, P> {
    pub(super) fn new(table: &'t Table<P>, told: Told<P::Scope>, reason: Reason) -> Self {
        let place = told.place;
        Self {
            cancel: Cancel {
                table,
                told,
                reason,
            },
            _kept: Kept { table, place },
        }
    }

    /// Wakes whoever else is concerned, then tells.
    fn run(self) {
        self.cancel.table.spread(Some(self));
    }
}

impl<P: Places> Drop for Cancel<'_, P> {
    fn drop(&mut self) {
        if let Some(scope) = &self.told.scope {
            P::cx(&self.table.scopes, self.told.place, scope).cancel(self.reason);
        }
    }
}

impl<P: Places> Drop for Kept<'_, P> {
    fn drop(&mut self) {
        let mut retired = Retired::new(&self.table.scopes);
        self.table
            .ledger
            .with(|ledger| ledger.told(self.place, &mut retired));
        self.table.clean(retired);
    }
}

/// Tells everything of earlier sessions that these are over, an entry a lock hold. Dropping it goes
/// on with what is left.
struct Sweep<'t, P: Places> {
    table: &'t Table<P>,
    cursor: usize,
    reason: Reason,
}

impl<P: Places> Sweep<'_, P> {
    fn step(&mut self) -> bool {
        let told = self
            .table
            .ledger
            .with(|ledger| ledger.sweep(&mut self.cursor));
        let Some(told) = told else {
            return false;
        };
        Telling::new(self.table, told, self.reason).run();
        true
    }
}

impl<P: Places> Drop for Sweep<'_, P> {
    fn drop(&mut self) {
        let mut user = UserCode::new();
        while user.call(|| self.step()) != Some(false) {}
        user.rethrow();
    }
}

impl<P: Places> Table<P> {
    /// A seat is dropped.
    pub(super) fn leave(&self, place: usize) {
        let mut retired = Retired::new(&self.scopes);
        let left = self.ledger.with(|ledger| {
            if ledger.clears(place) {
                return None;
            }
            ledger.leave(place, &mut retired);
            Some(ledger.has_news())
        });
        self.clean(retired);
        match left {
            Some(false) => {}
            Some(true) => self.wake(),
            None => self.leave_last(place),
        }
    }

    /// The last reply of earlier sessions was sent.
    #[cold]
    fn leave_last(&self, place: usize) {
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.ledger, &sentinel, ());
        let mut retired = Retired::new(&self.scopes);
        self.ledger.with(|ledger| {
            ledger.leave(place, &mut retired);
            if ledger.is_late() {
                return;
            }
            // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
            unsafe {
                drain.detach(&mut ledger.clearing);
                drain.begin();
            }
        });
        self.clean(retired);
        drain.run();
    }

    pub(super) fn turn_over(&self, ended: bool, reason: Reason) {
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.ledger, &sentinel, ());
        self.ledger.with(|ledger| {
            ledger.turn_over(ended);
            // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
            unsafe {
                drain.detach(&mut ledger.listeners);
                drain.begin();
            }
        });
        let sweep = Sweep {
            table: self,
            cursor: 0,
            reason,
        };
        let mut user = UserCode::new();
        user.call(|| drain.run());
        user.call(|| drop(sweep));
        user.rethrow();
    }
}
