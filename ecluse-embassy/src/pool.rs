//! Spawning on embassy: a static pool of tasks of one type.
//!
//! A task function of embassy cannot be generic, and where its pool is full it drops its arguments.
//! A pool of the executor's own storages has neither limit: its task is the [`Ticket`] itself, and
//! the place is taken before the ticket is given away.
//!
//! Invariants:
//! - A future leaves the spawner's hands only if a place was taken for it; otherwise it is given
//!   back.
//! - A place is free again after the ticket in it was dropped, so a moment after its tally counted
//!   it down. Who spawns from another priority in that moment is told `Busy`.

use core::{fmt, future::Future};

use ecluse_core::runtime::{Inline, Spawn, SpawnError, TallyRef, Ticket};
use embassy_executor::{
    SendSpawner,
    raw::{AvailableTask, TaskStorage},
};

use crate::Tally;

/// `N` places for tasks that run futures of the type `F`: [`Inline`] for futures of any type that
/// fit into a size. Lives in a `static`; uses no heap.
///
/// ```
/// # extern crate std;
/// use core::sync::atomic::{AtomicU32, Ordering};
/// use ecluse_embassy::{Pool, Tally, runtime::{Inline, Spawn}};
/// use embassy_executor::{Executor, Spawner};
///
/// static WORKERS: Pool<Inline<64>, 2> = Pool::new();
/// static CREW: Tally = Tally::new();
/// static SUM: AtomicU32 = AtomicU32::new(0);
///
/// fn start(spawner: Spawner) {
///     let workers = WORKERS.on(spawner.make_send());
///     for number in 1..=2u32 {
///         let work = async move { SUM.fetch_add(number, Ordering::Relaxed); };
///         workers.spawn(CREW.ticket(Inline::new(work))).unwrap();
///     }
///     // A third has no place, and is given back.
///     let refused = workers.spawn(CREW.ticket(Inline::new(async {}))).unwrap_err();
///     assert!(refused.into_future().is_some());
///     assert_eq!(CREW.live(), 2);
/// }
///
/// // On a chip: `executor.run(start)`.
/// let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
/// executor.run_until(start, || CREW.live() == 0);
/// assert_eq!(SUM.load(Ordering::Relaxed), 3);
/// ```
pub struct Pool<
    F: Future<Output = ()> + 'static = Inline<256>,
    const N: usize = 4,
    R: TallyRef + 'static = &'static Tally,
> {
    tasks: [TaskStorage<Ticket<F, R>>; N],
}

impl<F: Future<Output = ()>, const N: usize, R: TallyRef> Pool<F, N, R> {
    /// A pool whose places are free.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            tasks: [const { TaskStorage::new() }; N],
        }
    }

    /// Spawns into this pool, to run on the executor of `spawner`. One pool may serve several
    /// executors.
    pub const fn on(&'static self, spawner: SendSpawner) -> PoolSpawn<F, N, R> {
        PoolSpawn {
            pool: self,
            spawner,
        }
    }
}

impl<F: Future<Output = ()>, const N: usize, R: TallyRef> Default for Pool<F, N, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: Future<Output = ()>, const N: usize, R: TallyRef> fmt::Debug for Pool<F, N, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("places", &N)
            .finish_non_exhaustive()
    }
}

/// Spawns into a [`Pool`]: [`Pool::on`].
///
/// embassy cannot abort a task, so there is nothing to abort by: [`Tally::cancel`] ends them.
///
/// [`Tally::cancel`]: ecluse_core::runtime::Tally::cancel
pub struct PoolSpawn<
    F: Future<Output = ()> + 'static,
    const N: usize,
    R: TallyRef + 'static = &'static Tally,
> {
    pool: &'static Pool<F, N, R>,
    spawner: SendSpawner,
}

impl<F, const N: usize, R> Spawn<F, R> for PoolSpawn<F, N, R>
where
    F: Future<Output = ()>,
    R: TallyRef,
    Ticket<F, R>: Send,
{
    type Abort = ();

    /// # Errors
    /// [`SpawnError::Busy`] if every place is taken, with the future. Never `Closed`: an executor
    /// of embassy runs for ever.
    fn spawn(&self, ticket: Ticket<F, R>) -> Result<(), SpawnError<F>> {
        let Some(place) = self.pool.tasks.iter().find_map(AvailableTask::claim) else {
            return match ticket.into_inner() {
                Some(future) => Err(SpawnError::Busy(future)),
                // It has ended already: nothing is left to run.
                None => Ok(()),
            };
        };
        self.spawner.spawn(place.initialize(|| ticket));
        Ok(())
    }
}

impl<F: Future<Output = ()>, const N: usize, R: TallyRef> Clone for PoolSpawn<F, N, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F: Future<Output = ()>, const N: usize, R: TallyRef> Copy for PoolSpawn<F, N, R> {}

impl<F: Future<Output = ()>, const N: usize, R: TallyRef> fmt::Debug for PoolSpawn<F, N, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolSpawn")
            .field("pool", self.pool)
            .finish_non_exhaustive()
    }
}
