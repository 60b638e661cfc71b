//! Requests in flight and their flushes, step by step. A `Wire` stands for the connection: what a
//! server writes when a `Reply` allows it, in the order in which it does.
//!
//! The scenarios S1 to S12 and the bugs B1 to B5 are those of styxflush, lib9p and their kin.

use std::{cell::RefCell, pin::pin, sync::Arc};

use ecluse_core::{
    DefaultLock, FlushTable,
    cancel::{Abandon, Kind},
    flush::{Flush, NotBegun, NotReplied, Over, Reply, Request, TableRef, Unanswered},
};
use futures_core::FusedFuture;

use crate::kit::{Wakes, poll, poll_with, ready};

type Table<const N: usize = 8> = FlushTable<u16, N>;

/// What was written, in order.
#[derive(Default)]
struct Wire(RefCell<Vec<String>>);

impl Wire {
    fn send<R: TableRef>(&self, reply: Reply<R>, message: &str) {
        self.0.borrow_mut().push(message.to_owned());
        reply.sent();
    }

    #[track_caller]
    fn shows(&self, expected: &[&str]) {
        assert_eq!(*self.0.borrow(), expected);
    }
}

fn boxed<R: TableRef>(flush: Flush<R>) -> std::pin::Pin<Box<Flush<R>>> {
    Box::pin(flush)
}

#[test]
fn t01_a_request_is_registered_and_its_reply_sent() {
    let (table, wire) = (Table::<8>::new(), Wire::default());
    let request = table.begin(1).unwrap();
    assert_eq!((table.len(), request.is_flushed()), (1, false));
    assert!(!table.is_empty() && !table.is_ended());
    assert!(request.cx().check().is_ok());
    wire.send(request.reply().unwrap(), "R1");
    assert!(table.is_empty());
    assert_eq!(table.lost(), 0);
}

/// S8: the refusal carries the tag that was refused, and nothing of it stays.
#[test]
fn t01_s08_a_tag_in_use_is_refused_by_name() {
    let table = Table::<8>::new();
    let first = table.begin(7).unwrap();
    assert_eq!(table.begin(7).unwrap_err(), NotBegun::InUse(7));
    assert_eq!(table.flush_as(7, 9).unwrap_err(), NotBegun::InUse(7));
    assert_eq!(table.flush_as(7, 7).unwrap_err(), NotBegun::InUse(7));
    assert_eq!(table.len(), 1);
    assert!(!first.is_flushed());
    drop(first);
    drop(table.begin(7).unwrap());
    assert_eq!(
        NotBegun::InUse(7).to_string(),
        "the tag 7 is in use",
        "it says which"
    );
}

#[test]
fn t01_a_full_table_refuses_and_nothing_leaks() {
    let table = Table::<2>::new();
    for _ in 0..100 {
        let (one, two) = (table.begin(1).unwrap(), table.begin(2).unwrap());
        assert_eq!(table.begin(3).unwrap_err(), NotBegun::Full);
        assert_eq!(table.flush_as(3, 1).unwrap_err(), NotBegun::Full);
        assert!(table.flush(1).is_err());
        assert!(!one.is_flushed(), "a refused flush tells nobody");
        drop((one, two));
        assert!(table.is_empty());
    }
    assert_eq!(
        FlushTable::<u16, 0>::new().begin(1).unwrap_err(),
        NotBegun::Full
    );
}

#[test]
fn t01_places_are_kept_for_flushes() {
    let table = Table::<3>::new().with_reserve(1);
    let (one, _two) = (table.begin(1).unwrap(), table.begin(2).unwrap());
    assert_eq!(table.begin(3).unwrap_err(), NotBegun::Full);
    let flush = table.flush_as(3, 1).unwrap();
    assert_eq!(table.flush_as(4, 2).unwrap_err(), NotBegun::Full);
    drop(one);
    assert!(ready(poll(pin!(flush))).is_ok());
}

/// S1: the request sees the flush and gives up: only the flush is answered.
#[test]
fn t02_s01_a_request_that_gives_up_is_not_answered() {
    let (table, wire) = (Table::<8>::new(), Wire::default());
    let (wakes, waker) = Wakes::new();
    let request = table.begin(1).unwrap();
    let mut body = Box::pin(async move {
        let told = request.cx().guard(core::future::pending::<()>()).await;
        assert!(told.is_err() && request.is_flushed());
        request
    });
    assert!(poll_with(body.as_mut(), &waker).is_pending());
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    assert_eq!(wakes.count(), 1, "told at once");
    let (answered, waker) = Wakes::new();
    assert!(poll_with(flush.as_mut(), &waker).is_pending());
    let request = ready(poll(body.as_mut()));
    assert_eq!(answered.count(), 0, "not settled: it has not been dropped");
    drop(request);
    assert_eq!(answered.count(), 1);
    wire.send(ready(poll(flush.as_mut())).unwrap(), "flushed 2");
    assert!(flush.is_terminated());
    wire.shows(&["flushed 2"]);
    drop(flush);
    assert!(table.is_empty());
}

/// S2: the request had succeeded: its answer, then the flush's.
#[test]
fn t02_s02_a_reply_that_had_succeeded_goes_first() {
    let (table, wire) = (Table::<8>::new(), Wire::default());
    let request = table.begin(1).unwrap();
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    let reply = request.reply().unwrap();
    assert!(poll(flush.as_mut()).is_pending(), "it is being sent");
    wire.send(reply, "R1");
    wire.send(ready(poll(flush.as_mut())).unwrap(), "flushed 2");
    wire.shows(&["R1", "flushed 2"]);
}

/// S3: the request ignores two flushes; then all are answered, in order, whoever polls first.
#[test]
fn t03_s03_a_request_that_ignores_its_flushes() {
    let (table, wire) = (Table::<8>::new(), Wire::default());
    let request = table.begin(1).unwrap();
    let mut second = boxed(table.flush_as(2, 1).unwrap());
    let mut third = boxed(table.flush_as(3, 1).unwrap());
    assert!(poll(third.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    wire.send(request.reply().unwrap(), "R1");
    assert!(poll(third.as_mut()).is_pending(), "the second is before it");
    let reply = ready(poll(second.as_mut())).unwrap();
    assert!(poll(third.as_mut()).is_pending(), "and is being sent");
    assert_eq!(table.begin(1).unwrap_err(), NotBegun::InUse(1));
    wire.send(reply, "flushed 2");
    wire.send(ready(poll(third.as_mut())).unwrap(), "flushed 3");
    wire.shows(&["R1", "flushed 2", "flushed 3"]);
    assert!(table.is_empty());
}

/// The place of a flush is that of its call, not that of its first poll.
#[test]
fn t02_flushes_are_answered_in_the_order_of_their_calls() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let mut flushes: Vec<_> = (2..7)
        .map(|own| boxed(table.flush_as(own, 1).unwrap()))
        .collect();
    // The last is polled first; one is never polled; one goes.
    for i in [4, 3, 1] {
        assert!(poll(flushes[i].as_mut()).is_pending());
    }
    drop(request);
    drop(flushes.remove(1));
    for own in [2, 4, 5, 6] {
        for later in flushes.iter_mut().skip(1) {
            assert!(poll(later.as_mut()).is_pending(), "{own} is first");
        }
        ready(poll(flushes.remove(0).as_mut())).unwrap().sent();
    }
    assert!(table.is_empty());
}

/// S4: the reply was sent, or the tag is unknown.
#[test]
fn t04_s04_a_flush_of_nothing_is_answered_at_once() {
    let table = Table::<8>::new();
    table.begin(1).unwrap().reply().unwrap().sent();
    let flush = table.flush(1).unwrap();
    assert!(table.is_empty(), "nothing is registered");
    ready(poll(pin!(flush))).unwrap().sent();
    ready(poll(pin!(table.flush_as(2, 1).unwrap())))
        .unwrap()
        .sent();
    assert!(table.is_empty());
}

/// S5: the reply is in transit when the flush arrives.
#[test]
fn t02_s05_a_reply_in_transit_goes_first() {
    let (table, wire) = (Table::<8>::new(), Wire::default());
    let reply = table.begin(1).unwrap().reply().unwrap();
    let (wakes, waker) = Wakes::new();
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    assert!(poll_with(flush.as_mut(), &waker).is_pending());
    wire.send(reply, "R1");
    assert_eq!(wakes.count(), 1);
    wire.send(ready(poll(flush.as_mut())).unwrap(), "flushed 2");
    wire.shows(&["R1", "flushed 2"]);
}

/// S6, B2: a flushed flush is not answered; the request, and who else flushed it, go on.
#[test]
fn t04_s06_b2_a_flush_of_a_flush() {
    let (table, wire) = (Table::<8>::new(), Wire::default());
    let request = table.begin(1).unwrap();
    let mut second = boxed(table.flush_as(2, 1).unwrap());
    let mut fourth = boxed(table.flush_as(4, 1).unwrap());
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    assert!(poll(fourth.as_mut()).is_pending());
    let third = table.flush_as(3, 2).unwrap();
    assert_eq!(wakes.count(), 1, "the flushed flush is told");
    wire.send(ready(poll(pin!(third))).unwrap(), "flushed 3");
    assert_eq!(
        ready(poll(second.as_mut())).unwrap_err(),
        Unanswered::Flushed
    );
    let fifth = table.flush_as(5, 1).unwrap();
    wire.send(request.reply().unwrap(), "R1");
    wire.send(ready(poll(fourth.as_mut())).unwrap(), "flushed 4");
    wire.send(ready(poll(pin!(fifth))).unwrap(), "flushed 5");
    wire.shows(&["flushed 3", "R1", "flushed 4", "flushed 5"]);
    assert!(table.is_empty());
}

/// The flush's own turn had come, and it had not looked.
#[test]
fn t04_a_flush_of_a_flush_takes_its_turn_from_it() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let mut second = boxed(table.flush_as(2, 1).unwrap());
    let mut fourth = boxed(table.flush_as(4, 1).unwrap());
    assert!(poll(second.as_mut()).is_pending());
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(fourth.as_mut(), &waker).is_pending());
    drop(request);
    assert_eq!(wakes.count(), 0);
    let third = table.flush_as(3, 2).unwrap();
    assert_eq!(wakes.count(), 1, "the turn is passed on");
    ready(poll(pin!(third))).unwrap().sent();
    assert_eq!(
        ready(poll(second.as_mut())).unwrap_err(),
        Unanswered::Flushed
    );
    ready(poll(fourth.as_mut())).unwrap().sent();
    assert!(table.is_empty());
}

/// A flush whose answer is being sent is waited for, as any reply is.
#[test]
fn t04_a_flush_of_a_flush_that_is_being_answered_waits() {
    let (table, wire) = (Table::<8>::new(), Wire::default());
    let second = ready(poll(pin!(table.flush_as(2, 1).unwrap()))).unwrap();
    let mut third = boxed(table.flush_as(3, 2).unwrap());
    assert!(poll(third.as_mut()).is_pending());
    wire.send(second, "flushed 2");
    wire.send(ready(poll(third.as_mut())).unwrap(), "flushed 3");
    assert!(table.is_empty());
}

/// S7: a reply for a tag that is not in the table can only be one of an older session.
#[test]
fn t05_s07_a_reply_out_of_nowhere_is_refused() {
    let table = Table::<8>::new();
    let old = table.begin(1).unwrap();
    table.reset(Kind::Explicit);
    let new = table.begin(1).unwrap();
    assert_eq!(old.reply().unwrap_err(), Over);
    assert!(new.cx().check().is_ok(), "it is another use");
    new.reply().unwrap().sent();
    assert!(table.is_empty());
}

/// S9: nothing is sent after settle: a request that gave up has nothing left to reply by. A flush
/// cannot be answered while there is.
#[test]
fn t05_s09_no_answer_before_the_request_is_gone() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    let Err(NotReplied::Flushed(request)) = request.reply_unless_flushed() else {
        panic!("it was flushed");
    };
    assert!(poll(flush.as_mut()).is_pending(), "still not settled");
    drop(request);
    ready(poll(flush.as_mut())).unwrap().sent();
    assert!(table.is_empty());
}

/// S10: answered twice is not to be written down; dropped unsent, the flushes have their answers.
#[test]
fn t05_s10_a_reply_that_is_never_sent_holds_nobody_up() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    drop(request.reply().unwrap());
    ready(poll(flush.as_mut())).unwrap().sent();
    assert!(table.is_empty());
}

/// S11, B4: a flush of its own tag.
#[test]
fn t04_s11_b4_a_flush_of_itself_is_answered_at_once() {
    let table = Table::<8>::new();
    let flush = table.flush_as(5, 5).unwrap();
    ready(poll(pin!(flush))).unwrap().sent();
    assert!(table.is_empty());
}

/// S12: the connection ends.
#[test]
fn t07_s12_the_end_of_a_session_tells_everybody() {
    let table = Table::<8>::new();
    let requests = [1, 2].map(|tag| table.begin(tag).unwrap());
    let told = requests
        .iter()
        .map(|request| {
            let (wakes, waker) = Wakes::new();
            let mut wait = Box::pin(request.cx().cancelled());
            assert!(poll_with(wait.as_mut(), &waker).is_pending());
            (wakes, wait)
        })
        .collect::<Vec<_>>();
    let mut flushes = [(3, 1), (4, 1), (5, 2)].map(|(own, old)| {
        let (wakes, waker) = Wakes::new();
        let mut flush = boxed(table.flush_as(own, old).unwrap());
        assert!(poll_with(flush.as_mut(), &waker).is_pending());
        (wakes, flush)
    });
    let (heard, waker) = Wakes::new();
    let mut listener = Box::pin(table.flushed());
    // (It hears of the two that were flushed first.)
    assert_eq!(ready(poll(listener.as_mut())), Ok(1));
    assert_eq!(ready(poll(Box::pin(table.flushed()).as_mut())), Ok(2));
    let mut listener = Box::pin(table.flushed());
    assert!(poll_with(listener.as_mut(), &waker).is_pending());
    table.end(Kind::Shutdown);
    assert_eq!(heard.count(), 1);
    assert_eq!(ready(poll(listener.as_mut())), Err(Over));
    for (wakes, mut wait) in told {
        assert_eq!(wakes.count(), 1);
        assert_eq!(ready(poll(wait.as_mut())).kind(), Kind::Explicit, "flushed");
    }
    for (wakes, flush) in &mut flushes {
        assert_eq!(wakes.count(), 1);
        assert_eq!(ready(poll(flush.as_mut())).unwrap_err(), Unanswered::Over);
    }
    assert_eq!(table.begin(9).unwrap_err(), NotBegun::Over);
    assert_eq!(table.flush(9).unwrap_err(), NotBegun::Over);
    assert_eq!(ready(poll(pin!(table.flushed()))), Err(Over));
    for request in requests {
        assert_eq!(request.reply().unwrap_err(), Over);
    }
    drop(flushes);
    assert!(table.is_empty() && table.is_ended());
    // A `static` table has another session after it.
    table.reset(Kind::Explicit);
    let request = table.begin(1).unwrap();
    assert!(request.cx().check().is_ok(), "its scope is a fresh one");
    assert_eq!(table.generation(), 2);
}

/// What was answered before the reset is waited for by nobody.
#[test]
fn t07_a_reset_with_nothing_under_way_is_clear_at_once() {
    let table = Table::<8>::new();
    table.begin(1).unwrap().reply().unwrap().sent();
    ready(poll(pin!(table.flush_as(2, 1).unwrap())))
        .unwrap()
        .sent();
    table.reset(Kind::Explicit);
    ready(poll(pin!(table.cleared())));
}

#[test]
fn t07_a_version_reset_frees_every_tag() {
    let table = Table::<8>::new();
    let idle = table.begin(1).unwrap();
    let sending = table.begin(2).unwrap().reply().unwrap();
    let more = table.begin(3).unwrap().reply().unwrap();
    let mut flush = boxed(table.flush_as(4, 1).unwrap());
    let (wakes, waker) = Wakes::new();
    assert!(poll(pin!(table.cleared())).is_ready());
    let mut listeners = [(); 2].map(|()| Box::pin(table.flushed()));
    assert_eq!(ready(poll(listeners[0].as_mut())), Ok(1));
    assert!(poll(listeners[1].as_mut()).is_pending());
    table.reset(Kind::Explicit);
    assert_eq!(ready(poll(listeners[1].as_mut())), Err(Over));
    let mut cleared = Box::pin(table.cleared());
    assert!(
        poll_with(cleared.as_mut(), &waker).is_pending(),
        "R2 and R3"
    );
    let mut again = Box::pin(table.cleared());
    assert!(poll(again.as_mut()).is_pending());
    sending.sent();
    assert_eq!(wakes.count(), 0);
    drop(again);
    more.sent();
    assert_eq!(wakes.count(), 1);
    ready(poll(cleared.as_mut()));
    let new: Vec<_> = [1, 2, 4].map(|tag| table.begin(tag).unwrap()).into();
    assert!(idle.is_flushed() && idle.cx().check().is_err());
    assert!(matches!(idle.reply_unless_flushed(), Err(NotReplied::Over)));
    assert_eq!(ready(poll(flush.as_mut())).unwrap_err(), Unanswered::Over);
    drop(flush);
    assert_eq!(table.len(), new.len());
}

/// A reply of the session before is still under way: that is nothing to those of this one.
#[test]
fn t07_a_late_reply_holds_up_no_flush_of_the_next_session() {
    let table = Table::<8>::new();
    let late = table.begin(1).unwrap().reply().unwrap();
    table.reset(Kind::Explicit);
    let mut cleared = Box::pin(table.cleared());
    assert!(poll(cleared.as_mut()).is_pending());
    for replies in [false, true] {
        let request = table.begin(1).unwrap();
        let mut flush = boxed(table.flush_as(2, 1).unwrap());
        let (wakes, waker) = Wakes::new();
        assert!(poll_with(flush.as_mut(), &waker).is_pending());
        if replies {
            request.reply().unwrap().sent();
        } else {
            drop(request);
        }
        assert_eq!(wakes.count(), 1);
        ready(poll(flush.as_mut())).unwrap().sent();
        assert!(poll(cleared.as_mut()).is_pending());
    }
    late.sent();
    ready(poll(cleared.as_mut()));
}

/// What was kept for its flushes only goes with them.
#[test]
fn t07_a_reset_lets_settled_requests_go() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    assert!(poll(flush.as_mut()).is_pending());
    drop(request);
    assert_eq!(table.len(), 2);
    table.reset(Kind::Explicit);
    assert_eq!(table.len(), 1);
    drop(flush);
    assert!(table.is_empty());
}

/// B1: a flush of an unknown tag leaves its own behind.
#[test]
fn t04_b1_the_tag_of_a_flush_is_free_after_it() {
    let table = Table::<8>::new();
    for _ in 0..3 {
        ready(poll(pin!(table.flush_as(2, 1).unwrap())))
            .unwrap()
            .sent();
        table.begin(2).unwrap().reply().unwrap().sent();
    }
    assert!(table.is_empty());
}

/// B3: many requests, one notifier: it is told which tag is meant, and of no finished request.
#[test]
fn t08_b3_one_notifier_is_told_whose_request_was_flushed() {
    let table = Table::<8>::new();
    let mut requests = [10, 11, 12, 13].map(|tag| Some(table.begin(tag).unwrap()));
    let (wakes, waker) = Wakes::new();
    let mut flushed = Box::pin(table.flushed());
    assert!(poll_with(flushed.as_mut(), &waker).is_pending());
    let _two = table.flush_as(2, 12).unwrap();
    let _three = table.flush_as(3, 10).unwrap();
    let _again = table.flush_as(4, 12).unwrap();
    let _five = table.flush_as(5, 11).unwrap();
    assert_eq!(wakes.count(), 1);
    assert_eq!(ready(poll(flushed.as_mut())), Ok(12));
    assert!(flushed.is_terminated());
    // Settled before anybody heard of its flush: nobody does.
    drop(requests[0].take());
    assert_eq!(ready(poll(pin!(table.flushed()))), Ok(11));
    let mut flushed = Box::pin(table.flushed());
    assert!(poll_with(flushed.as_mut(), &waker).is_pending(), "12 once");
    assert!(table.cancel(13));
    assert_eq!(wakes.count(), 2);
    drop(requests[3].take());
    assert!(poll_with(flushed.as_mut(), &waker).is_pending(), "too late");
    // In the order of the cancels, not of the places.
    let table = Table::<8>::new();
    let _requests = [10, 11].map(|tag| table.begin(tag).unwrap());
    assert!(table.cancel(11) && table.cancel(10));
    for tag in [11, 10] {
        assert_eq!(ready(poll(pin!(table.flushed()))), Ok(tag));
    }
}

/// A listener that was woken goes without looking.
#[test]
fn t08_a_listener_that_goes_passes_it_on() {
    let table = Table::<8>::new();
    let _requests = [1, 2].map(|tag| table.begin(tag).unwrap());
    let (mut one, mut two) = (Box::pin(table.flushed()), Box::pin(table.flushed()));
    assert!(poll(one.as_mut()).is_pending());
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(two.as_mut(), &waker).is_pending());
    assert!(table.cancel(1));
    assert_eq!(wakes.count(), 0);
    drop(one);
    assert_eq!(wakes.count(), 1);
    assert_eq!(ready(poll(two.as_mut())), Ok(1));
    // Unless the request was settled meanwhile.
    let third = table.begin(3).unwrap();
    let (mut one, mut two) = (Box::pin(table.flushed()), Box::pin(table.flushed()));
    assert!(poll(one.as_mut()).is_pending());
    assert!(poll_with(two.as_mut(), &waker).is_pending());
    assert!(table.cancel(3));
    drop(third);
    drop(one);
    assert_eq!(wakes.count(), 1, "there is nothing to tell");
}

/// B5: what an answer says is no business of the table.
#[test]
fn t06_b5_an_interrupted_looking_error_is_an_answer() {
    let (table, wire) = (Table::<8>::new(), Wire::default());
    let request = table.begin(1).unwrap();
    wire.send(request.reply().unwrap(), "error: interrupted");
    wire.shows(&["error: interrupted"]);
    assert_eq!(table.lost(), 0);
}

#[test]
fn t06_a_request_that_vanishes_is_settled() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    drop(request);
    ready(poll(flush.as_mut())).unwrap().sent();
    assert_eq!(table.lost(), 0, "its client does not wait for it");
    drop(table.begin(1).unwrap());
    assert_eq!(table.lost(), 1, "this one's does");
    assert!(table.is_empty());
}

#[cfg(feature = "std")]
#[test]
fn t06_a_request_that_panics_is_settled() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    let text = crate::kit::panic_of(|| {
        let _request = request;
        panic!("the handler")
    });
    assert_eq!(text, "the handler");
    ready(poll(flush.as_mut())).unwrap().sent();
    assert!(table.is_empty());
}

/// A client may use a tag again when it has read the answer, which may be before the server's task
/// has come back from writing it.
#[test]
fn t05_a_tag_is_free_when_the_last_answer_about_it_is_on_its_way() {
    let table = Table::<8>::new();
    let sending = table.begin(1).unwrap().reply().unwrap();
    let again = table.begin(1).unwrap();
    assert_eq!(table.begin(1).unwrap_err(), NotBegun::InUse(1));
    // A flush means the new use; the old one is over for its client.
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    assert!(again.is_flushed());
    drop(again);
    let answer = ready(poll(flush.as_mut())).unwrap();
    // That answer is on its way, too.
    let third = table.begin(1).unwrap();
    assert!(third.cx().check().is_ok());
    drop((sending, answer));
    assert!(!third.is_flushed());
    drop((third, flush));
    assert!(table.is_empty());
}

/// Not before: a flush of the old use waits for its answer.
#[test]
fn t05_a_tag_stays_in_use_until_its_flushes_may_be_answered() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let mut second = boxed(table.flush_as(2, 1).unwrap());
    let mut third = boxed(table.flush_as(3, 1).unwrap());
    let in_use = || matches!(table.begin(1), Err(NotBegun::InUse(1)));
    assert!(in_use());
    let reply = request.reply().unwrap();
    assert!(in_use());
    reply.sent();
    assert!(in_use());
    let answer = ready(poll(second.as_mut())).unwrap();
    assert!(in_use());
    answer.sent();
    assert!(in_use(), "the third's turn, which it has not seen");
    // One that goes is not waited for.
    drop(table.flush_as(4, 1).unwrap());
    let answer = ready(poll(third.as_mut())).unwrap();
    assert!(!in_use());
    answer.sent();
    drop((second, third));
    assert!(table.is_empty());
}

#[test]
fn t02_a_flush_that_is_dropped_gives_its_turn_away() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let mut flushes = [2, 3, 4, 5].map(|own| Some(boxed(table.flush_as(own, 1).unwrap())));
    let (wakes, waker) = Wakes::new();
    for flush in flushes.iter_mut().flatten().skip(1) {
        assert!(poll_with(flush.as_mut(), &waker).is_pending());
    }
    drop(request);
    assert_eq!(wakes.count(), 0, "the first has not been polled");
    flushes[0] = None;
    assert_eq!(wakes.count(), 1);
    // Granted, not observed.
    flushes[1] = None;
    assert_eq!(wakes.count(), 2);
    // Abandoned with its turn: that is the caller's.
    let mut third = flushes[2].take().unwrap();
    let reply = third.as_mut().abandon().expect("its turn").unwrap();
    assert_eq!(wakes.count(), 2);
    // Abandoned without: it leaves.
    let mut fourth = flushes[3].take().unwrap();
    assert!(fourth.as_mut().abandon().is_none());
    reply.sent();
    assert!(table.is_empty());
    // Never polled, and its turn has come.
    let mut only = boxed(table.flush_as(2, 1).unwrap());
    assert!(matches!(only.as_mut().abandon(), Some(Ok(_))));
    assert!(table.is_empty());
}

/// One answer or the other, decided at one moment.
#[test]
fn t02_a_reply_unless_flushed() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    let reply = request.reply_unless_flushed().unwrap();
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    assert!(poll(flush.as_mut()).is_pending());
    reply.sent();
    ready(poll(flush.as_mut())).unwrap().sent();
}

/// For protocols that do not answer a cancellation.
#[test]
fn t02_cancel_only_tells() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    assert!(table.cancel(1));
    assert!(table.cancel(1), "it is not settled yet");
    assert!(request.cx().check().is_err());
    let reply = request.reply().unwrap();
    assert!(!table.cancel(1));
    reply.sent();
    assert!(!table.cancel(1));
    assert!(table.is_empty());
    // A flush that is cancelled is not answered.
    let request = table.begin(1).unwrap();
    let mut flush = boxed(table.flush_as(2, 1).unwrap());
    assert!(poll(flush.as_mut()).is_pending());
    assert!(table.cancel(2));
    assert_eq!(
        ready(poll(flush.as_mut())).unwrap_err(),
        Unanswered::Flushed
    );
    drop(request);
}

/// Scopes below a request's are reached; the next request at the place has a fresh one.
#[test]
fn t02_a_flush_reaches_the_scopes_of_its_request() {
    let table = Table::<1>::new();
    for _ in 0..3 {
        let request = table.begin(1).unwrap();
        let child = pin!(request.cx().child());
        let cx = child.as_ref().enter();
        let mut wait = Box::pin(cx.cancelled());
        let (wakes, waker) = Wakes::new();
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
        assert!(table.cancel(1));
        assert_eq!(wakes.count(), 1);
        assert!(ready(poll(wait.as_mut())).is_inherited());
    }
    assert!(table.is_empty());
    // Cancelled by its own body.
    let request = table.begin(1).unwrap();
    request.cx().cancel(Kind::Deadline);
    assert!(!request.is_flushed());
    drop(request);
    assert!(table.begin(1).unwrap().cx().check().is_ok());
}

/// What was forgotten below a request's scope stays where it is, and the place is used again.
#[test]
fn t02_forgotten_waits_below_a_request_are_harmless() {
    let table: &'static Table<1> = Box::leak(Box::new(Table::new()));
    let request: &'static Request<_> = Box::leak(Box::new(table.begin(1).unwrap()));
    let mut wait = Box::pin(request.cx().cancelled());
    assert!(poll(wait.as_mut()).is_pending());
    let mut scope = Box::pin(request.cx().child());
    let _ = scope.as_mut().as_ref().enter();
    std::mem::forget((wait, scope));
    assert!(table.cancel(1));
    assert!(request.is_flushed());
    assert_eq!(table.begin(2).unwrap_err(), NotBegun::Full);
    table.end(Kind::Shutdown);
    table.reset(Kind::Explicit);
    assert_eq!(table.len(), 1, "a forgotten request keeps its place");
}

#[cfg(feature = "alloc")]
#[test]
fn t01_the_growing_form_grows_up_to_its_limit() {
    use ecluse_core::flush::GrowingFlushTable;

    let table: Arc<GrowingFlushTable<u64>> = Arc::new(GrowingFlushTable::new().with_limit(100));
    for round in 0..3 {
        let mut requests: Vec<_> = (0..99)
            .map(|tag| ecluse_core::flush::Table::begin_owned(&table, tag).unwrap())
            .collect();
        let mut flush =
            Box::pin(ecluse_core::flush::Table::flush_as_owned(&table, 99, 50).unwrap());
        assert_eq!(table.begin(100).unwrap_err(), NotBegun::Full, "{round}");
        assert!(poll(flush.as_mut()).is_pending());
        assert!(requests[50].cx().check().is_err());
        drop(requests.remove(50));
        ready(poll(flush.as_mut())).unwrap().sent();
        for request in requests {
            assert!(request.cx().check().is_ok());
            request.reply().unwrap().sent();
        }
        assert!(table.is_empty());
    }
}

/// It grows while others wait in it.
#[cfg(feature = "alloc")]
#[test]
fn t01_growing_moves_nobody_who_waits() {
    use ecluse_core::flush::GrowingFlushTable;

    let table = GrowingFlushTable::<u32>::new();
    let request = table.begin(0).unwrap();
    let (wakes, waker) = Wakes::new();
    let mut flush = Box::pin(table.flush_as(1, 0).unwrap());
    assert!(poll_with(flush.as_mut(), &waker).is_pending());
    let mut told = Box::pin(request.cx().cancelled());
    assert!(poll(told.as_mut()).is_ready());
    drop(told);
    let many: Vec<_> = (2..500).map(|tag| table.begin(tag).unwrap()).collect();
    request.reply().unwrap().sent();
    assert_eq!(wakes.count(), 1);
    ready(poll(flush.as_mut())).unwrap().sent();
    drop(many);
    assert_eq!((table.len(), table.lost()), (0, 498));
}

#[test]
fn the_pictures_show_what_matters() {
    let table = Table::<8>::new();
    let request = table.begin(1).unwrap();
    assert_eq!(
        format!("{table:?} {request:?}"),
        "FlushTable { len: 1, session: 0, ended: false } Request { flushed: false, .. }"
    );
    let shared = Arc::new(Table::<8>::default());
    assert_eq!(shared.len(), 0);
    let _: fn() -> FlushTable<u8, 4, DefaultLock> = FlushTable::new;
}
