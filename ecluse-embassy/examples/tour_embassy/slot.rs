//! `Slot`: a radio for one at a time. Who has it loses a `select` in the middle of a packet; the claim goes to exactly one of
//! those who wait, in order, who learns that the radio was left as it is.

use core::future::pending;

use ecluse_embassy::{Outcome, Slot};
use embassy_futures::{join::join3, select::select};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};

static RADIO: Slot = Slot::new();
static BUTTON: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// Sends a packet, which nobody acknowledges.
async fn send() {
    let claim = RADIO.claim().await.expect("nobody closes it");
    pending::<()>().await;
    claim.release();
}

/// Listens, when its turn has come.
async fn listen() -> Option<Outcome> {
    let claim = RADIO.claim().await.expect("nobody closes it");
    let before = claim.inherited();
    // … reset it, if the one before has not, and listen …
    claim.release();
    before
}

pub(crate) async fn main() {
    let sent = select(send(), BUTTON.wait());
    let (sent, before, ()) = join3(sent, listen(), async { BUTTON.signal(()) }).await;
    assert!(sent.is_second());
    let before = before.expect("it was handed on");
    println!("the sender was stopped; the next one has the radio, {before}");
    assert_eq!(before, Outcome::Abandoned { by_panic: false });
}
