//! Cases that need what only the core has: revocation, observers, blocking waits, tickets, other locks;
//! interrupts and executors that preempt one another, where there are any; bad input.

pub(crate) mod admission;
pub(crate) mod blocking;
pub(crate) mod bounds;
pub(crate) mod channel_exits;
pub(crate) mod detached;
pub(crate) mod flight;
pub(crate) mod flight_bounds;
pub(crate) mod flight_lost;
pub(crate) mod flight_parts;
pub(crate) mod flush;
pub(crate) mod forgotten;
pub(crate) mod group;
pub(crate) mod histories;
pub(crate) mod hostile;
pub(crate) mod hostile_admission;
pub(crate) mod hostile_channel;
pub(crate) mod hostile_flight;
pub(crate) mod hostile_flush;
pub(crate) mod hostile_join;
pub(crate) mod hostile_line;
pub(crate) mod hostile_once;
pub(crate) mod hostile_refresh;
pub(crate) mod hostile_relay;
pub(crate) mod hostile_scope;
pub(crate) mod hostile_scope_shared;
pub(crate) mod hostile_spawned;
pub(crate) mod hostile_values;
pub(crate) mod input;
pub(crate) mod interrupt;
pub(crate) mod join;
pub(crate) mod join_spawned;
pub(crate) mod load;
pub(crate) mod panics;
pub(crate) mod priority;
pub(crate) mod refresh;
pub(crate) mod relay;
pub(crate) mod revoke;
pub(crate) mod scope;
pub(crate) mod scope_body;
pub(crate) mod scope_guard;
pub(crate) mod scope_shared;
pub(crate) mod spawned;
pub(crate) mod trace;

suite! {
    /// Policies, bounds, blocking waits, spawned work.
    Engine: revoke, bounds, forgotten, blocking, panics, spawned;
    /// The cancellation tree.
    Scopes: scope, scope_guard, scope_body, scope_shared;
    /// Structured concurrency.
    Joins: join;
    /// Scopes that spawn.
    Spawned: join_spawned;
    /// Hostile wakers, random histories, traces.
    Hostile: hostile, hostile_line, trace, histories;
    /// Hostile wakers in trees; hostile values, keys and functions.
    HostileValues: hostile_scope, hostile_values, hostile_once, hostile_refresh;
    /// Hostile children: joined, counted by tickets, spawned into scopes.
    HostileJoins: hostile_join, hostile_spawned, hostile_scope_shared;
    /// Permits.
    Admissions: admission, hostile_admission;
    /// Channels, clocks and scopes.
    ChannelExits: channel_exits;
    /// Hostile wakers at channels.
    HostileChannels: hostile_channel;
    /// Flights and groups.
    Flights: flight, flight_lost, flight_bounds, group, detached, hostile_flight;
    /// Half-done runs that go on, values that are kept, values that expire.
    Relays: relay, hostile_relay, refresh;
    /// Requests in flight.
    Requests: flush, hostile_flush;
    /// What chips are like.
    OnChips: interrupt, priority, load, input;
}
