//! ecluse: slots and lines.

use core::future::Future;
use core::mem::forget;
use core::pin::Pin;

use ecluse_core::line::HoldEnd;
use ecluse_core::{AcquireOutcome, CriticalSection, Handoff, Line, Slot, Token};

use crate::meter::{self, Meter};
use crate::stub;

type OurSlot = Slot<Handoff, CriticalSection>;
type OurLine = Line<CriticalSection>;

const NAME: &str = "ecluse";

/// How many wait.
const CROWDS: [(usize, [&str; 6]); 3] = [
    (
        1,
        [
            "Slot: release to 1 claimer",
            "Slot: release, 1 watches",
            "Line: release, 1 waits",
            "Slot: close, 1 waits",
            "Slot: leave a queue of 1",
            "Line: leave a queue of 1",
        ],
    ),
    (
        8,
        [
            "Slot: release to the first of 8",
            "Slot: release, 8 watch",
            "Line: release, 8 wait",
            "Slot: close, 8 wait",
            "Slot: leave a queue of 8",
            "Line: leave a queue of 8",
        ],
    ),
    (
        64,
        [
            "Slot: release to the first of 64",
            "Slot: release, 64 watch",
            "Line: release, 64 wait",
            "Slot: close, 64 wait",
            "Slot: leave a queue of 64",
            "Line: leave a queue of 64",
        ],
    ),
];

/// Futures that wait, each polled once by the waker of its number. They leave together.
pub struct Crowd<F: Future>([Option<F>; 64]);

impl<F: Future> Crowd<F> {
    pub fn new(size: usize, mut one: impl FnMut() -> F) -> Self {
        Self(core::array::from_fn(|i| (i < size).then(&mut one)))
    }

    fn at(&mut self, i: usize) -> Pin<&mut F> {
        let future = self.0[i].as_mut().expect("one of the crowd");
        // SAFETY: Validity: a crowd is not moved after `queue`, and drops its futures in place. Aliasing: `&mut self`.
        unsafe { Pin::new_unchecked(future) }
    }

    fn poll(&mut self, i: usize) -> bool {
        stub::with(i, |cx| self.at(i).poll(cx).is_ready())
    }

    pub fn queue(&mut self) {
        for i in 0..64 {
            if self.0[i].is_some() {
                assert!(!self.poll(i), "it waits");
            }
        }
    }

    pub fn leave(&mut self, i: usize) {
        self.0[i] = None;
    }
}

pub fn run(meter: &Meter) {
    alone(meter);
    for (size, names) in CROWDS {
        slot(meter, size, names);
        line(meter, size, names);
    }
    polls(64);
}

#[track_caller]
fn busy(line: &OurLine) -> HoldEnd<&OurLine> {
    match line.try_acquire_token() {
        AcquireOutcome::Success(_) => panic!("expected the line to be busy"),
        AcquireOutcome::Failure(wait) => wait,
    }
}

#[track_caller]
fn token(line: &OurLine) -> Token<'_, CriticalSection> {
    line.try_acquire_token().success().expect("free")
}

fn alone(meter: &Meter) {
    static SLOT: OurSlot = Slot::new();
    let claimed = meter.print(NAME, "Slot: claim", || match SLOT.try_claim() {
        Ok(claim) => {
            forget(claim);
            true
        }
        Err(_) => false,
    });
    assert!(claimed);
    // That claim was forgotten, hence another slot.
    static OTHER: OurSlot = Slot::new();
    let claim = OTHER.try_claim().expect("free");
    meter.print(NAME, "Slot: release", move || claim.release());
    let claim = OTHER.try_claim().expect("free");
    meter.print(NAME, "Slot: claim refused", || OTHER.try_claim().is_err());
    let mut wait = core::pin::pin!(OTHER.claim());
    stub::with(1, |cx| {
        assert!(meter.poll(NAME, "Slot: enlist", wait.as_mut(), cx));
        assert!(meter.poll(NAME, "Slot: pending re-poll", wait.as_mut(), cx));
    });
    claim.release();
    let waits = stub::with(1, |cx| {
        meter.poll(NAME, "Slot: woken poll", wait.as_mut(), cx)
    });
    assert!(!waits);

    static LINE: OurLine = Line::new();
    let acquired = meter.print(NAME, "Line: acquire", || match LINE.try_acquire_token() {
        AcquireOutcome::Success(token) => {
            forget(token);
            true
        }
        AcquireOutcome::Failure(_) => false,
    });
    assert!(acquired);
    static TRACK: OurLine = Line::new();
    let held = token(&TRACK);
    meter.print(NAME, "Line: release", move || held.release());
    let held = token(&TRACK);
    let mut wait = core::pin::pin!(busy(&TRACK));
    stub::with(1, |cx| {
        assert!(meter.poll(NAME, "Line: enlist", wait.as_mut(), cx));
        assert!(meter.poll(NAME, "Line: pending re-poll", wait.as_mut(), cx));
        held.release();
        assert!(!meter.poll(NAME, "Line: woken poll", wait.as_mut(), cx));
    });
}

// Whoever stands in a crowd leaves at the end of its block: it must not be moved, not even to be dropped.

fn slot(meter: &Meter, size: usize, names: [&str; 6]) {
    {
        let slot = OurSlot::new();
        let claim = slot.try_claim().expect("free");
        let mut crowd = Crowd::new(size, || slot.claim());
        crowd.queue();
        meter.print(NAME, names[0], move || claim.release());
    }
    {
        let slot = OurSlot::new();
        let claim = slot.try_claim().expect("free");
        let mut crowd = Crowd::new(size, || slot.released());
        crowd.queue();
        meter.print(NAME, names[1], move || claim.release());
    }
    {
        let slot = OurSlot::new();
        let _claim = slot.try_claim().expect("free");
        let mut crowd = Crowd::new(size, || slot.claim());
        crowd.queue();
        meter.print(NAME, names[4], || crowd.leave(size / 2));
    }
    {
        let slot = OurSlot::new();
        let _claim = slot.try_claim().expect("free");
        let mut crowd = Crowd::new(size, || slot.claim());
        crowd.queue();
        meter.print(NAME, names[3], || slot.close());
    }
}

fn line(meter: &Meter, size: usize, names: [&str; 6]) {
    {
        let line = OurLine::new();
        let token = token(&line);
        let mut crowd = Crowd::new(size, || busy(&line));
        crowd.queue();
        meter.print(NAME, names[2], move || token.release());
    }
    {
        let line = OurLine::new();
        let _token = token(&line);
        let mut crowd = Crowd::new(size, || busy(&line));
        crowd.queue();
        meter.print(NAME, names[5], || crowd.leave(size / 2));
    }
}

/// How often each of a crowd is polled until all were served, if only the woken are polled.
fn polls(size: usize) {
    let slot = OurSlot::new();
    let claim = slot.try_claim().expect("free");
    let mut crowd = Crowd::new(size, || async {
        slot.claim().await.expect("open").release();
    });
    stub::forget();
    crowd.queue();
    let mut polls = size;
    claim.release();
    while let Some(number) = stub::woken() {
        polls += 1;
        if crowd.poll(number) {
            crowd.leave(number);
        }
    }
    assert!(crowd.0.iter().all(Option::is_none), "all were served");
    meter::count(NAME, "Slot: polls of 64 waiters", polls);
}
