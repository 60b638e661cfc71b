//! l01, l02, l04, l05: the line, its token, and waits that belong to one hold.

use portable_atomic::Ordering;

use super::super::subject::{AcquireOutcome, ForeignToken, Line, LineStatus, Outcome};
use super::parts::{ABANDONED, counter};
use super::travellers::{new_line, token, travellers, wait};
use crate::kit::yield_now;
use crate::{Ended, Runtime, Task, Verdict};

cases! { line:
    l01_acquires_at_once_or_gives_the_wait,
    l01_line_is_static_and_shared,
    l01_owned_token_moves_to_another_task needs ALLOC,
    l02_wait_belongs_to_its_hold,
    l02_waits_are_told_of_their_own_holds_among_tasks,
    l04_own_token_is_kept,
    l04_foreign_token_is_refused,
    l05_status_is_free_or_the_wait,
}

async fn l01_acquires_at_once_or_gives_the_wait<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let [one] = travellers(rt);
    let held = token(line);
    assert!(line.is_busy());
    one.enlist(wait(line));
    held.release();
    assert_eq!((one.waker.wakes(), one.told()), (1, Outcome::Done));
    // The waiter did not acquire it.
    assert!(!line.is_busy() && !line.has_waiters());
    // Code for the asynchronous seed still works.
    let outcome = line.try_acquire_token().await;
    assert!(outcome.is_success());
    Verdict::Pass
}

async fn l01_line_is_static_and_shared<R: Runtime>(rt: R) -> Verdict {
    static LINE: Line = Line::new();

    fn shared<T: Send + Sync>(_: &T) {}
    fn sent<T: Send>(_: &T) {}

    shared(&LINE);
    let held = token(&LINE);
    sent(&held);
    let end = wait(&LINE);
    sent(&end);
    let task = rt.spawn(async move {
        let held = held;
        yield_now().await;
        held.release();
    });
    assert_eq!(end.await, Outcome::Done);
    assert_eq!(task.join().await, Ended::Finished);
    assert!(!LINE.is_busy());
    Verdict::Pass
}

on_hosts! {
async fn l01_owned_token_moves_to_another_task<R: Runtime>(rt: R) -> Verdict {
    use super::super::subject::OwnedAcquireOutcome;
    use std::sync::Arc;

    let line: Arc<Line> = Arc::new(Line::new());
    let held = Line::try_acquire_token_owned(&line).success().expect("free");
    let OwnedAcquireOutcome::Failure(wait) = Line::try_acquire_token_owned(&line) else {
        panic!("busy");
    };
    let waiting = rt.spawn(async move { assert_eq!(wait.await, ABANDONED) });
    drop(line);
    let ending = rt.spawn(async move {
        yield_now().await;
        drop(held);
    });
    assert_eq!(waiting.join().await, Ended::Finished);
    assert_eq!(ending.join().await, Ended::Finished);
    Verdict::Pass
}
}

async fn l02_wait_belongs_to_its_hold<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let [queued, other] = travellers(rt);
    // Queued, and the line taken again before it is polled.
    let held = token(line);
    queued.enlist(wait(line));
    let (late, later) = (wait(line), wait(line));
    assert_eq!(late.generation(), held.generation());
    drop(held);
    let held = token(line);
    assert_eq!(queued.told(), ABANDONED);
    // Polled first when its hold is over, and the last one that ended.
    assert_eq!(late.await, ABANDONED);
    // Over for longer: how is no longer known.
    held.release();
    assert_eq!(later.clone().await, Outcome::Passed);
    let held = token(line);
    other.enlist(wait(line));
    assert_eq!(later.await, Outcome::Passed);
    assert!(other.wait.poll(&other.waker.waker()).is_pending());
    held.release();
    assert_eq!(other.told(), Outcome::Done);
    Verdict::Pass
}

async fn l02_waits_are_told_of_their_own_holds_among_tasks<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 4;
    let line = new_line(rt);
    let (inside, told) = (counter(rt), counter(rt));
    let rounds = rt.count(8_000) / TASKS;
    let tasks = [(); TASKS].map(|()| {
        rt.spawn(async move {
            for round in 0..rounds {
                match line.try_acquire_token() {
                    AcquireOutcome::Success(token) => {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two tokens");
                        yield_now().await;
                        // The first one stays until it was met, however the tasks are scheduled.
                        while told.load(Ordering::SeqCst) == 0 && !line.has_waiters() {
                            yield_now().await;
                        }
                        inside.fetch_sub(1, Ordering::SeqCst);
                        if round % 2 == 0 {
                            token.release();
                        }
                    }
                    AcquireOutcome::Failure(wait) => {
                        let outcome = wait.await;
                        assert!(
                            outcome.is_done() || outcome == ABANDONED || outcome == Outcome::Passed
                        );
                        told.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert!(told.load(Ordering::SeqCst) > 0, "nobody was told");
    assert!(!line.is_busy() && !line.has_waiters());
    Verdict::Pass
}

async fn l04_own_token_is_kept<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let [one] = travellers(rt);
    let mine = token(line);
    one.enlist(wait(line));
    let generation = mine.generation();
    let again = line.try_acquire_token().or_token(Some(mine));
    let mine = again.expect("of this line").success().expect("kept");
    assert_eq!(mine.generation(), generation);
    assert!(
        line.is_busy() && one.waker.wakes() == 0,
        "nothing was released"
    );
    // Without a token the answer stays as it is.
    let same = line
        .try_acquire_token()
        .or_token(None)
        .expect("no token, no foreigner");
    assert!(!same.is_success());
    drop(same);
    mine.release();
    assert_eq!(one.told(), Outcome::Done);
    let fresh = line.try_acquire_token().or_token(None).expect("as before");
    assert!(fresh.is_success());
    Verdict::Pass
}

async fn l04_foreign_token_is_refused<R: Runtime>(rt: R) -> Verdict {
    let (here, there) = (new_line(rt), new_line(rt));
    let [one, other] = travellers(rt);
    let (held, foreign) = (token(here), token(there));
    one.enlist(wait(here));
    other.enlist(wait(there));
    let (before, there_before) = (here.generation(), there.generation());
    let refused = here.try_acquire_token().or_token(Some(foreign));
    let ForeignToken {
        outcome,
        token: foreign,
    } = refused.expect_err("of another line");
    assert!(!outcome.is_success());
    assert!(here.is_busy() && there.is_busy());
    assert_eq!(
        (here.generation(), there.generation()),
        (before, there_before)
    );
    assert_eq!((one.waker.wakes(), other.waker.wakes()), (0, 0));
    drop(outcome);
    held.release();
    assert_eq!(one.told(), Outcome::Done);
    // A success is no excuse: the foreign token would have been released without a word.
    let refused = here.try_acquire_token().or_token(Some(foreign));
    let ForeignToken {
        outcome,
        token: foreign,
    } = refused.expect_err("of another line");
    assert!(outcome.is_success() && here.is_busy() && there.is_busy());
    assert_eq!(other.waker.wakes(), 0);
    drop(outcome);
    foreign.release();
    assert_eq!(other.told(), Outcome::Done);
    Verdict::Pass
}

async fn l05_status_is_free_or_the_wait<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let [one] = travellers(rt);
    assert!(line.status().is_free());
    let held = token(line);
    let LineStatus::Busy(wait) = line.status().await else {
        panic!("busy");
    };
    assert!(!line.has_waiters(), "asking enlists nobody");
    one.enlist(wait);
    held.release();
    assert_eq!(one.told(), Outcome::Done);
    assert!(line.status().is_free());
    Verdict::Pass
}
