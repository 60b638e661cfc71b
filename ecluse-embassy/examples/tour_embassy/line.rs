//! `Line`: the modem has lost its network, and all tasks meet that at once. One joins it again, the others wait for the end of
//! that and go on, without a turn of their own; who hears of it late does nothing.

use ecluse_embassy::{AcquireIf, Generation, Line, WaitExt};
use embassy_futures::{join::join, yield_now};
use embassy_time::Duration;

static MODEM: Line = Line::new();

/// A packet was refused on the network of generation `seen`.
async fn refused(seen: Generation) -> &'static str {
    match MODEM.acquire_if(seen) {
        AcquireIf::Success(token) => {
            yield_now().await; // … talk to the modem; cut off here, it is another one's turn …
            token.release();
            "joined it"
        }
        AcquireIf::Failure(wait) => match wait.within(Duration::from_secs(60)).await {
            Ok(end) if end.is_done() => "waited",
            _ => "would try again",
        },
        AcquireIf::Outdated => "had nothing to do",
    }
}

pub(crate) async fn main() {
    // Read before the packet is sent: the network that it goes by is no older.
    let seen = MODEM.generation();
    let (one, other) = join(refused(seen), refused(seen)).await;
    let late = refused(seen).await;
    println!("one {one}, one {other}; a third heard of it late, and {late}");
    assert_eq!((one, other), ("joined it", "waited"));
    assert_eq!(late, "had nothing to do");
}
