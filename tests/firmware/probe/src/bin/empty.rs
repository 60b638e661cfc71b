//! No primitive: a critical section, a future that is polled and dropped, and a loop.
#![no_std]
#![no_main]

use core::hint::black_box;

/// The entry.
// SAFETY: no other symbol has the name.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    ecluse_probe::run(|cx| {
        black_box(cx);
        critical_section::with(|_| black_box(()));
    })
}
