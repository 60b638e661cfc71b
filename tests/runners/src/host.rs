//! What the hosts' runtimes share: a place for a case's values, and a victim that tells when it is pending and when it is gone.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use ecluse_conformance::Caps;

/// What every host has.
pub(crate) const HOST: Caps = Caps::UNWIND.and(Caps::STD).and(Caps::ALLOC);

/// What a host with a real clock and real wakers has.
pub(crate) const REAL: Caps = HOST.and(Caps::REAL_CLOCK).and(Caps::BLOCKING);

/// The repetitions that a host affords.
pub(crate) const SCALE: usize = 1_000_000;

/// Keeps what was put reachable, so that a leak checker reports only what was really lost.
static PUT: Mutex<Vec<&'static (dyn Any + Send + Sync)>> = Mutex::new(Vec::new());

/// Puts a value where it stays.
pub(crate) fn put<T: Send + Sync + 'static>(value: T) -> &'static T {
    let value: &'static T = Box::leak(Box::new(value));
    PUT.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(value);
    value
}

const RUNNING: u8 = 0;
const PENDING: u8 = 1;
const GONE: u8 = 2;

/// What the victim tells.
#[derive(Default)]
struct State {
    stage: AtomicU8,
    watcher: AtomicWaker,
}

impl State {
    fn reach(&self, stage: u8) {
        self.stage.fetch_max(stage, Ordering::SeqCst);
        self.watcher.wake();
    }
}

/// Tells, when dropped, that the victim is gone.
struct Leaving(Arc<State>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.reach(GONE);
    }
}

/// A victim under watch. The fields are dropped in order: the future first, then it is said to be gone.
struct Victim {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    leaving: Leaving,
}

impl Future for Victim {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.future.as_mut().poll(cx);
        if polled.is_pending() {
            self.leaving.0.reach(PENDING);
        }
        polled
    }
}

/// Watches a victim.
pub(crate) struct Watch(Arc<State>);

impl Watch {
    /// Resolves when the victim was pending once (or is gone).
    pub(crate) async fn pending(&self) {
        self.reached(PENDING).await;
    }

    /// Resolves when the victim's future was dropped.
    pub(crate) async fn gone(&self) {
        self.reached(GONE).await;
    }

    async fn reached(&self, stage: u8) {
        poll_fn(|cx| {
            self.0.watcher.register(cx.waker());
            if self.0.stage.load(Ordering::SeqCst) >= stage {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Puts a future under watch.
pub(crate) fn watch(
    future: impl Future<Output = ()> + Send + 'static,
) -> (impl Future<Output = ()> + Send + 'static, Watch) {
    let state = Arc::new(State::default());
    let victim = Victim {
        future: Box::pin(future),
        leaving: Leaving(Arc::clone(&state)),
    };
    state.stage.store(RUNNING, Ordering::SeqCst);
    (victim, Watch(state))
}

/// Drops a panic's payload; one whose own drop panics is forgotten.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}
