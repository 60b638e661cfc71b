//! Cases that need what only the core has: revocation, observers, blocking waits, tickets, other locks.

pub(crate) mod blocking;
pub(crate) mod bounds;
pub(crate) mod forgotten;
pub(crate) mod histories;
pub(crate) mod hostile;
pub(crate) mod hostile_line;
pub(crate) mod panics;
pub(crate) mod revoke;
pub(crate) mod spawned;
pub(crate) mod trace;

suite![
    revoke,
    bounds,
    forgotten,
    blocking,
    hostile,
    hostile_line,
    panics,
    spawned,
    trace,
    histories,
];
