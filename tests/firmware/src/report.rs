//! What is said to the host: the lines of the conformance protocol (see `xtask/src/protocol.rs`), and two more.
//!
//! ```text
//! begin COLUMN  index  module::name
//! next  COLUMN  index      this image can not go on: boot again, and begin with the case of that index
//! ```

use core::cell::Cell;
use core::fmt::{self, Write};

use critical_section::Mutex;
use ecluse_conformance::Case;

use crate::semihosting::{self, Out};

/// What the command line asks for: `COLUMN INDEX [PATTERN]`.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The column's name.
    pub column: &'static str,
    /// Which case to begin with.
    pub from: usize,
    /// What the case's full name contains.
    pub pattern: &'static str,
}

/// The case that is running, its index, and since when.
type Running = Option<(&'static Case, usize, u64)>;

static ASKED: Mutex<Cell<Asked>> = Mutex::new(Cell::new(Asked {
    column: "?",
    from: 0,
    pattern: "",
}));
static RUNNING: Mutex<Cell<Running>> = Mutex::new(Cell::new(None));

/// Remembers what is asked for.
pub fn asked(text: &'static str) -> Asked {
    let mut words = text.split_whitespace();
    let asked = Asked {
        column: words.next().unwrap_or("?"),
        from: words.next().and_then(|word| word.parse().ok()).unwrap_or(0),
        pattern: words.next().unwrap_or(""),
    };
    critical_section::with(|cs| ASKED.borrow(cs).set(asked));
    asked
}

/// From now on this case is running; `None`: none is.
pub fn running(case: Option<(&'static Case, usize)>) {
    let now = embassy_time::Instant::now().as_millis();
    if let Some((case, index)) = case {
        let name = format_args!("{}::{}", case.module, case.name);
        line("begin", &[&index, &name]);
    }
    let running = case.map(|(case, index)| (case, index, now));
    critical_section::with(|cs| RUNNING.borrow(cs).set(running));
}

/// Prints one line: the kind, the column, then the fields, a tab before each. Write errors: nobody listens.
pub fn line(kind: &str, fields: &[&dyn fmt::Display]) {
    let column = critical_section::with(|cs| ASKED.borrow(cs).get().column);
    let mut out = Out::open();
    let _ = write!(out, "{kind}\t{column}");
    for field in fields {
        let _ = out.write_char('\t');
        let _ = write!(Escaped(&mut out), "{field}");
    }
    let _ = out.write_char('\n');
}

/// Prints what became of a case.
pub fn case(case: &Case, verdict: &str, millis: u64, detail: &dyn fmt::Display) {
    let name = format_args!("{}::{}", case.module, case.name);
    line("case", &[&name, &verdict, &millis, detail]);
}

/// The running case has failed, and nothing can go on.
pub fn failed(why: &dyn fmt::Display) -> ! {
    match critical_section::with(|cs| RUNNING.borrow(cs).get()) {
        Some((running, index, since)) => {
            let now = embassy_time::Instant::now().as_millis();
            case(running, "FAIL", now.saturating_sub(since), why);
            line("next", &[&(index + 1)]);
        }
        None => line("broken", &[why]),
    }
    semihosting::exit(1);
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => failed(&format_args!(
            "{} (at {}:{})",
            info.message(),
            at.file(),
            at.line()
        )),
        None => failed(&info.message()),
    }
}

struct Escaped<'a>(&'a mut Out);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '\n' => self.0.write_str("\\n")?,
                '\r' => self.0.write_str("\\r")?,
                '\t' => self.0.write_str("\\t")?,
                '\\' => self.0.write_str("\\\\")?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}
