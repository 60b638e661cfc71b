//! A `Line` and all that can be done with it.
#![no_std]
#![no_main]

use core::future::Future;
use core::hint::black_box;
use core::pin::pin;

use ecluse_core::line::Status;
use ecluse_core::{AcquireIf, AcquireOutcome, Line};

static LINE: Line = Line::new();

/// The entry.
// SAFETY: no other symbol has the name.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    ecluse_probe::run(|cx| {
        match LINE.try_acquire_token() {
            AcquireOutcome::Success(token) if black_box(true) => token.release(),
            AcquireOutcome::Success(token) => drop(token),
            AcquireOutcome::Failure(wait) => {
                let mut wait = pin!(wait);
                while wait.as_mut().poll(cx).is_pending() && black_box(true) {}
                black_box(wait.try_abandon());
            }
        }
        match LINE.acquire_if(LINE.generation()) {
            AcquireIf::Success(token) => core::mem::forget(token),
            AcquireIf::Failure(wait) => drop(wait),
            AcquireIf::Outdated => (),
        }
        black_box(matches!(LINE.status(), Status::Free));
        if black_box(LINE.is_busy() | LINE.is_closed()) {
            black_box(LINE.close());
        }
    })
}
