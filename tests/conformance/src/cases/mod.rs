//! Cases that every implementation of the API must pass. They name their types through `subject` only.

pub(crate) mod broadcast;
pub(crate) mod channel;
pub(crate) mod claim;
pub(crate) mod election;
pub(crate) mod ending;
pub(crate) mod guard;
pub(crate) mod harness;
pub(crate) mod line;
pub(crate) mod orphan;
pub(crate) mod parts;
pub(crate) mod travellers;
pub(crate) mod wait;

suite! {
    /// The slot, its claims and waits, and what the suite itself relies on.
    Claims: harness, claim, guard, orphan, ending, wait;
    /// The line.
    Lines: line, election, broadcast;
    /// Items, from senders to receivers.
    SharedChannels: channel;
}
