//! Schedules of a small town on the simulator: from random bytes, and from what the fuzzer kept.

#![allow(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]

mod town;

use std::{fs, path::Path};

/// A small generator: the fuzz target `sim` is the thorough one.
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..96).map(|_| next()).collect()
}

#[test]
fn a_town_of_chance_goes_to_bed() {
    for seed in 0..3_000 {
        town::run(&bytes(seed));
    }
}

#[test]
fn what_the_fuzzer_kept_goes_to_bed() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/sim");
    let entries = fs::read_dir(corpus).expect("the target has a corpus");
    let inputs = entries.map(|entry| {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        town::run(&fs::read(path).unwrap());
    });
    assert!(inputs.count() > 0, "no inputs");
}
