//! Foreign code that strikes an admission: wakers that come back into it in each of their
//! callbacks, wakers and hooks that panic. Afterwards every permit is back.

use std::pin::pin;

use ecluse_core::{
    Admission, DefaultLock,
    admission::{Acquiring, Bypass, Fifo, Policy},
    observe::{Event, Numbered, Observer},
};
use futures_core::FusedFuture;

use crate::kit::{Callback, Striker, poll, poll_with, within};
#[cfg(feature = "std")]
use crate::kit::{Wakes, panic_of, ready};

/// Every call that leaves it open and as large as it was.
fn use_admission<P: Policy, O: Observer>(admission: &Admission<P, DefaultLock, O>) {
    let _ = format!("{admission:?}");
    let _ = (admission.snapshot(), admission.is_closed());
    drop(admission.try_acquire(1));
    let (mut wait, mut gone) = (
        Box::pin(admission.acquire(1)),
        Box::pin(admission.acquire(2)),
    );
    let _ = poll(gone.as_mut());
    let _ = poll(wait.as_mut());
    let _ = gone.as_mut().try_abandon();
    admission.grow(1);
    admission.shrink(1);
}

/// Waits, leaves, is served, is refused, is told, with the striker's waker in every place.
fn walk<P: Policy>(admission: &Admission<P>, striker: &'static Striker) {
    let waker = striker.waker();
    for step in 0..7 {
        let Ok(held) = admission.try_acquire(3) else {
            break;
        };
        let mut waits = [3, 1, 1, 2].map(|weight| Box::pin(admission.acquire(weight)));
        for wait in &mut waits {
            let _ = poll_with(wait.as_mut(), &waker);
        }
        let [mut heavy, mut light, other, last] = waits;
        match step {
            0 => drop(held),
            1 => {
                let _ = poll_with(light.as_mut(), std::task::Waker::noop());
                // Granted by what a waker did, it may be over.
                if !light.is_terminated() {
                    let _ = poll_with(light.as_mut(), &striker.waker());
                }
                drop(held);
            }
            2 => {
                admission.grow(2);
                drop(heavy);
                drop(held);
                admission.shrink(2);
            }
            3 => {
                drop((last, other));
                let _ = heavy.as_mut().try_abandon();
            }
            4 => {
                admission.shrink(2);
                drop(held);
                admission.grow(2);
            }
            5 => {
                // Granted, and dropped without a poll.
                drop(held);
                drop(heavy);
                drop(light);
            }
            _ => {
                admission.close();
            }
        }
    }
}

fn survives<P: Policy + Send + 'static>(close: bool) {
    for at in Callback::ALL {
        within(move || {
            let admission: &'static Admission<P> = Box::leak(Box::new(Admission::new(3, 9)));
            let striker = Striker::new(at, move || {
                use_admission(admission);
                if close {
                    admission.close();
                }
            });
            walk(admission, striker);
            assert!(at == Callback::WakeByRef || striker.acted() > 0, "{at:?}");
            assert_eq!(striker.live(), 0, "wakers alive, {at:?}");
            let seen = admission.snapshot();
            assert_eq!((seen.occupancy, seen.waiting), (0, 0), "{at:?}");
            assert_eq!((seen.capacity, seen.target), (3, 3), "{at:?}");
        });
    }
}

#[test]
fn w01_an_admission_survives_wakers_that_come_back() {
    survives::<Fifo>(false);
    survives::<Bypass<2>>(false);
}

#[test]
fn w01_an_admission_survives_wakers_that_close_it() {
    survives::<Fifo>(true);
    survives::<Bypass<2>>(true);
}

#[test]
fn w01_a_hook_may_come_back() {
    type Heard = Admission<Fifo, DefaultLock, Again>;
    struct Again(std::sync::OnceLock<&'static Heard>);
    impl Observer for Again {
        type Numbers = Numbered;
        fn event(&self, event: Event) {
            let Some(admission) = self.0.get() else {
                return;
            };
            if event.number % 16 == 3 {
                use_admission(*admission);
            }
        }
    }
    within(|| {
        let admission: &'static Heard = Box::leak(Box::new(Heard::with_observer(
            3,
            9,
            Again(std::sync::OnceLock::new()),
        )));
        assert!(admission.observer().0.set(admission).is_ok());
        for _ in 0..20 {
            let Ok(held) = admission.try_acquire(3) else {
                panic!("all are back")
            };
            let mut waits = [2, 1, 1].map(|weight| Box::pin(admission.acquire(weight)));
            for wait in &mut waits {
                let _ = poll(wait.as_mut());
            }
            drop(held);
            let [a, mut b, c] = waits;
            drop(poll(b.as_mut()));
            drop(a);
            drop(c);
        }
        assert_eq!(admission.snapshot().available, 3);
    });
}

/// A panic of one waker keeps nobody from being served; the first goes on when all is done.
#[cfg(feature = "std")]
#[test]
fn w05_panicking_wakers_lose_no_permit() {
    for way in 0..4 {
        within(move || {
            let admission = <Admission>::new(60, 99);
            let held = admission.try_acquire(60).unwrap();
            let one = Striker::new(Callback::Wake, || panic!("first"));
            let two = Striker::new(Callback::Wake, || panic!("second"));
            let (wakes, waker) = Wakes::new();
            let head = if way == 1 { 60 } else { 1 };
            let mut first = Box::pin(admission.acquire(head));
            assert!(poll(first.as_mut()).is_pending());
            let mut waits: Vec<_> = (0..50).map(|_| Box::pin(admission.acquire(1))).collect();
            for (i, wait) in waits.iter_mut().enumerate() {
                let pending = match i {
                    1 => poll_with(wait.as_mut(), &one.waker()),
                    30 => poll_with(wait.as_mut(), &two.waker()),
                    _ => poll_with(wait.as_mut(), &waker),
                };
                assert!(pending.is_pending());
            }
            let text = panic_of(|| match way {
                0 => drop(held),
                1 => {
                    // The heavy head leaves, with room for all behind it.
                    let mut held = held;
                    let rest = held.split(1).unwrap();
                    drop(held);
                    assert_eq!(wakes.count(), 0);
                    let _rest = rest;
                    drop(first);
                }
                2 => {
                    admission.grow(60);
                    drop(held);
                }
                _ => {
                    admission.close();
                    drop(held);
                }
            });
            assert_eq!(text, "first");
            assert_eq!(wakes.count(), 48);
            for wait in &mut waits {
                assert_eq!(ready(poll(wait.as_mut())).is_ok(), way != 3);
            }
            drop(waits);
            let seen = admission.snapshot();
            assert_eq!((seen.waiting, one.live(), two.live()), (0, 0, 0));
            if way == 1 {
                assert_eq!(seen.occupancy, 0);
            }
        });
    }
}

/// O3: a hook that panics keeps no permit, and no place.
#[cfg(feature = "std")]
#[test]
fn a02_a_panicking_hook_keeps_no_permit() {
    use ecluse_core::{Outcome, observe::EventKind};
    type Heard = Admission<Fifo, DefaultLock, Bomb>;
    struct Bomb(std::sync::Mutex<Option<EventKind>>);
    impl Observer for Bomb {
        type Numbers = Numbered;
        fn event(&self, event: Event) {
            if *self
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                == Some(event.kind)
            {
                panic!("hook");
            }
        }
    }
    let kinds = [
        EventKind::Claimed,
        EventKind::Enlisted,
        EventKind::Granted,
        EventKind::Observed,
        EventKind::PassedOn,
        EventKind::Released(Outcome::Done),
        EventKind::Cancelled,
        EventKind::Refused,
    ];
    for kind in kinds {
        within(move || {
            let admission = Heard::with_observer(2, 2, Bomb(std::sync::Mutex::new(Some(kind))));
            let (wakes, waker) = Wakes::new();
            let mut panics = 0;
            let mut step = |act: &mut dyn FnMut()| {
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
                panics += usize::from(caught.is_err());
            };
            let mut held = None;
            step(&mut || held = admission.try_acquire(2).ok());
            step(&mut || assert!(admission.try_acquire(2).is_err()));
            step(&mut || assert!(admission.try_acquire(3).is_err()));
            let mut waits = [1, 1].map(|weight| Box::pin(admission.acquire(weight)));
            for wait in &mut waits {
                step(&mut || drop(poll_with(wait.as_mut(), &waker)));
            }
            step(&mut || drop(held.take()));
            let [mut a, b] = waits;
            let mut gone = Box::pin(admission.acquire(2));
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                drop(poll(gone.as_mut()));
            }));
            step(&mut || drop(poll(a.as_mut())));
            let mut gone = Some(gone);
            step(&mut || drop(gone.take()));
            let mut b = Some(b);
            step(&mut || drop(b.take()));
            assert!(panics > 0, "{kind:?} never came");
            *admission
                .observer()
                .0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
            drop(a);
            let seen = admission.snapshot();
            assert_eq!(
                (seen.occupancy, seen.waiting),
                (0, 0),
                "{kind:?}: {} wakes",
                wakes.count()
            );
        });
    }
}

/// D1: one who was told of a close leaves before it comes to him.
#[test]
fn w01_a_member_leaves_while_a_close_is_told() {
    type Parked = std::pin::Pin<Box<Acquiring<&'static Admission>>>;
    within(|| {
        let admission: &'static Admission = Box::leak(Box::new(Admission::new(1, 99)));
        let held = admission.try_acquire(1).unwrap();
        let leaver: std::sync::Arc<std::sync::Mutex<Option<Parked>>> = Default::default();
        let striker = Striker::new(Callback::Wake, {
            let leaver = leaver.clone();
            move || drop(leaver.lock().unwrap().take())
        });
        let mut waits: Vec<Parked> = (0..40).map(|_| Box::pin(admission.acquire(1))).collect();
        for (i, wait) in waits.iter_mut().enumerate() {
            let pending = if i == 0 {
                poll_with(wait.as_mut(), &striker.waker()).is_pending()
            } else {
                poll(wait.as_mut()).is_pending()
            };
            assert!(pending);
        }
        *leaver.lock().unwrap() = waits.pop();
        assert!(admission.close());
        assert_eq!(striker.acted(), 1);
        assert!(waits.iter_mut().all(|wait| poll(wait.as_mut()).is_ready()));
        drop(held);
        let seen = admission.snapshot();
        assert_eq!((seen.available, seen.waiting), (1, 0));
    });
}

/// What is polled once and gone leaves nothing.
#[test]
fn a_wait_that_is_never_polled_is_nothing() {
    let admission = <Admission>::new(1, 1);
    drop(admission.acquire(1));
    let mut wait = pin!(admission.acquire(1));
    assert!(wait.as_mut().try_abandon().is_none());
    assert_eq!(admission.available(), 1);
}
