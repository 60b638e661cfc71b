//! `or_event`: a wait of ecluse and an `event_listener::Event` in one place. Whichever comes first is told; of the other
//! nothing is lost: a grant goes to the next in the queue.

use ecluse_smol::{First, Slot, or_event};
use event_listener::Event;
use smol::future::yield_now;

static PRINTER: Slot = Slot::new();

pub(crate) fn main() {
    smol::block_on(async {
        let reload = Event::new();
        let held = PRINTER.try_claim().expect("nobody has it");
        let work = or_event(PRINTER.claim(), reload.listen());
        let next = smol::spawn(PRINTER.claim());
        reload.notify(usize::MAX);
        assert!(matches!(work.await, First::Event)); // it has left the queue
        while !PRINTER.has_waiters() {
            yield_now().await;
        }
        held.release();
        next.await.expect("nobody closes it").release();
        println!("one had to reload, and the next one in the queue has the printer");
    });
}
