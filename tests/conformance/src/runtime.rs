//! What a runtime binds so that the suite can run on it.

use core::future::Future;

use ecluse_core::runtime::{Inline, Timer};

/// What a runtime can do beyond spawning and waking: a small set of bits.
///
/// A case names what it needs; a runtime that lacks one of them lists the case as not applicable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps(u32);

impl Caps {
    /// Nothing in particular.
    pub const NONE: Self = Self(0);
    /// Tasks run at the same time on several threads.
    pub const THREADS: Self = Self(1);
    /// A task can be aborted from outside.
    pub const ABORT: Self = Self(1 << 1);
    /// Panics unwind.
    pub const UNWIND: Self = Self(1 << 2);
    /// The standard library is there.
    pub const STD: Self = Self(1 << 3);
    /// The runtime can be shut down with tasks in it.
    pub const SHUTDOWN: Self = Self(1 << 4);
    /// Dropping a task's handle ends the task.
    pub const TASK_DROP: Self = Self(1 << 5);
    /// A task is cancelled by awaiting its cancellation.
    pub const CANCEL_AWAIT: Self = Self(1 << 6);
    /// There is a heap.
    pub const ALLOC: Self = Self(1 << 7);
    /// The timer runs on a real clock.
    pub const REAL_CLOCK: Self = Self(1 << 8);
    /// A thread outside of the runtime may block while the runtime goes on, and may wake its tasks.
    pub const BLOCKING: Self = Self(1 << 9);
    /// Interrupt handlers preempt tasks.
    pub const INTERRUPTS: Self = Self(1 << 10);
    /// There is an executor whose tasks preempt those of this one.
    pub const PRIORITIES: Self = Self(1 << 11);
    /// It can be seen how much of the stack a call used.
    pub const STACK: Self = Self(1 << 12);
    /// Tasks need places, of which there is a fixed number.
    pub const PLACES: Self = Self(1 << 13);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the members of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every member of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How a task is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// The runtime's own abort ([`Caps::ABORT`]).
    Abort,
    /// The future lost a select.
    SelectLoser,
    /// The future ran into the runtime's time-out.
    Timeout,
    /// The task's handle was dropped, which ends the task ([`Caps::TASK_DROP`]).
    TaskDrop,
    /// The task's cancellation was awaited ([`Caps::CANCEL_AWAIT`]).
    CancelAwait,
    /// The whole runtime went away ([`Caps::SHUTDOWN`]).
    RuntimeShutdown,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its future returned.
    Finished,
    /// Its future was dropped before it returned.
    Aborted,
    /// Its future panicked.
    Panicked,
}

/// A spawned task. Dropping the handle lets the task go on.
pub trait Task: Send + 'static {
    /// Waits until the task's future is gone, and says how it went.
    fn join(self) -> impl Future<Output = Ended> + Send;

    /// Aborts the task and waits until its future is gone. Only where the runtime has [`Caps::ABORT`].
    fn abort(self) -> impl Future<Output = Ended> + Send;
}

/// What an interrupt handler runs.
pub type Act = &'static (dyn Fn() + Send + Sync);

/// A future that fits into a place of a [pool](Runtime::spawn_in_pool).
pub type Placed = Inline<64>;

/// One runtime under test; a handle to it that goes everywhere.
pub trait Runtime: Copy + Send + Sync + 'static {
    /// The column's name.
    const NAME: &'static str;
    /// What it can do.
    const CAPS: Caps;
    /// How often a case may repeat its step at most: what fits in seconds on a host, in half the RAM and ten seconds on a chip.
    const SCALE: usize;
    /// How many turns [`kit::eventually`](crate::kit::eventually) grants the other tasks.
    const PATIENCE: usize = 1 << 22;

    /// A running task.
    type Task: Task;
    /// The runtime's clock and timer.
    type Timer: Timer<Instant: Send, Sleep: Send> + Copy + Send + Sync + 'static;

    /// Puts a value where it stays for the rest of the case.
    fn put<T: Send + Sync + 'static>(self, value: T) -> &'static T;

    /// Starts a task.
    fn spawn<F: Future<Output = ()> + Send + 'static>(self, future: F) -> Self::Task;

    /// The runtime's timer.
    fn timer(self) -> Self::Timer;

    /// Polls `victim` in a task until it is pending for the first time, then ends it by `how`; resolves when it is gone.
    ///
    /// # Panics
    /// If the runtime lacks what `how` needs: such a case is `n/a` and must not be run.
    fn interrupted<F: Future<Output = ()> + Send + 'static>(
        self,
        how: Interrupt,
        victim: F,
    ) -> impl Future<Output = ()>;

    /// Runs `act` in an interrupt handler, which preempts the caller; returns when it has run. Only with [`Caps::INTERRUPTS`].
    fn in_interrupt(self, act: Act) {
        let _ = act;
        unreachable!("n/a without interrupts");
    }

    /// From now on runs `act` in the handler of each tick of the timer; `None`: nothing. Only with [`Caps::INTERRUPTS`].
    fn at_each_tick(self, act: Option<Act>) {
        let _ = act;
        unreachable!("n/a without interrupts");
    }

    /// The executor whose tasks preempt those of this one. Only with [`Caps::PRIORITIES`].
    fn above(self) -> Self {
        unreachable!("n/a without priorities");
    }

    /// How many bytes of stack `work(rounds)` used. Only with [`Caps::STACK`].
    fn stack_used(self, work: fn(usize), rounds: usize) -> usize {
        let _ = (work, rounds);
        unreachable!("n/a without a look at the stack");
    }

    /// Spawns into the runtime's static pool of two places. Only with [`Caps::PLACES`].
    ///
    /// # Errors
    /// Both places are taken: here is the future again.
    fn spawn_in_pool(self, work: Placed) -> Result<(), Placed> {
        drop(work);
        unreachable!("n/a without places");
    }

    /// One turn of a bounded wait has passed in vain: a host with threads lets another thread run.
    fn relax(self) {}

    /// `full` repetitions, or as many as this platform affords.
    fn count(self, full: usize) -> usize {
        full.min(Self::SCALE)
    }
}
