//! The primitives under load. To add one: implement [`Subject`](crate::subject::Subject), name it in
//! [`ALL`].

mod admission;
mod channel;
mod detached;
mod flights;
mod flush;
mod joins;
mod line;
mod once;
mod queue;
mod refresh;
mod relay;
mod scope;
mod slot;
mod spawned;
mod tally;

use ecluse_core::{
    Flight, Group,
    admission::{Bypass, Fifo},
    claim::{Barging, Handoff, Revocable},
};

use crate::{report::Tally, subject::round};

/// A primitive by its name.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// A round with so many threads, of so many steps, by these dice.
    pub(crate) round: fn(u64, u32, u64) -> Tally,
}

macro_rules! all {
    ($($name:literal: $subject:ty,)*) => {
        pub(crate) const ALL: &[Entry] = &[$(Entry { name: $name, round: round::<$subject> },)*];
    };
}

all! {
    "Slot": slot::Slots<Handoff>,
    "Slot, revocable": slot::Slots<Revocable>,
    "Slot, barging": slot::Slots<Barging>,
    "Line": line::Lines,
    "Flight": flights::OneFlight,
    "Group": flights::Groups,
    "Flight, detached": detached::Detached<Flight<usize>>,
    "Group, detached": detached::Detached<Group<usize, usize>>,
    "Once": once::Onces,
    "Relay": relay::Relays,
    "Refresher": refresh::Refreshers,
    "Refresher, background": refresh::Background,
    "Admission": admission::Admissions<Fifo>,
    "Admission, bypass": admission::Admissions<Bypass<2>>,
    "Channel": channel::Channels<3>,
    "Channel, rendezvous": channel::Channels<0>,
    "FlushTable": flush::Tables,
    "Scope": scope::Scopes,
    "Joins": joins::Joins,
    "Tally": tally::Tickets,
    "SharedScope": spawned::Spawns,
}
