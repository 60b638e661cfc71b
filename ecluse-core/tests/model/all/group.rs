//! `Group` against a list of flights with their queues, for both policies.
//!
//! After every call: what it gave is what the model gives, part, count and all; the same callers were
//! woken, in the same order; `len` and `peek` agree. At the end every clone of a result is gone. Bodies
//! and clones panic, wakers panic or come back (`forget`), calls are dropped at every stage, or never.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use ecluse_core::{
    Answer, DefaultLock, Group, NoAnswer, Outcome,
    flight::{DefaultHash, Fail, NoClock, Orphans, Part, Promote, Verdict},
};

use super::kit::{Crowd, Log, Strike, Wakes, strike, struck};

/// One call. An index is taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// Polled at once.
    Ask(u8, Verdict, Strike),
    /// With the same waker, or a new one.
    Poll(usize, bool),
    Leave(usize),
    Forget(usize),
    /// What its body comes to.
    Finish(usize, End),
    Hide(u8),
}

/// What a body comes to.
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
        match kind % 64 {
            0..=19 => {
                let verdict = match b % 8 {
                    0..=3 => Verdict::Share,
                    4 | 5 => Verdict::Retry,
                    6 => Verdict::Refuse,
                    _ => Verdict::GoAlone,
                };
                Call::Ask(a % 4, verdict, Strike::of(b / 8))
            }
            20..=38 => Call::Poll(i, b % 2 == 0),
            39..=44 => Call::Leave(i),
            45..=56 => Call::Finish(
                i,
                match b % 8 {
                    0..=5 => End::Value,
                    6 => End::Unique,
                    _ => End::Panic,
                },
            ),
            57..=59 => Call::Hide(a % 4),
            60 if b % 4 == 0 => Call::Forget(i),
            _ => Call::Poll(i, true),
        }
    }
}

/// A result: who made it.
struct Value {
    by: usize,
    unique: bool,
    alive: Arc<()>,
}

impl Clone for Value {
    fn clone(&self) -> Self {
        if self.unique {
            strike();
        }
        let (by, unique, alive) = (self.by, self.unique, self.alive.clone());
        Self { by, unique, alive }
    }
}

/// A result, as the model has it: who made it, the part, how many had joined.
type Told = Result<(usize, Part, u32), NoAnswer>;

/// What a poll comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Polled {
    Waits,
    Over(Told),
    Panicked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fresh,
    Queued,
    Leads(Option<Outcome>),
    Told(Told),
    Alone,
}

#[derive(Clone, Copy, Debug)]
struct Caller {
    key: u8,
    verdict: Verdict,
    stage: Stage,
    end: Option<End>,
}

struct Flight {
    key: u8,
    leader: usize,
    queue: VecDeque<usize>,
    joined: u32,
    hidden: bool,
}

struct Model {
    fails: bool,
    limit: usize,
    flights: Vec<Flight>,
    callers: BTreeMap<usize, Caller>,
    wakes: Wakes,
}

impl Model {
    fn find(&self, key: u8) -> Option<usize> {
        self.flights
            .iter()
            .position(|flight| flight.key == key && !flight.hidden)
    }

    fn hide(&mut self, key: u8) -> bool {
        let found = self.find(key);
        if let Some(place) = found {
            self.flights[place].hidden = true;
        }
        found.is_some()
    }

    fn wake(&mut self, ids: impl IntoIterator<Item = usize>) {
        for id in ids {
            if self.wakes.wake(id) {
                self.hide(0);
            }
        }
    }

    fn caller(&mut self, id: usize) -> &mut Caller {
        self.callers.get_mut(&id).expect("it asks")
    }

    fn led_by(&self, id: usize) -> usize {
        let led = self.flights.iter().position(|flight| flight.leader == id);
        led.expect("it leads")
    }

    fn poll(&mut self, id: usize) -> Polled {
        let caller = *self.caller(id);
        match caller.stage {
            Stage::Fresh => {
                if let Some(place) = self.find(caller.key) {
                    self.flights[place].joined += 1;
                    self.flights[place].queue.push_back(id);
                    self.caller(id).stage = Stage::Queued;
                    return Polled::Waits;
                }
                if self.flights.len() >= self.limit {
                    return Polled::Over(Err(NoAnswer::Full));
                }
                self.flights.push(Flight {
                    key: caller.key,
                    leader: id,
                    queue: VecDeque::new(),
                    joined: 0,
                    hidden: false,
                });
                self.caller(id).stage = Stage::Leads(None);
                self.run(id)
            }
            Stage::Queued => Polled::Waits,
            Stage::Told(told) => Polled::Over(told),
            Stage::Leads(_) | Stage::Alone => self.run(id),
        }
    }

    fn run(&mut self, id: usize) -> Polled {
        let Caller {
            verdict,
            stage,
            end,
            ..
        } = *self.caller(id);
        let Some(end) = end else {
            return Polled::Waits;
        };
        let Stage::Leads(inherited) = stage else {
            return match end {
                End::Panic => Polled::Panicked,
                _ => Polled::Over(Ok((id, Part::Alone, 0))),
            };
        };
        let led = self.led_by(id);
        let (joined, followed) = {
            let flight = &self.flights[led];
            (flight.joined, !flight.queue.is_empty())
        };
        if end == End::Panic {
            self.lose(led, true);
            return Polled::Panicked;
        }
        let part = Part::Led { inherited };
        let abandoned = |by_panic| Err(NoAnswer::Abandoned { by_panic });
        let joined = match verdict {
            Verdict::Share if end == End::Unique && followed => {
                self.tell(led, Stage::Told(abandoned(true)));
                return Polled::Panicked;
            }
            Verdict::Share => {
                self.tell(led, Stage::Told(Ok((id, Part::Joined, joined))));
                joined
            }
            Verdict::Retry => {
                self.hand_on(led, false);
                0
            }
            Verdict::Refuse => {
                self.tell(led, Stage::Told(abandoned(false)));
                joined
            }
            Verdict::GoAlone => {
                self.tell(led, Stage::Alone);
                joined
            }
        };
        Polled::Over(Ok((id, part, joined)))
    }

    /// A flight is over.
    fn tell(&mut self, led: usize, stage: Stage) {
        let flight = self.flights.remove(led);
        for id in &flight.queue {
            self.caller(*id).stage = stage;
        }
        self.wake(flight.queue);
    }

    fn lose(&mut self, led: usize, by_panic: bool) {
        if self.fails {
            self.tell(led, Stage::Told(Err(NoAnswer::Abandoned { by_panic })));
        } else {
            self.hand_on(led, by_panic);
        }
    }

    fn hand_on(&mut self, led: usize, by_panic: bool) {
        let flight = &mut self.flights[led];
        let Some(heir) = flight.queue.pop_front() else {
            self.flights.remove(led);
            return;
        };
        flight.leader = heir;
        flight.joined -= 1;
        self.caller(heir).stage = Stage::Leads(Some(Outcome::Abandoned { by_panic }));
        self.wake([heir]);
    }

    fn leave(&mut self, id: usize) {
        match self.caller(id).stage {
            Stage::Leads(_) => self.lose(self.led_by(id), false),
            Stage::Queued => {
                for flight in &mut self.flights {
                    flight.queue.retain(|other| *other != id);
                }
            }
            Stage::Fresh | Stage::Told(_) | Stage::Alone => {}
        }
        self.callers.remove(&id);
    }
}

type Keys<P> = Group<u8, Value, P, DefaultLock, DefaultHash, NoClock, 2>;
type Running<'a> = Pin<Box<dyn Future<Output = Result<Answer<Value>, NoAnswer>> + 'a>>;

/// How bodies are to end, by their callers.
type Ends = Arc<Mutex<BTreeMap<usize, End>>>;

struct Body {
    id: usize,
    ends: Ends,
    alive: Arc<()>,
}

impl Future for Body {
    type Output = Value;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Value> {
        let end = self.ends.lock().unwrap().get(&self.id).copied();
        match end {
            None => Poll::Pending,
            Some(End::Panic) => strike(),
            Some(end) => Poll::Ready(Value {
                by: self.id,
                unique: end == End::Unique,
                alive: self.alive.clone(),
            }),
        }
    }
}

struct Walk<'a, P: Orphans> {
    group: &'a Keys<P>,
    model: Model,
    ends: Ends,
    alive: Arc<()>,
    runs: Crowd<Running<'a>>,
    forgotten: bool,
}

impl<P: Orphans> Walk<'_, P> {
    fn call(&mut self, call: Call) {
        match call {
            Call::Ask(key, verdict, strike) => self.ask(key, verdict, strike),
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
            Call::Forget(i) => {
                if let Some(run) = self.runs.take(i) {
                    std::mem::forget(run);
                    self.forgotten = true;
                }
            }
            Call::Finish(i, end) => {
                if let Some(i) = self.runs.pick(i) {
                    let id = self.runs.at(i).id;
                    self.ends.lock().unwrap().insert(id, end);
                    self.model.caller(id).end = Some(end);
                }
            }
            Call::Hide(key) => assert_eq!(self.group.forget(&key), self.model.hide(key)),
        }
        self.compare();
    }

    fn ask(&mut self, key: u8, verdict: Verdict, strike: Strike) {
        let (group, ends, alive) = (self.group, self.ends.clone(), self.alive.clone());
        let run = |id| -> Running {
            let body = Body { id, ends, alive };
            Box::pin(group.run(key, || body).judge(move |_: &Value| verdict))
        };
        let Some(i) = self.runs.enter(&mut self.model.wakes, strike, run) else {
            return;
        };
        let caller = Caller {
            key,
            verdict,
            stage: Stage::Fresh,
            end: None,
        };
        self.model.callers.insert(self.runs.at(i).id, caller);
        self.poll(i, true);
    }

    fn poll(&mut self, i: usize, same: bool) {
        let run = self.runs.member(i, same, &self.model.wakes);
        let cx = &mut Context::from_waker(&run.waker);
        let expected = self.model.poll(run.id);
        let got = struck(|| run.wait.as_mut().poll(cx));
        if expected != Polled::Waits {
            self.model.callers.remove(&run.id);
            drop(self.runs.remove(i));
        }
        let Some(got) = (self.model.wakes).ran(got, expected == Polled::Panicked) else {
            return;
        };
        let got = match got {
            Poll::Pending => Polled::Waits,
            Poll::Ready(got) => Polled::Over(got.map(|got| (got.value.by, got.part, got.joined))),
        };
        assert_eq!(got, expected);
    }

    fn compare(&self) {
        self.runs.log.agrees(&self.model.wakes.woken);
        let found: Vec<_> = (0..4).filter_map(|key| self.model.find(key)).collect();
        assert_eq!(self.group.len(), found.len());
        for key in 0..4 {
            let joined = self
                .model
                .find(key)
                .map(|place| self.model.flights[place].joined);
            assert_eq!(self.group.peek(&key), joined, "of {key}");
        }
    }
}

pub(crate) fn walk<P: Orphans + Send + Sync + 'static>(fails: bool, limit: usize, calls: &[Call]) {
    let group = Arc::new(Keys::<P>::new().with_limit(limit));
    let back = Arc::downgrade(&group);
    let mut walk = Walk {
        group: &group,
        model: Model {
            fails,
            limit,
            flights: Vec::new(),
            callers: BTreeMap::new(),
            wakes: Wakes::default(),
        },
        ends: Ends::default(),
        alive: Arc::default(),
        runs: Crowd::new(Log::new(move || {
            if let Some(group) = back.upgrade() {
                group.forget(&0);
            }
        })),
        forgotten: false,
    };
    for &call in calls {
        walk.call(call);
    }
    while !walk.runs.is_empty() {
        walk.call(Call::Leave(0));
    }
    if !walk.forgotten {
        assert!(walk.model.flights.is_empty());
        assert_eq!(Arc::strong_count(&walk.alive), 1, "a result is left");
    }
}

/// The policy, the limit, calls.
pub(crate) fn run(bytes: &[u8]) {
    let ([policy, limit], rest) = super::head(bytes);
    let limit = [usize::MAX, usize::MAX, 1, 2][limit % 4];
    let calls = super::calls(rest);
    if policy % 2 == 0 {
        walk::<Promote>(false, limit, &calls);
    } else {
        walk::<Fail>(true, limit, &calls);
    }
}
