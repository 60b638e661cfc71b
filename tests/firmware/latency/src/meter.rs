//! The measuring: what an operation takes beyond the measuring itself.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use ecluse_firmware::{chip, report, section};

/// What a plain critical section takes: reading and switching off, comparing and switching on.
const PLAIN_SECTION: i32 = 4;

/// What the measuring takes, in counts of the clock, and how many counts a thousand instructions are.
pub struct Meter {
    thousand: u32,
    call: u32,
    /// A section with nothing in it: whole, and with interrupts off.
    section: (u32, u32),
}

/// What an operation took, in instructions.
#[derive(Clone, Copy)]
pub struct Figure {
    pub all: i32,
    pub off: i32,
    pub sections: u32,
}

/// The operation, as a function that is called.
#[inline(never)]
fn call<O>(operation: impl FnOnce() -> O) -> O {
    operation()
}

#[inline(never)]
fn counts<O>(operation: impl FnOnce() -> O) -> (u32, O) {
    let began = chip::count_down();
    let out = call(operation);
    (chip::elapsed(began, chip::count_down()), out)
}

impl Meter {
    pub fn calibrated() -> Self {
        // SAFETY: nothing; but the compiler must not leave out the call.
        let (call, ()) = counts(|| unsafe { core::arch::asm!("") });
        let (thousand, ()) = counts(|| {
            // SAFETY: they do nothing.
            unsafe { core::arch::asm!(".rept 1000", "nop", ".endr") }
        });
        section::take();
        let (section, ()) = counts(|| critical_section::with(|_| ()));
        let off = section::take().longest;
        Self {
            thousand: thousand - call,
            call,
            section: (section - call, off),
        }
    }

    fn instructions(&self, counts: i64) -> i32 {
        let thousand = i64::from(self.thousand);
        i32::try_from((counts * 1000 + thousand / 2).div_euclid(thousand)).unwrap_or(i32::MAX)
    }

    /// Measures one run.
    pub fn measure<O>(&self, operation: impl FnOnce() -> O) -> (Figure, O) {
        section::take();
        let (all, out) = counts(operation);
        let window = section::take();
        let sections = window.sections;
        let net =
            i64::from(all) - i64::from(self.call) - i64::from(sections) * i64::from(self.section.0);
        let off = match sections {
            0 => 0,
            _ => self.instructions(i64::from(window.longest) - i64::from(self.section.1)),
        };
        let figure = Figure {
            all: self.instructions(net) + PLAIN_SECTION * sections as i32,
            off,
            sections,
        };
        (figure, out)
    }

    /// Measures one run and prints it.
    pub fn print<O>(&self, library: &str, name: &str, operation: impl FnOnce() -> O) -> O {
        let (figure, out) = self.measure(operation);
        show(library, name, figure);
        out
    }
}

impl Meter {
    /// Measures a poll, which takes its future and its context as every poll does; says whether it is pending.
    pub fn poll<F: Future>(
        &self,
        library: &str,
        name: &str,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> bool {
        // What came of it is kept: giving it back is another operation.
        self.print(library, name, move || match future.poll(cx) {
            Poll::Pending => true,
            Poll::Ready(output) => {
                core::mem::forget(output);
                false
            }
        })
    }
}

/// Prints a figure.
pub fn show(library: &str, name: &str, figure: Figure) {
    report::line(
        "figure",
        &[&library, &name, &figure.all, &figure.off, &figure.sections],
    );
}

/// Prints a number that is no number of instructions.
pub fn count(library: &str, name: &str, number: usize) {
    report::line("count", &[&library, &name, &number]);
}
