//! What every client did when: spans that end with whatever ends the client's future, and what each
//! does at this moment.
//!
//! Invariant: what a client does at this moment is what it began last, until that ends. (A server may
//! see the end of a request that was cut off after the next one has begun.)

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What a client was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Doing {
    /// Its request.
    Requesting = 1,
    /// Waiting for what somebody else does for all.
    Waiting,
    /// Doing it.
    Holding,
    /// Doing it in the place of one that was cut off.
    TakingOver,
}

impl Doing {
    pub(crate) const fn holds(self) -> bool {
        matches!(self, Self::Holding | Self::TakingOver)
    }
}

const RESTING: u64 = 0;
/// Below this, what is done; above it, which step that was.
const STEP: u64 = 8;

/// One stretch of a client's time, from the beginning of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) client: u32,
    from: u32,
    to: u32,
    pub(crate) doing: Doing,
    /// The thing that it was about, if there are several.
    pub(crate) about: u32,
    /// It did not end by itself.
    pub(crate) cut_off: bool,
}

impl Span {
    pub(crate) fn from(&self) -> Duration {
        Duration::from_micros(self.from.into())
    }

    pub(crate) fn to(&self) -> Duration {
        Duration::from_micros(self.to.into())
    }
}

/// More than this is not kept: enough for the longest picture that is of any use.
const MOST: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Timeline {
    start: Instant,
    spans: Mutex<Vec<Span>>,
    now: Box<[AtomicU64]>,
    steps: AtomicU64,
    busy: AtomicU32,
    most_busy: AtomicU32,
}

/// How many do what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Doings {
    pub(crate) requesting: usize,
    pub(crate) waiting: usize,
    pub(crate) holding: usize,
}

impl Timeline {
    /// All its memory is taken here, so that it does not count as the run's.
    pub(crate) fn new(clients: u32) -> Self {
        Self {
            start: Instant::now(),
            spans: Mutex::new(Vec::with_capacity(MOST)),
            now: (0..clients).map(|_| AtomicU64::new(RESTING)).collect(),
            steps: AtomicU64::new(0),
            busy: AtomicU32::new(0),
            most_busy: AtomicU32::new(0),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// `client` begins to do this.
    pub(crate) fn begin(self: &Arc<Self>, client: u32, doing: Doing, about: u32) -> Open {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        let now = step * STEP + doing as u64;
        self.now[client as usize].store(now, Ordering::Relaxed);
        let busy = self.busy.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_busy.fetch_max(busy, Ordering::Relaxed);
        Open {
            timeline: Arc::clone(self),
            client,
            doing,
            about,
            now,
            from: self.micros(),
            cut_off: true,
        }
    }

    /// Counts whatever begins or ends: while it changes, the run is moving.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// How many clients were busy at the same time, at most.
    pub(crate) fn most_busy(&self) -> u32 {
        self.most_busy.load(Ordering::Relaxed)
    }

    /// What the clients do at this moment.
    pub(crate) fn doings(&self) -> Doings {
        let mut doings = Doings::default();
        for client in &self.now {
            match client.load(Ordering::Relaxed) % STEP {
                RESTING => {}
                doing if doing == Doing::Requesting as u64 => doings.requesting += 1,
                doing if doing == Doing::Waiting as u64 => doings.waiting += 1,
                _ => doings.holding += 1,
            }
        }
        doings
    }

    /// All spans that have ended.
    pub(crate) fn take(&self) -> Vec<Span> {
        std::mem::take(&mut *self.spans())
    }

    fn spans(&self) -> MutexGuard<'_, Vec<Span>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn micros(&self) -> u32 {
        u32::try_from(self.elapsed().as_micros()).unwrap_or(u32::MAX)
    }
}

/// A span that goes on. Dropped without [`end`](Open::end), it was cut off.
pub(crate) struct Open {
    timeline: Arc<Timeline>,
    client: u32,
    doing: Doing,
    about: u32,
    now: u64,
    from: u32,
    cut_off: bool,
}

impl Open {
    pub(crate) fn end(mut self) {
        self.cut_off = false;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let timeline = &*self.timeline;
        // Unless it has begun something else.
        let _ = timeline.now[self.client as usize].compare_exchange(
            self.now,
            RESTING,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        timeline.steps.fetch_add(1, Ordering::Relaxed);
        timeline.busy.fetch_sub(1, Ordering::Relaxed);
        let span = Span {
            client: self.client,
            from: self.from,
            to: timeline.micros(),
            doing: self.doing,
            about: self.about,
            cut_off: self.cut_off,
        };
        let mut spans = timeline.spans();
        if spans.len() < MOST {
            spans.push(span);
        }
    }
}
