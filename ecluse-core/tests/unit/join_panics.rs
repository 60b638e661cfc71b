//! Joined children that panic, in their polls and in their drops; other code of the caller that
//! does. With `std`: j05.

use std::{
    cell::{Cell, RefCell},
    future::{pending, ready},
    pin::pin,
};

use ecluse_core::{Cx, Root, cancel::Kind, join::ErrorSink};

use crate::{
    join_walks::{Ended, Fault, Gone, turns},
    kit::{Callback, Striker, panic_of, poll, poll_with},
};

/// Panics when it is dropped.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// Counts what it is told.
#[derive(Default)]
struct Count {
    errors: usize,
    panics: usize,
}

impl ErrorSink<Fault> for &mut Count {
    fn put(&mut self, _: Fault) {
        self.errors += 1;
    }

    fn panicked(&mut self) {
        self.panics += 1;
    }
}

#[test]
fn j05_siblings_of_a_panicking_child_are_drained_before_it_goes_on() {
    let root = <Root>::new();
    let log = RefCell::new(Vec::new());
    let mut count = Count::default();
    {
        let mut all = pin!(
            root.cx()
                .all((
                    async |cx: Cx<'_>| {
                        let _gone = Gone(&log, "closure");
                        let why = cx.guard(pending::<()>()).await.unwrap_err();
                        assert_eq!(why.reason().kind(), Kind::Panic);
                        turns(1).await;
                        log.borrow_mut().push("clean");
                        Ended::<()>::Err(Fault::Own(1))
                    },
                    async {
                        turns(1).await;
                        if true {
                            panic!("the first");
                        }
                        Ended::Ok(())
                    },
                    async {
                        let _gone = Gone(&log, "future");
                        pending::<Ended>().await
                    },
                    async |cx: Cx<'_>| {
                        cx.cancelled().await;
                        turns(1).await;
                        if true {
                            panic!("the second");
                        }
                        Ended::Ok(())
                    },
                    async |cx: Cx<'_>| {
                        cx.cancelled().await;
                        turns(1).await;
                        if true {
                            panic!("the third");
                        }
                        Ended::Ok(())
                    },
                ))
                .collecting(&mut count)
        );
        assert!(poll(all.as_mut()).is_pending());
        assert!(poll(all.as_mut()).is_pending(), "they clean up");
        assert_eq!(*log.borrow(), ["future"]);
        assert_eq!((all.panics(), root.attached()), (1, 3));
        assert_eq!(panic_of(|| poll(all.as_mut())), "the first");
        assert_eq!((all.panics(), root.attached()), (3, 0));
        assert_eq!(*log.borrow(), ["future", "clean", "closure"]);
    }
    assert_eq!(
        (count.errors, count.panics),
        (0, 2),
        "the first goes on, the others are told"
    );
}

#[test]
fn j05_values_are_dropped_before_a_panic_goes_on_and_their_panics_are_counted() {
    let root = <Root>::new();
    let mut all = pin!(
        root.cx()
            .all((async { Ended::Ok(Bomb("of a value")) }, async {
                if true {
                    panic!("of a child");
                }
                Ended::Ok(())
            },))
    );
    assert_eq!(panic_of(|| poll(all.as_mut())), "of a child");
    assert_eq!(all.panics(), 2);
}

#[test]
fn j05_supervised_children_finish_beside_one_that_panics() {
    let root = <Root>::new();
    let seen = Cell::new(false);
    let mut settled = pin!(root.cx().settle((
        async {
            if true {
                panic!("of a child");
            }
            Ended::Ok(())
        },
        async |cx: Cx<'_>| {
            turns(1).await;
            cx.check()?;
            seen.set(true);
            Ended::Ok(())
        },
    )));
    assert!(poll(settled.as_mut()).is_pending());
    assert_eq!(panic_of(|| poll(settled)), "of a child");
    assert!(seen.get());
}

#[test]
fn j05_panicking_drops_of_children() {
    let root = <Root>::new();
    // In the end of one by itself: the others are told.
    let log = RefCell::new(Vec::new());
    let both = root.cx().concurrently(
        async |cx: Cx<'_>| {
            let why = cx.guard(pending::<()>()).await.unwrap_err();
            log.borrow_mut().push("clean");
            Ended::<()>::Err(why.into())
        },
        async |_: Cx<'_>| {
            let _bomb = Bomb("of a local");
            Ended::Ok(())
        },
    );
    assert_eq!(panic_of(|| poll(pin!(both))), "of a local");
    assert_eq!((log.borrow().len(), root.attached()), (1, 0));
    // Where losers are dropped.
    let hung = |name| async move {
        let _bomb = Bomb(name);
        pending::<Ended>().await
    };
    let mut race = pin!(root.cx().race((
        async |cx: Cx<'_>| {
            cx.cancelled().await;
            log.borrow_mut().push("clean");
            Ended::Ok(())
        },
        hung("one"),
        hung("two"),
        async {
            turns(1).await;
            Ended::Ok(())
        },
    )));
    assert!(poll(race.as_mut()).is_pending());
    assert_eq!(panic_of(|| poll(race.as_mut())), "one");
    assert_eq!(
        (race.panics(), log.borrow().len(), root.attached()),
        (2, 2, 0)
    );
    // Where the whole is dropped half-way: all are dropped, the first panic goes on.
    let mut all = Box::pin(root.cx().all((hung("one"), hung("two"), async {
        let _gone = Gone(&log, "future");
        pending::<Ended>().await
    })));
    assert!(poll(all.as_mut()).is_pending());
    assert_eq!(panic_of(|| drop(all)), "one");
    assert_eq!(log.borrow().last(), Some(&"future"));
    // A value that lost.
    let lost = root.cx().race((
        async {
            turns(1).await;
            Ended::Ok(None)
        },
        async |cx: Cx<'_>| {
            cx.cancelled().await;
            Ok(Some(Bomb("of a loser")))
        },
    ));
    let mut lost = pin!(lost);
    assert!(poll(lost.as_mut()).is_pending());
    assert_eq!(panic_of(|| poll(lost).is_ready()), "of a loser");
}

#[test]
fn j05_a_panic_is_not_lost_if_the_clean_up_is_cut_off() {
    let root = <Root>::new();
    let mut both = Box::pin(root.cx().concurrently(
        async |_: Cx<'_>| pending::<Ended>().await,
        async {
            if true {
                panic!("of a child");
            }
            Ended::Ok(())
        },
    ));
    assert!(poll(both.as_mut()).is_pending());
    assert_eq!(panic_of(|| drop(both)), "of a child");
    assert_eq!(root.attached(), 0);
}

#[test]
fn functions_of_the_caller_may_panic() {
    let root = <Root>::new();
    let fails = || ready(Ended::<()>::Err(Fault::Own(1)));
    let both = root
        .cx()
        .concurrently(fails(), fails())
        .cancelled_by(|_| panic!("tell"));
    assert_eq!(panic_of(|| poll(pin!(both))), "tell");
    let both = root
        .cx()
        .first((fails(), fails()))
        .collecting(|_| panic!("sink"));
    assert_eq!(panic_of(|| poll(pin!(both))), "sink");
}

#[test]
fn a_panicking_waker_keeps_no_loser_from_being_told() {
    let root = <Root>::new();
    let mut both = pin!(root.cx().concurrently(
        async |cx: Cx<'_>| {
            // Waits with a waker of another task, which panics.
            let striker = Striker::new(Callback::Wake, || panic!("waker"));
            let mut wait = pin!(cx.cancelled());
            let waker = striker.waker();
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
            let why = cx.guard(pending::<()>()).await.unwrap_err();
            assert_eq!(why.reason().kind(), Kind::Sibling);
            Ended::<()>::Err(why.into())
        },
        async {
            turns(1).await;
            Ended::<()>::Err(Fault::Own(1))
        },
    ));
    assert!(poll(both.as_mut()).is_pending());
    assert_eq!(panic_of(|| poll(both)), "waker");
    assert_eq!(root.attached(), 0);
}

#[test]
fn w05_a_waker_that_panics_when_it_is_dropped_hides_no_panic_of_a_child() {
    let root = <Root>::new();
    let striker = Striker::new(Callback::Drop, || panic!("of a waker"));
    let waker = striker.waker();
    let mut both = pin!(root.cx().concurrently(pending::<Ended>(), async {
        turns(1).await;
        if true {
            panic!("of a child");
        }
        Ended::Ok(())
    }));
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    assert_eq!(panic_of(|| poll(both.as_mut())), "of a child");
    assert_eq!((both.panics(), striker.acted()), (2, 1));
    std::mem::forget(waker);
}

#[test]
fn w05_a_value_that_panics_when_a_waker_did_is_no_second_panic() {
    let root = <Root>::new();
    let striker = Striker::new(Callback::Drop, || panic!("of a waker"));
    let waker = striker.waker();
    let mut both = pin!(root.cx().concurrently(ready(Ended::Ok(())), async {
        turns(1).await;
        Ended::Ok(Bomb("of a value"))
    }));
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    // Unwinding already, the value's panic would end the process.
    assert_eq!(panic_of(|| poll(both.as_mut())), "of a waker");
    assert_eq!((both.panics(), striker.acted()), (2, 1));
    std::mem::forget(waker);
}
