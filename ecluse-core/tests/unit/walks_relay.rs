//! `Relay`, step by step.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use ecluse_core::{
    DefaultLock, NoAnswer, Outcome,
    flight::{Answer, Part, Relay},
    inline_size,
    runtime::{Clock, Inline, Timer},
};

use crate::{
    clock::Hand,
    kit::{Wakes, panic_of, poll, poll_with, ready},
    walks_flight::Gate,
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One turn of the scheduler.
fn turn() -> impl Future<Output = ()> {
    let mut first = true;
    poll_fn(move |_| {
        if std::mem::take(&mut first) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
}

/// Ten steps, each written down; `fault` panics at one.
async fn ten_steps(log: Rc<RefCell<Vec<usize>>>, fault: Option<usize>) -> usize {
    let _guard = Dropped(log.clone());
    for step in 0..10 {
        log.borrow_mut().push(step);
        assert_ne!(Some(step), fault, "a fault");
        turn().await;
    }
    log.borrow().len()
}

/// Writes down the end of the future.
struct Dropped(Rc<RefCell<Vec<usize>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.borrow_mut().push(99);
    }
}

#[test]
fn drivers_dropped_after_each_step_do_each_step_once() {
    let relay = Relay::<Boxed<'_, usize>>::new();
    let log = Rc::default();
    let made = Cell::new(0);
    let call = || {
        relay.run(|| {
            made.set(made.get() + 1);
            Box::pin(ten_steps(Rc::clone(&log), None)) as Boxed<'_, usize>
        })
    };
    let seats: Vec<_> = (0..12).map(|_| Wakes::new()).collect();
    let mut calls: Vec<_> = (0..12).map(|_| Box::pin(call())).collect();
    for (call, (_, waker)) in calls.iter_mut().zip(&seats) {
        assert!(poll_with(call.as_mut(), waker).is_pending());
    }
    let mut calls = calls.into_iter();
    for (driver, (_, waker)) in calls.by_ref().zip(&seats).take(9) {
        let mut driver = driver;
        assert!(poll_with(driver.as_mut(), waker).is_pending());
        drop(driver);
    }
    let woken: Vec<_> = seats.iter().map(|(wakes, _)| wakes.count()).collect();
    assert_eq!(woken, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    let mut last = calls.next().unwrap();
    let answer = loop {
        if let Poll::Ready(answer) = poll(last.as_mut()) {
            break answer.unwrap();
        }
    };
    let inherited = Some(Outcome::Abandoned { by_panic: false });
    assert_eq!((answer.value, answer.part), (10, Part::Led { inherited }));
    assert_eq!(answer.joined, 2);
    for mut call in calls {
        assert_eq!(ready(poll(call.as_mut())).unwrap().value, 10);
    }
    assert_eq!(*log.borrow(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 99]);
    assert_eq!(made.get(), 1);
    assert!(!relay.is_running());
}

#[test]
fn the_last_who_leaves_drops_what_is_half_done() {
    let relay = Relay::<Boxed<'_, usize>>::new();
    let log = Rc::default();
    let make = || Box::pin(ten_steps(Rc::clone(&log), None)) as Boxed<'_, usize>;
    let mut one = Box::pin(relay.run(make));
    let mut two = Box::pin(relay.run(make));
    assert!(poll(one.as_mut()).is_pending());
    assert!(poll(two.as_mut()).is_pending());
    drop(one);
    assert_eq!(*log.borrow(), [0]);
    assert!(relay.is_running());
    // Its turn to drive, never taken.
    drop(two);
    assert_eq!(*log.borrow(), [0, 99]);
    assert!(!relay.is_running());
    let mut three = Box::pin(relay.run(make));
    assert!(poll(three.as_mut()).is_pending());
    assert_eq!(*log.borrow(), [0, 99, 0]);
}

#[test]
fn a_caller_that_comes_while_the_last_one_drops_it_starts_afresh_after() {
    type Late = Rc<RefCell<Option<Boxed<'static, Result<Answer<u32>, NoAnswer>>>>>;
    struct Calls(&'static Relay<Boxed<'static, u32>>, Late, Waker);
    impl Drop for Calls {
        fn drop(&mut self) {
            let again = self.0.run(|| Box::pin(async { 7_u32 }));
            let mut again: Boxed<'_, _> = Box::pin(again);
            assert!(poll_with(again.as_mut(), &self.2).is_pending());
            *self.1.borrow_mut() = Some(again);
        }
    }
    let relay: &'static Relay<Boxed<'static, u32>> = Box::leak(Box::default());
    let (late, (wakes, waker)) = (Late::default(), Wakes::new());
    let mut run = Box::pin(relay.run(|| {
        let calls = Calls(relay, late.clone(), waker.clone());
        Box::pin(async move {
            let _calls = calls;
            pending().await
        })
    }));
    assert!(poll(run.as_mut()).is_pending());
    drop(run);
    assert_eq!(wakes.count(), 1);
    let mut late = late.take().unwrap();
    assert_eq!(ready(poll(late.as_mut())).unwrap().value, 7);
    assert!(!relay.is_running());
}

#[test]
fn a_future_that_panicked_is_dropped_and_the_next_starts_afresh() {
    let relay = Relay::<Boxed<'_, usize>>::new();
    let (log, fault) = (Rc::default(), Cell::new(Some(4)));
    let call =
        || relay.run(|| Box::pin(ten_steps(Rc::clone(&log), fault.get())) as Boxed<'_, usize>);
    let (mut one, mut two) = (Box::pin(call()), Box::pin(call()));
    assert!(poll(one.as_mut()).is_pending());
    assert!(poll(two.as_mut()).is_pending());
    for _ in 0..3 {
        assert!(poll(one.as_mut()).is_pending());
    }
    assert!(panic_of(|| poll(one.as_mut())).contains("a fault"));
    let told = ready(poll(two.as_mut())).unwrap_err();
    assert_eq!(told, NoAnswer::Abandoned { by_panic: true });
    assert_eq!(*log.borrow(), [0, 1, 2, 3, 4, 99]);
    drop(one);
    fault.set(None);
    let mut three = Box::pin(call());
    assert!(poll(three.as_mut()).is_pending());
    assert_eq!(*log.borrow(), [0, 1, 2, 3, 4, 99, 0]);
}

const BOUND: Duration = Duration::from_millis(10);

#[test]
fn a_driver_that_is_never_polled_is_replaced_and_gets_the_result_all_the_same() {
    let clock = Hand::default();
    let relay = Relay::<Boxed<'_, usize>>::new();
    let log = Rc::default();
    let make = || Box::pin(ten_steps(Rc::clone(&log), None)) as Boxed<'_, usize>;
    let (stalled_wakes, stalled_waker) = Wakes::new();
    let mut stalled = Box::pin(relay.run(make));
    assert!(poll_with(stalled.as_mut(), &stalled_waker).is_pending());
    let mut other = Box::pin(relay.run(make).stall_bound(clock.clone(), BOUND));
    assert!(poll(other.as_mut()).is_pending());
    clock.advance(9);
    assert!(poll(other.as_mut()).is_pending());
    assert_eq!(*log.borrow(), [0]);
    clock.advance(1);
    let answer = loop {
        if let Poll::Ready(answer) = poll(other.as_mut()) {
            break answer.unwrap();
        }
    };
    assert_eq!(
        (answer.value, answer.part),
        (10, Part::Led { inherited: None })
    );
    assert_eq!(*log.borrow(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 99]);
    assert_eq!(stalled_wakes.count(), 1);
    let answer = ready(poll(stalled.as_mut())).unwrap();
    assert_eq!((answer.value, answer.part), (10, Part::Joined));
}

#[test]
fn a_driver_that_is_polled_is_not_replaced() {
    let clock = Hand::default();
    let relay = Relay::<Boxed<'_, u32>>::new();
    let gate = Gate::default();
    let make = || Box::pin(gate.passed()) as Boxed<'_, u32>;
    let mut driver = Box::pin(relay.run(make));
    assert!(poll(driver.as_mut()).is_pending());
    let mut other = Box::pin(relay.run(make).stall_bound(clock.clone(), BOUND));
    for _ in 0..5 {
        assert!(poll(other.as_mut()).is_pending());
        assert!(poll(driver.as_mut()).is_pending());
        clock.advance(10);
    }
    assert!(poll(other.as_mut()).is_pending());
    gate.open(3);
    assert!(ready(poll(driver.as_mut())).unwrap().led());
    assert_eq!(ready(poll(other.as_mut())).unwrap().part, Part::Joined);
}

#[test]
fn an_impatient_driver_does_not_replace_itself() {
    /// Over at once.
    struct Over;
    impl Clock for Over {
        type Instant = u64;
        fn now(&self) -> u64 {
            0
        }
        fn after(&self, from: u64, _: Duration) -> u64 {
            from
        }
    }
    impl Timer for Over {
        type Sleep = std::future::Ready<()>;
        fn sleep_until(&self, _: u64) -> Self::Sleep {
            std::future::ready(())
        }
    }
    let relay = Relay::<Boxed<'_, usize>>::new();
    let log = Rc::default();
    let make = || Box::pin(ten_steps(Rc::clone(&log), None)) as Boxed<'_, usize>;
    let mut driver = Box::pin(relay.run(make).stall_bound(Over, BOUND));
    assert!(poll(driver.as_mut()).is_pending());
    let (wakes, waker) = Wakes::new();
    let mut other = Box::pin(relay.run(make));
    assert!(poll_with(other.as_mut(), &waker).is_pending());
    assert!(poll(driver.as_mut()).is_pending());
    assert_eq!((wakes.count(), log.borrow().len()), (0, 2));
}

#[test]
fn an_heir_that_is_never_polled_is_replaced_too() {
    let clock = Hand::default();
    let relay = Relay::<Boxed<'_, usize>>::new();
    let log = Rc::default();
    let make = || Box::pin(ten_steps(Rc::clone(&log), None)) as Boxed<'_, usize>;
    for polled_later in [true, false] {
        let mut driver = Box::pin(relay.run(make));
        assert!(poll(driver.as_mut()).is_pending());
        let mut heir = Box::pin(relay.run(make));
        assert!(poll(heir.as_mut()).is_pending());
        let mut other = Box::pin(relay.run(make).stall_bound(clock.clone(), BOUND));
        assert!(poll(other.as_mut()).is_pending());
        drop(driver);
        // The first look may have seen the one before.
        for _ in 0..2 {
            clock.advance(10);
            assert!(poll(other.as_mut()).is_pending());
        }
        assert!(log.borrow().len() > 1, "the other drives");
        if polled_later {
            assert!(poll(heir.as_mut()).is_pending());
        }
        drop(heir);
        drop(other);
        assert_eq!(log.borrow().last(), Some(&99));
        assert!(!relay.is_running());
        log.borrow_mut().clear();
    }
}

#[test]
fn a_replaced_driver_may_leave_or_drive_again() {
    for leaves in [true, false] {
        let clock = Hand::default();
        let relay = Relay::<Boxed<'_, usize>>::new();
        let log = Rc::default();
        let make = || Box::pin(ten_steps(Rc::clone(&log), None)) as Boxed<'_, usize>;
        let mut stalled = Box::pin(relay.run(make));
        assert!(poll(stalled.as_mut()).is_pending());
        let mut other = Box::pin(relay.run(make).stall_bound(clock.clone(), BOUND));
        assert!(poll(other.as_mut()).is_pending());
        clock.advance(10);
        assert!(poll(other.as_mut()).is_pending());
        assert_eq!(*log.borrow(), [0, 1]);
        if leaves {
            drop(stalled);
            drop(other);
            assert_eq!(*log.borrow(), [0, 1, 99]);
        } else {
            drop(other);
            let answer = loop {
                if let Poll::Ready(answer) = poll(stalled.as_mut()) {
                    break answer.unwrap();
                }
            };
            assert!(answer.led());
            assert_eq!(log.borrow().len(), 11);
        }
        assert!(!relay.is_running());
    }
}

#[test]
fn a_relay_that_asks_for_itself_is_told_so() {
    static RELAY: Relay<Inline<256, Option<NoAnswer>>> = Relay::new();
    async fn asks() -> Option<NoAnswer> {
        RELAY.run(|| Inline::new(async { None })).await.err()
    }
    let mut run = pin!(RELAY.run(|| Inline::new(asks())));
    let answer = ready(poll(run.as_mut())).unwrap();
    assert_eq!(answer.value, Some(NoAnswer::Recursive));
}

#[test]
fn a_relay_refuses_what_is_too_old() {
    let clock = Hand::default();
    let relay = Relay::<Boxed<'_, u32>, DefaultLock, Hand>::with_clock(clock.clone());
    let make = || Box::pin(pending()) as Boxed<'_, u32>;
    let mut driver = Box::pin(relay.run(make));
    assert!(poll(driver.as_mut()).is_pending());
    clock.advance(10);
    let mut joined = Box::pin(relay.run(make).max_age(BOUND));
    assert!(poll(joined.as_mut()).is_pending());
    clock.advance(1);
    let mut late = Box::pin(relay.run(make).max_age(BOUND));
    assert_eq!(ready(poll(late.as_mut())).unwrap_err(), NoAnswer::TooOld);
    // Handed on, it is as old as before.
    drop(driver);
    assert!(poll(joined.as_mut()).is_pending());
    let mut late = Box::pin(relay.run(make).max_age(BOUND));
    assert_eq!(ready(poll(late.as_mut())).unwrap_err(), NoAnswer::TooOld);
}

#[test]
fn the_exact_size_of_an_async_function_is_known() {
    async fn none() {}
    async fn some(a: u64, b: u8) -> u64 {
        turn().await;
        a + u64::from(b)
    }
    assert_eq!(inline_size!(none), size_of_val(&none()));
    assert_eq!(inline_size!(some), size_of_val(&some(1, 2)));
    drop::<Inline<{ inline_size!(some) }, u64>>(Inline::new(some(1, 2)));
}

#[test]
fn no_waker_is_left_behind() {
    let relay = Relay::<Boxed<'_, u32>>::new();
    let gate = Gate::default();
    let make = || Box::pin(gate.passed()) as Boxed<'_, u32>;
    let (wakes, waker) = Wakes::new();
    let mut driver = Box::pin(relay.run(make));
    let mut follower = Box::pin(relay.run(make));
    for _ in 0..3 {
        assert!(poll_with(driver.as_mut(), &waker).is_pending());
        assert!(poll_with(follower.as_mut(), &waker).is_pending());
    }
    gate.open(1);
    assert!(ready(poll_with(driver.as_mut(), &waker)).is_ok());
    assert!(ready(poll_with(follower.as_mut(), &waker)).is_ok());
    let mut driver = Box::pin(relay.run(|| Box::pin(pending()) as Boxed<'_, u32>));
    assert!(poll_with(driver.as_mut(), &waker).is_pending());
    drop(driver);
    drop(waker);
    assert_eq!(std::sync::Arc::strong_count(&wakes), 1);
}

#[test]
fn a_driver_that_lands_alone_leaves_no_waker() {
    let relay = Relay::<Boxed<'_, u32>>::new();
    let gate = Gate::default();
    let make = || Box::pin(gate.passed()) as Boxed<'_, u32>;
    let (wakes, waker) = Wakes::new();
    let mut driver = Box::pin(relay.run(make));
    for _ in 0..2 {
        assert!(poll_with(driver.as_mut(), &waker).is_pending());
    }
    gate.open(1);
    assert!(ready(poll_with(driver.as_mut(), &waker)).is_ok());
    drop((driver, waker));
    assert_eq!(wakes.live(), 0);
}

#[test]
fn a_driver_that_panics_alone_leaves_no_waker() {
    let relay = Relay::<Boxed<'_, usize>>::new();
    let log = Rc::new(RefCell::new(Vec::new()));
    let make = || Box::pin(ten_steps(log.clone(), Some(2))) as Boxed<'_, usize>;
    let (wakes, waker) = Wakes::new();
    let mut driver = Box::pin(relay.run(make));
    for _ in 0..2 {
        assert!(poll_with(driver.as_mut(), &waker).is_pending());
    }
    panic_of(|| poll_with(driver.as_mut(), &waker).is_pending());
    drop((driver, waker));
    assert_eq!(wakes.live(), 0);
}
