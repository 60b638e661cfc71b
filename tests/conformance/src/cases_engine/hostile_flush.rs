//! w01, w02 for the table of requests: every callback of a waker, doing every hostile act, in every call that meets it.
//!
//! Each combination is a world of its own: a request that two flushes wait for, its body, a listener. Afterwards every place is free,
//! and no waker is left.

use core::pin::pin;
use core::task::{Poll, Waker};

use super::super::subject::FlushTable;
use super::super::subject::cancel::Kind;
use super::super::subject::flush::{Flush, Flushed, Reply, Request};
use crate::kit::{Guarded, Parked, Scene, TestWaker, poll_once, table};
use crate::{Runtime, Verdict};

cases! { engine hostile_flush:
    w01_flush_table_survives_wakers_that_come_back,
    w02_flush_table_survives_wakers_that_panic needs UNWIND,
}

/// What a waker does besides waking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Panic,
    Begin,
    Flush,
    DropOther,
    Listen,
    Reset,
}

const ACTS: [Act; 5] = [
    Act::Begin,
    Act::Flush,
    Act::DropOther,
    Act::Listen,
    Act::Reset,
];

/// Which call meets the hostile waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    Enlist,
    Repoll,
    Tell,
    Settle,
    Sent,
    Leave,
    FlushFlush,
    End,
}

const TRIGGERS: [Trigger; 8] = [
    Trigger::Enlist,
    Trigger::Repoll,
    Trigger::Tell,
    Trigger::Settle,
    Trigger::Sent,
    Trigger::Leave,
    Trigger::FlushFlush,
    Trigger::End,
];

/// Small: there are as many as there are combinations.
type Table = FlushTable<u16, 4>;
type Static = &'static Table;
type Waiting = Parked<Flush<Static>>;

struct World {
    table: Table,
    request: Guarded<Option<Request<Static>>>,
    reply: Guarded<Option<Reply<Static>>>,
    /// Polled with the hostile waker, as the listener is.
    first: Waiting,
    second: Waiting,
    listener: Parked<Flushed<Static>>,
}

impl World {
    const fn new() -> Self {
        Self {
            table: Table::new(),
            request: Guarded::new(None),
            reply: Guarded::new(None),
            first: Parked::new(),
            second: Parked::new(),
            listener: Parked::new(),
        }
    }

    /// What is granted is answered at once.
    fn poll(flush: &'static Waiting, waker: &Waker) {
        if flush.is_parked() {
            if let Poll::Ready(answer) = flush.poll(waker) {
                flush.leave();
                drop(answer);
            }
        }
    }
}

impl Scene for &'static World {
    type Act = Act;
    type Trigger = Trigger;

    const PANIC: Act = Act::Panic;
    const TRIGGERS: &'static [Trigger] = &TRIGGERS;

    fn new<R: Runtime>(rt: R) -> Self {
        rt.put(World::new())
    }

    fn act(self, act: Act) {
        match act {
            Act::Panic => panic!("hostile"),
            Act::Begin => drop(self.table.begin(50)),
            Act::Flush => drop(self.table.flush_as(51, 1)),
            Act::DropOther => self.second.leave(),
            Act::Listen => {
                let _ = poll_once(pin!(self.table.flushed()), Waker::noop());
                self.table.cancel(1);
            }
            Act::Reset => self.table.reset(Kind::Explicit),
        }
    }

    /// The calls before the one that counts: a request that the first has flushed, and the second.
    fn set(self, trigger: Trigger, hostile: &'static TestWaker) {
        let waker = &hostile.waker();
        let request = self.table.begin(1).expect("it is empty");
        if trigger == Trigger::Tell {
            self.listener.park(self.table.flushed());
            assert!(self.listener.poll(waker).is_pending());
        }
        self.request.with(|place| *place = Some(request));
        if trigger == Trigger::Tell {
            return;
        }
        self.first.park(self.table.flush_as(2, 1).expect("room"));
        if trigger == Trigger::Enlist {
            return;
        }
        if trigger != Trigger::Leave {
            World::poll(&self.first, waker);
        }
        self.second.park(self.table.flush_as(3, 1).expect("room"));
        World::poll(
            &self.second,
            if trigger == Trigger::Leave {
                waker
            } else {
                Waker::noop()
            },
        );
        if trigger == Trigger::Sent {
            let request = self.request.with(Option::take).expect("just put");
            let reply = request.reply().expect("this session");
            self.reply.with(|place| *place = Some(reply));
        }
        if trigger == Trigger::Leave {
            // The first has its turn.
            drop(self.request.with(Option::take));
        }
    }

    fn trigger(self, trigger: Trigger, hostile: &'static TestWaker) {
        let waker = &hostile.waker();
        match trigger {
            Trigger::Enlist => World::poll(&self.first, waker),
            Trigger::Repoll => World::poll(&self.first, Waker::noop()),
            Trigger::Tell => {
                self.table.cancel(1);
            }
            Trigger::Settle => drop(self.request.with(Option::take)),
            Trigger::Sent => drop(self.reply.with(Option::take)),
            Trigger::Leave => self.first.leave(),
            Trigger::FlushFlush => {
                self.table.cancel(2);
            }
            Trigger::End => self.table.end(Kind::Shutdown),
        }
    }

    /// Everybody goes, the harmless way, and every place is free.
    fn settle(self, _: &'static TestWaker) {
        self.first.leave();
        self.second.leave();
        self.listener.leave();
        drop(self.request.with(Option::take));
        drop(self.reply.with(Option::take));
        assert!(self.table.is_empty(), "a request is left");
    }
}

async fn w01_flush_table_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &ACTS).await
}

async fn w02_flush_table_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    table::<&'static World, R>(rt, &[Act::Panic]).await
}
