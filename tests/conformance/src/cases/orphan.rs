//! c05–c09, c11: what happens to an orphan, what the others are told, and in which order.

use core::future::pending;
use core::task::{Poll, Waker};

use portable_atomic::Ordering;

use super::super::subject::{Cause, Outcome, Refused};
use super::parts::slot as new_slot;
use super::parts::{
    ABANDONED, Claimer, Droplet, OnDrop, PANICKED, StaticSlot, Watcher, claimers, counter, watchers,
};
use crate::kit::{Parked, Text, eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { orphan:
    c05_success_runs_no_hook,
    c05_failure_runs_the_hook_before_the_release,
    c05_panic_runs_the_hook_before_the_release needs UNWIND,
    c05_drop_runs_the_hook_before_the_release,
    c05_panicking_hook_cannot_stop_the_release needs UNWIND,
    c05_panic_of_the_body_wins_over_the_hooks needs UNWIND STD,
    c05_guard_sync_on_every_exit needs UNWIND,
    c06_orphan_promotes_exactly_one,
    c06_promoted_and_dropped_passes_on,
    c06_chain_of_losses_wakes_one_each,
    c06_orphans_among_tasks,
    c07_done_and_abandoned_are_told,
    c07_panic_of_a_polled_body_is_told_apart needs UNWIND,
    c07_panic_of_a_bare_claim_is_told_apart needs UNWIND STD,
    c07_claim_made_while_unwinding_is_no_panic needs UNWIND STD,
    c08_body_is_gone_before_the_release,
    c09_first_in_first_out,
    c09_newcomer_overtakes_no_granted_waiter,
    c11_unpolled_leader_stalls_and_its_drop_frees,
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

async fn c06_orphan_promotes_exactly_one<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let queue = rt.put(claimers::<5>());
    let claim = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    drop(claim);
    let wakes = queue.each_ref().map(Claimer::wakes);
    assert_eq!(wakes, [1, 0, 0, 0, 0], "one is promoted, nobody else woken");
    let heir = queue[0].claimed();
    assert_eq!(heir.inherited(), Some(ABANDONED));
    queue[1..].iter().for_each(|one| one.waits_on());
    heir.release();
    let wakes = queue.each_ref().map(Claimer::wakes);
    assert_eq!(wakes, [1, 1, 0, 0, 0]);
    queue.iter().for_each(Claimer::leave);
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}

async fn c06_promoted_and_dropped_passes_on<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let queue = rt.put(claimers::<3>());
    let claim = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    drop(claim);
    queue[0].leave();
    assert_eq!(queue.each_ref().map(Claimer::wakes), [1, 1, 0]);
    assert!(slot.is_claimed());
    // The heir inherits from him who really held it.
    assert_eq!(queue[1].claimed().inherited(), Some(ABANDONED));
    // That was a loss too; now the last is granted and goes: nobody is left.
    assert_eq!(queue.each_ref().map(Claimer::wakes), [1, 1, 1]);
    queue[2].leave();
    assert!(!slot.is_claimed() && !slot.has_waiters());
    assert!(queue.iter().all(|one| one.waker.live() == 0));
    Verdict::Pass
}

async fn c06_chain_of_losses_wakes_one_each<R: Runtime>(rt: R) -> Verdict {
    const LOSSES: usize = 24;
    let slot = new_slot(rt);
    let queue = rt.put(claimers::<LOSSES>());
    let claim = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    drop(claim);
    for (lost, one) in queue.iter().enumerate() {
        let total: usize = queue.iter().map(Claimer::wakes).sum();
        assert_eq!(total, lost + 1, "one wake a loss");
        if lost % 2 == 0 {
            drop(one.claimed());
        } else {
            one.leave();
        }
    }
    assert!(!slot.is_claimed());
    assert!(queue.iter().all(|one| one.wakes() == 1));
    Verdict::Pass
}

async fn c06_orphans_among_tasks<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 6;
    let slot = new_slot(rt);
    let (inside, runs) = (counter(rt), counter(rt));
    let first = slot.try_claim().expect("free");
    let tasks = [(); TASKS].map(|()| {
        rt.spawn(async move {
            let claim = slot.claim().await.expect("nobody closes it");
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            yield_now().await;
            runs.fetch_add(1, Ordering::SeqCst);
            inside.fetch_sub(1, Ordering::SeqCst);
            drop(claim);
        })
    });
    eventually(rt, "somebody queues up", || slot.has_waiters()).await;
    drop(first);
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(runs.load(Ordering::SeqCst), TASKS);
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c07_done_and_abandoned_are_told<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watching = rt.put(watchers::<3>());
    let heir = rt.put(Claimer::new());
    let claim = slot.try_claim().expect("free");
    watching.iter().for_each(|one| one.enlist(slot));
    heir.enlist(slot);
    claim.release();
    for one in watching {
        assert_eq!((one.told(), one.waker.wakes()), (Outcome::Done, 1));
    }
    let claim = heir.claimed();
    assert_eq!(claim.inherited(), Some(Outcome::Done));
    watching[0].enlist(slot);
    drop(claim);
    assert_eq!(watching[0].told(), ABANDONED);
    assert!(Outcome::Done.is_done() && ABANDONED.is_abandoned() && !ABANDONED.by_panic());
    Verdict::Pass
}

async fn c07_panic_of_a_polled_body_is_told_apart<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watcher = rt.put(Watcher::new());
    let task = rt.spawn(async move {
        let claim = slot.try_claim().expect("free");
        watcher.enlist(slot);
        let body = async {
            yield_now().await;
            panic!("on purpose")
        };
        let _: Result<(), ()> = claim.guard(body, |_| ()).await;
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(watcher.told(), PANICKED);
    Verdict::Pass
}

async fn c07_panic_of_a_bare_claim_is_told_apart<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watcher = rt.put(Watcher::new());
    let task = rt.spawn(async move {
        let _claim = slot.try_claim().expect("free");
        watcher.enlist(slot);
        panic!("on purpose");
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(watcher.told(), PANICKED);
    Verdict::Pass
}

async fn c07_claim_made_while_unwinding_is_no_panic<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let watcher = rt.put(Watcher::new());
    let task = rt.spawn(async move {
        let _clean_up = OnDrop(|| {
            let claim = slot.try_claim().expect("free");
            watcher.enlist(slot);
            drop(claim);
        });
        panic!("on purpose");
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(watcher.told(), ABANDONED);
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

async fn c09_first_in_first_out<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let queue = rt.put(claimers::<8>());
    let mut held = slot.try_claim().expect("free");
    queue.iter().for_each(|one| one.enlist(slot));
    // Those who leave do not disturb the order of the others.
    for gone in [0, 3, 7] {
        queue[gone].leave();
    }
    for next in [1, 2, 4, 5, 6] {
        held.release();
        for (i, one) in queue.iter().enumerate() {
            assert_eq!(one.wakes() == 1, ![0, 3, 7].contains(&i) && i <= next);
        }
        held = queue[next].claimed();
    }
    held.release();
    assert!(!slot.is_claimed());
    Verdict::Pass
}

async fn c09_newcomer_overtakes_no_granted_waiter<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let [granted, newcomer] = rt.put(claimers::<2>());
    let claim = slot.try_claim().expect("free");
    granted.enlist(slot);
    claim.release();
    // Granted, not yet polled: the claim is his.
    assert_eq!(slot.try_claim().unwrap_err(), Refused::Busy);
    newcomer.enlist(slot);
    let claim = granted.claimed();
    newcomer.waits_on();
    claim.release();
    newcomer.claimed().release();
    assert_eq!((granted.wakes(), newcomer.wakes()), (1, 1));
    Verdict::Pass
}

async fn c11_unpolled_leader_stalls_and_its_drop_frees<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let leader = rt.put(Parked::new());
    leader.park(async move {
        let claim = slot.claim().await.expect("free");
        let _ = claim.guard(pending::<Result<(), ()>>(), |_| ()).await;
    });
    assert_eq!(leader.poll(Waker::noop()), Poll::Pending);
    let followers = rt.put(counter(rt));
    let tasks = [(); 3].map(|()| {
        rt.spawn(async move {
            let claim = slot.claim().await.expect("nobody closes it");
            followers.fetch_add(1, Ordering::SeqCst);
            claim.release();
        })
    });
    eventually(rt, "a follower queues up", || slot.has_waiters()).await;
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(
        followers.load(Ordering::SeqCst),
        0,
        "they wait, as documented"
    );
    leader.leave();
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(followers.load(Ordering::SeqCst), 3);
    Verdict::Pass
}
