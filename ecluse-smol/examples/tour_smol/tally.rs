//! `Tally` and `Ticket`: tasks counted by a number in a `static`, joined without a handle of each, cancelled together. An
//! abort by their own handle is counted, too; to drop that handle detaches.

use std::future::pending;

use ecluse_smol::{
    SmolSpawn,
    runtime::{Abort, Spawn, Tally},
};

static UPLOADS: Tally = Tally::new();

pub(crate) fn main() {
    smol::block_on(async {
        let upload = |work| {
            SmolSpawn
                .spawn(UPLOADS.ticket(work))
                .expect("it has a place")
        };
        let aborts = [(); 3].map(|()| upload(pending()));
        assert_eq!(UPLOADS.live(), 3);
        let [first, ..] = aborts;
        first.abort();
        UPLOADS.cancel();
        UPLOADS.joined().await; // their destructors have run
        println!(
            "three uploads, {} of them cut off, all gone",
            UPLOADS.lost()
        );
        assert_eq!((UPLOADS.live(), UPLOADS.lost()), (0, 3));
    });
}
