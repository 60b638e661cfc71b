//! The table of hostile code (w01, w02): every callback of a waker (or of a value, a key, a function), doing every hostile act, in every
//! call that meets it.
//!
//! A primitive says what its [`Scene`] is; [`table`] plays all combinations, each in a world of its own.

use core::fmt::Debug;
use core::pin::Pin;
use core::task::{Poll, Waker};

use futures_core::FusedFuture;

use super::{Callback, Parked, TestWaker};
use crate::Verdict;
use crate::runtime::{Ended, Runtime, Task};

/// What hostile code does to what makes a value once for all who ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallAct {
    /// Nothing of the kind.
    Panic,
    /// Asks, too.
    Ask,
    /// Asks by another key.
    AskAnother,
    /// Begins anew.
    Forget,
    /// Reads whatever can be read.
    Look,
    /// Polls another caller.
    PollOther,
    /// Drops another caller.
    DropOther,
}

impl CallAct {
    /// All but the panic.
    pub const COMING_BACK: [Self; 6] = [
        Self::Ask,
        Self::AskAnother,
        Self::Forget,
        Self::Look,
        Self::PollOther,
        Self::DropOther,
    ];
}

/// One world, with everybody in it; a handle on it.
pub trait Scene: Copy + Send + Sync + 'static {
    /// What a waker does besides waking.
    type Act: Copy + Debug + PartialEq + Send + Sync;
    /// Which call meets the hostile waker.
    type Trigger: Copy + Debug + Send;

    /// The act that is a panic.
    const PANIC: Self::Act;
    /// Where the hostile code is called.
    const CALLBACKS: &'static [Callback] = &Callback::OF_WAKERS;
    /// All of them.
    const TRIGGERS: &'static [Self::Trigger];
    /// How many worlds of the usual size one of these takes.
    const ROOM: usize = 1;

    /// A world where nothing has happened.
    fn new<R: Runtime>(rt: R) -> Self;

    /// What the hostile waker does.
    fn act(self, act: Self::Act);

    /// Sets the scene; `hostile` is not armed yet.
    fn set(self, trigger: Self::Trigger, hostile: &'static TestWaker);

    /// The call that meets the hostile waker, which is armed now.
    fn trigger(self, trigger: Self::Trigger, hostile: &'static TestWaker);

    /// Whether that call may swallow the waker's panic.
    fn swallows(_: Self::Trigger) -> bool {
        false
    }

    /// The other wakers of this world, if it has any that count.
    fn wakers(self) -> &'static [TestWaker] {
        &[]
    }

    /// Sees that everybody is served or told, and that nothing is left; `hostile` is disarmed. That no waker is left is seen to
    /// afterwards.
    fn settle(self, hostile: &'static TestWaker);
}

/// One combination. Returns whether the hostile waker came to act.
async fn combination<S: Scene, R: Runtime>(
    rt: R,
    callback: Callback,
    act: S::Act,
    trigger: S::Trigger,
) -> bool {
    let scene = S::new(rt);
    let hostile: &'static TestWaker =
        rt.put(TestWaker::hostile(callback, rt.put(move || scene.act(act))));
    scene.set(trigger, hostile);
    hostile.arm();
    // A task of its own: a panic ends it and nothing else.
    let ended = rt
        .spawn(async move { scene.trigger(trigger, hostile) })
        .join()
        .await;
    let acted = hostile.acted() > 0;
    if !(acted && act == S::PANIC) {
        assert_eq!(ended, Ended::Finished, "{callback:?} {act:?} {trigger:?}");
    } else if !S::swallows(trigger) {
        assert_eq!(ended, Ended::Panicked, "{callback:?} {act:?} {trigger:?}");
    }
    let settled = rt.spawn(async move {
        hostile.disarm();
        scene.settle(hostile);
        let left = |waker: &&TestWaker| waker.live() > 0;
        let all = scene.wakers().iter().chain([hostile]);
        assert_eq!(all.filter(left).count(), 0, "a waker is left");
    });
    assert_eq!(
        settled.join().await,
        Ended::Finished,
        "{callback:?} {act:?} {trigger:?}"
    );
    acted
}

/// Every trigger and callback with each of `acts`, or as many of them, evenly, as the platform affords.
///
/// # Panics
/// If a combination does not end as it has to.
pub async fn table<S: Scene, R: Runtime>(rt: R, acts: &[S::Act]) -> Verdict {
    let all = acts.len() * S::TRIGGERS.len() * S::CALLBACKS.len();
    let step = all.div_ceil(rt.count(S::ROOM * all) / S::ROOM);
    let mut acted = 0;
    for i in (0..all).step_by(step) {
        let callback = S::CALLBACKS[i % S::CALLBACKS.len()];
        let trigger = S::TRIGGERS[i / S::CALLBACKS.len() % S::TRIGGERS.len()];
        let act = acts[i / S::CALLBACKS.len() / S::TRIGGERS.len()];
        acted += usize::from(combination::<S, R>(rt, callback, act, trigger).await);
    }
    // Each trigger meets one callback at least: clone, drop or wake. (The engine never wakes by reference.)
    assert!(
        step > 1 || acted >= acts.len() * S::TRIGGERS.len(),
        "{acted} of {all} acted"
    );
    Verdict::Pass
}

/// Polls a wait that may be anywhere in its life; if it is over now, it was woken for it, by this waker or the `earlier` one.
///
/// # Panics
/// If it was not.
pub fn ask<F: FusedFuture>(
    wait: &'static Parked<F>,
    waker: &'static TestWaker,
    earlier: Option<&'static TestWaker>,
    told: impl FnOnce(F::Output),
) {
    if !wait.is_parked() {
        return;
    }
    // Abandoned, or over in the poll that panicked.
    if wait.with_pin(|wait| wait.is_terminated()) {
        return wait.leave();
    }
    // Whether this waker was queued, or the one before it still is, and either was woken since.
    let queued = waker.clones() > 0 || earlier.is_some_and(|earlier| earlier.live() > 0);
    let woken = waker.wakes() > 0 || earlier.is_some_and(|earlier| earlier.wakes() > 0);
    if let Poll::Ready(output) = wait.poll(&waker.waker()) {
        assert!(woken || !queued, "served, but never woken");
        wait.leave();
        told(output);
    }
}

/// [`ask`] for a call that may run its own work, as `runs` says: it is not woken for that. (Its waker may have been cloned all the same:
/// who leads may have been about to queue.)
///
/// # Panics
/// As [`ask`].
pub fn ask_or_run<F: FusedFuture>(
    wait: &'static Parked<F>,
    runs: impl FnOnce(Pin<&mut F>) -> bool,
    waker: &'static TestWaker,
    earlier: Option<&'static TestWaker>,
) {
    if wait.is_parked() && wait.with_pin(runs) {
        if wait.poll(&waker.waker()).is_ready() {
            wait.leave();
        }
    } else {
        ask(wait, waker, earlier, drop);
    }
}

/// A parked future whose type has no name.
pub trait Unnamed: Send + Sync {
    /// Whether it is there still.
    fn is_parked(&self) -> bool;

    /// Polls it; it must be pending.
    fn pending(&'static self, waker: &Waker);

    /// Polls it, if it is there; one that is over goes.
    fn step(&'static self, waker: &Waker);

    /// Drops it, if it is there.
    fn leave(&self);

    /// [`ask`], whatever it tells.
    fn ask(&'static self, waker: &'static TestWaker, earlier: Option<&'static TestWaker>);
}

impl<F: FusedFuture + Send> Unnamed for Parked<F> {
    fn is_parked(&self) -> bool {
        Self::is_parked(self)
    }

    fn pending(&'static self, waker: &Waker) {
        Self::pending(self, waker);
    }

    fn step(&'static self, waker: &Waker) {
        Self::step(self, waker);
    }

    fn leave(&self) {
        Self::leave(self);
    }

    fn ask(&'static self, waker: &'static TestWaker, earlier: Option<&'static TestWaker>) {
        ask(self, waker, earlier, drop);
    }
}
