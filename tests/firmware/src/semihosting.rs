//! What the host does for the firmware: the command line, output, and the end.
//!
//! `unsafe`: one instruction that the debugger (here QEMU) answers.

use core::fmt::{self, Write};

const OPEN: usize = 0x01;
const WRITE: usize = 0x05;
const GET_CMDLINE: usize = 0x15;
const EXIT_EXTENDED: usize = 0x20;
const APPLICATION_EXIT: usize = 0x2_0026;

/// Asks the host.
///
/// # Safety
/// `block` is what `operation` takes.
unsafe fn call(operation: usize, block: *const usize) -> usize {
    let answer;
    // SAFETY: Validity: by contract. Aliasing: the block and what it names is the callee's until it returns.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!("bkpt #0xab", inlateout("r0") operation => answer, in("r1") block, options(nostack));
        // The three instructions are the mark by which the host knows the call; none may be compressed.
        #[cfg(target_arch = "riscv32")]
        core::arch::asm!(
            ".balign 16", ".option push", ".option norvc",
            "slli x0, x0, 0x1f", "ebreak", "srai x0, x0, 7",
            ".option pop",
            inlateout("a0") operation => answer, in("a1") block, options(nostack),
        );
    }
    answer
}

/// Ends the run.
pub fn exit(code: usize) -> ! {
    let block = [APPLICATION_EXIT, code];
    loop {
        // SAFETY: Validity: the reason and the code. Aliasing: our own array.
        unsafe { call(EXIT_EXTENDED, block.as_ptr()) };
    }
}

/// The words after the image's name.
pub fn command_line(buffer: &mut [u8]) -> &str {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: Validity: a buffer and its length, which the host replaces by that of the text. Aliasing: our own.
    let refused = unsafe { call(GET_CMDLINE, block.as_mut_ptr()) } != 0;
    let length = if refused {
        0
    } else {
        block[1].min(buffer.len())
    };
    let text = core::str::from_utf8(&buffer[..length]).unwrap_or("");
    text.trim_end_matches('\0')
}

/// The host's standard output, a line at a time.
pub struct Out {
    handle: usize,
    line: [u8; 120],
    used: usize,
}

impl Out {
    /// Opens it.
    pub fn open() -> Self {
        let name = c":tt";
        // 4: for writing.
        let block = [name.as_ptr() as usize, 4, name.to_bytes().len()];
        Self {
            // SAFETY: Validity: name, mode, the name's length. Aliasing: shared.
            handle: unsafe { call(OPEN, block.as_ptr()) },
            line: [0; 120],
            used: 0,
        }
    }

    fn flush(&mut self) {
        if self.used > 0 {
            let block = [self.handle, self.line.as_ptr() as usize, self.used];
            // SAFETY: Validity: the handle, the bytes, their number. Aliasing: shared.
            unsafe { call(WRITE, block.as_ptr()) };
            self.used = 0;
        }
    }
}

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.line[self.used] = byte;
            self.used += 1;
            if byte == b'\n' || self.used == self.line.len() {
                self.flush();
            }
        }
        Ok(())
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        self.flush();
    }
}
