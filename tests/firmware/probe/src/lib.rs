//! What the size probes share: a critical section, a waker and a loop. `cargo xtask size` looks at the images.
//!
//! Each image is one primitive and this; `empty` is this alone, and is taken off. Of each primitive there are two: as
//! firmware uses it (attempt, wait, release, loss, a wait that is dropped), which is what the budget is about, and with
//! every call that it has. A firmware brings its own executor, hence the waker belongs to what is taken off; the compiler
//! must not see through it, or else a waker's calls would come out shorter than they are.
#![no_std]

use core::hint::black_box;
use core::task::{Context, Waker};

/// Runs one primitive's program, for ever.
pub fn run(mut program: impl FnMut(&mut Context<'_>)) -> ! {
    let mut cx = Context::from_waker(black_box(Waker::noop()));
    loop {
        program(&mut cx);
    }
}

struct Section;
critical_section::set_impl!(Section);

// SAFETY: Validity: one core, interrupts off; the asm is a compiler barrier. Aliasing: nesting gives back what it found.
unsafe impl critical_section::Impl for Section {
    unsafe fn acquire() -> bool {
        let mask: u32;
        // SAFETY: reading and setting PRIMASK.
        unsafe { core::arch::asm!("mrs {}, PRIMASK", "cpsid i", out(reg) mask) };
        mask & 1 == 0
    }

    unsafe fn release(open: bool) {
        if open {
            // SAFETY: whoever switched interrupts off is done.
            unsafe { core::arch::asm!("cpsie i") };
        }
    }
}

#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
