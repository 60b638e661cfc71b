//! `Admission`: never more permits out than there are, and all are back at the end.

use ecluse_core::{
    Admission,
    admission::{NotAdmitted, Policy},
};

use crate::subject::{Call, Dice, Faults, Inside, Subject, Work};

const CAPACITY: usize = 4;
const ROOM: usize = 6;

pub(super) struct Admissions<P: Policy> {
    admission: Admission<P>,
    inside: Inside,
    faults: Faults,
}

impl<P: Policy + Send + Sync> Admissions<P> {
    async fn acquire(&self, weight: usize, work: Work, tries: bool) {
        let permit = if tries {
            self.admission.try_acquire(weight)
        } else {
            self.admission.acquire(weight).await
        };
        match permit {
            Ok(permit) => {
                let stay = self.inside.enter(weight, CAPACITY, &self.faults);
                work.done().await;
                drop(stay);
                permit.release();
            }
            Err(why) => {
                let wrong = matches!(why, NotAdmitted::Closed);
                self.faults
                    .note_if(wrong, "an admission that nobody closed");
            }
        }
    }
}

impl<P: Policy + Send + Sync + 'static> Subject for Admissions<P> {
    fn new() -> Self {
        Self {
            admission: Admission::new(CAPACITY, ROOM),
            inside: Inside::default(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        let weight = 1 + dice.below(3);
        Box::pin(self.acquire(weight, dice.work(), dice.once_in(4)))
    }

    fn check(&mut self) {
        let lost = self.admission.available() != CAPACITY || !self.inside.is_empty();
        self.faults.note_if(lost, "a permit lost");
        self.faults
            .note_if(self.admission.waiting() > 0, "a waiter left");
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
