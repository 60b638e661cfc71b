//! `Flight`: many want a reading of a slow sensor while it is taken: one takes it, all get it. The one that takes it loses a
//! `select`; exactly one of the others goes on, and nobody is told of it.

use core::sync::atomic::{AtomicU32, Ordering};

use ecluse_embassy::{Flight, flight::Answer};
use embassy_futures::{join::join4, select::select};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};

static READING: Flight<u16> = Flight::new();
static CONVERSIONS: AtomicU32 = AtomicU32::new(0);
static CONVERTED: Signal<CriticalSectionRawMutex, u16> = Signal::new();
static BUTTON: Signal<CriticalSectionRawMutex, ()> = Signal::new();

async fn reading() -> Answer<u16> {
    let convert = || {
        CONVERSIONS.fetch_add(1, Ordering::Relaxed);
        CONVERTED.wait() // for the interrupt
    };
    READING.run(convert).await.expect("somebody goes on")
}

pub(crate) async fn main() {
    let first = async {
        let cut_off = select(reading(), BUTTON.wait()).await.is_second();
        CONVERTED.signal(215);
        cut_off
    };
    let (cut_off, one, other, ()) =
        join4(first, reading(), reading(), async { BUTTON.signal(()) }).await;
    let conversions = CONVERSIONS.load(Ordering::Relaxed);
    println!("the first was stopped; two have the reading by one more: {conversions} in all");
    assert_eq!((cut_off, conversions), (true, 2));
    assert_eq!((one.value, other.value), (215, 215));
    assert!(one.led() != other.led());
}
