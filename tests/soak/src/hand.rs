//! A thread's hands: a few calls at a time, each of which is polled, whether it was woken or not, given
//! to whichever thread takes it, or dropped; by the dice.
//!
//! Invariants:
//! - After the steps a call is polled when it was woken only: a wake-up that is lost is a call that
//!   hangs, and is found so when nobody has moved for [`PATIENCE`].
//! - A waker that is alive when its round is over was leaked: [`wakers`] counts them.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::subject::{Call, Dice, Planned, Subject};

/// As long as nobody moves.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many calls are in one hand, at most.
const AT_ONCE: usize = 8;

static WAKERS: AtomicUsize = AtomicUsize::new(0);

/// How many calls' wakers are alive.
pub(crate) fn wakers() -> usize {
    WAKERS.load(Ordering::SeqCst)
}

/// What became of the calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) polls: u64,
    pub(crate) done: u64,
    pub(crate) dropped: u64,
    pub(crate) panicked: u64,
    pub(crate) hung: u64,
}

impl core::ops::AddAssign for Ends {
    fn add_assign(&mut self, other: Self) {
        self.polls += other.polls;
        self.done += other.done;
        self.dropped += other.dropped;
        self.panicked += other.panicked;
        self.hung += other.hung;
    }
}

/// Whether a call was woken.
struct Woken(AtomicBool);

impl Woken {
    fn new() -> Arc<Self> {
        WAKERS.fetch_add(1, Ordering::SeqCst);
        Arc::new(Self(AtomicBool::new(true)))
    }
}

impl Drop for Woken {
    fn drop(&mut self) {
        WAKERS.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A call on its way.
pub(crate) struct Task<'s> {
    call: Call<'s>,
    woken: Arc<Woken>,
}

impl<'s> Task<'s> {
    pub(crate) fn new(call: Call<'s>) -> Self {
        Self {
            call,
            woken: Woken::new(),
        }
    }
}

/// What all threads of a round have in common: calls that go from hand to hand.
#[derive(Default)]
pub(crate) struct Table<'s> {
    calls: Mutex<Vec<Task<'s>>>,
    /// Calls that are on the way, in whichever hand.
    alive: AtomicUsize,
    /// Polls that were asked for: while it grows, somebody moves.
    moves: AtomicU64,
}

impl<'s> Table<'s> {
    fn give(&self, task: Task<'s>) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(task);
    }

    fn take(&self) -> Option<Task<'s>> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.pop()
    }
}

pub(crate) struct Hand<'s, 't, S> {
    subject: &'s S,
    table: &'t Table<'s>,
    dice: Dice,
    tasks: Vec<Task<'s>>,
    pub(crate) ends: Ends,
}

impl<'s, 't, S: Subject> Hand<'s, 't, S> {
    pub(crate) fn new(subject: &'s S, table: &'t Table<'s>, seed: u64) -> Self {
        Self {
            subject,
            table,
            dice: Dice::new(seed),
            tasks: Vec::with_capacity(AT_ONCE),
            ends: Ends::default(),
        }
    }

    /// So many steps.
    pub(crate) fn steps(&mut self, steps: u32) {
        for _ in 0..steps {
            self.catch(Self::step);
        }
    }

    /// One of all things that can happen.
    fn step(&mut self) {
        let chosen = self.dice.below(AT_ONCE);
        match self.dice.below(16) {
            0..=3 if self.tasks.len() < AT_ONCE => {
                let call = self.subject.call(&mut self.dice);
                self.table.alive.fetch_add(1, Ordering::SeqCst);
                self.tasks.push(Task::new(call));
            }
            4 if chosen < self.tasks.len() => {
                let task = self.tasks.swap_remove(chosen);
                self.table.give(task);
            }
            5 | 6 if self.tasks.len() < AT_ONCE => self.tasks.extend(self.table.take()),
            7 if chosen < self.tasks.len() => {
                let task = self.tasks.swap_remove(chosen);
                self.ends.dropped += 1;
                self.end(task);
            }
            _ if chosen < self.tasks.len() => self.poll(chosen),
            _ => {}
        }
    }

    /// No more calls come: drives all of them, of whichever hand, to their ends.
    pub(crate) fn finish(&mut self) {
        self.catch(|hand| hand.subject.finish());
        let (mut moves, mut since) = (0, Instant::now());
        while self.table.alive.load(Ordering::SeqCst) > 0 {
            let took = self.table.take();
            let took = took.map(|task| self.tasks.push(task)).is_some();
            let woken = |task: &Task<'_>| task.woken.0.load(Ordering::SeqCst);
            if let Some(at) = self.tasks.iter().position(woken) {
                self.table.moves.fetch_add(1, Ordering::SeqCst);
                self.poll(at);
                continue;
            }
            if took {
                continue;
            }
            let moved = self.table.moves.load(Ordering::SeqCst);
            if moved != moves {
                (moves, since) = (moved, Instant::now());
            } else if since.elapsed() > PATIENCE {
                let hung = core::mem::take(&mut self.tasks);
                self.ends.hung += hung.len() as u64;
                self.table.alive.fetch_sub(hung.len(), Ordering::SeqCst);
                self.catch(|_| drop(hung));
            }
            thread::yield_now();
        }
    }

    fn poll(&mut self, at: usize) {
        self.ends.polls += 1;
        let task = &mut self.tasks[at];
        task.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&task.woken));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            task.call.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        drop(waker);
        match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(())) => self.ends.done += 1,
            Err(payload) => self.panicked(&*payload),
        }
        let task = self.tasks.swap_remove(at);
        self.end(task);
    }

    /// A call goes; its destructors may panic as planned.
    fn end(&mut self, task: Task<'s>) {
        self.catch(|_| drop(task));
        self.table.alive.fetch_sub(1, Ordering::SeqCst);
    }

    /// Does `what`. No panic leaves a hand: the others would wait for it, and for its calls, for ever.
    fn catch(&mut self, what: impl FnOnce(&mut Self)) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| what(self))) {
            self.panicked(&*payload);
        }
    }

    fn panicked(&mut self, payload: &(dyn Any + Send)) {
        self.ends.panicked += 1;
        if !payload.is::<Planned>() {
            self.subject.faults().note("a panic that nobody planned");
        }
    }
}
