//! Single flight: one run, many results; and what happens to those who wait when its leader is lost.
//!
//! | type | shares | is for |
//! |---|---|---|
//! | [`Flight`] | each result with those who ask while it is made | one thing that is fetched again and again |
//! | [`Group`] | the same, by key | pages, users, names to be resolved; the load of a cache |
//! | [`Relay`] | as `Flight`, and the half-done run itself | long work that must not begin anew when its caller goes |
//! | [`Once`] | the first success, kept | configuration, connections, whatever is made once |
//!
//! # A cache in front
//!
//! A flight keeps nothing; a cache does, and a [`Group`] before it sees to it that what the cache lacks
//! is made once, however many ask. Whatever the cache, it takes three lines, and leaves neither a gap
//! nor a duplicate:
//!
//! 1. Look into the cache; only what is not there is asked of the group.
//! 2. In the run look **again**: a flight may have landed between the look and the call.
//! 3. [`publish`](Run::publish) what was made: it is in the cache *before* the flight is over, so
//!    nobody finds neither.
//!
//! What failed goes to [`judge`](Run::judge): shared if it failed for all, `Retry` if for this caller.
//!
//! ## moka
//!
//! Its own `get_with` and `try_get_with` coalesce, too; a group adds who is told of a failure, a bound on
//! the wait for another's run, and what became of a leader that was lost. A program of its own,
//! `ecluse-tokio/examples/cached.rs`; its heart:
//!
//! ```text
//! if let Some(user) = cache.get(&id) {
//!     return Ok(user);
//! }
//! let load = || async {
//!     match cache.get(&id) {
//!         Some(user) => Ok(user),
//!         None => load(id).await,
//!     }
//! };
//! let answer = loads
//!     .run(id, load)
//!     .publish(|user| {
//!         if let Ok(user) = user {
//!             cache.insert(id, Arc::clone(user));
//!         }
//!     })
//!     .timeout(TokioTimer, Duration::from_secs(5))
//!     .await?;
//! ```
//!
//! ## quick_cache
//!
//! ```
//! use ecluse_core::Group;
//! use quick_cache::sync::Cache;
//!
//! type Page = Result<String, u16>;
//!
//! struct Pages {
//!     cache: Cache<u64, String>,
//!     fetches: Group<u64, Page>,
//! }
//!
//! impl Pages {
//!     async fn page(&self, id: u64, fetch: impl AsyncFnOnce() -> Page) -> Page {
//!         if let Some(page) = self.cache.get(&id) {
//!             return Ok(page);
//!         }
//!         let fetch = || async {
//!             match self.cache.get(&id) {
//!                 Some(page) => Ok(page),
//!                 None => fetch().await,
//!             }
//!         };
//!         let keep = |page: &Page| {
//!             if let Ok(page) = page {
//!                 self.cache.insert(id, page.clone());
//!             }
//!         };
//!         match self.fetches.run(id, fetch).publish(keep).await {
//!             Ok(answer) => answer.value,
//!             Err(_) => Err(503),
//!         }
//!     }
//! }
//!
//! # futures_executor::block_on(async {
//! let pages = Pages { cache: Cache::new(100), fetches: Group::new() };
//! assert_eq!(pages.page(7, async || Err(404)).await, Err(404)); // not kept
//! assert_eq!(pages.page(7, async || Ok("…".to_owned())).await.as_deref(), Ok("…"));
//! assert_eq!(pages.page(7, async || unreachable!()).await.as_deref(), Ok("…"));
//! # });
//! ```
//!
//! ## heapless, on a chip
//!
//! Both are `static`, nothing is allocated. A full map is no failure: what has no place in it is made
//! again when it is next asked for.
//!
//! ```
//! use core::cell::RefCell;
//! use critical_section::Mutex;
//! use ecluse_core::Group;
//! use heapless::LinearMap;
//!
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! struct BusError;
//! type Calibration = Result<i16, BusError>;
//!
//! static KNOWN: Mutex<RefCell<LinearMap<u8, i16, 8>>> = Mutex::new(RefCell::new(LinearMap::new()));
//! static READS: Group<u8, Calibration> = Group::new();
//!
//! fn known(sensor: u8) -> Option<i16> {
//!     critical_section::with(|cs| KNOWN.borrow_ref(cs).get(&sensor).copied())
//! }
//!
//! /// The calibration of a sensor: read from its flash over the bus, once.
//! async fn calibration(sensor: u8, read: impl AsyncFnOnce() -> Calibration) -> Calibration {
//!     if let Some(known) = known(sensor) {
//!         return Ok(known);
//!     }
//!     let read = || async {
//!         match known(sensor) {
//!             Some(known) => Ok(known),
//!             None => read().await,
//!         }
//!     };
//!     let keep = |read: &Calibration| {
//!         if let Ok(read) = *read {
//!             // No place in it: not kept.
//!             critical_section::with(|cs| KNOWN.borrow_ref_mut(cs).insert(sensor, read).ok());
//!         }
//!     };
//!     READS.run(sensor, read).publish(keep).await.map_or(Err(BusError), |answer| answer.value)
//! }
//!
//! # futures_executor::block_on(async {
//! assert_eq!(calibration(3, async || Ok(-12)).await, Ok(-12));
//! assert_eq!(calibration(3, async || unreachable!()).await, Ok(-12));
//! # });
//! ```
//!
//! # The rooms
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
mod transitions;
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
