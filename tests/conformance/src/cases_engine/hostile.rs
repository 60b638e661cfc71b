//! w01, w02 for the slot: every callback of a waker, doing every hostile act, in every method that calls it.
//!
//! Each combination is a world of its own: a holder, two who wait for the claim, one who waits for its end. Afterwards nothing may be
//! lost: the world is settled by waking and polling alone, and whoever stays behind is a finding.

use core::task::{Poll, Waker};

use super::super::subject::claim::{Claiming, Released};
use super::super::subject::{Claim, Closed, Slot};
use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::StaticSlot;
use crate::kit::{Guarded, Parked, Scene, TestWaker, ask, table};
use crate::{Runtime, Verdict};

cases! { engine hostile:
    w01_slot_survives_wakers_that_come_back,
    w02_slot_survives_wakers_that_panic needs UNWIND,
}

/// What a waker does besides waking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    TryClaim,
    Enlist,
    Watch,
    Look,
    Close,
    Release,
    DropOther,
    PollOther,
    AbandonOther,
}

const ACTS: [Act; 9] = [
    Act::TryClaim,
    Act::Enlist,
    Act::Watch,
    Act::Look,
    Act::Close,
    Act::Release,
    Act::DropOther,
    Act::PollOther,
    Act::AbandonOther,
];

/// Which method meets the hostile waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    FirstPoll,
    RepollTo,
    RepollFrom,
    Release,
    Abandon,
    PassOn,
    DropQueued,
    TryAbandon,
    Close,
    WatchFirstPoll,
    WatchRepollTo,
    WatchRepollFrom,
    WatchRelease,
    WatchDrop,
    WatchTryAbandon,
    WatchClose,
}

const TRIGGERS: [Trigger; 16] = [
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::RepollFrom,
    Trigger::Release,
    Trigger::Abandon,
    Trigger::PassOn,
    Trigger::DropQueued,
    Trigger::TryAbandon,
    Trigger::Close,
    Trigger::WatchFirstPoll,
    Trigger::WatchRepollTo,
    Trigger::WatchRepollFrom,
    Trigger::WatchRelease,
    Trigger::WatchDrop,
    Trigger::WatchTryAbandon,
    Trigger::WatchClose,
];

type Wait = Parked<Claiming<StaticSlot>>;
type End = Parked<Released<StaticSlot>>;

/// One slot and everybody round it.
struct World {
    slot: Slot,
    /// The claim, whoever has it. There is room for one.
    held: Guarded<Option<Claim<StaticSlot>>>,
    doubled: AtomicUsize,
    /// The victims: polled with the hostile waker.
    victim: Wait,
    watching: End,
    /// Granted, and dropped without a poll, by [`Trigger::PassOn`].
    granted: Wait,
    /// The others, each with a waker that only counts.
    other: Wait,
    other_end: End,
    late: Wait,
    late_end: End,
    wakers: [TestWaker; 7],
}

/// Who has which of the counting wakers.
const VICTIM: usize = 0;
const OTHER: usize = 1;
const OTHER_END: usize = 2;
const LATE: usize = 3;
const LATE_END: usize = 4;
const WATCHING: usize = 5;
const GRANTED: usize = 6;

impl World {
    const fn new() -> Self {
        Self {
            slot: Slot::new(),
            held: Guarded::new(None),
            doubled: AtomicUsize::new(0),
            victim: Parked::new(),
            watching: Parked::new(),
            granted: Parked::new(),
            other: Parked::new(),
            other_end: Parked::new(),
            late: Parked::new(),
            late_end: Parked::new(),
            wakers: [const { TestWaker::new() }; 7],
        }
    }

    /// A claim arrived. Two at a time are what must never be.
    fn got(&'static self, claim: Claim<StaticSlot>) {
        let refused = self.held.with(|held| match held {
            Some(_) => Some(claim),
            None => {
                *held = Some(claim);
                None
            }
        });
        if refused.is_some() {
            self.doubled.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn release(&'static self) {
        if let Some(claim) = self.held.with(Option::take) {
            claim.release();
        }
    }

    fn poll(&'static self, wait: &'static Wait, waker: &Waker) {
        if let Poll::Ready(told) = wait.poll(waker) {
            wait.leave();
            self.told(told);
        }
    }

    fn told(&'static self, told: Result<Claim<StaticSlot>, Closed>) {
        if let Ok(claim) = told {
            self.got(claim);
        }
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
        let slot = &self.slot;
        match act {
            Act::Panic => panic!("hostile"),
            Act::TryClaim => {
                if let Ok(claim) = slot.try_claim() {
                    self.got(claim);
                }
            }
            Act::Enlist => {
                self.late.park(slot.claim());
                self.poll(&self.late, &self.wakers[LATE].waker());
            }
            Act::Watch => {
                self.late_end.park(slot.released());
                self.late_end.step(&self.wakers[LATE_END].waker());
            }
            Act::Look => {
                let _ = (slot.is_claimed(), slot.is_closed(), slot.has_waiters());
            }
            Act::Close => {
                slot.close();
            }
            Act::Release => self.release(),
            Act::DropOther => {
                self.other.leave();
                self.other_end.leave();
            }
            Act::PollOther => {
                if self.other.is_parked() {
                    self.poll(&self.other, &self.wakers[OTHER].waker());
                }
            }
            Act::AbandonOther => {
                if self.other.is_parked() {
                    if let Some(told) = self.other.with_pin(|wait| wait.try_abandon()) {
                        self.told(told);
                    }
                    self.other.leave();
                }
            }
        }
    }

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let (slot, wakers) = (&self.slot, &self.wakers);
        self.got(slot.try_claim().expect("a new slot is free"));
        self.victim.park(slot.claim());
        self.watching.park(slot.released());
        if trigger == Trigger::PassOn {
            // He comes first.
            self.granted.park(slot.claim());
            self.granted.pending(&wakers[GRANTED].waker());
        }
        match trigger {
            Trigger::FirstPoll => {}
            Trigger::RepollTo => self.victim.pending(&wakers[VICTIM].waker()),
            _ => self.victim.pending(&hostile.waker()),
        }
        match trigger {
            Trigger::WatchFirstPoll => {}
            Trigger::WatchRepollTo => self.watching.pending(&wakers[WATCHING].waker()),
            _ => self.watching.pending(&hostile.waker()),
        }
        self.other.park(slot.claim());
        self.other.pending(&wakers[OTHER].waker());
        self.other_end.park(slot.released());
        self.other_end.pending(&wakers[OTHER_END].waker());
        if trigger == Trigger::PassOn {
            // All who wait for the end are told now; the claim is on its way to him.
            self.release();
        }
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let (victim, watching) = (&self.victim, &self.watching);
        match trigger {
            Trigger::FirstPoll | Trigger::RepollTo => self.poll(victim, &hostile.waker()),
            Trigger::RepollFrom => self.poll(victim, &self.wakers[VICTIM].waker()),
            Trigger::Release | Trigger::WatchRelease => self.release(),
            Trigger::Abandon => drop(self.held.with(Option::take)),
            Trigger::PassOn => self.granted.leave(),
            Trigger::DropQueued => victim.leave(),
            Trigger::TryAbandon => {
                if let Some(told) = victim.with_pin(|wait| wait.try_abandon()) {
                    self.told(told);
                }
            }
            Trigger::Close | Trigger::WatchClose => {
                self.slot.close();
            }
            Trigger::WatchFirstPoll | Trigger::WatchRepollTo => {
                watching.step(&hostile.waker());
            }
            Trigger::WatchRepollFrom => watching.step(&self.wakers[WATCHING].waker()),
            Trigger::WatchDrop => watching.leave(),
            Trigger::WatchTryAbandon => {
                let _ = watching.with_pin(|wait| wait.try_abandon());
            }
        }
        // Left alone, a victim that was abandoned has nothing more to say.
        if trigger == Trigger::TryAbandon {
            victim.leave();
        }
        if trigger == Trigger::WatchTryAbandon {
            watching.leave();
        }
    }

    fn wakers(self) -> &'static [TestWaker] {
        &self.wakers
    }

    /// Whoever was queued and is served was woken; everybody is served; the slot is free, and no waker is left behind.
    fn settle(self, hostile: &'static TestWaker) {
        let wakers = &self.wakers;
        for _ in 0..8 {
            self.release();
            let [victim, other, other_end, late, late_end, watching, granted] = wakers.each_ref();
            ask(&self.other, other, None, |told| self.told(told));
            ask(&self.late, late, None, |told| self.told(told));
            ask(&self.granted, granted, None, |told| self.told(told));
            ask(&self.victim, victim, Some(hostile), |told| self.told(told));
            ask(&self.other_end, other_end, None, drop);
            ask(&self.late_end, late_end, None, drop);
            ask(&self.watching, watching, Some(hostile), drop);
        }
        self.release();
        let waits = [&self.other, &self.late, &self.victim, &self.granted];
        assert!(
            !waits.iter().any(|wait| wait.is_parked()),
            "a waiter is left"
        );
        let ends = [&self.other_end, &self.late_end, &self.watching];
        assert!(!ends.iter().any(|end| end.is_parked()), "a watcher is left");
        assert!(!self.slot.is_claimed() && !self.slot.has_waiters());
        assert_eq!(
            self.doubled.load(Ordering::SeqCst),
            0,
            "two claims at a time"
        );
    }
}

async fn w01_slot_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &ACTS).await
}

async fn w02_slot_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &[Act::Panic]).await
}
