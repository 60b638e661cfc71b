//! `Once` against a place, a maker and a queue.
//!
//! After every call: what it gave is what the model gives; the same callers were woken, in the same
//! order. Makers fail, panic, go; wakers panic or come back (`set`); futures are forgotten.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use ecluse_core::{Once, flight::NotInit};

use super::kit::{CROWD, Log, Strike, Wakes, pick, strike, struck};

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
    log: Log,
    ends: Ends,
    ids: usize,
    asking: Vec<(usize, Waker, Asking<'a>)>,
    /// Those whose futures were dropped or are over.
    gone: BTreeSet<usize>,
}

impl Walk<'_> {
    fn call(&mut self, call: Call) {
        match call {
            Call::Ask(strike) => self.ask(strike),
            Call::Poll(i, same) => {
                if let Some(i) = pick(&self.asking, i) {
                    self.poll(i, same);
                }
            }
            Call::Leave(i) => {
                if let Some(i) = pick(&self.asking, i) {
                    let (id, _, asking) = self.asking.remove(i);
                    self.gone.insert(id);
                    self.model.leave(id);
                    let got = struck(|| drop(asking));
                    self.model.wakes.over(got);
                }
            }
            Call::Forget(i) => {
                if let Some(i) = pick(&self.asking, i) {
                    std::mem::forget(self.asking.remove(i));
                }
            }
            Call::Finish(i, end) => {
                if let Some(i) = pick(&self.asking, i) {
                    let id = self.asking[i].0;
                    self.ends.lock().unwrap().insert(id, end);
                    self.model.ends.insert(id, end);
                }
            }
            Call::Set => assert_eq!(self.once.set(SET).is_ok(), self.model.set()),
        }
        self.log.agrees(&self.model.wakes.woken);
        assert_eq!(self.once.get().copied(), self.model.value);
        assert_eq!(self.once.is_set(), self.model.value.is_some());
        let maker = self.model.maker;
        assert!(maker.is_none_or(|maker| !self.gone.contains(&maker)));
    }

    fn ask(&mut self, strike: Strike) {
        if self.asking.len() == CROWD {
            return;
        }
        self.ids += 1;
        let (id, ends) = (self.ids, self.ends.clone());
        let asking = self.once.get_or_try_init(move || Body(id, ends));
        self.model.wakes.enter(id, strike);
        self.asking
            .push((id, self.log.waker(id, strike), Box::pin(asking)));
        self.poll(self.asking.len() - 1, true);
    }

    fn poll(&mut self, i: usize, same: bool) {
        let (id, waker, asking) = &mut self.asking[i];
        let id = *id;
        if !same {
            *waker = self.log.waker(id, self.model.wakes.strike(id));
        }
        let expected = self.model.poll(id);
        let got = struck(|| asking.as_mut().poll(&mut Context::from_waker(waker)));
        if expected != Polled::Waits {
            self.gone.insert(id);
            drop(self.asking.remove(i));
        }
        if expected == Polled::Panicked {
            assert!(got.is_none(), "its own panic goes on");
            return self.model.wakes.outdone();
        }
        let got = match self.model.wakes.over(got) {
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
        log: Log::new(move || {
            if let Some(once) = back.upgrade() {
                let _ = once.set(SET);
            }
        }),
        ends: Ends::default(),
        ids: 0,
        asking: Vec::new(),
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
