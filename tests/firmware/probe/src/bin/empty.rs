//! No primitive: a critical section and a loop.
#![no_std]
#![no_main]

use ecluse_probe as _;

/// The entry.
// SAFETY: no other symbol has the name.
#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    loop {
        critical_section::with(|_| core::hint::black_box(()));
    }
}
