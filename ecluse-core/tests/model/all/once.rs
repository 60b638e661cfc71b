//! `Once` against a place, a maker and a queue.
//!
//! After every call: what it gave is what the model gives; the same callers were woken, in the same
//! order. Makers fail, panic, go; wakers panic or come back (`set`); futures are forgotten.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use ecluse_core::{Once, flight::NotInit};

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
    Finish(usize, End),
    Set,
}

/// What a maker comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    Error,
    Panic,
}

impl super::Call for Call {
    fn of([kind, a, b]: [u8; 3]) -> Self {
        let i = usize::from(a);
        match kind % 32 {
            0..=9 => Call::Ask(Strike::of(b)),
            10..=18 => Call::Poll(i, b % 2 == 0),
            19..=22 => Call::Leave(i),
            23..=29 => Call::Finish(
                i,
                match b % 16 {
                    0 => End::Value,
                    1..=9 => End::Error,
                    _ => End::Panic,
                },
            ),
            30 if b % 16 == 0 => Call::Set,
            31 if b % 8 == 0 => Call::Forget(i),
            _ => Call::Poll(i, true),
        }
    }
}

/// What came from `set`.
const SET: usize = 0;

/// What a poll comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Polled {
    Waits,
    Value(usize),
    Failed(usize),
    Panicked,
}

#[derive(Default)]
struct Model {
    value: Option<usize>,
    /// Who makes it, or is to.
    maker: Option<usize>,
    queue: VecDeque<usize>,
    /// How makers are to end.
    ends: BTreeMap<usize, End>,
    wakes: Wakes,
}

impl Model {
    fn wake(&mut self, ids: impl IntoIterator<Item = usize>) {
        for id in ids {
            if self.wakes.wake(id) {
                self.set();
            }
        }
    }

    fn set(&mut self) -> bool {
        let free = self.value.is_none() && self.maker.is_none();
        if free {
            self.value = Some(SET);
        }
        free
    }

    fn poll(&mut self, id: usize) -> Polled {
        if self.maker != Some(id) {
            if let Some(value) = self.value {
                return Polled::Value(value);
            }
            if self.maker.is_some() {
                if !self.queue.contains(&id) {
                    self.queue.push_back(id);
                }
                return Polled::Waits;
            }
            self.maker = Some(id);
        }
        match self.ends.get(&id) {
            None => Polled::Waits,
            Some(End::Value) => {
                self.value = Some(id);
                self.maker = None;
                let queue = std::mem::take(&mut self.queue);
                self.wake(queue);
                Polled::Value(id)
            }
            Some(End::Error) => {
                self.pass_on();
                Polled::Failed(id)
            }
            Some(End::Panic) => {
                self.pass_on();
                Polled::Panicked
            }
        }
    }

    fn pass_on(&mut self) {
        self.maker = self.queue.pop_front();
        self.wake(self.maker);
    }

    fn leave(&mut self, id: usize) {
        self.queue.retain(|other| *other != id);
        if self.maker == Some(id) {
            self.pass_on();
        }
    }
}

type Place = Once<usize>;
type Asking<'a> = Pin<Box<dyn Future<Output = Result<&'a usize, NotInit<usize>>> + 'a>>;
type Ends = Arc<Mutex<BTreeMap<usize, End>>>;

struct Body(usize, Ends);

impl Future for Body {
    type Output = Result<usize, usize>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let end = self.1.lock().unwrap().get(&self.0).copied();
        match end {
            None => Poll::Pending,
            Some(End::Value) => Poll::Ready(Ok(self.0)),
            Some(End::Error) => Poll::Ready(Err(self.0)),
            Some(End::Panic) => strike(),
        }
    }
}

struct Walk<'a> {
    once: &'a Place,
    model: Model,
    ends: Ends,
    asking: Crowd<Asking<'a>>,
    /// Those whose futures were dropped or are over.
    gone: BTreeSet<usize>,
}

impl Walk<'_> {
    fn call(&mut self, call: Call) {
        match call {
            Call::Ask(strike) => self.ask(strike),
            Call::Poll(i, same) => {
                if let Some(i) = self.asking.pick(i) {
                    self.poll(i, same);
                }
            }
            Call::Leave(i) => {
                if let Some(asking) = self.asking.take(i) {
                    self.gone.insert(asking.id);
                    self.model.leave(asking.id);
                    let got = struck(|| drop(asking.wait));
                    self.model.wakes.over(got);
                }
            }
            Call::Forget(i) => std::mem::forget(self.asking.take(i)),
            Call::Finish(i, end) => {
                if let Some(i) = self.asking.pick(i) {
                    let id = self.asking.at(i).id;
                    self.ends.lock().unwrap().insert(id, end);
                    self.model.ends.insert(id, end);
                }
            }
            Call::Set => assert_eq!(self.once.set(SET).is_ok(), self.model.set()),
        }
        self.asking.log.agrees(&self.model.wakes.woken);
        assert_eq!(self.once.get().copied(), self.model.value);
        assert_eq!(self.once.is_set(), self.model.value.is_some());
        let maker = self.model.maker;
        assert!(maker.is_none_or(|maker| !self.gone.contains(&maker)));
    }

    fn ask(&mut self, strike: Strike) {
        let (once, ends) = (self.once, self.ends.clone());
        let ask = |id| -> Asking { Box::pin(once.get_or_try_init(move || Body(id, ends))) };
        if let Some(i) = self.asking.enter(&mut self.model.wakes, strike, ask) {
            self.poll(i, true);
        }
    }

    fn poll(&mut self, i: usize, same: bool) {
        let asking = self.asking.member(i, same, &self.model.wakes);
        let (id, cx) = (asking.id, &mut Context::from_waker(&asking.waker));
        let expected = self.model.poll(id);
        let got = struck(|| asking.wait.as_mut().poll(cx));
        if expected != Polled::Waits {
            self.gone.insert(id);
            drop(self.asking.remove(i));
        }
        let got = match self.model.wakes.ran(got, expected == Polled::Panicked) {
            None => return,
            Some(Poll::Pending) => Polled::Waits,
            Some(Poll::Ready(Ok(value))) => Polled::Value(*value),
            Some(Poll::Ready(Err(NotInit::Failed(by)))) => Polled::Failed(by),
            Some(Poll::Ready(Err(other))) => panic!("{other:?}"),
        };
        assert_eq!(got, expected);
    }
}

pub(crate) fn walk(calls: &[Call]) {
    let once = Arc::new(Place::new());
    let back = Arc::downgrade(&once);
    let mut walk = Walk {
        once: &once,
        model: Model::default(),
        ends: Ends::default(),
        asking: Crowd::new(Log::new(move || {
            if let Some(once) = back.upgrade() {
                let _ = once.set(SET);
            }
        })),
        gone: BTreeSet::new(),
    };
    for &call in calls {
        walk.call(call);
    }
    while !walk.asking.is_empty() {
        walk.call(Call::Leave(0));
    }
}

/// Calls.
pub(crate) fn run(bytes: &[u8]) {
    walk(&super::calls(bytes));
}
