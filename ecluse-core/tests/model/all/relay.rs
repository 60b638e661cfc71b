//! `Relay` against a place, a driver and a queue: the half-done future goes on from where it stopped.
//!
//! After every call: what it gave is what the model gives; the same callers were woken, in the same
//! order; there is a half-done future exactly where the model has one, and it is polled in its turn.
//! Futures and clones panic, wakers panic or come back, drivers are dropped or forgotten.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use ecluse_core::{
    Answer, NoAnswer, Outcome,
    flight::{Part, Relay},
};

use super::kit::{Crowd, Log, Strike, Wakes, strike, struck};

/// One call. An index is taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// Polled at once.
    Ask(Strike),
    /// With the same waker, or a new one.
    Poll(usize, bool),
    Leave(usize),
    Forget(usize),
    /// What the next poll of the run comes to.
    Finish(End),
}

/// What a run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    /// A value that cannot be cloned.
    Unique,
    Panic,
}

impl super::Call for Call {
    fn of([kind, a, b]: [u8; 3]) -> Self {
        let i = usize::from(a);
        match kind % 32 {
            0..=9 => Call::Ask(Strike::of(b)),
            10..=19 => Call::Poll(i, b % 2 == 0),
            20..=25 => Call::Leave(i),
            26..=28 => Call::Finish(match b % 8 {
                0..=5 => End::Value,
                6 => End::Unique,
                _ => End::Panic,
            }),
            29 if b % 8 == 0 => Call::Forget(i),
            _ => Call::Poll(i, true),
        }
    }
}

/// A result: who began it, how often it was polled.
struct Value {
    by: usize,
    polls: usize,
    unique: bool,
}

impl Clone for Value {
    fn clone(&self) -> Self {
        if self.unique {
            strike();
        }
        let (by, polls, unique) = (self.by, self.polls, self.unique);
        Self { by, polls, unique }
    }
}

/// A result, as the model has it: who began it and how often it was polled, the part, how many joined.
type Told = Result<(usize, usize, Part, u32), NoAnswer>;

/// What a poll comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Polled {
    Waits,
    Over(Told),
    Panicked,
}

#[derive(Default)]
struct Model {
    /// Who began what is half-done, and how often it was polled.
    place: Option<(usize, usize)>,
    driver: Option<usize>,
    inherited: Option<Outcome>,
    queue: VecDeque<usize>,
    joined: u32,
    told: BTreeMap<usize, Told>,
    end: Option<End>,
    wakes: Wakes,
}

impl Model {
    fn wake(&mut self, ids: impl IntoIterator<Item = usize>) {
        for id in ids {
            // Who comes back only looks.
            self.wakes.wake(id);
        }
    }

    fn poll(&mut self, id: usize) -> Polled {
        if let Some(told) = self.told.remove(&id) {
            return Polled::Over(told);
        }
        if self.driver.is_some_and(|driver| driver != id) {
            if !self.queue.contains(&id) {
                self.queue.push_back(id);
                self.joined += 1;
            }
            return Polled::Waits;
        }
        if self.driver.is_none() {
            (self.driver, self.inherited, self.joined) = (Some(id), None, 0);
        }
        let (by, polls) = self.place.unwrap_or((id, 0));
        self.place = Some((by, polls + 1));
        let Some(end) = self.end.take() else {
            return Polled::Waits;
        };
        let abandoned = Err(NoAnswer::Abandoned { by_panic: true });
        let part = Part::Led {
            inherited: self.inherited,
        };
        let joined = self.joined;
        self.place = None;
        match end {
            End::Panic => {
                self.land(abandoned);
                return Polled::Panicked;
            }
            End::Unique if !self.queue.is_empty() => {
                self.land(abandoned);
                return Polled::Panicked;
            }
            _ => self.land(Ok((by, polls + 1, Part::Joined, joined))),
        }
        Polled::Over(Ok((by, polls + 1, part, joined)))
    }

    fn land(&mut self, told: Told) {
        self.driver = None;
        let queue = std::mem::take(&mut self.queue);
        for id in &queue {
            self.told.insert(*id, told);
        }
        self.wake(queue);
    }

    fn leave(&mut self, id: usize) {
        self.told.remove(&id);
        self.queue.retain(|other| *other != id);
        if self.driver == Some(id) {
            self.driver = self.queue.pop_front();
            match self.driver {
                Some(heir) => {
                    self.inherited = Some(Outcome::Abandoned { by_panic: false });
                    self.joined -= 1;
                    self.wake([heir]);
                }
                None => self.place = None,
            }
        }
    }
}

/// What bodies share with the walk.
#[derive(Default)]
struct Board {
    end: Option<End>,
    /// The half-done future: who began it, how often it was polled.
    place: Option<(usize, usize)>,
}

struct Body {
    by: usize,
    polls: usize,
    board: Arc<Mutex<Board>>,
}

impl Future for Body {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Value> {
        self.polls += 1;
        let (by, polls) = (self.by, self.polls);
        let end = {
            let mut board = self.board.lock().unwrap();
            board.place = Some((by, polls));
            board.end.take()
        };
        match end {
            None => Poll::Pending,
            Some(End::Panic) => strike(),
            Some(end) => Poll::Ready(Value {
                by,
                polls,
                unique: end == End::Unique,
            }),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.board.lock().unwrap().place = None;
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Answer<Value>, NoAnswer>> + 'a>>;

struct Walk<'a> {
    relay: &'a Relay<Body>,
    model: Model,
    board: Arc<Mutex<Board>>,
    runs: Crowd<Running<'a>>,
}

impl Walk<'_> {
    fn call(&mut self, call: Call) {
        match call {
            Call::Ask(strike) => self.ask(strike),
            Call::Poll(i, same) => {
                if let Some(i) = self.runs.pick(i) {
                    self.poll(i, same);
                }
            }
            Call::Leave(i) => {
                if let Some(run) = self.runs.take(i) {
                    self.model.leave(run.id);
                    let got = struck(|| drop(run.wait));
                    self.model.wakes.over(got);
                }
            }
            Call::Forget(i) => std::mem::forget(self.runs.take(i)),
            Call::Finish(end) => {
                self.model.end = Some(end);
                self.board.lock().unwrap().end = Some(end);
            }
        }
        self.runs.log.agrees(&self.model.wakes.woken);
        assert_eq!(self.relay.is_running(), self.model.driver.is_some());
        let place = self.board.lock().unwrap().place;
        assert_eq!(place, self.model.place, "what is half-done");
    }

    fn ask(&mut self, strike: Strike) {
        let (relay, board) = (self.relay, self.board.clone());
        let run = |id| -> Running {
            Box::pin(relay.run(move || Body {
                by: id,
                polls: 0,
                board: board.clone(),
            }))
        };
        if let Some(i) = self.runs.enter(&mut self.model.wakes, strike, run) {
            self.poll(i, true);
        }
    }

    fn poll(&mut self, i: usize, same: bool) {
        let run = self.runs.member(i, same, &self.model.wakes);
        let cx = &mut Context::from_waker(&run.waker);
        let expected = self.model.poll(run.id);
        let got = struck(|| run.wait.as_mut().poll(cx));
        if expected != Polled::Waits {
            drop(self.runs.remove(i));
        }
        let got = match self.model.wakes.ran(got, expected == Polled::Panicked) {
            None => return,
            Some(Poll::Pending) => Polled::Waits,
            Some(Poll::Ready(got)) => Polled::Over(got.map(|got| {
                let value = got.value;
                (value.by, value.polls, got.part, got.joined)
            })),
        };
        assert_eq!(got, expected);
    }
}

pub(crate) fn walk(calls: &[Call]) {
    let relay = Arc::new(Relay::<Body>::new());
    let back = Arc::downgrade(&relay);
    let mut walk = Walk {
        relay: &relay,
        model: Model::default(),
        board: Arc::default(),
        runs: Crowd::new(Log::new(move || {
            if let Some(relay) = back.upgrade() {
                let _ = relay.is_running();
            }
        })),
    };
    for &call in calls {
        walk.call(call);
    }
    while !walk.runs.is_empty() {
        walk.call(Call::Leave(0));
    }
}

/// Calls.
pub(crate) fn run(bytes: &[u8]) {
    walk(&super::calls(bytes));
}
