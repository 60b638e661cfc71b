//! What the hosts' runtimes share: a place for a case's values, and a victim that tells when it is pending and when it is gone.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use atomic_waker::AtomicWaker;
use ecluse_conformance::{Caps, Ended};

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

/// How a task ended, and who wants to know.
#[derive(Debug, Default)]
struct End {
    ended: Option<Ended>,
    joiner: Option<Waker>,
}

/// Joins a task of a runtime that has no handles to join by.
#[derive(Debug)]
pub(crate) struct Joining(Arc<Mutex<End>>);

impl Future for Joining {
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut end = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = end.ended {
            return Poll::Ready(ended);
        }
        end.joiner = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// A task whose end is told, once its future is gone.
struct Joined {
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    end: Arc<Mutex<End>>,
}

impl Joined {
    /// Drops the future, then tells.
    fn tell(&mut self, ended: Ended) {
        let future = self.future.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
        let ended = dropped.map_or_else(
            |payload| {
                discard(payload);
                Ended::Panicked
            },
            |()| ended,
        );
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.ended = Some(ended);
        let joiner = end.joiner.take();
        drop(end);
        if let Some(joiner) = joiner {
            joiner.wake();
        }
    }
}

impl Future for Joined {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let future = self.future.as_mut().expect("polled before it ended");
        let ended = match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => Ended::Finished,
            Err(payload) => {
                discard(payload);
                Ended::Panicked
            }
        };
        self.tell(ended);
        Poll::Ready(())
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if self.future.is_some() {
            self.tell(Ended::Aborted);
        }
    }
}

/// Makes a future tell its end: for runtimes that have no handles to join by, or lose what a task panicked with.
pub(crate) fn joined(
    future: impl Future<Output = ()> + Send + 'static,
) -> (Pin<Box<dyn Future<Output = ()> + Send>>, Joining) {
    let end = Arc::new(Mutex::new(End::default()));
    let told = Joined {
        future: Some(Box::pin(future)),
        end: Arc::clone(&end),
    };
    (Box::pin(told), Joining(end))
}
