//! l01–l06: the line, its token, and waits that belong to one hold.

use portable_atomic::{AtomicUsize, Ordering};

use super::super::subject::line::HoldEnd;
use super::super::subject::{
    AcquireIf, AcquireOutcome, ForeignToken, Line, LineStatus, Outcome, Token,
};
use super::parts::{ABANDONED, PANICKED, counter};
use crate::kit::{Parked, TestWaker, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { line:
    l01_acquires_at_once_or_gives_the_wait,
    l01_line_is_static_and_shared,
    l01_owned_token_moves_to_another_task needs ALLOC,
    l02_wait_belongs_to_its_hold,
    l02_waits_are_told_of_their_own_holds_among_tasks,
    l03_waiters_learn_how_it_ended,
    l03_waiters_of_a_panicked_hold_are_told needs UNWIND STD,
    l03_re_election_prompts_one,
    l03_closed_line_gives_no_token,
    l04_own_token_is_kept,
    l04_foreign_token_is_refused,
    l05_status_is_free_or_the_wait,
    l06_late_refusal_does_not_renew_again,
    l06_abandoned_hold_is_not_done,
    l06_seed_consumers_renew_one_at_a_time,
    l06_consumers_with_generations_renew_once,
}

type StaticLine = &'static Line;

fn new_line<R: Runtime>(rt: R) -> StaticLine {
    rt.put(Line::new())
}

#[track_caller]
fn token(line: StaticLine) -> Token<'static> {
    line.try_acquire_token()
        .success()
        .expect("the line is free")
}

#[track_caller]
fn wait(line: StaticLine) -> HoldEnd<StaticLine> {
    match line.try_acquire_token() {
        AcquireOutcome::Success(_) => panic!("expected the line to be busy"),
        AcquireOutcome::Failure(wait) => wait,
    }
}

/// One who waits for the end of a hold, polled by hand.
struct Traveller {
    wait: Parked<HoldEnd<StaticLine>>,
    waker: TestWaker,
}

impl Traveller {
    const fn new() -> Self {
        Self {
            wait: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    #[track_caller]
    fn enlist(&'static self, wait: HoldEnd<StaticLine>) {
        self.wait.park(wait);
        self.wait.pending(&self.waker.waker());
    }

    #[track_caller]
    fn told(&'static self) -> Outcome {
        let told = self.wait.ready();
        self.wait.leave();
        told
    }
}

fn travellers<R: Runtime, const N: usize>(rt: R) -> &'static [Traveller; N] {
    rt.put([const { Traveller::new() }; N])
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
    assert!(told.load(Ordering::SeqCst) > 0, "nobody ever met another");
    assert!(!line.is_busy() && !line.has_waiters());
    Verdict::Pass
}

async fn l03_waiters_learn_how_it_ended<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let queue: &[_; 20] = travellers(rt);
    for outcome in [Outcome::Done, ABANDONED] {
        let held = token(line);
        queue.iter().for_each(|one| one.enlist(wait(line)));
        queue[3].wait.leave();
        if outcome.is_done() {
            held.release();
        } else {
            drop(held);
        }
        assert!(!line.is_busy(), "free before they wake");
        for (i, one) in queue.iter().enumerate() {
            if i != 3 {
                assert_eq!(one.told(), outcome);
            }
            assert_eq!(one.waker.live(), 0);
        }
    }
    assert!(
        queue
            .iter()
            .enumerate()
            .all(|(i, one)| one.waker.wakes() == if i == 3 { 0 } else { 2 })
    );
    Verdict::Pass
}

async fn l03_waiters_of_a_panicked_hold_are_told<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let [one] = travellers(rt);
    let task = rt.spawn(async move {
        let _held = token(line);
        one.enlist(wait(line));
        panic!("on purpose");
    });
    assert_eq!(task.join().await, Ended::Panicked);
    assert_eq!(one.told(), PANICKED);
    assert!(!line.is_busy());
    Verdict::Pass
}

async fn l03_re_election_prompts_one<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 6;
    let line = new_line(rt);
    let held = token(line);
    let (waiting, prompts, served) = (counter(rt), counter(rt), counter(rt));
    let tasks = [(); TASKS].map(|()| {
        let mut wait = wait(line);
        rt.spawn(async move {
            waiting.fetch_add(1, Ordering::SeqCst);
            loop {
                let seen = wait.generation();
                match wait.await {
                    Outcome::Abandoned { .. } => match line.acquire_if(seen) {
                        AcquireIf::Success(token) => {
                            prompts.fetch_add(1, Ordering::SeqCst);
                            yield_now().await;
                            token.release();
                            break;
                        }
                        AcquireIf::Failure(again) => wait = again,
                        AcquireIf::Outdated => break,
                    },
                    Outcome::Done | Outcome::Passed => break,
                    _ => panic!("nobody closes it"),
                }
            }
            served.fetch_add(1, Ordering::SeqCst);
        })
    });
    crate::kit::eventually(rt, "all wait", || waiting.load(Ordering::SeqCst) == TASKS).await;
    drop(held);
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(prompts.load(Ordering::SeqCst), 1, "n prompts become one");
    assert_eq!(served.load(Ordering::SeqCst), TASKS);
    Verdict::Pass
}

async fn l03_closed_line_gives_no_token<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let queue: &[_; 3] = travellers(rt);
    let held = token(line);
    queue.iter().for_each(|one| one.enlist(wait(line)));
    assert!(line.close() && !line.close());
    assert!(line.is_closed() && line.is_busy());
    for one in queue {
        assert_eq!((one.waker.wakes(), one.told()), (1, Outcome::Closed));
    }
    assert_eq!(wait(line).await, Outcome::Closed);
    held.release();
    assert!(!line.is_busy());
    assert_eq!(wait(line).await, Outcome::Closed);
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

async fn l06_late_refusal_does_not_renew_again<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let [one] = travellers(rt);
    // Two requests go out with the credential of this generation; the first refusal renews it.
    let seen = line.generation();
    let AcquireIf::Success(held) = line.acquire_if(seen) else {
        panic!("free, and nothing done since");
    };
    // The second refusal comes while it is being renewed …
    let AcquireIf::Failure(wait) = line.acquire_if(seen) else {
        panic!("somebody is at it");
    };
    one.enlist(wait);
    held.release();
    assert_eq!(one.told(), Outcome::Done);
    // … or late: it was done since.
    assert!(matches!(line.acquire_if(seen), AcquireIf::Outdated));
    // While the next renewal runs, too.
    let fresh = line.generation();
    assert_ne!(fresh, seen);
    let AcquireIf::Success(held) = line.acquire_if(fresh) else {
        panic!("free, and nothing done since");
    };
    assert!(matches!(line.acquire_if(seen), AcquireIf::Outdated));
    held.release();
    assert!(!line.is_busy());
    Verdict::Pass
}

async fn l06_abandoned_hold_is_not_done<R: Runtime>(rt: R) -> Verdict {
    let line = new_line(rt);
    let seen = line.generation();
    drop(token(line));
    let AcquireIf::Success(held) = line.acquire_if(seen) else {
        panic!("the work was not done");
    };
    held.release();
    assert!(matches!(line.acquire_if(seen), AcquireIf::Outdated));
    Verdict::Pass
}

/// A server that takes only the newest credential, and the requests that meet it.
struct Server {
    valid: AtomicUsize,
    credential: AtomicUsize,
    renewing: AtomicUsize,
    renewals: AtomicUsize,
    answered: AtomicUsize,
}

impl Server {
    /// The credential that everybody has is not valid.
    const fn new() -> Self {
        Self {
            valid: AtomicUsize::new(1),
            credential: AtomicUsize::new(0),
            renewing: AtomicUsize::new(0),
            renewals: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
        }
    }

    /// Sends a request, with the credential of this moment.
    async fn send(&self) -> Result<(), ()> {
        let with = self.credential.load(Ordering::SeqCst);
        yield_now().await;
        yield_now().await;
        (with == self.valid.load(Ordering::SeqCst))
            .then_some(())
            .ok_or(())
    }

    /// Renews the credential; nobody else may be at it. The first attempt fails.
    async fn renew(&self, held: Token<'static>) {
        assert_eq!(
            self.renewing.fetch_add(1, Ordering::SeqCst),
            0,
            "two renewals"
        );
        yield_now().await;
        let attempt = self.renewals.fetch_add(1, Ordering::SeqCst);
        assert_eq!(self.renewing.fetch_sub(1, Ordering::SeqCst), 1);
        if attempt == 0 {
            drop(held);
        } else {
            self.credential.store(1, Ordering::SeqCst);
            held.release();
        }
    }
}

const REQUESTS: usize = 8;

async fn l06_seed_consumers_renew_one_at_a_time<R: Runtime>(rt: R) -> Verdict {
    let (line, server) = (new_line(rt), rt.put(Server::new()));
    let tasks = [(); REQUESTS].map(|()| {
        rt.spawn(async move {
            loop {
                // The seed's loop: gate at entry while busy, send, on a refusal acquire or wait, retry.
                while let LineStatus::Busy(wait) = line.status() {
                    wait.await;
                }
                if server.send().await.is_ok() {
                    break;
                }
                match line.try_acquire_token() {
                    AcquireOutcome::Success(held) => server.renew(held).await,
                    AcquireOutcome::Failure(wait) => {
                        wait.await;
                    }
                }
            }
            server.answered.fetch_add(1, Ordering::SeqCst);
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(server.answered.load(Ordering::SeqCst), REQUESTS);
    // Late refusals may renew once more: that is what generations are for.
    let renewals = server.renewals.load(Ordering::SeqCst);
    assert!(
        (2..=1 + REQUESTS).contains(&renewals),
        "{renewals} renewals"
    );
    assert!(!line.is_busy() && !line.has_waiters());
    Verdict::Pass
}

async fn l06_consumers_with_generations_renew_once<R: Runtime>(rt: R) -> Verdict {
    let (line, server) = (new_line(rt), rt.put(Server::new()));
    let tasks = [(); REQUESTS].map(|()| {
        rt.spawn(async move {
            loop {
                while let LineStatus::Busy(wait) = line.status() {
                    wait.await;
                }
                let seen = line.generation();
                if server.send().await.is_ok() {
                    break;
                }
                match line.acquire_if(seen) {
                    AcquireIf::Success(held) => server.renew(held).await,
                    AcquireIf::Failure(wait) => {
                        wait.await;
                    }
                    AcquireIf::Outdated => {}
                }
            }
            server.answered.fetch_add(1, Ordering::SeqCst);
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(server.answered.load(Ordering::SeqCst), REQUESTS);
    let renewals = server.renewals.load(Ordering::SeqCst);
    assert_eq!(renewals, 2, "one that failed, and one for all");
    Verdict::Pass
}
