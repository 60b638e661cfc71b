//! Observers: hooks on what happens to one slot, line or admission.
//!
//! An observer is a type parameter, `()` unless chosen. `()` has no size and leaves no code: every
//! transition asks a constant. A real observer costs a lock for transitions that need none
//! otherwise (so that the numbers are exact), and a counter in the object.
//!
//! Invariants:
//! - **O1** Events of one object are numbered under its lock, without gaps, from 0 (wrapping).
//!   Sorted by that number they are the object's history.
//! - **O2** Hooks run outside the lock, on the thread that did the step, after the step. Two
//!   threads may therefore run them out of order; the number tells.
//! - **O3** A hook may do anything with the object. A panic in it loses no claim and no wake-up.

use crate::Outcome;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EventKind {
    /// A free slot or line was claimed; permits were given at once.
    Claimed,
    /// A waiter joined the queue.
    Enlisted,
    /// The claim went to the head of the queue; a waiter's permits were set aside for it.
    Granted,
    /// The waiter took what it was granted.
    Observed,
    /// A granted waiter went without taking the claim, which goes on to the next or is free; or
    /// without its permits, which come back.
    PassedOn,
    /// The holder's claim ended; a permit came back (always [`Outcome::Done`]).
    Released(Outcome),
    /// A grant that nobody had taken was taken back.
    Revoked,
    /// A queued waiter left.
    Cancelled,
    /// The slot, line or admission was closed; its queue is empty from here on.
    Closed,
    /// Permits were refused: at once, or to a waiter that has become too heavy.
    Refused,
    /// The capacity's goal was changed.
    Resized,
}

/// One numbered event of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Event {
    /// The event's number in its object's history (O1), wrapping.
    pub number: u32,
    /// What happened.
    pub kind: EventKind,
}

/// A hook on one object.
///
/// ```
/// use core::sync::atomic::{AtomicU32, Ordering};
/// use ecluse_core::{Handoff, Slot, DefaultLock, observe::{Event, EventKind, Numbered, Observer}};
///
/// #[derive(Default)]
/// struct Claims(AtomicU32);
/// impl Observer for Claims {
///     type Numbers = Numbered;
///     fn event(&self, event: Event) {
///         if event.kind == EventKind::Claimed {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let slot = Slot::<Handoff, DefaultLock, Claims>::with_observer(Claims::default());
/// slot.try_claim().unwrap().release();
/// assert_eq!(slot.observer().0.load(Ordering::Relaxed), 1);
/// ```
pub trait Observer {
    /// [`Numbered`]. (`()` is [`Silent`]: it sees nothing.)
    type Numbers: Numbers;

    /// Called after each step, outside the lock (O2, O3).
    fn event(&self, event: Event);
}

impl Observer for () {
    type Numbers = Silent;

    #[inline(always)]
    fn event(&self, _: Event) {}
}

impl<O: Observer + ?Sized> Observer for &O {
    type Numbers = O::Numbers;

    #[inline(always)]
    fn event(&self, event: Event) {
        O::event(self, event);
    }
}

/// Whether an observer's events are numbered, and where the counter is. Sealed.
pub trait Numbers: Send + private::Sealed {
    #[doc(hidden)]
    const NEW: Self;
    /// Whether there is anybody to tell.
    #[doc(hidden)]
    const HEARD: bool;
    /// Events of one lock hold, on their way out of it.
    #[doc(hidden)]
    type Notes: Default;

    #[doc(hidden)]
    fn note(&mut self, notes: &mut Self::Notes, kind: EventKind);
    #[doc(hidden)]
    fn each(notes: Self::Notes, tell: impl FnMut(Event));
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Silent {}
    impl Sealed for super::Numbered {}
}

/// No events: no counter, no code.
#[derive(Debug)]
pub struct Silent(());

impl Numbers for Silent {
    const NEW: Self = Self(());
    const HEARD: bool = false;
    type Notes = ();

    #[inline(always)]
    fn note(&mut self, (): &mut (), _: EventKind) {}

    #[inline(always)]
    fn each((): (), _: impl FnMut(Event)) {}
}

/// Events numbered by a counter under the object's lock.
#[derive(Debug)]
pub struct Numbered(u32);

impl Numbers for Numbered {
    const NEW: Self = Self(0);
    const HEARD: bool = true;
    /// No lock hold makes more than two events.
    type Notes = [Option<Event>; 2];

    fn note(&mut self, notes: &mut Self::Notes, kind: EventKind) {
        let event = Event {
            number: self.0,
            kind,
        };
        self.0 = self.0.wrapping_add(1);
        if let Some(place) = notes.iter_mut().find(|place| place.is_none()) {
            *place = Some(event);
        } else {
            debug_assert!(false, "a lock hold of more than two events: {event:?}");
        }
    }

    fn each(notes: Self::Notes, tell: impl FnMut(Event)) {
        notes.into_iter().flatten().for_each(tell);
    }
}

/// The notes of one lock hold for the observer `O`.
pub(crate) type Notes<O> = <<O as Observer>::Numbers as Numbers>::Notes;

/// Whether the observer `O` hears anything.
pub(crate) const fn heard<O: Observer>() -> bool {
    <O::Numbers as Numbers>::HEARD
}
