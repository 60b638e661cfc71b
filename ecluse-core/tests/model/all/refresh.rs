//! `Refresher` against r01 to r06 written down plainly: a value with its times, seven numbers about
//! failures, and who leads before whom.
//!
//! After every call: each caller got what the model says, the same tasks were woken in the same
//! order, the observer heard the same steps, and the snapshot agrees. All along there is one mint at
//! most, and versions grow. At the end, with the last mint over, nobody is left who waits.

mod reference;

use std::{
    cell::Cell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use ecluse_core::{
    DefaultLock, NoAnswer, Refresher,
    refresh::{Current, Hear, Minted, NoValue, Policy, Reader, Step, Version},
    runtime::{Clock, Spawn, SpawnError, Tally, TallyRef, Ticket},
};

use self::reference::{Asked, Heard, Model, Outcome, Pool, TASK, Why};

/// One call. An index is taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    /// Asks; the mint, if it comes to that, is over at once or when it is told so.
    Get(bool, Option<Outcome>),
    Poll(usize),
    Leave(usize),
    Finish(Outcome),
    RunTask(usize),
    LoseTask(usize),
    Advance(u64),
    Back(u64),
    Invalidate(usize),
    Peek,
    ReaderPeek,
    ReaderGet(Outcome),
    Chance(bool),
    Pool(Pool),
}

fn outcome(kind: u8, life: u8) -> Outcome {
    match kind % 16 {
        0..=7 => Outcome::Lives(1 + u64::from(life) % 100),
        8 => Outcome::ForEver,
        9 => Outcome::Lives(0),
        10 => Outcome::Panics,
        _ => Outcome::Fails,
    }
}

impl super::Call for Call {
    fn of([kind, a, b]: [u8; 3]) -> Self {
        let (i, result) = (usize::from(b), outcome(a, b));
        match kind % 64 {
            0..=8 => Call::Get(false, None),
            9..=13 => Call::Get(true, None),
            14..=17 => Call::Get(false, Some(result)),
            18 | 19 => Call::Get(true, Some(result)),
            20..=26 => Call::Poll(i),
            27..=30 => Call::Leave(i),
            31..=37 => Call::Finish(result),
            38..=41 => Call::RunTask(i),
            42 => Call::LoseTask(i),
            43..=47 => Call::Advance(u64::from(a) % 8),
            48..=50 => Call::Advance(u64::from(a) % 128),
            51 | 52 => Call::Back(u64::from(a) % 128),
            53..=55 => Call::Invalidate(i),
            56 => Call::Peek,
            57..=59 => Call::ReaderPeek,
            60 | 61 => Call::ReaderGet(result),
            62 => Call::Chance(a % 2 == 0),
            _ => Call::Pool(match a % 4 {
                0 | 1 => Pool::Takes,
                2 => Pool::Busy,
                _ => Pool::Closed,
            }),
        }
    }
}

thread_local! {
    static CHANCE: Cell<u64> = const { Cell::new(u64::MAX) };
}

const POLICY: Policy = Policy::new()
    .early(Duration::from_millis(reference::EARLY))
    .back_off(
        Duration::from_millis(reference::FIRST),
        Duration::from_millis(reference::LONGEST),
    )
    .breaker(
        reference::THRESHOLD,
        Duration::from_millis(reference::COOL_DOWN),
    )
    .entropy(|| CHANCE.get());

/// A clock of whole milliseconds.
#[derive(Clone, Default)]
struct Dial(Arc<AtomicU64>);

impl Clock for Dial {
    type Instant = u64;

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        let millis = by.as_nanos().div_ceil(1_000_000);
        from.saturating_add(millis.try_into().unwrap_or(u64::MAX))
    }
}

/// Who was woken, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<usize>>>);

struct Entry(Log, usize);

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.0.0.lock().unwrap().push(self.1);
    }
}

impl Log {
    fn waker(&self, id: usize) -> Waker {
        Arc::new(Entry(self.clone(), id)).into()
    }
}

#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<Step>>>);

impl Hear for Ear {
    fn hear(&self, step: Step) {
        self.0.lock().unwrap().push(step);
    }
}

/// The mint under way.
#[derive(Default)]
struct Board {
    live: AtomicUsize,
    outcome: Mutex<Option<Outcome>>,
    waker: Mutex<Option<Waker>>,
}

struct Mint {
    id: usize,
    plan: Option<Outcome>,
    board: Arc<Board>,
}

impl Mint {
    fn new(id: usize, plan: Option<Outcome>, board: Arc<Board>) -> Self {
        let live = board.live.fetch_add(1, Ordering::Relaxed);
        assert_eq!(live, 0, "two mints at once");
        *board.outcome.lock().unwrap() = None;
        Self { id, plan, board }
    }
}

impl Future for Mint {
    type Output = Result<Minted<usize>, usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.plan.or(*self.board.outcome.lock().unwrap());
        let Some(outcome) = outcome else {
            *self.board.waker.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(match outcome {
            Outcome::Lives(millis) => {
                Ok(Minted::expires_in(self.id, Duration::from_millis(millis)))
            }
            Outcome::ForEver => Ok(Minted::for_ever(self.id)),
            Outcome::Fails => Err(self.id),
            // (Quietly: no hook.)
            Outcome::Panics => resume_unwind(Box::new("the mint")),
        })
    }
}

impl Drop for Mint {
    fn drop(&mut self) {
        *self.board.waker.lock().unwrap() = None;
        self.board.live.fetch_sub(1, Ordering::Relaxed);
    }
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps what one caller spawns, for the walk to poll.
#[derive(Clone)]
struct Bench {
    tasks: Arc<Mutex<Vec<(usize, Task)>>>,
    pool: Pool,
    id: usize,
}

impl<F: Future<Output = ()> + Send + 'static, R: TallyRef + Send + 'static> Spawn<F, R> for Bench {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, R>) -> Result<(), SpawnError<F>> {
        match self.pool {
            Pool::Busy => Err(SpawnError::Busy(ticket.into_inner().unwrap())),
            Pool::Closed => {
                drop(ticket);
                Err(SpawnError::Closed(None))
            }
            Pool::Takes => {
                let task = (self.id, Box::pin(ticket) as Task);
                self.tasks.lock().unwrap().push(task);
                Ok(())
            }
        }
    }
}

type Cache = Refresher<usize, usize, Dial, DefaultLock, Ear>;
type Got = Result<Current<usize>, NoValue<usize>>;
type Asking<'a> = Pin<Box<dyn Future<Output = Got> + 'a>>;

struct Walk<'a> {
    cache: &'a Arc<Cache>,
    reader: Reader<&'a Cache>,
    clock: Dial,
    log: Log,
    ear: Ear,
    board: Arc<Board>,
    tasks: Arc<Mutex<Vec<(usize, Task)>>>,
    tally: Arc<Tally>,
    ids: usize,
    callers: Vec<(usize, Asking<'a>)>,
    /// Those that were published, in order.
    versions: Vec<Version>,
    pool: Pool,
    model: Model,
    /// What was woken up to here has been polled since.
    settled: usize,
}

impl<'a> Walk<'a> {
    fn new(cache: &'a Arc<Cache>) -> Self {
        CHANCE.set(u64::MAX);
        Self {
            cache,
            reader: Reader::new(cache),
            clock: cache.clock().clone(),
            log: Log::default(),
            ear: cache.observer().clone(),
            board: Arc::default(),
            tasks: Arc::default(),
            tally: Arc::default(),
            ids: 0,
            callers: Vec::new(),
            versions: Vec::new(),
            pool: Pool::Takes,
            model: Model::default(),
            settled: 0,
        }
    }

    fn call(&mut self, call: Call) {
        match call {
            Call::Get(background, plan) => {
                self.get(background, plan);
            }
            Call::Poll(i) if !self.callers.is_empty() => {
                let id = self.callers[i % self.callers.len()].0;
                self.poll(id);
            }
            Call::Leave(i) if !self.callers.is_empty() => {
                let (id, asking) = self.callers.remove(i % self.callers.len());
                drop(asking);
                self.model.leave(id);
            }
            Call::Finish(outcome) => self.finish(outcome),
            Call::RunTask(i) => {
                let ids: Vec<_> = self.task_ids();
                if !ids.is_empty() {
                    self.run(ids[i % ids.len()]);
                }
            }
            Call::LoseTask(i) => {
                let ids: Vec<_> = self.task_ids();
                if !ids.is_empty() {
                    let id = ids[i % ids.len()];
                    drop(self.take(id));
                    self.model.lose_task(id);
                }
            }
            Call::Advance(by) => self.turn(self.model.now + by),
            Call::Back(by) => self.turn(self.model.now.saturating_sub(by)),
            Call::Invalidate(i) if !self.versions.is_empty() => {
                // The last of them half of the time.
                let last = self.versions.len() - 1;
                let i = if i % 2 == 0 { last } else { i / 2 % (last + 1) };
                let expected = self.model.invalidate(i + 1);
                assert_eq!(self.cache.invalidate(self.versions[i]), expected);
            }
            Call::Peek => {
                let got = self.cache.peek().map(|got| self.read(got));
                assert_eq!(got, self.model.peek());
            }
            Call::ReaderPeek => {
                assert_eq!(self.reader.peek().copied(), self.model.reader_peek());
            }
            Call::ReaderGet(outcome) => self.reader_get(outcome),
            Call::Chance(soon) => {
                CHANCE.set(if soon { 0 } else { u64::MAX });
                self.model.soon = soon;
            }
            Call::Pool(pool) => self.pool = pool,
            _ => {}
        }
        self.compare();
    }

    fn get(&mut self, background: bool, plan: Option<Outcome>) {
        self.ids += 1;
        let (id, board) = (self.ids, self.board.clone());
        let make = move || Mint::new(id, plan, board);
        let asking: Asking<'_> = if background {
            let bench = Bench {
                tasks: self.tasks.clone(),
                pool: self.pool,
                id,
            };
            let tally = self.tally.clone();
            Box::pin(Refresher::get_in_background(self.cache, bench, tally, make))
        } else {
            Box::pin(self.cache.get(make))
        };
        self.callers.push((id, asking));
        self.model.ask(id, background.then_some(self.pool), plan);
        self.poll(id);
    }

    /// The reader's own question, polled once.
    fn reader_get(&mut self, outcome: Outcome) {
        self.ids += 1;
        let (id, board) = (self.ids, self.board.clone());
        let expected = self.model.reader_get(id, outcome);
        let waker = self.log.waker(id);
        let mut asking = Box::pin(self.reader.get(|| Mint::new(id, Some(outcome), board)));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            asking.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        match polled {
            Ok(Poll::Ready(Ok(value))) => assert_eq!(Asked::Value(*value), expected),
            Ok(Poll::Ready(Err(why))) => assert_eq!(Asked::Told(Err(told(why))), expected),
            Ok(Poll::Pending) => assert_eq!(Asked::Waits, expected),
            Err(_) => assert_eq!(Asked::Panicked, expected),
        }
        drop(asking);
    }

    fn poll(&mut self, id: usize) {
        let place = self.callers.iter().position(|(other, _)| *other == id);
        let Some(place) = place else { return };
        let waker = self.log.waker(id);
        let asking = &mut self.callers[place].1;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            asking.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        let over = !matches!(polled, Ok(Poll::Pending));
        if over {
            drop(self.callers.remove(place));
        }
        let got = match polled {
            Ok(Poll::Pending) => Asked::Waits,
            Ok(Poll::Ready(Ok(got))) => {
                self.learn();
                Asked::Told(Ok(self.read(got)))
            }
            Ok(Poll::Ready(Err(why))) => Asked::Told(Err(told(why))),
            Err(_) => Asked::Panicked,
        };
        assert_eq!(got, self.model.poll(id));
    }

    fn task_ids(&self) -> Vec<usize> {
        let tasks = self.tasks.lock().unwrap();
        tasks.iter().map(|(id, _)| *id).collect()
    }

    fn take(&mut self, id: usize) -> Option<Task> {
        let mut tasks = self.tasks.lock().unwrap();
        let place = tasks.iter().position(|(other, _)| *other == id)?;
        Some(tasks.remove(place).1)
    }

    fn run(&mut self, id: usize) {
        let Some(mut task) = self.take(id) else {
            return;
        };
        let waker = self.log.waker(TASK + id);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            task.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        let got = match polled {
            Ok(Poll::Pending) => {
                self.tasks.lock().unwrap().push((id, task));
                Some(false)
            }
            Ok(Poll::Ready(())) => Some(true),
            Err(_) => None,
        };
        assert_eq!(got, self.model.run_task(id));
    }

    /// The mint under way, if there is one, is over when its leader is polled next.
    fn finish(&mut self, outcome: Outcome) {
        self.model.finish(outcome);
        if self.board.live.load(Ordering::Relaxed) != 0 {
            *self.board.outcome.lock().unwrap() = Some(outcome);
            let waker = self.board.waker.lock().unwrap().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    fn turn(&mut self, now: u64) {
        self.clock.0.store(now, Ordering::Relaxed);
        self.model.now = now;
    }

    /// Takes down the versions that were published.
    fn learn(&mut self) {
        let steps = self.ear.0.lock().unwrap();
        let published = steps.iter().filter_map(|step| match step {
            Step::Minted(version) => Some(*version),
            _ => None,
        });
        for version in published.skip(self.versions.len()) {
            if let Some(last) = self.versions.last() {
                assert!(number(version) > number(*last), "a version did not grow");
            }
            self.versions.push(version);
        }
    }

    /// The value, and which of those that were published it is.
    fn read(&self, got: Current<usize>) -> (usize, usize) {
        (got.value, self.place(got.version))
    }

    fn place(&self, version: Version) -> usize {
        let place = self.versions.iter().position(|other| *other == version);
        place.map_or(0, |place| place + 1)
    }

    fn compare(&mut self) {
        self.learn();
        let (seen, model) = (self.cache.snapshot(), &self.model);
        assert_eq!(model.snapshot(), {
            let times = (seen.minted, seen.expires, seen.refreshes);
            let counts = (seen.successes, seen.failures, seen.failures_in_a_row);
            let version = self.place(seen.version);
            (
                (version, seen.valid, seen.refreshing),
                times,
                counts,
                seen.breaker,
            )
        });
        assert_eq!(*self.log.0.lock().unwrap(), model.woken, "who was woken");
        let steps = self.ear.0.lock().unwrap();
        let place = |version: &Version| self.place(*version);
        let heard: Vec<_> = steps.iter().map(|step| Heard::of(step, place)).collect();
        assert_eq!(heard, model.heard);
        assert_eq!(self.board.live.load(Ordering::Relaxed), model.minting());
    }

    /// Everybody who was woken is polled, and every mint is over sooner or later.
    fn settle(&mut self) {
        for round in 0.. {
            assert!(round < 1_000, "no end");
            let woken = self.log.0.lock().unwrap()[self.settled..].to_vec();
            self.settled += woken.len();
            for id in woken {
                if id < TASK {
                    self.poll(id);
                } else {
                    self.run(id - TASK);
                }
            }
            // (A new task is polled by its runtime unasked.)
            for id in self.model.new_tasks() {
                self.run(id);
            }
            self.finish(Outcome::Lives(50));
            self.compare();
            if self.log.0.lock().unwrap().len() == self.settled && self.model.new_tasks().is_empty()
            {
                break;
            }
        }
        let left: Vec<_> = self.callers.iter().map(|(id, _)| id).collect();
        assert!(left.is_empty(), "{left:?} were never told");
        assert!(self.task_ids().is_empty());
        assert_eq!(self.tally.live(), 0);
    }
}

fn number(version: Version) -> usize {
    let digits = format!("{version:?}");
    let digits = digits.trim_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap()
}

fn told(why: NoValue<usize>) -> Why {
    match why {
        NoValue::Failed(id) => Why::Failed(id),
        NoValue::Expired => Why::Expired,
        NoValue::Open => Why::Open,
        NoValue::NoRun(NoAnswer::NotSpawned) => Why::NotSpawned,
        NoValue::NoRun(NoAnswer::Abandoned { by_panic }) => Why::Abandoned(by_panic),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn walk(calls: &[Call]) {
    let cache = Arc::new(Cache::with_observer(
        Dial::default(),
        POLICY,
        Ear::default(),
    ));
    let mut walk = Walk::new(&cache);
    for &call in calls {
        walk.call(call);
    }
    walk.settle();
}

/// Calls.
pub(crate) fn run(bytes: &[u8]) {
    walk(&super::calls(bytes));
}
