//! w01, w02 for the slot: every callback of a waker, doing every hostile act, in every method that calls it.
//!
//! Each combination is a world of its own: a holder, two who wait for the claim, one who waits for its end. Afterwards nothing may be
//! lost: the world is settled by waking and polling alone, and whoever stays behind is a finding.

use core::task::{Poll, Waker};

use super::super::subject::claim::{Claiming, Released};
use super::super::subject::{Claim, Closed, Slot};
use futures_core::FusedFuture;
use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::StaticSlot;
use crate::kit::{Callback, Guarded, Parked, TestWaker};
use crate::{Ended, Runtime, Task, Verdict};

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

    fn poll_end(&'static self, end: &'static End, waker: &Waker) {
        if end.poll(waker).is_ready() {
            end.leave();
        }
    }

    fn act(&'static self, act: Act) {
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
                self.poll_end(&self.late_end, &self.wakers[LATE_END].waker());
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

    /// Sets the scene; `hostile` is not armed yet.
    fn set(&'static self, trigger: Trigger, hostile: &'static TestWaker) {
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
        hostile.arm();
    }

    /// The call that meets the hostile waker.
    fn trigger(&'static self, trigger: Trigger, hostile: &'static TestWaker) {
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
                self.poll_end(watching, &hostile.waker());
            }
            Trigger::WatchRepollFrom => self.poll_end(watching, &self.wakers[WATCHING].waker()),
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

    /// Whoever was queued and is served was woken; everybody is served; the slot is free, and no waker is left behind.
    fn settle(&'static self, hostile: &'static TestWaker) {
        hostile.disarm();
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
        for waker in wakers.iter().chain([hostile]) {
            assert_eq!(waker.live(), 0, "a waker is left");
        }
    }
}

/// Polls a wait that may be anywhere in its life; if it is over now, it was woken for it.
fn ask<F: FusedFuture>(
    wait: &'static Parked<F>,
    waker: &'static TestWaker,
    earlier: Option<&'static TestWaker>,
    told: impl FnOnce(F::Output),
) {
    if !wait.is_parked() {
        return;
    }
    // Abandoned, or over in the poll that panicked.
    if wait.with_pin(|wait| wait.is_terminated()) {
        return wait.leave();
    }
    // Whether this waker was queued, and it or the one before it woken since.
    let queued = waker.clones() > 0;
    let woken = waker.wakes() > 0 || earlier.is_some_and(|earlier| earlier.wakes() > 0);
    if let Poll::Ready(output) = wait.poll(&waker.waker()) {
        assert!(woken || !queued, "served, but never woken");
        wait.leave();
        told(output);
    }
}

/// One combination. Returns whether the hostile waker came to act.
async fn combination<R: Runtime>(rt: R, callback: Callback, act: Act, trigger: Trigger) -> bool {
    let world: &'static World = rt.put(World::new());
    let hostile: &'static TestWaker =
        rt.put(TestWaker::hostile(callback, rt.put(move || world.act(act))));
    world.set(trigger, hostile);
    // A task of its own: a panic ends it and nothing else.
    let task = rt.spawn(async move { world.trigger(trigger, hostile) });
    let ended = task.join().await;
    let acted = hostile.acted() > 0;
    let panics = acted && act == Act::Panic;
    let expected = if panics {
        Ended::Panicked
    } else {
        Ended::Finished
    };
    assert_eq!(ended, expected, "{callback:?} {act:?} {trigger:?}");
    let settled = rt.spawn(async move { world.settle(hostile) }).join().await;
    assert_eq!(settled, Ended::Finished, "{callback:?} {act:?} {trigger:?}");
    acted
}

/// Every trigger and callback with each of `acts`, or as many of them, evenly, as the platform affords.
async fn table<R: Runtime>(rt: R, acts: &[Act]) {
    let all = acts.len() * TRIGGERS.len() * Callback::ALL.len();
    let step = all.div_ceil(rt.count(all));
    let mut acted = 0;
    for i in (0..all).step_by(step) {
        let callback = Callback::ALL[i % Callback::ALL.len()];
        let trigger = TRIGGERS[i / Callback::ALL.len() % TRIGGERS.len()];
        let act = acts[i / Callback::ALL.len() / TRIGGERS.len()];
        acted += usize::from(combination(rt, callback, act, trigger).await);
    }
    // Each trigger meets its callback: clone, drop or wake. (The engine never wakes by reference.)
    assert!(
        step > 1 || acted >= acts.len() * TRIGGERS.len(),
        "{acted} of {all} acted"
    );
}

async fn w01_slot_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table(rt, &ACTS).await;
    Verdict::Pass
}

async fn w02_slot_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table(rt, &[Act::Panic]).await;
    Verdict::Pass
}
