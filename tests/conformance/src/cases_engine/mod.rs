//! Cases that need what only the core has: revocation, observers, blocking waits, other locks.

suite![];
