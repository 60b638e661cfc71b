//! Panics are recorded, not printed: many are part of a case, and those that are a failure are shown with the case.

use std::panic::{self, PanicHookInfo};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

/// Who panicked, saying what.
static RECORDED: Mutex<Vec<(ThreadId, String)>> = Mutex::new(Vec::new());

/// From now on panics are recorded.
pub(crate) fn record_quietly() {
    panic::set_hook(Box::new(|info| note(describe(info))));
}

/// Forgets what was recorded before this case.
pub(crate) fn forget() {
    lock().clear();
}

/// Adds a remark as if this thread had panicked with it.
pub(crate) fn note(remark: String) {
    lock().push((thread::current().id(), remark));
}

/// The case's own last words first, then what its tasks on other threads said.
pub(crate) fn describe_failure(of: ThreadId) -> String {
    let recorded = lock();
    let own = recorded.iter().rev().filter(|(who, _)| *who == of);
    let others = recorded.iter().filter(|(who, _)| *who != of);
    let words: Vec<&str> = own.chain(others).map(|(_, what)| what.as_str()).collect();
    words.join(" | ")
}

fn lock() -> std::sync::MutexGuard<'static, Vec<(ThreadId, String)>> {
    RECORDED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let what = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without words");
    match info.location() {
        Some(at) => format!("{what} (at {}:{})", at.file(), at.line()),
        None => what.to_owned(),
    }
}
