//! The wait for permits.

use core::task::Waker;

use super::{Admission, AdmissionRef, Answer, NotAdmitted, Permit, Queue, WAITERS};
use crate::{
    observe::{EventKind, Notes, Numbers, heard},
    sync::{Locked, Ordering, Protected},
    wait::{Drain, Found, Node, Protocol, Ring, Wait},
};

/// The wait for permits: gives a [`Permit`], or why not.
pub type Acquiring<R> = Wait<ToPermit<R>>;

/// What an [`Acquiring`] waits for.
pub struct ToPermit<R: AdmissionRef> {
    admission: R,
    weight: usize,
}

impl<R: AdmissionRef> ToPermit<R> {
    #[inline(always)]
    pub(super) fn new(admission: R, weight: usize) -> Self {
        Self { admission, weight }
    }

    #[inline(always)]
    fn admission(&self) -> &Admission<R::Policy, R::Lock, R::Observer> {
        self.admission.admission()
    }
}

impl<R: AdmissionRef> Wait<ToPermit<R>> {
    /// How many permits this waits for.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.target.weight
    }

    /// The admission whose permits this waits for.
    #[must_use]
    pub fn admission(&self) -> &R {
        &self.target.admission
    }
}

impl<R: AdmissionRef> Protocol for ToPermit<R> {
    type Lock = R::Lock;
    type Held = Queue<R::Policy, R::Observer>;
    type Grant = Answer;
    type Extra = ();
    type Output = Result<Permit<R>, NotAdmitted>;
    type Notes = Notes<R::Observer>;

    const UNDER_LOCK: bool = Self::HEARD;
    const HEARD: bool = heard::<R::Observer>();
    const RELAYS: bool = true;

    #[inline(always)]
    fn guarded(&self) -> &Protected<Self::Lock, Self::Held> {
        &self.admission().queue
    }

    #[inline(always)]
    fn ring<'h>(&'h self, held: &'h mut Locked<Self::Held>) -> Option<&'h mut Ring<Answer>> {
        Some(&mut held.waiters)
    }

    #[inline(always)]
    fn attempt(&self) -> Option<Answer> {
        if Self::HEARD {
            return None;
        }
        match self.admission().take(self.weight) {
            Ok(()) => Some(Answer::permits(self.weight)),
            // Shedding takes no lock.
            Err(word) => self
                .admission()
                .refusal(word, self.weight)
                .map(Answer::refused),
        }
    }

    fn enlist<'h>(
        &'h self,
        held: &'h mut Locked<Self::Held>,
        node: &Node<Answer>,
        _: &Waker,
        notes: &mut Self::Notes,
    ) -> Found<'h, Self> {
        let answer = self.admission().admit(held, self.weight, true);
        held.numbers.note(
            notes,
            match answer {
                Ok(()) => EventKind::Claimed,
                Err(NotAdmitted::Busy) => EventKind::Enlisted,
                Err(_) => EventKind::Refused,
            },
        );
        match answer {
            Ok(()) => Found::Grant(Answer::permits(self.weight)),
            Err(NotAdmitted::Busy) => {
                // SAFETY: Validity: enlisted next. Aliasing: the owner, with the lock.
                unsafe { node.ask(Answer::permits(self.weight)) };
                Found::Ring(&mut held.waiters)
            }
            Err(why) => Found::Grant(Answer::refused(why)),
        }
    }

    fn left(&self, held: &mut Locked<Self::Held>, _: bool, notes: &mut Self::Notes) {
        held.numbers.note(notes, EventKind::Cancelled);
        self.admission().left(held);
    }

    fn settled(&self, _: &mut Locked<Self::Held>, _: &Node<Answer>) {}

    fn observed(&self, held: &mut Locked<Self::Held>, grant: &Answer, notes: &mut Self::Notes) {
        if grant.read().is_ok() {
            held.numbers.note(notes, EventKind::Observed);
        }
    }

    fn over(&self, _: &mut Locked<Self::Held>) -> Option<Answer> {
        None
    }

    #[inline(always)]
    fn observe(&self, grant: Answer) -> Self::Output {
        let weight = grant.read()?;
        Ok(Permit::new(self.admission.clone(), weight))
    }

    fn pass_on(&self, grant: Answer) {
        if let Ok(weight) = grant.read() {
            self.admission().give_back(weight, EventKind::PassedOn);
        }
    }

    fn serve(&self) {
        let admission = self.admission();
        // Relaxed: we have just had the lock. Whoever left last left nobody behind; and if there
        // is nothing to be had, whoever brings it serves.
        let word = admission.word.load(Ordering::Relaxed);
        if word & WAITERS != 0 && super::available(word) != 0 {
            Drain::of(&admission.queue, admission.serving()).run();
        }
    }

    fn tell(&self, notes: Self::Notes) {
        self.admission().tell(notes);
    }
}
