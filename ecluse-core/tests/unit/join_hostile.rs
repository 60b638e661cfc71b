//! Joined children that cancel their own scopes, or the outer one; wakers that come back; futures
//! that are never dropped: j10.

use std::{
    cell::Cell,
    future::{Future, pending, ready},
    mem::forget,
    pin::pin,
    task::Context,
};

use ecluse_core::{
    Cx, Root,
    cancel::Kind,
    join::{JoinError, Stopped},
};

use crate::{
    join_walks::{Ended, Fault, turns},
    kit::{Callback, Striker, Wakes, poll, poll_with, ready as over},
};

#[test]
fn a_child_cancels_its_own_scope() {
    let root = <Root>::new();
    // Its own alone; and what it makes of that is its own affair.
    let both = root.cx().concurrently(
        async |cx: Cx<'_>| {
            assert!(cx.cancel(Kind::Limit));
            Ended::Ok(cx.check().is_err())
        },
        async |cx: Cx<'_>| Ended::Ok(cx.check().is_ok()),
    );
    assert_eq!(over(poll(pin!(both))), Ok((true, true)));
    // Nobody else did, so it is an error.
    let both = root.cx().concurrently(
        async |cx: Cx<'_>| {
            cx.cancel(Kind::Limit);
            cx.check()?;
            Ended::Ok(())
        },
        ready(Ended::Ok(())),
    );
    let error = over(poll(pin!(both))).unwrap_err();
    assert!(
        matches!(error.first(), Some(Fault::Cancelled(own)) if own.reason().kind() == Kind::Limit)
    );
}

#[test]
fn a_child_cancels_the_outer_scope() {
    let root = <Root>::new();
    let begun = Cell::new(false);
    let all = root.cx().all((
        async |cx: Cx<'_>| {
            assert!(cx.check().is_ok());
            root.cancel(Kind::Shutdown);
            cx.check()?;
            Ended::Ok(())
        },
        async |_: Cx<'_>| {
            begun.set(true);
            Ended::Ok(())
        },
        ready(Ended::Ok(())),
    ));
    let error = over(poll(pin!(all))).unwrap_err();
    assert!(matches!(error, JoinError::Cancelled(why) if why.reason().kind() == Kind::Shutdown));
    assert!(!begun.get());
    // By force, before and after the poll of another one: each has one in which to see it.
    let root = <Root>::new();
    let seen = Cell::new(0);
    let sees = || {
        async |cx: Cx<'_>| {
            cx.forced().await;
            seen.set(seen.get() + 1);
            Ended::Ok(())
        }
    };
    let mut settled = pin!(root.cx().settle((
        sees(),
        async |_: Cx<'_>| {
            turns(1).await;
            root.force(Kind::Shutdown);
            Ended::Ok(())
        },
        sees(),
    )));
    assert!(poll(settled.as_mut()).is_pending());
    assert_eq!(over(poll(settled)), (Ok(()), Ok(()), Ok(())));
    assert_eq!(seen.get(), 2);
    // One that does not hear has that poll, too, and is dropped.
    let root = <Root>::new();
    let mut settled = pin!(root.cx().settle((
        async |_: Cx<'_>| {
            turns(1).await;
            root.force(Kind::Shutdown);
            Ended::Ok(1)
        },
        async |_: Cx<'_>| pending::<Ended>().await,
    )));
    assert!(poll(settled.as_mut()).is_pending());
    let (one, two) = over(poll(settled));
    assert_eq!(one, Ok(1));
    assert!(matches!(two, Err(Stopped::Cancelled(why)) if why.reason().is_forced()));
}

#[test]
fn j10_a_forgotten_one_does_no_harm() {
    let (wakes, waker) = Wakes::new();
    let root = Box::new(<Root>::new());
    {
        let outer = Box::pin(root.cx().child());
        let cx = outer.as_ref().enter();
        let mut joined = Box::pin(cx.concurrently(
            async |cx: Cx<'_>| {
                cx.within(async |cx| cx.guard(pending::<Ended>()).await)
                    .await?
            },
            pending::<Ended>(),
        ));
        assert!(poll_with(joined.as_mut(), &waker).is_pending());
        forget(joined);
        // Directly below the root, too, which moves.
        let mut joined = Box::pin(root.cx().race((
            async |cx: Cx<'_>| cx.guard(pending::<Ended>()).await?,
            pending(),
        )));
        assert!(poll_with(joined.as_mut(), &waker).is_pending());
        forget(joined);
    }
    let moved = *root;
    assert_eq!(moved.attached(), 3);
    assert!(moved.cancel(Kind::Shutdown));
    assert!(wakes.count() >= 1);
}

#[test]
fn wakers_come_back_into_the_tree() {
    for callback in Callback::ALL {
        let root: &'static Root = Box::leak(Box::default());
        let striker = Striker::new(callback, move || {
            root.cancel(Kind::Shutdown);
            let scope = pin!(root.cx().child());
            assert!(scope.as_ref().enter().check().is_err());
            assert!(root.attached() >= 1);
        });
        {
            let waker = striker.waker();
            let mut cx = Context::from_waker(&waker);
            let mut both = pin!(root.cx().concurrently(
                async |cx: Cx<'_>| {
                    let ended = cx.guard(pending::<Ended>()).await;
                    turns(1).await;
                    ended?
                },
                async {
                    turns(3).await;
                    Ended::<()>::Err(Fault::Own(1))
                },
            ));
            let ended = (0..8).find_map(|_| match both.as_mut().poll(&mut cx) {
                std::task::Poll::Ready(ended) => Some(ended),
                std::task::Poll::Pending => None,
            });
            // Whichever came first: the error, or the outer cancel.
            let error = ended.expect("it ends").unwrap_err();
            assert!(error.first() == Some(&Fault::Own(1)) || error.cancelled().is_some());
        }
        assert_eq!((root.attached(), striker.live()), (0, 0));
    }
}

#[test]
fn what_is_printed() {
    let root = <Root>::new();
    root.cancel(Kind::Shutdown);
    let none: Result<_, JoinError<std::io::Error>> = over(poll(pin!(
        root.cx().all([pending::<std::io::Result<()>>()])
    )));
    let cancelled = none.unwrap_err();
    assert_eq!(cancelled.to_string(), "ended by a cancel from outside");
    let source = std::error::Error::source(&cancelled).expect("why");
    assert_eq!(source.to_string(), "cancelled: shutting down");
    let root = <Root>::new();
    let fails = |text| ready(Err::<(), _>(std::io::Error::other(text)));
    let failed = over(poll(pin!(root.cx().first([
        fails("a"),
        fails("b"),
        fails("c")
    ]))));
    assert_eq!(failed.unwrap_err().to_string(), "a (and 2 errors more)");
    let joining = root.cx().concurrently(fails("a"), fails("b"));
    assert!(format!("{joining:?}").contains("over: false"));
}
