//! Foreign code that strikes: wakers that come back into the object in each of their callbacks,
//! wakers and hooks that panic.
//!
//! A waker that is called, cloned or dropped under the lock hangs here (with `std`), and a hang is
//! a failure.

use std::{pin::pin, sync::Mutex, task::Waker};

use ecluse_core::{
    Barging, DefaultLock, Handoff, Line, LineStatus, Outcome, Revocable, Slot,
    claim::{Policy, Revoking},
    observe::{Event, EventKind, Numbered, Observer},
    runtime::Tally,
};

#[cfg(feature = "std")]
use crate::kit::{Wakes, panic_of};
use crate::{
    kit::{Callback, Striker, poll, poll_with, ready, within},
    walks_line::{token, wait},
};

/// What a policy adds to the calls.
trait Strike: Policy + Sized {
    fn more(_: &Slot<Self>) {}
}

impl Strike for Handoff {}

impl Strike for Revocable {
    fn more(slot: &Slot<Self>) {
        revoke(slot);
    }
}

impl Strike for Barging {
    fn more(slot: &Slot<Self>) {
        revoke(slot);
    }
}

fn revoke<P: Revoking>(slot: &Slot<P>) {
    let id = slot.unobserved();
    if let Some(id) = id {
        slot.revoke(id);
    }
    slot.revoke_unobserved();
}

/// Every call of a slot that leaves it open.
fn use_slot<P: Strike>(slot: &Slot<P>) {
    let _ = format!("{slot:?}");
    let _ = (slot.is_claimed(), slot.is_closed(), slot.has_waiters());
    drop(slot.try_claim());
    let (mut wait, mut gone, mut observer) = (
        Box::pin(slot.claim()),
        Box::pin(slot.claim()),
        Box::pin(slot.released()),
    );
    let _ = poll(gone.as_mut());
    let _ = poll(wait.as_mut());
    let _ = poll(observer.as_mut());
    let _ = gone.as_mut().try_abandon();
    P::more(slot);
}

/// Waits, leaves, hands on, is told, with `waker` in every place.
fn walk_slot<P: Strike>(slot: &Slot<P>, striker: &'static Striker) {
    let waker = striker.waker();
    for step in 0..6 {
        let Ok(claim) = slot.try_claim() else { break };
        let (mut a, mut b, mut o) = (
            Box::pin(slot.claim()),
            Box::pin(slot.claim()),
            Box::pin(slot.released()),
        );
        let _ = poll_with(a.as_mut(), &waker);
        let _ = poll_with(b.as_mut(), &waker);
        let _ = poll_with(o.as_mut(), &waker);
        match step {
            0 => claim.release(),
            1 => {
                let other = striker.waker();
                let _ = poll_with(b.as_mut(), std::task::Waker::noop());
                let _ = poll_with(b.as_mut(), &other);
                drop(claim);
            }
            2 => {
                drop(a);
                drop(o);
                let _ = b.as_mut().try_abandon();
                drop(claim);
                continue;
            }
            3 => {
                claim.release();
                drop(a);
                P::more(slot);
                drop(b);
                continue;
            }
            4 => {
                claim.release();
                P::more(slot);
                let _ = poll_with(a.as_mut(), &waker);
            }
            _ => {
                slot.close();
                drop(claim);
            }
        }
    }
}

fn slot_survives<P: Strike + Send + 'static>(close: bool) {
    for at in Callback::ALL {
        within(move || {
            let slot: &'static Slot<P> = Box::leak(Box::new(Slot::new()));
            let striker = Striker::new(at, move || {
                use_slot(slot);
                if close {
                    slot.close();
                }
            });
            walk_slot(slot, striker);
            assert!(at == Callback::WakeByRef || striker.acted() > 0, "{at:?}");
            assert_eq!(striker.live(), 0, "wakers alive, {at:?}");
            assert!(!slot.is_claimed() && !slot.has_waiters());
        });
    }
}

#[test]
fn a_handoff_slot_survives_wakers_that_come_back() {
    slot_survives::<Handoff>(false);
}

#[test]
fn a_revocable_slot_survives_wakers_that_come_back() {
    slot_survives::<Revocable>(false);
}

#[test]
fn a_barging_slot_survives_wakers_that_come_back() {
    slot_survives::<Barging>(false);
}

#[test]
fn a_slot_survives_wakers_that_close_it() {
    slot_survives::<Handoff>(true);
    slot_survives::<Revocable>(true);
    slot_survives::<Barging>(true);
}

fn use_line(line: &Line) {
    let _ = format!("{line:?}");
    let _ = (line.is_busy(), line.is_closed(), line.has_waiters());
    if let LineStatus::Busy(wait) = line.status() {
        let (mut wait, mut gone) = (Box::pin(wait.clone()), Box::pin(wait));
        let _ = poll(wait.as_mut());
        let _ = poll(gone.as_mut());
        let _ = gone.as_mut().try_abandon();
    }
    drop(line.try_acquire_token());
    drop(line.acquire_if(line.generation()));
}

#[test]
fn a_line_survives_wakers_that_come_back() {
    for (at, close) in Callback::ALL
        .into_iter()
        .flat_map(|at| [(at, false), (at, true)])
    {
        within(move || {
            let line: &'static Line = Box::leak(Box::new(Line::new()));
            let striker = Striker::new(at, move || {
                use_line(line);
                if close {
                    line.close();
                }
            });
            let waker = striker.waker();
            for step in 0..4 {
                let Some(held) = line.try_acquire_token().success() else {
                    break;
                };
                let mut waits = [(); 3].map(|()| Box::pin(wait(line)));
                for wait in &mut waits {
                    let _ = poll_with(wait.as_mut(), &waker);
                }
                let [mut first, mut second, third] = waits;
                match step {
                    0 => held.release(),
                    1 => {
                        let _ = poll_with(first.as_mut(), std::task::Waker::noop());
                        let _ = poll_with(first.as_mut(), &striker.waker());
                    }
                    2 => {
                        drop(third);
                        let _ = second.as_mut().try_abandon();
                    }
                    _ => {
                        line.close();
                    }
                }
            }
            drop(waker);
            assert!(at == Callback::WakeByRef || striker.acted() > 0, "{at:?}");
            assert_eq!(striker.live(), 0, "wakers alive, {at:?}");
            assert!(!line.is_busy() && !line.has_waiters());
        });
    }
}

#[test]
fn a_tally_survives_wakers_that_come_back() {
    for at in Callback::ALL {
        within(move || {
            let tally: &'static Tally = Box::leak(Box::new(Tally::new()));
            let striker = Striker::new(at, move || {
                let _ = (tally.live(), tally.lost(), tally.is_cancelled());
                drop(tally.ticket(std::future::pending::<()>()));
                let mut joined = Box::pin(tally.joined());
                let _ = poll(joined.as_mut());
            });
            let waker = striker.waker();
            let (mut one, mut two) = (
                Box::pin(tally.ticket(std::future::pending::<()>())),
                Box::pin(tally.ticket(std::future::pending::<()>())),
            );
            let (mut joined, mut left) = (Box::pin(tally.joined()), Box::pin(tally.joined()));
            assert!(poll_with(one.as_mut(), &waker).is_pending());
            assert!(poll_with(two.as_mut(), &waker).is_pending());
            assert!(poll_with(joined.as_mut(), &waker).is_pending());
            assert!(poll_with(left.as_mut(), &waker).is_pending());
            drop(left);
            drop(two);
            tally.cancel();
            assert!(poll_with(one.as_mut(), &waker).is_ready());
            assert!(poll(joined.as_mut()).is_ready());
            drop(waker);
            assert!(at == Callback::WakeByRef || striker.acted() > 0, "{at:?}");
            assert_eq!((striker.live(), tally.live()), (0, 0));
        });
    }
}

/// O3: a hook may do anything with its object.
#[test]
fn a_hook_may_come_back() {
    struct Again(std::sync::OnceLock<&'static Slot<Revocable, DefaultLock, Again>>);
    impl Observer for Again {
        type Numbers = Numbered;
        fn event(&self, event: Event) {
            let Some(slot) = self.0.get() else { return };
            if event.number % 16 == 3 {
                drop(slot.try_claim());
                let mut wait = pin!(slot.claim());
                let _ = poll(wait.as_mut());
                slot.revoke_unobserved();
                if event.kind == EventKind::Closed {
                    slot.close();
                }
            }
        }
    }
    within(|| {
        let slot: &'static Slot<_, _, _> = Box::leak(Box::new(
            Slot::<Revocable, DefaultLock, Again>::with_observer(Again(std::sync::OnceLock::new())),
        ));
        assert!(slot.observer().0.set(slot).is_ok());
        for _ in 0..20 {
            let claim = slot.try_claim().unwrap();
            let (mut a, mut b) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
            let _ = poll(a.as_mut());
            let _ = poll(b.as_mut());
            claim.release();
            slot.revoke_unobserved();
            drop(b);
            let _ = poll(a.as_mut());
        }
        assert!(!slot.is_claimed() && !slot.has_waiters());
    });
}

/// A panic of one waker keeps no other from being woken; the first goes on when all is done.
#[cfg(feature = "std")]
#[test]
fn panicking_wakers_lose_no_wake_up() {
    within(|| {
        let line = <Line>::new();
        let held = token(&line);
        let one = Striker::new(Callback::Wake, || panic!("first"));
        let two = Striker::new(Callback::Wake, || panic!("second"));
        let (wakes, waker) = Wakes::new();
        let mut waits: Vec<_> = (0..60).map(|_| Box::pin(wait(&line))).collect();
        for (i, wait) in waits.iter_mut().enumerate() {
            let pending = match i {
                1 => poll_with(wait.as_mut(), &one.waker()),
                20 => poll_with(wait.as_mut(), &two.waker()),
                _ => poll_with(wait.as_mut(), &waker),
            };
            assert!(pending.is_pending());
        }
        assert_eq!(panic_of(|| held.release()), "first");
        assert_eq!((wakes.count(), one.acted(), two.acted()), (58, 1, 1));
        assert!(!line.is_busy() && !line.has_waiters());
        for mut wait in waits {
            assert!(poll(wait.as_mut()).is_ready());
        }
    });
}

/// A hold ends, or the slot is closed, between a waiter's look and its lock: nobody waits for what is
/// over, and nobody but a claimer has the claim.
#[test]
fn w01_what_ends_while_a_waker_is_cloned_is_not_missed() {
    fn while_cloned(act: impl FnOnce() + Send + 'static) -> Waker {
        let act = Mutex::new(Some(act));
        let strike = move || {
            if let Some(act) = act.lock().unwrap().take() {
                act();
            }
        };
        Striker::new(Callback::Clone, strike).waker()
    }
    within(|| {
        let (slot, line): (&'static Slot, &'static Line) = (
            Box::leak(Box::new(Slot::new())),
            Box::leak(Box::new(Line::new())),
        );
        let held = slot.try_claim().unwrap();
        let waker = while_cloned(|| held.release());
        let outcome = ready(poll_with(pin!(slot.released()), &waker));
        assert_eq!((outcome, slot.is_claimed()), (Outcome::Passed, false));
        let held = slot.try_claim().unwrap();
        let waker = while_cloned(|| held.release());
        let next = ready(poll_with(pin!(slot.claim()), &waker)).unwrap();
        assert!(slot.is_claimed());
        let mut queued = Box::pin(slot.claim());
        assert!(poll(queued.as_mut()).is_pending());
        let waker = while_cloned(|| next.release());
        let next = ready(poll_with(queued.as_mut(), &waker)).unwrap();
        let waker = while_cloned(|| assert!(slot.close()));
        assert!(ready(poll_with(pin!(slot.claim()), &waker)).is_err());
        next.release();
        assert!(!slot.is_claimed());
        let held = token(line);
        let late = wait(line);
        let waker = while_cloned(|| held.release());
        assert_eq!(ready(poll_with(pin!(late), &waker)), Outcome::Done);
        let held = token(line);
        let late = wait(line);
        let waker = while_cloned(|| assert!(line.close()));
        assert_eq!(ready(poll_with(pin!(late), &waker)), Outcome::Closed);
        held.release();
        assert!(!line.is_busy());
    });
}

#[cfg(feature = "std")]
#[test]
fn a_panicking_waker_loses_no_claim() {
    within(|| {
        for at in [Callback::Wake, Callback::Drop, Callback::Clone] {
            let slot: &'static Slot<Revocable> = Box::leak(Box::new(Slot::new()));
            let claim = slot.try_claim().unwrap();
            let striker = Striker::new(at, || panic!("waker"));
            let waker = striker.waker();
            let (mut a, mut b, mut o) = (
                Box::pin(slot.claim()),
                Box::pin(slot.claim()),
                Box::pin(slot.released()),
            );
            let (wakes, calm) = Wakes::new();
            if at == Callback::Clone {
                assert_eq!(panic_of(|| poll_with(a.as_mut(), &waker)), "waker");
                assert!(!slot.has_waiters());
                assert!(poll(a.as_mut()).is_pending());
                assert_eq!(panic_of(|| poll_with(a.as_mut(), &waker)), "waker");
            } else {
                assert!(poll_with(a.as_mut(), &waker).is_pending());
            }
            assert!(poll_with(b.as_mut(), &calm).is_pending());
            assert!(poll_with(o.as_mut(), &calm).is_pending());
            match at {
                Callback::Wake => {
                    assert_eq!(panic_of(|| claim.release()), "waker");
                    assert_eq!(wakes.count(), 1, "the observer is told");
                    drop(a);
                }
                Callback::Drop => {
                    // Leaving: the waker's drop is the last thing that is done.
                    assert_eq!(panic_of(|| drop(a)), "waker");
                    claim.release();
                }
                _ => {
                    drop(a);
                    claim.release();
                }
            }
            drop(ready_claim(&mut b));
            assert!(!slot.is_claimed() && !slot.has_waiters());
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(waker)));
        }
    });
}

#[cfg(feature = "std")]
fn ready_claim<P: Policy>(
    wait: &mut std::pin::Pin<Box<ecluse_core::claim::Claiming<&'static Slot<P>>>>,
) -> ecluse_core::Claim<&'static Slot<P>> {
    crate::kit::ready(poll(wait.as_mut())).unwrap()
}

/// O3: a hook that panics loses no claim and no wake-up.
#[cfg(feature = "std")]
#[test]
fn a_panicking_hook_loses_nothing() {
    use std::sync::atomic::{AtomicBool, Ordering};

    struct Bad(AtomicBool, EventKind);
    impl Observer for Bad {
        type Numbers = Numbered;
        fn event(&self, event: Event) {
            assert!(
                event.kind != self.1 || !self.0.swap(false, Ordering::SeqCst),
                "hook"
            );
        }
    }
    within(|| {
        let released = EventKind::Released(ecluse_core::Outcome::Done);
        for kind in [
            EventKind::Claimed,
            EventKind::Enlisted,
            EventKind::Observed,
            EventKind::Cancelled,
            EventKind::Granted,
            EventKind::PassedOn,
            EventKind::Closed,
            EventKind::Revoked,
            released,
        ] {
            let bad = Bad(AtomicBool::new(false), kind);
            let slot = Slot::<Revocable, DefaultLock, Bad>::with_observer(bad);
            let armed = || slot.observer().0.store(true, Ordering::SeqCst);
            let (wakes, waker) = Wakes::new();
            if kind == EventKind::Claimed {
                armed();
                panic_of(|| slot.try_claim().map(drop));
                armed();
                panic_of(|| poll(pin!(slot.claim())).map(drop));
                assert!(!slot.is_claimed(), "the claim went with the panic");
                continue;
            }
            let claim = slot.try_claim().unwrap();
            let (mut a, mut b) = (Box::pin(slot.claim()), Box::pin(slot.claim()));
            if kind == EventKind::Enlisted {
                armed();
                panic_of(|| poll(a.as_mut()).map(drop));
            }
            assert!(poll_with(a.as_mut(), &waker).is_pending());
            assert!(poll_with(b.as_mut(), &waker).is_pending());
            if kind == EventKind::Enlisted {
                claim.release();
                drop(b);
            } else if kind == EventKind::Cancelled {
                armed();
                panic_of(|| drop(b));
                claim.release();
            } else if kind == EventKind::Closed {
                armed();
                panic_of(|| slot.close());
                assert_eq!(wakes.count(), 2);
                drop(claim);
                drop(b);
            } else if kind == released || kind == EventKind::Granted {
                armed();
                panic_of(|| claim.release());
                assert_eq!(wakes.count(), 1);
                drop(b);
            } else if kind == EventKind::Revoked {
                claim.release();
                armed();
                panic_of(|| slot.revoke_unobserved());
                assert_eq!(wakes.count(), 2);
                drop(b);
            } else if kind == EventKind::PassedOn {
                claim.release();
                armed();
                panic_of(|| drop(a));
                assert_eq!(wakes.count(), 2);
                drop(b);
                assert!(!slot.is_claimed());
                continue;
            } else {
                claim.release();
                armed();
                panic_of(|| poll(a.as_mut()).map(drop));
                assert_eq!(wakes.count(), 2, "the second got what the first let go");
                drop(b);
                assert!(!slot.is_claimed());
                continue;
            }
            drop(a);
            assert!(!slot.is_claimed() && !slot.has_waiters(), "{kind:?}");
        }
    });
}

/// A second panic is dropped, and what it was thrown with panics by that: the first goes on.
#[cfg(feature = "std")]
#[test]
fn w05_a_payload_that_panics_as_it_is_dropped_ends_nothing() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a payload");
        }
    }
    within(|| {
        let slot = <Slot>::new();
        let claim = slot.try_claim().unwrap();
        let strikers = [
            Striker::new(Callback::Wake, || panic!("the first")),
            Striker::new(Callback::Wake, || std::panic::panic_any(Bomb)),
        ];
        let mut waits = strikers.map(|_| Box::pin(slot.released()));
        for (wait, striker) in waits.iter_mut().zip(strikers) {
            assert!(poll_with(wait.as_mut(), &striker.waker()).is_pending());
        }
        assert_eq!(panic_of(|| claim.release()), "the first");
        for wait in &mut waits {
            assert_eq!(ready(poll(wait.as_mut())), Outcome::Done);
        }
    });
}
