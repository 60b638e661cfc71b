//! A `Channel` as firmware uses it: some tasks send, another receives, both wait when they must, and a wait may be dropped
//! half-way.
#![no_std]
#![no_main]

use core::future::Future;
use core::hint::black_box;
use core::pin::pin;

use ecluse_core::Channel;

static CHANNEL: Channel<u32, 4> = Channel::new();

/// The entry.
// SAFETY: no other symbol has the name.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    ecluse_probe::run(|cx| {
        let mut send = pin!(CHANNEL.send(black_box(7)));
        while send.as_mut().poll(cx).is_pending() && black_box(true) {}
        let mut receive = pin!(CHANNEL.receive());
        while black_box(true) {
            if let core::task::Poll::Ready(item) = receive.as_mut().poll(cx) {
                black_box(item.is_ok());
                break;
            }
        }
    })
}
