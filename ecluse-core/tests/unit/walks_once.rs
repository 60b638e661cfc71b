//! `Once`, step by step.

use std::{cell::Cell, future::pending, pin::pin, rc::Rc};

use ecluse_core::{Once, flight::NotInit};

use crate::{
    kit::{Wakes, panic_of, poll, poll_with, ready},
    walks_flight::Gate,
};

#[test]
fn the_first_success_is_kept() {
    let once = Once::<u32>::new();
    assert_eq!((once.get(), once.is_set()), (None, false));
    let gate = Gate::default();
    let mut first = pin!(once.get_or_init(|| gate.passed()));
    assert!(poll(first.as_mut()).is_pending());
    let (wakes, waker) = Wakes::new();
    let mut second = pin!(once.get_or_init(|| async { unreachable!() }));
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    assert_eq!(once.set(9), Err(9));
    gate.open(3);
    assert_eq!(ready(poll(first.as_mut())), Ok(&3));
    assert_eq!(wakes.count(), 1);
    assert_eq!(ready(poll(second.as_mut())), Ok(&3));
    assert_eq!((once.get(), once.set(9)), (Some(&3), Err(9)));
    assert_eq!(ready(poll(pin!(once.get_or_init(pending)))), Ok(&3));
}

#[test]
fn a_failure_leaves_it_to_exactly_one_other() {
    let once = Once::<u32>::new();
    let gate = Gate::default();
    let mut first = pin!(once.get_or_try_init(|| async {
        gate.passed().await;
        Err("no")
    }));
    assert!(poll(first.as_mut()).is_pending());
    let seats = [(); 3].map(|()| Wakes::new());
    let mut others: Vec<_> = (0..3)
        .map(|own| Box::pin(once.get_or_try_init(move || async move { Ok::<u32, &str>(own) })))
        .collect();
    for (other, (_, waker)) in others.iter_mut().zip(&seats) {
        assert!(poll_with(other.as_mut(), waker).is_pending());
    }
    gate.open(0);
    assert_eq!(ready(poll(first.as_mut())), Err(NotInit::Failed("no")));
    let woken = || seats.each_ref().map(|(wakes, _)| wakes.count());
    assert_eq!(woken(), [1, 0, 0]);
    drop(others.remove(0));
    assert_eq!(woken(), [1, 1, 0]);
    assert_eq!(ready(poll(others[0].as_mut())), Ok(&1));
    assert_eq!(woken(), [1, 1, 1]);
    assert_eq!(ready(poll(others[1].as_mut())), Ok(&1));
}

#[test]
fn a_panic_leaves_it_empty_at_once() {
    let once = Once::<u32>::new();
    let mut first = pin!(once.get_or_init(|| async { panic!("broken") }));
    assert_eq!(panic_of(|| poll(first.as_mut())), "broken");
    assert_eq!(ready(poll(pin!(once.get_or_init(|| async { 1 })))), Ok(&1));
}

#[test]
fn asking_from_within_is_told_so() {
    let once = Once::<u32>::new();
    let mut run = pin!(once.get_or_init(|| async {
        let own = once.get_or_init(pending).await;
        assert_eq!(own, Err(NotInit::Recursive));
        5
    }));
    assert_eq!(ready(poll(run.as_mut())), Ok(&5));
}

#[test]
fn a_value_is_dropped_once_and_can_be_taken() {
    struct Counted(Rc<Cell<usize>>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Rc::new(Cell::new(0));
    let mut once = Once::<Counted>::new();
    assert!(once.set(Counted(drops.clone())).is_ok());
    drop(once.take());
    assert_eq!(drops.get(), 1);
    assert!(once.get().is_none() && once.take().is_none());
    assert!(once.set(Counted(drops.clone())).is_ok());
    once.get_mut().unwrap().0 = drops.clone();
    drop(once);
    assert_eq!(drops.get(), 2);
    let from = Once::<Counted>::from(Counted(drops.clone()));
    assert!(from.is_set());
    drop(from.into_inner().expect("it was given"));
    assert_eq!(drops.get(), 3);
    drop(Once::<Counted>::new());
    assert_eq!(drops.get(), 3);
}
