//! SIGINT, as a user sends it by Ctrl-C and as the demo raises it: one handler, one way.

use std::{
    io,
    sync::{Mutex, PoisonError},
    thread,
};

use ecluse_tokio::{SharedScope, cancel::Kind};
use signal_hook::{consts::SIGINT, iterator::Signals, low_level};

/// Whom the next SIGINT stops.
static CURRENT: Mutex<Option<SharedScope>> = Mutex::new(None);

/// A scope that the next SIGINT cancels. If there is none, SIGINT ends the process, as ever.
pub(super) fn next() -> io::Result<SharedScope> {
    static LISTENING: Mutex<bool> = Mutex::new(false);
    let mut listening = LISTENING.lock().unwrap_or_else(PoisonError::into_inner);
    if !*listening {
        let mut signals = Signals::new([SIGINT])?;
        thread::spawn(move || {
            for signal in signals.forever() {
                match current().take() {
                    Some(scope) => drop(scope.cancel(Kind::Shutdown)),
                    None => drop(low_level::emulate_default_handler(signal)),
                }
            }
        });
        *listening = true;
    }
    let scope = SharedScope::named("SIGINT");
    *current() = Some(scope.clone());
    Ok(scope)
}

/// Sends it to this process.
pub(super) fn raise() -> io::Result<()> {
    low_level::raise(SIGINT)
}

fn current() -> std::sync::MutexGuard<'static, Option<SharedScope>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}
