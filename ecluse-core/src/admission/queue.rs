//! What happens under the lock: the state changes, waiters are chosen, served and refused.

use core::{ptr::NonNull, task::Waker};

use super::{
    Admission, Answer, DONE, FULL, MAX, NotAdmitted, ONE, OVER, WAITERS, available,
    policy::{Passed, Policy},
};
use crate::{
    observe::{EventKind, Notes, Numbers, Observer, heard},
    sync::{Lock, Locked, Ordering},
    wait::{BATCH, Node, Ring, Source},
};

/// What the admission's lock protects.
pub struct Queue<P: Policy, O: Observer> {
    pub(super) waiters: Ring<Answer>,
    /// How many they are.
    pub(super) waiting: usize,
    /// Permits that exist: as many as the goal, and those that were out when it was lowered.
    pub(super) capacity: usize,
    pub(super) passed: P::Passed,
    pub(super) numbers: O::Numbers,
}

/// All of the state, as the lock's holder sees it: the word, and what is beside it (A1).
pub(super) struct State {
    pub(super) free: usize,
    pub(super) waiting: usize,
    pub(super) capacity: usize,
    pub(super) target: usize,
    pub(super) closed: bool,
}

impl State {
    /// The goal is `target` from here on. More comes into being at once; less goes as it comes
    /// back, and what is free goes now (A2).
    pub(super) fn aim(&mut self, target: usize) {
        self.target = target.min(MAX);
        let more = self.target.saturating_sub(self.capacity);
        self.free += more;
        self.capacity += more;
        let gone = self.free.min(self.capacity - self.target);
        self.free -= gone;
        self.capacity -= gone;
    }

    /// `weight` comes back. What is too much goes.
    pub(super) fn put_back(&mut self, weight: usize) {
        let gone = weight.min(self.capacity - self.target);
        self.capacity -= gone;
        self.free += weight - gone;
    }
}

impl<P: Policy, L: Lock, O: Observer> Admission<P, L, O> {
    /// The state, with the lock held.
    pub(super) fn state(&self, held: &Locked<Queue<P, O>>, word: usize) -> State {
        State {
            free: available(word),
            waiting: held.waiting,
            capacity: held.capacity,
            // Relaxed: it is written under the lock.
            target: self.target.load(Ordering::Relaxed),
            closed: word & DONE != 0,
        }
    }

    /// Changes the state by `step`, or not at all if that says so. A free writer may come between:
    /// then `step` is asked again, about what is there by then.
    ///
    /// There is this one way for every change, also where a plain store would do (A3).
    pub(super) fn change<T>(
        &self,
        held: &mut Locked<Queue<P, O>>,
        mut step: impl FnMut(&mut State) -> Result<(), T>,
    ) -> Result<(), T> {
        // Relaxed, twice: what matters is decided by the swap.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let mut state = self.state(held, word);
            step(&mut state)?;
            let flag = |flag: usize, set: bool| if set { flag } else { 0 };
            let next = (state.free * ONE)
                | flag(WAITERS, state.waiting != 0)
                | flag(FULL, state.waiting >= self.room)
                | flag(OVER, state.capacity > state.target)
                | flag(DONE, state.closed);
            // Acquire: whoever is served from the queue sees what those wrote who gave back what it
            // is given. Release: a return may be made here, and a close.
            match self
                .word
                .swap_locked(held, word, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(()) => {
                    held.waiting = state.waiting;
                    held.capacity = state.capacity;
                    // Relaxed: who decides by it has the lock.
                    self.target
                        .store_locked(held, state.target, Ordering::Relaxed);
                    return Ok(());
                }
                Err(now) => word = now,
            }
        }
    }

    /// As [`change`](Self::change), for what is always possible.
    pub(super) fn set(&self, held: &mut Locked<Queue<P, O>>, mut step: impl FnMut(&mut State)) {
        let Ok(()) = self.change(held, |state| {
            step(state);
            Ok::<(), core::convert::Infallible>(())
        });
    }

    /// Admits a newcomer of `weight`, or says why not. `Busy` means: it may queue, and if it
    /// `queues`, it is counted in.
    pub(super) fn admit(
        &self,
        held: &mut Locked<Queue<P, O>>,
        weight: usize,
        queues: bool,
    ) -> Result<(), NotAdmitted> {
        let passes = self.may_pass(held);
        let mut answer = Err(NotAdmitted::Busy);
        self.change(held, |state| {
            answer = Err(NotAdmitted::Busy);
            if state.closed {
                return Err(NotAdmitted::Closed);
            } else if weight == 0 {
                return Err(NotAdmitted::ZeroWeight);
            } else if weight > state.target {
                return Err(NotAdmitted::TooHeavy);
            } else if weight <= state.free && (state.waiting == 0 || passes) {
                state.free -= weight;
                answer = Ok(());
            } else if !queues {
                return answer;
            } else if state.waiting >= self.room {
                return Err(NotAdmitted::RoomFull);
            } else {
                state.waiting += 1;
            }
            Ok(())
        })?;
        if answer.is_ok() && held.waiting != 0 {
            let Queue {
                waiters, passed, ..
            } = &mut **held;
            passed.one_more(waiters);
        }
        answer
    }

    /// Whether a newcomer that fits is one of those that may pass the head, and nobody before it is.
    fn may_pass(&self, held: &Locked<Queue<P, O>>) -> bool {
        P::PAST != 0
            && held.waiting != 0
            && held.waiting <= P::PAST
            && held.passed.count() < P::PAST
            && self.choose(held).is_none()
    }

    /// Who is served next, and what it is told. It stays in the queue.
    fn choose(&self, held: &Locked<Queue<P, O>>) -> Option<(NonNull<Node<Answer>>, Answer)> {
        let head = held.waiters.first()?;
        // Relaxed: somebody waits, so nobody writes it beside us (A3).
        let free = available(self.word.load(Ordering::Relaxed));
        // SAFETY: Validity: the head of our ring; every waiter of it asks. Aliasing: the lock is
        // held.
        let asked = unsafe { Node::asked(head) };
        // Relaxed: as in `state`.
        if asked.weight() > self.target.load(Ordering::Relaxed) {
            return Some((head, Answer::refused(NotAdmitted::TooHeavy)));
        }
        if asked.weight() <= free {
            return Some((head, asked));
        }
        if held.passed.count() < P::PAST {
            let mut member = head;
            for _ in 0..P::PAST {
                // SAFETY: Validity: a member of our ring, and so is the one behind it, which asks.
                // Aliasing: the lock is held.
                let asked = unsafe {
                    member = held.waiters.behind(member)?;
                    Node::asked(member)
                };
                if asked.weight() <= free {
                    return Some((member, asked));
                }
            }
        }
        None
    }

    /// A waiter unlinked itself.
    pub(super) fn left(&self, held: &mut Locked<Queue<P, O>>) {
        // A close has counted its cohort out.
        if held.waiting != 0 {
            self.set(held, |state| state.waiting -= 1);
            let Queue {
                waiters, passed, ..
            } = &mut **held;
            passed.look(waiters);
        }
    }

    pub(super) fn serving(&self) -> Serving<'_, P, L, O> {
        Serving {
            admission: self,
            notes: Notes::<O>::default(),
            open: true,
        }
    }
}

/// Serves the queue while somebody in it can be served (A5).
pub(super) struct Serving<'a, P: Policy, L, O: Observer> {
    admission: &'a Admission<P, L, O>,
    pub(super) notes: Notes<O>,
    open: bool,
}

impl<P: Policy, L: Lock, O: Observer> Source<Queue<P, O>> for Serving<'_, P, L, O> {
    /// With an observer one a hold, which has room for two events.
    const BATCH: usize = if heard::<O>() { 1 } else { BATCH };

    fn is_open(&self) -> bool {
        self.open
    }

    unsafe fn next(&mut self, held: &mut Locked<Queue<P, O>>) -> Option<Waker> {
        let Some((node, answer)) = self.admission.choose(held) else {
            self.open = false;
            return None;
        };
        let passing = held.waiters.first() != Some(node);
        // SAFETY: Validity: chosen from this ring. Aliasing: the lock is held.
        unsafe { held.waiters.take(node) };
        let weight = answer.read();
        self.admission.set(held, |state| {
            state.waiting -= 1;
            state.free -= weight.unwrap_or(0);
            // Another hold is worth while if somebody may fit, or a head was refused.
            self.open = state.waiting != 0 && (state.free != 0 || weight.is_err());
        });
        let Queue {
            waiters,
            passed,
            numbers,
            ..
        } = &mut **held;
        if passing {
            passed.one_more(waiters);
        } else {
            passed.look(waiters);
        }
        let event = if weight.is_ok() {
            EventKind::Granted
        } else {
            EventKind::Refused
        };
        numbers.note(&mut self.notes, event);
        // SAFETY: Validity: just unlinked. Aliasing: the lock is held.
        Some(unsafe { Node::grant(node, answer) })
    }

    fn tell(&mut self) {
        self.admission.tell(core::mem::take(&mut self.notes));
    }
}
