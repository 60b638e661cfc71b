//! Requests and their flushes: whoever may write to the connection touches data that is only right to
//! touch in turn.

use core::{pin::pin, task::Waker};
use std::sync::Arc;

use ecluse_core::{
    cancel::Kind,
    flush::{FlushTable, NotBegun, Over, Reply, Table as AnyTable, TableRef, Unanswered},
};

use crate::kit::{Data, block_on, models, poll_with, spawn};

models!(
    reply_meets_flush,
    drop_meets_flush,
    cancel_meets_the_next_request,
    flushes_answer_in_order,
    flush_that_goes_gives_its_turn_away,
    flush_meets_its_own_flush,
    end_meets_begin,
    reset_waits_for_the_reply_under_way,
    listener_that_goes_meets_a_flush,
);

type Table = FlushTable<u8, 3>;

struct Server {
    table: Arc<Table>,
    /// Touched by whoever may send.
    wire: Data,
}

fn server() -> Arc<Server> {
    Arc::new(Server {
        table: Arc::new(Table::new()),
        wire: Data::new(),
    })
}

impl Server {
    fn begin(&self, tag: u8) -> ecluse_core::flush::Request<Arc<Table>> {
        AnyTable::begin_owned(&self.table, tag).unwrap()
    }

    fn flush(&self, own: u8, old: u8) -> ecluse_core::flush::Flush<Arc<Table>> {
        AnyTable::flush_as_owned(&self.table, own, old).unwrap()
    }

    /// Writes; gives how many had written before.
    fn send<R: TableRef>(&self, reply: Reply<R>) -> usize {
        let before = self.wire.get();
        self.wire.add();
        reply.sent();
        before
    }
}

/// t02: the reply goes first, whoever comes first, and they never write at once.
fn reply_meets_flush() {
    let server = server();
    let request = server.begin(1);
    let serving = {
        let server = server.clone();
        spawn(move || {
            let reply = request.reply().unwrap();
            assert_eq!(server.send(reply), 0);
        })
    };
    let answer = block_on(server.flush(2, 1)).unwrap();
    assert_eq!(server.send(answer), 1);
    serving.join().unwrap();
    assert!(server.table.is_empty());
}

/// t06: a request that vanishes; its scope is cancelled, or it was gone.
fn drop_meets_flush() {
    let server = server();
    let request = server.begin(1);
    let serving = {
        let server = server.clone();
        spawn(move || {
            server.wire.add();
            drop(request);
        })
    };
    let answer = block_on(server.flush(2, 1)).unwrap();
    assert_eq!(server.send(answer), 1, "what it did happened before");
    serving.join().unwrap();
    assert!(server.table.is_empty());
    // The place is clean, its scope a fresh one.
    assert!(server.begin(1).cx().check().is_ok());
}

/// A cancel is under way to a request that vanishes, whose place another wants: that one is not told.
fn cancel_meets_the_next_request() {
    let server = server();
    let request = server.begin(1);
    let next = {
        let server = server.clone();
        spawn(move || {
            drop(request);
            server.begin(2)
        })
    };
    server.table.cancel(1);
    let next = next.join().unwrap();
    assert!(next.cx().check().is_ok());
    drop(next);
    assert!(server.table.is_empty());
}

fn flushes_answer_in_order() {
    let server = server();
    let request = server.begin(1);
    let flushes = [server.flush(2, 1), server.flush(3, 1)];
    let mut which = 0;
    let tasks = flushes.map(|flush| {
        let server = server.clone();
        let mine = which;
        which += 1;
        spawn(move || {
            let answer = block_on(flush).unwrap();
            assert_eq!(server.send(answer), mine);
        })
    });
    drop(request);
    for task in tasks {
        task.join().unwrap();
    }
    assert!(server.table.is_empty());
}

fn flush_that_goes_gives_its_turn_away() {
    let server = server();
    let request = server.begin(1);
    let (first, second) = (server.flush(2, 1), server.flush(3, 1));
    let leaving = spawn(move || {
        let mut first = Box::pin(first);
        let _ = poll_with(first.as_mut(), Waker::noop());
    });
    let settling = spawn(move || drop(request));
    let answer = block_on(second).unwrap();
    assert_eq!(server.send(answer), 0);
    leaving.join().unwrap();
    settling.join().unwrap();
    assert!(server.table.is_empty());
}

/// t04: either the flushed flush is answered first, or it is not answered.
fn flush_meets_its_own_flush() {
    let server = server();
    let request = server.begin(1);
    let second = server.flush(2, 1);
    let settling = {
        let server = server.clone();
        spawn(move || {
            drop(request);
            match block_on(second) {
                Ok(answer) => server.send(answer),
                Err(why) => {
                    assert_eq!(why, Unanswered::Flushed);
                    7
                }
            }
        })
    };
    let answer = block_on(server.flush(3, 2)).unwrap();
    let before = server.send(answer);
    let other = settling.join().unwrap();
    assert!((before, other) == (1, 0) || (before, other) == (0, 7));
    assert!(server.table.is_empty());
}

/// t07: whatever is begun is told.
fn end_meets_begin() {
    let server = server();
    let ending = {
        let table = server.table.clone();
        spawn(move || table.end(Kind::Shutdown))
    };
    match AnyTable::begin_owned(&server.table, 1) {
        Ok(request) => {
            assert_eq!(block_on(request.cx().cancelled()).kind(), Kind::Shutdown);
            assert_eq!(request.reply().unwrap_err(), Over);
        }
        Err(why) => assert_eq!(why, NotBegun::Over),
    }
    ending.join().unwrap();
    assert!(server.table.is_empty());
}

/// t07: the answer to a reset comes after what was under way.
fn reset_waits_for_the_reply_under_way() {
    let server = server();
    let request = server.begin(1);
    let serving = {
        let server = server.clone();
        spawn(move || match request.reply() {
            Ok(reply) => server.send(reply),
            Err(Over) => 7,
        })
    };
    server.table.reset(Kind::Explicit);
    block_on(server.table.cleared());
    let before = server.wire.get();
    server.wire.add();
    let sent = serving.join().unwrap();
    assert!((before, sent) == (1, 0) || (before, sent) == (0, 7));
    assert!(server.table.is_empty());
}

/// t08: it is told to somebody.
fn listener_that_goes_meets_a_flush() {
    let server = server();
    let request = server.begin(1);
    let (leaving, listening) = {
        let (one, two) = (server.table.clone(), server.table.clone());
        let leaving = spawn(move || {
            let mut flushed = pin!(one.flushed());
            poll_with(flushed.as_mut(), Waker::noop()).is_ready()
        });
        (leaving, spawn(move || block_on(two.flushed())))
    };
    assert!(server.table.cancel(1));
    if leaving.join().unwrap() {
        // That one heard it: the other hears of the end.
        server.table.end(Kind::Explicit);
        assert_eq!(listening.join().unwrap(), Err(Over));
    } else {
        assert_eq!(listening.join().unwrap(), Ok(1));
    }
    drop(request);
}
