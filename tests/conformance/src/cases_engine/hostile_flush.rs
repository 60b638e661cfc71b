//! w01, w02 for the table of requests: every callback of a waker, doing every hostile act, in every call that meets it.
//!
//! Each combination is a world of its own: a request that two flushes wait for, its body, a listener. Afterwards every place is free,
//! and no waker is left.

use core::pin::pin;
use core::task::{Poll, Waker};

use super::super::subject::FlushTable;
use super::super::subject::cancel::Kind;
use super::super::subject::flush::{Flush, Flushed, Reply, Request};
use crate::kit::{Callback, Guarded, Parked, TestWaker, poll_once};
use crate::{Ended, Runtime, Task, Verdict};

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

    fn act(&'static self, act: Act) {
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
    fn set(&'static self, trigger: Trigger, waker: &Waker) {
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

    fn pull(&'static self, trigger: Trigger, waker: &Waker) {
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

    /// Everybody goes, the harmless way.
    fn clear(&'static self) {
        self.first.leave();
        self.second.leave();
        self.listener.leave();
        drop(self.request.with(Option::take));
        drop(self.reply.with(Option::take));
    }
}

/// One combination. Returns whether the hostile waker came to act.
async fn combination<R: Runtime>(rt: R, callback: Callback, act: Act, trigger: Trigger) -> bool {
    let world: &'static World = rt.put(World::new());
    let hostile: &'static TestWaker =
        rt.put(TestWaker::hostile(callback, rt.put(move || world.act(act))));
    world.set(trigger, &hostile.waker());
    // A task of its own: a panic ends it and nothing else.
    let task = rt.spawn(async move {
        hostile.arm();
        world.pull(trigger, &hostile.waker());
    });
    let ended = task.join().await;
    let acted = hostile.acted() > 0;
    let expected = if acted && act == Act::Panic {
        Ended::Panicked
    } else {
        Ended::Finished
    };
    assert_eq!(ended, expected, "{callback:?} {act:?} {trigger:?}");
    hostile.disarm();
    world.clear();
    assert!(world.table.is_empty(), "{callback:?} {act:?} {trigger:?}");
    assert_eq!(hostile.live(), 0, "{callback:?} {act:?} {trigger:?}");
    acted
}

/// Every trigger and callback with each of `acts`, or as many of them, evenly, as the platform affords.
async fn walk<R: Runtime>(rt: R, acts: &[Act]) -> Verdict {
    let all = acts.len() * TRIGGERS.len() * Callback::ALL.len();
    let step = all.div_ceil(rt.count(all));
    let mut acted = 0;
    for i in (0..all).step_by(step) {
        let callback = Callback::ALL[i % Callback::ALL.len()];
        let trigger = TRIGGERS[i / Callback::ALL.len() % TRIGGERS.len()];
        let act = acts[i / Callback::ALL.len() / TRIGGERS.len()];
        acted += usize::from(combination(rt, callback, act, trigger).await);
    }
    // Each trigger meets its callback: clone, drop or wake.
    assert!(
        step > 1 || acted >= acts.len() * TRIGGERS.len(),
        "{acted} of {all} acted"
    );
    Verdict::Pass
}

async fn w01_flush_table_survives_wakers_that_come_back<R: Runtime>(rt: R) -> Verdict {
    walk(rt, &ACTS).await
}

async fn w02_flush_table_survives_wakers_that_panic<R: Runtime>(rt: R) -> Verdict {
    walk(rt, &[Act::Panic]).await
}
