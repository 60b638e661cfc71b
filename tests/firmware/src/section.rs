//! The critical section of these images: interrupts off, and a look at the clock.
//!
//! The outermost section is timed, so an image can say how long it kept interrupts waiting at most. The clock is
//! [`chip::count_down`]: instructions or a fixed multiple of them, as the image sets it up.

use core::cell::UnsafeCell;

use crate::chip;

struct Section;
critical_section::set_impl!(Section);

/// What was timed, written and read with interrupts off.
struct Meter(UnsafeCell<Window>);

/// The longest time with interrupts off, and how often they were.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    began: u32,
    /// In counts of the clock.
    pub longest: u32,
    /// How many outermost sections there were.
    pub sections: u32,
}

const NOTHING: Window = Window {
    began: 0,
    longest: 0,
    sections: 0,
};

static METER: Meter = Meter(UnsafeCell::new(NOTHING));

// SAFETY: Validity: always initialised. Aliasing: touched with interrupts off only, on the only core.
unsafe impl Sync for Meter {}

// SAFETY: Validity: one core, so nothing runs beside a section while interrupts are off; the asm of the two is a
// compiler barrier. Aliasing: nesting gives back the state that was found.
unsafe impl critical_section::Impl for Section {
    // Neither is inlined, so that each costs the same wherever it is called.
    #[inline(never)]
    unsafe fn acquire() -> bool {
        let open = chip::interrupts_off();
        if open {
            // SAFETY: Validity: initialised. Aliasing: interrupts are off.
            unsafe { (*METER.0.get()).began = chip::count_down() };
        }
        open
    }

    #[inline(never)]
    unsafe fn release(open: bool) {
        if open {
            let now = chip::count_down();
            // SAFETY: Validity: initialised. Aliasing: interrupts are still off.
            unsafe {
                let window = METER.0.get();
                let took = chip::elapsed((*window).began, now);
                (*window).sections += 1;
                if took > (*window).longest {
                    (*window).longest = took;
                }
                chip::interrupts_on();
            }
        }
    }
}

/// What was timed since the last call.
pub fn take() -> Window {
    // Not by a section, which would be timed itself.
    let open = chip::interrupts_off();
    // SAFETY: Validity: initialised. Aliasing: interrupts are off.
    let window = unsafe { METER.0.get().replace(NOTHING) };
    if open {
        // SAFETY: we switched them off.
        unsafe { chip::interrupts_on() };
    }
    window
}
