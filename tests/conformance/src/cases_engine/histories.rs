//! w04: free-running stress. Each event has a number that was given under its object's lock; in the order of the numbers the events
//! must be a history that such an object can have.

use core::future::poll_fn;
use core::task::Poll;

use super::super::subject::claim::Policy;
use super::super::subject::{Handoff, ListLock, Revocable};
use ecluse_core::line::Acquire;
use ecluse_core::{Line, Slot};

use crate::kit::{History, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine histories:
    w04_free_running_slot_has_a_legal_history,
    w04_free_running_revocable_slot_has_a_legal_history,
    w04_free_running_line_has_a_legal_history,
}

/// How many events of a free run are kept.
const EVENTS: usize = 8192;

const TASKS: usize = 4;

/// Waits, and goes in one of several ways; `turn` says which.
async fn visit<P: Policy>(slot: &'static Slot<P, ListLock, History<EVENTS>>, turn: usize) {
    let mut wait = core::pin::pin!(slot.claim());
    match turn % 5 {
        // Leaves the queue, or passes on, or has it at once.
        0 => {
            let first = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
            yield_now().await;
            drop(first);
        }
        1 => {
            let first = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
            yield_now().await;
            drop(first);
            drop(wait.as_mut().try_abandon());
        }
        2 => drop(slot.try_claim()),
        _ => {
            let claim = wait.await.expect("nobody closes it");
            yield_now().await;
            claim.release();
        }
    }
}

async fn w04_free_running_slot_has_a_legal_history<R: Runtime>(rt: R) -> Verdict {
    type Observed = Slot<Handoff, ListLock, History<EVENTS>>;
    let slot: &'static Observed = rt.put(Slot::with_observer(History::new()));
    // A visit is four events at most.
    let rounds = rt.count(EVENTS / 4) / TASKS;
    let tasks = core::array::from_fn::<_, TASKS, _>(|task| {
        rt.spawn(async move {
            for round in 0..rounds {
                visit(slot, task + round).await;
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    slot.observer().check_slot();
    slot.close();
    slot.observer().check_slot();
    Verdict::Pass
}

async fn w04_free_running_revocable_slot_has_a_legal_history<R: Runtime>(rt: R) -> Verdict {
    type Observed = Slot<Revocable, ListLock, History<EVENTS>>;
    let slot: &'static Observed = rt.put(Slot::with_observer(History::new()));
    // With what is taken back and enlisted again: eight at most.
    let rounds = rt.count(EVENTS / 8) / TASKS;
    let tasks = core::array::from_fn::<_, TASKS, _>(|task| {
        rt.spawn(async move {
            for round in 0..rounds {
                visit(slot, task + round).await;
                if (task + round) % 3 == 0 {
                    slot.revoke_unobserved();
                }
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    slot.observer().check_slot();
    Verdict::Pass
}

async fn w04_free_running_line_has_a_legal_history<R: Runtime>(rt: R) -> Verdict {
    type Observed = Line<ListLock, History<EVENTS>>;
    let line: &'static Observed = rt.put(Line::with_observer(History::new()));
    let rounds = rt.count(EVENTS / 4) / TASKS;
    let tasks = core::array::from_fn::<_, TASKS, _>(|task| {
        rt.spawn(async move {
            for round in 0..rounds {
                match line.try_acquire_token() {
                    Acquire::Success(token) => {
                        yield_now().await;
                        if round % 2 == 0 {
                            token.release();
                        }
                    }
                    Acquire::Failure(wait) => {
                        let mut wait = core::pin::pin!(wait);
                        if (task + round) % 3 == 0 {
                            let first = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
                            if first.is_pending() {
                                yield_now().await;
                            }
                        } else {
                            wait.await;
                        }
                    }
                }
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    line.observer().check_line();
    Verdict::Pass
}
