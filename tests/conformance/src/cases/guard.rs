//! c05, c08: a body that runs under a claim, and the order of its exit.

use core::future::pending;
use core::task::{Poll, Waker};

use portable_atomic::Ordering;

use super::super::subject::{Cause, Outcome};
use super::parts::slot as new_slot;
use super::parts::{
    ABANDONED, Claimer, Droplet, OnDrop, PANICKED, StaticSlot, Watcher, claimers, counter,
};
use crate::kit::{Parked, Text, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { guard:
    c05_success_runs_no_hook,
    c05_failure_runs_the_hook_before_the_release,
    c05_panic_runs_the_hook_before_the_release needs UNWIND,
    c05_drop_runs_the_hook_before_the_release,
    c05_panicking_hook_cannot_stop_the_release needs UNWIND,
    c05_panic_of_the_body_wins_over_the_hooks needs UNWIND STD,
    c05_guard_sync_on_every_exit needs UNWIND,
    c08_body_is_gone_before_the_release,
}

/// A guarded body that notes its drop, on its way to an end; two others are queued. Returns what was noted.
struct Stage {
    slot: StaticSlot,
    others: &'static [Claimer; 2],
    text: &'static Text,
}

impl Stage {
    fn new<R: Runtime>(rt: R) -> Self {
        Self {
            slot: new_slot(rt),
            others: rt.put(claimers()),
            text: rt.put(Text::new()),
        }
    }

    /// Notes, and checks that the release has not come.
    fn note(&self, what: &str) {
        assert!(self.slot.is_claimed() && self.others[0].wakes() == 0);
        self.text.line(format_args!("{what}"));
    }

    /// What was noted, then the release as the two others see it.
    fn check(&self, noted: &str, told: Outcome) {
        self.text.read(|text| assert_eq!(text, noted));
        assert_eq!((self.others[0].wakes(), self.others[1].wakes()), (1, 0));
        let next = self.others[0].claimed();
        assert_eq!(next.inherited(), Some(told));
        drop(next);
        self.others[1].claimed().release();
        assert!(!self.slot.is_claimed());
    }

    /// Claims and runs the body to its end under guard.
    async fn guarded(
        &'static self,
        body: impl AsyncFnOnce() -> Result<u32, u32>,
    ) -> Result<u32, u32> {
        let claim = self.slot.claim().await.expect("free");
        self.others.iter().for_each(|other| other.enlist(self.slot));
        let body = async {
            let _noted = OnDrop(|| self.note("body dropped"));
            body().await
        };
        let on_orphan = |cause: Cause<'_, u32>| match cause {
            Cause::Failed(error) => self.note(if *error == 7 { "failed 7" } else { "failed" }),
            Cause::Panicked => self.note("panicked"),
            Cause::Dropped => self.note("dropped"),
        };
        claim.guard(body, on_orphan).await
    }
}

async fn c05_success_runs_no_hook<R: Runtime>(rt: R) -> Verdict {
    let stage = rt.put(Stage::new(rt));
    let result = stage.guarded(async || {
        yield_now().await;
        Ok(42)
    });
    assert_eq!(result.await, Ok(42));
    stage.check("body dropped\n", Outcome::Done);
    Verdict::Pass
}

async fn c05_failure_runs_the_hook_before_the_release<R: Runtime>(rt: R) -> Verdict {
    let stage = rt.put(Stage::new(rt));
    let result = stage.guarded(async || {
        yield_now().await;
        Err(7)
    });
    assert_eq!(result.await, Err(7));
    stage.check("body dropped\nfailed 7\n", ABANDONED);
    Verdict::Pass
}

async fn c05_panic_runs_the_hook_before_the_release<R: Runtime>(rt: R) -> Verdict {
    let stage = rt.put(Stage::new(rt));
    let task = rt.spawn(async move {
        let _ = stage
            .guarded(async || {
                yield_now().await;
                panic!("on purpose")
            })
            .await;
    });
    assert_eq!(task.join().await, Ended::Panicked);
    stage.check("body dropped\npanicked\n", PANICKED);
    Verdict::Pass
}

async fn c05_drop_runs_the_hook_before_the_release<R: Runtime>(rt: R) -> Verdict {
    let stage = rt.put(Stage::new(rt));
    let parked = rt.put(Parked::new());
    parked.park(stage.guarded(async || pending().await));
    assert_eq!(parked.poll(Waker::noop()), Poll::Pending);
    assert!(stage.slot.is_claimed());
    parked.leave();
    stage.check("body dropped\ndropped\n", ABANDONED);
    Verdict::Pass
}

async fn c05_panicking_hook_cannot_stop_the_release<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let hooks = counter(rt);
    let hook = move || {
        hooks.fetch_add(1, Ordering::SeqCst);
        panic!("the hook, on purpose");
    };
    // The body's error wins.
    let task = rt.spawn(async move {
        let claim = slot.try_claim().expect("free");
        let failed: Result<(), u32> = claim.guard(async { Err(1) }, |_| hook()).await;
        assert_eq!(failed, Err(1));
    });
    let ended = task.join().await;
    assert!(!slot.is_claimed());
    if R::CAPS.contains(crate::Caps::STD) {
        assert_eq!(ended, Ended::Finished);
    }
    // Nothing else went wrong: the hook's panic goes on.
    let task = rt.spawn(async move {
        let claim = slot.try_claim().expect("free");
        drop(claim.guard(pending::<Result<(), ()>>(), |_| hook()));
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert!(!slot.is_claimed());
    assert_eq!(hooks.load(Ordering::SeqCst), 2);
    Verdict::Pass
}

async fn c05_panic_of_the_body_wins_over_the_hooks<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let hooks = counter(rt);
    let task = rt.spawn(async move {
        let claim = slot.try_claim().expect("free");
        let body = async {
            yield_now().await;
            if hooks.load(Ordering::SeqCst) == 0 {
                panic!("the body, on purpose");
            }
            Ok::<(), ()>(())
        };
        let _ = claim
            .guard(body, |cause| {
                assert_eq!(cause, Cause::Panicked);
                hooks.fetch_add(1, Ordering::SeqCst);
                panic!("the hook, on purpose");
            })
            .await;
    });
    // A second panic while the first unwinds would have aborted the process.
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(hooks.load(Ordering::SeqCst), 1);
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c05_guard_sync_on_every_exit<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watcher = rt.put(Watcher::new());
    let orphans = counter(rt);
    let on_orphan = move |_: Cause<'_, u32>| {
        assert!(slot.is_claimed());
        orphans.fetch_add(1, Ordering::SeqCst);
    };
    let claim = slot.try_claim().expect("free");
    watcher.enlist(slot);
    assert_eq!(claim.guard_sync(|| Ok(1), on_orphan), Ok(1));
    assert_eq!(watcher.told(), Outcome::Done);
    assert_eq!(orphans.load(Ordering::SeqCst), 0);

    let claim = slot.try_claim().expect("free");
    watcher.enlist(slot);
    assert_eq!(claim.guard_sync(|| Err::<(), _>(2), on_orphan), Err(2));
    assert_eq!(watcher.told(), ABANDONED);
    assert_eq!(orphans.load(Ordering::SeqCst), 1);

    let task = rt.spawn(async move {
        let claim = slot.try_claim().expect("free");
        watcher.enlist(slot);
        let _: Result<(), u32> = claim.guard_sync(|| panic!("on purpose"), on_orphan);
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(watcher.told(), PANICKED);
    assert_eq!(orphans.load(Ordering::SeqCst), 2);
    Verdict::Pass
}

async fn c08_body_is_gone_before_the_release<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let heir = rt.put(Claimer::new());
    let drops = counter(rt);
    for end in 0..3 {
        let claim = slot.try_claim().expect("free");
        heir.enlist(slot);
        let before = heir.wakes();
        let body = async move {
            let _last = OnDrop(|| assert!(slot.is_claimed() && heir.wakes() == before));
            let _droplet = Droplet(drops);
            match end {
                0 => Ok(()),
                1 => Err(()),
                _ => pending().await,
            }
        };
        let on_orphan = move |_: Cause<'_, ()>| assert_eq!(drops.load(Ordering::SeqCst), end + 1);
        let parked = rt.put(Parked::new());
        parked.park(claim.guard(body, on_orphan));
        let polled = parked.poll(Waker::noop());
        assert_eq!(polled.is_ready(), end < 2);
        if polled.is_ready() {
            // The release does not wait for whoever keeps the guard.
            assert_eq!(heir.wakes(), before + 1);
        }
        parked.leave();
        assert_eq!(drops.load(Ordering::SeqCst), end + 1);
        heir.claimed().release();
    }
    Verdict::Pass
}
