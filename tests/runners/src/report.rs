//! The output protocol.
//!
//! ```text
//! scale   RUNTIME  number
//! case    RUNTIME  module::name  pass|FAIL|n/a  millis  detail
//! trace   RUNTIME  name  text, with \n \t \\ escaped
//! end     RUNTIME  passed  failed  n/a
//! ```

use std::io::Write;

/// Prints one line of fields.
pub(crate) fn line(fields: &[&str]) {
    let mut out = std::io::stdout().lock();
    let escaped: Vec<String> = fields.iter().map(|field| escape(field)).collect();
    // Whoever reads may have gone: then nobody is told, which is all right.
    let _ = writeln!(out, "{}", escaped.join("\t")).and_then(|()| out.flush());
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
        .replace('\t', "\\t")
}
