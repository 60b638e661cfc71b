//! A `Slot` and all that can be done with it.
#![no_std]
#![no_main]

use core::future::Future;
use core::hint::black_box;
use core::pin::pin;
use core::task::Poll;

use ecluse_core::Slot;

static SLOT: Slot = Slot::new();

/// The entry.
// SAFETY: no other symbol has the name.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    ecluse_probe::run(|cx| {
        match SLOT.try_claim() {
            Ok(claim) if black_box(true) => claim.release(),
            Ok(claim) if black_box(true) => drop(claim),
            Ok(claim) => core::mem::forget(claim),
            Err(_) => {
                let mut end = pin!(SLOT.released());
                while end.as_mut().poll(cx).is_pending() && black_box(true) {}
                black_box(end.try_abandon());
            }
        }
        let mut wait = pin!(SLOT.claim());
        while black_box(true) {
            if let Poll::Ready(Ok(claim)) = wait.as_mut().poll(cx) {
                claim.release();
                break;
            }
        }
        if let Some(Ok(claim)) = wait.try_abandon() {
            black_box(claim.inherited());
        }
        if black_box(SLOT.is_claimed() | SLOT.is_closed()) {
            black_box(SLOT.close());
        }
    })
}
