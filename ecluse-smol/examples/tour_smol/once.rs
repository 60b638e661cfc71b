//! `Once`: a connection in a `static`, made by whoever needs it first. Who makes it may be cut off or fail: the place stays
//! empty, the next one tries, and what worked is kept.

use std::{
    future::pending,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

use ecluse_smol::{Once, flight::NotInit};
use smol::future::{poll_once, yield_now, zip};

static DATABASE: Once<String> = Once::new();
static CONNECTED: AtomicU32 = AtomicU32::new(0);

async fn connect() -> Result<String, &'static str> {
    CONNECTED.fetch_add(1, Ordering::Relaxed);
    yield_now().await;
    Ok("connection 1".to_owned())
}

pub(crate) fn main() {
    smol::block_on(async {
        let hasty = DATABASE.get_or_init(pending);
        assert!(poll_once(hasty).await.is_none()); // begun, and dropped
        let refused = DATABASE.get_or_try_init(async || Err("no route")).await;
        assert_eq!(refused, Err(NotInit::Failed("no route")));
        assert_eq!(DATABASE.get(), None);

        let (one, other) = zip(
            DATABASE.get_or_try_init(connect),
            DATABASE.get_or_try_init(connect),
        )
        .await;
        let (one, other) = (one.expect("it connects"), other.expect("it connects"));
        println!("one was dropped, one failed, then two have {one}");
        assert!(ptr::eq(one, other));
        assert_eq!(CONNECTED.load(Ordering::Relaxed), 1);
        assert_eq!(DATABASE.get(), Some(one)); // by one load
    });
}
