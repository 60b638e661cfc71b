//! `FlushTable`: requests that their client takes back by tag, as in 9P or a language server. The answer to a request goes out
//! before that to its flush, or never; then the tag may be used again. (`examples/ninep.rs` is a server that does so.)

use std::future::pending;

use ecluse_smol::{FlushTable, channel::Channel, flush::Request};
use smol::stream::StreamExt;

static REQUESTS: FlushTable<u16, 16> = FlushTable::new();
static WIRE: Channel<&str, 4> = Channel::new();

/// Answers a read when there is something to be read.
async fn read(request: Request<&FlushTable<u16, 16>>, data: impl Future<Output = &'static str>) {
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

pub(crate) fn main() {
    smol::block_on(async {
        let quick = REQUESTS.begin(1).expect("there is room");
        let slow = REQUESTS.begin(2).expect("there is room");
        let slow = smol::spawn(read(slow, pending()));
        smol::spawn(read(quick, async { "data for 1" })).await;
        flush(3, 1).await; // too late: the answer is on the wire
        flush(4, 2).await; // in time: there will be none
        slow.await;
        assert!(REQUESTS.begin(2).is_ok(), "the tag is free again");
        WIRE.close();
        let sent: Vec<_> = WIRE.items().collect().await;
        println!("on the wire: {}", sent.join(", "));
        assert_eq!(sent, ["data for 1", "flushed", "flushed"]);
    });
}
