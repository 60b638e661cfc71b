//! How much of the stack a call used: it is painted before, and looked at after.

use crate::chip;

/// How far below the caller's stack is painted.
const DEEP: usize = 2048;
const PAINT: u8 = 0xa5;

/// Paints the stack below, runs `work`, and says how many bytes of it were used. Interrupts are off: theirs is not counted.
#[inline(never)]
pub fn used(work: fn(usize), rounds: usize) -> usize {
    critical_section::with(|_| {
        let bottom = chip::stack_pointer().wrapping_sub(DEEP);
        for i in 0..DEEP {
            // SAFETY: Validity: the stack has kilobytes left. Aliasing: below the stack pointer, with interrupts off, the
            // memory is nobody's.
            unsafe { bottom.add(i).write_volatile(PAINT) };
        }
        work(rounds);
        // SAFETY: as above; written just now.
        let touched = |i: &usize| unsafe { bottom.add(*i).read_volatile() } != PAINT;
        let used = DEEP - (0..DEEP).find(touched).unwrap_or(DEEP);
        assert!(used < DEEP, "{DEEP} bytes of stack, or more");
        used
    })
}
