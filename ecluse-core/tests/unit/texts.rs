//! What errors and states say to a person: each something, and no two of one type the same.

use std::{collections::BTreeSet, error::Error, fmt::Display, pin::pin};

use ecluse_core::{
    Closed, FlushTable, Line, Outcome, Reason, Refused, Root, TimedOut,
    cancel::{Kind, PlaceTaken},
    channel::{Ended, SendError, TryReceiveError, TryReserveError, TrySendError},
    flight::{NoAnswer, NotInit},
    flush::{NotReplied, Over, Unanswered},
    join::Stopped,
    runtime::SpawnError,
};

use crate::{
    clock::Hand,
    kit::{poll, ready},
};

#[track_caller]
fn all_differ<T: Display>(all: &[T]) {
    let texts: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert!(!texts.contains(""), "one says nothing: {texts:?}");
    assert_eq!(texts.len(), all.len(), "two say the same: {texts:?}");
}

#[test]
fn every_error_says_which_it_is() {
    all_differ(&[
        Outcome::Done,
        Outcome::Abandoned { by_panic: false },
        Outcome::Abandoned { by_panic: true },
        Outcome::Closed,
        Outcome::Passed,
    ]);
    all_differ(&[Refused::Busy, Refused::Closed]);
    let root = <Root>::new();
    let late = root.cx().deadline_at(Hand::default(), 0, async |_| ());
    let elapsed = ready(poll(pin!(late))).unwrap_err();
    all_differ::<&dyn Display>(&[&Closed, &TimedOut, &PlaceTaken, &Over, &Ended, &elapsed]);
    all_differ(&[TryReceiveError::Empty, TryReceiveError::Ended]);
    all_differ(&[TryReserveError::Full, TryReserveError::Closed]);
    all_differ(&[TrySendError::Full(()), TrySendError::Closed(())]);
    all_differ(&[
        SendError::Closed(()),
        SendError::Cancelled(()),
        SendError::TimedOut(()),
    ]);
    all_differ(&[
        SpawnError::Busy(()),
        SpawnError::Closed(Some(())),
        SpawnError::Refused(()),
    ]);
    all_differ(&[
        NoAnswer::Abandoned { by_panic: false },
        NoAnswer::Abandoned { by_panic: true },
        NoAnswer::Recursive,
        NoAnswer::TimedOut,
        NoAnswer::TooOld,
        NoAnswer::Full,
        NoAnswer::NotSpawned,
    ]);
    all_differ(&[NotInit::Failed("no disk"), NotInit::Recursive]);
    assert!(NotInit::Failed(Closed).source().is_some());
    assert!(NotInit::<Closed>::Recursive.source().is_none());
    all_differ(&[Unanswered::Flushed, Unanswered::Over]);
}

#[test]
fn every_reason_says_which_it_is() {
    let kinds = [
        Kind::Explicit,
        Kind::Deadline,
        Kind::Sibling,
        Kind::Panic,
        Kind::Dropped,
        Kind::Shutdown,
        Kind::Limit,
    ];
    all_differ(&kinds);
    all_differ(&kinds.map(Reason::new));
    all_differ(&[0, 1, u16::MAX].map(|code| Reason::default().with_code(code)));
    assert_eq!(
        Reason::default().to_string(),
        "on request",
        "no code, none shown"
    );

    let root = <Root>::new();
    let child = pin!(root.cx().child());
    let cx = child.as_ref().enter();
    root.cancel(Kind::Limit);
    let (own, inherited) = (root.cx().check(), cx.check());
    all_differ(&[own.unwrap_err(), inherited.unwrap_err()]);
    all_differ(&[
        Stopped::Failed("no disk"),
        Stopped::Cancelled(own.unwrap_err()),
    ]);
    let stopped = Stopped::<NotInit<Closed>>::Cancelled(own.unwrap_err());
    assert!(stopped.source().is_some());
    assert!(Stopped::Failed(NotInit::Failed(Closed)).source().is_some());
    assert_eq!(
        inherited.unwrap_err().to_string(),
        "cancelled: an outer scope: a limit was reached"
    );
}

#[test]
fn what_is_given_back_says_why() {
    let (line, other) = (<Line>::new(), <Line>::new());
    let token = line.try_acquire_token().success().unwrap();
    let foreign = other.try_acquire_token().or_token(Some(token)).unwrap_err();
    assert!(foreign.to_string().contains("another line"), "{foreign}");

    let table = FlushTable::<u16, 4>::new();
    let (flushed, late) = (table.begin(1).unwrap(), table.begin(2).unwrap());
    let _flush = table.flush(1).unwrap();
    let flushed = flushed.reply_unless_flushed().unwrap_err();
    table.end(Kind::Shutdown);
    let late = late.reply_unless_flushed().unwrap_err();
    assert!(matches!(flushed, NotReplied::Flushed(_)));
    all_differ(&[flushed, late]);
}
