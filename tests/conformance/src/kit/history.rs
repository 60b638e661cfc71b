//! The history of one object, and whether it is a legal one.
//!
//! Events carry a number given under the object's lock, so the history is independent of the threads that tell it: each event has its
//! own place here, and no lock is needed to write it down.

use core::fmt;

use ecluse_core::Outcome;
use ecluse_core::observe::{Event, EventKind, Numbered, Observer};
use portable_atomic::{AtomicU8, AtomicUsize, Ordering};

/// Writes down at most `N` events of one object.
pub struct History<const N: usize> {
    events: [AtomicU8; N],
    told: AtomicUsize,
}

/// The kinds of events as they are written down. 0 is nothing.
const KINDS: [EventKind; 9] = [
    EventKind::Claimed,
    EventKind::Enlisted,
    EventKind::Granted,
    EventKind::Observed,
    EventKind::PassedOn,
    // How it ended does not matter for the order.
    EventKind::Released(Outcome::Done),
    EventKind::Revoked,
    EventKind::Cancelled,
    EventKind::Closed,
];

impl<const N: usize> History<N> {
    /// Nothing has happened.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            events: [const { AtomicU8::new(0) }; N],
            told: AtomicUsize::new(0),
        }
    }

    /// How many events there were.
    pub fn len(&self) -> usize {
        self.told.load(Ordering::SeqCst)
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events in the order of their numbers.
    ///
    /// # Panics
    /// If one is missing.
    pub fn events(&self) -> impl Iterator<Item = EventKind> + '_ {
        let told = self.len();
        assert!(told <= N, "{told} events do not fit");
        self.events[..told]
            .iter()
            .enumerate()
            .map(|(number, event)| {
                let kind = usize::from(event.load(Ordering::SeqCst));
                assert!(kind > 0, "event {number} is missing");
                KINDS[kind - 1]
            })
    }

    /// Checks that a slot without barging can have had this history, and that it ended free with nobody queued.
    ///
    /// # Panics
    /// If not, with the event's number.
    pub fn check_slot(&self) {
        let mut slot = SlotModel::default();
        for (number, event) in self.events().enumerate() {
            if let Err(why) = slot.step(event) {
                panic!("event {number}, {event:?}: {why}");
            }
        }
        assert_eq!((slot.hold, slot.queued), (Hold::None, 0), "the end");
    }

    /// The same for a line.
    ///
    /// # Panics
    /// As [`check_slot`](Self::check_slot).
    pub fn check_line(&self) {
        let mut line = LineModel::default();
        for (number, event) in self.events().enumerate() {
            if let Err(why) = line.step(event) {
                panic!("event {number}, {event:?}: {why}");
            }
        }
        assert_eq!((line.held, line.queued), (false, 0), "the end");
    }
}

impl<const N: usize> Default for History<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for History<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.events()).finish()
    }
}

impl<const N: usize> Observer for History<N> {
    type Numbers = Numbered;

    fn event(&self, event: Event) {
        self.told.fetch_add(1, Ordering::SeqCst);
        let kind = match event.kind {
            EventKind::Released(_) => EventKind::Released(Outcome::Done),
            kind => kind,
        };
        let code = KINDS.iter().position(|known| *known == kind);
        let code = u8::try_from(code.expect("a known kind") + 1).expect("few kinds");
        // What does not fit is found by the count.
        if let Some(place) = self.events.get(event.number as usize) {
            assert_eq!(place.swap(code, Ordering::SeqCst), 0, "a number twice");
        }
    }
}

/// Whose a slot is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hold {
    #[default]
    None,
    /// Its queue must be served next, if there is one.
    Ended,
    Granted,
    Claimed,
}

#[derive(Debug, Default)]
struct SlotModel {
    hold: Hold,
    queued: usize,
    /// Queued at the close, told of it or leaving: neither is an event of theirs that must come.
    leaving: usize,
    closed: bool,
}

impl SlotModel {
    fn step(&mut self, event: EventKind) -> Result<(), &'static str> {
        if self.hold == Hold::Ended && (self.queued == 0 || event != EventKind::Granted) {
            if self.queued > 0 {
                return Err("the queue was not served");
            }
            self.hold = Hold::None;
        }
        match event {
            EventKind::Claimed => {
                ensure(self.hold == Hold::None, "claimed twice")?;
                ensure(self.queued == 0, "a newcomer overtook the queue")?;
                ensure(!self.closed, "claimed after the close")?;
                self.hold = Hold::Claimed;
            }
            EventKind::Enlisted => {
                ensure(self.hold != Hold::None, "queued for a free slot")?;
                ensure(!self.closed, "queued after the close")?;
                self.queued += 1;
            }
            EventKind::Granted => {
                ensure(self.hold == Hold::Ended, "granted while it is held")?;
                self.queued -= 1;
                self.hold = Hold::Granted;
            }
            EventKind::Observed => {
                ensure(self.hold == Hold::Granted, "observed what was not granted")?;
                self.hold = Hold::Claimed;
            }
            EventKind::PassedOn | EventKind::Revoked => {
                ensure(self.hold == Hold::Granted, "passed on what was not granted")?;
                self.hold = Hold::Ended;
            }
            EventKind::Released(_) => {
                ensure(self.hold == Hold::Claimed, "released what was not held")?;
                self.hold = Hold::Ended;
            }
            EventKind::Cancelled => {
                let from = if self.closed {
                    &mut self.leaving
                } else {
                    &mut self.queued
                };
                *from = from.checked_sub(1).ok_or("nobody was queued")?;
            }
            EventKind::Closed => {
                ensure(!self.closed, "closed twice")?;
                self.closed = true;
                self.leaving = core::mem::take(&mut self.queued);
            }
            _ => return Err("an event that the checker does not know"),
        }
        if self.hold == Hold::Ended && self.queued == 0 {
            self.hold = Hold::None;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct LineModel {
    held: bool,
    queued: usize,
    /// Told, and not seen to observe it: they may also just go.
    told: usize,
    closed: bool,
}

impl LineModel {
    fn step(&mut self, event: EventKind) -> Result<(), &'static str> {
        match event {
            EventKind::Claimed => {
                ensure(!self.held && !self.closed, "a token of a busy line")?;
                self.held = true;
            }
            EventKind::Enlisted => {
                ensure(self.held && !self.closed, "queued for a free line")?;
                self.queued += 1;
            }
            EventKind::Released(_) => {
                ensure(self.held, "released what was not held")?;
                self.held = false;
                self.told += core::mem::take(&mut self.queued);
            }
            EventKind::Observed => {
                self.told = self.told.checked_sub(1).ok_or("nobody was told")?;
            }
            EventKind::Cancelled => {
                // Of this hold's queue, or of a cohort that is being told.
                match self.queued.checked_sub(1) {
                    Some(queued) => self.queued = queued,
                    None => self.told = self.told.checked_sub(1).ok_or("nobody was queued")?,
                }
            }
            EventKind::Closed => {
                ensure(!self.closed, "closed twice")?;
                self.closed = true;
                self.told += core::mem::take(&mut self.queued);
            }
            _ => return Err("no event of a line"),
        }
        Ok(())
    }
}

fn ensure(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}
