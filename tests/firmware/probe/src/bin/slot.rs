//! A `Slot` as firmware uses it: one of several tasks claims it and releases or loses it; some wait for the claim, some
//! for the release, and a wait may be dropped half-way.
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
            Ok(claim) => drop(claim),
            Err(_) => {
                let mut end = pin!(SLOT.released());
                while end.as_mut().poll(cx).is_pending() && black_box(true) {}
            }
        }
        let mut wait = pin!(SLOT.claim());
        while black_box(true) {
            if let Poll::Ready(Ok(claim)) = wait.as_mut().poll(cx) {
                claim.release();
                break;
            }
        }
    })
}
