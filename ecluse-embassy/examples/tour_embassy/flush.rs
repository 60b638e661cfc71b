//! `FlushTable`: requests that their client takes back by tag, as in 9P. The answer to a request goes out before that to its
//! flush, or never; then the tag may be used again.

use core::future::pending;

use ecluse_embassy::{Channel, FlushTable, flush::Request};
use embassy_futures::join::join;

static REQUESTS: FlushTable<u16, 4> = FlushTable::new();
/// To the task of the serial line.
static WIRE: Channel<&str, 4> = Channel::new();

/// Answers a read when there is something to be read.
async fn read(request: Request<&FlushTable<u16, 4>>, data: impl Future<Output = &'static str>) {
    if let Ok(data) = request.cx().guard(data).await {
        let Ok(reply) = request.reply() else { return };
        WIRE.send(data).await.expect("it is open");
        reply.sent(); // its place on the wire is fixed
    } // else it is settled by being dropped, without an answer
}

/// Tag `own` takes tag `old` back.
async fn flush(own: u16, old: u16) {
    let flush = REQUESTS.flush_as(own, old).expect("there is room");
    let answer = flush.await.expect("nobody flushes the flush");
    WIRE.send("flushed").await.expect("it is open");
    answer.sent();
}

pub(crate) async fn main() {
    let quick = REQUESTS.begin(1).expect("there is room");
    let slow = REQUESTS.begin(2).expect("there is room");
    join(read(quick, async { "data for 1" }), flush(3, 1)).await; // too late: both are answered
    join(read(slow, pending()), flush(4, 2)).await; // in time: only the flush is
    assert!(REQUESTS.begin(2).is_ok(), "the tag is free again");
    let sent = [(); 3].map(|()| WIRE.try_receive());
    assert_eq!(sent, [Ok("data for 1"), Ok("flushed"), Ok("flushed")]);
    println!(
        "one request was answered, two flushes, and nothing else: {}",
        WIRE.is_empty()
    );
    assert!(WIRE.is_empty());
}
