//! w01, w02 for the admission: every callback of a waker, doing every hostile act, in every method that calls it.
//!
//! Each combination is a world of its own: a holder, a heavy head, two light ones behind it. Afterwards every permit is back, nobody who
//! could be served waits, and no waker is left.

use core::task::{Poll, Waker};

use super::super::subject::admission::{Acquiring, Fifo};
use super::super::subject::{Admission, NotAdmitted, Permit};
use futures_core::FusedFuture;

use crate::kit::{Guarded, Parked, Scene, TestWaker, table};
use crate::{Runtime, Verdict};

cases! { engine hostile_admission:
    w01_admission_survives_wakers_that_come_back,
    w02_admission_survives_wakers_that_panic needs UNWIND,
}

/// What a waker does besides waking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    TryAcquire,
    Enlist,
    Resize,
    Close,
    Release,
    DropOther,
    AbandonOther,
}

const ACTS: [Act; 7] = [
    Act::TryAcquire,
    Act::Enlist,
    Act::Resize,
    Act::Close,
    Act::Release,
    Act::DropOther,
    Act::AbandonOther,
];

/// Which method meets the hostile waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    FirstPoll,
    RepollTo,
    RepollFrom,
    Release,
    HeadLeaves,
    HeadAbandons,
    PassOn,
    Leave,
    Grow,
    Shrink,
    Close,
}

const TRIGGERS: [Trigger; 11] = [
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::RepollFrom,
    Trigger::Release,
    Trigger::HeadLeaves,
    Trigger::HeadAbandons,
    Trigger::PassOn,
    Trigger::Leave,
    Trigger::Grow,
    Trigger::Shrink,
    Trigger::Close,
];

type Static = &'static Admission<Fifo>;
type Wait = Parked<Acquiring<Static>>;

const CAPACITY: usize = 3;

struct World {
    admission: Admission<Fifo>,
    held: Guarded<Option<Permit<Static>>>,
    /// Wants all there is, and stands before the victim.
    heavy: Wait,
    /// Polled with the hostile waker.
    victim: Wait,
    other: Wait,
    late: Wait,
    waker: TestWaker,
}

impl World {
    const fn new() -> Self {
        Self {
            admission: Admission::new(CAPACITY, 9),
            held: Guarded::new(None),
            heavy: Parked::new(),
            victim: Parked::new(),
            other: Parked::new(),
            late: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    fn release(&'static self) {
        let held = self.held.with(Option::take);
        drop(held);
    }

    /// What is granted goes back at once.
    fn poll(&'static self, wait: &'static Wait, waker: &Waker) {
        if let Poll::Ready(told) = wait.poll(waker) {
            wait.leave();
            drop(told);
        }
    }

    fn abandon(wait: &'static Wait) -> Option<Result<Permit<Static>, NotAdmitted>> {
        let told = wait.with_pin(|wait| wait.try_abandon());
        wait.leave();
        told
    }
}

impl Scene for &'static World {
    type Act = Act;
    type Trigger = Trigger;

    const PANIC: Act = Act::Panic;
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;

    fn new<R: Runtime>(rt: R) -> Self {
        rt.put(World::new())
    }

    fn act(self, act: Act) {
        let admission = &self.admission;
        match act {
            Act::Panic => panic!("hostile"),
            Act::TryAcquire => {
                let seen = admission.snapshot();
                assert!(seen.occupancy <= seen.capacity);
                drop(admission.try_acquire(1));
            }
            Act::Enlist => {
                self.late.park(admission.acquire(1));
                self.poll(&self.late, &self.waker.waker());
            }
            Act::Resize => {
                admission.grow(2);
                admission.shrink(2);
            }
            Act::Close => {
                admission.close();
            }
            Act::Release => self.release(),
            Act::DropOther => self.other.leave(),
            Act::AbandonOther => {
                if self.other.is_parked() {
                    drop(World::abandon(&self.other));
                }
            }
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let admission = &self.admission;
        let weight = if matches!(trigger, Trigger::HeadLeaves | Trigger::HeadAbandons) {
            1
        } else {
            CAPACITY
        };
        let held = admission.try_acquire(weight).expect("a new one is free");
        self.held.with(|place| *place = Some(held));
        let heads = [Trigger::HeadLeaves, Trigger::HeadAbandons, Trigger::PassOn];
        if heads.contains(&trigger) {
            self.heavy.park(admission.acquire(CAPACITY));
            self.heavy.pending(&self.waker.waker());
        }
        // A shrink refuses it.
        let wanted = if trigger == Trigger::Shrink {
            CAPACITY
        } else {
            1
        };
        self.victim.park(admission.acquire(wanted));
        match trigger {
            Trigger::FirstPoll => {}
            Trigger::RepollTo => self.victim.pending(&self.waker.waker()),
            _ => self.victim.pending(&hostile.waker()),
        }
        self.other.park(admission.acquire(1));
        self.other.pending(&self.waker.waker());
        if trigger == Trigger::PassOn {
            self.release();
        }
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        match trigger {
            Trigger::FirstPoll | Trigger::RepollTo => self.poll(&self.victim, &hostile.waker()),
            Trigger::RepollFrom => self.poll(&self.victim, &self.waker.waker()),
            Trigger::Release => self.release(),
            Trigger::HeadLeaves | Trigger::PassOn => self.heavy.leave(),
            Trigger::HeadAbandons => drop(World::abandon(&self.heavy)),
            Trigger::Leave => self.victim.leave(),
            Trigger::Grow => drop(self.admission.grow(1)),
            Trigger::Shrink => drop(self.admission.shrink(1)),
            Trigger::Close => drop(self.admission.close()),
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        core::slice::from_ref(&self.waker)
    }

    /// Everybody is served or told, every permit comes back, and no waker is left behind.
    fn settle(self, _: &'static TestWaker) {
        self.release();
        let waits = [&self.heavy, &self.victim, &self.other, &self.late];
        for _ in 0..2 * waits.len() {
            for wait in waits.into_iter().filter(|wait| wait.is_parked()) {
                if wait.with_pin(|wait| wait.is_terminated()) {
                    wait.leave();
                } else {
                    self.poll(wait, &self.waker.waker());
                }
            }
        }
        assert!(!waits.iter().any(|wait| wait.is_parked()), "one is left");
        let seen = self.admission.snapshot();
        assert_eq!((seen.occupancy, seen.waiting), (0, 0), "a permit is lost");
        assert_eq!(seen.capacity, seen.target);
    }
}

async fn w01_admission_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &ACTS).await
}

async fn w02_admission_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &[Act::Panic]).await
}
