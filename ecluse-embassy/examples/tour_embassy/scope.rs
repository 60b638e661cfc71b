//! `Root`, `Scope`, `Cx`: the battery is low. What the tasks wait for ends, however deep they are, with the reason; a page of
//! flash that is being written is finished first.

use core::pin::pin;

use ecluse_embassy::{Cancelled, Channel, Cx, Root, cancel::Kind};
use embassy_futures::{join::join, yield_now};
use embassy_sync::{blocking_mutex::raw::CriticalSectionRawMutex, signal::Signal};

static PROGRAM: Root = Root::new();
static PAGES: Channel<u32, 2> = Channel::new();
static ERASED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// Writes pages until it is told to stop; gives up between two of them only.
async fn log(cx: Cx<'_>, written: &mut u32) -> Result<(), Cancelled> {
    while let Ok(page) = cx.guard_wait(PAGES.receive()).await? {
        cx.protect(async |_| {
            ERASED.signal(()); // the page is erased …
            yield_now().await;
            *written += page; // … and written
        })
        .await;
    }
    Ok(())
}

pub(crate) async fn main() {
    PAGES.send(1).await.expect("it is open");
    let storage = pin!(PROGRAM.cx().child());
    let logger = pin!(storage.as_ref().enter().child());
    let (cx, mut written) = (logger.as_ref().enter(), 0);
    let (ended, _) = join(log(cx, &mut written), async {
        ERASED.wait().await;
        PROGRAM.cancel(Kind::Shutdown) // from an interrupt: `cancel_deferred`
    })
    .await;
    let why = ended.expect_err("the program was stopped").reason();
    println!("{written} page written, all of it; then it ended: {why}");
    assert_eq!((written, why.kind()), (1, Kind::Shutdown));
    assert!(why.is_inherited());
}
