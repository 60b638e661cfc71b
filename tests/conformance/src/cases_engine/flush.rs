//! t01–t08: requests in flight by tag, and their flushes. What stands for the connection is a list of what was written.

use core::pin::pin;
use core::task::Waker;

use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::counter;
use super::super::subject::FlushTable;
use super::super::subject::cancel::Kind;
use super::super::subject::flush::{Flush, Flushed, NotBegun, NotReplied, Over, Reply, Unanswered};
use crate::kit::{Guarded, Parked, TestWaker, eventually, poll_once, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine flush:
    t01_request_is_answered_and_its_tag_is_free,
    t01_tag_in_use_is_refused_by_name,
    t01_full_table_refuses_and_nothing_leaks,
    t02_request_that_gives_up_is_not_answered,
    t02_reply_under_way_goes_before_the_flush,
    t02_flushes_are_answered_in_the_order_of_their_calls,
    t02_tasks_never_write_out_of_order,
    t03_request_that_ignores_its_flushes_goes_first,
    t04_unknown_finished_and_own_tags_are_answered_at_once,
    t04_flush_of_a_flush_leaves_the_others,
    t05_tag_is_in_use_until_its_flush_may_be_answered,
    t05_late_reply_of_an_older_session_is_refused,
    t06_interrupted_looking_error_is_an_answer,
    t06_vanished_request_is_settled,
    t06_panicked_request_is_settled needs UNWIND,
    t06_aborted_request_is_settled needs ABORT,
    t07_end_of_a_session_tells_everybody,
    t07_reset_waits_for_replies_under_way,
    t08_one_listener_is_told_whose_request_was_flushed,
}

type Table = FlushTable<u16, 8>;
type Static = &'static Table;
type Waiting = Parked<Flush<Static>>;

fn table<R: Runtime>(rt: R) -> Static {
    rt.put(Table::new())
}

/// What was written to the connection, by tag; a flush's answer by the tag plus 100.
struct Wire(Guarded<([u16; 16], usize)>);

impl Wire {
    const fn new() -> Self {
        Self(Guarded::new(([0; 16], 0)))
    }

    fn send(&self, reply: Reply<Static>, message: u16) {
        self.0.with(|(written, len)| {
            written[*len] = message;
            *len += 1;
        });
        reply.sent();
    }

    #[track_caller]
    fn shows(&self, expected: &[u16]) {
        self.0
            .with(|(written, len)| assert_eq!(&written[..*len], expected));
    }
}

/// One who waits for a flush's turn, polled by hand.
struct Asking {
    flush: Waiting,
    waker: TestWaker,
}

impl Asking {
    const fn new() -> Self {
        Self {
            flush: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    #[track_caller]
    fn enlist(&'static self, flush: Flush<Static>) {
        self.flush.park(flush);
        self.flush.pending(&self.waker.waker());
    }

    #[track_caller]
    fn pending(&'static self) {
        self.flush.pending(&self.waker.waker());
    }

    #[track_caller]
    fn ready(&'static self) -> Result<Reply<Static>, Unanswered> {
        let answer = self.flush.ready();
        self.flush.leave();
        assert_eq!(self.waker.live(), 0);
        answer
    }

    #[track_caller]
    fn turn(&'static self) -> Reply<Static> {
        self.ready().expect("its turn")
    }
}

fn asking<R: Runtime>(rt: R) -> &'static Asking {
    rt.put(Asking::new())
}

async fn t01_request_is_answered_and_its_tag_is_free<R: Runtime>(rt: R) -> Verdict {
    let (table, wire) = (table(rt), Wire::new());
    for round in 0..3 {
        let request = table.begin(1).unwrap();
        assert!(request.cx().check().is_ok() && !request.is_flushed());
        wire.send(request.reply().unwrap(), round);
        assert!(table.is_empty());
    }
    wire.shows(&[0, 1, 2]);
    assert_eq!(table.lost(), 0);
    Verdict::Pass
}

async fn t01_tag_in_use_is_refused_by_name<R: Runtime>(rt: R) -> Verdict {
    let table = table(rt);
    let request = table.begin(7).unwrap();
    assert_eq!(table.begin(7).unwrap_err(), NotBegun::InUse(7));
    assert_eq!(table.flush_as(7, 3).unwrap_err(), NotBegun::InUse(7));
    assert_eq!(table.len(), 1);
    request.reply().unwrap().sent();
    drop(table.begin(7).unwrap());
    assert!(table.is_empty());
    Verdict::Pass
}

async fn t01_full_table_refuses_and_nothing_leaks<R: Runtime>(rt: R) -> Verdict {
    let table = rt.put(Table::new().with_reserve(1));
    for _ in 0..rt.count(100) {
        let requests: [_; 7] = core::array::from_fn(|tag| table.begin(tag as u16).unwrap());
        assert_eq!(table.begin(8).unwrap_err(), NotBegun::Full);
        let flush = table.flush_as(8, 0).unwrap();
        assert_eq!(table.flush_as(9, 1).unwrap_err(), NotBegun::Full);
        assert!(requests[0].is_flushed() && !requests[1].is_flushed());
        drop(requests);
        drop(flush);
        assert!(table.is_empty());
    }
    Verdict::Pass
}

async fn t02_request_that_gives_up_is_not_answered<R: Runtime>(rt: R) -> Verdict {
    let (table, wire, flush) = (table(rt), rt.put(Wire::new()), asking(rt));
    let request = table.begin(1).unwrap();
    let begun = counter(rt);
    let task = rt.spawn(async move {
        begun.store(1, Ordering::SeqCst);
        let told = request.cx().guard(core::future::pending::<()>()).await;
        assert!(told.is_err());
        drop(request);
    });
    eventually(rt, "the request runs", || begun.load(Ordering::SeqCst) == 1).await;
    flush.flush.park(table.flush_as(2, 1).unwrap());
    assert_eq!(task.join().await, Ended::Finished);
    wire.send(flush.turn(), 102);
    wire.shows(&[102]);
    assert!(table.is_empty());
    Verdict::Pass
}

async fn t02_reply_under_way_goes_before_the_flush<R: Runtime>(rt: R) -> Verdict {
    let (table, wire, flush) = (table(rt), Wire::new(), asking(rt));
    // It arrives after the reply was begun, and before.
    for early in [false, true] {
        let request = table.begin(1).unwrap();
        if early {
            flush.enlist(table.flush_as(2, 1).unwrap());
        }
        let reply = request.reply().unwrap();
        if !early {
            flush.enlist(table.flush_as(2, 1).unwrap());
        }
        flush.pending();
        wire.send(reply, 1);
        assert_eq!(flush.waker.wakes(), 1 + usize::from(early));
        wire.send(flush.turn(), 102);
    }
    wire.shows(&[1, 102, 1, 102]);
    // Decided at one moment.
    let request = table.begin(1).unwrap();
    assert!(table.cancel(1));
    let Err(NotReplied::Flushed(request)) = request.reply_unless_flushed() else {
        panic!("it was flushed");
    };
    drop(request);
    table
        .begin(1)
        .unwrap()
        .reply_unless_flushed()
        .unwrap()
        .sent();
    assert!(table.is_empty());
    Verdict::Pass
}

async fn t02_flushes_are_answered_in_the_order_of_their_calls<R: Runtime>(rt: R) -> Verdict {
    let (table, wire) = (table(rt), Wire::new());
    let request = table.begin(1).unwrap();
    let flushes: [_; 4] = core::array::from_fn(|own| {
        let flush = asking(rt);
        flush.flush.park(table.flush_as(own as u16 + 2, 1).unwrap());
        flush
    });
    // The first is never polled before its turn; the others, the last first.
    for flush in flushes.iter().skip(1).rev() {
        flush.pending();
    }
    drop(request);
    // The second goes.
    flushes[1].flush.leave();
    for (i, flush) in flushes.iter().enumerate().filter(|(i, _)| *i != 1) {
        for later in flushes
            .iter()
            .skip(i + 1)
            .filter(|later| later.flush.is_parked())
        {
            later.pending();
        }
        wire.send(flush.turn(), 102 + i as u16);
    }
    wire.shows(&[102, 104, 105]);
    assert!(table.is_empty());
    Verdict::Pass
}

/// Requests that answer, that give up, that vanish, and two flushes of each, in tasks of their own.
async fn t02_tasks_never_write_out_of_order<R: Runtime>(rt: R) -> Verdict {
    /// 0, then 1 if the request was answered, then one more for each flush.
    struct Order(AtomicUsize);
    for round in 0..rt.count(200).div_ceil(8) {
        let (table, order) = (table(rt), rt.put(Order(AtomicUsize::new(0))));
        let request = table.begin(1).unwrap();
        // Its reply is under way when the flushes come, or not yet.
        let request = if round % 4 == 1 {
            Ok(request.reply().unwrap())
        } else {
            Err(request)
        };
        // The place is that of the call. (A flush that comes after the reply is answered at once.)
        let flushes = [2, 3].map(|own| table.flush_as(own, 1).unwrap());
        let served = rt.spawn(async move {
            for _ in 0..round % 3 {
                yield_now().await;
            }
            let reply = match request {
                Ok(reply) => reply,
                Err(request) if round % 4 == 0 => {
                    request.cx().cancelled().await;
                    return drop(request);
                }
                Err(request) => request.reply().unwrap(),
            };
            yield_now().await;
            assert_eq!(order.0.swap(1, Ordering::SeqCst), 0, "the reply first");
            reply.sent();
        });
        let [one, two] = flushes;
        let flushes = [(0, one), (1, two)].map(|(which, flush)| {
            rt.spawn(async move {
                let answer = flush.await.unwrap();
                let before = order.0.fetch_add(10, Ordering::SeqCst);
                assert_eq!(before / 10, which, "in order");
                yield_now().await;
                assert_eq!(order.0.load(Ordering::SeqCst) / 10, which + 1);
                answer.sent();
            })
        });
        for flush in flushes {
            assert_eq!(flush.join().await, Ended::Finished);
        }
        assert_eq!(served.join().await, Ended::Finished);
        assert!(table.is_empty());
    }
    Verdict::Pass
}

async fn t03_request_that_ignores_its_flushes_goes_first<R: Runtime>(rt: R) -> Verdict {
    let (table, wire) = (table(rt), Wire::new());
    let (second, third) = (asking(rt), asking(rt));
    let request = table.begin(1).unwrap();
    second.enlist(table.flush_as(2, 1).unwrap());
    third.enlist(table.flush_as(3, 1).unwrap());
    for _ in 0..10 {
        yield_now().await;
    }
    assert_eq!((second.waker.wakes(), third.waker.wakes()), (0, 0));
    wire.send(request.reply().unwrap(), 1);
    assert_eq!((second.waker.wakes(), third.waker.wakes()), (1, 0));
    third.pending();
    wire.send(second.turn(), 102);
    assert_eq!(third.waker.wakes(), 1);
    wire.send(third.turn(), 103);
    wire.shows(&[1, 102, 103]);
    assert!(table.is_empty());
    Verdict::Pass
}

async fn t04_unknown_finished_and_own_tags_are_answered_at_once<R: Runtime>(rt: R) -> Verdict {
    let table = table(rt);
    table.begin(1).unwrap().reply().unwrap().sent();
    for (own, old) in [(2, 1), (2, 9), (5, 5)] {
        table.flush_as(own, old).unwrap().await.unwrap().sent();
        assert!(table.is_empty());
    }
    let flush = table.flush(1).unwrap();
    assert!(table.is_empty(), "nothing is registered");
    flush.await.unwrap().sent();
    Verdict::Pass
}

async fn t04_flush_of_a_flush_leaves_the_others<R: Runtime>(rt: R) -> Verdict {
    let (table, wire) = (table(rt), Wire::new());
    let (second, fourth) = (asking(rt), asking(rt));
    // Before its turn, and in it.
    for turn in [false, true] {
        let request = table.begin(1).unwrap();
        second.enlist(table.flush_as(2, 1).unwrap());
        fourth.enlist(table.flush_as(4, 1).unwrap());
        let mut request = Some(request);
        if turn {
            drop(request.take());
        }
        let third = table.flush_as(3, 2).unwrap();
        wire.send(third.await.unwrap(), 103);
        assert_eq!(second.ready().unwrap_err(), Unanswered::Flushed);
        if let Some(request) = request {
            assert!(request.is_flushed());
            fourth.pending();
            wire.send(request.reply().unwrap(), 1);
        }
        wire.send(fourth.turn(), 104);
        assert!(table.is_empty());
    }
    wire.shows(&[103, 1, 104, 103, 104]);
    Verdict::Pass
}

async fn t05_tag_is_in_use_until_its_flush_may_be_answered<R: Runtime>(rt: R) -> Verdict {
    let (table, flush) = (table(rt), asking(rt));
    let in_use = || matches!(table.begin(1), Err(NotBegun::InUse(1)));
    let request = table.begin(1).unwrap();
    flush.enlist(table.flush_as(2, 1).unwrap());
    let reply = request.reply().unwrap();
    assert!(in_use());
    reply.sent();
    assert!(in_use(), "it has not seen its turn");
    let answer = flush.turn();
    // On its way: the client may have read it.
    let again = table.begin(1).unwrap();
    assert!(!again.is_flushed() && again.cx().check().is_ok());
    answer.sent();
    let reply = again.reply().unwrap();
    // As a reply may have been.
    let third = table.begin(1).unwrap();
    reply.sent();
    assert!(!third.is_flushed());
    drop(third);
    assert!(table.is_empty());
    Verdict::Pass
}

async fn t05_late_reply_of_an_older_session_is_refused<R: Runtime>(rt: R) -> Verdict {
    let table = table(rt);
    let old = table.begin(1).unwrap();
    table.reset(Kind::Explicit);
    let new = table.begin(1).unwrap();
    assert!(old.is_flushed() && !new.is_flushed());
    assert_eq!(old.reply().unwrap_err(), Over);
    assert!(new.cx().check().is_ok());
    new.reply().unwrap().sent();
    assert_eq!((table.len(), table.generation()), (0, 1));
    Verdict::Pass
}

async fn t06_interrupted_looking_error_is_an_answer<R: Runtime>(rt: R) -> Verdict {
    let (table, wire) = (table(rt), Wire::new());
    let request = table.begin(1).unwrap();
    let failed = request
        .cx()
        .guard(async { Err::<(), _>("interrupted") })
        .await;
    assert_eq!(failed, Ok(Err("interrupted")));
    wire.send(request.reply().unwrap(), 1);
    wire.shows(&[1]);
    assert_eq!(table.lost(), 0);
    Verdict::Pass
}

async fn t06_vanished_request_is_settled<R: Runtime>(rt: R) -> Verdict {
    let (table, flush) = (table(rt), asking(rt));
    let request = table.begin(1).unwrap();
    flush.enlist(table.flush_as(2, 1).unwrap());
    let task = rt.spawn(async move { drop(request) });
    assert_eq!(task.join().await, Ended::Finished);
    flush.turn().sent();
    drop(table.begin(1).unwrap());
    assert_eq!((table.len(), table.lost()), (0, 1), "that nobody flushed");
    Verdict::Pass
}

async fn t06_panicked_request_is_settled<R: Runtime>(rt: R) -> Verdict {
    let (table, flush) = (table(rt), asking(rt));
    let request = table.begin(1).unwrap();
    flush.enlist(table.flush_as(2, 1).unwrap());
    let task = rt.spawn(async move {
        let _request = request;
        panic!("on purpose: a request's handler");
    });
    assert_eq!(task.join().await, Ended::Panicked);
    flush.turn().sent();
    assert!(table.is_empty());
    Verdict::Pass
}

async fn t06_aborted_request_is_settled<R: Runtime>(rt: R) -> Verdict {
    let (table, flush) = (table(rt), asking(rt));
    let request = table.begin(1).unwrap();
    flush.enlist(table.flush_as(2, 1).unwrap());
    let task = rt.spawn(async move {
        let _request = request;
        core::future::pending::<()>().await;
    });
    assert_eq!(task.abort().await, Ended::Aborted);
    flush.turn().sent();
    assert!(table.is_empty());
    Verdict::Pass
}

async fn t07_end_of_a_session_tells_everybody<R: Runtime>(rt: R) -> Verdict {
    let table = table(rt);
    let listener: &'static Parked<Flushed<Static>> = rt.put(Parked::new());
    let heard = rt.put(TestWaker::new());
    let told = counter(rt);
    let flushes = [asking(rt), asking(rt)];
    let requests: [_; 2] = core::array::from_fn(|tag| table.begin(tag as u16).unwrap());
    for (i, flush) in flushes.iter().enumerate() {
        flush.enlist(table.flush_as(i as u16 + 2, 0).unwrap());
    }
    assert_eq!(table.flushed().await, Ok(0));
    listener.park(table.flushed());
    listener.pending(&heard.waker());
    let tasks = requests.map(|request| {
        rt.spawn(async move {
            request.cx().cancelled().await;
            told.fetch_add(1, Ordering::SeqCst);
            eventually(rt, "the session ends", || table.is_ended()).await;
            assert_eq!(request.reply().unwrap_err(), Over);
        })
    });
    eventually(rt, "the first is told", || told.load(Ordering::SeqCst) == 1).await;
    table.end(Kind::Shutdown);
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!((told.load(Ordering::SeqCst), heard.wakes()), (2, 1));
    assert_eq!(listener.ready(), Err(Over));
    for flush in flushes {
        assert_eq!(flush.waker.wakes(), 1);
        assert_eq!(flush.ready().unwrap_err(), Unanswered::Over);
    }
    assert_eq!(table.begin(9).unwrap_err(), NotBegun::Over);
    assert!(table.is_empty());
    table.reset(Kind::Explicit);
    drop(table.begin(9).unwrap());
    Verdict::Pass
}

async fn t07_reset_waits_for_replies_under_way<R: Runtime>(rt: R) -> Verdict {
    let table = table(rt);
    let sending: [_; 2] = core::array::from_fn(|i| {
        let request = table.begin(i as u16).unwrap();
        request.reply().unwrap()
    });
    table.cleared().await;
    table.reset(Kind::Explicit);
    let mut cleared = pin!(table.cleared());
    assert!(poll_once(cleared.as_mut(), Waker::noop()).is_pending());
    let tasks = sending.map(|reply| {
        rt.spawn(async move {
            yield_now().await;
            reply.sent();
        })
    });
    // A reply of the new session is none of its business.
    let new = table.begin(0).unwrap().reply().unwrap();
    cleared.await;
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert_eq!(table.len(), 1);
    new.sent();
    Verdict::Pass
}

async fn t08_one_listener_is_told_whose_request_was_flushed<R: Runtime>(rt: R) -> Verdict {
    let table = table(rt);
    let sum = counter(rt);
    let requests: [_; 4] = core::array::from_fn(|tag| table.begin(tag as u16 + 10).unwrap());
    let listener = rt.spawn(async move {
        while let Ok(tag) = table.flushed().await {
            sum.fetch_add(tag as usize, Ordering::SeqCst);
        }
    });
    for tag in [12, 10, 12] {
        assert!(table.cancel(tag));
    }
    let told = |all| move || sum.load(Ordering::SeqCst) == all;
    eventually(rt, "each once", told(22)).await;
    let [_, second, _, _] = requests;
    drop(second);
    assert!(!table.cancel(11) && table.cancel(13));
    eventually(rt, "none of a finished one", told(35)).await;
    table.end(Kind::Explicit);
    assert_eq!(listener.join().await, Ended::Finished);
    assert_eq!(sum.load(Ordering::SeqCst), 35);
    Verdict::Pass
}
