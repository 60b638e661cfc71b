//! What the requests do, and the referee, which sees how each of them ends.
//!
//! Invariants:
//! - A request is alive from its arrival until its [`Live`] is dropped, however.
//! - **Lost** is one that is dropped without a word before the grace is over, or with its clean-up
//!   undone; **forced**, one that is dropped after it. **Left** is one that is alive when the server
//!   says that it is down: the process would end now.

use std::{
    marker::PhantomData,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    runtime::Runtime,
    timeline::{Doing, Open, Timeline},
};

/// Longer than any run.
const VERY_LONG: Duration = Duration::from_secs(3600);

/// What sort of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Done in a moment; leaves a job behind, now and then.
    Quick,
    /// Takes very long, and may be dropped at any time.
    Slow,
    /// A transaction: takes very long, and is undone if it is not finished, which takes a while.
    Tidy,
    /// Takes very long, and listens to nobody: a library that knows of no cancellation.
    Deaf,
}

impl Sort {
    /// That of the requests of a client.
    pub(super) const fn of(client: u32) -> Self {
        match client % 10 {
            0 | 3 | 6 | 8 => Self::Quick,
            1 | 4 | 7 => Self::Slow,
            2 | 5 => Self::Tidy,
            _ => Self::Deaf,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Slow => "slow",
            Self::Tidy => "transaction",
            Self::Deaf => "deaf",
        }
    }
}

/// What is known of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    alive: u64,
    /// Alive when the signal came.
    pub(super) in_flight: u64,
    /// Of these:
    pub(super) finished: u64,
    pub(super) cancelled: u64,
    pub(super) undone: u64,
    pub(super) forced: u64,
    pub(super) lost: u64,
    pub(super) half_done: u64,
    pub(super) left: u64,
    /// Jobs that were alive when the signal came, or begun since.
    pub(super) jobs: u64,
    jobs_alive: u64,
    pub(super) jobs_done: u64,
    pub(super) signal: Duration,
    pub(super) down: Duration,
}

#[derive(Debug)]
pub(super) struct Referee {
    pub(super) timeline: Arc<Timeline>,
    grace: Duration,
    counts: Mutex<Counts>,
    /// Which clients were here.
    arrived: Box<[AtomicBool]>,
    signalled: AtomicBool,
    over: AtomicBool,
}

impl Referee {
    pub(super) fn new(timeline: &Arc<Timeline>, clients: u32, grace: Duration) -> Arc<Self> {
        Arc::new(Self {
            timeline: Arc::clone(timeline),
            grace,
            counts: Mutex::default(),
            arrived: (0..clients).map(|_| AtomicBool::new(false)).collect(),
            signalled: AtomicBool::new(false),
            over: AtomicBool::new(false),
        })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether each client has made a request.
    pub(super) fn is_busy(&self) -> bool {
        self.arrived
            .iter()
            .all(|client| client.load(Ordering::Relaxed))
    }

    /// The signal has come.
    pub(super) fn signal(&self) {
        let mut counts = self.counts();
        counts.in_flight = counts.alive;
        counts.jobs = counts.jobs_alive;
        counts.signal = self.timeline.elapsed();
        self.signalled.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_signalled(&self) -> bool {
        self.signalled.load(Ordering::SeqCst)
    }

    /// The server says that it is down; nothing counts from here on.
    pub(super) fn down(&self) -> Counts {
        let mut counts = self.counts();
        counts.left =
            counts.in_flight - (counts.finished + counts.cancelled + counts.forced + counts.lost);
        counts.down = self.timeline.elapsed();
        self.over.store(true, Ordering::SeqCst);
        counts.clone()
    }

    /// Counts how something ended, if that is still of interest.
    fn count(&self, count: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts();
        self.count_in(&mut counts, count);
    }

    fn count_in(&self, counts: &mut Counts, count: impl FnOnce(&mut Counts)) {
        if self.is_signalled() && !self.over.load(Ordering::SeqCst) {
            count(counts);
        }
    }
}

/// One request to the server.
pub(super) struct Live<R> {
    pub(super) sort: Sort,
    client: u32,
    referee: Arc<Referee>,
    open: Option<Open>,
    ended: bool,
    clean: bool,
    /// It was here before the signal.
    counts: bool,
    _runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Live<R> {
    pub(super) fn arrives(client: u32, referee: &Arc<Referee>) -> Self {
        let sort = Sort::of(client);
        if let Some(arrived) = referee.arrived.get(client as usize) {
            arrived.store(true, Ordering::Relaxed);
        }
        let mut counts = referee.counts();
        counts.alive += 1;
        Self {
            counts: !referee.is_signalled(),
            sort,
            client,
            open: Some(referee.timeline.begin(client, Doing::Requesting, 0)),
            referee: Arc::clone(referee),
            ended: false,
            clean: sort != Sort::Tidy,
            _runtime: PhantomData,
        }
    }

    /// What it is for.
    pub(super) async fn work(&mut self) {
        let time = match self.sort {
            Sort::Quick => Duration::from_millis(40 + u64::from(self.client * 37 % 160)),
            _ => VERY_LONG,
        };
        R::sleep(time).await;
    }

    /// What is owed when it cannot be finished.
    pub(super) async fn clean_up(&mut self) {
        if self.clean {
            return;
        }
        if let Some(open) = self.open.take() {
            open.end();
        }
        let timeline = &self.referee.timeline;
        self.open = Some(timeline.begin(self.client, Doing::Holding, 0));
        // A tenth to four tenths of the grace.
        let part = 0.1 + 0.3 * f64::from(self.client * 37 % 100) / 100.0;
        R::sleep(self.referee.grace.mul_f64(part)).await;
        self.clean = true;
        self.count(|counts| counts.undone += 1);
    }

    /// It has its answer.
    pub(super) fn finish(mut self) {
        self.end(|counts| counts.finished += 1);
    }

    /// It was told, and ends without one.
    pub(super) fn give_up(mut self) {
        let half_done = u64::from(!self.clean);
        self.end(|counts| {
            counts.cancelled += 1 - half_done;
            counts.lost += half_done;
            counts.half_done += half_done;
        });
    }

    fn end(&mut self, count: impl FnOnce(&mut Counts)) {
        self.leave(count);
        // What is half done ends as what is dropped.
        if self.clean {
            if let Some(open) = self.open.take() {
                open.end();
            }
        }
    }

    /// A job for later, if this one leaves one.
    pub(super) fn job(&self) -> Option<impl Future<Output = ()> + Send + 'static + use<R>> {
        if self.sort != Sort::Quick || self.client % 20 != 0 {
            return None;
        }
        let job = Job::begins(self.client, &self.referee);
        let grace = self.referee.grace;
        Some(async move {
            R::sleep(grace / 5).await;
            job.done();
        })
    }
}

impl<R> Live<R> {
    fn count(&self, count: impl FnOnce(&mut Counts)) {
        if self.counts {
            self.referee.count(count);
        }
    }

    /// Is alive no more, and counts how it ended: one step, as the signal may come at any time.
    fn leave(&mut self, count: impl FnOnce(&mut Counts)) {
        self.ended = true;
        let mut counts = self.referee.counts();
        counts.alive -= 1;
        if self.counts {
            self.referee.count_in(&mut counts, count);
        }
    }
}

impl<R> Drop for Live<R> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let now = self.referee.timeline.elapsed();
        let grace = self.referee.grace;
        let half_done = u64::from(!self.clean);
        self.leave(|counts| {
            if now >= counts.signal + grace {
                counts.forced += 1;
            } else {
                counts.lost += 1;
            }
            counts.half_done += half_done;
        });
    }
}

/// What goes on when its request is over: an entry in a log, a mail.
struct Job {
    referee: Arc<Referee>,
    open: Option<Open>,
    ended: bool,
}

impl Job {
    fn begins(client: u32, referee: &Arc<Referee>) -> Self {
        let mut counts = referee.counts();
        counts.jobs_alive += 1;
        if referee.is_signalled() {
            counts.jobs += 1;
        }
        Self {
            referee: Arc::clone(referee),
            open: Some(referee.timeline.begin(client, Doing::Waiting, 0)),
            ended: false,
        }
    }

    fn done(mut self) {
        if let Some(open) = self.open.take() {
            open.end();
        }
        self.leave(|counts| counts.jobs_done += 1);
    }

    /// As a request does: in one step.
    fn leave(&mut self, count: impl FnOnce(&mut Counts)) {
        self.ended = true;
        let mut counts = self.referee.counts();
        counts.jobs_alive -= 1;
        self.referee.count_in(&mut counts, count);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.ended {
            self.leave(|_| {});
        }
    }
}
