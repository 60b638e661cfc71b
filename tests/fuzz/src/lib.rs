//! The drivers of the fuzz targets. None is of this crate: each is a test's, included by its path, and
//! run by that test on the seeds (`corpus/`), without libFuzzer.
//!
//! | target | driver |
//! |---|---|
//! | one for each primitive | `ecluse-core/tests/model/all`: calls, and a plain model |
//! | `sim` | `tests/sim/tests/schedules/town.rs`: all primitives at once, and a schedule |
//! | `ninep_codec`, `ninep_server` | `ecluse-smol/tests/ninep/frames.rs`: bytes off the wire |
//!
//! `cargo xtask fuzz` builds and runs them. What it finds is to become a test with a name: README.md.

use std::{
    panic::{self, AssertUnwindSafe, catch_unwind},
    process,
    sync::Once,
};

#[path = "../../../ecluse-smol/tests/ninep/frames.rs"]
mod frames;
#[path = "../../../ecluse-core/tests/model/all/mod.rs"]
mod models;
#[allow(dead_code, reason = "a client, and its session")]
#[path = "../../../ecluse-smol/examples/ninep/mod.rs"]
mod server;
#[path = "../../sim/tests/schedules/town.rs"]
mod town;

/// A primitive against its model.
pub fn model(name: &str, bytes: &[u8]) {
    let found = models::ALL.iter().find(|(other, _)| *other == name);
    run(found.expect("a model of that name").1, bytes);
}

/// A town on the simulator.
pub fn sim(bytes: &[u8]) {
    run(town::run, bytes);
}

/// The 9P codec.
pub fn ninep_codec(bytes: &[u8]) {
    run(frames::codec, bytes);
}

/// The 9P server.
pub fn ninep_server(bytes: &[u8]) {
    run(frames::server, bytes);
}

/// libfuzzer-sys ends the process in the panic hook. A driver's user code may panic, and be caught; so
/// only a panic that comes out of the driver is the end.
fn run(driver: fn(&[u8]), bytes: &[u8]) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        panic::set_hook(Box::new(|info| eprintln!("{info}")));
    });
    if catch_unwind(AssertUnwindSafe(|| driver(bytes))).is_err() {
        process::abort();
    }
}
