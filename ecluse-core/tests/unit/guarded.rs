//! G1: body, hook, release, wakes: in that order, on every exit, each whatever the others do.

use std::{
    future::{pending, ready},
    pin::pin,
};

use ecluse_core::{Cause, Outcome, Slot};

#[cfg(feature = "std")]
use crate::kit::panic_of;
use crate::kit::{Diary, poll, poll_with, within};

/// A body whose destructor writes, and looks whether the slot is still claimed.
struct Body<'a, F>(F, #[expect(dead_code, reason = "for its drop")] Ends<'a>);

struct Ends<'a>(&'a Diary, &'a Slot);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0
            .note(format!("body, claimed: {}", self.1.is_claimed()));
    }
}

impl<F: Future + Unpin> Future for Body<'_, F> {
    type Output = F::Output;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<F::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx)
    }
}

type Answer = Result<u32, &'static str>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Exit {
    Success,
    Failure,
    #[cfg(feature = "std")]
    Panic,
    Dropped,
    NeverPolled,
    Sync,
}

fn exit(exit: Exit) {
    let slot = <Slot>::new();
    let diary = Diary::default();
    let claim = slot.try_claim().unwrap();
    let mut waiter = Box::pin(slot.claim());
    assert!(poll_with(waiter.as_mut(), &diary.waker("woken")).is_pending());
    let hook = |cause: Cause<'_, &'static str>| {
        diary.note(format!("{cause:?}, claimed: {}", slot.is_claimed()));
        assert!(poll(pin!(slot.claim())).is_pending());
    };
    let ends = Ends(&diary, &slot);
    let mut cause = None;
    match exit {
        Exit::Success => {
            let mut guard = pin!(claim.guard(Body(ready(Answer::Ok(1)), ends), hook));
            assert!(poll(guard.as_mut()).ready_and(|answer| answer == Ok(1)));
        }
        Exit::Failure => {
            let mut guard = pin!(claim.guard(Body(ready(Answer::Err("no")), ends), hook));
            assert!(poll(guard.as_mut()).ready_and(|answer| answer == Err("no")));
            cause = Some("Failed(\"no\")");
        }
        #[cfg(feature = "std")]
        Exit::Panic => {
            let body = std::future::poll_fn(|_| -> std::task::Poll<Answer> { panic!("body") });
            let mut guard = Box::pin(claim.guard(Body(body, ends), hook));
            assert_eq!(panic_of(|| poll(guard.as_mut())), "body");
            cause = Some("Panicked");
            // All of it is done before the broken future is dropped.
            assert_eq!(diary.entries().len(), 3);
            drop(guard);
        }
        Exit::Dropped => {
            let mut guard = Box::pin(claim.guard(Body(pending::<Answer>(), ends), hook));
            assert!(poll(guard.as_mut()).is_pending());
            assert!(diary.entries().is_empty());
            drop(guard);
            cause = Some("Dropped");
        }
        Exit::NeverPolled => {
            drop(claim.guard(Body(pending::<Answer>(), ends), hook));
            cause = Some("Dropped");
        }
        Exit::Sync => {
            let answer = claim.guard_sync(
                || {
                    drop(ends);
                    Answer::Err("no")
                },
                hook,
            );
            assert_eq!(answer, Err("no"));
            cause = Some("Failed(\"no\")");
        }
    }
    let mut expected = vec!["body, claimed: true".to_owned()];
    expected.extend(cause.map(|cause| format!("{cause}, claimed: true")));
    expected.push("woken".into());
    assert_eq!(diary.entries(), expected, "{exit:?}");
    let std::task::Poll::Ready(Ok(claim)) = poll(waiter.as_mut()) else {
        panic!("nobody else has it")
    };
    let inherited = claim.inherited().unwrap();
    assert_eq!(inherited.is_done(), exit == Exit::Success);
    #[cfg(feature = "std")]
    assert_eq!(inherited.by_panic(), exit == Exit::Panic);
    assert_ne!(inherited, Outcome::Closed);
}

trait ReadyAnd<T> {
    fn ready_and(self, is: impl FnOnce(T) -> bool) -> bool;
}

impl<T> ReadyAnd<T> for std::task::Poll<T> {
    fn ready_and(self, is: impl FnOnce(T) -> bool) -> bool {
        match self {
            std::task::Poll::Ready(value) => is(value),
            std::task::Poll::Pending => false,
        }
    }
}

#[test]
fn a_success_has_no_orphan() {
    within(|| exit(Exit::Success));
}

#[test]
fn an_error_is_told_to_the_hook() {
    within(|| exit(Exit::Failure));
    within(|| exit(Exit::Sync));
}

#[test]
#[cfg(feature = "std")]
fn a_panic_exits_at_once() {
    within(|| exit(Exit::Panic));
}

#[test]
fn a_drop_is_an_exit_polled_or_not() {
    within(|| exit(Exit::Dropped));
    within(|| exit(Exit::NeverPolled));
}

/// Each step is done even if an earlier one panicked; the body's panic wins over the hook's.
#[cfg(feature = "std")]
#[test]
fn a_panic_on_the_way_out_keeps_nothing_from_being_done() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("destructor");
            }
        }
    }
    within(|| {
        let slot = <Slot>::new();
        let diary = Diary::default();
        let hook = |cause: Cause<'_, ()>| {
            diary.note(format!("{cause:?}"));
            panic!("hook");
        };
        let body = || {
            let bad = Bad;
            async move {
                pending::<()>().await;
                drop(bad);
                Ok(())
            }
        };
        // Dropped: the body's destructor panics, then the hook does.
        let mut guard = Box::pin(slot.try_claim().unwrap().guard(body(), hook));
        assert!(poll(guard.as_mut()).is_pending());
        let text = panic_of(|| drop(guard));
        assert!(!slot.is_claimed());
        assert_eq!(text, "destructor");
        assert_eq!(diary.entries(), ["Dropped"]);
        // An error: the hook's panic is forgiven, the error is the answer.
        let mut guard = pin!(
            slot.try_claim()
                .unwrap()
                .guard(ready(Result::<(), ()>::Err(())), hook)
        );
        assert!(poll(guard.as_mut()).is_ready());
        assert!(!slot.is_claimed());
        // A panic: it goes on, not the hook's.
        let broken =
            std::future::poll_fn(|_| -> std::task::Poll<Result<(), ()>> { panic!("body") });
        let mut guard = pin!(slot.try_claim().unwrap().guard(broken, hook));
        assert_eq!(panic_of(|| poll(guard.as_mut())), "body");
        assert!(!slot.is_claimed());
        // Dropped with a calm body: the hook's panic is the only one.
        let guard = slot
            .try_claim()
            .unwrap()
            .guard(pending::<Result<(), ()>>(), hook);
        assert_eq!(panic_of(|| drop(guard)), "hook");
        assert!(!slot.is_claimed());
        // A destructor that panics after success is a panic of the body.
        struct Late(Bad);
        impl Future for Late {
            type Output = Result<(), ()>;
            fn poll(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Self::Output> {
                let _ = &self.0;
                std::task::Poll::Ready(Ok(()))
            }
        }
        let mut waiter = pin!(slot.claim());
        let mut guard = Box::pin(slot.try_claim().unwrap().guard(Late(Bad), hook));
        assert!(poll(waiter.as_mut()).is_pending());
        assert_eq!(panic_of(|| poll(guard.as_mut())), "destructor");
        let claim = crate::kit::ready(poll(waiter.as_mut())).unwrap();
        assert!(claim.inherited().is_some_and(Outcome::by_panic));
        assert_eq!(diary.entries().last().unwrap(), "Panicked");
    });
}

#[test]
fn a_guard_is_polled_to_its_end_once() {
    use futures_core::FusedFuture;
    let slot = <Slot>::new();
    let mut guard = Box::pin(
        slot.try_claim()
            .unwrap()
            .guard(ready(Answer::Ok(1)), |_| ()),
    );
    assert!(!guard.is_terminated());
    assert!(poll(guard.as_mut()).is_ready());
    assert!(guard.is_terminated());
    assert!(crate::kit::panic_of(|| poll(guard.as_mut()).is_ready()).contains("polled after"));
}

/// It is the body's end that counts, not what the thread is about that drops it.
#[test]
#[cfg(feature = "std")]
fn a_body_that_is_dropped_by_anothers_panic_has_not_panicked() {
    let slot = <Slot>::new();
    let claim = slot.try_claim().unwrap();
    let mut waiter = Box::pin(slot.claim());
    assert!(poll(waiter.as_mut()).is_pending());
    let mut run = Box::pin(claim.guard(pending::<Answer>(), |cause| {
        assert!(matches!(cause, Cause::Dropped));
    }));
    assert!(poll(run.as_mut()).is_pending());
    let another = panic_of(move || {
        let _run = run;
        panic!("of another");
    });
    assert_eq!(another, "of another");
    let std::task::Poll::Ready(Ok(claim)) = poll(waiter.as_mut()) else {
        panic!("nobody else has it")
    };
    assert_eq!(
        claim.inherited(),
        Some(Outcome::Abandoned { by_panic: false })
    );
}
