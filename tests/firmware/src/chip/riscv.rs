//! RISC-V on QEMU's virt: mstatus, mcycle, the CLINT's timer and software interrupt.

use core::cell::Cell;

use critical_section::Mutex;
use embassy_executor::SendSpawner;

use super::Act;

/// Ticks of the machine timer, which has 10 MHz, in 100 µs.
const PERIOD: u64 = 1_000;

const MSIP: *mut u32 = 0x0200_0000 as *mut u32;
const MTIMECMP: *mut u32 = 0x0200_4000 as *mut u32;
const MTIME: *const u32 = 0x0200_bff8 as *const u32;

/// mie: the machine's software and timer interrupts.
const SOFT_AND_TIMER: usize = 1 << 3 | 1 << 7;
/// mstatus: machine interrupts are on.
const MIE: usize = 1 << 3;

/// Whether the chip has interrupts of several priorities for an executor each.
pub const PRIORITIES: bool = false;

/// Switches interrupts off; says whether they were on.
#[inline(always)]
pub fn interrupts_off() -> bool {
    let before: usize;
    // SAFETY: switching off is always allowed; no `nomem`, so that it is a compiler barrier.
    unsafe { core::arch::asm!("csrrci {}, mstatus, 8", out(reg) before) };
    before & MIE != 0
}

/// Switches interrupts on.
///
/// # Safety
/// Whoever switched them off is done.
#[inline(always)]
pub unsafe fn interrupts_on() {
    // SAFETY: by contract.
    unsafe { core::arch::asm!("csrsi mstatus, 8") };
}

/// The cycle counter; QEMU counts an instruction as one.
#[inline(always)]
pub fn count_down() -> u32 {
    let now: u32;
    // SAFETY: a read.
    unsafe { core::arch::asm!("csrr {}, mcycle", out(reg) now) };
    now
}

/// From one reading to the next.
#[inline(always)]
pub fn elapsed(began: u32, now: u32) -> u32 {
    now.wrapping_sub(began)
}

fn time() -> u64 {
    // SAFETY: Validity: the CLINT's registers. Aliasing: a device's.
    unsafe {
        loop {
            let high = MTIME.add(1).read_volatile();
            let low = MTIME.read_volatile();
            if MTIME.add(1).read_volatile() == high {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }
}

fn alarm(at: u64) {
    // SAFETY: as in `time`. Never a moment that is too early in between.
    unsafe {
        MTIMECMP.add(1).write_volatile(u32::MAX);
        MTIMECMP.write_volatile(at as u32);
        MTIMECMP.add(1).write_volatile((at >> 32) as u32);
    }
}

/// Where the stack ends at present.
#[inline(always)]
pub fn stack_pointer() -> *mut u8 {
    let here: *mut u8;
    // SAFETY: a read.
    unsafe { core::arch::asm!("mv {}, sp", out(reg) here, options(nomem, nostack)) };
    here
}

/// Starts the ticks.
pub fn start() {
    alarm(time() + PERIOD);
    // SAFETY: the handlers below are there.
    unsafe {
        core::arch::asm!("csrs mie, {}", in(reg) SOFT_AND_TIMER);
        interrupts_on();
    }
}

#[unsafe(no_mangle)]
extern "C" fn MachineTimer() {
    alarm(time() + PERIOD);
    crate::tick::tick();
}

static ACT: Mutex<Cell<Option<Act>>> = Mutex::new(Cell::new(None));

/// Runs `act` in an interrupt handler; returns when it has run.
pub fn in_interrupt(act: Act) {
    critical_section::with(|cs| ACT.borrow(cs).set(Some(act)));
    // SAFETY: as in `time`.
    unsafe { MSIP.write_volatile(1) };
    for _ in 0..100 {
        if critical_section::with(|cs| ACT.borrow(cs).get().is_none()) {
            return;
        }
    }
    panic!("the interrupt did not come");
}

/// There is none: the chip has one priority.
pub fn executor_above() -> Option<SendSpawner> {
    None
}

#[unsafe(no_mangle)]
extern "C" fn MachineSoft() {
    // SAFETY: as in `time`.
    unsafe { MSIP.write_volatile(0) };
    if let Some(act) = critical_section::with(|cs| ACT.borrow(cs).take()) {
        act();
    }
}

#[unsafe(no_mangle)]
extern "C" fn ExceptionHandler() -> ! {
    let (at, cause): (usize, usize);
    // SAFETY: reads.
    unsafe { core::arch::asm!("csrr {}, mepc", "csrr {}, mcause", out(reg) at, out(reg) cause) };
    panic!("exception {cause} at {at:#x}");
}
