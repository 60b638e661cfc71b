//! What a primitive under load is, and what its calls have in common.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    panic::resume_unwind,
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread,
};

use crate::{
    hand::{Ends, Hand, Table, wakers},
    plain::Plain,
    report::Tally,
};

/// A call, by whichever thread it is driven.
pub(crate) type Call<'s> = Pin<Box<dyn Future<Output = ()> + Send + 's>>;

/// A primitive under load.
pub(crate) trait Subject: Sync {
    fn new() -> Self;

    /// One call, chosen by the dice.
    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s>;

    /// No more calls come; whoever waits for something that only a call brings is let go.
    fn finish(&self) {}

    /// All calls have ended: notes what is wrong.
    fn check(&mut self);

    fn faults(&self) -> &Faults;
}

/// One round of a subject: what became of the calls, and what was wrong.
pub(crate) fn round<S: Subject>(threads: u64, steps: u32, seed: u64) -> Tally {
    let mut subject = S::new();
    let ends = {
        let table = Table::default();
        let barrier = std::sync::Barrier::new(threads as usize);
        let drive = |thread: u64| {
            let mut hand = Hand::new(&subject, &table, seed.wrapping_add(thread));
            hand.steps(steps);
            barrier.wait();
            hand.finish();
            hand.ends
        };
        thread::scope(|scope| {
            let hands: Vec<_> = (0..threads)
                .map(|thread| {
                    let drive = &drive;
                    scope.spawn(move || drive(thread))
                })
                .collect();
            let ends = hands.into_iter().map(|hand| hand.join());
            ends.map(|ends| ends.unwrap_or_else(|panic| resume_unwind(panic)))
                .fold(Ends::default(), |mut all, one: Ends| {
                    all += one;
                    all
                })
        })
    };
    subject.check();
    let faults = subject.faults().take();
    drop(subject);
    Tally {
        ends,
        faults,
        wakers: wakers() as u64,
    }
}

/// What was wrong, and how often.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<BTreeMap<&'static str, u64>>);

impl Faults {
    pub(crate) fn note(&self, what: &'static str) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *faults.entry(what).or_insert(0) += 1;
    }

    pub(crate) fn note_if(&self, wrong: bool, what: &'static str) {
        if wrong {
            self.note(what);
        }
    }

    fn take(&self) -> BTreeMap<&'static str, u64> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        core::mem::take(&mut faults)
    }
}

/// The payload of a panic that is part of the load.
pub(crate) struct Planned;

/// Where at most so many may be at a time.
///
/// The count orders nothing between threads, or it would hide an order that the primitive lacks.
#[derive(Debug, Default)]
pub(crate) struct Inside {
    count: AtomicUsize,
    /// Touched by whoever is alone by the primitive's word.
    alone: Plain,
}

impl Inside {
    /// Enters with a weight, which with the others' is `most` at most.
    pub(crate) fn enter<'i>(&'i self, weight: usize, most: usize, faults: &Faults) -> Stay<'i> {
        let before = self.count.fetch_add(weight, Ordering::Relaxed);
        faults.note_if(
            before.saturating_add(weight) > most,
            "more inside than may be",
        );
        let stay = Stay {
            inside: self,
            weight,
            alone: before == 0 && weight == most,
        };
        stay.touch();
        stay
    }

    /// One leaves whose stay was forgotten.
    pub(crate) fn leave(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }
}

pub(crate) struct Stay<'i> {
    inside: &'i Inside,
    weight: usize,
    alone: bool,
}

impl Stay<'_> {
    #[allow(unsafe_code)]
    fn touch(&self) {
        if self.alone {
            // SAFETY: Validity: a number. Aliasing: nobody was counted in here when this stay began, and
            // whoever comes while it lasts does not count as alone.
            unsafe { self.inside.alone.touch() };
        }
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.touch();
        self.inside.count.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

/// The dice of a thread.
#[derive(Debug)]
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Some work.
    pub(crate) fn work(&mut self) -> Work {
        Work {
            pauses: self.below(4),
            panics: self.once_in(64),
        }
    }
}

/// What somebody does who is at it: a few polls, and now and then a panic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pauses: usize,
    panics: bool,
}

impl Work {
    pub(crate) async fn done(self) {
        pause(self.pauses).await;
        if self.panics {
            resume_unwind(Box::new(Planned));
        }
    }
}

/// Is pending so many times, and woken at once.
pub(crate) async fn pause(mut times: usize) {
    poll_fn(|cx| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics in every third call, before there is a future, and in each hand at the end of its steps.
    struct Panicking(Faults, AtomicUsize);

    impl Subject for Panicking {
        fn new() -> Self {
            Self(Faults::default(), AtomicUsize::new(0))
        }

        fn call<'s>(&'s self, _: &mut Dice) -> Call<'s> {
            if self.1.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
                resume_unwind(Box::new("nobody planned this"));
            }
            Box::pin(pause(1))
        }

        fn finish(&self) {
            resume_unwind(Box::new("nor this"));
        }

        fn check(&mut self) {}

        fn faults(&self) -> &Faults {
            &self.0
        }
    }

    #[test]
    fn a_panic_in_one_hand_is_a_fault_and_the_others_come_to_their_end() {
        let Tally { ends, faults, .. } = round::<Panicking>(2, 100, 1);
        assert!(ends.panicked > 0 && ends.done > 0);
        assert_eq!(ends.hung, 0);
        assert_eq!(faults["a panic that nobody planned"], ends.panicked);
    }
}
