//! embassy on the chip as the suite's runtime.
//!
//! A task's future lies in the arena, in as many bytes as it has; what the static pool's places hold is an erased
//! pointer to it. The pool's tasks stay where they are for ever, since a timer queue may know one that has ended.

use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration as CoreDuration;

use atomic_waker::AtomicWaker;
use ecluse_conformance::{
    Act, Caps, Clock, Ended, Interrupt, Placed, Runtime, Task, Timer, kit::yield_now,
};
use ecluse_core::runtime::{Inline, Spawn};
use ecluse_embassy::{Pool, Tally};
use embassy_executor::SendSpawner;
use embassy_executor::raw::{AvailableTask, TaskStorage};
use embassy_futures::select::select;
use embassy_time::{Duration, Instant, TICK_HZ, with_timeout};
use pin_project_lite::pin_project;
use portable_atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::chip::{self, PLACES, SCALE};
use crate::{arena, stack};

/// The executor of the thread.
#[derive(Clone, Copy)]
pub struct Chip(pub SendSpawner);

/// Room for what leads to a future in the arena.
type Erased = Inline<8>;

static POOL: [TaskStorage<Erased>; PLACES] = [const { TaskStorage::new() }; PLACES];
/// Tasks whose futures are not gone yet.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// What runs in the pool of [`Runtime::spawn_in_pool`].
static CREW: Tally = Tally::new();

/// Waits until all tasks have ended; false if some do not.
pub async fn settled() -> bool {
    for _ in 0..1_000 {
        if LIVE.load(Ordering::SeqCst) == 0 && CREW.live() == 0 {
            return true;
        }
        yield_now().await;
    }
    false
}

/// How a task ended, and who wants to know.
#[derive(Debug)]
struct End {
    over: AtomicBool,
    joiner: AtomicWaker,
}

pin_project! {
    /// A task's future, which is gone before that is said.
    struct Ending<F> {
        #[pin]
        future: Option<F>,
        end: &'static End,
    }
}

impl<F: Future<Output = ()>> Future for Ending<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(future) = this.future.as_mut().as_pin_mut() {
            if future.poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.future.set(None);
            LIVE.fetch_sub(1, Ordering::SeqCst);
            this.end.over.store(true, Ordering::SeqCst);
            this.end.joiner.wake();
        }
        Poll::Ready(())
    }
}

/// A spawned task.
#[derive(Debug)]
pub struct Handle(&'static End);

impl Task for Handle {
    async fn join(self) -> Ended {
        poll_fn(|cx| {
            self.0.joiner.register(cx.waker());
            if self.0.over.load(Ordering::SeqCst) {
                Poll::Ready(Ended::Finished)
            } else {
                Poll::Pending
            }
        })
        .await
    }

    async fn abort(self) -> Ended {
        unreachable!("n/a on embassy")
    }
}

/// embassy's clock and timer.
#[derive(Clone, Copy, Debug)]
pub struct ChipTimer;

impl Clock for ChipTimer {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn after(&self, from: Instant, by: CoreDuration) -> Instant {
        // Rounded up: never early.
        let nanos = by.as_nanos().saturating_mul(u128::from(TICK_HZ));
        let ticks = u64::try_from(nanos.div_ceil(1_000_000_000)).unwrap_or(u64::MAX);
        from.checked_add(Duration::from_ticks(ticks))
            .unwrap_or(Instant::MAX)
    }
}

impl Timer for ChipTimer {
    type Sleep = embassy_time::Timer;

    fn sleep_until(&self, at: Instant) -> embassy_time::Timer {
        embassy_time::Timer::at(at)
    }
}

impl Runtime for Chip {
    const NAME: &'static str = "chip";
    const CAPS: Caps = {
        let caps = Caps::REAL_CLOCK
            .and(Caps::INTERRUPTS)
            .and(Caps::STACK)
            .and(Caps::PLACES);
        if chip::PRIORITIES {
            caps.and(Caps::PRIORITIES)
        } else {
            caps
        }
    };
    const SCALE: usize = SCALE;
    const PATIENCE: usize = 1 << 14;

    type Task = Handle;
    type Timer = ChipTimer;

    fn put<T: Send + Sync + 'static>(self, value: T) -> &'static T {
        arena::put(value)
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(self, future: F) -> Handle {
        let end = self.put(End {
            over: AtomicBool::new(false),
            joiner: AtomicWaker::new(),
        });
        let place = POOL.iter().find_map(AvailableTask::claim);
        let place = place.expect("a free place in the pool");
        LIVE.fetch_add(1, Ordering::SeqCst);
        let future = arena::put_mut(Ending {
            future: Some(future),
            end,
        });
        // SAFETY: Validity: it stays in the arena until the case is over, and is used through this pin alone; what it
        // must do before its memory is used again it does when it ends (`settled`). Aliasing: the only reference.
        let future = unsafe { Pin::new_unchecked(future) };
        self.0.spawn(place.initialize(move || Erased::new(future)));
        Handle(end)
    }

    fn timer(self) -> ChipTimer {
        ChipTimer
    }

    async fn interrupted<F: Future<Output = ()> + Send + 'static>(self, how: Interrupt, victim: F) {
        let pending = self.put(AtomicBool::new(false));
        let watcher = self.put(AtomicWaker::new());
        let victim = async move {
            let mut victim = pin!(victim);
            poll_fn(|cx| {
                let polled = victim.as_mut().poll(cx);
                if polled.is_pending() {
                    pending.store(true, Ordering::SeqCst);
                    watcher.wake();
                }
                polled
            })
            .await;
        };
        let seen = poll_fn(|cx| {
            watcher.register(cx.waker());
            if pending.load(Ordering::SeqCst) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let ended = match how {
            Interrupt::SelectLoser => {
                let selecting = async move {
                    let _ = select(victim, seen).await;
                };
                self.spawn(selecting).join().await
            }
            Interrupt::Timeout => {
                let timing = async move {
                    let timed = with_timeout(Duration::from_millis(1), victim).await;
                    assert!(timed.is_err(), "the victim must wait");
                };
                self.spawn(timing).join().await
            }
            Interrupt::Abort
            | Interrupt::TaskDrop
            | Interrupt::CancelAwait
            | Interrupt::RuntimeShutdown => unreachable!("n/a on embassy"),
        };
        assert_eq!(ended, Ended::Finished);
    }

    fn in_interrupt(self, act: Act) {
        chip::in_interrupt(act);
    }

    fn at_each_tick(self, act: Option<Act>) {
        chip::on_tick(act);
    }

    fn above(self) -> Self {
        Self(chip::executor_above().expect("n/a without priorities"))
    }

    fn stack_used(self, work: fn(usize), rounds: usize) -> usize {
        stack::used(work, rounds)
    }

    fn spawn_in_pool(self, work: Placed) -> Result<(), Placed> {
        static PLACES: Pool<Placed, 2> = Pool::new();
        let spawned = PLACES.on(self.0).spawn(CREW.ticket(work));
        spawned.map_err(|refused| refused.into_future().expect("an executor never closes"))
    }
}
