//! w01, w02 for the line: as for the slot, with the line's methods.

use core::task::Waker;

use super::super::subject::line::HoldEnd;
use super::super::subject::{AcquireIf, AcquireOutcome, Line, LineStatus, Token};
use futures_core::FusedFuture;
use portable_atomic::{AtomicUsize, Ordering};

use crate::kit::{Callback, Guarded, Parked, TestWaker};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine hostile_line:
    w01_line_survives_wakers_that_come_back,
    w02_line_survives_wakers_that_panic needs UNWIND,
}

/// What a waker does besides waking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Acquire,
    AcquireIf,
    Enlist,
    Look,
    Close,
    Release,
    DropOther,
    PollOther,
    AbandonOther,
}

const ACTS: [Act; 9] = [
    Act::Acquire,
    Act::AcquireIf,
    Act::Enlist,
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
    DropQueued,
    TryAbandon,
    Close,
}

const TRIGGERS: [Trigger; 8] = [
    Trigger::FirstPoll,
    Trigger::RepollTo,
    Trigger::RepollFrom,
    Trigger::Release,
    Trigger::Abandon,
    Trigger::DropQueued,
    Trigger::TryAbandon,
    Trigger::Close,
];

type Wait = Parked<HoldEnd<&'static Line>>;

/// One line and everybody round it.
struct World {
    line: Line,
    held: Guarded<Option<Token<'static>>>,
    doubled: AtomicUsize,
    victim: Wait,
    other: Wait,
    late: Wait,
    wakers: [TestWaker; 3],
}

impl World {
    const fn new() -> Self {
        Self {
            line: Line::new(),
            held: Guarded::new(None),
            doubled: AtomicUsize::new(0),
            victim: Parked::new(),
            other: Parked::new(),
            late: Parked::new(),
            wakers: [const { TestWaker::new() }; 3],
        }
    }

    fn got(&'static self, token: Token<'static>) {
        let refused = self.held.with(|held| match held {
            Some(_) => Some(token),
            None => {
                *held = Some(token);
                None
            }
        });
        if refused.is_some() {
            self.doubled.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn release(&'static self) {
        if let Some(token) = self.held.with(Option::take) {
            token.release();
        }
    }

    fn poll(&'static self, wait: &'static Wait, waker: &Waker) {
        if wait.poll(waker).is_ready() {
            wait.leave();
        }
    }

    /// A wait for the present hold, or the token if there is none.
    fn wait(&'static self) -> Option<HoldEnd<&'static Line>> {
        match self.line.try_acquire_token() {
            AcquireOutcome::Success(token) => {
                self.got(token);
                None
            }
            AcquireOutcome::Failure(wait) => Some(wait),
        }
    }

    fn act(&'static self, act: Act) {
        let [_, other, late] = self.wakers.each_ref();
        match act {
            Act::Panic => panic!("hostile"),
            Act::Acquire => drop(self.wait()),
            Act::AcquireIf => {
                if let AcquireIf::Success(token) = self.line.acquire_if(self.line.generation()) {
                    self.got(token);
                }
            }
            Act::Enlist => {
                if let Some(wait) = self.wait() {
                    self.late.park(wait);
                    self.poll(&self.late, &late.waker());
                }
            }
            Act::Look => {
                if let LineStatus::Busy(wait) = self.line.status() {
                    let _ = wait.generation();
                }
            }
            Act::Close => {
                self.line.close();
            }
            Act::Release => self.release(),
            Act::DropOther => self.other.leave(),
            Act::PollOther => {
                if self.other.is_parked() {
                    self.poll(&self.other, &other.waker());
                }
            }
            Act::AbandonOther => {
                if self.other.is_parked() {
                    let _ = self.other.with_pin(|wait| wait.try_abandon());
                    self.other.leave();
                }
            }
        }
    }

    fn set(&'static self, trigger: Trigger, hostile: &'static TestWaker) {
        let [victim, other, _] = self.wakers.each_ref();
        assert!(self.wait().is_none(), "a new line is free");
        self.victim.park(self.wait().expect("busy"));
        match trigger {
            Trigger::FirstPoll => {}
            Trigger::RepollTo => self.victim.pending(&victim.waker()),
            _ => self.victim.pending(&hostile.waker()),
        }
        self.other.park(self.wait().expect("busy"));
        self.other.pending(&other.waker());
        hostile.arm();
    }

    fn trigger(&'static self, trigger: Trigger, hostile: &'static TestWaker) {
        let victim = &self.victim;
        match trigger {
            Trigger::FirstPoll | Trigger::RepollTo => self.poll(victim, &hostile.waker()),
            Trigger::RepollFrom => self.poll(victim, &self.wakers[0].waker()),
            Trigger::Release => self.release(),
            Trigger::Abandon => drop(self.held.with(Option::take)),
            Trigger::DropQueued => victim.leave(),
            Trigger::TryAbandon => {
                let _ = victim.with_pin(|wait| wait.try_abandon());
                victim.leave();
            }
            Trigger::Close => {
                self.line.close();
            }
        }
    }

    /// Whoever was queued and is told was woken; everybody is told; the line is free, and no waker is left behind.
    fn settle(&'static self, hostile: &'static TestWaker) {
        hostile.disarm();
        let [victim, other, late] = self.wakers.each_ref();
        for _ in 0..4 {
            self.release();
            ask(&self.victim, victim, Some(hostile));
            ask(&self.other, other, None);
            ask(&self.late, late, None);
        }
        let waits = [&self.victim, &self.other, &self.late];
        assert!(
            !waits.iter().any(|wait| wait.is_parked()),
            "a waiter is left"
        );
        assert!(!self.line.is_busy() && !self.line.has_waiters());
        assert_eq!(
            self.doubled.load(Ordering::SeqCst),
            0,
            "two tokens at a time"
        );
        for waker in self.wakers.iter().chain([hostile]) {
            assert_eq!(waker.live(), 0, "a waker is left");
        }
    }
}

/// Polls a wait that may be anywhere in its life; if it is over now, it was woken for it.
fn ask(wait: &'static Wait, waker: &'static TestWaker, earlier: Option<&'static TestWaker>) {
    if !wait.is_parked() {
        return;
    }
    if wait.with_pin(|wait| wait.is_terminated()) {
        return wait.leave();
    }
    let queued = waker.clones() > 0;
    let woken = waker.wakes() > 0 || earlier.is_some_and(|earlier| earlier.wakes() > 0);
    if wait.poll(&waker.waker()).is_ready() {
        assert!(woken || !queued, "told, but never woken");
        wait.leave();
    }
}

/// One combination. Returns whether the hostile waker came to act.
async fn combination<R: Runtime>(rt: R, callback: Callback, act: Act, trigger: Trigger) -> bool {
    let world: &'static World = rt.put(World::new());
    let hostile: &'static TestWaker =
        rt.put(TestWaker::hostile(callback, rt.put(move || world.act(act))));
    world.set(trigger, hostile);
    let task = rt.spawn(async move { world.trigger(trigger, hostile) });
    let ended = task.join().await;
    let acted = hostile.acted() > 0;
    let expected = if acted && act == Act::Panic {
        Ended::Panicked
    } else {
        Ended::Finished
    };
    assert_eq!(ended, expected, "{callback:?} {act:?} {trigger:?}");
    let settled = rt.spawn(async move { world.settle(hostile) }).join().await;
    assert_eq!(settled, Ended::Finished, "{callback:?} {act:?} {trigger:?}");
    acted
}

/// As for the slot.
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
    assert!(
        step > 1 || acted >= acts.len() * TRIGGERS.len(),
        "{acted} of {all} acted"
    );
}

async fn w01_line_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table(rt, &ACTS).await;
    Verdict::Pass
}

async fn w02_line_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table(rt, &[Act::Panic]).await;
    Verdict::Pass
}
