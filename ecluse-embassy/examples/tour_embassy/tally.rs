//! `Pool`, `Tally` and `Ticket`: futures of any type in a `static` pool of tasks, counted, joined and cancelled together. What
//! has no place is given back.

use core::future::pending;

use ecluse_embassy::{
    Pool, Tally,
    runtime::{Inline, Spawn},
};
use embassy_executor::Spawner;

static WORKERS: Pool<Inline<64>, 2> = Pool::new();
static CREW: Tally = Tally::new();

async fn serve(_request: u32) {
    pending().await
}

pub(crate) async fn main(spawner: Spawner) {
    let workers = WORKERS.on(spawner.make_send());
    let spawn = |request| workers.spawn(CREW.ticket(Inline::new(serve(request))));
    spawn(1).expect("there is a place");
    spawn(2).expect("there is a place");
    let refused = spawn(3).expect_err("there are two places");
    assert!(refused.into_future().is_some());
    assert_eq!(CREW.live(), 2);

    CREW.cancel(); // ends them all, though embassy has no abort
    CREW.joined().await; // their destructors have run
    println!(
        "two requests were served, one had no place; {} were cut off",
        CREW.lost()
    );
    assert_eq!((CREW.live(), CREW.lost()), (0, 2));
}
