//! Cases that need what only the core has: revocation, observers, blocking waits, tickets, other locks.

pub(crate) mod hostile;

suite![hostile];
