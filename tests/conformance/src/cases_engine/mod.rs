//! Cases that need what only the core has: revocation, observers, blocking waits, tickets, other locks.

pub(crate) mod blocking;
pub(crate) mod bounds;
pub(crate) mod forgotten;
pub(crate) mod hostile;
pub(crate) mod panics;
pub(crate) mod revoke;
pub(crate) mod spawned;
pub(crate) mod trace;

suite![
    revoke, bounds, forgotten, blocking, hostile, panics, spawned, trace
];
