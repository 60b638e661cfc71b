//! w03: everybody is told at once, and who comes meanwhile belongs to the next time.

use super::super::subject::Outcome;
use super::parts::slot as new_slot;
use super::parts::{Watcher, watchers};
use super::travellers::{Traveller, new_line, token, travellers, wait};
use crate::kit::{Callback, Guarded, Parked, TestWaker};
use crate::{Runtime, Verdict};

cases! { broadcast:
    w03_newcomer_during_a_release_is_told_of_the_next,
    w03_newcomer_during_a_lines_release_is_told_of_the_next,
    w03_leaving_during_a_release_loses_nobody,
}

/// More than are woken in one batch.
const MANY: usize = 40;

async fn w03_newcomer_during_a_release_is_told_of_the_next<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let (early, late) = (rt.put(watchers::<MANY>()), rt.put(Watcher::new()));
    let next = rt.put(Guarded::new(None));
    // The first who is told claims again and lets a newcomer queue up, while the others are still being told.
    let act = rt.put(move || {
        let claim = slot.try_claim().expect("free before anybody is told");
        late.enlist(slot);
        next.with(|next| *next = Some(claim));
    });
    let hostile = rt.put(TestWaker::hostile(Callback::Wake, act));
    let first = rt.put(Parked::new());
    let claim = slot.try_claim().expect("free");
    first.park(slot.released());
    first.pending(&hostile.waker());
    early.iter().for_each(|one| one.enlist(slot));
    hostile.arm();
    claim.release();
    assert_eq!((hostile.acted(), first.ready()), (1, Outcome::Done));
    for one in early {
        assert_eq!((one.waker.wakes(), one.told()), (1, Outcome::Done));
    }
    assert_eq!(late.waker.wakes(), 0, "that was not his release");
    late.wait.pending(&late.waker.waker());
    drop(next.with(Option::take));
    assert_eq!((late.waker.wakes(), late.told().is_abandoned()), (1, true));
    Verdict::Pass
}

async fn w03_newcomer_during_a_lines_release_is_told_of_the_next<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let (early, [first, late]): (&[Traveller; MANY], _) = (travellers(rt), travellers(rt));
    let next = rt.put(Guarded::new(None));
    let act = rt.put(move || {
        let held = token(line);
        late.enlist(wait(line));
        next.with(|next| *next = Some(held));
    });
    let hostile = rt.put(TestWaker::hostile(Callback::Wake, act));
    let held = token(line);
    first.wait.park(wait(line));
    first.wait.pending(&hostile.waker());
    early.iter().for_each(|one| one.enlist(wait(line)));
    hostile.arm();
    held.release();
    assert_eq!((hostile.acted(), first.told()), (1, Outcome::Done));
    for one in early {
        assert_eq!((one.waker.wakes(), one.told()), (1, Outcome::Done));
    }
    assert_eq!(late.waker.wakes(), 0, "that was not his hold");
    late.wait.pending(&late.waker.waker());
    drop(next.with(Option::take));
    assert_eq!((late.waker.wakes(), late.told().is_abandoned()), (1, true));
    Verdict::Pass
}

async fn w03_leaving_during_a_release_loses_nobody<R: Runtime>(rt: R) -> Verdict {
    let slot = new_slot(rt);
    let crowd = rt.put(watchers::<MANY>());
    // Those told first take some others away, of their own batch and of later ones.
    let act = rt.put(move || {
        for gone in [1, 2, 17, 20, 39] {
            crowd[gone].wait.leave();
        }
    });
    let hostile = rt.put(TestWaker::hostile(Callback::Wake, act));
    let first = rt.put(Parked::new());
    let claim = slot.try_claim().expect("free");
    first.park(slot.released());
    first.pending(&hostile.waker());
    crowd.iter().for_each(|one| one.enlist(slot));
    hostile.arm();
    claim.release();
    assert_eq!(hostile.acted(), 1);
    for one in crowd {
        if one.wait.is_parked() {
            assert_eq!((one.waker.wakes(), one.told()), (1, Outcome::Done));
        }
        assert_eq!(one.waker.live(), 0);
    }
    assert!(!slot.is_claimed() && !slot.has_waiters());
    Verdict::Pass
}
