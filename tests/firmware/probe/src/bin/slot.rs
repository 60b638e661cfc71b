//! A `Slot` and all that is done with it.
#![no_std]
#![no_main]

use core::future::Future;
use core::hint::black_box;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use ecluse_core::Slot;
use ecluse_probe as _;

static SLOT: Slot = Slot::new();

/// The entry.
// SAFETY: no other symbol has the name.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match SLOT.try_claim() {
            Ok(claim) if black_box(true) => claim.release(),
            Ok(claim) if black_box(true) => drop(claim),
            Ok(claim) => core::mem::forget(claim),
            Err(_) => {
                let mut wait = pin!(SLOT.claim());
                let mut end = pin!(SLOT.released());
                black_box(end.as_mut().poll(&mut cx).is_ready());
                if let Poll::Ready(Ok(claim)) = wait.as_mut().poll(&mut cx) {
                    claim.release();
                }
                black_box(wait.try_abandon().is_some());
            }
        }
        if black_box(SLOT.is_claimed()) {
            SLOT.close();
        }
    }
}
