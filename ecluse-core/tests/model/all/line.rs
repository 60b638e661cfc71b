//! `Line` against a counter of holds and a queue: what a wait is told is how *its* hold ended.
//!
//! After every call: what it gave is what the model gives; the same waiters were woken, in the same
//! order; generations and flags agree. Wakers come back (acquire, and abandon) or panic, holders go by
//! a panic, waits and tokens are forgotten.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ecluse_core::{
    AcquireIf, AcquireOutcome, Generation, Line, LineStatus, Outcome, Token, line::HoldEnd,
};

use super::kit::{Crowd, Log, Strike, Wakes, strike, struck};

/// One call. An index is taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Acquire(Strike),
    /// If nothing was done since a generation that was seen.
    AcquireIf(usize, Strike),
    Status(Strike),
    Clone(usize),
    /// With the same waker, or a new one.
    Poll(usize, bool),
    Leave(usize),
    Abandon(usize),
    Forget(usize),
    Release,
    Drop,
    Panic,
    Keep,
    Close,
}

impl super::Call for Call {
    fn of([kind, a, b]: [u8; 3]) -> Self {
        let i = usize::from(a);
        match kind % 64 {
            0..=9 => Call::Acquire(Strike::of(b)),
            10..=16 => Call::AcquireIf(i, Strike::of(b)),
            17..=19 => Call::Status(Strike::of(b)),
            20..=22 => Call::Clone(i),
            23..=38 => Call::Poll(i, b % 2 == 0),
            39..=42 => Call::Leave(i),
            43..=45 => Call::Abandon(i),
            46..=52 => Call::Release,
            53..=56 => Call::Drop,
            57..=58 => Call::Panic,
            59 if b % 2 == 0 => Call::Forget(i),
            // One in 512; one in 256.
            60 if b % 8 == 0 => Call::Keep,
            61 if b % 4 == 0 => Call::Close,
            _ => Call::Poll(i, true),
        }
    }
}

const ABANDONED: Outcome = Outcome::Abandoned { by_panic: false };

struct Model {
    closed: bool,
    held: bool,
    /// How many holds have ended, and how the last one did.
    generation: usize,
    ending: Outcome,
    queue: VecDeque<usize>,
    told: BTreeMap<usize, Outcome>,
    wakes: Wakes,
}

impl Model {
    fn wake(&mut self, ids: Vec<usize>) {
        for id in ids {
            if self.wakes.wake(id) && self.acquire() {
                self.end(ABANDONED);
            }
        }
    }

    fn acquire(&mut self) -> bool {
        let free = !self.held && !self.closed;
        self.held |= free;
        free
    }

    fn is_outdated(&self, seen: usize) -> bool {
        let retried = self.generation == seen + 1 && self.ending.is_abandoned();
        self.generation != seen && !retried
    }

    fn tell(&mut self, outcome: Outcome) {
        let all: Vec<_> = self.queue.drain(..).collect();
        for id in &all {
            self.told.insert(*id, outcome);
        }
        self.wake(all);
    }

    fn end(&mut self, outcome: Outcome) {
        self.held = false;
        self.generation += 1;
        self.ending = outcome;
        self.tell(outcome);
    }

    fn close(&mut self) -> bool {
        let first = !std::mem::replace(&mut self.closed, true);
        if first {
            self.tell(Outcome::Closed);
        }
        first
    }

    /// What a hold came to, if it is over.
    fn over(&self, hold: usize) -> Option<Outcome> {
        if hold == self.generation {
            self.closed.then_some(Outcome::Closed)
        } else if hold + 1 == self.generation {
            Some(self.ending)
        } else {
            Some(Outcome::Passed)
        }
    }

    fn poll(&mut self, id: usize, hold: usize) -> Option<Outcome> {
        if let Some(told) = self.told.remove(&id) {
            return Some(told);
        }
        if self.queue.contains(&id) {
            return None;
        }
        let over = self.over(hold);
        if over.is_none() {
            self.queue.push_back(id);
        }
        over
    }

    fn leave(&mut self, id: usize, hold: usize) -> Option<Outcome> {
        self.queue.retain(|other| *other != id);
        self.told.remove(&id).or_else(|| self.over(hold))
    }
}

struct Waits<'a> {
    /// The hold whose end it waits for.
    hold: usize,
    end: Pin<Box<HoldEnd<&'a Line>>>,
}

struct Walk<'a> {
    line: &'a Line,
    model: Model,
    waiters: Crowd<Waits<'a>>,
    token: Option<Token<'a>>,
    /// Generations that were seen, and their numbers.
    seen: Vec<(usize, Generation)>,
}

impl<'a> Walk<'a> {
    fn call(&mut self, call: Call) {
        match call {
            Call::Acquire(strike) => {
                let expected = self.model.acquire();
                match self.line.try_acquire_token() {
                    AcquireOutcome::Success(token) => self.take(token, expected),
                    AcquireOutcome::Failure(wait) => {
                        assert!(!expected);
                        self.enter(wait, strike);
                    }
                }
            }
            Call::AcquireIf(i, strike) => {
                let (place, seen) = self.seen[i % self.seen.len()];
                let outdated = self.model.is_outdated(place);
                let expected = !outdated && self.model.acquire();
                match self.line.acquire_if(seen) {
                    AcquireIf::Success(token) => self.take(token, expected),
                    AcquireIf::Failure(wait) => {
                        assert!(!expected && !outdated);
                        self.enter(wait, strike);
                    }
                    AcquireIf::Outdated => assert!(outdated),
                }
            }
            Call::Status(strike) => match self.line.status() {
                LineStatus::Free => assert!(!self.model.held),
                LineStatus::Busy(wait) => {
                    assert!(self.model.held);
                    self.enter(wait, strike);
                }
            },
            Call::Clone(i) => {
                if let Some(i) = self.waiters.pick(i) {
                    let waiter = self.waiters.at(i);
                    let (id, hold) = (waiter.id, waiter.wait.hold);
                    let end = (*waiter.wait.end).clone();
                    self.push(end, hold, self.model.wakes.strike(id));
                }
            }
            Call::Poll(i, same) => {
                if let Some(i) = self.waiters.pick(i) {
                    self.poll(i, same);
                }
            }
            Call::Leave(i) => {
                if let Some(waiter) = self.waiters.take(i) {
                    self.model.leave(waiter.id, waiter.wait.hold);
                    drop(waiter.wait);
                }
            }
            Call::Abandon(i) => {
                if let Some(mut waiter) = self.waiters.take(i) {
                    let expected = self.model.leave(waiter.id, waiter.wait.hold);
                    assert_eq!(waiter.wait.end.as_mut().try_abandon(), expected);
                }
            }
            Call::Forget(i) => std::mem::forget(self.waiters.take(i)),
            Call::Release => self.end(Outcome::Done, Token::release),
            Call::Drop => self.end(ABANDONED, drop),
            Call::Panic => {
                if let Some(token) = self.token.take() {
                    self.model.end(Outcome::Abandoned { by_panic: true });
                    let got = struck(|| {
                        let _token = token;
                        strike()
                    });
                    assert!(got.is_none());
                    self.model.wakes.outdone();
                }
            }
            Call::Keep => std::mem::forget(self.token.take()),
            Call::Close => {
                let first = self.model.close();
                let got = struck(|| self.line.close());
                let got = self.model.wakes.over(got);
                assert!(got.is_none_or(|got| got == first));
            }
        }
        self.compare();
    }

    fn take(&mut self, token: Token<'a>, expected: bool) {
        assert!(expected && self.token.is_none(), "two tokens at a time");
        assert_eq!(token.generation(), self.line.generation());
        self.token = Some(token);
    }

    fn end(&mut self, outcome: Outcome, end: impl FnOnce(Token<'a>)) {
        if let Some(token) = self.token.take() {
            self.model.end(outcome);
            let got = struck(|| end(token));
            self.model.wakes.over(got);
        }
    }

    /// (Wakers that come back have holds between those that are seen.)
    fn learn(&mut self) {
        let (number, seen) = (self.model.generation, self.line.generation());
        match self.seen.last() {
            Some((last, same)) if *last == number => assert_eq!(*same, seen),
            last => {
                assert_ne!(last.map(|(_, last)| *last), Some(seen));
                self.seen.push((number, seen));
            }
        }
    }

    fn enter(&mut self, wait: HoldEnd<&'a Line>, strike: Strike) {
        assert_eq!(wait.generation(), self.line.generation());
        self.push(wait, self.model.generation, strike);
    }

    fn push(&mut self, end: HoldEnd<&'a Line>, hold: usize, strike: Strike) {
        let end = Box::pin(end);
        let wakes = &mut self.model.wakes;
        self.waiters.enter(wakes, strike, |_| Waits { hold, end });
    }

    fn poll(&mut self, i: usize, same: bool) {
        let waiter = self.waiters.member(i, same, &self.model.wakes);
        let expected = self.model.poll(waiter.id, waiter.wait.hold);
        let cx = &mut Context::from_waker(&waiter.waker);
        let got = match waiter.wait.end.as_mut().poll(cx) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        };
        assert_eq!(got, expected);
        if got.is_some() {
            self.waiters.remove(i);
        }
    }

    fn compare(&mut self) {
        self.learn();
        let (line, model) = (self.line, &self.model);
        self.waiters.log.agrees(&model.wakes.woken);
        assert_eq!(line.is_busy(), model.held);
        assert_eq!(line.is_closed(), model.closed);
        assert_eq!(line.has_waiters(), !model.queue.is_empty());
    }
}

pub(crate) fn walk(calls: &[Call]) {
    let line = Arc::new(<Line>::new());
    let back = Arc::downgrade(&line);
    let mut walk = Walk {
        line: &line,
        model: Model {
            closed: false,
            held: false,
            generation: 0,
            ending: ABANDONED,
            queue: VecDeque::new(),
            told: BTreeMap::new(),
            wakes: Wakes::default(),
        },
        waiters: Crowd::new(Log::new(move || {
            if let Some(line) = back.upgrade() {
                drop(line.try_acquire_token());
            }
        })),
        token: None,
        seen: Vec::new(),
    };
    walk.learn();
    for &call in calls {
        walk.call(call);
    }
    walk.call(Call::Release);
    while !walk.waiters.is_empty() {
        walk.call(Call::Leave(0));
    }
}

/// Calls.
pub(crate) fn run(bytes: &[u8]) {
    walk(&super::calls(bytes));
}
