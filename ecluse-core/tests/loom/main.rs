//! The core's loom models: every interleaving of a few threads, within a preemption bound.
//!
//! `--list` names them; `--model NAME --bound N` explores one (0: unbounded) and prints how many
//! interleavings it ran. `cargo xtask loom` runs them all, for both kinds of word.
//!
//! Invariants of a good model: it fails when an ordering is weakened, so whoever believes that it
//! owns a cell touches it; and where parking would add order that hides a weak publish, it polls by
//! hand and never parks.

#[cfg(ecluse_loom)]
mod admission;
#[cfg(ecluse_loom)]
mod channel;
#[cfg(ecluse_loom)]
mod detached;
#[cfg(ecluse_loom)]
mod flight;
#[cfg(ecluse_loom)]
mod flush;
#[cfg(ecluse_loom)]
mod join;
#[cfg(ecluse_loom)]
mod kit;
#[cfg(ecluse_loom)]
mod line;
#[cfg(ecluse_loom)]
mod refresh;
#[cfg(ecluse_loom)]
mod relay;
#[cfg(ecluse_loom)]
mod revoke;
#[cfg(ecluse_loom)]
mod scope;
#[cfg(all(ecluse_loom, not(feature = "std")))]
mod section;
#[cfg(ecluse_loom)]
mod slot;
#[cfg(ecluse_loom)]
mod spawned;
#[cfg(ecluse_loom)]
mod tally;

#[cfg(not(ecluse_loom))]
fn main() {
    println!("no models in this build: `cargo xtask loom` makes one with --cfg ecluse_loom");
}

#[cfg(ecluse_loom)]
fn main() {
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    let models: Vec<(&str, fn())> = [
        admission::MODELS,
        channel::MODELS,
        detached::MODELS,
        flight::MODELS,
        flush::MODELS,
        slot::MODELS,
        line::MODELS,
        refresh::MODELS,
        relay::MODELS,
        revoke::MODELS,
        tally::MODELS,
        scope::MODELS,
        spawned::MODELS,
        join::MODELS,
    ]
    .concat();
    let mut arguments = std::env::args().skip(1);
    let (mut wanted, mut bound) = (None, Some(3));
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => {
                models.iter().for_each(|(name, _)| println!("{name}"));
                return;
            }
            "--model" => wanted = arguments.next(),
            "--bound" => {
                bound = arguments.next().and_then(|bound| bound.parse().ok());
                bound = bound.filter(|&bound| bound != 0);
            }
            other => panic!("unknown argument {other}: --list, or --model NAME [--bound N]"),
        }
    }
    let wanted = wanted.expect("--model NAME, one of --list");
    let (_, model) = models
        .iter()
        .find(|(name, _)| *name == wanted)
        .unwrap_or_else(|| panic!("no model is called {wanted}: see --list"));

    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let model = *model;
    let start = Instant::now();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = bound;
    builder.max_branches = 10_000;
    builder.check(move || {
        RUNS.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!(
        "model\t{wanted}\t{}\t{}\t{}",
        RUNS.load(Ordering::Relaxed),
        if bound.is_some() { "bounded" } else { "ended" },
        start.elapsed().as_millis()
    );
}
