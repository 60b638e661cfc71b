//! A `Line` and all that is done with it.
#![no_std]
#![no_main]

use core::future::Future;
use core::hint::black_box;
use core::pin::pin;
use core::task::{Context, Waker};

use ecluse_core::{AcquireIf, AcquireOutcome, Line};
use ecluse_probe as _;

static LINE: Line = Line::new();

/// The entry.
// SAFETY: no other symbol has the name.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match LINE.try_acquire_token() {
            AcquireOutcome::Success(token) if black_box(true) => token.release(),
            AcquireOutcome::Success(token) => drop(token),
            AcquireOutcome::Failure(wait) => {
                let mut wait = pin!(wait);
                black_box(wait.as_mut().poll(&mut cx).is_ready());
                black_box(wait.as_mut().poll(&mut cx).is_ready());
                black_box(wait.try_abandon().is_some());
            }
        }
        if let AcquireIf::Success(token) = LINE.acquire_if(LINE.generation()) {
            core::mem::forget(token);
        }
        if black_box(LINE.is_busy()) {
            LINE.close();
        }
    }
}
