//! A `Line` as firmware uses it: one of several tasks gets the token and releases or loses it, the others wait for that,
//! and a wait may be dropped half-way.
//!
//! The future is polled at one place, as an executor does, with a waker that the compiler knows nothing about.
#![no_std]
#![no_main]

use core::future::Future;
use core::hint::black_box;
use core::pin::pin;

use ecluse_core::{AcquireOutcome, Line};

static LINE: Line = Line::new();

/// The entry.
// SAFETY: no other symbol has the name.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    ecluse_probe::run(|cx| match LINE.try_acquire_token() {
        AcquireOutcome::Success(token) if black_box(true) => token.release(),
        AcquireOutcome::Success(token) => drop(token),
        AcquireOutcome::Failure(wait) => {
            let mut wait = pin!(wait);
            while wait.as_mut().poll(cx).is_pending() && black_box(true) {}
        }
    })
}
