//! The wait for the end of one hold of a line.

use core::task::Waker;

use super::{DONE, Generation, HELD, LineRef, Queue, WAITERS, ending};
use crate::{
    Outcome,
    observe::{EventKind, Notes, Numbers, heard},
    sync::{Locked, Ordering, Protected},
    wait::{Found, Node, Protocol, Ring, Wait},
};

/// The wait for the end of one hold: gives its [`Outcome`].
///
/// It belongs to **that** hold: polled first when the hold is over, it is over at once, even if the
/// line was taken again; with the hold's outcome if it is the last one that ended, else with
/// [`Outcome::Passed`].
pub type HoldEnd<R> = Wait<ToHoldEnd<R>>;

/// What a [`HoldEnd`] waits for.
pub struct ToHoldEnd<R: LineRef> {
    line: R,
    generation: Generation,
}

impl<R: LineRef> ToHoldEnd<R> {
    #[inline(always)]
    pub(super) fn new(line: &R, word: usize) -> Self {
        Self {
            line: line.clone(),
            generation: Generation::of(word),
        }
    }

    pub(super) fn line(&self) -> &R {
        &self.line
    }

    /// Whether `word` says that the hold goes on, and the line is open.
    #[inline(always)]
    fn goes_on(&self, word: usize) -> bool {
        Generation::of(word) == self.generation && word & DONE == 0
    }

    /// What `word` tells this wait, whose hold does not go on.
    #[cfg_attr(not(feature = "std"), inline(never))]
    fn read(&self, word: usize) -> Outcome {
        let now = Generation::of(word);
        if now == self.generation {
            Outcome::Closed
        } else if now == self.generation.next() {
            ending(word)
        } else {
            Outcome::Passed
        }
    }
}

impl<R: LineRef> Wait<ToHoldEnd<R>> {
    /// The hold that this waits for: what [`Line::acquire_if`](super::Line::acquire_if) wants to
    /// know for a re-election.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.target.generation
    }
}

/// Another wait for the same hold, not yet queued.
impl<R: LineRef> Clone for Wait<ToHoldEnd<R>> {
    fn clone(&self) -> Self {
        Self::new(ToHoldEnd {
            line: self.target.line.clone(),
            generation: self.target.generation,
        })
    }
}

impl<R: LineRef> Protocol for ToHoldEnd<R> {
    type Lock = R::Lock;
    type Held = Queue<R::Observer>;
    type Grant = Outcome;
    type Extra = ();
    type Output = Outcome;
    type Notes = Notes<R::Observer>;

    const UNDER_LOCK: bool = Self::HEARD;
    const HEARD: bool = heard::<R::Observer>();

    #[inline(always)]
    fn guarded(&self) -> &Protected<Self::Lock, Self::Held> {
        &self.line.line().queue
    }

    #[inline(always)]
    fn ring<'h>(&'h self, held: &'h mut Locked<Self::Held>) -> Option<&'h mut Ring<Outcome>> {
        Some(&mut held.waiters)
    }

    #[inline(always)]
    fn attempt(&self) -> Option<Outcome> {
        // Acquire: pairs with the release of the hold, so that the waiter sees what it did.
        let word = self.line.line().word.load(Ordering::Acquire);
        (!self.goes_on(word)).then(|| self.read(word))
    }

    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Self::Held>,
        _: &Node<Outcome>,
        _: &Waker,
        notes: &mut Self::Notes,
    ) -> Found<'h, Self> {
        let word = &self.line.line().word;
        // Acquire: as in `attempt`; and L4 for whoever stores after us under the lock.
        let mut now = word.load(Ordering::Acquire);
        loop {
            if !self.goes_on(now) {
                return Found::Grant(self.read(now));
            }
            if now & WAITERS != 0 {
                break;
            }
            // Relaxed: publishes nothing. A swap, since the holder may release beside us; it looks
            // at everything again. Acquire: as above.
            match word.swap_locked(
                held,
                now,
                now | WAITERS,
                Ordering::Relaxed,
                Ordering::Acquire,
            ) {
                Ok(()) => break,
                Err(changed) => now = changed,
            }
        }
        held.numbers.note(notes, EventKind::Enlisted);
        Found::Ring(&mut held.waiters)
    }

    fn left(&self, held: &mut Locked<Self::Held>, emptied: bool, notes: &mut Self::Notes) {
        held.numbers.note(notes, EventKind::Cancelled);
        if emptied {
            let word = &self.line.line().word;
            // Release: L4. (Relaxed for the load: this waiter acquired the generation when it
            // enlisted, and nobody changed it since, `WAITERS` being set.) A store: L2.
            let now = word.load(Ordering::Relaxed);
            debug_assert_eq!(now & (HELD | WAITERS | DONE), HELD | WAITERS);
            word.store_locked(held, now & !WAITERS, Ordering::Release);
        }
    }

    fn settled(&self, _: &mut Locked<Self::Held>, _: &Node<Outcome>) {}

    fn observed(&self, held: &mut Locked<Self::Held>, _: &Outcome, notes: &mut Self::Notes) {
        held.numbers.note(notes, EventKind::Observed);
    }

    fn over(&self, _: &mut Locked<Self::Held>) -> Option<Outcome> {
        self.attempt()
    }

    #[inline(always)]
    fn observe(&self, grant: Outcome) -> Outcome {
        grant
    }

    fn pass_on(&self, _: Outcome) {}

    fn tell(&self, notes: Self::Notes) {
        self.line.line().tell(notes);
    }
}
