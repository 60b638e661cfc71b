//! Cortex-M: PRIMASK, SysTick, and an interrupt that software pends.

use core::cell::Cell;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{NVIC, SYST};
use cortex_m_rt::{ExceptionFrame, exception};
use critical_section::Mutex;
use embassy_executor::{InterruptExecutor, SendSpawner};

use super::Act;

/// SysTick's period as a time driver: 100 µs on the MPS2 boards.
const PERIOD: u32 = 2_500;

/// Whether the chip has interrupts of several priorities for an executor each.
pub const PRIORITIES: bool = true;

/// The interrupt lines that software pends. No device of the machines uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Runs what [`in_interrupt`] was given.
    Act = 20,
    /// Runs the executor of higher priority.
    Executor = 21,
}

// SAFETY: the numbers are those of lines, and distinct.
unsafe impl InterruptNumber for Line {
    fn number(self) -> u16 {
        self as u16
    }
}

/// Switches interrupts off; says whether they were on.
#[inline(always)]
pub fn interrupts_off() -> bool {
    let open = cortex_m::register::primask::read().is_active();
    cortex_m::interrupt::disable();
    open
}

/// Switches interrupts on.
///
/// # Safety
/// Whoever switched them off is done.
#[inline(always)]
pub unsafe fn interrupts_on() {
    // SAFETY: by contract.
    unsafe { cortex_m::interrupt::enable() }
}

/// SysTick's counter, which counts down.
#[inline(always)]
pub fn count_down() -> u32 {
    SYST::get_current()
}

/// From one reading to the next, less than a period later.
#[inline(always)]
pub fn elapsed(began: u32, now: u32) -> u32 {
    if began >= now {
        began - now
    } else {
        began + (SYST::get_reload() + 1) - now
    }
}

/// Where the stack ends at present.
#[inline(always)]
pub fn stack_pointer() -> *mut u8 {
    let here: *mut u8;
    // SAFETY: a read.
    unsafe { core::arch::asm!("mov {}, sp", out(reg) here, options(nomem, nostack)) };
    here
}

/// Starts the ticks.
pub fn start() {
    let peripherals = cortex_m::Peripherals::take().expect("called once");
    let mut clock = peripherals.SYST;
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(PERIOD - 1);
    clock.clear_current();
    clock.enable_counter();
    clock.enable_interrupt();
    // SAFETY: nothing relies on a mask or on a priority yet.
    unsafe {
        let mut nvic = peripherals.NVIC;
        // The act preempts the executor, which preempts the thread.
        nvic.set_priority(Line::Act, 0x40);
        nvic.set_priority(Line::Executor, 0x80);
        NVIC::unmask(Line::Act);
    }
}

/// Lets the counter run through its whole range, without ticks: a clock to measure by.
pub fn start_clock() {
    let mut clock = cortex_m::Peripherals::take().expect("called once").SYST;
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(0x00ff_ffff);
    clock.clear_current();
    clock.enable_counter();
}

#[exception]
fn SysTick() {
    crate::tick::tick();
}

static ACT: Mutex<Cell<Option<Act>>> = Mutex::new(Cell::new(None));

/// Runs `act` in an interrupt handler; returns when it has run.
pub fn in_interrupt(act: Act) {
    critical_section::with(|cs| ACT.borrow(cs).set(Some(act)));
    NVIC::pend(Line::Act);
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
    let left = critical_section::with(|cs| ACT.borrow(cs).get().is_some());
    assert!(!left, "the interrupt did not come");
}

static ABOVE: InterruptExecutor = InterruptExecutor::new();

/// The executor that preempts the thread's, started at the first call.
pub fn executor_above() -> Option<SendSpawner> {
    static STARTED: Mutex<Cell<bool>> = Mutex::new(Cell::new(false));
    if critical_section::with(|cs| STARTED.borrow(cs).replace(true)) {
        Some(ABOVE.spawner())
    } else {
        Some(ABOVE.start(Line::Executor))
    }
}

#[exception]
unsafe fn DefaultHandler(number: i16) {
    if number == Line::Act as i16 {
        if let Some(act) = critical_section::with(|cs| ACT.borrow(cs).take()) {
            act();
        }
    } else if number == Line::Executor as i16 {
        // SAFETY: this is the executor's handler, and only its start enables the interrupt.
        unsafe { ABOVE.on_interrupt() };
    } else {
        panic!("interrupt {number} was not expected");
    }
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    panic!("hard fault at {:#x}", frame.pc());
}
