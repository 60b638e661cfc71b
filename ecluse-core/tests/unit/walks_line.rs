//! A line's transitions: token, waits that belong to one hold, generations, cohorts, close.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex},
};

use ecluse_core::{
    AcquireIf, AcquireOutcome, DefaultLock, Line, LineStatus, Outcome, Token, Wait, line::ToHoldEnd,
};

#[cfg(feature = "std")]
use crate::kit::panic_of;
use crate::kit::{Callback, Diary, History, Striker, Wakes, poll, poll_with, ready, within};

const ABANDONED: Outcome = Outcome::Abandoned { by_panic: false };

type HoldEnd<'a> = Wait<ToHoldEnd<&'a Line>>;

pub(crate) fn token(line: &Line) -> Token<'_> {
    match line.try_acquire_token() {
        AcquireOutcome::Success(token) => token,
        other => panic!("the line is free, but: {other:?}"),
    }
}

pub(crate) fn wait(line: &Line) -> HoldEnd<'_> {
    match line.try_acquire_token() {
        AcquireOutcome::Failure(wait) => wait,
        other => panic!("the line is held, but: {other:?}"),
    }
}

#[test]
fn l01_the_others_wait_and_do_not_take_the_line() {
    within(|| {
        let line = <Line>::new();
        let held = token(&line);
        let mut waits: Vec<_> = (0..100).map(|_| Box::pin(wait(&line))).collect();
        let (wakes, waker) = Wakes::new();
        for wait in &mut waits {
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
        }
        assert!(line.is_busy() && line.has_waiters());
        held.release();
        assert!(!line.is_busy() && !line.has_waiters());
        assert_eq!((wakes.count(), wakes.live()), (100, 1));
        for wait in &mut waits {
            assert_eq!(ready(poll(wait.as_mut())), Outcome::Done);
        }
        assert!(line.status().is_free());
    });
}

#[test]
fn l02_a_wait_belongs_to_its_hold() {
    within(|| {
        let line = <Line>::new();
        let held = token(&line);
        let (old, older) = (wait(&line), wait(&line));
        assert_eq!(old.generation(), held.generation());
        drop(held);
        let again = token(&line);
        // The line is taken again, and it was the last hold that ended.
        assert_eq!(ready(poll(pin!(old.clone()))), ABANDONED);
        again.release();
        assert_eq!(ready(poll(pin!(old))), Outcome::Passed);
        let last = token(&line);
        assert_eq!(ready(poll(pin!(older))), Outcome::Passed);
        let mut own = pin!(wait(&line));
        assert!(poll(own.as_mut()).is_pending());
        last.release();
        assert_eq!(ready(poll(own.as_mut())), Outcome::Done);
    });
}

/// The ending is that of the last hold, whatever the one before was.
#[test]
fn the_ending_is_the_last_holds() {
    let line = <Line>::new();
    for done in [false, true, false, false, true, true, false] {
        let held = token(&line);
        let late = wait(&line);
        let generation = line.generation();
        assert_eq!(held.generation(), generation);
        if done {
            held.release();
        } else {
            drop(held);
        }
        assert_ne!(line.generation(), generation);
        assert!(!line.is_busy());
        let expected = if done { Outcome::Done } else { ABANDONED };
        assert_eq!(ready(poll(pin!(late))), expected);
    }
}

#[test]
#[cfg(feature = "std")]
fn a_panic_of_the_holder_is_told_and_forgotten() {
    within(|| {
        let line = <Line>::new();
        let mut queued = None;
        panic_of(|| {
            let _held = token(&line);
            queued = Some(wait(&line));
            panic!("work");
        });
        let panicked = Outcome::Abandoned { by_panic: true };
        assert_eq!(ready(poll(pin!(queued.unwrap()))), panicked);
        let held = token(&line);
        let late = wait(&line);
        held.release();
        assert_eq!(ready(poll(pin!(late))), Outcome::Done);
    });
}

#[test]
fn l03_of_the_abandoned_exactly_one_is_elected() {
    within(|| {
        let line = <Line>::new();
        let held = token(&line);
        let mut waits: Vec<_> = (0..5).map(|_| Box::pin(wait(&line))).collect();
        for wait in &mut waits {
            assert!(poll(wait.as_mut()).is_pending());
        }
        drop(held);
        let mut elected = None;
        let mut others = Vec::new();
        for mut wait in waits {
            let seen = wait.generation();
            assert_eq!(ready(poll(wait.as_mut())), ABANDONED);
            match line.acquire_if(seen) {
                AcquireIf::Success(token) => assert!(elected.replace(token).is_none()),
                AcquireIf::Failure(wait) => others.push(wait),
                AcquireIf::Outdated => panic!("nobody has done it yet"),
            }
        }
        assert_eq!(others.len(), 4);
        elected.unwrap().release();
        for wait in others {
            assert_eq!(ready(poll(pin!(wait))), Outcome::Done);
        }
    });
}

#[test]
fn l06_acquire_if_looks_at_what_was_done_since() {
    let line = <Line>::new();
    let seen = line.generation();
    let AcquireIf::Success(held) = line.acquire_if(seen) else {
        panic!("nothing was done yet")
    };
    assert!(matches!(line.acquire_if(seen), AcquireIf::Failure(_)));
    held.release();
    assert!(matches!(line.acquire_if(seen), AcquireIf::Outdated));
    let seen = line.generation();
    drop(token(&line));
    // One that was abandoned does not count; of two, only the last one's end is known.
    let AcquireIf::Success(held) = line.acquire_if(seen) else {
        panic!("nothing was done since")
    };
    drop(held);
    assert!(matches!(line.acquire_if(seen), AcquireIf::Outdated));
    line.close();
    let AcquireIf::Failure(wait) = line.acquire_if(line.generation()) else {
        panic!("closed")
    };
    assert_eq!(ready(poll(pin!(wait))), Outcome::Closed);
}

#[test]
fn l04_a_foreign_token_changes_nothing() {
    let (line, other) = (<Line>::new(), <Line>::new());
    let mine = token(&line);
    assert!(
        line.try_acquire_token()
            .or_token(None)
            .unwrap()
            .success()
            .is_none()
    );
    let mine = line
        .try_acquire_token()
        .or_token(Some(mine))
        .unwrap()
        .success()
        .unwrap();
    let foreign = token(&other);
    let refused = line
        .try_acquire_token()
        .or_token(Some(foreign))
        .unwrap_err();
    assert!(!refused.outcome.is_success());
    assert!(line.is_busy() && other.is_busy());
    mine.release();
    // A success is not exchanged either.
    let refused = line
        .try_acquire_token()
        .or_token(Some(refused.token))
        .unwrap_err();
    assert!(refused.outcome.is_success() && line.is_busy() && other.is_busy());
    drop(refused);
    assert!(!line.is_busy() && !other.is_busy());
}

#[test]
fn whoever_leaves_leaves_the_others_queued() {
    for leaver in 0..4 {
        within(move || {
            let line = <Line>::new();
            let held = token(&line);
            let diary = Diary::default();
            let mut waits: Vec<_> = (0..4).map(|_| Some(Box::pin(wait(&line)))).collect();
            for (i, wait) in waits.iter_mut().enumerate() {
                let wait = wait.as_mut().unwrap().as_mut();
                assert!(poll_with(wait, &diary.waker(format!("{i}"))).is_pending());
            }
            waits[leaver] = None;
            assert!(line.has_waiters());
            held.release();
            let expected: Vec<String> = (0..4)
                .filter(|i| *i != leaver)
                .map(|i| i.to_string())
                .collect();
            assert_eq!(diary.entries(), expected);
            for mut wait in waits.into_iter().flatten() {
                assert_eq!(ready(poll(wait.as_mut())), Outcome::Done);
            }
        });
    }
    let line = <Line>::new();
    let held = token(&line);
    let mut only = Box::pin(wait(&line));
    assert!(poll(only.as_mut()).is_pending());
    drop(only);
    assert!(!line.has_waiters() && line.is_busy());
    held.release();
    assert!(!line.is_busy());
}

#[test]
fn c19_abandoning_tells_whether_the_hold_is_over() {
    within(|| {
        let line = <Line>::new();
        let held = token(&line);
        let (mut queued, mut idle, mut told) =
            (pin!(wait(&line)), pin!(wait(&line)), pin!(wait(&line)));
        assert!(poll(queued.as_mut()).is_pending());
        assert!(poll(told.as_mut()).is_pending());
        assert_eq!(queued.as_mut().try_abandon(), None);
        held.release();
        assert_eq!(told.as_mut().try_abandon(), Some(Outcome::Done));
        // Never queued, but the word knows.
        assert_eq!(idle.as_mut().try_abandon(), Some(Outcome::Done));
        assert_eq!(idle.as_mut().try_abandon(), None);
    });
}

#[test]
fn a_close_tells_all_who_wait_and_leaves_the_holder_alone() {
    within(|| {
        let line = <Line>::new();
        let held = token(&line);
        let mut waits: Vec<_> = (0..40).map(|_| Box::pin(wait(&line))).collect();
        for wait in &mut waits {
            assert!(poll(wait.as_mut()).is_pending());
        }
        let late = wait(&line);
        assert!(!line.is_closed());
        assert!(line.close() && !line.close());
        assert!(line.is_closed() && line.is_busy() && !line.has_waiters());
        for wait in &mut waits {
            assert_eq!(ready(poll(wait.as_mut())), Outcome::Closed);
        }
        assert_eq!(ready(poll(pin!(late.clone()))), Outcome::Closed);
        held.release();
        assert!(!line.is_busy() && line.is_closed());
        // The hold ended all the same, and this wait is for it.
        assert_eq!(ready(poll(pin!(late))), Outcome::Done);
        assert_eq!(ready(poll(pin!(wait(&line)))), Outcome::Closed);
    });
}

#[test]
fn c18_a_gate_waits_while_it_is_busy() {
    let line = <Line>::new();
    let held = token(&line);
    assert!(!line.status().is_free());
    let LineStatus::Busy(wait) = line.status() else {
        panic!("held")
    };
    let mut wait = pin!(wait);
    assert!(poll(wait.as_mut()).is_pending());
    held.release();
    assert_eq!(ready(poll(wait.as_mut())), Outcome::Done);
    assert!(matches!(line.status(), LineStatus::Free));
}

type Parked = Arc<Mutex<Option<Pin<Box<HoldEnd<'static>>>>>>;

/// D1: while the cohort is woken, the first takes the line again and queues for that; then a
/// member of the cohort leaves, and another one asks how it ended.
#[test]
fn w03_a_draining_cohort_and_the_next_hold_do_not_meet() {
    within(|| {
        let line: &'static Line = Box::leak(Box::new(Line::new()));
        let held = token(line);
        // The first wakes alone; then more than a batch of any build are still to be granted.
        let mut members: Vec<_> = (0..60).map(|_| Box::pin(wait(line))).collect();
        let (leaver, asker): (Parked, Parked) = (Parked::default(), Parked::default());
        let newcomer: Parked = Parked::default();
        let next: Arc<Mutex<Option<Token<'static>>>> = Arc::default();
        let first = Striker::new(Callback::Wake, {
            let (leaver, asker) = (leaver.clone(), asker.clone());
            let (newcomer, next) = (newcomer.clone(), next.clone());
            move || {
                *next.lock().unwrap() = Some(token(line));
                let mut own = Box::pin(wait(line));
                assert!(poll(own.as_mut()).is_pending());
                *newcomer.lock().unwrap() = Some(own);
                drop(leaver.lock().unwrap().take());
                assert!(
                    line.has_waiters(),
                    "a member of the old cohort freed the new one"
                );
                let mut asker = asker.lock().unwrap().take().unwrap();
                assert_eq!(asker.as_mut().try_abandon(), Some(Outcome::Done));
                assert!(line.has_waiters());
            }
        });
        for (i, member) in members.iter_mut().enumerate() {
            let pending = if i == 0 {
                let waker = first.waker();
                poll_with(member.as_mut(), &waker).is_pending()
            } else {
                poll(member.as_mut()).is_pending()
            };
            assert!(pending);
        }
        *leaver.lock().unwrap() = Some(members.remove(50));
        *asker.lock().unwrap() = Some(members.remove(45));
        held.release();
        assert_eq!(first.acted(), 1);
        for member in &mut members {
            assert_eq!(ready(poll(member.as_mut())), Outcome::Done);
        }
        let mut newcomer = newcomer.lock().unwrap().take().unwrap();
        assert!(poll(newcomer.as_mut()).is_pending(), "its own hold goes on");
        drop(next.lock().unwrap().take().unwrap());
        assert_eq!(ready(poll(newcomer.as_mut())), ABANDONED);
        assert!(!line.is_busy() && !line.has_waiters());
    });
}

/// O1: numbered without gaps; each step has its event. One that is borrowed sees the same.
#[test]
fn an_observer_sees_the_history() {
    let history = History::default();
    let line = Line::<DefaultLock, &History>::with_observer(&history);
    let token = line.try_acquire_token().success().unwrap();
    let [mut a, mut b] = [(); 2].map(|()| match line.try_acquire_token() {
        AcquireOutcome::Failure(wait) => Box::pin(wait),
        other => panic!("the line is held, but: {other:?}"),
    });
    for wait in [&mut a, &mut b] {
        assert!(poll(wait.as_mut()).is_pending());
    }
    drop(b);
    drop(token);
    assert_eq!(
        ready(poll(a.as_mut())),
        Outcome::Abandoned { by_panic: false }
    );
    line.close();
    assert_eq!(
        history.entries(),
        [
            "0 Claimed",
            "1 Enlisted",
            "2 Enlisted",
            "3 Cancelled",
            "4 Released(Abandoned { by_panic: false })",
            "5 Observed",
            "6 Closed",
        ]
    );
}

/// L4: a hold that is heard of has the generation of its line, as any other has.
#[test]
fn a_token_of_an_observed_line_knows_its_generation() {
    let line = Line::<DefaultLock, History>::with_observer(History::default());
    for _ in 0..3 {
        let before = line.generation();
        let token = line.try_acquire_token().success().unwrap();
        assert_eq!(token.generation(), before);
        let next = token.next_generation();
        token.release();
        assert_eq!(line.generation(), next);
    }
}
