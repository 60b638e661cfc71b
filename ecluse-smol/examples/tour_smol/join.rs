//! `concurrently`, and with it `all`, `race`, `first`, `settle`: two halves of one answer, which borrow from their caller. One
//! fails; the other is told, cleans up, and only then does the caller hear of it.

use std::{future::pending, io};

use ecluse_smol::{Cx, Root};
use smol::future::yield_now;

pub(crate) fn main() {
    smol::block_on(async {
        let (root, mut log) = (<Root>::new(), Vec::new());
        let halves = root.cx().concurrently(
            // A closure is told, and ends when it likes …
            async |cx: Cx<'_>| {
                log.push("connected");
                let row = cx.guard(pending::<u32>()).await;
                yield_now().await; // … after a polite goodbye
                log.push("disconnected");
                Ok(row.ok())
            },
            // … and a plain future would be dropped.
            async { Err::<u32, _>(io::Error::from(io::ErrorKind::ConnectionReset)) },
        );
        let error = halves.await.expect_err("one has failed");
        let first = error.first().expect("nobody stopped us");
        println!(
            "one half failed ({first}); the other one {}",
            log.join(", ")
        );
        assert_eq!(first.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(log, ["connected", "disconnected"]);
    });
}
