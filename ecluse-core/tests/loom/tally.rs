//! Tickets: counted, joined, cancelled.

use std::sync::Arc;

use ecluse_core::runtime::Tally;
use loom::cell::UnsafeCell;

use crate::kit::{block_on, models, spawn};

models!(
    join_comes_after_the_destructor,
    cancel_meets_first_poll,
    last_ticket_meets_join
);

/// A future whose destructor writes, and that never ends.
struct Endless(Arc<Cell>);

struct Cell(UnsafeCell<usize>);

// SAFETY: Validity: a number. Aliasing: the model shows that it is used in turn.
unsafe impl Sync for Cell {}
// SAFETY: as above.
unsafe impl Send for Cell {}

impl core::future::Future for Endless {
    type Output = ();

    fn poll(
        self: core::pin::Pin<&mut Self>,
        _: &mut core::task::Context<'_>,
    ) -> core::task::Poll<()> {
        core::task::Poll::Pending
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        // SAFETY: Validity: a number. Aliasing: loom looks.
        self.0.0.with_mut(|ended| unsafe { *ended += 1 });
    }
}

/// j07: the destructor has run before the count reaches zero.
fn join_comes_after_the_destructor() {
    let tally = Arc::new(<Tally>::new());
    let ended = [(); 2].map(|()| Arc::new(Cell(UnsafeCell::new(0))));
    let [one, two] = ended.clone().map(|ended| {
        let ticket = Tally::ticket_owned(&tally, Endless(ended));
        spawn(move || drop(ticket))
    });
    one.join().unwrap();
    block_on(tally.joined());
    for ended in &ended {
        // SAFETY: Validity: a number. Aliasing: loom looks.
        assert_eq!(ended.0.with(|ended| unsafe { *ended }), 1);
    }
    two.join().unwrap();
    assert_eq!((tally.live(), tally.lost()), (0, 2));
}

/// A ticket that is polled first while the cancel runs ends all the same.
fn cancel_meets_first_poll() {
    let tally = Arc::new(<Tally>::new());
    let ended = Arc::new(Cell(UnsafeCell::new(0)));
    let ticket = Tally::ticket_owned(&tally, Endless(ended.clone()));
    let worker = spawn(move || block_on(ticket));
    assert!(tally.cancel());
    block_on(tally.joined());
    // SAFETY: Validity: a number. Aliasing: loom looks.
    assert_eq!(ended.0.with(|ended| unsafe { *ended }), 1);
    worker.join().unwrap();
}

fn last_ticket_meets_join() {
    let tally = Arc::new(<Tally>::new());
    let ticket = Tally::ticket_owned(&tally, async {});
    let worker = spawn(move || block_on(ticket));
    block_on(tally.joined());
    worker.join().unwrap();
    assert_eq!((tally.live(), tally.lost()), (0, 0));
}
