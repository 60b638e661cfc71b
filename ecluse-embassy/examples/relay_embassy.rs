//! A page of flash is erased and written in a `static` `Relay`, without a heap; who asked first is cut off by its time-out
//! between the two, and the next one goes on from there: nothing is erased twice.
//!
//! On the host: `cargo run -p ecluse-embassy --example relay_embassy`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use ecluse_embassy::{flight::Relay, inline_size, runtime::Inline};
use embassy_executor::{Executor, Spawner};
use embassy_futures::select::{Either, select};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};
use embassy_time::{Duration, with_timeout};

static FLASH: Relay<Inline<{ inline_size!(update) }, u32>> = Relay::new();
static READY: Signal<CriticalSectionRawMutex, ()> = Signal::new();
static ERASED: AtomicU32 = AtomicU32::new(0);
static WRITTEN: AtomicBool = AtomicBool::new(false);

async fn update() -> u32 {
    ERASED.fetch_add(1, Relaxed);
    READY.wait().await; // the chip is busy
    4096 // bytes are written
}

#[embassy_executor::task]
async fn main_task() {
    let first = with_timeout(
        Duration::from_millis(5),
        FLASH.run(|| Inline::new(update())),
    );
    let mut next = core::pin::pin!(FLASH.run(|| Inline::new(update())));
    match select(first, next.as_mut()).await {
        Either::First(cut_off) => assert!(cut_off.is_err()),
        Either::Second(_) => unreachable!("the chip is busy"),
    }
    READY.signal(());
    let answer = next.await.expect("nobody cuts this one off");
    assert_eq!((answer.value, ERASED.load(Relaxed)), (4096, 1));
    WRITTEN.store(true, Relaxed);
}

fn main() {
    let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
    let start = |spawner: Spawner| spawner.spawn(main_task().expect("the only one"));
    // On a chip: `executor.run(start)`, for ever.
    executor.run_until(start, || WRITTEN.load(Relaxed));
    println!("a page is written, and was erased once");
}
