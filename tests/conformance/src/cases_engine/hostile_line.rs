//! w01, w02 for the line: as for the slot, with the line's methods.

use super::super::subject::line::HoldEnd;
use super::super::subject::{AcquireIf, AcquireOutcome, Line, LineStatus, Token};
use portable_atomic::{AtomicUsize, Ordering};

use crate::kit::{Guarded, Parked, Scene, TestWaker, ask, table};
use crate::{Runtime, Verdict};

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
                    self.late.step(&late.waker());
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
                    self.other.step(&other.waker());
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

    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
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
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let victim = &self.victim;
        match trigger {
            Trigger::FirstPoll | Trigger::RepollTo => victim.step(&hostile.waker()),
            Trigger::RepollFrom => victim.step(&self.wakers[0].waker()),
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

    fn wakers(self) -> &'static [TestWaker] {
        &self.wakers
    }

    /// Whoever was queued and is told was woken; everybody is told; the line is free, and no waker is left behind.
    fn settle(self, hostile: &'static TestWaker) {
        let [victim, other, late] = self.wakers.each_ref();
        for _ in 0..4 {
            self.release();
            ask(&self.victim, victim, Some(hostile), drop);
            ask(&self.other, other, None, drop);
            ask(&self.late, late, None, drop);
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
    }
}

async fn w01_line_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &ACTS).await
}

async fn w02_line_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &[Act::Panic]).await
}
