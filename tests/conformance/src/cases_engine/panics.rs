//! w05: panics of user code, what is finished in spite of them, and which one goes on.

use super::super::subject::{Outcome, Slot};

use super::super::cases::parts::{OnDrop, PANICKED, StaticSlot, Watcher, claimers, watchers};
use crate::kit::{Callback, Parked, TestWaker};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine panics:
    w05_first_panic_goes_on_when_everybody_was_served needs UNWIND STD,
    w05_panics_while_unwinding_are_swallowed needs UNWIND STD,
    w05_panicking_waker_of_the_heir_keeps_the_claim_with_him needs UNWIND,
}

/// More than are woken in one batch.
const MANY: usize = 40;

/// Watchers, two of them with wakers that panic: the second and one of a later batch.
fn crowd<R: Runtime>(rt: R, slot: StaticSlot) -> &'static [Watcher; MANY] {
    let crowd = rt.put(watchers::<MANY>());
    let panicking = [(1, "first"), (30, "second")];
    for (i, one) in crowd.iter().enumerate() {
        if let Some((_, words)) = panicking.into_iter().find(|(at, _)| *at == i) {
            let act = rt.put(move || std_panic(words));
            let hostile = rt.put(TestWaker::hostile(Callback::Wake, act));
            one.wait.park(slot.released());
            one.wait.pending(&hostile.waker());
            hostile.arm();
        } else {
            one.enlist(slot);
        }
    }
    crowd
}

/// A panic whose payload can be told from another.
fn std_panic(words: &'static str) {
    panic!("{}", words)
}

fn served(crowd: &'static [Watcher; MANY], outcome: Outcome) {
    for (i, one) in crowd.iter().enumerate() {
        assert_eq!(one.told(), outcome);
        assert_eq!(one.waker.wakes(), usize::from(i != 1 && i != 30));
    }
}

on_hosts! {
async fn w05_first_panic_goes_on_when_everybody_was_served<R: Runtime>(rt: R) -> Verdict {
    let slot: StaticSlot = rt.put(Slot::new());
    let claim = slot.try_claim().expect("free");
    let crowd = crowd(rt, slot);
    let release = core::panic::AssertUnwindSafe(|| claim.release());
    let payload = std::panic::catch_unwind(release).expect_err("a waker panicked");
    let words = payload.downcast_ref::<std::string::String>();
    assert_eq!(words.map(|words| words.as_str()), Some("first"));
    assert!(!slot.is_claimed());
    served(crowd, Outcome::Done);
    Verdict::Pass
}
}

async fn w05_panics_while_unwinding_are_swallowed<R: Runtime>(rt: R) -> Verdict {
    let slot: StaticSlot = rt.put(Slot::new());
    let claim = slot.try_claim().expect("free");
    let crowd = crowd(rt, slot);
    // Dropped by a panic, it meets wakers that panic: a second panic would abort the process.
    let task = rt.spawn(async move {
        let _claim = claim;
        let _before = OnDrop(|| assert!(slot.is_claimed()));
        panic!("on purpose");
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert!(!slot.is_claimed());
    served(crowd, PANICKED);
    Verdict::Pass
}

async fn w05_panicking_waker_of_the_heir_keeps_the_claim_with_him<R: Runtime>(rt: R) -> Verdict {
    let slot: StaticSlot = rt.put(Slot::new());
    let [behind] = rt.put(claimers::<1>());
    let act = rt.put(|| std_panic("hostile"));
    let hostile = rt.put(TestWaker::hostile(Callback::Wake, act));
    let heir = rt.put(Parked::new());
    let watcher = rt.put(Watcher::new());
    let claim = slot.try_claim().expect("free");
    heir.park(slot.claim());
    heir.pending(&hostile.waker());
    behind.enlist(slot);
    watcher.enlist(slot);
    hostile.arm();
    let task = rt.spawn(async move { claim.release() });
    assert_eq!(task.join().await, Ended::Panicked);
    // He was not woken well, but the claim is his, and nobody else lost anything.
    assert_eq!((watcher.waker.wakes(), watcher.told()), (1, Outcome::Done));
    assert_eq!(behind.wakes(), 0);
    heir.ready().expect("open").release();
    heir.leave();
    behind.claimed().release();
    assert!(!slot.is_claimed() && hostile.live() == 0);
    Verdict::Pass
}
