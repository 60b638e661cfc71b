//! `concurrently`, and with it `all`, `race`, `first`, `settle`: a position is asked for while the modem connects, in one task.
//! One of them fails; the other is told, cleans up, and only then does the caller hear of it.

use core::{error::Error, fmt, future::pending};

use ecluse_embassy::{Cx, Root};
use embassy_futures::yield_now;

static PROGRAM: Root = Root::new();

#[derive(Debug, PartialEq)]
struct NoNetwork;

impl fmt::Display for NoNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no network")
    }
}

impl Error for NoNetwork {}

pub(crate) async fn main() {
    let mut powered = false; // the two may borrow
    let both = PROGRAM.cx().concurrently(
        // A closure is told, and ends when it likes …
        async |cx: Cx<'_>| {
            powered = true;
            let position = cx.guard(pending::<(i32, i32)>()).await;
            yield_now().await; // … when the antenna is off
            powered = false;
            Ok(position.ok())
        },
        // … and a plain future would be dropped.
        async { Err::<(), _>(NoNetwork) },
    );
    let error = both.await.expect_err("one has failed");
    println!(
        "the modem failed ({NoNetwork}); the antenna is off: {}",
        !powered
    );
    assert_eq!(error.first(), Some(&NoNetwork));
    assert!(!powered);
}
