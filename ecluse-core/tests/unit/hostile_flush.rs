//! Foreign code that strikes a table of requests: wakers that come back into it in each of their
//! callbacks, wakers that panic. Afterwards every place is free and nobody waits.

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
};

use ecluse_core::{FlushTable, cancel::Kind, flush::Unanswered};

use crate::kit::{Callback, Striker, poll, poll_with, ready, within};
#[cfg(feature = "std")]
use crate::kit::{Wakes, panic_of};

type Table = FlushTable<u16, 16>;

/// Every call that leaves it as it was, for tags that nobody else uses.
fn use_table(table: &Table) {
    let _ = format!("{table:?}");
    let _ = (table.len(), table.generation(), table.lost());
    let Ok(request) = table.begin(100) else {
        return;
    };
    let _ = (request.is_flushed(), request.cx().check());
    let mut flushes = [(101, 100), (102, 101), (103, 100)]
        .map(|(own, old)| table.flush_as(own, old).map(Box::pin));
    for flush in flushes.iter_mut().flatten() {
        let _ = poll(flush.as_mut());
    }
    let mut listener = Box::pin(table.flushed());
    let _ = poll(listener.as_mut());
    let _ = (table.cancel(100), table.cancel(7));
    if let Ok(reply) = request.reply() {
        reply.sent();
    }
    for flush in flushes.into_iter().flatten() {
        drop(flush);
    }
    let _ = poll(pin!(table.cleared()));
}

/// Is told, waits, leaves, is answered, with the striker's waker in every place.
fn walk(table: &Table, striker: &'static Striker) {
    let waker = striker.waker();
    for step in 0..6 {
        let Ok(request) = table.begin(1) else {
            break;
        };
        let mut told = Box::pin(request.cx().cancelled());
        let _ = poll_with(told.as_mut(), &waker);
        let mut listener = Box::pin(table.flushed());
        let _ = poll_with(listener.as_mut(), &waker);
        let flushes = [(2, 1), (3, 1), (4, 3), (5, 1)];
        let mut flushes = flushes.map(|(own, old)| {
            let mut flush = Box::pin(table.flush_as(own, old).expect("room"));
            let _ = poll_with(flush.as_mut(), &waker);
            Some(flush)
        });
        drop(told);
        match step {
            0 => drop(request),
            1 => request.reply().expect("this session").sent(),
            2 => {
                flushes[0] = None;
                drop(request);
            }
            3 => {
                table.reset(Kind::Explicit);
                drop(request);
            }
            4 => {
                let reply = request.reply().expect("this session");
                table.reset(Kind::Explicit);
                let mut cleared = Box::pin(table.cleared());
                let _ = poll_with(cleared.as_mut(), &waker);
                reply.sent();
            }
            _ => {
                let _ = poll(listener.as_mut());
                table.end(Kind::Shutdown);
                drop(request);
                table.reset(Kind::Explicit);
            }
        }
        for flush in &mut flushes {
            use futures_core::FusedFuture;
            if let Some(flush) = flush.as_mut().filter(|flush| !flush.is_terminated()) {
                drop(poll_with(flush.as_mut(), &waker));
            }
        }
    }
}

#[test]
fn w01_wakers_that_come_back() {
    within(|| {
        for at in Callback::ALL {
            let table: &'static Table = Box::leak(Box::new(Table::new()));
            let striker = Striker::new(at, || use_table(table));
            walk(table, striker);
            assert!(at == Callback::WakeByRef || striker.acted() > 0, "{at:?}");
            assert_eq!(striker.live(), 0, "{at:?}");
            assert!(table.is_empty(), "{at:?}");
        }
    });
}

/// Wakers that end everything they can reach.
#[test]
fn w01_wakers_that_end_the_session() {
    within(|| {
        for at in Callback::ALL {
            let table: &'static Table = Box::leak(Box::new(Table::new()));
            let striker = Striker::new(at, || {
                table.end(Kind::Shutdown);
                table.reset(Kind::Explicit);
            });
            let request = table.begin(1).unwrap();
            let waker = striker.waker();
            let mut told = Box::pin(request.cx().cancelled());
            let _ = poll_with(told.as_mut(), &waker);
            if let Ok(flush) = table.flush_as(2, 1) {
                let mut flush = Box::pin(flush);
                let _ = poll_with(flush.as_mut(), &waker);
                let _ = table.cancel(2);
            }
            drop(told);
            drop(request);
            drop(waker);
            assert_eq!(striker.live(), 0, "{at:?}");
            assert!(table.is_empty(), "{at:?}");
        }
    });
}

/// A listener begins a request as soon as it hears of the reset: that is one of the next session.
#[test]
fn w01_what_is_begun_while_a_session_ends_is_not_told_so() {
    within(|| {
        let table: &'static Table = Box::leak(Box::new(Table::new()));
        let next = Arc::new(Mutex::new(None));
        let striker = Striker::new(Callback::Wake, {
            let next = next.clone();
            move || *next.lock().unwrap() = table.begin(1).ok()
        });
        let mut listener = Box::pin(table.flushed());
        assert!(poll_with(listener.as_mut(), &striker.waker()).is_pending());
        table.reset(Kind::Explicit);
        let request = next.lock().unwrap().take().expect("begun");
        assert!(!request.is_flushed() && request.cx().check().is_ok());
    });
}

/// A request goes in the waker by which it is told: its place is nobody else's until all is told.
#[test]
fn w01_a_request_that_goes_while_it_is_told_leaves_its_place_last() {
    within(|| {
        let table: &'static Table = Box::leak(Box::new(Table::new()));
        let parked = Arc::new(Mutex::new(None));
        let next = Arc::new(Mutex::new(None));
        let striker = Striker::new(Callback::Wake, {
            let (parked, next) = (parked.clone(), next.clone());
            move || {
                let mut body: Pin<Box<dyn Future<Output = ()> + Send>> =
                    parked.lock().unwrap().take().expect("it waits");
                assert!(poll(body.as_mut()).is_ready());
                *next.lock().unwrap() = table.begin(1).ok();
            }
        });
        let request = table.begin(1).unwrap();
        let mut body = Box::pin(async move {
            let told = request.cx().guard(pending::<()>()).await;
            assert!(told.is_err());
            drop(request);
        });
        assert!(poll_with(body.as_mut(), &striker.waker()).is_pending());
        *parked.lock().unwrap() = Some(body);
        assert!(table.cancel(1));
        let next = next.lock().unwrap().take().expect("begun");
        assert!(!next.is_flushed() && next.cx().check().is_ok());
        drop(next);
        assert!(table.is_empty());
    });
}

/// One reply gives two flushes their turns: the waker of the first drops the other, or flushes it, which
/// may not have been woken yet.
#[test]
fn w01_a_flush_that_goes_as_another_is_woken_beside_it() {
    within(|| {
        for drops in [true, false] {
            let table: &'static Table = Box::leak(Box::new(Table::new()));
            let request = table.begin(1).unwrap();
            let mut replying = Box::pin(table.flush_as(2, 1).unwrap());
            let mut next = Box::pin(table.flush_as(3, 1).unwrap());
            drop(request);
            let reply = ready(poll(replying.as_mut())).unwrap();
            let mut last = Box::pin(table.flush_as(4, 2).unwrap());
            assert!(poll(last.as_mut()).is_pending());
            let last = Arc::new(Mutex::new(Some(last)));
            let theirs = last.clone();
            let striker = Striker::new(Callback::Wake, move || {
                if drops {
                    *theirs.lock().unwrap() = None;
                } else {
                    assert!(table.cancel(4));
                }
            });
            assert!(poll_with(next.as_mut(), &striker.waker()).is_pending());
            reply.sent();
            assert_eq!((striker.acted(), striker.live()), (1, 0));
            ready(poll(next.as_mut())).unwrap().sent();
            if let Some(mut last) = last.lock().unwrap().take() {
                assert_eq!(ready(poll(last.as_mut())).unwrap_err(), Unanswered::Flushed);
            }
            assert!(table.is_empty());
        }
    });
}

/// The waker of the request panics: the flush is entered nowhere, the request told, others woken.
#[cfg(feature = "std")]
#[test]
fn w02_a_panicking_request_is_told_all_the_same() {
    within(|| {
        let table: &'static Table = Box::leak(Box::new(Table::new()));
        let striker = Striker::new(Callback::Wake, || panic!("the request's waker"));
        let request = table.begin(1).unwrap();
        let mut told = Box::pin(request.cx().cancelled());
        assert!(poll_with(told.as_mut(), &striker.waker()).is_pending());
        let (wakes, waker) = Wakes::new();
        let mut also = Box::pin(request.cx().cancelled());
        assert!(poll_with(also.as_mut(), &waker).is_pending());
        let mut listener = Box::pin(table.flushed());
        assert!(poll_with(listener.as_mut(), &waker).is_pending());
        let text = panic_of(|| table.flush_as(2, 1));
        assert_eq!(text, "the request's waker");
        assert_eq!(wakes.count(), 2);
        assert!(request.cx().check().is_err());
        assert_eq!(ready(poll(listener.as_mut())), Ok(1));
        assert_eq!(table.len(), 1, "the flush went with the panic");
        drop((told, also));
        drop(request);
        assert!(table.is_empty());
    });
}

/// The waker of a flush panics: its turn is its own, or the next one's when it goes.
#[cfg(feature = "std")]
#[test]
fn w02_a_panicking_flush_loses_nothing() {
    within(|| {
        let table: &'static Table = Box::leak(Box::new(Table::new()));
        let striker = Striker::new(Callback::Wake, || panic!("the flush's waker"));
        let request = table.begin(1).unwrap();
        let mut first = Box::pin(table.flush_as(2, 1).unwrap());
        assert!(poll_with(first.as_mut(), &striker.waker()).is_pending());
        let (wakes, waker) = Wakes::new();
        let mut second = Box::pin(table.flush_as(3, 1).unwrap());
        assert!(poll_with(second.as_mut(), &waker).is_pending());
        assert_eq!(panic_of(|| drop(request)), "the flush's waker");
        drop(first);
        assert_eq!(wakes.count(), 1);
        ready(poll(second.as_mut())).unwrap().sent();
        drop(second);
        assert!(table.is_empty());
    });
}

/// Any waker panics while a session ends: all others are told, and the first panic goes on.
#[cfg(feature = "std")]
#[test]
fn w02_a_panic_does_not_stop_the_end_of_a_session() {
    within(|| {
        for bad in 0..6 {
            let table: &'static Table = Box::leak(Box::new(Table::new()));
            let striker = Striker::new(Callback::Wake, || panic!("somebody's waker"));
            let (wakes, waker) = Wakes::new();
            let waker = |i| {
                if i == bad {
                    striker.waker()
                } else {
                    waker.clone()
                }
            };
            let requests = [1, 2].map(|tag| table.begin(tag).unwrap());
            let mut told = requests.each_ref().map(|r| Box::pin(r.cx().cancelled()));
            for (i, told) in told.iter_mut().enumerate() {
                assert!(poll_with(told.as_mut(), &waker(i)).is_pending());
            }
            let replying = [5, 6].map(|tag| table.begin(tag).unwrap().reply().unwrap());
            let mut flushes =
                [(7, 5), (8, 6)].map(|(a, b)| Box::pin(table.flush_as(a, b).unwrap()));
            for (i, flush) in flushes.iter_mut().enumerate() {
                assert!(poll_with(flush.as_mut(), &waker(2 + i)).is_pending());
            }
            let mut listeners = [(); 2].map(|()| Box::pin(table.flushed()));
            for (i, listener) in listeners.iter_mut().enumerate() {
                assert!(poll_with(listener.as_mut(), &waker(4 + i)).is_pending());
            }
            assert_eq!(panic_of(|| table.end(Kind::Shutdown)), "somebody's waker");
            assert_eq!(wakes.count(), 5, "{bad}");
            for told in &mut told {
                assert_eq!(ready(poll(told.as_mut())).kind(), Kind::Shutdown);
            }
            for flush in &mut flushes {
                assert!(ready(poll(flush.as_mut())).is_err());
            }
            for listener in &mut listeners {
                assert!(ready(poll(listener.as_mut())).is_err());
            }
            drop(told);
            drop((requests, replying));
            drop(flushes);
            assert!(table.is_empty(), "{bad}");
        }
    });
}

/// A tag whose comparison panics changes nothing.
#[cfg(feature = "std")]
#[test]
fn w02_a_tag_that_panics_when_it_is_compared() {
    #[derive(Clone, Copy, Debug)]
    struct Tag(u8);
    impl PartialEq for Tag {
        fn eq(&self, other: &Self) -> bool {
            assert!(self.0 != 66 && other.0 != 66, "compared");
            self.0 == other.0
        }
    }
    impl Eq for Tag {}
    within(|| {
        let table = FlushTable::<Tag, 4>::new();
        let request = table.begin(Tag(1)).unwrap();
        assert_eq!(panic_of(|| table.begin(Tag(66))), "compared");
        assert_eq!(panic_of(|| table.flush_as(Tag(66), Tag(1))), "compared");
        assert_eq!(panic_of(|| table.flush_as(Tag(2), Tag(66))), "compared");
        assert_eq!(panic_of(|| table.cancel(Tag(66))), "compared");
        assert_eq!(table.len(), 1);
        request.reply().unwrap().sent();
        assert!(table.is_empty());
    });
}
