//! The owned forms: they keep alive what they wait for, and do what the borrowed ones do.

use std::{pin::pin, sync::Arc};

use ecluse_core::{
    FlushTable, Root,
    cancel::Kind,
    flush::{Over, Unanswered},
    runtime::Tally,
};

use crate::kit::{Wakes, poll, poll_with, ready};

type Table = FlushTable<u16, 8>;

#[test]
fn an_owned_flush_waits_for_its_request() {
    let table = Arc::new(Table::new());
    let request = table.begin(1).unwrap();
    let mut flush = Box::pin(Table::flush_owned(&table, 1).unwrap());
    assert!(request.is_flushed());
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(flush.as_mut(), &waker).is_pending());
    assert_eq!(table.len(), 2);
    assert!(Arc::strong_count(&table) > 1, "it keeps the table");
    drop(request);
    assert_eq!(wakes.count(), 1);
    ready(poll(flush.as_mut())).unwrap().sent();
    drop(flush);
    assert_eq!((table.len(), Arc::strong_count(&table)), (0, 1));
}

#[test]
fn an_owned_flush_outlives_every_other_handle() {
    let table = Arc::new(Table::new());
    let request = Table::begin_owned(&table, 1).unwrap();
    let mut flush = Box::pin(Table::flush_owned(&table, 1).unwrap());
    table.end(Kind::Shutdown);
    drop(table);
    assert!(matches!(ready(poll(flush.as_mut())), Err(Unanswered::Over)));
    assert!(request.cx().is_cancelled());
}

#[test]
fn an_owned_listener_is_told_which_request_was_flushed() {
    let table = Arc::new(Table::new());
    let _request = table.begin(5).unwrap();
    let mut flushed = Box::pin(Table::flushed_owned(&table));
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(flushed.as_mut(), &waker).is_pending());
    assert!(table.cancel(5));
    assert_eq!(wakes.count(), 1);
    assert_eq!(ready(poll(flushed.as_mut())), Ok(5));
    drop(flushed);
    assert_eq!(Arc::strong_count(&table), 1);
}

#[test]
fn an_owned_wait_for_a_cleared_session_waits_for_its_replies() {
    let table = Arc::new(Table::new());
    let request = table.begin(1).unwrap();
    let reply = request.reply().unwrap();
    table.reset(Kind::Explicit);
    let mut cleared = Box::pin(Table::cleared_owned(&table));
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(cleared.as_mut(), &waker).is_pending());
    reply.sent();
    assert_eq!(wakes.count(), 1);
    assert!(poll(cleared.as_mut()).is_ready());
    drop(cleared);
    assert_eq!(Arc::strong_count(&table), 1);
    assert_eq!(Over.to_string(), Unanswered::Over.to_string());
}

#[test]
fn an_owned_join_waits_for_the_tickets() {
    let tally = Arc::new(<Tally>::new());
    let ticket = tally.ticket(std::future::pending::<()>());
    let mut joined = Box::pin(Tally::joined_owned(&tally));
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(joined.as_mut(), &waker).is_pending());
    drop(ticket);
    assert_eq!(wakes.count(), 1);
    assert!(poll(joined.as_mut()).is_ready());
    drop(joined);
    assert_eq!(Arc::strong_count(&tally), 1);
}

/// It is in the root's tree: counted, shown by its name, cancelled with it.
#[test]
fn a_shared_child_of_a_root_is_in_its_tree() {
    let root: &'static Root = Box::leak(Box::new(Root::new()));
    let (plain, named) = (root.shared_child(), root.shared_child_named("named"));
    assert_eq!(root.attached(), 2);
    assert!(root.tree().to_string().contains("named: running"));
    let mut cancelled = pin!(plain.cx().cancelled());
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(cancelled.as_mut(), &waker).is_pending());
    assert!(root.cancel(Kind::Shutdown));
    assert_eq!(wakes.count(), 1);
    let reason = ready(poll(cancelled.as_mut()));
    assert_eq!(
        (reason.kind(), reason.is_inherited()),
        (Kind::Shutdown, true)
    );
    assert!(named.is_cancelled());
    drop(named);
    assert_eq!(root.attached(), 1);
}
