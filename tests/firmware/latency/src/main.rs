//! Counts instructions: what each operation takes, and how long it keeps interrupts off at most.
//!
//! QEMU's `-icount` makes SysTick an exact clock of instructions. One line a figure, fields between tabs:
//!
//! ```text
//! figure  library  operation  instructions  longest-with-interrupts-off  sections
//! ```
//! Instructions are the operation's own and what it calls: the call itself with its frame is measured and taken off, and so
//! is what the timed critical section takes (of which the plain one's four instructions are put back). With interrupts off: from the
//! instruction after they were switched off to the one that switches them on again.
//!
//! Wakers are stubs of a few instructions, the same for everybody.
#![no_std]
#![no_main]

mod channels;
mod embassy;
mod maitake;
mod meter;
mod ours;
mod primitives;
mod requests;
mod stub;

use ecluse_firmware::{chip, report, semihosting};

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut words = [0; 120];
    let mut words = semihosting::command_line(&mut words).split_whitespace();
    let column = if words.next() == Some("m0") {
        "m0"
    } else {
        "m4"
    };
    report::asked(column);
    chip::start_clock();
    let meter = meter::Meter::calibrated();
    ours::run(&meter);
    primitives::run(&meter);
    channels::run(&meter);
    requests::run(&meter);
    embassy::run(&meter);
    channels::run_peer(&meter);
    maitake::run(&meter);
    report::line("end", &[]);
    semihosting::exit(0);
}
