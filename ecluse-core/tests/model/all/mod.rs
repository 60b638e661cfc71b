//! The models, and how bytes become calls.
//!
//! Proptest and libFuzzer feed the same drivers: a call is three bytes, and a walk is what a few bytes
//! say about the object, then its calls. `tests/fuzz` includes this file by its path.
//!
//! No driver panics on purpose through the panic hook (libFuzzer's ends the process): user code that is
//! to panic does so by `resume_unwind`.

use std::{env, fmt::Debug, sync::OnceLock};

pub(crate) mod admission;
pub(crate) mod channel;
pub(crate) mod flush;
pub(crate) mod group;
mod kit;
pub(crate) mod line;
pub(crate) mod once;
pub(crate) mod refresh;
pub(crate) mod relay;
pub(crate) mod scope;
pub(crate) mod slot;

/// A driver: an object and its model go the way that the bytes say.
pub(crate) type Driver = fn(&[u8]);

/// The drivers by the names of their fuzz targets.
pub(crate) const ALL: &[(&str, Driver)] = &[
    ("admission", admission::run),
    ("channel", channel::run),
    ("flush", flush::run),
    ("group", group::run),
    ("line", line::run),
    ("once", once::run),
    ("refresh", refresh::run),
    ("relay", relay::run),
    ("scope", scope::run),
    ("slot", slot::run),
];

/// One call of a walk.
pub(crate) trait Call: Copy + Debug {
    /// What three bytes say.
    fn of(bytes: [u8; 3]) -> Self;
}

/// Splits off what is said about the object; what is missing is 0.
pub(crate) fn head<const N: usize>(bytes: &[u8]) -> ([usize; N], &[u8]) {
    let (head, rest) = bytes.split_at(bytes.len().min(N));
    let at = |i| head.get(i).map_or(0, |byte: &u8| usize::from(*byte));
    (core::array::from_fn(at), rest)
}

/// The calls that the bytes say. With `ECLUSE_FUZZ_SHOW` set they are printed: an input, read.
pub(crate) fn calls<C: Call>(bytes: &[u8]) -> Vec<C> {
    static SHOW: OnceLock<bool> = OnceLock::new();
    let calls = bytes
        .chunks_exact(3)
        .map(|call| [call[0], call[1], call[2]]);
    let calls: Vec<C> = calls.map(C::of).collect();
    if *SHOW.get_or_init(|| env::var_os("ECLUSE_FUZZ_SHOW").is_some()) {
        for call in &calls {
            eprintln!("{call:?}");
        }
    }
    calls
}
