//! Single flight: one run, many results; and what happens to those who wait when its leader is lost.
//!
//! | type | shares | is for |
//! |---|---|---|
//! | [`Flight`] | each result with those who ask while it is made | one thing that is fetched again and again |
//! | [`Group`] | the same, by key | pages, users, names to be resolved; the load of a cache |
//! | [`Relay`] | as `Flight`, and the half-done run itself | long work that must not begin anew when its caller goes |
//! | [`Once`] | the first success, kept | configuration, connections, whatever is made once |
//!
//! | file | holds |
//! |---|---|
//! | `table` | every transition of a flight (invariants F1 to F4) |
//! | `turn` | what a caller waits for |
//! | `run` | a call: joining or leading, and its exit (U1, U2) |
//! | `single`, `group`, `hash` | `Flight`; `Group` and its hasher |
//! | `relay`, `drive` | `Relay` and its drivers (R1 to R4) |
//! | `detach` | runs that are tasks of their own (D1, D2) |
//! | `once` | `Once` (V1, V2) |
//! | `policy`, `hooks`, `answer` | orphans, ages; what callers may say; what they get |
//! | `context` | who is inside which run (P1) |

mod answer;
mod context;
#[cfg(feature = "alloc")]
mod detach;
mod drive;
mod group;
mod hash;
mod hooks;
mod once;
mod policy;
mod relay;
mod run;
mod single;
mod table;
mod turn;

#[cfg(feature = "alloc")]
pub use self::detach::{Detached, Leader};
#[cfg(feature = "alloc")]
pub(crate) use self::table::{Bucket, sealed};
pub use self::{
    answer::{Answer, NoAnswer, Part, Verdict},
    group::Group,
    hash::DefaultHash,
    hooks::{Judge, Publish},
    once::{Infallibly, Init, Making, NotInit, Once},
    policy::{Fail, NoClock, Orphans, Promote, Stamp},
    relay::{Impatient, Relay, RelayRef, RelayRun},
    run::{Patient, Run},
    single::Flight,
    table::Table,
    turn::{TableRef, ToTurn, Turn},
};
