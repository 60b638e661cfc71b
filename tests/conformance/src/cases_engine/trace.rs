//! w04: the trace of a scripted schedule, the same bytes on every runtime.
//!
//! A script is data: who does what. Each line of it is done in a task of its own when the baton reaches it, so tasks, wakers and
//! executor are the runtime's while the order is the script's. What is written down are the moves and the events of the object, with
//! their numbers; no addresses, no times, no polls.

use core::fmt::Debug;
use core::future::poll_fn;
use core::task::Poll;

use super::super::subject::claim::{Claiming, Policy, Released};
use super::super::subject::line::{Hold, HoldEnd};
use super::super::subject::observe::{Event, Numbered, Observer};
use super::super::subject::{Claim, Handoff, ListLock, Revocable};
use ecluse_core::line::Acquire;
use ecluse_core::{Line, Slot};

use crate::kit::{Guarded, Parked, Script, Text};
use crate::{Runtime, Verdict};

cases! { engine trace:
    w04_trace_of_a_slot,
    w04_trace_of_a_revocable_slot,
    w04_trace_of_a_line,
}

/// Writes events into the script's text.
struct Teller(&'static Text);

impl Observer for Teller {
    type Numbers = Numbered;

    fn event(&self, event: Event) {
        self.0
            .line(format_args!("  {} {:?}", event.number, event.kind));
    }
}

/// What an actor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    /// Asks for the claim or token, once.
    Try,
    /// Waits for the claim (slot) or for the end of the hold; polls for the first time.
    Wait,
    /// Waits for the end of the hold of a slot; polls for the first time.
    Watch,
    /// Polls again.
    Poll,
    /// Gives the wait up, and says what it found.
    Abandon,
    /// Goes away from the wait.
    Leave,
    /// Releases.
    Release,
    /// Drops the claim or token.
    Drop,
    Close,
    Revoke,
}

use Move::{Abandon, Close, Leave, Poll as Again, Release, Revoke, Try, Wait, Watch};

const NAMES: [&str; 5] = ["ada", "bob", "cyd", "dan", "eve"];
const ADA: usize = 0;
const BOB: usize = 1;
const CYD: usize = 2;
const DAN: usize = 3;
const EVE: usize = 4;

/// The most steps that a script has.
const STEPS: usize = 40;

type SlotOf<P> = &'static Slot<P, ListLock, Teller>;

/// One on the stage of a slot.
struct Actor<P: Policy + 'static> {
    held: Guarded<Option<Claim<SlotOf<P>>>>,
    wait: Parked<Claiming<SlotOf<P>>>,
    watch: Parked<Released<SlotOf<P>>>,
}

impl<P: Policy> Actor<P> {
    const fn new() -> Self {
        Self {
            held: Guarded::new(None),
            wait: Parked::new(),
            watch: Parked::new(),
        }
    }

    /// Does one move with the task's own waker. Returns what came of it.
    async fn perform(&'static self, slot: SlotOf<P>, step: Move, text: &'static Text) {
        let say = |what: &dyn Debug| text.line(format_args!("  = {what:?}"));
        let keep = |claim: Claim<SlotOf<P>>| {
            say(&claim.inherited());
            self.held.with(|held| *held = Some(claim));
        };
        match step {
            Try => match slot.try_claim() {
                Ok(claim) => keep(claim),
                Err(refused) => say(&refused),
            },
            Wait => self.wait.park(slot.claim()),
            Watch => self.watch.park(slot.released()),
            Abandon if self.wait.is_parked() => {
                match self.wait.with_pin(|wait| wait.try_abandon()) {
                    Some(Ok(claim)) => keep(claim),
                    nothing => say(&nothing.map(|told| told.map(drop))),
                }
                self.wait.leave();
            }
            Abandon => {
                say(&self.watch.with_pin(|watch| watch.try_abandon()));
                self.watch.leave();
            }
            Leave => {
                self.wait.leave();
                self.watch.leave();
            }
            Release => {
                if let Some(claim) = self.held.with(Option::take) {
                    claim.release();
                }
            }
            Move::Drop => drop(self.held.with(Option::take)),
            Close => say(&slot.close()),
            Again => {}
            Revoke => unreachable!("by the policy's own script"),
        }
        if matches!(step, Wait | Again) && self.wait.is_parked() {
            match poll_fn(|cx| Poll::Ready(self.wait.poll(cx.waker()))).await {
                Poll::Ready(told) => {
                    self.wait.leave();
                    match told {
                        Ok(claim) => keep(claim),
                        Err(closed) => say(&closed),
                    }
                }
                Poll::Pending => say(&"waits"),
            }
        }
        if matches!(step, Watch | Again) && self.watch.is_parked() {
            match poll_fn(|cx| Poll::Ready(self.watch.poll(cx.waker()))).await {
                Poll::Ready(told) => {
                    self.watch.leave();
                    say(&told);
                }
                Poll::Pending => say(&"watches"),
            }
        }
    }
}

/// Plays a script on a slot of its own, and returns what was written.
async fn play<R: Runtime, P: Policy>(
    rt: R,
    script: &'static [(usize, Move)],
    revoke: fn(SlotOf<P>) -> bool,
) -> &'static Text
where
    Slot<P, ListLock, Teller>: Send + Sync,
    Actor<P>: Send + Sync,
{
    let text: &'static Text = rt.put(Text::new());
    let slot: SlotOf<P> = rt.put(Slot::with_observer(Teller(text)));
    let cast: &'static [Actor<P>; 5] = rt.put([const { Actor::new() }; 5]);
    let scenes = rt.put(Script::<STEPS>::new());
    for &(who, step) in script {
        scenes.step(rt, async move {
            text.line(format_args!("{} {step:?}", NAMES[who]));
            if step == Revoke {
                text.line(format_args!("  = {:?}", revoke(slot)));
            } else {
                cast[who].perform(slot, step, text).await;
            }
        });
    }
    scenes.play().await;
    assert!(
        !slot.is_claimed() && !slot.has_waiters(),
        "the script ends clean"
    );
    text
}

/// A text that every runtime must write to the last byte.
fn verdict(name: &'static str, text: &'static Text, expected: &str) -> Verdict {
    text.read(|text| {
        let mut lines = text.lines().zip(expected.lines()).enumerate();
        let differs = lines.find(|(_, (got, want))| got != want);
        let same = text == expected;
        assert!(same, "differs at {differs:?}; now it is\n{text}");
    });
    Verdict::Trace(name, text)
}

async fn w04_trace_of_a_slot<R: Runtime>(rt: R) -> Verdict {
    const SCRIPT: &[(usize, Move)] = &[
        (ADA, Try),
        (BOB, Try),
        (BOB, Wait),
        (CYD, Wait),
        (DAN, Wait),
        (EVE, Watch),
        (BOB, Again),
        (ADA, Move::Drop),
        (EVE, Again),
        (EVE, Try),
        (BOB, Again),
        (EVE, Wait),
        (CYD, Leave),
        (BOB, Release),
        (EVE, Watch),
        (DAN, Leave),
        (EVE, Again),
        (ADA, Wait),
        (BOB, Wait),
        (CYD, Wait),
        (EVE, Release),
        (ADA, Abandon),
        (BOB, Abandon),
        (ADA, Release),
        (CYD, Again),
        (DAN, Wait),
        (EVE, Watch),
        (ADA, Watch),
        (ADA, Abandon),
        (BOB, Close),
        (DAN, Again),
        (EVE, Again),
        (ADA, Wait),
        (BOB, Close),
        (CYD, Release),
        (CYD, Try),
    ];
    let text = play::<R, Handoff>(rt, SCRIPT, |_| unreachable!("not in this script")).await;
    verdict("w04_trace_of_a_slot", text, include_str!("trace-slot.txt"))
}

async fn w04_trace_of_a_revocable_slot<R: Runtime>(rt: R) -> Verdict {
    const SCRIPT: &[(usize, Move)] = &[
        (ADA, Try),
        (BOB, Wait),
        (EVE, Revoke),
        (CYD, Wait),
        (DAN, Wait),
        (ADA, Release),
        (EVE, Revoke),
        (BOB, Again),
        (EVE, Revoke),
        (CYD, Again),
        (BOB, Again),
        (EVE, Revoke),
        (DAN, Leave),
        (BOB, Move::Drop),
        (EVE, Revoke),
        (CYD, Again),
        (CYD, Release),
    ];
    let text = play::<R, Revocable>(rt, SCRIPT, |slot| slot.revoke_unobserved()).await;
    verdict(
        "w04_trace_of_a_revocable_slot",
        text,
        include_str!("trace-revocable.txt"),
    )
}

type TracedLine = &'static Line<ListLock, Teller>;

/// One on the stage of a line.
struct Passenger {
    held: Guarded<Option<Hold<TracedLine>>>,
    wait: Parked<HoldEnd<TracedLine>>,
}

impl Passenger {
    const fn new() -> Self {
        Self {
            held: Guarded::new(None),
            wait: Parked::new(),
        }
    }

    async fn perform(&'static self, line: TracedLine, step: Move, text: &'static Text) {
        let say = |what: &dyn Debug| text.line(format_args!("  = {what:?}"));
        match step {
            Try | Wait => match line.try_acquire_token() {
                Acquire::Success(token) => {
                    say(&"token");
                    self.held.with(|held| *held = Some(token));
                }
                Acquire::Failure(wait) => {
                    say(&"busy");
                    self.wait.park(wait);
                }
            },
            Abandon => {
                say(&self.wait.with_pin(|wait| wait.try_abandon()));
                self.wait.leave();
            }
            Leave => self.wait.leave(),
            Release => {
                if let Some(token) = self.held.with(Option::take) {
                    token.release();
                }
            }
            Move::Drop => drop(self.held.with(Option::take)),
            Close => say(&line.close()),
            Again => {}
            Watch | Revoke => unreachable!("no move on a line"),
        }
        if matches!(step, Wait | Again) && self.wait.is_parked() {
            match poll_fn(|cx| Poll::Ready(self.wait.poll(cx.waker()))).await {
                Poll::Ready(told) => {
                    self.wait.leave();
                    say(&told);
                }
                Poll::Pending => say(&"waits"),
            }
        }
    }
}

async fn w04_trace_of_a_line<R: Runtime>(rt: R) -> Verdict {
    const SCRIPT: &[(usize, Move)] = &[
        (ADA, Try),
        (BOB, Wait),
        (CYD, Wait),
        (DAN, Try),
        (EVE, Try),
        (CYD, Abandon),
        (ADA, Release),
        (CYD, Try),
        (BOB, Again),
        (DAN, Again),
        (BOB, Wait),
        (CYD, Move::Drop),
        (EVE, Again),
        (BOB, Abandon),
        (ADA, Try),
        (BOB, Wait),
        (CYD, Wait),
        (BOB, Leave),
        (DAN, Close),
        (CYD, Again),
        (EVE, Wait),
        (ADA, Release),
        (EVE, Wait),
    ];
    let text: &'static Text = rt.put(Text::new());
    let line: TracedLine = rt.put(Line::with_observer(Teller(text)));
    let cast = rt.put([const { Passenger::new() }; 5]);
    let scenes = rt.put(Script::<STEPS>::new());
    for &(who, step) in SCRIPT {
        scenes.step(rt, async move {
            text.line(format_args!("{} {step:?}", NAMES[who]));
            cast[who].perform(line, step, text).await;
        });
    }
    scenes.play().await;
    assert!(
        !line.is_busy() && !line.has_waiters(),
        "the script ends clean"
    );
    verdict("w04_trace_of_a_line", text, include_str!("trace-line.txt"))
}
