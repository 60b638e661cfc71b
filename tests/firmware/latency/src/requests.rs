//! ecluse: requests in flight, and their flushes.

use core::future::Future;
use core::pin::pin;

use ecluse_core::CriticalSection;
use ecluse_core::flush::FlushTable;

use crate::meter::Meter;
use crate::stub;

const NAME: &str = "ecluse";

type Requests = FlushTable<u16, 8, CriticalSection>;

pub fn run(meter: &Meter) {
    let table = Requests::new();
    let request = meter.print(NAME, "FlushTable: begin", || table.begin(1));
    let request = request.expect("room");
    let reply = meter.print(NAME, "FlushTable: reply", || request.reply());
    let reply = reply.expect("this session");
    meter.print(NAME, "FlushTable: sent", || reply.sent());

    let busy: [_; 7] = core::array::from_fn(|i| table.begin(10 + i as u16));
    let request = meter.print(NAME, "FlushTable: begin, 7 others", || table.begin(1));
    let request = request.expect("room");
    meter.print(NAME, "FlushTable: drop, 7 others", || drop(request));
    drop(busy);

    let request = table.begin(1).expect("room");
    let flush = meter.print(NAME, "FlushTable: flush", || table.flush_as(2, 1));
    let mut flush = pin!(flush.expect("room"));
    stub::with(1, |cx| {
        assert!(meter.poll(NAME, "FlushTable: flush, enlist", flush.as_mut(), cx));
        assert!(meter.poll(
            NAME,
            "FlushTable: flush, pending re-poll",
            flush.as_mut(),
            cx
        ));
    });
    let reply = meter.print(NAME, "FlushTable: reply, 1 flush waits", || request.reply());
    let reply = reply.expect("this session");
    meter.print(NAME, "FlushTable: sent, 1 flush waits", || reply.sent());
    let answer = stub::with(1, |cx| {
        meter.print(NAME, "FlushTable: flush, woken poll", || {
            flush.as_mut().poll(cx)
        })
    });
    let core::task::Poll::Ready(Ok(answer)) = answer else {
        panic!("it is its turn");
    };
    meter.print(NAME, "FlushTable: flush answered", || answer.sent());
    let unknown = meter.print(NAME, "FlushTable: flush of nothing", || {
        table.flush_as(2, 1)
    });
    let mut unknown = pin!(unknown.expect("room"));
    stub::with(1, |cx| {
        assert!(!meter.poll(
            NAME,
            "FlushTable: flush of nothing, first poll",
            unknown.as_mut(),
            cx
        ));
    });
}
