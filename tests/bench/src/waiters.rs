//! One holder and a crowd: register, wake and observe a waiter; cancel one of many.
//!
//! Futures lie side by side in one allocation that is made before the clock starts, as they would
//! inside their tasks.

use std::{hint::black_box, mem::size_of_val, pin::Pin};

use ecluse_core::{AcquireOutcome, Handoff, Line, Slot};
use event_listener::Event;
use tokio::sync::Notify;

use crate::{
    measure::{Row, Turns},
    peers::poll,
};

/// Room for `n` futures that are made, polled and dropped in place.
pub struct Crowd<F> {
    room: Vec<Option<F>>,
}

impl<F: Future> Crowd<F> {
    pub fn new(n: usize) -> Self {
        Self {
            room: (0..n).map(|_| None).collect(),
        }
    }

    fn all(&mut self) -> impl Iterator<Item = Pin<&mut Option<F>>> {
        // SAFETY: Validity: the vector is not grown, and its futures are dropped in place.
        // Aliasing: one reference to each at a time.
        self.room
            .iter_mut()
            .map(|place| unsafe { Pin::new_unchecked(place) })
    }

    pub fn register(&mut self, make: impl Fn() -> F) {
        for mut place in self.all() {
            place.set(Some(make()));
            let _ = black_box(poll(place.as_pin_mut().expect("just made")));
        }
    }

    pub fn observe(&mut self) {
        for mut place in self.all() {
            let ready = poll(place.as_mut().as_pin_mut().expect("registered"));
            assert!(ready.is_ready());
            drop(black_box(ready));
            place.set(None);
        }
    }
}

pub fn size<F>(make: impl FnOnce() -> F) -> usize {
    size_of_val(&make())
}

/// Register n waiters, release once, observe n.
pub fn broadcast(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let repeats = (2_000 / n).max(1);
        let case = |implementation| ("broadcast", "register + wake + observe", implementation, n);

        let line = Line::<ecluse_core::StdMutex>::new();
        let make = || match line.try_acquire_token() {
            AcquireOutcome::Failure(wait) => wait,
            AcquireOutcome::Success(_) => unreachable!("held"),
        };
        let token = || line.try_acquire_token().success().expect("free");
        let mut crowd = Crowd::new(n);
        let held = token();
        let future = size(make);
        drop(held);
        rows.push(turns.row(case("ecluse Line"), future, n * repeats, || {
            for _ in 0..repeats {
                let held = token();
                crowd.register(make);
                held.release();
                crowd.observe();
            }
        }));

        let slot = Slot::<Handoff>::new();
        let mut crowd = Crowd::new(n);
        let future = size(|| slot.released());
        rows.push(
            turns.row(case("ecluse Slot::released"), future, n * repeats, || {
                for _ in 0..repeats {
                    let held = slot.try_claim().expect("free");
                    crowd.register(|| slot.released());
                    held.release();
                    crowd.observe();
                }
            }),
        );

        let notify = Notify::new();
        let mut crowd = Crowd::new(n);
        let future = size(|| notify.notified());
        rows.push(turns.row(case("tokio Notify"), future, n * repeats, || {
            for _ in 0..repeats {
                crowd.register(|| notify.notified());
                notify.notify_waiters();
                crowd.observe();
            }
        }));

        let event = Event::new();
        let mut crowd = Crowd::new(n);
        let future = size(|| event.listen());
        rows.push(turns.row(case("event-listener"), future, n * repeats, || {
            for _ in 0..repeats {
                crowd.register(|| event.listen());
                event.notify(usize::MAX);
                crowd.observe();
            }
        }));

        let line = operation_queue::line_token::Line::new();
        let mut crowd = Crowd::new(n);
        use operation_queue::line_token::AcquireOutcome as Theirs;
        let make = || match crate::peers::now(line.try_acquire_token()) {
            Theirs::Failure(wait) => wait,
            Theirs::Success(_) => unreachable!("held"),
        };
        let held = crate::peers::now(line.try_acquire_token());
        let future = size(make);
        drop(held);
        rows.push(
            turns.row(case("operation-queue Line"), future, n * repeats, || {
                for _ in 0..repeats {
                    let held = crate::peers::now(line.try_acquire_token());
                    crowd.register(make);
                    drop(held);
                    crowd.observe();
                }
            }),
        );
    }
}

/// Register n claimers; the claim goes through all of them, one by one.
pub fn chain(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let repeats = (2_000 / n).max(1);
        let case = |implementation| ("chain", "register + hand on + observe", implementation, n);

        let slot = Slot::<Handoff>::new();
        let mut crowd = Crowd::new(n);
        let future = size(|| slot.claim());
        rows.push(turns.row(case("ecluse Slot"), future, n * repeats, || {
            for _ in 0..repeats {
                let held = slot.try_claim().expect("free");
                crowd.register(|| slot.claim());
                held.release();
                crowd.observe();
            }
        }));

        let mutex = tokio::sync::Mutex::const_new(());
        let mut crowd = Crowd::new(n);
        let future = size(|| mutex.lock());
        rows.push(turns.row(case("tokio Mutex"), future, n * repeats, || {
            for _ in 0..repeats {
                let held = mutex.try_lock().expect("free");
                crowd.register(|| mutex.lock());
                drop(held);
                crowd.observe();
            }
        }));

        let mutex = async_lock::Mutex::new(());
        let mut crowd = Crowd::new(n);
        let future = size(|| mutex.lock());
        rows.push(
            turns.row(case("async-lock Mutex"), future, n * repeats, || {
                for _ in 0..repeats {
                    let held = mutex.try_lock().expect("free");
                    crowd.register(|| mutex.lock());
                    drop(held);
                    crowd.observe();
                }
            }),
        );
    }
}

/// With n waiters queued, enlist one more and cancel it.
pub fn cancel(turns: Turns, rows: &mut Vec<Row>) {
    const OPERATIONS: usize = 20_000;
    for &n in turns.crowds {
        let case = |implementation| ("cancel-one", "enlist + cancel", implementation, n);
        let mut one = |implementation, future: usize, work: &mut dyn FnMut()| {
            rows.push(turns.row(case(implementation), future, OPERATIONS, || {
                for _ in 0..OPERATIONS {
                    work();
                }
            }));
        };

        let slot = Slot::<Handoff>::new();
        let held = slot.try_claim();
        let mut crowd = Crowd::new(n);
        crowd.register(|| slot.claim());
        one("ecluse Slot", size(|| slot.claim()), &mut || {
            let wait = std::pin::pin!(slot.claim());
            assert!(poll(wait).is_pending());
        });
        drop(crowd);
        drop(held);

        let line = Line::<ecluse_core::StdMutex>::new();
        let held = line.try_acquire_token();
        let make = || match line.try_acquire_token() {
            AcquireOutcome::Failure(wait) => wait,
            AcquireOutcome::Success(_) => unreachable!("held"),
        };
        let mut crowd = Crowd::new(n);
        crowd.register(make);
        one("ecluse Line", size(make), &mut || {
            let wait = std::pin::pin!(make());
            assert!(poll(wait).is_pending());
        });
        drop(crowd);
        drop(held);

        let notify = Notify::new();
        let mut crowd = Crowd::new(n);
        crowd.register(|| notify.notified());
        one("tokio Notify", size(|| notify.notified()), &mut || {
            let wait = std::pin::pin!(notify.notified());
            assert!(poll(wait).is_pending());
        });

        let event = Event::new();
        let mut crowd = Crowd::new(n);
        crowd.register(|| event.listen());
        one("event-listener", size(|| event.listen()), &mut || {
            let wait = std::pin::pin!(event.listen());
            assert!(poll(wait).is_pending());
        });
    }
}

/// A spurious poll of a queued waiter.
pub fn repoll(turns: Turns, rows: &mut Vec<Row>) {
    const OPERATIONS: usize = 20_000;
    let slot = Slot::<Handoff>::new();
    let held = slot.try_claim();
    let mut wait = std::pin::pin!(slot.claim());
    assert!(poll(wait.as_mut()).is_pending());
    let future = size(|| slot.claim());
    rows.push(turns.row(
        ("repoll", "pending re-poll", "ecluse Slot", 1),
        future,
        OPERATIONS,
        || {
            for _ in 0..OPERATIONS {
                assert!(black_box(poll(wait.as_mut())).is_pending());
            }
        },
    ));
    drop(held);

    let notify = Notify::new();
    let mut wait = std::pin::pin!(notify.notified());
    assert!(poll(wait.as_mut()).is_pending());
    let future = size(|| notify.notified());
    rows.push(turns.row(
        ("repoll", "pending re-poll", "tokio Notify", 1),
        future,
        OPERATIONS,
        || {
            for _ in 0..OPERATIONS {
                assert!(black_box(poll(wait.as_mut())).is_pending());
            }
        },
    ));
}
