//! l03, l06: how a hold ended, who goes on, and requests that share a credential.

use portable_atomic::{AtomicUsize, Ordering};

use super::super::subject::{AcquireIf, AcquireOutcome, LineStatus, Outcome, Token};
use super::parts::{ABANDONED, PANICKED, counter};
use super::travellers::{new_line, token, travellers, wait};
use crate::kit::{eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { election:
    l03_waiters_learn_how_it_ended,
    l03_waiters_of_a_panicked_hold_are_told needs UNWIND STD,
    l03_re_election_prompts_one,
    l03_closed_line_gives_no_token,
    l06_late_refusal_does_not_renew_again,
    l06_abandoned_hold_is_not_done,
    l06_seed_consumers_renew_one_at_a_time,
    l06_consumers_with_generations_renew_once,
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
    eventually(rt, "all wait", || waiting.load(Ordering::SeqCst) == TASKS).await;
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
