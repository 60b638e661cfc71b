//! A text of bounded length that several tasks write to.

use core::fmt::{self, Write};

use super::Guarded;

/// How much fits: a few dozen lines.
const ROOM: usize = 4096;

/// A text that grows until it is full.
#[derive(Debug)]
pub struct Text(Guarded<Buffer>);

struct Buffer {
    bytes: [u8; ROOM],
    used: usize,
    overflowed: bool,
}

impl Text {
    /// An empty text.
    #[must_use]
    pub const fn new() -> Self {
        Self(Guarded::new(Buffer {
            bytes: [0; ROOM],
            used: 0,
            overflowed: false,
        }))
    }

    /// Adds one line.
    pub fn line(&self, line: fmt::Arguments<'_>) {
        self.0.with(|buffer| {
            let wrote = buffer
                .write_fmt(line)
                .and_then(|()| buffer.write_char('\n'));
            buffer.overflowed |= wrote.is_err();
        });
    }

    /// Shows the text.
    ///
    /// # Panics
    /// If it did not all fit: a cut-off trace would compare equal too easily.
    pub fn read<O>(&self, f: impl FnOnce(&str) -> O) -> O {
        self.0.with(|buffer| {
            assert!(!buffer.overflowed, "the text is longer than {ROOM} bytes");
            f(core::str::from_utf8(&buffer.bytes[..buffer.used]).expect("only str is written"))
        })
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Buffer {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.used + s.len();
        let place = self.bytes.get_mut(self.used..end).ok_or(fmt::Error)?;
        place.copy_from_slice(s.as_bytes());
        self.used = end;
        Ok(())
    }
}
