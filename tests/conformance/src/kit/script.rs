//! A scripted schedule on a real executor: each step is a task of its own, and a baton goes from one to the next.
//!
//! The order of the steps is fixed while tasks, wakers and executor are the runtime's. A step that panics breaks the script: the baton
//! goes on (nobody hangs), no later step is done, and [`Script::play`] panics at the end.

use core::future::{Future, poll_fn};
use core::task::Poll;

use atomic_waker::AtomicWaker;
use portable_atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::runtime::Runtime;

/// A script of at most `STEPS` steps; lives in [`Runtime::put`].
#[derive(Debug)]
pub struct Script<const STEPS: usize> {
    /// Whose turn it is, from 1; 0: not begun.
    turn: AtomicUsize,
    written: AtomicUsize,
    broken: AtomicBool,
    players: [AtomicWaker; STEPS],
    over: AtomicWaker,
}

/// Passes the baton on, also out of a panic.
struct Pass<'a, const STEPS: usize> {
    script: &'a Script<STEPS>,
    done: bool,
}

impl<const STEPS: usize> Drop for Pass<'_, STEPS> {
    fn drop(&mut self) {
        if !self.done {
            self.script.broken.store(true, Ordering::SeqCst);
        }
        self.script.next();
    }
}

impl<const STEPS: usize> Script<STEPS> {
    /// A script without steps.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            turn: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
            players: [const { AtomicWaker::new() }; STEPS],
            over: AtomicWaker::new(),
        }
    }

    /// Writes the next step and spawns its task, which waits for the baton.
    ///
    /// # Panics
    /// If the script is full.
    pub fn step<R: Runtime>(&'static self, rt: R, work: impl Future<Output = ()> + Send + 'static) {
        let mine = self.written.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(mine <= STEPS, "a script of {STEPS} steps is full");
        drop(rt.spawn(async move {
            self.reach(mine, &self.players[mine - 1]).await;
            let mut pass = Pass {
                script: self,
                done: false,
            };
            if !self.broken.load(Ordering::SeqCst) {
                work.await;
                pass.done = true;
            }
        }));
    }

    /// Plays the script from the first step to the last.
    ///
    /// # Panics
    /// If a step panicked.
    pub async fn play(&'static self) {
        let last = self.written.load(Ordering::SeqCst);
        self.next();
        self.reach(last + 1, &self.over).await;
        assert!(
            !self.broken.load(Ordering::SeqCst),
            "a step of the script failed"
        );
    }

    fn next(&self) {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst) + 1;
        if turn > self.written.load(Ordering::SeqCst) {
            self.over.wake();
        } else {
            self.players[turn - 1].wake();
        }
    }

    async fn reach(&self, mine: usize, waker: &AtomicWaker) {
        poll_fn(|cx| {
            waker.register(cx.waker());
            if self.turn.load(Ordering::SeqCst) >= mine {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

impl<const STEPS: usize> Default for Script<STEPS> {
    fn default() -> Self {
        Self::new()
    }
}
