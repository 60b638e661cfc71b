//! j01 to j06, and j07, j08, j10 for children in place: structured concurrency.

use core::future::{Future, pending, ready};
use core::pin::pin;
use core::task::{Poll, Waker};

use super::super::subject::Cx;
use super::super::subject::cancel::{Cancelled, Kind};
use super::super::subject::join::{AsCancelled, JoinError, Raced, Stopped};
use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::{counter, slot};
use super::scope::{StaticRoot, code, root};
use crate::kit::{TestWaker, poll_once, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine join:
    j01_both_values_in_order,
    j01_clean_up_is_over_before_the_error_comes_out,
    j01_later_errors_are_counted_and_collected,
    j02_cancelled_before_nothing_is_polled,
    j02_cancelled_meanwhile_both_clean_up_and_the_reason_comes_out,
    j02_values_of_those_that_finish_in_spite_of_it,
    j03_nothing_is_left_attached_however_it_ends,
    j03_cancels_at_any_moment_leave_nothing,
    j04_race_gives_the_first_to_settle,
    j04_combine_keeps_what_losers_finished_with,
    j04_first_gives_a_value_or_all_errors,
    j04_settle_lets_everybody_finish,
    j05_siblings_of_a_panicking_child_are_drained needs UNWIND,
    j06_own_cancel_is_filtered,
    j06_unexplained_cancelled_is_an_error,
    j06_error_and_outer_cancel_are_both_seen,
    j07_children_in_place_may_borrow,
    j08_dropped_half_way_children_are_dropped_inside_first,
    j10_forgotten_children_do_no_harm needs ALLOC STD,
}

/// What the children fail with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
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

type Got<T = ()> = Result<T, Fault>;

/// Digits, in the order in which they were noted.
#[derive(Clone, Copy)]
struct Log(&'static AtomicUsize);

impl Log {
    fn note(self, digit: usize) {
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |digits| {
                Some(digits * 10 + digit)
            });
    }

    fn read(self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Notes its drop.
struct Gone(Log, usize);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

async fn yields(turns: usize) {
    for _ in 0..turns {
        yield_now().await;
    }
}

/// Polls a future that must go on.
macro_rules! pending {
    ($future:ident) => {
        assert!(poll_once($future.as_mut(), Waker::noop()).is_pending())
    };
}

/// Polls a future that must be over.
macro_rules! over {
    ($future:ident) => {
        match poll_once($future.as_mut(), Waker::noop()) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("still going on"),
        }
    };
}

async fn j01_both_values_in_order<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let both = root
        .cx()
        .concurrently(
            async {
                yields(3).await;
                Got::Ok('a')
            },
            async |cx: Cx<'_>| {
                cx.guard(yield_now()).await?;
                Got::Ok(2)
            },
        )
        .await;
    assert_eq!(both, Ok(('a', 2)));
    let all = [5, 3, 1].map(|turns| {
        async move |cx: Cx<'_>| {
            cx.guard(yields(turns)).await?;
            Got::Ok(turns)
        }
    });
    assert_eq!(root.cx().all(all).await, Ok([5, 3, 1]));
    assert_eq!(root.attached(), 0);
    Verdict::Pass
}

async fn j01_clean_up_is_over_before_the_error_comes_out<R: Runtime>(rt: R) -> Verdict {
    let (root, log) = (root(rt), Log(counter(rt)));
    let task = rt.spawn(async move {
        let error = root
            .cx()
            .all((
                async |cx: Cx<'_>| {
                    let _gone = Gone(log, 3);
                    let ended = cx.guard(pending::<()>()).await;
                    // Longer than the one that failed.
                    yields(20).await;
                    log.note(2);
                    Got::Ok(ended?)
                },
                async {
                    let _gone = Gone(log, 1);
                    pending::<Got>().await
                },
                async {
                    yields(2).await;
                    Got::<()>::Err(Fault::Own(1))
                },
            ))
            .await
            .unwrap_err();
        log.note(4);
        assert_eq!((error.first(), error.later()), (Some(&Fault::Own(1)), 0));
    });
    assert_eq!(task.join().await, Ended::Finished);
    assert_eq!((log.read(), root.attached()), (1234, 0));
    assert!(!root.is_cancelled());
    Verdict::Pass
}

async fn j01_later_errors_are_counted_and_collected<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let fails = [2, 0, 3, 1].map(|turns: u8| {
        async move |cx: Cx<'_>| {
            if turns > 0 {
                cx.cancelled().await;
                yields(turns.into()).await;
            } else {
                yield_now().await;
            }
            Got::<()>::Err(Fault::Own(turns))
        }
    });
    let own = |turns| Some(Fault::Own(turns));
    match root.cx().all(fails).collecting([None; 2]).await {
        Err(JoinError::Failed(failed)) => {
            assert_eq!((Some(failed.first), failed.later), (own(0), 3));
            assert_eq!(failed.others, [own(1), own(2)], "what there is room for");
        }
        other => panic!("{other:?}"),
    }
    Verdict::Pass
}

async fn j02_cancelled_before_nothing_is_polled<R: Runtime>(rt: R) -> Verdict {
    let (root, log) = (root(rt), Log(counter(rt)));
    assert!(root.cancel(code(7)));
    let (one, two) = (Gone(log, 1), Gone(log, 2));
    let both = root
        .cx()
        .concurrently(
            async move {
                let _one = one;
                log.note(9);
                Got::Ok(())
            },
            async move |_: Cx<'_>| {
                let _two = two;
                log.note(9);
                Got::Ok(())
            },
        )
        .await;
    assert!(matches!(both, Err(JoinError::Cancelled(why)) if why.reason() == code(7)));
    assert_eq!((log.read(), root.attached()), (12, 0));
    Verdict::Pass
}

async fn j02_cancelled_meanwhile_both_clean_up_and_the_reason_comes_out<R: Runtime>(
    rt: R,
) -> Verdict {
    let (root, log) = (root(rt), Log(counter(rt)));
    let task = rt.spawn(async move {
        let both = root
            .cx()
            .concurrently(
                async {
                    let _gone = Gone(log, 1);
                    pending::<Got>().await
                },
                async |cx: Cx<'_>| {
                    log.note(5);
                    let ended = cx.guard(pending::<Got>()).await;
                    yields(5).await;
                    log.note(2);
                    ended?
                },
            )
            .await;
        log.note(3);
        assert!(matches!(both, Err(JoinError::Cancelled(why)) if why.reason() == code(7)));
    });
    let canceller = rt.spawn(async move {
        while log.read() == 0 {
            yield_now().await;
        }
        assert!(root.cancel(code(7)));
    });
    assert_eq!(canceller.join().await, Ended::Finished);
    assert_eq!(task.join().await, Ended::Finished);
    assert_eq!((log.read(), root.attached()), (5123, 0));
    Verdict::Pass
}

async fn j02_values_of_those_that_finish_in_spite_of_it<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let mut both = pin!(root.cx().concurrently(
        async {
            yield_now().await;
            Got::Ok(1)
        },
        async |_: Cx<'_>| {
            yields(2).await;
            Got::Ok(2)
        },
    ));
    pending!(both);
    assert!(root.cancel(code(7)));
    pending!(both);
    assert_eq!(over!(both), Ok((1, 2)));
    assert!(root.cx().check().is_err(), "the next checkpoint");
    // A grant that is there when the cancel comes is taken.
    let (root, slot) = (self::root(rt), slot(rt));
    let held = slot.try_claim().expect("free");
    let mut both = pin!(root.cx().concurrently(
        async { Got::Ok(slot.claim().await.expect("open")) },
        async |_: Cx<'_>| Got::Ok(()),
    ));
    pending!(both);
    held.release();
    assert!(root.cancel(code(7)));
    let Ok((claim, ())) = over!(both) else {
        panic!("both had finished");
    };
    claim.release();
    Verdict::Pass
}

async fn j03_nothing_is_left_attached_however_it_ends<R: Runtime>(rt: R) -> Verdict {
    for how in 0..4 {
        let root = root(rt);
        let waker = rt.put(TestWaker::new());
        {
            let mut both = pin!(root.cx().concurrently(
                async |cx: Cx<'_>| {
                    cx.within(async |cx| cx.guard(yields(2)).await)
                        .await
                        .map_err(Fault::Cancelled)
                },
                async |cx: Cx<'_>| {
                    cx.guard(yield_now()).await?;
                    if how == 1 {
                        Err(Fault::Own(1))
                    } else {
                        Got::Ok(())
                    }
                },
            ));
            assert!(poll_once(both.as_mut(), &waker.waker()).is_pending());
            assert_eq!(root.attached(), 3);
            if how == 2 {
                assert!(root.cancel(code(1)));
            }
            if how < 3 {
                let ended = loop {
                    if let Poll::Ready(ended) = poll_once(both.as_mut(), &waker.waker()) {
                        break ended;
                    }
                };
                assert_eq!(ended.is_ok(), how == 0);
                // Not even while the future is there still.
                assert_eq!((root.attached(), waker.live()), (0, 0));
            }
        }
        assert_eq!((root.attached(), waker.live()), (0, 0));
    }
    Verdict::Pass
}

async fn j03_cancels_at_any_moment_leave_nothing<R: Runtime>(rt: R) -> Verdict {
    async fn work(root: StaticRoot, turns: usize) {
        let all = root
            .cx()
            .all((
                async |cx: Cx<'_>| {
                    cx.guard(yields(turns)).await?;
                    Got::Ok(())
                },
                async {
                    yields(turns).await;
                    Got::Ok(())
                },
                async |cx: Cx<'_>| {
                    let ended = cx.guard(yields(turns)).await;
                    yields(turns).await;
                    Got::Ok(ended?)
                },
            ))
            .await;
        // All of them or the cancel; there is no error.
        match all {
            Ok(((), (), ())) => {}
            Err(JoinError::Cancelled(why)) => assert_eq!(why.reason().code(), 1),
            Err(other) => panic!("{other:?}"),
        }
    }
    for turns in 0..rt.count(200).div_ceil(4) {
        let root = root(rt);
        let tasks = [1, 2, 3].map(|more| rt.spawn(work(root, turns % 7 + more)));
        let canceller = rt.spawn(async move {
            yields(turns % 5).await;
            assert!(root.cancel(code(1)));
        });
        for task in tasks {
            assert_eq!(task.join().await, Ended::Finished);
        }
        assert_eq!(canceller.join().await, Ended::Finished);
        assert_eq!(root.attached(), 0);
    }
    Verdict::Pass
}

async fn j04_race_gives_the_first_to_settle<R: Runtime>(rt: R) -> Verdict {
    let (root, log) = (root(rt), Log(counter(rt)));
    let loses = || {
        async |cx: Cx<'_>| {
            let ended = cx.guard(pending::<()>()).await;
            yields(3).await;
            log.note(1);
            ended?;
            Got::Ok(0)
        }
    };
    let race = root.cx().race((
        loses(),
        async {
            yields(3).await;
            Got::Ok(9)
        },
        loses(),
    ));
    assert_eq!(race.await, Ok(9));
    assert_eq!((log.read(), root.attached()), (11, 0));
    let race = root.cx().race((
        async |cx: Cx<'_>| {
            cx.cancelled().await;
            Got::<()>::Err(Fault::Own(2))
        },
        async {
            yield_now().await;
            Got::Err(Fault::Own(1))
        },
    ));
    let error = race.await.unwrap_err();
    assert_eq!((error.first(), error.later()), (Some(&Fault::Own(1)), 1));
    Verdict::Pass
}

async fn j04_combine_keeps_what_losers_finished_with<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let Raced { winner, outcomes } = root
        .cx()
        .race((
            async |cx: Cx<'_>| {
                cx.cancelled().await;
                yield_now().await;
                Got::Ok("in spite of it")
            },
            async {
                yields(2).await;
                Got::Ok(1)
            },
            async |cx: Cx<'_>| {
                cx.cancelled().await;
                Got::<()>::Err(Fault::Own(3))
            },
            pending::<Got>(),
        ))
        .combine()
        .await;
    assert_eq!(
        (winner, outcomes.0, outcomes.1),
        (Some(1), Ok("in spite of it"), Ok(1))
    );
    assert_eq!(outcomes.2, Err(Stopped::Failed(Fault::Own(3))));
    assert!(
        matches!(outcomes.3, Err(Stopped::Cancelled(why)) if why.reason().kind() == Kind::Sibling)
    );
    Verdict::Pass
}

async fn j04_first_gives_a_value_or_all_errors<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let fails = |turns: u8| async move {
        yields(turns.into()).await;
        Got::<u8>::Err(Fault::Own(turns))
    };
    let first = root.cx().first((fails(0), fails(1), async |cx: Cx<'_>| {
        cx.guard(yields(2)).await?;
        Got::Ok(7)
    }));
    assert_eq!(first.await, Ok(7));
    match root.cx().first([fails(1), fails(0), fails(2)]).await {
        Err(JoinError::Failed(failed)) => {
            assert_eq!((failed.first, failed.later), (Fault::Own(0), 2));
            let own = |turns| Some(Fault::Own(turns));
            assert_eq!(failed.others, [own(1), own(2), None]);
        }
        other => panic!("{other:?}"),
    }
    Verdict::Pass
}

async fn j04_settle_lets_everybody_finish<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let settled = root.cx().settle((
        ready(Got::<()>::Err(Fault::Own(1))),
        async |cx: Cx<'_>| {
            cx.guard(yields(5)).await?;
            Got::Ok("fine")
        },
        async {
            yields(2).await;
            Got::Ok(3)
        },
    ));
    let expected = (Err(Stopped::Failed(Fault::Own(1))), Ok("fine"), Ok(3));
    assert_eq!(settled.await, expected);
    let mut settled = pin!(root.cx().settle((
        async |cx: Cx<'_>| cx.guard(pending::<Got>()).await?,
        pending::<Got>(),
        async |_: Cx<'_>| {
            yields(1).await;
            Got::Ok(1)
        },
    )));
    pending!(settled);
    assert!(root.cancel(code(4)));
    let (one, two, three) = over!(settled);
    let cut = |ended: Got| matches!(ended, Err(Fault::Cancelled(why)) if why.reason().code() == 4);
    let stopped = |ended: Result<(), Stopped<Fault>>| match ended {
        Err(Stopped::Cancelled(why)) => cut(Err(Fault::Cancelled(why))),
        _ => false,
    };
    assert!(stopped(one) && stopped(two));
    assert_eq!(three, Ok(1));
    Verdict::Pass
}

async fn j05_siblings_of_a_panicking_child_are_drained<R: Runtime>(rt: R) -> Verdict {
    let (root, log) = (root(rt), Log(counter(rt)));
    let task = rt.spawn(async move {
        let _gone = Gone(log, 4);
        let all = root
            .cx()
            .all((
                async |cx: Cx<'_>| {
                    let why = cx.guard(pending::<()>()).await.unwrap_err();
                    assert_eq!(why.reason().kind(), Kind::Panic);
                    yields(5).await;
                    log.note(2);
                    Got::Ok(())
                },
                async {
                    yields(2).await;
                    if log.read() == 0 {
                        panic!("a child of the case");
                    }
                    Got::Ok(())
                },
                async |cx: Cx<'_>| {
                    cx.cancelled().await;
                    log.note(1);
                    if log.read() > 0 {
                        panic!("another child of the case");
                    }
                    Got::Ok(())
                },
            ))
            .await;
        log.note(9);
        assert!(all.is_ok());
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!((log.read(), root.attached()), (124, 0));
    Verdict::Pass
}

async fn j06_own_cancel_is_filtered<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let loses = || async |cx: Cx<'_>| cx.guard(pending::<Got>()).await?;
    let all = root.cx().all((loses(), loses(), async {
        yield_now().await;
        Got::<()>::Err(Fault::Own(1))
    }));
    let error = all.await.unwrap_err();
    assert_eq!((error.first(), error.later()), (Some(&Fault::Own(1)), 0));
    assert_eq!(error.cancelled(), None);
    // As deep as it goes.
    let nested = root.cx().concurrently(
        async |cx: Cx<'_>| {
            let inner = cx.concurrently(loses(), loses()).await;
            inner.map(drop).map_err(JoinError::into_error)
        },
        async {
            yield_now().await;
            Got::<()>::Err(Fault::Own(1))
        },
    );
    let error = nested.await.unwrap_err();
    assert_eq!((error.first(), error.later()), (Some(&Fault::Own(1)), 0));
    Verdict::Pass
}

async fn j06_unexplained_cancelled_is_an_error<R: Runtime>(rt: R) -> Verdict {
    let (root, other) = (root(rt), root(rt));
    assert!(other.cancel(code(9)));
    let stranger = Fault::Cancelled(other.cx().check().expect_err("cancelled"));
    let both = root.cx().concurrently(
        async |cx: Cx<'_>| cx.guard(pending::<Got>()).await?,
        async |_: Cx<'_>| Got::<()>::Err(stranger),
    );
    let error = both.await.unwrap_err();
    assert_eq!((error.first(), error.cancelled()), (Some(&stranger), None));
    // Its own doing.
    let both = root.cx().concurrently(
        async |cx: Cx<'_>| {
            assert!(cx.cancel(code(5)));
            Got::Ok(cx.check()?)
        },
        ready(Got::Ok(())),
    );
    let error = both.await.unwrap_err();
    assert!(matches!(error.first(), Some(Fault::Cancelled(why)) if why.reason() == code(5)));
    Verdict::Pass
}

async fn j06_error_and_outer_cancel_are_both_seen<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let mut both = pin!(root.cx().concurrently(
        async |cx: Cx<'_>| {
            cx.cancelled().await;
            Got::<()>::Err(Fault::Own(1))
        },
        // By the outer scope itself.
        async { root.cx().guard(pending::<Got>()).await? },
    ));
    pending!(both);
    assert!(root.cancel(code(2)));
    match over!(both) {
        Err(JoinError::Failed(failed)) => {
            assert_eq!((failed.first, failed.later), (Fault::Own(1), 0));
            assert_eq!(failed.cancelled, Some(code(2)));
        }
        other => panic!("{other:?}"),
    }
    Verdict::Pass
}

async fn j07_children_in_place_may_borrow<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let task = rt.spawn(async move {
        let (mut written, read) = ([0u8; 4], [1, 2, 3]);
        let both = root
            .cx()
            .concurrently(
                async |cx: Cx<'_>| {
                    for byte in &mut written {
                        cx.guard(yield_now()).await?;
                        *byte += 1;
                    }
                    Got::Ok(())
                },
                async {
                    yields(3).await;
                    Got::Ok(&read[1..])
                },
            )
            .await;
        assert_eq!(both, Ok(((), &read[1..])));
        assert_eq!(written, [1; 4]);
    });
    assert_eq!(task.join().await, Ended::Finished);
    Verdict::Pass
}

async fn j08_dropped_half_way_children_are_dropped_inside_first<R: Runtime>(rt: R) -> Verdict {
    let (root, log) = (root(rt), Log(counter(rt)));
    {
        let mut both = pin!(root.cx().concurrently(
            async |cx: Cx<'_>| {
                let _gone = Gone(log, 2);
                let inner = cx.concurrently(
                    async |cx: Cx<'_>| {
                        let _gone = Gone(log, 1);
                        cx.guard(pending::<Got>()).await?
                    },
                    pending::<Got>(),
                );
                inner.await.map(drop).map_err(JoinError::into_error)
            },
            async {
                let _gone = Gone(log, 3);
                pending::<Got>().await
            },
        ));
        pending!(both);
        assert_eq!(root.attached(), 2);
    }
    assert_eq!((log.read(), root.attached()), (123, 0));
    assert!(root.cancel(code(1)));
    Verdict::Pass
}

on_hosts! {
async fn j10_forgotten_children_do_no_harm<R: Runtime>(rt: R) -> Verdict {
    use std::boxed::Box;

    fn forgotten<'s>(cx: Cx<'s>) -> impl Future + 's {
        cx.concurrently(
            async |cx: Cx<'_>| cx.within(async |cx| cx.guard(pending::<Got>()).await).await?,
            async |cx: Cx<'_>| cx.guard(pending::<Got>()).await?,
        )
    }
    let waker = rt.put(TestWaker::new());
    let root: super::super::subject::Root = super::super::subject::Root::new();
    {
        let outer = Box::pin(root.cx().child());
        let mut joined = Box::pin(forgotten(outer.as_ref().enter()));
        assert!(poll_once(joined.as_mut(), &waker.waker()).is_pending());
        core::mem::forget(joined);
    }
    let mut joined = Box::pin(forgotten(root.cx()));
    assert!(poll_once(joined.as_mut(), &waker.waker()).is_pending());
    core::mem::forget(joined);
    let moved = Box::new(root);
    assert_eq!(moved.attached(), 6);
    assert!(moved.cancel(code(1)));
    assert!(waker.wakes() > 0);
    Verdict::Pass
}
}
