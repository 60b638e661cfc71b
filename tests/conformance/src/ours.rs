//! The suite against `ecluse-core`.

use crate::registry::{Case, Part, Verdict};
use crate::runtime::Runtime;

/// What the cases name: the core, with the lock that its features choose.
pub(crate) mod subject {
    pub(crate) use ecluse_core::DefaultLock as ListLock;
    pub(crate) use ecluse_core::*;
}

#[path = "cases/mod.rs"]
pub(crate) mod cases;
#[path = "cases_engine/mod.rs"]
pub(crate) mod engine;

// An image of firmware names the parts that it holds.
pub use cases::{Claims, Lines};
pub use engine::{
    Admissions, Engine, Flights, Hostile, HostileChannels, HostileJoins, HostileValues, Joins,
    OnChips, Relays, Requests, Scopes, Spawned,
};

/// A part of both rooms: the shared cases, and the core's own.
macro_rules! of_both {
    ($(#[$doc:meta])* $part:ident: $shared:ty, $own:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $part {}

        impl Part for $part {
            const MODULES: &'static [&'static [Case]] = {
                const SHARED: &[&[Case]] = <$shared>::MODULES;
                const OWN: &[&[Case]] = <$own>::MODULES;
                const {
                    let mut all: [&[Case]; SHARED.len() + OWN.len()] = [&[]; SHARED.len() + OWN.len()];
                    let mut i = 0;
                    while i < all.len() {
                        all[i] = if i < SHARED.len() {
                            SHARED[i]
                        } else {
                            OWN[i - SHARED.len()]
                        };
                        i += 1;
                    }
                    &{ all }
                }
            };

            async fn run<R: Runtime>(rt: R, case: &'static Case) -> Option<Verdict> {
                if case.engine_only {
                    <$own>::run(rt, case).await
                } else {
                    <$shared>::run(rt, case).await
                }
            }
        }
    };
}

of_both! {
    /// All parts.
    All: cases::Room, engine::Room
}

of_both! {
    /// Channels.
    Channels: cases::SharedChannels, engine::ChannelExits
}

/// Every case, the core's own included, in a fixed order.
pub fn list() -> impl Iterator<Item = &'static Case> {
    All::MODULES.iter().copied().flatten()
}

/// Runs one case.
///
/// # Panics
/// If an expectation of the case fails, or the case is not in [`list`].
pub async fn run<R: Runtime>(rt: R, case: &'static Case) -> Verdict {
    let verdict = All::run(rt, case).await;
    verdict.expect("a case that is listed can be run")
}
