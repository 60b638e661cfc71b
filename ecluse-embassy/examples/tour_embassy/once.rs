//! `Once`: the display's driver, made by whoever needs it first. Who makes it may be out of time or fail: the place stays empty,
//! the next one tries, and what worked is kept.

use core::{
    future::pending,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use ecluse_embassy::{Once, flight::NotInit};
use embassy_futures::{join::join, yield_now};
use embassy_time::{Duration, with_timeout};

#[derive(Debug, PartialEq)]
struct Display {
    lines: u16,
}

static DISPLAY: Once<Display> = Once::new();
static BEGUN: AtomicU32 = AtomicU32::new(0);

async fn begin() -> Result<Display, &'static str> {
    BEGUN.fetch_add(1, Ordering::Relaxed);
    yield_now().await; // … a hundred commands …
    Ok(Display { lines: 240 })
}

pub(crate) async fn main() {
    let hasty = DISPLAY.get_or_init(pending);
    assert!(with_timeout(Duration::from_millis(1), hasty).await.is_err());
    let failed = DISPLAY.get_or_try_init(async || Err("no answer")).await;
    assert_eq!(failed, Err(NotInit::Failed("no answer")));
    assert_eq!(DISPLAY.get(), None);

    let (one, other) = join(
        DISPLAY.get_or_try_init(begin),
        DISPLAY.get_or_try_init(begin),
    )
    .await;
    let (one, other) = (one.expect("it answers"), other.expect("it answers"));
    println!(
        "one was out of time, one failed, then two have a display of {} lines",
        one.lines
    );
    assert!(ptr::eq(one, other));
    assert_eq!(BEGUN.load(Ordering::Relaxed), 1);
    assert_eq!(DISPLAY.get(), Some(one)); // by one load
}
