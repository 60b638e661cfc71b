//! The reference: what a refresher and those who ask it do, in the plainest words there are.

use std::collections::{BTreeMap, VecDeque};

use ecluse_core::refresh::{Breaker, Step, Version};

pub(super) const EARLY: u64 = 10;
pub(super) const FIRST: u64 = 5;
pub(super) const LONGEST: u64 = 20;
pub(super) const THRESHOLD: u32 = 3;
pub(super) const COOL_DOWN: u64 = 100;

/// What wakes a task rather than the caller that spawned it.
pub(super) const TASK: usize = 1 << 32;

/// What a mint comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Lives(u64),
    ForEver,
    Fails,
    Panics,
}

/// What becomes of a task that is to be spawned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    Takes,
    Busy,
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Failed(usize),
    Expired,
    Open,
    NotSpawned,
    Abandoned(bool),
}

/// What a poll comes to. A value, and which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Told(core::result::Result<(usize, usize), Why>),
    /// What a reader is told.
    Value(usize),
    Waits,
    Panicked,
}

/// A step, with its version's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Minting(bool),
    Minted(usize),
    Failed(u32),
    Opened,
    Closed,
    Invalidated(usize),
}

impl Heard {
    pub(super) fn of(step: &Step, place: impl Fn(&Version) -> usize) -> Self {
        match step {
            Step::Minting { early } => Self::Minting(*early),
            Step::Minted(version) => Self::Minted(place(version)),
            Step::Failed { in_a_row } => Self::Failed(*in_a_row),
            Step::Opened => Self::Opened,
            Step::Closed => Self::Closed,
            Step::Invalidated(version) => Self::Invalidated(place(version)),
            other => panic!("{other:?}"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Value {
    value: usize,
    version: usize,
    minted: u64,
    expires: Option<u64>,
    refreshes: Option<u64>,
}

impl Value {
    fn told(self) -> (usize, usize) {
        (self.value, self.version)
    }
}

type Result = core::result::Result<Value, Why>;

enum Look {
    Fresh(Value),
    Due(Value),
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Caller(usize),
    /// The task that this caller spawned, or runs because nobody takes it.
    Task(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Fresh,
    Waits,
    Mints,
}

#[derive(Clone, Copy, Debug)]
struct Caller {
    pool: Option<Pool>,
    plan: Option<Outcome>,
    make: bool,
    stage: Stage,
    seen: Option<usize>,
    /// Its task was refused, and runs in it.
    own: bool,
    swallowed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Task {
    polled: bool,
    plan: Option<Outcome>,
    seen: Option<usize>,
}

/// The mint under way.
#[derive(Clone, Copy, Debug)]
struct Mint {
    id: usize,
    began: u64,
    outcome: Option<Outcome>,
    /// Who is woken by its end, if it is polled and not over.
    waker: Option<usize>,
}

/// How far a question has come.
enum Progress {
    Waits,
    Panicked,
    /// What the caller waited for; `None`: it need not.
    Answered(Option<Result>),
}

/// What a poll of a mint comes to.
enum Minted {
    Over(Result),
    Pending,
    Panicked,
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) now: u64,
    /// Chance has values refreshed as soon as can be, and pauses as short; or else as late, and as long.
    pub(super) soon: bool,
    last: Option<Value>,
    valid: bool,
    successes: u32,
    failures: u32,
    in_a_row: u32,
    failed: Option<u64>,
    paused: Option<u64>,
    open: Option<u64>,
    leader: Option<Who>,
    /// How the leader before was lost.
    by_panic: Option<bool>,
    queue: VecDeque<usize>,
    told: BTreeMap<usize, Result>,
    mint: Option<Mint>,
    callers: BTreeMap<usize, Caller>,
    tasks: BTreeMap<usize, Task>,
    reader: Option<Value>,
    /// What the last who was told a value was told.
    given: Option<Value>,
    pub(super) woken: Vec<usize>,
    pub(super) heard: Vec<Heard>,
}

/// A snapshot: version, valid, refreshing; times; counts; breaker.
pub(super) type Picture = (
    (usize, bool, bool),
    (Option<u64>, Option<u64>, Option<u64>),
    (u32, u32, u32),
    Breaker,
);

impl Model {
    fn has_expired(&self, value: Value) -> bool {
        value.expires.is_some_and(|expires| expires <= self.now)
    }

    fn is_due(&self, value: Value) -> bool {
        let early = self.now < value.minted;
        value.refreshes.is_some_and(|due| due <= self.now || early)
    }

    fn is_valid(&self, value: Value) -> bool {
        let last = self.last.is_some_and(|last| last.version == value.version);
        last && self.valid && !self.has_expired(value)
    }

    fn look(&self) -> Look {
        match self.last {
            Some(last) if self.is_valid(last) && self.is_due(last) => Look::Due(last),
            Some(last) if self.is_valid(last) => Look::Fresh(last),
            _ => Look::Nothing,
        }
    }

    fn waits(&self, until: Option<u64>) -> bool {
        let went_back = self.failed.is_none_or(|failed| self.now < failed);
        until.is_some_and(|until| self.now < until) && !went_back
    }

    fn breaker(&self) -> Breaker {
        if self.in_a_row < THRESHOLD {
            Breaker::Closed
        } else if self.waits(self.open) {
            Breaker::Open
        } else {
            Breaker::HalfOpen
        }
    }

    fn is_open(&self) -> bool {
        self.breaker() == Breaker::Open
    }

    fn is_paused(&self) -> bool {
        self.waits(self.paused) || self.is_open()
    }

    // Mints.

    fn begin_mint(
        &mut self,
        (id, waker): (usize, usize),
        make: bool,
        plan: Option<Outcome>,
        seen: Option<usize>,
    ) -> Minted {
        match self.look() {
            Look::Fresh(value) => return Minted::Over(Ok(value)),
            Look::Due(value) if seen != Some(value.version) || self.is_paused() => {
                return Minted::Over(Ok(value));
            }
            Look::Nothing if self.is_open() => return Minted::Over(Err(Why::Open)),
            _ => {}
        }
        if !make {
            return Minted::Over(Err(Why::Expired));
        }
        self.heard.push(Heard::Minting(seen.is_some()));
        self.mint = Some(Mint {
            id,
            began: self.now,
            outcome: plan,
            waker: None,
        });
        self.poll_mint(waker)
    }

    fn poll_mint(&mut self, waker: usize) -> Minted {
        let Some(mint) = &mut self.mint else {
            panic!("no mint");
        };
        let Some(outcome) = mint.outcome else {
            mint.waker = Some(waker);
            return Minted::Pending;
        };
        let (id, began) = (mint.id, mint.began.min(self.now));
        self.mint = None;
        match outcome {
            Outcome::Lives(millis) if began + millis <= self.now => {
                self.fail();
                Minted::Over(Err(Why::Expired))
            }
            Outcome::Lives(millis) => {
                let half = millis.div_ceil(2);
                let after = if self.soon {
                    half
                } else {
                    half.max(millis.saturating_sub(EARLY))
                };
                let (expires, refreshes) = (began + millis, began + after);
                Minted::Over(Ok(self.publish(id, began, Some(expires), Some(refreshes))))
            }
            Outcome::ForEver => Minted::Over(Ok(self.publish(id, began, None, None))),
            Outcome::Fails => {
                self.fail();
                Minted::Over(Err(Why::Failed(id)))
            }
            Outcome::Panics => Minted::Panicked,
        }
    }

    fn publish(
        &mut self,
        value: usize,
        minted: u64,
        expires: Option<u64>,
        refreshes: Option<u64>,
    ) -> Value {
        let version = self.last.map_or(1, |last| last.version + 1);
        let value = Value {
            value,
            version,
            minted,
            expires,
            refreshes,
        };
        (self.last, self.valid) = (Some(value), true);
        self.heard.push(Heard::Minted(version));
        if self.in_a_row >= THRESHOLD {
            self.heard.push(Heard::Closed);
        }
        self.successes += 1;
        self.in_a_row = 0;
        (self.failed, self.paused, self.open) = (None, None, None);
        value
    }

    fn fail(&mut self) {
        self.failures += 1;
        self.in_a_row += 1;
        let doubled = FIRST << (self.in_a_row - 1).min(10);
        let pause = doubled.min(LONGEST);
        let pause = if self.soon {
            pause
        } else {
            (pause * 3).div_ceil(2)
        };
        self.failed = Some(self.now);
        self.paused = Some(self.now + pause);
        self.heard.push(Heard::Failed(self.in_a_row));
        self.open = None;
        if self.in_a_row >= THRESHOLD {
            self.open = Some(self.now + COOL_DOWN);
            self.heard.push(Heard::Opened);
        }
    }

    pub(super) fn finish(&mut self, outcome: Outcome) {
        if let Some(mint) = &mut self.mint {
            mint.outcome = Some(outcome);
            self.woken.extend(mint.waker.take());
        }
    }

    pub(super) fn minting(&self) -> usize {
        usize::from(self.mint.is_some())
    }

    // The flight.

    fn land(&mut self, result: Result) {
        self.leader = None;
        for id in self.queue.drain(..) {
            self.told.insert(id, result);
            self.woken.push(id);
        }
    }

    fn lose(&mut self, by_panic: bool) {
        self.mint = None;
        self.leader = self.queue.pop_front().map(Who::Caller);
        self.by_panic = None;
        if let Some(Who::Caller(heir)) = self.leader {
            self.by_panic = Some(by_panic);
            self.woken.push(heir);
        }
    }

    fn caller(&mut self, id: usize) -> &mut Caller {
        self.callers.get_mut(&id).expect("it asks")
    }

    fn enter(&mut self, id: usize) -> Progress {
        let caller = self.caller(id);
        caller.stage = Stage::Waits;
        (caller.own, caller.swallowed) = (false, false);
        if self.leader.is_some() {
            self.queue.push_back(id);
            return Progress::Waits;
        }
        (self.leader, self.by_panic) = (Some(Who::Caller(id)), None);
        self.lead(id)
    }

    fn lead(&mut self, id: usize) -> Progress {
        let caller = self.caller(id);
        let (pool, plan, seen) = (caller.pool, caller.plan, caller.seen);
        let make = core::mem::take(&mut caller.make);
        let Some(pool) = pool else {
            caller.stage = Stage::Mints;
            let minted = self.begin_mint((id, id), make, plan, seen);
            return self.in_line(minted);
        };
        if !make {
            let by_panic = self.by_panic.unwrap_or(false);
            self.lose(by_panic);
            let swallowed = self.caller(id).swallowed;
            let why = if swallowed {
                Why::NotSpawned
            } else {
                Why::Abandoned(by_panic)
            };
            return Progress::Answered(Some(Err(why)));
        }
        (self.leader, self.by_panic) = (Some(Who::Task(id)), None);
        self.queue.push_front(id);
        match pool {
            Pool::Takes => {
                let task = Task {
                    polled: false,
                    plan,
                    seen,
                };
                self.tasks.insert(id, task);
                if seen.is_none() {
                    return Progress::Waits;
                }
                self.queue.retain(|other| *other != id);
                Progress::Answered(None)
            }
            Pool::Busy => {
                self.caller(id).own = true;
                let minted = self.begin_mint((id, id), true, plan, seen);
                self.own(id, minted)
            }
            Pool::Closed => {
                self.caller(id).swallowed = true;
                self.lose(false);
                self.lead(id)
            }
        }
    }

    fn in_line(&mut self, minted: Minted) -> Progress {
        match minted {
            Minted::Pending => Progress::Waits,
            Minted::Panicked => {
                self.lose(true);
                Progress::Panicked
            }
            Minted::Over(result) => {
                self.land(result);
                Progress::Answered(Some(result))
            }
        }
    }

    /// The task in a caller itself was polled.
    fn own(&mut self, id: usize, minted: Minted) -> Progress {
        match minted {
            Minted::Pending => Progress::Waits,
            Minted::Panicked => {
                self.lose(true);
                Progress::Panicked
            }
            Minted::Over(result) => {
                self.land(result);
                self.caller(id).own = false;
                Progress::Answered(self.told.remove(&id))
            }
        }
    }

    pub(super) fn run_task(&mut self, id: usize) -> Option<bool> {
        let task = self.tasks[&id];
        let minted = if task.polled {
            self.poll_mint(TASK + id)
        } else {
            self.begin_mint((id, TASK + id), true, task.plan, task.seen)
        };
        match minted {
            Minted::Pending => {
                let polled = true;
                self.tasks.insert(id, Task { polled, ..task });
                Some(false)
            }
            Minted::Panicked => {
                self.lose_task_by(id, true);
                None
            }
            Minted::Over(result) => {
                self.tasks.remove(&id);
                self.land(result);
                Some(true)
            }
        }
    }

    pub(super) fn lose_task(&mut self, id: usize) {
        self.lose_task_by(id, false);
    }

    fn lose_task_by(&mut self, id: usize, by_panic: bool) {
        assert_eq!(self.leader, Some(Who::Task(id)));
        self.tasks.remove(&id);
        self.lose(by_panic);
    }

    /// Those that were never polled.
    pub(super) fn new_tasks(&self) -> Vec<usize> {
        let new = self.tasks.iter().filter(|(_, task)| !task.polled);
        new.map(|(id, _)| *id).collect()
    }

    // Callers.

    pub(super) fn ask(&mut self, id: usize, pool: Option<Pool>, plan: Option<Outcome>) {
        let caller = Caller {
            pool,
            plan,
            make: true,
            stage: Stage::Fresh,
            seen: None,
            own: false,
            swallowed: false,
        };
        self.callers.insert(id, caller);
    }

    pub(super) fn poll(&mut self, id: usize) -> Asked {
        let caller = *self.caller(id);
        let mut progress = match caller.stage {
            Stage::Fresh => match self.begin(id) {
                Some(told) => return self.tell(id, told),
                None => self.enter(id),
            },
            Stage::Mints => {
                let minted = self.poll_mint(id);
                self.in_line(minted)
            }
            Stage::Waits if caller.own => {
                let minted = self.poll_mint(id);
                self.own(id, minted)
            }
            Stage::Waits => {
                if let Some(result) = self.told.remove(&id) {
                    Progress::Answered(Some(result))
                } else if self.leader == Some(Who::Caller(id)) {
                    self.lead(id)
                } else {
                    Progress::Waits
                }
            }
        };
        loop {
            match progress {
                Progress::Waits => return Asked::Waits,
                Progress::Panicked => {
                    self.callers.remove(&id);
                    self.resign(id);
                    return Asked::Panicked;
                }
                Progress::Answered(answer) => {
                    if let Some(told) = self.end(id, answer) {
                        return self.tell(id, told);
                    }
                    self.caller(id).seen = None;
                    progress = self.enter(id);
                }
            }
        }
    }

    fn tell(&mut self, id: usize, told: Result) -> Asked {
        self.callers.remove(&id);
        self.given = told.ok();
        Asked::Told(told.map(Value::told))
    }

    /// What can be said at once.
    fn begin(&mut self, id: usize) -> Option<Result> {
        match self.look() {
            Look::Fresh(value) => Some(Ok(value)),
            Look::Due(value) if self.leader.is_some() || self.is_paused() => Some(Ok(value)),
            Look::Due(value) => {
                self.caller(id).seen = Some(value.version);
                None
            }
            Look::Nothing if self.is_open() => Some(Err(Why::Open)),
            Look::Nothing => None,
        }
    }

    fn end(&mut self, id: usize, answer: Option<Result>) -> Option<Result> {
        let again = self.caller(id).make;
        match answer {
            Some(Ok(value)) if self.is_valid(value) => return Some(Ok(value)),
            _ => {}
        }
        if let Look::Fresh(value) | Look::Due(value) = self.look() {
            return Some(Ok(value));
        }
        match answer {
            None => None,
            Some(Ok(_)) if again => None,
            Some(Ok(value)) if self.has_expired(value) => Some(Err(Why::Expired)),
            told => told,
        }
    }

    /// Whoever leads and goes is succeeded.
    fn resign(&mut self, id: usize) {
        if self.leader == Some(Who::Caller(id)) {
            self.lose(false);
        }
    }

    pub(super) fn leave(&mut self, id: usize) {
        let caller = self.callers.remove(&id).expect("it asks");
        if self.told.remove(&id).is_some() {
            return;
        }
        if caller.own {
            self.lose(false);
        }
        self.resign(id);
        self.queue.retain(|other| *other != id);
    }

    // Without asking.

    pub(super) fn invalidate(&mut self, version: usize) -> bool {
        let valid = self.valid && self.last.is_some_and(|last| last.version == version);
        if valid {
            self.valid = false;
            self.heard.push(Heard::Invalidated(version));
        }
        valid
    }

    pub(super) fn peek(&self) -> Option<(usize, usize)> {
        match self.look() {
            Look::Fresh(value) | Look::Due(value) => Some(value.told()),
            Look::Nothing => None,
        }
    }

    pub(super) fn reader_peek(&self) -> Option<usize> {
        let value = self.reader?;
        (self.is_valid(value) && !self.is_due(value)).then_some(value.value)
    }

    pub(super) fn reader_get(&mut self, id: usize, outcome: Outcome) -> Asked {
        if let Some(value) = self.reader_peek() {
            return Asked::Value(value);
        }
        self.ask(id, None, Some(outcome));
        match self.poll(id) {
            Asked::Told(Ok((value, _))) => {
                self.reader = self.given;
                Asked::Value(value)
            }
            Asked::Waits => {
                self.leave(id);
                Asked::Waits
            }
            asked => asked,
        }
    }

    pub(super) fn snapshot(&self) -> Picture {
        let version = self.last.map_or(0, |last| last.version);
        let valid = self.last.is_some_and(|last| self.is_valid(last));
        let times = self
            .last
            .map(|last| (Some(last.minted), last.expires, last.refreshes));
        (
            (version, valid, self.leader.is_some()),
            times.unwrap_or_default(),
            (self.successes, self.failures, self.in_a_row),
            self.breaker(),
        )
    }
}
