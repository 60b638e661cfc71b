//! What a host's standard library gives: the end of its clock, and a seed that nobody outside knows.

use std::{
    env,
    hash::BuildHasher,
    process::Command,
    time::{Duration, Instant},
};

use ecluse_core::{flight::DefaultHash, runtime::instant_after};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_sum_on_the_clock_is_exact_until_the_clocks_end() {
    let now = Instant::now();
    for by in [Duration::ZERO, Duration::from_nanos(1), 1000 * SECOND] {
        assert_eq!(instant_after(now, by), now + by);
    }
    let last = instant_after(now, Duration::MAX);
    assert!(last > now + Duration::from_secs(100 * 365 * 86_400));
    assert_eq!(instant_after(last, Duration::from_nanos(1)), last);
    assert_eq!(instant_after(last - SECOND, SECOND), last);
    assert_eq!(instant_after(now + 1000 * SECOND, Duration::MAX), last);
    assert!(last.checked_add(SECOND).is_some(), "room to round up");
    assert!(last.checked_add(SECOND + Duration::from_nanos(1)).is_none());
}

/// Set for the process that is to say what it hashes to.
const ASKED: &str = "ECLUSE_SAY_HASH";

/// Otherwise whoever sends keys could choose them so that all meet in one bucket.
#[test]
fn every_process_hashes_by_a_seed_of_its_own() {
    let hash = || format!("hash: {}.", DefaultHash.hash_one("key"));
    assert_eq!(hash(), hash(), "one seed in a process");
    if env::var_os(ASKED).is_some() {
        println!("{}", hash());
        return;
    }
    let another = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("hosts::every_process_hashes_by_a_seed_of_its_own")
        .env(ASKED, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&another.stdout);
    assert!(said.contains("hash: "), "{said}");
    assert!(!said.contains(&hash()), "{said}");
}
