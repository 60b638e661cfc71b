//! `Relay`: a page of flash is erased and written in a `static`, without a heap. Who asked first loses a `select` between the two;
//! the next one goes on from there, and nothing is erased twice.

use core::sync::atomic::{AtomicU32, Ordering};

use ecluse_embassy::{Relay, inline_size, runtime::Inline};
use embassy_futures::{join::join3, select::select};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};

static FLASH: Relay<Inline<{ inline_size!(update) }, u32>> = Relay::new();
static READY: Signal<CriticalSectionRawMutex, ()> = Signal::new();
static BUTTON: Signal<CriticalSectionRawMutex, ()> = Signal::new();
static ERASED: AtomicU32 = AtomicU32::new(0);

async fn update() -> u32 {
    ERASED.fetch_add(1, Ordering::Relaxed);
    READY.wait().await; // the chip is busy
    4096 // bytes are written
}

pub(crate) async fn main() {
    let first = async {
        let run = FLASH.run(|| Inline::new(update()));
        let cut_off = select(run, BUTTON.wait()).await.is_second();
        READY.signal(());
        cut_off
    };
    let next = FLASH.run(|| Inline::new(update()));
    let (cut_off, next, ()) = join3(first, next, async { BUTTON.signal(()) }).await;
    let answer = next.expect("nobody cuts this one off");
    println!(
        "{} bytes are written, by another than had them erased",
        answer.value
    );
    assert!(cut_off && answer.led());
    assert_eq!((answer.value, ERASED.load(Ordering::Relaxed)), (4096, 1));
}
