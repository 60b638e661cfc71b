//! What the line's cases are built of: those who wait for the end of a hold, polled by hand.

use super::super::subject::line::HoldEnd;
use super::super::subject::{AcquireOutcome, Line, Outcome, Token};
use crate::Runtime;
use crate::kit::{Parked, TestWaker};

pub(crate) type StaticLine = &'static Line;

pub(crate) fn new_line<R: Runtime>(rt: R) -> StaticLine {
    rt.put(Line::new())
}

#[track_caller]
pub(crate) fn token(line: StaticLine) -> Token<'static> {
    line.try_acquire_token()
        .success()
        .expect("the line is free")
}

#[track_caller]
pub(crate) fn wait(line: StaticLine) -> HoldEnd<StaticLine> {
    match line.try_acquire_token() {
        AcquireOutcome::Success(_) => panic!("expected the line to be busy"),
        AcquireOutcome::Failure(wait) => wait,
    }
}

/// One who waits for the end of a hold, polled by hand.
pub(crate) struct Traveller {
    pub(crate) wait: Parked<HoldEnd<StaticLine>>,
    pub(crate) waker: TestWaker,
}

impl Traveller {
    pub(crate) const fn new() -> Self {
        Self {
            wait: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    #[track_caller]
    pub(crate) fn enlist(&'static self, wait: HoldEnd<StaticLine>) {
        self.wait.park(wait);
        self.wait.pending(&self.waker.waker());
    }

    #[track_caller]
    pub(crate) fn told(&'static self) -> Outcome {
        let told = self.wait.ready();
        self.wait.leave();
        told
    }
}

pub(crate) fn travellers<R: Runtime, const N: usize>(rt: R) -> &'static [Traveller; N] {
    rt.put([const { Traveller::new() }; N])
}
