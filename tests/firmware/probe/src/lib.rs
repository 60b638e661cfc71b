//! What the size probes share: a critical section and a place to stop. `cargo xtask size` looks at the images.
//!
//! Each image is one primitive and this; `empty` is this alone, and is taken off.
#![no_std]

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
