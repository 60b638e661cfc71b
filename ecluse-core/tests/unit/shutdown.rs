//! A scope is shut down: by the clock, by a second signal, by somebody else; who ended how.

use std::{
    cell::Cell,
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    string::ToString,
    task::Poll,
    time::Duration,
};

use ecluse_core::{
    Slot,
    cancel::{Cx, Kind, Report, Shutdown},
};

use crate::{
    clock::Hand,
    kit::poll,
    spawned_walks::{Bench, Gone, below, top},
};

const SECOND: Duration = Duration::from_secs(1);

/// A signal that is given by hand, as often as one likes.
#[derive(Clone, Default)]
struct Signals(Rc<Cell<usize>>);

impl Signals {
    fn give(&self) {
        self.0.set(self.0.get() + 1);
    }

    /// The next one.
    fn next(&self) -> impl Future<Output = ()> + use<> {
        let count = self.0.clone();
        poll_fn(move |_| match count.get() {
            0 => Poll::Pending,
            some => {
                count.set(some - 1);
                Poll::Ready(())
            }
        })
    }
}

fn counts(report: Report) -> [usize; 4] {
    [
        report.finished(),
        report.cancelled(),
        report.forced(),
        report.left(),
    ]
}

fn ended<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match poll(future) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Ends when it is told, after a clean-up that `slot` holds up.
async fn tidy(cx: Cx<'_>, slot: &Slot) {
    cx.cancelled().await;
    cx.protect(async |_| drop(slot.claim().await)).await;
}

#[test]
fn each_child_is_counted_in_the_phase_in_which_it_ends() {
    let (scope, bench, clock, signals) =
        (top(), Bench::default(), Hand::default(), Signals::default());
    let (first, second) = (Rc::new(<Slot>::new()), Rc::new(<Slot>::new()));
    let gone = Rc::new(Cell::new(0));
    let (ends, cleans) = (first.try_claim().unwrap(), second.try_claim().unwrap());
    let its = first.clone();
    scope
        .spawn(&bench, |_| async move { drop(its.claim().await) })
        .unwrap();
    let its = second.clone();
    scope
        .spawn(&bench, |scope| async move { tidy(scope.cx(), &its).await })
        .unwrap();
    let deaf = Gone(gone.clone());
    below(&scope)
        .spawn(&bench, |_| async move {
            let _deaf = deaf;
            pending().await
        })
        .unwrap();
    let shutdown = Shutdown::new(&scope, clock.clone())
        .drain(SECOND)
        .grace(2 * SECOND)
        .on(|| signals.next());
    let mut shutdown = pin!(shutdown);
    bench.round();
    assert!(ended(shutdown.as_mut()).is_none());
    clock.advance(10_000);
    assert!(ended(shutdown.as_mut()).is_none() && !scope.is_cancelled());
    // Drain: one ends by itself.
    signals.give();
    assert!(ended(shutdown.as_mut()).is_none() && !scope.is_cancelled());
    ends.release();
    bench.round();
    clock.advance(999);
    assert!(ended(shutdown.as_mut()).is_none() && !scope.is_cancelled());
    // Grace: one cleans up.
    clock.advance(1);
    assert!(ended(shutdown.as_mut()).is_none());
    assert_eq!(scope.cx().reason().unwrap().kind(), Kind::Shutdown);
    bench.round();
    assert_eq!(scope.live(), 2);
    cleans.release();
    bench.round();
    clock.advance(1999);
    assert!(ended(shutdown.as_mut()).is_none() && !scope.cx().is_forced());
    // Force: one listens to nobody.
    clock.advance(1);
    assert!(ended(shutdown.as_mut()).is_none() && scope.cx().is_forced());
    assert_eq!(gone.get(), 0);
    bench.round();
    let report = ended(shutdown).expect("nobody is left");
    assert_eq!((counts(report), gone.get()), ([1, 1, 1, 0], 1));
    assert_eq!(
        report.to_string(),
        "1 finished, 1 cancelled, 1 forced, 0 left"
    );
}

#[test]
fn it_is_over_as_soon_as_nobody_is_left() {
    let (scope, bench, clock) = (top(), Bench::default(), Hand::default());
    scope
        .spawn(&bench, |scope| async move {
            scope.cx().cancelled().await;
        })
        .unwrap();
    bench.round();
    let hours = 3600 * SECOND;
    let shutdown = Shutdown::new(&scope, clock)
        .drain(Duration::ZERO)
        .grace(hours);
    let signals = Signals::default();
    signals.give();
    let mut shutdown = pin!(shutdown.reason(Kind::Limit).on(|| signals.next()));
    assert!(ended(shutdown.as_mut()).is_none());
    bench.round();
    assert_eq!(counts(ended(shutdown).unwrap()), [0, 1, 0, 0]);
    assert_eq!(scope.cx().reason().unwrap().kind(), Kind::Limit);
    assert!(!scope.cx().is_forced());
    // Nobody was there at all; somebody else has cancelled.
    let scope = top();
    scope.cancel(Kind::Explicit);
    let shutdown = pin!(Shutdown::new(&scope, Hand::default()).on(pending::<()>));
    assert_eq!(counts(ended(shutdown).unwrap()), [0; 4]);
    assert_eq!(scope.cx().reason().unwrap().kind(), Kind::Explicit);
}

#[test]
fn what_was_cancelled_already_is_not_drained() {
    let (scope, bench, clock) = (top(), Bench::default(), Hand::default());
    scope.spawn(&bench, |_| pending()).unwrap();
    bench.round();
    scope.cancel(Kind::Explicit);
    let shutdown = Shutdown::new(&scope, clock.clone())
        .drain(3600 * SECOND)
        .grace(SECOND);
    let mut shutdown = pin!(shutdown.on(pending::<()>));
    assert!(ended(shutdown.as_mut()).is_none() && !scope.cx().is_forced());
    clock.advance(1000);
    assert!(ended(shutdown.as_mut()).is_none() && scope.cx().is_forced());
    bench.round();
    assert_eq!(counts(ended(shutdown).unwrap()), [0, 0, 1, 0]);
}

#[test]
fn a_second_signal_forces_at_once_and_who_is_not_polled_is_told_of() {
    let (scope, bench, clock, signals) =
        (top(), Bench::default(), Hand::default(), Signals::default());
    for _ in 0..2 {
        scope.spawn(&bench, |_| pending()).unwrap();
    }
    bench.round();
    let shutdown = Shutdown::new(&scope, clock.clone())
        .drain(SECOND)
        .grace(SECOND)
        .patience(3 * SECOND);
    let mut shutdown = pin!(shutdown.on(|| signals.next()));
    assert!(ended(shutdown.as_mut()).is_none());
    signals.give();
    assert!(ended(shutdown.as_mut()).is_none() && !scope.is_cancelled());
    signals.give();
    assert!(ended(shutdown.as_mut()).is_none() && scope.is_cancelled() && !scope.cx().is_forced());
    signals.give();
    assert!(ended(shutdown.as_mut()).is_none() && scope.cx().is_forced());
    // The executor comes to one of them only.
    assert!(bench.turn().is_ready());
    clock.advance(2999);
    assert!(ended(shutdown.as_mut()).is_none());
    clock.advance(1);
    let report = ended(shutdown).expect("its patience is over");
    assert_eq!((counts(report), scope.live()), ([0, 0, 1, 1], 1));
    bench.shut_down();
    assert_eq!(scope.live(), 0);
}
