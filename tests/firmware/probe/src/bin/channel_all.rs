//! A `Channel` and all that can be done with it, and a rendezvous.
#![no_std]
#![no_main]

use core::future::Future;
use core::hint::black_box;
use core::pin::pin;
use core::task::{Context, Poll};

use ecluse_core::Channel;

static CHANNEL: Channel<u32, 4> = Channel::new();
static RENDEZVOUS: Channel<u32, 0> = Channel::new();

fn all<const N: usize>(channel: &Channel<u32, N>, cx: &mut Context<'_>) {
    let mut send = pin!(channel.send(black_box(7)));
    while send.as_mut().poll(cx).is_pending() && black_box(true) {}
    black_box(send.try_abandon().is_some_and(|sent| sent.is_err()));
    let mut receive = pin!(channel.receive());
    while receive.as_mut().poll(cx).is_pending() && black_box(true) {}
    black_box(
        receive
            .try_abandon()
            .is_some_and(|received| received.is_ok()),
    );
    let mut reserve = pin!(channel.reserve());
    if let Poll::Ready(Ok(permit)) = reserve.as_mut().poll(cx) {
        if black_box(true) {
            permit.send(black_box(8));
        }
    }
    black_box(channel.try_send(black_box(9)).is_ok());
    black_box(channel.try_receive().is_ok());
    black_box(channel.try_reserve().is_ok());
    black_box(channel.len());
    black_box(channel.is_full() | channel.is_closed());
    if black_box(channel.has_waiting_senders() | channel.has_waiting_receivers()) {
        black_box(channel.close());
    }
}

/// The entry.
// SAFETY: no other symbol has the name.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    ecluse_probe::run(|cx| {
        all(&CHANNEL, cx);
        all(&RENDEZVOUS, cx);
    })
}
