//! Joined children, step by step: j01 to j04, j06.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending, poll_fn, ready},
    pin::pin,
    task::Poll,
};

use ecluse_core::{
    Cancelled, Cx, Reason, Root,
    cancel::Kind,
    join::{AsCancelled, JoinError, Raced, Stopped},
};
use futures_core::FusedFuture;

use crate::kit::{Wakes, poll, poll_with, ready as over};

/// What the children of these tests fail with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Own(u8),
    Cancelled(Cancelled),
}

impl From<Cancelled> for Fault {
    fn from(cancelled: Cancelled) -> Self {
        Self::Cancelled(cancelled)
    }
}

impl AsCancelled for Fault {
    fn as_cancelled(&self) -> Option<Cancelled> {
        match self {
            Self::Cancelled(cancelled) => Some(*cancelled),
            Self::Own(_) => None,
        }
    }
}

pub(crate) type Ended<T = ()> = Result<T, Fault>;

/// Pending for `turns` polls.
pub(crate) fn turns(mut turns: usize) -> impl Future<Output = ()> {
    poll_fn(move |_| {
        if turns == 0 {
            return Poll::Ready(());
        }
        turns -= 1;
        Poll::Pending
    })
}

/// Notes its drop.
pub(crate) struct Gone<'a>(
    pub(crate) &'a RefCell<Vec<&'static str>>,
    pub(crate) &'static str,
);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

fn code(code: u16) -> Reason {
    Reason::default().with_code(code)
}

fn sendable<T: Send>(value: T) -> T {
    value
}

#[test]
fn j01_both_values_come_in_order() {
    let root = <Root>::new();
    let mut log = Vec::new();
    let word = String::from("b");
    let both = root
        .cx()
        .concurrently(ready(Ended::Ok(1)), async |cx: Cx<'_>| {
            log.push("in");
            cx.guard(ready(())).await?;
            Ok(word.as_str())
        });
    assert_eq!(over(poll(pin!(both))), Ok((1, "b")));
    assert_eq!((root.attached(), log.len()), (0, 1));
}

#[test]
fn what_the_joined_future_is_made_of_may_cross_threads() {
    async fn nested(cx: Cx<'_>, word: &str) -> Ended<usize> {
        let lengths = cx
            .all([word, word].map(|word| {
                async move |cx: Cx<'_>| {
                    cx.guard(ready(())).await?;
                    Ended::Ok(word.len())
                }
            }))
            .await;
        Ok(lengths.map_err(JoinError::into_error)?.iter().sum())
    }
    let root = <Root>::new();
    let mut count = 0;
    let task = sendable(async {
        let cx = root.cx();
        let joined = cx
            .concurrently(nested(cx, "five"), async |cx: Cx<'_>| {
                count += 1;
                let (a, b) = cx
                    .concurrently(nested(cx, "a"), async |cx: Cx<'_>| nested(cx, "bc").await)
                    .await
                    .map_err(JoinError::into_error)?;
                Ok(a + b)
            })
            .await;
        joined.map_err(JoinError::into_error)
    });
    assert_eq!(futures_executor::block_on(task), Ok((8, 6)));
    assert_eq!((count, root.attached()), (1, 0));
}

#[test]
fn j01_an_error_ends_the_other_and_its_clean_up_is_over_first() {
    let root = <Root>::new();
    let log = RefCell::new(Vec::new());
    let (wakes, waker) = Wakes::new();
    let mut both = pin!(root.cx().concurrently(
        async |cx: Cx<'_>| {
            let _gone = Gone(&log, "dropped");
            let ended = cx.guard(pending::<()>()).await;
            assert_eq!(ended.unwrap_err().reason().kind(), Kind::Sibling);
            turns(2).await;
            log.borrow_mut().push("clean");
            Ended::<u8>::Err(ended.unwrap_err().into())
        },
        async {
            turns(1).await;
            Ended::<u8>::Err(Fault::Own(1))
        },
    ));
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    assert_eq!(root.attached(), 1);
    // It fails in this poll, and the other one begins to clean up in it.
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    assert!(log.borrow().is_empty() && !both.is_terminated());
    assert!(wakes.count() > 0, "told");
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    let Err(JoinError::Failed(failed)) = over(poll_with(both.as_mut(), &waker)) else {
        panic!("it failed");
    };
    // j06: the cancel of the loser is no error of its own.
    assert_eq!(
        (failed.first, failed.later, failed.cancelled),
        (Fault::Own(1), 0, None)
    );
    assert_eq!(*log.borrow(), ["clean", "dropped"]);
    assert!(both.is_terminated());
    assert_eq!((root.attached(), root.is_cancelled()), (0, false));
}

#[test]
fn j01_a_droppable_sibling_is_dropped_and_one_that_has_not_begun_never_does() {
    let root = <Root>::new();
    let log = RefCell::new(Vec::new());
    let begun = Cell::new(false);
    let joined = root.cx().all((
        async {
            let _gone = Gone(&log, "future");
            pending::<Ended>().await
        },
        async |_: Cx<'_>| Ended::<()>::Err(Fault::Own(1)),
        async {
            begun.set(true);
            Ended::Ok(())
        },
        async |_: Cx<'_>| {
            begun.set(true);
            Ended::Ok(())
        },
    ));
    assert!(over(poll(pin!(joined))).is_err());
    assert_eq!(
        (log.borrow().len(), begun.get(), root.attached()),
        (1, false, 0)
    );
}

#[test]
fn j01_later_errors_are_counted_and_collected() {
    let root = <Root>::new();
    let fails = |n: u8| {
        async move |cx: Cx<'_>| {
            if n > 0 {
                let _ = cx.guard(pending::<()>()).await;
            } else {
                turns(1).await;
            }
            Ended::<()>::Err(Fault::Own(n))
        }
    };
    let children = || [1, 2, 0, 3].map(fails);
    let end = |error| match error {
        Err(JoinError::Failed(failed)) => (failed.first, failed.later, failed.others),
        other => panic!("{other:?}"),
    };
    macro_rules! run {
        ($sink:expr) => {{
            let mut all = pin!(root.cx().all(children()).collecting($sink));
            assert!(poll(all.as_mut()).is_pending());
            over(poll(all))
        }};
    }
    let mut all = pin!(root.cx().all(children()));
    assert!(poll(all.as_mut()).is_pending());
    let Err(error) = over(poll(all)) else {
        panic!("they fail");
    };
    assert_eq!(
        (error.first(), error.later(), error.cancelled()),
        (Some(&Fault::Own(0)), 3, None)
    );
    // In the order in which they came.
    let own = |n| Some(Fault::Own(n));
    assert_eq!(end(run!([None; 2])), (Fault::Own(0), 3, [own(3), own(1)]));
    let mut room = [None; 4];
    assert!(run!(&mut room).is_err());
    assert_eq!(room, [own(3), own(1), own(2), None]);
    assert!(run!(&mut room[3..]).is_err());
    assert_eq!(room[3], own(3));
    let mut seen = Vec::new();
    assert!(run!(|error| seen.push(error)).is_err());
    assert_eq!(seen.len(), 3);
    #[cfg(feature = "alloc")]
    {
        let mut all = pin!(root.cx().all(children()).collecting(Vec::new()));
        assert!(poll(all.as_mut()).is_pending());
        assert!(matches!(over(poll(all)), Err(JoinError::Failed(failed)) if failed.others == seen));
        assert!(run!(&mut seen).is_err());
        assert_eq!(seen.len(), 6);
    }
}

#[test]
fn j02_an_outer_cancel_before_polls_nothing() {
    let root = <Root>::new();
    let log = RefCell::new(Vec::new());
    root.cancel(code(7));
    let gone = |name| Gone(&log, name);
    let (a, b) = (gone("a"), gone("b"));
    let both = root.cx().concurrently(
        async {
            drop(a);
            panic!("polled")
        },
        async |_: Cx<'_>| -> Ended {
            drop(b);
            panic!("begun")
        },
    );
    let both: Result<((), ()), _> = over(poll(pin!(both)));
    let error: JoinError<Fault> = both.unwrap_err();
    assert_eq!((error.cancelled(), error.first()), (Some(code(7)), None));
    assert_eq!(*log.borrow(), ["a", "b"], "dropped in order, by the poll");
    let outcomes = root
        .cx()
        .settle((async |_: Cx<'_>| Ended::Ok(1), ready(Ended::Ok("two"))));
    let (one, two) = over(poll(pin!(outcomes)));
    assert!(
        matches!((one, two), (Err(Stopped::Cancelled(a)), Err(Stopped::Cancelled(b)))
        if (a.reason(), b.reason()) == (code(7), code(7)))
    );
    assert_eq!(root.attached(), 0);
}

#[test]
fn j02_an_outer_cancel_meanwhile_cleans_up_both_and_comes_out() {
    let root = <Root>::new();
    let log = RefCell::new(Vec::new());
    let (wakes, waker) = Wakes::new();
    let mut both = pin!(root.cx().concurrently(
        async {
            let _gone = Gone(&log, "future");
            pending::<Ended>().await
        },
        async |cx: Cx<'_>| {
            let _gone = Gone(&log, "closure");
            let ended = cx.guard(pending::<Ended>()).await;
            turns(1).await;
            ended?
        },
    ));
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    assert!(root.cancel(code(7)));
    assert!(wakes.count() >= 1);
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    assert_eq!(*log.borrow(), ["future"]);
    let error = over(poll_with(both, &waker)).unwrap_err();
    assert_eq!(error, Cancelled::into(root.cx().check().unwrap_err()));
    assert_eq!(*log.borrow(), ["future", "closure"]);
    assert_eq!(root.attached(), 0);
}

/// A child that knows of the cancel is not asked again because its sibling fails by it.
#[test]
fn j02_a_child_that_cleans_up_is_polled_once_at_a_time() {
    let root = <Root>::new();
    let polls = Cell::new(0);
    let mut both = pin!(root.cx().concurrently(
        async |_: Cx<'_>| {
            poll_fn(|_| {
                polls.set(polls.get() + 1);
                Poll::<Ended>::Pending
            })
            .await
        },
        async |cx: Cx<'_>| {
            let _ = cx.guard(pending::<()>()).await;
            Ended::<()>::Err(Fault::Own(1))
        },
    ));
    assert!(poll(both.as_mut()).is_pending());
    assert!(root.cancel(code(7)));
    assert!(poll(both.as_mut()).is_pending());
    assert_eq!(polls.get(), 2);
}

#[test]
fn j02_children_that_finish_in_spite_of_it_give_their_values() {
    let root = <Root>::new();
    let mut both = pin!(root.cx().concurrently(
        async {
            turns(1).await;
            Ended::Ok(1)
        },
        async |_: Cx<'_>| {
            turns(2).await;
            Ended::Ok(2)
        },
    ));
    assert!(poll(both.as_mut()).is_pending());
    assert!(root.cancel(code(7)));
    // The value of the droppable one is there at the poll that would drop it: it wins.
    let second = poll(both.as_mut());
    assert!(second.is_pending());
    assert_eq!(over(poll(both)), Ok((1, 2)));
}

#[test]
fn force_drops_a_child_that_does_not_end() {
    let root = <Root>::new();
    let (wakes, waker) = Wakes::new();
    let seen = Cell::new(0);
    let mut both = pin!(root.cx().concurrently(
        async |_: Cx<'_>| pending::<Ended>().await,
        async |cx: Cx<'_>| {
            cx.forced().await;
            seen.set(seen.get() + 1);
            Ended::Ok(())
        },
    ));
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    assert!(root.cancel(code(7)));
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    assert_eq!(seen.get(), 0);
    let before = wakes.count();
    assert!(root.force(code(8)));
    assert!(wakes.count() > before);
    let error = over(poll_with(both, &waker)).unwrap_err();
    assert_eq!(error.cancelled().map(Reason::code), Some(7));
    assert_eq!((seen.get(), root.attached()), (1, 0));
    // Without a child that would hear of it: the joined future does.
    let root = <Root>::new();
    let (wakes, waker) = Wakes::new();
    let deaf = || async |_: Cx<'_>| pending::<Ended>().await;
    let mut deaf = pin!(root.cx().all([deaf(), deaf()]));
    assert!(poll_with(deaf.as_mut(), &waker).is_pending());
    root.cancel(code(1));
    assert!(poll_with(deaf.as_mut(), &waker).is_pending());
    assert!(poll_with(deaf.as_mut(), &waker).is_pending());
    let before = wakes.count();
    root.force(code(2));
    assert_eq!((before, wakes.count()), (1, 2), "one wake a level");
    assert!(poll_with(deaf, &waker).is_ready());
}

#[test]
fn j04_the_first_to_settle_wins_and_the_losers_clean_up() {
    let root = <Root>::new();
    let log = RefCell::new(Vec::new());
    let loses = |n: u8| {
        let log = &log;
        async move |cx: Cx<'_>| {
            let ended = cx.guard(pending::<()>()).await;
            turns(usize::from(n)).await;
            log.borrow_mut().push("clean");
            ended?;
            Ended::Ok(n)
        }
    };
    let mut race = pin!(root.cx().race((
        loses(1),
        async {
            turns(1).await;
            Ended::Ok(9)
        },
        loses(2)
    )));
    for _ in 0..3 {
        assert!(poll(race.as_mut()).is_pending());
    }
    assert_eq!(over(poll(race)), Ok(9));
    assert_eq!((log.borrow().len(), root.attached()), (2, 0));
    // An error settles, too, and a loser's error in its clean-up is counted.
    let mut race = pin!(root.cx().race((
        async |cx: Cx<'_>| {
            cx.cancelled().await;
            Ended::<u8>::Err(Fault::Own(2))
        },
        async {
            turns(1).await;
            Ended::Err(Fault::Own(1))
        }
    )));
    assert!(poll(race.as_mut()).is_pending());
    let error = over(poll(race)).unwrap_err();
    assert_eq!((error.first(), error.later()), (Some(&Fault::Own(1)), 1));
    // Also if a loser finishes well in spite of it; and the error of one that lost is collected.
    for wins in [Err(Fault::Own(1)), Ok(1)] {
        let mut seen = Vec::new();
        {
            let mut race = pin!(
                root.cx()
                    .race((
                        async |cx: Cx<'_>| {
                            cx.cancelled().await;
                            Ended::Ok(2)
                        },
                        async |cx: Cx<'_>| {
                            cx.cancelled().await;
                            Err(Fault::Own(3))
                        },
                        async {
                            turns(1).await;
                            wins
                        },
                    ))
                    .collecting(|error| seen.push(error))
            );
            assert!(poll(race.as_mut()).is_pending());
            match (over(poll(race)), wins) {
                (Err(error), Err(won)) => assert_eq!(error.first(), Some(&won)),
                (ended, wins) => assert_eq!(ended.ok(), wins.ok()),
            }
        }
        assert_eq!(seen, [Fault::Own(3)]);
    }
    // The winner's value is kept although the outer scope goes meanwhile.
    let mut race = pin!(
        root.cx()
            .race((ready(Ended::Ok(1)), async |_: Cx<'_>| Ended::Ok(2)))
    );
    assert_eq!(over(poll(race.as_mut())), Ok(1));
    let mut race = pin!(root.cx().race((
        async |cx: Cx<'_>| {
            cx.cancelled().await;
            turns(1).await;
            Ended::Ok(2)
        },
        async {
            turns(1).await;
            Ended::Ok(1)
        }
    )));
    assert!(poll(race.as_mut()).is_pending());
    assert!(poll(race.as_mut()).is_pending());
    root.cancel(code(1));
    assert_eq!(over(poll(race)), Ok(1));
}

#[test]
fn j04_combine_keeps_what_losers_finished_with() {
    let root = <Root>::new();
    let mut race = pin!(
        root.cx()
            .race((
                async |cx: Cx<'_>| {
                    cx.cancelled().await;
                    Ended::Ok("in spite")
                },
                async {
                    turns(1).await;
                    Ended::Ok(1)
                },
                // Ready at the same moment: its value is not lost either.
                async {
                    turns(1).await;
                    Ended::Ok(2)
                },
                pending::<Ended>(),
                async |cx: Cx<'_>| {
                    cx.cancelled().await;
                    Ended::<()>::Err(Fault::Own(3))
                },
            ))
            .combine()
    );
    assert!(poll(race.as_mut()).is_pending());
    let Raced { winner, outcomes } = over(poll(race));
    assert_eq!(winner, Some(1));
    assert_eq!(
        (outcomes.0, outcomes.1, outcomes.2),
        (Ok("in spite"), Ok(1), Ok(2))
    );
    assert!(
        matches!(outcomes.3, Err(Stopped::Cancelled(cut)) if cut.reason().kind() == Kind::Sibling)
    );
    assert_eq!(outcomes.4, Err(Stopped::Failed(Fault::Own(3))));
    // Nobody wins if all are cancelled.
    let mut race = pin!(root.cx().race([pending::<Ended>(), pending()]).combine());
    assert!(poll(race.as_mut()).is_pending());
    root.cancel(code(5));
    let raced = over(poll(race));
    assert_eq!(raced.winner, None);
    assert!(raced.outcomes.iter().all(|outcome| {
        matches!(outcome, Err(Stopped::Cancelled(cut)) if cut.reason() == code(5))
    }));
}

#[test]
fn j04_first_gives_a_value_or_all_errors() {
    let root = <Root>::new();
    let fails = |after: usize| async move {
        turns(after).await;
        Ended::<u8>::Err(Fault::Own(after as u8))
    };
    let mut first = pin!(root.cx().first((fails(0), fails(1), async {
        turns(2).await;
        Ended::Ok(7)
    })));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(over(poll(first)), Ok(7));
    let mut none = pin!(root.cx().first([fails(1), fails(0), fails(2)]));
    assert!(poll(none.as_mut()).is_pending());
    assert!(poll(none.as_mut()).is_pending());
    let Err(JoinError::Failed(failed)) = over(poll(none)) else {
        panic!("none was good");
    };
    assert_eq!((failed.first, failed.later), (Fault::Own(0), 2));
    assert_eq!(
        failed.others,
        [Some(Fault::Own(1)), Some(Fault::Own(2)), None]
    );
}

#[test]
fn j04_settle_lets_everybody_finish() {
    let root = <Root>::new();
    let mut settled = pin!(root.cx().settle((
        ready(Ended::<()>::Err(Fault::Own(1))),
        async |cx: Cx<'_>| {
            turns(2).await;
            cx.check()?;
            Ended::Ok("fine")
        },
        // Cancelled by nobody but itself.
        async |cx: Cx<'_>| {
            cx.cancel(code(3));
            cx.check()?;
            Ended::Ok(())
        },
    )));
    assert!(poll(settled.as_mut()).is_pending());
    assert!(poll(settled.as_mut()).is_pending());
    let (one, two, three) = over(poll(settled));
    assert_eq!(
        (one, two),
        (Err(Stopped::Failed(Fault::Own(1))), Ok("fine"))
    );
    assert!(
        matches!(three, Err(Stopped::Failed(Fault::Cancelled(own))) if own.reason() == code(3))
    );
}

#[test]
fn j04_nobody_to_join() {
    let root = <Root>::new();
    let none = || [(); 0].map(|()| ready(Ended::Ok(1)));
    assert_eq!(over(poll(pin!(root.cx().all(none())))), Ok([]));
    assert_eq!(over(poll(pin!(root.cx().settle(none())))), []);
    let mut race = pin!(root.cx().race(none()));
    let mut first = pin!(root.cx().first(none()));
    let mut combined = pin!(root.cx().race(none()).combine());
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(race.as_mut(), &waker).is_pending());
    assert!(poll_with(first.as_mut(), &waker).is_pending());
    assert!(poll_with(combined.as_mut(), &waker).is_pending());
    root.cancel(code(1));
    assert_eq!(wakes.count(), 3);
    assert_eq!(over(poll(race)).unwrap_err().cancelled(), Some(code(1)));
    assert_eq!(over(poll(first)).unwrap_err().cancelled(), Some(code(1)));
    assert_eq!(over(poll(combined)).winner, None);
}

#[test]
fn j06_a_cancelled_that_nobody_caused_is_an_error() {
    let root = <Root>::new();
    let other = <Root>::new();
    // Whatever it says: a child that is dropped was told of nothing.
    other.cancel(Reason::default());
    let stranger = other.cx().check().unwrap_err();
    let both = root.cx().concurrently(
        async |cx: Cx<'_>| cx.guard(pending::<Ended>()).await?,
        ready(Ended::<()>::Err(stranger.into())),
    );
    let error = over(poll(pin!(both))).unwrap_err();
    assert_eq!((error.first(), error.later()), (Some(&stranger.into()), 0));
    assert_eq!(error.cancelled(), None);
    // Nor is it an explanation that the scope was cancelled for another reason.
    let mut both = pin!(root.cx().concurrently(
        async |cx: Cx<'_>| {
            cx.cancelled().await;
            Ended::<()>::Err(stranger.into())
        },
        pending::<Ended>(),
    ));
    assert!(poll(both.as_mut()).is_pending());
    root.cancel(code(2));
    let error = over(poll(both)).unwrap_err();
    assert_eq!(
        (error.first(), error.cancelled()),
        (Some(&stranger.into()), Some(code(2)))
    );
}

#[test]
fn j06_an_error_and_an_outer_cancel_are_both_seen() {
    let root = <Root>::new();
    let mut both = pin!(root.cx().concurrently(
        async |cx: Cx<'_>| {
            cx.cancelled().await;
            Ended::<()>::Err(Fault::Own(1))
        },
        // Uses the outer scope itself.
        async { root.cx().guard(pending::<Ended>()).await? },
    ));
    assert!(poll(both.as_mut()).is_pending());
    root.cancel(code(2));
    let Err(JoinError::Failed(failed)) = over(poll(both)) else {
        panic!("it failed");
    };
    assert_eq!((failed.first, failed.later), (Fault::Own(1), 0));
    assert_eq!(failed.cancelled, Some(code(2)));
}

#[cfg(feature = "std")]
#[test]
fn j06_a_cancellation_within_an_io_error_was_taken_for_a_failure() {
    use ecluse_core::join::AsCancelled;
    use std::io;

    let root = <Root>::new();
    root.cancel(code(4));
    let cancelled = root.cx().check().unwrap_err();
    let once = io::Error::other(cancelled);
    let twice = io::Error::new(io::ErrorKind::Interrupted, io::Error::other(cancelled));
    for error in [&once, &twice] {
        let found = error.as_cancelled().map(|found| found.reason().code());
        assert_eq!(found, Some(4));
    }
    let others = [io::Error::other("cancelled"), io::ErrorKind::Other.into()];
    assert!(others.iter().all(|error| error.as_cancelled().is_none()));
}

#[test]
fn j06_errors_tell_by_their_sources_or_by_a_function() {
    #[derive(Debug)]
    struct Wrapped(Cancelled);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl std::error::Error for Wrapped {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let root = <Root>::new();
    let cx = root.cx();
    let mut wrapped = pin!(cx.concurrently(
        async |cx: Cx<'_>| cx.guard(pending::<()>()).await.map_err(Wrapped),
        pending::<Result<(), _>>(),
    ));
    let mut plain = pin!(cx.concurrently(
        async |cx: Cx<'_>| cx.guard(pending::<()>()).await,
        pending::<Result<(), _>>(),
    ));
    let mut nested = pin!(cx.concurrently(
        async |cx: Cx<'_>| {
            cx.concurrently(
                pending::<Result<(), Cancelled>>(),
                pending::<Result<(), _>>(),
            )
            .await
        },
        pending::<Result<(), _>>(),
    ));
    type Foreign = (&'static str, Option<Cancelled>);
    let mut foreign = pin!(
        cx.concurrently(
            async |cx: Cx<'_>| cx
                .guard(pending::<()>())
                .await
                .map_err(|why| ("cut", Some(why))),
            pending::<Result<(), Foreign>>(),
        )
        .cancelled_by(|(_, why): &Foreign| *why)
    );
    assert!(poll(wrapped.as_mut()).is_pending() && poll(plain.as_mut()).is_pending());
    assert!(poll(nested.as_mut()).is_pending() && poll(foreign.as_mut()).is_pending());
    root.cancel(code(4));
    assert!(
        matches!(over(poll(wrapped)), Err(JoinError::Cancelled(why)) if why.reason() == code(4))
    );
    assert!(matches!(over(poll(plain)), Err(JoinError::Cancelled(why)) if why.reason() == code(4)));
    assert!(
        matches!(over(poll(nested)), Err(JoinError::Cancelled(why)) if why.reason() == code(4))
    );
    assert!(
        matches!(over(poll(foreign)), Err(JoinError::Cancelled(why)) if why.reason() == code(4))
    );
}

#[test]
fn j03_dropped_half_way_it_leaves_nothing() {
    let root = <Root>::new();
    let log = RefCell::new(Vec::new());
    let (wakes, waker) = Wakes::new();
    {
        let mut both = pin!(root.cx().concurrently(
            async |cx: Cx<'_>| {
                let _gone = Gone(&log, "first");
                cx.within(async |cx| cx.guard(pending::<Ended>()).await)
                    .await?
            },
            async {
                let _gone = Gone(&log, "second");
                pending::<Ended>().await
            },
        ));
        assert!(poll_with(both.as_mut(), &waker).is_pending());
        assert_eq!(root.attached(), 2);
    }
    assert_eq!(*log.borrow(), ["first", "second"]);
    assert_eq!((root.attached(), wakes.live()), (0, 1));
    drop(waker);
    root.cancel(code(1));
    assert_eq!(wakes.count(), 0);
}

/// Also while the joined future itself is still there.
#[test]
fn j03_a_child_that_has_ended_is_off_the_tree() {
    let root = <Root>::new();
    let (_wakes, waker) = Wakes::new();
    let mut both = pin!(root.cx().concurrently(
        async |_: Cx<'_>| Ended::Ok(1),
        async |_: Cx<'_>| {
            turns(1).await;
            Ended::Ok(2)
        }
    ));
    assert!(poll_with(both.as_mut(), &waker).is_pending());
    assert_eq!(root.attached(), 1);
    assert_eq!(poll_with(both.as_mut(), &waker), Poll::Ready(Ok((1, 2))));
    assert_eq!(root.attached(), 0);
}
